/// What became of a datagram that asked for an acknowledgement.
package enum SentFate: UInt8 {
    case outstanding = 0
    case acknowledged = 1
    /// Covered by an acknowledgement that did not name it; lost once it has been so for the path's reordering tolerance.
    case missing = 2
    case lost = 3
    case unsent = 4
}

/// One sent datagram: packet number, when, on which path slot, and its fate. Times in microseconds.
package struct SentPacket {
    package let number: UInt64
    package let sentAt: UInt64
    fileprivate var missingSince: UInt32 = 0
    /// Path slot, and in the highest bit whether it was long.
    fileprivate let slotNumber: UInt8
    package var fate = SentFate.outstanding

    /// `isLong`: longer than what every path carries (`PathMTU.base`).
    package init(number: UInt64, sentAt: UInt64, slot: Int, isLong: Bool = false) {
        self.number = number
        self.sentAt = sentAt
        slotNumber = UInt8(truncatingIfNeeded: slot) | (isLong ? 0x80 : 0)
    }

    package var slot: Int { Int(slotNumber & 0x7F) }
    package var isLong: Bool { slotNumber & 0x80 != 0 }

    package mutating func markMissing(_ now: UInt64) {
        fate = .missing
        missingSince = UInt32(truncatingIfNeeded: now)
    }

    /// How long it has been known to be missing, modulo 71 minutes; a packet is judged long before.
    package func missingFor(_ now: UInt64) -> UInt64 {
        UInt64(UInt32(truncatingIfNeeded: now) &- missingSince)
    }
}

/// The newest sends of a session, oldest first, at most 64. At high rates it keeps every 2ⁿth, so that it always spans the
/// time detection looks back on; loss and RTT are then measured on that sample. What is sent slowly is kept in full, however dense
/// the sends before it were. A session of moderate rate gets by with 16.
@usableFromInline
package struct SentPackets: ~Copyable {
    package static let capacity = 64

    /// A sent packet in 16 bytes: numbers and times by their low bits, since the newest of them is known in full.
    private struct Entry {
        var number: UInt32
        var sentAt: UInt32
        var missingSince: UInt32
        var sentAtHigh: UInt16
        var slot: UInt8
        var fate: SentFate
    }

    private var entries: UnsafeMutablePointer<Entry>?
    private var newestNumber: UInt64 = 0
    private var newestAt: UInt64 = 0
    private var head: UInt8 = 0
    private var length: UInt8 = 0
    private var room: UInt8 = 0
    /// Keep packet numbers divisible by 2^strideShift.
    private var strideShift: UInt8 = 0
    private var keptSinceChange: UInt16 = 0
    /// How many of those kept are missing: mostly none, and then nobody has to look for them.
    package private(set) var missing: UInt8 = 0

    package init() {}

    deinit {
        entries?.deallocate()
    }

    package var count: Int { Int(length) }

    @inline(__always)
    private func position(_ index: Int) -> Int {
        (Int(head) &+ index) & (Int(room) &- 1)
    }

    package subscript(_ index: Int) -> SentPacket {
        get {
            guard let entry = entries?[position(index)] else { return SentPacket(number: 0, sentAt: 0, slot: 0) }
            let number = newestNumber &- UInt64(UInt32(truncatingIfNeeded: newestNumber) &- entry.number)
            let low48 = UInt64(entry.sentAtHigh) << 32 | UInt64(entry.sentAt)
            let age = (newestAt &- low48) & (1 << 48 &- 1)
            var packet = SentPacket(number: number, sentAt: newestAt &- age, slot: Int(entry.slot & 0x7F), isLong: entry.slot & 0x80 != 0)
            packet.missingSince = entry.missingSince
            packet.fate = entry.fate
            return packet
        }
        set {
            guard let entry = entries.map({ $0 + position(index) }) else { return }
            noteChange(from: entry.pointee.fate, to: newValue.fate)
            entry.pointee.missingSince = newValue.missingSince
            entry.pointee.fate = newValue.fate
        }
    }

    /// Remembers a send. `span` is how far back detection looks; `isProbe` is kept whatever the sampling; `drops` is how many
    /// unanswered sends in a row detection counts. False: this one is not among those kept, so no acknowledgement will find it.
    @inline(__always)
    package mutating func record(_ packet: SentPacket, span: UInt64, isProbe: Bool, drops: UInt32) -> Bool {
        let mask = (UInt64(1) &<< UInt64(strideShift)) &- 1
        guard isProbe || packet.number & mask == 0 || packet.sentAt &- newestAt >= span / UInt64(Self.capacity / 2) else { return false }
        if length == room { makeRoom(packet.sentAt, span, drops) }
        newestNumber = packet.number
        newestAt = packet.sentAt
        length &+= 1
        keptSinceChange &+= 1
        entries?[position(count &- 1)] = Entry(number: UInt32(truncatingIfNeeded: packet.number), sentAt: UInt32(truncatingIfNeeded: packet.sentAt),
                                               missingSince: 0, sentAtHigh: UInt16(truncatingIfNeeded: packet.sentAt >> 32),
                                               slot: packet.slotNumber, fate: .outstanding)
        return true
    }

    @inline(never)
    private mutating func makeRoom(_ now: UInt64, _ span: UInt64, _ drops: UInt32) {
        let wanted = drops > 8 ? Self.capacity : drops > 4 ? Self.capacity / 2 : Self.capacity / 4
        guard count >= wanted else { return grow(to: wanted) }
        let age = now &- self[0].sentAt
        // A send that waits for its answer does not give way either: after a leap of the round trip all of them would, and no
        // acknowledgement would ever find its send.
        if count < Self.capacity, age < span || self[0].fate == .outstanding { return grow(to: count &* 2) }
        // Once a turn of the table: only then its age is that of the present stride.
        if keptSinceChange >= Self.capacity {
            if age < span, strideShift < 20 {
                strideShift &+= 1
                keptSinceChange = 0
            } else if age > span &* 4, strideShift > 0 {
                strideShift &-= 1
                keptSinceChange = 0
            }
        }
        if let oldest = entries?[position(0)] { noteChange(from: oldest.fate, to: .unsent) }
        head = UInt8(truncatingIfNeeded: position(1))
        length &-= 1
    }

    private mutating func grow(to bigger: Int) {
        let fresh = UnsafeMutablePointer<Entry>.allocate(capacity: bigger)
        if let entries {
            for i in 0..<count { (fresh + i).initialize(to: entries[position(i)]) }
            entries.deallocate()
        }
        entries = fresh
        head = 0
        room = UInt8(truncatingIfNeeded: bigger)
    }

    /// Forgets every send of a path slot (the slot is about to be used for another path).
    package mutating func forget(slot: Int) {
        for i in 0..<count where (entries?[position(i)].slot ?? 0) & 0x7F == UInt8(truncatingIfNeeded: slot) { self[i].fate = .unsent }
    }

    @inline(__always)
    private mutating func noteChange(from old: SentFate, to new: SentFate) {
        if old == .missing { missing &-= 1 }
        if new == .missing { missing &+= 1 }
    }

    /// Gives the memory back; what was sent is forgotten.
    package mutating func drop() {
        entries?.deallocate()
        entries = nil
        length = 0
        room = 0
        missing = 0
    }

    /// Index of a packet number, or nil when it was not kept. Newest first: it is usually near the end.
    package func find(_ number: UInt64) -> Int? {
        var i = count
        while i > 0 {
            i &-= 1
            let candidate = self[i].number
            if candidate == number { return i }
            if candidate < number { return nil }
        }
        return nil
    }
}
