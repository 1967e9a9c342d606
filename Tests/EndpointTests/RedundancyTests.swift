import CJumping
import JumpingC
import Testing
@testable import Jumping

/// Copies of protected payloads on a standby, as the policy wants them.
struct RedundancyTests {
    private static let roundTrip: UInt64 = 40_000

    private func established(_ redundancy: Int32, share: UInt32 = 1_000_000, links: Int = 2) -> Pair {
        Pair.established {
            $0.links = links
            $0.tuneGatewayPolicy = {
                $0.redundancy = UInt32(redundancy)
                $0.redundancy_share_ppm = share
            }
        }
    }

    /// 200 payloads a second from the client for so long; gives back when each was sent.
    private func stream(_ pair: Pair, _ count: Int, length: Int = 200, at moments: [Int: () -> Void] = [:]) -> [UInt64] {
        var sentAt: [UInt64] = []
        for i in 0..<count {
            moments[i]?()
            sentAt.append(pair.now)
            #expect(pair.sendProtected(.client, ProtectedDeliveryTests.payload(UInt64(i), length)) == JMP_OK)
            pair.run(5000)
        }
        return sentAt
    }

    private func longestWay(_ pair: Pair, _ sentAt: [UInt64]) -> UInt64 {
        let numbers = pair.gateway.protected.map(ProtectedDeliveryTests.number)
        #expect(numbers.sorted() == (0..<sentAt.count).map(UInt64.init), "each once")
        return pair.gateway.protected.map { $0.at - sentAt[Int(ProtectedDeliveryTests.number($0))] }.max() ?? 0
    }

    private func longestGap(_ pair: Pair) -> UInt64 {
        let times = pair.gateway.protected.map(\.at)
        return zip(times.dropFirst(), times).map { $0 - $1 }.max() ?? 0
    }

    /// Bytes a side has put on a link.
    private func bytesSent(_ pair: Pair, on link: Int) -> UInt64 { pair.client.path(on: link)?.bytes_sent ?? 0 }

    @Test(arguments: [0, 1700, 3400] as [UInt64])
    func alwaysLeavesNoGap(phase: UInt64) throws {
        let pair = established(JMP_REDUNDANCY_ALWAYS)
        pair.run(phase)
        let sentAt = stream(pair, 400, at: [150: { pair.links[0].cut() }])
        pair.run(500_000)
        #expect(longestWay(pair, sentAt) <= Self.roundTrip / 2 + 5000)
        #expect(longestGap(pair) <= 15_000)
        #expect(pair.info(.client).active_transport == 1)
        let started = try #require(pair.client.events(JMP_EVENT_REDUNDANCY_STARTED).first)
        #expect(textOf(started.to_transport) == "udp:B")
        #expect(pair.client.events(JMP_EVENT_REDUNDANCY_STOPPED).count == 1, "after the jump there is no standby left")
    }

    @Test func copiesNeverMoveTheBinding() {
        let pair = established(JMP_REDUNDANCY_ALWAYS)
        let sentAt = stream(pair, 400)
        pair.run(500_000)
        #expect(longestWay(pair, sentAt) == Self.roundTrip / 2)
        for node in [pair.client, pair.gateway] {
            #expect(node.events(JMP_EVENT_TRANSPORT_SWITCH).isEmpty && node.info().binding_version == 0)
            #expect(node.info().active_transport == 0)
        }
        let (main, copies) = (bytesSent(pair, on: 0), bytesSent(pair, on: 1))
        #expect(copies >= main * 9 / 10 && copies <= main * 12 / 10)
        #expect(pair.client.stats().protected_bytes_resent == 0)
    }

    @Test func theShareIsKept() {
        let pair = established(JMP_REDUNDANCY_ALWAYS, share: 250_000)
        let before = (bytesSent(pair, on: 0), bytesSent(pair, on: 1))
        let sentAt = stream(pair, 400, length: 1000)
        pair.run(500_000)
        _ = longestWay(pair, sentAt)
        let main = bytesSent(pair, on: 0) - before.0, copies = bytesSent(pair, on: 1) - before.1
        #expect(copies <= main * 27 / 100 && copies >= main * 20 / 100)
    }

    @Test(arguments: [0, 1700, 3400] as [UInt64])
    func whileVolatileCopiesOnlyInTrouble(phase: UInt64) {
        let pair = established(JMP_REDUNDANCY_WHILE_VOLATILE)
        pair.run(phase)
        let calm = bytesSent(pair, on: 1)
        let sentAt = stream(pair, 400, at: [150: {
            #expect(bytesSent(pair, on: 1) - calm < 1000, "a path without trouble is not copied")
            #expect(pair.client.events(JMP_EVENT_REDUNDANCY_STARTED).isEmpty)
            pair.links[0].cut()
        }])
        pair.run(500_000)
        #expect(longestWay(pair, sentAt) <= 5 * Self.roundTrip / 2)
        #expect(pair.client.events(JMP_EVENT_REDUNDANCY_STARTED).count == 1)
        #expect(pair.client.events(JMP_EVENT_REDUNDANCY_STOPPED).count == 1)
    }

    /// 30 % loss for three seconds, and a clean standby.
    @Test(arguments: [JMP_REDUNDANCY_NEVER, JMP_REDUNDANCY_WHILE_VOLATILE, JMP_REDUNDANCY_ALWAYS])
    func aLossyPathIsLeftInTime(redundancy: Int32) {
        let pair = established(redundancy)
        let sentAt = stream(pair, 900, at: [100: { pair.links[0].lossPerMille = [300, 300] }, 700: { pair.links[0].lossPerMille = [0, 0] }])
        pair.run(1_000_000)
        #expect(longestWay(pair, sentAt) <= 4 * Self.roundTrip)
        #expect(pair.info(.client).active_transport == 1)
    }

    /// A standby with little room gets fewer copies, and the active path does not suffer.
    @Test func aNarrowStandbyIsNotCrowded() {
        let pair = established(JMP_REDUNDANCY_ALWAYS)
        pair.links[1].bytesPerSecond = 20_000
        pair.links[1].queueBytes = 20_000
        let sentAt = stream(pair, 600, length: 1000)
        pair.run(1_000_000)
        #expect(longestWay(pair, sentAt) == Self.roundTrip / 2)
        #expect(pair.client.ladder(since: 0) == ["ATTACHED handshake_ok"] && pair.gateway.ladder(since: 0) == ["ATTACHED handshake_ok"])
        #expect(pair.links[1].queueDrops[0] < 200, "of 600 copies that would have been too many")
    }

    /// Nor does a dead one make the active path look bad.
    @Test func aDeadStandbyIsNoLossOfTheActivePath() {
        let pair = established(JMP_REDUNDANCY_ALWAYS)
        let sentAt = stream(pair, 800, at: [200: { pair.links[1].cut() }])
        pair.run(500_000)
        #expect(longestWay(pair, sentAt) == Self.roundTrip / 2)
        #expect(pair.client.ladder(since: 0) == ["ATTACHED handshake_ok"] && pair.gateway.ladder(since: 0) == ["ATTACHED handshake_ok"])
    }

    @Test func withStrictBindingThereAreNoCopies() {
        let pair = Pair.established { $0.tuneGatewayPolicy = {
            $0.redundancy = UInt32(JMP_REDUNDANCY_ALWAYS)
            $0.strict_binding = 1
        } }
        let sentAt = stream(pair, 100)
        pair.run(200_000)
        #expect(longestWay(pair, sentAt) == Self.roundTrip / 2)
        #expect(pair.client.events(JMP_EVENT_REDUNDANCY_STARTED).isEmpty)
    }

    @Test func thePolicyNamesWhatIsWrong() {
        var policy = jmp_policy(), message = [CChar](repeating: 0, count: 128)
        expectOK(jmp_policy_init(&policy))
        #expect(policy.redundancy == JMP_REDUNDANCY_NEVER && policy.redundancy_share_ppm == 1_000_000)
        policy.redundancy = 3
        #expect(jmp_policy_check(&policy, &message, message.count) == JMP_ERR_POLICY)
        #expect(String(cString: message).hasPrefix("redundancy: "))
        policy.redundancy = 2
        policy.redundancy_share_ppm = 0
        #expect(jmp_policy_check(&policy, &message, message.count) == JMP_ERR_POLICY)
        #expect(String(cString: message).hasPrefix("redundancy_share_ppm: "))
    }
}
