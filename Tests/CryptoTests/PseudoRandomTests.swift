import Testing
@testable import JumpingCrypto

struct SipHashTests {
    init() { #expect(Sodium.initialize()) }

    /// SipHash-2-4 of 00 01 02 … under the key 00 … 0f: the paper's appendix A (15 bytes) and its authors' table.
    @Test(arguments: [
        (0, 0x726f_db47_dd0e_0e31), (8, 0x93f5_f579_9a93_2462), (15, 0xa129_ca61_49be_45e5),
        (16, 0x3f2a_cc7f_57c2_9bdb),
    ] as [(Int, UInt64)])
    func sipHashKnownAnswers(count: Int, expected: UInt64) {
        #expect(sipHash(key: counting(16), counting(16), UInt64(count)) == expected)
    }

    @Test func theHeaderMaskIsSipHashOfTheSample() {
        let key = HeaderKey(counting(16))
        let mask = key.mask(sample: counting(16))
        #expect(mask == 0x3f2a_cc7f_57c2_9bdb)
    }

    @Test func thePseudoRandomFunctionHashesALittleEndianIndex() {
        let function = PseudoRandomFunction(counting(16))
        let value = function.value(0x0706_0504_0302_0100)
        #expect(value == 0x93f5_f579_9a93_2462)
    }
}

struct RandomSourceTests {
    init() { #expect(Sodium.initialize()) }

    /// The ChaCha20 keystream of a zero key, blocks 0 and 1 (RFC 8439 appendix A.1, test vectors 1 and 2).
    @Test func aSeedGivesTheChaCha20Keystream() {
        var random = RandomSource(seed: [UInt8](repeating: 0, count: 32))
        var output = [UInt8](repeating: 0, count: 128)
        random.fill(&output, 128)
        #expect(output == hex("""
            76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7
            da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586
            9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed
            29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f
            """))
    }

    @Test func aSeedGivesTheSameBytesHoweverTheyAreAskedFor() throws {
        let vector = try #require(try VectorCase.all("random").first)
        let seed = try vector.bytes("seed"), expected = try vector.bytes("output")
        for step in 1...expected.count {
            var random = RandomSource(seed: seed)
            var output = [UInt8](repeating: 0, count: expected.count)
            output.withUnsafeMutableBytes { bytes in
                var written = 0
                while written < bytes.count {
                    let count = min(step, bytes.count - written)
                    random.fill(bytes.baseAddress! + written, count)
                    written += count
                }
            }
            #expect(output == expected)
        }
        var random = RandomSource(seed: seed)
        let numbers = (random.next64(), random.next32(), random.isSeeded)
        #expect(numbers.0 == expected[0..<8].reversed().reduce(0) { $0 << 8 | UInt64($1) })
        #expect(numbers.1 == expected[8..<12].reversed().reduce(0) { $0 << 8 | UInt32($1) })
        #expect(numbers.2)
    }

    @Test func differentSeedsDiffer() {
        var first = RandomSource(seed: counting(32)), second = RandomSource(seed: counting(32, from: 1))
        let numbers = (first.next64(), second.next64())
        #expect(numbers.0 != numbers.1)
    }

    @Test func theSystemSourceDoesNotRepeat() {
        var random = RandomSource(), other = RandomSource()
        let numbers = [random.next64(), random.next64(), other.next64(), other.next64()]
        let seeded = random.isSeeded
        #expect(Set(numbers).count == 4)
        #expect(!seeded)
        var bytes = [UInt8](repeating: 0, count: 64)
        random.fill(&bytes, 0)
        random.fill(&bytes, -5)
        #expect(bytes == [UInt8](repeating: 0, count: 64))
        random.fill(&bytes, 64)
        #expect(bytes.suffix(32) != [UInt8](repeating: 0, count: 32))
    }
}
