import Testing
@testable import JumpingCrypto

struct X25519Tests {
    init() { #expect(Sodium.initialize()) }

    private func shared(_ secret: [UInt8], _ publicKey: [UInt8]) -> [UInt8]? {
        var output = counting(32, from: 1)
        return X25519.shared(secret: secret, public: publicKey, into: &output) ? output : nil
    }

    /// RFC 7748 §5.2.
    @Test func scalarMultiplicationKnownAnswers() {
        #expect(shared(hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                       hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"))
            == hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"))
        #expect(shared(hex("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d"),
                       hex("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493"))
            == hex("95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"))
    }

    /// RFC 7748 §6.1.
    @Test func aliceAndBobAgree() {
        let alice = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
        let bob = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
        let alicePublic = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
        let bobPublic = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        let agreed = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
        var output = [UInt8](repeating: 0, count: 32)
        #expect(X25519.publicKey(secret: alice, into: &output))
        #expect(output == alicePublic)
        #expect(X25519.publicKey(secret: bob, into: &output))
        #expect(output == bobPublic)
        #expect(shared(alice, bobPublic) == agreed)
        #expect(shared(bob, alicePublic) == agreed)
    }

    /// The points of small order, RFC 7748 §6.1 and §7: 0, 1, one of order 8, p - 1, p, p + 1.
    @Test(arguments: [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ])
    func aPointOfSmallOrderIsRefused(point: String) {
        var output = counting(32, from: 1)
        #expect(!X25519.shared(secret: counting(32, from: 7), public: hex(point), into: &output))
        #expect(output == [UInt8](repeating: 0, count: 32))
    }

    @Test func aSeededKeyPairIsTheSeedsFirstBytes() {
        let seed = counting(32, from: 0x40)
        var random = RandomSource(seed: seed), same = RandomSource(seed: seed)
        var publicKey = [UInt8](repeating: 0, count: 32), secretKey = publicKey, drawn = publicKey, derived = publicKey
        let made = X25519.keyPair(&random, public: &publicKey, secret: &secretKey)
        same.fill(&drawn, 32)
        #expect(made && secretKey == drawn)
        #expect(X25519.publicKey(secret: secretKey, into: &derived))
        #expect(derived == publicKey)
    }
}
