import Testing
@testable import JumpingCrypto

struct SuiteTests {
    init() { #expect(Sodium.initialize()) }

    @Test func chaChaRunsEverywhere() {
        #expect(Suite.available & 1 == 1)
        #expect(Suite.available & ~7 == 0)
    }

    @Test(arguments: [
        (7, 7, Suite.aegis256), (7, 3, .aes256GCM), (3, 7, .aes256GCM), (5, 3, .chacha20Poly1305), (6, 5, .aegis256),
        (2, 2, .aes256GCM), (0xFFFF_FFF9, 0xFFFF_FFFF, .chacha20Poly1305),
    ] as [(UInt32, UInt32, Suite)])
    func theBestCommonSuiteIsChosen(offered: UInt32, allowed: UInt32, expected: Suite) {
        #expect(Suite.choose(offered: offered, allowed: allowed) == expected)
    }

    @Test(arguments: [(0, 7), (7, 0), (1, 2), (4, 3), (8, 15), (0xFFFF_FFF8, 0xFFFF_FFFF)] as [(UInt32, UInt32)])
    func nothingInCommonChoosesNothing(offered: UInt32, allowed: UInt32) {
        #expect(Suite.choose(offered: offered, allowed: allowed) == nil)
    }

    @Test func lengthsAndLabelsAreTheProtocols() {
        #expect(Suite.allCases.map(\.tagLength) == [16, 16, 32])
        #expect(Suite.allCases.map(\.nonceLength) == [12, 12, 32])
        #expect(Suite.allCases.map { $0.label.description } == ["ChaCha20-Poly1305", "AES-256-GCM", "AEGIS-256"])
    }
}
