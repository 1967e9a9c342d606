import CJumping
import JumpingSession

extension Session {
    /// Everything that is due at `env.now`, in the order of `TimerKind`. The first of it was due at `deadline`.
    mutating func handleTimeout(dueAt deadline: UInt64, _ env: inout Environment) {
        if state != .terminated, keys != nil { noteLateness(dueAt: deadline, &env) }
        // A timer may arm another that is due at once; the bound keeps a mistake from becoming an endless loop.
        for _ in 0..<64 {
            guard state != .terminated, let kind = timers.popDue(env.now) else { break }
            fire(kind, &env)
        }
        timers.refresh()
    }

    private mutating func fire(_ kind: TimerKind, _ env: inout Environment) {
        switch kind {
        case .handshake: retransmitInit(&env)
        case .handshakeExpiry: terminate(.handshakeFailed, tellPeer: false, &env)
        case .detection: detect(&env)
        case .acknowledgement: flushAcknowledgements(&env)
        case .heartbeat: heartbeat(&env)
        case .probe: probe(&env)
        case .reattach: retryAttempt(&env)
        case .recoveryWindow: endRecovery(&env)
        case .volatilePersisted: if state == .volatile { degrade(&env) }
        case .retry: retry(&env)
        case .stability: checkStability(&env)
        case .transportLost: if transportLostAt != Timers.never { terminate(.transportTTLExceeded, tellPeer: true, &env) }
        case .lifetime: terminate(.sessionLifetimeExceeded, tellPeer: true, &env)
        case .report: sendReport(&env); sendPolicy(&env)
        case .provisional: expirePaths(&env)
        case .keyRotation: rotateKeys(&env)
        case .previousKey: keys?.pointee.forgetPreviousPhase()
        case .delivery: recoverDelivery(&env)
        case .pathMTU: probePathMTU(&env)
        case .telemetry: telemetry(&env)
        case .closing: break   // the endpoint takes the slot back
        }
    }

    private mutating func retransmitInit(_ env: inout Environment) {
        guard let initiation else { return }
        initiation.pointee.shouldTransmit = true
        queue(&env)
    }

    private mutating func endRecovery(_ env: inout Environment) {
        guard state == .recovering else { return }
        if let attempt {
            emit(JMP_EVENT_REATTACH_RESULT, reason: .recoveryWindowExceeded, target: attempt.slot, attempt: attempt.id, &env)
            earlierAttempts.add(attempt)
        }
        attempt = nil
        startLostClock(env)
        transition(to: .degraded, .recoveryWindowExceeded, &env)
        probeEverything(&env)
    }

    private mutating func degrade(_ env: inout Environment) {
        transition(to: .degraded, .volatilePersisted, &env)
        if isClient { recover(&env) }
        probeEverything(&env)
    }

    private mutating func telemetry(_ env: inout Environment) {
        guard state != .birth else { return }
        emit(JMP_EVENT_TELEMETRY_TICK, reason: .none, &env)
        timers[.telemetry] = env.now &+ env.config.telemetryInterval
    }
}
