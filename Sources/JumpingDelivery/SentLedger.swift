import JumpingWire

/// What a datagram carried that must not get lost.
struct SentFrame {
    enum Kind: UInt8 {
        case blocks, abandoned, maxData
    }

    let sequence: UInt64
    let firstBlock: UInt16
    let blockCount: UInt16
    let channel: UInt8
    let kind: Kind
    /// How often what it carries had been lost before it left, as far as that matters.
    var losses: UInt8 = 0
}

/// A datagram with such frames.
struct LedgerEntry {
    enum Fate: UInt8 {
        case inFlight, acknowledged, lost
        /// Its path was left; what it carried has been sent again.
        case superseded
        /// Sent on a standby besides: it is nobody's loss, but when it arrives so has what it carried.
        case copy
    }

    let number: UInt64
    let sentAt: UInt64
    /// Which datagram with such frames it is of this path.
    let ordinal: UInt32
    let size: UInt16
    let frameCount: UInt8
    var fate: Fate
}

/// Every datagram with protected frames from the oldest that is in flight on, with what it carried (RFC 9002 §A.1): unlike the sample that
/// path detection lives on, without a gap. When it is full nothing more is sent until the oldest has its fate.
struct SentLedger: ~Copyable {
    private(set) var entries = Ring<LedgerEntry>(limit: 4096)
    private(set) var frames = Ring<SentFrame>(limit: 16_384)
    /// Frames of the datagram that is being written.
    private(set) var openFrames = 0

    init() {}

    static let framesAtMost = 64

    /// One more datagram with as many frames as there may be.
    var hasRoom: Bool { !entries.isFull && frames.count &+ Self.framesAtMost <= frames.limit }

    /// The same for two datagrams, had the oldest ones and their frames been retired.
    func hasRoom(besides entryCount: Int, _ frameCount: Int) -> Bool {
        entries.count &- entryCount &+ 2 <= entries.limit && frames.count &- frameCount &+ 2 &* Self.framesAtMost <= frames.limit
    }

    mutating func note(_ frame: SentFrame) {
        frames.append(frame)
        openFrames &+= 1
    }

    var isOpen: Bool { openFrames > 0 }

    /// The datagram that carries the frames noted since the last one.
    mutating func close(number: UInt64, size: Int, ordinal: UInt32, fate: LedgerEntry.Fate = .inFlight, now: UInt64) {
        guard openFrames > 0 else { return }
        entries.append(LedgerEntry(number: number, sentAt: now, ordinal: ordinal, size: UInt16(clamping: size),
                                   frameCount: UInt8(truncatingIfNeeded: openFrames), fate: fate))
        openFrames = 0
    }

    /// A datagram of which nothing is sent again.
    mutating func add(number: UInt64, size: Int, ordinal: UInt32, now: UInt64) {
        entries.append(LedgerEntry(number: number, sentAt: now, ordinal: ordinal, size: UInt16(clamping: size), frameCount: 0, fate: .inFlight))
    }

    /// Forgets the oldest datagrams whose fate is decided; lost ones are kept a while, since they may have been merely late.
    mutating func retire(before time: UInt64) {
        while entries.count > 0 {
            let oldest = entries[0].pointee
            let isDecided = oldest.fate == .lost || oldest.fate == .superseded
            guard oldest.fate == .acknowledged || isDecided && (oldest.sentAt < time || !hasRoom(besides: 0, 0)) else { return }
            frames.removeFirst(Int(oldest.frameCount))
            entries.removeFirst()
        }
    }
}
