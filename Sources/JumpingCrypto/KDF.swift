import CSodium

/// Key derivation: libsodium's `crypto_kdf`, which is BLAKE2b (RFC 7693) of no message under the secret as its key, with a number as its salt
/// and a label as its personalization. One block of work, where HKDF with SHA-256 needs four for as much: sessions that keep no packet keys
/// derive one for each of their few datagrams.
package enum KDF {
    /// Bytes of every label.
    package static var labelLength: Int { Int(crypto_kdf_CONTEXTBYTES) }
    /// Bytes that can be asked for.
    package static var lengths: ClosedRange<Int> { Int(crypto_kdf_BYTES_MIN)...Int(crypto_kdf_BYTES_MAX) }

    /// Derives `count` bytes from a 32-byte secret that is already uniformly random.
    /// - Parameters:
    ///   - secret: 32 bytes.
    ///   - label: 8 ASCII characters. Results under different labels, numbers or counts have nothing in common.
    ///   - count: 16 … 64 bytes.
    /// - Returns: false, with nothing written, when the count or the label's length is out of range.
    @discardableResult
    package static func derive(secret: UnsafeRawPointer, label: StaticString, number: UInt64, into output: UnsafeMutableRawPointer,
                               count: Int) -> Bool {
        guard lengths.contains(count), label.utf8CodeUnitCount == labelLength else { return false }
        return label.utf8Start.withMemoryRebound(to: CChar.self, capacity: labelLength) { context in
            crypto_kdf_derive_from_key(output.assumingMemoryBound(to: UInt8.self), count, number, context,
                                       secret.assumingMemoryBound(to: UInt8.self)) == 0
        }
    }
}
