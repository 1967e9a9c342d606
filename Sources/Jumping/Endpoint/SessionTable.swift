import JumpingSession
import JumpingWire

/// Sessions in slabs with stable addresses; a slot's generation makes stale handles detectable.
struct SessionTable: ~Copyable {
    private static let slabSize = 64

    private struct Slot: ~Copyable {
        var generation: UInt32 = 0
        var isUsed = false
        var nextFree: UInt32 = .max
    }

    private var slabs: UnsafeMutablePointer<UnsafeMutablePointer<Session>>
    private var slots: UnsafeMutablePointer<UnsafeMutablePointer<Slot>>
    private var slabCount = 0
    private var slabCapacity = 8
    private var firstFree: UInt32 = .max
    private(set) var count = 0
    let limit: Int

    init(limit: Int) {
        self.limit = limit
        slabs = .allocate(capacity: 8)
        slots = .allocate(capacity: 8)
    }

    deinit {
        for slab in 0..<slabCount {
            for i in 0..<Self.slabSize where slots[slab][i].isUsed { (slabs[slab] + i).deinitialize(count: 1) }
            slabs[slab].deallocate()
            slots[slab].deallocate()
        }
        slabs.deallocate()
        slots.deallocate()
    }

    /// Slots ever made; indices are below it.
    var capacity: Int { slabCount &* Self.slabSize }

    func isUsed(_ index: Int) -> Bool {
        index >= 0 && index < capacity && slots[index / Self.slabSize][index % Self.slabSize].isUsed
    }

    /// Only for indices that `isUsed` or `resolve` confirmed.
    subscript(_ index: Int) -> Session {
        unsafeAddress { UnsafePointer(slabs[index / Self.slabSize] + index % Self.slabSize) }
        unsafeMutableAddress { slabs[index / Self.slabSize] + index % Self.slabSize }
    }

    /// The index behind a handle, or nil when it is stale or was never given.
    func resolve(_ handle: UInt64) -> Int? {
        let index = Int(truncatingIfNeeded: handle & 0xFFFF_FFFF)
        guard isUsed(index) else { return nil }
        let slot = index % Self.slabSize
        return slots[index / Self.slabSize][slot].generation == UInt32(truncatingIfNeeded: handle >> 32) ? index : nil
    }

    /// Takes a slot for a new session; nil at the limit.
    mutating func add(role: Role, id: SessionID, policy: Policy, now: UInt64) -> Int? {
        guard count < limit else { return nil }
        if firstFree == .max { grow() }
        guard firstFree != .max else { return nil }
        let index = Int(firstFree)
        let slab = index / Self.slabSize, i = index % Self.slabSize
        firstFree = slots[slab][i].nextFree
        slots[slab][i].isUsed = true
        slots[slab][i].generation = slots[slab][i].generation == .max ? 1 : slots[slab][i].generation &+ 1
        (slabs[slab] + i).initialize(to: Session(index: UInt32(truncatingIfNeeded: index), generation: slots[slab][i].generation,
                                                 role: role, id: id, policy: policy, now: now))
        count &+= 1
        return index
    }

    mutating func remove(_ index: Int) {
        guard isUsed(index) else { return }
        let slab = index / Self.slabSize, i = index % Self.slabSize
        (slabs[slab] + i).deinitialize(count: 1)
        slots[slab][i].isUsed = false
        slots[slab][i].nextFree = firstFree
        firstFree = UInt32(truncatingIfNeeded: index)
        count &-= 1
    }

    private mutating func grow() {
        if slabCount == slabCapacity {
            let bigger = UnsafeMutablePointer<UnsafeMutablePointer<Session>>.allocate(capacity: slabCapacity &* 2)
            let biggerSlots = UnsafeMutablePointer<UnsafeMutablePointer<Slot>>.allocate(capacity: slabCapacity &* 2)
            bigger.update(from: slabs, count: slabCount)
            biggerSlots.update(from: slots, count: slabCount)
            slabs.deallocate()
            slots.deallocate()
            slabs = bigger
            slots = biggerSlots
            slabCapacity &*= 2
        }
        slabs[slabCount] = .allocate(capacity: Self.slabSize)
        let fresh = UnsafeMutablePointer<Slot>.allocate(capacity: Self.slabSize)
        for i in 0..<Self.slabSize {
            (fresh + i).initialize(to: Slot())
            let next = i &+ 1 < Self.slabSize ? UInt32(truncatingIfNeeded: slabCount &* Self.slabSize &+ i &+ 1) : firstFree
            fresh[i].nextFree = next
        }
        slots[slabCount] = fresh
        firstFree = UInt32(truncatingIfNeeded: slabCount &* Self.slabSize)
        slabCount &+= 1
    }
}
