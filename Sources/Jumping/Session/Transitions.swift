import CJumping
import JumpingSession

extension Session {
    /// The only way to change state: by the table, with a version, an event, and the timers of the new state. False and an
    /// audit record when the table has no such transition; nothing is changed then.
    @discardableResult
    mutating func transition(to next: SessionState, _ reason: Reason, _ env: inout Environment) -> Bool {
        guard StateMachine.allows(from: state, to: next, reason: reason) else {
            if let event = addEvent(JMP_EVENT_TRANSITION_REJECTED, &env) {
                event.pointee.new_state = UInt32(next.rawValue)
                event.pointee.reason = UInt32(reason.rawValue)
            }
            return false
        }
        let previous = state
        state = next
        stateVersion &+= 1
        lastReason = reason
        if let event = addEvent(JMP_EVENT_SESSION_STATE_CHANGE, &env) {
            event.pointee.previous_state = UInt32(previous.rawValue)
            event.pointee.reason = UInt32(reason.rawValue)
        }
        armTimersOfState(from: previous, reason, env)
        return true
    }

    private mutating func armTimersOfState(from previous: SessionState, _ reason: Reason, _ env: borrowing Environment) {
        switch state {
        case .birth, .terminated:
            break
        case .attached:
            timers.cancel(.recoveryWindow)
            timers.cancel(.volatilePersisted)
            timers.cancel(.retry)
            timers.cancel(.reattach)
            timers.cancel(.stability)
            timers[.report] = isPolicyUnacknowledged ? env.now &+ 100_000 : Timers.never
            timers.cancel(.transportLost)
            transportLostAt = Timers.never
            endEpisode()
            attempt = nil
            peerLossPPM = 0
        case .volatile:
            episode.trigger = reason
            timers[.volatilePersisted] = env.now &+ policy.volatileToDegraded
            timers[.stability] = env.now &+ stabilityCheckInterval
        case .degraded:
            timers.cancel(.volatilePersisted)
            timers.cancel(.recoveryWindow)
            timers.cancel(.reattach)
            attempt = nil
            timers[.retry] = env.now &+ retryBackoff
            timers.arm(.stability, noLaterThan: env.now &+ stabilityCheckInterval)
        case .recovering:
            timers.cancel(.volatilePersisted)
            timers.cancel(.retry)
            timers.cancel(.stability)
            recoveringSince = env.now
            timers[.recoveryWindow] = env.now &+ policy.recoveryWindow
        }
    }

    /// How often a troubled path is looked at for calm: eight times in a stability window.
    var stabilityCheckInterval: UInt64 { max(policy.stabilityWindow / 8, 1000) }

    /// DEGRADED tries again after switch_cooldown, then twice that … 16 times that; never faster than 100 ms, and while the active
    /// path is lost never slower than recovery_window: a cooldown binds choices, not the way out.
    var retryBackoff: UInt64 {
        let backoff = max(policy.switchCooldown, 100_000) &<< UInt64(min(episode.tries, 4))
        return isActiveLost ? min(backoff, max(policy.recoveryWindow, 100_000)) : backoff
    }
}
