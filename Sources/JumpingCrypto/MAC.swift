import CSodium

/// A keyed hash for values that only this endpoint checks, such as handshake cookies.
package enum MAC {
    /// SipHash-2-4 with its 128-bit output of a message: a flood of INITs must cost less than what it could displace.
    /// - Parameters:
    ///   - key: 16 bytes.
    ///   - output: 16 bytes. Compare with `Sodium.equal`.
    package static func tag16(key: UnsafeRawPointer, _ message: UnsafeRawBufferPointer,
                              into output: UnsafeMutableRawPointer) {
        var nothing: UInt8 = 0
        withUnsafePointer(to: &nothing) { empty in
            _ = crypto_shorthash_siphashx24(output.assumingMemoryBound(to: UInt8.self),
                                            message.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? empty,
                                            UInt64(truncatingIfNeeded: message.count), key.assumingMemoryBound(to: UInt8.self))
        }
    }
}
