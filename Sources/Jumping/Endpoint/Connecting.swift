import CJumping
import JumpingCrypto
import JumpingSession
import JumpingWire

/// The client's side of a handshake, as far as the endpoint is concerned.
extension Endpoint {
    package mutating func connect(_ config: UnsafePointer<jmp_connect_config>, _ now: jmp_time, _ session: UnsafeMutablePointer<jmp_session>) -> jmp_status {
        env.advance(to: now)
        guard env.config.initiates else { return JMP_ERR_ROLE }
        let status = Settings.check(config, env)
        guard status == JMP_OK else { return status }
        guard let pattern = NoisePattern(rawValue: UInt8(truncatingIfNeeded: config.pointee.pattern)),
              let remote = withUnsafePointer(to: config.pointee.remote, { Address($0) }),
              let label = withUnsafeBytes(of: config.pointee.label, { bytes in bytes.baseAddress.flatMap { Label(array: $0) } }) else { return JMP_ERR_ARGUMENT }
        let id = makeSessionID()
        guard let index = addSession(role: .client, id: id, policy: env.policy) else { return JMP_ERR_SESSION_LIMIT }
        sessions[index].label = label
        _ = sessions[index].insertPath(config.pointee.transport, remote, env)
        guard sessions[index].beginHandshake(config, pattern: pattern, &env) else {
            sessions[index].dropHandshake(&env)
            removeSession(index)
            return JMP_ERR_KEY
        }
        _ = env.sessionIDs.insert(env.sessionKey(id), UInt32(truncatingIfNeeded: index))
        if pattern == .ikpsk2 { sessions[index].peerKey = withUnsafeBytes(of: config.pointee.gateway_key) { CredentialName($0) } }
        sessions[index].emit(JMP_EVENT_SESSION_CREATED, reason: .none, target: 0, &env)
        sessions[index].queue(&env)
        sessions[index].syncWheel(&env)
        session.pointee = sessions[index].handle
        return JMP_OK
    }

    private mutating func makeSessionID() -> SessionID {
        var id = SessionID()
        withUnsafeMutableBytes(of: &id.words) { if let base = $0.baseAddress { env.random.fill(base, SessionID.size) } }
        return id
    }

    mutating func receiveResponse(_ datagram: UnsafeRawBufferPointer, _ transport: UInt32, _ from: Address,
                                  _ received: UnsafeMutablePointer<jmp_received>) -> jmp_status {
        guard let packet = ResponsePacket(datagram) else { return drop(JMP_DROP_MALFORMED, received) }
        guard let entry = env.handshakes.find(packet.handshakeID) else { return drop(JMP_DROP_UNEXPECTED, received) }
        let index = Int(entry.first)
        guard sessions.isUsed(index), isCurrent(index) else { return drop(JMP_DROP_UNEXPECTED, received) }
        guard let slot = sessions[index].paths.find(transport, from), slot == Int(entry.second) else { return drop(JMP_DROP_UNEXPECTED, received) }
        received.pointee.session = sessions[index].handle
        let cause = sessions[index].receiveResponse(packet, slot: slot, &env)
        sessions[index].syncWheel(&env)
        return cause == JMP_DROP_NONE ? JMP_OK : drop(cause, received)
    }

    mutating func receiveCookie(_ datagram: UnsafeRawBufferPointer, _ transport: UInt32, _ from: Address,
                                _ received: UnsafeMutablePointer<jmp_received>) -> jmp_status {
        guard let packet = CookiePacket(datagram) else { return drop(JMP_DROP_MALFORMED, received) }
        guard let entry = env.handshakes.find(packet.handshakeID) else { return drop(JMP_DROP_UNEXPECTED, received) }
        let index = Int(entry.first)
        guard sessions.isUsed(index), isCurrent(index) else { return drop(JMP_DROP_UNEXPECTED, received) }
        guard let slot = sessions[index].paths.find(transport, from), slot == Int(entry.second) else { return drop(JMP_DROP_UNEXPECTED, received) }
        let cause = sessions[index].receiveCookie(packet, slot: slot, &env)
        sessions[index].queue(&env)
        sessions[index].syncWheel(&env)
        return cause == JMP_DROP_NONE ? JMP_OK : drop(cause, received)
    }
}
