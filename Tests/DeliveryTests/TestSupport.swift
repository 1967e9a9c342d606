import JumpingWire
import Testing
@testable import JumpingDelivery

/// SplitMix64: the same numbers from the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A sender and a receiver with nothing between them but what a test puts there: no session, no sealing, no path.
final class Wire {
    struct Datagram {
        let number: UInt64
        let bytes: [UInt8]
        let due: UInt64
    }

    struct Delivered: Equatable {
        let channel: UInt8
        let bytes: [UInt8]
    }

    static let roundTrip = RoundTrip(smoothed: 40_000, probeTimeout: 60_000, lossDelay: 50_000)
    let ends: UnsafeMutablePointer<Delivery>
    private let pools: UnsafeMutablePointer<PayloadPool>
    private(set) var now: UInt64 = 1_000_000
    private(set) var delivered: [Delivered] = []
    private(set) var settled: [SettledPayload] = []
    private(set) var sent = 0
    private var number: UInt64 = 0
    private var flights: [Datagram] = []
    private var arrived: Set<UInt64> = []
    private var acknowledgements: [(ranges: PacketNumberRanges, due: UInt64)] = []
    private var credits: [(limit: UInt64, due: UInt64)] = []
    var random: SeededGenerator
    var lossPercent: UInt64 = 0
    var jitter: UInt64 = 0
    var datagramSize = 1200
    /// The receiver's host takes nothing.
    var isReadingPaused = false

    init(seed: UInt64, sendBuffer: Int = 1 << 20, receiveBuffer: Int = 1 << 20, memory: Int = 64 << 20) {
        random = SeededGenerator(seed: seed)
        ends = Delivery.make(sendBuffer: sendBuffer, receiveBuffer: receiveBuffer)
        pools = .allocate(capacity: 1)
        pools.initialize(to: PayloadPool(limit: memory))
        var isLost = false
        ends.pointee.sender.move(to: 1, datagramSize: 1200, restart: true, isMaxDataLost: &isLost)
    }

    deinit {
        ends.pointee.clear(&pools.pointee)
        #expect(pools.pointee.used == 0, "everything was given back")
        #expect(ends.pointee.sender.buffered == 0 && ends.pointee.sender.payloadCount == 0 && ends.pointee.receiver.buffered == 0)
        Delivery.destroy(ends)
        pools.deinitialize(count: 1)
        pools.deallocate()
    }

    var memoryUsed: Int { pools.pointee.used }

    func offer(_ bytes: [UInt8], channel: UInt8 = 0, timeToLive: UInt64? = nil, tag: UInt64? = nil) -> Offer {
        bytes.withUnsafeBytes {
            ends.pointee.sender.offer($0.baseAddress, length: $0.count, channel: channel, deadline: timeToLive.map { now + $0 } ?? .max,
                                      tag: tag ?? 0, wantsReport: tag != nil, &pools.pointee)
        }
    }

    func jump(to path: UInt32, restart: Bool = true) {
        var isLost = false
        ends.pointee.sender.move(to: path, datagramSize: datagramSize, restart: restart, isMaxDataLost: &isLost)
    }

    func run(_ duration: UInt64, step: UInt64 = 1000) {
        let end = now + duration
        while now < end {
            now += step
            turn()
        }
    }

    private func turn() {
        for flight in flights.filter({ $0.due <= now }) { arrive(flight) }
        flights.removeAll { $0.due <= now }
        for credit in credits where credit.due <= now { ends.pointee.sender.receiveMaxData(credit.limit) }
        credits.removeAll { $0.due <= now }
        var isLost = false
        for acknowledgement in acknowledgements where acknowledgement.due <= now {
            ends.pointee.sender.acknowledge(acknowledgement.ranges, now: now, Wire.roundTrip, &pools.pointee, isMaxDataLost: &isLost)
        }
        acknowledgements.removeAll { $0.due <= now }
        if ends.pointee.sender.deadline(Wire.roundTrip) <= now {
            ends.pointee.sender.expire(now, &pools.pointee)
            ends.pointee.sender.handleTimeout(now, Wire.roundTrip, isMaxDataLost: &isLost)
        }
        while let one = ends.pointee.sender.popSettled() { settled.append(one) }
        send()
        if !isReadingPaused { take() }
        if ends.pointee.receiver.isMaxDataDue { credits.append((ends.pointee.receiver.announce(), now + 20_000)) }
    }

    private func send() {
        var buffer = [UInt8](repeating: 0, count: datagramSize)
        while ends.pointee.sender.sendTime(now, Wire.roundTrip) <= now {
            let bytes = buffer.withUnsafeMutableBytes { space in
                var writer = ByteWriter(space)
                ends.pointee.sender.write(&writer)
                return Array(space[0..<writer.count])
            }
            guard !bytes.isEmpty else { return }
            ends.pointee.sender.noteSent(number, size: bytes.count, now: now, Wire.roundTrip)
            sent += 1
            if random.next() % 100 >= lossPercent {
                flights.append(Datagram(number: number, bytes: bytes, due: now + 20_000 + (jitter > 0 ? random.next() % jitter : 0)))
            }
            number += 1
        }
    }

    private func arrive(_ datagram: Datagram) {
        var mayDeliver = true
        datagram.bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            while let frame = Frame.read(&reader) {
                switch frame {
                case .protected(let part), .fragment(let part):
                    switch ends.pointee.receiver.receive(part, mayDeliver: mayDeliver && !isReadingPaused, &pools.pointee) {
                    case .deliverable:
                        delivered.append(Delivered(channel: part.channel, bytes: Array(part.bytes)))
                        mayDeliver = false
                    case .refused: Issue.record("refused")
                    case .stored, .duplicate: break
                    }
                case .abandoned(let payload): ends.pointee.receiver.abandon(payload, &pools.pointee)
                default: Issue.record("another frame")
                }
            }
            #expect(reader.remaining == 0 && !reader.failed)
        }
        arrived.insert(datagram.number)
        if random.next() % 100 >= lossPercent { acknowledgements.append((ranges(), now + 20_000)) }
    }

    private func ranges() -> PacketNumberRanges {
        var ranges = PacketNumberRanges()
        var high: UInt64?
        for number in stride(from: Int64(self.number), through: max(0, Int64(self.number) - 500), by: -1) {
            if arrived.contains(UInt64(number)) {
                if high == nil { high = UInt64(number) }
            } else if let top = high {
                ranges.append(UInt64(number) + 1, top)
                high = nil
            }
        }
        if let high { ranges.append(UInt64(max(0, Int64(self.number) - 500)), high) }
        return ranges
    }

    func take() {
        while let payload = ends.pointee.receiver.first {
            delivered.append(Delivered(channel: payload.pointee.channel,
                                       bytes: Array(UnsafeRawBufferPointer(start: payload.bytes, count: Int(payload.pointee.length)))))
            ends.pointee.receiver.takeFirst(&pools.pointee)
        }
    }
}
