import CJumping

/// A 64-bit key to two 32-bit values: connection id to (session, path index), handshake id to session, session id to session.
/// Open addressing; keys are mixed with a secret so that a peer cannot choose buckets.
///
/// It grows without a pause: the larger table begins empty, each later change carries a few entries over, and the old table's memory is
/// given back page by page on the way. Until that has ended, a key may be in either.
struct HashIndex: ~Copyable {
    struct Entry {
        var key: UInt64
        var first: UInt32
        var second: UInt32
    }

    /// Entries carried over with each change: the old table is empty long before the new one could be full.
    private static let carried = 16

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

    @inline(__always)
    private func mix(_ key: UInt64) -> UInt64 {
        var mixed = key ^ secret
        mixed = (mixed ^ (mixed >> 32)) &* multiplier
        mixed = (mixed ^ (mixed >> 29)) &* 0x9E37_79B9_7F4A_7C15
        return mixed >> 32
    }

    @inline(__always)
    func find(_ key: UInt64) -> Entry? {
        let hash = mix(key)
        if let slot = table.position(key, hash) { return table[slot] }
        return findOld(key, hash)
    }

    /// Asks for the memory in which `find` will look first.
    @inline(__always)
    func prefetch(_ key: UInt64) {
        table.prefetch(mix(key))
    }

    @inline(never)
    private func findOld(_ key: UInt64, _ hash: UInt64) -> Entry? {
        guard let slot = old?.position(key, hash, from: cursor) else { return nil }
        return old?.entry(slot)
    }

    /// False when the key is there already: it is never registered twice. False too when no memory could be had.
    mutating func insert(_ key: UInt64, _ first: UInt32, _ second: UInt32 = 0) -> Bool {
        guard first < Table.removed, find(key) == nil else { return false }
        carry()
        if old == nil, count &* 5 >= table.capacity &* 4 { grow() }
        guard count < table.capacity &- 1 else { return false }
        let entry = Entry(key: key, first: first, second: second)
        table.place(entry, mix(key))
        count &+= 1
        return true
    }

    /// Removes the key if it belongs to `first`.
    mutating func remove(_ key: UInt64, _ first: UInt32) {
        let hash = mix(key)
        if let slot = table.position(key, hash) {
            guard table[slot].first == first else { return }
            closeGap(slot)
        } else {
            guard let slot = old?.position(key, hash, from: cursor), old?.entry(slot)?.first == first else { return }
            old?.forget(slot)
        }
        count &-= 1
        carry()
    }

    /// Entries behind a hole move up as far as their home allows, so that no search ends at the hole too early.
    private mutating func closeGap(_ slot: Int) {
        var hole = slot, next = table.after(slot)
        while table.isTaken(next) {
            let home = Int(truncatingIfNeeded: mix(table[next].key)) & (table.capacity &- 1)
            if (next &- home) & (table.capacity &- 1) >= (next &- hole) & (table.capacity &- 1) {
                table.move(next, to: hole)
                hole = next
            }
            next = table.after(next)
        }
        table.clear(hole)
    }

    // MARK: growing

    private mutating func grow() {
        var bigger = Table(capacity: table.capacity &* 2)
        guard bigger.isUsable else { return }
        swap(&table, &bigger)
        old = consume bigger
        cursor = 0
    }

    /// Carries a few entries over into the larger table.
    private mutating func carry() {
        guard let end = old?.capacity else { return }
        for _ in 0..<Self.carried where cursor < end {
            if let entry = old?.entry(cursor) { table.place(entry, mix(entry.key)) }
            cursor &+= 1
        }
        old?.forgetPages(below: cursor)
        if cursor >= end { old = nil }
    }

    /// Slots in memory of its own. A slot of zeros is free: `first` is kept one higher.
    private struct Table: ~Copyable {
        static let removed = UInt32.max - 1
        private static let pageSize = 65_536
        private var slots: UnsafeMutablePointer<Entry>
        let capacity: Int
        private(set) var isUsable = true
        /// It has pages of its own.
        private let isMapped: Bool

        init(capacity: Int) {
            self.capacity = capacity
            let length = capacity &* MemoryLayout<Entry>.stride
            let pages = length >= 4 &* Self.pageSize ? jumping_pages_allocate(length) : nil
            isMapped = pages != nil
            if let pages {
                slots = pages.assumingMemoryBound(to: Entry.self)
            } else {
                slots = .allocate(capacity: length >= 4 &* Self.pageSize ? 1 : capacity)
                isUsable = length < 4 &* Self.pageSize
                slots.initialize(repeating: Entry(key: 0, first: 0, second: 0), count: isUsable ? capacity : 1)
            }
        }

        deinit {
            if isMapped {
                jumping_pages_release(slots, capacity &* MemoryLayout<Entry>.stride)
            } else {
                slots.deallocate()
            }
        }

        @inline(__always)
        subscript(_ slot: Int) -> Entry {
            var entry = slots[slot]
            entry.first &-= 1
            return entry
        }

        @inline(__always)
        func isTaken(_ slot: Int) -> Bool { slots[slot].first != 0 }

        @inline(__always)
        func after(_ slot: Int) -> Int { (slot &+ 1) & (capacity &- 1) }

        @inline(__always)
        func prefetch(_ hash: UInt64) {
            jumping_prefetch(slots + (Int(truncatingIfNeeded: hash) & (capacity &- 1)), 1)
        }

        @inline(__always)
        func position(_ key: UInt64, _ hash: UInt64) -> Int? {
            var slot = Int(truncatingIfNeeded: hash) & (capacity &- 1)
            while isTaken(slot) {
                if slots[slot].key == key { return slot }
                slot = after(slot)
            }
            return nil
        }

        /// Like `position`, while the slots below `cursor` count as taken by others: they have been carried over.
        func position(_ key: UInt64, _ hash: UInt64, from cursor: Int) -> Int? {
            var slot = Int(truncatingIfNeeded: hash) & (capacity &- 1)
            for _ in cursor..<capacity {
                if slot < cursor { slot = cursor }
                guard slot < capacity, isTaken(slot) else { return nil }
                if slots[slot].key == key, self[slot].first != Self.removed { return slot }
                slot = after(slot)
            }
            return nil
        }

        mutating func place(_ entry: Entry, _ hash: UInt64) {
            var slot = Int(truncatingIfNeeded: hash) & (capacity &- 1)
            while isTaken(slot) { slot = after(slot) }
            slots[slot] = Entry(key: entry.key, first: entry.first &+ 1, second: entry.second)
        }

        mutating func move(_ slot: Int, to target: Int) {
            slots[target] = slots[slot]
        }

        mutating func clear(_ slot: Int) {
            slots[slot].first = 0
        }

        /// The slot stays taken, so that searches go on behind it.
        mutating func forget(_ slot: Int) {
            slots[slot].first = Self.removed &+ 1
        }

        func entry(_ slot: Int) -> Entry? {
            isTaken(slot) && self[slot].first != Self.removed ? self[slot] : nil
        }

        /// Gives back a page that all slots of have been carried over, as `end` passes its end.
        func forgetPages(below end: Int) {
            let bytes = end &* MemoryLayout<Entry>.stride
            guard isMapped, bytes % Self.pageSize == 0, bytes > 0 else { return }
            jumping_pages_forget(UnsafeMutableRawPointer(slots) + (bytes &- Self.pageSize), Self.pageSize)
        }
    }
}
