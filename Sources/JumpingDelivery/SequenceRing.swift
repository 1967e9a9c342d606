import JumpingWire

/// The payloads of one channel by sequence number, from the oldest that is not done to the newest: at most `limit` of them. The same for
/// what is on its way out and for what comes in.
struct SequenceRing: ~Copyable {
    static let limit = 4096

    enum Entry {
        case none
        case done
        case payload(Payload)
    }

    /// Every number below it is done.
    private(set) var floor: UInt64 = 0
    /// The first number that was never put in.
    private(set) var next: UInt64 = 0
    /// 0: nothing; 1: done; else a payload.
    private var entries: UnsafeMutablePointer<UInt>?
    private var room: UInt64 = 0

    init() {}

    deinit { entries?.deallocate() }

    var isEmpty: Bool { floor == next }
    var isFull: Bool { next &- floor >= UInt64(Self.limit) }

    /// The full number of which these are the low 32 bits: the one nearest to the floor.
    func recover(_ low: UInt32) -> UInt64 {
        let distance = Int32(truncatingIfNeeded: low &- UInt32(truncatingIfNeeded: floor))
        return floor &+ UInt64(bitPattern: Int64(distance))
    }

    func holds(_ sequence: UInt64) -> Bool { sequence >= floor && sequence &- floor < UInt64(Self.limit) }

    subscript(_ sequence: UInt64) -> Entry {
        guard sequence >= floor else { return .done }
        guard let entries, sequence < next else { return .none }
        let word = entries[Int(truncatingIfNeeded: sequence & (room &- 1))]
        if word == 0 { return .none }
        return UnsafeMutablePointer(bitPattern: word).flatMap { word == 1 ? nil : .payload($0) } ?? .done
    }

    /// Only for numbers that it `holds`.
    mutating func set(_ sequence: UInt64, _ payload: Payload) { put(sequence, UInt(bitPattern: payload)) }

    /// The floor rises past everything that is done.
    mutating func setDone(_ sequence: UInt64) {
        guard sequence >= floor else { return }
        put(sequence, 1)
        while floor < next, let entries, entries[Int(truncatingIfNeeded: floor & (room &- 1))] == 1 { floor &+= 1 }
    }

    private mutating func put(_ sequence: UInt64, _ word: UInt) {
        guard holds(sequence) else { return }
        if sequence >= next { reach(sequence) }
        entries?[Int(truncatingIfNeeded: sequence & (room &- 1))] = word
    }

    private mutating func reach(_ sequence: UInt64) {
        let wanted = sequence &- floor &+ 1
        if wanted > room { grow(wanted) }
        while next <= sequence {
            entries?[Int(truncatingIfNeeded: next & (room &- 1))] = 0
            next &+= 1
        }
    }

    private mutating func grow(_ wanted: UInt64) {
        var bigger = max(room, 16)
        while bigger < wanted { bigger &*= 2 }
        let fresh = UnsafeMutablePointer<UInt>.allocate(capacity: Int(bigger))
        fresh.initialize(repeating: 0, count: Int(bigger))
        if let entries {
            var sequence = floor
            while sequence < next {
                fresh[Int(truncatingIfNeeded: sequence & (bigger &- 1))] = entries[Int(truncatingIfNeeded: sequence & (room &- 1))]
                sequence &+= 1
            }
            entries.deallocate()
        }
        entries = fresh
        room = bigger
    }

    /// A ring of its own in memory; `destroy` takes what lies in it too.
    static func make() -> UnsafeMutablePointer<SequenceRing> {
        let made = UnsafeMutablePointer<SequenceRing>.allocate(capacity: 1)
        made.initialize(to: SequenceRing())
        return made
    }

    static func destroy(_ ring: UnsafeMutablePointer<SequenceRing>) {
        var from: UInt64 = 0
        while let payload = ring.pointee.firstPayload(from: from) {
            from = payload.pointee.sequence &+ 1
            UnsafeMutableRawPointer(payload).deallocate()
        }
        ring.deinitialize(count: 1)
        ring.deallocate()
    }

    /// The oldest payload, and then any that follows.
    func firstPayload(from sequence: UInt64) -> Payload? {
        var candidate = max(sequence, floor)
        while candidate < next {
            if case .payload(let payload) = self[candidate] { return payload }
            candidate &+= 1
        }
        return nil
    }
}

/// The rings of a session's channels in one direction, each from its first payload on.
struct Channels: ~Copyable {
    private var rings: InlineArray<16, UnsafeMutablePointer<SequenceRing>?> = InlineArray(repeating: nil)

    init() {}

    deinit {
        for i in 0..<ProtectedFrame.channels {
            if let ring = rings[i] { SequenceRing.destroy(ring) }
        }
    }

    /// A channel that has been used.
    subscript(_ channel: Int) -> UnsafeMutablePointer<SequenceRing>? { rings[channel % ProtectedFrame.channels] }

    mutating func made(_ channel: UInt8) -> UnsafeMutablePointer<SequenceRing> {
        let i = Int(channel) % ProtectedFrame.channels
        if let ring = rings[i] { return ring }
        let made = SequenceRing.make()
        rings[i] = made
        return made
    }
}

/// Values in a row that come and go at the ends; room doubles up to a limit.
struct Ring<Element>: ~Copyable {
    private var memory: UnsafeMutablePointer<Element>?
    private var room = 0
    private var head = 0
    private(set) var count = 0
    let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    deinit { memory?.deallocate() }

    var isFull: Bool { count >= limit }

    /// 0 is the oldest; only for 0 ..< count, and only while there is any.
    subscript(_ i: Int) -> UnsafeMutablePointer<Element> {
        // There is memory as soon as there is an element.
        memory.unsafelyUnwrapped + ((head &+ i) & (room &- 1))
    }

    /// Plain values only: nothing is destroyed.
    mutating func append(_ element: Element) {
        guard count < limit else { return }
        if count == room { grow() }
        count &+= 1
        self[count &- 1].initialize(to: element)
    }

    mutating func removeFirst(_ many: Int = 1) {
        let many = min(many, count)
        guard room > 0 else { return }
        head = (head &+ many) & (room &- 1)
        count &-= many
    }

    private mutating func grow() {
        let bigger = max(16, room &* 2)
        let fresh = UnsafeMutablePointer<Element>.allocate(capacity: bigger)
        if let memory {
            for i in 0..<count { (fresh + i).initialize(to: memory[(head &+ i) & (room &- 1)]) }
            memory.deallocate()
        }
        memory = fresh
        room = bigger
        head = 0
    }
}
