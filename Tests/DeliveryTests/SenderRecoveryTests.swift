@testable import JumpingWire
import Testing
@testable import JumpingDelivery

/// A sender over a path that is played by hand: what it writes, and what becomes of that.
struct SenderRecoveryTests {
    private final class Ends {
        var pool = PayloadPool(limit: 256 << 20)
        var delivery: UnsafeMutablePointer<Delivery>
        let roundTrip = RoundTrip(smoothed: 50_000, probeTimeout: 150_000, lossDelay: 60_000)
        var now: UInt64 = 1_000_000
        var nextNumber: UInt64 = 0
        var sent: [UInt64] = []

        init(sendBuffer: Int = 16 << 20) {
            delivery = Delivery.make(sendBuffer: sendBuffer, receiveBuffer: 1 << 20)
            delivery.pointee.sender.receiveMaxData(.max)
        }

        var payloadCount: Int { delivery.pointee.sender.payloadCount }
        var isInFlight: Bool { delivery.pointee.sender.isInFlight }
        var deadline: UInt64 { delivery.pointee.sender.deadline(roundTrip) }
        var hasLedgerRoom: Bool { delivery.pointee.sender.hasLedgerRoom }
        var received: Int { delivery.pointee.receiver.buffered }
        var used: Int { pool.used }

        deinit {
            delivery.pointee.clear(&pool)
            Delivery.destroy(delivery)
        }

        func offer(_ length: Int, channel: UInt8 = 0) -> Bool {
            let bytes = [UInt8](repeating: 7, count: length)
            let offer = delivery.pointee.sender.offer(bytes, length: length, channel: channel, deadline: .max, tag: 0, wantsReport: false, &pool)
            if case .taken = offer { return true }
            return false
        }

        /// Sends all that may leave now; gives back how many datagrams that were.
        @discardableResult
        func send() -> Int {
            var count = 0
            var buffer = [UInt8](repeating: 0, count: 1200)
            while delivery.pointee.sender.sendTime(now, roundTrip) <= now {
                let length = buffer.withUnsafeMutableBytes { bytes in
                    var writer = ByteWriter(bytes)
                    delivery.pointee.sender.write(&writer)
                    return writer.count
                }
                guard delivery.pointee.sender.hasWritten else { break }
                delivery.pointee.sender.noteSent(nextNumber, size: length + 30, now: now, roundTrip)
                sent.append(nextNumber)
                nextNumber += 1
                count += 1
            }
            return count
        }

        /// With a standby that takes a copy of everything.
        static func copying() -> Ends {
            let ends = Ends()
            ends.delivery.pointee.sender.copySharePPM = 1_000_000
            ends.delivery.pointee.sender.copy(to: 2, datagramSize: 1200, fromOldest: false)
            return ends
        }

        /// As many empty payloads as are taken, and copies of them; from which number on they went, and the one after the last.
        func sendTinyOnesAndCopies() -> (first: UInt64, last: UInt64) {
            while offer(0) { }
            let first = nextNumber
            while send() > 0 { now += 100 }
            let last = nextNumber
            copy()
            return (first: first, last: last)
        }

        /// Sends the copies that may leave now, which arrive nowhere.
        func copy() {
            var buffer = [UInt8](repeating: 0, count: 1200)
            while true {
                let (isWritten, length) = buffer.withUnsafeMutableBytes { bytes in
                    var writer = ByteWriter(bytes)
                    return (delivery.pointee.sender.writeCopy(&writer, roundTrip), writer.count)
                }
                guard isWritten else { return }
                delivery.pointee.sender.noteCopySent(nextNumber, size: length + 30, now: now, roundTrip)
                nextNumber += 1
            }
        }

        func acknowledge(_ low: UInt64, _ high: UInt64) {
            var ranges = PacketNumberRanges(), isMaxDataLost = false
            ranges.append(low, high)
            delivery.pointee.sender.acknowledge(ranges, now: now, roundTrip, &pool, isMaxDataLost: &isMaxDataLost)
        }

        func timeOut() {
            var isMaxDataLost = false
            now = max(now, delivery.pointee.sender.deadline(roundTrip))
            delivery.pointee.sender.expire(now, &pool)
            delivery.pointee.sender.handleTimeout(now, roundTrip, isMaxDataLost: &isMaxDataLost)
        }
    }

    /// The copy that a probe sent is lost, but the first one had arrived: nothing is waited for, and no probe timeout runs.
    @Test func aDatagramOfWhichNothingIsNeededIsForgotten() {
        let ends = Ends()
        #expect(ends.offer(100))
        #expect(ends.send() == 1)
        ends.timeOut()
        #expect(ends.send() == 1, "a probe")
        ends.acknowledge(0, 0)
        #expect(ends.payloadCount == 0)
        ends.timeOut()
        #expect(ends.send() == 0)
        #expect(!ends.isInFlight)
        #expect(ends.deadline == .max)
    }

    /// The first loss costs one datagram more, the second two: were the third one lost as well, that would take a round trip again.
    @Test func aPayloadThatWasLostTwiceGoesTwice() {
        let ends = Ends()
        func losePayload() {
            let first = ends.nextNumber
            for _ in 0..<3 {
                #expect(ends.offer(100))
                #expect(ends.send() == 1)
            }
            ends.acknowledge(first, first + 2)
        }
        #expect(ends.offer(100))
        #expect(ends.send() == 1)
        losePayload()
        #expect(ends.send() == 1)
        losePayload()
        #expect(ends.send() == 2)
        #expect(ends.payloadCount == 1)
        ends.acknowledge(ends.nextNumber - 1, ends.nextNumber - 1)
        #expect(ends.payloadCount == 0, "either of the two is enough")
        #expect(ends.send() == 0)
    }

    /// More in flight than can be remembered, and all of it lost: the probes get through all the same.
    @Test func aFullLedgerHoldsNoProbes() {
        let ends = Ends(sendBuffer: 64 << 20)
        for _ in 0..<60 where !ends.offer(1 << 20) { break }
        // The window grows as long as all of it is acknowledged.
        for _ in 0..<40 {
            let first = ends.nextNumber
            while ends.send() > 0 { ends.now += 1000 }
            guard ends.nextNumber > first else { break }
            if ends.nextNumber - first >= 4096 { break }
            ends.now += 50_000
            ends.acknowledge(first, ends.nextNumber - 1)
        }
        #expect(!ends.hasLedgerRoom, "the ledger is full of datagrams in flight")
        var probes = 0
        for _ in 0..<3 {
            ends.timeOut()
            probes += ends.send()
        }
        #expect(probes >= 3)
        // The path is back: what was lost goes again, to the end.
        for _ in 0..<200 where ends.payloadCount > 0 {
            let first = ends.nextNumber
            while ends.send() > 0 { ends.now += 1000 }
            ends.now += 50_000
            if ends.nextNumber > first { ends.acknowledge(first, ends.nextNumber - 1) } else { ends.timeOut() }
        }
        #expect(ends.payloadCount == 0)
    }

    /// Copies that no acknowledgement names keep what is younger in the ledger. When it is full of that, and nothing is in flight any more,
    /// no timer runs: they must give way, or nothing would leave any more.
    @Test func copiesOfWhichNothingIsHeardHoldNothingUp() {
        let ends = Ends.copying()
        for round in 0..<30 {
            let (first, last) = ends.sendTinyOnesAndCopies()
            ends.now += 10_000
            guard last > first else { break }
            ends.acknowledge(first, last - 1)
            #expect(ends.payloadCount < 4096, "round \(round)")
        }
        #expect(ends.payloadCount < 4096 && ends.hasLedgerRoom)
    }

    /// Probes get out of a full ledger whose oldest datagrams are copies, and so does what a jump sends again.
    @Test(arguments: [false, true]) func copiesHoldNoProbes(isJump: Bool) {
        let ends = Ends.copying()
        for _ in 0..<40 {
            let (first, last) = ends.sendTinyOnesAndCopies()
            guard ends.hasLedgerRoom else { break }
            ends.now += 10_000
            ends.acknowledge(first, last - 1)
        }
        #expect(!ends.hasLedgerRoom && ends.isInFlight, "the ledger is full, and nothing more is acknowledged")
        if isJump {
            var isMaxDataLost = false
            ends.delivery.pointee.sender.move(to: 3, datagramSize: 1200, restart: true, isMaxDataLost: &isMaxDataLost)
        }
        if !isJump { ends.timeOut() }
        #expect(ends.send() >= (isJump ? 10 : 2), "a jump sends a whole first window")
    }

    /// Four thousand payloads behind one that is missing are given back in a moment when the session ends.
    @Test func theEndOfALongChannelIsQuick() {
        let ends = Ends()
        for sequence: UInt32 in 1..<4096 {
            let frame = ProtectedFrame(channel: 1, sequence: sequence, payloadLength: 0, firstBlock: 0, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
            _ = ends.delivery.pointee.receiver.receive(frame, mayDeliver: false, &ends.pool)
        }
        #expect(ends.received == 4095 * 64)
        let clock = ContinuousClock()
        let taken = clock.measure { ends.delivery.pointee.end(&ends.pool) }
        #expect(ends.received == 0 && ends.used == 0)
        #expect(taken < .milliseconds(200))
    }
}
