import Testing
@testable import JumpingCrypto

struct X25519Tests {
    init() { #expect(Sodium.initialize()) }

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
