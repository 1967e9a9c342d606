import CSodium

/// Turns a passphrase into a pre-shared key. The parameters are fixed for this protocol version: both sides must get
/// the same key from the same words.
package enum PassphraseKey {
    /// Argon2id 1.3 with 3 passes over 64 MiB; salt = first 16 bytes of BLAKE2b-256(u8 length(realm) ‖ realm ‖ hint).
    ///
    /// Takes some 100 ms and 64 MiB.
    /// - Parameters:
    ///   - passphrase: 1 or more bytes.
    ///   - realm: 0 … 255 bytes, whose gateway this is.
    ///   - hint: any number of bytes, which client this is.
    ///   - output: 32 bytes.
    /// - Returns: false when a length is out of range or 64 MiB are not to be had; the output is then zeros.
    package static func derive(passphrase: UnsafeRawBufferPointer, realm: UnsafeRawBufferPointer,
                               hint: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer) -> Bool {
        Sodium.wipe(output, 32)
        guard let words = passphrase.baseAddress, passphrase.count >= 1, realm.count <= 255 else { return false }
        var salt = Key32()
        makeSalt(realm: realm, hint: hint, into: &salt)
        let status = salt.withBytes {
            crypto_pwhash(output.assumingMemoryBound(to: UInt8.self), 32, words.assumingMemoryBound(to: CChar.self),
                          UInt64(truncatingIfNeeded: passphrase.count), $0.assumingMemoryBound(to: UInt8.self),
                          3, 64 << 20, crypto_pwhash_ALG_ARGON2ID13)
        }
        if status == 0 { return true }
        Sodium.wipe(output, 32)
        return false
    }

    /// The length byte keeps realm and hint apart: ("ab", "c") and ("a", "bc") have different salts.
    private static func makeSalt(realm: UnsafeRawBufferPointer, hint: UnsafeRawBufferPointer, into salt: inout Key32) {
        var realmLength = UInt8(truncatingIfNeeded: realm.count)
        salt.withMutableBytes {
            jumping_blake2b256($0.assumingMemoryBound(to: UInt8.self), &realmLength, 1,
                               realm.baseAddress?.assumingMemoryBound(to: UInt8.self), realm.count,
                               hint.baseAddress?.assumingMemoryBound(to: UInt8.self), hint.count)
        }
    }
}
