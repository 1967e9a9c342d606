import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping

/// Every recovery is bounded: cooldown, switches per minute, and a clear no with its reason.
struct SwitchLimitTests {
    private func requestSwitch(_ pair: Pair, _ path: UInt32 = UInt32.max, side: Side = .client) -> jmp_status {
        defer { pair.drain(side) }
        return jmp_session_request_switch(pair.node(side).handle, pair.node(side).session, path, pair.now)
    }

    @Test func aPlannedHandoverClimbsTheSameLadder() {
        let pair = Pair.established(sending: true)
        let at = pair.now
        expectOK(requestSwitch(pair))
        pair.run(200_000)
        #expect(pair.client.ladder(since: at)
                == ["VOLATILE operator_requested", "RECOVERING policy_forced_recovery", "ATTACHED reattach_success"])
        #expect(pair.gateway.ladder(since: at)
                == ["VOLATILE peer_reported_volatility", "RECOVERING policy_forced_recovery", "ATTACHED reattach_success"])
        #expect(pair.info(.client).active_transport == 1)
        #expect(pair.client.longestGap(from: at, to: pair.now) <= 45_000, "a handover has no gap but the other path's latency")
    }

    @Test func aGatewayAsksTheClientForAHandover() {
        let pair = Pair.established(sending: true)
        let at = pair.now
        expectOK(requestSwitch(pair, side: .gateway))
        #expect(pair.gateway.ladder(since: at) == ["VOLATILE operator_requested"])
        pair.run(300_000)
        #expect(pair.info(.client).active_transport == 1 && pair.info(.gateway).active_transport == 1)
        #expect(pair.info(.gateway).state == JMP_STATE_ATTACHED)
    }

    @Test func theCooldownBindsVoluntarySwitchesOnly() throws {
        let pair = Pair.established(sending: true)
        expectOK(requestSwitch(pair))
        pair.run(200_000)
        let version = pair.info(.client).state_version
        #expect(requestSwitch(pair) == JMP_ERR_SWITCH_DENIED)
        let denial = try #require(pair.client.events(JMP_EVENT_TRANSPORT_SWITCH_DENIED).last)
        #expect(denial.reason == JMP_REASON_COOLDOWN_ACTIVE)
        #expect(pair.info(.client).state_version == version)
        #expect(pair.client.stats().switches_denied == 1)

        pair.links[1].cut()
        pair.run(500_000)
        #expect(pair.info(.client).active_transport == 0, "a dead path is left at once, cooldown or not")
        pair.links[1].mend()
        pair.run(5_000_000)
        expectOK(requestSwitch(pair))
        pair.run(200_000)
        #expect(pair.info(.client).active_transport == 1)
    }

    @Test func aHandoverWithoutAStandbyIsDenied() throws {
        var options = PairOptions()
        options.offered = 1
        let pair = Pair.established(options)
        #expect(requestSwitch(pair) == JMP_ERR_SWITCH_DENIED)
        #expect(try #require(pair.client.events(JMP_EVENT_TRANSPORT_SWITCH_DENIED).last).reason == JMP_REASON_NO_CANDIDATE_TRANSPORTS)
        #expect(requestSwitch(pair, 77) == JMP_ERR_PATH)
        #expect(requestSwitch(pair, pair.info(.client).active_path) == JMP_ERR_PATH)
    }

    @Test func theSwitchesPerMinuteBindLeavingADeadPathToo() throws {
        var options = PairOptions()
        options.tuneGatewayPolicy = { $0.max_switches_per_min = 2 }
        let pair = Pair.established(options, sending: true)
        for link in [0, 1] {
            pair.links[link].cut()
            pair.links[1 - link].mend()
            pair.run(3_000_000)
            #expect(pair.info(.client).active_transport == UInt32(1 - link))
        }
        let at = pair.now
        pair.links[0].cut()
        pair.links[1].mend()
        pair.run(3_000_000)
        #expect(pair.client.events(JMP_EVENT_TRANSPORT_SWITCH_DENIED, since: at).contains { $0.reason == JMP_REASON_SWITCH_RATE_LIMITED })
        #expect(pair.info(.client).state == JMP_STATE_DEGRADED)
        let jumps = pair.client.events(JMP_EVENT_TRANSPORT_SWITCH)
        #expect(jumps.count == 2)
        pair.run(62_000_000)
        #expect(pair.client.events(JMP_EVENT_SESSION_TERMINATED).isEmpty, "a living standby keeps the session")
        let third = try #require(pair.client.events(JMP_EVENT_TRANSPORT_SWITCH).dropFirst(2).first)
        #expect(third.time - jumps[0].time >= 60_000_000)
    }

    /// The gateway's count decides: a client that does not know of a tighter policy is refused with the reason.
    @Test func theGatewayRefusesBeyondItsRate() throws {
        var options = PairOptions()
        options.links = 3
        let pair = Pair.established(options, sending: true)
        expectOK(requestSwitch(pair))
        pair.run(2_500_000)
        let active = Int(pair.info(.client).active_transport)
        pair.tap = { [unowned pair] side, _, bytes in side == .gateway && pair.client.frames(of: bytes).contains(FrameType.policy) }
        var policy = jmp_policy()
        expectOK(jmp_policy_init(&policy))
        policy.max_switches_per_min = 1
        expectOK(jmp_session_set_policy(pair.gateway.handle, pair.gateway.session, &policy, pair.now))
        pair.drain(.gateway)
        let at = pair.now
        pair.links[active].cut()
        pair.run(1_000_000)
        let refusals = pair.gateway.events(JMP_EVENT_REATTACH_RESULT, since: at).map(\.reason)
        #expect(refusals.first == UInt32(JMP_REASON_POLICY_DENIED))
        #expect(pair.client.events(JMP_EVENT_REATTACH_RESULT, since: at).first?.reason == UInt32(JMP_REASON_POLICY_DENIED))
        #expect(pair.client.ladder(since: at).contains("DEGRADED policy_denied"))
        #expect(pair.info(.gateway).binding_version == 1)
        #expect(pair.gateway.stats().switches_denied > 0)
    }
}
