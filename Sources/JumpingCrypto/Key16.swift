/// 16 secret bytes, kept inline and overwritten with zeros when the value ends: a SipHash key. See `Key32` for why
/// the layout and the attributes are what they are.
@_rawLayout(size: 16, alignment: 8)
@usableFromInline
package struct Key16: ~Copyable {
    /// Length in bytes.
    package static var count: Int { 16 }

    /// A copy of the 16 bytes at `source`.
    package init(copying source: UnsafeRawPointer) {
        withUnsafeMutablePointer(to: &self) { UnsafeMutableRawPointer($0).copyMemory(from: source, byteCount: 16) }
    }

    /// Lends the bytes for the call; the pointer must not outlive it.
    package borrowing func withBytes<R: ~Copyable>(_ body: (UnsafeRawPointer) -> R) -> R {
        withUnsafePointer(to: self) { body(UnsafeRawPointer($0)) }
    }

    deinit {
        withUnsafePointer(to: self) { Sodium.wipe(UnsafeMutableRawPointer(mutating: $0), 16) }
    }
}
