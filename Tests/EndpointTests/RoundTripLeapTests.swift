import CJumping
import JumpingC
import Testing
@testable import Jumping

/// A path's round trip leaps beyond all that was known of it: it is measured anew, and is no loss of another.
struct RoundTripLeapTests {
    private func pair(active: UInt64, standby: UInt64, interval: UInt64 = 20_000) -> Pair {
        let pair = Pair.established(prepare: {
            $0.links[0].delay = [active, active]
            $0.links[1].delay = [standby, standby]
        })
        pair.gateway.isEchoing = true
        pair.client.sendEvery(interval, from: pair.now)
        pair.run(5_000_000)
        return pair
    }

    @Test func aStandbyThatLeapedIsMeasuredAgain() throws {
        let pair = pair(active: 5_000, standby: 3_000)
        let at = pair.now
        pair.links[1].delay = [120_000, 120_000]
        pair.run(60_000_000)
        let standby = try #require(pair.client.path(on: 1))
        #expect(standby.validated == 1 && standby.role == JMP_PATH_STANDBY)
        #expect(standby.srtt_us >= 200_000 && standby.srtt_us <= 280_000, "\(standby.srtt_us) µs")
        for node in [pair.client, pair.gateway] {
            #expect(node.info().state == JMP_STATE_ATTACHED && node.info().active_transport == 0, "\(node.ladder(since: at))")
        }
        let settledAt = pair.now
        pair.run(60_000_000)
        #expect(pair.client.events(JMP_EVENT_TRANSPORT_DEAD, since: settledAt).isEmpty, "it answers every challenge")
        #expect(pair.client.ladder(since: settledAt).isEmpty && pair.gateway.ladder(since: settledAt).isEmpty)
    }

    @Test func aStandbyThatLeapedCanBeJumpedTo() {
        let pair = pair(active: 5_000, standby: 3_000)
        pair.links[1].delay = [120_000, 120_000]
        pair.run(60_000_000)
        let at = pair.now
        pair.links[0].cut()
        pair.run(2_000_000)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED && pair.info(.client).active_transport == 1)
        pair.run(30_000_000)
        #expect(pair.client.events(JMP_EVENT_TRANSPORT_SWITCH, since: at).count == 1)
    }

    /// The active path leaps and is left; what is still on its way over it, or goes there to measure it, is no loss of the new one.
    @Test func datagramsOfASlowerPathAreNoLossOfTheActiveOne() {
        let pair = pair(active: 3_000, standby: 2_000)
        pair.links[0].delay = [200_000, 200_000]
        #expect(pair.run(until: { pair.info(.client).active_transport == 1 && pair.info(.gateway).active_transport == 1 }, within: 2_000_000))
        pair.run(20_000)
        let at = pair.now
        pair.run(60_000_000)
        for node in [pair.client, pair.gateway] {
            #expect(node.ladder(since: at).isEmpty, "\(node.side): \(node.ladder(since: at))")
            #expect(node.info().state == JMP_STATE_ATTACHED && node.info().active_transport == 1)
        }
    }

    /// Behind its own past the host's clock stands still for the core: every round trip would be 0.
    @Test func aClockThatWentBackMeasuresNoRoundTrips() throws {
        let pair = Pair.established()
        pair.run(1_000_000)
        let before = try #require(pair.client.path(on: 0)).srtt_us
        var answers: [[UInt8]] = []
        pair.tap = { side, link, bytes in
            guard side == .gateway, link == 0 else { return false }
            answers.append(bytes)
            return true
        }
        for _ in 0..<30 {
            expectOK(pair.send(.client))
            let sentAt = pair.now
            #expect(pair.run(until: { !answers.isEmpty }, within: 100_000))
            for bytes in answers { _ = pair.client.receive(bytes, 0, Pair.gatewayAddress(0), sentAt - 500_000) }
            pair.drain(.client)
            answers = []
        }
        let after = try #require(pair.client.path(on: 0)).srtt_us
        #expect(after == before, "\(before) µs, then \(after) µs")
    }
}
