import CJumping
import JumpingC
import Testing
@testable import Jumping

/// Both hosts of a conversation of `Tests/vectors/conformance.json`: does their calls again and holds every datagram against the file.
final class ConformanceReplay {
    private var endpoints: [String: OpaquePointer] = [:]
    private var sessions: [String: jmp_session] = [:]
    private let conversation: VectorValue
    private let datagrams: [VectorValue]
    private(set) var sentCount = 0
    private var buffer = [UInt8](repeating: 0, count: 2048)
    private var payloadBuffer = [UInt8](repeating: 0, count: 4096)
    /// Protected payloads that the present call handed out, with their channels.
    private var protected: [(UInt32, [UInt8])] = []

    init(_ conversation: VectorValue) throws {
        self.conversation = conversation
        datagrams = try conversation["datagrams"].list()
        for end in ["client", "gateway"] { try makeEndpoint(end, conversation["setup"][end]) }
        try giveKeys(conversation["secrets"])
    }

    deinit { for handle in endpoints.values { _ = jmp_endpoint_free(handle) } }

    private func makeEndpoint(_ end: String, _ setup: VectorValue) throws {
        var config = jmp_config(), handle: OpaquePointer?
        expectOK(jmp_config_init(&config))
        config.suites = UInt32(try setup["suites"].number())
        config.node_tag = UInt16(try setup["node_tag"].number())
        if let threshold = setup.optional("cookie_threshold") { config.cookie_threshold = UInt32(try threshold.number()) }
        expectOK(jmp_endpoint_new_seeded(&config, nil, try setup["seed"].octets(), Pair.startAt, &handle))
        endpoints[end] = try #require(handle)
        for transport in try setup["transports"].list() {
            var description = jmp_transport_config(), number: UInt32 = 0
            expectOK(jmp_transport_config_init(&description))
            setText(&description.name, try transport["name"].text())
            description.transport_class = UInt32(try transport["class"].number())
            if let mtu = transport.optional("mtu") { description.mtu = UInt32(try mtu.number()) }
            expectOK(jmp_transport_add(handle, &description, Pair.startAt, &number))
        }
    }

    private func giveKeys(_ secrets: VectorValue) throws {
        let psk = try secrets.optional("psk")?.octets()
        guard try conversation["pattern"].number() == UInt64(JMP_PATTERN_IKPSK2) else {
            let hint = try conversation["calls"].list()[0]["hint"].octets()
            expectOK(jmp_endpoint_add_psk(endpoints["gateway"], hint, hint.count, psk))
            return
        }
        for end in ["client", "gateway"] {
            expectOK(jmp_endpoint_set_static_key(endpoints[end], try secrets[end + " static"].octets()))
        }
        var identity = [UInt8](repeating: 0, count: 32)
        expectOK(jmp_public_key(try secrets["client static"].octets(), &identity))
        expectOK(jmp_endpoint_add_client_key(endpoints["gateway"], identity, psk))
    }

    // MARK: calls

    /// Does one call, then what every host does after it; the datagrams must be those of the file.
    func perform(_ call: VectorValue) throws {
        let end = try call["end"].text(), now = try call["at_us"].number()
        var sent: [(jmp_datagram, [UInt8])] = []
        protected = []
        if let payload = try act(call, end, now) { sent.append(payload) }
        while try takePayload(end, now) {}
        let handedOut = try call.optional("protected")?.list() ?? []
        let waited = try handedOut.map { (UInt32(try $0["channel"].number()), try $0["payload"].octets()) }
        #expect(protected.map(\.0) == waited.map(\.0) && protected.map(\.1) == waited.map(\.1))
        var datagram = newDatagram()
        while jmp_poll_transmit(endpoints[end], now, &buffer, buffer.count, &datagram) == JMP_OK {
            sent.append((datagram, Array(buffer[0..<Int(datagram.length)])))
            datagram = newDatagram()
        }
        var event = jmp_event()
        event.struct_size = UInt32(MemoryLayout<jmp_event>.size)
        while jmp_poll_event(endpoints[end], &event) == JMP_OK {
            if event.session != 0, sessions[end] == nil { sessions[end] = event.session }
        }
        let expected = try call["datagrams"].list().map { datagrams[Int(try $0.number())] }
        let callNumber = try call["number"].number()
        try #require(sent.count == expected.count, "call \(callNumber) at \(now)")
        for (found, vector) in zip(sent, expected) {
            let octets = try vector["octets"].octets(), number = try vector["number"].number()
            try #require(found.1 == octets, "datagram \(number)")
            #expect(try found.0.transport == transport(vector))
            #expect(try Array(bytes(found.0.to.bytes).prefix(Int(found.0.to.length))) == vector["to"].octets())
            sentCount += 1
        }
    }

    private func newDatagram() -> jmp_datagram {
        var datagram = jmp_datagram()
        datagram.struct_size = UInt32(MemoryLayout<jmp_datagram>.size)
        return datagram
    }

    private func transport(_ value: VectorValue) throws -> UInt32 { try value["link"].text() == "A" ? 0 : 1 }

    /// The call itself; a send gives its datagram.
    private func act(_ call: VectorValue, _ end: String, _ now: UInt64) throws -> (jmp_datagram, [UInt8])? {
        let handle = endpoints[end], session = sessions[end] ?? 0
        switch try call["call"].text() {
        case "connect": try connect(call, now)
        case "receive": try receive(call, end, now)
        case "handle_timeout": expectOK(jmp_handle_timeout(handle, now))
        case "rekey": expectOK(jmp_session_rekey(handle, session, now))
        case "request_switch": expectOK(jmp_session_request_switch(handle, session, JMP_PATH_NONE, now))
        case "close": expectOK(jmp_session_close(handle, session, UInt32(JMP_REASON_OPERATOR_TERMINATED), now))
        case "add_path":
            var remote = address(try call["to"].octets(), prefixLength: 0), path: UInt32 = 0
            expectOK(jmp_path_add(handle, session, try transport(call), &remote, now, &path))
        case "set_policy":
            var policy = jmp_policy()
            expectOK(jmp_policy_init(&policy))
            policy.allowed_classes = UInt32(try call["allowed_classes"].number())
            setText(&policy.version, try call["version"].text())
            expectOK(jmp_session_set_policy(handle, session, &policy, now))
        case "send_protected":
            var options = jmp_payload_options()
            expectOK(jmp_payload_options_init(&options))
            options.channel = UInt32(try call["channel"].number())
            options.time_to_live_us = try call["time_to_live_us"].number()
            let payload = try call["payload"].octets()
            expectOK(jmp_send_protected(handle, session, payload, payload.count, &options, now))
        case "send":
            var datagram = newDatagram()
            let payload = try call["payload"].octets()
            expectOK(jmp_send(handle, session, payload, payload.count, now, &buffer, buffer.count, &datagram))
            return (datagram, Array(buffer[0..<Int(datagram.length)]))
        case let other: Issue.record("the file has a call \(other)")
        }
        return nil
    }

    private func connect(_ call: VectorValue, _ now: UInt64) throws {
        var config = jmp_connect_config(), session: jmp_session = 0
        expectOK(jmp_connect_config_init(&config))
        config.pattern = UInt32(try conversation["pattern"].number())
        config.transport = try transport(call)
        config.remote = address(try call["to"].octets(), prefixLength: 0)
        setText(&config.label, try call["label"].text())
        if let psk = call.optional("psk") { setBytes(&config.psk, try psk.octets()) }
        if let key = call.optional("gateway_key") { setBytes(&config.gateway_key, try key.octets()) }
        if let hint = try call.optional("hint")?.octets() {
            setBytes(&config.hint, hint)
            config.hint_length = UInt32(hint.count)
        }
        expectOK(jmp_connect(endpoints["client"], &config, now, &session))
        sessions["client"] = session
    }

    /// A datagram of the file arrives, and the host is told what the file says.
    private func receive(_ call: VectorValue, _ end: String, _ now: UInt64) throws {
        let vector = datagrams[Int(try call["datagram"].number())]
        var octets = try vector["octets"].octets(), received = jmp_received()
        var source = address(try vector["source"].octets(), prefixLength: 0)
        received.struct_size = UInt32(MemoryLayout<jmp_received>.size)
        expectOK(jmp_receive(endpoints[end], try transport(vector), &source, &octets, octets.count, now, &received))
        #expect(try UInt64(received.drop_cause) == call["drop_cause"].number())
        let start = Int(received.payload_offset), length = Int(received.payload_length)
        let payload = received.kind == JMP_RECEIVED_PAYLOAD ? Array(octets[start..<(start + length)]) : nil
        #expect(try payload == call.optional("payload")?.octets())
        if received.kind == JMP_RECEIVED_PROTECTED { protected.append((received.channel, Array(octets[start..<(start + length)]))) }
    }

    /// The next protected payload that waits; false when none does.
    private func takePayload(_ end: String, _ now: UInt64) throws -> Bool {
        var payload = jmp_payload()
        payload.struct_size = UInt32(MemoryLayout<jmp_payload>.size)
        let status = jmp_poll_payload(endpoints[end], now, &payloadBuffer, payloadBuffer.count, &payload)
        try #require(status == JMP_OK || status == JMP_AGAIN)
        if status == JMP_OK { protected.append((payload.channel, Array(payloadBuffer[0..<Int(payload.length)]))) }
        return status == JMP_OK
    }
}
