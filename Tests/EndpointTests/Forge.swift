import CJumping
import JumpingCrypto
import JumpingWire
@testable import Jumping
@testable import JumpingSession

/// Frames by hand, big endian.
enum Frames {
    static func write(_ body: (inout ByteWriter) -> Void) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 256), count = 0
        bytes.withUnsafeMutableBytes { buffer in
            var writer = ByteWriter(buffer)
            body(&writer)
            count = writer.count
        }
        return Array(bytes[0..<count])
    }

    static func reattach(_ attempt: UInt64, version: UInt32, cause: Int32 = JMP_REASON_TRANSPORT_DEAD, transportClass: UInt8 = 0) -> [UInt8] {
        write { $0.reattach(ReattachRequest(attemptID: attempt, bindingVersion: version, cause: UInt8(cause), transportClass: transportClass,
                                            transportName: Name())) }
    }

    static func response(_ value: UInt64) -> [UInt8] { write { $0.frame(FrameType.pathResponse, value) } }

    static func acknowledgement(_ largest: UInt64, bitmap: UInt32 = 0) -> [UInt8] {
        write { $0.acknowledgement(Acknowledgement(largest: UInt32(truncatingIfNeeded: largest), delayUnits: 0, bitmap: bitmap)) }
    }

    static func report(version: UInt32, isAlive: Bool) -> [UInt8] {
        write { $0.volatility(VolatilityReport(bindingVersion: version, cause: UInt8(JMP_REASON_TRANSPORT_DEAD), isAlive: isAlive,
                                               lossPPM: 1_000_000)) }
    }

    static func nudge(version: UInt32) -> [UInt8] { write { $0.frame(FrameType.nudge, version) } }
}

extension Node {
    /// A datagram that this end might have sent: authentic, with its next packet number, and with any frames. What a peer sends that
    /// has the keys and keeps no rules. With `isPayload` the bytes are a payload without a frame around it.
    func forge(_ frames: [UInt8], index: UInt32 = 0, reserved: UInt8 = 0, isPayload: Bool = false) -> [UInt8] {
        withCore { session -> [UInt8] in
            guard let keys = session.keys else { return [] }
            let identifier = keys.pointee.peerConnectionID(index, nodeTag: session.isClient ? session.nodeTag : nil)
            let number = session.nextPacketNumber
            let first = DataPacket.firstByte(phase: keys.pointee.phase, isPayload: isPayload) | reserved
            session.nextPacketNumber += 1
            var datagram = [first] + (0..<8).map { UInt8(truncatingIfNeeded: identifier >> (56 - 8 * UInt64($0))) }
            datagram += (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * UInt64($0))) } + frames
            datagram += [UInt8](repeating: 0, count: keys.pointee.suite.tagLength)
            let additional = AdditionalData(firstByte: first, connectionID: identifier, packetNumber: UInt32(truncatingIfNeeded: number))
            datagram.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                withUnsafeBytes(of: additional.words) {
                    keys.pointee.seal(packetNumber: number, additionalData: $0.baseAddress!, base + DataPacket.headerLength, length: frames.count)
                }
                let mask = keys.pointee.sendHeader.mask(sample: base + DataPacket.headerLength + frames.count)
                bytes[0] ^= UInt8(mask & 0x3F)
                for i in 0..<4 { bytes[DataPacket.packetNumberOffset + i] ^= UInt8(truncatingIfNeeded: mask >> (32 - 8 * UInt64(i))) }
            }
            return datagram
        } ?? []
    }

    /// The packet number of a datagram meant for this end, unmasked but not opened.
    func packetNumber(of datagram: [UInt8]) -> UInt32? {
        mask(of: datagram).map { mask in datagram[9..<13].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } ^ UInt32(truncatingIfNeeded: mask >> 8) }
    }

    /// The first byte of a datagram meant for this end, unmasked but not opened; 0 when there are no keys.
    func firstByte(of datagram: [UInt8]) -> UInt8 {
        mask(of: datagram).map { datagram[0] ^ UInt8($0 & 0x3F) } ?? 0
    }

    private func mask(of datagram: [UInt8]) -> UInt64? {
        guard Kind.isData(datagram), datagram.count >= DataPacket.minimumLength else { return nil }
        return withCore { session -> UInt64? in
            guard let keys = session.keys, let tagLength = session.suite?.tagLength else { return nil }
            return datagram.withUnsafeBytes { keys.pointee.receiveHeader.mask(sample: $0.baseAddress! + ($0.count - tagLength)) }
        } ?? nil
    }

    /// The slot of the path on a link.
    func slot(on link: Int) -> Int? {
        withCore { session -> Int? in
            for slot in 0..<session.paths.capacity where session.paths[slot].isUsed && session.paths[slot].transport == UInt32(link) { return slot }
            return nil
        } ?? nil
    }
}
