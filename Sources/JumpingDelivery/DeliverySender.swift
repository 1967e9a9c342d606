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
    /// A payload that was lost so often goes out twice the next time: where luck is that bad, another loss would cost another round trip.
    private static let lossesUntilRepeated: UInt8 = 2
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
    package private(set) var isWritableWanted = false
    /// For this.
    private var refused: (charge: Int, size: Int, channel: UInt8) = (charge: 0, size: 0, channel: 0)

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
    /// The datagram that is being written has a payload that is to follow once more.
    private var isRepeating = false
    /// No payload's time to live ends before.
    package private(set) var earliestDeadline = UInt64.max
    /// With the payloads under way never more than their limit.
    private var settled = Ring<SettledPayload>(limit: SequenceRing.limit)
    package private(set) var counters = DeliveryCounters()

    // Redundancy
    /// Id of the standby that gets copies, and its window: copies must not crowd that path either.
    package private(set) var copyCarrier = UInt32.max
    private var copies = CongestionController(datagramSize: 1200)
    /// The share of its bytes that may be copied, as the policy says.
    package var copySharePPM: UInt32 = 0
    /// Bytes that may be copied by that share.
    private var copyBudget = 0
    private static let copyBudgetAtMost = 65_536
    /// The newest datagram that has been copied or needs no copy.
    private var copiedOrdinal: UInt32 = 0

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

    /// Once for each time: the host is to hear that there is room.
    package mutating func takeWritable(_ pool: borrowing PayloadPool) -> Bool {
        guard hasRoomAgain, pool.allows(refused.size, held: buffered) else { return false }
        isWritableWanted = false
        return true
    }

    /// Only the endpoint's memory is missing, which others give back without this session's doing.
    package func isWaitingForMemory(_ pool: borrowing PayloadPool) -> Bool {
        hasRoomAgain && !pool.allows(refused.size, held: buffered)
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
        guard congestion.mayBeSent >= congestion.datagramSize || congestion.bytesInFlight == 0 else {
            wasWindowLimited = true
            return .max
        }
        return congestion.nextSendAt(now, roundTrip: roundTrip.smoothed)
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

    private mutating func note(_ payload: Payload, _ first: Int, _ count: Int) {
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
    private func whole(_ frame: SentFrame) -> Payload? {
        guard frame.kind == .blocks, let ring = channels[Int(frame.channel)], case .payload(let payload) = ring.pointee[frame.sequence],
              !payload.pointee.isAbandoned, payload.blockCount == Int(frame.blockCount) else { return nil }
        return payload
    }

    /// The path is known to carry longer ones, or only shorter ones.
    package mutating func setDatagramSize(_ size: Int) { congestion.setDatagramSize(size) }

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

    /// Ordinals go round after 2³² datagrams.
    private static func isBefore(_ a: UInt32, _ b: UInt32) -> Bool { Int32(bitPattern: a &- b) < 0 }

    private mutating func noteArrived(_ entry: LedgerEntry, _ now: UInt64, _ roundTrip: RoundTrip) {
        switch entry.fate {
        case .inFlight:
            if Self.isBefore(largestAcknowledged, entry.ordinal) { largestAcknowledged = entry.ordinal }
            let isLimited = wasWindowLimited || congestion.isInSlowStart && congestion.bytesInFlight &* 2 >= congestion.window
            congestion.noteAcknowledged(Int(entry.size), sentAt: entry.sentAt, now: now, roundTrip: roundTrip.smoothed, wasLimited: isLimited)
        case .lost:
            counters.datagramsSpuriouslyLost &+= 1
            congestion.noteSpuriousLoss(sentAt: entry.sentAt)
            // The path reorders more than was thought.
            if Self.isBefore(entry.ordinal, largestAcknowledged) {
                packetThreshold = min(max(packetThreshold, largestAcknowledged &- entry.ordinal &+ 1), Self.packetThresholdAtMost)
            }
        case .copy:
            copies.noteAcknowledged(Int(entry.size), sentAt: entry.sentAt, now: now, roundTrip: roundTrip.smoothed, wasLimited: true)
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
            if entry.fate == .copy, entry.sentAt &+ 3 &* roundTrip.probeTimeout <= now {
                // Whatever became of it, its original has its own fate.
                ledger.entries[i].pointee.fate = .superseded
                copies.noteLost(Int(entry.size), sentAt: entry.sentAt, now: now)
            }
            guard entry.fate == .inFlight, Self.isBefore(entry.ordinal, largestAcknowledged) else { continue }
            guard largestAcknowledged &- entry.ordinal >= packetThreshold || entry.sentAt &+ roundTrip.lossDelay <= now else {
                lossTime = min(lossTime, entry.sentAt &+ roundTrip.lossDelay)
                continue
            }
            ledger.entries[i].pointee.fate = .lost
            counters.datagramsLost &+= 1
            congestion.noteLost(Int(entry.size), sentAt: entry.sentAt, now: now)
            if let firstLostAt { longestOutage = max(longestOutage, entry.sentAt &- firstLostAt) } else { firstLostAt = entry.sentAt }
            for j in frame..<(frame &+ Int(entry.frameCount)) {
                let lost = ledger.frames[j].pointee
                if let payload = whole(lost) { payload.pointee.losses = max(payload.pointee.losses, min(lost.losses, 254) &+ 1) }
                sendAgain(lost, isMaxDataLost: &isMaxDataLost)
            }
        }
        if longestOutage > 3 &* roundTrip.probeTimeout { congestion.notePersistentCongestion() }
        retire(before: now &- min(now, 4 &* roundTrip.probeTimeout))
    }

    /// A copy that no acknowledgement names gives way when there is no room, as what is lost does: its original has its own fate. Were it
    /// waited for, and nothing in flight any more, nothing could leave and no timer would run.
    private mutating func retire(before time: UInt64) {
        ledger.retire(before: time)
        while !ledger.hasRoom(besides: 0, 0), ledger.entries.count > 0, ledger.entries[0].pointee.fate == .copy {
            copies.forget(Int(ledger.entries[0].pointee.size))
            ledger.entries[0].pointee.fate = .superseded
            ledger.retire(before: time)
        }
    }

    /// False when nothing of it is needed any more.
    @discardableResult
    private mutating func sendAgain(_ frame: SentFrame, isMaxDataLost: inout Bool) -> Bool {
        if frame.kind == .maxData {
            isMaxDataLost = true
            return true
        }
        guard let ring = channels[Int(frame.channel)], case .payload(let payload) = ring.pointee[frame.sequence] else { return false }
        if payload.pointee.isAbandoned {
            guard frame.kind == .abandoned else { return false }
            resend.append(payload)
            return true
        }
        guard payload.markPending(Int(frame.firstBlock), Int(frame.blockCount)) else { return false }
        // What has not been sent to its end stays where it is: its first blocks come first anyway.
        resend.append(payload)
        return true
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
        makeRoomForProbes(now, isMaxDataLost: &isMaxDataLost)
    }

    /// The path has answered after a silence: what waits for an acknowledgement need not wait as long as the silence was.
    package mutating func restartProbes() { probeCount = 0 }

    /// A datagram of which nothing is needed any more, since it was acknowledged or given up meanwhile, is not waited for: without anything
    /// to send again there would be probe timeouts without end, and the next payload would find them doubled many times.
    private mutating func resendOldest(_ many: Int, isMaxDataLost: inout Bool) {
        var frame = 0, left = many
        for i in 0..<ledger.entries.count where left > 0 {
            let entry = ledger.entries[i].pointee
            if entry.fate == .inFlight {
                var isNeeded = false
                for j in frame..<(frame &+ Int(entry.frameCount)) {
                    isNeeded = sendAgain(ledger.frames[j].pointee, isMaxDataLost: &isMaxDataLost) || isNeeded
                }
                if isNeeded { left &-= 1 } else { supersede(i) }
            }
            frame &+= Int(entry.frameCount)
        }
    }

    private mutating func supersede(_ i: Int) {
        congestion.forget(Int(ledger.entries[i].pointee.size))
        ledger.entries[i].pointee.fate = .superseded
    }

    /// A ledger full of datagrams without an answer would hold the very probes that can get one: the oldest give way.
    private mutating func makeRoomForProbes(_ now: UInt64, isMaxDataLost: inout Bool) {
        var frame = 0, i = 0
        while !ledger.hasRoom(besides: i, frame), i < ledger.entries.count {
            let entry = ledger.entries[i].pointee
            if entry.fate == .inFlight {
                for j in frame..<(frame &+ Int(entry.frameCount)) { sendAgain(ledger.frames[j].pointee, isMaxDataLost: &isMaxDataLost) }
                supersede(i)
            }
            frame &+= Int(entry.frameCount)
            i &+= 1
        }
        if i > 0 { retire(before: 0) }
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

    // MARK: redundancy

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
        retire(before: 0)
        if restart { congestion = CongestionController(datagramSize: datagramSize) }
        largestAcknowledged = nextOrdinal &- 1
        packetThreshold = Self.initialPacketThreshold
        lossTime = .max
        probeCount = 0
        probesLeft = 0
    }
}
