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
    /// The one payload that was given memory beyond this session's share, since others wait for it.
    private var exempt: Payload?

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
            var from: UInt64 = 0
            while let payload = ring.pointee.firstPayload(from: from) {
                from = payload.pointee.sequence &+ 1
                ring.pointee.setDone(payload.pointee.sequence)
                giveBack(payload, &pool)
            }
        }
    }

    private mutating func giveBack(_ payload: Payload, _ pool: inout PayloadPool) {
        if payload == exempt { exempt = nil }
        buffered &-= payload.charge
        pool.giveBack(payload)
    }

    // MARK: room

    /// The most that may lie here: the peer may begin one payload while any credit is left.
    private var memoryLimit: Int { Self.memoryLimit(bufferLimit) }

    /// What a part takes of this session's share of the endpoint's memory when it is the first of its payload. `mayDeliver`: it may be
    /// handed out from its datagram, and then takes nothing; only one of a datagram can.
    package func need(_ frame: ProtectedFrame, mayDeliver: inout Bool) -> Int {
        let ring = channels[Int(frame.channel)], sequence = ring.map { $0.pointee.recover(frame.sequence) } ?? UInt64(frame.sequence)
        if let ring {
            switch ring.pointee[sequence] {
            case .done, .payload: return 0
            case .none: break
            }
        }
        if mayDeliver, frame.isWhole, isTurn(frame.channel, sequence, floor: ring.map { $0.pointee.floor } ?? 0) {
            mayDeliver = false
            return 0
        }
        // It will be held, and counts for what is asked after it.
        return Self.need(frame)
    }

    /// The same of the first part of a session.
    package static func need(_ frame: ProtectedFrame) -> Int { Payload.charge(frame.payloadLength) &+ PayloadPool.size(frame.payloadLength) }

    /// The next of its channel for the host.
    private func isTurn(_ channel: UInt8, _ sequence: UInt64, floor: UInt64) -> Bool {
        channel == 0 || sequence == floor && completeCount[Int(channel)] == 0
    }

    /// Whether anything that a peer which keeps to its credit may send has room. If not, `need` is to be asked of each part before its
    /// datagram counts as arrived: one without room is not acknowledged, and the peer sends it again.
    package func isRoomy(_ pool: borrowing PayloadPool) -> Bool { Self.isRoomy(memoryLimit &- buffered, held: buffered, pool) }

    /// An empty payload is charged 64 bytes, takes 256, and is held.
    package static func isRoomy(_ room: Int, held: Int, _ pool: borrowing PayloadPool) -> Bool { pool.allows(5 &* room, held: held) }

    private func hasRoom(_ length: Int, _ pool: borrowing PayloadPool) -> Bool {
        buffered &+ Payload.charge(length) <= memoryLimit && pool.allows(PayloadPool.size(length), held: buffered)
    }

    /// The oldest that is missing on a channel: what came after it is not handed out, and its memory not given back, before this has come.
    /// One at a time has no need of a share.
    private func isExempt(_ length: Int, _ sequence: UInt64, floor: UInt64, _ pool: borrowing PayloadPool) -> Bool {
        exempt == nil && sequence == floor && buffered &+ Payload.charge(length) <= memoryLimit && pool.allowsExempt(PayloadPool.size(length))
    }

    /// A part in a datagram that has not enough room as a whole, and will come again: false when this one must come again too.
    package mutating func keep(_ frame: ProtectedFrame, _ pool: inout PayloadPool) -> Bool {
        let ring = channels.made(frame.channel), sequence = ring.pointee.recover(frame.sequence)
        if case .none = ring.pointee[sequence], ring.pointee.holds(sequence), !hasRoom(frame.payloadLength, pool),
           !isExempt(frame.payloadLength, sequence, floor: ring.pointee.floor, pool) { return false }
        _ = receive(frame, mayDeliver: false, &pool)
        return true
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
        if frame.isWhole, mayDeliver, isTurn(frame.channel, sequence, floor: ring.pointee.floor) {
            ring.pointee.setDone(sequence)
            receivedCount &+= 1
            release(Payload.charge(frame.payloadLength))
            releaseInOrder(ring, frame.channel)
            return .deliverable
        }
        let isWithinShare = hasRoom(frame.payloadLength, pool)
        guard isWithinShare || isExempt(frame.payloadLength, sequence, floor: ring.pointee.floor, pool) else { return .refused }
        let payload = pool.make(length: frame.payloadLength, channel: frame.channel, sequence: sequence)
        if !isWithinShare { exempt = payload }
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
            release(payload.charge)
            giveBack(payload, &pool)
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
        release(payload.charge)
        giveBack(payload, &pool)
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
    /// A send on the active path is overdue: it may be dead.
    package var isSuspect = false
    /// The host takes nothing for now.
    package var isHeld = false
    /// The congestion window the audit trail knows, and since when.
    package var auditedWindow = 0
    package var auditedAt: UInt64 = 0
    /// It stands in the endpoint's row of sessions whose reports wait for room in the event queue.
    package var isReporting = false

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
