import Testing
@testable import JumpingCrypto

struct KeyDerivationTests {
    init() { #expect(Sodium.initialize()) }

    private let empty = UnsafeRawBufferPointer(start: nil, count: 0)

    /// RFC 5869 appendix A.1 and A.3, the Expand step.
    @Test(arguments: [
        ("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5", "f0f1f2f3f4f5f6f7f8f9",
         "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"),
        ("19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04", "",
         "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
    ])
    func hkdfExpandKnownAnswers(secret: String, info: String, expected: String) {
        var output = [UInt8](repeating: 0, count: 42)
        let information = hex(info)
        // However the info is cut into pieces, it is one string.
        for cut in 0...information.count {
            let derived = information.withUnsafeBytes { bytes in
                KDF.expand(secret: hex(secret), info: UnsafeRawBufferPointer(rebasing: bytes[..<cut]), empty,
                           UnsafeRawBufferPointer(rebasing: bytes[cut...]), into: &output, count: 42)
            }
            #expect(derived && output == hex(expected))
        }
    }

    @Test func labelledExpandMatchesAnotherImplementation() throws {
        for vector in try VectorCase.all("kdf") {
            let expected = try vector.bytes("output"), secret = try vector.bytes("secret")
            var output = [UInt8](repeating: 0, count: expected.count)
            try vector.bytes("context").withUnsafeBytes {
                _ = KDF.expand(secret: secret, label: "test label", context: $0, into: &output, count: expected.count)
            }
            #expect(output == expected)
        }
    }

    @Test(arguments: [Int.min, -1, 0, 65, Int.max])
    func expandRefusesCountsOutOfRange(count: Int) {
        var output = counting(80)
        #expect(!KDF.expand(secret: counting(32), label: "label", context: empty, into: &output, count: count))
        #expect(output == counting(80))
    }

    @Test func cookieMACMatchesAnotherImplementation() throws {
        for vector in try VectorCase.all("mac") {
            let key = try vector.bytes("key")
            var tag = [UInt8](repeating: 0, count: 16)
            try vector.bytes("message").withUnsafeBytes { MAC.tag16(key: key, $0, into: &tag) }
            #expect(try tag == vector.bytes("tag"))
        }
    }

    private func derive(_ passphrase: [UInt8], _ realm: [UInt8], _ hint: [UInt8]) -> [UInt8]? {
        var output = counting(32, from: 1)
        let derived = passphrase.withUnsafeBytes { passphrase in
            realm.withUnsafeBytes { realm in
                hint.withUnsafeBytes { hint in
                    PassphraseKey.derive(passphrase: passphrase, realm: realm, hint: hint, into: &output)
                }
            }
        }
        if !derived { #expect(output == [UInt8](repeating: 0, count: 32)) }
        return derived ? output : nil
    }

    @Test func passphraseKeyMatchesAnotherImplementation() throws {
        for vector in try VectorCase.all("passphrase") {
            let key = try derive(vector.bytes("passphrase"), vector.bytes("realm"), vector.bytes("hint"))
            #expect(try key == vector.bytes("key"))
        }
    }

    @Test func realmAndHintAreKeptApart() throws {
        let first = try #require(derive([1], Array("ab".utf8), Array("c".utf8)))
        let second = try #require(derive([1], Array("a".utf8), Array("bc".utf8)))
        #expect(first != second)
    }

    @Test func anEmptyPassphraseAndALongRealmAreRefused() {
        #expect(derive([], [1], [2]) == nil)
        #expect(derive([1], [UInt8](repeating: 0, count: 256), []) == nil)
    }
}
