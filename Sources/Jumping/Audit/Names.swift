import CJumping

/// Stable names of the numbers in the ABI: once published they never change.
package enum Names {
    package static func state(_ value: UInt32) -> StaticString {
        switch Int32(truncatingIfNeeded: value) {
        case JMP_STATE_BIRTH: "BIRTH"
        case JMP_STATE_ATTACHED: "ATTACHED"
        case JMP_STATE_VOLATILE: "VOLATILE"
        case JMP_STATE_DEGRADED: "DEGRADED"
        case JMP_STATE_RECOVERING: "RECOVERING"
        case JMP_STATE_TERMINATED: "TERMINATED"
        default: "UNKNOWN"
        }
    }

    package static func reason(_ value: UInt32) -> StaticString {
        switch Int32(truncatingIfNeeded: value) {
        case JMP_REASON_NONE: "none"
        case JMP_REASON_HANDSHAKE_OK: "handshake_ok"
        case JMP_REASON_ADOPTION_OK: "adoption_ok"
        case JMP_REASON_LOSS_THRESHOLD_EXCEEDED: "loss_threshold_exceeded"
        case JMP_REASON_CONSECUTIVE_DROP_EXCEEDED: "consecutive_drop_exceeded"
        case JMP_REASON_HEARTBEAT_TIMEOUT: "heartbeat_timeout"
        case JMP_REASON_LATENCY_THRESHOLD_EXCEEDED: "latency_threshold_exceeded"
        case JMP_REASON_TRANSPORT_DEAD: "transport_dead"
        case JMP_REASON_PEER_REPORTED_VOLATILITY: "peer_reported_volatility"
        case JMP_REASON_OPERATOR_REQUESTED: "operator_requested"
        case JMP_REASON_LOSS_RECOVERY: "loss_recovery"
        case JMP_REASON_DEAD_TRANSPORT_RECOVERY: "dead_transport_recovery"
        case JMP_REASON_POLICY_FORCED_RECOVERY: "policy_forced_recovery"
        case JMP_REASON_STABILITY_WINDOW_MET: "stability_window_met"
        case JMP_REASON_VOLATILE_PERSISTED: "volatile_persisted"
        case JMP_REASON_SWITCH_RATE_LIMITED: "switch_rate_limited"
        case JMP_REASON_COOLDOWN_ACTIVE: "cooldown_active"
        case JMP_REASON_NO_CANDIDATE_TRANSPORTS: "no_candidate_transports"
        case JMP_REASON_REATTACH_SUCCESS: "reattach_success"
        case JMP_REASON_REATTACH_VALIDATION_FAILED: "reattach_validation_failed"
        case JMP_REASON_POLICY_DENIED: "policy_denied"
        case JMP_REASON_RECOVERY_WINDOW_EXCEEDED: "recovery_window_exceeded"
        default: endReason(value)
        }
    }

    private static func endReason(_ value: UInt32) -> StaticString {
        switch Int32(truncatingIfNeeded: value) {
        case JMP_REASON_HANDSHAKE_FAILED: "handshake_failed"
        case JMP_REASON_SESSION_LIFETIME_EXCEEDED: "session_lifetime_exceeded"
        case JMP_REASON_TRANSPORT_TTL_EXCEEDED: "transport_ttl_exceeded"
        case JMP_REASON_SECURITY_FAILURE: "security_failure"
        case JMP_REASON_OPERATOR_TERMINATED: "operator_terminated"
        case JMP_REASON_PEER_TERMINATED: "peer_terminated"
        case JMP_REASON_OWNERSHIP_MOVED: "ownership_moved"
        case JMP_REASON_UNKNOWN_SESSION: "unknown_session"
        case JMP_REASON_BAD_PROOF: "bad_proof"
        case JMP_REASON_REPLAY_DETECTED: "replay_detected"
        case JMP_REASON_STALE_REQUEST: "stale_request"
        case JMP_REASON_SESSION_EXPIRED: "session_expired"
        case JMP_REASON_INVALID_STATE_FOR_REATTACH: "invalid_state_for_reattach"
        case JMP_REASON_STALE_STATE_VERSION: "stale_state_version"
        case JMP_REASON_INVALID_TRANSPORT_CANDIDATE: "invalid_transport_candidate"
        case JMP_REASON_TIMED_OUT: "timed_out"
        case JMP_REASON_NAT_REBINDING: "nat_rebinding"
        default: "unknown"
        }
    }

    package static func event(_ value: UInt32) -> StaticString {
        switch Int32(truncatingIfNeeded: value) {
        case JMP_EVENT_SESSION_CREATED: "SessionCreated"
        case JMP_EVENT_SESSION_ESTABLISHED: "SessionEstablished"
        case JMP_EVENT_SESSION_STATE_CHANGE: "SessionStateChange"
        case JMP_EVENT_TRANSPORT_ATTACHED: "TransportAttached"
        case JMP_EVENT_TRANSPORT_DEAD: "TransportDead"
        case JMP_EVENT_TRANSPORT_SWITCH: "TransportSwitch"
        case JMP_EVENT_TRANSPORT_SWITCH_DENIED: "TransportSwitchDenied"
        case JMP_EVENT_REATTACH_ATTEMPT: "ReattachAttempt"
        case JMP_EVENT_REATTACH_RESULT: "ReattachResult"
        case JMP_EVENT_VOLATILITY_SIGNAL: "VolatilitySignal"
        case JMP_EVENT_SESSION_TERMINATED: "SessionTerminated"
        case JMP_EVENT_SECURITY_REPLAY_DETECTED: "SecurityReplayDetected"
        case JMP_EVENT_SECURITY_VALIDATION_FAILED: "SecurityValidationFailed"
        case JMP_EVENT_RATE_LIMITED: "RateLimited"
        case JMP_EVENT_KEY_ROTATED: "KeyRotated"
        case JMP_EVENT_POLICY_CHANGED: "PolicyChanged"
        case JMP_EVENT_OWNERSHIP_REQUIRED: "OwnershipRequired"
        case JMP_EVENT_OWNERSHIP_MOVED: "OwnershipMoved"
        case JMP_EVENT_TELEMETRY_TICK: "TelemetryTick"
        case JMP_EVENT_ACCEPT_REQUESTED: "AcceptRequested"
        case JMP_EVENT_TRANSITION_REJECTED: "TransitionRejected"
        case JMP_EVENT_PAYLOAD_ACKNOWLEDGED: "PayloadAcknowledged"
        case JMP_EVENT_PAYLOAD_EXPIRED: "PayloadExpired"
        case JMP_EVENT_WRITABLE: "Writable"
        case JMP_EVENT_FLOW_CONTROL_UPDATE: "FlowControlUpdate"
        case JMP_EVENT_REDUNDANCY_STARTED: "RedundancyStarted"
        case JMP_EVENT_REDUNDANCY_STOPPED: "RedundancyStopped"
        default: "Unknown"
        }
    }

    package static func drop(_ value: UInt32) -> StaticString {
        switch Int32(truncatingIfNeeded: value) {
        case JMP_DROP_NONE: "none"
        case JMP_DROP_TOO_SHORT: "too_short"
        case JMP_DROP_UNKNOWN_TYPE: "unknown_type"
        case JMP_DROP_UNKNOWN_CONNECTION_ID: "unknown_connection_id"
        case JMP_DROP_BAD_TAG: "bad_tag"
        case JMP_DROP_REPLAYED: "replayed"
        case JMP_DROP_TOO_OLD: "too_old"
        case JMP_DROP_MALFORMED: "malformed"
        case JMP_DROP_BAD_VERSION: "bad_version"
        case JMP_DROP_HANDSHAKE_REJECTED: "handshake_rejected"
        case JMP_DROP_RATE_LIMITED: "rate_limited"
        case JMP_DROP_HALF_OPEN_FULL: "half_open_full"
        case JMP_DROP_COOKIE_REQUIRED: "cookie_required"
        case JMP_DROP_COOKIE_INVALID: "cookie_invalid"
        case JMP_DROP_SESSION_LIMIT: "session_limit"
        case JMP_DROP_STRICT_BINDING: "strict_binding"
        case JMP_DROP_DUPLICATE_HANDSHAKE: "duplicate_handshake"
        case JMP_DROP_NOT_ACCEPTING: "not_accepting"
        case JMP_DROP_UNEXPECTED: "unexpected"
        case JMP_DROP_SESSION_CLOSED: "session_closed"
        case JMP_DROP_TOO_LONG: "too_long"
        case JMP_DROP_SUITE: "suite"
        case JMP_DROP_NO_MEMORY: "no_memory"
        default: "unknown"
        }
    }

    package static func suite(_ value: UInt32) -> StaticString {
        switch value {
        case JMP_SUITE_CHACHA20_POLY1305: "ChaCha20-Poly1305"
        case JMP_SUITE_AES_256_GCM: "AES-256-GCM"
        case JMP_SUITE_AEGIS_256: "AEGIS-256"
        default: "none"
        }
    }

    package static func pathRole(_ value: UInt32) -> StaticString {
        switch Int32(truncatingIfNeeded: value) {
        case JMP_PATH_ACTIVE: "active"
        case JMP_PATH_STANDBY: "standby"
        case JMP_PATH_CANDIDATE: "candidate"
        case JMP_PATH_PENDING: "pending"
        case JMP_PATH_PROVISIONAL: "provisional"
        default: "unknown"
        }
    }

    package static func role(_ value: UInt32) -> StaticString {
        value == UInt32(JMP_ROLE_CLIENT) ? "client" : "gateway"
    }

    package static func status(_ value: jmp_status) -> StaticString {
        switch value {
        case JMP_OK: "success"
        case JMP_ERR_NULL: "a pointer that must not be NULL is NULL"
        case JMP_ERR_ARGUMENT: "an argument is out of its range"
        case JMP_ERR_STRUCT_SIZE: "struct_size is not known to this library, or reserved bytes are not 0"
        case JMP_ERR_BUFFER_TOO_SMALL: "the output buffer is too small"
        case JMP_ERR_ENDPOINT: "not a live endpoint"
        case JMP_ERR_SESSION: "not a live session of this endpoint"
        case JMP_ERR_TRANSPORT: "not a transport of this endpoint"
        case JMP_ERR_PATH: "not a path of this session"
        case JMP_ERR_TOO_LONG: "the payload is longer than the session's max_payload or max_protected_payload"
        case JMP_ERR_FORKED: "the endpoint was made before fork()"
        case JMP_ERR_EXISTS: "it exists already"
        case JMP_ERR_NOT_FOUND: "no such key or hint"
        case JMP_ERR_STATE: "not possible in the session's present state"
        case JMP_ERR_POLICY: "the policy is invalid or forbids it"
        case JMP_ERR_TERMINATED: "the session is terminated"
        case JMP_ERR_NO_PATH: "the session has no path to send on"
        case JMP_ERR_SWITCH_DENIED: "the switch was denied; the audit trail tells why"
        case JMP_ERR_ROLE: "the endpoint or session does not have this role"
        default: limitStatus(value)
        }
    }

    private static func limitStatus(_ value: jmp_status) -> StaticString {
        switch value {
        case JMP_AGAIN: "nothing to hand out now, or no room to take more"
        case JMP_ERR_SESSION_LIMIT: "max_sessions sessions are in use"
        case JMP_ERR_TRANSPORT_LIMIT: "all transports are in use"
        case JMP_ERR_PATH_LIMIT: "all paths of the session are in use"
        case JMP_ERR_CREDENTIAL_LIMIT: "all credentials are in use"
        case JMP_ERR_ENDPOINT_LIMIT: "all endpoints of the process are in use"
        case JMP_ERR_RATE_LIMITED: "too soon, try later"
        case JMP_ERR_CRYPTO: "libsodium could not be initialised"
        case JMP_ERR_SUITE: "no allowed cipher suite is available"
        case JMP_ERR_KEY: "a key is missing, weak or does not fit"
        case JMP_ERR_INTERNAL: "internal error, please report it"
        case JMP_ERR_MEMORY: "out of memory"
        default: "unknown status"
        }
    }
}
