import CJumping
import JumpingCrypto
import JumpingSession
import JumpingWire

/// Between the ABI's structs and the core's: defaults, checks as a whole, and a message that names the wrong field.
package enum Settings {
    /// Bytes are all zero: reserved space must be.
    static func isZero<T>(_ value: T) -> Bool {
        withUnsafeBytes(of: value) { bytes in
            for byte in bytes where byte != 0 { return false }
            return true
        }
    }

    private static func fail(_ message: inout Message, _ field: StaticString, _ expected: StaticString, _ status: jmp_status) -> jmp_status {
        message.append(field)
        message.append(": expected ")
        message.append(expected)
        return status
    }

    // MARK: policy

    package static func initialize(_ policy: UnsafeMutablePointer<jmp_policy>) {
        export(Policy(), policy)
    }

    package static func check(_ policy: UnsafePointer<jmp_policy>, _ message: Message) -> jmp_status {
        Self.policy(policy, message).0
    }

    static func export(_ policy: Policy, _ target: UnsafeMutablePointer<jmp_policy>) {
        var out = jmp_policy()
        out.struct_size = UInt32(MemoryLayout<jmp_policy>.size)
        out.strict_binding = policy.strictBinding ? 1 : 0
        out.max_lifetime_us = policy.maxLifetime
        out.transport_lost_ttl_us = policy.transportLostTTL
        out.heartbeat_interval_us = policy.heartbeatInterval
        out.idle_heartbeat_us = policy.idleHeartbeat
        out.heartbeat_volatile_us = policy.heartbeatVolatile
        out.loss_window_us = policy.lossWindow
        out.volatile_to_degraded_us = policy.volatileToDegraded
        out.switch_cooldown_us = policy.switchCooldown
        out.recovery_window_us = policy.recoveryWindow
        out.proof_max_age_us = policy.proofMaxAge
        out.latency_volatile_threshold_us = policy.latencyVolatileThreshold
        out.stability_window_us = policy.stabilityWindow
        out.key_max_age_us = policy.keyMaxAge
        out.loss_volatile_threshold_ppm = policy.lossVolatileThresholdPPM
        out.max_consecutive_drops = policy.maxConsecutiveDrops
        out.max_switches_per_min = policy.maxSwitchesPerMinute
        out.switch_improvement_ppm = policy.switchImprovementPPM
        out.max_candidates = policy.maxCandidates
        out.allowed_classes = policy.allowedClasses
        out.replay_window = policy.replayWindow
        out.suites = policy.suites
        out.redundancy = UInt32(policy.redundancy.rawValue)
        out.redundancy_share_ppm = policy.redundancySharePPM
        out.control_expendable = policy.controlExpendable ? 1 : 0
        withUnsafeMutableBytes(of: &out.version) { if let base = $0.baseAddress { policy.version.copy(to: base) } }
        target.pointee = out
    }

    static func policy(_ source: UnsafePointer<jmp_policy>, _ message: Message) -> (jmp_status, Policy) {
        var message = message
        var policy = Policy()
        guard source.pointee.struct_size == UInt32(MemoryLayout<jmp_policy>.size) else {
            return (fail(&message, "struct_size", "sizeof(jmp_policy), set by jmp_policy_init", JMP_ERR_STRUCT_SIZE), policy)
        }
        let given = source.pointee
        guard isZero(given.reserved) else { return (fail(&message, "reserved", "zeros", JMP_ERR_STRUCT_SIZE), policy) }
        guard given.strict_binding <= 1 else { return (fail(&message, "strict_binding", "0 or 1", JMP_ERR_POLICY), policy) }
        policy.strictBinding = given.strict_binding == 1
        policy.maxLifetime = given.max_lifetime_us
        policy.transportLostTTL = given.transport_lost_ttl_us
        policy.heartbeatInterval = given.heartbeat_interval_us
        policy.idleHeartbeat = given.idle_heartbeat_us
        policy.heartbeatVolatile = given.heartbeat_volatile_us
        policy.lossWindow = given.loss_window_us
        policy.volatileToDegraded = given.volatile_to_degraded_us
        policy.switchCooldown = given.switch_cooldown_us
        policy.recoveryWindow = given.recovery_window_us
        policy.proofMaxAge = given.proof_max_age_us
        policy.latencyVolatileThreshold = given.latency_volatile_threshold_us
        policy.stabilityWindow = given.stability_window_us
        policy.keyMaxAge = given.key_max_age_us
        policy.lossVolatileThresholdPPM = given.loss_volatile_threshold_ppm
        policy.maxConsecutiveDrops = given.max_consecutive_drops
        policy.maxSwitchesPerMinute = given.max_switches_per_min
        policy.switchImprovementPPM = given.switch_improvement_ppm
        policy.maxCandidates = given.max_candidates
        policy.allowedClasses = given.allowed_classes
        policy.replayWindow = given.replay_window
        policy.suites = given.suites
        guard given.redundancy <= 2, let redundancy = Redundancy(rawValue: UInt8(truncatingIfNeeded: given.redundancy)) else {
            return (fail(&message, "redundancy", "JMP_REDUNDANCY_NEVER, _WHILE_VOLATILE or _ALWAYS", JMP_ERR_POLICY), policy)
        }
        policy.redundancy = redundancy
        policy.redundancySharePPM = given.redundancy_share_ppm
        guard given.control_expendable <= 1 else { return (fail(&message, "control_expendable", "0 or 1", JMP_ERR_POLICY), policy) }
        policy.controlExpendable = given.control_expendable == 1
        guard let version = withUnsafeBytes(of: given.version, { bytes in bytes.baseAddress.flatMap { Label(array: $0) } }) else {
            return (fail(&message, "version", "at most 31 printable ASCII bytes and a final zero", JMP_ERR_POLICY), policy)
        }
        policy.version = version
        if let fault = policy.fault { return (fail(&message, fault.field, fault.expected, JMP_ERR_POLICY), policy) }
        return (JMP_OK, policy)
    }

    // MARK: endpoint

    package static func initialize(_ config: UnsafeMutablePointer<jmp_config>) {
        let defaults = Config()
        var out = jmp_config()
        out.struct_size = UInt32(MemoryLayout<jmp_config>.size)
        out.flags = JMP_CONFIG_INITIATE | JMP_CONFIG_ACCEPT
        out.max_sessions = UInt32(defaults.maxSessions)
        out.max_half_open = UInt32(defaults.maxHalfOpen)
        out.max_waiting = UInt32(defaults.maxWaiting)
        out.event_capacity = UInt32(defaults.eventCapacity)
        out.cookie_threshold = UInt32(defaults.cookieThreshold)
        out.source_rate = defaults.sourceRate
        out.source_burst = defaults.sourceBurst
        out.suites = defaults.suites
        out.send_buffer = UInt32(defaults.sendBuffer)
        out.receive_buffer = UInt32(defaults.receiveBuffer)
        out.delivery_memory = UInt64(defaults.deliveryMemory)
        let name: StaticString = "node"
        withUnsafeMutableBytes(of: &out.node_id) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        }
        config.pointee = out
    }

    package static func check(_ config: UnsafePointer<jmp_config>, _ message: Message) -> jmp_status {
        let (status, _) = Self.config(config, message)
        return status
    }

    static func config(_ source: UnsafePointer<jmp_config>, _ message: Message) -> (jmp_status, Config) {
        var message = message
        var config = Config()
        guard source.pointee.struct_size == UInt32(MemoryLayout<jmp_config>.size) else {
            return (fail(&message, "struct_size", "sizeof(jmp_config), set by jmp_config_init", JMP_ERR_STRUCT_SIZE), config)
        }
        let given = source.pointee
        guard isZero(given.reserved), given.reserved0 == 0 else { return (fail(&message, "reserved", "zeros", JMP_ERR_STRUCT_SIZE), config) }
        let known = JMP_CONFIG_INITIATE | JMP_CONFIG_ACCEPT | JMP_CONFIG_ASK
        guard given.flags & ~known == 0, given.flags & (JMP_CONFIG_INITIATE | JMP_CONFIG_ACCEPT) != 0 else {
            return (fail(&message, "flags", "JMP_CONFIG_INITIATE, JMP_CONFIG_ACCEPT or both, and JMP_CONFIG_ASK", JMP_ERR_ARGUMENT), config)
        }
        if let (field, expected) = firstOutOfRange(given) { return (fail(&message, field, expected, JMP_ERR_ARGUMENT), config) }
        guard given.suites & JMP_SUITE_ALL == given.suites, given.suites != 0 else {
            return (fail(&message, "suites", "a set of JMP_SUITE_*, not empty", JMP_ERR_ARGUMENT), config)
        }
        guard given.suites & Suite.available != 0 else { return (fail(&message, "suites", "a suite available here", JMP_ERR_SUITE), config) }
        guard let nodeID = withUnsafeBytes(of: given.node_id, { bytes in bytes.baseAddress.flatMap { Label(array: $0) } }) else {
            return (fail(&message, "node_id", "at most 31 printable ASCII bytes and a final zero", JMP_ERR_ARGUMENT), config)
        }
        config.initiates = given.flags & JMP_CONFIG_INITIATE != 0
        config.accepts = given.flags & JMP_CONFIG_ACCEPT != 0
        config.asks = given.flags & JMP_CONFIG_ASK != 0
        config.maxSessions = Int(given.max_sessions)
        config.maxHalfOpen = Int(given.max_half_open)
        config.maxWaiting = Int(given.max_waiting)
        config.eventCapacity = Int(given.event_capacity)
        config.cookieThreshold = Int(given.cookie_threshold)
        config.sourceRate = given.source_rate
        config.sourceBurst = given.source_burst
        config.telemetryInterval = UInt64(given.telemetry_interval_ms) &* 1000
        config.suites = given.suites
        config.nodeTag = given.node_tag
        config.wallClockOffset = given.wall_clock_offset_us
        config.nodeID = nodeID
        config.sendBuffer = Int(given.send_buffer)
        config.receiveBuffer = Int(given.receive_buffer)
        config.deliveryMemory = Int(given.delivery_memory)
        return (JMP_OK, config)
    }

    private static func firstOutOfRange(_ given: jmp_config) -> (StaticString, StaticString)? {
        if given.max_sessions < 1 || given.max_sessions > 4_194_304 { return ("max_sessions", "1 to 4,194,304") }
        if given.max_half_open < 1 || given.max_half_open > 65_536 { return ("max_half_open", "1 to 65,536") }
        if given.max_waiting < 1 || given.max_waiting > 4096 { return ("max_waiting", "1 to 4,096") }
        if given.event_capacity < 64 || given.event_capacity > 65_536 { return ("event_capacity", "64 to 65,536") }
        if given.source_rate < 1 || given.source_rate > 1_000_000 { return ("source_rate", "1 to 1,000,000") }
        if given.source_burst < 1 || given.source_burst > 1_000_000 { return ("source_burst", "1 to 1,000,000") }
        if given.send_buffer < 1 << 16 || given.send_buffer > 1 << 26 { return ("send_buffer", "65,536 to 67,108,864") }
        if given.receive_buffer < 1 << 16 || given.receive_buffer > 1 << 26 { return ("receive_buffer", "65,536 to 67,108,864") }
        if given.delivery_memory < 1 << 22 || given.delivery_memory > 1 << 40 { return ("delivery_memory", "4,194,304 to 1,099,511,627,776") }
        if given.telemetry_interval_ms != 0, given.telemetry_interval_ms < 100 { return ("telemetry_interval_ms", "0 (off) or at least 100") }
        return nil
    }

    // MARK: protected payloads

    package static func initialize(_ options: UnsafeMutablePointer<jmp_payload_options>) {
        var out = jmp_payload_options()
        out.struct_size = UInt32(MemoryLayout<jmp_payload_options>.size)
        options.pointee = out
    }

    static func check(_ options: UnsafePointer<jmp_payload_options>) -> jmp_status {
        guard options.pointee.struct_size == UInt32(MemoryLayout<jmp_payload_options>.size), isZero(options.pointee.reserved),
              options.pointee.reserved0 == 0 else { return JMP_ERR_STRUCT_SIZE }
        return options.pointee.channel < UInt32(bitPattern: JMP_CHANNELS) && options.pointee.report <= 1 ? JMP_OK : JMP_ERR_ARGUMENT
    }

    // MARK: transport

    package static func initialize(_ config: UnsafeMutablePointer<jmp_transport_config>) {
        var out = jmp_transport_config()
        out.struct_size = UInt32(MemoryLayout<jmp_transport_config>.size)
        out.cost = 1
        out.mtu = UInt32(bitPattern: JMP_DEFAULT_MTU)
        config.pointee = out
    }

    static func transport(_ source: UnsafePointer<jmp_transport_config>) -> (jmp_status, Transport) {
        var transport = Transport()
        guard source.pointee.struct_size == UInt32(MemoryLayout<jmp_transport_config>.size), isZero(source.pointee.reserved) else {
            return (JMP_ERR_STRUCT_SIZE, transport)
        }
        let given = source.pointee
        guard given.transport_class < 32, given.cost >= 1, given.cost <= 1_000_000, given.mtu >= UInt32(bitPattern: JMP_MIN_MTU),
              given.mtu <= UInt32(bitPattern: JMP_MAX_MTU),
              let name = withUnsafeBytes(of: given.name, { bytes in bytes.baseAddress.flatMap { Name(array: $0) } }), name.count > 0 else {
            return (JMP_ERR_ARGUMENT, transport)
        }
        transport.transportClass = UInt8(truncatingIfNeeded: given.transport_class)
        transport.cost = given.cost
        transport.mtu = given.mtu
        transport.name = name
        return (JMP_OK, transport)
    }

    // MARK: connect

    package static func initialize(_ config: UnsafeMutablePointer<jmp_connect_config>) {
        var out = jmp_connect_config()
        out.struct_size = UInt32(MemoryLayout<jmp_connect_config>.size)
        out.pattern = UInt32(bitPattern: JMP_PATTERN_NNPSK0)
        out.transport = JMP_TRANSPORT_NONE
        out.handshake_timeout_us = 10_000_000
        config.pointee = out
    }

    static func check(_ config: UnsafePointer<jmp_connect_config>, _ env: borrowing Environment) -> jmp_status {
        guard config.pointee.struct_size == UInt32(MemoryLayout<jmp_connect_config>.size), isZero(config.pointee.reserved) else { return JMP_ERR_STRUCT_SIZE }
        guard config.pointee.hint_length <= UInt32(bitPattern: JMP_HINT_MAX), config.pointee.handshake_timeout_us >= 100_000,
              config.pointee.handshake_timeout_us <= 600_000_000 else { return JMP_ERR_ARGUMENT }
        guard env.transports.contains(config.pointee.transport) else { return JMP_ERR_TRANSPORT }
        guard env.policy.allows(transportClass: env.transports[config.pointee.transport].transportClass) else { return JMP_ERR_POLICY }
        if config.pointee.pattern == UInt32(bitPattern: JMP_PATTERN_NNPSK0) {
            return isZero(config.pointee.psk) ? JMP_ERR_KEY : JMP_OK
        }
        guard config.pointee.pattern == UInt32(bitPattern: JMP_PATTERN_IKPSK2) else { return JMP_ERR_ARGUMENT }
        return env.hasStaticKey && !isZero(config.pointee.gateway_key) ? JMP_OK : JMP_ERR_KEY
    }
}
