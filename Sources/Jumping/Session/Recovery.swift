import CJumping
import JumpingCrypto
import JumpingSession
import JumpingWire

/// The client's way out of trouble: choose, ask, and wait for proof that the gateway has bound (DESIGN "Reattach").
extension Session {
    /// Transmissions of one REATTACH before its path is given up: at once, then after 1, 3 and 7 probe timeouts.
    static let attemptTransmissions: UInt32 = 4

    /// Looks for a better place while VOLATILE or DEGRADED.
    mutating func recover(_ env: inout Environment) {
        guard isClient, state == .volatile || state == .degraded, attempt == nil else { return }
        if isActiveLost { recoverFromDeath(&env) } else { recoverByChoice(&env) }
    }

    var isActiveLost: Bool {
        guard let activeSlot else { return true }
        return paths[activeSlot].isDead || episode.isPeerCutOff
    }

    /// Leaving a dead path is bound by the switches per minute alone.
    private mutating func recoverFromDeath(_ env: inout Environment) {
        guard let best = bestCandidate(mustBeProven: false, env) else {
            // Cut off by the peer's account alone: it may hold an address of ours that is gone. Prove the one we have.
            if let activeSlot, !paths[activeSlot].isDead, !paths[activeSlot].isTried { return proveAddress(activeSlot, &env) }
            return deny(.noCandidateTransports, retryAt: nil, &env)
        }
        let allowedAt = limiter.allowedAt(env.now, limit: policy.maxSwitchesPerMinute)
        guard allowedAt <= env.now else { return deny(.switchRateLimited, retryAt: allowedAt, &env) }
        begin(best, .deadTransportRecovery, isSamePath: false, &env)
    }

    /// Leaving a living path is a choice: it takes a clearly better standby, cooldown and the switches per minute.
    private mutating func recoverByChoice(_ env: inout Environment) {
        guard let activeSlot, episode.isOperatorRequested || isStillTroubled(activeSlot, env.now), let best = requestedCandidate(env) ?? bestCandidate(mustBeProven: true, env) else { return }
        var active = candidate(activeSlot, env)
        active.lossPPM = max(active.lossPPM, peerLossPPM)
        if paths[activeSlot].health.isLossy(thresholdPPM: policy.lossVolatileThresholdPPM) {
            active.lossPPM = max(active.lossPPM, policy.lossVolatileThresholdPPM)   // the fast detector is ahead of the window
        }
        let isWorth = episode.isOperatorRequested
            || Selection.isWorthLeaving(active, for: candidate(best, env), improvementPPM: policy.switchImprovementPPM)
        guard isWorth else { return }
        if let denial = switchDenial(env) { return deny(denial.reason, retryAt: denial.until, &env) }
        begin(best, episode.isOperatorRequested ? .policyForcedRecovery : .lossRecovery, isSamePath: false, &env)
    }

    /// The path the operator asked for, while it can be had.
    private func requestedCandidate(_ env: borrowing Environment) -> Int? {
        guard let slot = episode.requestedSlot, paths[slot].isUsed, slot != activeSlot, !paths[slot].isTried, !paths[slot].isHintedDown,
              paths[slot].isValidated, !paths[slot].isDead, policy.allows(transportClass: paths[slot].transportClass) else { return nil }
        return slot
    }

    /// The path that made the session VOLATILE still shows it; one that has become calm is left to heal.
    private func isStillTroubled(_ slot: Int, _ now: UInt64) -> Bool {
        if isSlow(slot) || episode.isPeerSlow || !policy.allows(transportClass: paths[slot].transportClass) { return true }
        return peerLossPPM >= policy.lossVolatileThresholdPPM / 2 || !isCalm(slot, now)
    }

    /// Not yet an eighth below latency_volatile_threshold again: without the gap a path at the threshold would heal and trip for ever.
    func isSlow(_ slot: Int) -> Bool {
        let threshold = policy.latencyVolatileThreshold
        return threshold > 0 && paths[slot].health.hasRTT && paths[slot].health.smoothedRTT > threshold &- threshold / 8
    }

    /// The active path may be reattached in place once it has been calm for the stability window.
    private func mayHeal(_ slot: Int, _ now: UInt64) -> Bool {
        !paths[slot].isDead && !paths[slot].isHintedDown && policy.allows(transportClass: paths[slot].transportClass)
            && !episode.isPeerCutOff && !episode.isPeerSlow && peerLossPPM < policy.lossVolatileThresholdPPM / 2
            && !isSlow(slot) && isCalm(slot, now)
    }

    func isCalm(_ slot: Int, _ now: UInt64) -> Bool {
        paths[slot].health.isCalm(thresholdPPM: policy.lossVolatileThresholdPPM, now: now, quiet: policy.stabilityWindow)
    }

    /// Why a voluntary switch is not allowed now, and until when; nil when it is.
    func switchDenial(_ env: borrowing Environment) -> (reason: Reason, until: UInt64)? {
        if let last = limiter.lastSwitchAt, env.now &- last < policy.switchCooldown {
            return (.cooldownActive, last &+ policy.switchCooldown)
        }
        let allowedAt = limiter.allowedAt(env.now, limit: policy.maxSwitchesPerMinute)
        return allowedAt > env.now ? (.switchRateLimited, allowedAt) : nil
    }

    /// An audited no. VOLATILE becomes DEGRADED, which tries again.
    private mutating func deny(_ reason: Reason, retryAt: UInt64?, _ env: inout Environment) {
        counters.rare.switchesDenied &+= 1
        emit(JMP_EVENT_TRANSPORT_SWITCH_DENIED, reason: reason, &env)
        if state == .volatile { transition(to: .degraded, reason, &env) }
        if let retryAt { timers[.retry] = max(retryAt, env.now &+ 1000) }
        probeEverything(&env)
    }

    // MARK: choosing

    func candidate(_ slot: Int, _ env: borrowing Environment) -> Candidate {
        return Candidate(slot: slot, transport: paths[slot].transport, isAllowed: policy.allows(transportClass: paths[slot].transportClass),
                         isValidated: paths[slot].isValidated, isDead: paths[slot].isDead, lossPPM: paths[slot].health.lossPPM,
                         smoothedRTT: paths[slot].health.smoothedRTT, cost: env.transports[paths[slot].transport].cost, validatedAt: paths[slot].validatedAt)
    }

    /// The best path to move to, other than the active one and those tried in this recovery.
    func bestCandidate(mustBeProven: Bool, _ env: borrowing Environment) -> Int? {
        var shortlist = Shortlist()
        for slot in 0..<paths.capacity where paths[slot].isUsed && slot != activeSlot {
            let option = candidate(slot, env)
            guard option.isAllowed, !option.isDead, !paths[slot].isTried, !paths[slot].isHintedDown, paths[slot].index != .max,
                  option.isValidated || !mustBeProven else { continue }
            shortlist.add(option)
        }
        return shortlist.best(improvementPPM: policy.switchImprovementPPM)?.slot
    }

    // MARK: attempts

    mutating func begin(_ slot: Int, _ reason: Reason, cause: Reason? = nil, isSamePath: Bool, _ env: inout Environment) {
        guard transition(to: .recovering, reason, &env) else { return }
        startAttempt(slot, cause: cause ?? episode.trigger, isSamePath: isSamePath, &env)
    }

    /// A reattach in place: the gateway binds the address it now sees us at.
    mutating func proveAddress(_ slot: Int, _ env: inout Environment) {
        begin(slot, .deadTransportRecovery, cause: .natRebinding, isSamePath: true, &env)
    }

    /// One REATTACH on one path. Earlier ones of the same recovery stay open: the gateway's order decides.
    private mutating func startAttempt(_ slot: Int, cause: Reason, isSamePath: Bool, _ env: inout Environment) {
        paths[slot].isTried = true
        let fresh = ReattachAttempt(id: env.random.next64(), slot: slot, cause: cause, isSamePath: isSamePath, transmissions: 1)
        attempt = fresh
        counters.rare.reattachAttempts &+= 1
        emit(JMP_EVENT_REATTACH_ATTEMPT, reason: cause, target: slot, attempt: fresh.id, &env)
        timers[.reattach] = env.now &+ paths[slot].health.probeTimeout
        if !paths[slot].isValidated { requestChallenge(slot, &env) }
        request(.reattach, slot, &env)
    }

    /// The REATTACH has had no answer for a while: again, with back-off, then the next candidate.
    mutating func retryAttempt(_ env: inout Environment) {
        if state == .attached, rebindAttemptID != nil, let activeSlot { return requestRebinding(activeSlot, &env) }
        guard var current = attempt, state == .recovering else { return }
        if env.now < graceUntil {
            timers[.reattach] = graceUntil
            return
        }
        guard current.transmissions < Self.attemptTransmissions else { return failAttempt(.timedOut, &env) }
        timers[.reattach] = env.now &+ paths[current.slot].health.probeTimeout &<< UInt64(current.transmissions)
        current.transmissions &+= 1
        attempt = current
        request(.reattach, current.slot, &env)
    }

    /// The attempt came to nothing: the next candidate within this recovery, else DEGRADED.
    mutating func failAttempt(_ reason: Reason, _ env: inout Environment) {
        guard let failed = attempt else { return }
        emit(JMP_EVENT_REATTACH_RESULT, reason: reason, target: failed.slot, attempt: failed.id, &env)
        if reason == .timedOut {
            loseCandidate(failed.slot, &env)
        }
        if isActiveLost || failed.isSamePath == false, let next = bestCandidate(mustBeProven: !isActiveLost, env) {
            earlierAttempts.add(failed)
            // An attempt in place never asked for a switch, and time has passed since another one did.
            let allowedAt = limiter.allowedAt(env.now, limit: policy.maxSwitchesPerMinute)
            if allowedAt <= env.now { return startAttempt(next, cause: episode.trigger, isSamePath: false, &env) }
            attempt = nil
            startLostClock(env)
            transition(to: .degraded, .policyDenied, &env)
            return deny(.switchRateLimited, retryAt: allowedAt, &env)
        }
        earlierAttempts.add(failed)
        attempt = nil
        // The operator's wish has been tried; a path whose class is not allowed must still be left.
        episode.requestedSlot = nil
        episode.isOperatorRequested = activeSlot.map { !policy.allows(transportClass: paths[$0].transportClass) } ?? false
        let end: Reason
        switch reason {
        case .timedOut: end = .noCandidateTransports
        case .policyDenied: end = .policyDenied
        default: end = .reattachValidationFailed
        }
        startLostClock(env)
        transition(to: .degraded, end, &env)
        probeEverything(&env)
    }

    /// A path did not answer: not validated any more, and dead until it proves itself.
    private mutating func loseCandidate(_ slot: Int, _ env: inout Environment) {
        let wasAlive = !paths[slot].isDead
        paths[slot].isDead = true
        if slot != activeSlot { paths[slot].isValidated = false }
        if paths[slot].role == .standby { paths[slot].role = .candidate }
        if wasAlive { emit(JMP_EVENT_TRANSPORT_DEAD, reason: .transportDead, target: slot, &env) }
        startLostClock(env)
    }

    // MARK: answers

    mutating func receiveReattachAck(_ answer: ReattachAnswer, _ env: inout Environment) {
        guard isClient, answer.detail & ReattachAnswer.pendingFlag == 0 else { return }
        if let id = rebindAttemptID, id == answer.attemptID {
            rebindAttemptID = nil
            if answer.bindingVersion > bindingVersion { followRebinding(answer.bindingVersion, &env) }
            return
        }
        guard state == .recovering || state == .volatile || state == .degraded else { return }
        let current = attempt?.id == answer.attemptID ? attempt?.slot : nil
        // An equal version answers a request in place that found nothing to change: what we think is bound is bound.
        let isInPlace = current != nil && current == activeSlot
        guard answer.bindingVersion > bindingVersion || isInPlace && answer.bindingVersion == bindingVersion else { return }
        guard let slot = current ?? earlierAttempts.slot(of: answer.attemptID), slot < paths.capacity, paths[slot].isUsed else { return }
        // Given up here, but bound there: the gateway's order decides.
        if state != .recovering { transition(to: .recovering, .deadTransportRecovery, &env) }
        bindingVersion = answer.bindingVersion
        emit(JMP_EVENT_REATTACH_RESULT, reason: .reattachSuccess, target: slot, attempt: answer.attemptID, &env)
        bind(slot, isSwitch: slot != activeSlot, &env)
    }

    mutating func receiveReattachReject(_ answer: ReattachAnswer, _ env: inout Environment) {
        if isClient, let activeSlot, rebindAttemptID == answer.attemptID { return learnMissedBind(answer, activeSlot, &env) }
        guard isClient, let current = attempt, current.id == answer.attemptID, state == .recovering else { return }
        let reason = Reason(rawValue: answer.detail) ?? .reattachValidationFailed
        guard reason == .staleStateVersion, answer.bindingVersion >= bindingVersion, episode.staleRetries < 8 else {
            return failAttempt(reason, &env)
        }
        // Something of ours was bound meanwhile (an earlier request, a new address): ask again on top of it.
        episode.staleRetries &+= 1
        bindingVersion = answer.bindingVersion
        emit(JMP_EVENT_REATTACH_RESULT, reason: reason, target: current.slot, attempt: current.id, &env)
        startAttempt(current.slot, cause: current.cause, isSamePath: current.isSamePath, &env)
    }

    /// The gateway has bound us before without our hearing of it, perhaps to another path: what that version means is not known until
    /// an attempt on top of it is answered, so nobody is ATTACHED with it.
    private mutating func learnMissedBind(_ answer: ReattachAnswer, _ slot: Int, _ env: inout Environment) {
        rebindAttemptID = nil
        guard answer.detail == Reason.staleStateVersion.rawValue, answer.bindingVersion > bindingVersion else { return }
        let wasAttached = leaveAttached(&env)
        bindingVersion = answer.bindingVersion
        emit(JMP_EVENT_REATTACH_RESULT, reason: .staleStateVersion, target: slot, attempt: answer.attemptID, &env)
        if wasAttached { proveAddress(slot, &env) }
    }

    /// Both ends: `slot` becomes the active path, and the ladder ends at ATTACHED.
    mutating func bind(_ slot: Int, isSwitch: Bool, _ env: inout Environment) {
        let from = lastBound(env)
        forgetProvisional(&env)
        // What is still on its way over the old path is no gap of the new one.
        var hold = paths[slot].health.overdueAfter
        if let old = activeSlot, old != slot {
            hold = max(hold, paths[old].health.overdueAfter)
            paths[old].role = paths[old].isValidated && !paths[old].isDead ? .standby : .candidate
            paths[old].nextProbeAt = env.now &+ paths[old].health.overdueAfter
            paths[old].outbox.subtract([.report, .reattach])
        }
        activeSlot = slot
        rebindAttemptID = nil   // it was for the address before
        paths[slot].role = .active
        paths[slot].isValidated = true
        // The path starts clean: what was lost on it before it was bound (probes into the dark, copies to another address) is past.
        paths[slot].health.resetLoss()
        sent.forget(slot: slot)
        for other in 0..<paths.capacity { paths[other].isTried = false }
        noteEvidence(slot, &env)
        if isSwitch {
            limiter.record(env.now)
            counters.rare.switches &+= 1
        }
        inbound.restart(replay.hasAny ? replay.largest : 0, now: env.now, hold: hold)
        forgetLastBound()
        transition(to: .attached, .reattachSuccess, &env)
        if isSwitch || paths[slot].address != from.address { emitSwitch(from, slot, &env) }
        timers[.heartbeat] = env.now &+ policy.heartbeatInterval
        timers.arm(.probe, noLaterThan: env.now &+ paths[slot].health.overdueAfter)
        armEarlier(.detection, env.now &+ paths[slot].health.overdueAfter, &env)
    }

    mutating func emitSwitch(_ from: BoundPath, _ slot: Int, _ env: inout Environment) {
        if let event = addEvent(JMP_EVENT_TRANSPORT_SWITCH, &env) {
            describeTarget(slot, event, env)
            withUnsafeMutablePointer(to: &event.pointee.from_transport) { from.name.copy(to: $0) }
            from.address.write(to: &event.pointee.from_address)
            event.pointee.reason = UInt32(Reason.reattachSuccess.rawValue)
            event.pointee.explicit_switch = 1
            event.pointee.auditable = 1
        }
        emit(JMP_EVENT_TRANSPORT_ATTACHED, reason: .reattachSuccess, target: slot, &env)
    }

    // MARK: healing

    /// A path that has been calm for the stability window is reattached in place.
    mutating func checkStability(_ env: inout Environment) {
        guard state == .volatile || state == .degraded else { return }
        timers[.stability] = env.now &+ stabilityCheckInterval
        guard isClient, let activeSlot, mayHeal(activeSlot, env.now) else {
            episode.calmSince = Timers.never
            if isClient, let activeSlot, !paths[activeSlot].isDead { requestPing(activeSlot, &env) }   // calm must be shown, not assumed
            if !isActiveLost { recover(&env) }   // a standby may have become worth it meanwhile
            return
        }
        if episode.calmSince == Timers.never { episode.calmSince = env.now }
        guard env.now &- episode.calmSince >= policy.stabilityWindow else {
            requestPing(activeSlot, &env)
            return
        }
        begin(activeSlot, .stabilityWindowMet, cause: .stabilityWindowMet, isSamePath: true, &env)
    }

    /// DEGRADED: another round, with every path judged anew.
    mutating func retry(_ env: inout Environment) {
        guard state == .degraded else { return }
        episode.tries &+= 1
        timers[.retry] = env.now &+ retryBackoff
        for slot in 0..<paths.capacity { paths[slot].isTried = false }
        if isClient { recover(&env) } else { sendReport(&env) }
    }

    /// A path gave two-way evidence after a silence: a session that waits for one may move now.
    mutating func pathCameAlive(_ slot: Int, _ env: inout Environment) {
        paths[slot].isTried = false
        if delivery != nil { wakeDelivery(slot, &env) }
        if !isClient, slot == activeSlot { return sendReport(&env) }   // the client hears at once that it may reattach in place
        guard isClient, state == .volatile || state == .degraded, slot != activeSlot, isActiveLost else { return }
        recover(&env)
    }
}
