/// Key derivation: HKDF-Expand with SHA-256 (RFC 5869 §2.3).
package enum KDF {
    /// Derives `count` bytes from a 32-byte secret that is already uniformly random.
    ///
    /// info = "libjumping 1 " ‖ label ‖ context. Label and context are not separated, so labels used with the same
    /// secret must be prefix-free or their contexts of one fixed length.
    /// - Parameters:
    ///   - secret: 32 bytes, the pseudo-random key.
    ///   - context: may be empty.
    ///   - count: 1 … 64 bytes.
    /// - Returns: false, with nothing written, when the count is out of range.
    @discardableResult
    package static func expand(secret: UnsafeRawPointer, label: StaticString, context: UnsafeRawBufferPointer,
                               into output: UnsafeMutableRawPointer, count: Int) -> Bool {
        expand(keyed: HMACSHA256(key: secret), label: label, context: context, into: output, count: count)
    }

    /// A packet key and its IV, from one secret: the work on the secret, half of a short derivation, is done once for both.
    package static func expandKey(secret: UnsafeRawPointer, context: UnsafeRawBufferPointer, key: UnsafeMutableRawPointer, keyCount: Int,
                                  iv: UnsafeMutableRawPointer, ivCount: Int) {
        let keyed = HMACSHA256(key: secret)
        expand(keyed: keyed, label: "key", context: context, into: key, count: keyCount)
        expand(keyed: keyed, label: "iv", context: context, into: iv, count: ivCount)
    }

    @discardableResult
    private static func expand(keyed: borrowing HMACSHA256, label: StaticString, context: UnsafeRawBufferPointer,
                               into output: UnsafeMutableRawPointer, count: Int) -> Bool {
        // The closures of a static string cannot borrow what is not copyable, so its bytes are named by themselves.
        let prefix: StaticString = "libjumping 1 "
        return expand(keyed: keyed, info: UnsafeRawBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount),
                      UnsafeRawBufferPointer(start: label.utf8Start, count: label.utf8CodeUnitCount), context, into: output, count: count)
    }

    /// HKDF-Expand with info in three pieces: T(1) = HMAC(secret, info ‖ 1), T(2) = HMAC(secret, T(1) ‖ info ‖ 2).
    static func expand(secret: UnsafeRawPointer, info first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer,
                       _ third: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer, count: Int) -> Bool {
        expand(keyed: HMACSHA256(key: secret), info: first, second, third, into: output, count: count)
    }

    private static func expand(keyed: borrowing HMACSHA256, info first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer,
                               _ third: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer, count: Int) -> Bool {
        guard count >= 1, count <= 64 else { return false }
        var block = Key32()
        var written = 0
        var counter: UInt8 = 1
        while written < count {
            var hmac = HMACSHA256(copying: keyed)
            if counter > 1 { block.withBytes { hmac.update($0, 32) } }
            hmac.update(first.baseAddress, first.count)
            hmac.update(second.baseAddress, second.count)
            hmac.update(third.baseAddress, third.count)
            hmac.update(byte: counter)
            let step = min(32, count - written)
            block.withMutableBytes {
                hmac.finish(into: $0)
                output.advanced(by: written).copyMemory(from: $0, byteCount: step)
            }
            written += step
            counter += 1
        }
        return true
    }
}
