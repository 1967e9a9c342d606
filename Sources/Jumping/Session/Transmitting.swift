import CJumping
import JumpingCrypto
import JumpingDelivery
import JumpingSession
import JumpingWire

/// What a try to build a control datagram came to.
enum TransmitResult {
    case nothing
    case bufferTooSmall
    case sent
}

extension Session {
    /// Builds the session's next control datagram in the host's buffer.
    mutating func pollTransmit(_ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ datagram: UnsafeMutablePointer<jmp_datagram>,
                               _ env: inout Environment) -> TransmitResult {
        if !hasFollowed(env) { followTransports(&env) }
        if state == .birth, initiation != nil || handshake != nil { return transmitHandshake(buffer, capacity, datagram, &env) }
        if state == .terminated { return transmitFarewell(buffer, capacity, datagram, &env) }
        guard keys != nil else { return .nothing }
        let carrier = delivery == nil ? nil : deliverySlot(&env)
        for slot in 0..<paths.capacity where paths[slot].isUsed && (hasFrames(slot) || slot == carrier) {
            let result = transmitFrames(slot, isCarrier: slot == carrier, buffer, capacity, datagram, &env)
            if result != .nothing { return result }
        }
        if bulk.present != nil {
            let probed = transmitMTUProbe(buffer, capacity, datagram, &env)
            if probed != .nothing { return probed }
        }
        guard delivery != nil else { return .nothing }
        let copied = transmitCopy(buffer, capacity, datagram, &env)
        if copied == .nothing { armDelivery(&env) }
        return copied
    }

    private func hasFrames(_ slot: Int) -> Bool {
        !paths[slot].outbox.isEmpty || paths[slot].pings > 0
    }

    /// Frames besides an acknowledgement and those of protected delivery.
    func hasControlFrames(_ slot: Int) -> Bool {
        !paths[slot].outbox.subtracting(.acknowledgement).isEmpty || paths[slot].pings > 0
    }

    private mutating func transmitHandshake(_ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ datagram: UnsafeMutablePointer<jmp_datagram>,
                                            _ env: inout Environment) -> TransmitResult {
        guard initiation.map({ $0.pointee.shouldTransmit }) ?? handshake.map({ $0.pointee.shouldTransmit }) ?? false else { return .nothing }
        guard capacity >= HandshakePacket.initCapacity else { return .bufferTooSmall }
        var writer = ByteWriter(buffer, capacity)
        var slot = 0
        if let initiation {
            guard let chosen = writeInitDatagram(initiation, &writer, &env) else { return .nothing }
            slot = chosen
        } else {
            guard let handshake, handshake.pointee.hasResponse else { return .nothing }
            let length = handshake.pointee.length
            handshake.pointee.withBytes { writer.copy(UnsafeRawBufferPointer(rebasing: $0[0..<length])) }
            handshake.pointee.shouldTransmit = false
        }
        counters.datagramsSent &+= 1
        counters.bytesSent &+= UInt64(writer.count)
        env.counters.datagramsSent &+= 1
        paths[slot].datagramBytesSent &+= UInt64(writer.count)
        fill(datagram, slot, writer.count, JMP_PACKET_NUMBER_NONE)
        return .sent
    }

    /// One datagram with every frame the path has to say. Flags are cleared only when it is sealed.
    private mutating func transmitFrames(_ slot: Int, isCarrier: Bool, _ buffer: UnsafeMutableRawPointer, _ capacity: Int,
                                         _ datagram: UnsafeMutablePointer<jmp_datagram>, _ env: inout Environment) -> TransmitResult {
        let tagLength = suite?.tagLength ?? 16
        // 320 bytes hold every frame at once; the host is told to bring more.
        guard capacity >= 320 else { return .bufferTooSmall }
        guard paths[slot].index != .max else {
            paths[slot].outbox = []
            paths[slot].pings = 0
            return .nothing
        }
        let room = isCarrier ? min(capacity, deliveryMTU(slot, env)) : 320
        var writer = ByteWriter(buffer + DataPacket.headerLength, room &- DataPacket.headerLength &- tagLength)
        let outbox = paths[slot].outbox
        // A request that waits for its answer comes first in every datagram of its path; without one, a nudge is answered.
        if attempt.map({ $0.slot == slot }) ?? outbox.contains(.reattach) { writeReattach(&writer, slot, &env) }
        if outbox.contains(.response) { writer.frame(FrameType.pathResponse, paths[slot].response) }
        if outbox.contains(.answer) { writer.reattachAnswer(paths[slot].answerType, paths[slot].answer) }
        if outbox.contains(.challenge) { writer.frame(FrameType.pathChallenge, paths[slot].challenge) }
        if outbox.contains(.nudge) { writer.frame(FrameType.nudge, bindingVersion) }
        if outbox.contains(.report) { writeReport(&writer, env) }
        if outbox.contains(.policyAck) { writer.frame(FrameType.policyAck, policySequence) }
        if outbox.contains(.policy) { writePolicy(&writer) }
        if paths[slot].unacknowledged > 0 { writeAcknowledgement(&writer, slot, &env) }
        // Everything but a lone acknowledgement asks for one.
        var isEliciting = !outbox.subtracting(.acknowledgement).isEmpty
        if paths[slot].pings > 0 {
            writer.u8(FrameType.ping)
            isEliciting = true
        }
        let isControl = isEliciting
        if isCarrier, writeDelivery(&writer, slot, env) { isEliciting = true }
        guard writer.count > 0, !writer.failed else {
            paths[slot].outbox = []
            return .nothing
        }
        let total = writer.count &+ DataPacket.headerLength &+ tagLength
        guard isClient || paths[slot].mayReceive(total) else {
            paths[slot].outbox = []
            paths[slot].pings = 0
            return .nothing
        }
        if paths[slot].pings > 0 { paths[slot].pings &-= 1 }
        paths[slot].outbox = []
        let (length, number) = seal(slot, buffer, writer.count, isPayload: false, isEliciting: isEliciting, isProbe: isControl, &env)
        if isCarrier { noteDeliverySent(number, length, slot, &env) }
        fill(datagram, slot, length, number)
        return .sent
    }

    private func writeReport(_ writer: inout ByteWriter, _ env: borrowing Environment) {
        guard let activeSlot else {
            return writer.volatility(VolatilityReport(bindingVersion: bindingVersion, cause: reportCause.rawValue, isAlive: false, lossPPM: 1_000_000))
        }
        let loss = paths[activeSlot].health.reportedLossPPM(thresholdPPM: policy.lossVolatileThresholdPPM, now: env.now, quiet: policy.stabilityWindow)
        let isOver = reportCause == .latencyThresholdExceeded && !isSlow(activeSlot)   // then nothing but loss speaks against the path
        let cause = isOver ? Reason.none : reportCause
        writer.volatility(VolatilityReport(bindingVersion: bindingVersion, cause: cause.rawValue, isAlive: !paths[activeSlot].isDead,
                                           lossPPM: loss))
    }

    private func writePolicy(_ writer: inout ByteWriter) {
        var bytes = InlineArray<192, UInt8>(repeating: 0)
        withUnsafeMutableBytes(of: &bytes) { bytes in
            var inner = ByteWriter(bytes)
            policy.write(&inner)
            writer.u8(FrameType.policy)
            writer.u32(policySequence)
            writer.u16(UInt16(truncatingIfNeeded: inner.count))
            writer.copy(UnsafeRawBufferPointer(rebasing: bytes[0..<inner.count]))
        }
    }

    // MARK: asking for frames

    mutating func request(_ frames: Outbox, _ slot: Int, _ env: inout Environment) {
        paths[slot].outbox.insert(frames)
        queue(&env)
    }

    mutating func requestPing(_ slot: Int, count: UInt8 = 1, _ env: inout Environment) {
        paths[slot].pings = max(paths[slot].pings, count)
        queue(&env)
    }

    /// A fresh challenge; an open one is repeated unchanged, so that a late answer to it still counts.
    mutating func requestChallenge(_ slot: Int, _ env: inout Environment) {
        if !paths[slot].isChallengeOpen {
            paths[slot].challenge = env.random.next64()
            paths[slot].isChallengeOpen = true
            paths[slot].challengeTries = 0
            paths[slot].challengeSentAt = env.now   // of the first: an answer may be to any of them
        }
        request(.challenge, slot, &env)
    }
}
