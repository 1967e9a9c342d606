import Testing
@testable import JumpingSession

private func candidate(_ slot: Int = 0, transport: UInt32 = 0, isAllowed: Bool = true, isValidated: Bool = true, isDead: Bool = false,
                       lossPPM: UInt32 = 0, rtt: UInt64 = 40_000, cost: UInt32 = 1, validatedAt: UInt64 = 0) -> Candidate {
    Candidate(slot: slot, transport: transport, isAllowed: isAllowed, isValidated: isValidated, isDead: isDead, lossPPM: lossPPM,
              smoothedRTT: rtt, cost: cost, validatedAt: validatedAt)
}

private let tenPerCent: UInt32 = 1_100_000

/// `better` wins against `worse`, asked either way round.
private func expectBetter(_ better: Candidate, _ worse: Candidate, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(best([better, worse]) == better.slot, comment, sourceLocation: sourceLocation)
    #expect(best([worse, better]) == better.slot, comment, sourceLocation: sourceLocation)
}

/// The slot of the best of some candidates, added in this order.
private func best(_ candidates: [Candidate], improvementPPM: UInt32 = tenPerCent) -> Int? {
    var shortlist = Shortlist()
    for candidate in candidates { shortlist.add(candidate) }
    return shortlist.best(improvementPPM: improvementPPM)?.slot
}

struct SelectionTests {
    @Test func lifeGoesBeforeValidityBeforeLossBeforeRTTBeforeStabilityBeforeTransport() {
        expectBetter(candidate(0, isValidated: false), candidate(1, isDead: true))
        expectBetter(candidate(0, lossPPM: 900_000), candidate(1, isValidated: false))
        expectBetter(candidate(0, lossPPM: 0, rtt: 900_000), candidate(1, lossPPM: 40_000))
        expectBetter(candidate(0, rtt: 40_000, validatedAt: 9), candidate(1, rtt: 45_000, validatedAt: 1))
        expectBetter(candidate(0, transport: 9, validatedAt: 1), candidate(1, transport: 1, validatedAt: 2))
        expectBetter(candidate(1, transport: 1), candidate(0, transport: 2))
        expectBetter(candidate(0), candidate(1))
    }

    @Test func lossesWithinTheNoiseCountAsEqual() {
        expectBetter(candidate(0, lossPPM: 19_999, rtt: 30_000), candidate(1, lossPPM: 0, rtt: 40_000))
        expectBetter(candidate(0, lossPPM: 0, rtt: 40_000), candidate(1, lossPPM: 20_000, rtt: 30_000))
    }

    @Test func costMakesRoundTripsLonger() {
        expectBetter(candidate(0, rtt: 50_000, cost: 1), candidate(1, rtt: 30_000, cost: 2))
        expectBetter(candidate(0, rtt: 20_000, cost: 2), candidate(1, rtt: 50_000, cost: 1))
    }

    @Test func aSmallDifferenceOfRTTIsNone() {
        expectBetter(candidate(0, rtt: 44_000, validatedAt: 1), candidate(1, rtt: 40_000, validatedAt: 2), "exactly 1.10")
        expectBetter(candidate(0, rtt: 40_000, validatedAt: 2), candidate(1, rtt: 44_001, validatedAt: 1), "more than 1.10")
    }

    private func random(_ random: inout SeededGenerator, slot: Int) -> Candidate {
        candidate(slot, transport: UInt32.random(in: 0...2, using: &random), isValidated: UInt8.random(in: 0...4, using: &random) > 0,
                  isDead: UInt8.random(in: 0...4, using: &random) == 0, lossPPM: UInt32.random(in: 0...3, using: &random) * 15_000,
                  rtt: UInt64.random(in: 36...50, using: &random) * 1000, cost: UInt32.random(in: 1...2, using: &random),
                  validatedAt: UInt64.random(in: 0...3, using: &random))
    }

    @Test func anEmptyShortlistHasNoBest() {
        #expect(best([]) == nil)
    }

    /// The best of three does not depend on where they lie in the table.
    @Test func theChoiceDoesNotDependOnTheOrderOfTheTable() {
        var generator = SeededGenerator(seed: 12)
        var cycles = 0
        for _ in 0..<5000 {
            let three = (0..<3).map { random(&generator, slot: $0) }
            let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
            if Set(orders.map { order in best(order.map { three[$0] }) }).count > 1 { cycles += 1 }
        }
        #expect(cycles == 0, "of 5000 triples")
    }

    @Test func leavingALivingPathTakesAProvenClearlyBetterOne() {
        let active = candidate(0, rtt: 44_000)
        func isWorth(_ other: Candidate, leaving path: Candidate) -> Bool {
            Selection.isWorthLeaving(path, for: other, improvementPPM: tenPerCent)
        }
        #expect(!isWorth(candidate(1, rtt: 40_000), leaving: active), "exactly 1.10")
        #expect(isWorth(candidate(1, rtt: 39_999), leaving: active))
        #expect(!isWorth(candidate(1, isValidated: false, rtt: 1000), leaving: active))
        #expect(!isWorth(candidate(1, isDead: true, rtt: 1000), leaving: active))
        #expect(!isWorth(candidate(1, isAllowed: false, rtt: 1000), leaving: active))
        #expect(isWorth(candidate(1, rtt: 900_000), leaving: candidate(0, lossPPM: 20_001)), "loss goes before RTT")
        #expect(!isWorth(candidate(1, rtt: 900_000), leaving: candidate(0, lossPPM: 20_000)))
        #expect(!isWorth(candidate(1, lossPPM: 20_001, rtt: 1000), leaving: active))
        #expect(isWorth(candidate(1, lossPPM: 20_000, rtt: 1000), leaving: active))
    }

    @Test func theLargestNumbersDoNotTrap() {
        let huge = candidate(0, lossPPM: .max, rtt: .max, cost: .max), small = candidate(1, rtt: 1)
        for (a, b) in [(huge, small), (small, huge), (huge, huge)] {
            _ = best([a, b], improvementPPM: .max)
            _ = Selection.isWorthLeaving(a, for: b, improvementPPM: .max)
        }
        let far = candidate(0, rtt: 1 << 50, cost: 1), farther = candidate(1, rtt: 1 << 53, cost: 1)
        expectBetter(far, farther)
    }
}
