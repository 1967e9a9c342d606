/// One value that lives inside its owner and is reached by address: what an allocation of its own would be, without the allocation and
/// without the cache miss on the way to it. For plain values: nothing is destroyed with it. Its owner must not move while the
/// address is in use, as sessions in their table do not.
@_rawLayout(like: Value)
@usableFromInline
package struct Inline<Value>: ~Copyable {
    package init(_ value: Value) {
        withUnsafeMutablePointer(to: &self) { UnsafeMutableRawPointer($0).assumingMemoryBound(to: Value.self).initialize(to: value) }
    }

    /// Where the value lies.
    @inline(__always)
    package borrowing func address() -> UnsafeMutablePointer<Value> {
        withUnsafePointer(to: self) { UnsafeMutableRawPointer(mutating: UnsafeRawPointer($0)).assumingMemoryBound(to: Value.self) }
    }

    deinit {}
}
