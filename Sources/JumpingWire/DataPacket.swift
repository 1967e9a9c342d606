/// The DATA datagram (wire document, "DATA"):
///
///     0 1 P P A r r r | connection id 8 | packet number 4 | sealed … | tag
///
/// P is the key phase modulo 4; A says that the sealed part is an application's payload and nothing else, where without it there are
/// frames; r is reserved (0). The low 6 bits of byte 0 and the packet number are masked on the wire.
package enum DataPacket {
    package static let headerLength = 13
    package static let packetNumberOffset = 9
    /// Header and the shortest tag: an empty payload.
    package static let minimumLength = 29
    /// Additional data of the AEAD: byte 0 unmasked, 3 zeros, connection id, packet number (low 32 bits, unmasked).
    package static let additionalDataLength = 16
    /// Bytes of the tag that the header mask is computed from.
    package static let sampleLength = 16
    package static let fixedBits: UInt8 = 0x40
    package static let fixedBitsMask: UInt8 = 0xC0
    package static let payloadBit: UInt8 = 0x08
    package static let reservedMask: UInt8 = 0x07

    package static func isData(_ firstByte: UInt8) -> Bool {
        firstByte & fixedBitsMask == fixedBits
    }

    /// The connection id of a datagram of at least `headerLength` bytes.
    package static func connectionID(_ datagram: UnsafeRawPointer) -> UInt64 {
        UInt64(bigEndian: datagram.loadUnaligned(fromByteOffset: 1, as: UInt64.self))
    }

    package static func firstByte(phase: UInt32, isPayload: Bool) -> UInt8 {
        fixedBits | UInt8(truncatingIfNeeded: phase & 3) << 4 | (isPayload ? payloadBit : 0)
    }

    package static func phaseBits(_ firstByte: UInt8) -> UInt32 {
        UInt32(firstByte >> 4) & 3
    }

    /// The 64-bit packet number nearest to `largest` + 1 whose low 32 bits are `truncated` (RFC 9000 §A.3).
    package static func recoverPacketNumber(_ truncated: UInt32, largest: UInt64) -> UInt64 {
        let expected = largest &+ 1
        let window: UInt64 = 1 << 32
        let candidate = (expected & ~(window &- 1)) | UInt64(truncated)
        if candidate &+ window / 2 <= expected, candidate < UInt64(1) << 62 &- window { return candidate &+ window }
        if candidate > expected &+ window / 2, candidate >= window { return candidate &- window }
        return candidate
    }
}

/// The 16 bytes of additional data, built without allocation: one vector, since the cipher reads them as one right away, and two stores
/// would have to reach the cache before a load that spans them.
package struct AdditionalData {
    package var words: SIMD2<UInt64>

    @inline(__always)
    package init(firstByte: UInt8, connectionID: UInt64, packetNumber: UInt32) {
        // Memory order: byte 0, three zeros, connection id (8, big endian), packet number (4, big endian).
        let high = UInt64(firstByte) << 56 | connectionID >> 32
        let low = connectionID << 32 | UInt64(packetNumber)
        words = SIMD2(high.bigEndian, low.bigEndian)
    }
}
