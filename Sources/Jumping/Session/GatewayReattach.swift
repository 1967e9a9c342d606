import CJumping
import JumpingCrypto
import JumpingSession
import JumpingWire

/// The gateway's side of a jump: judge the request, demand proof of the address, bind in one step (DESIGN "Reattach").
extension Session {
    mutating func receiveReattach(_ request: ReattachRequest, number: UInt64, slot: Int?, _ env: inout Environment) {
        guard !isClient, isConfirmed, let slot else { return }
        if request.attemptID == lastAttemptID, lastAttemptSlot == slot {
            return self.request(.answer, slot, &env)   // seen before on this path: its answer again, without judging again
        }
        if paths[slot].hasPendingAttempt, paths[slot].pendingAttempt.attemptID == request.attemptID {
            requestChallenge(slot, &env)
            return self.request(.answer, slot, &env)
        }
        counters.rare.reattachAttempts &+= 1
        // What the client calls a candidate is news; the active path keeps its name until a request for it is granted.
        if slot != activeSlot { describe(slot, request) }
        emit(JMP_EVENT_REATTACH_ATTEMPT, reason: Reason(rawValue: request.cause) ?? .none, target: slot, attempt: request.attemptID, &env)
        if let refusal = judge(request, number: number, slot: slot, env) { return reject(request, refusal, slot, &env) }
        if slot == activeSlot, request.cause == Reason.natRebinding.rawValue, state == .attached {
            return answer(request, slot, &env)   // the binding is what the client thinks it is: nothing moved
        }
        if paths[slot].isValidated {
            bindRequested(request, slot, &env)
        } else {
            makePending(request, slot, &env)
        }
    }

    private mutating func describe(_ slot: Int, _ request: ReattachRequest) {
        paths[slot].transportClass = request.transportClass < 32 ? request.transportClass : 0
        paths[slot].name = request.transportName
    }

    /// The first failed check, in the design's order; proof and replay were checked when the datagram was opened.
    private func judge(_ request: ReattachRequest, number: UInt64, slot: Int, _ env: borrowing Environment) -> Reason? {
        if proofAges.isStale(number, largest: replay.largest, now: env.now, maxAge: policy.proofMaxAge) { return .staleRequest }
        if env.now &- createdAt >= policy.maxLifetime { return .sessionExpired }
        if transportLostAt != Timers.never, env.now &- transportLostAt >= policy.transportLostTTL { return .transportTTLExceeded }
        if state != .attached && state != .volatile && state != .degraded { return .invalidStateForReattach }
        if request.bindingVersion != bindingVersion { return .staleStateVersion }
        if !policy.allows(transportClass: request.transportClass) { return .invalidTransportCandidate }
        guard slot != activeSlot, paths[slot].role != .provisional else {
            return inPlaceLimiter.allowedAt(env.now, limit: Self.bindsInPlacePerMinute) > env.now ? .policyDenied : nil
        }
        if limiter.allowedAt(env.now, limit: policy.maxSwitchesPerMinute) > env.now { return .policyDenied }
        if isVoluntary(request.cause), activeSlot.map({ !paths[$0].isDead }) ?? false, let last = limiter.lastSwitchAt, env.now &- last < policy.switchCooldown { return .policyDenied }
        return nil
    }

    /// An honest client heals at most once a stability window; what comes more often would only fill the audit trail.
    static let bindsInPlacePerMinute: UInt32 = 60

    /// Causes with which a client leaves a path that still lives.
    private func isVoluntary(_ cause: UInt8) -> Bool {
        switch Reason(rawValue: cause) {
        case .lossThresholdExceeded, .latencyThresholdExceeded, .operatorRequested: true
        default: false
        }
    }

    private mutating func reject(_ request: ReattachRequest, _ reason: Reason, _ slot: Int, _ env: inout Environment) {
        counters.rare.switchesDenied &+= 1
        lastAttemptID = request.attemptID
        lastAttemptSlot = slot
        paths[slot].answer = ReattachAnswer(attemptID: request.attemptID, bindingVersion: bindingVersion, detail: reason.rawValue)
        paths[slot].answerType = FrameType.reattachReject
        emit(JMP_EVENT_REATTACH_RESULT, reason: reason, target: slot, attempt: request.attemptID, &env)
        self.request(.answer, slot, &env)
    }

    private mutating func answer(_ request: ReattachRequest, _ slot: Int, _ env: inout Environment) {
        lastAttemptID = request.attemptID
        lastAttemptSlot = slot
        paths[slot].answer = ReattachAnswer(attemptID: request.attemptID, bindingVersion: bindingVersion, detail: 0)
        paths[slot].answerType = FrameType.reattachAck
        self.request(.answer, slot, &env)
    }

    /// Not a state: no transition, no version. Only the challenge's answer from this very address binds.
    private mutating func makePending(_ request: ReattachRequest, _ slot: Int, _ env: inout Environment) {
        for other in 0..<paths.capacity where other != slot && paths[other].hasPendingAttempt {
            paths[other].hasPendingAttempt = false   // the newest request is the one the client wants
            if paths[other].role == .pending { paths[other].role = .candidate }
        }
        paths[slot].pendingAttempt = request
        paths[slot].hasPendingAttempt = true
        if paths[slot].role != .provisional { paths[slot].role = .pending }
        paths[slot].expiresAt = env.now &+ max(3 &* paths[slot].health.probeTimeout, 3_000_000)
        paths[slot].answer = ReattachAnswer(attemptID: request.attemptID, bindingVersion: bindingVersion, detail: ReattachAnswer.pendingFlag)
        paths[slot].answerType = FrameType.reattachAck
        requestChallenge(slot, &env)
        self.request(.answer, slot, &env)
        timers.arm(.provisional, noLaterThan: paths[slot].expiresAt)
    }

    /// The pending path has answered its challenge: judge once more (time has passed), then bind.
    mutating func completePending(_ slot: Int, _ env: inout Environment) {
        let request = paths[slot].pendingAttempt
        paths[slot].hasPendingAttempt = false
        paths[slot].expiresAt = Timers.never
        if paths[slot].role == .pending { paths[slot].role = .standby }   // proven now, whatever becomes of the request
        if let refusal = judge(request, number: .max, slot: slot, env) { return reject(request, refusal, slot, &env) }
        bindRequested(request, slot, &env)
    }

    /// Walks the rungs the client has climbed already, binds, audits and answers, all in one call.
    private mutating func bindRequested(_ request: ReattachRequest, _ slot: Int, _ env: inout Environment) {
        leaveAttached(&env)
        transition(to: .recovering, Self.recoveryReason(request.cause), &env)
        keepLastBound(env)
        describe(slot, request)
        bindingVersion &+= 1
        let isSwitch = slot != activeSlot && paths[slot].role != .provisional
        if !isSwitch { inPlaceLimiter.record(env.now) }
        let bound = paths[slot].role == .provisional ? adoptProvisional(slot, &env) : slot
        emit(JMP_EVENT_REATTACH_RESULT, reason: .reattachSuccess, target: bound, attempt: request.attemptID, &env)
        bind(bound, isSwitch: isSwitch, &env)
        answer(request, bound, &env)
    }

    /// The request's cause as the reason of → RECOVERING.
    static func recoveryReason(_ cause: UInt8) -> Reason {
        switch Reason(rawValue: cause) {
        case .lossThresholdExceeded, .latencyThresholdExceeded, .peerReportedVolatility: .lossRecovery
        case .operatorRequested: .policyForcedRecovery
        case .stabilityWindowMet: .stabilityWindowMet
        default: .deadTransportRecovery
        }
    }

    // MARK: NAT rebinding

    /// A datagram of a known path's index from another address. Only a new packet number may move anything: the active path wants
    /// the session's highest, a candidate the highest that came on it (the active path's numbers run ahead of its probes).
    mutating func resolveMovedPath(_ slot: Int, _ arrival: Arrival, _ number: UInt64, isNewest: Bool, _ env: inout Environment) -> Int? {
        guard isConfirmed else { return nil }
        guard slot == activeSlot else {
            guard !paths[slot].hasReceived || number > paths[slot].largestReceived else { return nil }
            paths[slot].transport = arrival.transport
            paths[slot].address = arrival.from
            paths[slot].isValidated = false
            paths[slot].hasPendingAttempt = false
            paths[slot].role = .candidate
            paths[slot].datagramBytesSent = 0
            paths[slot].datagramBytesReceived = 0
            paths[slot].isChallengeOpen = false
            paths[slot].health.resetLoss()
            sent.forget(slot: slot)   // what went to the other address is no loss of this one
            requestChallenge(slot, &env)
            return slot
        }
        return isNewest ? openProvisional(slot, arrival, &env) : nil
    }

    /// The active path's possible new address: payloads go to both until it is proven.
    private mutating func openProvisional(_ active: Int, _ arrival: Arrival, _ env: inout Environment) -> Int? {
        forgetProvisional(&env)
        var path = Path()
        path.role = .provisional
        path.id = nextPathID
        path.index = paths[active].index
        path.peerConnectionID = paths[active].peerConnectionID
        path.ownConnectionID = paths[active].ownConnectionID
        path.transport = arrival.transport
        path.transportClass = paths[active].transportClass
        path.name = paths[active].name
        path.address = arrival.from
        path.health = paths[active].health
        path.expiresAt = env.now &+ max(3 &* path.health.probeTimeout, 1_000_000)
        makeRoomForPath(&env)
        guard let slot = paths.add(path) else { return nil }
        nextPathID &+= 1
        hasProvisional = true
        requestProof(slot, &env)
        timers.arm(.provisional, noLaterThan: env.now &+ paths[slot].health.probeTimeout)
        return slot
    }

    /// Challenge and nudge to the new address; the nudge to the old one too: a client that is still there learns that packet numbers
    /// go elsewhere, and takes no gap for loss.
    private mutating func requestProof(_ slot: Int, _ env: inout Environment) {
        requestChallenge(slot, &env)
        request(.nudge, slot, &env)
        if let activeSlot { request(.nudge, activeSlot, &env) }
    }

    /// There is at most one; it ends when another is opened, and when the session is bound to anything.
    mutating func forgetProvisional(_ env: inout Environment) {
        guard hasProvisional else { return }
        for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].role == .provisional { forgetPath(slot, &env) }
    }

    /// The proven new address replaces the active path's old one; everything else of the path stays.
    private mutating func adoptProvisional(_ slot: Int, _ env: inout Environment) -> Int {
        guard let activeSlot else {   // the old address is gone altogether: the new one is a path of its own
            hasProvisional = false
            paths[slot].role = .candidate
            return slot
        }
        paths[activeSlot].address = paths[slot].address
        paths[activeSlot].transport = paths[slot].transport
        paths[activeSlot].name = paths[slot].name
        paths[activeSlot].transportClass = paths[slot].transportClass
        paths[activeSlot].unacknowledged = max(paths[activeSlot].unacknowledged, paths[slot].unacknowledged)
        if paths[slot].hasReceived, paths[slot].largestReceived > paths[activeSlot].largestReceived {
            paths[activeSlot].largestReceived = paths[slot].largestReceived
            paths[activeSlot].largestReceivedAt = paths[slot].largestReceivedAt
        }
        sent.forget(slot: activeSlot)
        forgetPath(slot, &env)
        resendDelivery(activeSlot, &env)
        return activeSlot
    }

    /// Pending requests and provisional addresses end; a provisional one is nudged again until then.
    mutating func expirePaths(_ env: inout Environment) {
        for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].expiresAt != Timers.never {
            if paths[slot].expiresAt <= env.now {
                if paths[slot].role == .provisional {
                    forgetPath(slot, &env)
                } else {
                    paths[slot].hasPendingAttempt = false
                    paths[slot].expiresAt = Timers.never
                    if paths[slot].role == .pending { paths[slot].role = .candidate }
                }
            } else {
                if paths[slot].role == .provisional {
                    requestProof(slot, &env)
                }
                timers.arm(.provisional, noLaterThan: min(paths[slot].expiresAt, env.now &+ paths[slot].health.probeTimeout))
            }
        }
        unregisterRetired(&env)
    }

    /// Client: the gateway saw us at a new address. Prove it; nothing changes here until the gateway has bound.
    mutating func receiveNudge(_ version: UInt32, slot: Int?, _ env: inout Environment) {
        // With a newer version the gateway has bound us without our hearing of it; its REJECT will tell.
        guard isClient, version >= bindingVersion, slot != nil, slot == activeSlot, let activeSlot else { return }
        // What was lost on the way to the address we had is not the path's quality.
        inbound.restart(replay.largest, now: env.now, hold: max(4 &* paths[activeSlot].health.overdueAfter, 500_000))
        if state == .volatile || state == .degraded, attempt == nil { return proveAddress(activeSlot, &env) }
        guard state == .attached else { return }
        if rebindAttemptID == nil { beginRebinding(activeSlot, &env) } else { requestRebinding(activeSlot, &env) }
    }

    mutating func beginRebinding(_ slot: Int, _ env: inout Environment) {
        rebindAttemptID = env.random.next64()
        rebindTries = 0
        requestRebinding(slot, &env)
    }

    /// The REATTACH that answers a nudge, again until it is answered: the ACK alone tells us of the bind.
    mutating func requestRebinding(_ slot: Int, _ env: inout Environment) {
        guard rebindTries < Self.attemptTransmissions else {
            rebindAttemptID = nil
            return
        }
        timers[.reattach] = env.now &+ paths[slot].health.probeTimeout &<< UInt64(rebindTries)
        rebindTries &+= 1
        request(.reattach, slot, &env)
    }

    /// Client: the gateway has bound our new address; climb the same ladder in one call.
    /// A recovery that is under way ends with it: the gateway's order decides.
    mutating func followRebinding(_ version: UInt32, _ env: inout Environment) {
        bindingVersion = version
        guard let activeSlot, state != .birth, state != .terminated else { return }
        leaveAttached(&env)
        if state != .recovering { transition(to: .recovering, .deadTransportRecovery, &env) }
        bind(activeSlot, isSwitch: false, &env)
    }

    /// The peer binds, or has bound, what this end did not know of. False when it was not ATTACHED.
    @discardableResult
    mutating func leaveAttached(_ env: inout Environment) -> Bool {
        guard state == .attached else { return false }
        emit(JMP_EVENT_VOLATILITY_SIGNAL, reason: .peerReportedVolatility, &env)
        return transition(to: .volatile, .peerReportedVolatility, &env)
    }
}
