import CJumping
import JumpingC
import JumpingCrypto
import JumpingSession
import JumpingWire
import Testing
@testable import Jumping

/// A gateway that has the keys and keeps no rules: the client holds to what it asked for and to the newest binding.
struct RogueGatewayTests {
    /// RESP to an INIT, with any suite and policy: the gateway's half of the handshake done by hand.
    private func response(to initDatagram: [UInt8], suite: UInt8, policy: Policy) -> [UInt8] {
        initDatagram.withUnsafeBytes { bytes -> [UInt8] in
            guard let packet = InitPacket(bytes), let pattern = NoisePattern(rawValue: packet.pattern) else { return [] }
            var noise = NoiseHandshake(pattern: pattern, isInitiator: false)
            var scratch = [UInt8](repeating: 0, count: 512), random = RandomSource()
            noise.mixPrologue(packet.prologue)
            Pair.psk.withUnsafeBytes { noise.setPSK($0.baseAddress!) }
            guard noise.readMessage1(packet.noise, payload: &scratch, capacity: 192) > 0 else { return [] }
            let hello = Frames.write { GatewayHello(suite: suite, nodeTag: 0, policy: policy).write(&$0) }
            let length = hello.withUnsafeBytes { noise.writeMessage2(payload: $0, random: &random, into: &scratch, capacity: scratch.count) }
            let header = Frames.write { writer in
                writer.u8(HandshakePacket.responseByte)
                writer.u64(packet.handshakeID)
            }
            return length > 0 ? header + scratch[0..<length] : []
        }
    }

    /// A client that waits, and its INIT.
    private func waiting(_ tune: @escaping (inout jmp_policy) -> Void = { _ in }) -> (Pair, [UInt8]) {
        var options = PairOptions()
        options.links = 1
        options.tuneClientPolicy = tune
        let pair = Pair(options)
        var request: [UInt8] = []
        pair.tap = { _, _, bytes in
            if Kind.isInit(bytes) { request = bytes }
            return true
        }
        expectOK(pair.connect())
        return (pair, request)
    }

    private func policy(_ node: Node) -> jmp_policy {
        var policy = jmp_policy()
        policy.struct_size = UInt32(MemoryLayout<jmp_policy>.size)
        expectOK(jmp_session_get_policy(node.handle, node.session, &policy))
        return policy
    }

    @Test func aSuiteThatWasNotOfferedIsABrokenHandshake() throws {
        let (pair, request) = waiting()
        pair.inject(response(to: request, suite: UInt8(JMP_SUITE_AES_256_GCM), policy: Policy()), to: .client)
        #expect(pair.info(.client).state == JMP_STATE_TERMINATED)
        #expect(pair.client.ladder(since: 0) == ["TERMINATED handshake_failed"])
        #expect(pair.client.dropped(JMP_DROP_HANDSHAKE_REJECTED) == 1)

        let (other, again) = waiting()
        other.inject(response(to: again, suite: UInt8(JMP_SUITE_CHACHA20_POLY1305), policy: Policy()), to: .client)
        #expect(other.info(.client).state == JMP_STATE_ATTACHED, "the one that was offered")
    }

    @Test func theClientsLimitsHoldAgainstAnyPolicy() {
        let (pair, request) = waiting { policy in
            policy.transport_lost_ttl_us = 7_000_000
            policy.switch_cooldown_us = 9_000_000
            policy.max_switches_per_min = 2
        }
        pair.inject(response(to: request, suite: UInt8(JMP_SUITE_CHACHA20_POLY1305), policy: Policy()), to: .client)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
        let agreed = policy(pair.client)
        #expect((agreed.transport_lost_ttl_us, agreed.switch_cooldown_us, agreed.max_switches_per_min) == (7_000_000, 9_000_000, 2))
    }

    @Test func theClientsLimitsHoldAgainstALaterPolicy() {
        var options = PairOptions()
        options.tuneClientPolicy = { $0.transport_lost_ttl_us = 7_000_000 }
        let pair = Pair.established(options)
        var loose = Policy()
        loose.transportLostTTL = 600_000_000
        loose.heartbeatInterval = 300_000
        let bytes = Frames.write { loose.write(&$0) }
        let frame = Frames.write { writer in
            writer.u8(FrameType.policy)
            writer.u32(1)
            writer.u16(UInt16(bytes.count))
            bytes.withUnsafeBytes { writer.copy($0) }
        }
        pair.inject(pair.gateway.forge(frame), to: .client)
        #expect(policy(pair.client).heartbeat_interval_us == 300_000, "the rest is the gateway's")
        #expect(policy(pair.client).transport_lost_ttl_us == 7_000_000)
    }

    private func refusal(_ attempt: UInt64, _ reason: Int32) -> [UInt8] {
        Frames.write { $0.reattachAnswer(FrameType.reattachReject, ReattachAnswer(attemptID: attempt, bindingVersion: 0, detail: UInt8(reason))) }
    }

    /// An answer is the answer to one attempt.
    @Test func aRejectionOfAnotherAttemptIsIgnored() throws {
        let pair = Pair.established()
        pair.tap = { _, _, _ in true }
        expectOK(jmp_transport_hint(pair.client.handle, 0, 0, pair.now))
        pair.drain(.client)
        let attempt = try #require(pair.client.withCore { $0.attempt?.id } ?? nil)
        pair.inject(pair.gateway.forge(refusal(attempt ^ 1, JMP_REASON_POLICY_DENIED), index: 1), to: .client, link: 1)
        #expect(pair.info(.client).state == JMP_STATE_RECOVERING && pair.client.withCore { $0.attempt?.id } == attempt)
        pair.inject(pair.gateway.forge(refusal(attempt, JMP_REASON_POLICY_DENIED), index: 1), to: .client, link: 1)
        #expect(pair.client.ladder(since: 0).last == "DEGRADED policy_denied")
    }

    /// A gateway that says "stale" for ever does not keep the client asking for ever.
    @Test func aStaleVersionIsRetriedEightTimesAtMost() throws {
        let pair = Pair.established()
        pair.tap = { _, _, _ in true }
        expectOK(jmp_transport_hint(pair.client.handle, 0, 0, pair.now))
        pair.drain(.client)
        var refusals = 0
        while let attempt = pair.client.withCore({ $0.attempt?.id }) ?? nil, refusals < 50 {
            refusals += 1
            pair.inject(pair.gateway.forge(refusal(attempt, JMP_REASON_STALE_STATE_VERSION), index: 1), to: .client, link: 1)
        }
        #expect(refusals == 9)
        #expect(pair.client.ladder(since: 0).last == "DEGRADED reattach_validation_failed")
    }

    /// An old POLICY that was overtaken changes nothing, and an old POLICY_ACK does not end the repetition of a newer policy.
    @Test func policiesHaveAnOrder() throws {
        let pair = Pair.established()
        func frame(_ sequence: UInt32, heartbeat: UInt64) -> [UInt8] {
            var fresh = Policy()
            fresh.heartbeatInterval = heartbeat
            let bytes = Frames.write { fresh.write(&$0) }
            return Frames.write { writer in
                writer.u8(FrameType.policy)
                writer.u32(sequence)
                writer.u16(UInt16(bytes.count))
                bytes.withUnsafeBytes { writer.copy($0) }
            }
        }
        pair.inject(pair.gateway.forge(frame(2, heartbeat: 300_000)), to: .client)
        pair.inject(pair.gateway.forge(frame(1, heartbeat: 200_000)), to: .client)
        #expect(policy(pair.client).heartbeat_interval_us == 300_000)

        var fresh = jmp_policy()
        expectOK(jmp_policy_init(&fresh))
        pair.tap = { side, _, _ in side == .gateway }
        for _ in 0..<2 { expectOK(jmp_session_set_policy(pair.gateway.handle, pair.gateway.session, &fresh, pair.now)) }
        pair.drain(.gateway)
        let isOpen = { pair.gateway.withCore { $0.isPolicyUnacknowledged } }
        for (sequence, expected) in [(UInt32(1), true), (2, false)] {
            pair.inject(pair.client.forge(Frames.write { $0.frame(FrameType.policyAck, sequence) }), to: .gateway)
            #expect(isOpen() == expected)
        }
    }

    @Test func everySessionHasAnIDOfItsOwn() {
        var ids: Set<[UInt8]> = []
        for seed: UInt8 in 1...4 {
            var options = PairOptions()
            options.seed = seed
            let pair = Pair(options)
            for _ in 0..<2 {
                expectOK(pair.connect())
                ids.insert(bytes(pair.info(.client).session_id))
            }
        }
        #expect(ids.count == 8 && !ids.contains([UInt8](repeating: 0, count: 16)))
    }

    // MARK: what is said of an older binding

    /// Jumped once: the client is bound to link 1 with version 1.
    private func jumped() -> Pair {
        let pair = Pair.established()
        expectOK(jmp_transport_hint(pair.client.handle, 0, 0, pair.now))
        pair.drain(.client)
        pair.run(500_000)
        #expect(pair.info(.client).binding_version == 1 && pair.info(.client).active_transport == 1)
        return pair
    }

    @Test func aReportOfAnOlderBindingIsIgnored() {
        let pair = jumped()
        pair.inject(pair.gateway.forge(Frames.report(version: 0, isAlive: false), index: 1), to: .client, link: 1)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
        pair.inject(pair.gateway.forge(Frames.report(version: 1, isAlive: false), index: 1), to: .client, link: 1)
        #expect(pair.info(.client).state != JMP_STATE_ATTACHED, "one of the present binding counts")
    }

    @Test func aNudgeOfAnOlderBindingIsNotAnswered() {
        let pair = jumped()
        var requests = 0
        pair.tap = { [unowned pair] side, _, bytes in
            if side == .client, pair.gateway.isReattach(bytes) { requests += 1 }
            return true
        }
        pair.inject(pair.gateway.forge(Frames.nudge(version: 0), index: 1), to: .client, link: 1)
        #expect(requests == 0)
        pair.inject(pair.gateway.forge(Frames.nudge(version: 1), index: 1), to: .client, link: 1)
        #expect(requests == 1)
    }
}
