import JumpingWire

/// A protected payload in one piece of memory: this head, two bitmaps of its blocks, its bytes. At its sender the bitmaps tell which
/// blocks wait to be sent and which were acknowledged, at its receiver which have arrived.
package struct PayloadHead {
    /// Neighbours in the one list it is in: to be sent, to be sent again, or complete and waiting for the host.
    var next: Payload?
    var previous: Payload?
    package internal(set) var sequence: UInt64
    /// The host's own number for it, in events.
    package internal(set) var tag: UInt64 = 0
    /// When it is given up; `.max` when never.
    package internal(set) var deadline = UInt64.max
    package internal(set) var length: UInt32
    /// Blocks not yet acknowledged, or not yet arrived.
    var blocksLeft: UInt32
    /// No block before this one waits to be sent.
    var firstPending: UInt32 = 0
    /// What was taken from the pool for it.
    let sizeClass: UInt8
    package internal(set) var channel: UInt8
    var list = PayloadList.Kind.none
    /// Part of it has been sent: it counts against the peer's credit.
    package internal(set) var isStarted = false
    /// Given up: the peer is told until it knows, and the bytes are gone.
    package internal(set) var isAbandoned = false
    /// The host wants to know what became of it.
    package internal(set) var wantsReport = false
    /// How often it was lost, when it fits a datagram; and whether it goes once more although it is not known to be lost.
    var losses: UInt8 = 0
    var isRepetition = false
    /// What the peer must take back of the credit when it is given up.
    var credit: UInt32 = 0
}

package typealias Payload = UnsafeMutablePointer<PayloadHead>

extension UnsafeMutablePointer<PayloadHead> {
    /// What each payload counts for beside its bytes, against buffers and credit, so that many small ones cannot outgrow either.
    package static let fixedCharge = 64

    static func charge(_ length: Int) -> Int { length &+ fixedCharge }
    var charge: Int { Self.charge(Int(pointee.length)) }

    static func blockCount(_ length: Int) -> Int {
        max(1, (length &+ ProtectedFrame.blockLength &- 1) / ProtectedFrame.blockLength)
    }

    private static func wordCount(_ length: Int) -> Int { (blockCount(length) &+ 63) / 64 }

    static func memorySize(_ length: Int) -> Int {
        MemoryLayout<PayloadHead>.stride &+ 16 &* wordCount(length) &+ length
    }

    var blockCount: Int { Self.blockCount(Int(pointee.length)) }
    private var wordCount: Int { Self.wordCount(Int(pointee.length)) }

    private var pending: UnsafeMutablePointer<UInt64> {
        (UnsafeMutableRawPointer(self) + MemoryLayout<PayloadHead>.stride).assumingMemoryBound(to: UInt64.self)
    }

    private var done: UnsafeMutablePointer<UInt64> { pending + wordCount }

    package var bytes: UnsafeMutableRawPointer {
        UnsafeMutableRawPointer(self) + MemoryLayout<PayloadHead>.stride + 16 &* wordCount
    }

    /// Every block is to be done; at the sender every block is to be sent.
    func resetBlocks(isPending: Bool) {
        pending.update(repeating: isPending ? .max : 0, count: wordCount)
        done.update(repeating: 0, count: wordCount)
        pointee.blocksLeft = UInt32(truncatingIfNeeded: blockCount)
        pointee.firstPending = 0
    }

    private func mask(_ first: Int, _ last: Int, word: Int) -> UInt64 {
        let low = max(first, word &* 64) &- word &* 64, high = min(last, word &* 64 &+ 63) &- word &* 64
        return (UInt64.max >> UInt64(63 &- (high &- low))) << UInt64(low)
    }

    /// Blocks that are done now and were not before.
    @discardableResult
    func markDone(_ first: Int, _ count: Int) -> Int {
        let last = min(first &+ count, blockCount) &- 1
        guard first >= 0, last >= first else { return 0 }
        var fresh = 0
        for word in (first / 64)...(last / 64) {
            let bits = mask(first, last, word: word)
            fresh &+= (bits & ~done[word]).nonzeroBitCount
            done[word] |= bits
            pending[word] &= ~bits
        }
        pointee.blocksLeft &-= UInt32(truncatingIfNeeded: fresh)
        return fresh
    }

    /// What is not done of these blocks is to be sent again; tells whether anything is.
    func markPending(_ first: Int, _ count: Int) -> Bool {
        let last = min(first &+ count, blockCount) &- 1
        guard first >= 0, last >= first else { return false }
        var hasAny = false
        for word in (first / 64)...(last / 64) {
            let bits = mask(first, last, word: word) & ~done[word]
            pending[word] |= bits
            hasAny = hasAny || bits != 0
        }
        if hasAny { pointee.firstPending = min(pointee.firstPending, UInt32(truncatingIfNeeded: first)) }
        return hasAny
    }

    /// The next run of blocks to be sent, at most `atMost` long; nil when none waits.
    func nextPending(atMost: Int) -> (first: Int, count: Int)? {
        let count = blockCount
        var first = Int(pointee.firstPending)
        while first < count, !isPending(first) {
            first = pending[first / 64] >> UInt64(first % 64) == 0 ? (first / 64 &+ 1) &* 64 : first &+ 1
        }
        pointee.firstPending = UInt32(truncatingIfNeeded: min(first, count))
        guard first < count else { return nil }
        var end = first &+ 1
        while end < count, end &- first < atMost, isPending(end) { end &+= 1 }
        return (first, min(end &- first, atMost))
    }

    private func isPending(_ block: Int) -> Bool { pending[block / 64] & (1 << UInt64(block % 64)) != 0 }

    func clearPending(_ first: Int, _ count: Int) {
        let last = min(first &+ count, blockCount) &- 1
        guard first >= 0, last >= first else { return }
        for word in (first / 64)...(last / 64) { pending[word] &= ~mask(first, last, word: word) }
    }
}

/// Payloads in a row, each in one list at most.
struct PayloadList: ~Copyable {
    enum Kind: UInt8 {
        case none, fresh, resend, complete
    }

    let kind: Kind
    private(set) var first: Payload?
    private var last: Payload?

    init(_ kind: Kind) {
        self.kind = kind
    }

    /// Nothing when it is in a list already.
    mutating func append(_ payload: Payload) {
        guard payload.pointee.list == .none else { return }
        payload.pointee.list = kind
        payload.pointee.next = nil
        payload.pointee.previous = last
        if let last { last.pointee.next = payload } else { first = payload }
        last = payload
    }

    /// Nothing when it is not in this list.
    mutating func remove(_ payload: Payload) {
        guard payload.pointee.list == kind else { return }
        let next = payload.pointee.next, previous = payload.pointee.previous
        if let previous { previous.pointee.next = next } else { first = next }
        if let next { next.pointee.previous = previous } else { last = previous }
        payload.pointee.next = nil
        payload.pointee.previous = nil
        payload.pointee.list = .none
    }
}

/// The memory of an endpoint's protected payloads, in both directions: never more than `limit`. Small pieces that are given back are
/// kept for the next payload, so that a steady flow of them allocates nothing.
@usableFromInline
package struct PayloadPool: ~Copyable {
    private static let classes = 4
    private static let smallestClass = 256
    /// Pieces of each class that are kept.
    private static let keptAtMost = 256
    private static let separate = UInt8(classes)

    private var free: InlineArray<4, Payload?> = InlineArray(repeating: nil)
    private var freeCount: InlineArray<4, Int> = InlineArray(repeating: 0)
    /// Bytes in use.
    package private(set) var used = 0
    package let limit: Int
    /// Kept for payloads that others wait for (`allowsExempt`): one of the largest.
    private let reserve: Int

    package init(limit: Int) {
        self.limit = limit
        reserve = min(Self.size(ProtectedFrame.longestPayload), limit / 2)
    }

    deinit {
        for i in 0..<Self.classes {
            var next = free[i]
            while let payload = next {
                next = payload.pointee.next
                UnsafeMutableRawPointer(payload).deallocate()
            }
        }
    }

    /// What a session may take besides what it holds: never more than what is left for others, so that a few cannot starve the rest
    /// (Choudhury and Hahne's dynamic threshold).
    package func allows(_ size: Int, held: Int) -> Bool { held &+ size <= limit &- reserve &- used }

    /// For the payload that a session's other ones wait for: were it refused for their sake, nothing would ever be given back.
    package func allowsExempt(_ size: Int) -> Bool { size <= limit &- used }

    private static func sizeClass(_ size: Int) -> Int {
        var candidate = 0
        while candidate < classes, size > smallestClass << candidate { candidate &+= 1 }
        return candidate
    }

    /// What a payload of this length takes.
    package static func size(_ length: Int) -> Int {
        let size = Payload.memorySize(length), sizeClass = sizeClass(size)
        return sizeClass < classes ? smallestClass << sizeClass : size
    }

    /// A payload with nothing in it; the caller has asked `allows`.
    mutating func make(length: Int, channel: UInt8, sequence: UInt64) -> Payload {
        let size = Payload.memorySize(length), sizeClass = Self.sizeClass(size)
        used &+= Self.size(length)
        let payload: Payload
        if sizeClass < Self.classes, let kept = free[sizeClass] {
            free[sizeClass] = kept.pointee.next
            freeCount[sizeClass] &-= 1
            payload = kept
        } else {
            payload = UnsafeMutableRawPointer.allocate(byteCount: Self.size(length), alignment: 16).assumingMemoryBound(to: PayloadHead.self)
        }
        payload.initialize(to: PayloadHead(sequence: sequence, length: UInt32(truncatingIfNeeded: length), blocksLeft: 0,
                                           sizeClass: UInt8(truncatingIfNeeded: sizeClass), channel: channel))
        return payload
    }

    mutating func giveBack(_ payload: Payload) {
        used &-= Self.size(Int(payload.pointee.length))
        let sizeClass = Int(payload.pointee.sizeClass)
        guard sizeClass < Self.classes, freeCount[sizeClass] < Self.keptAtMost else { return UnsafeMutableRawPointer(payload).deallocate() }
        payload.pointee.next = free[sizeClass]
        free[sizeClass] = payload
        freeCount[sizeClass] &+= 1
    }
}
