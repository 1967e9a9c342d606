import CJumping
import JumpingCrypto
import JumpingSession
import JumpingWire

/// What a session in BIRTH carries, freed when it leaves: the Noise state, the datagrams to repeat, who asked.
struct Handshake: ~Copyable {
    var noise: NoiseHandshake
    let pattern: NoisePattern
    let handshakeID: UInt64
    /// Client: C1 … hint, then Noise message 1. Gateway: the same while it waits for the host; then the whole RESP.
    var bytes = InlineArray<512, UInt8>(repeating: 0)
    var prologueLength = 0
    var length = 0
    var cookie = InlineArray<32, UInt8>(repeating: 0)
    /// The path the cookie was given for: it is bound to transport and address.
    var cookieSlot = -1
    /// Gateway: keyed hash of the INIT without its cookie, to know a repetition.
    var fingerprint: UInt64 = 0
    var hint = CredentialName(UnsafeRawBufferPointer(start: nil, count: 0))
    var hello = ClientHello()
    /// IKpsk2 at a gateway that asks: message 1 has been read already.
    var hasReadHello = false
    var isWaitingForHost = false
    var hasResponse = false
    var shouldTransmit = false
    var sentAt: UInt64 = 0
    var tries: UInt32 = 0
    /// Client: which path the next INIT takes.
    var nextSlot = 0

    init(pattern: NoisePattern, isInitiator: Bool, handshakeID: UInt64) {
        noise = NoiseHandshake(pattern: pattern, isInitiator: isInitiator)
        self.pattern = pattern
        self.handshakeID = handshakeID
    }

    mutating func withBytes<R>(_ body: (UnsafeMutableRawBufferPointer) -> R) -> R {
        withUnsafeMutableBytes(of: &bytes) { body($0) }
    }
}

extension Session {
    static let initialRetransmission: UInt64 = 250_000

    mutating func dropHandshake(_ env: inout Environment) {
        guard let handshake else { return }
        env.handshakes.remove(handshake.pointee.handshakeID, index)
        if role == .gateway {
            if handshake.pointee.isWaitingForHost { env.waiting &-= 1 } else { env.halfOpen &-= 1 }
        }
        handshake.deinitialize(count: 1)
        handshake.deallocate()
        self.handshake = nil
        timers.cancel(.handshake)
        timers.cancel(.handshakeExpiry)
    }

    // MARK: client

    /// Writes message 1 and asks for its transmission. False when the keys do not serve.
    mutating func beginHandshake(_ config: UnsafePointer<jmp_connect_config>, pattern: NoisePattern, _ env: inout Environment) -> Bool {
        let pointer = UnsafeMutablePointer<Handshake>.allocate(capacity: 1)
        pointer.initialize(to: Handshake(pattern: pattern, isInitiator: true, handshakeID: env.random.next64()))
        handshake = pointer
        var hello = ClientHello()
        hello.sessionID = id
        hello.suites = UInt8(truncatingIfNeeded: env.config.suites & policy.suites & Suite.available)
        hello.transportClass = paths[0].transportClass
        hello.transportName = transportName(0, env)
        hello.label = label
        hello.limits = policy.limits
        guard writeInit(pointer, config, hello, &env) else { return false }
        _ = env.handshakes.insert(pointer.pointee.handshakeID, index)
        pointer.pointee.shouldTransmit = true
        timers[.handshakeExpiry] = env.now &+ config.pointee.handshake_timeout_us
        return true
    }

    private func writeInit(_ handshake: UnsafeMutablePointer<Handshake>, _ config: UnsafePointer<jmp_connect_config>,
                           _ hello: ClientHello, _ env: inout Environment) -> Bool {
        withUnsafeBytes(of: config.pointee.hint) {
            handshake.pointee.hint = CredentialName(UnsafeRawBufferPointer(rebasing: $0[0..<min(32, Int(config.pointee.hint_length))]))
        }
        let hint = handshake.pointee.hint
        let handshakeID = handshake.pointee.handshakeID, pattern = handshake.pointee.pattern
        var payload = InlineArray<192, UInt8>(repeating: 0)
        var prologueLength = 0
        withUnsafeMutableBytes(of: &payload) { bytes in
            var writer = ByteWriter(bytes)
            hello.write(&writer)
        }
        handshake.pointee.withBytes { bytes in
            var writer = ByteWriter(bytes)
            withUnsafeBytes(of: hint.words) {
                InitPacket.writePrologue(&writer, handshakeID: handshakeID, pattern: pattern.rawValue,
                                         hint: UnsafeRawBufferPointer(rebasing: $0[0..<Int(hint.length)]))
            }
            prologueLength = writer.count
        }
        handshake.pointee.prologueLength = prologueLength
        let base = UnsafeMutableRawPointer(mutating: withUnsafePointer(to: &handshake.pointee.bytes) { UnsafeRawPointer($0) })
        handshake.pointee.noise.mixPrologue(UnsafeRawBufferPointer(start: base, count: prologueLength))
        withUnsafeBytes(of: config.pointee.psk) { if let psk = $0.baseAddress { handshake.pointee.noise.setPSK(psk) } }
        if pattern == .ikpsk2 {
            env.staticSecret.withBytes { handshake.pointee.noise.setLocalStatic(secret: $0) }
            withUnsafeBytes(of: config.pointee.gateway_key) { if let key = $0.baseAddress { handshake.pointee.noise.setRemoteStatic(key) } }
        }
        let written = withUnsafeBytes(of: &payload) {
            handshake.pointee.noise.writeMessage1(payload: $0, random: &env.random, into: base + prologueLength,
                                                  capacity: 512 &- prologueLength)
        }
        guard written > 0 else { return false }
        handshake.pointee.length = prologueLength &+ written
        return true
    }

    /// INIT into the host's buffer, on the next of the known paths. Returns the slot and length, or nil when there is none.
    mutating func writeInitDatagram(_ handshake: UnsafeMutablePointer<Handshake>, _ writer: inout ByteWriter, _ env: inout Environment) -> Int? {
        let tries = paths.capacity
        var slot = handshake.pointee.nextSlot
        for _ in 0..<tries {
            slot = slot % paths.capacity
            if paths[slot].isUsed { break }
            slot &+= 1
        }
        guard slot < paths.capacity, paths[slot].isUsed else { return nil }
        let prologueLength = handshake.pointee.prologueLength, length = handshake.pointee.length
        let hasCookie = handshake.pointee.cookieSlot == slot
        handshake.pointee.withBytes { writer.copy(UnsafeRawBufferPointer(rebasing: $0[0..<prologueLength])) }
        writer.u8(hasCookie ? UInt8(HandshakePacket.cookieLength) : 0)
        if hasCookie {
            withUnsafeBytes(of: &handshake.pointee.cookie) {
                writer.copy(UnsafeRawBufferPointer(rebasing: $0[0..<HandshakePacket.cookieLength]))
            }
        }
        handshake.pointee.withBytes { writer.copy(UnsafeRawBufferPointer(rebasing: $0[prologueLength..<length])) }
        guard !writer.failed else { return nil }
        handshake.pointee.shouldTransmit = false
        handshake.pointee.sentAt = env.now
        handshake.pointee.nextSlot = slot &+ 1
        timers[.handshake] = env.now &+ Self.initialRetransmission &<< UInt64(min(handshake.pointee.tries, 4))
        handshake.pointee.tries &+= 1
        return slot
    }

    /// JMP_DROP_NONE, or why it was not taken.
    mutating func receiveCookie(_ packet: CookiePacket, slot: Int, _ env: inout Environment) -> Int32 {
        guard let handshake, isClient, handshake.pointee.handshakeID == packet.handshakeID else { return JMP_DROP_UNEXPECTED }
        let isFirst = handshake.pointee.cookieSlot != slot
        withUnsafeMutableBytes(of: &handshake.pointee.cookie) { $0.copyMemory(from: packet.cookie) }
        handshake.pointee.cookieSlot = slot
        // Answered at once the first time; a forged or repeated one only makes the next retransmission carry it.
        guard isFirst else { return JMP_DROP_NONE }
        handshake.pointee.shouldTransmit = true
        handshake.pointee.nextSlot = slot
        return JMP_DROP_NONE
    }

    /// RESP: the client is attached when it opens. A wrong one changes nothing (the right one may still come). JMP_DROP_NONE, or why it
    /// was not taken.
    mutating func receiveResponse(_ packet: ResponsePacket, slot: Int, _ env: inout Environment) -> Int32 {
        guard let handshake, isClient, state == .birth else { return JMP_DROP_UNEXPECTED }
        var payload = InlineArray<192, UInt8>(repeating: 0)
        let length = withUnsafeMutableBytes(of: &payload) { bytes -> Int in
            guard let base = bytes.baseAddress else { return -1 }
            return handshake.pointee.noise.readMessage2(packet.noise, payload: base, capacity: bytes.count)
        }
        guard length > 0 else {
            env.emitValidationFailed(JMP_DROP_HANDSHAKE_REJECTED, from: paths[slot].address)
            return JMP_DROP_HANDSHAKE_REJECTED
        }
        let hello = withUnsafeBytes(of: &payload) { GatewayHello(UnsafeRawBufferPointer(rebasing: $0[0..<length])) }
        guard let hello, let suite = Suite(rawValue: hello.suite),
              env.config.suites & policy.suites & Suite.available & UInt32(hello.suite) != 0,
              let agreed = hello.policy.negotiated(with: policy.limits) else {
            terminate(.handshakeFailed, tellPeer: false, &env)
            return JMP_DROP_HANDSHAKE_REJECTED
        }
        policy = agreed
        replay = ReplayWindow(cap: policy.replayWindow)
        nodeTag = hello.nodeTag
        let roundTrip = handshake.pointee.tries == 1 ? env.now &- handshake.pointee.sentAt : 0
        guard installKeys(suite, &env) else {
            terminate(.securityFailure, tellPeer: false, &env)
            return JMP_DROP_HANDSHAKE_REJECTED
        }
        dropHandshake(&env)
        attachFirst(slot, roundTrip: roundTrip, &env)
        return JMP_DROP_NONE
    }

    // MARK: both

    /// Splits the handshake into transport keys and registers the connection ids.
    mutating func installKeys(_ suite: Suite, _ env: inout Environment) -> Bool {
        guard let handshake else { return false }
        var toGateway = Key32(), toClient = Key32(), hash = Key32()
        let didSplit = toGateway.withMutableBytes { a in
            toClient.withMutableBytes { b in
                hash.withMutableBytes { c in
                    handshake.pointee.noise.split(initiatorToResponder: a, responderToInitiator: b, handshakeHash: c)
                }
            }
        }
        guard didSplit else { return false }
        let now = env.now
        let isClient = isClient
        let schedule = UnsafeMutablePointer<KeySchedule>.allocate(capacity: 1)
        toGateway.withBytes { a in
            toClient.withBytes { b in
                schedule.initialize(to: KeySchedule(suite: suite, send: isClient ? a : b, receive: isClient ? b : a, now: now))
            }
        }
        keys = schedule
        return true
    }

    /// BIRTH → ATTACHED on the path that carried the handshake (client: at RESP; gateway: at the client's first datagram).
    mutating func attachFirst(_ slot: Int, roundTrip: UInt64, _ env: inout Environment) {
        for other in 0..<paths.capacity where paths[other].isUsed && paths[other].index == 0 && other != slot {
            paths[other].index = .max   // index 0 belongs to the path that worked
        }
        giveIndex(0, to: slot, &env)
        paths[slot].role = .active
        paths[slot].isValidated = true
        paths[slot].validatedAt = env.now
        paths[slot].noteEvidence(env.now)
        if roundTrip > 0 { paths[slot].health.addRTT(roundTrip, acknowledgementDelay: 0) }
        activeSlot = slot
        lastBound = BoundPath(name: transportName(slot, env), address: paths[slot].address)
        lastPayloadAt = env.now
        env.counters.handshakesCompleted &+= 1
        if !isClient {
            isConfirmed = true
            emit(JMP_EVENT_SESSION_CREATED, reason: .none, &env)
        }
        transition(to: .attached, .handshakeOK, &env)
        emit(JMP_EVENT_SESSION_ESTABLISHED, reason: .handshakeOK, &env)
        emit(JMP_EVENT_TRANSPORT_ATTACHED, reason: .handshakeOK, target: slot, &env)
        let (expiry, overflow) = createdAt.addingReportingOverflow(policy.maxLifetime)
        timers[.lifetime] = overflow ? Timers.never : expiry
        timers[.keyRotation] = isClient ? env.now &+ policy.keyMaxAge : env.now &+ policy.keyMaxAge &+ policy.keyMaxAge / 4
        timers[.heartbeat] = env.now &+ policy.heartbeatInterval
        if env.config.telemetryInterval > 0 { timers[.telemetry] = env.now &+ env.config.telemetryInterval }
        if isClient {
            // The gateway attaches at the client's first authentic datagram: send one now.
            requestPing(slot, &env)
            startProbing(&env)
        }
    }
}
