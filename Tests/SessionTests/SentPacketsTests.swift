import Testing
@testable import JumpingSession

private final class Sends {
    var sends = SentPackets()

    func record(_ number: UInt64, at time: UInt64, slot: Int = 0, span: UInt64 = 100_000, isProbe: Bool = false, drops: UInt32 = 32) {
        sends.record(SentPacket(number: number, sentAt: time, slot: slot), span: span, isProbe: isProbe, drops: drops)
    }

    var kept: [SentPacket] { (0..<sends.count).map { sends[$0] } }
    func find(_ number: UInt64) -> Int? { sends.find(number) }
}

struct SentPacketsTests {
    @Test func aSendRemembersNumberTimeSlotAndFate() {
        var packet = SentPacket(number: .max, sentAt: .max, slot: 7)
        #expect((packet.number, packet.sentAt, packet.slot, packet.fate) == (.max, .max, 7, .outstanding))
        for fate in [SentFate.acknowledged, .missing, .lost, .unsent, .outstanding] {
            packet.fate = fate
            #expect((packet.fate, packet.slot, packet.sentAt) == (fate, 7, .max))
        }
        #expect(MemoryLayout<SentPacket>.stride == 24)
    }

    @Test(arguments: [0, 1000, (1 << 32) - 5, 1 << 40] as [UInt64])
    func itKnowsHowLongItHasBeenMissing(since: UInt64) {
        var packet = SentPacket(number: 1, sentAt: 0, slot: 0)
        packet.markMissing(since)
        #expect(packet.fate == .missing)
        #expect(packet.missingFor(since) == 0)
        #expect(packet.missingFor(since + 70_000) == 70_000)
    }

    @Test func theOldestSendGivesWay() {
        let sends = Sends()
        for number: UInt64 in 0..<100 { sends.record(number, at: number * 10_000) }
        #expect(sends.kept.map(\.number) == Array(36..<100))
        #expect(sends.find(36) == 0)
        #expect(sends.find(99) == 63)
        #expect(sends.find(35) == nil)
        #expect(sends.find(100) == nil)
    }

    @Test func findingAgreesWithALinearSearch() {
        var random = SeededGenerator(seed: 7)
        let sends = Sends()
        var number: UInt64 = 0
        for _ in 0..<500 {
            number += UInt64.random(in: 1...5, using: &random)
            sends.record(number, at: number * 5000)
            for probe in (number - min(number, 90))...(number + 2) {
                #expect(sends.find(probe) == sends.kept.firstIndex { $0.number == probe })
            }
        }
    }

    @Test func anEmptyTableFindsNothing() {
        let sends = Sends()
        #expect(sends.kept.isEmpty)
        #expect(sends.find(0) == nil)
        sends.sends.forget(slot: 0)
    }

    @Test func forgettingASlotTouchesNoOther() {
        let sends = Sends()
        for number: UInt64 in 0..<20 { sends.record(number, at: number * 1000, slot: Int(number % 3)) }
        sends.sends.forget(slot: 1)
        for packet in sends.kept { #expect((packet.fate == .unsent) == (packet.slot == 1)) }
    }

    @Test func aProbeIsAlwaysKept() {
        let sends = Sends()
        for number: UInt64 in 0..<10_000 {
            let isProbe = number % 997 == 0
            sends.record(number, at: number * 100, isProbe: isProbe)
            if isProbe { #expect(sends.find(number) != nil) }
        }
    }

    /// Whatever the rate: the table reaches back over the span, and within the span it holds enough sends to count
    /// consecutive drops on.
    @Test(arguments: [1000, 5000, 100_000] as [UInt64], [20_000, 120_000] as [UInt64])
    func aFastSenderIsSampledOverTheWholeSpan(packetsPerSecond: UInt64, span: UInt64) {
        let sends = Sends(), interval = 1_000_000 / packetsPerSecond
        var worstCount = Int.max, worstReach = UInt64.max
        for number: UInt64 in 0..<(12 * span / interval) {
            let now = 1_000_000 + number * interval
            sends.record(number, at: now, span: span)
            guard number * interval > 3 * span, number % 29 == 0 else { continue }
            worstCount = min(worstCount, sends.kept.count { now - $0.sentAt <= span })
            worstReach = min(worstReach, now - (sends.kept.first?.sentAt ?? now))
        }
        #expect(worstReach >= min(span, 60 * interval))
        #expect(worstCount >= min(6, Int(span / interval) - 1), "too few sends kept to see a dead path")
    }

    @Test func aSenderThatSlowsDownIsKeptWholeAgain() {
        let sends = Sends()
        var number: UInt64 = 0, now: UInt64 = 1_000_000
        for _ in 0..<20_000 {
            sends.record(number, at: now)
            number += 1
            now += 100
        }
        for _ in 0..<3000 {
            sends.record(number, at: now)
            number += 1
            now += 20_000
        }
        #expect(sends.kept.map(\.number) == Array((number - 64)..<number))
    }
}
