import CSodium

/// Diffie-Hellman on Curve25519 (RFC 7748). Keys and results are 32 bytes.
package enum X25519 {
    /// Makes a key pair from 32 bytes of `random`, which become the secret key unchanged (clamping is part of every use).
    /// - Returns: false, with both buffers wiped, when the library fails.
    @discardableResult
    package static func keyPair(_ random: inout RandomSource, public publicKey: UnsafeMutableRawPointer,
                                secret secretKey: UnsafeMutableRawPointer) -> Bool {
        random.fill(secretKey, 32)
        if self.publicKey(secret: secretKey, into: publicKey) { return true }
        Sodium.wipe(secretKey, 32)
        return false
    }

    /// The public key of a secret key.
    /// - Returns: false, with the output wiped, when the library fails.
    package static func publicKey(secret: UnsafeRawPointer, into output: UnsafeMutableRawPointer) -> Bool {
        let status = crypto_scalarmult_base(output.assumingMemoryBound(to: UInt8.self),
                                            secret.assumingMemoryBound(to: UInt8.self))
        if status == 0 { return true }
        Sodium.wipe(output, 32)
        return false
    }

    /// The shared secret of one side's secret key and the other side's public key.
    /// - Returns: false, with the output wiped, when the result would be all zeros (RFC 7748 §6.1): the other side
    ///   sent a point of small order.
    package static func shared(secret: UnsafeRawPointer, public publicKey: UnsafeRawPointer,
                               into output: UnsafeMutableRawPointer) -> Bool {
        let status = crypto_scalarmult(output.assumingMemoryBound(to: UInt8.self),
                                       secret.assumingMemoryBound(to: UInt8.self),
                                       publicKey.assumingMemoryBound(to: UInt8.self))
        if status == 0, !Sodium.isZero(output, 32) { return true }
        Sodium.wipe(output, 32)
        return false
    }
}
