import JumpingWire

/// Finished datagrams that wait for jmp_poll_transmit: payloads sealed a second time for another address (NAT rebinding: both
/// addresses until one is proven) and stateless COOKIE answers. Bounded; made when first needed; a full queue drops the newest.
struct DatagramQueue: ~Copyable {
    static let capacity = 32
    static let slotSize = 2048

    struct Entry {
        var transport: UInt32
        var address: Address
        var length: Int
        var path: UInt32
        var session: UInt64
        var packetNumber: UInt64
    }

    private var entries: UnsafeMutablePointer<Entry>?
    private var bytes: UnsafeMutableRawPointer?
    private var head = 0
    private(set) var count = 0

    init() {}

    deinit {
        entries?.deallocate()
        bytes?.deallocate()
    }

    /// Room for one more datagram, or nil when full or it could not fit.
    mutating func nextSlot(_ length: Int) -> UnsafeMutableRawPointer? {
        guard count < Self.capacity, length <= Self.slotSize else { return nil }
        if bytes == nil {
            bytes = .allocate(byteCount: Self.capacity * Self.slotSize, alignment: 64)
            entries = .allocate(capacity: Self.capacity)
        }
        return bytes.map { $0 + ((head &+ count) & (Self.capacity &- 1)) &* Self.slotSize }
    }

    /// The datagram written into `nextSlot` counts from now on.
    mutating func commit(_ entry: Entry) {
        guard count < Self.capacity, let entries else { return }
        entries[(head &+ count) & (Self.capacity &- 1)] = entry
        count &+= 1
    }

    /// The transport is gone, and its number may soon be another's.
    mutating func forget(transport: UInt32) {
        for i in 0..<count where entries?[(head &+ i) & (Self.capacity &- 1)].transport == transport {
            entries?[(head &+ i) & (Self.capacity &- 1)].length = 0
        }
    }

    var first: Entry? { count > 0 ? entries.map { $0[head] } : nil }

    /// Copies the first datagram out and removes it.
    mutating func takeFirst(into buffer: UnsafeMutableRawPointer) {
        guard let entry = first, let bytes else { return }
        buffer.copyMemory(from: bytes + head &* Self.slotSize, byteCount: entry.length)
        head = (head &+ 1) & (Self.capacity &- 1)
        count &-= 1
    }
}
