import CJumping

/// An event as one line of JSON. Fields that an event type does not use are left out; those every event has come first.
package enum EventJSON {
    package static func write(_ event: UnsafePointer<jmp_event>, into buffer: UnsafeMutablePointer<CChar>, _ capacity: Int,
                              _ length: UnsafeMutablePointer<Int>) -> jmp_status {
        var json = JSONWriter(buffer, capacity)
        json.begin()
        json.field("ts_ms", signed: event.pointee.ts_ms)
        json.field("time_us", event.pointee.time)
        json.field("event_type", Names.event(event.pointee.type))
        json.field("sequence", event.pointee.sequence)
        withUnsafeBytes(of: event.pointee.session_id) { json.field("session_id", hex: $0) }
        withUnsafeBytes(of: event.pointee.node_id) { json.field("node_id", text: $0) }
        withUnsafeBytes(of: event.pointee.policy_version) { json.field("policy_version", text: $0) }
        if event.pointee.dropped > 0 { json.field("events_dropped", event.pointee.dropped) }
        if event.pointee.seeded != 0 { json.field("seeded", true) }
        if event.pointee.session != 0 { writeSession(event, &json) }
        writeDetails(event, &json)
        json.end()
        guard !json.failed else { return JMP_ERR_BUFFER_TOO_SMALL }
        length.pointee = json.count
        return JMP_OK
    }

    private static func writeSession(_ event: UnsafePointer<jmp_event>, _ json: inout JSONWriter) {
        json.field("role", Names.role(event.pointee.role))
        if event.pointee.label.0 != 0 { withUnsafeBytes(of: event.pointee.label) { json.field("label", text: $0) } }
        json.field("state", Names.state(event.pointee.new_state))
        json.field("state_version", event.pointee.state_version)
        json.field("binding_version", event.pointee.binding_version)
        json.field("payloads_sent", event.pointee.payloads_sent)
        json.field("payloads_received", event.pointee.payloads_received)
    }

    private static func writeDetails(_ event: UnsafePointer<jmp_event>, _ json: inout JSONWriter) {
        switch Int32(truncatingIfNeeded: event.pointee.type) {
        case JMP_EVENT_SESSION_STATE_CHANGE, JMP_EVENT_TRANSITION_REJECTED:
            json.field("previous_state", Names.state(event.pointee.previous_state))
            json.field("new_state", Names.state(event.pointee.new_state))
            json.field("reason_code", Names.reason(event.pointee.reason))
            writePath(event, &json)
        case JMP_EVENT_TRANSPORT_SWITCH:
            writeEnds(event, &json)
            json.field("explicit", event.pointee.explicit_switch != 0)
            json.field("auditable", event.pointee.auditable != 0)
            json.field("reason_code", Names.reason(event.pointee.reason))
            writeHealth(event, &json)
        case JMP_EVENT_SESSION_TERMINATED:
            json.field("reason_code", Names.reason(event.pointee.reason))
            if event.pointee.cause != 0 { json.field("cause", Names.reason(event.pointee.cause)) }
            json.field("age_ms", event.pointee.age_us / 1000)
        case JMP_EVENT_SECURITY_REPLAY_DETECTED, JMP_EVENT_SECURITY_VALIDATION_FAILED, JMP_EVENT_RATE_LIMITED:
            json.field("reason_code", Names.reason(event.pointee.reason))
            json.field("cause", Names.drop(event.pointee.cause))
            if event.pointee.attempt_id != 0 { json.field("attempt_id", hex: event.pointee.attempt_id) }
            writeEnds(event, &json)
        case JMP_EVENT_PAYLOAD_ACKNOWLEDGED, JMP_EVENT_PAYLOAD_EXPIRED:
            json.field("payload_tag", event.pointee.payload_tag)
            json.field("channel", UInt64(event.pointee.channel))
            json.field("payload_sequence", event.pointee.payload_sequence)
            json.field("payload_length", UInt64(event.pointee.payload_length))
        case JMP_EVENT_FLOW_CONTROL_UPDATE:
            json.field("congestion_window", event.pointee.congestion_window)
            json.field("pacing_rate", event.pointee.pacing_rate)
            json.field("bytes_in_flight", event.pointee.bytes_in_flight)
            writePath(event, &json)
            writeHealth(event, &json)
        case JMP_EVENT_ACCEPT_REQUESTED:
            writeRequest(event, &json)
        case JMP_EVENT_REATTACH_ATTEMPT, JMP_EVENT_REATTACH_RESULT:
            json.field("attempt_id", hex: event.pointee.attempt_id)
            json.field("reason_code", Names.reason(event.pointee.reason))
            writeEnds(event, &json)
        default:
            if event.pointee.reason != 0 { json.field("reason_code", Names.reason(event.pointee.reason)) }
            if event.pointee.cause != 0 { json.field("cause", Names.reason(event.pointee.cause)) }
            writeEnds(event, &json)
            writeHealth(event, &json)
        }
    }

    private static func writePath(_ event: UnsafePointer<jmp_event>, _ json: inout JSONWriter) {
        guard event.pointee.from_transport.0 != 0 else { return }
        withUnsafeBytes(of: event.pointee.from_transport) { json.field("transport", text: $0) }
    }

    /// from_transport and to_transport where both are known, transport where one is.
    private static func writeEnds(_ event: UnsafePointer<jmp_event>, _ json: inout JSONWriter) {
        let hasTarget = event.pointee.to_transport.0 != 0
        if event.pointee.from_transport.0 != 0 {
            withUnsafeBytes(of: event.pointee.from_transport) { json.field(hasTarget ? "from_transport" : "transport", text: $0) }
        }
        if hasTarget { withUnsafeBytes(of: event.pointee.to_transport) { json.field("to_transport", text: $0) } }
        writeAddress("from_address", event.pointee.from_address, &json)
        writeAddress("to_address", event.pointee.to_address, &json)
    }

    private static func writeAddress(_ name: StaticString, _ address: jmp_address, _ json: inout JSONWriter) {
        let count = min(Int(address.length), Int(JMP_ADDRESS_MAX))
        guard count > 0 else { return }
        withUnsafeBytes(of: address.bytes) { json.field(name, hex: UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
    }

    private static func writeHealth(_ event: UnsafePointer<jmp_event>, _ json: inout JSONWriter) {
        guard event.pointee.session != 0 else { return }
        json.field("candidate_count", UInt64(event.pointee.candidate_count))
        json.field("loss_ratio", millionths: event.pointee.loss_ppm)
        json.field("latency_estimate_ms", thousandths: event.pointee.latency_us)
        json.field("suite", Names.suite(event.pointee.suite))
        json.field("key_phase", UInt64(event.pointee.key_phase))
    }

    private static func writeRequest(_ event: UnsafePointer<jmp_event>, _ json: inout JSONWriter) {
        json.field("pattern", event.pointee.pattern == UInt32(bitPattern: JMP_PATTERN_IKPSK2) ? "IKpsk2" : "NNpsk0")
        let count = min(Int(event.pointee.hint_length), Int(JMP_HINT_MAX))
        withUnsafeBytes(of: event.pointee.hint) { json.field("hint", hex: UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
        if event.pointee.pattern == UInt32(bitPattern: JMP_PATTERN_IKPSK2) {
            withUnsafeBytes(of: event.pointee.peer_key) { json.field("peer_key", hex: $0) }
        }
        writeAddress("from_address", event.pointee.from_address, &json)
    }
}

/// Writes one flat JSON object into a C buffer, ended by a zero. Sets `failed` instead of overrunning.
struct JSONWriter {
    private let buffer: UnsafeMutablePointer<CChar>
    private let capacity: Int
    private(set) var count = 0
    private(set) var failed = false
    private var isFirst = true

    init(_ buffer: UnsafeMutablePointer<CChar>, _ capacity: Int) {
        self.buffer = buffer
        self.capacity = capacity
    }

    private mutating func put(_ byte: UInt8) {
        guard count &+ 1 < capacity else {
            failed = true
            return
        }
        buffer[count] = CChar(bitPattern: byte)
        count &+= 1
    }

    private mutating func put(_ text: StaticString) {
        for i in 0..<text.utf8CodeUnitCount { put(text.utf8Start[i]) }
    }

    private mutating func put(number: UInt64) {
        if number >= 10 { put(number: number / 10) }
        put(UInt8(truncatingIfNeeded: 48 &+ number % 10))
    }

    /// `digits` digits with leading zeros.
    private mutating func put(padded number: UInt64, digits: Int) {
        var divisor: UInt64 = 1
        for _ in 1..<digits { divisor &*= 10 }
        while divisor > 0 {
            put(UInt8(truncatingIfNeeded: 48 &+ number / divisor % 10))
            divisor /= 10
        }
    }

    mutating func begin() { put("{") }

    mutating func end() {
        put("}")
        if count < capacity { buffer[count] = 0 } else { failed = true }
    }

    private mutating func name(_ name: StaticString) {
        if !isFirst { put(", ") }
        isFirst = false
        put("\"")
        put(name)
        put("\": ")
    }

    mutating func field(_ key: StaticString, _ value: StaticString) {
        name(key)
        put("\"")
        put(value)
        put("\"")
    }

    mutating func field(_ key: StaticString, _ value: UInt64) {
        name(key)
        put(number: value)
    }

    mutating func field(_ key: StaticString, signed value: Int64) {
        name(key)
        if value < 0 { put("-") }
        put(number: value.magnitude)
    }

    mutating func field(_ key: StaticString, _ value: Bool) {
        name(key)
        put(value ? "true" : "false")
    }

    mutating func field(_ key: StaticString, millionths value: UInt32) {
        name(key)
        put(number: UInt64(value / 1_000_000))
        put(".")
        put(padded: UInt64(value % 1_000_000), digits: 6)
    }

    mutating func field(_ key: StaticString, thousandths value: UInt32) {
        name(key)
        put(number: UInt64(value / 1000))
        put(".")
        put(padded: UInt64(value % 1000), digits: 3)
    }

    mutating func field(_ key: StaticString, hex value: UInt64) {
        var bytes = value.bigEndian
        withUnsafeBytes(of: &bytes) { field(key, hex: $0) }
    }

    mutating func field(_ key: StaticString, hex bytes: UnsafeRawBufferPointer) {
        name(key)
        put("\"")
        for byte in bytes {
            put(hexDigit(byte >> 4))
            put(hexDigit(byte & 0xF))
        }
        put("\"")
    }

    private func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? 48 &+ value : 87 &+ value
    }

    /// Text up to its first zero; whatever JSON needs escaped is (a host may have edited the struct).
    mutating func field(_ key: StaticString, text bytes: UnsafeRawBufferPointer) {
        name(key)
        put("\"")
        for byte in bytes {
            if byte == 0 { break }
            switch byte {
            case 0x22: put("\\\"")
            case 0x5C: put("\\\\")
            case 0x20...0x7E: put(byte)
            default:
                put("\\u00")
                put(hexDigit(byte >> 4))
                put(hexDigit(byte & 0xF))
            }
        }
        put("\"")
    }
}
