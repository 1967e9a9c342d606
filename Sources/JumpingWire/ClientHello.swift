/// The payload of Noise message 1: what the client is and the limits it asks for. Fixed length, so that message 1 is never
/// shorter than message 2 (no amplification) and its size tells nothing.
package struct ClientHello {
    package static let length = 192

    package var sessionID = SessionID()
    package var suites: UInt8 = 0
    package var transportClass: UInt8 = 0
    package var transportName = Name()
    package var label = Label()
    package var limits = PolicyLimits()

    package init() {}

    package func write(_ writer: inout ByteWriter) {
        let start = writer.count
        sessionID.withBytes { writer.copy($0) }
        writer.u8(suites)
        writer.u8(transportClass)
        writer.text(transportName)
        writer.text(label)
        limits.write(&writer)
        writer.zeros(Self.length &- (writer.count &- start))
    }

    /// nil when malformed.
    package init?(_ payload: UnsafeRawBufferPointer) {
        guard payload.count == Self.length else { return nil }
        var reader = ByteReader(payload)
        guard let id = reader.take(SessionID.size), let idBytes = id.baseAddress else { return nil }
        sessionID = SessionID(idBytes)
        suites = reader.u8()
        transportClass = reader.u8()
        guard transportClass < 32, let name = reader.text(Name.self), let label = reader.text(Label.self) else { return nil }
        transportName = name
        self.label = label
        limits = PolicyLimits(&reader)
        guard !reader.failed else { return nil }
    }
}

/// The limits a client may tighten. Times in microseconds.
package struct PolicyLimits: Equatable {
    package var maxLifetime: UInt64 = 0
    package var transportLostTTL: UInt64 = 0
    package var recoveryWindow: UInt64 = 0
    package var proofMaxAge: UInt64 = 0
    package var switchCooldown: UInt64 = 0
    package var maxSwitchesPerMinute: UInt32 = 0
    package var maxCandidates: UInt32 = 0
    package var allowedClasses: UInt32 = 0
    package var strictBinding: Bool = false

    package init() {}

    package func write(_ writer: inout ByteWriter) {
        writer.u64(maxLifetime)
        writer.u64(transportLostTTL)
        writer.u64(recoveryWindow)
        writer.u64(proofMaxAge)
        writer.u64(switchCooldown)
        writer.u32(maxSwitchesPerMinute)
        writer.u32(maxCandidates)
        writer.u32(allowedClasses)
        writer.u8(strictBinding ? 1 : 0)
    }

    package init(_ reader: inout ByteReader) {
        maxLifetime = reader.u64()
        transportLostTTL = reader.u64()
        recoveryWindow = reader.u64()
        proofMaxAge = reader.u64()
        switchCooldown = reader.u64()
        maxSwitchesPerMinute = reader.u32()
        maxCandidates = reader.u32()
        allowedClasses = reader.u32()
        strictBinding = reader.u8() != 0
    }
}
