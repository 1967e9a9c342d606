import JumpingWire
import Testing
@testable import JumpingSession

/// One number of the policy: how to set it, and its range from the public header.
private struct Field: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let low: UInt64
    let high: UInt64
    let set: @Sendable (inout Policy, UInt64) -> Void

    init(_ name: String, _ range: ClosedRange<UInt64>, _ set: @escaping @Sendable (inout Policy, UInt64) -> Void) {
        testDescription = name
        (low, high, self.set) = (range.lowerBound, range.upperBound, set)
    }

    private static let ms: UInt64 = 1000, second: UInt64 = 1_000_000, minute: UInt64 = 60_000_000, day: UInt64 = 86_400_000_000

    static let all: [Field] = [
        Field("max_lifetime_us", second...(7 * day)) { $0.maxLifetime = $1 },
        Field("transport_lost_ttl_us", second...day) { $0.transportLostTTL = $1 },
        Field("heartbeat_interval_us", (20 * ms)...minute) { policy, value in
            policy.heartbeatInterval = value
            policy.idleHeartbeat = min(max(value, 15 * second), 10 * minute)
        },
        Field("idle_heartbeat_us", (500 * ms)...(10 * minute)) { $0.idleHeartbeat = $1 },
        Field("heartbeat_volatile_us", (20 * ms)...minute) { $0.heartbeatVolatile = $1 },
        Field("loss_window_us", (100 * ms)...minute) { $0.lossWindow = $1 },
        Field("volatile_to_degraded_us", (10 * ms)...(10 * minute)) { $0.volatileToDegraded = $1 },
        Field("switch_cooldown_us", 0...(10 * minute)) { $0.switchCooldown = $1 },
        Field("recovery_window_us", (100 * ms)...(10 * minute)) { $0.recoveryWindow = $1 },
        Field("proof_max_age_us", (100 * ms)...minute) { $0.proofMaxAge = $1 },
        Field("latency_volatile_threshold_us", ms...minute) { $0.latencyVolatileThreshold = $1 },
        Field("stability_window_us", (10 * ms)...minute) { $0.stabilityWindow = $1 },
        Field("key_max_age_us", second...day) { $0.keyMaxAge = $1 },
        Field("loss_volatile_threshold_ppm", 1000...1_000_000) { $0.lossVolatileThresholdPPM = UInt32($1) },
        Field("max_consecutive_drops", 2...32) { $0.maxConsecutiveDrops = UInt32($1) },
        Field("max_switches_per_min", 1...60) { $0.maxSwitchesPerMinute = UInt32($1) },
        Field("switch_improvement_ppm", 1_000_000...10_000_000) { $0.switchImprovementPPM = UInt32($1) },
        Field("max_candidates", 0...6) { $0.maxCandidates = UInt32($1) },
        Field("allowed_classes", 1...UInt64(UInt32.max)) { $0.allowedClasses = UInt32($1) },
        Field("replay_window", 64...65_536) { $0.replayWindow = UInt32($1) },
        Field("suites", 1...7) { $0.suites = UInt32($1) },
    ]
}

struct PolicyTests {
    /// DESIGN section 4.
    @Test func theDefaultsAreTheDesigns() {
        let policy = Policy()
        #expect(policy.fault == nil)
        #expect(policy.maxLifetime == 8 * 3600 * 1_000_000)
        #expect(policy.transportLostTTL == 30_000_000)
        #expect((policy.heartbeatInterval, policy.idleHeartbeat, policy.heartbeatVolatile) == (500_000, 15_000_000, 2_000_000))
        #expect((policy.lossWindow, policy.lossVolatileThresholdPPM, policy.maxConsecutiveDrops) == (2_000_000, 200_000, 3))
        #expect((policy.volatileToDegraded, policy.maxSwitchesPerMinute, policy.switchCooldown) == (4_000_000, 8, 1_500_000))
        #expect((policy.recoveryWindow, policy.switchImprovementPPM, policy.maxCandidates) == (8_000_000, 1_100_000, 3))
        #expect((policy.proofMaxAge, policy.replayWindow, policy.latencyVolatileThreshold) == (5_000_000, 1024, 0))
        #expect((policy.stabilityWindow, policy.allowedClasses, policy.strictBinding) == (2_000_000, .max, false))
    }

    // MARK: faults

    @Test(arguments: Field.all)
    private func bothEndsOfARangeAreValid(field: Field) {
        for value in [field.low, field.high] {
            var policy = Policy()
            field.set(&policy, value)
            #expect(policy.fault == nil, "\(value): \(policy.fault?.field.description ?? "")")
        }
    }

    @Test(arguments: Field.all)
    private func aValueBeyondItsRangeIsNamed(field: Field) {
        var outside: [UInt64] = []
        // 0 turns the latency threshold off; 0 is the lowest there is for the cooldown and the candidates.
        if field.low > 0, field.low - 1 > 0 || field.testDescription != "latency_volatile_threshold_us" { outside.append(field.low - 1) }
        if field.high < UInt64(UInt32.max) || field.low >= 10_000 { outside.append(field.high + 1) }
        if field.high > UInt64(UInt32.max) { outside.append(.max) }
        for value in outside {
            var policy = Policy()
            field.set(&policy, value)
            #expect(policy.fault?.field.description == field.testDescription, "\(value)")
            #expect((policy.fault?.expected.utf8CodeUnitCount ?? 0) > 0)
        }
        #expect(!outside.isEmpty || field.testDescription == "allowed_classes")
    }

    @Test func noClassAtAllIsAFault() {
        var policy = Policy()
        policy.allowedClasses = 0
        #expect(policy.fault?.field.description == "allowed_classes")
    }

    @Test func aReplayWindowIsAPowerOfTwo() {
        for size: UInt32 in 1...5000 {
            var policy = Policy()
            policy.replayWindow = size
            #expect((policy.fault == nil) == [64, 128, 256, 512, 1024, 2048, 4096].contains(size), "\(size)")
        }
    }

    @Test func unknownSuitesAreAFault() {
        for suites: UInt32 in [0, 8, 9, 15, .max] {
            var policy = Policy()
            policy.suites = suites
            #expect(policy.fault?.field.description == "suites")
        }
    }

    @Test func anIdleHeartbeatIsNeverFasterThanTheBusyOne() {
        var policy = Policy()
        policy.heartbeatInterval = 16_000_000
        #expect(policy.fault?.field.description == "idle_heartbeat_us")
        policy.idleHeartbeat = 16_000_000
        #expect(policy.fault == nil)
    }

    @Test func theFirstFaultIsTheOneNamed() {
        var policy = Policy()
        policy.suites = 0
        policy.lossWindow = 0
        #expect(policy.fault?.field.description == "loss_window_us")
    }

    @Test func classesAreBits() {
        var policy = Policy()
        policy.allowedClasses = 1 << 0 | 1 << 31
        for number in UInt8.min...UInt8.max {
            #expect(policy.allows(transportClass: number) == (number == 0 || number == 31))
        }
    }

    // MARK: wire form

    private func bytes(_ policy: Policy) -> [UInt8] {
        var memory = [UInt8](repeating: 0, count: 400)
        return memory.withUnsafeMutableBytes { view in
            var writer = ByteWriter(view)
            policy.write(&writer)
            return Array(view[0..<writer.count])
        }
    }

    private func read(_ bytes: [UInt8]) -> Policy? {
        bytes.withUnsafeBytes { view in
            var reader = ByteReader(view)
            return Policy(&reader)
        }
    }

    @Test(arguments: UInt64(0)..<20)
    func everyValidPolicyRoundTrips(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var policy = Policy()
        for field in Field.all where field.testDescription != "replay_window" {
            field.set(&policy, UInt64.random(in: field.low...field.high, using: &random))
        }
        policy.replayWindow = 64 << UInt32.random(in: 0...10, using: &random)
        policy.idleHeartbeat = max(policy.idleHeartbeat, policy.heartbeatInterval)
        policy.strictBinding = Bool.random(using: &random)
        policy.version = text(["", "v1", "0123456789abcdef0123456789abcde"][Int(seed % 3)])
        #expect(policy.fault == nil)
        let sent = bytes(policy)
        #expect(sent.count <= Policy.wireCapacity)
        let received = try #require(read(sent))
        #expect(bytes(received) == sent)
        #expect(received.version == policy.version && received.strictBinding == policy.strictBinding)
        #expect((received.keyMaxAge, received.suites, received.maxLifetime) == (policy.keyMaxAge, policy.suites, policy.maxLifetime))
    }

    @Test func everyTruncationIsRefused() {
        let whole = bytes(Policy())
        for length in 0..<whole.count { #expect(read(Array(whole[0..<length])) == nil, "cut to \(length)") }
        #expect(read(whole) != nil)
    }

    @Test func anInvalidPolicyIsRefusedOnTheWireToo() {
        for field in Field.all where field.low > 1 {
            var policy = Policy()
            field.set(&policy, field.low - 1)
            #expect(read(bytes(policy)) == nil, "\(field.testDescription)")
        }
    }

    // MARK: negotiation (DESIGN section 4)

    @Test func theStricterLimitWins() throws {
        var gateway = Policy(), client = Policy()
        for (a, b) in [(1, 2), (2, 1)] as [(UInt64, UInt64)] {
            gateway.maxLifetime = a * 1_000_000_000
            client.maxLifetime = b * 1_000_000_000
            gateway.transportLostTTL = a * 2_000_000
            client.transportLostTTL = b * 2_000_000
            gateway.recoveryWindow = a * 3_000_000
            client.recoveryWindow = b * 3_000_000
            gateway.proofMaxAge = a * 4_000_000
            client.proofMaxAge = b * 4_000_000
            gateway.switchCooldown = a * 5_000_000
            client.switchCooldown = b * 5_000_000
            gateway.maxSwitchesPerMinute = UInt32(a) * 6
            client.maxSwitchesPerMinute = UInt32(b) * 6
            gateway.maxCandidates = UInt32(a)
            client.maxCandidates = UInt32(b)
            let agreed = try #require(gateway.negotiated(with: client.limits))
            #expect((agreed.maxLifetime, agreed.transportLostTTL) == (1_000_000_000, 2_000_000))
            #expect((agreed.recoveryWindow, agreed.proofMaxAge) == (3_000_000, 4_000_000))
            #expect(agreed.switchCooldown == 10_000_000, "the longer cooldown")
            #expect((agreed.maxSwitchesPerMinute, agreed.maxCandidates) == (6, 1))
        }
    }

    @Test func classesIntersectAndStrictBindingIsEithers() throws {
        var gateway = Policy(), client = Policy()
        gateway.allowedClasses = 0b0110
        client.allowedClasses = 0b0011
        #expect(try #require(gateway.negotiated(with: client.limits)).allowedClasses == 0b0010)
        for (a, b) in [(false, false), (true, false), (false, true), (true, true)] {
            gateway.strictBinding = a
            client.strictBinding = b
            #expect(try #require(gateway.negotiated(with: client.limits)).strictBinding == (a || b))
        }
    }

    @Test func everythingElseIsTheGateways() throws {
        var gateway = Policy(), client = Policy()
        gateway.heartbeatInterval = 100_000
        gateway.lossWindow = 3_000_000
        gateway.keyMaxAge = 5_000_000
        gateway.replayWindow = 4096
        gateway.switchImprovementPPM = 2_000_000
        gateway.version = text("gateway-7")
        client.version = text("client-1")
        let agreed = try #require(gateway.negotiated(with: client.limits))
        #expect((agreed.heartbeatInterval, agreed.lossWindow, agreed.keyMaxAge) == (100_000, 3_000_000, 5_000_000))
        #expect((agreed.replayWindow, agreed.switchImprovementPPM) == (4096, 2_000_000))
        #expect(agreed.version == gateway.version)
    }

    @Test func limitsThatNoValidPolicyMeetsRefuseTheSession() {
        var limits = Policy().limits
        limits.allowedClasses = 0
        #expect(Policy().negotiated(with: limits) == nil)
        limits = Policy().limits
        limits.maxLifetime = 0
        #expect(Policy().negotiated(with: limits) == nil)
        limits = Policy().limits
        limits.switchCooldown = .max
        #expect(Policy().negotiated(with: limits) == nil)
        limits = Policy().limits
        limits.maxSwitchesPerMinute = 0
        #expect(Policy().negotiated(with: limits) == nil)
    }
}
