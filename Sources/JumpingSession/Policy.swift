package import JumpingWire

/// When protected payloads are also copied to a validated standby; raw values are JMP_REDUNDANCY_*.
package enum Redundancy: UInt8 {
    case never = 0
    case whileVolatile = 1
    case always = 2
}

/// How a session behaves (DESIGN "Policy"). Times in microseconds, ratios in parts per million; see jmp_policy for ranges.
package struct Policy: Equatable {
    package var maxLifetime: UInt64 = 8 * 3600 * 1_000_000
    package var transportLostTTL: UInt64 = 30_000_000
    package var heartbeatInterval: UInt64 = 500_000
    package var idleHeartbeat: UInt64 = 15_000_000
    package var heartbeatVolatile: UInt64 = 2_000_000
    package var lossWindow: UInt64 = 2_000_000
    package var volatileToDegraded: UInt64 = 4_000_000
    package var switchCooldown: UInt64 = 1_500_000
    package var recoveryWindow: UInt64 = 8_000_000
    package var proofMaxAge: UInt64 = 5_000_000
    package var latencyVolatileThreshold: UInt64 = 0
    package var stabilityWindow: UInt64 = 2_000_000
    package var keyMaxAge: UInt64 = 120_000_000
    package var lossVolatileThresholdPPM: UInt32 = 200_000
    package var maxConsecutiveDrops: UInt32 = 3
    package var maxSwitchesPerMinute: UInt32 = 8
    package var switchImprovementPPM: UInt32 = 1_100_000
    package var maxCandidates: UInt32 = 3
    package var allowedClasses: UInt32 = .max
    package var replayWindow: UInt32 = 1024
    package var suites: UInt32 = 7
    package var strictBinding = false
    package var redundancy = Redundancy.never
    /// Copies are at most this share of the protected bytes.
    package var redundancySharePPM: UInt32 = 1_000_000
    /// Congestion control counts expendable payloads and holds them back.
    package var controlExpendable = false
    package var version = Label()

    package init() {
        let text: StaticString = "default-1"
        version = Label(text: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)) ?? Label()
    }

    package func allows(transportClass: UInt8) -> Bool {
        transportClass < 32 && allowedClasses & (UInt32(1) << UInt32(transportClass)) != 0
    }
}

/// A field out of its range: which, and what was expected.
package struct PolicyFault {
    package let field: StaticString
    package let expected: StaticString
}

private struct RangeCheck {
    var fault: PolicyFault?

    mutating func need(_ value: UInt64, _ low: UInt64, _ high: UInt64, _ field: StaticString, _ expected: StaticString) {
        if fault == nil, value < low || value > high { fault = PolicyFault(field: field, expected: expected) }
    }
}

extension Policy {
    /// The first field out of its range, or nil: a policy is valid as a whole or not at all.
    package var fault: PolicyFault? {
        var check = RangeCheck()
        checkTimes(&check)
        checkCounts(&check)
        return check.fault
    }

    private func checkTimes(_ check: inout RangeCheck) {
        let ms: UInt64 = 1000, second: UInt64 = 1_000_000, minute: UInt64 = 60_000_000, day: UInt64 = 86_400_000_000
        check.need(maxLifetime, second, 7 * day, "max_lifetime_us", "1 s to 7 days")
        check.need(transportLostTTL, second, day, "transport_lost_ttl_us", "1 s to 1 day")
        check.need(heartbeatInterval, 20 * ms, minute, "heartbeat_interval_us", "20 ms to 60 s")
        check.need(idleHeartbeat, heartbeatInterval, 10 * minute, "idle_heartbeat_us", "heartbeat_interval_us to 10 min")
        check.need(heartbeatVolatile, 20 * ms, minute, "heartbeat_volatile_us", "20 ms to 60 s")
        check.need(lossWindow, 100 * ms, minute, "loss_window_us", "100 ms to 60 s")
        check.need(volatileToDegraded, 10 * ms, 10 * minute, "volatile_to_degraded_us", "10 ms to 10 min")
        check.need(switchCooldown, 0, 10 * minute, "switch_cooldown_us", "0 to 10 min")
        check.need(recoveryWindow, 100 * ms, 10 * minute, "recovery_window_us", "100 ms to 10 min")
        check.need(proofMaxAge, 100 * ms, minute, "proof_max_age_us", "100 ms to 60 s")
        check.need(latencyVolatileThreshold == 0 ? ms : latencyVolatileThreshold, ms, minute, "latency_volatile_threshold_us",
                   "0 (off) or 1 ms to 60 s")
        check.need(stabilityWindow, 10 * ms, minute, "stability_window_us", "10 ms to 60 s")
        check.need(keyMaxAge, second, day, "key_max_age_us", "1 s to 1 day")
    }

    private func checkCounts(_ check: inout RangeCheck) {
        check.need(UInt64(lossVolatileThresholdPPM), 1000, 1_000_000, "loss_volatile_threshold_ppm", "1,000 to 1,000,000")
        check.need(UInt64(maxConsecutiveDrops), 2, 32, "max_consecutive_drops", "2 to 32")
        check.need(UInt64(maxSwitchesPerMinute), 1, UInt64(SwitchLimiter.capacity), "max_switches_per_min", "1 to 60")
        check.need(UInt64(switchImprovementPPM), 1_000_000, 10_000_000, "switch_improvement_ppm", "1,000,000 to 10,000,000")
        check.need(UInt64(maxCandidates), 0, 6, "max_candidates", "0 to 6")
        check.need(UInt64(allowedClasses), 1, UInt64(UInt32.max), "allowed_classes", "at least one class")
        let isPowerOfTwo = replayWindow.nonzeroBitCount == 1
        check.need(isPowerOfTwo ? UInt64(replayWindow) : 0, 64, 65_536, "replay_window", "64 to 65,536, a power of two")
        check.need(UInt64(redundancySharePPM), 1000, 1_000_000, "redundancy_share_ppm", "1,000 to 1,000,000")
        check.need(suites & 7 == suites ? UInt64(suites) : 0, 1, 7, "suites", "a set of JMP_SUITE_*, not empty")
    }

    /// The limits a client sends in its hello.
    package var limits: PolicyLimits {
        var limits = PolicyLimits()
        limits.maxLifetime = maxLifetime
        limits.transportLostTTL = transportLostTTL
        limits.recoveryWindow = recoveryWindow
        limits.proofMaxAge = proofMaxAge
        limits.switchCooldown = switchCooldown
        limits.maxSwitchesPerMinute = maxSwitchesPerMinute
        limits.maxCandidates = maxCandidates
        limits.allowedClasses = allowedClasses
        limits.strictBinding = strictBinding
        return limits
    }

    /// The gateway's policy tightened by the client's limits; nil when no valid policy satisfies both.
    package func negotiated(with limits: PolicyLimits) -> Policy? {
        var policy = self
        policy.maxLifetime = min(maxLifetime, limits.maxLifetime)
        policy.transportLostTTL = min(transportLostTTL, limits.transportLostTTL)
        policy.recoveryWindow = min(recoveryWindow, limits.recoveryWindow)
        policy.proofMaxAge = min(proofMaxAge, limits.proofMaxAge)
        policy.switchCooldown = max(switchCooldown, limits.switchCooldown)
        policy.maxSwitchesPerMinute = min(maxSwitchesPerMinute, limits.maxSwitchesPerMinute)
        policy.maxCandidates = min(maxCandidates, limits.maxCandidates)
        policy.allowedClasses = allowedClasses & limits.allowedClasses
        policy.strictBinding = strictBinding || limits.strictBinding
        return policy.fault == nil ? policy : nil
    }
}

// MARK: wire form (Noise message 2 and POLICY frames)

extension Policy {
    package static let wireCapacity = 13 * 8 + 8 * 4 + 1 + 1 + 31 + 6

    package func write(_ writer: inout ByteWriter) {
        writer.u64(maxLifetime)
        writer.u64(transportLostTTL)
        writer.u64(heartbeatInterval)
        writer.u64(idleHeartbeat)
        writer.u64(heartbeatVolatile)
        writer.u64(lossWindow)
        writer.u64(volatileToDegraded)
        writer.u64(switchCooldown)
        writer.u64(recoveryWindow)
        writer.u64(proofMaxAge)
        writer.u64(latencyVolatileThreshold)
        writer.u64(stabilityWindow)
        writer.u64(keyMaxAge)
        writer.u32(lossVolatileThresholdPPM)
        writer.u32(maxConsecutiveDrops)
        writer.u32(maxSwitchesPerMinute)
        writer.u32(switchImprovementPPM)
        writer.u32(maxCandidates)
        writer.u32(allowedClasses)
        writer.u32(replayWindow)
        writer.u32(suites)
        writer.u8(strictBinding ? 1 : 0)
        writer.text(version)
        writer.u8(redundancy.rawValue)
        writer.u32(redundancySharePPM)
        writer.u8(controlExpendable ? 1 : 0)
    }

    /// nil when malformed or invalid.
    package init?(_ reader: inout ByteReader) {
        self.init()
        maxLifetime = reader.u64()
        transportLostTTL = reader.u64()
        heartbeatInterval = reader.u64()
        idleHeartbeat = reader.u64()
        heartbeatVolatile = reader.u64()
        lossWindow = reader.u64()
        volatileToDegraded = reader.u64()
        switchCooldown = reader.u64()
        recoveryWindow = reader.u64()
        proofMaxAge = reader.u64()
        latencyVolatileThreshold = reader.u64()
        stabilityWindow = reader.u64()
        keyMaxAge = reader.u64()
        lossVolatileThresholdPPM = reader.u32()
        maxConsecutiveDrops = reader.u32()
        maxSwitchesPerMinute = reader.u32()
        switchImprovementPPM = reader.u32()
        maxCandidates = reader.u32()
        allowedClasses = reader.u32()
        replayWindow = reader.u32()
        suites = reader.u32()
        strictBinding = reader.u8() != 0
        guard let version = reader.text(Label.self), !reader.failed else { return nil }
        self.version = version
        guard let redundancy = Redundancy(rawValue: reader.u8()) else { return nil }
        self.redundancy = redundancy
        redundancySharePPM = reader.u32()
        controlExpendable = reader.u8() != 0
        guard !reader.failed else { return nil }
        guard fault == nil else { return nil }
    }
}
