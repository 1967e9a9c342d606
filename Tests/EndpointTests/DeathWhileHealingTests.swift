import CJumping
import JumpingC
import Testing
@testable import Jumping

/// The active path dies while a reattach in place is on its way: the standby is tried at once, within the same recovery.
struct DeathWhileHealingTests {
    /// A session whose path was lossy and is calm again, in the instant its reattach in place begins. The standby came later.
    private func healing() -> Pair {
        var options = PairOptions()
        options.offered = 1
        let pair = Pair.established(options, sending: true)
        pair.links[1].delay = [40_000, 40_000]
        pair.links[0].lossPerMille = [400, 400]
        #expect(pair.run(until: { pair.info(.client).state != JMP_STATE_ATTACHED }, within: 5_000_000))
        pair.links[0].lossPerMille = [0, 0]
        pair.run(2_100_000)
        pair.addPath(1)
        #expect(pair.run(until: {
            pair.client.ladder(since: 0).last == "RECOVERING stability_window_met"
        }, within: 30_000_000), "\(pair.client.ladder(since: 0))")
        #expect(pair.info(.client).active_transport == 0 && pair.info(.client).candidate_count == 1)
        return pair
    }

    @Test func aPathThatDiesWhileItHealsIsLeftAtOnce() {
        let pair = healing()
        let at = pair.now
        pair.links[0].cut()
        pair.run(2_000_000)
        #expect(pair.gateway.longestGap(from: at, to: pair.now) <= 300_000)
        #expect(pair.client.ladder(since: at) == ["ATTACHED reattach_success"], "the same recovery")
        #expect(pair.info(.client).active_transport == 1 && pair.info(.gateway).active_transport == 1)
        #expect(pair.client.events(JMP_EVENT_TRANSPORT_DEAD, since: at).count == 1)
    }

    @Test func theHostsHintActsAtOnceWhileAPathHeals() {
        let pair = healing()
        let at = pair.now
        pair.links[0].cut()
        expectOK(jmp_transport_hint(pair.client.handle, 0, 0, pair.now))
        pair.drain(.client)
        #expect(pair.client.events(JMP_EVENT_TRANSPORT_DEAD, since: at).count == 1)
        pair.run(1_000_000)
        #expect(pair.gateway.longestGap(from: at, to: pair.now) <= 100_000)
        #expect(pair.info(.client).active_transport == 1 && pair.info(.client).state == JMP_STATE_ATTACHED)
    }
}
