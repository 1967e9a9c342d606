import CJumping
import JumpingCrypto
import JumpingDelivery
import JumpingSession
import JumpingWire

/// What the endpoint is configured to be (see jmp_config).
struct Config {
    var initiates = true
    var accepts = true
    var asks = false
    var maxSessions = 65_536
    var maxHalfOpen = 256
    var maxWaiting = 64
    var eventCapacity = 1024
    var cookieThreshold = 32
    var sourceRate: UInt32 = 20
    var sourceBurst: UInt32 = 40
    var telemetryInterval: UInt64 = 0
    var suites: UInt32 = 7
    var nodeTag: UInt16 = 0
    var wallClockOffset: Int64 = 0
    var nodeID = Label()
    /// Bytes of protected payloads: each session's that wait to be sent or acknowledged, each session's that wait for the host, all.
    var sendBuffer = 1 << 20
    var receiveBuffer = 1 << 20
    var deliveryMemory = 256 << 20
}

/// What the endpoint counts.
struct EndpointCounters {
    var datagramsReceived: UInt64 = 0
    var datagramsSent: UInt64 = 0
    var handshakesCompleted: UInt64 = 0
    var sessionsTerminated: UInt64 = 0
    var clockWentBackwards: UInt64 = 0
    var lateCalls: UInt64 = 0
    var dropped: InlineArray<32, UInt64> = InlineArray(repeating: 0)
}

/// Everything of an endpoint that is not a session: what sessions share and where their effects go. Apart from the session
/// table, so that a session and its environment can change at the same time.
struct Environment: ~Copyable {
    /// The host's time of the present call, never going backwards.
    private(set) var now: UInt64
    /// The host's clock is behind an earlier call: no round trip can be measured.
    private(set) var isClamped = false
    var config: Config
    let policy: Policy
    var random: RandomSource
    var transports = TransportTable()
    var events: EventQueue
    /// Own connection id → (session, path index).
    var connectionIDs: HashIndex
    /// Keyed hash of a live session's id → session; of the id and a place → one of its half-open sessions.
    var sessionIDs: HashIndex
    /// Handshake id → session in BIRTH, and at a client the path's slot.
    var handshakes: HashIndex
    let hash: KeyedHash
    var policies = PolicyPool()
    var wheel: TimerWheel
    var ready = ReadyQueue()
    /// Protected payloads of all sessions, and the handles of those that have some for the host.
    var payloads: PayloadPool
    var readable = ReadyQueue()
    /// Sessions whose reports of protected payloads wait for room in the event queue.
    var reporting = ReadyQueue()
    var outgoing = DatagramQueue()
    var gate: FloodGate
    var pskCredentials: Credentials
    var keyCredentials: Credentials
    var staticSecret = Key32()
    var staticPublic = CredentialName(UnsafeRawBufferPointer(start: nil, count: 0))
    var hasStaticKey = false
    /// Stands in for the PSK of an unknown hint, so that it costs what a wrong PSK costs.
    var decoyPSK = Key32()
    var halfOpen = 0
    var waiting = 0
    /// Handles of TERMINATED sessions, oldest first; they give way when slots run out.
    var closing = ReadyQueue()
    var farewells = FarewellPool()
    var counters = EndpointCounters()
    #if DEBUG
    /// The session slot whose invariants were checked last.
    var invariantCursor = 0
    #endif
    private var lastRateLimitEventAt: UInt64?
    private var lastValidationEventAt: UInt64?

    init(config: Config, policy: Policy, random source: consuming RandomSource, now: UInt64) {
        var random = source
        self.now = min(now, Self.latestTime)
        self.config = config
        self.policy = policy
        events = EventQueue(capacity: config.eventCapacity)
        payloads = PayloadPool(limit: config.deliveryMemory)
        connectionIDs = HashIndex(secret: random.next64())
        sessionIDs = HashIndex(secret: random.next64())
        handshakes = HashIndex(secret: random.next64())
        hash = KeyedHash(random: &random)
        wheel = TimerWheel(now: min(now, Self.latestTime))
        gate = FloodGate(random: &random, rate: config.sourceRate, burst: config.sourceBurst, now: now)
        pskCredentials = Credentials(random: &random)
        keyCredentials = Credentials(random: &random)
        decoyPSK.withMutableBytes { random.fill($0, 32) }
        self.random = random
    }

    /// Beyond it no deadline could be added to a time without overflow.
    static let latestTime: UInt64 = 1 << 62

    /// Takes the host's time; going backwards is clamped and counted, "no time" keeps the time of the call before.
    @inline(__always)
    mutating func advance(to time: UInt64) {
        isClamped = time < now
        if isClamped {
            counters.clockWentBackwards &+= 1
        } else if time != .max {
            now = min(time, Self.latestTime)
        }
    }

    mutating func countDrop(_ cause: Int32) {
        if cause >= 0, cause < JMP_DROP_CAUSES { counters.dropped[Int(cause)] &+= 1 }
    }

    func sessionKey(_ id: SessionID) -> UInt64 {
        hash.value((id.words.0, id.words.1, 0, 0), 16)
    }

    /// Stands for one of the half-open sessions that the id may have (`Handshake.places`).
    func sessionKey(_ id: SessionID, place: Int) -> UInt64 {
        hash.value((id.words.0, id.words.1, UInt64(place), 0), 24)
    }

    /// A new event with everything the endpoint knows filled in; nil when the queue refuses it.
    mutating func addEvent(_ type: Int32) -> UnsafeMutablePointer<jmp_event>? {
        guard let event = events.add(type) else { return nil }
        event.pointee.time = now
        event.pointee.ts_ms = wallClockMilliseconds
        event.pointee.path = JMP_PATH_NONE
        event.pointee.seeded = random.isSeeded ? 1 : 0
        withUnsafeMutablePointer(to: &event.pointee.node_id) { config.nodeID.copy(to: $0) }
        return event
    }

    private var wallClockMilliseconds: Int64 {
        let (sum, overflow) = Int64(clamping: now).addingReportingOverflow(config.wallClockOffset)
        return overflow ? 0 : sum / 1000
    }

    /// RateLimited, at most once a second: a flood must not become a flood of events.
    mutating func emitRateLimited(_ cause: Int32, from: Address) {
        if let last = lastRateLimitEventAt, now &- last < 1_000_000 { return }
        lastRateLimitEventAt = now
        emitDrop(JMP_EVENT_RATE_LIMITED, cause, from)
    }

    /// SecurityValidationFailed for a handshake that did not authenticate, at most once a second. Which of its parts was
    /// wrong is not told, here no more than on the wire.
    mutating func emitValidationFailed(_ cause: Int32, from: Address) {
        if let last = lastValidationEventAt, now &- last < 1_000_000 { return }
        lastValidationEventAt = now
        emitDrop(JMP_EVENT_SECURITY_VALIDATION_FAILED, cause, from)
    }

    private mutating func emitDrop(_ type: Int32, _ cause: Int32, _ from: Address) {
        guard let event = addEvent(type) else { return }
        event.pointee.cause = UInt32(bitPattern: cause)
        from.write(to: &event.pointee.from_address)
    }
}

extension Address {
    /// The ABI's form.
    var exported: jmp_address {
        var address = jmp_address()
        withUnsafeMutablePointer(to: &address) { write(to: $0) }
        return address
    }

    /// Writes the ABI's form: two lengths, 32 bytes, 6 zeros.
    @inline(__always)
    func write(to address: UnsafeMutablePointer<jmp_address>) {
        let target = UnsafeMutableRawPointer(address)
        target.storeBytes(of: 0, toByteOffset: 32, as: UInt64.self)
        target.storeBytes(of: length, as: UInt8.self)
        target.storeBytes(of: prefixLength, toByteOffset: 1, as: UInt8.self)
        target.storeBytes(of: words.0, toByteOffset: 2, as: UInt64.self)
        target.storeBytes(of: words.1, toByteOffset: 10, as: UInt64.self)
        target.storeBytes(of: words.2, toByteOffset: 18, as: UInt64.self)
        target.storeBytes(of: words.3, toByteOffset: 26, as: UInt64.self)
    }

    /// Lengths are in range and reserved bytes are 0.
    @inline(__always)
    static func isValid(_ address: UnsafePointer<jmp_address>) -> Bool {
        let length = address.pointee.length
        let tail = UnsafeRawPointer(address).loadUnaligned(fromByteOffset: 32, as: UInt64.self).littleEndian
        return tail &>> 16 == 0 && length &- 1 < UInt8(Self.capacity) && address.pointee.prefix_length <= length
    }

    /// Whether just these bytes lie there, and zeros behind them.
    @inline(__always)
    func isWritten(at address: UnsafePointer<jmp_address>) -> Bool {
        let base = UnsafeRawPointer(address)
        return address.pointee.length == length && base.loadUnaligned(fromByteOffset: 2, as: UInt64.self) == words.0
            && base.loadUnaligned(fromByteOffset: 10, as: UInt64.self) == words.1
            && base.loadUnaligned(fromByteOffset: 18, as: UInt64.self) == words.2
            && base.loadUnaligned(fromByteOffset: 26, as: UInt64.self) == words.3
    }

    /// From the ABI's form; nil when it is not valid.
    init?(_ address: UnsafePointer<jmp_address>) {
        guard Self.isValid(address) else { return nil }
        let base = UnsafeRawPointer(address)
        self.init(base + 2, length: address.pointee.length, prefixLength: address.pointee.prefix_length)
    }
}
