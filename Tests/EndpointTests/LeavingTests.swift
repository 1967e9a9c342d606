import CJumping
import JumpingC
import JumpingSession
import JumpingWire
import Testing
@testable import Jumping

/// Reasons to leave a path that still works for the client: what the trigger tables begin is brought to its end.
struct LeavingTests {
    /// Both paths warm, the other one of class 1.
    private func pairOfTwoClasses() -> Pair {
        let pair = Pair.established()
        var other = jmp_transport_config()
        expectOK(jmp_transport_config_init(&other))
        setText(&other.name, "udp:B")
        other.transport_class = 1
        expectOK(jmp_transport_set(pair.client.handle, 1, &other, pair.now))
        pair.run(1_000_000)
        return pair
    }

    private func forbidClassZero(_ pair: Pair, alsoOne: Bool = false) {
        var policy = jmp_policy()
        expectOK(jmp_policy_init(&policy))
        policy.allowed_classes = alsoOne ? ~3 : ~1
        expectOK(jmp_session_set_policy(pair.gateway.handle, pair.gateway.session, &policy, pair.now))
        pair.drain(.gateway)
    }

    /// The client hears of a loss that is over: it is VOLATILE, and only waits for calm.
    private func makeClientVolatile(_ pair: Pair) {
        _ = pair.client.endpoint.pointee.withSession(pair.client.session) { session, env in
            session.receiveReport(VolatilityReport(bindingVersion: 0, cause: Reason.lossThresholdExceeded.rawValue, isAlive: true, lossPPM: 0), &env)
            return JMP_OK
        }
        pair.drain(.client)
        #expect(pair.info(.client).state == JMP_STATE_VOLATILE)
    }

    @Test(arguments: [false, true])
    func aPathOfAForbiddenClassIsLeft(isVolatile: Bool) {
        let pair = pairOfTwoClasses()
        if isVolatile { makeClientVolatile(pair) }
        forbidClassZero(pair)
        pair.run(1_000_000)
        for node in [pair.client, pair.gateway] {
            #expect(node.info().state == JMP_STATE_ATTACHED && node.info().active_transport == 1)
        }
        #expect(pair.client.events(JMP_EVENT_TRANSPORT_SWITCH).count == 1)
    }

    /// Nowhere else to go: the session degrades and stays there, it does not try the same path over and over.
    @Test func aForbiddenClassWithoutAnotherPathIsNoEndlessLadder() {
        let pair = pairOfTwoClasses()
        let at = pair.now
        forbidClassZero(pair, alsoOne: true)
        pair.run(60_000_000)
        #expect(pair.client.ladder(since: at) == ["VOLATILE operator_requested", "DEGRADED volatile_persisted"])
        #expect(pair.gateway.events(JMP_EVENT_REATTACH_ATTEMPT, since: at).isEmpty)
    }

    @Test func aGatewayWhoseTransportIsRemovedTellsItsClientAtOnce() {
        let pair = Pair.established()
        pair.run(8_000_000)   // idle: the next heartbeat is far away
        let at = pair.now
        expectOK(jmp_transport_remove(pair.gateway.handle, 0, pair.now))
        pair.drain(.gateway)
        pair.run(200_000)
        #expect(pair.client.ladder(since: at)
                == ["VOLATILE peer_reported_volatility", "RECOVERING dead_transport_recovery", "ATTACHED reattach_success"])
        #expect(pair.info(.client).active_transport == 1 && pair.info(.gateway).active_transport == 1)
    }

    @Test func theOperatorsWishAtTheGatewayReachesAVolatileClient() {
        let pair = Pair.established()
        pair.run(1_000_000)
        makeClientVolatile(pair)
        expectOK(jmp_session_request_switch(pair.gateway.handle, pair.gateway.session, JMP_PATH_NONE, pair.now))
        pair.drain(.gateway)
        pair.run(500_000)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED && pair.info(.client).active_transport == 1)
        #expect(pair.info(.gateway).state == JMP_STATE_ATTACHED && pair.info(.gateway).active_transport == 1)
    }
}
