/// Checked reads over borrowed bytes, big endian. A read past the end returns zeros and sets `failed`, which stays set:
/// a parser reads a whole structure and looks once. Nothing here can trap.
package struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    package private(set) var offset = 0
    package private(set) var failed = false

    package init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    package var remaining: Int { bytes.count &- offset }

    /// The next `count` bytes, or nil when there are fewer; the view is valid as long as the bytes given to `init`.
    package mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, count <= remaining, !failed else {
            failed = true
            return nil
        }
        let view = UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset &+ count)])
        offset &+= count
        return view
    }

    package mutating func skip(_ count: Int) {
        _ = take(count)
    }

    @inline(__always)
    package mutating func u8() -> UInt8 {
        guard remaining >= 1, !failed else {
            failed = true
            return 0
        }
        defer { offset &+= 1 }
        return bytes[offset]
    }

    @inline(__always) package mutating func u16() -> UInt16 { integer() }
    @inline(__always) package mutating func u32() -> UInt32 { integer() }
    @inline(__always) package mutating func u64() -> UInt64 { integer() }

    @inline(__always)
    private mutating func integer<T: FixedWidthInteger>() -> T {
        guard remaining >= MemoryLayout<T>.size, !failed else {
            failed = true
            return 0
        }
        defer { offset &+= MemoryLayout<T>.size }
        return T(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
}
