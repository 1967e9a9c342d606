/// One value that lives inside its owner and is reached by address: what an allocation of its own would be, without the allocation and
/// without the cache miss on the way to it. Its owner destroys it, where it is more than plain bytes, and must not move while the
/// address is in use, as sessions in their table do not.
@_rawLayout(like: Value)
@usableFromInline
package struct Inline<Value: ~Copyable>: ~Copyable {
    package init(_ value: consuming Value) {
        address().initialize(to: value)
    }

    /// Room for a value that its owner makes there, and destroys, when there is to be one.
    package init() {}

    /// Where the value lies.
    @inline(__always)
    package borrowing func address() -> UnsafeMutablePointer<Value> {
        withUnsafePointer(to: self) { UnsafeMutableRawPointer(mutating: UnsafeRawPointer($0)).assumingMemoryBound(to: Value.self) }
    }

    deinit {}
}
