import CJumping
import JumpingC
import Testing
@testable import Jumping

/// A session whose application is silent heals like any other, and has no false alarms.
struct QuietHealingTests {
    /// 100 payloads a second, 2.1 s of darkness, and nobody says anything any more.
    @Test(arguments: [1_000, 200_000] as [UInt32])
    func anIdleSessionHealsAfterAnOutage(thresholdPPM: UInt32) {
        var options = PairOptions()
        options.links = 1
        options.tuneGatewayPolicy = { $0.loss_volatile_threshold_ppm = thresholdPPM }
        let pair = Pair.established(options)
        pair.gateway.isEchoing = true
        pair.client.sendEvery(10_000, from: pair.now)
        pair.run(3_000_000)
        pair.links[0].cut()
        pair.run(2_100_000)
        pair.client.stopSending()
        #expect(pair.info(.client).state != JMP_STATE_ATTACHED)
        pair.links[0].mend()
        let healedAt = pair.now
        #expect(pair.run(until: {
            pair.info(.client).state == JMP_STATE_ATTACHED && pair.info(.gateway).state == JMP_STATE_ATTACHED
        }, within: 30_000_000, step: 10_000), "\(pair.client.ladder(since: 0))")
        pair.run(120_000_000)
        #expect(pair.client.ladder(since: healedAt).last == "ATTACHED reattach_success")
        #expect(pair.gateway.ladder(since: healedAt).last == "ATTACHED reattach_success")
    }

    /// The challenges of a standby that is gone leave gaps in the packet numbers; those are no losses of the active path.
    @Test func anIdleSessionWithADeadStandbyStaysAttached() {
        let pair = Pair.established()
        pair.run(1_000_000)
        pair.links[1].cut()
        let at = pair.now
        pair.run(1_800_000_000)
        for node in [pair.client, pair.gateway] {
            #expect(node.ladder(since: at).isEmpty, "\(node.side): \(node.ladder(since: at))")
            #expect(node.events(JMP_EVENT_VOLATILITY_SIGNAL, since: at).isEmpty)
            #expect(node.info().state == JMP_STATE_ATTACHED && node.info().active_transport == 0)
        }
    }
}
