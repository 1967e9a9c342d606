import CJumping
import JumpingC
import Testing
@testable import Jumping

struct Payload {
    let bytes: [UInt8]
    let at: UInt64
    let link: Int
}

struct ProtectedPayload {
    let bytes: [UInt8]
    let channel: UInt32
    let at: UInt64
}

/// One end: an endpoint, its first session, and what came out of it. Every event is checked for what must hold always:
/// versions grow by one, a transition begins where the last one ended, the session id never changes, nothing follows TERMINATED.
final class Node {
    let side: Side
    let handle: OpaquePointer?
    let publicKey: [UInt8]
    var session: jmp_session = 0
    private(set) var events: [jmp_event] = []
    private(set) var payloads: [Payload] = []
    /// Protected payloads in the order they were handed out.
    private(set) var protected: [ProtectedPayload] = []
    /// Payloads are left in the library while this is set: the host is slow.
    var isReadingPaused = false
    /// Its host lets the event queue run over.
    var mayDropEvents = false
    /// Payload bytes by the number they begin with: how often each arrived.
    private(set) var arrivals: [UInt64: Int] = [:]
    var isEchoing = false
    var suspendedUntil: UInt64 = 0
    private(set) var sendInterval: UInt64 = 0
    var nextSendAt = UInt64.max
    private(set) var sentCount: UInt64 = 0
    private var trails: [jmp_session: (version: UInt64, state: UInt32, id: [UInt8])] = [:]
    private var buffer = [UInt8](repeating: 0, count: 2048)
    private var payloadBuffer = [UInt8](repeating: 0, count: Int(JMP_PROTECTED_PAYLOAD_MAX))

    init(_ side: Side, _ options: PairOptions, now: UInt64) {
        self.side = side
        var config = jmp_config(), policy = jmp_policy()
        expectOK(jmp_config_init(&config))
        expectOK(jmp_policy_init(&policy))
        config.flags = side == .client ? JMP_CONFIG_INITIATE : JMP_CONFIG_ACCEPT
        config.suites = JMP_SUITE_CHACHA20_POLY1305
        config.event_capacity = 16_384
        setText(&config.node_id, side == .client ? "client" : "gateway")
        (side == .client ? options.tuneClient : options.tuneGateway)(&config)
        (side == .client ? options.tuneClientPolicy : options.tuneGatewayPolicy)(&policy)
        let seed = [options.seed, UInt8(side.rawValue)] + [UInt8](repeating: 0x5E, count: 30)
        var handle: OpaquePointer?
        expectOK(jmp_endpoint_new_seeded(&config, &policy, seed, now, &handle))
        self.handle = handle
        let secret = [UInt8](repeating: UInt8(side.rawValue) + 7, count: 32)
        var key = [UInt8](repeating: 0, count: 32)
        expectOK(jmp_public_key(secret, &key))
        publicKey = key
        expectOK(jmp_endpoint_set_static_key(handle, secret))
        for i in 0..<options.links {
            var transport = jmp_transport_config(), number: UInt32 = 0
            expectOK(jmp_transport_config_init(&transport))
            setText(&transport.name, "udp:" + String(UnicodeScalar(UInt8(65 + i))))
            expectOK(jmp_transport_add(handle, &transport, now, &number))
            #expect(number == UInt32(i))
        }
    }

    deinit { _ = jmp_endpoint_free(handle) }

    /// The core behind the handle.
    var endpoint: UnsafeMutablePointer<Endpoint> { Registry.find(handle)! }

    // MARK: time

    var nextTimeout: UInt64 {
        var deadline: jmp_time = 0
        expectOK(jmp_next_timeout(handle, &deadline))
        return deadline
    }

    var nextMoment: UInt64 { min(nextTimeout, nextSendAt) }

    func sendEvery(_ interval: UInt64, from start: UInt64) {
        sendInterval = interval
        nextSendAt = start
    }

    func stopSending() { nextSendAt = .max }

    /// 16 bytes that begin with the payload's number.
    func nextPayload() -> [UInt8] {
        defer { sentCount += 1 }
        return (0..<8).map { UInt8(truncatingIfNeeded: sentCount >> (56 - 8 * UInt64($0))) } + [UInt8](repeating: 0x70, count: 8)
    }

    // MARK: datagrams

    func seal(_ payload: [UInt8], _ now: UInt64) -> (jmp_status, (jmp_datagram, [UInt8])?) {
        var datagram = jmp_datagram()
        datagram.struct_size = UInt32(MemoryLayout<jmp_datagram>.size)
        let status = jmp_send(handle, session, payload, payload.count, now, &buffer, buffer.count, &datagram)
        return (status, status == JMP_OK ? (datagram, Array(buffer[0..<Int(datagram.length)])) : nil)
    }

    func poll(_ now: UInt64) -> (jmp_datagram, [UInt8])? {
        var datagram = jmp_datagram()
        datagram.struct_size = UInt32(MemoryLayout<jmp_datagram>.size)
        let status = jmp_poll_transmit(handle, now, &buffer, buffer.count, &datagram)
        #expect(status == JMP_OK || status == JMP_AGAIN)
        return status == JMP_OK ? (datagram, Array(buffer[0..<Int(datagram.length)])) : nil
    }

    func receive(_ bytes: [UInt8], _ link: Int, _ source: jmp_address, _ now: UInt64) -> jmp_received {
        var copy = bytes, from = source, received = jmp_received()
        received.struct_size = UInt32(MemoryLayout<jmp_received>.size)
        let status = jmp_receive(handle, UInt32(link), &from, &copy, copy.count, now, &received)
        #expect(status == JMP_OK || status == JMP_ERR_TRANSPORT, "a removed transport's datagrams have nowhere to go")
        if received.kind == JMP_RECEIVED_PAYLOAD {
            let start = Int(received.payload_offset), payload = Array(copy[start..<(start + Int(received.payload_length))])
            payloads.append(Payload(bytes: payload, at: now, link: link))
            if payload.count >= 8 { arrivals[payload[0..<8].reduce(0) { $0 << 8 | UInt64($1) }, default: 0] += 1 }
        }
        if received.kind == JMP_RECEIVED_PROTECTED {
            let start = Int(received.payload_offset)
            protected.append(ProtectedPayload(bytes: Array(copy[start..<(start + Int(received.payload_length))]), channel: received.channel, at: now))
        }
        return received
    }

    // MARK: protected payloads

    func sendProtected(_ payload: [UInt8], channel: UInt32 = 0, timeToLive: UInt64 = 0, tag: UInt64? = nil, _ now: UInt64) -> jmp_status {
        var options = jmp_payload_options()
        expectOK(jmp_payload_options_init(&options))
        options.channel = channel
        options.time_to_live_us = timeToLive
        options.tag = tag ?? 0
        options.report = tag == nil ? 0 : 1
        return jmp_send_protected(handle, session, payload, payload.count, &options, now)
    }

    func takePayloads(_ now: UInt64) {
        guard !isReadingPaused else { return }
        var out = jmp_payload()
        out.struct_size = UInt32(MemoryLayout<jmp_payload>.size)
        while true {
            let status = jmp_poll_payload(handle, now, &payloadBuffer, payloadBuffer.count, &out)
            guard status == JMP_OK else {
                #expect(status == JMP_AGAIN)
                return
            }
            protected.append(ProtectedPayload(bytes: Array(payloadBuffer[0..<Int(out.length)]), channel: out.channel, at: now))
        }
    }

    /// Longest time between two payloads that arrived at or after `start`, the last one counted up to `end`.
    func longestGap(from start: UInt64, to end: UInt64) -> UInt64 {
        let times = [start] + payloads.map(\.at).filter { $0 > start && $0 <= end } + [end]
        return zip(times.dropFirst(), times).map { $0 - $1 }.max() ?? 0
    }

    // MARK: events

    func drainEvents() {
        var event = jmp_event()
        event.struct_size = UInt32(MemoryLayout<jmp_event>.size)
        while jmp_poll_event(handle, &event) == JMP_OK {
            events.append(event)
            check(event)
        }
    }

    private func check(_ event: jmp_event) {
        #expect(event.type != JMP_EVENT_TRANSITION_REJECTED, "\(json(event))")
        #expect(event.dropped == 0 || mayDropEvents)
        guard event.session != 0, event.type != JMP_EVENT_ACCEPT_REQUESTED else { return }
        if session == 0 { session = event.session }
        let id = bytes(event.session_id)
        var trail = trails[event.session] ?? (0, UInt32(JMP_STATE_BIRTH), id)
        #expect(trail.id == id, "the session id changed")
        if event.type == JMP_EVENT_SESSION_STATE_CHANGE {
            #expect(event.state_version == trail.version + 1)
            #expect(event.previous_state == trail.state)
            #expect(trail.state != JMP_STATE_TERMINATED)
            trail = (event.state_version, event.new_state, id)
        }
        trails[event.session] = trail
    }

    func events(_ type: Int32, since: UInt64 = 0) -> [jmp_event] {
        events.filter { $0.type == UInt32(type) && $0.time >= since }
    }

    /// The transitions since a moment, e.g. "VOLATILE consecutive_drop_exceeded".
    func ladder(since: UInt64) -> [String] {
        events(JMP_EVENT_SESSION_STATE_CHANGE, since: since).map { "\(Names.state($0.new_state)) \(Names.reason($0.reason))" }
    }

    // MARK: looking

    func info() -> jmp_session_info {
        var info = jmp_session_info()
        info.struct_size = UInt32(MemoryLayout<jmp_session_info>.size)
        expectOK(jmp_session_get_info(handle, session, &info))
        return info
    }

    func stats() -> jmp_session_stats {
        var stats = jmp_session_stats()
        stats.struct_size = UInt32(MemoryLayout<jmp_session_stats>.size)
        expectOK(jmp_session_get_stats(handle, session, &stats))
        return stats
    }

    func totals() -> jmp_endpoint_stats {
        var stats = jmp_endpoint_stats()
        stats.struct_size = UInt32(MemoryLayout<jmp_endpoint_stats>.size)
        expectOK(jmp_endpoint_get_stats(handle, &stats))
        return stats
    }

    /// Datagrams dropped for a cause.
    func dropped(_ cause: Int32) -> UInt64 {
        let all = totals().dropped
        return withUnsafeBytes(of: all) { $0.load(fromByteOffset: Int(cause) * 8, as: UInt64.self) }
    }

    func paths() -> [jmp_path_info] {
        var paths = [jmp_path_info](repeating: jmp_path_info(), count: Int(JMP_MAX_PATHS)), count = 0
        expectOK(jmp_session_get_paths(handle, session, &paths, paths.count, &count))
        return Array(paths[0..<count])
    }

    func path(on link: Int) -> jmp_path_info? { paths().first { $0.transport == UInt32(link) } }
}
