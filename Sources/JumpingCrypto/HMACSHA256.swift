import CSodium

/// HMAC-SHA256 (RFC 2104) over a message given in pieces. The state holds the key and is wiped when the value ends;
/// see `Key32` for the attributes.
@_rawLayout(like: crypto_auth_hmacsha256_state)
@usableFromInline
struct HMACSHA256: ~Copyable {
    /// - Parameter key: 32 bytes.
    init(key: UnsafeRawPointer) {
        withState { _ = crypto_auth_hmacsha256_init($0, key.assumingMemoryBound(to: UInt8.self), 32) }
    }

    /// Adds `count` bytes to the message; none when the count is below 1.
    mutating func update(_ bytes: UnsafeRawPointer?, _ count: Int) {
        guard let bytes, count > 0 else { return }
        withState {
            _ = crypto_auth_hmacsha256_update($0, bytes.assumingMemoryBound(to: UInt8.self),
                                              UInt64(truncatingIfNeeded: count))
        }
    }

    /// Adds one byte to the message.
    mutating func update(byte: UInt8) {
        var byte = byte
        withUnsafeMutablePointer(to: &byte) { update(UnsafeRawPointer($0), 1) }
    }

    /// Writes the 32-byte result. The value is of no use afterwards.
    mutating func finish(into output: UnsafeMutableRawPointer) {
        withState { _ = crypto_auth_hmacsha256_final($0, output.assumingMemoryBound(to: UInt8.self)) }
    }

    private mutating func withState(_ body: (UnsafeMutablePointer<crypto_auth_hmacsha256_state>) -> Void) {
        withUnsafeMutablePointer(to: &self) {
            body(UnsafeMutableRawPointer($0).assumingMemoryBound(to: crypto_auth_hmacsha256_state.self))
        }
    }

    deinit {
        withUnsafePointer(to: self) {
            Sodium.wipe(UnsafeMutableRawPointer(mutating: $0), MemoryLayout<crypto_auth_hmacsha256_state>.size)
        }
    }
}
