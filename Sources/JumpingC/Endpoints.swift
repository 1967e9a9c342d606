import CJumping
import Jumping

/// Creates an endpoint. `config` may be NULL (defaults), `policy` may be NULL (defaults); both are copied. An endpoint is
/// confined to one thread at a time; endpoints share nothing. Free it with jmp_endpoint_free.
/// Errors: `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`, `JMP_ERR_ARGUMENT`, `JMP_ERR_POLICY`, `JMP_ERR_SUITE`,
/// `JMP_ERR_CRYPTO`, `JMP_ERR_ENDPOINT_LIMIT`, `JMP_ERR_MEMORY`; on error `*endpoint` is NULL.
@_cdecl("jmp_endpoint_new")
public func jmp_endpoint_new(_ config: UnsafePointer<jmp_config>?, _ policy: UnsafePointer<jmp_policy>?, _ now: jmp_time,
                             _ endpoint: UnsafeMutablePointer<OpaquePointer?>?) -> jmp_status {
    Registry.create(config, policy, seed: nil, now, endpoint)
}

/// Creates an endpoint whose randomness comes from `seed` (32 bytes): keys, ids and nonces are PREDICTABLE. For tests,
/// simulation and reproducible traces only; never for traffic that matters. Every event says `seeded`. `config->suites`
/// must name exactly the suites to offer that are available, so that the bytes do not depend on the CPU.
/// Otherwise as jmp_endpoint_new.
@_cdecl("jmp_endpoint_new_seeded")
public func jmp_endpoint_new_seeded(_ config: UnsafePointer<jmp_config>?, _ policy: UnsafePointer<jmp_policy>?,
                                    _ seed: UnsafePointer<UInt8>?, _ now: jmp_time,
                                    _ endpoint: UnsafeMutablePointer<OpaquePointer?>?) -> jmp_status {
    guard let seed else { endpoint?.pointee = nil; return JMP_ERR_NULL }
    return Registry.create(config, policy, seed: seed, now, endpoint)
}

/// Ends an endpoint: wipes every key and frees its memory. Sessions end without a word to their peers; close them
/// first with jmp_session_close to tell. NULL is allowed and does nothing. Errors: `JMP_ERR_ENDPOINT` (freed before),
/// `JMP_ERR_FORKED` (in a forked child: the parent's endpoint is not touched).
@_cdecl("jmp_endpoint_free")
public func jmp_endpoint_free(_ endpoint: OpaquePointer?) -> jmp_status {
    guard endpoint != nil else { return JMP_OK }
    return Registry.destroy(endpoint)
}

/// Counters of the endpoint; set `stats->struct_size` first. Errors: `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`,
/// `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`.
@_cdecl("jmp_endpoint_get_stats")
public func jmp_endpoint_get_stats(_ endpoint: OpaquePointer?, _ stats: UnsafeMutablePointer<jmp_endpoint_stats>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let stats else { return JMP_ERR_NULL }
    guard stats.pointee.struct_size == MemoryLayout<jmp_endpoint_stats>.size else { return JMP_ERR_STRUCT_SIZE }
    e.pointee.fill(stats)
    return JMP_OK
}

/// Tells the wall clock: Unix time minus `jmp_time`, in microseconds. Only events' `ts_ms` depend on it; call it again
/// when the wall clock is stepped. Errors: `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`.
@_cdecl("jmp_endpoint_set_wall_clock")
public func jmp_endpoint_set_wall_clock(_ endpoint: OpaquePointer?, _ offsetUs: Int64) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    e.pointee.setWallClock(offset: offsetUs)
    return JMP_OK
}

/// Adds a transport and gives its number (0 … `JMP_MAX_TRANSPORTS` - 1; a removed transport's number is used again once every session
/// has left it: see jmp_transport_remove).
/// Errors: `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`, `JMP_ERR_ARGUMENT`, `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`,
/// `JMP_ERR_EXISTS` (the name), `JMP_ERR_TRANSPORT_LIMIT`.
@_cdecl("jmp_transport_add")
public func jmp_transport_add(_ endpoint: OpaquePointer?, _ config: UnsafePointer<jmp_transport_config>?, _ now: jmp_time,
                              _ transport: UnsafeMutablePointer<UInt32>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let config, let transport else { return JMP_ERR_NULL }
    return e.pointee.addTransport(config, now, transport)
}

/// Removes a transport: nothing is sent on it any more, its paths end, sessions bound to it become VOLATILE (transport_dead) and recover
/// on another. Its name is free at once. The call itself brings this to at most 128 sessions, so that it never takes long; any other session
/// hears of it before it is used next, and the rest in later calls of jmp_handle_timeout, for which jmp_next_timeout asks at once. The
/// number is free when all have. Errors: `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_TRANSPORT`.
@_cdecl("jmp_transport_remove")
public func jmp_transport_remove(_ endpoint: OpaquePointer?, _ transport: UInt32, _ now: jmp_time) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    return e.pointee.removeTransport(transport, now)
}

/// Changes class, cost and mtu of a transport; `config->name` must be the transport's own. Applies to all later decisions and
/// datagrams; idle sessions are brought up to date as by jmp_transport_remove. Errors: `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`, `JMP_ERR_ARGUMENT`, `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`,
/// `JMP_ERR_TRANSPORT`.
@_cdecl("jmp_transport_set")
public func jmp_transport_set(_ endpoint: OpaquePointer?, _ transport: UInt32, _ config: UnsafePointer<jmp_transport_config>?,
                              _ now: jmp_time) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let config else { return JMP_ERR_NULL }
    return e.pointee.setTransport(transport, config, now)
}

/// Hints that a transport went down (`up` = 0) or came up (`up` = 1), e.g. from netlink. Acts at once, and is never trusted
/// alone: a path of a transport hinted down that still proves itself is used. With more than 128 sessions the others hear of it as by
/// jmp_transport_remove, and each of the latest hint only: what was taken back in time it never hears of. Errors: `JMP_ERR_ARGUMENT`,
/// `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_TRANSPORT`.
@_cdecl("jmp_transport_hint")
public func jmp_transport_hint(_ endpoint: OpaquePointer?, _ transport: UInt32, _ up: UInt32, _ now: jmp_time) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard up <= 1 else { return JMP_ERR_ARGUMENT }
    return e.pointee.hintTransport(transport, isUp: up == 1, now)
}

/// Tells that a sealed datagram never left (the socket refused it): it does not count as lost. `packet_number` is the one
/// jmp_send or jmp_poll_transmit gave. Errors: `JMP_ERR_ARGUMENT` (never sent), `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`,
/// `JMP_ERR_SESSION`.
@_cdecl("jmp_unsent")
public func jmp_unsent(_ endpoint: OpaquePointer?, _ session: jmp_session, _ packetNumber: UInt64, _ now: jmp_time) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    return e.pointee.markUnsent(session, packetNumber, now)
}
