import JumpingSession

/// When higher packet numbers arrived, coarsely, to judge how old a reattach is (DESIGN "stale_request"): at most eight marks, a seventh
/// of the limit apart. Numbers and times in marks by their low bits: marks are forgotten long before those could come round. The largest number of
/// all is the replay window's, and told with each call.
struct ProofAges: ~Copyable {
    private struct Mark {
        var number: UInt32 = 0
        var at: UInt32 = 0
    }

    /// The marks before the newest. There are none where datagrams come further apart than the limit, as an idle session's do.
    private struct Earlier {
        static let capacity = 7
        var marks: InlineArray<7, Mark> = InlineArray(repeating: Mark())
        var next = 0
        var count = 0
    }

    private var nextMarkAt: UInt64 = 0
    /// When the largest number came: after it there may be silence, and no mark.
    private var largestAt: UInt64 = 0
    /// Numbers below it were overtaken before the last silence longer than the limit.
    private var overtaken: UInt64 = 0
    private var newest = Mark()
    private var earlier = OnDemand<Earlier>()

    /// The largest packet number moved from `largest` to `number`.
    @inline(__always)
    mutating func note(_ number: UInt64, after largest: UInt64, now: UInt64, maxAge: UInt64) {
        if now >= nextMarkAt { mark(number, largest, now, maxAge) }
        largestAt = now
    }

    @inline(never)
    private mutating func mark(_ number: UInt64, _ largest: UInt64, _ now: UInt64, _ maxAge: UInt64) {
        if nextMarkAt > 0 {
            if now &- largestAt > maxAge {   // of the time before a long silence one number says all
                overtaken = largest
                earlier.drop()
            } else {
                keepNewest()
            }
        }
        newest = Mark(number: UInt32(truncatingIfNeeded: number), at: UInt32(truncatingIfNeeded: now))
        nextMarkAt = now &+ maxAge / 7
    }

    private mutating func keepNewest() {
        let earlier = earlier.made(Earlier())
        earlier.pointee.marks[earlier.pointee.next] = newest
        earlier.pointee.next = (earlier.pointee.next &+ 1) % Earlier.capacity
        earlier.pointee.count = min(earlier.pointee.count &+ 1, Earlier.capacity)
    }

    /// Did a datagram with a higher number arrive more than `maxAge` ago?
    func isStale(_ number: UInt64, largest: UInt64, now: UInt64, maxAge: UInt64) -> Bool {
        guard nextMarkAt > 0, largest > number else { return false }
        if now &- largestAt > maxAge || number < overtaken || isOlder(newest, number, largest, now, maxAge) { return true }
        guard let earlier = earlier.present else { return false }
        for i in 0..<earlier.pointee.count where isOlder(earlier.pointee.marks[i], number, largest, now, maxAge) { return true }
        return false
    }

    /// The mark is of a higher number and more than `maxAge` old.
    private func isOlder(_ mark: Mark, _ number: UInt64, _ largest: UInt64, _ now: UInt64, _ maxAge: UInt64) -> Bool {
        let behind = UInt64(UInt32(truncatingIfNeeded: largest) &- mark.number)
        return behind < largest &- number && UInt64(UInt32(truncatingIfNeeded: now) &- mark.at) > maxAge
    }
}
