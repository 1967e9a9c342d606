import CJumping
import JumpingC
import Testing
@testable import Jumping

/// Protected payloads through a bottleneck, in virtual time.
struct CongestionTests {
    /// The link fills its bottleneck when payload bytes, of datagrams of 1,400 and 28 bytes of IP and UDP, take this share of it.
    private static let mostPossible = Double(1400 - 30 - 14) / 1428

    private func bottleneck(_ bitsPerSecond: UInt64, queue: UInt64, links: Int = 1, loss: UInt64 = 0, jitter: UInt64 = 0) -> Pair {
        let pair = Pair.established {
            $0.links = links
            $0.tuneClient = { $0.send_buffer = 1 << 22 }
            $0.tuneGateway = { $0.receive_buffer = 1 << 22 }
        }
        pair.links[0].bytesPerSecond = bitsPerSecond / 8
        pair.links[0].queueBytes = queue
        pair.links[0].lossPerMille = [loss, 0]
        pair.links[0].jitter = jitter
        return pair
    }

    /// Keeps the send buffer full for so long; gives back the share of the bottleneck that payload bytes alone took at the end.
    private func fill(_ pair: Pair, _ duration: UInt64, lastOf measured: UInt64, length: Int = 60_000) -> Double {
        let end = pair.now + duration
        let payload = ProtectedDeliveryTests.payload(0, length)
        while pair.now < end {
            while pair.client.sendProtected(payload, channel: 1, pair.now) == JMP_OK {}
            pair.drain(.client)
            pair.run(1000)
        }
        let bytes = pair.gateway.protected.filter { $0.at > end - measured }.reduce(0) { $0 + $1.bytes.count }
        return Double(bytes) / (Double(measured) / 1_000_000 * Double(pair.links[0].bytesPerSecond))
    }

    @Test(arguments: [20_000_000] as [UInt64])
    func aCleanPathIsFilled(bitsPerSecond: UInt64) {
        let product = bitsPerSecond / 8 * 40 / 1000
        let pair = bottleneck(bitsPerSecond, queue: product, links: 2)
        let share = fill(pair, 4_000_000, lastOf: 3_000_000)
        #expect(share >= 0.99 * Self.mostPossible)
        #expect(pair.client.ladder(since: 0) == ["ATTACHED handshake_ok"], "what its own start loses does not look like a bad path")
        #expect(pair.links[0].queueDrops[0] < 100)
        let window = pair.info(.client).congestion_window
        #expect(window >= product && window <= 2 * product + 20_000)
        let updates = pair.client.events(JMP_EVENT_FLOW_CONTROL_UPDATE)
        #expect(updates.count >= 4 && updates.count <= 40)
        #expect(updates.allSatisfy { $0.congestion_window > 0 && $0.pacing_rate > 0 })
    }

    /// Loss that is not congestion costs throughput, and stays within what CUBIC's Reno-friendly region promises (RFC 9438 §5.2).
    @Test func randomLossLeavesWhatTCPWouldGet() {
        let pair = bottleneck(20_000_000, queue: 200_000, loss: 10)
        let share = fill(pair, 8_000_000, lastOf: 6_000_000)
        // 1.22 / sqrt(0.01) datagrams a round trip, about 12: 3.4 Mbit/s.
        #expect(share >= 0.12 && share <= 0.5)
    }

    @Test func jitterDoesNotEndSlowStartEarly() {
        let pair = bottleneck(20_000_000, queue: 200_000, jitter: 10_000)
        #expect(fill(pair, 4_000_000, lastOf: 2_000_000) >= 0.8 * Self.mostPossible)
    }

    /// Datagrams leave one after the other, not a window at once.
    @Test func datagramsArePaced() {
        let pair = bottleneck(20_000_000, queue: 200_000)
        var times: [UInt64] = []
        pair.onSend = { [unowned pair] side, _, bytes in if side == .client, bytes.count > 1300 { times.append(pair.now) } }
        _ = fill(pair, 3_000_000, lastOf: 1_000_000)
        let last = times.filter { $0 > pair.now - 1_000_000 }
        let bursts = Dictionary(grouping: last) { $0 }.values.map(\.count)
        #expect((bursts.max() ?? 99) <= 12)
        #expect(last.count > 1500)
    }

    /// Both kinds of traffic together do not starve the protected one, and the expendable one is not held back.
    @Test func expendablePayloadsAreNotHeldBack() {
        let pair = bottleneck(20_000_000, queue: 100_000)
        pair.client.sendEvery(2000, from: pair.now)
        let share = fill(pair, 4_000_000, lastOf: 2_000_000)
        #expect(share >= 0.85)
        #expect(pair.client.sentCount >= 1990)
    }
}
