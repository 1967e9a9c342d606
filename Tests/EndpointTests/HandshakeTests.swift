import CJumping
import JumpingC
import Testing
@testable import Jumping
@testable import JumpingCrypto

struct HandshakeTests {
    @Test(arguments: [JMP_PATTERN_NNPSK0, JMP_PATTERN_IKPSK2])
    func bothPatternsEstablishASession(pattern: Int32) {
        var options = PairOptions()
        options.pattern = pattern
        let pair = Pair.established(options) { pair in
            expectOK(jmp_endpoint_add_client_key(pair.gateway.handle, pair.client.publicKey, nil))
        }
        let client = pair.info(.client), gateway = pair.info(.gateway)
        #expect(bytes(client.session_id) == bytes(gateway.session_id))
        #expect((client.state_version, gateway.state_version) == (1, 1))
        #expect((client.confirmed, gateway.confirmed) == (1, 1))
        #expect(textOf(gateway.label) == "test")
        #expect(bytes(gateway.peer_key) == (pattern == JMP_PATTERN_IKPSK2 ? pair.client.publicKey : [UInt8](repeating: 0, count: 32)))
        expectOK(pair.send(.client, [1, 2, 3]))
        expectOK(pair.send(.gateway, [4, 5]))
        pair.run(100_000)
        #expect(pair.gateway.payloads.map(\.bytes) == [[1, 2, 3]])
        #expect(pair.client.payloads.map(\.bytes) == [[4, 5]])
        #expect(pair.gateway.ladder(since: 0) == ["ATTACHED handshake_ok"])
        #expect(pair.client.ladder(since: 0) == ["ATTACHED handshake_ok"])
    }

    /// What the gateway does with a handshake that must fail: nothing anybody could see.
    private func failedHandshake(_ pattern: Int32 = JMP_PATTERN_NNPSK0, _ tune: @escaping (inout jmp_connect_config) -> Void) -> (sent: Int, drops: UInt64, events: Int) {
        var options = PairOptions()
        options.pattern = pattern
        let pair = Pair(options)
        var sent = 0
        pair.tap = { side, _, _ in
            if side == .gateway { sent += 1 }
            return false
        }
        expectOK(pair.connect(tune))
        pair.run(100_000)
        #expect(pair.gateway.totals().half_open == 0 && pair.gateway.totals().sessions == 0)
        #expect(pair.info(.client).state == JMP_STATE_BIRTH)
        return (sent, pair.gateway.dropped(JMP_DROP_HANDSHAKE_REJECTED), pair.gateway.events.count)
    }

    @Test func aWrongPSKAndAnUnknownHintLookAlike() {
        let wrongKey = failedHandshake { setBytes(&$0.psk, [UInt8](repeating: 0x43, count: 32)) }
        let unknownHint = failedHandshake { config in
            setBytes(&config.hint, Array("nobody".utf8))
            config.hint_length = 6
        }
        #expect(wrongKey == (0, 1, 1), "no answer, one count, one SecurityValidationFailed")
        #expect(unknownHint == wrongKey)
    }

    @Test func anUnknownClientKeyOrAWrongGatewayKeyGetsNoAnswer() {
        #expect(failedHandshake(JMP_PATTERN_IKPSK2) { _ in } == (0, 1, 1))
        #expect(failedHandshake(JMP_PATTERN_IKPSK2) { setBytes(&$0.gateway_key, [UInt8](repeating: 9, count: 32)) } == (0, 1, 1))
    }

    @Test func aHandshakeNobodyAnswersFailsAtItsTimeout() throws {
        let pair = Pair()
        pair.links[0].cut()
        pair.links[1].cut()
        expectOK(pair.connect { $0.handshake_timeout_us = 3_000_000 })
        pair.run(2_999_000)
        #expect(pair.info(.client).state == JMP_STATE_BIRTH)
        pair.run(2000)
        let end = try #require(pair.client.events(JMP_EVENT_SESSION_TERMINATED).first)
        #expect(end.reason == JMP_REASON_HANDSHAKE_FAILED)
        #expect(end.time >= Pair.startAt + 3_000_000)
        #expect(pair.client.ladder(since: 0) == ["TERMINATED handshake_failed"])
    }

    @Test func lostHandshakeMessagesAreRepeated() {
        let pair = Pair()
        var inits = 0, responses = 0
        pair.tap = { _, _, bytes in
            if Kind.isInit(bytes) { inits += 1 }
            if Kind.isResponse(bytes) { responses += 1 }
            return Kind.isInit(bytes) && inits <= 2 || Kind.isResponse(bytes) && responses <= 1
        }
        expectOK(pair.connect())
        pair.run(5_000_000)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
        #expect(pair.info(.gateway).state == JMP_STATE_ATTACHED)
        #expect(pair.gateway.events(JMP_EVENT_SESSION_CREATED).count == 1)
        #expect(inits > 3 && responses > 1)
    }

    @Test func aDuplicateInitGetsTheSameResponse() throws {
        let pair = Pair()
        var inits: [[UInt8]] = [], responses: [[UInt8]] = []
        pair.tap = { _, _, bytes in
            if Kind.isInit(bytes) { inits.append(bytes) }
            if Kind.isResponse(bytes) { responses.append(bytes) }
            return true
        }
        expectOK(pair.connect())
        let hello = try #require(inits.first)
        for _ in 0..<3 { pair.inject(hello, to: .gateway) }
        #expect(responses.count == 3)
        #expect(Set(responses).count == 1)
        #expect(responses[0].count <= hello.count, "no amplification")
        #expect(pair.gateway.totals().half_open == 1)
        pair.inject(hello, to: .gateway, from: address([6, 6, 6, 6, 0, 1]))
        #expect(responses.count == 3, "only the address that asked is answered")
    }

    /// IKpsk2's first message can be a replay: nothing happens before the client has proved that it is there.
    @Test(arguments: [JMP_PATTERN_NNPSK0, JMP_PATTERN_IKPSK2])
    func theGatewayAttachesAtTheFirstAuthenticDatagramAndNotBefore(pattern: Int32) throws {
        var options = PairOptions()
        options.pattern = pattern
        let pair = Pair(options)
        expectOK(jmp_endpoint_add_client_key(pair.gateway.handle, pair.client.publicKey, nil))
        var first: [UInt8] = []
        pair.tap = { side, _, bytes in
            if side == .client, Kind.isData(bytes), first.isEmpty { first = bytes }
            return side == .client && Kind.isData(bytes)
        }
        expectOK(pair.connect())
        pair.run(60_000)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
        #expect(pair.gateway.events.isEmpty)
        #expect(pair.gateway.totals().half_open == 1)
        let handle = pair.gateway.endpoint.pointee.sessions[0].handle
        var datagram = jmp_datagram(), buffer = [UInt8](repeating: 0, count: 2000)
        datagram.struct_size = UInt32(MemoryLayout<jmp_datagram>.size)
        #expect(jmp_send(pair.gateway.handle, handle, [1], 1, pair.now, &buffer, buffer.count, &datagram) == JMP_ERR_STATE)

        var forged = first
        forged[20] ^= 1
        #expect(pair.inject(forged, to: .gateway).drop_cause == JMP_DROP_BAD_TAG)
        #expect(pair.gateway.events.isEmpty)
        pair.inject(first, to: .gateway)
        #expect(pair.gateway.ladder(since: 0) == ["ATTACHED handshake_ok"])
        #expect(pair.gateway.events.first?.type == UInt32(JMP_EVENT_SESSION_CREATED))
        #expect(pair.gateway.totals().half_open == 0)
    }

    @Test func aForgedResponseChangesNothing() {
        let pair = Pair()
        var random = SeededGenerator(seed: 5)
        pair.tap = { [unowned pair] side, link, bytes in
            if side == .gateway, Kind.isResponse(bytes) {
                for length in [9, 10, 57, bytes.count] {
                    pair.inject(Array(bytes[0..<9]) + random.bytes(length - 9), to: .client, link: link)
                }
                var flipped = bytes
                flipped[bytes.count - 1] ^= 1
                pair.inject(flipped, to: .client, link: link)
            }
            return false
        }
        expectOK(pair.connect())
        pair.run(1_000_000)
        #expect(pair.client.dropped(JMP_DROP_HANDSHAKE_REJECTED) >= 5)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
    }

    @Test func aReplayedInitOfALiveSessionChangesNothing() throws {
        let pair = Pair()
        var hello: [UInt8] = []
        pair.tap = { _, _, bytes in
            if Kind.isInit(bytes), hello.isEmpty { hello = bytes }
            return false
        }
        expectOK(pair.connect())
        pair.run(2_000_000)
        let before = pair.gateway.events.count, version = pair.info(.gateway).state_version
        #expect(pair.inject(hello, to: .gateway).drop_cause == JMP_DROP_DUPLICATE_HANDSHAKE)
        #expect(pair.gateway.events.count == before)
        #expect(pair.info(.gateway).state_version == version)
        #expect(pair.gateway.totals().sessions == 1)
        #expect(pair.gateway.totals().sessions_terminated == 0)

        expectOK(jmp_session_close(pair.gateway.handle, pair.gateway.session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
        pair.drain(.gateway)
        pair.inject(hello, to: .gateway)
        pair.run(6_000_000)
        #expect(pair.gateway.events(JMP_EVENT_SESSION_CREATED).count == 1, "a recorded INIT opens no session")
        #expect(pair.gateway.totals().half_open == 0)
    }

    @Test func whatTheEndpointDoesNotDoIsDropped() {
        let pair = Pair()
        var hello: [UInt8] = []
        pair.tap = { _, _, bytes in
            hello = bytes
            return true
        }
        expectOK(pair.connect())
        #expect(pair.inject(hello, to: .client).drop_cause == JMP_DROP_NOT_ACCEPTING)
        hello[4] = 9
        #expect(pair.inject(hello, to: .gateway).drop_cause == JMP_DROP_BAD_VERSION)
        #expect(pair.inject([0xC2] + [UInt8](repeating: 0, count: 60), to: .gateway).drop_cause == JMP_DROP_UNEXPECTED)
        #expect(pair.inject([0xC3] + [UInt8](repeating: 0, count: 25), to: .gateway).drop_cause == JMP_DROP_UNEXPECTED)
        #expect(pair.inject([0xFF, 1, 2], to: .gateway).drop_cause == JMP_DROP_UNKNOWN_TYPE)
        #expect(pair.inject([0x40, 1, 2], to: .gateway).drop_cause == JMP_DROP_TOO_SHORT)
        #expect(pair.inject([0x40] + [UInt8](repeating: 0, count: 40), to: .gateway).drop_cause == JMP_DROP_UNKNOWN_CONNECTION_ID)
        #expect(pair.send(.client) == JMP_ERR_STATE, "no payload in BIRTH")
    }

    // MARK: negotiation

    @Test(.enabled(if: Sodium.initialize() && Suite.available & UInt32(JMP_SUITE_AES_256_GCM) != 0))
    func theBestCommonSuiteIsUsedAndNoneIsADrop() {
        var options = PairOptions()
        let both = JMP_SUITE_AES_256_GCM | JMP_SUITE_CHACHA20_POLY1305
        options.tuneGateway = { $0.suites = both }
        options.tuneClient = { $0.suites = both }
        let pair = Pair.established(options)
        #expect(pair.info(.client).suite == JMP_SUITE_AES_256_GCM)
        #expect(pair.info(.gateway).suite == JMP_SUITE_AES_256_GCM)
        expectOK(pair.send(.client, [1]))
        pair.run(50_000)
        #expect(pair.gateway.payloads.count == 1)

        options.tuneClient = { $0.suites = JMP_SUITE_AES_256_GCM }
        options.tuneGateway = { $0.suites = JMP_SUITE_CHACHA20_POLY1305 }
        let strangers = Pair(options)
        expectOK(strangers.connect())
        strangers.run(100_000)
        #expect(strangers.gateway.dropped(JMP_DROP_SUITE) > 0)
    }

    @Test func theStricterPolicyOfTheTwoIsLivedByOnBothEnds() {
        var options = PairOptions()
        options.tuneGatewayPolicy = { policy in
            policy.max_lifetime_us = 100_000_000
            policy.heartbeat_interval_us = 123_000
            setText(&policy.version, "gateway-1")
        }
        options.tuneClientPolicy = { policy in
            policy.transport_lost_ttl_us = 7_000_000
            policy.switch_cooldown_us = 9_000_000
            policy.heartbeat_interval_us = 400_000
        }
        let pair = Pair.established(options)
        for node in [pair.client, pair.gateway] {
            var policy = jmp_policy()
            policy.struct_size = UInt32(MemoryLayout<jmp_policy>.size)
            expectOK(jmp_session_get_policy(node.handle, node.session, &policy))
            #expect((policy.max_lifetime_us, policy.transport_lost_ttl_us) == (100_000_000, 7_000_000))
            #expect((policy.switch_cooldown_us, policy.heartbeat_interval_us) == (9_000_000, 123_000))
            #expect(textOf(policy.version) == "gateway-1")
            #expect(node.info().expires_at == node.info().created_at + 100_000_000)
        }
    }

    @Test func aClientThatAsksForTheImpossibleIsNotServed() {
        var options = PairOptions()
        options.tuneGatewayPolicy = { $0.allowed_classes = 0b10 }
        let pair = Pair(options)
        expectOK(pair.connect())
        pair.run(100_000)
        #expect(pair.info(.client).state == JMP_STATE_BIRTH)
        #expect(pair.gateway.totals().sessions == 0)
    }
}
