/* The client's half: Recovery.swift, Candidates.swift, Detection.swift, Reporting.swift and TimerDispatch.swift, function by
 * function; the table in Model.md names them. Inlines that stand for a call at the end of a function leave a flag for
 * `client_epilogue`, so that each is written out once. */

inline client_transition(next, reason) {
    assert(ALLOWS(client_state, next, reason));
    OBSERVE_STATE(CLIENT, client_state, next, reason);
    client_state = next;
    if
    :: next == ATTACHED -> c_lost = 0; c_attempt = 0; c_attempt_path = 0; c_attempt_same = 0; c_attempt_cause = none;
        c_cut_off = 0; c_operator = 0; c_trigger = none
    :: next == VOLATILE -> c_trigger = reason
    :: next == DEGRADED -> c_attempt = 0; c_attempt_path = 0; c_attempt_same = 0; c_attempt_cause = none
    :: else
    fi
}

/* A terminated end keeps nothing that matters. */
inline client_terminate(reason) {
    client_transition(TERMINATED, reason);
    c_attempt = 0; c_attempt_path = 0; c_attempt_same = 0; c_attempt_cause = none; c_rebind = 0;
    c_lost = 0; c_cut_off = 0; c_operator = 0; c_trigger = none; c_switches = 0;
    j = 0;
    do
    :: j < PATHS -> c_valid[j] = 0; c_dead[j] = 0; c_tried[j] = 0; c_is_active[j] = 0; j++
    :: else -> break
    od;
    c_active = NO_PATH;
    j = 0;
    do
    :: j < EARLIER -> c_earlier_id[j] = 0; c_earlier_path[j] = 0; j++
    :: else -> break
    od;
    j = 0
}

#define C_ACTIVE_LOST (c_active == NO_PATH || (c_active != NO_PATH && c_dead[c_active % PATHS]) || c_cut_off)
#define C_LOST_CLOCK_RUNS (c_active == NO_PATH || c_dead[c_active % PATHS])

inline start_lost_clock() {
    if
    :: C_LOST_CLOCK_RUNS && client_state != BIRTH -> c_lost = 1
    :: else
    fi
}

/* The best path other than the active one that this recovery has not tried; `found` is NO_PATH when there is none. */
inline best_candidate(must_be_proven) {
    found = NO_PATH;
    j = 0;
    do
    :: j < PATHS ->
        if
        :: j != c_active && !c_dead[j] && !c_tried[j] && (c_valid[j] || !(must_be_proven)) -> found = j
        :: else
        fi;
        j++
    :: else -> break
    od;
    j = 0
}

inline begin(path, reason, cause, same) {
    b_path = path; b_reason = reason; b_cause = cause; b_same = same;
    begins = 1; starts = 1
}

inline deny(reason) {
    if
    :: client_state == VOLATILE -> client_transition(DEGRADED, reason)
    :: else
    fi
}

/* recover, recoverFromDeath, recoverByChoice. `choice` holds what the model leaves open: whether the active path is still troubled
 * and a standby clearly better, whether the cooldown runs. */
inline recover() {
    if
    :: (client_state == VOLATILE || client_state == DEGRADED) && c_attempt == 0 ->
        if
        :: C_ACTIVE_LOST ->
            best_candidate(false);
            if
            :: found == NO_PATH && c_cut_off && c_active != NO_PATH && !c_dead[c_active % PATHS] && !c_tried[c_active % PATHS] ->
                begin(c_active, dead_transport_recovery, nat_rebinding, 1)      /* proveAddress */
            :: found == NO_PATH && !(c_cut_off && c_active != NO_PATH && !c_dead[c_active % PATHS] && !c_tried[c_active % PATHS]) ->
                deny(no_candidate_transports)
            :: found != NO_PATH && CLIENT_LIMIT_REACHED -> deny(switch_rate_limited)
            :: else -> begin(found, dead_transport_recovery, c_trigger, 0)
            fi
        :: else ->
            best_candidate(true);
            if
            :: found != NO_PATH && (c_operator || (choice & 1)) ->
                if
                :: c_switches > 0 && (choice & 2) -> deny(cooldown_active)
                :: CLIENT_LIMIT_REACHED && !(choice & 2) -> deny(switch_rate_limited)
                :: else ->
                    if
                    :: c_operator -> begin(found, policy_forced_recovery, c_trigger, 0)
                    :: else -> begin(found, loss_recovery, c_trigger, 0)
                    fi
                fi
            :: else
            fi
        fi
    :: else
    fi
}

/* EarlierAttempts.add: the oldest makes room. */
inline remember_attempt() {
    j = EARLIER - 1;
    do
    :: j > 0 -> c_earlier_id[j] = c_earlier_id[j - 1]; c_earlier_path[j] = c_earlier_path[j - 1]; j--
    :: else -> break
    od;
    c_earlier_id[0] = c_attempt; c_earlier_path[0] = c_attempt_path
}

inline start_attempt() {
    c_tried[b_path] = 1;
    NEW_ATTEMPT_ID(c_attempt, CLIENT);
    c_attempt_path = b_path; c_attempt_same = b_same; c_attempt_cause = b_cause;
    OBSERVE_ATTEMPT(CLIENT, c_attempt, b_cause, b_path);
    c_sends[b_path] = 1
}

#ifdef FORGET_CLIENT_LIMIT
#define NEXT_IS_LIMITED false
#else
#define NEXT_IS_LIMITED CLIENT_LIMIT_REACHED
#endif

/* `why` is the reason: timed_out, or what a REJECT said. */
inline fail_attempt() {
    OBSERVE_RESULT(CLIENT, c_attempt, why);
    if
    :: why == timed_out ->                  /* loseCandidate */
        c_dead[c_attempt_path] = 1;
        if
        :: c_attempt_path != c_active -> c_valid[c_attempt_path] = 0
        :: else
        fi;
        start_lost_clock()
    :: else
    fi;
    remember_attempt();
    found = NO_PATH;
    if
    :: C_ACTIVE_LOST -> best_candidate(false)
    :: !C_ACTIVE_LOST && !c_attempt_same -> best_candidate(true)
    :: else
    fi;
    if
    :: found != NO_PATH && !NEXT_IS_LIMITED -> b_path = found; b_cause = c_trigger; b_same = 0; starts = 1
    :: found != NO_PATH && NEXT_IS_LIMITED -> start_lost_clock(); client_transition(DEGRADED, policy_denied)
    :: else ->
        c_operator = 0;
        start_lost_clock();
        if
        :: why == timed_out -> client_transition(DEGRADED, no_candidate_transports)
        :: why == policy_denied -> client_transition(DEGRADED, policy_denied)
        :: else -> client_transition(DEGRADED, reattach_validation_failed)
        fi
    fi
}

/* `bind` at the client. */
inline client_bind(path) {
    is_switch = (c_active != path);
    j = 0;
    do
    :: j < PATHS -> c_tried[j] = 0; c_is_active[j] = 0; j++
    :: else -> break
    od;
    j = 0;
    c_rebind = 0; c_active = path; c_is_active[path] = 1; c_valid[path] = 1; c_dead[path] = 0;
    if
    :: is_switch -> COUNT_CLIENT_SWITCH
    :: else
    fi;
    client_transition(ATTACHED, reattach_success);
    if
    :: is_switch -> OBSERVE_SWITCH(CLIENT, path)
    :: else
    fi;
    is_switch = 0
}

/* No rollback: the version only ever comes nearer to the gateway's. */
inline follow_version(of_answer) {
    assert(of_answer <= c_lag);
    c_lag = of_answer;
    OBSERVE_FOLLOWED(of_answer)
}

#ifdef ACCEPT_OLD_ACK
#define IS_NEWS true
#else
#define IS_NEWS (m_answer_lag < c_lag)
#endif

/* An equal version answers a request in place that found nothing to change. */
#ifdef IGNORE_EQUAL_ACK
#define IS_IN_PLACE false
#else
#define IS_IN_PLACE (c_attempt == m_attempt && c_attempt_path == c_active)
#endif

inline receive_reattach_ack() {
    if
    :: c_rebind != 0 && c_rebind == m_attempt ->
        c_rebind = 0;
        if
        :: IS_NEWS ->                       /* followRebinding */
            follow_version(m_answer_lag);
            if
            :: client_state == ATTACHED -> client_transition(VOLATILE, peer_reported_volatility)
            :: else
            fi;
            if
            :: client_state != RECOVERING -> client_transition(RECOVERING, dead_transport_recovery)
            :: else
            fi;
            k = c_active;
            binds = 1
        :: else
        fi
    :: else ->
        found = NO_PATH;
        if
        :: c_attempt != 0 && c_attempt == m_attempt -> found = c_attempt_path
        :: else ->
            j = 0;
            do
            :: j < EARLIER ->
                if
                :: c_earlier_id[j] != 0 && c_earlier_id[j] == m_attempt -> found = c_earlier_path[j]
                :: else
                fi;
                j++
            :: else -> break
            od;
            j = 0
        fi;
        if
        :: (client_state == RECOVERING || client_state == VOLATILE || client_state == DEGRADED) && found != NO_PATH && (IS_NEWS || IS_IN_PLACE && m_answer_lag == c_lag) ->
            if
            :: client_state != RECOVERING -> client_transition(RECOVERING, dead_transport_recovery)
            :: else
            fi;
            follow_version(m_answer_lag);
            OBSERVE_RESULT(CLIENT, m_attempt, reattach_success);
            k = found;
            binds = 1
        :: else
        fi
    fi;
    if
    :: binds -> binds = 0; client_bind(k); k = 0
    :: else
    fi
}

inline begin_rebinding() {
    NEW_ATTEMPT_ID(c_rebind, NOBODY);
    c_sends[c_active] = 1; c_asks_rebind = 1
}

/* A newer version means that a bind was missed: the gateway's REJECT tells of it. */
#ifdef IGNORE_MISSED_BIND
#define IS_FOR_US (m_lag == c_lag)
#define IS_MISSED_BIND false
#else
#define IS_FOR_US (m_lag <= c_lag)
#define IS_MISSED_BIND (m_reason == stale_state_version && m_answer_lag < c_lag)
#endif
/* What it bound is not known, so nobody is ATTACHED with it until an attempt on top of it is answered. */
#ifdef STAY_ATTACHED
#define LEAVE_ATTACHED skip
#define ASK_ON_TOP begin_rebinding()
#else
#define LEAVE_ATTACHED client_transition(VOLATILE, peer_reported_volatility)
#define ASK_ON_TOP begin(c_active, dead_transport_recovery, nat_rebinding, 1)      /* proveAddress */
#endif
inline receive_reattach_reject() {
    if
    :: c_rebind != 0 && c_rebind == m_attempt ->
        c_rebind = 0;
        if
        :: IS_MISSED_BIND && client_state == ATTACHED ->                    /* learnMissedBind */
            LEAVE_ATTACHED;
            follow_version(m_answer_lag);
            OBSERVE_RESULT(CLIENT, m_attempt, m_reason);
            ASK_ON_TOP
        :: IS_MISSED_BIND && client_state != ATTACHED ->
            follow_version(m_answer_lag);
            OBSERVE_RESULT(CLIENT, m_attempt, m_reason)
        :: else
        fi;
        m_attempt = 0
    :: else
    fi;
    if
    :: c_attempt != 0 && c_attempt == m_attempt && client_state == RECOVERING ->
        if
        :: m_reason == stale_state_version && m_answer_lag <= c_lag ->
            follow_version(m_answer_lag);
            OBSERVE_RESULT(CLIENT, c_attempt, m_reason);
            b_path = c_attempt_path; b_cause = c_attempt_cause; b_same = c_attempt_same; starts = 1
        :: else -> why = m_reason; fail_attempt()
        fi
    :: else
    fi
}

inline receive_nudge() {
    if
    :: IS_FOR_US && m_path == c_active ->
        if
        :: (client_state == VOLATILE || client_state == DEGRADED) && c_attempt == 0 ->
            begin(c_active, dead_transport_recovery, nat_rebinding, 1)          /* proveAddress */
        :: client_state == ATTACHED ->
            if
            :: c_rebind == 0 -> begin_rebinding()
            :: else -> c_sends[c_active] = 1; c_asks_rebind = 1
            fi
        :: else
        fi
    :: else
    fi
}

/* `choice` 3: the host was late, so the report is doubted (answerDoubtedReport). */
inline receive_report() {
    if
    :: IS_FOR_US && client_state != BIRTH && client_state != RECOVERING ->
        if
        :: choice == 3 && !m_report_operator ->
            if
            :: m_report == REPORT_ALIVE && client_state == ATTACHED ->
                client_transition(VOLATILE, peer_reported_volatility);
                begin(c_active, stability_window_met, stability_window_met, 1)
            :: else
            fi
        :: else ->
            if
            :: client_state == ATTACHED ->
                client_transition(VOLATILE, peer_reported_volatility)
            :: else
            fi;
            c_operator = c_operator | m_report_operator;
            c_cut_off = (m_report == REPORT_CUT_OFF);
            if
            :: c_cut_off -> c_trigger = peer_reported_volatility
            :: else
            fi;
            recovers = 1
        fi
    :: else
    fi
}

/* Frames in the order they are written: answer, challenge, nudge, report. */
inline client_receive() {
    if
    :: client_state == BIRTH
    :: client_state == TERMINATED -> closes = !m_close && (choice & 1)      /* answerAfterTermination */
    :: else ->
        if
        :: m_close ->
            why = peer_terminated;
            if
            :: m_reason == transport_ttl_exceeded && client_state != ATTACHED -> why = m_reason
            :: m_reason == session_lifetime_exceeded -> why = m_reason
            :: else
            fi;
            client_terminate(why)
        :: else ->
            if
            :: m_answer == ACK -> receive_reattach_ack()
            :: m_answer == REJECT -> receive_reattach_reject()
            :: else
            fi;
            if
            :: m_challenge -> c_response[m_path] = m_target + 1; c_sends[m_path] = 1
            :: else
            fi;
            if
            :: m_nudge -> receive_nudge()
            :: else
            fi;
            if
            :: m_report != 0 -> receive_report()
            :: else
            fi
        fi
    fi
}

/* Two-way evidence on a path: noteEvidence, restartLostClock, pathCameAlive. */
inline client_evidence(path) {
    if
    :: c_dead[path] || !c_valid[path] ->
        c_dead[path] = 0; c_valid[path] = 1; c_tried[path] = 0; c_lost = 0;
        start_lost_clock();
        if
        :: (client_state == VOLATILE || client_state == DEGRADED) && path != c_active && C_ACTIVE_LOST -> recovers = 1
        :: else
        fi
    :: else -> c_lost = 0; start_lost_clock()
    fi
}

/* becomeVolatile; `why` is the reason. */
inline client_becomes_volatile() {
    if
    :: client_state == ATTACHED -> client_transition(VOLATILE, why)
    :: else
    fi;
    recovers = 1
}

/* declareDead of the active path; `why` is the reason. */
inline client_declares_dead() {
    c_dead[c_active] = 1;
    start_lost_clock();
    j = 0;
    do
    :: j < PATHS ->
        if
        :: c_attempt == 0 || j != c_attempt_path -> c_tried[j] = 0
        :: else
        fi;
        j++
    :: else -> break
    od;
    j = 0;
    if
    :: client_state != ATTACHED -> c_trigger = why
    :: else
    fi;
    if
    :: client_state == RECOVERING && c_attempt_path == c_active -> why = timed_out; fail_attempt()
    :: else -> client_becomes_volatile()
    fi
}

inline client_epilogue() {
    if
    :: recovers -> recovers = 0; recover()
    :: else
    fi;
    if
    :: begins -> begins = 0; client_transition(RECOVERING, b_reason)
    :: else
    fi;
    if
    :: starts -> starts = 0; start_attempt()
    :: else
    fi;
    b_path = 0; b_same = 0; b_reason = none; b_cause = none;
    i = 0;
    do
    :: i < PATHS ->
        if
        :: c_sends[i] && client_state != TERMINATED && GOES_UP(i) -> send_up(i)
        :: else
        fi;
        c_sends[i] = 0; c_response[i] = 0; i++
    :: else -> break
    od;
    i = 0;
    c_asks_rebind = 0
}
