/// The two handshakes this protocol speaks (Noise Protocol Framework, revision 34, §7.5 and §9.4). The raw values
/// travel in INIT.
package enum NoisePattern: UInt8 {
    /// `Noise_NNpsk0_25519_ChaChaPoly_SHA256`: -> psk, e  <- e, ee. Both sides know the PSK, nobody has a key pair.
    case nnpsk0 = 1
    /// `Noise_IKpsk2_25519_ChaChaPoly_SHA256`: <- s ... -> e, es, s, ss  <- e, ee, se, psk. The initiator knows the
    /// responder's public key and sends its own encrypted.
    case ikpsk2 = 2

    /// §8: the name that starts the handshake hash.
    var protocolName: StaticString {
        switch self {
        case .nnpsk0: "Noise_NNpsk0_25519_ChaChaPoly_SHA256"
        case .ikpsk2: "Noise_IKpsk2_25519_ChaChaPoly_SHA256"
        }
    }
}
