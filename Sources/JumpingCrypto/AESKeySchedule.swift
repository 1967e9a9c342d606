import CSodium

/// An expanded AES-256-GCM key (512 bytes), made on first use, in memory of its own so that the key that owns it stays
/// small, and wiped when dropped. Expanding a key costs as much as sealing a few hundred bytes.
@usableFromInline
struct AESKeySchedule: ~Copyable {
    private var state: UnsafeMutablePointer<crypto_aead_aes256gcm_state>?

    init() {}

    /// Brings the schedule into the processor's cache.
    @inline(__always)
    func prefetch() {
        if let state { jumping_schedule_prefetch(state) }
    }

    /// Whether the schedule is in memory now.
    var isExpanded: Bool { state != nil }

    /// The schedule of `key` (32 bytes), made now if there is none and it is to be kept; nil when it is not, or memory is short.
    /// Every call on one value must name the same key.
    @inline(__always)
    mutating func expanded(_ key: UnsafeRawPointer, keep: Bool) -> UnsafePointer<crypto_aead_aes256gcm_state>? {
        if let state { return UnsafePointer(state) }
        return keep ? expand(key) : nil
    }

    @inline(never)
    private mutating func expand(_ key: UnsafeRawPointer) -> UnsafePointer<crypto_aead_aes256gcm_state>? {
        guard let fresh = jumping_schedule_allocate() else { return nil }
        guard crypto_aead_aes256gcm_beforenm(fresh, key.assumingMemoryBound(to: UInt8.self)) == 0 else {
            jumping_schedule_release(fresh)
            return nil
        }
        state = fresh
        return UnsafePointer(fresh)
    }

    /// Wipes and frees the schedule.
    mutating func drop() {
        if let state { jumping_schedule_release(state) }
        state = nil
    }

    deinit {
        if let state { jumping_schedule_release(state) }
    }
}
