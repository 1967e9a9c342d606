import Testing
@testable import Jumping

struct ProofAgesTests {
    private let maxAge: UInt64 = 5_000_000

    /// What `#expect` can look at.
    private final class Held {
        var ages = ProofAges(), largest: UInt64 = 0
        func note(_ number: UInt64, now: UInt64, maxAge: UInt64) {
            ages.note(number, after: largest, now: now, maxAge: maxAge)
            largest = number
        }
        func isStale(_ number: UInt64, now: UInt64, maxAge: UInt64) -> Bool { ages.isStale(number, largest: largest, now: now, maxAge: maxAge) }
    }

    /// Numbers 0, 1, 2, … every 10 ms.
    private func filled(until end: UInt64) -> Held {
        let ages = Held()
        for (number, time) in stride(from: UInt64(0), through: end, by: 10_000).enumerated() {
            ages.note(UInt64(number), now: time, maxAge: maxAge)
        }
        return ages
    }

    @Test func theNewestNumberIsNeverStale() {
        let ages = filled(until: 20_000_000)
        #expect(!ages.isStale(2001, now: 60_000_000, maxAge: maxAge))
    }

    @Test func aNumberOvertakenLongerAgoThanTheLimitIsStale() {
        let ages = filled(until: 20_000_000)
        #expect(ages.isStale(1200, now: 20_000_000, maxAge: maxAge), "overtaken 8 s ago")
        #expect(!ages.isStale(1700, now: 20_000_000, maxAge: maxAge), "overtaken 3 s ago")
    }

    /// It is judged in steps of a seventh of the limit: never too early, late by one step at most.
    @Test func theEdgeIsWithinOneStep() {
        let ages = filled(until: 20_000_000)
        for number: UInt64 in 0..<2000 {
            let overtakenAt = (number + 1) * 10_000, age = 20_000_000 - overtakenAt
            if ages.isStale(number, now: 20_000_000, maxAge: maxAge) { #expect(age > maxAge) }
            if age > maxAge + maxAge / 7 + 10_000 { #expect(ages.isStale(number, now: 20_000_000, maxAge: maxAge)) }
        }
    }

    @Test func withoutAnyNumberNothingIsStale() {
        #expect(!Held().isStale(0, now: .max / 2, maxAge: maxAge))
    }

    /// An idle session's datagrams come further apart than the limit: each silence makes what was before it stale, and leaves the newest fresh.
    @Test func aSilenceMakesWhatWasBeforeItStale() {
        let ages = filled(until: 1_000_000)
        var largest: UInt64 = 100
        for beat: UInt64 in 1...20 {
            let now = 1_000_000 + beat * 15_000_000
            ages.note(largest + 1, now: now, maxAge: maxAge)
            #expect(ages.isStale(largest - 1, now: now, maxAge: maxAge), "overtaken before the silence, beat \(beat)")
            #expect(!ages.isStale(largest, now: now, maxAge: maxAge), "overtaken just now, beat \(beat)")
            ages.note(largest + 2, now: now + 1000, maxAge: maxAge)
            #expect(!ages.isStale(largest + 1, now: now + 1000, maxAge: maxAge), "overtaken 1 ms ago, beat \(beat)")
            largest += 2
        }
    }
}
