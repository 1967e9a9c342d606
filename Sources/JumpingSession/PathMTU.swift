/// How long a datagram a path carries: DPLPMTUD (RFC 8899) between the base that every path must carry and what the host says of the
/// transport. Two views of it: protected payloads go in datagrams that were seen to arrive; expendable ones may be as long as nothing
/// speaks against, since their host chose their length.
package struct PathMTU {
    /// RFC 8899 §5.1.2.
    package static let base = 1200
    private static let probesAtMost: UInt8 = 3
    /// The search ends when it is this near.
    private static let precision = 16
    private static let raiseInterval: UInt64 = 600_000_000

    /// A datagram of this length has arrived.
    package private(set) var confirmed = PathMTU.base
    /// None that is longer will, as far as known.
    package private(set) var limit: Int
    private let ceiling: Int
    /// Length of the probe that is being tried; 0 when the search is over.
    private var candidate = 0
    private var tries: UInt8 = 0
    /// The last probes, by number and length: an answer may be late.
    private var probes: InlineArray<4, (number: UInt64, length: Int)> = InlineArray(repeating: (number: .max, length: 0))
    private var nextProbe = 0
    /// When the probe is taken for lost, or after the search when a longer one is tried again.
    package private(set) var deadline = UInt64.max
    /// A probe is to be sent.
    package private(set) var isProbeDue = false
    /// Long datagrams lost since the last one that arrived.
    private var longLost: UInt8 = 0
    /// One has arrived since the search began.
    private var hasLongArrived = false
    /// When probes stay without an answer although long datagrams arrive: acknowledgements may not reach back to them.
    private static let patience: UInt64 = 10_000_000

    /// `ceiling`: the transport's mtu.
    package init(ceiling: Int) {
        self.ceiling = max(ceiling, Self.base)
        limit = self.ceiling
        search()
    }

    package var isSearching: Bool { candidate != 0 }

    /// The longest first: mostly the host is right.
    private mutating func search() {
        tries = 0
        candidate = limit == ceiling && confirmed < ceiling ? ceiling : (confirmed &+ limit) / 2
        isProbeDue = limit &- confirmed >= Self.precision
        if !isProbeDue { candidate = 0 }
    }

    /// Length of the next probe, in a buffer of `room` bytes; 0 when there is none to send.
    package func probeLength(room: Int) -> Int { isProbeDue ? min(candidate, room) : 0 }

    package mutating func noteProbeSent(_ number: UInt64, length: Int, now: UInt64, timeout: UInt64) {
        candidate = length
        isProbeDue = false
        probes[nextProbe] = (number: number, length: length)
        nextProbe = (nextProbe &+ 1) % 4
        tries &+= 1
        deadline = now &+ timeout
    }

    /// A datagram that was longer than the base, and no probe, has arrived.
    package mutating func noteLongArrived() {
        longLost = 0
        hasLongArrived = true
    }

    /// The number of one of the last probes, 0 … 3, or `.max`.
    package func probeNumber(_ i: Int) -> UInt64 { probes[i].number }

    /// One of the last probes has arrived, in time or not.
    package mutating func noteProbeArrived(_ i: Int, now: UInt64) {
        let length = probes[i].length
        probes[i] = (number: .max, length: 0)
        longLost = 0
        guard length > confirmed else { return }
        confirmed = min(length, ceiling)
        limit = max(limit, confirmed)
        search()
        if candidate == 0 { rest(now) }
    }

    /// The deadline has come.
    package mutating func handleTimeout(now: UInt64) {
        deadline = .max
        guard candidate != 0 else {
            if confirmed < ceiling {   // the path may have changed for the better (RFC 8899 §5.3.2's raise timer)
                limit = ceiling
                search()
            }
            return
        }
        guard tries >= Self.probesAtMost else {
            isProbeDue = true
            return
        }
        guard !hasLongArrived || candidate < ceiling else {
            // What the host sends gets through; nothing speaks against what it was told.
            hasLongArrived = false
            candidate = 0
            deadline = now &+ Self.patience
            return
        }
        limit = max(candidate &- 1, confirmed)
        search()
        if candidate == 0 { rest(now) }
    }

    private mutating func rest(_ now: UInt64) {
        deadline = confirmed < ceiling ? now &+ Self.raiseInterval : .max
    }

    /// A datagram longer than the base was lost. With the third in a row the path has become a black hole for such (RFC 8899 §4.3), and the
    /// search begins anew. True when its loss may be due to its length alone and says nothing of the path.
    package mutating func noteLongLost() -> Bool {
        longLost = min(longLost &+ 1, Self.probesAtMost)
        guard longLost >= Self.probesAtMost, confirmed > Self.base || !isSearching else { return isSearching && confirmed == Self.base }
        restart()
        return true
    }

    /// Nothing is sure any more but the base.
    package mutating func restart() {
        confirmed = Self.base
        limit = ceiling
        longLost = 0
        hasLongArrived = false
        deadline = .max
        search()
    }
}
