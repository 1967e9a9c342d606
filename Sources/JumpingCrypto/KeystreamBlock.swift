import CSodium

/// One 64-byte block of a ChaCha20 keystream, wiped when the value ends. See `Key32` for the attributes.
@_rawLayout(size: 64, alignment: 8)
@usableFromInline
struct KeystreamBlock: ~Copyable {
    static var count: Int { 64 }

    init() {
        withUnsafeMutablePointer(to: &self) { Sodium.wipe(UnsafeMutableRawPointer($0), 64) }
    }

    /// Makes this block number `index` of the keystream of `key` (32 bytes), with a zero nonce.
    mutating func generate(_ index: UInt64, key: UnsafeRawPointer) {
        var nonce: UInt64 = 0
        withUnsafeMutablePointer(to: &self) { block in
            let bytes = UnsafeMutableRawPointer(block).assumingMemoryBound(to: UInt8.self)
            Sodium.wipe(bytes, 64)
            withUnsafeBytes(of: &nonce) { nonce in
                guard let nonceStart = nonce.baseAddress else { return }
                _ = crypto_stream_chacha20_xor_ic(bytes, bytes, 64, nonceStart.assumingMemoryBound(to: UInt8.self),
                                                  index, key.assumingMemoryBound(to: UInt8.self))
            }
        }
    }

    /// Makes this 64 bytes of the operating system's randomness.
    mutating func draw() {
        withUnsafeMutablePointer(to: &self) { randombytes_buf(UnsafeMutableRawPointer($0), 64) }
    }

    /// Copies `count` bytes from `offset` on; the caller keeps both within the block.
    borrowing func copy(_ offset: Int, _ count: Int, to target: UnsafeMutableRawPointer) {
        withUnsafePointer(to: self) {
            target.copyMemory(from: UnsafeRawPointer($0).advanced(by: offset), byteCount: count)
        }
    }

    deinit {
        withUnsafePointer(to: self) { Sodium.wipe(UnsafeMutableRawPointer(mutating: $0), 64) }
    }
}
