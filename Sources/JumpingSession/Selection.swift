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

/// The candidates of one decision, at most as many as a session has paths.
package struct Shortlist {
    package static let capacity = 8
    private var entries: InlineArray<8, Candidate> = InlineArray(repeating: Candidate(
        slot: 0, transport: 0, isAllowed: false, isValidated: false, isDead: true, lossPPM: 0, smoothedRTT: 0, cost: 0, validatedAt: 0))
    package private(set) var count = 0

    package init() {}

    package mutating func add(_ candidate: Candidate) {
        guard count < Self.capacity else { return }
        entries[count] = candidate
        count &+= 1
    }

    /// The best of them, whatever order they came in: the living before the dead, the validated before the rest, then the
    /// lowest loss; among those whose RTT × cost is within `improvementPPM` of the lowest, the one validated longest, then the
    /// lowest transport, then the lowest slot.
    package func best(improvementPPM: UInt32) -> Candidate? {
        guard count > 0 else { return nil }
        let entries = entries.span   // looked at where they lie
        var top = Int.max
        for i in 0..<count { top = min(top, Selection.rank(entries[i])) }
        var lowestRTT = UInt64.max
        for i in 0..<count where Selection.rank(entries[i]) == top { lowestRTT = min(lowestRTT, entries[i].weightedRTT) }
        var best: Candidate?
        for i in 0..<count where Selection.rank(entries[i]) == top {
            guard !Selection.exceeds(entries[i].weightedRTT, lowestRTT, improvementPPM) else { continue }
            guard let current = best else {
                best = entries[i]
                continue
            }
            if Selection.isSteadier(entries[i], than: current) { best = entries[i] }
        }
        return best
    }
}

/// Deterministic selection: filter by class, validity and life; order by loss, then RTT × cost with hysteresis, then
/// stability, then lowest transport number.
package enum Selection {
    /// Losses this close count as equal: sampling noise is not a reason.
    private static let lossGrainPPM: UInt32 = 20_000

    /// Lower is better: dead or alive, validated or not, then loss in grains.
    static func rank(_ candidate: Candidate) -> Int {
        (candidate.isDead ? 1 << 20 : 0) &+ (candidate.isValidated ? 0 : 1 << 19) &+ Int(min(candidate.lossPPM, 1_000_000) / lossGrainPPM)
    }

    static func isSteadier(_ a: Candidate, than b: Candidate) -> Bool {
        if a.validatedAt != b.validatedAt { return a.validatedAt < b.validatedAt }
        if a.transport != b.transport { return a.transport < b.transport }
        return a.slot < b.slot
    }

    /// `larger` > `smaller` × improvement.
    static func exceeds(_ larger: UInt64, _ smaller: UInt64, _ improvementPPM: UInt32) -> Bool {
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
