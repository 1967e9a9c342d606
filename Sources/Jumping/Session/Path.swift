import CJumping
import JumpingSession
import JumpingWire

/// What a path is to its session; raw values are JMP_PATH_*.
enum PathRole: UInt8 {
    case active = 0
    case standby = 1
    case candidate = 2
    case pending = 3
    case provisional = 4
}

/// What a path has to say; each is one frame in its next control datagram.
struct Outbox: OptionSet {
    let rawValue: UInt16
    static let acknowledgement = Outbox(rawValue: 1 << 0)
    static let ping = Outbox(rawValue: 1 << 1)
    static let challenge = Outbox(rawValue: 1 << 2)
    static let response = Outbox(rawValue: 1 << 3)
    static let reattach = Outbox(rawValue: 1 << 4)
    static let answer = Outbox(rawValue: 1 << 5)
    static let nudge = Outbox(rawValue: 1 << 6)
    static let report = Outbox(rawValue: 1 << 7)
    static let policy = Outbox(rawValue: 1 << 8)
    static let policyAck = Outbox(rawValue: 1 << 9)
}

/// A (transport, remote address) pair of a session and all that is known of it. Times in microseconds.
struct Path {
    var isUsed = false
    var role = PathRole.candidate
    /// Public number, never used twice in a session.
    var id: UInt32 = 0
    /// Index of its connection ids, the same in both directions; `.max` while none could be given.
    var index = UInt32.max
    var peerConnectionID: UInt64 = 0
    var transport: UInt32 = 0
    var transportClass: UInt8 = 0
    var address = Address()
    var name = Name()

    // Validity
    var isValidated = false
    var isDead = false
    /// The host said that the transport is down; until newer evidence proves otherwise.
    var isHintedDown = false
    /// Tried in the present recovery already.
    var isTried = false
    var validatedAt: UInt64 = 0
    var lastEvidenceAt = UInt64.max
    var health = PathHealth()

    // Challenge in flight, and the next one
    var challenge: UInt64 = 0
    var isChallengeOpen = false
    var challengeSentAt: UInt64 = 0
    var challengeTries: UInt32 = 0
    /// After an answer that may have been to any of several challenges the next ones are as patient as the last (RFC 6298 §5.5–5.7),
    /// until one is answered without a repetition and gives a round trip.
    var challengeBackoff: UInt32 = 0
    var nextProbeAt = Timers.never

    // To send
    var outbox = Outbox()
    var pings: UInt8 = 0
    var response: UInt64 = 0
    var answer = ReattachAnswer(attemptID: 0, bindingVersion: 0, detail: 0)
    var answerType: UInt8 = 0

    // Received here
    var hasReceived = false
    var largestReceived: UInt64 = 0
    var largestReceivedAt: UInt64 = 0
    var unacknowledged: UInt32 = 0
    var acknowledgedAt: UInt64 = 0
    var receivedAt: UInt64 = 0

    // Sent here
    var newestAcknowledged: UInt64 = 0
    var hasAcknowledged = false
    var lastElicitingAt: UInt64 = 0
    /// When the first datagram since the last evidence asked for an answer; `.max` when none did.
    var unansweredSince = UInt64.max
    /// Probes of the present silence have been sent.
    var isSilenceProbed = false
    /// The present silence has been forgiven once because the host came late.
    var isSilenceForgiven = false

    // Gateway: the reattach that waits for this path's challenge
    var pendingAttempt = ReattachRequest(attemptID: 0, bindingVersion: 0, cause: 0, transportClass: 0, transportName: Name())
    var hasPendingAttempt = false
    var expiresAt = Timers.never

    var datagramBytesSent: UInt64 = 0
    var datagramBytesReceived: UInt64 = 0

    init() {}

    /// Nothing is lost when this path is forgotten.
    var isEvictable: Bool { role != .active && role != .pending }

    func matches(_ transport: UInt32, _ address: Address) -> Bool {
        self.transport == transport && self.address == address
    }

    /// How many bytes may still go to an address that has not proved itself (RFC 9000 §8: three times what came from it).
    func mayReceive(_ length: Int) -> Bool {
        isValidated || datagramBytesSent &+ UInt64(length) <= 3 &* datagramBytesReceived
    }

    mutating func noteEvidence(_ now: UInt64) {
        lastEvidenceAt = now
        unansweredSince = .max
        isDead = false
        isHintedDown = false
        isSilenceProbed = false
        isSilenceForgiven = false
    }
}

/// The paths of a session by slot (0 … 7). Room grows 1, 2, 4, 8: most sessions have one path.
struct PathTable: ~Copyable {
    static let limit = Int(JMP_MAX_PATHS)
    private var paths: UnsafeMutablePointer<Path>
    private(set) var capacity = 1

    init() {
        paths = .allocate(capacity: 1)
        paths.initialize(to: Path())
    }

    deinit {
        paths.deallocate()
    }

    /// Slots in 0 ..< capacity only; callers iterate or hold a slot that `add` gave.
    subscript(_ slot: Int) -> Path {
        unsafeAddress { UnsafePointer(paths + slot) }
        unsafeMutableAddress { paths + slot }
    }

    /// Takes a free slot, growing up to `limit`; nil when all are used.
    mutating func add(_ path: Path) -> Int? {
        var slot = 0
        while slot < capacity, paths[slot].isUsed { slot &+= 1 }
        if slot == capacity {
            guard capacity < Self.limit else { return nil }
            grow()
        }
        paths[slot] = path
        paths[slot].isUsed = true
        return slot
    }

    mutating func remove(_ slot: Int) {
        paths[slot] = Path()
    }

    var count: Int {
        var count = 0
        for slot in 0..<capacity where paths[slot].isUsed { count &+= 1 }
        return count
    }

    func find(id: UInt32) -> Int? {
        for slot in 0..<capacity where paths[slot].isUsed && paths[slot].id == id { return slot }
        return nil
    }

    func find(_ transport: UInt32, _ address: Address) -> Int? {
        for slot in 0..<capacity where paths[slot].isUsed && paths[slot].matches(transport, address) { return slot }
        return nil
    }

    func find(index: UInt32, role: PathRole) -> Int? {
        for slot in 0..<capacity where paths[slot].isUsed && paths[slot].index == index && paths[slot].role == role { return slot }
        return nil
    }

    private mutating func grow() {
        let grown = UnsafeMutablePointer<Path>.allocate(capacity: capacity &* 2)
        grown.initialize(repeating: Path(), count: capacity &* 2)
        grown.update(from: paths, count: capacity)
        paths.deallocate()
        paths = grown
        capacity &*= 2
    }
}
