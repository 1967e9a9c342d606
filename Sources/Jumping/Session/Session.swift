import CJumping
import JumpingCrypto
import JumpingDelivery
import JumpingSession
import JumpingWire

/// Who began the session; raw values are JMP_ROLE_*.
enum Role: UInt8 {
    case client = 0
    case gateway = 1
}

/// What a session counts.
struct SessionCounters: ~Copyable {
    var datagramsSent: UInt64 = 0
    var bytesSent: UInt64 = 0
    var payloadsSent: UInt64 = 0
    var datagramsReceived: UInt64 = 0
    var bytesReceived: UInt64 = 0
    var payloadsReceived: UInt64 = 0
    private var others = OnDemand<RareCounters>()
    var keyRotations: UInt32 = 0

    var rare: RareCounters {
        get { others.present?.pointee ?? RareCounters() }
        set { others.made(RareCounters()).pointee = newValue }
    }
}

/// What a session without trouble never counts.
struct RareCounters {
    var datagramsLost: UInt64 = 0
    var replayed: UInt64 = 0
    var tooOld: UInt64 = 0
    var badTag: UInt64 = 0
    var switches: UInt64 = 0
    var switchesDenied: UInt64 = 0
    var reattachAttempts: UInt64 = 0
}

/// One session: identity, keys, state machine, paths. It takes (input, now) and changes itself; everything that leaves it
/// goes through the endpoint's `Environment` (events, tables, timers) or is asked for by the host (datagrams).
/// The logic lies in extensions, one concern a file.
struct Session: ~Copyable {
    private let pinned = Pinned()

    // What every datagram looks at comes first, so that a cold session costs few cache misses.

    let index: UInt32
    let generation: UInt32
    let role: Role
    var state = SessionState.birth
    var isConfirmed = false
    /// Gateway: the active path may have a new address.
    var hasProvisional = false
    var isQueued = false
    private(set) var activeNumber: Int8 = -1
    /// When the endpoint's wheel will fire for this session; `.max` when it will not. Kept by `armWheel` and by the endpoint.
    var wheelDeadline = Timers.never
    private(set) var keys: UnsafeMutablePointer<KeySchedule>?
    var nextPacketNumber: UInt64 = 0
    var lastPayloadAt: UInt64 = 0
    /// A REATTACH that waits for its answer (client).
    var attempt: ReattachAttempt?
    var paths = PathTable()
    var replay: ReplayWindow
    var sent = SentPackets()
    var timers = Timers()
    var counters = SessionCounters()
    var inbound = InboundGaps()
    var proofAges = ProofAges()
    var agreement: SharedAgreement

    // Identity
    var id: SessionID
    private var identity = OnDemand<Identity>()

    // State machine
    var stateVersion: UInt64 = 0
    var bindingVersion: UInt32 = 0
    var lastReason = Reason.none
    var createdAt: UInt64

    // Keys
    /// Where they lie once there are any: in the session's slot.
    private let keyRoom: UnsafeMutablePointer<KeySchedule>
    /// Client in BIRTH.
    var initiation: UnsafeMutablePointer<Initiation>?
    /// Gateway, waiting for its host or half-open.
    var handshake: UnsafeMutablePointer<Handshake>?
    var failedOpens: UInt64 = 0
    /// First two bytes of the gateway's connection ids.
    var nodeTag: UInt16 = 0

    // Paths
    var nextPathID: UInt32 = 0
    /// Gateway: highest path index used authentically. Client: highest index that had an answer.
    var highestIndex: UInt32 = 0
    /// Gateway: connection ids are registered up to this index (exclusive).
    var registeredIndices: UInt32 = 0
    /// Client: the next index to try first.
    var nextIndex: UInt32 = 1

    // Recovery
    var limiter = SwitchLimiter()
    /// Gateway: binds in place (healing, NAT rebinding), which spend no switch but are bounded too.
    var inPlaceLimiter = SwitchLimiter()
    var episode = RecoveryEpisode()
    var earlierAttempts = EarlierAttempts()
    var lastAttemptID: UInt64 = 0
    private var lastAttemptNumber: Int8 = -1
    var reportCause = Reason.none
    var reportTries: UInt32 = 0
    var peerLossPPM: UInt32 = 0
    /// Client: the REATTACH that answers a nudge, until its ACK.
    var rebindAttemptID: UInt64?
    var rebindTries: UInt32 = 0
    /// Transport name and address the session was bound to last; outlives the path.
    var lastBound = BoundPath()
    var retired = RetiredIndices()
    /// When SecurityReplayDetected was last raised: at most ten a second.
    var replayReportedAt: UInt64 = 0
    /// The missed deadline for which a silence was forgiven last.
    var forgivenDeadline: UInt64 = 0
    /// Until then a silence may be this host's own doing.
    var graceUntil: UInt64 = 0
    /// Until then datagrams may come out of the host's own buffers: no round trip is measured.
    var lateUntil: UInt64 = 0
    /// Until then volatility reports may speak of a time in which this host was away.
    var reportsDoubtedUntil: UInt64 = 0
    var transportLostAt = Timers.never
    /// When RECOVERING began; means something in that state only.
    var recoveringSince: UInt64 = 0

    /// What is known of the paths' mtus, by slot; from the first long datagram or protected payload on.
    var mtus = OnDemand<InlineArray<8, PathMTU?>>()
    /// From the first protected payload on, in either direction.
    var delivery: UnsafeMutablePointer<Delivery>?

    // Policy replacement
    var policySequence: UInt32 = 0
    var isPolicyUnacknowledged = false

    /// CLOSE datagrams sealed before the keys were wiped.
    var farewell: UnsafeMutablePointer<Farewell>?

    init(index: UInt32, generation: UInt32, role: Role, id: SessionID, policy: Policy, keyRoom: UnsafeMutablePointer<KeySchedule>, now: UInt64) {
        self.index = index
        self.generation = generation
        self.role = role
        self.id = id
        agreement = SharedAgreement(Agreement(policy: policy, clientLimits: policy.limits))
        self.keyRoom = keyRoom
        createdAt = now
        replay = ReplayWindow(cap: policy.replayWindow)
    }

    deinit {
        initiation?.deinitialize(count: 1)
        initiation?.deallocate()
        handshake?.deinitialize(count: 1)
        handshake?.deallocate()
        keys?.deinitialize(count: 1)
        farewell?.deallocate()
        if let delivery { Delivery.destroy(delivery) }
    }

    /// The keys wipe themselves as they end.
    mutating func wipeKeys() {
        keys?.deinitialize(count: 1)
        keys = nil
    }

    /// `make` makes the keys where they stay: moving them would leave a copy behind.
    mutating func makeKeys(_ make: (UnsafeMutablePointer<KeySchedule>) -> Void) {
        wipeKeys()
        make(keyRoom)
        keys = keyRoom
    }

    var policy: Policy {
        @inline(__always) unsafeAddress { UnsafeRawPointer(agreement.address).assumingMemoryBound(to: Policy.self) }
        set { agreement.replace(with: Agreement(policy: newValue, clientLimits: clientLimits)) }
    }

    /// What the client asked for in its hello: no later policy may loosen it.
    var clientLimits: PolicyLimits {
        get { agreement.address.pointee.clientLimits }
        set { agreement.replace(with: Agreement(policy: policy, clientLimits: newValue)) }
    }

    /// The client's audit label; mostly empty.
    var label: Label {
        get { identity.present?.pointee.label ?? Label() }
        set { if newValue != label { identity.made(Identity()).pointee.label = newValue } }
    }

    /// The other end's static key with IKpsk2.
    var peerKey: CredentialName {
        get { identity.present?.pointee.peerKey ?? Identity.noKey }
        set { if newValue != peerKey { identity.made(Identity()).pointee.peerKey = newValue } }
    }

    /// Slot of the path that the last attempt came on; nil when there was none or the path is gone.
    var lastAttemptSlot: Int? {
        get { lastAttemptNumber < 0 ? nil : Int(lastAttemptNumber) }
        set { lastAttemptNumber = Int8(truncatingIfNeeded: newValue ?? -1) }
    }

    /// Slot of the active path; nil when there is none.
    @inline(__always)
    var activeSlot: Int? {
        get { activeNumber < 0 ? nil : Int(activeNumber) }
        set { activeNumber = Int8(truncatingIfNeeded: newValue ?? -1) }
    }

    var handle: jmp_session { UInt64(generation) << 32 | UInt64(index) }

    var isClient: Bool { role == .client }

    /// A gateway's session before the client's first authentic datagram: nobody has been told of it.
    var isHalfOpen: Bool { !isClient && !isConfirmed && state == .birth }

    /// It came to nothing, without a trace; its slot is to be taken back before the host's call ends.
    var endedHalfOpen: Bool { !isClient && !isConfirmed && state == .terminated }

    /// Payloads flow in every state but BIRTH and TERMINATED.
    var carriesPayloads: Bool { keys != nil && state != .birth && state != .terminated }

    var suite: Suite? { keys?.pointee.suite }

    @inline(__always)
    var overhead: Int { DataPacket.headerLength &+ 1 &+ (keys?.pointee.tagLength ?? 16) }

    /// Largest payload that fits the path with room for an acknowledgement and a reattach.
    @inline(__always)
    func maxPayload(_ slot: Int, _ env: borrowing Environment) -> Int {
        max(0, mtuLimit(slot, env) &- overhead &- Int(JMP_FRAME_RESERVE))
    }
}

/// What only some sessions have to tell of their peer.
private struct Identity {
    static let noKey = CredentialName(UnsafeRawBufferPointer(start: nil, count: 0))
    var label = Label()
    var peerKey = noKey
}

/// One effort to leave trouble, from VOLATILE to ATTACHED.
struct RecoveryEpisode {
    /// Since when the active path has been calm; `.max` when it is not.
    var calmSince = Timers.never
    /// How often DEGRADED has tried.
    var tries: UInt32 = 0
    /// How often the gateway's binding was ahead of ours.
    var staleRetries: UInt32 = 0
    /// Reason the session left ATTACHED with.
    var trigger = Reason.none
    private var requestedNumber: Int8 = -1
    /// The operator asked for this path (slot).
    var requestedSlot: Int? {
        get { requestedNumber < 0 ? nil : Int(requestedNumber) }
        set { requestedNumber = Int8(truncatingIfNeeded: newValue ?? -1) }
    }
    var isOperatorRequested = false
    /// The peer cannot reach us over the active path.
    var isPeerCutOff = false
    /// The peer finds the active path too slow.
    var isPeerSlow = false
}

/// A REATTACH that waits for its answer (client).
struct ReattachAttempt {
    let id: UInt64
    private var slotNumber: Int8
    var cause: Reason
    /// Same path: no switch, no token.
    var isSamePath: Bool
    var transmissions: UInt32

    init(id: UInt64, slot: Int, cause: Reason, isSamePath: Bool, transmissions: UInt32) {
        self.id = id
        slotNumber = Int8(truncatingIfNeeded: slot)
        self.cause = cause
        self.isSamePath = isSamePath
        self.transmissions = transmissions
    }

    var slot: Int {
        get { Int(slotNumber) }
        set { slotNumber = Int8(truncatingIfNeeded: newValue) }
    }
}

/// The newest attempts that were given up but may still be answered: the gateway's order decides.
struct EarlierAttempts: ~Copyable {
    static let capacity = 4

    private struct Entries {
        var entries: InlineArray<4, (id: UInt64, slot: Int)> = InlineArray(repeating: (id: 0, slot: -1))
        var next = 0
    }

    private var made = OnDemand<Entries>()

    mutating func add(_ attempt: ReattachAttempt) {
        let made = made.made(Entries())
        made.pointee.entries[made.pointee.next] = (id: attempt.id, slot: attempt.slot)
        made.pointee.next = (made.pointee.next &+ 1) % Self.capacity
    }

    func slot(of id: UInt64) -> Int? {
        guard let entries = made.present?.pointee.entries else { return nil }
        for i in 0..<Self.capacity where entries[i].slot >= 0 && entries[i].id == id { return entries[i].slot }
        return nil
    }

    /// A path slot is about to mean something else.
    mutating func forget(_ slot: Int) {
        guard let made = made.present else { return }
        for i in 0..<Self.capacity where made.pointee.entries[i].slot == slot { made.pointee.entries[i].slot = -1 }
    }
}

/// What the audit trail needs of a path that may be gone.
struct BoundPath {
    var name = Name()
    var address = Address()
}

/// Path indices whose connection ids are still registered for late datagrams (three probe timeouts).
struct RetiredIndices: ~Copyable {
    static let capacity = 4
    private typealias Entries = InlineArray<4, (index: UInt32, until: UInt64)>
    private var entries = OnDemand<Entries>()

    /// Gives back the index that had to make room, or `.max`.
    mutating func add(_ index: UInt32, until: UInt64) -> UInt32 {
        let entries = entries.made(Entries(repeating: (index: .max, until: 0)))
        var oldest = 0
        for i in 0..<Self.capacity where entries.pointee[i].index == .max || entries.pointee[i].until < entries.pointee[oldest].until {
            oldest = i
            if entries.pointee[i].index == .max { break }
        }
        let evicted = entries.pointee[oldest].index
        entries.pointee[oldest] = (index: index, until: until)
        return evicted
    }

    /// An index, or `.max`.
    subscript(_ i: Int) -> UInt32 { entries.present?.pointee[i].index ?? .max }

    func contains(_ index: UInt32) -> Bool {
        for i in 0..<Self.capacity where self[i] == index && index != .max { return true }
        return false
    }

    /// An index whose time is over, taken out; `.max` when there is none.
    mutating func popExpired(_ now: UInt64) -> UInt32 {
        guard let entries = entries.present else { return .max }
        for i in 0..<Self.capacity where entries.pointee[i].index != .max && entries.pointee[i].until <= now {
            let index = entries.pointee[i].index
            entries.pointee[i].index = .max
            return index
        }
        return .max
    }

    var earliest: UInt64 {
        var earliest = Timers.never
        guard let entries = entries.present else { return earliest }
        for i in 0..<Self.capacity where entries.pointee[i].index != .max { earliest = min(earliest, entries.pointee[i].until) }
        return earliest
    }
}

/// When higher packet numbers arrived, coarsely, to judge how old a reattach is (DESIGN "stale_request"). Numbers and times by their low
/// bits: marks are forgotten long before those could come round.
struct ProofAges {
    private var marks: InlineArray<8, (number: UInt32, at: UInt32)> = InlineArray(repeating: (number: 0, at: 0))
    private var newest: UInt8 = 0
    private var count: UInt8 = 0
    private var nextMarkAt: UInt64 = 0
    /// The last of all: after it there may be silence, and no mark.
    private var largest: (number: UInt64, at: UInt64) = (number: 0, at: 0)

    /// The largest packet number moved to `number`.
    @inline(__always)
    mutating func note(_ number: UInt64, now: UInt64, maxAge: UInt64) {
        if now >= nextMarkAt { mark(number, now, maxAge) }
        largest = (number: number, at: now)
    }

    @inline(never)
    private mutating func mark(_ number: UInt64, _ now: UInt64, _ maxAge: UInt64) {
        if count > 0, now &- largest.at > maxAge {   // of the time before a long silence one mark says all
            count = 1
            marks[Int(newest)] = (number: UInt32(truncatingIfNeeded: largest.number), at: UInt32(truncatingIfNeeded: now &- maxAge &- 1))
        }
        newest = (newest &+ 1) % 8
        marks[Int(newest)] = (number: UInt32(truncatingIfNeeded: number), at: UInt32(truncatingIfNeeded: now))
        count = min(count &+ 1, 8)
        nextMarkAt = now &+ maxAge / 7
    }

    /// Did a datagram with a higher number arrive more than `maxAge` ago?
    func isStale(_ number: UInt64, now: UInt64, maxAge: UInt64) -> Bool {
        guard count > 0, largest.number > number else { return false }
        if now &- largest.at > maxAge { return true }
        for i in 0..<count {
            let mark = marks[Int((newest &+ 8 &- i) % 8)]
            let behind = UInt64(UInt32(truncatingIfNeeded: largest.number) &- mark.number)
            if behind < largest.number &- number, UInt64(UInt32(truncatingIfNeeded: now) &- mark.at) > maxAge { return true }
        }
        return false
    }
}
