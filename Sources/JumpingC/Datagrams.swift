import CJumping
import Jumping

/// Seals one payload (0 … max_payload bytes, see jmp_session_get_info) into `buffer` and says where to send it.
/// `buffer` needs payload_length + `JMP_DATAGRAM_OVERHEAD` (46 with AEGIS-256) + `JMP_FRAME_RESERVE` bytes;
/// `payload` may lie inside it. Set `datagram->struct_size` first. Works in every state but BIRTH and TERMINATED; a gateway
/// sends once the client has confirmed. Afterwards drain jmp_poll_transmit. Allocates nothing.
/// Errors: `JMP_AGAIN` (with the policy's control_expendable alone: the congestion window is full or its turn has not come, nothing was sent,
/// and the event Writable tells when to try again), `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`, `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`,
/// `JMP_ERR_SESSION`, `JMP_ERR_STATE`, `JMP_ERR_TERMINATED`, `JMP_ERR_TOO_LONG`, `JMP_ERR_BUFFER_TOO_SMALL`, `JMP_ERR_NO_PATH`.
@_cdecl("jmp_send")
public func jmp_send(_ endpoint: OpaquePointer?, _ session: jmp_session, _ payload: UnsafePointer<UInt8>?, _ payloadLength: Int,
                     _ now: jmp_time, _ buffer: UnsafeMutablePointer<UInt8>?, _ bufferCapacity: Int,
                     _ datagram: UnsafeMutablePointer<jmp_datagram>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let buffer, let datagram, payload != nil || payloadLength == 0 else { return JMP_ERR_NULL }
    guard datagram.pointee.struct_size == MemoryLayout<jmp_datagram>.size else { return JMP_ERR_STRUCT_SIZE }
    return e.pointee.send(session, UnsafeRawPointer(payload), payloadLength, now, UnsafeMutableRawPointer(buffer), bufferCapacity, datagram)
}

/// jmp_send for `count` items: payloads lie in `payloads`, datagrams are written into `buffer`, each item has its own status.
/// Ranges of items must not overlap. `*done` is how many items succeeded. Errors: `JMP_ERR_NULL`, `JMP_ERR_ENDPOINT`,
/// `JMP_ERR_FORKED`; an item outside the buffers gets `JMP_ERR_ARGUMENT`.
@_cdecl("jmp_send_batch")
public func jmp_send_batch(_ endpoint: OpaquePointer?, _ items: UnsafeMutablePointer<jmp_send_item>?, _ count: Int,
                           _ payloads: UnsafePointer<UInt8>?, _ payloadsLength: Int, _ now: jmp_time,
                           _ buffer: UnsafeMutablePointer<UInt8>?, _ bufferLength: Int,
                           _ done: UnsafeMutablePointer<Int>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let done, items != nil || count == 0 else { return JMP_ERR_NULL }
    guard payloads != nil || payloadsLength == 0, buffer != nil || bufferLength == 0 else { return JMP_ERR_NULL }
    done.pointee = 0
    guard count >= 0, payloadsLength >= 0, bufferLength >= 0 else { return JMP_ERR_ARGUMENT }
    guard let items else { return JMP_OK }
    done.pointee = e.pointee.sendBatch(items, count, payloads, payloadsLength, now, buffer, bufferLength)
    return JMP_OK
}

/// Gives the library a datagram of `length` bytes that arrived through `transport` from `from`. It is opened in place: the
/// buffer changes, and is undefined when the datagram is dropped. Set `received->struct_size` first. A bad datagram is not
/// an error: kind is `JMP_RECEIVED_NOTHING` and drop_cause says why. Afterwards drain jmp_poll_transmit and
/// jmp_poll_event. Allocates nothing for data. Errors: `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`, `JMP_ERR_ARGUMENT` (address),
/// `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_TRANSPORT`.
@_cdecl("jmp_receive")
public func jmp_receive(_ endpoint: OpaquePointer?, _ transport: UInt32, _ from: UnsafePointer<jmp_address>?,
                        _ datagram: UnsafeMutablePointer<UInt8>?, _ length: Int, _ now: jmp_time,
                        _ received: UnsafeMutablePointer<jmp_received>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let from, let received, datagram != nil || length == 0 else { return JMP_ERR_NULL }
    guard received.pointee.struct_size == MemoryLayout<jmp_received>.size else { return JMP_ERR_STRUCT_SIZE }
    guard length >= 0 else { return JMP_ERR_ARGUMENT }
    return e.pointee.receive(transport, from, UnsafeMutableRawBufferPointer(start: datagram, count: length), now, received)
}

/// jmp_receive for `count` items whose datagrams lie in `buffer`. Errors: `JMP_ERR_NULL`, `JMP_ERR_ARGUMENT`,
/// `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`; an item outside the buffer gets `JMP_ERR_ARGUMENT` in its status.
@_cdecl("jmp_receive_batch")
public func jmp_receive_batch(_ endpoint: OpaquePointer?, _ items: UnsafeMutablePointer<jmp_receive_item>?, _ count: Int,
                              _ buffer: UnsafeMutablePointer<UInt8>?, _ bufferLength: Int, _ now: jmp_time) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard items != nil || count == 0, buffer != nil || bufferLength == 0 else { return JMP_ERR_NULL }
    guard count >= 0, bufferLength >= 0 else { return JMP_ERR_ARGUMENT }
    guard let items else { return JMP_OK }
    e.pointee.receiveBatch(items, count, UnsafeMutableRawBufferPointer(start: buffer, count: bufferLength), now)
    return JMP_OK
}

/// Fills a protected payload's options with their defaults, `struct_size` included: unordered, no time to live, no report.
/// Errors: `JMP_ERR_NULL`.
@_cdecl("jmp_payload_options_init")
public func jmp_payload_options_init(_ options: UnsafeMutablePointer<jmp_payload_options>?) -> jmp_status {
    guard let options else { return JMP_ERR_NULL }
    Settings.initialize(options)
    return JMP_OK
}

/// Takes a payload that must not get lost (0 … max_protected_payload bytes, see jmp_session_get_info): it is copied, kept until the peer
/// has acknowledged it, sent again on loss and at once after a jump, and handed out once by the peer's jmp_receive or jmp_poll_payload.
/// `options` may be NULL for the defaults. Its datagrams leave through jmp_poll_transmit, as congestion and the peer's buffer allow:
/// drain that afterwards. Errors: `JMP_AGAIN` (send_buffer, `JMP_PROTECTED_COUNT_MAX` or delivery_memory is full: nothing was taken; the event
/// Writable tells when to try again), `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`, `JMP_ERR_ARGUMENT` (channel, report), `JMP_ERR_ENDPOINT`,
/// `JMP_ERR_FORKED`, `JMP_ERR_SESSION`, `JMP_ERR_STATE`, `JMP_ERR_TERMINATED`, `JMP_ERR_TOO_LONG`.
@_cdecl("jmp_send_protected")
public func jmp_send_protected(_ endpoint: OpaquePointer?, _ session: jmp_session, _ payload: UnsafePointer<UInt8>?, _ payloadLength: Int,
                               _ options: UnsafePointer<jmp_payload_options>?, _ now: jmp_time) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard payload != nil || payloadLength == 0 else { return JMP_ERR_NULL }
    return e.pointee.sendProtected(session, UnsafeRawPointer(payload), payloadLength, options, now)
}

/// The next protected payload that is complete and has not been handed out by jmp_receive: one that came in parts, out of its channel's order,
/// or in a datagram with others. Set `payload->struct_size` first; `buffer` is the host's. Call it after jmp_receive until it gives
/// `JMP_AGAIN`, then drain jmp_poll_transmit: the peer is told that there is room again. Sessions take turns. Errors: `JMP_AGAIN` (none),
/// `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`, `JMP_ERR_BUFFER_TOO_SMALL` (`payload->length` says what is needed; it stays), `JMP_ERR_ENDPOINT`,
/// `JMP_ERR_FORKED`.
@_cdecl("jmp_poll_payload")
public func jmp_poll_payload(_ endpoint: OpaquePointer?, _ now: jmp_time, _ buffer: UnsafeMutablePointer<UInt8>?, _ bufferCapacity: Int,
                             _ payload: UnsafeMutablePointer<jmp_payload>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let payload, buffer != nil || bufferCapacity == 0 else { return JMP_ERR_NULL }
    guard payload.pointee.struct_size == MemoryLayout<jmp_payload>.size else { return JMP_ERR_STRUCT_SIZE }
    return e.pointee.pollPayload(now, UnsafeMutableRawPointer(buffer), bufferCapacity, payload)
}

/// Holds a session's protected payloads back (`hold` = 1), or lets them go again (0): while they are held, neither jmp_receive nor jmp_poll_payload
/// hands one out; they wait in receive_buffer, and when that is full the peer waits. For hosts that put payloads into a queue of their own and
/// have no room left in it. Afterwards drain jmp_poll_payload. A session that is TERMINATED keeps what is complete for 30 s, held or not.
/// Errors: `JMP_ERR_ARGUMENT`, `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`, `JMP_ERR_SESSION`.
@_cdecl("jmp_session_hold_payloads")
public func jmp_session_hold_payloads(_ endpoint: OpaquePointer?, _ session: jmp_session, _ hold: UInt32, _ now: jmp_time) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    return e.pointee.holdPayloads(session, hold, now)
}

/// The next datagram with control traffic (handshake, acknowledgement, probe, reattach, close) or protected payloads into `buffer`, which
/// should hold the largest mtu among the transports (`JMP_DEFAULT_MTU` bytes unless told): it may be as long as that. Set
/// `datagram->struct_size` first. Call it after every other call until it returns `JMP_AGAIN`. It looks at so many sessions a call at most; when
/// more wait, jmp_next_timeout asks for jmp_handle_timeout at once, after which there is more to drain. Errors: `JMP_AGAIN` (nothing to send now), `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`,
/// `JMP_ERR_BUFFER_TOO_SMALL` (nothing is lost), `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`.
@_cdecl("jmp_poll_transmit")
public func jmp_poll_transmit(_ endpoint: OpaquePointer?, _ now: jmp_time, _ buffer: UnsafeMutablePointer<UInt8>?,
                              _ bufferCapacity: Int, _ datagram: UnsafeMutablePointer<jmp_datagram>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let buffer, let datagram else { return JMP_ERR_NULL }
    guard datagram.pointee.struct_size == MemoryLayout<jmp_datagram>.size else { return JMP_ERR_STRUCT_SIZE }
    return e.pointee.pollTransmit(now, UnsafeMutableRawPointer(buffer), bufferCapacity, datagram)
}

/// When jmp_handle_timeout must be called next, or `JMP_TIME_NONE`. Never later than the earliest deadline; it may be
/// earlier by the timer wheel's grain. Ask again after every call. Errors: `JMP_ERR_NULL`, `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`.
@_cdecl("jmp_next_timeout")
public func jmp_next_timeout(_ endpoint: OpaquePointer?, _ deadline: UnsafeMutablePointer<jmp_time>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let deadline else { return JMP_ERR_NULL }
    deadline.pointee = e.pointee.nextTimeout()
    return JMP_OK
}

/// Lets time pass: what is due at `now` happens, and what was said of transports reaches the next sessions, 64 of them a call at most, so
/// that no call takes long; when there is more, jmp_next_timeout stays at `now` or before: call again. Drain sockets into jmp_receive first when the call is late. Afterwards
/// drain jmp_poll_transmit and jmp_poll_event. Errors: `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`.
@_cdecl("jmp_handle_timeout")
public func jmp_handle_timeout(_ endpoint: OpaquePointer?, _ now: jmp_time) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    e.pointee.handleTimeout(now)
    return JMP_OK
}

/// The next event; set `event->struct_size` first. Errors: `JMP_AGAIN` (none), `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`,
/// `JMP_ERR_ENDPOINT`, `JMP_ERR_FORKED`.
@_cdecl("jmp_poll_event")
public func jmp_poll_event(_ endpoint: OpaquePointer?, _ event: UnsafeMutablePointer<jmp_event>?) -> jmp_status {
    guard let e = Registry.find(endpoint) else { return Registry.failure(endpoint) }
    guard let event else { return JMP_ERR_NULL }
    guard event.pointee.struct_size == MemoryLayout<jmp_event>.size else { return JMP_ERR_STRUCT_SIZE }
    return e.pointee.pollEvent(event)
}

/// An event as one line of JSON (UTF-8, no line end) with a final zero; `*length` is without it. 2,048 bytes always suffice.
/// Needs no endpoint; any thread. Errors: `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`, `JMP_ERR_BUFFER_TOO_SMALL`.
@_cdecl("jmp_event_to_json")
public func jmp_event_to_json(_ event: UnsafePointer<jmp_event>?, _ json: UnsafeMutablePointer<CChar>?, _ capacity: Int,
                              _ length: UnsafeMutablePointer<Int>?) -> jmp_status {
    guard let event, let json, let length else { return JMP_ERR_NULL }
    guard event.pointee.struct_size == MemoryLayout<jmp_event>.size else { return JMP_ERR_STRUCT_SIZE }
    guard capacity > 0 else { return JMP_ERR_BUFFER_TOO_SMALL }
    return EventJSON.write(event, into: json, capacity, length)
}

/// Tells, without keys, what kind of datagram this is and where it belongs: for balancers in front of several gateways. Set
/// `route->struct_size` first. Needs no endpoint; any thread. Errors: `JMP_ERR_NULL`, `JMP_ERR_STRUCT_SIZE`,
/// `JMP_ERR_ARGUMENT` (not a datagram of this protocol).
@_cdecl("jmp_route_datagram")
public func jmp_route_datagram(_ datagram: UnsafePointer<UInt8>?, _ length: Int, _ route: UnsafeMutablePointer<jmp_route>?) -> jmp_status {
    guard let datagram, let route else { return JMP_ERR_NULL }
    guard route.pointee.struct_size == MemoryLayout<jmp_route>.size else { return JMP_ERR_STRUCT_SIZE }
    guard length >= 0 else { return JMP_ERR_ARGUMENT }
    return Library.route(UnsafeRawBufferPointer(start: datagram, count: length), route)
}
