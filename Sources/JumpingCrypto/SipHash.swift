import CSodium

/// What one direction's headers are made with, SipHash-2-4 (`crypto_shorthash`): the mask over a datagram's counter and flags is that of 16
/// bytes of tag, a connection id that of an index of 8 bytes. SipHash is a pseudo-random function of messages of any length, so that neither
/// tells anything of the other.
package struct HeaderKey: ~Copyable {
    private var key: Key16

    /// - Parameter key: 16 bytes.
    package init(_ key: UnsafeRawPointer) {
        self.key = Key16(copying: key)
    }

    /// The 64-bit mask for a datagram.
    /// - Parameter sample: 16 bytes, the first of the tag.
    package func mask(sample: UnsafeRawPointer) -> UInt64 {
        key.withBytes { sipHash(key: $0, sample, 16) }
    }

    /// The 64 bits from which a path's connection id is made: the hash of its index as 8 little-endian bytes.
    package func connectionID(_ index: UInt64) -> UInt64 {
        key.withBytes { sipHash(key: $0, number: index) }
    }
}

/// A keyed pseudo-random function, SipHash-2-4.
package struct PseudoRandomFunction: ~Copyable {
    private var key: Key16

    /// - Parameter key: 16 bytes.
    package init(_ key: UnsafeRawPointer) {
        self.key = Key16(copying: key)
    }

    /// SipHash of any bytes.
    package func value(_ message: UnsafeRawPointer, _ count: Int) -> UInt64 {
        key.withBytes { sipHash(key: $0, message, UInt64(truncatingIfNeeded: max(count, 0))) }
    }

    /// SipHash of a number as 8 little-endian bytes.
    package func value(_ number: UInt64) -> UInt64 {
        key.withBytes { sipHash(key: $0, number: number) }
    }
}

/// SipHash-2-4 of `count` bytes, its 8 output bytes read as a little-endian number on every platform.
func sipHash(key: UnsafeRawPointer, _ message: UnsafeRawPointer, _ count: UInt64) -> UInt64 {
    var output: UInt64 = 0
    withUnsafeMutablePointer(to: &output) {
        _ = crypto_shorthash(UnsafeMutableRawPointer($0).assumingMemoryBound(to: UInt8.self),
                             message.assumingMemoryBound(to: UInt8.self), count,
                             key.assumingMemoryBound(to: UInt8.self))
    }
    return UInt64(littleEndian: output)
}

/// SipHash-2-4 of a number as 8 little-endian bytes.
private func sipHash(key: UnsafeRawPointer, number: UInt64) -> UInt64 {
    var message = number.littleEndian
    return withUnsafePointer(to: &message) { sipHash(key: key, UnsafeRawPointer($0), 8) }
}
