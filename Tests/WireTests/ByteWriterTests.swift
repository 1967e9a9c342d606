import Testing
@testable import JumpingWire

struct ByteWriterTests {
    @Test func integersAreBigEndian() {
        let (bytes, failed) = writing(15) { writer in
            writer.u8(1)
            writer.u16(0x2345)
            writer.u32(0x6789_ABCD)
            writer.u64(0x0102_0304_0506_0708)
        }
        #expect(bytes == [1, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 1, 2, 3, 4, 5, 6, 7, 8])
        #expect(!failed)
    }

    @Test(arguments: 0..<8)
    func whatDoesNotFitIsNotWrittenAtAll(capacity: Int) {
        let writes: [(size: Int, write: (inout ByteWriter) -> Void)] = [
            (1, { $0.u8(.max) }), (2, { $0.u16(.max) }), (4, { $0.u32(.max) }), (8, { $0.u64(.max) }),
            (8, { $0.zeros(8) }), (8, { writer in [UInt8](repeating: 1, count: 8).withUnsafeBytes { writer.copy($0) } }),
        ]
        for (size, write) in writes where size > capacity {
            let (bytes, failed) = writing(capacity, write)
            #expect(bytes.isEmpty)
            #expect(failed)
        }
    }

    @Test func aFailureIsSticky() {
        let (bytes, failed) = writing(3) { writer in
            writer.u8(7)
            writer.u32(1)
            writer.u8(8)
            writer.zeros(1)
        }
        #expect(bytes == [7])
        #expect(failed)
    }

    @Test func writingNothingChangesNothing() {
        let (bytes, failed) = writing(0) { writer in
            writer.zeros(0)
            writer.zeros(-1)
            writer.copy(UnsafeRawBufferPointer(start: nil, count: 0))
        }
        #expect(bytes.isEmpty)
        #expect(!failed)
    }

    /// Any sequence of writes agrees with appending to an array as long as it fits.
    @Test(arguments: UInt64(0)..<50)
    func randomWritesAgreeWithANaiveModel(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let capacity = Int.random(in: 0...40, using: &random)
        var model: [UInt8] = [], modelFailed = false
        let (bytes, failed) = writing(capacity) { writer in
            for _ in 0..<12 {
                let piece = random.bytes([0, 1, 2, 4, 8, 11].randomElement(using: &random) ?? 1)
                let number = piece.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                switch piece.count {
                case 1: writer.u8(UInt8(number))
                case 2: writer.u16(UInt16(number))
                case 4: writer.u32(UInt32(number))
                case 8: writer.u64(number)
                default: piece.withUnsafeBytes { writer.copy($0) }
                }
                if !modelFailed, model.count + piece.count <= capacity {
                    model += piece
                } else if !piece.isEmpty {
                    modelFailed = true
                }
            }
        }
        #expect(bytes == model)
        #expect(failed == modelFailed)
    }
}
