#if DEBUG
import CJumping
import JumpingSession

/// What holds between any two calls of the host, checked at the beginning of each in debug builds only: a broken invariant is
/// a mistake in this library, and tests, simulator and fuzzer shall hear of it where it is made. Release builds have none of it,
/// because a trap would end the host.
extension Endpoint {
    /// Checks the endpoint and a few of its sessions, others each time, so that a call stays cheap with many of them.
    package mutating func checkInvariants() {
        precondition(sessions.count <= sessions.limit, "more sessions than config.max_sessions")
        precondition(env.halfOpen >= 0 && env.waiting >= 0, "half-open or waiting sessions below zero")
        precondition(env.halfOpen <= env.config.maxHalfOpen && env.waiting <= env.config.maxWaiting, "more half-open sessions than allowed")
        guard sessions.capacity > 0 else { return }
        for _ in 0..<min(sessions.capacity, 16) {
            env.invariantCursor = (env.invariantCursor &+ 1) % sessions.capacity
            let index = env.invariantCursor
            guard sessions.isUsed(index) else { continue }
            precondition(Int(sessions[index].index) == index, "a session knows another slot than its own")
            sessions[index].checkInvariants(env)
        }
    }
}

extension Session {
    func checkInvariants(_ env: borrowing Environment) {
        precondition(env.wheel.armedAt(Int(index)) == wheelDeadline, "the wheel fires at another time than the session believes")
        precondition(wheelDeadline <= timers.earliest, "the wheel fires later than a timer of \(state)")
        checkBinding()
        checkTransports(env)
        switch state {
        case .birth:
            precondition(stateVersion == 0 && bindingVersion == 0, "versions before the first transition")
            checkHandshakes(env)
        case .attached:
            precondition(activeSlot != nil, "ATTACHED without an active path")
            precondition(attempt == nil, "ATTACHED with an open attempt")
            precondition(transportLostAt == Timers.never, "ATTACHED with the lost clock running")
        case .volatile:
            precondition(attempt == nil, "VOLATILE with an open attempt")
            precondition(timers[.volatilePersisted] != Timers.never, "VOLATILE without an end")
        case .degraded:
            precondition(attempt == nil, "DEGRADED with an open attempt")
            precondition(timers[.retry] != Timers.never, "DEGRADED without another try")
        case .recovering:
            precondition(isClient, "a gateway stays RECOVERING only within a call")
            precondition(attempt != nil, "RECOVERING without an attempt")
            precondition(timers[.recoveryWindow] <= env.now &+ policy.recoveryWindow, "RECOVERING longer than the recovery window")
            precondition(timers[.reattach] != Timers.never, "RECOVERING without a next step")
        case .terminated:
            precondition(keys == nil && handshake == nil && initiation == nil, "TERMINATED with secrets")
            precondition(timers[.closing] != Timers.never, "TERMINATED for ever")
            for kind in TimerKind.allCases where kind != .closing { precondition(timers[kind] == Timers.never, "TERMINATED with a timer for \(kind)") }
            return
        }
        guard state != .birth else { return }
        precondition(handshake == nil && initiation == nil, "a handshake in \(state)")
        precondition(keys != nil, "no keys in \(state)")
        precondition(timers[.lifetime] <= createdAt &+ policy.maxLifetime, "a life longer than max_lifetime")
        let isLost = activeSlot.map { paths[$0].isDead } ?? true
        if isLost {
            precondition(state != .attached || !isClient, "ATTACHED to a dead path")
            precondition(transportLostAt != Timers.never || state == .attached, "lost without a clock in \(state)")
        }
        if transportLostAt != Timers.never {
            precondition(timers[.transportLost] <= transportLostAt &+ policy.transportLostTTL, "lost for longer than transport_lost_ttl")
        }
    }

    /// A client has at most one handshake a path, a gateway's session exactly one; answers find them.
    private func checkHandshakes(_ env: borrowing Environment) {
        precondition((initiation != nil) == isClient && (handshake != nil) == !isClient, "BIRTH without a handshake, or with the other end's")
        guard let initiation else { return }
        for slot in 0..<PathTable.limit {
            guard let made = initiation.pointee.handshakes[slot] else { continue }
            precondition(slot < paths.capacity && paths[slot].isUsed, "a handshake for a path that is gone")
            precondition(env.handshakes.find(made.pointee.handshakeID) == index,
                         "a handshake whose answer nobody finds")
        }
    }

    private func checkTransports(_ env: borrowing Environment) {
        guard state != .terminated, followedRevision == UInt16(truncatingIfNeeded: env.transports.revision) else { return }
        for slot in 0..<paths.capacity where paths[slot].isUsed {
            precondition(env.transports.contains(paths[slot].transport), "a path of a transport that was removed")
        }
    }

    /// Exactly one active path, or none; at most one provisional; pending paths at the gateway alone.
    private func checkBinding() {
        var active = 0, provisional = 0
        for slot in 0..<paths.capacity where paths[slot].isUsed {
            if paths[slot].role == .active { active &+= 1 }
            if paths[slot].role == .provisional { provisional &+= 1 }
            precondition(paths[slot].role != .standby || paths[slot].isValidated, "a standby that is not validated")
            precondition(paths[slot].role != .active || state == .birth || paths[slot].isValidated || paths[slot].isDead, "an active path that has not been proven")
            precondition(!isClient || paths[slot].role != .pending && paths[slot].role != .provisional, "a pending path at a client")
            precondition(paths[slot].isValidated || state == .birth || isClient || paths[slot].datagramBytesSent <= 3 &* paths[slot].datagramBytesReceived,
                         "more than three times its bytes to an unproven address: \(paths[slot].role) \(paths[slot].datagramBytesSent) for \(paths[slot].datagramBytesReceived)")
        }
        precondition(active <= 1 && provisional <= 1, "two active or two provisional paths")
        guard state != .birth, state != .terminated else { return }
        if let activeSlot {
            precondition(paths[activeSlot].isUsed && paths[activeSlot].role == .active, "the active slot holds no active path")
        } else {
            precondition(active == 0, "an active path without the active slot")
        }
    }
}
#endif
