/// One Noise handshake, either side: two messages, then two keys.
///
///     initiator  mixPrologue  set…  writeMessage1  ───────────>  readMessage2  split
///     responder  mixPrologue  set…  readMessage1   set…  writeMessage2         split
///
/// Every call out of this order fails and changes nothing. A message that is forged, cut or too long for the buffer
/// fails without a trace too, so that the genuine one can still follow: an attacker who races it wins nothing. Failures
/// say nothing about why. A write that fails once it has begun (the other side's key is of small order) ends the
/// handshake. All secrets are wiped when the value ends, and already at `split`.
package struct NoiseHandshake: ~Copyable {
    enum Step: UInt8 {
        /// Before `mixPrologue`.
        case new
        case beforeMessage1
        case beforeMessage2
        case beforeSplit
        /// Split or failed: of no further use.
        case over
    }

    let pattern: NoisePattern
    let isInitiator: Bool
    var step = Step.new
    var hasPSK = false
    var hasLocalStatic = false
    var hasRemoteStatic = false
    var symmetric: NoiseSymmetricState
    var psk = Key32()
    var localStaticSecret = Key32()
    var localStaticPublic = Key32()
    var localEphemeralSecret = Key32()
    var remoteStatic = Key32()
    var remoteEphemeral = Key32()

    /// §5.3 Initialize, up to the prologue.
    package init(pattern: NoisePattern, isInitiator: Bool) {
        self.pattern = pattern
        self.isInitiator = isInitiator
        symmetric = NoiseSymmetricState(protocolName: pattern.protocolName)
    }

    /// Binds bytes that both sides saw in clear; they may be empty. Must be called exactly once, before the first
    /// message; without it no message is written or read, and a second call is ignored.
    package mutating func mixPrologue(_ p: UnsafeRawBufferPointer) {
        guard step == .new else { return }
        symmetric.mixHash(p.baseAddress, p.count)
        step = .beforeMessage1
    }

    /// Sets the pre-shared key, 32 bytes: before message 1 of NNpsk0, before message 2 of IKpsk2 (the responder may look
    /// it up by the identity that message 1 brought). A handshake without one needs 32 zeros here.
    package mutating func setPSK(_ p: UnsafeRawPointer) {
        psk.withMutableBytes { $0.copyMemory(from: p, byteCount: 32) }
        hasPSK = true
    }

    /// Sets this side's key pair for IKpsk2, before message 1.
    /// - Parameters:
    ///   - secret: 32 bytes.
    ///   - publicKey: its 32-byte public key when the caller has it, which saves computing it per handshake.
    package mutating func setLocalStatic(secret: UnsafeRawPointer, public publicKey: UnsafeRawPointer? = nil) {
        localStaticSecret.withMutableBytes { $0.copyMemory(from: secret, byteCount: 32) }
        hasLocalStatic = localStaticPublic.withMutableBytes { target in
            guard let publicKey else { return X25519.publicKey(secret: secret, into: target) }
            target.copyMemory(from: publicKey, byteCount: 32)
            return true
        }
    }

    /// Sets the responder's public key (32 bytes) for the initiator of IKpsk2, before message 1. A responder learns the
    /// initiator's from message 1 and ignores this call.
    package mutating func setRemoteStatic(_ publicKey: UnsafeRawPointer) {
        guard isInitiator else { return }
        remoteStatic.withMutableBytes { $0.copyMemory(from: publicKey, byteCount: 32) }
        hasRemoteStatic = true
    }

    /// The other side's public key, 32 bytes. For a responder: known, and proven to be in the other side's
    /// possession, once `readMessage1` of IKpsk2 has succeeded.
    /// - Returns: false, with nothing written, when there is none.
    package func remoteStatic(into output: UnsafeMutableRawPointer) -> Bool {
        guard hasRemoteStatic else { return false }
        remoteStatic.withBytes { output.copyMemory(from: $0, byteCount: 32) }
        return true
    }

    /// §5.2 Split and §11.2: the key for each direction and the handshake hash, 32 bytes each. Once, after message 2.
    /// - Returns: false, with nothing written, when the handshake is not complete.
    package mutating func split(initiatorToResponder: UnsafeMutableRawPointer,
                                responderToInitiator: UnsafeMutableRawPointer,
                                handshakeHash: UnsafeMutableRawPointer) -> Bool {
        guard step == .beforeSplit else { return false }
        symmetric.split(initiatorToResponder, responderToInitiator, hash: handshakeHash)
        end()
        return true
    }

    /// Bytes that message 1 adds to its payload.
    package static func overhead1(_ pattern: NoisePattern) -> Int {
        switch pattern {
        case .nnpsk0: 32 + 16           // e, tag
        case .ikpsk2: 32 + 48 + 16      // e, sealed s, tag
        }
    }

    /// Bytes that message 2 adds to its payload: e and the tag.
    package static func overhead2(_ pattern: NoisePattern) -> Int { 32 + 16 }

    /// Ends the handshake and wipes what could recompute its keys; the remote public key stays readable.
    mutating func end() {
        step = .over
        symmetric = NoiseSymmetricState(protocolName: pattern.protocolName)
        psk = Key32()
        localStaticSecret = Key32()
        localEphemeralSecret = Key32()
    }
}
