/* States, reasons and the transition table: the only place of the model where transitions exist. `agree.py table` compares it
 * with the table of StateMachine.md, which Tests/docs compares with StateMachine.swift. */

mtype = { BIRTH, ATTACHED, VOLATILE, DEGRADED, RECOVERING, TERMINATED };
mtype = {
    none,
    handshake_ok, adoption_ok,
    loss_threshold_exceeded, consecutive_drop_exceeded, heartbeat_timeout, latency_threshold_exceeded, transport_dead,
    peer_reported_volatility, operator_requested,
    loss_recovery, dead_transport_recovery, policy_forced_recovery, stability_window_met,
    volatile_persisted, switch_rate_limited, cooldown_active, no_candidate_transports,
    reattach_success,
    reattach_validation_failed, policy_denied, recovery_window_exceeded,
    handshake_failed, session_lifetime_exceeded, transport_ttl_exceeded, security_failure, operator_terminated,
    peer_terminated, ownership_moved,
    stale_request, stale_state_version, timed_out, nat_rebinding
};

#define ANY_OF_2(r, a, b)       (r == a || r == b)
#define ANY_OF_4(r, a, b, c, d) (ANY_OF_2(r, a, b) || ANY_OF_2(r, c, d))

/* One macro a row. */
#define BIRTH_TO_ATTACHED(r)        ANY_OF_2(r, handshake_ok, adoption_ok)
#define ATTACHED_TO_VOLATILE(r)     (ANY_OF_4(r, loss_threshold_exceeded, consecutive_drop_exceeded, heartbeat_timeout, latency_threshold_exceeded) || ANY_OF_2(r, transport_dead, peer_reported_volatility) || r == operator_requested)
#define VOLATILE_TO_RECOVERING(r)   ANY_OF_4(r, loss_recovery, dead_transport_recovery, policy_forced_recovery, stability_window_met)
#define VOLATILE_TO_DEGRADED(r)     ANY_OF_4(r, volatile_persisted, switch_rate_limited, cooldown_active, no_candidate_transports)
#define DEGRADED_TO_RECOVERING(r)   ANY_OF_4(r, loss_recovery, dead_transport_recovery, policy_forced_recovery, stability_window_met)
#define RECOVERING_TO_ATTACHED(r)   (r == reattach_success)
#define RECOVERING_TO_DEGRADED(r)   ANY_OF_4(r, reattach_validation_failed, no_candidate_transports, policy_denied, recovery_window_exceeded)
#define BIRTH_TO_TERMINATED(r)      ANY_OF_4(r, handshake_failed, security_failure, operator_terminated, peer_terminated)
#define ATTACHED_TO_TERMINATED(r)   (ANY_OF_4(r, session_lifetime_exceeded, security_failure, operator_terminated, peer_terminated) || r == ownership_moved)
#define VOLATILE_TO_TERMINATED(r)   (ANY_OF_4(r, session_lifetime_exceeded, transport_ttl_exceeded, security_failure, operator_terminated) || ANY_OF_2(r, peer_terminated, ownership_moved))
#define DEGRADED_TO_TERMINATED(r)   (ANY_OF_4(r, session_lifetime_exceeded, transport_ttl_exceeded, security_failure, operator_terminated) || ANY_OF_2(r, peer_terminated, ownership_moved))
#define RECOVERING_TO_TERMINATED(r) (ANY_OF_4(r, session_lifetime_exceeded, transport_ttl_exceeded, security_failure, operator_terminated) || ANY_OF_2(r, peer_terminated, ownership_moved))

#define ROW(from, to, name, f, t, r) (f == from && t == to && name(r))
#define ALLOWS(f, t, r) ( \
    ROW(BIRTH, ATTACHED, BIRTH_TO_ATTACHED, f, t, r) || \
    ROW(ATTACHED, VOLATILE, ATTACHED_TO_VOLATILE, f, t, r) || \
    ROW(VOLATILE, RECOVERING, VOLATILE_TO_RECOVERING, f, t, r) || \
    ROW(VOLATILE, DEGRADED, VOLATILE_TO_DEGRADED, f, t, r) || \
    ROW(DEGRADED, RECOVERING, DEGRADED_TO_RECOVERING, f, t, r) || \
    ROW(RECOVERING, ATTACHED, RECOVERING_TO_ATTACHED, f, t, r) || \
    ROW(RECOVERING, DEGRADED, RECOVERING_TO_DEGRADED, f, t, r) || \
    ROW(BIRTH, TERMINATED, BIRTH_TO_TERMINATED, f, t, r) || \
    ROW(ATTACHED, TERMINATED, ATTACHED_TO_TERMINATED, f, t, r) || \
    ROW(VOLATILE, TERMINATED, VOLATILE_TO_TERMINATED, f, t, r) || \
    ROW(DEGRADED, TERMINATED, DEGRADED_TO_TERMINATED, f, t, r) || \
    ROW(RECOVERING, TERMINATED, RECOVERING_TO_TERMINATED, f, t, r))
