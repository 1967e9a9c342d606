import JumpingWire

/// What became of an offered payload.
package enum Offer {
    case taken(sequence: UInt64)
    /// The session's own buffer, or the count of payloads under way, is full.
    case bufferFull
    /// The endpoint's memory is.
    case memoryFull
}

/// What path the datagrams take, as far as recovery needs to know it. Times in microseconds.
package struct RoundTrip {
    package let smoothed: UInt64
    package let probeTimeout: UInt64
    /// A send that an acknowledgement of a later one passed over is lost when it is this old.
    package let lossDelay: UInt64

    package init(smoothed: UInt64, probeTimeout: UInt64, lossDelay: UInt64) {
        self.smoothed = smoothed
        self.probeTimeout = probeTimeout
        self.lossDelay = lossDelay
    }
}

/// A payload whose fate is known and which the host asked about.
package struct SettledPayload {
    package let tag: UInt64
    package let sequence: UInt64
    package let length: UInt32
    package let channel: UInt8
    /// Else its time to live is over.
    package let isAcknowledged: Bool
}

package struct DeliveryCounters {
    package var sent: UInt64 = 0
    package var acknowledged: UInt64 = 0
    package var expired: UInt64 = 0
    package var datagramsLost: UInt64 = 0
    package var datagramsSpuriouslyLost: UInt64 = 0
    package var bytesResent: UInt64 = 0
    package var probeTimeouts: UInt64 = 0
}

/// The sending half of protected delivery: payloads that wait, what is in flight, what must go again. One path at a time carries it:
/// when that changes, all that is in flight goes again there (`move`), under a new congestion window (RFC 9000 §9.4).
package struct DeliverySender: ~Copyable {
    /// RFC 9002 §6.1.1.
    private static let initialPacketThreshold: UInt32 = 3
    private static let packetThresholdAtMost: UInt32 = 256
    /// What a peer takes before it has said so: a flight of RFC 9002's initial window, and more than any one round trip needs at the start.
    package static let initialCredit: UInt64 = 65_536

    private var channels = Channels()
    private var fresh = PayloadList(.fresh)
    private var resend = PayloadList(.resend)
    private var ledger = SentLedger()
    package private(set) var congestion: CongestionController
    /// Id of the path that carries it; `.max` before there is one.
    package private(set) var carrier = UInt32.max

    // Flow control, in bytes and fixed charges since the beginning
    private var credit = DeliverySender.initialCredit
    private var begun: UInt64 = 0

    /// What the host's payloads take, charges included, and what they may.
    package private(set) var buffered = 0
    package let bufferLimit: Int
    package private(set) var payloadCount = 0
    /// The host was refused and waits to hear that there is room.
    package var isWritableWanted = false

    // Loss detection (RFC 9002 §6)
    private var nextOrdinal: UInt32 = 1
    private var largestAcknowledged: UInt32 = 0
    private var packetThreshold = DeliverySender.initialPacketThreshold
    private var lossTime = UInt64.max
    private var lastSentAt: UInt64 = 0
    private var probeCount: UInt32 = 0
    /// Datagrams that may leave whatever the window says.
    private var probesLeft = 0
    private var wasWindowLimited = false
    /// No payload's time to live ends before.
    package private(set) var earliestDeadline = UInt64.max
    /// With the payloads under way never more than their limit.
    private var settled = Ring<SettledPayload>(limit: SequenceRing.limit)
    package private(set) var counters = DeliveryCounters()

    init(bufferLimit: Int) {
        self.bufferLimit = bufferLimit
        congestion = CongestionController(datagramSize: 1200)
    }

    /// Everything goes back; nothing is sent any more.
    mutating func clear(_ pool: inout PayloadPool) {
        for i in 0..<ProtectedFrame.channels {
            guard let ring = channels[i] else { continue }
            var from: UInt64 = 0
            while let payload = ring.pointee.firstPayload(from: from) {
                from = payload.pointee.sequence &+ 1
                drop(payload, ring, &pool)
            }
        }
    }

    // MARK: offering

    package mutating func offer(_ bytes: UnsafeRawPointer?, length: Int, channel: UInt8, deadline: UInt64, tag: UInt64, wantsReport: Bool,
                                _ pool: inout PayloadPool) -> Offer {
        let charge = Payload.charge(length)
        let ring = channels.made(channel)
        guard buffered &+ charge <= bufferLimit, payloadCount &+ settled.count < SequenceRing.limit, !ring.pointee.isFull else {
            isWritableWanted = true
            return .bufferFull
        }
        guard pool.allows(PayloadPool.size(length), held: buffered) else {
            isWritableWanted = true
            return .memoryFull
        }
        let sequence = ring.pointee.next
        let payload = pool.make(length: length, channel: channel, sequence: sequence)
        payload.pointee.deadline = deadline
        payload.pointee.tag = tag
        payload.pointee.wantsReport = wantsReport
        payload.resetBlocks(isPending: true)
        if let bytes, length > 0 { payload.bytes.copyMemory(from: bytes, byteCount: length) }
        ring.pointee.set(sequence, payload)
        fresh.append(payload)
        buffered &+= charge
        payloadCount &+= 1
        earliestDeadline = min(earliestDeadline, deadline)
        counters.sent &+= 1
        return .taken(sequence: sequence)
    }

    /// The host was refused, and there is room again: half of the buffer, so that it is not called for every payload.
    package func isWritable(_ pool: borrowing PayloadPool) -> Bool {
        buffered <= bufferLimit / 2 && payloadCount &+ settled.count <= SequenceRing.limit / 2 && pool.allows(bufferLimit / 16, held: buffered)
    }

    private mutating func drop(_ payload: Payload, _ ring: UnsafeMutablePointer<SequenceRing>, _ pool: inout PayloadPool) {
        buffered &-= payload.charge
        payloadCount &-= 1
        unlist(payload)
        ring.pointee.setDone(payload.pointee.sequence)
        pool.giveBack(payload)
    }

    private mutating func unlist(_ payload: Payload) {
        fresh.remove(payload)
        resend.remove(payload)
    }

    // MARK: what waits

    /// The next payload with something to send that the peer's credit allows. Anything that goes again comes first.
    private var next: Payload? {
        if let payload = resend.first { return payload }
        guard let payload = fresh.first else { return nil }
        return payload.pointee.isStarted || begun < credit ? payload : nil
    }

    /// Something waits, whether it may leave now or not.
    package var hasPending: Bool { next != nil }

    package var isInFlight: Bool { congestion.bytesInFlight > 0 }

    /// When something may leave: `now` or earlier for at once, `.max` when nothing waits or only an acknowledgement can help.
    package mutating func sendTime(_ now: UInt64, _ roundTrip: RoundTrip) -> UInt64 {
        guard hasPending, ledger.hasRoom else { return .max }
        if probesLeft > 0 { return now }
        // A datagram less than full is better sent than held.
        guard congestion.mayBeSent >= congestion.datagramSize || congestion.bytesInFlight == 0 else {
            wasWindowLimited = true
            return .max
        }
        return congestion.nextSendAt(now, roundTrip: roundTrip.smoothed)
    }

    // MARK: writing a datagram

    /// Writes what fits; `note` must follow with the datagram's number and size before anything else happens.
    package mutating func write(_ writer: inout ByteWriter) {
        var frames = 0
        while frames < SentLedger.framesAtMost, let payload = next {
            guard write(payload, &writer) else { return }
            frames &+= 1
        }
    }

    /// One frame of it; false when there was no room.
    private mutating func write(_ payload: Payload, _ writer: inout ByteWriter) -> Bool {
        if payload.pointee.isAbandoned { return writeAbandoned(payload, &writer) }
        let length = Int(payload.pointee.length), block = ProtectedFrame.blockLength
        if length &+ ProtectedFrame.headerLength <= writer.room, payload.pointee.firstPending == 0,
           let run = payload.nextPending(atMost: payload.blockCount), run.count == payload.blockCount {
            writer.protected(channel: payload.pointee.channel, sequence: payload.pointee.sequence, length: length)
            writer.copy(UnsafeRawBufferPointer(start: payload.bytes, count: length))
            note(payload, 0, run.count)
            return true
        }
        // Not worth a fragment when little room is left: it goes into the next datagram, where it has more.
        let room = writer.room &- ProtectedFrame.fragmentHeaderLength
        guard room >= 8 &* block || room >= length, let run = payload.nextPending(atMost: min(room / block, 4095)), run.count > 0 else {
            return unlistWhenNothingPends(payload)
        }
        let start = run.first &* block, end = min(start &+ run.count &* block, length)
        writer.fragment(channel: payload.pointee.channel, sequence: payload.pointee.sequence, payloadLength: length, firstBlock: run.first, length: end &- start)
        writer.copy(UnsafeRawBufferPointer(start: payload.bytes + start, count: end &- start))
        note(payload, run.first, run.count)
        return true
    }

    /// An acknowledgement may have come for what was to be sent again.
    private mutating func unlistWhenNothingPends(_ payload: Payload) -> Bool {
        guard payload.nextPending(atMost: 1) == nil else { return false }
        unlist(payload)
        return true
    }

    private mutating func writeAbandoned(_ payload: Payload, _ writer: inout ByteWriter) -> Bool {
        guard writer.room >= AbandonedPayload.length else { return false }
        writer.abandoned(AbandonedPayload(channel: payload.pointee.channel, sequence: UInt32(truncatingIfNeeded: payload.pointee.sequence),
                                          credit: payload.pointee.credit))
        ledger.note(SentFrame(sequence: payload.pointee.sequence, firstBlock: 0, blockCount: 0, channel: payload.pointee.channel, kind: .abandoned))
        unlist(payload)
        return true
    }

    private mutating func note(_ payload: Payload, _ first: Int, _ count: Int) {
        if !payload.pointee.isStarted {
            payload.pointee.isStarted = true
            begun &+= UInt64(payload.charge)
        }
        if payload.pointee.list == .resend { counters.bytesResent &+= UInt64(min(count &* ProtectedFrame.blockLength, Int(payload.pointee.length))) }
        ledger.note(SentFrame(sequence: payload.pointee.sequence, firstBlock: UInt16(truncatingIfNeeded: first),
                              blockCount: UInt16(truncatingIfNeeded: count), channel: payload.pointee.channel, kind: .blocks))
        payload.clearPending(first, count)
        if payload.nextPending(atMost: 1) == nil { unlist(payload) }
    }

    /// The datagram also tells the peer its credit.
    package mutating func noteMaxData() {
        ledger.note(SentFrame(sequence: 0, firstBlock: 0, blockCount: 0, channel: 0, kind: .maxData))
    }

    package var hasWritten: Bool { ledger.isOpen }

    /// The datagram that was written has left as `number`.
    package mutating func noteSent(_ number: UInt64, size: Int, now: UInt64, _ roundTrip: RoundTrip) {
        guard ledger.isOpen else { return }
        ledger.close(number: number, size: size, ordinal: nextOrdinal, now: now)
        nextOrdinal &+= 1
        if probesLeft > 0 { probesLeft &-= 1 }
        congestion.noteSent(size, now: now, roundTrip: roundTrip.smoothed)
        lastSentAt = now
    }

    package mutating func noteExpendable(_ bytes: Int, now: UInt64, roundTrip: UInt64) {
        congestion.noteExpendable(bytes, now: now, roundTrip: roundTrip)
    }

    // MARK: acknowledgements

    /// The peer takes so much altogether.
    package mutating func receiveMaxData(_ limit: UInt64) { credit = max(credit, limit) }

    /// Packet numbers that have arrived.
    package mutating func acknowledge(_ ranges: PacketNumberRanges, now: UInt64, _ roundTrip: RoundTrip, _ pool: inout PayloadPool,
                                      isMaxDataLost: inout Bool) {
        guard ranges.count > 0, ledger.entries.count > 0 else { return }
        var range = ranges.count &- 1
        var frame = 0
        var hasNews = false
        var newest: InlineArray<4, UInt64> = InlineArray(repeating: 0), newestCount = 0
        for i in 0..<ledger.entries.count {
            let entry = ledger.entries[i].pointee
            defer { frame &+= Int(entry.frameCount) }
            while range > 0, ranges[range].high < entry.number { range &-= 1 }
            guard ranges[range].high >= entry.number else { break }
            guard ranges[range].low <= entry.number, entry.fate != .acknowledged else { continue }
            hasNews = true
            if entry.fate == .inFlight {
                newest[newestCount % 4] = entry.sentAt
                newestCount &+= 1
            }
            noteArrived(entry, now, roundTrip)
            ledger.entries[i].pointee.fate = .acknowledged
            for j in frame..<(frame &+ Int(entry.frameCount)) { settle(ledger.frames[j].pointee, &pool) }
        }
        guard hasNews else { return }
        for i in 0..<min(newestCount, 4) { congestion.noteRoundTrip(now &- newest[i], now: now) }
        probeCount = 0
        wasWindowLimited = false
        detectLoss(now, roundTrip, isMaxDataLost: &isMaxDataLost)
    }

    private mutating func noteArrived(_ entry: LedgerEntry, _ now: UInt64, _ roundTrip: RoundTrip) {
        switch entry.fate {
        case .inFlight:
            largestAcknowledged = max(largestAcknowledged, entry.ordinal)
            let isLimited = wasWindowLimited || congestion.isInSlowStart && congestion.bytesInFlight &* 2 >= congestion.window
            congestion.noteAcknowledged(Int(entry.size), sentAt: entry.sentAt, now: now, roundTrip: roundTrip.smoothed, wasLimited: isLimited)
        case .lost:
            counters.datagramsSpuriouslyLost &+= 1
            congestion.noteSpuriousLoss(sentAt: entry.sentAt)
            // The path reorders more than was thought.
            if largestAcknowledged > entry.ordinal {
                packetThreshold = min(max(packetThreshold, largestAcknowledged &- entry.ordinal &+ 1), Self.packetThresholdAtMost)
            }
        case .superseded, .acknowledged: break
        }
    }

    private mutating func settle(_ frame: SentFrame, _ pool: inout PayloadPool) {
        guard frame.kind != .maxData, let ring = channels[Int(frame.channel)], case .payload(let payload) = ring.pointee[frame.sequence] else { return }
        if payload.pointee.isAbandoned {
            if frame.kind == .abandoned { drop(payload, ring, &pool) }
            return
        }
        payload.markDone(Int(frame.firstBlock), Int(frame.blockCount))
        guard payload.pointee.blocksLeft == 0 else { return }
        counters.acknowledged &+= 1
        if payload.pointee.wantsReport { report(payload, isAcknowledged: true) }
        drop(payload, ring, &pool)
    }

    /// For the host, as soon as the call is over.
    private mutating func report(_ payload: Payload, isAcknowledged: Bool) {
        settled.append(SettledPayload(tag: payload.pointee.tag, sequence: payload.pointee.sequence, length: payload.pointee.length,
                                      channel: payload.pointee.channel, isAcknowledged: isAcknowledged))
    }

    package var hasSettled: Bool { settled.count > 0 }

    package mutating func popSettled() -> SettledPayload? {
        guard settled.count > 0 else { return nil }
        defer { settled.removeFirst() }
        return settled[0].pointee
    }

    // MARK: loss

    /// RFC 9002 §6.1: what an acknowledgement passed over is lost after so many later sends, or after so much time.
    private mutating func detectLoss(_ now: UInt64, _ roundTrip: RoundTrip, isMaxDataLost: inout Bool) {
        lossTime = .max
        var frame = 0
        var firstLostAt: UInt64?, longestOutage: UInt64 = 0
        for i in 0..<ledger.entries.count {
            let entry = ledger.entries[i].pointee
            defer { frame &+= Int(entry.frameCount) }
            if entry.fate == .acknowledged { firstLostAt = nil }
            guard entry.fate == .inFlight, entry.ordinal < largestAcknowledged else { continue }
            guard largestAcknowledged &- entry.ordinal >= packetThreshold || entry.sentAt &+ roundTrip.lossDelay <= now else {
                lossTime = min(lossTime, entry.sentAt &+ roundTrip.lossDelay)
                continue
            }
            ledger.entries[i].pointee.fate = .lost
            counters.datagramsLost &+= 1
            congestion.noteLost(Int(entry.size), sentAt: entry.sentAt, now: now)
            if let firstLostAt { longestOutage = max(longestOutage, entry.sentAt &- firstLostAt) } else { firstLostAt = entry.sentAt }
            for j in frame..<(frame &+ Int(entry.frameCount)) { sendAgain(ledger.frames[j].pointee, isMaxDataLost: &isMaxDataLost) }
        }
        if longestOutage > 3 &* roundTrip.probeTimeout { congestion.notePersistentCongestion() }
        ledger.retire(before: now &- min(now, 4 &* roundTrip.probeTimeout))
    }

    private mutating func sendAgain(_ frame: SentFrame, isMaxDataLost: inout Bool) {
        if frame.kind == .maxData {
            isMaxDataLost = true
            return
        }
        guard let ring = channels[Int(frame.channel)], case .payload(let payload) = ring.pointee[frame.sequence] else { return }
        if payload.pointee.isAbandoned {
            if frame.kind == .abandoned { resend.append(payload) }
            return
        }
        guard payload.markPending(Int(frame.firstBlock), Int(frame.blockCount)) else { return }
        // What has not been sent to its end stays where it is: its first blocks come first anyway.
        resend.append(payload)
    }

    // MARK: time

    /// The next moment at which `handleTimeout` has something to do.
    package func deadline(_ roundTrip: RoundTrip) -> UInt64 {
        min(lossTime, probeDeadline(roundTrip), earliestDeadline)
    }

    private func probeDeadline(_ roundTrip: RoundTrip) -> UInt64 {
        guard isInFlight else { return .max }
        return lastSentAt &+ roundTrip.probeTimeout &<< UInt64(min(probeCount, 10))
    }

    /// `expire` comes before it.
    package mutating func handleTimeout(_ now: UInt64, _ roundTrip: RoundTrip, isMaxDataLost: inout Bool) {
        if lossTime <= now { return detectLoss(now, roundTrip, isMaxDataLost: &isMaxDataLost) }
        guard probeDeadline(roundTrip) <= now else { return }
        // RFC 9002 §6.2.4: two datagrams, with what has waited longest for its acknowledgement.
        counters.probeTimeouts &+= 1
        probeCount &+= 1
        probesLeft = 2
        lastSentAt = now
        resendOldest(2, isMaxDataLost: &isMaxDataLost)
    }

    private mutating func resendOldest(_ many: Int, isMaxDataLost: inout Bool) {
        var frame = 0, left = many
        for i in 0..<ledger.entries.count where left > 0 {
            let entry = ledger.entries[i].pointee
            if entry.fate == .inFlight {
                for j in frame..<(frame &+ Int(entry.frameCount)) { sendAgain(ledger.frames[j].pointee, isMaxDataLost: &isMaxDataLost) }
                left &-= 1
            }
            frame &+= Int(entry.frameCount)
        }
    }

    /// Time to live is over: unless it is acknowledged the payload is given up, the host hears of it, and the peer is told not to wait.
    package mutating func expire(_ now: UInt64, _ pool: inout PayloadPool) {
        guard earliestDeadline <= now else { return }
        earliestDeadline = .max
        for i in 0..<ProtectedFrame.channels {
            guard let ring = channels[i] else { continue }
            var sequence: UInt64 = 0
            while let payload = ring.pointee.firstPayload(from: sequence) {
                sequence = payload.pointee.sequence &+ 1
                guard payload.pointee.deadline <= now else {
                    earliestDeadline = min(earliestDeadline, payload.pointee.deadline)
                    continue
                }
                counters.expired &+= 1
                report(payload, isAcknowledged: false)
                abandon(payload, ring, &pool)
            }
        }
    }

    /// Only its head stays, until the peer knows.
    private mutating func abandon(_ payload: Payload, _ ring: UnsafeMutablePointer<SequenceRing>, _ pool: inout PayloadPool) {
        let sequence = payload.pointee.sequence
        let notice = pool.make(length: 0, channel: payload.pointee.channel, sequence: sequence)
        notice.pointee.isAbandoned = true
        notice.pointee.isStarted = true
        notice.pointee.credit = payload.pointee.isStarted ? UInt32(truncatingIfNeeded: payload.charge) : 0
        buffered &-= payload.charge &- notice.charge
        unlist(payload)
        pool.giveBack(payload)
        ring.pointee.set(sequence, notice)
        resend.append(notice)
    }

    // MARK: paths

    /// Another path carries it from now on, or the same to another address: all that is in flight goes again, at once. `restart`: the
    /// path's capacity is unknown (RFC 9000 §9.4).
    package mutating func move(to path: UInt32, datagramSize: Int, restart: Bool, isMaxDataLost: inout Bool) {
        carrier = path
        var frame = 0
        for i in 0..<ledger.entries.count {
            let entry = ledger.entries[i].pointee
            if entry.fate == .inFlight {
                for j in frame..<(frame &+ Int(entry.frameCount)) { sendAgain(ledger.frames[j].pointee, isMaxDataLost: &isMaxDataLost) }
                ledger.entries[i].pointee.fate = .superseded
                congestion.forget(Int(entry.size))
            }
            frame &+= Int(entry.frameCount)
        }
        ledger.retire(before: 0)
        if restart { congestion = CongestionController(datagramSize: datagramSize) }
        largestAcknowledged = nextOrdinal &- 1
        packetThreshold = Self.initialPacketThreshold
        lossTime = .max
        probeCount = 0
        probesLeft = 0
    }
}
