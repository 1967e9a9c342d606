import CJumping
import JumpingCrypto
import JumpingSession
import JumpingWire

/// The gateway's side of a handshake, from the first INIT to a half-open session (wire document, "Handshake").
extension Endpoint {
    mutating func receiveInit(_ datagram: UnsafeRawBufferPointer, _ transport: UInt32, _ from: Address,
                              _ received: UnsafeMutablePointer<jmp_received>) -> jmp_status {
        guard env.config.accepts else { return drop(JMP_DROP_NOT_ACCEPTING, received) }
        guard let packet = InitPacket(datagram) else { return drop(JMP_DROP_MALFORMED, received) }
        guard packet.version == HandshakePacket.version else { return drop(JMP_DROP_BAD_VERSION, received) }
        guard let pattern = NoisePattern(rawValue: packet.pattern) else { return drop(JMP_DROP_HANDSHAKE_REJECTED, received) }
        // A hello has one length: no answer, not even a COOKIE, is ever longer than what came.
        guard packet.noise.count == NoiseHandshake.overhead1(pattern) &+ ClientHello.length else { return drop(JMP_DROP_MALFORMED, received) }
        if let known = env.handshakes.find(packet.handshakeID) {
            return repeatResponse(Int(known), fingerprint(packet), transport, from, received)
        }
        if let cause = checkSource(packet, transport, from) { return drop(cause, received) }
        return openHandshake(packet, pattern, fingerprint(packet), transport, from, received)
    }

    /// By which a repetition of message 1 is known.
    private func fingerprint(_ packet: InitPacket) -> UInt64 {
        env.hash.value(packet.prologue) ^ env.hash.value(packet.noise)
    }

    /// A duplicate message 1 gets the cached message 2, at the address of the first.
    private mutating func repeatResponse(_ index: Int, _ fingerprint: UInt64, _ transport: UInt32, _ from: Address,
                                         _ received: UnsafeMutablePointer<jmp_received>) -> jmp_status {
        guard sessions.isUsed(index), let handshake = sessions[index].handshake, handshake.pointee.fingerprint == fingerprint,
              sessions[index].paths[0].matches(transport, from) else { return drop(JMP_DROP_HANDSHAKE_REJECTED, received) }
        if handshake.pointee.hasResponse {
            handshake.pointee.shouldTransmit = true
            sessions[index].queue(&env)
        }
        return JMP_OK
    }

    /// Before any public-key operation: under load a source first shows that it receives what is sent to it, and only then
    /// spends from its token bucket, so that forged addresses cannot empty other people's.
    private mutating func checkSource(_ packet: InitPacket, _ transport: UInt32, _ from: Address) -> Int32? {
        let hasCookie = packet.cookie.count > 0
        let isProven = hasCookie && env.gate.acceptsCookie(packet.cookie, transport: transport, from: from, handshakeID: packet.handshakeID,
                                                           random: &env.random, now: env.now)
        // A wrong or old cookie is as good as none: the client gets a fresh one, or needs none any more.
        if !isProven, env.halfOpen &+ env.waiting >= env.config.cookieThreshold
                    || !env.gate.takeUnproven(limit: env.config.cookieThreshold, now: env.now) {
            sendCookie(packet, transport, from)
            return hasCookie ? JMP_DROP_COOKIE_INVALID : JMP_DROP_COOKIE_REQUIRED
        }
        guard env.gate.takeToken(from, now: env.now) else {
            env.emitRateLimited(JMP_DROP_RATE_LIMITED, from: from)
            return JMP_DROP_RATE_LIMITED
        }
        return nil
    }

    private mutating func sendCookie(_ packet: InitPacket, _ transport: UInt32, _ from: Address) {
        if let target = env.outgoing.nextSlot(HandshakePacket.cookiePacketLength) {
            var writer = ByteWriter(target, HandshakePacket.cookiePacketLength)
            writer.u8(HandshakePacket.cookieByte)
            writer.u64(packet.handshakeID)
            env.gate.writeCookie(&writer, transport: transport, from: from, handshakeID: packet.handshakeID, random: &env.random, now: env.now)
            env.counters.datagramsSent &+= 1
            env.outgoing.commit(DatagramQueue.Entry(transport: transport, address: from, length: writer.count, path: JMP_PATH_NONE, session: 0,
                                                    packetNumber: JMP_PACKET_NUMBER_NONE))
        }
    }

    private mutating func openHandshake(_ packet: InitPacket, _ pattern: NoisePattern, _ fingerprint: UInt64, _ transport: UInt32,
                                        _ from: Address, _ received: UnsafeMutablePointer<jmp_received>) -> jmp_status {
        let asks = env.config.asks
        guard asks ? env.waiting < env.config.maxWaiting : env.halfOpen < env.config.maxHalfOpen else {
            return drop(JMP_DROP_HALF_OPEN_FULL, received)
        }
        guard let index = addSession(role: .gateway, id: SessionID(), policy: env.policy) else { return drop(JMP_DROP_SESSION_LIMIT, received) }
        let handshake = UnsafeMutablePointer<Handshake>.allocate(capacity: 1)
        handshake.initialize(to: Handshake(pattern: pattern, isInitiator: false, handshakeID: packet.handshakeID))
        handshake.pointee.fingerprint = fingerprint
        handshake.pointee.hint = CredentialName(packet.hint)
        handshake.pointee.noise.mixPrologue(packet.prologue)
        handshake.pointee.withBytes { bytes in
            var writer = ByteWriter(bytes)
            writer.copy(packet.noise)
        }
        handshake.pointee.length = packet.noise.count
        handshake.pointee.isWaitingForHost = asks
        sessions[index].handshake = handshake
        _ = sessions[index].insertPath(transport, from, env)
        sessions[index].paths[0].index = 0
        sessions[index].paths[0].datagramBytesReceived = UInt64(packet.noise.count)
        if asks { env.waiting &+= 1 } else { env.halfOpen &+= 1 }
        _ = env.handshakes.insert(packet.handshakeID, UInt32(truncatingIfNeeded: index))
        sessions[index].timers[.handshakeExpiry] = env.now &+ Self.halfOpenLifetime
        sessions[index].syncWheel(&env)
        return asks ? ask(index, received) : respondWithKnownKey(index, received)
    }

    static let halfOpenLifetime: UInt64 = 5_000_000

    /// Ends a half-open session that came to nothing. It takes no slot any longer.
    mutating func abandon(_ index: Int) {
        sessions[index].terminate(.handshakeFailed, tellPeer: false, &env)
        removeSession(index)
    }

    /// A half-open session has had its first authentic datagram. Confirmed, it is the session, and those of the same id that came of the
    /// client's other paths end. Had it come too late, it would have ended.
    mutating func settle(_ index: Int) {
        guard sessions[index].isConfirmed else {
            if sessions[index].endedHalfOpen { removeSession(index) }
            return
        }
        let id = sessions[index].id
        for place in 0..<Handshake.places {
            if let rival = env.sessionIDs.find(env.sessionKey(id, place: place)) { abandon(Int(rival)) }
        }
    }

    // MARK: the host decides

    private mutating func ask(_ index: Int, _ received: UnsafeMutablePointer<jmp_received>) -> jmp_status {
        guard let handshake = sessions[index].handshake else { return JMP_ERR_INTERNAL }
        if handshake.pointee.pattern == .ikpsk2, !readHello(index, psk: nil) {
            env.emitValidationFailed(JMP_DROP_HANDSHAKE_REJECTED, from: sessions[index].paths[0].address)
            abandon(index)
            return drop(JMP_DROP_HANDSHAKE_REJECTED, received)
        }
        if let event = sessions[index].addEvent(JMP_EVENT_ACCEPT_REQUESTED, &env) {
            event.pointee.pattern = UInt32(handshake.pointee.pattern.rawValue)
            event.pointee.hint_length = UInt32(handshake.pointee.hint.length)
            withUnsafeMutableBytes(of: &event.pointee.hint) { target in withUnsafeBytes(of: handshake.pointee.hint.words) { target.copyMemory(from: $0) } }
            let key = sessions[index].peerKey
            withUnsafeMutableBytes(of: &event.pointee.peer_key) { target in withUnsafeBytes(of: key.words) { target.copyMemory(from: $0) } }
            sessions[index].paths[0].address.write(to: &event.pointee.from_address)
        }
        received.pointee.session = sessions[index].handle
        return JMP_OK
    }

    package mutating func accept(_ handle: jmp_session, psk: UnsafePointer<UInt8>?, _ now: jmp_time) -> jmp_status {
        env.advance(to: now)
        guard let index = sessions.resolve(handle), isCurrent(index) else { return JMP_ERR_SESSION }
        guard let handshake = sessions[index].handshake, handshake.pointee.isWaitingForHost else { return JMP_ERR_STATE }
        guard psk != nil || handshake.pointee.pattern == .ikpsk2 else { return JMP_ERR_KEY }
        guard env.halfOpen < env.config.maxHalfOpen else { return JMP_AGAIN }
        // A key that does not open the request changes nothing: it still waits.
        if !handshake.pointee.hasReadHello, !readHello(index, psk: psk.map { UnsafeRawPointer($0) }) { return JMP_ERR_KEY }
        handshake.pointee.isWaitingForHost = false
        env.waiting &-= 1
        env.halfOpen &+= 1
        if handshake.pointee.pattern == .ikpsk2 { setPSK(handshake, psk.map { UnsafeRawPointer($0) }) }
        switch respond(index) {
        case JMP_DROP_NONE: return JMP_OK
        case JMP_DROP_SUITE: return JMP_ERR_SUITE
        case JMP_DROP_DUPLICATE_HANDSHAKE: return JMP_ERR_EXISTS
        default: return JMP_ERR_KEY
        }
    }

    package mutating func refuse(_ handle: jmp_session, _ now: jmp_time) -> jmp_status {
        env.advance(to: now)
        guard let index = sessions.resolve(handle), isCurrent(index) else { return JMP_ERR_SESSION }
        guard let handshake = sessions[index].handshake, handshake.pointee.isWaitingForHost else { return JMP_ERR_STATE }
        abandon(index)
        return JMP_OK
    }

    // MARK: answering

    /// Credentials are known: no question to the host. An unknown hint costs what a wrong PSK costs and looks the same.
    private mutating func respondWithKnownKey(_ index: Int, _ received: UnsafeMutablePointer<jmp_received>) -> jmp_status {
        guard let handshake = sessions[index].handshake else { return JMP_ERR_INTERNAL }
        var psk = Key32()
        var isKnown = true
        if handshake.pointee.pattern == .nnpsk0 {
            let hint = handshake.pointee.hint
            isKnown = psk.withMutableBytes { env.pskCredentials.copyPSK(hint, to: $0) }
            if !isKnown { psk = env.decoyPSK.clone() }
        }
        let didRead = psk.withBytes { readHello(index, psk: $0) }
        var isAllowed = didRead && isKnown
        if isAllowed, handshake.pointee.pattern == .ikpsk2 {
            let name = sessions[index].peerKey
            isAllowed = psk.withMutableBytes { env.keyCredentials.copyPSK(name, to: $0) }
            psk.withBytes { setPSK(handshake, $0) }
        }
        guard isAllowed else {
            env.emitValidationFailed(JMP_DROP_HANDSHAKE_REJECTED, from: sessions[index].paths[0].address)
            abandon(index)
            return drop(JMP_DROP_HANDSHAKE_REJECTED, received)
        }
        let cause = respond(index)
        return cause == JMP_DROP_NONE ? JMP_OK : drop(cause, received)
    }

    private func setPSK(_ handshake: UnsafeMutablePointer<Handshake>, _ psk: UnsafeRawPointer?) {
        if let psk { return handshake.pointee.noise.setPSK(psk) }
        Key32().withBytes { handshake.pointee.noise.setPSK($0) }   // IKpsk2 without a PSK uses zeros, as WireGuard does
    }

    /// Reads message 1: the client's hello, and for IKpsk2 its public key.
    private mutating func readHello(_ index: Int, psk: UnsafeRawPointer?) -> Bool {
        guard let handshake = sessions[index].handshake else { return false }
        if handshake.pointee.pattern == .ikpsk2 {
            guard env.hasStaticKey else { return false }
            let publicKey = env.staticPublic
            env.staticSecret.withBytes { secret in
                withUnsafeBytes(of: publicKey.words) { handshake.pointee.noise.setLocalStatic(secret: secret, public: $0.baseAddress) }
            }
        } else {
            setPSK(handshake, psk)
        }
        var payload = InlineArray<192, UInt8>(repeating: 0)
        let count = handshake.pointee.length
        let length = withUnsafeMutableBytes(of: &payload) { target -> Int in
            guard let base = target.baseAddress else { return -1 }
            let message = withUnsafePointer(to: &handshake.pointee.bytes) { UnsafeRawPointer($0) }
            return handshake.pointee.noise.readMessage1(UnsafeRawBufferPointer(start: message, count: count), payload: base, capacity: 192)
        }
        guard length >= 0, let hello = withUnsafeBytes(of: &payload, { ClientHello(UnsafeRawBufferPointer(rebasing: $0[0..<length])) }) else { return false }
        handshake.pointee.hello = hello
        handshake.pointee.hasReadHello = true
        if handshake.pointee.pattern == .ikpsk2 {
            var key = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
            let hasKey = withUnsafeMutableBytes(of: &key) { $0.baseAddress.map { handshake.pointee.noise.remoteStatic(into: $0) } ?? false }
            guard hasKey else { return false }
            sessions[index].peerKey = withUnsafeBytes(of: &key) { CredentialName($0) }
        }
        return true
    }

    /// Chooses suite and policy, writes message 2 and makes the keys. The session stays half-open until the client's first
    /// authentic datagram. JMP_DROP_NONE, or why the session was abandoned.
    private mutating func respond(_ index: Int) -> Int32 {
        guard let handshake = sessions[index].handshake else { return JMP_DROP_HANDSHAKE_REJECTED }
        let hello = handshake.pointee.hello
        let id = hello.sessionID
        // Only a confirmed session has its id for itself: a client tries each of its paths with an INIT of its own, whoever replays one
        // must not stand in the others' way, and which of the answers arrives only the client knows.
        guard env.sessionIDs.find(env.sessionKey(id)) == nil else {
            abandon(index)
            return JMP_DROP_DUPLICATE_HANDSHAKE
        }
        guard let place = freePlace(id) else {
            abandon(index)
            return JMP_DROP_DUPLICATE_HANDSHAKE
        }
        let allowed = env.config.suites & env.policy.suites & Suite.available
        guard let suite = Suite.choose(offered: UInt32(hello.suites), allowed: allowed),
              let policy = env.policy.negotiated(with: hello.limits), policy.allows(transportClass: hello.transportClass) else {
            abandon(index)
            return JMP_DROP_SUITE
        }
        sessions[index].agreement.replace(with: Agreement(policy: policy, clientLimits: hello.limits))
        guard writeResponse(handshake, suite, policy), sessions[index].installKeys(handshake, suite, &env) else {
            abandon(index)
            return JMP_DROP_HANDSHAKE_REJECTED
        }
        sessions[index].id = id
        sessions[index].label = hello.label
        sessions[index].replay = ReplayWindow(cap: policy.replayWindow)
        sessions[index].nodeTag = env.config.nodeTag
        sessions[index].paths[0].transportClass = hello.transportClass
        sessions[index].paths[0].name = hello.transportName
        sessions[index].registerAhead(&env)
        _ = env.sessionIDs.insert(env.sessionKey(id, place: place), UInt32(truncatingIfNeeded: index))
        handshake.pointee.place = place
        handshake.pointee.sentAt = env.now
        handshake.pointee.hasResponse = true
        handshake.pointee.shouldTransmit = true
        sessions[index].queue(&env)
        sessions[index].syncWheel(&env)
        return JMP_DROP_NONE
    }

    /// Room for another half-open session of this id.
    private func freePlace(_ id: SessionID) -> Int? {
        for place in 0..<Handshake.places where env.sessionIDs.find(env.sessionKey(id, place: place)) == nil { return place }
        return nil
    }

    private mutating func writeResponse(_ handshake: UnsafeMutablePointer<Handshake>, _ suite: Suite, _ policy: Policy) -> Bool {
        var payload = InlineArray<192, UInt8>(repeating: 0)
        var payloadLength = 0
        let nodeTag = env.config.nodeTag
        withUnsafeMutableBytes(of: &payload) { bytes in
            var writer = ByteWriter(bytes)
            GatewayHello(suite: suite.rawValue, nodeTag: nodeTag, policy: policy).write(&writer)
            payloadLength = writer.failed ? 0 : writer.count
        }
        guard payloadLength > 0 else { return false }
        let id = handshake.pointee.handshakeID
        handshake.pointee.withBytes { bytes in
            var writer = ByteWriter(bytes)
            writer.u8(HandshakePacket.responseByte)
            writer.u64(id)
        }
        let base = UnsafeMutableRawPointer(mutating: withUnsafePointer(to: &handshake.pointee.bytes) { UnsafeRawPointer($0) })
        let header = HandshakePacket.responseHeaderLength
        let written = withUnsafeBytes(of: &payload) {
            handshake.pointee.noise.writeMessage2(payload: UnsafeRawBufferPointer(rebasing: $0[0..<payloadLength]), random: &env.random,
                                                  into: base + header, capacity: 512 - header)
        }
        handshake.pointee.length = header &+ written
        return written > 0
    }
}
