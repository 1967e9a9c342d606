import Testing
@testable import JumpingCrypto

struct SipHashTests {
    init() { #expect(Sodium.initialize()) }

    @Test func theHeaderMaskIsSipHashOfTheSample() {
        let key = HeaderKey(counting(16))
        let mask = key.mask(sample: counting(16))
        #expect(mask == 0x3f2a_cc7f_57c2_9bdb)
    }

    @Test func aConnectionIDIsSipHashOfALittleEndianIndex() {
        let key = HeaderKey(counting(16))
        let value = key.connectionID(0x0706_0504_0302_0100)
        let function = PseudoRandomFunction(counting(16))
        let same = function.value(0x0706_0504_0302_0100)
        #expect(same == value)
        #expect(value == 0x93f5_f579_9a93_2462)
    }
}

struct RandomSourceTests {
    init() { #expect(Sodium.initialize()) }

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
