import JumpingWire

/// Copies of what is in flight, over a standby, by a window and a share of their own.
extension DeliverySender {
    /// Copies go to this path from now on; `.max`: to none. Only what is sent from now on, or all that is in flight as well.
    package mutating func copy(to path: UInt32, datagramSize: Int, fromOldest: Bool) {
        if path != copyCarrier, path != .max { copies = CongestionController(datagramSize: datagramSize) }
        copyCarrier = path
        copiedOrdinal = fromOldest ? 0 : nextOrdinal &- 1
    }

    /// Writes the next datagram to be copied once more, when share and window allow it; false when there is none.
    package mutating func writeCopy(_ writer: inout ByteWriter, _ roundTrip: RoundTrip) -> Bool {
        guard copyCarrier != .max, ledger.hasRoom else { return false }
        while let (entry, frame) = nextToCopy, copyBudget >= Int(entry.size), copies.mayBeSent >= Int(entry.size) {
            copiedOrdinal = entry.ordinal
            for j in frame..<(frame &+ Int(entry.frameCount)) { rewrite(ledger.frames[j].pointee, &writer) }
            if ledger.isOpen { return true }
        }
        return false
    }

    /// The oldest datagram in flight that has not been copied, and where its frames are. Mostly it is the newest one, so the search begins there.
    private var nextToCopy: (entry: LedgerEntry, frame: Int)? {
        var i = ledger.entries.count, frame = ledger.frames.count
        var found: (entry: LedgerEntry, frame: Int)?
        while i > 0 {
            i &-= 1
            let entry = ledger.entries[i].pointee
            frame &-= Int(entry.frameCount)
            guard entry.fate != .copy else { continue }
            guard Self.isBefore(copiedOrdinal, entry.ordinal) else { break }
            if entry.fate == .inFlight { found = (entry, frame) }
        }
        return found
    }

    /// A frame as it was, unless what it carried has arrived since.
    private mutating func rewrite(_ frame: SentFrame, _ writer: inout ByteWriter) {
        guard frame.kind != .maxData, let ring = channels[Int(frame.channel)], case .payload(let payload) = ring.pointee[frame.sequence],
              payload.pointee.isAbandoned == (frame.kind == .abandoned) else { return }
        let block = ProtectedFrame.blockLength, length = Int(payload.pointee.length)
        let start = Int(frame.firstBlock) &* block, end = min(start &+ Int(frame.blockCount) &* block, length)
        if frame.kind == .abandoned {
            guard writer.room >= AbandonedPayload.length else { return }
            writer.abandoned(AbandonedPayload(channel: frame.channel, sequence: UInt32(truncatingIfNeeded: frame.sequence), credit: payload.pointee.credit))
        } else if end &- start == length {
            guard writer.room >= ProtectedFrame.headerLength &+ length else { return }
            writer.protected(channel: frame.channel, sequence: frame.sequence, length: length)
            writer.copy(UnsafeRawBufferPointer(start: payload.bytes, count: length))
        } else {
            guard writer.room >= ProtectedFrame.fragmentHeaderLength &+ end &- start else { return }
            writer.fragment(channel: frame.channel, sequence: frame.sequence, payloadLength: length, firstBlock: Int(frame.firstBlock), length: end &- start)
            writer.copy(UnsafeRawBufferPointer(start: payload.bytes + start, count: end &- start))
        }
        ledger.note(frame)
    }

    package mutating func noteCopySent(_ number: UInt64, size: Int, now: UInt64, _ roundTrip: RoundTrip) {
        ledger.close(number: number, size: size, ordinal: 0, fate: .copy, now: now)
        copyBudget &-= size
        copies.noteSent(size, now: now, roundTrip: roundTrip.smoothed)
    }
}
