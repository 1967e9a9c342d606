import Testing
@testable import JumpingWire

/// Frames of protected delivery that must not be taken, and what acknowledgement ranges mean.
struct DeliveryFrameTests {
    private func isRefused(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { source in
            var reader = ByteReader(source)
            return Frame.read(&reader) == nil && (reader.failed || reader.remaining > 0)
        }
    }

    private func fragment(whole: UInt32, block: UInt16, length: Int) -> [UInt8] {
        [0x12, 0, 0, 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: whole >> (24 - 8 * UInt32($0))) } + [UInt8(block >> 8), UInt8(block & 255)]
            + [UInt8(length >> 8), UInt8(length & 255)] + [UInt8](repeating: 1, count: length)
    }

    @Test func partsThatDoNotFitAreRefused() {
        #expect(!isRefused(fragment(whole: 32, block: 1, length: 16)))
        #expect(isRefused(fragment(whole: 31, block: 1, length: 16)), "longer than the payload")
        #expect(isRefused(fragment(whole: 64, block: 1, length: 15)), "cut within a block, and not the end")
        #expect(!isRefused(fragment(whole: 31, block: 1, length: 15)), "the end may be short")
        #expect(isRefused(fragment(whole: 16, block: 0, length: 0)), "nothing")
        #expect(isRefused(fragment(whole: 16, block: 65_535, length: 16)))
        #expect(!isRefused(fragment(whole: 1_048_576, block: 65_535, length: 16)))
        #expect(isRefused(fragment(whole: 1_048_577, block: 65_535, length: 17)), "longer than any payload")
        #expect(isRefused(fragment(whole: .max, block: 0, length: 16)))
        #expect(isRefused([0x11, 16, 0, 0, 0, 0, 0, 0]), "no such channel")
        #expect(isRefused([0x12, 16] + fragment(whole: 16, block: 0, length: 16).dropFirst(2)))
        #expect(isRefused([0x15, 16, 0, 0, 0, 0, 0, 0, 0, 0]))
    }

    @Test func tooManyRangesAreRefused() {
        func frame(_ further: Int) -> [UInt8] { [0x13, 0, 1, 0, 0, 0, 0, UInt8(further), 0, 1] + [UInt8](repeating: 1, count: 4 * further) }
        #expect(!isRefused(frame(32)))
        #expect(isRefused(frame(33)))
        #expect(isRefused(Array(frame(32).dropLast())))
    }

    private func ranges(_ largest: UInt64, first: UInt16, _ further: [(missing: UInt16, arrived: UInt16)]) -> [ClosedRange<UInt64>]? {
        var bytes: [UInt8] = [0x13, 0, 0, 0, 0, 0, 0, UInt8(further.count), UInt8(first >> 8), UInt8(first & 255)]
        for pair in further { bytes += [UInt8(pair.missing >> 8), UInt8(pair.missing & 255), UInt8(pair.arrived >> 8), UInt8(pair.arrived & 255)] }
        return bytes.withUnsafeBytes { source in
            var reader = ByteReader(source)
            guard case .acknowledgementRanges(let frame)? = Frame.read(&reader) else { return nil }
            return frame.ranges(largest: largest).map { ranges in (0..<ranges.count).map { ranges[$0].low...ranges[$0].high } }
        }
    }

    @Test func rangesGoDownFromTheLargest() {
        #expect(ranges(100, first: 1, []) == [100...100])
        #expect(ranges(100, first: 3, [(2, 1), (1, 94)]) == [98...100, 95...95, 0...93])
        #expect(ranges(0, first: 1, []) == [0...0])
        #expect(ranges(100, first: 0, []) == nil, "an empty range")
        #expect(ranges(100, first: 1, [(0, 1)]) == nil, "nothing missing in between")
        #expect(ranges(100, first: 1, [(1, 0)]) == nil)
        #expect(ranges(100, first: 102, []) == nil, "below 0")
        #expect(ranges(100, first: 101, []) == [0...100])
        #expect(ranges(100, first: 100, [(1, 1)]) == nil)
        #expect(ranges(3, first: 1, [(65_535, 65_535)]) == nil)
        #expect(ranges(.max, first: .max, [(.max, .max)]) != nil)
    }

    @Test func rangesAndTheBitmapSayTheSame() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            let bitmap = UInt32.random(in: 0 ... .max, using: &random) | UInt32.random(in: 0 ... .max, using: &random)
            let largest = UInt64.random(in: 33...1000, using: &random)
            let ranges = PacketNumberRanges(largest: largest, bitmap: bitmap)
            #expect(ranges[0].high == largest && ranges.bitmap == bitmap)
        }
        let low = PacketNumberRanges(largest: 2, bitmap: .max)
        #expect(low.count == 1 && low[0].low == 0 && low.bitmap == 0b11)
    }

    @Test func asManyRangesAreToldAsHaveRoom() {
        var ranges = PacketNumberRanges()
        for i: UInt64 in 0..<40 { ranges.append(10_000 - 10 * i, 10_005 - 10 * i) }
        #expect(ranges.count == 33)
        #expect(ranges.further(room: 9) == nil)
        #expect(ranges.further(room: 10) == 0)
        #expect(ranges.further(room: 21) == 2)
        #expect(ranges.further(room: 1000) == 32)
        var long = PacketNumberRanges()
        long.append(100_000, 200_000)
        long.append(0, 10)
        #expect(long.further(room: 1000) == 0, "numbers below a range that is cut short could not be told from missing ones")
    }
}
