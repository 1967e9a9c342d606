import JumpingSession
import JumpingWire

/// What a session has to remember only once there was trouble: a path that failed, a reattach, a late host. Most sessions never get there
/// or did long ago, so it has memory of its own from the first news on. `Session` reads and writes each of it by name, below.
struct Trouble: ~Copyable {
    /// A REATTACH that waits for its answer (client).
    var attempt: ReattachAttempt?
    var episode = RecoveryEpisode()
    var earlierAttempts = EarlierAttempts()
    var lastAttemptID: UInt64 = 0
    /// Slot of the path that the last attempt came on; nil when there was none or the path is gone.
    var lastAttemptSlot: Int?
    var reportCause = Reason.none
    var reportTries: UInt32 = 0
    var peerLossPPM: UInt32 = 0
    /// Client: the REATTACH that answers a nudge, until its ACK.
    var rebindAttemptID: UInt64?
    var rebindTries: UInt32 = 0
    /// Transport name and address the session was bound to last, when its active path does not tell them (any more).
    var lastBound: BoundPath?
    var retired = RetiredIndices()
    /// When SecurityReplayDetected was last raised: at most ten a second.
    var replayReportedAt: UInt64 = 0
    /// Until then a silence may be this host's own doing.
    var graceUntil: UInt64 = 0
    /// Until then datagrams may come out of the host's own buffers: no round trip is measured.
    var lateUntil: UInt64 = 0
    /// Until then volatility reports may speak of a time in which this host was away.
    var reportsDoubtedUntil: UInt64 = 0
    var transportLostAt = Timers.never
    /// When RECOVERING began; means something in that state only.
    var recoveringSince: UInt64 = 0
    var limiter = SwitchLimiter()
    /// Gateway: binds in place (healing, NAT rebinding), which spend no switch but are bounded too.
    var inPlaceLimiter = SwitchLimiter()
}

/// `Trouble` by name: what was never written reads as its initial value, and writing that is no reason to make memory for it.
extension Session {
    private mutating func noted(_ isNews: Bool) -> UnsafeMutablePointer<Trouble>? {
        isNews ? trouble.made(Trouble()) : trouble.present
    }

    var attempt: ReattachAttempt? {
        @inline(__always) get { trouble.present?.pointee.attempt }
        set { noted(newValue != nil)?.pointee.attempt = newValue }
    }

    var episode: RecoveryEpisode {
        get { trouble.present?.pointee.episode ?? RecoveryEpisode() }
        _modify { yield &trouble.made(Trouble()).pointee.episode }
    }

    /// The trouble is over.
    mutating func endEpisode() {
        trouble.present?.pointee.episode = RecoveryEpisode()
    }

    var earlierAttempts: EarlierAttempts {
        get { trouble.present?.pointee.earlierAttempts ?? EarlierAttempts() }
        _modify { yield &trouble.made(Trouble()).pointee.earlierAttempts }
    }

    var limiter: SwitchLimiter {
        _read {
            if let trouble = trouble.present { yield trouble.pointee.limiter } else { yield SwitchLimiter() }
        }
        _modify { yield &trouble.made(Trouble()).pointee.limiter }
    }

    var inPlaceLimiter: SwitchLimiter {
        _read {
            if let trouble = trouble.present { yield trouble.pointee.inPlaceLimiter } else { yield SwitchLimiter() }
        }
        _modify { yield &trouble.made(Trouble()).pointee.inPlaceLimiter }
    }

    var retired: RetiredIndices {
        get { trouble.present?.pointee.retired ?? RetiredIndices() }
        _modify { yield &trouble.made(Trouble()).pointee.retired }
    }

    var lastAttemptID: UInt64 {
        get { trouble.present?.pointee.lastAttemptID ?? 0 }
        set { noted(newValue != 0)?.pointee.lastAttemptID = newValue }
    }

    var lastAttemptSlot: Int? {
        get { trouble.present?.pointee.lastAttemptSlot }
        set { noted(newValue != nil)?.pointee.lastAttemptSlot = newValue }
    }

    var reportCause: Reason {
        get { trouble.present?.pointee.reportCause ?? Reason.none }
        set { noted(newValue != Reason.none)?.pointee.reportCause = newValue }
    }

    var reportTries: UInt32 {
        get { trouble.present?.pointee.reportTries ?? 0 }
        set { noted(newValue != 0)?.pointee.reportTries = newValue }
    }

    var peerLossPPM: UInt32 {
        get { trouble.present?.pointee.peerLossPPM ?? 0 }
        set { noted(newValue != 0)?.pointee.peerLossPPM = newValue }
    }

    var rebindAttemptID: UInt64? {
        get { trouble.present?.pointee.rebindAttemptID }
        set { noted(newValue != nil)?.pointee.rebindAttemptID = newValue }
    }

    var rebindTries: UInt32 {
        get { trouble.present?.pointee.rebindTries ?? 0 }
        set { noted(newValue != 0)?.pointee.rebindTries = newValue }
    }

    var replayReportedAt: UInt64 {
        get { trouble.present?.pointee.replayReportedAt ?? 0 }
        set { noted(newValue != 0)?.pointee.replayReportedAt = newValue }
    }

    var graceUntil: UInt64 {
        get { trouble.present?.pointee.graceUntil ?? 0 }
        set { noted(newValue != 0)?.pointee.graceUntil = newValue }
    }

    var lateUntil: UInt64 {
        get { trouble.present?.pointee.lateUntil ?? 0 }
        set { noted(newValue != 0)?.pointee.lateUntil = newValue }
    }

    var reportsDoubtedUntil: UInt64 {
        get { trouble.present?.pointee.reportsDoubtedUntil ?? 0 }
        set { noted(newValue != 0)?.pointee.reportsDoubtedUntil = newValue }
    }

    var transportLostAt: UInt64 {
        get { trouble.present?.pointee.transportLostAt ?? Timers.never }
        set { noted(newValue != Timers.never)?.pointee.transportLostAt = newValue }
    }

    var recoveringSince: UInt64 {
        get { trouble.present?.pointee.recoveringSince ?? 0 }
        set { noted(newValue != 0)?.pointee.recoveringSince = newValue }
    }

    // MARK: what the session was bound to

    /// Transport name and address the session was bound to last; outlives the path.
    func lastBound(_ env: borrowing Environment) -> BoundPath {
        if let kept = trouble.present?.pointee.lastBound { return kept }
        return activeSlot.map { BoundPath(name: transportName($0, env), address: paths[$0].address) } ?? BoundPath()
    }

    /// The active path is about to go, or to get another name or address.
    mutating func keepLastBound(_ env: borrowing Environment) {
        let last = lastBound(env)
        trouble.made(Trouble()).pointee.lastBound = last
    }

    /// Bound anew: from now on the active path tells it.
    mutating func forgetLastBound() {
        trouble.present?.pointee.lastBound = nil
    }
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
struct EarlierAttempts {
    static let capacity = 4
    private var entries: InlineArray<4, (id: UInt64, slot: Int)> = InlineArray(repeating: (id: 0, slot: -1))
    private var next = 0

    mutating func add(_ attempt: ReattachAttempt) {
        entries[next] = (id: attempt.id, slot: attempt.slot)
        next = (next &+ 1) % Self.capacity
    }

    func slot(of id: UInt64) -> Int? {
        for i in 0..<Self.capacity where entries[i].slot >= 0 && entries[i].id == id { return entries[i].slot }
        return nil
    }

    /// A path slot is about to mean something else.
    mutating func forget(_ slot: Int) {
        for i in 0..<Self.capacity where entries[i].slot == slot { entries[i].slot = -1 }
    }
}

/// What the audit trail needs of a path that may be gone.
struct BoundPath {
    var name = Name()
    var address = Address()
}

/// Path indices whose connection ids are still registered for late datagrams (three probe timeouts).
struct RetiredIndices {
    static let capacity = 4
    private var entries: InlineArray<4, (index: UInt32, until: UInt64)> = InlineArray(repeating: (index: .max, until: 0))

    /// Gives back the index that had to make room, or `.max`.
    mutating func add(_ index: UInt32, until: UInt64) -> UInt32 {
        var oldest = 0
        for i in 0..<Self.capacity where entries[i].index == .max || entries[i].until < entries[oldest].until {
            oldest = i
            if entries[i].index == .max { break }
        }
        let evicted = entries[oldest].index
        entries[oldest] = (index: index, until: until)
        return evicted
    }

    /// An index, or `.max`.
    subscript(_ i: Int) -> UInt32 { entries[i].index }

    func contains(_ index: UInt32) -> Bool {
        for i in 0..<Self.capacity where self[i] == index && index != .max { return true }
        return false
    }

    /// An index whose time is over, taken out; `.max` when there is none.
    mutating func popExpired(_ now: UInt64) -> UInt32 {
        for i in 0..<Self.capacity where entries[i].index != .max && entries[i].until <= now {
            let index = entries[i].index
            entries[i].index = .max
            return index
        }
        return .max
    }

    var earliest: UInt64 {
        var earliest = Timers.never
        for i in 0..<Self.capacity where entries[i].index != .max { earliest = min(earliest, entries[i].until) }
        return earliest
    }
}
