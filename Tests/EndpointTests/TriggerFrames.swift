import CJumping
import JumpingSession
import JumpingWire
@testable import Jumping

/// The frames of the wire document, as bytes.
enum TriggerFrame {
    static func bytes(_ write: (inout ByteWriter) -> Void) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 256), count = 0
        bytes.withUnsafeMutableBytes { buffer in
            var writer = ByteWriter(buffer)
            write(&writer)
            count = writer.count
        }
        return Array(bytes[0..<count])
    }

    static let padding: [UInt8] = [FrameType.padding]
    static let ping: [UInt8] = [FrameType.ping]
    static let payload: [UInt8] = [FrameType.payload, 1, 2, 3]
    static let unknown: [UInt8] = [0x3F, 1]
    static let cut: [UInt8] = [FrameType.pathChallenge, 1]

    static func acknowledgement(_ number: UInt64) -> [UInt8] {
        bytes { $0.acknowledgement(Acknowledgement(largest: UInt32(truncatingIfNeeded: number), delayUnits: 0, bitmap: 0)) }
    }

    /// A whole protected payload of 20 bytes.
    static func protected(_ sequence: UInt64, channel: UInt8 = 0) -> [UInt8] {
        bytes {
            $0.protected(channel: channel, sequence: sequence, length: 20)
            for byte in 0..<20 as Range<UInt8> { $0.u8(byte) }
        }
    }

    /// The first block of a protected payload.
    static func fragment(_ sequence: UInt64, payloadLength: Int) -> [UInt8] {
        bytes {
            $0.fragment(channel: 0, sequence: sequence, payloadLength: payloadLength, firstBlock: 0, length: ProtectedFrame.blockLength)
            for byte in 0..<UInt8(ProtectedFrame.blockLength) { $0.u8(byte) }
        }
    }

    /// One range of packet numbers, downwards from the largest.
    static func ranges(_ largest: UInt64, count: UInt16) -> [UInt8] {
        bytes {
            $0.u8(FrameType.acknowledgementRanges)
            $0.u32(UInt32(truncatingIfNeeded: largest))
            $0.u16(0)
            $0.u8(0)
            $0.u16(count)
        }
    }

    static func maxData(_ limit: UInt64) -> [UInt8] { bytes { $0.maxData(limit) } }

    static func abandoned(_ sequence: UInt32, credit: UInt32) -> [UInt8] {
        bytes { $0.abandoned(AbandonedPayload(channel: 1, sequence: sequence, credit: credit)) }
    }

    static func challenge(_ value: UInt64) -> [UInt8] { bytes { $0.frame(FrameType.pathChallenge, value) } }
    static func response(_ value: UInt64) -> [UInt8] { bytes { $0.frame(FrameType.pathResponse, value) } }

    static func reattach(_ id: UInt64, _ version: UInt32, _ cause: Int32, transportClass: UInt8 = 0) -> [UInt8] {
        bytes {
            $0.reattach(ReattachRequest(attemptID: id, bindingVersion: version, cause: UInt8(cause), transportClass: transportClass,
                                        transportName: Name()))
        }
    }

    static func answer(_ type: UInt8, _ id: UInt64, _ version: UInt32, _ detail: UInt8) -> [UInt8] {
        bytes { $0.reattachAnswer(type, ReattachAnswer(attemptID: id, bindingVersion: version, detail: detail)) }
    }

    static func nudge(_ version: UInt32) -> [UInt8] { bytes { $0.frame(FrameType.nudge, version) } }

    static func volatility(_ version: UInt32, cause: Int32, isAlive: Bool = true, lossPPM: UInt32 = 0) -> [UInt8] {
        bytes { $0.volatility(VolatilityReport(bindingVersion: version, cause: UInt8(cause), isAlive: isAlive, lossPPM: lossPPM)) }
    }

    static func policy(_ sequence: UInt32, allowedClasses: UInt32 = .max) -> [UInt8] {
        var policy = Policy()
        policy.allowedClasses = allowedClasses
        let inner = bytes { policy.write(&$0) }
        return bytes {
            $0.u8(FrameType.policy)
            $0.u32(sequence)
            $0.u16(UInt16(inner.count))
            for byte in inner { $0.u8(byte) }
        }
    }

    static func policyAck(_ sequence: UInt32) -> [UInt8] { bytes { $0.frame(FrameType.policyAck, sequence) } }
    static func close(_ reason: Int32) -> [UInt8] { [FrameType.close, UInt8(reason)] }
}
