import CSodium

/// An AEAD cipher suite. The raw values are single bits, so that a set of suites is their bitwise or; they are the
/// values of `JMP_SUITE_*` and travel in the handshake.
package enum Suite: UInt8, CaseIterable {
    /// RFC 8439. Runs everywhere in constant time.
    case chacha20Poly1305 = 1
    /// NIST SP 800-38D. libsodium offers it only where the CPU has AES and carry-less multiplication.
    case aes256GCM = 2
    /// draft-irtf-cfrg-aegis-aead, 256-bit tag. libsodium 1.0.19 and newer.
    case aegis256 = 4

    /// Bytes a seal adds to the payload.
    package var tagLength: Int { self == .aegis256 ? 32 : 16 }

    /// Bytes of nonce, and so of the IV a key is made with.
    package var nonceLength: Int { self == .aegis256 ? 32 : 12 }

    /// The name shown to people.
    package var label: StaticString {
        switch self {
        case .chacha20Poly1305: "ChaCha20-Poly1305"
        case .aes256GCM: "AES-256-GCM"
        case .aegis256: "AEGIS-256"
        }
    }

    /// The suites this libsodium and this CPU can run, as a set of raw values. Needs `Sodium.initialize()` before it,
    /// since that is where libsodium looks at the CPU.
    package static var available: UInt32 {
        var suites = UInt32(chacha20Poly1305.rawValue)
        if crypto_aead_aes256gcm_is_available() == 1 { suites |= UInt32(aes256GCM.rawValue) }
        if jumping_aegis256_available() == 1 { suites |= UInt32(aegis256.rawValue) }
        return suites
    }

    /// The best suite in both sets, or nil when they have none in common. Unknown bits are ignored: a newer peer may
    /// offer suites this version does not know.
    package static func choose(offered: UInt32, allowed: UInt32) -> Suite? {
        let common = offered & allowed
        if common & UInt32(aegis256.rawValue) != 0 { return .aegis256 }
        if common & UInt32(aes256GCM.rawValue) != 0 { return .aes256GCM }
        if common & UInt32(chacha20Poly1305.rawValue) != 0 { return .chacha20Poly1305 }
        return nil
    }
}
