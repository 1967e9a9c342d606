import CJumping
import JumpingCrypto
import JumpingDelivery
import JumpingSession
import JumpingWire

/// Datagrams in and out.
extension Endpoint {
    package mutating func send(_ handle: jmp_session, _ payload: UnsafeRawPointer?, _ length: Int, _ now: jmp_time,
                               _ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ datagram: UnsafeMutablePointer<jmp_datagram>) -> jmp_status {
        env.advance(to: now)
        guard let index = sessions.resolve(handle) else { return JMP_ERR_SESSION }
        sessions.prefetchRest(index)
        if !sessions[index].hasFollowed(env) { sessions[index].followTransports(&env) }
        return sessions[index].send(payload, length, buffer, capacity, datagram, &env)
    }

    /// One item of a batch.
    package mutating func send(_ item: UnsafeMutablePointer<jmp_send_item>, _ payloads: UnsafePointer<UInt8>?, _ payloadsLength: Int,
                               _ now: jmp_time, _ buffer: UnsafeMutablePointer<UInt8>?, _ bufferLength: Int) -> jmp_status {
        let payloadOffset = Int(item.pointee.payload_offset), payloadLength = Int(item.pointee.payload_length)
        let offset = Int(item.pointee.buffer_offset), capacity = Int(item.pointee.buffer_capacity)
        guard payloadOffset &+ payloadLength <= payloadsLength, offset &+ capacity <= bufferLength, let buffer else { return JMP_ERR_ARGUMENT }
        let size = UInt32(MemoryLayout<jmp_datagram>.size)
        guard item.pointee.datagram.struct_size == size else { return JMP_ERR_STRUCT_SIZE }
        let session = item.pointee.session
        return withUnsafeMutablePointer(to: &item.pointee.datagram) {
            send(session, payloads.map { UnsafeRawPointer($0 + payloadOffset) }, payloadLength, now,
                 UnsafeMutableRawPointer(buffer + offset), capacity, $0)
        }
    }

    package mutating func receive(_ item: UnsafeMutablePointer<jmp_receive_item>, _ buffer: UnsafeMutableRawBufferPointer, _ now: jmp_time) -> jmp_status {
        let offset = Int(item.pointee.offset), length = Int(item.pointee.length), transport = item.pointee.transport
        guard offset &+ length <= buffer.count else { return JMP_ERR_ARGUMENT }
        guard item.pointee.received.struct_size == UInt32(MemoryLayout<jmp_received>.size) else { return JMP_ERR_STRUCT_SIZE }
        return withUnsafeMutablePointer(to: &item.pointee.from) { from in
            withUnsafeMutablePointer(to: &item.pointee.received) { received in
                receive(transport, UnsafePointer(from), UnsafeMutableRawBufferPointer(rebasing: buffer[offset..<(offset &+ length)]), now, received)
            }
        }
    }

    package mutating func receive(_ transport: UInt32, _ from: UnsafePointer<jmp_address>, _ datagram: UnsafeMutableRawBufferPointer,
                                  _ now: jmp_time, _ received: UnsafeMutablePointer<jmp_received>) -> jmp_status {
        guard env.transports.contains(transport) else { return JMP_ERR_TRANSPORT }
        guard Address.isValid(from) else { return JMP_ERR_ARGUMENT }
        env.advance(to: now)
        received.pointee = jmp_received(struct_size: received.pointee.struct_size, kind: 0, session: 0, payload_offset: 0, payload_length: 0,
                                        path: JMP_PATH_NONE, drop_cause: 0, packet_number: JMP_PACKET_NUMBER_NONE, channel: 0, waiting: 0)
        env.counters.datagramsReceived &+= 1
        guard datagram.count > 0 else { return drop(JMP_DROP_TOO_SHORT, received) }
        guard datagram.count <= Int(JMP_MAX_MTU) else { return drop(JMP_DROP_TOO_LONG, received) }
        if DataPacket.isData(datagram[0]) { return receiveData(datagram, transport, from, received) }
        return receiveHandshake(UnsafeRawBufferPointer(datagram), transport, Address(from) ?? Address(), received)
    }

    @inline(never)
    private mutating func receiveHandshake(_ view: UnsafeRawBufferPointer, _ transport: UInt32, _ address: Address,
                                           _ received: UnsafeMutablePointer<jmp_received>) -> jmp_status {
        switch view[0] {
        case HandshakePacket.initByte: return receiveInit(view, transport, address, received)
        case HandshakePacket.responseByte: return receiveResponse(view, transport, address, received)
        case HandshakePacket.cookieByte: return receiveCookie(view, transport, address, received)
        default: return drop(JMP_DROP_UNKNOWN_TYPE, received)
        }
    }

    mutating func drop(_ cause: Int32, _ received: UnsafeMutablePointer<jmp_received>) -> jmp_status {
        received.pointee.drop_cause = UInt32(bitPattern: cause)
        env.countDrop(cause)
        return JMP_OK
    }

    @inline(__always)
    private mutating func receiveData(_ datagram: UnsafeMutableRawBufferPointer, _ transport: UInt32, _ from: UnsafePointer<jmp_address>,
                                      _ received: UnsafeMutablePointer<jmp_received>) -> jmp_status {
        guard datagram.count >= DataPacket.minimumLength, let base = datagram.baseAddress else { return drop(JMP_DROP_TOO_SHORT, received) }
        let connectionID = DataPacket.connectionID(base)
        guard let owner = env.connectionIDs.find(connectionID) else { return drop(JMP_DROP_UNKNOWN_CONNECTION_ID, received) }
        let index = Int(owner)
        guard sessions.isUsed(index) else { return drop(JMP_DROP_UNKNOWN_CONNECTION_ID, received) }
        sessions.prefetchRest(index)
        let wasHalfOpen = sessions[index].handshake != nil
        sessions[index].receive(Arrival(datagram: datagram, transport: transport, source: from, connectionID: connectionID), received, &env)
        sessions[index].syncWheel(&env)
        if wasHalfOpen, sessions[index].handshake == nil { settle(index) }
        return JMP_OK
    }

    // MARK: protected payloads

    package mutating func sendProtected(_ handle: jmp_session, _ payload: UnsafeRawPointer?, _ length: Int,
                                        _ options: UnsafePointer<jmp_payload_options>?, _ now: jmp_time) -> jmp_status {
        var given = jmp_payload_options()
        if let options {
            let status = Settings.check(options)
            guard status == JMP_OK else { return status }
            given = options.pointee
        }
        env.advance(to: now)
        return withSession(handle) { session, env in
            session.sendProtected(payload, length, channel: UInt8(truncatingIfNeeded: given.channel), timeToLive: given.time_to_live_us,
                                  tag: given.tag, wantsReport: given.report == 1, &env)
        }
    }

    package mutating func holdPayloads(_ handle: jmp_session, _ hold: UInt32, _ now: jmp_time) -> jmp_status {
        guard hold <= 1 else { return JMP_ERR_ARGUMENT }
        env.advance(to: now)
        return withSession(handle) { session, env in session.holdPayloads(hold == 1, &env) }
    }

    /// Sessions in turn, a payload each.
    package mutating func pollPayload(_ now: jmp_time, _ buffer: UnsafeMutableRawPointer?, _ capacity: Int,
                                      _ out: UnsafeMutablePointer<jmp_payload>) -> jmp_status {
        env.advance(to: now)
        while let handle = env.readable.first {
            guard let index = sessions.resolve(handle), let delivery = sessions[index].delivery else {
                env.readable.removeFirst()
                continue
            }
            let status = sessions[index].takePayload(buffer, capacity, out, &env)
            sessions[index].syncWheel(&env)
            if status == JMP_ERR_BUFFER_TOO_SMALL { return status }
            env.readable.removeFirst()
            delivery.pointee.isReadable = delivery.pointee.hasForHost
            if delivery.pointee.isReadable { env.readable.push(handle) }
            if status == JMP_OK { return JMP_OK }
        }
        return JMP_AGAIN
    }

    // MARK: out

    package mutating func pollTransmit(_ now: jmp_time, _ buffer: UnsafeMutableRawPointer, _ capacity: Int,
                                       _ datagram: UnsafeMutablePointer<jmp_datagram>) -> jmp_status {
        env.advance(to: now)
        while let entry = env.outgoing.first {
            guard entry.length > 0 else {
                env.outgoing.takeFirst(into: buffer)
                continue
            }
            guard capacity >= entry.length else { return JMP_ERR_BUFFER_TOO_SMALL }
            env.outgoing.takeFirst(into: buffer)
            datagram.pointee.transport = entry.transport
            datagram.pointee.to = entry.address.exported
            datagram.pointee.length = UInt32(truncatingIfNeeded: entry.length)
            datagram.pointee.path = entry.path
            datagram.pointee.session = entry.session
            datagram.pointee.packet_number = entry.packetNumber
            return JMP_OK
        }
        return pollSessions(buffer, capacity, datagram)
    }

    /// Sessions a call looks at: of many that had something to say it may have left with payloads meanwhile.
    private static let looksForTransmission = 512

    @inline(__always)
    private mutating func pollSessions(_ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ datagram: UnsafeMutablePointer<jmp_datagram>) -> jmp_status {
        var looks = 0
        hasMoreToTransmit = false
        while let first = env.ready.first {
            guard looks < Self.looksForTransmission else {
                hasMoreToTransmit = true
                return JMP_AGAIN
            }
            looks &+= 1
            let index = Int(first)
            if sessions.isUsed(index) {
                let result = sessions[index].pollTransmit(buffer, capacity, datagram, &env)
                sessions[index].syncWheel(&env)
                switch result {
                case .sent: return JMP_OK
                case .bufferTooSmall: return JMP_ERR_BUFFER_TOO_SMALL
                case .nothing: sessions[index].isQueued = false
                }
            }
            env.ready.removeFirst()
        }
        return JMP_AGAIN
    }
}
