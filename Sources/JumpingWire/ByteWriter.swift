/// Checked writes into borrowed bytes, big endian. A write past the end writes nothing and sets `failed`, which stays set.
package struct ByteWriter {
    private let bytes: UnsafeMutableRawBufferPointer
    package private(set) var count = 0
    package private(set) var failed = false

    package init(_ bytes: UnsafeMutableRawBufferPointer) {
        self.bytes = bytes
    }

    package init(_ base: UnsafeMutableRawPointer, _ capacity: Int) {
        bytes = UnsafeMutableRawBufferPointer(start: base, count: capacity)
    }

    package var room: Int { bytes.count &- count }

    /// Room for `size` bytes at the end, already counted; nil when there is not enough.
    @inline(__always)
    private mutating func claim(_ size: Int) -> UnsafeMutableRawPointer? {
        guard size >= 0, size <= room, !failed, let base = bytes.baseAddress else {
            failed = failed || size != 0
            return nil
        }
        defer { count &+= size }
        return base + count
    }

    @inline(__always)
    package mutating func u8(_ value: UInt8) {
        claim(1)?.storeBytes(of: value, as: UInt8.self)
    }

    @inline(__always)
    package mutating func u16(_ value: UInt16) {
        claim(2)?.storeBytes(of: value.bigEndian, as: UInt16.self)
    }

    @inline(__always)
    package mutating func u32(_ value: UInt32) {
        claim(4)?.storeBytes(of: value.bigEndian, as: UInt32.self)
    }

    @inline(__always)
    package mutating func u64(_ value: UInt64) {
        claim(8)?.storeBytes(of: value.bigEndian, as: UInt64.self)
    }

    package mutating func copy(_ source: UnsafeRawBufferPointer) {
        guard let start = source.baseAddress, source.count > 0 else { return }
        claim(source.count)?.copyMemory(from: start, byteCount: source.count)
    }

    package mutating func zeros(_ size: Int) {
        guard size > 0, let target = claim(size) else { return }
        target.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    }
}
