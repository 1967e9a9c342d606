import CJumping
import JumpingCrypto
import JumpingSession
import JumpingWire

extension Session {
    /// Where payloads go: the path a recovery is moving to, else the active one. A path that is left by choice keeps them when the
    /// chosen one does not answer the first request: it may be a hole.
    var sendingSlot: Int? {
        guard let attempt, paths[attempt.slot].isUsed else { return activeSlot }
        return attempt.transmissions > 1 && !isActiveLost ? activeSlot : attempt.slot
    }

    /// Seals one payload into the host's buffer (wire document, "DATA"). The hot path: nothing here allocates.
    mutating func send(_ payload: UnsafeRawPointer?, _ length: Int, _ buffer: UnsafeMutableRawPointer, _ capacity: Int,
                       _ datagram: UnsafeMutablePointer<jmp_datagram>, _ env: inout Environment) -> jmp_status {
        guard carriesPayloads else { return state == .terminated ? JMP_ERR_TERMINATED : JMP_ERR_STATE }
        guard isClient || isConfirmed else { return JMP_ERR_STATE }
        guard let slot = sendingSlot else { return JMP_ERR_NO_PATH }
        guard length >= 0, length <= maxPayload(slot, env) else { return JMP_ERR_TOO_LONG }
        guard capacity >= length &+ overhead &+ Int(JMP_FRAME_RESERVE) else { return JMP_ERR_BUFFER_TOO_SMALL }
        noteLateness(env.now, dueAt: env.wheel.armedAt(Int(index)), &env)

        let hasReattach = attempt != nil && attempt?.slot == slot
        let hasAcknowledgement = isAcknowledgementDue(slot, env.now)
        let prefix = (hasReattach ? reattachLength(slot, env) : 0) &+ (hasAcknowledgement ? Acknowledgement.length : 0)
        // The payload moves first: it may lie inside the buffer, where the frames before it go.
        let body = buffer + DataPacket.headerLength
        if let payload, length > 0 { (body + prefix + 1).copyMemory(from: payload, byteCount: length) }
        var writer = ByteWriter(body, prefix &+ 1)
        if hasReattach { writeReattach(&writer, slot, &env) }
        if hasAcknowledgement { writeAcknowledgement(&writer, slot, &env) }
        writer.u8(FrameType.payload)

        counters.payloadsSent &+= 1
        lastPayloadAt = env.now
        if hasProvisional { copyToProvisional(body + prefix, 1 &+ length, slot, &env) }
        let (total, number) = seal(slot, buffer, prefix &+ 1 &+ length, isEliciting: true, isProbe: hasReattach, &env)
        fill(datagram, slot, total, number)
        return JMP_OK
    }

    /// Seals `length` bytes of frames that lie behind the header's room, in place. Returns the datagram's length and number.
    mutating func seal(_ slot: Int, _ buffer: UnsafeMutableRawPointer, _ length: Int, isEliciting: Bool, isProbe: Bool,
                       _ env: inout Environment) -> (length: Int, packetNumber: UInt64) {
        let number = nextPacketNumber
        nextPacketNumber &+= 1
        let total = sealDatagram(connectionID: paths[slot].peerConnectionID, number, buffer, length)
        // Before the peer has followed there is nothing to be done, and a timer would only spin.
        if let keys, keys.pointee.sentInPhase >= Self.gcmPhaseLimit, keys.pointee.suite == .aes256GCM, canRotate(env.now) {
            armEarlier(.keyRotation, env.now, &env)
        }
        counters.datagramsSent &+= 1
        counters.bytesSent &+= UInt64(total)
        env.counters.datagramsSent &+= 1
        paths[slot].datagramBytesSent &+= UInt64(total)
        if isEliciting {
            let span = paths[slot].health.overdueAfter &* 2
            sent.record(SentPacket(number: number, sentAt: env.now, slot: slot), span: span, isProbe: isProbe)
            paths[slot].lastElicitingAt = env.now
            if paths[slot].unansweredSince == .max { paths[slot].unansweredSince = env.now }
            if slot == activeSlot {
                armEarlier(.detection, env.now &+ paths[slot].health.overdueAfter, &env)
            }
        }
        return (total, number)
    }

    /// Header, AEAD, mask. The only place where a packet number meets a key.
    mutating func sealDatagram(connectionID: UInt64, _ number: UInt64, _ buffer: UnsafeMutableRawPointer, _ length: Int) -> Int {
        guard let suite else { return 0 }
        let phase = keys?.pointee.phase ?? 0
        let first = DataPacket.firstByte(phase: phase)
        let truncated = UInt32(truncatingIfNeeded: number)
        let additional = AdditionalData(firstByte: first, connectionID: connectionID, packetNumber: truncated)
        let body = buffer + DataPacket.headerLength
        withUnsafeBytes(of: additional.words) {
            if let base = $0.baseAddress { keys?.pointee.seal(packetNumber: number, additionalData: base, body, length: length) }
        }
        let mask = keys?.pointee.sendHeader.mask(sample: body + length) ?? 0
        buffer.storeBytes(of: first ^ UInt8(truncatingIfNeeded: mask & 0x3F), as: UInt8.self)
        buffer.storeBytes(of: connectionID.bigEndian, toByteOffset: 1, as: UInt64.self)
        buffer.storeBytes(of: (truncated ^ UInt32(truncatingIfNeeded: mask >> 8)).bigEndian,
                          toByteOffset: DataPacket.packetNumberOffset, as: UInt32.self)
        return DataPacket.headerLength &+ length &+ suite.tagLength
    }

    func fill(_ datagram: UnsafeMutablePointer<jmp_datagram>, _ slot: Int, _ length: Int, _ number: UInt64) {
        datagram.pointee.transport = paths[slot].transport
        datagram.pointee.to = paths[slot].address.exported
        datagram.pointee.length = UInt32(truncatingIfNeeded: length)
        datagram.pointee.path = paths[slot].id
        datagram.pointee.session = handle
        datagram.pointee.packet_number = number
    }

    /// Seals a payload anew for the provisional address while the rebinding is not decided (bounded by RFC 9000 §8).
    private mutating func copyToProvisional(_ frames: UnsafeMutableRawPointer, _ length: Int, _ slot: Int, _ env: inout Environment) {
        guard let provisional = paths.find(index: paths[slot].index, role: .provisional) else { return }
        let total = length &+ overhead &- 1
        guard paths[provisional].mayReceive(total), let target = env.outgoing.nextSlot(total) else { return }
        // The first byte is the PAYLOAD type, written by now.
        (target + DataPacket.headerLength).copyMemory(from: frames, byteCount: length)
        let (sealed, number) = seal(provisional, target, length, isEliciting: false, isProbe: false, &env)
        env.outgoing.commit(DatagramQueue.Entry(transport: paths[provisional].transport, address: paths[provisional].address,
                                                length: sealed, path: paths[provisional].id, session: handle, packetNumber: number))
    }

    // MARK: frames that ride along

    /// When there is news, at most every half acknowledgement delay (srtt / 16) or 16 datagrams: each echo of moderate traffic carries one.
    func isAcknowledgementDue(_ slot: Int, _ now: UInt64) -> Bool {
        guard paths[slot].unacknowledged > 0 else { return false }
        return paths[slot].unacknowledged >= 16 || now &- paths[slot].acknowledgedAt >= paths[slot].health.acknowledgementDelay / 2
    }

    mutating func writeAcknowledgement(_ writer: inout ByteWriter, _ slot: Int, _ env: inout Environment) {
        let largest = paths[slot].largestReceived
        let delay = (env.now &- paths[slot].largestReceivedAt) / Acknowledgement.delayUnit
        writer.acknowledgement(Acknowledgement(largest: UInt32(truncatingIfNeeded: largest), delayUnits: UInt16(clamping: delay),
                                               bitmap: replay.bitmap(below: largest)))
        paths[slot].unacknowledged = 0
        paths[slot].acknowledgedAt = env.now
        paths[slot].outbox.remove(.acknowledgement)
    }

    func reattachLength(_ slot: Int, _ env: borrowing Environment) -> Int {
        16 &+ transportName(slot, env).count
    }

    mutating func writeReattach(_ writer: inout ByteWriter, _ slot: Int, _ env: inout Environment) {
        guard let id = attempt?.id ?? rebindAttemptID else { return }
        let cause = attempt?.cause ?? .natRebinding
        writer.reattach(ReattachRequest(attemptID: id, bindingVersion: bindingVersion, cause: cause.rawValue,
                                        transportClass: paths[slot].transportClass, transportName: transportName(slot, env)))
    }

    // MARK: wheel

    /// Arms a session timer and, when it became the earliest, the wheel.
    mutating func armEarlier(_ kind: TimerKind, _ deadline: UInt64, _ env: inout Environment) {
        guard deadline < timers[kind] else { return }
        timers[kind] = deadline
        if deadline < env.wheel.armedAt(Int(index)) { env.wheel.arm(Int(index), at: deadline) }
    }

    /// After any change of timers: the wheel must fire no later than the earliest of them.
    mutating func syncWheel(_ env: inout Environment) {
        let earliest = timers.earliest
        if earliest < env.wheel.armedAt(Int(index)) { env.wheel.arm(Int(index), at: earliest) }
    }

    /// Something is to be transmitted: the session joins the queue once.
    mutating func queue(_ env: inout Environment) {
        guard !isQueued else { return }
        isQueued = true
        env.ready.push(UInt64(index))
    }
}
