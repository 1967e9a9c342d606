import Testing
@testable import Jumping

struct TimerWheelTests {
    /// Everything fires at its deadline, never before, whatever the distances, and next deadlines are never late.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func itFiresWhatANaiveModelFires(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var now: UInt64 = random.next() % 1_000_000_000
        var wheel = TimerWheel(now: now), budget = Int.max
        wheel.reserve(200)
        var model: [Int: UInt64] = [:]
        for _ in 0..<20_000 {
            let index = Int(random.next() % 200)
            switch random.next() % 4 {
            case 0, 1:
                let reach = UInt64(1) << (random.next() % 45)
                let deadline = now &+ random.next() % reach
                wheel.arm(index, at: deadline)
                model[index] = deadline
            case 2:
                wheel.cancel(index)
                model[index] = nil
            default:
                now &+= random.next() % (UInt64(1) << (random.next() % 34))
                var fired = Set<Int>()
                while let due = wheel.popDue(now, &budget)?.index {
                    verify(fired.insert(due).inserted)
                }
                let expected = Set(model.filter { $0.value <= now }.keys)
                verify(fired == expected)
                for index in fired { model[index] = nil }
            }
            verify(wheel.armedAt(index) == model[index] ?? .max)
            let earliest = model.values.min() ?? .max
            verify(wheel.nextDeadline <= max(earliest, now))
            if earliest == .max { verify(wheel.nextDeadline == .max) }
        }
    }

    /// Following next deadlines alone gets there in a bounded number of wakes, exactly on time.
    @Test func aFarDeadlineIsReachedInFewWakes() {
        var wheel = TimerWheel(now: 1000), budget = Int.max
        let deadline: UInt64 = 1000 + 8 * 3_600_000_000
        wheel.reserve(3)
        wheel.arm(3, at: deadline)
        var now: UInt64 = 1000, wakes = 0
        while true {
            now = wheel.nextDeadline
            wakes += 1
            if let due = wheel.popDue(now, &budget)?.index {
                verify(due == 3 && now == deadline)
                break
            }
            if wakes > 20 { break }
        }
        verify(wakes <= 8)
        verify(wheel.nextDeadline == .max)
    }

    /// Many deadlines in one slot of a high level are poured within the budget of each call; until all have fired there is always more to do
    /// by now, and one cancelled or armed anew meanwhile fires as it was armed last.
    @Test func aFullSlotIsPouredBitByBit() {
        var wheel = TimerWheel(now: 0)
        let deadline: UInt64 = 100_000_000, count = 5000
        wheel.reserve(count)
        for index in 0..<count { wheel.arm(index, at: deadline + UInt64(index % 7)) }
        var now = wheel.nextDeadline, calls = 0, fired = Set<Int>(), cancelled = Set<Int>(), later = Set<Int>()
        while calls < 10_000 {
            var budget = 100
            while budget > 0, let (index, due) = wheel.popDue(now, &budget) {
                budget -= 7
                verify(due <= now && fired.insert(index).inserted && !cancelled.contains(index) && !later.contains(index))
            }
            verify(budget >= -7)
            calls += 1
            let next = wheel.nextDeadline
            if next == .max { break }
            if next <= now {
                let index = (calls * 37) % count
                if !fired.contains(index), calls % 2 == 0 { wheel.cancel(index); cancelled.insert(index); later.remove(index) }
                if !fired.contains(index), calls % 2 == 1 { wheel.arm(index, at: deadline + 6); cancelled.remove(index) }
            }
            now = max(now, next)
        }
        verify(fired.count + cancelled.count == count && calls > count / 100 && calls < 2000)
        verify(now <= deadline + 7)
    }

    /// However many deadlines share the lowest level's slot: no call looks at more of them than its budget, each fires once it is due and never
    /// before, and following next deadlines alone gets to the end.
    @Test func aCrowdedSlotIsJudgedBitByBit() {
        var wheel = TimerWheel(now: 0), model: [Int: UInt64] = [:], random = SeededGenerator(seed: 9)
        let start: UInt64 = 256 * 40, count = 3000
        wheel.reserve(count)
        for index in 0..<count {
            model[index] = start + UInt64(index % 5) * 50
            wheel.arm(index, at: start + UInt64(index % 5) * 50)
        }
        var now: UInt64 = 0, calls = 0
        while calls < 1000 {
            let next = wheel.nextDeadline
            verify(next <= max(model.values.min() ?? .max, now))
            if next == .max { break }
            now = max(now, next)
            var budget = 100
            while budget > 0, let (index, due) = wheel.popDue(now, &budget) {
                budget -= 7
                verify(model[index] == due && due <= now)
                model[index] = nil
            }
            verify(budget >= -7)
            calls += 1
            let index = Int(random.next() % UInt64(count))
            if model[index] != nil, calls % 2 == 0 {
                wheel.cancel(index)
                model[index] = nil
            } else if model[index] != nil {
                wheel.arm(index, at: start + 210)
                model[index] = start + 210
            }
        }
        verify(model.isEmpty && now <= start + 210)
        verify(calls >= count * 8 / 100 - 20 && calls < count * 13 / 100 + 20)
    }
}
