import CJumping

/// A 64-bit key to its 32-bit owner, a slot: connection id, handshake id, session id to session. Open addressing in twelve bytes an
/// entry; keys are mixed with a secret so that a peer cannot choose buckets.
///
/// At most seven tenths are taken: a search that finds nothing, which is what strangers' datagrams cost, then looks at six slots, and at
/// thirteen were it eight tenths (linear probing: half of 1 + 1 / (1 - load)²). It grows without a pause, by a quarter: the larger table begins
/// empty, each later change carries a few entries over, and the old table's memory is given back page by page on the way. Until that has
/// ended, a key may be in either.
struct HashIndex: ~Copyable {
    /// Slots carried over with each change: the old table is gone before the new one has grown by a twentieth, since both take memory.
    private static let carried = 32

    private var table: Table
    /// What has not been carried over yet: the slots of the old table from `cursor` on.
    private var old: Table?
    private var cursor = 0
    private(set) var count = 0
    private let secret: UInt64
    private let multiplier: UInt64

    /// `secret` is any random number.
    init(secret: UInt64) {
        self.secret = secret
        multiplier = (secret &* 0xD6E8_FEB8_6659_FD93) | 1
        table = Table(capacity: 64)
    }

    /// 32 bits, by which entries find their home.
    @inline(__always)
    private func mix(_ key: UInt64) -> UInt64 {
        var mixed = key ^ secret
        mixed = (mixed ^ (mixed >> 32)) &* multiplier
        mixed = (mixed ^ (mixed >> 29)) &* 0x9E37_79B9_7F4A_7C15
        return mixed >> 32
    }

    /// The key's owner.
    @inline(__always)
    func find(_ key: UInt64) -> UInt32? {
        let hash = mix(key)
        if let slot = table.position(key, hash) { return table.owner(slot) }
        return findOld(key, hash)
    }

    /// Asks for the memory in which `find` will look first.
    @inline(__always)
    func prefetch(_ key: UInt64) {
        table.prefetch(mix(key))
    }

    @inline(__always)
    private func findOld(_ key: UInt64, _ hash: UInt64) -> UInt32? {
        guard let slot = old?.position(key, hash, from: cursor) else { return nil }
        return old?.owner(slot)
    }

    /// False when the key is there already: it is never registered twice. False too when no memory could be had.
    mutating func insert(_ key: UInt64, _ owner: UInt32) -> Bool {
        guard owner < Table.removed, find(key) == nil else { return false }
        carry()
        if old == nil, count &* 10 >= table.capacity &* 7 { grow() }
        guard count < table.capacity &- 1 else { return false }
        table.place(key, owner, mix(key))
        count &+= 1
        return true
    }

    /// Removes the key if it belongs to `owner`.
    mutating func remove(_ key: UInt64, _ owner: UInt32) {
        let hash = mix(key)
        if let slot = table.position(key, hash) {
            guard table.owner(slot) == owner else { return }
            closeGap(slot)
        } else {
            guard let slot = old?.position(key, hash, from: cursor), old?.owner(slot) == owner else { return }
            old?.forget(slot)
        }
        count &-= 1
        carry()
    }

    /// Entries behind a hole move up as far as their home allows, so that no search ends at the hole too early.
    private mutating func closeGap(_ slot: Int) {
        var hole = slot, next = table.after(slot)
        while table.isTaken(next) {
            let home = table.home(mix(table.key(next)))
            if table.distance(from: home, to: next) >= table.distance(from: hole, to: next) {
                table.move(next, to: hole)
                hole = next
            }
            next = table.after(next)
        }
        table.clear(hole)
    }

    // MARK: growing

    private mutating func grow() {
        var bigger = Table(capacity: table.capacity &+ table.capacity / 4)
        guard bigger.isUsable else { return }
        swap(&table, &bigger)
        old = consume bigger
        cursor = 0
    }

    /// Carries a few entries over into the larger table.
    private mutating func carry() {
        guard let end = old?.capacity else { return }
        for _ in 0..<Self.carried where cursor < end {
            if let key = old?.key(cursor), let owner = old?.owner(cursor), owner != Table.free, owner != Table.removed {
                table.place(key, owner, mix(key))
            }
            cursor &+= 1
        }
        old?.forgetPages(below: cursor)
        if cursor >= end { old = nil }
    }

    /// Slots in memory of its own. A slot of zeros is free: the owner is kept one higher.
    private struct Table: ~Copyable {
        static let removed = UInt32.max - 1
        static let free = UInt32.max
        private static let pageSize = 65_536

        /// The key's bytes in two pieces: in one it would want four bytes more.
        private struct Slot {
            var key: (UInt32, UInt32) = (0, 0)
            var ownerAndOne: UInt32 = 0
        }

        private var slots: UnsafeMutablePointer<Slot>
        let capacity: Int
        private(set) var isUsable = true
        /// It has pages of its own; those below have been given back.
        private let isMapped: Bool
        private var forgotten = 0

        init(capacity: Int) {
            self.capacity = capacity
            let length = capacity &* MemoryLayout<Slot>.stride
            let wantsPages = length >= Self.pageSize
            let pages = wantsPages ? jumping_pages_allocate(length) : nil
            isMapped = pages != nil
            if let pages {
                slots = pages.assumingMemoryBound(to: Slot.self)
            } else {
                slots = .allocate(capacity: wantsPages ? 1 : capacity)
                isUsable = !wantsPages
                slots.initialize(repeating: Slot(), count: isUsable ? capacity : 1)
            }
        }

        deinit {
            if isMapped {
                jumping_pages_release(slots, capacity &* MemoryLayout<Slot>.stride)
            } else {
                slots.deallocate()
            }
        }

        @inline(__always)
        func key(_ slot: Int) -> UInt64 { UnsafeRawPointer(slots + slot).loadUnaligned(as: UInt64.self) }

        /// `free` where there is no entry, `removed` where there was one.
        @inline(__always)
        func owner(_ slot: Int) -> UInt32 { slots[slot].ownerAndOne &- 1 }

        @inline(__always)
        func isTaken(_ slot: Int) -> Bool { slots[slot].ownerAndOne != 0 }

        /// Where a key of this hash would lie in an empty table: as far along the table as the hash is among all hashes.
        @inline(__always)
        func home(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: (hash &* UInt64(truncatingIfNeeded: capacity)) >> 32) }

        @inline(__always)
        func after(_ slot: Int) -> Int { slot &+ 1 == capacity ? 0 : slot &+ 1 }

        func distance(from first: Int, to last: Int) -> Int { last >= first ? last &- first : last &- first &+ capacity }

        @inline(__always)
        func prefetch(_ hash: UInt64) {
            jumping_prefetch(slots + home(hash), 1)
        }

        @inline(__always)
        func position(_ key: UInt64, _ hash: UInt64) -> Int? {
            var slot = home(hash)
            while isTaken(slot) {
                if self.key(slot) == key { return slot }
                slot = after(slot)
            }
            return nil
        }

        /// Like `position`, while the slots below `cursor` count as taken by others: they have been carried over. Apart, and of the table, not of
        /// the index: whatever an index lends itself to is given a copy of it.
        @inline(never)
        func position(_ key: UInt64, _ hash: UInt64, from cursor: Int) -> Int? {
            var slot = home(hash)
            for _ in cursor..<capacity {
                if slot < cursor { slot = cursor }
                guard slot < capacity, isTaken(slot) else { return nil }
                if self.key(slot) == key, owner(slot) != Self.removed { return slot }
                slot = after(slot)
            }
            return nil
        }

        mutating func place(_ key: UInt64, _ owner: UInt32, _ hash: UInt64) {
            var slot = home(hash)
            while isTaken(slot) { slot = after(slot) }
            slots[slot].ownerAndOne = owner &+ 1
            UnsafeMutableRawPointer(slots + slot).storeBytes(of: key, as: UInt64.self)
        }

        mutating func move(_ slot: Int, to target: Int) {
            slots[target] = slots[slot]
        }

        mutating func clear(_ slot: Int) {
            slots[slot].ownerAndOne = 0
        }

        /// The slot stays taken, so that searches go on behind it.
        mutating func forget(_ slot: Int) {
            slots[slot].ownerAndOne = Self.removed &+ 1
        }

        /// Gives back the pages of which all slots below `end` have been carried over.
        mutating func forgetPages(below end: Int) {
            let whole = end &* MemoryLayout<Slot>.stride / Self.pageSize &* Self.pageSize
            guard isMapped, whole > forgotten else { return }
            jumping_pages_forget(UnsafeMutableRawPointer(slots) + forgotten, whole &- forgotten)
            forgotten = whole
        }
    }
}
