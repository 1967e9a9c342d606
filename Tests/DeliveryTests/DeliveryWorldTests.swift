import Testing
@testable import JumpingDelivery
@testable import JumpingWire

/// Sender and receiver against each other, with loss, disorder, jumps and slow hosts.
struct DeliveryWorldTests {
    private func payload(_ number: Int, _ length: Int) -> [UInt8] {
        Array(([UInt8(number >> 16 & 255), UInt8(number >> 8 & 255), UInt8(number & 255)]
                + (0..<max(0, length - 3)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) }).prefix(length))
    }

    @Test(arguments: 0..<16 as Range<UInt64>)
    func everyPayloadArrivesOnceAndWhole(seed: UInt64) {
        let wire = Wire(seed: seed)
        wire.lossPercent = [0, 2, 10, 30][Int(seed % 4)]
        wire.jitter = [0, 30_000][Int(seed / 4 % 2)]
        var expected: [Wire.Delivered] = []
        for i in 0..<200 {
            let channel = UInt8(wire.random.next() % 4), length = 3 + Int(wire.random.next() % (i % 20 == 0 ? 20_000 : 400))
            let bytes = payload(i, length)
            if case .taken = wire.offer(bytes, channel: channel, tag: UInt64(i)) { expected.append(.init(channel: channel, bytes: bytes)) }
            if i % 50 == 25 {
                wire.datagramSize = [1200, 1400, 400][Int(wire.random.next() % 3)]
                wire.jump(to: UInt32(i))
            }
            wire.run(1 + wire.random.next() % 10_000)
        }
        wire.run(20_000_000)
        #expect(expected.count == 200)
        for channel in 1..<4 as Range<UInt8> {
            #expect(wire.delivered.filter { $0.channel == channel } == expected.filter { $0.channel == channel }, "in order")
        }
        func keys(_ all: [Wire.Delivered]) -> [[UInt8]] { all.map(\.bytes).sorted { $0.lexicographicallyPrecedes($1) } }
        #expect(keys(wire.delivered) == keys(expected))
        #expect(wire.settled.map(\.tag).sorted() == (0..<200).map(UInt64.init) && wire.settled.allSatisfy(\.isAcknowledged))
        #expect(wire.ends.pointee.sender.congestion.bytesInFlight == 0)
        #expect(wire.ends.pointee.sender.payloadCount == 0)
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func whatExpiresIsReportedAndHoldsNothingUp(seed: UInt64) {
        let wire = Wire(seed: seed)
        wire.lossPercent = 30
        for i in 0..<300 {
            _ = wire.offer(payload(i, 100 + i % 7 * 600), channel: UInt8(i % 3), timeToLive: i % 2 == 0 ? 1 + wire.random.next() % 200_000 : nil, tag: UInt64(i))
            wire.run(3000)
        }
        wire.run(20_000_000)
        let arrived = Set(wire.delivered.map { Int($0.bytes[0]) << 16 | Int($0.bytes[1]) << 8 | Int($0.bytes[2]) })
        #expect(arrived.count == wire.delivered.count, "none twice")
        #expect(wire.settled.count == 300 && Set(wire.settled.map(\.tag)).count == 300, "each has one fate")
        for one in wire.settled {
            #expect(one.isAcknowledged || one.tag % 2 == 0)
            if one.isAcknowledged { #expect(arrived.contains(Int(one.tag))) }
        }
        #expect(wire.settled.contains { !$0.isAcknowledged })
        #expect(wire.ends.pointee.receiver.buffered == 0, "no part of what was given up stays")
    }

    /// RFC 9002 §7: what is not acknowledged fills the window, and nothing follows before a probe timeout.
    @Test func noMoreLeavesThanTheWindow() {
        let wire = Wire(seed: 5)
        wire.lossPercent = 100
        for i in 0..<50 { _ = wire.offer(payload(i, 1000)) }
        wire.run(30_000)
        #expect(wire.sent >= 10 && wire.sent <= 12)
    }

    @Test func aReceiverWhoseHostSleepsIsNotOverrun() {
        let wire = Wire(seed: 3, receiveBuffer: 1 << 16)
        wire.isReadingPaused = true
        var taken = 0
        for i in 0..<400 {
            if case .taken = wire.offer(payload(i, 2000), channel: 1) { taken += 1 }
            wire.run(2000)
            #expect(wire.ends.pointee.receiver.buffered <= 1 << 16 + 1 << 20)
        }
        wire.run(5_000_000)
        #expect(wire.delivered.isEmpty && wire.ends.pointee.receiver.buffered <= 1 << 16 + 3000)
        wire.isReadingPaused = false
        wire.run(20_000_000)
        #expect(wire.delivered.count == taken)
    }

    /// 2³² payloads would take a while: the numbers' low 32 bits are recovered around the floor.
    @Test func numbersGoOnBeyondTheirLowBits() {
        var ring = SequenceRing()
        func recovered(_ low: UInt32) -> UInt64 { ring.recover(low) }
        func holds(_ sequence: UInt64) -> Bool { ring.holds(sequence) }
        #expect(recovered(5) == 5)
        #expect(!holds(recovered(.max)), "just below 0")
        for sequence in 0..<100 as Range<UInt64> { ring.setDone(sequence) }
        #expect(recovered(99) == 99 && recovered(100) == 100)
        #expect(recovered(100 + (1 << 31) - 1) == 100 + (1 << 31) - 1)
    }

    @Test func aRingGrowsAndForgets() {
        var ring = SequenceRing(), pool = PayloadPool(limit: 1 << 20)
        var payloads: [Payload] = []
        for sequence in 0..<1000 as Range<UInt64> {
            let one = pool.make(length: 10, channel: 0, sequence: sequence)
            payloads.append(one)
            ring.set(sequence, one)
        }
        #expect(ring.next == 1000 && ring.floor == 0)
        for sequence in (1..<1000 as Range<UInt64>).reversed() { ring.setDone(sequence) }
        #expect(ring.floor == 0)
        let first = ring.firstPayload(from: 0)?.pointee.sequence, second = ring.firstPayload(from: 1)
        #expect(first == 0 && second == nil)
        ring.setDone(0)
        #expect(ring.floor == 1000 && ring.isEmpty)
        let held = [999, 1000, 1000 + 4095, 1000 + 4096].map { ring.holds($0) }
        #expect(held == [false, true, true, false])
        for one in payloads { pool.giveBack(one) }
        #expect(pool.used == 0)
    }

    // MARK: hostile peers

    private func part(_ channel: UInt8, _ sequence: UInt32, whole: Int, block: Int, _ bytes: UnsafeRawBufferPointer) -> ProtectedFrame {
        var frame = [UInt8](repeating: 0, count: 14 + bytes.count)
        return frame.withUnsafeMutableBytes { space in
            var writer = ByteWriter(space)
            writer.fragment(channel: channel, sequence: UInt64(sequence), payloadLength: whole, firstBlock: block, length: bytes.count)
            writer.copy(bytes)
            var reader = ByteReader(UnsafeRawBufferPointer(space))
            guard case .fragment(let part)? = Frame.read(&reader) else { fatalError("not a part") }
            return ProtectedFrame.test(part, bytes)
        }
    }

    @Test func partsOfAnotherLengthAreRefused() {
        let delivery = Delivery.make(sendBuffer: 1 << 16, receiveBuffer: 1 << 16)
        var pool = PayloadPool(limit: 1 << 24)
        let bytes = [UInt8](repeating: 1, count: 16)
        bytes.withUnsafeBytes { bytes in
            let parts = [part(0, 0, whole: 160, block: 0, bytes), part(0, 0, whole: 160, block: 0, bytes), part(0, 0, whole: 176, block: 1, bytes),
                         part(0, 5000, whole: 160, block: 0, bytes), part(0, .max, whole: 160, block: 0, bytes)]
            let outcomes = parts.map { delivery.pointee.receiver.receive($0, mayDeliver: true, &pool) }
            #expect(outcomes == [.stored, .duplicate, .refused, .refused, .refused], "another length, too far ahead, below 0")
        }
        delivery.pointee.clear(&pool)
        #expect(pool.used == 0)
        Delivery.destroy(delivery)
    }

    /// Whatever a peer begins, memory has its bound, and nobody's buffer is taken for it.
    @Test func beginningWithoutEndTakesBoundedMemory() {
        let delivery = Delivery.make(sendBuffer: 1 << 16, receiveBuffer: 1 << 16)
        var pool = PayloadPool(limit: 1 << 26)
        let bytes = [UInt8](repeating: 1, count: 16)
        var refused = 0
        bytes.withUnsafeBytes { bytes in
            for sequence in 0..<4000 as Range<UInt32> {
                let arriving = delivery.pointee.receiver.receive(part(2, sequence, whole: 1_048_576, block: 7, bytes), mayDeliver: true, &pool)
                if arriving == .refused { refused += 1 }
            }
        }
        #expect(refused >= 3998)
        #expect(delivery.pointee.receiver.buffered <= 1 << 16 + 1 << 20 + 64)
        delivery.pointee.receiver.abandon(AbandonedPayload(channel: 2, sequence: 0, credit: .max), &pool)
        delivery.pointee.receiver.abandon(AbandonedPayload(channel: 2, sequence: 3000, credit: .max), &pool)
        delivery.pointee.receiver.abandon(AbandonedPayload(channel: 2, sequence: 9000, credit: .max), &pool)
        delivery.pointee.clear(&pool)
        #expect(pool.used == 0)
        Delivery.destroy(delivery)
    }

    @Test func aFewCannotTakeTheMemoryOfAll() {
        var pool = PayloadPool(limit: 1 << 20)
        var held = 0, taken: [Payload] = []
        while pool.allows(PayloadPool.size(30_000), held: held) {
            taken.append(pool.make(length: 30_000, channel: 0, sequence: 0))
            held += PayloadPool.size(30_000)
        }
        #expect(held <= 1 << 19 + 40_000, "one alone gets half")
        let isOpen = pool.allows(PayloadPool.size(30_000), held: 0)
        #expect(isOpen, "the next finds room")
        for one in taken { pool.giveBack(one) }
    }
}

extension ProtectedFrame {
    /// The same part over bytes that outlive the frame it was read from.
    static func test(_ part: ProtectedFrame, _ bytes: UnsafeRawBufferPointer) -> ProtectedFrame {
        ProtectedFrame(channel: part.channel, sequence: part.sequence, payloadLength: part.payloadLength, firstBlock: part.firstBlock, bytes: bytes)
    }
}
