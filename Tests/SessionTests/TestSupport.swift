import JumpingWire
import Testing

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

/// A name, label or other short text that must be valid.
func text<T: ShortText>(_ string: String, as _: T.Type = T.self) -> T {
    guard let value = Array(string.utf8).withUnsafeBytes({ T(text: $0) }) else {
        Issue.record("not a valid \(T.self): \(string)")
        return T()
    }
    return value
}
