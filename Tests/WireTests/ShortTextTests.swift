import Testing
@testable import JumpingWire

struct ShortTextTests {
    private func parse<T: ShortText>(_ bytes: [UInt8], as _: T.Type) -> T? {
        bytes.withUnsafeBytes { T(text: $0) }
    }

    @Test func aNameHoldsFifteenBytesAndALabelThirtyOne() {
        for count in 0...40 {
            let bytes = [UInt8](repeating: 0x61, count: count)
            #expect((parse(bytes, as: Name.self)?.count == count) == (count <= 15))
            #expect((parse(bytes, as: Label.self)?.count == count) == (count <= 31))
        }
    }

    @Test(arguments: UInt8.min...UInt8.max)
    func onlyPrintableASCIIIsText(byte: UInt8) {
        let isPrintable = (0x20...0x7E).contains(byte)
        #expect((parse([0x61, byte, 0x62], as: Name.self) != nil) == isPrintable)
        #expect((parse([byte], as: Label.self) != nil) == isPrintable)
    }

    @Test func aCharArrayNeedsItsFinalZeroAndItsRestIsIgnored() {
        var array = [UInt8](repeating: 0x61, count: Name.capacity)
        #expect(array.withUnsafeBytes { Name(array: $0.baseAddress!) } == nil)
        array[15] = 0
        #expect(array.withUnsafeBytes { Name(array: $0.baseAddress!) }?.count == 15)
        array[3] = 0
        array[4] = 0xFF
        #expect(array.withUnsafeBytes { Name(array: $0.baseAddress!) } == text("aaa"))
        array[1] = 0x1F
        #expect(array.withUnsafeBytes { Name(array: $0.baseAddress!) } == nil)
    }

    @Test func equalityIsOfTheWholeText() {
        #expect(text("udp:A", as: Name.self) == text("udp:A"))
        #expect(text("udp:A", as: Name.self) != text("udp:B"))
        #expect(text("0123456789abcde", as: Name.self) != text("0123456789abcdf"))
        for position in [0, 8, 16, 24, 30] {
            var bytes = [UInt8](repeating: 0x61, count: 31)
            let original = parse(bytes, as: Label.self)
            bytes[position] = 0x62
            #expect(parse(bytes, as: Label.self) != original, "byte \(position)")
        }
    }

    @Test func copyingFillsTheWholeArrayWithZerosBehindTheText() {
        var target = [UInt8](repeating: 0xEE, count: Name.capacity + 1)
        let name: Name = text("udp:A")
        target.withUnsafeMutableBytes { name.copy(to: $0.baseAddress!) }
        #expect(target == Array("udp:A".utf8) + [UInt8](repeating: 0, count: 11) + [0xEE])
    }

    @Test(arguments: ["", "a", "udp:A", "0123456789abcde"])
    func textTravelsBehindItsLength(string: String) {
        let (bytes, failed) = writing(16) { $0.text(text(string, as: Name.self)) }
        #expect(!failed)
        #expect(bytes == [UInt8(string.utf8.count)] + Array(string.utf8))
        #expect(reading(bytes) { $0.text(Name.self) } == text(string))
        for length in 0..<bytes.count {
            #expect(reading(Array(bytes[0..<length])) { $0.text(Name.self) } == nil, "cut to \(length)")
        }
    }

    @Test func overlongOrUnprintableTextOnTheWireIsRefused() {
        #expect(reading([16] + [UInt8](repeating: 0x61, count: 16)) { $0.text(Name.self) } == nil)
        #expect(reading([16] + [UInt8](repeating: 0x61, count: 16)) { $0.text(Label.self) }?.count == 16)
        #expect(reading([2, 0x61, 0]) { $0.text(Name.self) } == nil)
        #expect(reading([255, 0x61]) { $0.text(Label.self) } == nil)
    }
}
