import JumpingWire

/// What becomes of a part that has arrived.
package enum Arriving {
    /// The whole payload, and it is its turn: the host may have it from where it lies.
    case deliverable
    case stored
    /// It had come before, or was given up.
    case duplicate
    /// The peer broke the rules.
    case refused
}

/// The receiving half of protected delivery: parts become payloads, payloads their order, and each is handed out once. What arrived is
/// known by channel and sequence number, so that copies, on whatever path, change nothing.
package struct DeliveryReceiver: ~Copyable {
    private var channels = Channels()
    private var complete = PayloadList(.complete)
    /// Complete payloads of each channel that wait for the host: what comes after them must not overtake them.
    private var completeCount: InlineArray<16, UInt32> = InlineArray(repeating: 0)

    /// What lies here, charges included.
    package private(set) var buffered = 0
    package let bufferLimit: Int

    // Flow control: what the peer may send altogether, and what has left here again
    private var released: UInt64 = 0
    private var announced = DeliverySender.initialCredit
    /// The peer is to be told of more credit.
    package var isMaxDataDue = false
    /// Protected frames have come: acknowledgements are by ranges from then on.
    package private(set) var hasReceived = false
    package private(set) var receivedCount: UInt64 = 0
    package private(set) var duplicateCount: UInt64 = 0

    package static func memoryLimit(_ bufferLimit: Int) -> Int { bufferLimit &+ Payload.charge(ProtectedFrame.longestPayload) }

    init(bufferLimit: Int) {
        self.bufferLimit = bufferLimit
    }

    deinit {
        var next = complete.first
        while let payload = next {
            next = payload.pointee.next
            UnsafeMutableRawPointer(payload).deallocate()
        }
    }

    /// Nothing can be completed any more; what is complete stays for the host.
    mutating func dropIncomplete(_ pool: inout PayloadPool) {
        for i in 0..<ProtectedFrame.channels {
            guard let ring = channels[i] else { continue }
            while let payload = ring.pointee.firstPayload(from: 0) {
                ring.pointee.setDone(payload.pointee.sequence)
                buffered &-= payload.charge
                pool.giveBack(payload)
            }
        }
    }

    // MARK: room

    /// The most that may lie here: the peer may begin one payload while any credit is left.
    private var memoryLimit: Int { Self.memoryLimit(bufferLimit) }

    /// What a part takes of the endpoint's memory when it is the first of its payload.
    package func need(_ frame: ProtectedFrame) -> Int {
        if let ring = channels[Int(frame.channel)] {
            switch ring.pointee[ring.pointee.recover(frame.sequence)] {
            case .done, .payload: return 0
            case .none: break
            }
        }
        return PayloadPool.size(frame.payloadLength)
    }

    /// Whether anything that a peer which keeps to its credit may send has room. If not, `need` is to be asked of each part before its
    /// datagram counts as arrived: one without room is not acknowledged, and the peer sends it again.
    package func isRoomy(_ pool: borrowing PayloadPool) -> Bool {
        pool.allows(4 &* (memoryLimit &- buffered), held: buffered)
    }

    private func hasRoom(_ length: Int, _ pool: borrowing PayloadPool) -> Bool {
        buffered &+ Payload.charge(length) <= memoryLimit && pool.allows(PayloadPool.size(length), held: buffered)
    }

    // MARK: arrivals

    /// `mayDeliver`: the host can take one payload from the datagram itself.
    package mutating func receive(_ frame: ProtectedFrame, mayDeliver: Bool, _ pool: inout PayloadPool) -> Arriving {
        noteFirst()
        let ring = channels.made(frame.channel), sequence = ring.pointee.recover(frame.sequence)
        guard sequence >= ring.pointee.floor else { return noteDuplicate() }
        guard ring.pointee.holds(sequence) else { return .refused }
        switch ring.pointee[sequence] {
        case .done: return noteDuplicate()
        case .payload(let payload): return add(frame, to: payload, ring, &pool)
        case .none: break
        }
        let isTurn = frame.channel == 0 || sequence == ring.pointee.floor && completeCount[Int(frame.channel)] == 0
        if frame.isWhole, isTurn, mayDeliver {
            ring.pointee.setDone(sequence)
            receivedCount &+= 1
            release(Payload.charge(frame.payloadLength))
            releaseInOrder(ring, frame.channel)
            return .deliverable
        }
        guard hasRoom(frame.payloadLength, pool) else { return .refused }
        let payload = pool.make(length: frame.payloadLength, channel: frame.channel, sequence: sequence)
        payload.resetBlocks(isPending: false)
        buffered &+= payload.charge
        ring.pointee.set(sequence, payload)
        return add(frame, to: payload, ring, &pool)
    }

    private mutating func noteDuplicate() -> Arriving {
        duplicateCount &+= 1
        return .duplicate
    }

    private mutating func add(_ frame: ProtectedFrame, to payload: Payload, _ ring: UnsafeMutablePointer<SequenceRing>,
                              _ pool: inout PayloadPool) -> Arriving {
        guard payload.pointee.blocksLeft > 0 else { return noteDuplicate() }
        guard frame.payloadLength == Int(payload.pointee.length) else { return .refused }
        let count = frame.isWhole ? payload.blockCount : frame.blockCount
        guard payload.markDone(frame.firstBlock, count) > 0 else { return noteDuplicate() }
        if let start = frame.bytes.baseAddress, frame.bytes.count > 0 {
            (payload.bytes + frame.firstBlock &* ProtectedFrame.blockLength).copyMemory(from: start, byteCount: frame.bytes.count)
        }
        guard payload.pointee.blocksLeft == 0 else { return .stored }
        if frame.channel == 0 {
            ring.pointee.setDone(payload.pointee.sequence)
            finish(payload)
        } else {
            releaseInOrder(ring, frame.channel)
        }
        return .stored
    }

    /// What was waiting for its predecessors may go to the host.
    private mutating func releaseInOrder(_ ring: UnsafeMutablePointer<SequenceRing>, _ channel: UInt8) {
        guard channel != 0 else { return }
        while case .payload(let payload) = ring.pointee[ring.pointee.floor], payload.pointee.blocksLeft == 0 {
            ring.pointee.setDone(payload.pointee.sequence)
            finish(payload)
        }
    }

    private mutating func finish(_ payload: Payload) {
        complete.append(payload)
        completeCount[Int(payload.pointee.channel)] &+= 1
        receivedCount &+= 1
    }

    /// It will never come, or never be whole. What is whole already is kept: the peer had only not heard of it.
    package mutating func abandon(_ frame: AbandonedPayload, _ pool: inout PayloadPool) {
        noteFirst()
        let ring = channels.made(frame.channel), sequence = ring.pointee.recover(frame.sequence)
        guard ring.pointee.holds(sequence) else { return }
        switch ring.pointee[sequence] {
        case .done: return
        case .payload(let payload):
            guard payload.pointee.blocksLeft > 0 else { return }
            buffered &-= payload.charge
            release(payload.charge)
            pool.giveBack(payload)
        case .none:
            release(min(Int(frame.credit), Payload.charge(ProtectedFrame.longestPayload)))
        }
        ring.pointee.setDone(sequence)
        releaseInOrder(ring, frame.channel)
    }

    // MARK: to the host

    package var hasComplete: Bool { complete.first != nil }

    /// The next complete payload, still here; `takeFirst` ends its stay.
    package var first: Payload? { complete.first }

    package mutating func takeFirst(_ pool: inout PayloadPool) {
        guard let payload = complete.first else { return }
        complete.remove(payload)
        completeCount[Int(payload.pointee.channel)] &-= 1
        buffered &-= payload.charge
        release(payload.charge)
        pool.giveBack(payload)
    }

    // MARK: flow control

    private mutating func release(_ charge: Int) {
        released &+= UInt64(charge)
        // Told in steps of a quarter of the buffer, well before the peer could come to its end.
        if released &+ UInt64(bufferLimit) >= announced &+ UInt64(bufferLimit / 4) { isMaxDataDue = true }
    }

    /// The credit to announce now.
    package mutating func announce() -> UInt64 {
        isMaxDataDue = false
        announced = max(announced, released &+ UInt64(bufferLimit))
        return announced
    }

    /// With the first protected frame the peer learns how much this end takes.
    private mutating func noteFirst() {
        guard !hasReceived else { return }
        hasReceived = true
        isMaxDataDue = true
    }
}

/// Protected delivery of one session, both halves; there is none before the first protected payload.
package struct Delivery: ~Copyable {
    package var sender: DeliverySender
    package var receiver: DeliveryReceiver
    /// It stands in the endpoint's row of sessions with payloads for the host.
    package var isReadable = false
    /// The host takes nothing for now.
    package var isHeld = false
    /// The congestion window the audit trail knows, and since when.
    package var auditedWindow = 0
    package var auditedAt: UInt64 = 0

    private init(sendBuffer: Int, receiveBuffer: Int) {
        sender = DeliverySender(bufferLimit: sendBuffer)
        receiver = DeliveryReceiver(bufferLimit: receiveBuffer)
    }

    package static func make(sendBuffer: Int, receiveBuffer: Int) -> UnsafeMutablePointer<Delivery> {
        let made = UnsafeMutablePointer<Delivery>.allocate(capacity: 1)
        made.initialize(to: Delivery(sendBuffer: sendBuffer, receiveBuffer: receiveBuffer))
        return made
    }

    /// Something may be handed out now.
    package var hasForHost: Bool { receiver.hasComplete && !isHeld }

    /// With everything that still lies in it, not accounted for: its pool is going too, or `end` was called.
    package static func destroy(_ delivery: UnsafeMutablePointer<Delivery>) {
        delivery.deinitialize(count: 1)
        delivery.deallocate()
    }

    /// The session is over: what is complete waits for the host, nothing else.
    package mutating func end(_ pool: inout PayloadPool) {
        sender.clear(&pool)
        receiver.dropIncomplete(&pool)
    }

    /// The session's slot is needed.
    package mutating func clear(_ pool: inout PayloadPool) {
        end(&pool)
        while receiver.hasComplete { receiver.takeFirst(&pool) }
    }
}
