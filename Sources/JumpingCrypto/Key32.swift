/// 32 secret bytes, kept inline and overwritten with zeros when the value ends.
///
/// The raw layout makes the type one that lives in memory and is passed by address. A struct of four integers would
/// reach its own `deinit` in registers, and wiping those leaves the secret where it was. `@usableFromInline` makes
/// Embedded Swift put the `deinit` into the module file, so that other modules can end the value.
@_rawLayout(size: 32, alignment: 8)
@usableFromInline
package struct Key32: ~Copyable {
    /// Length in bytes.
    package static var count: Int { 32 }

    /// 32 zero bytes.
    package init() {
        withMutableBytes { Sodium.wipe($0, 32) }
    }

    /// A copy of the 32 bytes at `source`.
    package init(copying source: UnsafeRawPointer) {
        withMutableBytes { $0.copyMemory(from: source, byteCount: 32) }
    }

    /// Lends the bytes for the call; the pointer must not outlive it.
    package borrowing func withBytes<R: ~Copyable>(_ body: (UnsafeRawPointer) -> R) -> R {
        withUnsafePointer(to: self) { body(UnsafeRawPointer($0)) }
    }

    /// Lends the bytes for changing; the pointer must not outlive the call.
    package mutating func withMutableBytes<R: ~Copyable>(_ body: (UnsafeMutableRawPointer) -> R) -> R {
        withUnsafeMutablePointer(to: &self) { body(UnsafeMutableRawPointer($0)) }
    }

    /// A second, independent copy. Secrets are never copied by accident: this is the only way.
    package borrowing func clone() -> Key32 {
        withBytes { Key32(copying: $0) }
    }

    /// Overwrites these bytes with the other key's.
    package mutating func replace(with other: borrowing Key32) {
        withMutableBytes { target in other.withBytes { target.copyMemory(from: $0, byteCount: 32) } }
    }

    deinit {
        withUnsafePointer(to: self) { Sodium.wipe(UnsafeMutableRawPointer(mutating: $0), 32) }
    }
}
