import CSodium
import Testing
@testable import JumpingCrypto

/// The primitives, through the wrappers the core uses, against `Tests/vectors/known_answers.txt`: numbers of the documents that
/// define them. Other implementations are held against the same file by `Tests/vectors/check_known_answers.py`.
struct KnownAnswerTests {
    init() { #expect(Sodium.initialize()) }

    private func cases(_ kind: String, atLeast count: Int) throws -> [VectorCase] {
        let found = try VectorCase.all(kind, in: "known_answers.txt")
        #expect(found.count >= count)
        return found
    }

    private func shared(_ secret: [UInt8], _ publicKey: [UInt8]) -> [UInt8]? {
        var output = counting(32, from: 1)
        return X25519.shared(secret: secret, public: publicKey, into: &output) ? output : nil
    }

    @Test func x25519MultipliesScalars() throws {
        for vector in try cases("X25519", atLeast: 2) {
            let output = try shared(vector.bytes("scalar"), vector.bytes("point"))
            #expect(try output == vector.bytes("output"))
        }
    }

    /// RFC 7748 §5.2: the scalar becomes the result, the point the scalar before.
    @Test func x25519IteratedOnceAndAThousandTimes() throws {
        for vector in try cases("X25519 iterated", atLeast: 2) {
            let count = try vector.bytes("count").reduce(0) { $0 << 8 | Int($1) }
            var scalar = [9] + [UInt8](repeating: 0, count: 31), point = scalar
            for _ in 0..<count {
                let next = try #require(shared(scalar, point))
                (scalar, point) = (next, scalar)
            }
            #expect(try scalar == vector.bytes("output"))
        }
    }

    @Test func x25519AliceAndBobAgree() throws {
        for vector in try cases("X25519 agreement", atLeast: 1) {
            for (own, other) in [("alice", "bob"), ("bob", "alice")] {
                let secret = try vector.bytes(own + "_secret")
                var publicKey = [UInt8](repeating: 0, count: 32)
                #expect(X25519.publicKey(secret: secret, into: &publicKey))
                #expect(try publicKey == vector.bytes(own + "_public"))
                let agreed = try shared(secret, vector.bytes(other + "_public"))
                #expect(try agreed == vector.bytes("shared"))
            }
        }
    }

    private func checkAEAD(_ suite: Suite, _ vectors: [VectorCase]) throws {
        for vector in vectors {
            let sealer = Sealer(suite, key: try vector.bytes("key"), iv: try vector.bytes("nonce"))
            let additional = try vector.bytes("additional_data"), plaintext = try vector.bytes("plaintext")
            let sealed = sealer.seal(plaintext, aad: additional)
            #expect(try sealed == vector.bytes("sealed"))
            let opened = try sealer.open(vector.bytes("sealed"), aad: additional)
            #expect(opened == plaintext)
        }
    }

    @Test func chaCha20Poly1305SealsAndOpens() throws {
        try checkAEAD(.chacha20Poly1305, cases("ChaCha20-Poly1305", atLeast: 2))
    }

    @Test(.enabled(if: runnableSuites().contains(.aes256GCM)))
    func aes256GCMSealsAndOpens() throws {
        try checkAEAD(.aes256GCM, cases("AES-256-GCM", atLeast: 5))
    }

    @Test func keysAreDerivedAsLibsodiumDoes() throws {
        for vector in try cases("crypto_kdf", atLeast: 5) {
            let expected = try vector.bytes("output"), secret = try vector.bytes("secret")
            #expect(try vector.bytes("label") == Array("KDF test".utf8))
            let number = try vector.bytes("number").reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            var output = [UInt8](repeating: 0, count: expected.count)
            #expect(KDF.derive(secret: secret, label: "KDF test", number: number, into: &output, count: expected.count))
            #expect(output == expected)
        }
    }

    /// HMAC hashes a key longer than a block and fills a shorter one with zeros (RFC 2104 §2), so each key has a form of 32 bytes.
    @Test func hmacAuthenticatesInPieces() throws {
        for vector in try cases("HMAC-SHA256", atLeast: 6) {
            let key = try vector.bytes("key"), message = try vector.bytes("message")
            let fitting = key.count <= 32 ? key + [UInt8](repeating: 0, count: 32 - key.count) : sha256(key)
            for cut in [0, message.count / 3, message.count] {
                var hmac = HMACSHA256(key: fitting)
                message.withUnsafeBufferPointer {
                    hmac.update($0.baseAddress, cut)
                    hmac.update($0.baseAddress.map { $0 + cut }, message.count - cut)
                }
                var output = [UInt8](repeating: 0, count: 32)
                hmac.finish(into: &output)
                #expect(try output == vector.bytes("output"))
            }
        }
    }

    /// libsodium's SHA-256, which the core reaches only through HMAC and Noise.
    private func sha256(_ message: [UInt8]) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: 32)
        _ = crypto_hash_sha256(&output, message, UInt64(message.count))
        return output
    }

    @Test func sipHashIsTheAuthors() throws {
        for vector in try cases("SipHash-2-4", atLeast: 4) {
            let message = try vector.bytes("message")
            let value = try sipHash(key: vector.bytes("key"), message, UInt64(message.count))
            #expect(try value == vector.bytes("output").reversed().reduce(0) { $0 << 8 | UInt64($1) })
        }
    }

    @Test func aSeedGivesTheChaCha20Keystream() throws {
        for vector in try cases("ChaCha20 keystream", atLeast: 1) {
            let expected = try vector.bytes("output")
            var random = RandomSource(seed: try vector.bytes("key")), output = [UInt8](repeating: 0, count: expected.count)
            random.fill(&output, output.count)
            #expect(output == expected)
        }
    }
}
