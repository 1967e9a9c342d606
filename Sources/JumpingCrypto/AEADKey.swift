import CSodium

/// The key of one direction in one key phase: seals and opens datagrams in place.
///
/// Nonce = IV ⊕ the 64-bit packet number, big endian, in the nonce's last 8 bytes (RFC 8446 §5.3, RFC 9001 §5.3). The
/// caller never uses a packet number twice for sealing. Nothing here allocates. AES-256-GCM expands its key on the stack for each call,
/// unless the caller has the key's schedule (`ReadyKeys`).
package struct AEADKey: ~Copyable {
    package let suite: Suite
    /// Whether this machine can run the suite. Checked once: libsodium's AES would fault on a CPU without AES.
    private let isUsable: Bool
    private var key: Key32
    /// The IV in the last `nonceLength` of 32 bytes, so that every suite finds the packet number in the last word.
    private var iv = Key32()

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
    /// - Parameters:
    ///   - aad: authenticated but not encrypted; `aadLength` bytes, possibly none.
    ///   - schedule: this key expanded, when there is such; for AES-256-GCM alone.
    /// - Returns: false when the suite cannot run here or a length is negative; the buffer is then zeros, so that a
    ///   plaintext never leaves by mistake.
    @discardableResult
    @inline(__always)
    package func seal(packetNumber: UInt64, aad: UnsafeRawPointer, aadLength: Int, buffer: UnsafeMutableRawPointer, length: Int,
                      schedule: UnsafePointer<crypto_aead_aes256gcm_state>? = nil) -> Bool {
        guard length >= 0, aadLength >= 0 else { return false }
        let bytes = buffer.assumingMemoryBound(to: UInt8.self)
        let aadBytes = aad.assumingMemoryBound(to: UInt8.self)
        let messageCount = UInt64(truncatingIfNeeded: length)
        let aadCount = UInt64(truncatingIfNeeded: aadLength)
        let status: Int32 = !isUsable ? -1 : withNonce(packetNumber) { suite, keyBytes, nonce in
            switch suite {
            case .chacha20Poly1305:
                return crypto_aead_chacha20poly1305_ietf_encrypt(bytes, nil, bytes, messageCount, aadBytes, aadCount,
                                                                 nil, nonce, keyBytes)
            case .aes256GCM:
                guard let schedule else {
                    return crypto_aead_aes256gcm_encrypt(bytes, nil, bytes, messageCount, aadBytes, aadCount,
                                                         nil, nonce, keyBytes)
                }
                return crypto_aead_aes256gcm_encrypt_afternm(bytes, nil, bytes, messageCount, aadBytes, aadCount,
                                                             nil, nonce, schedule)
            case .aegis256:
                return jumping_aegis256_seal(bytes, messageCount, aadBytes, aadCount, nonce, keyBytes)
            }
        }
        if status == 0 { return true }
        wipe(buffer, length)
        return false
    }

    @inline(never)
    private func wipe(_ buffer: UnsafeMutableRawPointer, _ length: Int) {
        Sodium.wipe(buffer, length)
        Sodium.wipe(buffer.advanced(by: length), suite.tagLength)
    }

    /// Checks and decrypts in place; the plaintext is the first `length - suite.tagLength` bytes.
    /// - Parameter length: bytes of ciphertext and tag together.
    /// - Returns: false for anything not sealed with this key, packet number and AAD. The buffer is then undefined.
    @inline(__always)
    package func open(packetNumber: UInt64, aad: UnsafeRawPointer, aadLength: Int, buffer: UnsafeMutableRawPointer, length: Int,
                      schedule: UnsafePointer<crypto_aead_aes256gcm_state>? = nil) -> Bool {
        guard isUsable, length >= suite.tagLength, aadLength >= 0 else { return false }
        let bytes = buffer.assumingMemoryBound(to: UInt8.self)
        let aadBytes = aad.assumingMemoryBound(to: UInt8.self)
        let sealedCount = UInt64(truncatingIfNeeded: length)
        let aadCount = UInt64(truncatingIfNeeded: aadLength)
        let status: Int32 = withNonce(packetNumber) { suite, keyBytes, nonce in
            switch suite {
            case .chacha20Poly1305:
                return crypto_aead_chacha20poly1305_ietf_decrypt(bytes, nil, nil, bytes, sealedCount, aadBytes,
                                                                 aadCount, nonce, keyBytes)
            case .aes256GCM:
                guard let schedule else {
                    return crypto_aead_aes256gcm_decrypt(bytes, nil, nil, bytes, sealedCount, aadBytes, aadCount,
                                                         nonce, keyBytes)
                }
                return crypto_aead_aes256gcm_decrypt_afternm(bytes, nil, nil, bytes, sealedCount, aadBytes, aadCount,
                                                             nonce, schedule)
            case .aegis256:
                return jumping_aegis256_open(bytes, sealedCount, aadBytes, aadCount, nonce, keyBytes)
            }
        }
        return status == 0
    }

    /// Expands an AES-256-GCM key. A key this machine cannot use seals and opens nothing, with or without its schedule.
    func expand(into schedule: UnsafeMutablePointer<crypto_aead_aes256gcm_state>) {
        guard suite == .aes256GCM, isUsable else { return }
        key.withBytes { _ = crypto_aead_aes256gcm_beforenm(schedule, $0.assumingMemoryBound(to: UInt8.self)) }
    }

    /// Calls `body` with the key and the nonce of a packet number.
    @inline(__always)
    private func withNonce(_ packetNumber: UInt64, _ body: (Suite, UnsafePointer<UInt8>, UnsafePointer<UInt8>) -> Int32) -> Int32 {
        let suite = suite
        return withUnsafePointer(to: key) { keyPointer in
            let keyBytes = UnsafeRawPointer(keyPointer).assumingMemoryBound(to: UInt8.self)
            if suite == .aegis256 {
                let nonce = iv.withBytes { iv in
                    (iv.load(as: UInt64.self), iv.load(fromByteOffset: 8, as: UInt64.self), iv.load(fromByteOffset: 16, as: UInt64.self),
                     iv.load(fromByteOffset: 24, as: UInt64.self) ^ packetNumber.bigEndian)
                }
                return withUnsafePointer(to: nonce) {
                    body(suite, keyBytes, UnsafeRawPointer($0).assumingMemoryBound(to: UInt8.self))
                }
            }
            // 12 bytes as the cipher reads them, 8 and 4, so that they come out of the processor's store buffer.
            let nonce = iv.withBytes { iv in
                (iv.loadUnaligned(fromByteOffset: 20, as: UInt64.self) ^ (UInt64(UInt32(truncatingIfNeeded: packetNumber >> 32)).bigEndian),
                 iv.load(fromByteOffset: 28, as: UInt32.self) ^ UInt32(truncatingIfNeeded: packetNumber).bigEndian)
            }
            return withUnsafePointer(to: nonce) {
                body(suite, keyBytes, UnsafeRawPointer($0).assumingMemoryBound(to: UInt8.self))
            }
        }
    }
}
