import CJumping
import JumpingSession
import JumpingWire

extension Session {
    /// Not every silence is the path's: when the host comes late, the deadlines of its own making are pushed by one round trip,
    /// once per silence, and the path is probed.
    @inline(__always)
    mutating func noteLateness(dueAt due: UInt64, _ env: inout Environment) {
        if env.now > due { judgeLateness(dueAt: due, &env) }
    }

    @inline(never)
    private mutating func judgeLateness(dueAt due: UInt64, _ env: inout Environment) {
        let now = env.now
        guard let activeSlot else { return }
        let tolerance = max(paths[activeSlot].health.smoothedRTT / 4, 5000)
        guard now &- due > tolerance else { return }
        // What the peer says of the time we were away for says nothing of the path.
        reportsDoubtedUntil = now &+ max(4 &* paths[activeSlot].health.overdueAfter, 500_000)
        lateUntil = now &+ 20_000
        // Where no answer is awaited there is no silence: a busy gateway whose timers come late would else ask thousands of sessions for one.
        // And one pardon at a time: a host stays late until it lets time pass, and two such ends would answer each other's probes without end.
        guard awaitsAnswer(activeSlot, now), !paths[activeSlot].isSilenceForgiven, now >= graceUntil else { return }
        paths[activeSlot].isSilenceForgiven = true
        graceUntil = now &+ max(paths[activeSlot].health.overdueAfter, 20_000)
        env.counters.lateCalls &+= 1
        timers[.detection] = graceUntil
        requestPing(activeSlot, &env)
    }

    /// Something sent on the active path waits for its answer: since the last answer, or on its way then and overdue by now.
    private func awaitsAnswer(_ slot: Int, _ now: UInt64) -> Bool {
        if paths[slot].unansweredSince != .max { return true }
        return oldestUnanswered(slot).map { now &- $0 >= paths[slot].health.overdueAfter } ?? false
    }

    /// When it was sent.
    private func oldestUnanswered(_ slot: Int) -> UInt64? {
        for i in 0..<sent.count where isUnanswered(sent[i], slot) { return sent[i].sentAt }
        return nil
    }

    /// No acknowledgement named this datagram of the path, nor a later one.
    private func isUnanswered(_ packet: SentPacket, _ slot: Int) -> Bool {
        packet.slot == slot && (packet.fate == .outstanding || packet.fate == .missing || packet.fate == .lost)
            && (!paths[slot].hasAcknowledged || packet.number > paths[slot].newestAcknowledged)
    }

    /// Is the active path dead? (DESIGN "Dead"): max_consecutive_drops sends newer than the newest acknowledged one, each older
    /// than D. With fewer sends: at the first overdue one, two probes at once.
    mutating func detect(_ env: inout Environment) {
        guard let slot = activeSlot, !paths[slot].isDead else { return }
        judgeMissing(&env)
        guard activeSlot == slot, !paths[slot].isDead else { return }
        if env.now < graceUntil || hasProvisional {
            return armEarlier(.detection, max(graceUntil, env.now &+ paths[slot].health.overdueAfter), &env)
        }
        let overdueAfter = paths[slot].health.overdueAfter
        let needed = Int(policy.maxConsecutiveDrops)
        var count = 0
        var firstAt: UInt64 = 0, neededAt: UInt64 = 0
        for i in 0..<sent.count where isUnanswered(sent[i], slot) {
            count &+= 1
            if count == 1 { firstAt = sent[i].sentAt }
            if count == needed { neededAt = sent[i].sentAt }
        }
        guard count > 0 else { return }
        if env.now &- firstAt >= overdueAfter { suspectActivePath(&env) }
        // Of a long silence the table of sends may have forgotten the beginning.
        firstAt = min(firstAt, paths[slot].unansweredSince)
        if count >= needed, env.now &- neededAt >= overdueAfter {
            return declareDead(slot, .consecutiveDropExceeded, &env)
        }
        if env.now &- firstAt >= max(policy.heartbeatVolatile, overdueAfter) {
            return declareDead(slot, .heartbeatTimeout, &env)
        }
        if env.now &- firstAt >= overdueAfter, count < needed, !paths[slot].isSilenceProbed {
            paths[slot].isSilenceProbed = true
            requestPing(slot, count: UInt8(clamping: max(2, needed &- count)), &env)
            timers[.detection] = env.now &+ overdueAfter
        } else {
            var next = count >= needed ? neededAt &+ overdueAfter : firstAt &+ max(policy.heartbeatVolatile, overdueAfter)
            // Copies on a standby begin with the first doubt.
            if policy.redundancy == .whileVolatile, env.now &- firstAt < overdueAfter { next = firstAt &+ overdueAfter }
            timers[.detection] = min(timers[.detection], max(next, env.now &+ 256))
            if count < needed { timers[.detection] = min(timers[.detection], max(firstAt &+ overdueAfter, env.now &+ 1000)) }
        }
    }

    /// The active path has stopped working: VOLATILE, and whatever recovery there is.
    mutating func declareDead(_ slot: Int, _ reason: Reason, _ env: inout Environment) {
        paths[slot].isDead = true
        if paths[slot].role == .standby { paths[slot].role = .candidate }
        emit(JMP_EVENT_TRANSPORT_DEAD, reason: reason, target: slot, &env)
        startLostClock(env)
        restartMTU(slot, &env)
        guard slot == activeSlot else { return }
        // What a refusal said of the other paths was said while this one lived.
        for other in 0..<paths.capacity where other != attempt?.slot { paths[other].isTried = false }
        episode.trigger = reason   // whatever the trouble was before: from here on it is a death, and leaving is no choice
        becomeVolatile(reason, &env)
        // What was to be proven in place is gone; the next candidate is tried within the same recovery.
        if attempt?.slot == slot { failAttempt(.timedOut, &env) }
    }

    /// The transport-lost TTL runs only while no path gives two-way evidence, from the moment that is known.
    mutating func startLostClock(_ env: borrowing Environment) {
        if let activeSlot, !paths[activeSlot].isDead { return }
        guard transportLostAt == Timers.never, state != .birth else { return }
        transportLostAt = env.now
        let (deadline, overflow) = env.now.addingReportingOverflow(policy.transportLostTTL)
        timers[.transportLost] = overflow ? Timers.never : deadline
    }

    /// Evidence ends the clock; while the active path itself is dead it begins anew from the evidence.
    mutating func restartLostClock(_ env: borrowing Environment) {
        transportLostAt = Timers.never
        timers.cancel(.transportLost)
        startLostClock(env)
    }

    /// Loss and latency of the active path against the policy.
    mutating func judgeQuality(_ env: inout Environment) {
        guard state == .attached, let activeSlot else { return }
        let health = paths[activeSlot].health
        if health.isLossy(thresholdPPM: policy.lossVolatileThresholdPPM) {
            becomeVolatile(.lossThresholdExceeded, &env)
        } else if policy.latencyVolatileThreshold > 0, health.hasRTT, health.smoothedRTT > policy.latencyVolatileThreshold {
            becomeVolatile(.latencyThresholdExceeded, &env)
        }
    }

    /// Signals trouble. The client then recovers; the gateway tells the client over whatever path is left.
    mutating func becomeVolatile(_ reason: Reason, _ env: inout Environment) {
        guard state != .birth, state != .terminated else { return }
        emit(JMP_EVENT_VOLATILITY_SIGNAL, reason: reason, &env)
        if state == .attached { transition(to: .volatile, reason, &env) }
        reportCause = reason
        reportTries = 0
        if isClient {
            recover(&env)
        } else {
            sendReport(&env)
        }
    }

    // MARK: heartbeats

    /// Payloads moved lately: heartbeats at heartbeat_interval, else at idle_heartbeat.
    func isBusy(_ now: UInt64) -> Bool {
        now &- lastPayloadAt < 10 &* policy.heartbeatInterval
    }

    /// Gives back what only a session with payloads needs, when there are none; it is made again when they come. Sends that wait for their
    /// answer are kept.
    mutating func tidy(_ env: borrowing Environment) {
        guard !isBusy(env.now) else { return }
        keys?.pointee.becomeIdle()
        replay.compact()
        timers.compact()
        if state == .attached, let activeSlot, paths[activeSlot].unansweredSince == .max, oldestUnanswered(activeSlot) == nil { sent.drop() }
    }

    /// The client pings a path it has not asked anything on; the gateway only when the client's pings stay away.
    mutating func heartbeat(_ env: inout Environment) {
        tidy(env)
        let base = isBusy(env.now) ? policy.heartbeatInterval : policy.idleHeartbeat
        let interval = isClient ? base : base &+ base / 4 &+ policy.heartbeatInterval / 2
        guard let activeSlot, state != .birth else {
            timers[.heartbeat] = env.now &+ interval
            return
        }
        let quietSince = isClient ? paths[activeSlot].lastElicitingAt : max(paths[activeSlot].receivedAt, paths[activeSlot].lastElicitingAt)
        if env.now &- quietSince >= interval {
            requestPing(activeSlot, &env)
            timers[.heartbeat] = env.now &+ interval
        } else {
            timers[.heartbeat] = quietSince &+ interval
        }
    }

    /// Acknowledgements whose time has come. A client that only receives makes one per round trip ask for an answer, so that it
    /// notices a path that went silent.
    mutating func flushAcknowledgements(_ env: inout Environment) {
        for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].unacknowledged > 0 {
            request(.acknowledgement, slot, &env)
            if isClient, slot == activeSlot, env.now &- paths[slot].lastElicitingAt >= paths[slot].health.smoothedRTT,
               env.now &- lastPayloadAt < policy.heartbeatInterval {
                requestPing(slot, &env)
            }
        }
    }
}
