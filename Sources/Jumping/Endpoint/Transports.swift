import CJumping
import JumpingWire

/// Something the host can send through, as the library knows it.
struct Transport {
    var isUsed = false
    /// Removed, but not every session knows of it yet: nothing is sent here any more, and the number is not given to another.
    var isLeaving = false
    var isUp = true
    var transportClass: UInt8 = 0
    var cost: UInt32 = 1
    var mtu: UInt32 = 1400
    var name = Name()
    /// Revisions of the table that began with the last hint, the last change and the removal.
    fileprivate(set) var hintedIn: UInt64 = 0
    fileprivate(set) var setIn: UInt64 = 0
    fileprivate(set) var removedIn: UInt64 = 0
}

/// The endpoint's transports by number. What the host says of one is a new revision of the table; sessions follow one after the other
/// (TransportSweep), each at the latest when it is used next.
struct TransportTable: ~Copyable {
    static let capacity = Int(JMP_MAX_TRANSPORTS)
    private let transports: UnsafeMutablePointer<Transport>
    private(set) var count = 0
    private(set) var revision: UInt64 = 0
    /// Bit n: not every session has followed what was said of transport n last.
    private(set) var unsettled: UInt64 = 0

    init() {
        transports = .allocate(capacity: Self.capacity)
        transports.initialize(repeating: Transport(), count: Self.capacity)
    }

    deinit {
        transports.deallocate()
    }

    func contains(_ number: UInt32) -> Bool {
        number < UInt32(Self.capacity) && transports[Int(number)].isUsed
    }

    /// The transport, one that leaves too; an unused one for a number that is not taken.
    subscript(_ number: UInt32) -> Transport {
        number < UInt32(Self.capacity) ? transports[Int(number)] : Transport()
    }

    /// Largest datagram the transport takes; of a number that is not taken, an unused one's.
    @inline(__always)
    func mtu(_ number: UInt32) -> Int {
        Int(number < UInt32(Self.capacity) ? transports[Int(number)].mtu : Transport().mtu)
    }

    func find(_ name: Name) -> UInt32? {
        for i in 0..<Self.capacity where transports[i].isUsed && transports[i].name == name { return UInt32(i) }
        return nil
    }

    mutating func add(_ transport: Transport) -> UInt32? {
        for i in 0..<Self.capacity where !transports[i].isUsed && !transports[i].isLeaving {
            transports[i] = transport
            transports[i].isUsed = true
            count &+= 1
            return UInt32(i)
        }
        return nil
    }

    // MARK: what sessions have to follow; each for a number that `contains` confirmed

    mutating func hint(_ number: UInt32, isUp: Bool) {
        transports[Int(number)].isUp = isUp
        transports[Int(number)].hintedIn = revise(number)
    }

    /// Another class, cost and mtu; the name stays.
    mutating func set(_ number: UInt32, _ transport: Transport) {
        transports[Int(number)].transportClass = transport.transportClass
        transports[Int(number)].cost = transport.cost
        transports[Int(number)].mtu = transport.mtu
        transports[Int(number)].setIn = revise(number)
    }

    mutating func remove(_ number: UInt32) {
        transports[Int(number)].isUsed = false
        transports[Int(number)].isLeaving = true
        transports[Int(number)].removedIn = revise(number)
        count &-= 1
    }

    private mutating func revise(_ number: UInt32) -> UInt64 {
        revision &+= 1
        unsettled |= 1 << UInt64(number)
        return revision
    }

    /// Every session has followed up to this revision: the numbers of transports that were removed by then are free.
    mutating func settle(_ revision: UInt64) {
        for i in 0..<Self.capacity where unsettled & 1 << UInt64(i) != 0 {
            guard max(transports[i].hintedIn, transports[i].setIn, transports[i].removedIn) <= revision else { continue }
            unsettled &= ~(1 << UInt64(i))
            if transports[i].isLeaving { transports[i] = Transport() }
        }
    }

    /// Largest datagram any transport takes.
    var largestMTU: UInt32 {
        var largest: UInt32 = 0
        for i in 0..<Self.capacity where transports[i].isUsed { largest = max(largest, transports[i].mtu) }
        return largest
    }
}
