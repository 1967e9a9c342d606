import JumpingWire

/// What acknowledgements, time and a change of path do to what is in flight (RFC 9002 §6).
extension DeliverySender {
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
    static func isBefore(_ a: UInt32, _ b: UInt32) -> Bool { Int32(bitPattern: a &- b) < 0 }

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
    mutating func retire(before time: UInt64) {
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
