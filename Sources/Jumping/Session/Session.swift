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
    /// Of the present key phase.
    var failedOpens: UInt64 = 0
}

/// What only sessions with long or protected payloads have.
struct Bulk: ~Copyable {
    /// What is known of the paths' mtus, by slot.
    var mtus: InlineArray<8, PathMTU?> = InlineArray(repeating: nil)
    /// Slots for which there is one.
    var searched: UInt8 = 0
    var delivery: UnsafeMutablePointer<Delivery>?

    init() {}

    deinit {
        if let delivery { Delivery.destroy(delivery) }
    }
}

/// A session begins with a handshake, its client with one for each path; it ends with a farewell.
private enum Passing {
    case nothing
    case initiation(UnsafeMutablePointer<Initiation>)
    case handshake(UnsafeMutablePointer<Handshake>)
    case farewell(UnsafeMutablePointer<Farewell>)
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
    private var hasKeys = false
    var lastReason = Reason.none
    /// The revision of the endpoint's transports that this session has acted on, by its low bits.
    var followedRevision: UInt16 = 0
    /// Gateway: the client has not confirmed the newest policy.
    var isPolicyUnacknowledged = false
    /// When the endpoint's wheel will fire for this session; `.max` when it will not. Kept by `armWheel` and by the endpoint.
    var wheelDeadline = Timers.never
    var nextPacketNumber: UInt64 = 0
    var lastPayloadAt: UInt64 = 0
    /// What only a session in trouble, or after it, has to remember; read and written by name (Trouble.swift).
    var trouble = OnDemand<Trouble>()
    var paths = PathTable()
    var replay: ReplayWindow
    /// First two bytes of the gateway's connection ids.
    var nodeTag: UInt16 = 0
    var sent = SentPackets()
    var timers = Timers()
    var counters = SessionCounters()
    var bindingVersion: UInt32 = 0
    var inbound = InboundGaps()
    var proofAges = ProofAges()
    var agreement: SharedAgreement

    // Identity
    var id: SessionID
    private var identity = OnDemand<Identity>()

    // State machine
    var stateVersion: UInt64 = 0
    var createdAt: UInt64
    /// What belongs to the session's beginning or to its end, never to both.
    private var passing = Passing.nothing
    var policySequence: UInt32 = 0

    // Paths
    var nextPathID: UInt32 = 0
    /// Gateway: highest path index used authentically. Client: highest index that had an answer.
    var highestIndex: UInt32 = 0
    /// Gateway: connection ids are registered up to this index (exclusive).
    var registeredIndices: UInt32 = 0
    /// Client: the next index to try first.
    var nextIndex: UInt32 = 1

    /// From the first long datagram or protected payload on.
    var bulk = OnDemand<Bulk>()

    /// Where the session's keys lie once there are any.
    private let keyRoom = Inline<KeySchedule>()

    init(index: UInt32, generation: UInt32, role: Role, id: SessionID, policy: Policy, now: UInt64) {
        self.index = index
        self.generation = generation
        self.role = role
        self.id = id
        agreement = SharedAgreement(Agreement(policy: policy, clientLimits: policy.limits))
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
    }

    /// From the first protected payload on, in either direction.
    @inline(__always)
    var delivery: UnsafeMutablePointer<Delivery>? { bulk.present?.pointee.delivery }

    @inline(__always)
    var keys: UnsafeMutablePointer<KeySchedule>? { hasKeys ? keyRoom.address() : nil }

    /// The keys wipe themselves as they end.
    mutating func wipeKeys() {
        keys?.deinitialize(count: 1)
        hasKeys = false
    }

    /// `make` makes the keys where they stay: moving them would leave a copy behind.
    mutating func makeKeys(_ make: (UnsafeMutablePointer<KeySchedule>) -> Void) {
        wipeKeys()
        make(keyRoom.address())
        hasKeys = true
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

    /// Client in BIRTH.
    var initiation: UnsafeMutablePointer<Initiation>? {
        get { if case .initiation(let initiation) = passing { initiation } else { nil } }
        set { passing = newValue.map { .initiation($0) } ?? .nothing }
    }

    /// Gateway, waiting for its host or half-open.
    var handshake: UnsafeMutablePointer<Handshake>? {
        @inline(__always) get { if case .handshake(let handshake) = passing { handshake } else { nil } }
        set { passing = newValue.map { .handshake($0) } ?? .nothing }
    }

    /// CLOSE datagrams sealed before the keys were wiped.
    var farewell: UnsafeMutablePointer<Farewell>? {
        get { if case .farewell(let farewell) = passing { farewell } else { nil } }
        set { passing = newValue.map { .farewell($0) } ?? .nothing }
    }

    /// Forgeries tried against the present key phase.
    var failedOpens: UInt64 {
        get { counters.rare.failedOpens }
        set { if newValue != failedOpens { counters.rare.failedOpens = newValue } }
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
