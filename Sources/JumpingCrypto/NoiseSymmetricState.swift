import CSodium

/// The hashing half of a Noise handshake (revision 34, §5.1 CipherState and §5.2 SymmetricState) for
/// 25519, ChaChaPoly and SHA256.
struct NoiseSymmetricState: ~Copyable {
    /// `ck`, the chaining key.
    private var chainingKey = Key32()
    /// `h`, the running hash of everything both sides have seen.
    private var hash = Key32()
    /// `k`, meaningless until `hasKey`.
    private var cipherKey = Key32()
    private var hasKey = false
    /// `n`, the cipher's nonce counter.
    private var counter: UInt64 = 0

    /// §5.2 InitializeSymmetric: h is the name itself when it fits the hash, padded with zeros, else its hash.
    init(protocolName: StaticString) {
        protocolName.withUTF8Buffer { name in
            hash.withMutableBytes { target in
                if name.count <= 32 {
                    if let start = name.baseAddress { target.copyMemory(from: start, byteCount: name.count) }
                } else {
                    _ = crypto_hash_sha256(target.assumingMemoryBound(to: UInt8.self), name.baseAddress,
                                           UInt64(truncatingIfNeeded: name.count))
                }
            }
        }
        chainingKey.replace(with: hash)
    }

    /// An independent copy, to go back to when a message turns out to be forged.
    init(copying other: borrowing NoiseSymmetricState) {
        chainingKey = other.chainingKey.clone()
        hash = other.hash.clone()
        cipherKey = other.cipherKey.clone()
        hasKey = other.hasKey
        counter = other.counter
    }

    /// §5.2 MixKey: ck, k = HKDF(ck, input, 2). Input is 32 bytes.
    mutating func mixKey(_ input: UnsafeRawPointer) {
        var first = Key32(), second = Key32(), unused = Key32()
        noiseHKDF(chainingKey, input, 32, outputs: 2, &first, &second, &unused)
        chainingKey.replace(with: first)
        setKey(second)
    }

    /// §5.2 MixHash: h = SHA256(h ‖ data).
    mutating func mixHash(_ data: UnsafeRawPointer?, _ count: Int) {
        var state = crypto_hash_sha256_state()
        _ = crypto_hash_sha256_init(&state)
        hash.withBytes { _ = crypto_hash_sha256_update(&state, $0.assumingMemoryBound(to: UInt8.self), 32) }
        if let data, count > 0 {
            _ = crypto_hash_sha256_update(&state, data.assumingMemoryBound(to: UInt8.self),
                                          UInt64(truncatingIfNeeded: count))
        }
        hash.withMutableBytes { _ = crypto_hash_sha256_final(&state, $0.assumingMemoryBound(to: UInt8.self)) }
        // The hash of a PSK handshake passes through here with material derived from the PSK.
        withUnsafeMutablePointer(to: &state) {
            Sodium.wipe(UnsafeMutableRawPointer($0), MemoryLayout<crypto_hash_sha256_state>.size)
        }
    }

    /// §5.2 MixKeyAndHash: ck, temp_h, k = HKDF(ck, psk, 3), temp_h mixed into the hash. The PSK is 32 bytes.
    mutating func mixKeyAndHash(_ psk: UnsafeRawPointer) {
        var first = Key32(), second = Key32(), third = Key32()
        noiseHKDF(chainingKey, psk, 32, outputs: 3, &first, &second, &third)
        chainingKey.replace(with: first)
        second.withBytes { mixHash($0, 32) }
        setKey(third)
    }

    /// §5.2 EncryptAndHash: writes `count` bytes of ciphertext and a 16-byte tag; `output` has room for both.
    /// - Returns: false when there is no key yet, which no pattern here allows.
    mutating func encryptAndHash(_ plaintext: UnsafeRawPointer?, _ count: Int,
                                 into output: UnsafeMutableRawPointer) -> Bool {
        guard hasKey, count >= 0, plaintext != nil || count == 0 else { return false }
        let bytes = output.assumingMemoryBound(to: UInt8.self)
        let status = withNonce { key, hash, nonce in
            crypto_aead_chacha20poly1305_ietf_encrypt(bytes, nil, plaintext?.assumingMemoryBound(to: UInt8.self),
                                                      UInt64(truncatingIfNeeded: count), hash, 32, nil, nonce, key)
        }
        guard status == 0 else { return false }
        counter &+= 1
        mixHash(output, count &+ 16)
        return true
    }

    /// §5.2 DecryptAndHash: `count` includes the 16-byte tag; `output` has room for `count - 16` bytes and does not
    /// overlap the ciphertext, which is hashed afterwards.
    /// - Returns: false when the ciphertext is not authentic; the output then holds zeros, the state is unchanged.
    mutating func decryptAndHash(_ ciphertext: UnsafeRawPointer, _ count: Int,
                                 into output: UnsafeMutableRawPointer) -> Bool {
        guard hasKey, count >= 16 else { return false }
        let status = withNonce { key, hash, nonce in
            crypto_aead_chacha20poly1305_ietf_decrypt(output.assumingMemoryBound(to: UInt8.self), nil, nil,
                                                      ciphertext.assumingMemoryBound(to: UInt8.self),
                                                      UInt64(truncatingIfNeeded: count), hash, 32, nonce, key)
        }
        guard status == 0 else { return false }
        counter &+= 1
        mixHash(ciphertext, count)
        return true
    }

    /// §5.2 Split: the key of initiator → responder, then of responder → initiator, and h itself (§11.2).
    func split(_ first: UnsafeMutableRawPointer, _ second: UnsafeMutableRawPointer,
               hash output: UnsafeMutableRawPointer) {
        var firstKey = Key32(), secondKey = Key32(), unused = Key32()
        noiseHKDF(chainingKey, nil, 0, outputs: 2, &firstKey, &secondKey, &unused)
        firstKey.withBytes { first.copyMemory(from: $0, byteCount: 32) }
        secondKey.withBytes { second.copyMemory(from: $0, byteCount: 32) }
        hash.withBytes { output.copyMemory(from: $0, byteCount: 32) }
    }

    /// §5.1 InitializeKey.
    private mutating func setKey(_ key: borrowing Key32) {
        cipherKey.replace(with: key)
        hasKey = true
        counter = 0
    }

    /// Calls `body` with k, h and the nonce of §12.3: 32 zero bits, then the counter in little endian.
    private func withNonce(_ body: (UnsafePointer<UInt8>, UnsafePointer<UInt8>, UnsafePointer<UInt8>) -> Int32) -> Int32 {
        // 16 bytes whose last 12 are the nonce.
        let nonce: (UInt64, UInt64) = (0, counter.littleEndian)
        return withUnsafePointer(to: nonce) { nonce in
            let nonceStart = UnsafeRawPointer(nonce).advanced(by: 4).assumingMemoryBound(to: UInt8.self)
            return cipherKey.withBytes { key in
                hash.withBytes { hash in
                    body(key.assumingMemoryBound(to: UInt8.self), hash.assumingMemoryBound(to: UInt8.self), nonceStart)
                }
            }
        }
    }
}

/// §4.3 HKDF with two or three outputs of 32 bytes; the third is left alone when two are asked for.
private func noiseHKDF(_ chainingKey: borrowing Key32, _ input: UnsafeRawPointer?, _ inputCount: Int, outputs: Int,
                       _ first: inout Key32, _ second: inout Key32, _ third: inout Key32) {
    var temporaryKey = Key32()
    chainingKey.withBytes { key in
        var hmac = HMACSHA256(key: key)
        hmac.update(input, inputCount)
        temporaryKey.withMutableBytes { hmac.finish(into: $0) }
    }
    temporaryKey.withBytes { key in
        var hmac = HMACSHA256(key: key)
        hmac.update(byte: 1)
        first.withMutableBytes { hmac.finish(into: $0) }
        hmac = HMACSHA256(key: key)
        first.withBytes { hmac.update($0, 32) }
        hmac.update(byte: 2)
        second.withMutableBytes { hmac.finish(into: $0) }
        guard outputs == 3 else { return }
        hmac = HMACSHA256(key: key)
        second.withBytes { hmac.update($0, 32) }
        hmac.update(byte: 3)
        third.withMutableBytes { hmac.finish(into: $0) }
    }
}
