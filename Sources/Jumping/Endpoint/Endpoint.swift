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

    init(config: Config, policy: Policy, random: consuming RandomSource, now: UInt64) {
        sessions = SessionTable(limit: config.maxSessions)
        env = Environment(config: config, policy: policy, random: random, now: now)
    }

    // MARK: sessions by handle

    /// Runs `body` on the session behind a handle, then lets the wheel know of its timers.
    mutating func withSession(_ handle: UInt64, _ body: (inout Session, inout Environment) -> jmp_status) -> jmp_status {
        guard let index = sessions.resolve(handle) else { return JMP_ERR_SESSION }
        let status = body(&sessions[index], &env)
        sessions[index].syncWheel(&env)
        return status
    }

    /// Runs `body` on every session, lowest slot first.
    mutating func forEachSession(_ body: (inout Session, inout Environment) -> Void) {
        for index in 0..<sessions.capacity where sessions.isUsed(index) {
            body(&sessions[index], &env)
            sessions[index].syncWheel(&env)
        }
    }

    /// A new session slot; TERMINATED sessions give way, oldest first.
    mutating func addSession(role: Role, id: SessionID, policy: Policy) -> Int? {
        if sessions.count >= sessions.limit { recycleOldestClosing() }
        guard let index = sessions.add(role: role, id: id, policy: policy, now: env.now) else { return nil }
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

    /// Entries whose sessions are gone: the oldest, since all linger equally long.
    private mutating func forgetGoneClosing() {
        while let oldest = env.closing.first, sessions.resolve(oldest) == nil { env.closing.removeFirst() }
    }

    mutating func removeSession(_ index: Int) {
        sessions[index].forgetFarewell(&env)
        sessions[index].delivery?.pointee.clear(&env.payloads)
        env.wheel.cancel(index)
        sessions.remove(index)
    }

    /// Lingering TERMINATED sessions are few: a gateway under churn must not carry 30 s of its past.
    static let closingLimit = 1024

    /// The oldest give way, but none before its CLOSE has left, and not too many in one call.
    mutating func trimClosing() {
        forgetGoneClosing()
        var budget = Self.timeoutBudget / 8
        while env.closing.count > Self.closingLimit, budget > 0, let oldest = env.closing.first,
              let index = sessions.resolve(oldest), !sessions[index].hasFarewellToSend {
            budget &-= 1
            recycleOldestClosing()
        }
    }

    // MARK: time

    package func nextTimeout() -> jmp_time {
        env.wheel.nextDeadline
    }

    /// What one call may do, so that it takes well below a millisecond however many sessions are due: so many steps of the wheel, of which a
    /// session's timers count for eight.
    static let timeoutBudget = 1024

    package mutating func handleTimeout(_ now: jmp_time) {
        env.advance(to: now)
        var budget = Self.timeoutBudget
        while budget > 0, let (index, deadline) = env.wheel.popDue(env.now, &budget) {
            budget &-= 8
            guard sessions.isUsed(index) else { continue }
            sessions[index].wheelDeadline = Timers.never
            if sessions[index].timers[.closing] <= env.now {
                removeSession(index)
                continue
            }
            sessions[index].handleTimeout(dueAt: deadline, &env)
            sessions[index].syncWheel(&env)
        }
        trimClosing()
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
