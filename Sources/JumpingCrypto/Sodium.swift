import CSodium

/// The library-wide parts of libsodium: start-up and the operations on secret bytes that must not leak through timing.
package enum Sodium {
    /// Starts libsodium. Must have returned true before anything else in this module is used. Idempotent; any thread.
    /// - Returns: false when libsodium cannot work here (no source of randomness).
    package static func initialize() -> Bool {
        sodium_init() >= 0
    }

    /// Overwrites `n` bytes with zeros in a way the compiler cannot remove. A count below 1 does nothing.
    package static func wipe(_ p: UnsafeMutableRawPointer, _ n: Int) {
        if n > 0 { sodium_memzero(p, n) }
    }

    /// Compares `n` bytes in constant time. A negative count is never equal.
    package static func equal(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ n: Int) -> Bool {
        n >= 0 && sodium_memcmp(a, b, n) == 0
    }

    /// Whether all `n` bytes are zero, in constant time. A negative count is never zero.
    package static func isZero(_ p: UnsafeRawPointer, _ n: Int) -> Bool {
        n >= 0 && sodium_is_zero(p.assumingMemoryBound(to: UInt8.self), n) == 1
    }
}
