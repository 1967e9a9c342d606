import CSodium

/// Header protection: the mask over a datagram's counter and flags, SipHash-2-4 (`crypto_shorthash`) of 16 bytes of tag.
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
}

/// A keyed pseudo-random function of an index, SipHash-2-4: makes connection ids that nobody without the key can link.
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

    /// SipHash of the index as 8 little-endian bytes.
    package func value(_ index: UInt64) -> UInt64 {
        var message = index.littleEndian
        return key.withBytes { keyBytes in
            withUnsafePointer(to: &message) { sipHash(key: keyBytes, UnsafeRawPointer($0), 8) }
        }
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
