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
}
