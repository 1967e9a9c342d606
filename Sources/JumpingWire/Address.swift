/// A remote address: opaque bytes of the host's choosing, compared as a whole, zero padded.
package struct Address: Equatable {
    package var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    package var length: UInt8 = 0
    /// Leading bytes that name one source for rate limits; 0 means all.
    package var prefixLength: UInt8 = 0
    package static let capacity = 32

    package init() {}

    /// nil when the lengths are out of range.
    package init?(_ bytes: UnsafeRawPointer, length: UInt8, prefixLength: UInt8) {
        guard length >= 1, Int(length) <= Self.capacity, prefixLength <= length else { return nil }
        self.length = length
        self.prefixLength = prefixLength
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: UnsafeRawBufferPointer(start: bytes, count: Int(length))) }
    }

    @inline(__always)
    package static func == (a: Address, b: Address) -> Bool {
        a.words.0 == b.words.0 && a.words.1 == b.words.1 && a.words.2 == b.words.2 && a.words.3 == b.words.3
            && a.length == b.length
    }

    package func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        withUnsafeBytes(of: words) { body(UnsafeRawBufferPointer(rebasing: $0[0..<Int(length)])) }
    }

    /// The bytes that name the source, for rate limits.
    package func withSource<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        let count = prefixLength == 0 ? length : prefixLength
        return withUnsafeBytes(of: words) { body(UnsafeRawBufferPointer(rebasing: $0[0..<Int(count)])) }
    }
}

/// 128 random bits that name a session in audit trails and stores; never in clear on the wire.
package struct SessionID: Equatable {
    package var words: (UInt64, UInt64) = (0, 0)
    package static let size = 16

    package init() {}

    package init(_ bytes: UnsafeRawPointer) {
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: UnsafeRawBufferPointer(start: bytes, count: Self.size)) }
    }

    package static func == (a: SessionID, b: SessionID) -> Bool {
        a.words.0 == b.words.0 && a.words.1 == b.words.1
    }

    package func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        withUnsafeBytes(of: words) { body($0) }
    }

    /// Copies its 16 bytes.
    package func copy(to target: UnsafeMutableRawPointer) {
        withBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            target.copyMemory(from: base, byteCount: Self.size)
        }
    }
}
