import Testing
@testable import JumpingDelivery

struct CongestionControllerTests {
    private static let roundTrip: UInt64 = 40_000

    /// Sends a window and acknowledges it a round trip later.
    private func turn(_ controller: inout CongestionController, _ now: inout UInt64, lost: Int = 0) {
        let count = max(1, controller.mayBeSent / 1200)
        for _ in 0..<count { controller.noteSent(1200, now: now, roundTrip: Self.roundTrip) }
        let sentAt = now
        now += Self.roundTrip
        for i in 0..<count {
            if i < lost {
                controller.noteLost(1200, sentAt: sentAt, now: now)
            } else {
                controller.noteAcknowledged(1200, sentAt: sentAt, now: now, roundTrip: Self.roundTrip, wasLimited: true)
            }
        }
        #expect(controller.bytesInFlight == 0)
    }

    /// RFC 9002 §7.2.
    @Test(arguments: [(1200, 12_000), (1400, 14_000), (1500, 14_720), (9000, 18_000), (100, 1000)])
    func theFirstWindow(size: Int, window: Int) {
        #expect(CongestionController(datagramSize: size).window == window)
    }

    @Test func slowStartDoubles() {
        var controller = CongestionController(datagramSize: 1200), now: UInt64 = 1_000_000
        for round in 1...5 {
            turn(&controller, &now)
            #expect(controller.window == 12_000 << round)
        }
    }

    /// After RFC 9406: a queue that goes on growing ends slow start before it overflows, at what the path was seen to hold.
    @Test func aGrowingQueueEndsSlowStart() {
        var controller = CongestionController(datagramSize: 1200), now: UInt64 = 1_000_000
        for _ in 0..<6 { turn(&controller, &now) }
        for _ in 0..<8 { controller.noteRoundTrip(40_000, now: now) }
        for _ in 0..<8 { controller.noteRoundTrip(44_000, now: now) }
        #expect(controller.isInSlowStart, "no more than the path's own unrest")
        for sample in [46_000, 52_000] as [UInt64] {
            for _ in 0..<8 {
                now += 1000
                controller.noteSent(1200, now: now, roundTrip: Self.roundTrip)
                controller.noteAcknowledged(1200, sentAt: now - 500, now: now, roundTrip: Self.roundTrip, wasLimited: false)
                controller.noteRoundTrip(sample, now: now)
            }
        }
        #expect(!controller.isInSlowStart)
        #expect(controller.window <= 60_000, "1,200 bytes a millisecond for 40 ms, and a quarter")
    }

    @Test func aLossIsOneEventARoundTrip() {
        var controller = CongestionController(datagramSize: 1200), now: UInt64 = 1_000_000
        for _ in 0..<5 { turn(&controller, &now) }
        let before = controller.window
        turn(&controller, &now, lost: 20)
        #expect(controller.window == before * 7 / 10, "twenty losses of one flight are one event")
        now += 1000   // what leaves in the moment of a loss still belongs to its event
        turn(&controller, &now, lost: 1)
        #expect(controller.window < before * 7 / 10)
    }

    @Test func theWindowHasABottom() {
        var controller = CongestionController(datagramSize: 1200), now: UInt64 = 1_000_000
        for _ in 0..<20 {
            turn(&controller, &now, lost: 1)
            now += 1000
        }
        #expect(controller.window == 2400)
        controller.notePersistentCongestion()
        #expect(controller.window == 2400)
    }

    /// RFC 9438 §5: the way back to the last maximum takes K = cbrt(W_max (1 − β) / C), flat around it and steep after.
    @Test func cubicReturnsToItsMaximumAfterK() {
        var controller = CongestionController(datagramSize: 1200), now: UInt64 = 1_000_000
        while controller.window < 1_200_000 { turn(&controller, &now) }
        let maximum = controller.window
        turn(&controller, &now, lost: 1)
        let start = now
        var backAt: UInt64 = 0, growth: [Int] = []
        for _ in 0..<400 {
            let before = controller.window
            turn(&controller, &now)
            growth.append(controller.window - before)
            if backAt == 0, controller.window >= maximum * 99 / 100 { backAt = now - start }
        }
        let datagrams = Double(maximum) / 1200, expected = (datagrams * 0.3 / 0.4)
        let k = Double(CongestionController.cubeRoot(UInt64(expected * 1_000_000_000))) / 1000
        #expect(abs(Double(backAt) / 1_000_000 - k) < 0.35 * k)
        #expect(controller.window > maximum * 105 / 100, "beyond it looks for more")
    }

    @Test func cubeRoots() {
        for root in [0, 1, 2, 9, 10, 999, 1000, 2_000_000] as [UInt64] {
            #expect(CongestionController.cubeRoot(root * root * root) == root)
            if root > 1 { #expect(CongestionController.cubeRoot(root * root * root - 1) == root - 1) }
        }
    }

    /// Small windows grow as Reno would, at least (RFC 9438 §4.3).
    @Test func smallWindowsGrowLikeReno() {
        var controller = CongestionController(datagramSize: 1200), now: UInt64 = 1_000_000
        turn(&controller, &now, lost: 1)
        now += 1000
        turn(&controller, &now, lost: 1)
        now += 1000
        let before = controller.window
        for _ in 0..<40 { turn(&controller, &now) }
        #expect(controller.window >= before + 40 * 1200 / 2)
        #expect(controller.window <= before + 45 * 1200)
    }

    @Test func lossesThatWereNoneGiveTheWindowBack() {
        var controller = CongestionController(datagramSize: 1200), now: UInt64 = 1_000_000
        for _ in 0..<5 { turn(&controller, &now) }
        let before = controller.window, sentAt = now
        for _ in 0..<3 { controller.noteSent(1200, now: now, roundTrip: Self.roundTrip) }
        now += 50_000
        for _ in 0..<3 { controller.noteLost(1200, sentAt: sentAt, now: now) }
        #expect(controller.window == before * 7 / 10)
        controller.noteSpuriousLoss(sentAt: sentAt)
        controller.noteSpuriousLoss(sentAt: sentAt)
        #expect(controller.window == before * 7 / 10, "one may still be real")
        controller.noteSpuriousLoss(sentAt: sentAt)
        #expect(controller.window == before && controller.isInSlowStart)
    }

    @Test func anIdleApplicationEarnsNothing() {
        var controller = CongestionController(datagramSize: 1200), now: UInt64 = 1_000_000
        for _ in 0..<50 {
            controller.noteSent(1200, now: now, roundTrip: Self.roundTrip)
            now += Self.roundTrip
            controller.noteAcknowledged(1200, sentAt: now - Self.roundTrip, now: now, roundTrip: Self.roundTrip, wasLimited: false)
        }
        #expect(controller.window == 12_000)
    }

    @Test func paceFollowsWindowAndRoundTrip() {
        var controller = CongestionController(datagramSize: 1200), now: UInt64 = 1_000_000
        #expect(controller.pacingRate(40_000) == 12_000 * 2 * 25, "two windows a round trip while it doubles")
        turn(&controller, &now, lost: 1)
        #expect(controller.pacingRate(40_000) == UInt64(controller.window) * 5 / 4 * 25)
        now += 1_000_000
        var left = 0
        while controller.nextSendAt(now, roundTrip: Self.roundTrip) <= now, left < 100 {
            controller.noteSent(1200, now: now, roundTrip: Self.roundTrip)
            left += 1
        }
        #expect(left == 11, "ten at once, and the one whose turn it is")
        let next = controller.nextSendAt(now, roundTrip: Self.roundTrip)
        #expect(next > now && next - now <= 1200 * 1_000_000 / controller.pacingRate(Self.roundTrip) + 1)
    }

    /// No input makes it trap or leave its bounds.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func anythingGoes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var controller = CongestionController(datagramSize: Int(random.next() % 65_508)), now: UInt64 = 0
        for _ in 0..<2000 {
            now &+= random.next() % (1 << (random.next() % 40))
            let bytes = Int(random.next() % 65_508), roundTrip = random.next() % (1 << 28), sentAt = now &- min(now, random.next() % (1 << 30))
            switch random.next() % 9 {
            case 0, 1, 2: controller.noteSent(bytes, now: now, roundTrip: roundTrip)
            case 3, 4: controller.noteAcknowledged(bytes, sentAt: sentAt, now: now, roundTrip: roundTrip, wasLimited: random.next() % 2 == 0)
            case 5: controller.noteLost(bytes, sentAt: sentAt, now: now)
            case 6: controller.noteSpuriousLoss(sentAt: sentAt)
            case 7: controller.noteRoundTrip(random.next() % (1 << 28), now: now)
            default: if random.next() % 20 == 0 { controller.notePersistentCongestion() }
            }
            #expect(controller.window > 0 && controller.window <= 64 << 20 && controller.bytesInFlight >= 0)
            _ = controller.nextSendAt(now, roundTrip: roundTrip)
        }
    }
}
