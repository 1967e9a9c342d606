/// Sessions in a row, first come first served, by slot or by handle: those with something to transmit, and the TERMINATED ones.
struct ReadyQueue: ~Copyable {
    private var ring: UnsafeMutablePointer<UInt64>
    private var capacity = 64
    private var head = 0
    private(set) var count = 0

    init() {
        ring = .allocate(capacity: 64)
    }

    deinit {
        ring.deallocate()
    }

    mutating func push(_ session: UInt64) {
        if count == capacity { grow() }
        ring[(head &+ count) & (capacity &- 1)] = session
        count &+= 1
    }

    var first: UInt64? { count > 0 ? ring[head] : nil }

    mutating func removeFirst() {
        guard count > 0 else { return }
        head = (head &+ 1) & (capacity &- 1)
        count &-= 1
    }

    private mutating func grow() {
        let bigger = UnsafeMutablePointer<UInt64>.allocate(capacity: capacity &* 2)
        for i in 0..<count { bigger[i] = ring[(head &+ i) & (capacity &- 1)] }
        ring.deallocate()
        ring = bigger
        head = 0
        capacity = capacity &* 2
    }
}
