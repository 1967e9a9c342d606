/// What became of a datagram that asked for an acknowledgement.
package enum SentFate: UInt8 {
    case outstanding = 0
    case acknowledged = 1
    /// Covered by an acknowledgement that did not name it; lost once it has been so for the path's reordering tolerance.
    case missing = 2
    case lost = 3
    case unsent = 4
}

/// One sent datagram, in 24 bytes: packet number, when, on which path slot, and its fate. Times in microseconds.
package struct SentPacket {
    package let number: UInt64
    package let sentAt: UInt64
    private var missingSince: UInt32 = 0
    private let slotNumber: UInt8
    package var fate = SentFate.outstanding

    package init(number: UInt64, sentAt: UInt64, slot: Int) {
        self.number = number
        self.sentAt = sentAt
        slotNumber = UInt8(truncatingIfNeeded: slot)
    }

    package var slot: Int { Int(slotNumber) }

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
/// time detection looks back on; loss and RTT are then measured on that sample.
@usableFromInline
package struct SentPackets: ~Copyable {
    package static let capacity = 64
    private var entries: UnsafeMutablePointer<SentPacket>?
    private var head = 0
    package private(set) var count = 0
    /// Keep packet numbers divisible by 2^strideShift.
    private var strideShift: UInt64 = 0
    private var keptSinceChange = 0

    package init() {}

    deinit {
        entries?.deallocate()
    }

    package subscript(_ index: Int) -> SentPacket {
        get { entries.map { $0[(head &+ index) & (Self.capacity &- 1)] } ?? SentPacket(number: 0, sentAt: 0, slot: 0) }
        set { entries?[(head &+ index) & (Self.capacity &- 1)] = newValue }
    }

    /// Remembers a send. `span` is how far back detection looks; `isProbe` is kept whatever the sampling.
    package mutating func record(_ packet: SentPacket, span: UInt64, isProbe: Bool) {
        let mask = (UInt64(1) << strideShift) &- 1
        guard isProbe || packet.number & mask == 0 else { return }
        if count == Self.capacity {
            let oldest = self[0]
            let age = packet.sentAt &- oldest.sentAt
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
            head = (head &+ 1) & (Self.capacity &- 1)
            count &-= 1
        }
        if entries == nil { entries = .allocate(capacity: Self.capacity) }
        count &+= 1
        keptSinceChange &+= 1
        self[count &- 1] = packet
    }

    /// Forgets every send of a path slot (the slot is about to be used for another path).
    package mutating func forget(slot: Int) {
        for i in 0..<count where self[i].slot == slot { self[i].fate = .unsent }
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
