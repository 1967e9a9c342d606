/// A 64-bit key to two 32-bit values: connection id to (session, path index), handshake id to session, session id to session.
/// Open addressing with backward-shift deletion; keys are mixed with a secret so that a peer cannot choose buckets.
struct HashIndex: ~Copyable {
    struct Entry {
        var key: UInt64
        var first: UInt32
        var second: UInt32
    }

    private static let emptySlot = UInt32.max
    private var entries: UnsafeMutablePointer<Entry>
    private var capacity: Int
    private(set) var count = 0
    private let secret: UInt64
    private let multiplier: UInt64

    /// `secret` is any random number.
    init(secret: UInt64) {
        self.secret = secret
        multiplier = (secret &* 0xD6E8_FEB8_6659_FD93) | 1
        capacity = 64
        entries = Self.empty(64)
    }

    deinit {
        entries.deallocate()
    }

    private static func empty(_ capacity: Int) -> UnsafeMutablePointer<Entry> {
        let entries = UnsafeMutablePointer<Entry>.allocate(capacity: capacity)
        entries.initialize(repeating: Entry(key: 0, first: emptySlot, second: 0), count: capacity)
        return entries
    }

    private func home(_ key: UInt64) -> Int {
        var mixed = key ^ secret
        mixed = (mixed ^ (mixed >> 32)) &* multiplier
        mixed = (mixed ^ (mixed >> 29)) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: mixed >> 32) & (capacity &- 1)
    }

    private func position(_ key: UInt64) -> Int? {
        var i = home(key)
        while entries[i].first != Self.emptySlot {
            if entries[i].key == key { return i }
            i = (i &+ 1) & (capacity &- 1)
        }
        return nil
    }

    func find(_ key: UInt64) -> Entry? {
        position(key).map { entries[$0] }
    }

    /// False when the key is there already: it is never registered twice.
    mutating func insert(_ key: UInt64, _ first: UInt32, _ second: UInt32 = 0) -> Bool {
        guard first != Self.emptySlot, position(key) == nil else { return false }
        if count &* 4 >= capacity &* 3 { grow() }
        place(Entry(key: key, first: first, second: second))
        count &+= 1
        return true
    }

    /// Removes the key if it belongs to `first`.
    mutating func remove(_ key: UInt64, _ first: UInt32) {
        guard var hole = position(key), entries[hole].first == first else { return }
        count &-= 1
        var next = (hole &+ 1) & (capacity &- 1)
        while entries[next].first != Self.emptySlot {
            let distanceFromHome = (next &- home(entries[next].key)) & (capacity &- 1)
            if distanceFromHome >= (next &- hole) & (capacity &- 1) {
                entries[hole] = entries[next]
                hole = next
            }
            next = (next &+ 1) & (capacity &- 1)
        }
        entries[hole].first = Self.emptySlot
    }

    private mutating func place(_ entry: Entry) {
        var i = home(entry.key)
        while entries[i].first != Self.emptySlot { i = (i &+ 1) & (capacity &- 1) }
        entries[i] = entry
    }

    private mutating func grow() {
        let old = entries, oldCapacity = capacity
        capacity = capacity &* 2
        entries = Self.empty(capacity)
        for i in 0..<oldCapacity where old[i].first != Self.emptySlot { place(old[i]) }
        old.deallocate()
    }
}
