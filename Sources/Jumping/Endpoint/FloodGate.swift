import JumpingCrypto
import JumpingWire

/// What stands between a flood and the first public-key operation: a token bucket per source, and under load a stateless
/// cookie that proves the source receives what is sent to it (as in WireGuard and RFC 9000 §8.1).
struct FloodGate: ~Copyable {
    private struct Bucket {
        var source: UInt64 = 0
        /// Thousandths of a token.
        var level: UInt64 = 0
        var filledAt: UInt64 = 0
    }

    private static let bucketCount = 1024
    private static let secretLifetime: UInt64 = 60_000_000
    private let buckets: UnsafeMutablePointer<Bucket>
    private let hash: KeyedHash
    /// Secrets of the even and the odd slots.
    private var evenSecret = Key32()
    private var oddSecret = Key32()
    private var slot: UInt8 = 0
    private var slotStartedAt: UInt64
    private var unprovenCount = 0
    private var unprovenSince: UInt64 = 0
    private let rate: UInt64
    private let burst: UInt64

    init(random: inout RandomSource, rate: UInt32, burst: UInt32, now: UInt64) {
        buckets = .allocate(capacity: Self.bucketCount)
        buckets.initialize(repeating: Bucket(), count: Self.bucketCount)
        hash = KeyedHash(random: &random)
        evenSecret.withMutableBytes { random.fill($0, 32) }
        oddSecret.withMutableBytes { random.fill($0, 32) }
        slotStartedAt = now
        self.rate = UInt64(rate)
        self.burst = UInt64(burst) &* 1000
    }

    deinit {
        buckets.deallocate()
    }

    /// Takes a token of the datagram's source; false when it has none left. Sources that share a bucket by chance replace
    /// one another only when the older one has filled up again, so memory stays fixed and a flooder gains nothing.
    mutating func takeToken(_ from: Address, now: UInt64) -> Bool {
        let source = from.withSource { hash.value($0) }
        let bucket = buckets + Int(source & UInt64(Self.bucketCount - 1))
        let elapsed = min(now &- bucket.pointee.filledAt, 1_000_000_000)
        let level = min(burst, bucket.pointee.level &+ elapsed &* rate / 1000)
        let isNew = bucket.pointee.source != source && (level >= burst || bucket.pointee.source == 0)
        bucket.pointee.filledAt = now
        bucket.pointee.level = isNew ? burst : level
        if isNew { bucket.pointee.source = source }
        guard bucket.pointee.level >= 1000 else { return false }
        bucket.pointee.level &-= 1000
        return true
    }

    /// Counts an INIT without a cookie; false when `limit` of them have come within the present second.
    mutating func takeUnproven(limit: Int, now: UInt64) -> Bool {
        if now &- unprovenSince >= 1_000_000 {
            unprovenSince = now
            unprovenCount = 0
        }
        guard unprovenCount < limit else { return false }
        unprovenCount &+= 1
        return true
    }

    // MARK: cookies

    /// Writes the cookie (slot byte, 16 bytes of MAC over slot, transport, address and handshake id).
    mutating func writeCookie(_ writer: inout ByteWriter, transport: UInt32, from: Address, handshakeID: UInt64,
                              random: inout RandomSource, now: UInt64) {
        rotate(random: &random, now: now)
        var tag = (UInt64(0), UInt64(0))
        withUnsafeMutableBytes(of: &tag) { bytes in
            guard let base = bytes.baseAddress else { return }
            computeTag(slot, transport, from, handshakeID, into: base)
            writer.u8(slot)
            writer.copy(UnsafeRawBufferPointer(bytes))
        }
    }

    mutating func acceptsCookie(_ cookie: UnsafeRawBufferPointer, transport: UInt32, from: Address, handshakeID: UInt64,
                                random: inout RandomSource, now: UInt64) -> Bool {
        rotate(random: &random, now: now)
        guard cookie.count == HandshakePacket.cookieLength, let base = cookie.baseAddress else { return false }
        let age = slot &- cookie[0]
        guard age <= 1 else { return false }
        var tag = (UInt64(0), UInt64(0))
        return withUnsafeMutableBytes(of: &tag) { bytes in
            guard let expected = bytes.baseAddress else { return false }
            computeTag(cookie[0], transport, from, handshakeID, into: expected)
            return Sodium.equal(expected, base + 1, 16)
        }
    }

    private func computeTag(_ slot: UInt8, _ transport: UInt32, _ from: Address, _ handshakeID: UInt64, into tag: UnsafeMutableRawPointer) {
        var message = InlineArray<64, UInt8>(repeating: 0)
        withUnsafeMutableBytes(of: &message) { bytes in
            var writer = ByteWriter(bytes)
            writer.u8(slot)
            writer.u32(transport)
            writer.u64(handshakeID)
            writer.u8(from.length)
            from.withBytes { writer.copy($0) }
            let filled = UnsafeRawBufferPointer(rebasing: bytes[0..<writer.count])
            if slot & 1 == 0 {
                evenSecret.withBytes { MAC.tag16(key: $0, filled, into: tag) }
            } else {
                oddSecret.withBytes { MAC.tag16(key: $0, filled, into: tag) }
            }
        }
    }

    /// A new slot every minute takes the older secret's place; the previous slot stays good for one more.
    private mutating func rotate(random: inout RandomSource, now: UInt64) {
        guard now &- slotStartedAt >= Self.secretLifetime else { return }
        let missed = (now &- slotStartedAt) / Self.secretLifetime
        for _ in 0..<min(missed, 2) {
            slot &+= 1
            if slot & 1 == 0 {
                evenSecret.withMutableBytes { random.fill($0, 32) }
            } else {
                oddSecret.withMutableBytes { random.fill($0, 32) }
            }
        }
        slotStartedAt = now
    }
}
