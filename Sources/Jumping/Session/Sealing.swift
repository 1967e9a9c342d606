import CJumping
import JumpingCrypto
import JumpingDelivery
import JumpingSession
import JumpingWire

/// An acknowledgement that is about to be written, so that its length is known before.
enum NextAcknowledgement {
    case newest
    case ranges(PacketNumberRanges, further: Int)

    var length: Int {
        switch self {
        case .newest: Acknowledgement.length
        case .ranges(_, let further): AcknowledgementRanges.shortest &+ further &* AcknowledgementRanges.rangeLength
        }
    }
}

extension Session {
    /// Where payloads go: the path a recovery is moving to, else the active one. A path that is left by choice keeps them when the
    /// chosen one does not answer the first request: it may be a hole.
    @inline(__always)
    var sendingSlot: Int? {
        guard let attempt else { return activeSlot }
        return sendingSlot(during: attempt)
    }

    @inline(never)
    private func sendingSlot(during attempt: ReattachAttempt) -> Int? {
        guard paths[attempt.slot].isUsed else { return activeSlot }
        return attempt.transmissions > 1 && !isActiveLost ? activeSlot : attempt.slot
    }

    /// Seals one payload into the host's buffer (wire document, "DATA"). The hot path: nothing here allocates.
    mutating func send(_ payload: UnsafeRawPointer?, _ length: Int, _ buffer: UnsafeMutableRawPointer, _ capacity: Int,
                       _ datagram: UnsafeMutablePointer<jmp_datagram>, _ env: inout Environment) -> jmp_status {
        guard carriesPayloads, isClient || isConfirmed else { return state == .terminated ? JMP_ERR_TERMINATED : JMP_ERR_STATE }
        guard let slot = sendingSlot else { return JMP_ERR_NO_PATH }
        guard length >= 0, length <= maxPayload(slot, env) else { return JMP_ERR_TOO_LONG }
        guard capacity >= length &+ overhead &+ Int(JMP_FRAME_RESERVE) else { return JMP_ERR_BUFFER_TOO_SMALL }
        noteLateness(dueAt: wheelDeadline, &env)
        if policy.controlExpendable, !mayLeave(slot, &env) { return JMP_AGAIN }

        // Mostly there is nothing but the payload to say, and then its first byte is the first sealed byte: it needs no frame around it,
        // and one of 64 or 256 bytes no cipher block for a single byte more.
        let prefix = attempt != nil || paths[slot].unacknowledged > 0 ? writePrefix(slot, payload, length, buffer, &env) : 0
        let start = buffer + DataPacket.headerLength
        if prefix == 0, let payload, length > 0, payload != UnsafeRawPointer(start) { start.copyMemory(from: payload, byteCount: length) }

        counters.payloadsSent &+= 1
        lastPayloadAt = env.now
        keys?.pointee.noteActivity()
        if hasProvisional { copyToProvisional(start + prefix, length, slot, &env) }
        let (total, number) = seal(slot, buffer, prefix &+ length, isPayload: prefix == 0, isEliciting: true, isProbe: attempt?.slot == slot, &env)
        fill(datagram, slot, total, number)
        if total > PathMTU.base { noteLongSent(slot, &env) }
        if policy.controlExpendable { noteExpendableSent(number, total, slot, &env) }
        return JMP_OK
    }

    /// Frames before the payload: a REATTACH that waits for its answer, an acknowledgement that is due, and then the PAYLOAD frame's
    /// type. Returns their length, 0 when there are none.
    @inline(never)
    private mutating func writePrefix(_ slot: Int, _ payload: UnsafeRawPointer?, _ length: Int, _ buffer: UnsafeMutableRawPointer,
                                      _ env: inout Environment) -> Int {
        let hasReattach = attempt?.slot == slot
        guard hasReattach || isAcknowledgementDue(slot, env.now) else { return 0 }
        let reattach = hasReattach ? reattachLength(slot, env) : 0
        let acknowledgement = isAcknowledgementDue(slot, env.now) ? acknowledgement(slot, room: Int(JMP_FRAME_RESERVE) &- reattach) : nil
        let prefix = reattach &+ (acknowledgement?.length ?? 0) &+ 1
        // The payload moves first: it may lie inside the buffer, where the frames before it go.
        let body = buffer + DataPacket.headerLength
        if let payload, length > 0 { (body + prefix).copyMemory(from: payload, byteCount: length) }
        var writer = ByteWriter(body, prefix)
        if hasReattach { writeReattach(&writer, slot, &env) }
        if let acknowledgement { write(acknowledgement, &writer, slot, &env) }
        writer.u8(FrameType.payload)
        return prefix
    }

    /// Seals `length` bytes that lie behind the header's room, in place: a payload alone, or frames. Returns the datagram's length and
    /// number.
    @inline(always)
    mutating func seal(_ slot: Int, _ buffer: UnsafeMutableRawPointer, _ length: Int, isPayload: Bool, isEliciting: Bool, isProbe: Bool,
                       _ env: inout Environment) -> (length: Int, packetNumber: UInt64) {
        let number = nextPacketNumber
        nextPacketNumber &+= 1
        let total = sealDatagram(connectionID: paths[slot].peerConnectionID, number, buffer, length, isPayload: isPayload)
        counters.datagramsSent &+= 1
        counters.bytesSent &+= UInt64(truncatingIfNeeded: total)
        env.counters.datagramsSent &+= 1
        noteSent(slot, number, total, isEliciting: isEliciting, isProbe: isProbe, &env)
        if let keys, keys.pointee.sentInPhase >= Self.gcmPhaseLimit { leavePhase(&env) }
        return (total, number)
    }

    @inline(__always)
    private mutating func noteSent(_ slot: Int, _ number: UInt64, _ length: Int, isEliciting: Bool, isProbe: Bool, _ env: inout Environment) {
        paths[slot].datagramBytesSent &+= UInt64(truncatingIfNeeded: length)
        guard isEliciting else { return }
        let overdueAfter = paths[slot].health.overdueAfter
        let isKept = sent.record(SentPacket(number: number, sentAt: env.now, slot: slot, isLong: length > PathMTU.base), span: overdueAfter &* 2,
                                 isProbe: isProbe, drops: policy.maxConsecutiveDrops)
        paths[slot].lastElicitingAt = env.now
        // The answer to one that was not kept would not be noticed, and its silence be taken for the path's.
        if isKept, paths[slot].unansweredSince == .max { paths[slot].unansweredSince = env.now }
        if slot == Int(activeNumber) { armEarlier(.detection, env.now &+ overdueAfter, &env) }
    }

    /// Before the peer has followed into the present phase there is nothing to be done, and a timer would only spin.
    @inline(never)
    private mutating func leavePhase(_ env: inout Environment) {
        if suite == .aes256GCM, canRotate(env.now) { armEarlier(.keyRotation, env.now, &env) }
    }

    /// Header, AEAD, mask. The only place where a packet number meets a key.
    @inline(__always)
    mutating func sealDatagram(connectionID: UInt64, _ number: UInt64, _ buffer: UnsafeMutableRawPointer, _ length: Int, isPayload: Bool) -> Int {
        guard let keys else { return 0 }
        let first = DataPacket.firstByte(phase: keys.pointee.phase, isPayload: isPayload)
        let truncated = UInt32(truncatingIfNeeded: number)
        let additional = AdditionalData(firstByte: first, connectionID: connectionID, packetNumber: truncated)
        let body = buffer + DataPacket.headerLength
        withUnsafePointer(to: additional) {
            keys.pointee.seal(packetNumber: number, additionalData: UnsafeRawPointer($0), body, length: length)
        }
        let mask = keys.pointee.sendHeader.mask(sample: body + length)
        buffer.storeBytes(of: first ^ UInt8(truncatingIfNeeded: mask & 0x3F), as: UInt8.self)
        buffer.storeBytes(of: connectionID.bigEndian, toByteOffset: 1, as: UInt64.self)
        buffer.storeBytes(of: (truncated ^ UInt32(truncatingIfNeeded: mask >> 8)).bigEndian,
                          toByteOffset: DataPacket.packetNumberOffset, as: UInt32.self)
        return DataPacket.headerLength &+ length &+ keys.pointee.tagLength
    }

    @inline(__always)
    func fill(_ datagram: UnsafeMutablePointer<jmp_datagram>, _ slot: Int, _ length: Int, _ number: UInt64) {
        datagram.pointee.transport = paths[slot].transport
        paths[slot].address.write(to: &datagram.pointee.to)
        datagram.pointee.length = UInt32(truncatingIfNeeded: length)
        datagram.pointee.path = paths[slot].id
        datagram.pointee.session = handle
        datagram.pointee.packet_number = number
    }

    /// Seals a payload anew for the provisional address while the rebinding is not decided (bounded by RFC 9000 §8).
    @inline(never)
    private mutating func copyToProvisional(_ payload: UnsafeMutableRawPointer, _ length: Int, _ slot: Int, _ env: inout Environment) {
        guard let provisional = paths.find(index: paths[slot].index, role: .provisional) else { return }
        let total = length &+ overhead &- 1
        guard paths[provisional].mayReceive(total), let target = env.outgoing.nextSlot(total) else { return }
        (target + DataPacket.headerLength).copyMemory(from: payload, byteCount: length)
        let (sealed, number) = seal(provisional, target, length, isPayload: true, isEliciting: false, isProbe: false, &env)
        env.outgoing.commit(DatagramQueue.Entry(transport: paths[provisional].transport, address: paths[provisional].address,
                                                length: sealed, path: paths[provisional].id, session: handle, packetNumber: number))
    }

    // MARK: frames that ride along

    /// When there is news, at most every half acknowledgement delay (srtt / 16) or 16 datagrams: each echo of moderate traffic carries one.
    func isAcknowledgementDue(_ slot: Int, _ now: UInt64) -> Bool {
        guard paths[slot].unacknowledged > 0 else { return false }
        return paths[slot].unacknowledged >= 16 || now &- paths[slot].acknowledgedAt >= paths[slot].health.acknowledgementDelay / 2
    }

    /// What the next acknowledgement of a path says: the newest 33 numbers, or where protected payloads came ranges without a gap, as many
    /// as have room.
    func acknowledgement(_ slot: Int, room: Int) -> NextAcknowledgement? {
        guard policy.controlExpendable || delivery?.pointee.receiver.hasReceived ?? false else { return .newest }
        let ranges = replay.ranges(through: paths[slot].largestReceived)
        return ranges.further(room: room).map { .ranges(ranges, further: $0) }
    }

    mutating func write(_ acknowledgement: NextAcknowledgement, _ writer: inout ByteWriter, _ slot: Int, _ env: inout Environment) {
        let largest = paths[slot].largestReceived
        let delay = UInt16(clamping: (env.now &- paths[slot].largestReceivedAt) / Acknowledgement.delayUnit)
        switch acknowledgement {
        case .newest:
            writer.acknowledgement(Acknowledgement(largest: UInt32(truncatingIfNeeded: largest), delayUnits: delay, bitmap: replay.bitmap(below: largest)))
        case .ranges(let ranges, let further):
            writer.acknowledgementRanges(ranges, further: further, delayUnits: delay)
        }
        paths[slot].unacknowledged = 0
        paths[slot].acknowledgedAt = env.now
        paths[slot].outbox.remove(.acknowledgement)
    }

    /// As many ranges as leave room for a PING.
    mutating func writeAcknowledgement(_ writer: inout ByteWriter, _ slot: Int, _ env: inout Environment) {
        if let acknowledgement = acknowledgement(slot, room: writer.room &- 1) { write(acknowledgement, &writer, slot, &env) }
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
    @inline(__always)
    mutating func armEarlier(_ kind: TimerKind, _ deadline: UInt64, _ env: inout Environment) {
        guard deadline < timers[kind] else { return }
        timers[kind] = deadline
        if deadline < wheelDeadline { armWheel(deadline, &env) }
    }

    /// After any change of timers: the wheel must fire no later than the earliest of them.
    @inline(__always)
    mutating func syncWheel(_ env: inout Environment) {
        let earliest = timers.earliest
        if earliest < wheelDeadline { armWheel(earliest, &env) }
    }

    @inline(never)
    private mutating func armWheel(_ deadline: UInt64, _ env: inout Environment) {
        env.wheel.arm(Int(index), at: deadline)
        wheelDeadline = deadline
    }

    /// Something is to be transmitted: the session joins the queue once.
    mutating func queue(_ env: inout Environment) {
        guard !isQueued else { return }
        isQueued = true
        env.ready.push(UInt64(index))
    }
}
