import CJumping
import JumpingCrypto
import JumpingDelivery
import JumpingSession
import JumpingWire

/// A DATA datagram on its way in.
struct Arrival {
    let datagram: UnsafeMutableRawBufferPointer
    let transport: UInt32
    /// Where it came from, checked already, as the host wrote it.
    let source: UnsafePointer<jmp_address>
    /// The id under which the endpoint found the session.
    let connectionID: UInt64
    /// What the id stands for; told when the datagram is not of the active path.
    var pathIndex = UInt32.max

    var from: Address { Address(source) ?? Address() }
}

extension Session {
    /// Opens a DATA datagram in place and acts on its frames (wire document, "Receiving DATA"). Whatever is wrong with it is a
    /// cause in `received`, never an error.
    mutating func receive(_ arrival: Arrival, _ received: UnsafeMutablePointer<jmp_received>, _ env: inout Environment) {
        if !hasFollowed(env) { followTransports(&env) }
        received.pointee.session = handle
        guard state != .terminated else {
            answerAfterTermination(arrival, &env)
            return drop(JMP_DROP_SESSION_CLOSED, received, &env)
        }
        guard let base = arrival.datagram.baseAddress, let keys else { return drop(JMP_DROP_UNEXPECTED, received, &env) }
        let sealedLength = arrival.datagram.count &- DataPacket.headerLength
        let length = sealedLength &- keys.pointee.tagLength
        guard length >= 0 else { return drop(JMP_DROP_TOO_SHORT, received, &env) }
        noteLateness(dueAt: wheelDeadline, &env)

        let (number, first, opened) = open(keys, base, sealedLength: sealedLength, length: length)
        received.pointee.packet_number = number
        guard opened != .failed else { return dropForged(received, &env) }
        let isPayload = first & DataPacket.payloadBit != 0
        let frames = UnsafeRawBufferPointer(start: base + DataPacket.headerLength, count: isPayload ? 0 : length)
        let verdict = replay.verdict(number)
        guard verdict == .fresh else { return dropReplayed(verdict, number, frames, arrival, received, &env) }
        guard first & DataPacket.reservedMask == 0, isPayload || length > 0 else { return drop(JMP_DROP_MALFORMED, received, &env) }
        if !isPayload, let cause = refusal(frames, arrival, env), !keepsAll(frames, cause, received, &env) { return drop(cause, received, &env) }

        let isNewest = !replay.hasAny || number > replay.largest
        if isNewest, !isClient { proofAges.note(number, after: replay.largest, now: env.now, maxAge: policy.proofMaxAge) }
        replay.mark(number)
        counters.datagramsReceived &+= 1
        counters.bytesReceived &+= UInt64(truncatingIfNeeded: arrival.datagram.count)
        if !isConfirmed, !isClient { confirm(&env) }
        notePhase(opened, &env)   // after the session's creation is told, for it may be in the next phase already
        guard state != .terminated else { return drop(JMP_DROP_SESSION_CLOSED, received, &env) }

        let slot = isOnActivePath(arrival) ? Int(activeNumber) : resolvePath(arrival, number, isNewest: isNewest, &env)
        if inbound.isLate(number) { noteLateArrival(slot) }
        if let slot {
            paths[slot].noteArrival(number, arrival.datagram.count, env.now)
            received.pointee.path = paths[slot].id
            if slot == Int(activeNumber), !inbound.isTooEarly(env.now) { watchInbound(&env) }
        }
        if isPayload {
            deliver(offset: DataPacket.headerLength, length: length, slot: slot, received, &env)
            noteEliciting(number, slot, &env)
        } else {
            act(on: frames, number: number, slot: slot, received, &env)
        }
    }

    /// Unmasks, recovers the packet number, opens under the key that the phase bits name.
    @inline(__always)
    private mutating func open(_ keys: UnsafeMutablePointer<KeySchedule>, _ base: UnsafeMutableRawPointer, sealedLength: Int,
                               length: Int) -> (UInt64, UInt8, KeySchedule.Opened) {
        let body = base + DataPacket.headerLength
        let mask = keys.pointee.receiveHeader.mask(sample: body + length)
        let first = base.load(as: UInt8.self) ^ UInt8(truncatingIfNeeded: mask & 0x3F)
        let masked = UInt32(bigEndian: base.loadUnaligned(fromByteOffset: DataPacket.packetNumberOffset, as: UInt32.self))
        let truncated = masked ^ UInt32(truncatingIfNeeded: mask >> 8)
        let number = replay.hasAny ? DataPacket.recoverPacketNumber(truncated, largest: replay.largest) : UInt64(truncated)
        let additional = AdditionalData(firstByte: first, connectionID: DataPacket.connectionID(base), packetNumber: truncated)
        let opened = withUnsafePointer(to: additional) {
            keys.pointee.open(phaseBits: DataPacket.phaseBits(first), packetNumber: number, additionalData: UnsafeRawPointer($0),
                              body, length: sealedLength)
        }
        return (number, first, opened)
    }

    // MARK: dropping

    func drop(_ cause: Int32, _ received: UnsafeMutablePointer<jmp_received>, _ env: inout Environment) {
        received.pointee.kind = UInt32(bitPattern: JMP_RECEIVED_NOTHING)
        received.pointee.drop_cause = UInt32(bitPattern: cause)
        env.countDrop(cause)
    }

    @inline(never)
    private mutating func dropForged(_ received: UnsafeMutablePointer<jmp_received>, _ env: inout Environment) {
        received.pointee.packet_number = JMP_PACKET_NUMBER_NONE
        counters.rare.badTag &+= 1
        failedOpens &+= 1
        drop(JMP_DROP_BAD_TAG, received, &env)
        // Key limits: 2³⁰ forgeries tried against one phase move on to the next (wire document, "Key phases").
        if failedOpens >= 1 << 30 {
            failedOpens = 0
            timers[.keyRotation] = env.now
            syncWheel(&env)
        }
    }

    @inline(never)
    private mutating func dropReplayed(_ verdict: ReplayWindow.Verdict, _ number: UInt64, _ frames: UnsafeRawBufferPointer, _ arrival: Arrival,
                                       _ received: UnsafeMutablePointer<jmp_received>, _ env: inout Environment) {
        if verdict == .tooOld {
            counters.rare.tooOld &+= 1
            replay.noteTooOld(number)
        } else {
            counters.rare.replayed &+= 1
        }
        let cause = verdict == .tooOld ? JMP_DROP_TOO_OLD : JMP_DROP_REPLAYED
        drop(cause, received, &env)
        // Copies by the hundred must not push transitions out of the audit trail.
        guard env.now &- replayReportedAt >= 100_000 || replayReportedAt == 0 else { return }
        var reader = ByteReader(frames)
        while let frame = Frame.read(&reader) {
            guard case .reattach(let request) = frame else { continue }
            replayReportedAt = env.now
            guard let event = addEvent(JMP_EVENT_SECURITY_REPLAY_DETECTED, &env) else { return }
            event.pointee.reason = UInt32(Reason.replayDetected.rawValue)
            event.pointee.cause = UInt32(bitPattern: cause)
            event.pointee.attempt_id = request.attemptID
            return arrival.from.write(to: &event.pointee.to_address)
        }
    }

    // MARK: bookkeeping

    @inline(__always)
    private mutating func notePhase(_ opened: KeySchedule.Opened, _ env: inout Environment) {
        if opened == .nextPhase { acceptNextPhase(&env) } else if opened == .currentPhase { notePhaseConfirmed(&env) }
    }

    /// The client's first authentic datagram: the gateway attaches (IK's first message alone could be a replay).
    @inline(never)
    private mutating func confirm(_ env: inout Environment) {
        let roundTrip = env.isClamped ? 0 : handshake.map { $0.pointee.sentAt == 0 ? 0 : env.now &- $0.pointee.sentAt } ?? 0
        let label = handshake.map { $0.pointee.hello.label } ?? Label()
        self.label = label
        dropHandshake(&env)
        // The first of an id's half-open sessions to be confirmed is the session.
        guard env.sessionIDs.insert(env.sessionKey(id), index) else { return terminate(.handshakeFailed, tellPeer: false, &env) }
        attachFirst(0, roundTrip: roundTrip, &env)
        syncWheel(&env)
    }

    /// A number taken for lost on the active path has come, there or on another path: numbers are the session's, not a path's.
    @inline(never)
    private mutating func noteLateArrival(_ slot: Int?) {
        guard let activeSlot else { return }
        if slot == activeSlot { paths[activeSlot].health.noteReordering(paths[activeSlot].health.reorderingTolerance) }
        paths[activeSlot].health.takeBackInboundLoss(thresholdPPM: policy.lossVolatileThresholdPPM)
    }

    /// Gaps in the packet numbers that arrive tell of the peer's losses half a round trip before its acknowledgements could. A long run
    /// counts for 3: numbers of datagrams that never left the peer's host are missing too.
    @inline(never)
    private mutating func watchInbound(_ env: inout Environment) {
        // Copies take numbers too, and what is lost of them on the standby is no loss of this path.
        guard let activeSlot, policy.redundancy != .always else { return }
        let tolerance = paths[activeSlot].health.reorderingTolerance
        guard let range = inbound.due(replay.largest, now: env.now, tolerance: tolerance, density: paths[activeSlot].health.smoothedRTT) else { return }
        var lost: UInt32 = 0
        for candidate in range where replay.verdict(candidate) == .fresh { lost &+= 1 }
        paths[activeSlot].health.addInbound(delivered: UInt32(range.count) &- lost, lost: min(lost, 3), thresholdPPM: policy.lossVolatileThresholdPPM)
        if lost > 0 { judgeQuality(&env) }
    }

    /// A protected payload came over a standby: for a while numbers that are missing may be those of copies.
    private mutating func noteCopy(_ env: inout Environment) {
        guard policy.redundancy == .whileVolatile, let activeSlot else { return }
        inbound.restart(replay.largest, now: env.now, hold: 4 &* paths[activeSlot].health.overdueAfter)
    }

    @inline(__always)
    private func isOnActivePath(_ arrival: Arrival) -> Bool {
        guard activeNumber >= 0 else { return false }
        return paths[Int(activeNumber)].carried(arrival)
    }

    /// Which path an authentic datagram came on. Receiving is liberal: nil means "none we keep", and its payload still counts.
    @inline(never)
    private mutating func resolvePath(_ arriving: Arrival, _ number: UInt64, isNewest: Bool, _ env: inout Environment) -> Int? {
        guard let pathIndex = pathIndex(of: arriving.connectionID) else { return nil }
        var arrival = arriving
        arrival.pathIndex = pathIndex
        var sameIndex: Int?
        for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].index == arrival.pathIndex {
            if paths[slot].matches(arrival.transport, arrival.from) { return slot }
            if paths[slot].role != .provisional { sameIndex = slot }
        }
        if isClient { return nil }
        if let sameIndex { return resolveMovedPath(sameIndex, arrival, number, isNewest: isNewest, &env) }
        return openPath(arrival, &env)
    }

    // MARK: frames

    @inline(never)
    private mutating func act(on frames: UnsafeRawBufferPointer, number: UInt64, slot: Int?, _ received: UnsafeMutablePointer<jmp_received>,
                              _ env: inout Environment) {
        var reader = ByteReader(frames)
        var isEliciting = false, isMalformed = false, isOver = false, acknowledgements = 0
        // A part or a range that breaks the rules makes the rest of the datagram malformed, as a frame that is cut does.
        while !isOver, let frame = Frame.read(&reader) {
            switch frame {
            case .acknowledgement, .acknowledgementRanges:
                // One tells all there is to tell. Each is held against everything in flight, and a datagram has room for a hundred.
                acknowledgements &+= 1
                if acknowledgements > 2 { continue }
            case .padding, .close: break
            default: isEliciting = true
            }
            if case .payload(let offset, let length) = frame {
                deliver(offset: DataPacket.headerLength &+ offset, length: length, slot: slot, received, &env)
            } else if case .protected(let part) = frame {
                if slot != activeSlot { noteCopy(&env) }
                isOver = !receive(part, in: frames, received, &env)
            } else if case .fragment(let part) = frame {
                if slot != activeSlot { noteCopy(&env) }
                isOver = !receive(part, in: frames, received, &env)
            } else if case .acknowledgementRanges(let ranges) = frame {
                isOver = !receiveAcknowledgement(ranges, slot: slot, &env)
            } else if case .policy(let sequence, let bytes) = frame {
                isMalformed = !receivePolicy(sequence, bytes, slot: slot, &env) || isMalformed
            } else {
                act(on: frame, number: number, slot: slot, &env)
            }
            if state == .terminated { return finishReceiving(received, &env) }
        }
        if isMalformed || isOver || reader.failed || reader.remaining > 0 { noteMalformed(received, &env) }
        if delivery != nil { finishReceiving(received, &env) }
        if isEliciting { noteEliciting(number, slot, &env) }
    }

    /// The datagram asks for an acknowledgement.
    @inline(always)
    private mutating func noteEliciting(_ number: UInt64, _ slot: Int?, _ env: inout Environment) {
        guard let slot else { return }
        oweAcknowledgement(slot, &env)
        // Until a new address is proven the peer may be at either: acknowledgements go to both.
        if hasProvisional, paths[slot].role == .provisional, let activeSlot {
            paths[activeSlot].noteLargest(number, env.now)
            oweAcknowledgement(activeSlot, &env)
        }
    }

    @inline(__always)
    private mutating func deliver(offset: Int, length: Int, slot: Int?, _ received: UnsafeMutablePointer<jmp_received>, _ env: inout Environment) {
        if policy.strictBinding, slot == nil || slot != activeSlot {
            return drop(JMP_DROP_STRICT_BINDING, received, &env)
        }
        received.pointee.kind = UInt32(bitPattern: JMP_RECEIVED_PAYLOAD)
        received.pointee.payload_offset = UInt32(truncatingIfNeeded: offset)
        received.pointee.payload_length = UInt32(truncatingIfNeeded: length)
        counters.payloadsReceived &+= 1
        lastPayloadAt = env.now
        keys?.pointee.noteActivity()
    }

    private mutating func act(on frame: Frame, number: UInt64, slot: Int?, _ env: inout Environment) {
        switch frame {
        case .acknowledgement(let frame): receiveAcknowledgement(frame, slot: slot, &env)
        case .pathChallenge(let value): receiveChallenge(value, slot: slot, &env)
        case .pathResponse(let value): receivePathResponse(value, slot: slot, &env)
        case .reattach(let request): receiveReattach(request, number: number, slot: slot, &env)
        case .reattachAck(let answer): receiveReattachAck(answer, &env)
        case .reattachReject(let answer): receiveReattachReject(answer, &env)
        case .nudge(let version): receiveNudge(version, slot: slot, &env)
        case .volatility(let report): receiveReport(report, &env)
        case .policyAck(let sequence): receivePolicyAck(sequence, &env)
        case .close(let reason): receiveClose(reason, &env)
        case .maxData(let limit): receiveMaxData(limit, &env)
        case .abandoned(let payload): receiveAbandoned(payload, &env)
        case .ping, .padding, .payload, .policy, .protected, .fragment, .acknowledgementRanges: break
        }
    }

    /// An acknowledgement will ride on the next datagram of the path, or leave alone soon (RFC 9000 §13.2 in spirit).
    @inline(__always)
    private mutating func oweAcknowledgement(_ slot: Int, _ env: inout Environment) {
        if paths[slot].unacknowledged < .max { paths[slot].unacknowledged &+= 1 }
        if UInt64(paths[slot].unacknowledged) >= Acknowledgement.span {
            if !paths[slot].outbox.contains(.acknowledgement) { request(.acknowledgement, slot, &env) }
        } else {
            armEarlier(.acknowledgement, env.now &+ paths[slot].health.acknowledgementDelay, &env)
        }
    }
}
