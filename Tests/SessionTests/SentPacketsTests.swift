import Testing
@testable import JumpingSession

private final class Sends {
    var sends = SentPackets()

    @discardableResult
    func record(_ number: UInt64, at time: UInt64, slot: Int = 0, span: UInt64 = 100_000, isProbe: Bool = false, drops: UInt32 = 32) -> Bool {
        sends.record(SentPacket(number: number, sentAt: time, slot: slot), span: span, isProbe: isProbe, drops: drops)
    }

    /// A send that was answered before the next one.
    func recordAnswered(_ number: UInt64, at time: UInt64, slot: Int = 0, drops: UInt32 = 32) {
        record(number, at: time, slot: slot, drops: drops)
        if let i = find(number) { sends[i].fate = .acknowledged }
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

    /// A session of moderate rate gets by with 16 or 32 sends.
    @Test(arguments: zip([2, 4, 5, 8, 9, 32] as [UInt32], [16, 16, 32, 32, 64, 64] as [UInt64]))
    func fewDropsToCountNeedLessRoom(drops: UInt32, room: UInt64) {
        let sends = Sends()
        for number: UInt64 in 0..<100 { sends.recordAnswered(number, at: number * 10_000, drops: drops) }
        #expect(sends.kept.map(\.number) == Array((100 - room)..<100))
        #expect(sends.find(100 - room) == 0 && sends.find(99 - room) == nil)
    }

    /// After a burst of which only some were kept, whatever is sent with pauses is kept again: detection waits for the answer to each.
    @Test func slowSendsAreKeptHoweverDenseThoseBeforeThemWere() {
        let sends = Sends()
        let burst = (0..<5000 as Range<UInt64>).map { sends.record($0, at: 1_000_000 + $0 * 50) }
        #expect(burst.contains(false))
        for number: UInt64 in 5000..<5030 {
            #expect(sends.record(number, at: 1_250_000 + (number - 4999) * 4000))
            #expect(sends.find(number) == sends.sends.count - 1)
        }
    }

    /// When those kept are younger than what detection looks back on, there is room for twice as many, and none is lost on the way.
    @Test(arguments: [9, 32] as [UInt32], [8, 5] as [UInt32])
    func theRoomGrowsWhenTheSpanNeedsIt(many: UInt32, few: UInt32) {
        let slow = Sends(), fast = Sends(), patient = Sends()
        for number: UInt64 in 0..<64 {
            slow.recordAnswered(number, at: number * 10_000, drops: few)     // 32 of them take 310 ms, more than the span
            fast.recordAnswered(number, at: number * 1000, drops: few)
            patient.recordAnswered(number, at: number * 10_000, drops: many)
        }
        #expect(slow.sends.count == 32 && fast.sends.count == 64 && patient.sends.count == 64)
        #expect(fast.kept.map(\.number) == Array(0..<64) && fast.kept.map(\.sentAt) == (0..<64).map { $0 * 1000 })
    }

    /// A round trip may leap far beyond the span. The answers must find their sends all the same, else there would be no sample of the
    /// new round trip, and the path would stay dead.
    @Test func aSendThatWaitsForItsAnswerDoesNotGiveWay() {
        let sends = Sends()
        for number: UInt64 in 0..<100 { sends.recordAnswered(number, at: number * 10_000, drops: 2) }
        #expect(sends.sends.count == 16)
        for number: UInt64 in 100..<160 { sends.record(number, at: number * 10_000, drops: 2) }
        #expect(sends.kept.map(\.number) == Array(100..<160))
    }

    /// A table that has turned grows in its order.
    @Test func growingKeepsOrderAndFates() {
        let sends = Sends()
        for number: UInt64 in 0..<40 { sends.recordAnswered(number, at: number * 10_000, slot: Int(number % 8), drops: 8) }
        #expect(sends.sends.count == 32)
        let now: UInt64 = 400_000
        for i in 0..<32 where i % 3 == 0 { sends.sends[i].markMissing(now - UInt64(i)) }
        for number: UInt64 in 40..<60 { sends.record(number, at: now, slot: Int(number % 8), span: 1_000_000, drops: 8) }
        #expect(sends.kept.map(\.number) == Array(8..<60))
        for packet in sends.kept {
            let wasMissing = packet.number < 40 && (packet.number - 8) % 3 == 0
            #expect(packet.slot == Int(packet.number % 8) && packet.sentAt == min(packet.number * 10_000, now))
            #expect(packet.fate == (wasMissing ? .missing : packet.number < 40 ? .acknowledged : .outstanding))
            if wasMissing { #expect(packet.missingFor(now) == packet.number - 8) }
        }
    }

    /// Kept in 16 bytes, given back whole.
    @Test(arguments: [0, (1 << 32) - 40, (1 << 32) - 500_000, (1 << 48) - 300_000, (1 << 62) - 200] as [UInt64])
    func numbersAndTimesAreWhole(start: UInt64) {
        let sends = Sends()
        for i: UInt64 in 0..<100 { sends.record(start + i, at: start + i * 10_000, slot: Int(i % 8)) }
        #expect(sends.kept.map(\.number) == (36..<100).map { start + $0 })
        #expect(sends.kept.map(\.sentAt) == (36..<100).map { start + $0 * 10_000 })
        #expect(sends.find(start + 36) == 0 && sends.find(start + 99) == 63)
    }

    /// After hours of silence the sends before it are still as old as they are.
    @Test func aLongSilenceIsCounted() {
        let sends = Sends(), hours: UInt64 = 100 * 3_600_000_000
        sends.record(1, at: 5)
        sends.record(2, at: 5 + hours)
        #expect(sends.kept.map(\.sentAt) == [5, 5 + hours])
    }

    @Test func whatWasDroppedIsForgotten() {
        let sends = Sends()
        for number: UInt64 in 0..<50 { sends.record(number, at: number * 10_000, drops: 2) }
        sends.sends.drop()
        #expect(sends.kept.isEmpty && sends.find(49) == nil)
        sends.record(50, at: 600_000, drops: 2)
        #expect(sends.kept.map(\.number) == [50] && sends.find(50) == 0)
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

    /// The count of the missing is right whatever happens to them.
    @Test func theMissingAreCounted() {
        var random = SeededGenerator(seed: 11)
        let sends = Sends()
        var number: UInt64 = 0
        for step in 0..<20_000 {
            number += 1
            sends.record(number, at: number * 1000, slot: Int(number % 3), drops: [2, 8, 32][step / 7000])
            let i = Int.random(in: 0..<sends.sends.count, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0...2: sends.sends[i].markMissing(number * 1000)
            case 3: sends.sends[i].fate = .acknowledged
            case 4: sends.sends[i].fate = .lost
            case 5 where step % 97 == 0: sends.sends.forget(slot: 1)
            case 6 where step % 997 == 0: sends.sends.drop()
            default: break
            }
            #expect(Int(sends.sends.missing) == sends.kept.count { $0.fate == .missing })
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
