import CJumping
import JumpingCrypto
import JumpingDelivery
import JumpingSession
import JumpingWire

/// One protocol instance in a host (DESIGN "Words"): sessions, and the environment they share. Confined to one thread at a time.
/// Every method takes the host's time where it matters; none reads a clock, blocks or calls back.
package struct Endpoint: ~Copyable {
    var sessions: SessionTable
    var env: Environment
    var sweep = TransportSweep()
    /// jmp_poll_transmit ended before it had looked at every session that waits.
    var hasMoreToTransmit = false

    init(config: Config, policy: Policy, random: consuming RandomSource, now: UInt64) {
        sessions = SessionTable(limit: config.maxSessions)
        env = Environment(config: config, policy: policy, random: random, now: now)
    }

    // MARK: sessions by handle

    /// Runs `body` on the session behind a handle, then lets the wheel know of its timers.
    mutating func withSession(_ handle: UInt64, _ body: (inout Session, inout Environment) -> jmp_status) -> jmp_status {
        guard let index = sessions.resolve(handle), isCurrent(index) else { return JMP_ERR_SESSION }
        let status = body(&sessions[index], &env)
        sessions[index].syncWheel(&env)
        return status
    }

    /// A new session slot; TERMINATED sessions give way, oldest first.
    mutating func addSession(role: Role, id: SessionID, policy: Policy) -> Int? {
        if sessions.count >= sessions.limit { recycleOldestClosing() }
        guard let index = sessions.add(role: role, id: id, policy: policy, now: env.now) else { return nil }
        sessions[index].followedRevision = UInt16(truncatingIfNeeded: env.transports.revision)
        env.wheel.reserve(index)
        env.wheel.cancel(index)
        return index
    }

    private mutating func recycleOldestClosing() {
        forgetGoneClosing()
        guard let oldest = env.closing.first, let index = sessions.resolve(oldest) else { return }
        env.closing.removeFirst()
        removeSession(index)
    }

    /// Entries whose sessions are gone: the oldest, since all linger equally long. Not all in one call: those that end together are
    /// forgotten in any order, and many may be behind the last of them.
    private mutating func forgetGoneClosing() {
        var budget = Self.timeoutBudget
        while budget > 0, let oldest = env.closing.first, sessions.resolve(oldest) == nil {
            budget &-= 1
            env.closing.removeFirst()
        }
    }

    mutating func removeSession(_ index: Int) {
        sessions[index].forgetFarewell(&env)
        sessions[index].delivery?.pointee.clear(&env.payloads)
        env.wheel.cancel(index)
        sessions.remove(index)
    }

    /// Lingering TERMINATED sessions are few: a gateway under churn must not carry 30 s of its past.
    static let closingLimit = 1024

    /// The oldest give way, but none before its CLOSE has left, and no more than `limit` in one call.
    private mutating func trimClosing(_ limit: Int) {
        guard env.closing.count > 0 else { return }
        forgetGoneClosing()
        var left = limit
        while env.closing.count > Self.closingLimit, left > 0, let oldest = env.closing.first,
              let index = sessions.resolve(oldest), !sessions[index].hasFarewellToSend {
            left &-= 1
            recycleOldestClosing()
        }
    }

    // MARK: time

    package func nextTimeout() -> jmp_time {
        let isWorkLeft = env.transports.unsettled != 0 || hasMoreToTransmit
        return isWorkLeft ? min(env.wheel.nextDeadline, env.now) : env.wheel.nextDeadline
    }

    /// What one call may do, so that it takes well below a millisecond however many sessions are due: so many steps of the wheel or of a
    /// sweep, of which a session that acts takes eight.
    static let timeoutBudget = 512
    /// A session whose timers make a transition takes longer than one that is only kept warm: by about half for each event.
    private static let costOfEvent = 4

    package mutating func handleTimeout(_ now: jmp_time) {
        env.advance(to: now)
        hasMoreToTransmit = false   // the host drains after this call
        // Half of it for a sweep, as far as that needs it: neither it nor the timers shall wait until the other has ended.
        var share = Self.timeoutBudget / 2
        if env.transports.unsettled != 0 { continueSweep(&share) }
        var budget = Self.timeoutBudget / 2 &+ share
        while budget > 0, let (index, deadline) = env.wheel.popDue(env.now, &budget) {
            budget &-= 7
            guard sessions.isUsed(index) else { continue }
            sessions[index].wheelDeadline = Timers.never
            if sessions[index].timers[.closing] <= env.now {
                removeSession(index)
                continue
            }
            guard isCurrent(index) else { continue }
            let told = env.events.sequence
            sessions[index].handleTimeout(dueAt: deadline, &env)
            sessions[index].syncWheel(&env)
            budget &-= Self.costOfEvent &* Int(truncatingIfNeeded: env.events.sequence &- told)
        }
        trimClosing(max(budget / 8, 16))
    }

    package mutating func pollEvent(_ event: UnsafeMutablePointer<jmp_event>) -> jmp_status {
        let hasEvent = env.events.pop(into: event)
        if env.reporting.first != nil { refillEvents() }
        return hasEvent ? JMP_OK : JMP_AGAIN
    }

    /// Reports that had no room follow as the host reads, sessions in turn.
    @inline(never)
    private mutating func refillEvents() {
        while env.events.hasRoom, let handle = env.reporting.first {
            env.reporting.removeFirst()
            guard let index = sessions.resolve(handle), let delivery = sessions[index].delivery else { continue }
            delivery.pointee.isReporting = false
            sessions[index].report(&env)
            sessions[index].armDelivery(&env)
            sessions[index].syncWheel(&env)
        }
    }
}
