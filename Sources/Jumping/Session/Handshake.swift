import CJumping
import JumpingCrypto
import JumpingSession
import JumpingWire

/// What a session in BIRTH carries, freed when it leaves: the Noise state, the datagrams to repeat, who asked. A gateway's session has
/// one, a client's one for each path it has tried.
struct Handshake: ~Copyable {
    var noise: NoiseHandshake
    let pattern: NoisePattern
    let handshakeID: UInt64
    /// Client: C1 … hint, then Noise message 1. Gateway: the same while it waits for the host; then the whole RESP.
    var bytes = InlineArray<512, UInt8>(repeating: 0)
    var prologueLength = 0
    var length = 0
    var cookie = InlineArray<32, UInt8>(repeating: 0)
    var hasCookie = false
    /// Gateway: keyed hash of the INIT without its cookie, to know a repetition.
    var fingerprint: UInt64 = 0
    var hint = CredentialName(UnsafeRawBufferPointer(start: nil, count: 0))
    /// Client: what INIT says of the path. Gateway: what was read.
    var hello = ClientHello()
    /// IKpsk2 at a gateway that asks: message 1 has been read already.
    var hasReadHello = false
    var isWaitingForHost = false
    var hasResponse = false
    /// Gateway: RESP is to be sent (again).
    var shouldTransmit = false
    /// Gateway: its place among the half-open sessions of its session id.
    var place = 0
    var sentAt: UInt64 = 0
    /// Client: how often INIT has left.
    var transmissions: UInt32 = 0

    /// How many half-open sessions one session id may have: a client has no more paths to try.
    static let places = PathTable.limit

    init(pattern: NoisePattern, isInitiator: Bool, handshakeID: UInt64) {
        noise = NoiseHandshake(pattern: pattern, isInitiator: isInitiator)
        self.pattern = pattern
        self.handshakeID = handshakeID
    }

    mutating func withBytes<R>(_ body: (UnsafeMutableRawBufferPointer) -> R) -> R {
        withUnsafeMutableBytes(of: &bytes) { body($0) }
    }
}

/// What a client in BIRTH makes its INITs from, and those it has made, by path slot: each path has a handshake of its own, so that the
/// gateway reads the name and class of the path that INIT came on. The secrets wipe themselves when it ends.
struct Initiation: ~Copyable {
    let pattern: NoisePattern
    let hint: CredentialName
    var psk = Key32()
    var gatewayKey = Key32()
    /// The endpoint's at `jmp_connect`: one session is one client, whatever key the host sets meanwhile.
    var staticSecret = Key32()
    /// Its public key, so that no handshake computes it again.
    var staticPublic = CredentialName(UnsafeRawBufferPointer(start: nil, count: 0))
    var handshakes: InlineArray<8, UnsafeMutablePointer<Handshake>?> = InlineArray(repeating: nil)
    var shouldTransmit = false
    /// INITs sent, over all paths.
    var tries: UInt32 = 0
    /// Where the search for the next INIT's path begins.
    var nextSlot = 0

    init(pattern: NoisePattern, hint: CredentialName) {
        self.pattern = pattern
        self.hint = hint
    }

    /// The endpoint's table of handshake ids is the caller's to clear.
    mutating func drop(_ slot: Int) {
        handshakes[slot]?.deinitialize(count: 1)
        handshakes[slot]?.deallocate()
        handshakes[slot] = nil
    }

    deinit {
        for slot in 0..<PathTable.limit {
            handshakes[slot]?.deinitialize(count: 1)
            handshakes[slot]?.deallocate()
        }
    }
}

extension Session {
    static let initialRetransmission: UInt64 = 250_000

    mutating func dropHandshake(_ env: inout Environment) {
        timers.cancel(.handshake)
        timers.cancel(.handshakeExpiry)
        if let initiation {
            for slot in 0..<PathTable.limit { dropInit(slot, &env) }
            initiation.deinitialize(count: 1)
            initiation.deallocate()
            self.initiation = nil
        }
        guard let handshake else { return }
        env.handshakes.remove(handshake.pointee.handshakeID, index)
        if handshake.pointee.hasResponse { env.sessionIDs.remove(env.sessionKey(id, place: handshake.pointee.place), index) }
        if handshake.pointee.isWaitingForHost { env.waiting &-= 1 } else { env.halfOpen &-= 1 }
        handshake.deinitialize(count: 1)
        handshake.deallocate()
        self.handshake = nil
    }

    // MARK: client

    /// Writes the first path's INIT and asks for its transmission. False when the keys do not serve.
    mutating func beginHandshake(_ config: UnsafePointer<jmp_connect_config>, pattern: NoisePattern, _ env: inout Environment) -> Bool {
        let hint = withUnsafeBytes(of: config.pointee.hint) {
            CredentialName(UnsafeRawBufferPointer(rebasing: $0[0..<min(32, Int(config.pointee.hint_length))]))
        }
        let pointer = UnsafeMutablePointer<Initiation>.allocate(capacity: 1)
        pointer.initialize(to: Initiation(pattern: pattern, hint: hint))
        initiation = pointer
        withUnsafeBytes(of: config.pointee.psk) { if let psk = $0.baseAddress { pointer.pointee.psk = Key32(copying: psk) } }
        if pattern == .ikpsk2 {
            withUnsafeBytes(of: config.pointee.gateway_key) { if let key = $0.baseAddress { pointer.pointee.gatewayKey = Key32(copying: key) } }
            pointer.pointee.staticSecret.replace(with: env.staticSecret)
            pointer.pointee.staticPublic = env.staticPublic
        }
        guard makeInit(0, pointer, &env) != nil else { return false }
        pointer.pointee.shouldTransmit = true
        timers[.handshakeExpiry] = env.now &+ config.pointee.handshake_timeout_us
        return true
    }

    /// The path's INIT, made when the path is first tried: an id, an ephemeral key and a hello of its own, repeated byte for byte from
    /// then on. nil when the keys do not serve.
    private mutating func makeInit(_ slot: Int, _ initiation: UnsafeMutablePointer<Initiation>, _ env: inout Environment) -> UnsafeMutablePointer<Handshake>? {
        if let known = currentInit(slot) { return known }
        dropInit(slot, &env)
        var hello = ClientHello()
        hello.sessionID = id
        hello.suites = UInt8(truncatingIfNeeded: env.config.suites & policy.suites & Suite.available)
        hello.transportClass = paths[slot].transportClass
        hello.transportName = transportName(slot, env)
        hello.label = label
        hello.limits = policy.limits
        let pointer = UnsafeMutablePointer<Handshake>.allocate(capacity: 1)
        pointer.initialize(to: Handshake(pattern: initiation.pointee.pattern, isInitiator: true, handshakeID: env.random.next64()))
        pointer.pointee.hello = hello
        initiation.pointee.handshakes[slot] = pointer
        guard writeInit(pointer, initiation, &env), env.handshakes.insert(pointer.pointee.handshakeID, index) else {
            dropInit(slot, &env)
            return nil
        }
        return pointer
    }

    /// The path's handshake; none when it was not tried yet, or when the host has given its transport another class since: the gateway
    /// must judge the class in use.
    private func currentInit(_ slot: Int) -> UnsafeMutablePointer<Handshake>? {
        guard let handshake = initiation?.pointee.handshakes[slot],
              handshake.pointee.hello.transportClass == paths[slot].transportClass else { return nil }
        return handshake
    }

    /// The path's handshake ends: an answer to it finds nobody any more.
    mutating func dropInit(_ slot: Int, _ env: inout Environment) {
        guard let initiation, let handshake = initiation.pointee.handshakes[slot] else { return }
        env.handshakes.remove(handshake.pointee.handshakeID, index)
        initiation.pointee.drop(slot)
    }

    private func writeInit(_ handshake: UnsafeMutablePointer<Handshake>, _ initiation: UnsafeMutablePointer<Initiation>, _ env: inout Environment) -> Bool {
        let hint = initiation.pointee.hint, hello = handshake.pointee.hello
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
        initiation.pointee.psk.withBytes { handshake.pointee.noise.setPSK($0) }
        if pattern == .ikpsk2 {
            let publicKey = initiation.pointee.staticPublic
            initiation.pointee.staticSecret.withBytes { secret in
                withUnsafeBytes(of: publicKey.words) { handshake.pointee.noise.setLocalStatic(secret: secret, public: $0.baseAddress) }
            }
            initiation.pointee.gatewayKey.withBytes { handshake.pointee.noise.setRemoteStatic($0) }
        }
        let written = withUnsafeBytes(of: &payload) {
            handshake.pointee.noise.writeMessage1(payload: $0, random: &env.random, into: base + prologueLength,
                                                  capacity: 512 &- prologueLength)
        }
        guard written > 0 else { return false }
        handshake.pointee.length = prologueLength &+ written
        return true
    }

    /// INIT into the host's buffer, on the next of the known paths. Returns its slot, or nil when there is none.
    mutating func writeInitDatagram(_ initiation: UnsafeMutablePointer<Initiation>, _ writer: inout ByteWriter, _ env: inout Environment) -> Int? {
        guard let slot = nextInitSlot(initiation.pointee.nextSlot), let handshake = makeInit(slot, initiation, &env) else { return nil }
        let prologueLength = handshake.pointee.prologueLength, length = handshake.pointee.length
        let hasCookie = handshake.pointee.hasCookie
        handshake.pointee.withBytes { writer.copy(UnsafeRawBufferPointer(rebasing: $0[0..<prologueLength])) }
        writer.u8(hasCookie ? UInt8(HandshakePacket.cookieLength) : 0)
        if hasCookie {
            withUnsafeBytes(of: &handshake.pointee.cookie) {
                writer.copy(UnsafeRawBufferPointer(rebasing: $0[0..<HandshakePacket.cookieLength]))
            }
        }
        handshake.pointee.withBytes { writer.copy(UnsafeRawBufferPointer(rebasing: $0[prologueLength..<length])) }
        guard !writer.failed else { return nil }
        handshake.pointee.sentAt = env.now
        handshake.pointee.transmissions &+= 1
        initiation.pointee.shouldTransmit = false
        initiation.pointee.nextSlot = slot &+ 1
        timers[.handshake] = env.now &+ Self.initialRetransmission &<< UInt64(min(initiation.pointee.tries, 4))
        initiation.pointee.tries &+= 1
        return slot
    }

    /// The next path in turn whose class this end's own policy allows.
    private func nextInitSlot(_ start: Int) -> Int? {
        for i in 0..<paths.capacity {
            let slot = (start &+ i) % paths.capacity
            if paths[slot].isUsed, policy.allows(transportClass: paths[slot].transportClass) { return slot }
        }
        return nil
    }

    /// An INIT that found no path is due still: now there may be one.
    mutating func resumeHandshake(_ env: inout Environment) {
        if let initiation, initiation.pointee.shouldTransmit { queue(&env) }
    }

    /// JMP_DROP_NONE, or why it was not taken.
    mutating func receiveCookie(_ packet: CookiePacket, slot: Int, _ env: inout Environment) -> Int32 {
        guard let initiation, let handshake = currentInit(slot), handshake.pointee.handshakeID == packet.handshakeID else { return JMP_DROP_UNEXPECTED }
        let isFirst = !handshake.pointee.hasCookie
        withUnsafeMutableBytes(of: &handshake.pointee.cookie) { $0.copyMemory(from: packet.cookie) }
        handshake.pointee.hasCookie = true
        // Answered at once the first time; a forged or repeated one only makes the next retransmission carry it.
        guard isFirst else { return JMP_DROP_NONE }
        initiation.pointee.shouldTransmit = true
        initiation.pointee.nextSlot = slot
        return JMP_DROP_NONE
    }

    /// RESP to the INIT of this very path: the first that opens attaches the client there, and the other paths' handshakes end. A wrong
    /// one changes nothing (the right one may still come). JMP_DROP_NONE, or why it was not taken.
    mutating func receiveResponse(_ packet: ResponsePacket, slot: Int, _ env: inout Environment) -> Int32 {
        guard state == .birth, let handshake = currentInit(slot), handshake.pointee.handshakeID == packet.handshakeID else { return JMP_DROP_UNEXPECTED }
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
        let roundTrip = handshake.pointee.transmissions == 1 && !env.isClamped ? env.now &- handshake.pointee.sentAt : 0
        guard installKeys(handshake, suite, &env) else {
            terminate(.securityFailure, tellPeer: false, &env)
            return JMP_DROP_HANDSHAKE_REJECTED
        }
        dropHandshake(&env)
        attachFirst(slot, roundTrip: roundTrip, &env)
        return JMP_DROP_NONE
    }

    // MARK: both

    /// Splits the handshake into transport keys and registers the connection ids.
    mutating func installKeys(_ handshake: UnsafeMutablePointer<Handshake>, _ suite: Suite, _ env: inout Environment) -> Bool {
        var toGateway = Key32(), toClient = Key32(), hash = Key32()
        let didSplit = toGateway.withMutableBytes { a in
            toClient.withMutableBytes { b in
                hash.withMutableBytes { c in
                    handshake.pointee.noise.split(initiatorToResponder: a, responderToInitiator: b, handshakeHash: c)
                }
            }
        }
        guard didSplit else { return false }
        env.policies.share(&agreement)
        let now = env.now
        let isClient = isClient
        makeKeys { keys in
            toGateway.withBytes { a in
                toClient.withBytes { b in
                    keys.initialize(to: KeySchedule(suite: suite, send: isClient ? a : b, receive: isClient ? b : a, now: now))
                }
            }
        }
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
        paths[slot].noteEvidence(env.now)
        if roundTrip > 0 { paths[slot].health.addRTT(roundTrip, acknowledgementDelay: 0) }
        activeSlot = slot
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
