/// Hierarchical timing wheel: one deadline per session slot, O(1) to arm, cancel and fire. Seven levels of 64 slots at
/// 256 µs. Deadlines within 16 ms are exact; a far one may wake the host early a few times on its way down, and where many share a slot of
/// 256 µs, one that was cancelled may.
struct TimerWheel: ~Copyable {
    static let tick: UInt64 = 256
    private static let levels = 7
    private static let slots = 64
    private static let none = UInt32.max

    private struct Node {
        var next: UInt32 = none
        var previous: UInt32 = none
        /// Microseconds; `.max` when not armed.
        var deadline: UInt64 = .max
        var bucket: UInt32 = none
    }

    /// Nodes lie in slabs that never move, so that room for more sessions costs no copy.
    private static let slabShift = 10
    private static let slabSize = 1 << slabShift

    private var slabs: UnsafeMutablePointer<UnsafeMutablePointer<Node>>
    private var slabCount = 0
    private var slabCapacity = 8
    private var heads: UnsafeMutablePointer<UInt32>
    /// By slot of the lowest level: no deadline in it is earlier. Exact but for deadlines that were cancelled.
    private var earliest: UnsafeMutablePointer<UInt64>
    private var occupied: InlineArray<7, UInt64> = InlineArray(repeating: 0)
    /// By level: what a slot held as its time began and has not been poured into the lower levels yet; in the lowest, what the current slot
    /// held as something in it became due and has not been judged yet.
    private var pouring: InlineArray<7, UInt32> = InlineArray(repeating: none)
    private var currentTick: UInt64

    init(now: UInt64) {
        slabs = .allocate(capacity: 8)
        heads = .allocate(capacity: Self.levels * Self.slots)
        heads.initialize(repeating: Self.none, count: Self.levels * Self.slots)
        earliest = .allocate(capacity: Self.slots)
        earliest.initialize(repeating: .max, count: Self.slots)
        currentTick = now / Self.tick
    }

    deinit {
        for slab in 0..<slabCount { slabs[slab].deallocate() }
        slabs.deallocate()
        heads.deallocate()
        earliest.deallocate()
    }

    private func node(_ index: Int) -> UnsafeMutablePointer<Node> {
        slabs[index &>> Self.slabShift] + (index & (Self.slabSize &- 1))
    }

    /// Makes room for session slots up to `index`.
    mutating func reserve(_ index: Int) {
        while index >= slabCount &<< Self.slabShift {
            if slabCount == slabCapacity {
                let bigger = UnsafeMutablePointer<UnsafeMutablePointer<Node>>.allocate(capacity: slabCapacity &* 2)
                bigger.update(from: slabs, count: slabCount)
                slabs.deallocate()
                slabs = bigger
                slabCapacity &*= 2
            }
            slabs[slabCount] = .allocate(capacity: Self.slabSize)
            slabs[slabCount].initialize(repeating: Node(), count: Self.slabSize)
            slabCount &+= 1
        }
    }

    /// Time the slot will fire at, or `.max`.
    func armedAt(_ index: Int) -> UInt64 {
        node(index).pointee.deadline
    }

    mutating func arm(_ index: Int, at deadline: UInt64) {
        cancel(index)
        guard deadline != .max else { return }
        insert(index, deadline)
    }

    mutating func cancel(_ index: Int) {
        let gone = node(index).pointee
        guard gone.bucket != Self.none else { return }
        let bucket = Int(gone.bucket), level = bucket / Self.slots
        if gone.previous != Self.none {
            node(Int(gone.previous)).pointee.next = gone.next
        } else if heads[bucket] == UInt32(truncatingIfNeeded: index) {
            heads[bucket] = gone.next
            if gone.next == Self.none { occupied[level] &= ~(1 << UInt64(bucket % Self.slots)) }
        } else {
            pouring[level] = gone.next
        }
        if gone.next != Self.none { node(Int(gone.next)).pointee.previous = gone.previous }
        node(index).pointee = Node()
    }

    private mutating func insert(_ index: Int, _ deadline: UInt64) {
        let tick = max(deadline / Self.tick, currentTick)
        let ahead = tick &- currentTick
        // Beyond the last level (36 years) a deadline waits in its last slot and is judged again there.
        var level = 0
        while level < Self.levels &- 1, ahead >> UInt64(6 &* (level &+ 1)) != 0 { level &+= 1 }
        let reach = min(tick, currentTick &+ (UInt64(1) << UInt64(6 * Self.levels)) &- 1)
        let slot = Int((reach >> UInt64(6 &* level)) & 63)
        let bucket = level &* Self.slots &+ slot
        let head = heads[bucket]
        if level == 0 { earliest[slot] = head == Self.none ? deadline : min(earliest[slot], deadline) }
        node(index).pointee = Node(next: head, previous: Self.none, deadline: deadline, bucket: UInt32(truncatingIfNeeded: bucket))
        if head != Self.none { node(Int(head)).pointee.previous = UInt32(truncatingIfNeeded: index) }
        heads[bucket] = UInt32(truncatingIfNeeded: index)
        occupied[level] |= 1 << UInt64(slot)
    }

    /// When something may be due: exact in the lowest level, the start of a slot in the others. `.max` when empty.
    var nextDeadline: UInt64 {
        for level in 0..<Self.levels where pouring[level] != Self.none { return currentTick &* Self.tick }
        var next = UInt64.max
        for level in 0..<Self.levels where occupied[level] != 0 {
            let shift = UInt64(6 &* level)
            let position = currentTick >> shift
            let inLevel = position & 63
            let bits = occupied[level]
            let rotated = inLevel == 0 ? bits : bits >> inLevel | bits << (64 &- inLevel)
            var distance = UInt64(rotated.trailingZeroBitCount)
            if distance == 0, level > 0 {
                // The current slot of a higher level holds only what lies a whole turn ahead.
                let rest = rotated & ~1
                distance = rest == 0 ? 64 : UInt64(rest.trailingZeroBitCount)
            }
            let start = max((position &+ distance) << shift, currentTick)
            next = min(next, level == 0 ? earliestInSlot(Int(start & 63)) : start &* Self.tick)
        }
        return next
    }

    /// Deadlines of a slot that are looked at to know the earliest.
    private static let looks = 32

    private func earliestInSlot(_ slot: Int) -> UInt64 {
        var exact = UInt64.max, looks = 0
        var index = heads[slot]
        while index != Self.none {
            guard looks < Self.looks else { return earliest[slot] }
            looks &+= 1
            exact = min(exact, node(Int(index)).pointee.deadline)
            index = node(Int(index)).pointee.next
        }
        return exact
    }

    /// Takes out one slot that is due at `now`, with the time it was due at, or nil when none is. Higher levels are poured down on the
    /// way, and the current slot's deadlines are judged, each session for one of `budget`; nil too once that is spent, and `nextDeadline`
    /// then says that there is more to do.
    mutating func popDue(_ now: UInt64, _ budget: inout Int) -> (index: Int, deadline: UInt64)? {
        let target = now / Self.tick
        while pour(&budget) {
            if let due = judge(now, &budget) { return due }
            guard budget > 0, currentTick < target else { return nil }
            advance(to: target)
        }
        return nil
    }

    /// The current slot's next deadline that is due at `now`. Those that are not go back to the slot, so that however many share it, each is
    /// judged about once for all calls at one time.
    private mutating func judge(_ now: UInt64, _ budget: inout Int) -> (index: Int, deadline: UInt64)? {
        let slot = Int(currentTick & 63)
        while budget > 0 {
            if pouring[0] == Self.none {
                guard heads[slot] != Self.none, earliest[slot] <= now else { return nil }
                pouring[0] = heads[slot]
                heads[slot] = Self.none
                occupied[0] &= ~(1 << UInt64(slot))
            }
            budget &-= 1
            let index = Int(pouring[0]), deadline = node(index).pointee.deadline
            cancel(index)
            if deadline <= now { return (index: index, deadline: deadline) }
            insert(index, deadline)
        }
        return nil
    }

    /// Moves to the next tick where something happens, at most `target`; the higher slots that begin there are to be poured.
    private mutating func advance(to target: UInt64) {
        let next = nextDeadline
        currentTick = next == .max ? target : min(max(next / Self.tick, currentTick &+ 1), target)
        for level in 1..<Self.levels where currentTick & ((UInt64(1) << UInt64(6 &* level)) &- 1) == 0 {
            let slot = Int((currentTick >> UInt64(6 &* level)) & 63)
            pouring[level] = heads[level &* Self.slots &+ slot]
            heads[level &* Self.slots &+ slot] = Self.none
            occupied[level] &= ~(1 << UInt64(slot))
        }
    }

    /// Distributes what waits to be poured, highest level first. False when the budget ended before it.
    private mutating func pour(_ budget: inout Int) -> Bool {
        var level = Self.levels &- 1
        while level >= 1 {
            while pouring[level] != Self.none {
                guard budget > 0 else { return false }
                budget &-= 1
                let index = Int(pouring[level]), deadline = node(index).pointee.deadline
                cancel(index)
                insert(index, deadline)
            }
            level &-= 1
        }
        return true
    }
}
