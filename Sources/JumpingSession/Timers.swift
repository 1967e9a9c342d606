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
    case telemetry          // TelemetryTick
    case closing            // forget a TERMINATED session
}

/// The timer table: deadlines in microseconds, `.max` when not armed.
package struct Timers {
    package static let never: UInt64 = .max
    private var deadlines: InlineArray<19, UInt64> = InlineArray(repeating: never)

    package init() {}

    /// No deadline is earlier than this. Exact after `refresh`; in between it only falls, so that arming costs one comparison.
    package private(set) var earliest: UInt64 = never

    package subscript(_ kind: TimerKind) -> UInt64 {
        get { deadlines[kind.rawValue] }
        set {
            deadlines[kind.rawValue] = newValue
            if newValue < earliest { earliest = newValue }
        }
    }

    package mutating func cancel(_ kind: TimerKind) {
        self[kind] = Self.never
    }

    package mutating func cancelAll() {
        deadlines = InlineArray(repeating: Self.never)
        earliest = Self.never
    }

    /// Arms a timer unless it is armed earlier already.
    package mutating func arm(_ kind: TimerKind, noLaterThan deadline: UInt64) {
        self[kind] = min(self[kind], deadline)
    }

    /// Makes `earliest` exact.
    package mutating func refresh() {
        earliest = Self.never
        for i in 0..<19 { earliest = min(earliest, deadlines[i]) }
    }

    /// A timer due at `now`, disarmed; nil when none is. Lowest kind first, so that the order never depends on anything else.
    package mutating func popDue(_ now: UInt64) -> TimerKind? {
        for kind in 0..<19 where deadlines[kind] <= now {
            deadlines[kind] = Self.never
            return TimerKind(rawValue: kind)
        }
        return nil
    }
}
