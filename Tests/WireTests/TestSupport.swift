import Testing
@testable import JumpingWire

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

/// Runs `body` with a reader over exactly these bytes; the sanitizer sees any read past them.
func reading<R>(_ bytes: [UInt8], _ body: (inout ByteReader) -> R) -> R {
    bytes.withUnsafeBytes { view in
        var reader = ByteReader(view)
        return body(&reader)
    }
}

/// What `body` writes into a buffer of `capacity` bytes, and whether the writer failed. Records an issue when a byte behind
/// the buffer changed.
func writing(_ capacity: Int, _ body: (inout ByteWriter) -> Void) -> (bytes: [UInt8], failed: Bool) {
    let guardLength = 16
    var memory = [UInt8](repeating: 0xA5, count: capacity + guardLength)
    return memory.withUnsafeMutableBytes { all in
        var writer = ByteWriter(UnsafeMutableRawBufferPointer(rebasing: all[0..<capacity]))
        body(&writer)
        #expect(writer.count <= capacity)
        #expect(all[capacity...].allSatisfy { $0 == 0xA5 }, "written past the end")
        #expect(all[writer.count..<capacity].allSatisfy { $0 == 0xA5 }, "written past what is counted")
        return (Array(all[0..<writer.count]), writer.failed)
    }
}

/// A name, label or other short text that must be valid.
func text<T: ShortText>(_ string: String, as _: T.Type = T.self) -> T {
    guard let value = Array(string.utf8).withUnsafeBytes({ T(text: $0) }) else {
        Issue.record("not a valid \(T.self): \(string)")
        return T()
    }
    return value
}

func textOf<T: ShortText>(_ value: T) -> String {
    withUnsafeBytes(of: value) { String(decoding: $0[0..<value.count], as: UTF8.self) }
}
