import CJumping
import JumpingWire
import Testing
@testable import Jumping
@testable import JumpingSession

/// The kinds of datagram by their first byte.
enum Kind {
    static func isInit(_ datagram: [UInt8]) -> Bool { datagram.first == 0xC1 }
    static func isResponse(_ datagram: [UInt8]) -> Bool { datagram.first == 0xC2 }
    static func isCookie(_ datagram: [UInt8]) -> Bool { datagram.first == 0xC3 }
    static func isData(_ datagram: [UInt8]) -> Bool { datagram.first.map { $0 & 0xC0 == 0x40 } ?? false }
}

extension Node {
    /// Runs `body` on the core's session.
    func withCore<R>(_ body: (inout Session) -> R) -> R? {
        guard let index = endpoint.pointee.sessions.resolve(session) else { return nil }
        return body(&endpoint.pointee.sessions[index])
    }

    /// The frame types of a datagram meant for this end, in order, read with its keys and without a trace: the wire document
    /// followed a second time. A payload that is alone, without a frame around it, counts as one. Empty when it is not for this end or
    /// does not open.
    func frames(of datagram: [UInt8]) -> [UInt8] {
        guard Kind.isData(datagram), datagram.count >= DataPacket.minimumLength else { return [] }
        return withCore { session -> [UInt8] in
            guard session.keys != nil, let tagLength = session.suite?.tagLength else { return [] }
            var copy = datagram
            let sealedLength = copy.count - 13
            return copy.withUnsafeMutableBytes { bytes -> [UInt8] in
                guard let base = bytes.baseAddress, let keys = session.keys else { return [] }
                let mask = keys.pointee.receiveHeader.mask(sample: base + (bytes.count - tagLength))
                let first = bytes[0] ^ UInt8(mask & 0x3F)
                let masked = bytes[9..<13].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                let truncated = masked ^ UInt32(truncatingIfNeeded: mask >> 8)
                let number = session.replay.hasAny ? DataPacket.recoverPacketNumber(truncated, largest: session.replay.largest) : UInt64(truncated)
                let connectionID = DataPacket.connectionID(base)
                let additional = AdditionalData(firstByte: first, connectionID: connectionID, packetNumber: truncated)
                let opened = withUnsafeBytes(of: additional.words) {
                    keys.pointee.open(phaseBits: DataPacket.phaseBits(first), packetNumber: number, additionalData: $0.baseAddress!,
                                      base + 13, length: sealedLength)
                }
                guard opened != .failed else { return [] }
                if first & DataPacket.payloadBit != 0 { return [FrameType.payload] }
                var reader = ByteReader(UnsafeRawBufferPointer(start: base + 13, count: sealedLength - tagLength))
                var types: [UInt8] = []
                while reader.remaining > 0 {
                    types.append(bytes[13 + reader.offset])
                    guard Frame.read(&reader) != nil else { break }
                }
                return types
            }
        } ?? []
    }

    /// Whether a datagram meant for this end says that it is a payload and nothing else.
    func isPayloadAlone(_ datagram: [UInt8]) -> Bool { firstByte(of: datagram) & DataPacket.payloadBit != 0 }

    func isReattach(_ datagram: [UInt8]) -> Bool { frames(of: datagram).first == FrameType.reattach }
}
