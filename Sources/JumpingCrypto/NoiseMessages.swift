/// §3: no Noise message is longer.
private let longestNoiseMessage = 65_535

/// Writing and reading the two messages. `token…` functions are the tokens of §5.3 and return false when a key
/// agreement gives zeros or a ciphertext is forged.
extension NoiseHandshake {
    /// Writes message 1 (initiator): `overhead1` bytes more than the payload.
    /// - Parameters:
    ///   - payload: may be empty; must not overlap the output.
    ///   - random: gives 32 bytes, the ephemeral secret key.
    /// - Returns: the message's length, or -1.
    package mutating func writeMessage1(payload: UnsafeRawBufferPointer, random: inout RandomSource,
                                        into output: UnsafeMutableRawPointer, capacity: Int) -> Int {
        let overhead = Self.overhead1(pattern)
        guard isInitiator, step == .beforeMessage1, isReadyForMessage1,
              fits(payload.count, overhead, capacity) else { return -1 }
        guard sendTokens1(&random, into: output),
              symmetric.encryptAndHash(payload.baseAddress, payload.count, into: output.advanced(by: overhead - 16)) else {
            end()
            return -1
        }
        step = .beforeMessage2
        return payload.count + overhead
    }

    /// Reads message 1 (responder).
    /// - Parameters:
    ///   - payload: receives `message.count - overhead1` bytes; must not overlap the message. On failure it is undefined
    ///     but holds no plaintext.
    /// - Returns: the payload's length, or -1.
    package mutating func readMessage1(_ message: UnsafeRawBufferPointer, payload: UnsafeMutableRawPointer,
                                       capacity: Int) -> Int {
        let overhead = Self.overhead1(pattern)
        guard !isInitiator, step == .beforeMessage1, isReadyForMessage1, let start = message.baseAddress,
              message.count >= overhead, message.count <= longestNoiseMessage,
              message.count - overhead <= capacity else { return -1 }
        let before = NoiseSymmetricState(copying: symmetric)
        guard receiveTokens1(start),
              symmetric.decryptAndHash(start.advanced(by: overhead - 16), message.count - overhead + 16, into: payload) else {
            symmetric = before
            return -1
        }
        hasRemoteStatic = pattern == .ikpsk2
        step = .beforeMessage2
        return message.count - overhead
    }

    /// Writes message 2 (responder): `overhead2` bytes more than the payload. Parameters as for `writeMessage1`.
    /// - Returns: the message's length, or -1.
    package mutating func writeMessage2(payload: UnsafeRawBufferPointer, random: inout RandomSource,
                                        into output: UnsafeMutableRawPointer, capacity: Int) -> Int {
        let overhead = Self.overhead2(pattern)
        guard !isInitiator, step == .beforeMessage2, hasPSK, fits(payload.count, overhead, capacity) else { return -1 }
        guard sendTokens2(&random, into: output),
              symmetric.encryptAndHash(payload.baseAddress, payload.count, into: output.advanced(by: 32)) else {
            end()
            return -1
        }
        step = .beforeSplit
        return payload.count + overhead
    }

    /// Reads message 2 (initiator). Parameters as for `readMessage1`.
    /// - Returns: the payload's length, or -1.
    package mutating func readMessage2(_ message: UnsafeRawBufferPointer, payload: UnsafeMutableRawPointer,
                                       capacity: Int) -> Int {
        let overhead = Self.overhead2(pattern)
        guard isInitiator, step == .beforeMessage2, hasPSK, let start = message.baseAddress,
              message.count >= overhead, message.count <= longestNoiseMessage,
              message.count - overhead <= capacity else { return -1 }
        let before = NoiseSymmetricState(copying: symmetric)
        guard receiveTokens2(start),
              symmetric.decryptAndHash(start.advanced(by: 32), message.count - 32, into: payload) else {
            symmetric = before
            return -1
        }
        step = .beforeSplit
        return message.count - overhead
    }

    // MARK: - Message patterns

    /// NNpsk0: psk, e. IKpsk2: e, es, s, ss.
    private mutating func sendTokens1(_ random: inout RandomSource, into output: UnsafeMutableRawPointer) -> Bool {
        mixPreMessage()
        switch pattern {
        case .nnpsk0:
            tokenPSK()
            return sendEphemeral(&random, into: output)
        case .ikpsk2:
            return sendEphemeral(&random, into: output)
                && mixSharedSecret(localEphemeralSecret.clone(), remoteStatic.clone())
                && localStaticPublic.withBytes { symmetric.encryptAndHash($0, 32, into: output.advanced(by: 32)) }
                && mixSharedSecret(localStaticSecret.clone(), remoteStatic.clone())
        }
    }

    private mutating func receiveTokens1(_ message: UnsafeRawPointer) -> Bool {
        mixPreMessage()
        switch pattern {
        case .nnpsk0:
            tokenPSK()
            receiveEphemeral(message)
            return true
        case .ikpsk2:
            receiveEphemeral(message)
            return mixSharedSecret(localStaticSecret.clone(), remoteEphemeral.clone())
                && remoteStatic.withMutableBytes { symmetric.decryptAndHash(message.advanced(by: 32), 48, into: $0) }
                && mixSharedSecret(localStaticSecret.clone(), remoteStatic.clone())
        }
    }

    /// NNpsk0: e, ee. IKpsk2: e, ee, se, psk.
    private mutating func sendTokens2(_ random: inout RandomSource, into output: UnsafeMutableRawPointer) -> Bool {
        guard sendEphemeral(&random, into: output),
              mixSharedSecret(localEphemeralSecret.clone(), remoteEphemeral.clone()) else { return false }
        guard pattern == .ikpsk2 else { return true }
        guard mixSharedSecret(localEphemeralSecret.clone(), remoteStatic.clone()) else { return false }
        tokenPSK()
        return true
    }

    private mutating func receiveTokens2(_ message: UnsafeRawPointer) -> Bool {
        receiveEphemeral(message)
        guard mixSharedSecret(localEphemeralSecret.clone(), remoteEphemeral.clone()) else { return false }
        guard pattern == .ikpsk2 else { return true }
        guard mixSharedSecret(localStaticSecret.clone(), remoteEphemeral.clone()) else { return false }
        tokenPSK()
        return true
    }

    // MARK: - Tokens

    /// IK's pre-message `<- s`: both sides mix the responder's public key after the prologue.
    private mutating func mixPreMessage() {
        guard pattern == .ikpsk2 else { return }
        if isInitiator {
            remoteStatic.withBytes { symmetric.mixHash($0, 32) }
        } else {
            localStaticPublic.withBytes { symmetric.mixHash($0, 32) }
        }
    }

    /// "psk".
    private mutating func tokenPSK() {
        psk.withBytes { symmetric.mixKeyAndHash($0) }
    }

    /// "e" when sending. §9.2: with a PSK in the pattern the public key goes into the chaining key as well.
    private mutating func sendEphemeral(_ random: inout RandomSource, into output: UnsafeMutableRawPointer) -> Bool {
        guard localEphemeralSecret.withMutableBytes({ X25519.keyPair(&random, public: output, secret: $0) }) else {
            return false
        }
        symmetric.mixHash(output, 32)
        symmetric.mixKey(output)
        return true
    }

    /// "e" when receiving.
    private mutating func receiveEphemeral(_ message: UnsafeRawPointer) {
        remoteEphemeral.withMutableBytes { $0.copyMemory(from: message, byteCount: 32) }
        symmetric.mixHash(message, 32)
        symmetric.mixKey(message)
    }

    /// "ee", "es", "se", "ss": false when the agreement gives zeros.
    private mutating func mixSharedSecret(_ secret: borrowing Key32, _ publicKey: borrowing Key32) -> Bool {
        var result = Key32()
        let agreed = secret.withBytes { secret in
            publicKey.withBytes { publicKey in
                result.withMutableBytes { X25519.shared(secret: secret, public: publicKey, into: $0) }
            }
        }
        guard agreed else { return false }
        result.withBytes { symmetric.mixKey($0) }
        return true
    }

    /// Whether every key that message 1 needs has been set.
    private var isReadyForMessage1: Bool {
        switch pattern {
        case .nnpsk0: hasPSK
        case .ikpsk2: hasLocalStatic && (!isInitiator || hasRemoteStatic)
        }
    }

    /// Whether a message with this payload is allowed and has room.
    private func fits(_ payloadCount: Int, _ overhead: Int, _ capacity: Int) -> Bool {
        payloadCount <= longestNoiseMessage - overhead && payloadCount + overhead <= capacity
    }
}
