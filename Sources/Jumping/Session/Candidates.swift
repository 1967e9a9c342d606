import CJumping
import JumpingSession
import JumpingWire

/// Paths besides the active one: offered, validated by challenge, kept warm, forgotten.
extension Session {
    // MARK: the host's word (client)

    mutating func addPath(_ transport: UInt32, _ address: Address, _ env: inout Environment) -> (jmp_status, UInt32) {
        guard state != .terminated else { return (JMP_ERR_TERMINATED, 0) }
        guard isClient else { return (JMP_ERR_ROLE, 0) }
        guard env.transports.contains(transport) else { return (JMP_ERR_TRANSPORT, 0) }
        guard paths.find(transport, address) == nil else { return (JMP_ERR_EXISTS, 0) }
        guard policy.allows(transportClass: env.transports[transport].transportClass) else { return (JMP_ERR_POLICY, 0) }
        // One path is active, or will be: the handshake's in BIRTH, the first to be bound when the active one is gone.
        guard paths.count < Int(policy.maxCandidates) &+ 1 else { return (JMP_ERR_PATH_LIMIT, 0) }
        guard let slot = insertPath(transport, address, env) else { return (JMP_ERR_PATH_LIMIT, 0) }
        resumeHandshake(&env)
        if keys != nil {
            paths[slot].nextProbeAt = env.now
            probe(&env)
            recover(&env)
        }
        return (JMP_OK, paths[slot].id)
    }

    mutating func insertPath(_ transport: UInt32, _ address: Address, _ env: borrowing Environment) -> Int? {
        var path = Path()
        path.id = nextPathID
        path.transport = transport
        path.transportClass = env.transports[transport].transportClass
        path.name = env.transports[transport].name
        path.address = address
        path.isHintedDown = isClient && !env.transports[transport].isUp
        guard let slot = paths.add(path) else { return nil }
        nextPathID &+= 1
        sent.forget(slot: slot)
        return slot
    }

    mutating func removePath(_ id: UInt32, _ env: inout Environment) -> jmp_status {
        guard state != .terminated else { return JMP_ERR_TERMINATED }
        guard isClient else { return JMP_ERR_ROLE }
        guard let slot = paths.find(id: id) else { return JMP_ERR_PATH }
        withdraw(slot, &env)
        return JMP_OK
    }

    /// The path is gone for certain (withdrawn, or its transport was removed).
    mutating func withdraw(_ slot: Int, _ env: inout Environment) {
        let wasActive = slot == activeSlot
        if attempt?.slot == slot {
            failAttemptBecausePathVanished(slot, &env)
        }
        if wasActive { emit(JMP_EVENT_TRANSPORT_DEAD, reason: .transportDead, target: slot, &env) }
        if wasActive { activeSlot = nil }
        dropInit(slot, &env)
        forgetPath(slot, &env)
        // A half-open session has one path, the one its handshake came on.
        if state == .birth, !isClient { return terminate(.handshakeFailed, tellPeer: false, &env) }
        guard wasActive, state != .birth else { return }
        startLostClock(env)
        episode.trigger = .transportDead
        if state == .attached || !isClient { becomeVolatile(.transportDead, &env) } else { recover(&env) }
    }

    private mutating func failAttemptBecausePathVanished(_ slot: Int, _ env: inout Environment) {
        paths[slot].isTried = true
        failAttempt(.reattachValidationFailed, &env)
    }

    /// The host's hint acts at once; newer evidence overrules it. A gateway tells its client over what is left.
    mutating func hint(_ transport: UInt32, isUp: Bool, _ env: inout Environment) {
        for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].transport == transport {
            if isUp {
                paths[slot].isHintedDown = false
                paths[slot].isTried = false
                if isClient, slot != activeSlot || paths[slot].isDead { paths[slot].nextProbeAt = env.now }
            } else if !paths[slot].isHintedDown {
                paths[slot].isHintedDown = true
                if slot == activeSlot, state != .birth {
                    declareDead(slot, .transportDead, &env)
                } else if attempt?.slot == slot {
                    failAttempt(.reattachValidationFailed, &env)
                }
            }
        }
        if isUp, keys != nil, state != .terminated {
            probe(&env)
            recover(&env)
        }
    }

    // MARK: connection ids

    /// Gives a path an index and with it its connection ids. The client registers its own id for it.
    mutating func giveIndex(_ value: UInt32, to slot: Int, _ env: inout Environment) {
        paths[slot].index = value
        paths[slot].peerConnectionID = keys?.pointee.peerConnectionID(value, nodeTag: isClient ? nodeTag : nil) ?? 0
        if isClient, let own = keys?.pointee.ownConnectionID(value, nodeTag: nil) { _ = env.connectionIDs.insert(own, index, value) }
    }

    /// The client's next index. The gateway knows 4 beyond the highest one used; within them an index whose path never had an
    /// answer may serve again, so that a dead network cannot use them up.
    private mutating func assignIndex(_ slot: Int, _ env: inout Environment) {
        let limit = highestIndex &+ 4
        for value in nextIndex...max(nextIndex, limit) where value <= limit && !isIndexUsed(value) {
            nextIndex = value &+ 1
            return giveIndex(value, to: slot, &env)
        }
        for value in (highestIndex &+ 1)...limit where !isIndexUsed(value) {
            return giveIndex(value, to: slot, &env)
        }
        takeIndexOver(slot, &env)
    }

    /// Every index has a path that never answered: the one asked most often lends its index, so that all of them take turns.
    private mutating func takeIndexOver(_ slot: Int, _ env: inout Environment) {
        var silent: Int?
        for other in 0..<paths.capacity where paths[other].isUsed && other != slot && other != activeSlot && other != attempt?.slot {
            guard paths[other].index != .max, !paths[other].isValidated, paths[other].lastEvidenceAt == .max,
                  UInt32(paths[other].challengeTries) >= policy.maxConsecutiveDrops else { continue }
            if silent.map({ paths[other].challengeTries > paths[$0].challengeTries }) ?? true { silent = other }
        }
        guard let silent else { return }
        let value = paths[silent].index
        paths[silent].index = .max
        paths[silent].outbox = []
        paths[silent].pings = 0
        paths[silent].isChallengeOpen = false
        paths[silent].challengeTries = 0
        giveIndex(value, to: slot, &env)
    }

    private func isIndexUsed(_ value: UInt32) -> Bool {
        for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].index == value { return true }
        return false
    }

    /// Gateway: ids up to 4 beyond the highest index used authentically; one that collides is never registered.
    mutating func registerAhead(_ env: inout Environment) {
        let wanted = highestIndex &+ 5
        while registeredIndices < wanted {
            if let own = keys?.pointee.ownConnectionID(registeredIndices, nodeTag: nodeTag) {
                _ = env.connectionIDs.insert(own, index, registeredIndices)
            }
            registeredIndices &+= 1
        }
    }

    /// Frees the slot; the ids stay registered for three probe timeouts, for datagrams on their way.
    mutating func forgetPath(_ slot: Int, _ env: inout Environment) {
        let path = paths[slot]
        paths.remove(slot)
        sent.forget(slot: slot)
        forgetMTU(slot)
        if lastAttemptSlot == slot { lastAttemptSlot = nil }
        if path.role == .provisional {
            hasProvisional = false
            return
        }
        if episode.requestedSlot == slot { episode.requestedSlot = nil }
        earlierAttempts.forget(slot)
        guard path.index != .max else { return }
        let evicted = retired.add(path.index, until: env.now &+ 3 &* path.health.probeTimeout)
        if evicted != .max { unregister(evicted, &env) }
        timers.arm(.provisional, noLaterThan: retired.earliest)
    }

    mutating func unregisterRetired(_ env: inout Environment) {
        while true {
            let value = retired.popExpired(env.now)
            if value == .max { break }
            unregister(value, &env)
        }
        if retired.earliest != Timers.never { timers.arm(.provisional, noLaterThan: retired.earliest) }
    }

    private func unregister(_ value: UInt32, _ env: inout Environment) {
        guard !isIndexUsed(value), isClient || !isInWindow(value) else { return }
        forgetID(value, &env)
    }

    /// Gateway: indices that a client may begin to use now. Its newest answered index is at most 4 behind our highest, and it goes at
    /// most 4 beyond; what it asked for without our answer reaching it, it asks for again.
    private func isInWindow(_ value: UInt32) -> Bool {
        value &+ 3 >= highestIndex && value <= highestIndex &+ 4
    }

    /// Every id this session has in the endpoint's table; before the keys go.
    func unregisterAll(_ env: inout Environment) {
        let first = highestIndex >= 3 ? highestIndex &- 3 : 0
        for value in first..<max(registeredIndices, highestIndex &+ 5) { forgetID(value, &env) }
        for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].index != .max { forgetID(paths[slot].index, &env) }
        for i in 0..<RetiredIndices.capacity where retired[i] != .max { forgetID(retired[i], &env) }
    }

    private func forgetID(_ value: UInt32, _ env: inout Environment) {
        if let own = keys?.pointee.ownConnectionID(value, nodeTag: isClient ? nil : nodeTag) { env.connectionIDs.remove(own, index) }
    }

    // MARK: gateway: new paths

    /// An authentic datagram under an index not in use: the client has another path.
    mutating func openPath(_ arrival: Arrival, _ env: inout Environment) -> Int? {
        guard !retired.contains(arrival.pathIndex) else { return nil }
        var path = Path()
        path.id = nextPathID
        path.transport = arrival.transport
        path.transportClass = env.transports[arrival.transport].transportClass
        path.address = arrival.from
        makeRoomForPath(&env)
        guard let slot = paths.add(path) else { return nil }
        nextPathID &+= 1
        sent.forget(slot: slot)
        giveIndex(arrival.pathIndex, to: slot, &env)
        moveWindow(to: arrival.pathIndex, &env)
        requestChallenge(slot, &env)
        return slot
    }

    /// The client has come this far: its next indices are registered, those it cannot use any more are not.
    private mutating func moveWindow(to value: UInt32, _ env: inout Environment) {
        guard value > highestIndex else { return }
        let first = highestIndex >= 3 ? highestIndex &- 3 : 0
        highestIndex = value
        for old in first..<max(first, value >= 3 ? value &- 3 : 0) where !retired.contains(old) { unregister(old, &env) }
        registerAhead(&env)
    }

    /// Forgets the candidates heard least recently until one more fits: max_candidates, and one for a pending reattach.
    mutating func makeRoomForPath(_ env: inout Environment) {
        let limit = min(Int(policy.maxCandidates) &+ 2, PathTable.limit)
        while paths.count >= limit {
            var oldest: Int?
            for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].isEvictable {
                guard let current = oldest else {
                    oldest = slot
                    continue
                }
                if paths[slot].receivedAt < paths[current].receivedAt { oldest = slot }
            }
            guard let oldest else { return }
            forgetPath(oldest, &env)
        }
    }

    // MARK: challenges

    mutating func receiveChallenge(_ value: UInt64, slot: Int?, _ env: inout Environment) {
        guard let slot else { return }
        paths[slot].response = value
        request(.response, slot, &env)
    }

    /// The answer counts only on the path that was challenged (RFC 9000 §8.2.3, stricter: same transport and address).
    mutating func receivePathResponse(_ value: UInt64, slot: Int?, _ env: inout Environment) {
        guard let slot, paths[slot].isChallengeOpen, paths[slot].challenge == value else { return }
        paths[slot].isChallengeOpen = false
        if paths[slot].challengeTries == 0 {
            paths[slot].challengeBackoff = 0
            if !env.isClamped { paths[slot].health.addRTT(env.now &- paths[slot].challengeSentAt, acknowledgementDelay: 0) }
        } else {
            paths[slot].challengeBackoff = min(paths[slot].challengeBackoff &+ min(paths[slot].challengeTries, 6), 6)
        }
        paths[slot].challengeTries = 0
        if !paths[slot].isValidated {
            paths[slot].isValidated = true
            paths[slot].validatedAt = env.now
        }
        paths[slot].health.addDelivered(now: env.now, window: policy.lossWindow)
        if paths[slot].role == .candidate { paths[slot].role = .standby }
        if isClient { paths[slot].nextProbeAt = env.now &+ probeInterval(env.now) }
        if isClient { timers.arm(.probe, noLaterThan: paths[slot].nextProbeAt) }
        noteEvidence(slot, &env)
        if paths[slot].hasPendingAttempt, paths[slot].isUsed { completePending(slot, &env) }
    }

    // MARK: keeping candidates warm (client)

    private func probeInterval(_ now: UInt64) -> UInt64 {
        if state != .attached { return 500_000 }
        return isBusy(now) ? 4 &* policy.heartbeatInterval : policy.idleHeartbeat
    }

    mutating func startProbing(_ env: inout Environment) {
        for slot in 0..<paths.capacity where paths[slot].isUsed && slot != activeSlot { paths[slot].nextProbeAt = env.now }
        probe(&env)
    }

    /// Trouble: every path is asked now whether it lives.
    mutating func probeEverything(_ env: inout Environment) {
        guard isClient else { return }
        for slot in 0..<paths.capacity where paths[slot].isUsed { paths[slot].nextProbeAt = min(paths[slot].nextProbeAt, env.now) }
        probe(&env)
    }

    /// Challenges every path whose time has come: candidates always, the active one only while it is dead.
    mutating func probe(_ env: inout Environment) {
        guard isClient, keys != nil, state != .terminated else { return }
        var next = Timers.never
        for slot in 0..<paths.capacity where paths[slot].isUsed {
            if slot == activeSlot, !paths[slot].isDead {
                paths[slot].nextProbeAt = Timers.never
                continue
            }
            if paths[slot].nextProbeAt == Timers.never { paths[slot].nextProbeAt = env.now }
            if paths[slot].nextProbeAt <= env.now { probe(slot, &env) }
            next = min(next, paths[slot].nextProbeAt)
        }
        timers[.probe] = next
    }

    private mutating func probe(_ slot: Int, _ env: inout Environment) {
        if paths[slot].index == .max { assignIndex(slot, &env) }
        guard paths[slot].index != .max else {
            paths[slot].nextProbeAt = env.now &+ 1_000_000
            return
        }
        if paths[slot].isChallengeOpen {
            if paths[slot].challengeTries < .max { paths[slot].challengeTries &+= 1 }
            if UInt32(paths[slot].challengeTries) >= policy.maxConsecutiveDrops { missProbe(slot, &env) }
        }
        requestChallenge(slot, &env)
        let pace = paths[slot].health.overdueAfter
        let ceiling = max(probeInterval(env.now), pace)
        let backoff = UInt64(min(min(paths[slot].challengeTries, 6) &+ paths[slot].challengeBackoff, 6))
        paths[slot].nextProbeAt = env.now &+ min(pace &<< backoff, max(ceiling, 500_000 &<< UInt64(min(paths[slot].challengeBackoff, 3))))
    }

    /// Several challenges in a row without an answer: the path is not there.
    private mutating func missProbe(_ slot: Int, _ env: inout Environment) {
        guard slot != activeSlot else { return }
        paths[slot].health.addLost(now: env.now, window: policy.lossWindow, thresholdPPM: policy.lossVolatileThresholdPPM)
        let wasValidated = paths[slot].isValidated
        paths[slot].isValidated = false
        if paths[slot].role == .standby { paths[slot].role = .candidate }
        if wasValidated, !paths[slot].isDead { emit(JMP_EVENT_TRANSPORT_DEAD, reason: .transportDead, target: slot, &env) }
        paths[slot].isDead = true
        startLostClock(env)
    }
}
