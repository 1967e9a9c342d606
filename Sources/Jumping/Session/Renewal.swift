import CJumping
import JumpingCrypto
import JumpingSession
import JumpingWire

/// Key phases and policy replacement: what changes while the session stays.
extension Session {
    /// AES-GCM is left after 2²² datagrams of a phase.
    static let gcmPhaseLimit: UInt64 = 1 << 22

    private var previousPhaseLifetime: UInt64 {
        max(3 &* (activeSlot.map { paths[$0].health.probeTimeout } ?? 333_000), 1_000_000)
    }

    /// Phase n + 1 starts only after the peer has used n and three probe timeouts have passed.
    func canRotate(_ now: UInt64) -> Bool {
        guard let keys = keys?.pointee.phaseStartedAt, isConfirmed || isClient else { return false }
        let settle = 3 &* (activeSlot.map { paths[$0].health.probeTimeout } ?? 333_000)
        return isPhaseConfirmed && now &- keys >= settle
    }

    private var isPhaseConfirmed: Bool { keys?.pointee.isPhaseConfirmed ?? false }

    /// A datagram of the present phase was opened: from now on the old one is only for stragglers (RFC 9001 §6.5).
    @inline(__always)
    mutating func notePhaseConfirmed(_ env: inout Environment) {
        if !isPhaseConfirmed { confirmPhase(&env) }
    }

    @inline(never)
    private mutating func confirmPhase(_ env: inout Environment) {
        keys?.pointee.confirmPhase()
        armEarlier(.previousKey, env.now &+ previousPhaseLifetime, &env)
    }

    mutating func rotateKeys(_ env: inout Environment) {
        timers[.keyRotation] = env.now &+ 1_000_000
        guard state != .birth, canRotate(env.now) else { return }
        keys?.pointee.advance(now: env.now, byPeer: false)
        phaseChanged(&env)
        if let activeSlot { requestPing(activeSlot, &env) }   // the peer learns of the phase now, not at the next payload
    }

    /// The peer's first authentic datagram of the next phase.
    @inline(never)
    mutating func acceptNextPhase(_ env: inout Environment) {
        keys?.pointee.advance(now: env.now, byPeer: true)
        phaseChanged(&env)
        if let activeSlot { requestPing(activeSlot, &env) }
    }

    private mutating func phaseChanged(_ env: inout Environment) {
        counters.keyRotations &+= 1
        failedOpens = 0
        timers.cancel(.previousKey)   // the old phase may go only after the peer has shown that it has the new one
        if isPhaseConfirmed { timers[.previousKey] = env.now &+ previousPhaseLifetime }
        timers[.keyRotation] = env.now &+ (isClient ? policy.keyMaxAge : policy.keyMaxAge &+ policy.keyMaxAge / 4)
        emit(JMP_EVENT_KEY_ROTATED, reason: .none, &env)
    }

    // MARK: policy

    /// Gateway: the new policy applies now and travels until the client has confirmed it.
    mutating func replacePolicy(_ fresh: Policy, _ env: inout Environment) -> jmp_status {
        guard state != .terminated else { return JMP_ERR_TERMINATED }
        guard !isClient else { return JMP_ERR_ROLE }
        guard isConfirmed else { return JMP_ERR_STATE }
        guard let agreed = fresh.negotiated(with: clientLimits) else { return JMP_ERR_POLICY }
        policySequence &+= 1
        isPolicyUnacknowledged = true
        applyPolicy(agreed, &env)
        sendPolicy(&env)
        return JMP_OK
    }

    mutating func sendPolicy(_ env: inout Environment) {
        guard isPolicyUnacknowledged, let activeSlot else { return }
        request(.policy, activeSlot, &env)
        timers.arm(.report, noLaterThan: env.now &+ max(paths[activeSlot].health.probeTimeout, 100_000))
    }

    /// False when the policy is malformed; it is then neither applied nor confirmed.
    mutating func receivePolicy(_ sequence: UInt32, _ bytes: UnsafeRawBufferPointer, slot: Int?, _ env: inout Environment) -> Bool {
        guard isClient, let slot else { return true }
        if sequence > policySequence {
            var reader = ByteReader(bytes)
            guard let fresh = Policy(&reader)?.negotiated(with: clientLimits) else { return false }
            policySequence = sequence
            applyPolicy(fresh, &env)
        }
        request(.policyAck, slot, &env)
        return true
    }

    mutating func receivePolicyAck(_ sequence: UInt32, _ env: inout Environment) {
        guard !isClient, sequence == policySequence else { return }
        isPolicyUnacknowledged = false
    }

    /// Running deadlines are counted from their old beginnings under the new limits. A client leaves a path whose class
    /// is not allowed any more.
    private mutating func applyPolicy(_ fresh: Policy, _ env: inout Environment) {
        let suites = policy.suites
        policy = fresh
        policy.suites = suites   // the suite was agreed in the handshake
        env.policies.share(&agreement)
        let (expiry, overflow) = createdAt.addingReportingOverflow(policy.maxLifetime)
        timers[.lifetime] = overflow ? Timers.never : expiry
        if transportLostAt != Timers.never { timers[.transportLost] = transportLostAt &+ policy.transportLostTTL }
        if state == .recovering { timers[.recoveryWindow] = recoveringSince &+ policy.recoveryWindow }
        timers.arm(.keyRotation, noLaterThan: env.now &+ policy.keyMaxAge)
        timers.arm(.heartbeat, noLaterThan: env.now &+ policy.heartbeatInterval)
        emit(JMP_EVENT_POLICY_CHANGED, reason: .none, &env)
        guard isClient, let activeSlot, !policy.allows(transportClass: paths[activeSlot].transportClass) else { return }
        episode.isOperatorRequested = true
        if state == .attached { becomeVolatile(.operatorRequested, &env) } else { recover(&env) }
    }
}
