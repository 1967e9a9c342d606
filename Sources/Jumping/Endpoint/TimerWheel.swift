/// Hierarchical timing wheel: one deadline per session slot, O(1) to arm, cancel and fire. Seven levels of 64 slots at
/// 256 µs. Deadlines within 16 ms are exact; a far one may wake the host early a few times on its way down.
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

    private var nodes: UnsafeMutablePointer<Node>
    private var capacity: Int
    private var heads: UnsafeMutablePointer<UInt32>
    private var occupied: InlineArray<7, UInt64> = InlineArray(repeating: 0)
    private var currentTick: UInt64

    init(now: UInt64) {
        capacity = 16
        nodes = .allocate(capacity: 16)
        nodes.initialize(repeating: Node(), count: 16)
        heads = .allocate(capacity: Self.levels * Self.slots)
        heads.initialize(repeating: Self.none, count: Self.levels * Self.slots)
        currentTick = now / Self.tick
    }

    deinit {
        nodes.deallocate()
        heads.deallocate()
    }

    /// Makes room for session slots up to `index`.
    mutating func reserve(_ index: Int) {
        guard index >= capacity else { return }
        var bigger = capacity
        while bigger <= index { bigger &*= 2 }
        let grown = UnsafeMutablePointer<Node>.allocate(capacity: bigger)
        grown.update(from: nodes, count: 0)
        grown.moveInitialize(from: nodes, count: capacity)
        (grown + capacity).initialize(repeating: Node(), count: bigger &- capacity)
        nodes.deallocate()
        nodes = grown
        capacity = bigger
    }

    /// Time the slot will fire at, or `.max`.
    func armedAt(_ index: Int) -> UInt64 {
        nodes[index].deadline
    }

    mutating func arm(_ index: Int, at deadline: UInt64) {
        cancel(index)
        guard deadline != .max else { return }
        insert(index, deadline)
    }

    mutating func cancel(_ index: Int) {
        let node = nodes[index]
        guard node.bucket != Self.none else { return }
        if node.previous != Self.none { nodes[Int(node.previous)].next = node.next } else { heads[Int(node.bucket)] = node.next }
        if node.next != Self.none { nodes[Int(node.next)].previous = node.previous }
        if heads[Int(node.bucket)] == Self.none {
            occupied[Int(node.bucket) / Self.slots] &= ~(1 << UInt64(Int(node.bucket) % Self.slots))
        }
        nodes[index] = Node()
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
        nodes[index] = Node(next: head, previous: Self.none, deadline: deadline, bucket: UInt32(truncatingIfNeeded: bucket))
        if head != Self.none { nodes[Int(head)].previous = UInt32(truncatingIfNeeded: index) }
        heads[bucket] = UInt32(truncatingIfNeeded: index)
        occupied[level] |= 1 << UInt64(slot)
    }

    /// When something may be due: exact in the lowest level, the start of a slot in the others. `.max` when empty.
    var nextDeadline: UInt64 {
        var earliest = UInt64.max
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
            earliest = min(earliest, level == 0 ? earliestInSlot(Int(start & 63)) : start &* Self.tick)
        }
        return earliest
    }

    private func earliestInSlot(_ slot: Int) -> UInt64 {
        var earliest = UInt64.max
        var index = heads[slot]
        while index != Self.none {
            earliest = min(earliest, nodes[Int(index)].deadline)
            index = nodes[Int(index)].next
        }
        return earliest
    }

    /// Takes out one slot that is due at `now`, with the time it was due at, or nil. Higher levels are poured down on the way.
    mutating func popDue(_ now: UInt64) -> (index: Int, deadline: UInt64)? {
        let target = now / Self.tick
        while true {
            var index = heads[Int(currentTick & 63)]
            while index != Self.none {
                let deadline = nodes[Int(index)].deadline
                if deadline <= now {
                    cancel(Int(index))
                    return (index: Int(index), deadline: deadline)
                }
                index = nodes[Int(index)].next
            }
            guard currentTick < target else { return nil }
            advance(to: target)
        }
    }

    /// Moves to the next tick where something happens, at most `target`, and pours the higher slots that begin there.
    private mutating func advance(to target: UInt64) {
        let next = nextDeadline
        let nextTick = next == .max ? target : min(max(next / Self.tick, currentTick &+ 1), target)
        currentTick = nextTick
        var level = Self.levels &- 1
        while level >= 1 {
            if currentTick & ((UInt64(1) << UInt64(6 &* level)) &- 1) == 0 { pour(level) }
            level &-= 1
        }
    }

    private mutating func pour(_ level: Int) {
        let bucket = level &* Self.slots &+ Int((currentTick >> UInt64(6 &* level)) & 63)
        var index = heads[bucket]
        heads[bucket] = Self.none
        occupied[level] &= ~(1 << UInt64(bucket % Self.slots))
        while index != Self.none {
            let node = nodes[Int(index)]
            nodes[Int(index)] = Node()
            insert(Int(index), node.deadline)
            index = node.next
        }
    }
}
