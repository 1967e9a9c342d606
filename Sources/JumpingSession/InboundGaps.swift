/// Which packet numbers are due to be judged lost on the way in: a number still missing one reordering tolerance after a higher
/// one came. It holds a mark that follows the largest number at that distance in time.
package struct InboundGaps {
    /// Everything up to here has been judged.
    private var judged: UInt64 = 0
    /// The largest number when the mark was set.
    private var mark: UInt64 = 0
    private var markedAt: UInt64 = 0
    /// Before it there is nothing to judge.
    private var quietUntil: UInt64 = 0
    /// No more than this many are judged at once; older ones are let go.
    private static let span: UInt64 = 64

    package init() {}

    /// A new path carries the session: what was lost on the old one is not its fault.
    package mutating func restart(_ largest: UInt64, now: UInt64, hold: UInt64) {
        judged = largest
        mark = largest
        markedAt = now &- 1 << 62   // so long ago that nothing is judged by it
        quietUntil = now &+ hold
    }

    /// This number was judged lost and came after all.
    @inline(__always)
    package func isLate(_ number: UInt64) -> Bool {
        number <= judged && judged &- number < Self.span
    }

    /// The last mark is younger than the tolerance, or the path new: there is nothing to judge yet.
    @inline(__always)
    package func isTooEarly(_ now: UInt64) -> Bool {
        now < quietUntil
    }

    /// The numbers to judge now, or nil. Only numbers that arrive densely, several in a round trip (`density`, or 50 ms), say something
    /// of the path: between the heartbeats of an idle session lie those that the peer spends on asking dead paths.
    package mutating func due(_ largest: UInt64, now: UInt64, tolerance: UInt64, density: UInt64) -> ClosedRange<UInt64>? {
        guard now &- markedAt <= max(density, 50_000) &+ tolerance else {
            judged = largest
            mark = largest
            markedAt = now
            quietUntil = 0
            return nil
        }
        guard now &- markedAt >= tolerance else {
            quietUntil = markedAt &+ tolerance
            return nil
        }
        let first = max(judged &+ 1, mark >= Self.span ? mark &- Self.span : 0), last = mark
        judged = max(judged, mark)
        mark = largest
        markedAt = now
        return first <= last ? first...last : nil
    }
}
