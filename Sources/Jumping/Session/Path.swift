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
struct Path: ~Copyable {
    // What every datagram looks at.

    var address = Address()
    var isUsed = false
    var role = PathRole.candidate
    var transportClass: UInt8 = 0
    var isValidated = false
    var isDead = false
    /// The host said that the transport is down; until newer evidence proves otherwise.
    var isHintedDown = false
    /// Index of its connection ids, the same in both directions; `.max` while none could be given.
    var index = UInt32.max
    var transport: UInt32 = 0
    var peerConnectionID: UInt64 = 0
    /// What the peer's datagrams carry; means something while there is an `index`.
    var ownConnectionID: UInt64 = 0
    var largestReceived: UInt64 = 0
    var largestReceivedAt: UInt64 = 0
    var acknowledgedAt: UInt64 = 0
    var receivedAt: UInt64 = 0
    var lastElicitingAt: UInt64 = 0
    /// When the first datagram since the last evidence asked for an answer; `.max` when none did.
    var unansweredSince = UInt64.max
    var datagramBytesSent: UInt64 = 0
    var datagramBytesReceived: UInt64 = 0
    var health = PathHealth()
    var hasReceived = false
    var hasAcknowledged = false
    /// Probes of the present silence have been sent.
    var isSilenceProbed = false
    /// The present silence has been forgiven once because the host came late.
    var isSilenceForgiven = false
    /// Tried in the present recovery already.
    var isTried = false
    // To send
    var outbox = Outbox()
    var pings: UInt8 = 0
    /// Datagrams that wait for an acknowledgement; no more than can be counted.
    var unacknowledged: UInt16 = 0
    /// Public number, never used twice in a session.
    var id: UInt32 = 0

    var newestAcknowledged: UInt64 = 0
    var lastEvidenceAt = UInt64.max
    var name = Name()

    /// What only a path that has to prove itself needs; read and written by name (Trial.swift).
    var trial = OnDemand<Trial>()

    init() {}

    /// Nothing is lost when this path is forgotten.
    var isEvictable: Bool { role != .active && role != .pending }

    @inline(__always)
    func matches(_ transport: UInt32, _ address: Address) -> Bool {
        self.transport == transport && self.address == address
    }

    /// Whether the datagram came along this path, which has an index. Hosts write zeros behind an address, so that it is mostly enough to compare the bytes.
    @inline(__always)
    func carried(_ arrival: Arrival) -> Bool {
        guard transport == arrival.transport, ownConnectionID == arrival.connectionID else { return false }
        return address.isWritten(at: arrival.source) || address == arrival.from
    }

    /// How many bytes may still go to an address that has not proved itself (RFC 9000 §8: three times what came from it).
    func mayReceive(_ length: Int) -> Bool {
        isValidated || datagramBytesSent &+ UInt64(length) <= 3 &* datagramBytesReceived
    }

    /// A datagram arrived here.
    @inline(__always)
    mutating func noteArrival(_ number: UInt64, _ length: Int, _ now: UInt64) {
        datagramBytesReceived &+= UInt64(truncatingIfNeeded: length)
        receivedAt = now
        noteLargest(number, now)
    }

    @inline(__always)
    mutating func noteLargest(_ number: UInt64, _ now: UInt64) {
        guard !hasReceived || number > largestReceived else { return }
        hasReceived = true
        largestReceived = number
        largestReceivedAt = now
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

/// The paths of a session by slot (0 … 7). Most sessions have one path: the first lies in the session itself, room for the others grows
/// 1, 3, 7.
struct PathTable: ~Copyable {
    static let limit = Int(JMP_MAX_PATHS)
    private let first: Inline<Path>
    /// Slots 1 and up.
    private var others: UnsafeMutablePointer<Path>?
    private(set) var capacity = 1

    init() {
        first = Inline(Path())
    }

    deinit {
        first.address().deinitialize(count: 1)
        others?.deinitialize(count: capacity &- 1)
        others?.deallocate()
    }

    /// Slots in 0 ..< capacity only; callers iterate or hold a slot that `add` gave.
    subscript(_ slot: Int) -> Path {
        @inline(__always) unsafeAddress { UnsafePointer(address(slot)) }
        @inline(__always) unsafeMutableAddress { address(slot) }
    }

    @inline(__always)
    private func address(_ slot: Int) -> UnsafeMutablePointer<Path> {
        guard slot > 0, let others else { return first.address() }
        return others + (slot &- 1)
    }

    /// Takes a free slot, growing up to `limit`; nil when all are used.
    mutating func add(_ path: consuming Path) -> Int? {
        var slot = 0
        while slot < capacity, self[slot].isUsed { slot &+= 1 }
        if slot == capacity {
            guard capacity < Self.limit else { return nil }
            grow()
        }
        self[slot] = path
        self[slot].isUsed = true
        return slot
    }

    mutating func remove(_ slot: Int) {
        self[slot] = Path()
    }

    var count: Int {
        var count = 0
        for slot in 0..<capacity where self[slot].isUsed { count &+= 1 }
        return count
    }

    func find(id: UInt32) -> Int? {
        for slot in 0..<capacity where self[slot].isUsed && self[slot].id == id { return slot }
        return nil
    }

    func find(_ transport: UInt32, _ address: Address) -> Int? {
        for slot in 0..<capacity where self[slot].isUsed && self[slot].matches(transport, address) { return slot }
        return nil
    }

    func find(index: UInt32, role: PathRole) -> Int? {
        for slot in 0..<capacity where self[slot].isUsed && self[slot].index == index && self[slot].role == role { return slot }
        return nil
    }

    private mutating func grow() {
        let grown = UnsafeMutablePointer<Path>.allocate(capacity: capacity &* 2 &- 1)
        if let others {
            grown.moveInitialize(from: others, count: capacity &- 1)
            others.deallocate()
        }
        for fresh in (capacity &- 1)..<(capacity &* 2 &- 1) { (grown + fresh).initialize(to: Path()) }
        others = grown
        capacity &*= 2
    }
}
