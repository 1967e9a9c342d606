/// Frame types inside the sealed part of DATA. Ranges kept for later: 0x16 … 0x1F protected delivery, 0x20 … 0x27 ownership.
package enum FrameType {
    package static let padding: UInt8 = 0x00
    package static let ping: UInt8 = 0x01
    package static let acknowledgement: UInt8 = 0x02
    package static let pathChallenge: UInt8 = 0x03
    package static let pathResponse: UInt8 = 0x04
    package static let reattach: UInt8 = 0x05
    package static let reattachAck: UInt8 = 0x06
    package static let reattachReject: UInt8 = 0x07
    package static let nudge: UInt8 = 0x08
    package static let volatility: UInt8 = 0x09
    package static let policy: UInt8 = 0x0A
    package static let policyAck: UInt8 = 0x0B
    package static let close: UInt8 = 0x0C
    package static let payload: UInt8 = 0x10
    package static let protected: UInt8 = 0x11
    package static let fragment: UInt8 = 0x12
    package static let acknowledgementRanges: UInt8 = 0x13
    package static let maxData: UInt8 = 0x14
    package static let abandoned: UInt8 = 0x15
}

/// ACK: type, largest 4, delay 2 (units of 16 µs), arrival bitmap 4. Bit i set: packet number largest - 1 - i has arrived.
package struct Acknowledgement {
    package var largest: UInt32
    package var delayUnits: UInt16
    package var bitmap: UInt32
    package static let length = 11
    package static let delayUnit: UInt64 = 16
    package static let span: UInt64 = 32

    package init(largest: UInt32, delayUnits: UInt16, bitmap: UInt32) {
        self.largest = largest
        self.delayUnits = delayUnits
        self.bitmap = bitmap
    }
}

/// REATTACH: type, attempt id 8, binding version it replaces 4, cause 1, transport class 1, name length 1, name.
package struct ReattachRequest {
    package var attemptID: UInt64
    package var bindingVersion: UInt32
    package var cause: UInt8
    package var transportClass: UInt8
    package var transportName: Name
    package static let capacity = 1 + 8 + 4 + 1 + 1 + 1 + 15

    package init(attemptID: UInt64, bindingVersion: UInt32, cause: UInt8, transportClass: UInt8, transportName: Name) {
        self.attemptID = attemptID
        self.bindingVersion = bindingVersion
        self.cause = cause
        self.transportClass = transportClass
        self.transportName = transportName
    }
}

/// REATTACH_ACK: type, attempt id 8, binding version now 4, flags 1 (bit 0: pending, the path's challenge must be answered).
/// REATTACH_REJECT: type, attempt id 8, binding version now 4, reason 1.
package struct ReattachAnswer {
    package var attemptID: UInt64
    package var bindingVersion: UInt32
    /// Flags of an ACK, reason of a REJECT.
    package var detail: UInt8
    package static let length = 14
    package static let pendingFlag: UInt8 = 1

    package init(attemptID: UInt64, bindingVersion: UInt32, detail: UInt8) {
        self.attemptID = attemptID
        self.bindingVersion = bindingVersion
        self.detail = detail
    }
}

/// VOLATILITY: type, binding version 4, cause 1, alive 1, loss 4 (ppm). The gateway's view of the active path.
package struct VolatilityReport {
    package var bindingVersion: UInt32
    package var cause: UInt8
    package var isAlive: Bool
    package var lossPPM: UInt32
    package static let length = 11

    package init(bindingVersion: UInt32, cause: UInt8, isAlive: Bool, lossPPM: UInt32) {
        self.bindingVersion = bindingVersion
        self.cause = cause
        self.isAlive = isAlive
        self.lossPPM = lossPPM
    }
}

package enum Frame {
    case padding
    case ping
    case acknowledgement(Acknowledgement)
    case pathChallenge(UInt64)
    case pathResponse(UInt64)
    case reattach(ReattachRequest)
    case reattachAck(ReattachAnswer)
    case reattachReject(ReattachAnswer)
    case nudge(bindingVersion: UInt32)
    case volatility(VolatilityReport)
    case policy(sequence: UInt32, bytes: UnsafeRawBufferPointer)
    case policyAck(sequence: UInt32)
    case close(reason: UInt8)
    /// Offset from the start of the frames; it always runs to their end.
    case payload(offset: Int, length: Int)
    case protected(ProtectedFrame)
    case fragment(ProtectedFrame)
    case acknowledgementRanges(AcknowledgementRanges)
    case maxData(UInt64)
    case abandoned(AbandonedPayload)

    /// The next frame; nil at the end, or when malformed (then `reader.failed` or bytes remain).
    package static func read(_ reader: inout ByteReader) -> Frame? {
        guard reader.remaining > 0, !reader.failed else { return nil }
        let frame = readBody(reader.u8(), &reader)
        return reader.failed ? nil : frame
    }

    private static func readBody(_ type: UInt8, _ reader: inout ByteReader) -> Frame? {
        switch type {
        case FrameType.payload:
            let offset = reader.offset
            let length = reader.remaining
            reader.skip(length)
            return .payload(offset: offset, length: length)
        case FrameType.acknowledgement:
            return .acknowledgement(Acknowledgement(largest: reader.u32(), delayUnits: reader.u16(), bitmap: reader.u32()))
        case FrameType.padding: return .padding
        case FrameType.ping: return .ping
        case FrameType.pathChallenge: return .pathChallenge(reader.u64())
        case FrameType.pathResponse: return .pathResponse(reader.u64())
        case FrameType.reattach: return readReattach(&reader)
        case FrameType.reattachAck: return .reattachAck(readAnswer(&reader))
        case FrameType.reattachReject: return .reattachReject(readAnswer(&reader))
        case FrameType.nudge: return .nudge(bindingVersion: reader.u32())
        case FrameType.volatility:
            let version = reader.u32(), cause = reader.u8(), alive = reader.u8()
            return .volatility(VolatilityReport(bindingVersion: version, cause: cause, isAlive: alive != 0, lossPPM: reader.u32()))
        case FrameType.policy:
            let sequence = reader.u32()
            guard let bytes = reader.take(Int(reader.u16())) else { return nil }
            return .policy(sequence: sequence, bytes: bytes)
        case FrameType.policyAck: return .policyAck(sequence: reader.u32())
        case FrameType.close: return .close(reason: reader.u8())
        case FrameType.protected, FrameType.fragment, FrameType.acknowledgementRanges, FrameType.maxData, FrameType.abandoned:
            return readDelivery(type, &reader)
        default:
            reader.skip(.max)   // an unknown frame cannot be stepped over: the datagram is malformed
            return nil
        }
    }

    private static func readReattach(_ reader: inout ByteReader) -> Frame? {
        let attempt = reader.u64(), version = reader.u32(), cause = reader.u8(), transportClass = reader.u8()
        guard let name = reader.text(Name.self) else {
            reader.skip(.max)
            return nil
        }
        return .reattach(ReattachRequest(attemptID: attempt, bindingVersion: version, cause: cause,
                                         transportClass: transportClass, transportName: name))
    }

    private static func readAnswer(_ reader: inout ByteReader) -> ReattachAnswer {
        ReattachAnswer(attemptID: reader.u64(), bindingVersion: reader.u32(), detail: reader.u8())
    }
}

extension ByteWriter {
    package mutating func acknowledgement(_ frame: Acknowledgement) {
        u8(FrameType.acknowledgement)
        u32(frame.largest)
        u16(frame.delayUnits)
        u32(frame.bitmap)
    }

    package mutating func reattach(_ frame: ReattachRequest) {
        u8(FrameType.reattach)
        u64(frame.attemptID)
        u32(frame.bindingVersion)
        u8(frame.cause)
        u8(frame.transportClass)
        text(frame.transportName)
    }

    package mutating func reattachAnswer(_ type: UInt8, _ frame: ReattachAnswer) {
        u8(type)
        u64(frame.attemptID)
        u32(frame.bindingVersion)
        u8(frame.detail)
    }

    package mutating func volatility(_ frame: VolatilityReport) {
        u8(FrameType.volatility)
        u32(frame.bindingVersion)
        u8(frame.cause)
        u8(frame.isAlive ? 1 : 0)
        u32(frame.lossPPM)
    }

    /// A frame of a type and one 64-bit field: PATH_CHALLENGE, PATH_RESPONSE.
    package mutating func frame(_ type: UInt8, _ value: UInt64) {
        u8(type)
        u64(value)
    }

    /// A frame of a type and one 32-bit field: NUDGE, POLICY_ACK.
    package mutating func frame(_ type: UInt8, _ value: UInt32) {
        u8(type)
        u32(value)
    }
}
