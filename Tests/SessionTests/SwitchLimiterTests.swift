import Testing
@testable import JumpingSession

private final class Limiter {
    var limiter = SwitchLimiter()

    func record(_ now: UInt64) { limiter.record(now) }
    func recent(_ now: UInt64) -> UInt32 { limiter.inLastMinute(now) }
    func allowedAt(_ now: UInt64, limit: UInt32) -> UInt64 { limiter.allowedAt(now, limit: limit) }
    var last: UInt64? { limiter.lastSwitchAt }
}

struct SwitchLimiterTests {
    private let minute: UInt64 = 60_000_000

    @Test func withoutSwitchesOneIsAllowedNow() {
        let limiter = Limiter()
        #expect(limiter.last == nil)
        #expect(limiter.recent(5) == 0)
        #expect(limiter.allowedAt(5, limit: 1) <= 5)
    }

    @Test func aSwitchLeavesTheMinuteExactlyAfterIt() {
        let limiter = Limiter()
        limiter.record(1000)
        #expect(limiter.recent(1000 + minute - 1) == 1)
        #expect(limiter.recent(1000 + minute) == 0)
        #expect(limiter.allowedAt(1001, limit: 1) == 1000 + minute)
        #expect(limiter.allowedAt(1000 + minute, limit: 1) <= 1000 + minute)
        #expect(limiter.last == 1000)
    }

    @Test(arguments: [1, 2, 8, 59, 60] as [UInt32])
    func itAgreesWithANaiveListOfTimes(limit: UInt32) {
        var random = SeededGenerator(seed: UInt64(limit))
        let limiter = Limiter()
        var times: [UInt64] = [], now: UInt64 = 1_000_000
        for _ in 0..<1000 {
            now += UInt64.random(in: 0...(3 * minute / UInt64(limit)), using: &random)
            let recent = times.filter { now - $0 < minute }
            #expect(limiter.recent(now) == UInt32(min(recent.count, 60)))
            let allowedAt = limiter.allowedAt(now, limit: limit)
            if recent.count < Int(limit) {
                #expect(allowedAt <= now)
                limiter.record(now)
                times.append(now)
            } else {
                #expect(allowedAt == recent[recent.count - Int(limit)] + minute)
                #expect(allowedAt > now)
            }
        }
    }

    /// The promise behind it: a host that obeys never switches more often than the limit in any minute.
    @Test func noMinuteHoldsMoreThanTheLimit() {
        let limiter = Limiter()
        var times: [UInt64] = [], now: UInt64 = 0
        for _ in 0..<500 {
            now = max(now + 1000, limiter.allowedAt(now, limit: 8))
            limiter.record(now)
            times.append(now)
        }
        for (i, time) in times.enumerated() where i >= 8 { #expect(time - times[i - 8] >= minute) }
    }
}
