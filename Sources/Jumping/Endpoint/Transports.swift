import CJumping
import JumpingWire

/// Something the host can send through, as the library knows it.
struct Transport {
    var isUsed = false
    var isUp = true
    var transportClass: UInt8 = 0
    var cost: UInt32 = 1
    var mtu: UInt32 = 1400
    var name = Name()
}

/// The endpoint's transports by number.
struct TransportTable: ~Copyable {
    static let capacity = Int(JMP_MAX_TRANSPORTS)
    private let transports: UnsafeMutablePointer<Transport>
    private(set) var count = 0

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

    /// The transport, or an unused one for a number that is not taken.
    subscript(_ number: UInt32) -> Transport {
        get { contains(number) ? transports[Int(number)] : Transport() }
        set { if number < UInt32(Self.capacity) { transports[Int(number)] = newValue } }
    }

    /// Largest datagram the transport takes; of a number that is not taken, an unused one's.
    @inline(__always)
    func mtu(_ number: UInt32) -> Int {
        Int(contains(number) ? transports[Int(number)].mtu : Transport().mtu)
    }

    func find(_ name: Name) -> UInt32? {
        for i in 0..<Self.capacity where transports[i].isUsed && transports[i].name == name { return UInt32(i) }
        return nil
    }

    mutating func add(_ transport: Transport) -> UInt32? {
        for i in 0..<Self.capacity where !transports[i].isUsed {
            transports[i] = transport
            transports[i].isUsed = true
            count &+= 1
            return UInt32(i)
        }
        return nil
    }

    mutating func remove(_ number: UInt32) {
        guard contains(number) else { return }
        transports[Int(number)] = Transport()
        count &-= 1
    }

    /// Largest datagram any transport takes.
    var largestMTU: UInt32 {
        var largest: UInt32 = 0
        for i in 0..<Self.capacity where transports[i].isUsed { largest = max(largest, transports[i].mtu) }
        return largest
    }
}
