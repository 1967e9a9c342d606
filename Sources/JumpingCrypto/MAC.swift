import CSodium

/// A keyed hash for values that only this endpoint checks, such as handshake cookies.
package enum MAC {
    /// Keyed BLAKE2b-128 (RFC 7693) of a message.
    /// - Parameters:
    ///   - key: 32 bytes.
    ///   - output: 16 bytes. Compare with `Sodium.equal`.
    package static func tag16(key: UnsafeRawPointer, _ message: UnsafeRawBufferPointer,
                              into output: UnsafeMutableRawPointer) {
        _ = crypto_generichash(output.assumingMemoryBound(to: UInt8.self), 16,
                               message.baseAddress?.assumingMemoryBound(to: UInt8.self),
                               UInt64(truncatingIfNeeded: message.count), key.assumingMemoryBound(to: UInt8.self), 32)
    }
}
