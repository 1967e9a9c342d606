import CJumping
import JumpingSession
import JumpingWire

/// Sessions in slabs with stable addresses; a slot's generation makes stale handles detectable. A slot holds its header and
/// the session. It begins on a cache line, so that checking a handle brings in the session's first fields, and all addresses
/// follow from the index alone: what a datagram needs can be fetched at once.
struct SessionTable: ~Copyable {
    private static let slabShift = 6
    private static let slabSize = 1 << slabShift
    private static let headerSize = 8
    private static let stride = (headerSize + MemoryLayout<Session>.size + 63) / 64 * 64
    /// Cache lines of a slot, and those that a datagram comes to soon.
    private static let lines = Int32(truncatingIfNeeded: stride / 64)
    private static let firstLines: Int32 = 7

    private struct Header {
        var generation: UInt32 = 0
        /// The next free slot, or `inUse`.
        var next: UInt32 = endOfList
        static let endOfList = UInt32.max
        static let inUse = UInt32.max - 1
    }

    private var slabs: UnsafeMutablePointer<UnsafeMutableRawPointer>
    private var slabCount = 0
    private var slabCapacity = 8
    private var firstFree = Header.endOfList
    private(set) var count = 0
    let limit: Int

    init(limit: Int) {
        self.limit = limit
        slabs = .allocate(capacity: 8)
    }

    deinit {
        for index in 0..<capacity where header(index).pointee.next == Header.inUse { session(index).deinitialize(count: 1) }
        for slab in 0..<slabCount { slabs[slab].deallocate() }
        slabs.deallocate()
    }

    /// Slots ever made; indices are below it.
    var capacity: Int { slabCount &<< Self.slabShift }

    private func slot(_ index: Int) -> UnsafeMutableRawPointer {
        slabs[index &>> Self.slabShift] + (index & (Self.slabSize &- 1)) &* Self.stride
    }

    private func header(_ index: Int) -> UnsafeMutablePointer<Header> {
        slot(index).assumingMemoryBound(to: Header.self)
    }

    private func session(_ index: Int) -> UnsafeMutablePointer<Session> {
        (slot(index) + Self.headerSize).assumingMemoryBound(to: Session.self)
    }

    func isUsed(_ index: Int) -> Bool {
        index >= 0 && index < capacity && header(index).pointee.next == Header.inUse
    }

    /// Only for indices that `isUsed` or `resolve` confirmed.
    subscript(_ index: Int) -> Session {
        unsafeAddress { UnsafePointer(session(index)) }
        unsafeMutableAddress { session(index) }
    }

    /// The index behind a handle, or nil when it is stale or was never given.
    func resolve(_ handle: UInt64) -> Int? {
        let index = Int(truncatingIfNeeded: handle & 0xFFFF_FFFF)
        guard index < capacity else { return nil }
        let header = header(index).pointee
        return header.generation == UInt32(truncatingIfNeeded: handle >> 32) && header.next == Header.inUse ? index : nil
    }

    /// Asks for the memory of a session and its keys.
    @inline(__always)
    func prefetch(_ index: Int) {
        guard index >= 0, index < capacity else { return }
        jumping_prefetch(slot(index), Self.lines)
    }

    /// Asks for the parts of a session and its keys that a datagram needs last: they arrive while the first ones are at work, and the
    /// cipher's long run does not stand before their cache misses.
    @inline(__always)
    func prefetchRest(_ index: Int) {
        jumping_prefetch(slot(index) + 64 * Int(Self.firstLines), Self.lines &- Self.firstLines)
    }

    /// Takes a slot for a new session; nil at the limit.
    mutating func add(role: Role, id: SessionID, policy: Policy, now: UInt64) -> Int? {
        guard count < limit else { return nil }
        if firstFree == Header.endOfList { grow() }
        guard firstFree != Header.endOfList else { return nil }
        let index = Int(firstFree)
        let header = header(index)
        firstFree = header.pointee.next
        header.pointee.next = Header.inUse
        header.pointee.generation = header.pointee.generation == .max ? 1 : header.pointee.generation &+ 1
        session(index).initialize(to: Session(index: UInt32(truncatingIfNeeded: index), generation: header.pointee.generation,
                                              role: role, id: id, policy: policy, now: now))
        count &+= 1
        return index
    }

    mutating func remove(_ index: Int) {
        guard isUsed(index) else { return }
        session(index).deinitialize(count: 1)
        header(index).pointee.next = firstFree
        firstFree = UInt32(truncatingIfNeeded: index)
        count &-= 1
    }

    private mutating func grow() {
        if slabCount == slabCapacity {
            let bigger = UnsafeMutablePointer<UnsafeMutableRawPointer>.allocate(capacity: slabCapacity &* 2)
            bigger.update(from: slabs, count: slabCount)
            slabs.deallocate()
            slabs = bigger
            slabCapacity &*= 2
        }
        let first = capacity
        slabs[slabCount] = .allocate(byteCount: Self.slabSize * Self.stride, alignment: 64)
        slabCount &+= 1
        for index in first..<capacity {
            let next = index &+ 1 < capacity ? UInt32(truncatingIfNeeded: index &+ 1) : firstFree
            header(index).initialize(to: Header(generation: 0, next: next))
        }
        firstFree = UInt32(truncatingIfNeeded: first)
    }
}
