import Testing
@testable import JumpingSession

struct TimersTests {
    @Test func nothingIsArmedAtFirst() {
        var timers = Timers()
        #expect(timers.earliest == Timers.never)
        #expect(timers.popDue(.max - 1) == nil)
        for kind in TimerKind.allCases { #expect(timers[kind] == Timers.never) }
    }

    @Test func everyKindHasItsOwnDeadline() {
        var timers = Timers()
        for kind in TimerKind.allCases { timers[kind] = 1000 + UInt64(kind.rawValue) }
        for kind in TimerKind.allCases { #expect(timers[kind] == 1000 + UInt64(kind.rawValue)) }
        #expect(timers.earliest == 1000)
    }

    @Test func aTimerFiresAtItsDeadlineOnce() {
        var timers = Timers()
        timers[.lifetime] = 500
        #expect(timers.popDue(499) == nil)
        #expect(timers.popDue(500) == .lifetime)
        #expect(timers.popDue(500) == nil)
        #expect(timers.earliest <= 500, "only a bound until it is refreshed")
        timers.refresh()
        #expect(timers.earliest == Timers.never)
    }

    @Test func whatIsDueComesInTheOrderOfTheKindsWhateverTheDeadlines() {
        var random = SeededGenerator(seed: 3)
        var timers = Timers()
        for kind in TimerKind.allCases { timers[kind] = UInt64.random(in: 1...100, using: &random) }
        var order: [TimerKind] = []
        while let kind = timers.popDue(100) { order.append(kind) }
        #expect(order == TimerKind.allCases)
    }

    @Test func armingNoLaterThanOnlyEverMovesEarlier() {
        var timers = Timers()
        timers.arm(.heartbeat, noLaterThan: 100)
        timers.arm(.heartbeat, noLaterThan: 200)
        #expect(timers[.heartbeat] == 100)
        timers.arm(.heartbeat, noLaterThan: 50)
        #expect(timers[.heartbeat] == 50)
    }

    @Test func cancellingDisarms() {
        var timers = Timers()
        timers[.probe] = 10
        timers[.retry] = 20
        timers.cancel(.probe)
        #expect(timers.earliest <= 20)
        timers.refresh()
        #expect(timers.earliest == 20)
        timers.cancelAll()
        #expect(timers.earliest == Timers.never)
    }
}
