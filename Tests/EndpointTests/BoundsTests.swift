import CJumping
import JumpingC
import Testing
@testable import Jumping

/// No state of trouble lasts longer than the policy says (DESIGN section 3).
struct BoundsTests {
    private func time(_ node: Node, _ state: Int32, _ reason: Int32, since at: UInt64) throws -> UInt64 {
        try #require(node.events(JMP_EVENT_SESSION_STATE_CHANGE, since: at)
            .first { $0.new_state == UInt32(state) && $0.reason == UInt32(reason) }).time
    }

    @Test func recoveringEndsWithTheRecoveryWindow() throws {
        var options = PairOptions()
        options.tuneGatewayPolicy = { $0.recovery_window_us = 200_000 }
        let pair = Pair.established(options, sending: true)
        let at = pair.now
        for link in pair.links.indices { pair.links[link].cut() }
        pair.run(1_000_000)
        let began = try time(pair.client, JMP_STATE_RECOVERING, JMP_REASON_DEAD_TRANSPORT_RECOVERY, since: at)
        let ended = try time(pair.client, JMP_STATE_DEGRADED, JMP_REASON_RECOVERY_WINDOW_EXCEEDED, since: at)
        #expect(ended == began + 200_000)
        let result = try #require(pair.client.events(JMP_EVENT_REATTACH_RESULT, since: at).first)
        #expect(result.time == ended && result.reason == JMP_REASON_RECOVERY_WINDOW_EXCEEDED)
    }

    /// One path, which nobody says is dead: there is nowhere to go, and VOLATILE does not last.
    @Test func volatileEndsAfterItsTime() throws {
        var options = PairOptions()
        options.links = 1
        options.tuneGatewayPolicy = { $0.volatile_to_degraded_us = 700_000 }
        let pair = Pair.established(options, sending: true)
        let at = pair.now
        expectOK(jmp_session_request_switch(pair.gateway.handle, pair.gateway.session, UInt32.max, pair.now))
        pair.drain(.gateway)
        pair.run(1_500_000)
        for (node, reason) in [(pair.gateway, JMP_REASON_OPERATOR_REQUESTED), (pair.client, JMP_REASON_PEER_REPORTED_VOLATILITY)] {
            let began = try time(node, JMP_STATE_VOLATILE, reason, since: at)
            #expect(try time(node, JMP_STATE_DEGRADED, JMP_REASON_VOLATILE_PERSISTED, since: at) == began + 700_000)
        }
    }
}
