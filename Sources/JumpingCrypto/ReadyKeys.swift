import CSodium

/// The packet keys of both directions, ready for many datagrams: derived, and with AES-256-GCM expanded (512 bytes a key; expanding one
/// costs as much as sealing a few hundred bytes). They lie in one piece of memory of their own, each key's schedule behind it, which is
/// wiped when the value ends: an idle session does without, and an active one finds what a datagram needs in one place.
@usableFromInline
package struct ReadyKeys: ~Copyable {
    private static let keyRoom = (MemoryLayout<AEADKey>.size + 15) / 16 * 16
    private let memory: UnsafeMutableRawPointer

    /// `send` and `receive` make the keys, of the same suite, where they stay. nil when memory is short.
    package init?(suite: Suite, send: () -> AEADKey, receive: () -> AEADKey) {
        let room = Self.room(suite)
        guard let memory = jumping_key_memory_allocate(2 * room) else { return nil }
        self.memory = memory
        make(0, send)
        make(room, receive)
    }

    deinit {
        let room = Self.room(key(0).pointee.suite)
        key(0).deinitialize(count: 1)
        key(room).deinitialize(count: 1)
        jumping_key_memory_release(memory, 2 * room)
    }

    /// Bytes of one direction.
    @inline(__always)
    private static func room(_ suite: Suite) -> Int {
        suite == .aes256GCM ? keyRoom &+ MemoryLayout<crypto_aead_aes256gcm_state>.size : keyRoom
    }

    private func make(_ offset: Int, _ key: () -> AEADKey) {
        self.key(offset).initialize(to: key())
        if self.key(offset).pointee.suite == .aes256GCM { self.key(offset).pointee.expand(into: scheduleRoom(offset)) }
    }

    @inline(__always)
    private func key(_ offset: Int) -> UnsafeMutablePointer<AEADKey> {
        (memory + offset).assumingMemoryBound(to: AEADKey.self)
    }

    @inline(__always)
    private func scheduleRoom(_ offset: Int) -> UnsafeMutablePointer<crypto_aead_aes256gcm_state> {
        (memory + offset + Self.keyRoom).assumingMemoryBound(to: crypto_aead_aes256gcm_state.self)
    }

    @inline(__always)
    private func schedule(_ suite: Suite, _ offset: Int) -> UnsafePointer<crypto_aead_aes256gcm_state>? {
        suite == .aes256GCM ? UnsafePointer(scheduleRoom(offset)) : nil
    }

    /// See `AEADKey.seal`. Whoever holds the keys names their suite here and below: it tells where they lie before they are looked at.
    @discardableResult
    @inline(__always)
    package func seal(suite: Suite, packetNumber: UInt64, aad: UnsafeRawPointer, aadLength: Int,
                      buffer: UnsafeMutableRawPointer, length: Int) -> Bool {
        key(0).pointee.seal(packetNumber: packetNumber, aad: aad, aadLength: aadLength, buffer: buffer, length: length, schedule: schedule(suite, 0))
    }

    /// See `AEADKey.open`.
    @inline(__always)
    package func open(suite: Suite, packetNumber: UInt64, aad: UnsafeRawPointer, aadLength: Int,
                      buffer: UnsafeMutableRawPointer, length: Int) -> Bool {
        let offset = Self.room(suite)
        return key(offset).pointee.open(packetNumber: packetNumber, aad: aad, aadLength: aadLength, buffer: buffer, length: length,
                                        schedule: schedule(suite, offset))
    }

    /// Asks for what sealing (or opening) needs, before it is needed.
    @inline(__always)
    package func prefetch(suite: Suite, forSealing: Bool) {
        let room = Self.room(suite)
        jumping_key_memory_prefetch(forSealing ? memory : memory + room, room)
    }
}
