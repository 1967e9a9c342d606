import CJumping

/// Bounded ring of events. When it fills, ordinary events are refused first: the last quarter is kept for transitions, so
/// that a slow consumer can still rebuild every session's life. Every refusal is counted and reported in the next event.
struct EventQueue: ~Copyable {
    private let ring: UnsafeMutablePointer<jmp_event>
    private let capacity: Int
    private var head = 0
    private(set) var count = 0
    private(set) var dropped: UInt64 = 0
    /// Events so far, refused ones too.
    private(set) var sequence: UInt64 = 0

    init(capacity: Int) {
        self.capacity = capacity
        ring = .allocate(capacity: capacity)
    }

    deinit {
        ring.deallocate()
    }

    /// Events that are the spine of an audit trail.
    private static func isTransition(_ type: Int32) -> Bool {
        switch type {
        case JMP_EVENT_SESSION_CREATED, JMP_EVENT_SESSION_STATE_CHANGE, JMP_EVENT_TRANSPORT_SWITCH, JMP_EVENT_SESSION_TERMINATED:
            return true
        default:
            return false
        }
    }

    /// For an event that is no transition.
    var hasRoom: Bool { count < capacity &- capacity / 4 }

    /// A new event at the end of the queue, zeros but for its type and numbers, to be filled in where it lies before the next call; nil when
    /// it is refused.
    mutating func add(_ type: Int32) -> UnsafeMutablePointer<jmp_event>? {
        sequence &+= 1
        let limit = Self.isTransition(type) ? capacity : capacity &- capacity / 4
        guard count < limit else {
            dropped &+= 1
            return nil
        }
        var position = head &+ count
        if position >= capacity { position &-= capacity }
        let event = ring + position
        UnsafeMutableRawPointer(event).initializeMemory(as: UInt8.self, repeating: 0, count: MemoryLayout<jmp_event>.size)
        event.pointee.struct_size = UInt32(MemoryLayout<jmp_event>.size)
        event.pointee.type = UInt32(bitPattern: type)
        event.pointee.sequence = sequence
        event.pointee.dropped = dropped
        count &+= 1
        return event
    }

    mutating func pop(into event: UnsafeMutablePointer<jmp_event>) -> Bool {
        guard count > 0 else { return false }
        UnsafeMutableRawPointer(event).copyMemory(from: ring + head, byteCount: MemoryLayout<jmp_event>.size)
        count &-= 1
        // A host that keeps up finds its events where the last ones were: in the cache, and in no more of the ring than its fullest moment took.
        head = count == 0 || head &+ 1 == capacity ? 0 : head &+ 1
        return true
    }
}
