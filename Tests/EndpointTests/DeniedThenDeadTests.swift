import CJumping
import JumpingC
import Testing
@testable import Jumping

/// A path that was to be left by choice, and was not for the cooldown, dies: now it is no choice any more.
struct DeniedThenDeadTests {
    /// On link 1 since a planned handover, with a long cooldown, and in trouble there: of what the client sends much is lost.
    private func denied() -> Pair {
        var options = PairOptions()
        options.tuneGatewayPolicy = { policy in
            policy.switch_cooldown_us = 60_000_000
            policy.max_consecutive_drops = 16   // much loss is no death
        }
        let pair = Pair.established(options, sending: true)
        expectOK(jmp_session_request_switch(pair.client.handle, pair.client.session, UInt32.max, pair.now))
        pair.drain(.client)
        pair.run(3_000_000)
        #expect(pair.info(.client).active_transport == 1)
        pair.links[1].lossPerMille = [300, 0]
        pair.run(3_000_000)
        #expect(pair.client.ladder(since: 0).contains("DEGRADED cooldown_active"))
        #expect(pair.info(.client).active_transport == 1, "rightly: its path lives")
        return pair
    }

    @Test func theCooldownDoesNotHoldASessionOnADeadPath() {
        let pair = denied()
        let at = pair.now
        pair.links[1].cut()
        pair.run(2_000_000)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED && pair.info(.client).active_transport == 0, "\(pair.client.ladder(since: at))")
        #expect(pair.gateway.longestGap(from: at, to: pair.now) <= 500_000)
        #expect(pair.gateway.events(JMP_EVENT_REATTACH_RESULT, since: at).last?.reason == UInt32(JMP_REASON_REATTACH_SUCCESS))
    }
}
