/* The gateway's half: GatewayReattach.swift, Receiving.swift, Candidates.swift, Detection.swift and Reporting.swift. What it owes
 * to its paths gathers in out_… and leaves in `gateway_epilogue`, one datagram a path, as from `pollTransmit`. */

inline gateway_transition(next, reason) {
    assert(ALLOWS(gateway_state, next, reason));
    OBSERVE_STATE(GATEWAY, gateway_state, next, reason);
    gateway_state = next;
    if
    :: next == ATTACHED -> g_lost = 0; g_operator = 0
    :: else
    fi
}

inline forget_pending() {
    g_pending_slot = NO_SLOT; g_pending_id = 0; g_pending_lag = 0; g_pending_cause = none
}

/* forgetPath of the provisional slot. */
inline forget_provisional() {
    if
    :: g_pending_slot == PROVISIONAL -> forget_pending()
    :: else
    fi;
    if
    :: g_last_slot == PROVISIONAL -> g_last_slot = NO_SLOT; g_last_id = 0; g_last_answer = 0; g_last_lag = 0; g_last_reason = none
    :: else
    fi;
    g_address[PROVISIONAL] = NO_ADDRESS; g_valid[PROVISIONAL] = 0; g_challenged[PROVISIONAL] = 0
}

inline gateway_terminate(reason) {
    gateway_transition(TERMINATED, reason);
    forget_provisional(); forget_pending();
    g_dead = 0; g_lost = 0; g_operator = 0; g_switches = 0;
    g_last_id = 0; g_last_slot = NO_SLOT; g_last_answer = 0; g_last_lag = 0; g_last_reason = none;
    j = 0;
    do
    :: j < PATHS -> g_valid[j] = 0; g_challenged[j] = 0; g_is_active[j] = 0; g_address[j] = NO_ADDRESS; j++
    :: else -> break
    od;
    j = 0;
    g_active = NO_PATH
}

inline request_challenge(s) {
    g_challenged[s] = 1; out_challenge[s] = 1
}

inline request_answer(s, kind, id, lag_of_it, reason) {
    out_answer[s] = 1; a_answer = kind; a_attempt = id; a_lag = lag_of_it; a_reason = reason
}

inline remember_answer(s, kind, id, reason) {
    g_last_id = id; g_last_slot = s; g_last_answer = kind; g_last_lag = 0; g_last_reason = reason;
    request_answer(s, kind, id, 0, reason)
}

inline gateway_reject(id, reason) {
    OBSERVE_RESULT(GATEWAY, id, reason);
    remember_answer(slot, REJECT, id, reason)
}

/* judge: leaves the first failed check in `why`, none when all hold. `m_lag` and `m_cause` are the request's. `choice` holds what
 * the model leaves open: 1, an overtaken datagram is older than proof_max_age, or the TTL of a lost path has passed;
 * 2, a voluntary cause comes within the cooldown. */
#ifdef FORGET_LIMIT
#define GATEWAY_LIMIT_REACHED false
#elif defined(TRACE)
#define GATEWAY_LIMIT_REACHED (choice & 4)      /* a recorded run has its own policy */
#else
#define GATEWAY_LIMIT_REACHED (g_switches >= LIMIT)
#endif
#ifdef TRACE
#define COUNT_SWITCH g_switches = 1
#define IN_PLACE_LIMIT_REACHED ((choice & 4) && g_count >= 60)      /* bindsInPlacePerMinute */
#else
#define COUNT_SWITCH g_switches++; assert(g_switches <= LIMIT)
#define IN_PLACE_LIMIT_REACHED false
#endif
#ifdef ACCEPT_STALE_VERSION
#define IS_STALE(lag) false
#else
#define IS_STALE(lag) ((lag) != 0)
#endif
#define IS_VOLUNTARY(cause) (cause == loss_threshold_exceeded || cause == latency_threshold_exceeded || cause == operator_requested)
inline judge(is_fresh_proof) {
    why = none;
    if
    :: m_overtaken && !(is_fresh_proof) && (choice & 1) -> why = stale_request
    :: g_lost && (choice & 1) && !(m_overtaken && !(is_fresh_proof)) -> why = transport_ttl_exceeded
    :: else ->
        if
        :: IS_STALE(m_lag) -> why = stale_state_version
        :: !IS_STALE(m_lag) && (slot == g_active || slot == PROVISIONAL) && IN_PLACE_LIMIT_REACHED -> why = policy_denied
        :: !IS_STALE(m_lag) && slot != g_active && slot != PROVISIONAL && GATEWAY_LIMIT_REACHED -> why = policy_denied
        :: !IS_STALE(m_lag) && slot != g_active && slot != PROVISIONAL && !GATEWAY_LIMIT_REACHED && IS_VOLUNTARY(m_cause) && !g_dead && g_switches > 0 && (choice & 2) -> why = policy_denied
        :: else
        fi
    fi
}
#define RECOVERY_REASON(cause) (ANY_OF_2(cause, loss_threshold_exceeded, latency_threshold_exceeded) || cause == peer_reported_volatility -> loss_recovery : (cause == operator_requested -> policy_forced_recovery : (cause == stability_window_met -> stability_window_met : dead_transport_recovery)))

/* bindRequested, adoptProvisional and bind: the ladder, the binding and the answer in one step. */
inline bind_requested(id) {
    assert(m_lag == 0);                 /* no rollback: it replaces the present binding and nothing older */
    assert(!m_used);                    /* a replay never binds */
    assert(proved[g_address[slot]]);    /* no binding without proof of the address */
    if
    :: gateway_state == ATTACHED -> gateway_transition(VOLATILE, peer_reported_volatility)
    :: else
    fi;
    gateway_transition(RECOVERING, RECOVERY_REASON(m_cause));
    forget_pending();
    version_grows();
    is_switch = (slot != g_active && slot != PROVISIONAL);
    k = (slot != g_active);             /* another path or another address: TransportSwitch */
    if
    :: slot == PROVISIONAL -> g_address[g_active] = g_address[PROVISIONAL]; slot = g_active
    :: else
    fi;
    forget_provisional();
    OBSERVE_RESULT(GATEWAY, id, reattach_success);
#ifndef KEEP_TWO_ACTIVE
    j = 0;
    do
    :: j < PATHS -> g_is_active[j] = 0; j++
    :: else -> break
    od;
    j = 0;
#endif
    g_active = slot; g_is_active[slot] = 1; g_valid[slot] = 1; g_dead = 0;
    if
    :: is_switch -> COUNT_SWITCH
    :: else
    fi;
    gateway_transition(ATTACHED, reattach_success);
    if
    :: k -> OBSERVE_SWITCH(GATEWAY, slot)
    :: else
    fi;
    k = 0; is_switch = 0;
    remember_answer(slot, ACK, id, none)
}

inline make_pending() {
    g_pending_slot = slot; g_pending_id = m_attempt; g_pending_lag = m_lag; g_pending_cause = m_cause;
    request_challenge(slot)
}

#ifdef BIND_BEFORE_PROOF
#define MAY_BIND_AT_ONCE true
#else
#define MAY_BIND_AT_ONCE g_valid[slot]
#endif

inline receive_reattach() {
    if
    :: m_attempt == g_last_id && g_last_slot == slot -> request_answer(slot, g_last_answer, g_last_id, g_last_lag, g_last_reason)
    :: g_pending_slot == slot && g_pending_id == m_attempt ->
        request_challenge(slot)      /* the ACK that says `pending` changes nothing at the client */
    :: else ->
        OBSERVE_ATTEMPT(GATEWAY, m_attempt, m_cause, m_path);
        judge(false);
        if
        :: why != none -> gateway_reject(m_attempt, why)
        :: why == none && slot == g_active && m_cause == nat_rebinding && gateway_state == ATTACHED -> remember_answer(slot, ACK, m_attempt, none)
        :: why == none && !(slot == g_active && m_cause == nat_rebinding && gateway_state == ATTACHED) && MAY_BIND_AT_ONCE -> bind_requested(m_attempt)
        :: else -> make_pending()
        fi;
        why = none
    fi
}

/* noteEvidence of the active path. */
inline gateway_evidence() {
    if
    :: g_dead -> g_dead = 0; reports = 1
    :: else
    fi;
    g_lost = 0
}

inline receive_path_response() {
    if
    :: g_challenged[slot] && m_response == g_address[slot] + 1 ->
        assert(!m_used);
        if
        :: m_source == g_address[slot] -> proved[m_source] = 1
        :: else
        fi;
        g_challenged[slot] = 0; g_valid[slot] = 1;
        if
        :: slot == g_active -> gateway_evidence()
        :: slot != g_active && g_lost -> g_lost = g_dead     /* evidence: the clock begins anew while the active path is dead */
        :: else
        fi;
        if
        :: g_pending_slot == slot ->            /* completePending */
            m_lag = g_pending_lag; m_cause = g_pending_cause; m_attempt = g_pending_id;
            judge(true);
            if
            :: why != none -> gateway_reject(m_attempt, why); forget_pending()
            :: else -> bind_requested(m_attempt)
            fi;
            why = none
        :: else
        fi
    :: else
    fi
}

#ifdef NO_NEW_CHALLENGE
#define VALID_AFTER_MOVE g_valid[slot]
#define VALID_AT_ONCE 1
#else
#define VALID_AFTER_MOVE 0
#define VALID_AT_ONCE 0
#endif

/* resolvePath, resolveMovedPath, openProvisional, openPath: which slot the datagram came on; NO_SLOT is none. */
inline resolve_path() {
    slot = m_path;
    if
    :: g_address[m_path] == m_source
    :: g_address[m_path] != m_source && m_path == g_active && g_address[PROVISIONAL] == m_source -> slot = PROVISIONAL
    :: g_address[m_path] != m_source && !(m_path == g_active && g_address[PROVISIONAL] == m_source) ->
        if
        :: g_address[m_path] == NO_ADDRESS ->
            assert(!m_used);
            g_address[m_path] = m_source;
            request_challenge(m_path)
        :: g_address[m_path] != NO_ADDRESS && m_path == g_active ->
            if
            :: m_overtaken -> slot = NO_SLOT
            :: else ->
                assert(!m_used);
                forget_provisional();
                slot = PROVISIONAL;
                g_address[PROVISIONAL] = m_source;
                g_valid[PROVISIONAL] = VALID_AT_ONCE;
                request_challenge(PROVISIONAL);
                out_nudge[PROVISIONAL] = 1; out_nudge[g_active] = 1
            fi
        :: else ->
            if
            :: m_overtaken && (choice & 2) -> slot = NO_SLOT      /* overtaken on this very path, or only by another's */
            :: else ->
                assert(!m_used);
                if
                :: g_pending_slot == m_path -> forget_pending()
                :: else
                fi;
                g_address[m_path] = m_source; g_valid[m_path] = VALID_AFTER_MOVE;
                request_challenge(m_path)
            fi
        fi
    fi
}

/* The replay window knows every number it has accepted. */
#ifdef SKIP_REPLAY_CHECK
#define IS_REPLAYED false
#else
#define IS_REPLAYED m_used
#endif

inline gateway_receive() {
    if
    :: gateway_state == BIRTH && !IS_REPLAYED ->                      /* confirm, attachFirst */
        g_active = 0; g_is_active[0] = 1; g_valid[0] = 1; g_address[0] = FIRST; proved[FIRST] = 1;
        gateway_transition(ATTACHED, handshake_ok)
    :: else
    fi;
    if
#ifdef REVIVE
    :: gateway_state == TERMINATED && m_attempt != 0 -> gateway_state = ATTACHED; g_active = m_path; g_is_active[m_path] = 1; g_address[m_path] = m_source
#endif
    :: gateway_state == TERMINATED ->                 /* answerAfterTermination; its address is the sender's */
        closes = !m_close && (choice & 1)
    :: gateway_state != TERMINATED && IS_REPLAYED
    :: else ->
        resolve_path();
        if
        :: m_close ->
            why = peer_terminated;
            if
            :: m_cause == transport_ttl_exceeded && gateway_state != ATTACHED -> why = m_cause
            :: m_cause == session_lifetime_exceeded -> why = m_cause
            :: else
            fi;
            gateway_terminate(why);
            out_challenge[0] = 0; out_challenge[1] = 0; out_challenge[2] = 0
        :: else
        fi;
        if
        :: m_attempt != 0 && slot != NO_SLOT -> receive_reattach()
        :: else
        fi;
        if
        :: m_response != 0 && slot != NO_SLOT -> receive_path_response()
        :: else
        fi
    fi
}

/* sendReport: over every validated path. */
inline send_report() {
    if
    :: gateway_state == VOLATILE || gateway_state == DEGRADED ->
        j = 0;
        do
        :: j < PATHS ->
            if
            :: g_address[j] != NO_ADDRESS && g_valid[j] -> out_report[j] = 1
            :: else
            fi;
            j++
        :: else -> break
        od;
        j = 0
    :: else
    fi
}

inline gateway_becomes_volatile() {
    if
    :: gateway_state == ATTACHED -> gateway_transition(VOLATILE, why)
    :: else
    fi;
    reports = 1
}

/* expirePaths: pending requests and provisional addresses end. */
inline expire_paths() {
    forget_pending();
    forget_provisional()
}

inline gateway_epilogue() {
    if
    :: reports -> reports = 0; send_report()
    :: else
    fi;
    i = 0;
    do
    :: i < 3 ->
        if
        :: (out_answer[i] || out_challenge[i] || out_nudge[i] || out_report[i]) && gateway_state != TERMINATED && GOES_DOWN(i) -> send_down(i)
        :: else
        fi;
        out_answer[i] = 0; out_challenge[i] = 0; out_nudge[i] = 0; out_report[i] = 0; i++
    :: else -> break
    od;
    i = 0;
    a_answer = 0; a_attempt = 0; a_lag = 0; a_reason = none
}
