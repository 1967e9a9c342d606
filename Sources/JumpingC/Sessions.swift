import CJumping
import Jumping

/// Begins a session to a gateway: BIRTH, and a handshake on the path given. Drain jmp_poll_transmit afterwards.
/// The config is copied. Errors: `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`, `JMP_ERR_ARGUMENT`, `JMP_ERR_ENDPOINT`,
/// `JMP_ERR_FORKED`, `JMP_ERR_ROLE`, `JMP_ERR_TRANSPORT`, `JMP_ERR_KEY` (missing PSK, gateway key or static key),
/// `JMP_ERR_POLICY` (class not allowed), `JMP_ERR_SESSION_LIMIT`, `JMP_ERR_MEMORY`; on error `*session` is 0.
@_cdecl("jmp_connect")
public func jmp_connect(_ endpoint: OpaquePointer?, _ config: UnsafePointer<jmp_connect_config>?, _ now: jmp_time,
                        _ session: UnsafeMutablePointer<jmp_session>?) -> jmp_status {
    session?.pointee = 0
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let config, let session else { return JMP_ERR_NULL }
    return e.pointee.connect(config, now, session)
}

/// Answers AcceptRequested with yes. `psk` (32 bytes) is the client's key: required for NNpsk0, optional (NULL: none) for
/// IKpsk2. Errors: `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_SESSION` (expired meanwhile), `JMP_ERR_STATE` (not
/// waiting), `JMP_ERR_KEY` (missing PSK, or the request does not open with it: it still waits), `JMP_AGAIN` (max_half_open
/// are in use: it still waits); the request is forgotten with `JMP_ERR_SUITE` (no suite, class or policy in common) and
/// `JMP_ERR_EXISTS` (a live session has its id).
@_cdecl("jmp_accept")
public func jmp_accept(_ endpoint: OpaquePointer?, _ session: jmp_session, _ psk: UnsafePointer<UInt8>?, _ now: jmp_time) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    return e.pointee.accept(session, psk: psk, now)
}

/// Answers AcceptRequested with no: forgets the request without an answer. Errors: `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`,
/// `JMP_ERR_SESSION`, `JMP_ERR_STATE` (not waiting).
@_cdecl("jmp_refuse")
public func jmp_refuse(_ endpoint: OpaquePointer?, _ session: jmp_session, _ now: jmp_time) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    return e.pointee.refuse(session, now)
}

/// Ends a session: TERMINATED with `reason` (`JMP_REASON_OPERATOR_TERMINATED` or `JMP_REASON_SECURITY_FAILURE`); the peer
/// is told (drain jmp_poll_transmit), keys are wiped. The handle answers jmp_session_get_info for 30 s more, unless its
/// slot is needed. Errors: `JMP_ERR_ARGUMENT`, `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_SESSION`, `JMP_ERR_TERMINATED`.
@_cdecl("jmp_session_close")
public func jmp_session_close(_ endpoint: OpaquePointer?, _ session: jmp_session, _ reason: UInt32, _ now: jmp_time) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    return e.pointee.close(session, reason: reason, now)
}

/// The session at this moment; set `info->struct_size` first. Errors: `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`,
/// `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_SESSION`.
@_cdecl("jmp_session_get_info")
public func jmp_session_get_info(_ endpoint: OpaquePointer?, _ session: jmp_session,
                                 _ info: UnsafeMutablePointer<jmp_session_info>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let info else { return JMP_ERR_NULL }
    guard info.pointee.struct_size == MemoryLayout<jmp_session_info>.size else { return JMP_ERR_STRUCT_SIZE }
    return e.pointee.fill(info, session)
}

/// Counters of the session; set `stats->struct_size` first. Errors: `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`,
/// `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_SESSION`.
@_cdecl("jmp_session_get_stats")
public func jmp_session_get_stats(_ endpoint: OpaquePointer?, _ session: jmp_session,
                                  _ stats: UnsafeMutablePointer<jmp_session_stats>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let stats else { return JMP_ERR_NULL }
    guard stats.pointee.struct_size == MemoryLayout<jmp_session_stats>.size else { return JMP_ERR_STRUCT_SIZE }
    return e.pointee.fill(stats, session)
}

/// Every path of the session into `paths` (room for `capacity`; `JMP_MAX_PATHS` always suffices); `*count` is how many
/// there are. Errors: `JMP_ERR_NULL`, `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_SESSION`,
/// `JMP_ERR_BUFFER_TOO_SMALL` (`*count` says what is needed, nothing is written).
@_cdecl("jmp_session_get_paths")
public func jmp_session_get_paths(_ endpoint: OpaquePointer?, _ session: jmp_session,
                                  _ paths: UnsafeMutablePointer<jmp_path_info>?, _ capacity: Int,
                                  _ count: UnsafeMutablePointer<Int>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let count, paths != nil || capacity == 0 else { return JMP_ERR_NULL }
    return e.pointee.listPaths(session, paths, capacity, count)
}

/// Offers the session another path (client only): a transport and the gateway's address there. It is validated and kept
/// warm; the session jumps to it when it must. `*path` is its id. Errors: `JMP_ERR_NULL`, `JMP_ERR_ARGUMENT`,
/// `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_SESSION`, `JMP_ERR_TERMINATED`, `JMP_ERR_ROLE`, `JMP_ERR_TRANSPORT`,
/// `JMP_ERR_EXISTS`, `JMP_ERR_PATH_LIMIT`, `JMP_ERR_POLICY` (class not allowed).
@_cdecl("jmp_path_add")
public func jmp_path_add(_ endpoint: OpaquePointer?, _ session: jmp_session, _ transport: UInt32,
                         _ remote: UnsafePointer<jmp_address>?, _ now: jmp_time, _ path: UnsafeMutablePointer<UInt32>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let remote, let path else { return JMP_ERR_NULL }
    return e.pointee.addPath(session, transport, remote, now, path)
}

/// Withdraws a path (client only). Withdrawing the active one makes the session VOLATILE (transport_dead).
/// Errors: `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_SESSION`, `JMP_ERR_TERMINATED`, `JMP_ERR_ROLE`, `JMP_ERR_PATH`.
@_cdecl("jmp_path_remove")
public func jmp_path_remove(_ endpoint: OpaquePointer?, _ session: jmp_session, _ path: UInt32, _ now: jmp_time) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    return e.pointee.removePath(session, path, now)
}

/// Asks for a planned handover. A client jumps itself, to `path` or with `JMP_PATH_NONE` to the best candidate; a voluntary
/// switch, so cooldown and switches per minute apply. A gateway asks the client by a volatility report; where to, and whether its
/// limits allow it, is the client's choice, so `path` must be `JMP_PATH_NONE`. Errors: `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`,
/// `JMP_ERR_SESSION`, `JMP_ERR_TERMINATED`, `JMP_ERR_STATE` (not ATTACHED), `JMP_ERR_ROLE` (a gateway names a path), `JMP_ERR_PATH`,
/// `JMP_ERR_SWITCH_DENIED` (client; audited with its reason).
@_cdecl("jmp_session_request_switch")
public func jmp_session_request_switch(_ endpoint: OpaquePointer?, _ session: jmp_session, _ path: UInt32, _ now: jmp_time) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    return e.pointee.requestSwitch(session, path, now)
}

/// Replaces the policy of a live session (gateway only): applies before the call returns, is sent to the client and
/// audited (PolicyChanged). Lifetime, TTL and recovery window count from their old beginnings. Errors: `JMP_ERR_NULL`,
/// `JMP_ERR_STRUCT_SIZE`, `JMP_ERR_POLICY`, `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_SESSION`, `JMP_ERR_TERMINATED`,
/// `JMP_ERR_ROLE`, `JMP_ERR_STATE` (not yet established).
@_cdecl("jmp_session_set_policy")
public func jmp_session_set_policy(_ endpoint: OpaquePointer?, _ session: jmp_session,
                                   _ policy: UnsafePointer<jmp_policy>?, _ now: jmp_time) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let policy else { return JMP_ERR_NULL }
    return e.pointee.setPolicy(session, policy, now)
}

/// The policy the session lives by (negotiated); set `policy->struct_size` first. Errors: `JMP_ERR_NULL`,
/// `JMP_ERR_STRUCT_SIZE`, `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_SESSION`.
@_cdecl("jmp_session_get_policy")
public func jmp_session_get_policy(_ endpoint: OpaquePointer?, _ session: jmp_session,
                                   _ policy: UnsafeMutablePointer<jmp_policy>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let policy else { return JMP_ERR_NULL }
    guard policy.pointee.struct_size == MemoryLayout<jmp_policy>.size else { return JMP_ERR_STRUCT_SIZE }
    return e.pointee.fill(policy, session)
}

/// Starts the next key phase now instead of at `key_max_age`. Errors: `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`,
/// `JMP_ERR_SESSION`, `JMP_ERR_TERMINATED`, `JMP_ERR_STATE`, `JMP_ERR_RATE_LIMITED` (the peer has not used the present
/// phase yet, or three probe timeouts have not passed).
@_cdecl("jmp_session_rekey")
public func jmp_session_rekey(_ endpoint: OpaquePointer?, _ session: jmp_session, _ now: jmp_time) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    return e.pointee.rekey(session, now)
}

/// Why the session is on this path, and why not on each other one: one line of English a path, zero-terminated, cut to
/// `capacity`. Errors: `JMP_ERR_NULL`, `JMP_ERR_ARGUMENT` (`capacity` 0), `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_SESSION`.
@_cdecl("jmp_session_explain")
public func jmp_session_explain(_ endpoint: OpaquePointer?, _ session: jmp_session, _ now: jmp_time,
                                _ message: UnsafeMutablePointer<CChar>?, _ capacity: Int) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let message else { return JMP_ERR_NULL }
    guard capacity > 0 else { return JMP_ERR_ARGUMENT }
    return e.pointee.explain(session, now, Message(message, capacity))
}
