import Testing
@testable import Jumping

struct ProofAgesTests {
    private let maxAge: UInt64 = 5_000_000

    /// Numbers 0, 1, 2, … every 10 ms.
    private func filled(until end: UInt64) -> ProofAges {
        var ages = ProofAges()
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
        #expect(!ProofAges().isStale(0, now: .max / 2, maxAge: maxAge))
    }
}
