import CSodium

/// The key of one direction in one key phase: seals and opens datagrams in place.
///
/// Nonce = IV ⊕ the 64-bit packet number, big endian, in the nonce's last 8 bytes (RFC 8446 §5.3, RFC 9001 §5.3). The
/// caller never uses a packet number twice for sealing. `seal` and `open` are mutating because the first AES-256-GCM
/// call makes the key schedule; nothing else allocates, and nothing allocates after it.
package struct AEADKey: ~Copyable {
    package let suite: Suite
    /// Whether this machine can run the suite. Checked once: libsodium's AES would fault on a CPU without AES.
    private let isUsable: Bool
    private var key: Key32
    /// The IV in the last `nonceLength` of 32 bytes, so that every suite finds the packet number in the last word.
    private var iv = Key32()
    private(set) var schedule = AESKeySchedule()

    /// - Parameters:
    ///   - key: 32 bytes.
    ///   - iv: `suite.nonceLength` bytes.
    package init(suite: Suite, key: UnsafeRawPointer, iv source: UnsafeRawPointer) {
        self.suite = suite
        isUsable = Suite.available & UInt32(suite.rawValue) != 0
        self.key = Key32(copying: key)
        iv.withMutableBytes { $0.advanced(by: 32 - suite.nonceLength).copyMemory(from: source, byteCount: suite.nonceLength) }
    }

    /// Encrypts `length` bytes in place and writes the tag (`suite.tagLength` bytes) behind them.
    /// - Parameter aad: authenticated but not encrypted; `aadLength` bytes, possibly none.
    /// - Returns: false when the suite cannot run here or a length is negative; the buffer is then zeros, so that a
    ///   plaintext never leaves by mistake.
    @discardableResult
    package mutating func seal(packetNumber: UInt64, aad: UnsafeRawPointer, aadLength: Int,
                               buffer: UnsafeMutableRawPointer, length: Int) -> Bool {
        guard length >= 0, aadLength >= 0 else { return false }
        let bytes = buffer.assumingMemoryBound(to: UInt8.self)
        let aadBytes = aad.assumingMemoryBound(to: UInt8.self)
        let messageCount = UInt64(truncatingIfNeeded: length)
        let aadCount = UInt64(truncatingIfNeeded: aadLength)
        let status: Int32 = !isUsable ? -1 : withNonce(packetNumber) { suite, keyBytes, nonce, schedule in
            switch suite {
            case .chacha20Poly1305:
                return crypto_aead_chacha20poly1305_ietf_encrypt(bytes, nil, bytes, messageCount, aadBytes, aadCount,
                                                                 nil, nonce, keyBytes)
            case .aes256GCM:
                guard let expanded = schedule.expanded(keyBytes) else {
                    return crypto_aead_aes256gcm_encrypt(bytes, nil, bytes, messageCount, aadBytes, aadCount,
                                                         nil, nonce, keyBytes)
                }
                return crypto_aead_aes256gcm_encrypt_afternm(bytes, nil, bytes, messageCount, aadBytes, aadCount,
                                                             nil, nonce, expanded)
            case .aegis256:
                return jumping_aegis256_seal(bytes, messageCount, aadBytes, aadCount, nonce, keyBytes)
            }
        }
        if status == 0 { return true }
        Sodium.wipe(buffer, length)
        Sodium.wipe(buffer.advanced(by: length), suite.tagLength)
        return false
    }

    /// Checks and decrypts in place; the plaintext is the first `length - suite.tagLength` bytes.
    /// - Parameter length: bytes of ciphertext and tag together.
    /// - Returns: false for anything not sealed with this key, packet number and AAD. The buffer is then undefined.
    package mutating func open(packetNumber: UInt64, aad: UnsafeRawPointer, aadLength: Int,
                               buffer: UnsafeMutableRawPointer, length: Int) -> Bool {
        guard isUsable, length >= suite.tagLength, aadLength >= 0 else { return false }
        let bytes = buffer.assumingMemoryBound(to: UInt8.self)
        let aadBytes = aad.assumingMemoryBound(to: UInt8.self)
        let sealedCount = UInt64(truncatingIfNeeded: length)
        let aadCount = UInt64(truncatingIfNeeded: aadLength)
        let status: Int32 = withNonce(packetNumber) { suite, keyBytes, nonce, schedule in
            switch suite {
            case .chacha20Poly1305:
                return crypto_aead_chacha20poly1305_ietf_decrypt(bytes, nil, nil, bytes, sealedCount, aadBytes,
                                                                 aadCount, nonce, keyBytes)
            case .aes256GCM:
                guard let expanded = schedule.expanded(keyBytes) else {
                    return crypto_aead_aes256gcm_decrypt(bytes, nil, nil, bytes, sealedCount, aadBytes, aadCount,
                                                         nonce, keyBytes)
                }
                return crypto_aead_aes256gcm_decrypt_afternm(bytes, nil, nil, bytes, sealedCount, aadBytes, aadCount,
                                                             nonce, expanded)
            case .aegis256:
                return jumping_aegis256_open(bytes, sealedCount, aadBytes, aadCount, nonce, keyBytes)
            }
        }
        return status == 0
    }

    /// Wipes and frees the AES key schedule of an idle session (512 bytes); the next use makes it again. No effect
    /// for the other suites.
    package mutating func dropSchedule() {
        schedule.drop()
    }

    /// Calls `body` with the key and the nonce of a packet number.
    private mutating func withNonce(
        _ packetNumber: UInt64,
        _ body: (Suite, UnsafePointer<UInt8>, UnsafePointer<UInt8>, inout AESKeySchedule) -> Int32
    ) -> Int32 {
        let suite = suite
        var nonce = iv.withBytes { iv in
            (iv.load(as: UInt64.self), iv.load(fromByteOffset: 8, as: UInt64.self),
             iv.load(fromByteOffset: 16, as: UInt64.self),
             iv.load(fromByteOffset: 24, as: UInt64.self) ^ packetNumber.bigEndian)
        }
        return withUnsafeBytes(of: &nonce) { nonceBytes in
            guard let start = nonceBytes.baseAddress else { return -1 }
            let nonceStart = start.advanced(by: 32 - suite.nonceLength).assumingMemoryBound(to: UInt8.self)
            return withUnsafePointer(to: key) { keyPointer in
                body(suite, UnsafeRawPointer(keyPointer).assumingMemoryBound(to: UInt8.self), nonceStart, &schedule)
            }
        }
    }
}
