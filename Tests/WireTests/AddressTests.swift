import Testing
@testable import JumpingWire

struct AddressTests {
    private let bytes = (0..<40).map { UInt8($0) + 1 }

    private func address(_ length: UInt8, _ prefixLength: UInt8 = 0) -> Address? {
        bytes.withUnsafeBytes { Address($0.baseAddress!, length: length, prefixLength: prefixLength) }
    }

    @Test func anAddressHasOneToThirtyTwoBytesAndAPrefixNoLonger() {
        for length in UInt8.min...UInt8.max {
            for prefix: UInt8 in [0, 1, 6, 18, 32, 33, .max] {
                let isValid = (1...32).contains(length) && prefix <= length
                #expect((address(length, prefix) != nil) == isValid, "\(length) \(prefix)")
            }
        }
    }

    @Test func addressesAreComparedAsAWholeWithoutTheirPrefixLength() throws {
        #expect(address(6, 4) == address(6))
        #expect(address(6) != address(7))
        let zero = try #require([UInt8](repeating: 0, count: 8).withUnsafeBytes { Address($0.baseAddress!, length: 4, prefixLength: 0) })
        let longer = try #require([UInt8](repeating: 0, count: 8).withUnsafeBytes { Address($0.baseAddress!, length: 5, prefixLength: 0) })
        #expect(zero != longer)
        for position in 0..<32 {
            var other = bytes
            other[position] ^= 0x80
            #expect(other.withUnsafeBytes { Address($0.baseAddress!, length: 32, prefixLength: 0) } != address(32))
        }
    }

    @Test func theSourceIsThePrefixOrAllOfIt() throws {
        #expect(try #require(address(18, 8)).withSource { Array($0) } == Array(bytes[0..<8]))
        #expect(try #require(address(18)).withSource { Array($0) } == Array(bytes[0..<18]))
        #expect(try #require(address(18, 8)).withBytes { Array($0) } == Array(bytes[0..<18]))
    }

    @Test func aSessionIDIsSixteenBytes() {
        let id = bytes.withUnsafeBytes { SessionID($0.baseAddress!) }
        #expect(id.withBytes { Array($0) } == Array(bytes[0..<16]))
        #expect(id != SessionID())
    }
}
