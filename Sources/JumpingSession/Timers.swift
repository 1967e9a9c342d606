/// Every timer a session has; one deadline each.
package enum TimerKind: Int, CaseIterable {
    case handshake          // retransmit INIT (client)
    case handshakeExpiry    // give the handshake up
    case detection          // a send of the active path becomes overdue
    case acknowledgement    // an acknowledgement must leave alone
    case heartbeat          // the active path was silent
    case probe              // some candidate wants a challenge
    case reattach           // retransmit REATTACH, or try the next candidate
    case recoveryWindow     // RECOVERING is bounded
    case volatilePersisted  // VOLATILE is bounded
    case retry              // DEGRADED tries again
    case stability          // a healed path has been calm long enough
    case transportLost      // transport-lost TTL
    case lifetime           // session lifetime
    case report             // repeat the volatility report (gateway), or POLICY
    case provisional        // pending and provisional paths expire
    case keyRotation        // next key phase
    case previousKey        // forget the previous key phase
    case delivery           // protected payloads: lost, late, paced, or too old
    case pathMTU            // a probe of a path's mtu is lost, or a longer one due
    case telemetry          // TelemetryTick
    case closing            // forget a TERMINATED session
}

/// The timer table: deadlines in microseconds, `.max` when not armed. Those that nearly every session has are at hand; the others take
/// memory only while one of them is armed.
package struct Timers: ~Copyable {
    package static let never: UInt64 = .max
    private static let kinds = 21

    /// No deadline is earlier than this. Exact after `refresh`; in between it only falls, so that arming costs one comparison.
    package private(set) var earliest: UInt64 = never
    private var detection: UInt64 = never
    private var acknowledgement: UInt64 = never
    private var heartbeat: UInt64 = never
    private var lifetime: UInt64 = never
    private var keyRotation: UInt64 = never
    private var others = OnDemand<InlineArray<21, UInt64>>()

    package init() {}

    package subscript(_ kind: TimerKind) -> UInt64 {
        @inline(__always) get {
            switch kind {
            case .detection: detection
            case .acknowledgement: acknowledgement
            case .heartbeat: heartbeat
            case .lifetime: lifetime
            case .keyRotation: keyRotation
            default: others.present?.pointee[kind.rawValue] ?? Self.never
            }
        }
        @inline(__always) set {
            switch kind {
            case .detection: detection = newValue
            case .acknowledgement: acknowledgement = newValue
            case .heartbeat: heartbeat = newValue
            case .lifetime: lifetime = newValue
            case .keyRotation: keyRotation = newValue
            default: setOther(kind, newValue)
            }
            if newValue < earliest { earliest = newValue }
        }
    }

    private mutating func setOther(_ kind: TimerKind, _ deadline: UInt64) {
        guard deadline != Self.never || others.present != nil else { return }
        others.made(InlineArray(repeating: Self.never)).pointee[kind.rawValue] = deadline
    }

    package mutating func cancel(_ kind: TimerKind) {
        self[kind] = Self.never
    }

    package mutating func cancelAll() {
        for raw in 0..<Self.kinds {
            if let kind = TimerKind(rawValue: raw) { cancel(kind) }
        }
        others.drop()
        earliest = Self.never
    }

    /// Arms a timer unless it is armed earlier already.
    package mutating func arm(_ kind: TimerKind, noLaterThan deadline: UInt64) {
        self[kind] = min(self[kind], deadline)
    }

    /// Makes `earliest` exact, and gives back what no timer needs any more.
    package mutating func refresh() {
        var earliestOther = Self.never
        if let others = others.present {
            for raw in 0..<Self.kinds { earliestOther = min(earliestOther, others.pointee[raw]) }
            if earliestOther == Self.never { self.others.drop() }
        }
        earliest = min(earliestOther, detection, acknowledgement, min(heartbeat, lifetime, keyRotation))
    }

    /// A timer due at `now`, disarmed; nil when none is. Lowest kind first, so that the order never depends on anything else.
    package mutating func popDue(_ now: UInt64) -> TimerKind? {
        for raw in 0..<Self.kinds {
            guard let kind = TimerKind(rawValue: raw), self[kind] <= now else { continue }
            self[kind] = Self.never
            return kind
        }
        return nil
    }
}
