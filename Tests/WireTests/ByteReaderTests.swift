import Testing
@testable import JumpingWire

struct ByteReaderTests {
    @Test func integersAreBigEndian() {
        reading([1, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 1, 2, 3, 4, 5, 6, 7, 8]) { reader in
            #expect(reader.u8() == 1)
            #expect(reader.u16() == 0x2345)
            #expect(reader.u32() == 0x6789_ABCD)
            #expect(reader.u64() == 0x0102_0304_0506_0708)
            #expect(reader.remaining == 0)
            #expect(!reader.failed)
        }
    }

    @Test(arguments: 0..<8)
    func anIntegerThatDoesNotFitReadsAsZeroAndFails(available: Int) {
        let bytes = [UInt8](repeating: 0xFF, count: available)
        let reads: [(size: Int, read: (inout ByteReader) -> UInt64)] = [
            (1, { UInt64($0.u8()) }), (2, { UInt64($0.u16()) }), (4, { UInt64($0.u32()) }), (8, { $0.u64() }),
        ]
        for (size, read) in reads where size > available {
            reading(bytes) { reader in
                #expect(read(&reader) == 0)
                #expect(reader.failed)
            }
        }
    }

    @Test func aFailureIsSticky() {
        reading([1, 2, 3]) { reader in
            _ = reader.u32()
            #expect(reader.failed)
            #expect(reader.u8() == 0)
            #expect(reader.take(0) == nil)
            #expect(reader.offset == 0)
            #expect(reader.failed)
        }
    }

    @Test(arguments: [-1, Int.min, 4, Int.max])
    func takingWhatIsNotThereFails(count: Int) {
        reading([1, 2, 3]) { reader in
            #expect(reader.take(count) == nil)
            #expect(reader.failed)
            #expect(reader.remaining == 3)
        }
    }

    @Test func takingGivesAViewAndMovesOn() {
        reading([1, 2, 3]) { reader in
            #expect(reader.take(2).map { Array($0) } == [1, 2])
            #expect(reader.offset == 2)
            #expect(reader.take(1).map { Array($0) } == [3])
            #expect(reader.take(0).map { Array($0) } == [])
            #expect(!reader.failed)
        }
    }

    @Test func nothingCanBeReadFromNothing() {
        var reader = ByteReader(UnsafeRawBufferPointer(start: nil, count: 0))
        #expect(reader.remaining == 0)
        #expect(reader.take(0)?.count == 0)
        #expect(!reader.failed)
        #expect(reader.u64() == 0)
        #expect(reader.failed)
    }

    /// Any sequence of reads agrees with a model that knows only how many bytes are left.
    @Test(arguments: UInt64(0)..<50)
    func randomReadsAgreeWithANaiveModel(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let bytes = random.bytes(Int.random(in: 0...40, using: &random))
        reading(bytes) { reader in
            var offset = 0, failed = false
            for _ in 0..<30 {
                let size = [1, 2, 4, 8].randomElement(using: &random) ?? 1
                let fits = !failed && offset + size <= bytes.count
                let expected = fits ? bytes[offset..<(offset + size)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } : 0
                let value = switch size {
                case 1: UInt64(reader.u8())
                case 2: UInt64(reader.u16())
                case 4: UInt64(reader.u32())
                default: reader.u64()
                }
                #expect(value == expected)
                if fits { offset += size } else { failed = true }
                #expect(reader.failed == failed)
                #expect(reader.offset == offset)
            }
        }
    }
}
