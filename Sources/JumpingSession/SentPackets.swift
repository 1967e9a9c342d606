/// What became of a datagram that asked for an acknowledgement.
package enum SentFate: UInt64 {
    case outstanding = 0
    case acknowledged = 1
    /// Covered by an acknowledgement that did not name it; lost once it is older than the path's deadline.
    case missing = 2
    case lost = 3
    case unsent = 4
}

/// One sent datagram: packet number, when, on which path slot, and its fate, in 16 bytes.
package struct SentPacket {
    package let number: UInt64
    private var packed: UInt64

    package init(number: UInt64, sentAt: UInt64, slot: Int) {
        self.number = number
        packed = sentAt << 8 | UInt64(slot & 0xF) << 4
    }

    /// Microseconds, modulo 2⁵⁶ (2,284 years).
    package var sentAt: UInt64 { packed >> 8 }
    package var slot: Int { Int(packed >> 4 & 0xF) }
    package var fate: SentFate {
        get { SentFate(rawValue: packed & 0xF) ?? .unsent }
        set { packed = packed & ~0xF | newValue.rawValue }
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
            if age < span, strideShift < 20, !isProbe {
                strideShift &+= 1
            } else if age > span &* 4, strideShift > 0 {
                strideShift &-= 1
            }
            head = (head &+ 1) & (Self.capacity &- 1)
            count &-= 1
        }
        if entries == nil { entries = .allocate(capacity: Self.capacity) }
        count &+= 1
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
