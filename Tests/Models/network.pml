/* Datagrams on their way: at most UP and DOWN of them, lost, doubled, reordered at will, copied by the attacker. A full network
 * loses its oldest. */

inline clear_up(n) {
    up[n].path = 0; up[n].source = 0; up[n].attempt = 0; up[n].lag = 0; up[n].cause = none; up[n].response = 0; up[n].close = 0;
    up[n].is_overtaken = 0; up[n].is_used = 0
}

inline remove_up(n) {
    j = n;
    do
    :: j + 1 < up_count ->
        up[j].path = up[j + 1].path; up[j].source = up[j + 1].source; up[j].attempt = up[j + 1].attempt; up[j].lag = up[j + 1].lag;
        up[j].cause = up[j + 1].cause; up[j].response = up[j + 1].response; up[j].close = up[j + 1].close;
        up[j].is_overtaken = up[j + 1].is_overtaken; up[j].is_used = up[j + 1].is_used;
        j++
    :: else -> break
    od;
    up_count--;
    clear_up(up_count);
    j = 0
}

inline clear_down(n) {
    down[n].path = 0; down[n].target = 0; down[n].answer = 0; down[n].attempt = 0; down[n].answer_lag = 0; down[n].reason = none;
    down[n].challenge = 0; down[n].nudge = 0; down[n].report = 0; down[n].report_operator = 0; down[n].lag = 0; down[n].close = 0
}

inline remove_down(n) {
    j = n;
    do
    :: j + 1 < down_count ->
        down[j].path = down[j + 1].path; down[j].target = down[j + 1].target; down[j].answer = down[j + 1].answer;
        down[j].attempt = down[j + 1].attempt; down[j].answer_lag = down[j + 1].answer_lag; down[j].reason = down[j + 1].reason;
        down[j].challenge = down[j + 1].challenge; down[j].nudge = down[j + 1].nudge; down[j].report = down[j + 1].report;
        down[j].report_operator = down[j + 1].report_operator; down[j].lag = down[j + 1].lag; down[j].close = down[j + 1].close;
        j++
    :: else -> break
    od;
    down_count--;
    clear_down(down_count);
    j = 0
}

#define EQUAL_UP(a, b) (!up[a].is_used && up[a].path == up[b].path && up[a].source == up[b].source && up[a].attempt == up[b].attempt && up[a].lag == up[b].lag && up[a].cause == up[b].cause && up[a].response == up[b].response && up[a].close == up[b].close)
#define EQUAL_DOWN(a, b) (down[a].path == down[b].path && down[a].target == down[b].target && down[a].answer == down[b].answer && down[a].attempt == down[b].attempt && down[a].answer_lag == down[b].answer_lag && down[a].reason == down[b].reason && down[a].challenge == down[b].challenge && down[a].nudge == down[b].nudge && down[a].report == down[b].report && down[a].report_operator == down[b].report_operator && down[a].lag == down[b].lag && down[a].close == down[b].close)

/* A datagram of the client on a path; the attempt on that path rides along (transmitFrames). */
inline send_up(p) {
    if
    :: up_count == UP -> remove_up(0)
    :: else
    fi;
    up[up_count].path = p;
    up[up_count].source = CURRENT(p);
    if
    :: c_attempt != 0 && c_attempt_path == p ->
        up[up_count].attempt = c_attempt; up[up_count].lag = (c_lag > 0); up[up_count].cause = c_attempt_cause
    :: !(c_attempt != 0 && c_attempt_path == p) && c_asks_rebind && c_rebind != 0 ->
        up[up_count].attempt = c_rebind; up[up_count].lag = (c_lag > 0); up[up_count].cause = nat_rebinding
    :: else
    fi;
    up[up_count].response = c_response[p];
    up_count++;
    j = 0;
    do                      /* the newer of two equal ones is enough */
    :: j + 1 < up_count && !EQUAL_UP(j, up_count - 1) -> j++
    :: else -> break
    od;
    if
    :: j + 1 < up_count -> remove_up(j)
    :: else
    fi;
    j = 0
}

/* The client's CLOSE on its active path. */
inline send_close_up(p, end_reason) {
    if
    :: up_count == UP -> remove_up(0)
    :: else
    fi;
    up[up_count].path = p; up[up_count].source = CURRENT(p); up[up_count].close = 1; up[up_count].cause = end_reason;
    up_count++
}

/* A datagram of the gateway to a slot's address. */
inline send_down(s) {
    if
    :: down_count == DOWN -> remove_down(0)
    :: else
    fi;
    down[down_count].path = (s == PROVISIONAL -> g_active : s);
    down[down_count].target = g_address[s];
    if
    :: out_answer[s] ->
        down[down_count].answer = a_answer; down[down_count].attempt = a_attempt; down[down_count].answer_lag = a_lag;
        down[down_count].reason = a_reason
    :: else
    fi;
    down[down_count].challenge = out_challenge[s];
    down[down_count].nudge = out_nudge[s];
    if
    :: out_report[s] -> down[down_count].report = (g_dead -> REPORT_CUT_OFF : REPORT_ALIVE); down[down_count].report_operator = g_operator
    :: else
    fi;
    j = 0;
    do
    :: j < down_count && !EQUAL_DOWN(j, down_count) -> j++
    :: else -> break
    od;
    if
    :: j < down_count -> clear_down(down_count)
    :: else -> down_count++
    fi;
    j = 0
}

/* CLOSE, from the active path or to a straggler's address. */
inline send_close(p, to, end_reason) {
    if
    :: down_count == DOWN -> remove_down(0)
    :: else
    fi;
    down[down_count].path = p; down[down_count].target = to; down[down_count].close = 1; down[down_count].reason = end_reason;
    down_count++
}

/* Forgets what can have no effect any more, so that states that differ in nothing else are one. */
#define IS_OPEN_AT_CLIENT(id) (id == c_attempt || id == c_rebind || id == c_earlier_id[0] || id == c_earlier_id[EARLIER - 1])
#define IS_CHALLENGED(p, address) ((g_challenged[p] && g_address[p] == (address)) || (p == g_active && g_challenged[PROVISIONAL] && g_address[PROVISIONAL] == (address)))
inline forget_idle_datagrams() {
    k = (1 << c_attempt) | (1 << c_rebind);         /* ids that may still come to the gateway */
    i = 0;
    do
    :: i < up_count ->
        k = k | (1 << up[i].attempt);
        if
        :: up[i].response != 0 && !IS_CHALLENGED(up[i].path, up[i].response - 1) -> up[i].response = 0
        :: else
        fi;
        if
        :: up[i].attempt == 0 && up[i].response == 0 && !up[i].close && ALIVE(gateway_state) && g_address[up[i].path] == up[i].source && !up[i].is_used -> remove_up(i)
        :: else -> i++
        fi
    :: else -> break
    od;
    if
    :: g_last_id != 0 && !((k >> g_last_id) & 1) -> g_last_id = 0; g_last_slot = NO_SLOT; g_last_answer = 0; g_last_lag = 0; g_last_reason = none
    :: else
    fi;
    i = 0;
    do
    :: i < down_count ->
        if
        :: down[i].answer != 0 && !IS_OPEN_AT_CLIENT(down[i].attempt) ->
            down[i].answer = 0; down[i].attempt = 0; down[i].answer_lag = 0;
            if
            :: !down[i].close -> down[i].reason = none
            :: else
            fi
        :: else
        fi;
        if
        :: down[i].challenge && !IS_CHALLENGED(down[i].path, down[i].target) -> down[i].challenge = 0
        :: else
        fi;
        if
        :: (down[i].nudge || down[i].report != 0) && down[i].lag > c_lag -> down[i].nudge = 0; down[i].report = 0; down[i].report_operator = 0; down[i].lag = 0
        :: else
        fi;
        if
        :: down[i].answer == 0 && !down[i].challenge && !down[i].nudge && down[i].report == 0 && !down[i].close -> remove_down(i)
        :: else -> i++
        fi
    :: else -> break
    od;
    k = k | (1 << g_pending_id);                    /* ids that may still be answered */
    i = 0;
    do
    :: i < down_count -> k = k | (1 << down[i].attempt); i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < EARLIER ->
        if
        :: c_earlier_id[i] != 0 && !((k >> c_earlier_id[i]) & 1) -> c_earlier_id[i] = 0; c_earlier_path[i] = 0
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0; k = 0
}

/* A datagram that nobody will receive any more. */
inline empty_network() {
    do
    :: up_count > 0 -> remove_up(0)
    :: else -> break
    od;
    do
    :: down_count > 0 -> remove_down(0)
    :: else -> break
    od
}

#define OLDER(lag) ((lag) < LAG_MAX -> (lag) + 1 : LAG_MAX)
/* The gateway's binding_version grows by one: everyone else's falls behind. */
inline version_grows() {
    OBSERVE_BINDING;
    c_lag = OLDER(c_lag);
    j = 0;
    do
    :: j < up_count ->
        if
        :: up[j].attempt != 0 -> up[j].lag = 1      /* stale is stale */
        :: else
        fi;
        j++
    :: else -> break
    od;
    j = 0;
    do
    :: j < down_count ->
        if
        :: down[j].answer != 0 -> down[j].answer_lag = OLDER(down[j].answer_lag)
        :: else
        fi;
        if
        :: down[j].nudge || down[j].report != 0 -> down[j].lag = OLDER(down[j].lag)
        :: else
        fi;
        j++
    :: else -> break
    od;
    j = 0;
    if
    :: g_last_id != 0 -> g_last_lag = OLDER(g_last_lag)
    :: else
    fi
}

/* An attempt id that nothing refers to is as good as a random one never used before. */
inline fresh_attempt_id(target) {
    k = (1 << c_attempt) | (1 << c_rebind) | (1 << g_pending_id) | (1 << g_last_id);
    j = 0;
    do
    :: j < EARLIER -> k = k | (1 << c_earlier_id[j]); j++
    :: else -> break
    od;
    j = 0;
    do
    :: j < up_count -> k = k | (1 << up[j].attempt); j++
    :: else -> break
    od;
    j = 0;
    do
    :: j < down_count -> k = k | (1 << down[j].attempt); j++
    :: else -> break
    od;
    j = 1;
    do
    :: j < 8 && ((k >> j) & 1) -> j++
    :: else -> break
    od;
    assert(j < 8);
    target = j;
    j = 0; k = 0
}

/* Takes datagram n off the network, or a copy of it when `keeps`. The attacker's copies come from its own address. */
inline arrive_up(n, source_address, keeps) {
    m_path = up[n].path; m_source = source_address; m_attempt = up[n].attempt; m_lag = up[n].lag; m_cause = up[n].cause;
    m_response = up[n].response; m_close = up[n].close; m_overtaken = up[n].is_overtaken; m_used = up[n].is_used;
    up[n].is_used = 1;
    j = 0;
    do
    :: j < n && !m_used -> up[j].is_overtaken = 1; j++
    :: else -> break
    od;
    j = 0;
    if
    :: keeps -> skip
    :: else -> remove_up(n)
    fi
}

inline arrive_down(n) {
    m_path = down[n].path; m_target = down[n].target; m_answer = down[n].answer; m_attempt = down[n].attempt;
    m_answer_lag = down[n].answer_lag; m_reason = down[n].reason; m_challenge = down[n].challenge; m_nudge = down[n].nudge;
    m_report = down[n].report; m_report_operator = down[n].report_operator; m_lag = down[n].lag; m_close = down[n].close;
    remove_down(n)
}

inline forget_message() {
    m_path = 0; m_source = 0; m_attempt = 0; m_lag = 0; m_cause = none; m_response = 0; m_overtaken = 0; m_used = 0;
    m_target = 0; m_answer = 0; m_answer_lag = 0; m_reason = none; m_challenge = 0; m_nudge = 0; m_report = 0; m_report_operator = 0; m_close = 0;
    slot = 0; found = 0; why = none
}
