import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping

/// Keys and policy change while the session stays.
struct RenewalTests {
    private func rekey(_ pair: Pair, _ side: Side) -> jmp_status {
        defer { pair.drain(side) }
        return jmp_session_rekey(pair.node(side).handle, pair.node(side).session, pair.now)
    }

    // MARK: keys

    @Test(arguments: [Side.client, .gateway])
    func aRekeyLeavesNoGapAndNoLoss(side: Side) {
        let pair = Pair.established(sending: true)
        let at = pair.now
        expectOK(rekey(pair, side))
        #expect(rekey(pair, side) == JMP_ERR_RATE_LIMITED, "the peer has not used the new phase yet")
        pair.run(500_000)
        for node in [pair.client, pair.gateway] {
            #expect(node.info().key_phase == 1)
            #expect(node.events(JMP_EVENT_KEY_ROTATED).count == 1)
            #expect(node.stats().key_rotations == 1 && node.stats().bad_tag == 0)
            #expect(node.ladder(since: 0) == ["ATTACHED handshake_ok"])
        }
        #expect(pair.client.longestGap(from: at, to: pair.now) <= 10_000)
        expectOK(rekey(pair, side.other))
        pair.run(500_000)
        #expect(pair.info(.client).key_phase == 2 && pair.info(.gateway).key_phase == 2)
    }

    @Test func keysAreRenewedByTime() {
        var options = PairOptions()
        options.tuneGatewayPolicy = { $0.key_max_age_us = 2_000_000 }
        let pair = Pair.established(options, sending: true)
        pair.run(20_000_000)
        let phases = (pair.info(.client).key_phase, pair.info(.gateway).key_phase)
        #expect(phases.0 == phases.1)
        #expect((9...12).contains(phases.0))
        #expect(pair.client.ladder(since: 0) == ["ATTACHED handshake_ok"])
        #expect(pair.client.arrivals.values.allSatisfy { $0 == 1 })
        #expect(pair.gateway.stats().bad_tag == 0)
    }

    /// Both ends begin the same phase at once; they end in the same one.
    @Test func rekeysThatCrossOnTheWayAreOne() {
        let pair = Pair.established(sending: true)
        expectOK(rekey(pair, .client))
        expectOK(rekey(pair, .gateway))
        pair.run(500_000)
        #expect(pair.info(.client).key_phase == 1 && pair.info(.gateway).key_phase == 1)
        #expect(pair.client.stats().bad_tag == 0 && pair.gateway.stats().bad_tag == 0)
        let before = pair.client.payloads.count
        pair.run(500_000)
        #expect(pair.client.payloads.count > before + 90)
    }

    @Test(arguments: [Side.client, .gateway])
    func aReattachInFlightSurvivesARekey(side: Side) {
        let pair = Pair.established(sending: true)
        pair.links[0].cut()
        #expect(pair.run(until: { pair.info(.client).state == JMP_STATE_RECOVERING }, within: 500_000, step: 500))
        expectOK(rekey(pair, side))
        pair.run(1_000_000)
        for node in [pair.client, pair.gateway] {
            #expect(node.info().state == JMP_STATE_ATTACHED && node.info().active_transport == 1)
            #expect(node.info().key_phase == 1 && node.info().binding_version == 1)
            #expect(node.stats().bad_tag == 0)
        }
        #expect(pair.client.events(JMP_EVENT_TRANSPORT_SWITCH).count == 1)
    }

    @Test func onlyALiveSessionIsRekeyed() {
        let pair = Pair()
        expectOK(pair.connect())
        #expect(rekey(pair, .client) == JMP_ERR_STATE)
    }

    // MARK: policy

    private func fresh(_ tune: (inout jmp_policy) -> Void) -> jmp_policy {
        var policy = jmp_policy()
        expectOK(jmp_policy_init(&policy))
        setText(&policy.version, "v2")
        tune(&policy)
        return policy
    }

    private func replace(_ pair: Pair, _ policy: jmp_policy, on side: Side = .gateway) -> jmp_status {
        var copy = policy
        defer { pair.drain(side) }
        return jmp_session_set_policy(pair.node(side).handle, pair.node(side).session, &copy, pair.now)
    }

    private func policy(_ node: Node) -> jmp_policy {
        var policy = jmp_policy()
        policy.struct_size = UInt32(MemoryLayout<jmp_policy>.size)
        expectOK(jmp_session_get_policy(node.handle, node.session, &policy))
        return policy
    }

    @Test func aNewPolicyAppliesAtOnceHereAndOneWayLaterThere() {
        let pair = Pair.established(sending: true)
        expectOK(replace(pair, fresh { policy in
            policy.max_lifetime_us = 60_000_000
            policy.max_switches_per_min = 3
        }))
        #expect(pair.info(.gateway).expires_at == pair.info(.gateway).created_at + 60_000_000, "counted from the old beginning")
        #expect(textOf(pair.info(.gateway).policy_version) == "v2")
        #expect(textOf(pair.info(.client).policy_version) == "default-1")
        pair.run(25_000)
        for node in [pair.client, pair.gateway] {
            #expect(policy(node).max_switches_per_min == 3 && policy(node).max_lifetime_us == 60_000_000)
            #expect(node.events(JMP_EVENT_POLICY_CHANGED).map { textOf($0.policy_version) } == ["v2"])
        }
    }

    @Test func aPolicyIsRepeatedUntilTheClientHasIt() {
        let pair = Pair.established(sending: true)
        var copies = 0
        pair.tap = { [unowned pair] side, _, bytes in
            guard side == .gateway, pair.client.frames(of: bytes).contains(FrameType.policy) else { return false }
            copies += 1
            return copies <= 3
        }
        expectOK(replace(pair, fresh { $0.heartbeat_interval_us = 300_000 }))
        pair.run(3_000_000)
        #expect(policy(pair.client).heartbeat_interval_us == 300_000)
        #expect(pair.client.events(JMP_EVENT_POLICY_CHANGED).count == 1)
        let sent = copies
        #expect(sent >= 4)
        pair.run(3_000_000)
        #expect(copies == sent, "and then no more")
    }

    @Test func theClientsOwnLimitsOutliveANewPolicy() {
        var options = PairOptions()
        options.tuneClientPolicy = { policy in
            policy.transport_lost_ttl_us = 5_000_000
            policy.strict_binding = 1
        }
        let pair = Pair.established(options)
        expectOK(replace(pair, fresh { $0.transport_lost_ttl_us = 600_000_000 }))
        pair.run(100_000)
        for node in [pair.client, pair.gateway] {
            #expect(policy(node).transport_lost_ttl_us == 5_000_000)
            #expect(policy(node).strict_binding == 1)
        }
    }

    @Test func anInvalidPolicyOrOneFromTheClientChangesNothing() {
        let pair = Pair.established()
        #expect(replace(pair, fresh { $0.loss_window_us = 1 }) == JMP_ERR_POLICY)
        #expect(replace(pair, fresh { _ in }, on: .client) == JMP_ERR_ROLE)
        pair.run(100_000)
        for node in [pair.client, pair.gateway] {
            #expect(textOf(node.info().policy_version) == "default-1")
            #expect(node.events(JMP_EVENT_POLICY_CHANGED).isEmpty)
        }
    }

    @Test func aPathWhoseClassIsNotAllowedAnyMoreIsLeft() {
        let pair = Pair.established(sending: true)
        for node in [pair.client, pair.gateway] {
            var cellular = jmp_transport_config()
            expectOK(jmp_transport_config_init(&cellular))
            setText(&cellular.name, "udp:A")
            cellular.transport_class = UInt32(JMP_CLASS_CELLULAR)
            expectOK(jmp_transport_set(node.handle, 0, &cellular, pair.now))
        }
        expectOK(replace(pair, fresh { $0.allowed_classes = ~(1 << UInt32(JMP_CLASS_CELLULAR)) }))
        pair.run(1_000_000)
        #expect(pair.info(.client).active_transport == 1 && pair.info(.gateway).active_transport == 1)
        #expect(pair.client.ladder(since: 0).suffix(3)
                == ["VOLATILE operator_requested", "RECOVERING policy_forced_recovery", "ATTACHED reattach_success"])
    }
}
