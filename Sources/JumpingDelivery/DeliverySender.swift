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
    static let initialPacketThreshold: UInt32 = 3
    static let packetThresholdAtMost: UInt32 = 256
    /// A payload that was lost so often goes out twice the next time: where luck is that bad, another loss would cost another round trip.
    private static let lossesUntilRepeated: UInt8 = 2
    /// What a peer takes before it has said so: a flight of RFC 9002's initial window, and more than any one round trip needs at the start.
    package static let initialCredit: UInt64 = 65_536

    var channels = Channels()
    private var fresh = PayloadList(.fresh)
    var resend = PayloadList(.resend)
    var ledger = SentLedger()
    package internal(set) var congestion: CongestionController
    /// Id of the path that carries it; `.max` before there is one.
    package internal(set) var carrier = UInt32.max

    // Flow control, in bytes and fixed charges since the beginning
    var credit = DeliverySender.initialCredit
    private var begun: UInt64 = 0

    /// What the host's payloads take, charges included, and what they may.
    package internal(set) var buffered = 0
    package let bufferLimit: Int
    package private(set) var payloadCount = 0
    /// The host was refused and waits to hear that there is room.
    package private(set) var isWritableWanted = false
    /// For this.
    private var refused: (charge: Int, size: Int, channel: UInt8) = (charge: 0, size: 0, channel: 0)

    /// An expendable payload was held back: by the window, or until its turn.
    private var isAdmissionWanted = false
    /// The host was refused something and waits for Writable.
    package var isWritableAwaited: Bool { isWritableWanted || isAdmissionWanted }

    // Loss detection (RFC 9002 §6)
    var nextOrdinal: UInt32 = 1
    var largestAcknowledged: UInt32 = 0
    var packetThreshold = DeliverySender.initialPacketThreshold
    var lossTime = UInt64.max
    var lastSentAt: UInt64 = 0
    var probeCount: UInt32 = 0
    /// Datagrams that may leave whatever the window says.
    var probesLeft = 0
    var wasWindowLimited = false
    /// The datagram that is being written has a payload that is to follow once more.
    private var isRepeating = false
    /// No payload's time to live ends before.
    package internal(set) var earliestDeadline = UInt64.max
    /// With the payloads under way never more than their limit.
    var settled = Ring<SettledPayload>(limit: SequenceRing.limit)
    package internal(set) var counters = DeliveryCounters()

    // Redundancy
    /// Id of the standby that gets copies, and its window: copies must not crowd that path either.
    package internal(set) var copyCarrier = UInt32.max
    var copies = CongestionController(datagramSize: 1200)
    /// The share of its bytes that may be copied, as the policy says.
    package var copySharePPM: UInt32 = 0
    /// Bytes that may be copied by that share.
    var copyBudget = 0
    private static let copyBudgetAtMost = 65_536
    /// The newest datagram that has been copied or needs no copy.
    var copiedOrdinal: UInt32 = 0

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
        settled.removeFirst(settled.count)
        isWritableWanted = false
    }

    // MARK: offering

    package mutating func offer(_ bytes: UnsafeRawPointer?, length: Int, channel: UInt8, deadline: UInt64, tag: UInt64, wantsReport: Bool,
                                _ pool: inout PayloadPool) -> Offer {
        let charge = Payload.charge(length)
        let ring = channels.made(channel)
        // Reports that the host has not read count as well: there is room for one of each payload.
        guard buffered &+ charge <= bufferLimit, payloadCount &+ settled.count < SequenceRing.limit, !ring.pointee.isFull else {
            refuse(length, channel)
            return .bufferFull
        }
        guard pool.allows(PayloadPool.size(length), held: buffered) else {
            refuse(length, channel)
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

    private mutating func refuse(_ length: Int, _ channel: UInt8) {
        isWritableWanted = true
        refused = (charge: Payload.charge(length), size: PayloadPool.size(length), channel: channel)
    }

    /// The host was refused, and this session has room for that payload again: half of the buffer, so that it is not called for every one.
    private var hasRoomAgain: Bool {
        isWritableWanted && buffered <= bufferLimit / 2 && buffered &+ refused.charge <= bufferLimit
            && payloadCount &+ settled.count <= SequenceRing.limit / 2 && !(channels[Int(refused.channel)].map { $0.pointee.isFull } ?? false)
    }

    /// Once for each time: the host is to hear that what was refused, of either kind, may go.
    package mutating func takeWritable(_ pool: borrowing PayloadPool, _ now: UInt64, _ roundTrip: RoundTrip) -> Bool {
        let mayLeave = admissionTime(now, roundTrip) <= now, hasRoom = hasRoomAgain && pool.allows(refused.size, held: buffered)
        if mayLeave { isAdmissionWanted = false }
        if hasRoom { isWritableWanted = false }
        return mayLeave || hasRoom
    }

    /// Only the endpoint's memory is missing, which others give back without this session's doing.
    package func isWaitingForMemory(_ pool: borrowing PayloadPool) -> Bool {
        hasRoomAgain && !pool.allows(refused.size, held: buffered)
    }

    mutating func drop(_ payload: Payload, _ ring: UnsafeMutablePointer<SequenceRing>, _ pool: inout PayloadPool) {
        buffered &-= payload.charge
        payloadCount &-= 1
        unlist(payload)
        ring.pointee.setDone(payload.pointee.sequence)
        pool.giveBack(payload)
    }

    mutating func unlist(_ payload: Payload) {
        fresh.remove(payload)
        resend.remove(payload)
    }

    // MARK: what waits

    /// The next payload with something to send that the peer's credit allows. Anything that goes again comes first.
    var next: Payload? {
        if let payload = resend.first { return payload }
        guard let payload = fresh.first else { return nil }
        return payload.pointee.isStarted || begun < credit ? payload : nil
    }

    /// Something waits, whether it may leave now or not.
    package var hasPending: Bool { next != nil }

    /// The next datagrams ask whether anything gets through at all: no longer than every path carries (RFC 8899 §4.3).
    package var isProbing: Bool { probesLeft > 0 }

    package var isInFlight: Bool { congestion.bytesInFlight > 0 }

    /// A datagram more can be remembered: one that cannot must not leave.
    package var hasLedgerRoom: Bool { ledger.hasRoom }

    /// When something may leave: `now` or earlier for at once, `.max` when nothing waits or only an acknowledgement can help.
    package mutating func sendTime(_ now: UInt64, _ roundTrip: RoundTrip) -> UInt64 {
        guard hasPending, ledger.hasRoom else { return .max }
        if probesLeft > 0 { return now }
        // A datagram less than full is better sent than held.
        guard hasWindow else {
            wasWindowLimited = true
            return .max
        }
        return congestion.nextSendAt(now, roundTrip: roundTrip.smoothed)
    }

    // MARK: expendable payloads under congestion control

    /// Whether one may leave by window and pace, which protected payloads have before it (RFC 9002 §7).
    package mutating func admits(_ now: UInt64, _ roundTrip: RoundTrip) -> Bool {
        isAdmissionWanted = true
        guard admissionTime(now, roundTrip) <= now else {
            wasWindowLimited = wasWindowLimited || !hasWindow
            return false
        }
        isAdmissionWanted = false
        return true
    }

    private var hasWindow: Bool { congestion.mayBeSent >= congestion.datagramSize || congestion.bytesInFlight == 0 }

    /// When the payload that was held back may leave; `.max` when there is none, or only an acknowledgement can help.
    package func admissionTime(_ now: UInt64, _ roundTrip: RoundTrip) -> UInt64 {
        guard isAdmissionWanted, !hasPending, ledger.hasRoom, hasWindow else { return .max }
        return congestion.nextSendAt(now, roundTrip: roundTrip.smoothed)
    }

    /// It is in flight as any other, and when it is lost that says as much of the path; but it is never sent again.
    package mutating func noteExpendableSent(_ number: UInt64, size: Int, now: UInt64, _ roundTrip: RoundTrip) {
        ledger.add(number: number, size: size, ordinal: nextOrdinal, now: now)
        nextOrdinal &+= 1
        congestion.noteSent(size, now: now, roundTrip: roundTrip.smoothed)
        lastSentAt = now
        if !ledger.hasRoom { retire(before: 0) }
    }

    // MARK: writing a datagram

    /// Writes what fits; `note` must follow with the datagram's number and size before anything else happens.
    package mutating func write(_ writer: inout ByteWriter) {
        // One that turns out to have nothing to send leaves its list, so this ends.
        while ledger.openFrames < SentLedger.framesAtMost, let payload = next {
            guard write(payload, &writer) else { return }
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

    mutating func note(_ payload: Payload, _ first: Int, _ count: Int) {
        if !payload.pointee.isStarted {
            payload.pointee.isStarted = true
            begun &+= UInt64(payload.charge)
        }
        if payload.pointee.list == .resend { counters.bytesResent &+= UInt64(min(count &* ProtectedFrame.blockLength, Int(payload.pointee.length))) }
        let losses = payload.pointee.isRepetition ? 0 : payload.pointee.losses
        payload.pointee.isRepetition = false
        isRepeating = isRepeating || losses >= Self.lossesUntilRepeated
        ledger.note(SentFrame(sequence: payload.pointee.sequence, firstBlock: UInt16(truncatingIfNeeded: first),
                              blockCount: UInt16(truncatingIfNeeded: count), channel: payload.pointee.channel, kind: .blocks, losses: losses))
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
        copyBudget = min(copyBudget &+ Int(UInt64(size) &* UInt64(copySharePPM) / 1_000_000), Self.copyBudgetAtMost)
        congestion.noteSent(size, now: now, roundTrip: roundTrip.smoothed)
        lastSentAt = now
        if isRepeating { repeatUnlucky() }
        // What was left behind by a jump gives way to what goes again, as fast as the new window lets it.
        if !ledger.hasRoom { retire(before: 0) }
    }

    /// In the datagram after the one that has just left.
    private mutating func repeatUnlucky() {
        isRepeating = false
        let last = ledger.entries[ledger.entries.count &- 1].pointee
        for j in (ledger.frames.count &- Int(last.frameCount))..<ledger.frames.count where ledger.frames[j].pointee.losses >= Self.lossesUntilRepeated {
            guard let payload = whole(ledger.frames[j].pointee), payload.markPending(0, payload.blockCount) else { continue }
            payload.pointee.isRepetition = true
            resend.append(payload)
        }
    }

    /// The payload of a frame that has all of it, while it is not acknowledged.
    func whole(_ frame: SentFrame) -> Payload? {
        guard frame.kind == .blocks, let ring = channels[Int(frame.channel)], case .payload(let payload) = ring.pointee[frame.sequence],
              !payload.pointee.isAbandoned, payload.blockCount == Int(frame.blockCount) else { return nil }
        return payload
    }

    /// The path is known to carry longer ones, or only shorter ones.
    package mutating func setDatagramSize(_ size: Int) { congestion.setDatagramSize(size) }
}
