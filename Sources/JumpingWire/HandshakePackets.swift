/// The datagrams before a session has keys (wire document, "Handshake"). All lengths are checked; nothing here decrypts.
package enum HandshakePacket {
    package static let initByte: UInt8 = 0xC1
    package static let responseByte: UInt8 = 0xC2
    package static let cookieByte: UInt8 = 0xC3
    package static let adoptByte: UInt8 = 0xC4
    package static let version: UInt32 = 1
    package static let hintCapacity = 32
    package static let cookieLength = 17
    /// Largest Noise message either side writes: two keys, their tag, the larger payload, its tag.
    package static let noiseCapacity = 32 + 48 + ClientHello.length + 16
    package static let initCapacity = 1 + 4 + 8 + 1 + 1 + hintCapacity + 1 + cookieLength + noiseCapacity
    package static let responseHeaderLength = 9
    package static let responseCapacity = responseHeaderLength + noiseCapacity
    package static let cookiePacketLength = 9 + cookieLength
}

/// INIT: C1 | version 4 | handshake id 8 | pattern 1 | hint length 1, hint | cookie length 1, cookie | Noise message 1
package struct InitPacket {
    package var version: UInt32
    package var handshakeID: UInt64
    package var pattern: UInt8
    package var hint: UnsafeRawBufferPointer
    package var cookie: UnsafeRawBufferPointer
    package var noise: UnsafeRawBufferPointer
    /// Everything in clear but the cookie: what the Noise prologue binds.
    package var prologue: UnsafeRawBufferPointer

    /// nil when it is not a well-formed INIT; `version` may be foreign (then only it is meaningful).
    package init?(_ datagram: UnsafeRawBufferPointer) {
        var reader = ByteReader(datagram)
        guard reader.u8() == HandshakePacket.initByte else { return nil }
        version = reader.u32()
        handshakeID = reader.u64()
        pattern = reader.u8()
        let hintLength = Int(reader.u8())
        guard hintLength <= HandshakePacket.hintCapacity, let hint = reader.take(hintLength) else { return nil }
        let prologueLength = reader.offset
        let cookieLength = Int(reader.u8())
        guard cookieLength == 0 || cookieLength == HandshakePacket.cookieLength,
              let cookie = reader.take(cookieLength), reader.remaining <= HandshakePacket.noiseCapacity,
              let noise = reader.take(reader.remaining), !reader.failed else { return nil }
        self.hint = hint
        self.cookie = cookie
        self.noise = noise
        prologue = UnsafeRawBufferPointer(rebasing: datagram[0..<prologueLength])
    }

    /// Writes the clear part up to and including the hint; this is also the prologue.
    package static func writePrologue(_ writer: inout ByteWriter, handshakeID: UInt64, pattern: UInt8, hint: UnsafeRawBufferPointer) {
        writer.u8(HandshakePacket.initByte)
        writer.u32(HandshakePacket.version)
        writer.u64(handshakeID)
        writer.u8(pattern)
        writer.u8(UInt8(truncatingIfNeeded: hint.count))
        writer.copy(hint)
    }
}

/// RESP: C2 | handshake id 8 | Noise message 2
package struct ResponsePacket {
    package var handshakeID: UInt64
    package var noise: UnsafeRawBufferPointer

    package init?(_ datagram: UnsafeRawBufferPointer) {
        var reader = ByteReader(datagram)
        guard reader.u8() == HandshakePacket.responseByte else { return nil }
        handshakeID = reader.u64()
        guard reader.remaining <= HandshakePacket.noiseCapacity, let noise = reader.take(reader.remaining), !reader.failed else { return nil }
        self.noise = noise
    }
}

/// COOKIE: C3 | handshake id 8 | cookie
package struct CookiePacket {
    package var handshakeID: UInt64
    package var cookie: UnsafeRawBufferPointer

    package init?(_ datagram: UnsafeRawBufferPointer) {
        var reader = ByteReader(datagram)
        guard reader.u8() == HandshakePacket.cookieByte else { return nil }
        handshakeID = reader.u64()
        guard reader.remaining == HandshakePacket.cookieLength, let cookie = reader.take(reader.remaining) else { return nil }
        self.cookie = cookie
    }
}
