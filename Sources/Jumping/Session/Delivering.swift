import CJumping
import JumpingCrypto
import JumpingDelivery
import JumpingSession
import JumpingWire

/// Protected delivery as part of a session: which path carries it, what its datagrams say, what the host gets and hears
/// (wire document, "Protected delivery").
extension Session {
    private mutating func made(_ env: borrowing Environment) -> UnsafeMutablePointer<Delivery> {
        if let delivery { return delivery }
        let made = Delivery.make(sendBuffer: env.config.sendBuffer, receiveBuffer: env.config.receiveBuffer)
        bulk.made(Bulk()).pointee.delivery = made
        return made
    }

    /// What recovery needs to know of a path. A send is lost when an acknowledgement passed over it and it is older than a round trip and
    /// what the path was seen to reorder (RFC 9002 §6.1.2, learned instead of an eighth).
    private func roundTrip(_ slot: Int?) -> RoundTrip {
        // Without a path nothing is sent, but times to live end all the same.
        guard let slot else { return RoundTrip(smoothed: 1_000_000, probeTimeout: 3_000_000, lossDelay: 1_000_000) }
        let smoothed = paths[slot].health.smoothedRTT
        return RoundTrip(smoothed: smoothed, probeTimeout: paths[slot].health.probeTimeout,
                         lossDelay: max(smoothed, paths[slot].health.latestRTT) &+ paths[slot].health.reorderingTolerance)
    }

    // MARK: from the host

    mutating func sendProtected(_ payload: UnsafeRawPointer?, _ length: Int, channel: UInt8, timeToLive: UInt64, tag: UInt64, wantsReport: Bool,
                                _ env: inout Environment) -> jmp_status {
        guard carriesPayloads, isClient || isConfirmed else { return state == .terminated ? JMP_ERR_TERMINATED : JMP_ERR_STATE }
        guard length >= 0, length <= maxProtectedPayload(env) else { return JMP_ERR_TOO_LONG }
        noteLateness(dueAt: wheelDeadline, &env)
        let (end, overflow) = env.now.addingReportingOverflow(timeToLive)
        let offer = made(env).pointee.sender.offer(payload, length: length, channel: channel, deadline: timeToLive == 0 || overflow ? .max : end,
                                                   tag: tag, wantsReport: wantsReport, &env.payloads)
        switch offer {
        case .taken:
            counters.payloadsSent &+= 1
            lastPayloadAt = env.now
            keys?.pointee.noteActivity()
            queue(&env)
            return JMP_OK
        case .bufferFull: return JMP_AGAIN
        case .memoryFull:
            armDelivery(&env)
            return JMP_AGAIN
        }
    }

    private static let memoryRetry: UInt64 = 50_000

    func maxProtectedPayload(_ env: borrowing Environment) -> Int {
        min(ProtectedFrame.longestPayload, env.config.sendBuffer &- Payload.fixedCharge)
    }

    // MARK: datagrams out

    /// The path whose next datagram carries protected frames: payloads go where all payloads go, once something may leave; nil when
    /// nothing may now.
    mutating func deliverySlot(_ env: inout Environment) -> Int? {
        guard let delivery, let slot = sendingSlot, paths[slot].isUsed, paths[slot].index != .max, isClient || isConfirmed else { return nil }
        guard isClient || paths[slot].isValidated else { return nil }
        carryDelivery(slot, delivery, env)
        if policy.redundancy != .never || delivery.pointee.sender.copyCarrier != .max { updateRedundancy(slot, delivery, &env) }
        // A receiver that binds strictly takes nothing from a path it has not bound: neither payloads, nor what comes with them.
        if policy.strictBinding, attempt != nil || slot != activeSlot { return nil }
        // Nor does one without memory: what else there is to say leaves before, in a datagram of its own.
        if hasControlFrames(slot) { return nil }
        if delivery.pointee.receiver.isMaxDataDue, delivery.pointee.sender.hasLedgerRoom { return slot }
        return delivery.pointee.sender.sendTime(env.now, roundTrip(slot)) <= env.now ? slot : nil
    }

    // MARK: redundancy

    /// The standby that gets copies of what goes over `slot`, if the policy wants them now. A receiver that binds strictly would take none.
    private func redundantSlot(_ slot: Int, _ delivery: UnsafeMutablePointer<Delivery>, _ env: borrowing Environment) -> Int? {
        switch policy.redundancy {
        case .never: return nil
        case .whileVolatile: guard state != .attached || delivery.pointee.isSuspect else { return nil }
        case .always: break
        }
        guard !policy.strictBinding else { return nil }
        var shortlist = Shortlist()
        for other in 0..<paths.capacity where paths[other].isUsed && other != slot && paths[other].index != .max && !paths[other].isHintedDown {
            let option = candidate(other, env)
            if option.isAllowed, option.isValidated, !option.isDead, paths[other].role == .standby { shortlist.add(option) }
        }
        return shortlist.best(improvementPPM: policy.switchImprovementPPM)?.slot
    }

    /// Begins and ends the copying as the policy wants it at this moment, and says so in the audit trail.
    private mutating func updateRedundancy(_ slot: Int, _ delivery: UnsafeMutablePointer<Delivery>, _ env: inout Environment) {
        delivery.pointee.sender.copySharePPM = policy.redundancySharePPM
        let standby = redundantSlot(slot, delivery, env)
        let path = standby.map { paths[$0].id } ?? .max, before = delivery.pointee.sender.copyCarrier
        guard path != before else { return }
        // When trouble begins, what is in flight is in doubt; otherwise it is not.
        delivery.pointee.sender.copy(to: path, datagramSize: standby.map { confirmedMTU($0, env) } ?? PathMTU.base,
                                     fromOldest: policy.redundancy == .whileVolatile)
        if (path == .max) != (before == .max) {
            let type = path == .max ? JMP_EVENT_REDUNDANCY_STOPPED : JMP_EVENT_REDUNDANCY_STARTED
            emit(type, reason: state == .attached ? .none : lastReason, target: standby ?? paths.find(id: before), &env)
        }
    }

    /// A datagram that was sent on the active path, once more on the standby.
    mutating func transmitCopy(_ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ datagram: UnsafeMutablePointer<jmp_datagram>,
                               _ env: inout Environment) -> TransmitResult {
        guard let delivery, delivery.pointee.sender.copyCarrier != .max, let slot = paths.find(id: delivery.pointee.sender.copyCarrier) else { return .nothing }
        guard capacity >= 320 else { return .bufferTooSmall }
        let room = min(capacity, confirmedMTU(slot, env)) &- DataPacket.headerLength &- (suite?.tagLength ?? 16)
        var writer = ByteWriter(buffer + DataPacket.headerLength, room)
        guard delivery.pointee.sender.writeCopy(&writer, roundTrip(slot)) else { return .nothing }
        let (length, number) = seal(slot, buffer, writer.count, isPayload: false, isEliciting: true, isProbe: false, &env)
        delivery.pointee.sender.noteCopySent(number, size: length, now: env.now, roundTrip(slot))
        fill(datagram, slot, length, number)
        return .sent
    }

    /// A send on the active path is overdue.
    mutating func suspectActivePath(_ env: inout Environment) {
        guard let delivery, policy.redundancy == .whileVolatile, !delivery.pointee.isSuspect else { return }
        delivery.pointee.isSuspect = true
        queue(&env)
    }

    // MARK: paths

    /// `slot` carries it from now on.
    private mutating func carryDelivery(_ slot: Int, _ delivery: UnsafeMutablePointer<Delivery>, _ env: borrowing Environment) {
        if delivery.pointee.sender.carrier != paths[slot].id { moveDelivery(to: slot, restart: true, env) }
    }

    /// All that is in flight goes again on another path, at once, under a new window.
    private mutating func moveDelivery(to slot: Int, restart: Bool, _ env: borrowing Environment) {
        guard let delivery else { return }
        var isMaxDataLost = false
        delivery.pointee.sender.move(to: paths[slot].id, datagramSize: confirmedMTU(slot, env), restart: restart,
                                     isMaxDataLost: &isMaxDataLost)
        if isMaxDataLost { delivery.pointee.receiver.isMaxDataDue = true }
    }

    /// The path leads to another address now: what went to the old one is gone. Its capacity is taken to be the same (RFC 9000 §9.4).
    mutating func resendDelivery(_ slot: Int, _ env: inout Environment) {
        guard let delivery, delivery.pointee.sender.carrier == paths[slot].id else { return }
        moveDelivery(to: slot, restart: false, env)
        queue(&env)
    }

    /// What goes over the active path may go over the standby too.
    func deliveryMTU(_ slot: Int, _ env: borrowing Environment) -> Int {
        if delivery?.pointee.sender.isProbing ?? false { return PathMTU.base }
        let own = confirmedMTU(slot, env)
        guard let delivery, let other = paths.find(id: delivery.pointee.sender.copyCarrier) else { return own }
        return min(own, confirmedMTU(other, env))
    }

    /// Tells whether anything was written.
    mutating func writeDelivery(_ writer: inout ByteWriter, _ slot: Int, _ env: borrowing Environment) -> Bool {
        guard let delivery else { return false }
        if delivery.pointee.receiver.isMaxDataDue, delivery.pointee.sender.hasLedgerRoom, writer.room >= 9 {
            writer.maxData(delivery.pointee.receiver.announce())
            delivery.pointee.sender.noteMaxData()
        }
        // Credit is told whatever the window says; payloads are not.
        if delivery.pointee.sender.sendTime(env.now, roundTrip(slot)) <= env.now { delivery.pointee.sender.write(&writer) }
        return delivery.pointee.sender.hasWritten
    }

    mutating func noteDeliverySent(_ number: UInt64, _ length: Int, _ slot: Int, _ env: inout Environment) {
        guard let delivery else { return }
        delivery.pointee.sender.noteSent(number, size: length, now: env.now, roundTrip(slot))
        noteLongSent(slot, &env)   // protected payloads want to know how long their datagrams may be
        lastPayloadAt = env.now
    }

    // MARK: expendable payloads, where the policy puts them under congestion control

    /// Whether an expendable payload may leave now. If not, Writable tells the host when it is worth trying again.
    @inline(never)
    mutating func mayLeave(_ slot: Int, _ env: inout Environment) -> Bool {
        let delivery = made(env)
        carryDelivery(slot, delivery, env)
        guard !delivery.pointee.sender.admits(env.now, roundTrip(slot)) else { return true }
        armDelivery(&env)
        return false
    }

    @inline(never)
    mutating func noteExpendableSent(_ number: UInt64, _ length: Int, _ slot: Int, _ env: inout Environment) {
        guard let delivery else { return }
        delivery.pointee.sender.noteExpendableSent(number, size: length, now: env.now, roundTrip(slot))
        armDelivery(&env)
    }

    // MARK: time

    /// The timer for whatever comes next: a paced datagram's turn, a loss, a probe, the end of a payload's time. Without a path only the
    /// last of these.
    mutating func armDelivery(_ env: inout Environment) {
        guard let delivery, state != .terminated else { return }
        let roundTrip = roundTrip(sendingSlot)
        let turn = sendingSlot == nil ? .max : delivery.pointee.sender.sendTime(env.now, roundTrip)
        let admission = delivery.pointee.sender.admissionTime(env.now, roundTrip)
        var next = min(delivery.pointee.sender.deadline(roundTrip), turn <= env.now ? .max : turn, admission <= env.now ? .max : admission)
        // Others give memory back without this session's doing.
        if delivery.pointee.sender.isWaitingForMemory(env.payloads) { next = min(next, env.now &+ Self.memoryRetry) }
        if next != .max { armEarlier(.delivery, max(next, env.now &+ 1), &env) }
    }

    // MARK: datagrams in

    /// Why an authentic datagram must not count as arrived: what is in it could not be kept, and its sender must send it again.
    func refusal(_ frames: UnsafeRawBufferPointer, _ arrival: Arrival, _ env: borrowing Environment) -> Int32? {
        let isStrict = policy.strictBinding && (activeNumber < 0 || !paths[Int(activeNumber)].carried(arrival))
        let isRoomy = delivery.map { $0.pointee.receiver.isRoomy(env.payloads) }
            ?? DeliveryReceiver.isRoomy(DeliveryReceiver.memoryLimit(env.config.receiveBuffer), held: 0, env.payloads)
        guard isStrict || !isRoomy else { return nil }
        var reader = ByteReader(frames)
        // What the host holds is handed out from no datagram.
        var need = 0, mayDeliver = !(delivery.map { $0.pointee.isHeld } ?? false)
        while let frame = Frame.read(&reader) {
            switch frame {
            case .protected(let part), .fragment(let part):
                if isStrict { return JMP_DROP_STRICT_BINDING }
                need &+= delivery.map { $0.pointee.receiver.need(part, mayDeliver: &mayDeliver) } ?? DeliveryReceiver.need(part)
            case .payload: mayDeliver = false
            default: break
            }
        }
        guard need > 0 else { return nil }
        return env.payloads.allows(need, held: delivery.map { $0.pointee.receiver.buffered } ?? 0) ? nil : JMP_DROP_NO_MEMORY
    }

    /// What has room of a datagram that has not enough of it is kept all the same, although the datagram comes again: it may be what the
    /// memory waits for, and come with the same neighbours each time. True when nothing had to be left out, so that it counts as arrived.
    @inline(never)
    mutating func keepsAll(_ frames: UnsafeRawBufferPointer, _ cause: Int32, _ received: UnsafeMutablePointer<jmp_received>, _ env: inout Environment) -> Bool {
        guard cause == JMP_DROP_NO_MEMORY, isClient || isConfirmed else { return false }
        let delivery = made(env)
        var reader = ByteReader(frames)
        var isAll = true
        while let frame = Frame.read(&reader) {
            switch frame {
            case .protected(let part), .fragment(let part): isAll = delivery.pointee.receiver.keep(part, &env.payloads) && isAll
            // These may come again as well, and may be what gives memory back: in the other direction, or here.
            case .acknowledgement(let frame): receiveAcknowledgement(frame, slot: nil, &env)
            case .acknowledgementRanges(let ranges): _ = receiveAcknowledgement(ranges, slot: nil, &env)
            case .maxData(let limit): receiveMaxData(limit, &env)
            case .abandoned(let payload): receiveAbandoned(payload, &env)
            default: break
            }
        }
        finishReceiving(received, &env)
        return isAll
    }

    /// False when the peer broke the rules.
    mutating func receive(_ part: ProtectedFrame, in frames: UnsafeRawBufferPointer, _ received: UnsafeMutablePointer<jmp_received>,
                          _ env: inout Environment) -> Bool {
        let delivery = made(env)
        let mayDeliver = received.pointee.kind == UInt32(bitPattern: JMP_RECEIVED_NOTHING) && !delivery.pointee.isHeld
        lastPayloadAt = env.now
        keys?.pointee.noteActivity()
        switch delivery.pointee.receiver.receive(part, mayDeliver: mayDeliver, &env.payloads) {
        case .deliverable:
            received.pointee.kind = UInt32(bitPattern: JMP_RECEIVED_PROTECTED)
            received.pointee.channel = UInt32(part.channel)
            received.pointee.payload_length = UInt32(truncatingIfNeeded: part.bytes.count)
            if let start = frames.baseAddress, let bytes = part.bytes.baseAddress, part.bytes.count > 0 {
                received.pointee.payload_offset = UInt32(truncatingIfNeeded: DataPacket.headerLength &+ (bytes - start))
            }
            counters.payloadsReceived &+= 1
        case .stored, .duplicate: break
        case .refused: return false
        }
        return true
    }

    /// A datagram that was wrong in part may have brought a payload before that.
    mutating func noteMalformed(_ received: UnsafeMutablePointer<jmp_received>, _ env: inout Environment) {
        guard received.pointee.kind == UInt32(bitPattern: JMP_RECEIVED_PROTECTED) else { return drop(JMP_DROP_MALFORMED, received, &env) }
        env.countDrop(JMP_DROP_MALFORMED)
    }

    /// After all frames of a datagram: what has become complete waits for the host, what the peer must hear is asked for.
    mutating func finishReceiving(_ received: UnsafeMutablePointer<jmp_received>, _ env: inout Environment) {
        guard let delivery else { return }
        if delivery.pointee.hasForHost {
            received.pointee.waiting = 1
            lineUp(delivery, &env)
        }
        if state != .terminated, delivery.pointee.receiver.isMaxDataDue || delivery.pointee.sender.hasPending { queue(&env) }
    }

    mutating func receiveMaxData(_ limit: UInt64, _ env: inout Environment) {
        made(env).pointee.sender.receiveMaxData(limit)
    }

    mutating func receiveAbandoned(_ payload: AbandonedPayload, _ env: inout Environment) {
        made(env).pointee.receiver.abandon(payload, &env.payloads)
    }

    // MARK: recovery

    mutating func acknowledgeDelivery(_ ranges: PacketNumberRanges, _ env: inout Environment) {
        guard let delivery else { return }
        var isMaxDataLost = false
        delivery.pointee.sender.acknowledge(ranges, now: env.now, roundTrip(sendingSlot), &env.payloads, isMaxDataLost: &isMaxDataLost)
        finishRecovery(isMaxDataLost, &env)
    }

    /// The delivery timer.
    mutating func recoverDelivery(_ env: inout Environment) {
        guard let delivery else { return }
        var isMaxDataLost = false
        delivery.pointee.sender.expire(env.now, &env.payloads)
        delivery.pointee.sender.handleTimeout(env.now, roundTrip(sendingSlot), isMaxDataLost: &isMaxDataLost)
        finishRecovery(isMaxDataLost, &env)
    }

    /// A path that was taken for dead has answered.
    mutating func wakeDelivery(_ slot: Int, _ env: inout Environment) {
        guard let delivery, delivery.pointee.sender.carrier == paths[slot].id else { return }
        delivery.pointee.sender.restartProbes()
        armDelivery(&env)
    }

    /// What the host waits to hear goes into the event queue, and never over its edge: when that is full the rest follows as it is read.
    mutating func report(_ env: inout Environment) {
        guard let delivery else { return }
        while delivery.pointee.sender.hasSettled, env.events.hasRoom {
            if let settled = delivery.pointee.sender.popSettled() { emit(settled, &env) }
        }
        if env.events.hasRoom, delivery.pointee.sender.takeWritable(env.payloads, env.now, roundTrip(sendingSlot)) { _ = addEvent(JMP_EVENT_WRITABLE, &env) }
        guard !env.events.hasRoom, delivery.pointee.sender.hasSettled || delivery.pointee.sender.isWritableAwaited, !delivery.pointee.isReporting else { return }
        delivery.pointee.isReporting = true
        env.reporting.push(handle)
    }

    private mutating func finishRecovery(_ isMaxDataLost: Bool, _ env: inout Environment) {
        guard let delivery else { return }
        if isMaxDataLost { delivery.pointee.receiver.isMaxDataDue = true }
        report(&env)
        if let slot = sendingSlot { auditWindow(slot, &env) }
        if delivery.pointee.sender.hasPending || delivery.pointee.receiver.isMaxDataDue { queue(&env) }
        armDelivery(&env)
    }

    private mutating func emit(_ settled: SettledPayload, _ env: inout Environment) {
        guard let event = addEvent(settled.isAcknowledged ? JMP_EVENT_PAYLOAD_ACKNOWLEDGED : JMP_EVENT_PAYLOAD_EXPIRED, &env) else { return }
        event.pointee.payload_tag = settled.tag
        event.pointee.payload_sequence = settled.sequence
        event.pointee.payload_length = settled.length
        event.pointee.channel = UInt32(settled.channel)
    }

    /// FlowControlUpdate: when the window has moved by a quarter, at most ten times a second.
    private mutating func auditWindow(_ slot: Int, _ env: inout Environment) {
        guard let delivery else { return }
        let window = delivery.pointee.sender.congestion.window, known = delivery.pointee.auditedWindow
        guard window > known &+ known / 4 || window < known &- known / 4, env.now &- delivery.pointee.auditedAt >= 100_000, env.events.hasRoom else { return }
        delivery.pointee.auditedWindow = window
        delivery.pointee.auditedAt = env.now
        guard let event = addEvent(JMP_EVENT_FLOW_CONTROL_UPDATE, &env) else { return }
        event.pointee.congestion_window = UInt64(window)
        event.pointee.pacing_rate = delivery.pointee.sender.congestion.pacingRate(paths[slot].health.smoothedRTT)
        event.pointee.bytes_in_flight = UInt64(delivery.pointee.sender.congestion.bytesInFlight)
    }

    // MARK: to the host

    /// Into the row of sessions with payloads for the host, once.
    private func lineUp(_ delivery: UnsafeMutablePointer<Delivery>, _ env: inout Environment) {
        guard !delivery.pointee.isReadable else { return }
        delivery.pointee.isReadable = true
        env.readable.push(handle)
    }

    /// The host takes no protected payloads of this session for now, or does again: they wait here, and the peer for its credit.
    mutating func holdPayloads(_ hold: Bool, _ env: inout Environment) -> jmp_status {
        guard delivery != nil || hold && carriesPayloads else { return JMP_OK }
        let delivery = made(env)
        delivery.pointee.isHeld = hold
        if delivery.pointee.hasForHost { lineUp(delivery, &env) }
        return JMP_OK
    }

    /// The next complete payload into the host's buffer; it stays when there is not enough room.
    mutating func takePayload(_ buffer: UnsafeMutableRawPointer?, _ capacity: Int, _ out: UnsafeMutablePointer<jmp_payload>,
                              _ env: inout Environment) -> jmp_status {
        guard let delivery, delivery.pointee.hasForHost, let payload = delivery.pointee.receiver.first else { return JMP_AGAIN }
        let length = Int(payload.pointee.length)
        out.pointee.session = handle
        out.pointee.length = payload.pointee.length
        out.pointee.channel = UInt32(payload.pointee.channel)
        out.pointee.sequence = payload.pointee.sequence
        guard capacity >= length else { return JMP_ERR_BUFFER_TOO_SMALL }
        if let buffer, length > 0 { buffer.copyMemory(from: payload.bytes, byteCount: length) }
        delivery.pointee.receiver.takeFirst(&env.payloads)
        counters.payloadsReceived &+= 1
        if delivery.pointee.receiver.isMaxDataDue, state != .terminated { queue(&env) }
        return JMP_OK
    }
}
