internal import CJumping

/// A value that most sessions do without, in memory of its own from the moment it is first written.
@usableFromInline
package struct OnDemand<Value: ~Copyable>: ~Copyable {
    private var pointer: UnsafeMutablePointer<Value>?

    package init() {}

    deinit {
        if let pointer { Self.release(pointer) }
    }

    /// Where the value lies, or nil as long as there is none.
    @inline(__always)
    package var present: UnsafeMutablePointer<Value>? { pointer }

    /// Where the value lies; made as `initial` when there is none.
    @inline(__always)
    package mutating func made(_ initial: @autoclosure () -> Value) -> UnsafeMutablePointer<Value> {
        if let pointer { return pointer }
        return make(initial)
    }

    @inline(never)
    private mutating func make(_ initial: () -> Value) -> UnsafeMutablePointer<Value> {
        let fresh = UnsafeMutablePointer<Value>.allocate(capacity: 1)
        fresh.initialize(to: initial())
        pointer = fresh
        return fresh
    }

    /// There is none any more.
    package mutating func drop() {
        if let pointer { Self.release(pointer) }
        pointer = nil
    }

    @inline(never)
    private static func release(_ pointer: UnsafeMutablePointer<Value>) {
        pointer.deinitialize(count: 1)
        pointer.deallocate()
        jumping_note_release()
    }
}
