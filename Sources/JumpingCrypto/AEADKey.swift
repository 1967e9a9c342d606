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
    /// While false a key with little to do is expanded anew each time, on the stack.
    private var keepsSchedule = true
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
    @inline(__always)
    package mutating func seal(packetNumber: UInt64, aad: UnsafeRawPointer, aadLength: Int,
                               buffer: UnsafeMutableRawPointer, length: Int) -> Bool {
        guard length >= 0, aadLength >= 0 else { return false }
        let bytes = buffer.assumingMemoryBound(to: UInt8.self)
        let aadBytes = aad.assumingMemoryBound(to: UInt8.self)
        let messageCount = UInt64(truncatingIfNeeded: length)
        let aadCount = UInt64(truncatingIfNeeded: aadLength)
        let keeps = keepsSchedule
        let status: Int32 = !isUsable ? -1 : withNonce(packetNumber) { suite, keyBytes, nonce, schedule in
            switch suite {
            case .chacha20Poly1305:
                return crypto_aead_chacha20poly1305_ietf_encrypt(bytes, nil, bytes, messageCount, aadBytes, aadCount,
                                                                 nil, nonce, keyBytes)
            case .aes256GCM:
                guard let expanded = schedule.expanded(keyBytes, keep: keeps) else {
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
    package mutating func open(packetNumber: UInt64, aad: UnsafeRawPointer, aadLength: Int,
                               buffer: UnsafeMutableRawPointer, length: Int) -> Bool {
        guard isUsable, length >= suite.tagLength, aadLength >= 0 else { return false }
        let bytes = buffer.assumingMemoryBound(to: UInt8.self)
        let aadBytes = aad.assumingMemoryBound(to: UInt8.self)
        let sealedCount = UInt64(truncatingIfNeeded: length)
        let aadCount = UInt64(truncatingIfNeeded: aadLength)
        let keeps = keepsSchedule
        let status: Int32 = withNonce(packetNumber) { suite, keyBytes, nonce, schedule in
            switch suite {
            case .chacha20Poly1305:
                return crypto_aead_chacha20poly1305_ietf_decrypt(bytes, nil, nil, bytes, sealedCount, aadBytes,
                                                                 aadCount, nonce, keyBytes)
            case .aes256GCM:
                guard let expanded = schedule.expanded(keyBytes, keep: keeps) else {
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

    /// Wipes and frees the AES key schedule of an idle session (512 bytes). Until `keepSchedule` each use expands the key anew, on the
    /// stack. No effect for the other suites.
    package mutating func dropSchedule() {
        keepsSchedule = false
        schedule.drop()
    }

    /// Whether an AES key schedule is in memory now.
    package var hasSchedule: Bool { schedule.isExpanded }

    /// From now on the next use makes the AES key schedule and keeps it.
    package mutating func keepSchedule() {
        keepsSchedule = true
    }

    /// Brings the schedule into the processor's cache.
    @inline(__always)
    package func prefetchSchedule() {
        schedule.prefetch()
    }

    /// Calls `body` with the key and the nonce of a packet number.
    @inline(__always)
    private mutating func withNonce(
        _ packetNumber: UInt64,
        _ body: (Suite, UnsafePointer<UInt8>, UnsafePointer<UInt8>, inout AESKeySchedule) -> Int32
    ) -> Int32 {
        let suite = suite
        return withUnsafePointer(to: key) { keyPointer in
            let keyBytes = UnsafeRawPointer(keyPointer).assumingMemoryBound(to: UInt8.self)
            if suite == .aegis256 {
                let nonce = iv.withBytes { iv in
                    (iv.load(as: UInt64.self), iv.load(fromByteOffset: 8, as: UInt64.self), iv.load(fromByteOffset: 16, as: UInt64.self),
                     iv.load(fromByteOffset: 24, as: UInt64.self) ^ packetNumber.bigEndian)
                }
                return withUnsafePointer(to: nonce) {
                    body(suite, keyBytes, UnsafeRawPointer($0).assumingMemoryBound(to: UInt8.self), &schedule)
                }
            }
            // 12 bytes as the cipher reads them, 8 and 4, so that they come out of the processor's store buffer.
            let nonce = iv.withBytes { iv in
                (iv.loadUnaligned(fromByteOffset: 20, as: UInt64.self) ^ (UInt64(UInt32(truncatingIfNeeded: packetNumber >> 32)).bigEndian),
                 iv.load(fromByteOffset: 28, as: UInt32.self) ^ UInt32(truncatingIfNeeded: packetNumber).bigEndian)
            }
            return withUnsafePointer(to: nonce) {
                body(suite, keyBytes, UnsafeRawPointer($0).assumingMemoryBound(to: UInt8.self), &schedule)
            }
        }
    }
}
