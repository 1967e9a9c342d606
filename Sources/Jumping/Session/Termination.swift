import CJumping
import JumpingCrypto
import JumpingDelivery
import JumpingSession
import JumpingWire

/// CLOSE datagrams sealed at termination, one for each connection id a straggler may use, so that the keys can be wiped and
/// no two answers share an id. Kept 30 s.
struct Farewell {
    static let capacity = 16
    static let datagramCapacity = DataPacket.headerLength + 2 + 32
    static let lifetime: UInt64 = 30_000_000
    static let minimumInterval: UInt64 = 100_000

    struct Datagram {
        var pathIndex: UInt32 = .max
        /// Stays registered until the slot is used again.
        var ownConnectionID: UInt64 = 0
        var length: UInt8 = 0
        var bytes = InlineArray<48, UInt8>(repeating: 0)
    }

    var datagrams: InlineArray<16, Datagram> = InlineArray(repeating: Datagram())
    var count = 0
    /// What to transmit next: an index into `datagrams` and where to.
    var pending = -1
    var transport: UInt32 = 0
    var address = Address()
    var answeredAt: UInt64 = 0
}

/// Memory of farewells that are over, for those to come: sessions that end by the thousand would otherwise have the C library search through
/// all that was freed before. There are never more of them than sessions lingered at one time.
struct FarewellPool: ~Copyable {
    /// A list: in each lies the next one's address.
    private var first: UnsafeMutableRawPointer?

    deinit {
        var memory = first
        while let gone = memory {
            memory = Self.next(gone)
            gone.deallocate()
        }
    }

    private static func next(_ memory: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        UnsafeMutableRawPointer(bitPattern: memory.load(as: UInt.self))
    }

    mutating func take() -> UnsafeMutablePointer<Farewell> {
        guard let memory = first else {
            let fresh = UnsafeMutablePointer<Farewell>.allocate(capacity: 1)
            fresh.initialize(to: Farewell())
            return fresh
        }
        first = Self.next(memory)
        return memory.initializeMemory(as: Farewell.self, to: Farewell())
    }

    mutating func give(_ farewell: UnsafeMutablePointer<Farewell>) {
        let memory = UnsafeMutableRawPointer(farewell)
        memory.storeBytes(of: UInt(bitPattern: first), as: UInt.self)
        first = memory
    }
}

extension Session {
    /// The end: TERMINATED absorbs. The peer is told by a sealed CLOSE, keys are wiped, the slot lingers 30 s.
    mutating func terminate(_ reason: Reason, tellPeer: Bool, cause: Reason = .none, _ env: inout Environment) {
        guard state != .terminated else { return }
        let wasHalfOpen = !isClient && !isConfirmed
        if !wasHalfOpen {
            guard transition(to: .terminated, reason, &env) else { return }
            if let event = addEvent(JMP_EVENT_SESSION_TERMINATED, &env) {
                event.pointee.reason = UInt32(reason.rawValue)
                event.pointee.cause = UInt32(cause.rawValue)
                event.pointee.age_us = env.now &- createdAt
            }
        } else {
            state = .terminated   // nobody knew of it: a half-open session ends without a trace but its counter
        }
        timers.cancelAll()
        unregisterAll(&env)
        dropHandshake(&env)
        if keys != nil, tellPeer, !wasHalfOpen { sealFarewell(reason, &env) }
        env.sessionIDs.remove(env.sessionKey(id), index)
        wipeKeys()
        delivery?.pointee.end(&env.payloads)
        attempt = nil
        if !wasHalfOpen { env.counters.sessionsTerminated &+= 1 }
        timers[.closing] = env.now &+ (wasHalfOpen ? 0 : Farewell.lifetime)
        if !wasHalfOpen { env.closing.push(handle) }
        syncWheel(&env)
    }

    private mutating func sealFarewell(_ reason: Reason, _ env: inout Environment) {
        let pointer = env.farewells.take()
        farewell = pointer
        let first = activeSlot.map { paths[$0].index } ?? 0
        appendFarewell(first, reason, pointer, &env)
        for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].index != .max && paths[slot].index != first {
            appendFarewell(paths[slot].index, reason, pointer, &env)
        }
        if !isClient {
            for value in (highestIndex &+ 1)..<max(registeredIndices, highestIndex &+ 1) {
                appendFarewell(value, reason, pointer, &env)
            }
        }
        guard let slot = activeSlot.flatMap({ paths[$0].isDead ? nil : $0 }) ?? bestFarewellSlot() else { return }
        let position = indexOfFarewell(paths[slot].index)
        guard position >= 0, isClient || paths[slot].mayReceive(Int(pointer.pointee.datagrams[position].length)) else { return }
        pointer.pointee.transport = paths[slot].transport
        pointer.pointee.address = paths[slot].address
        pointer.pointee.pending = position
        queue(&env)
    }

    /// Without a living active path: a proven one that lives, else a proven one, else any.
    private func bestFarewellSlot() -> Int? {
        var best: Int?
        for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].index != .max {
            guard let current = best else {
                best = slot
                continue
            }
            if worth(slot) > worth(current) { best = slot }
        }
        return best
    }

    private func worth(_ slot: Int) -> Int { (paths[slot].isValidated ? 2 : 0) &+ (paths[slot].isDead ? 0 : 1) }

    private mutating func appendFarewell(_ pathIndex: UInt32, _ reason: Reason, _ farewell: UnsafeMutablePointer<Farewell>,
                                         _ env: inout Environment) {
        let position = farewell.pointee.count
        guard position < Farewell.capacity, suite != nil, indexOfFarewell(pathIndex) < 0 else { return }
        let connectionID = keys?.pointee.peerConnectionID(pathIndex, nodeTag: isClient ? nodeTag : nil) ?? 0
        let number = nextPacketNumber
        nextPacketNumber &+= 1
        var buffer = InlineArray<64, UInt8>(repeating: 0)
        let length = withUnsafeMutableBytes(of: &buffer) { bytes -> Int in
            guard let base = bytes.baseAddress else { return 0 }
            base.storeBytes(of: FrameType.close, toByteOffset: DataPacket.headerLength, as: UInt8.self)
            base.storeBytes(of: reason.rawValue, toByteOffset: DataPacket.headerLength + 1, as: UInt8.self)
            return sealDatagram(connectionID: connectionID, number, base, 2, isPayload: false)
        }
        guard length <= 48 else { return }
        farewell.pointee.datagrams[position].pathIndex = pathIndex
        farewell.pointee.datagrams[position].length = UInt8(truncatingIfNeeded: length)
        for i in 0..<length { farewell.pointee.datagrams[position].bytes[i] = buffer[i] }
        if let own = ownConnectionID(pathIndex), env.connectionIDs.insert(own, index) {
            farewell.pointee.datagrams[position].ownConnectionID = own
        }
        farewell.pointee.count = position &+ 1
    }

    private func indexOfFarewell(_ pathIndex: UInt32) -> Int {
        guard let farewell else { return -1 }
        for i in 0..<farewell.pointee.count where farewell.pointee.datagrams[i].pathIndex == pathIndex { return i }
        return -1
    }

    private func indexOfFarewell(to ownConnectionID: UInt64) -> Int {
        guard let farewell else { return -1 }
        for i in 0..<farewell.pointee.count where farewell.pointee.datagrams[i].ownConnectionID == ownConnectionID { return i }
        return -1
    }

    var hasFarewellToSend: Bool { farewell.map { $0.pointee.pending >= 0 } ?? false }

    /// The slot is about to be used again: its last connection ids go.
    mutating func forgetFarewell(_ env: inout Environment) {
        guard let gone = farewell else { return }
        for i in 0..<gone.pointee.count { env.connectionIDs.remove(gone.pointee.datagrams[i].ownConnectionID, index) }
        farewell = nil
        env.farewells.give(gone)
    }

    /// Whoever still talks to a TERMINATED session gets its CLOSE, rarely, and never more than was sent.
    mutating func answerAfterTermination(_ arrival: Arrival, _ env: inout Environment) {
        guard let farewell, farewell.pointee.pending < 0 else { return }
        // A gateway's client may have moved; a client's gateway is where its host said.
        guard !isClient || paths.find(arrival.transport, arrival.from) != nil else { return }
        guard env.now &- farewell.pointee.answeredAt >= Farewell.minimumInterval else { return }
        let position = indexOfFarewell(to: arrival.connectionID)
        guard position >= 0, arrival.datagram.count >= Int(farewell.pointee.datagrams[position].length) else { return }
        farewell.pointee.pending = position
        farewell.pointee.transport = arrival.transport
        farewell.pointee.address = arrival.from
        queue(&env)
    }

    mutating func transmitFarewell(_ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ datagram: UnsafeMutablePointer<jmp_datagram>,
                                   _ env: inout Environment) -> TransmitResult {
        guard let farewell, farewell.pointee.pending >= 0 else { return .nothing }
        guard env.transports.contains(farewell.pointee.transport) else {
            farewell.pointee.pending = -1   // nowhere to send it; a straggler's datagram will ask again
            return .nothing
        }
        let position = farewell.pointee.pending
        let length = Int(farewell.pointee.datagrams[position].length)
        guard capacity >= length else { return .bufferTooSmall }
        var writer = ByteWriter(buffer, length)
        for i in 0..<length { writer.u8(farewell.pointee.datagrams[position].bytes[i]) }
        farewell.pointee.pending = -1
        farewell.pointee.answeredAt = env.now
        env.counters.datagramsSent &+= 1
        datagram.pointee.transport = farewell.pointee.transport
        datagram.pointee.to = farewell.pointee.address.exported
        datagram.pointee.length = UInt32(truncatingIfNeeded: length)
        datagram.pointee.path = JMP_PATH_NONE
        datagram.pointee.session = handle
        datagram.pointee.packet_number = JMP_PACKET_NUMBER_NONE
        return .sent
    }

    mutating func receiveClose(_ reason: UInt8, _ env: inout Environment) {
        let cause = Reason(rawValue: reason) ?? .none
        // A gateway past our TTL or lifetime says so; both ends then log the same reason.
        let own: Reason = (cause == .transportTTLExceeded && state != .attached) || cause == .sessionLifetimeExceeded ? cause : .peerTerminated
        terminate(own, tellPeer: false, cause: cause, &env)
    }
}
