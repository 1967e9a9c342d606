import CJumping
import JumpingC
import Testing
@testable import Jumping

/// SplitMix64: the same numbers from the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}

func expectOK(_ status: jmp_status, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(status == JMP_OK, "\(Names.status(status))", sourceLocation: sourceLocation)
}

// MARK: the ABI's arrays

/// The bytes of a C array (a tuple, in Swift).
func bytes<T>(_ array: T) -> [UInt8] {
    withUnsafeBytes(of: array) { Array($0) }
}

func setBytes<T>(_ array: inout T, _ values: [UInt8]) {
    withUnsafeMutableBytes(of: &array) { target in
        precondition(values.count <= target.count)
        for i in 0..<target.count { target[i] = i < values.count ? values[i] : 0 }
    }
}

func setText<T>(_ array: inout T, _ text: String) {
    setBytes(&array, Array(text.utf8))
}

func textOf<T>(_ array: T) -> String {
    String(decoding: bytes(array).prefix { $0 != 0 }, as: UTF8.self)
}

func address(_ octets: [UInt8], prefixLength: UInt8 = 4) -> jmp_address {
    var address = jmp_address()
    address.length = UInt8(octets.count)
    address.prefix_length = prefixLength
    setBytes(&address.bytes, octets)
    return address
}

func isSame(_ a: jmp_address, _ b: jmp_address) -> Bool {
    a.length == b.length && bytes(a.bytes) == bytes(b.bytes)
}

func json(_ event: jmp_event) -> String {
    var copy = event, text = [CChar](repeating: 0, count: 2048), length = 0
    expectOK(jmp_event_to_json(&copy, &text, text.count, &length))
    return String(decoding: text[0..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// `#expect` for expressions that use a noncopyable value, which the macro cannot capture.
func verify(_ holds: Bool, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(holds, comment, sourceLocation: sourceLocation)
}
