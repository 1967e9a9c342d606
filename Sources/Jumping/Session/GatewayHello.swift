import JumpingSession
import JumpingWire

/// The payload of Noise message 2: the suite chosen, the gateway's node tag, the policy the session lives by.
struct GatewayHello {
    static let capacity = 1 + 2 + Policy.wireCapacity
    var suite: UInt8
    var nodeTag: UInt16
    var policy: Policy

    init(suite: UInt8, nodeTag: UInt16, policy: Policy) {
        self.suite = suite
        self.nodeTag = nodeTag
        self.policy = policy
    }

    func write(_ writer: inout ByteWriter) {
        writer.u8(suite)
        writer.u16(nodeTag)
        policy.write(&writer)
    }

    /// nil when malformed or the policy is invalid.
    init?(_ payload: UnsafeRawBufferPointer) {
        var reader = ByteReader(payload)
        suite = reader.u8()
        nodeTag = reader.u16()
        guard let policy = Policy(&reader), !reader.failed else { return nil }
        self.policy = policy
    }
}
