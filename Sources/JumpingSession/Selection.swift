/// What selection needs to know of a path; made from the path, so that the choice is a pure function.
package struct Candidate {
    package var slot: Int
    package var transport: UInt32
    package var isAllowed: Bool
    package var isValidated: Bool
    package var isDead: Bool
    package var lossPPM: UInt32
    package var smoothedRTT: UInt64
    package var cost: UInt32
    package var validatedAt: UInt64

    package init(slot: Int, transport: UInt32, isAllowed: Bool, isValidated: Bool, isDead: Bool, lossPPM: UInt32,
                 smoothedRTT: UInt64, cost: UInt32, validatedAt: UInt64) {
        self.slot = slot
        self.transport = transport
        self.isAllowed = isAllowed
        self.isValidated = isValidated
        self.isDead = isDead
        self.lossPPM = lossPPM
        self.smoothedRTT = smoothedRTT
        self.cost = cost
        self.validatedAt = validatedAt
    }

    /// RTT weighted by cost; lower is better.
    var weightedRTT: UInt64 { smoothedRTT &* UInt64(cost) }
}

/// Deterministic selection: filter by class, validity and life; order by loss, then RTT × cost with hysteresis, then
/// stability, then lowest transport number.
package enum Selection {
    /// Losses this close count as equal: sampling noise is not a reason.
    private static let lossGrainPPM: UInt32 = 20_000

    /// Is `a` the better choice than `b`? A strict order over usable candidates.
    package static func isBetter(_ a: Candidate, than b: Candidate, improvementPPM: UInt32) -> Bool {
        if a.isDead != b.isDead { return !a.isDead }
        if a.isValidated != b.isValidated { return a.isValidated }
        let lossA = a.lossPPM / lossGrainPPM, lossB = b.lossPPM / lossGrainPPM
        if lossA != lossB { return lossA < lossB }
        if exceeds(b.weightedRTT, a.weightedRTT, improvementPPM) { return true }
        if exceeds(a.weightedRTT, b.weightedRTT, improvementPPM) { return false }
        if a.validatedAt != b.validatedAt { return a.validatedAt < b.validatedAt }
        if a.transport != b.transport { return a.transport < b.transport }
        return a.slot < b.slot
    }

    /// `larger` > `smaller` × improvement.
    private static func exceeds(_ larger: UInt64, _ smaller: UInt64, _ improvementPPM: UInt32) -> Bool {
        let (scaled, overflow) = smaller.multipliedReportingOverflow(by: UInt64(improvementPPM))
        let (other, otherOverflow) = larger.multipliedReportingOverflow(by: 1_000_000)
        if overflow || otherOverflow { return larger / 2 > smaller }
        return other > scaled
    }

    /// Is a living, validated candidate enough better than the living active path to leave it by choice?
    package static func isWorthLeaving(_ active: Candidate, for candidate: Candidate, improvementPPM: UInt32) -> Bool {
        guard candidate.isAllowed, candidate.isValidated, !candidate.isDead else { return false }
        if candidate.lossPPM &+ lossGrainPPM < active.lossPPM { return true }
        guard candidate.lossPPM <= active.lossPPM &+ lossGrainPPM else { return false }
        return exceeds(active.weightedRTT, candidate.weightedRTT, improvementPPM)
    }
}
