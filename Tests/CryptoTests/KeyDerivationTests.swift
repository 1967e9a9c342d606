import Testing
@testable import JumpingCrypto

struct KeyDerivationTests {
    init() { #expect(Sodium.initialize()) }

    @Test func derivationMatchesAnotherImplementation() throws {
        for vector in try VectorCase.all("kdf") {
            let expected = try vector.bytes("output"), secret = try vector.bytes("secret")
            let number = try vector.bytes("number").reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            var output = [UInt8](repeating: 0, count: expected.count)
            #expect(KDF.derive(secret: secret, label: "testing!", number: number, into: &output, count: expected.count))
            #expect(output == expected)
        }
    }

    @Test(arguments: [Int.min, -1, 0, 15, 65, Int.max])
    func derivationRefusesCountsOutOfRange(count: Int) {
        var output = counting(80)
        #expect(!KDF.derive(secret: counting(32), label: "testing!", number: 0, into: &output, count: count))
        #expect(output == counting(80))
    }

    @Test func derivationRefusesLabelsOfOtherLengths() {
        var output = counting(80)
        for label: StaticString in ["", "testing", "testing!!"] {
            #expect(!KDF.derive(secret: counting(32), label: label, number: 0, into: &output, count: 32))
        }
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
