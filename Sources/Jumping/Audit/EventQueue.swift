import CJumping

/// Bounded ring of events. When it fills, ordinary events are refused first: the last quarter is kept for transitions, so
/// that a slow consumer can still rebuild every session's life. Every refusal is counted and reported in the next event.
struct EventQueue: ~Copyable {
    private let ring: UnsafeMutablePointer<jmp_event>
    private let capacity: Int
    private var head = 0
    private(set) var count = 0
    private(set) var dropped: UInt64 = 0
    private var sequence: UInt64 = 0

    init(capacity: Int) {
        self.capacity = capacity
        ring = .allocate(capacity: capacity)
    }

    deinit {
        ring.deallocate()
    }

    /// Events that are the spine of an audit trail.
    private static func isTransition(_ type: UInt32) -> Bool {
        switch Int32(truncatingIfNeeded: type) {
        case JMP_EVENT_SESSION_CREATED, JMP_EVENT_SESSION_STATE_CHANGE, JMP_EVENT_TRANSPORT_SWITCH, JMP_EVENT_SESSION_TERMINATED:
            return true
        default:
            return false
        }
    }

    /// An ordinary event would be kept now.
    var hasRoom: Bool { count < capacity &- capacity / 4 }

    mutating func push(_ event: jmp_event) {
        sequence &+= 1
        let limit = Self.isTransition(event.type) ? capacity : capacity &- capacity / 4
        guard count < limit else {
            dropped &+= 1
            return
        }
        var position = head &+ count
        if position >= capacity { position &-= capacity }
        ring[position] = event
        ring[position].struct_size = UInt32(MemoryLayout<jmp_event>.size)
        ring[position].sequence = sequence
        ring[position].dropped = dropped
        count &+= 1
    }

    mutating func pop(into event: UnsafeMutablePointer<jmp_event>) -> Bool {
        guard count > 0 else { return false }
        event.pointee = ring[head]
        head = head &+ 1 == capacity ? 0 : head &+ 1
        count &-= 1
        return true
    }
}
