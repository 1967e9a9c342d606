import CJumping
import JumpingC
import Testing
@testable import Jumping

/// Protected payloads where something is full, or missing, or late: memory, the event queue, a path.
struct DeliveryLimitsTests {
    private static func payload(_ number: UInt64, _ length: Int) -> [UInt8] { ProtectedDeliveryTests.payload(number, length) }
    private static func numbers(_ node: Node) -> [UInt64] { node.protected.map(ProtectedDeliveryTests.number) }

    /// More reports than the event queue holds wait their turn: none is lost, nor is Writable.
    @Test func reportsOutnumberTheEventQueue() {
        let pair = Pair.established { $0.tuneClient = { $0.event_capacity = 64 } }
        var taken: UInt64 = 0
        while pair.client.sendProtected([UInt8(truncatingIfNeeded: taken)], tag: taken, pair.now) == JMP_OK { taken += 1 }
        #expect(taken == UInt64(JMP_PROTECTED_COUNT_MAX))
        pair.run(3_000_000)
        let tags = pair.client.events(JMP_EVENT_PAYLOAD_ACKNOWLEDGED).map(\.payload_tag)
        #expect(tags.sorted() == Array(0..<taken))
        #expect(pair.client.events(JMP_EVENT_WRITABLE).count == 1)
    }

    /// Whoever asks for reports and does not read them is held, and not forgotten.
    @Test func unreadReportsHoldTheSender() {
        let pair = Pair.established { $0.tuneClient = { $0.event_capacity = 64 } }
        pair.client.mayDropEvents = true
        pair.run(100_000)
        var taken: UInt64 = 0
        for _ in 0..<100 {
            while pair.client.sendProtected([1], tag: taken, pair.now) == JMP_OK { taken += 1 }
            // The host sends and receives, but reads no events.
            pair.drainsEvents = false
            pair.drain(.client)
            pair.run(50_000)
        }
        #expect(taken <= UInt64(JMP_PROTECTED_COUNT_MAX) + 64)
        pair.drainsEvents = true
        pair.run(1_000_000)
        #expect(pair.client.events(JMP_EVENT_PAYLOAD_ACKNOWLEDGED).map(\.payload_tag).sorted() == Array(0..<taken))
        #expect(pair.client.events(JMP_EVENT_WRITABLE).count == 1)
    }

    /// A buffer that is larger than all of the endpoint's memory: Writable comes all the same.
    @Test func writableComesWithLittleMemory() {
        let pair = Pair.established {
            $0.tuneClient = { config in
                config.send_buffer = 64 << 20
                config.delivery_memory = 4 << 20
            }
        }
        var taken: UInt64 = 0
        while pair.client.sendProtected(Self.payload(taken, 100_000), pair.now) == JMP_OK { taken += 1 }
        #expect(taken > 5)
        pair.drain(.client)
        #expect(pair.run(until: { !pair.client.events(JMP_EVENT_WRITABLE).isEmpty }, within: 10_000_000, step: 10_000))
        #expect(pair.client.sendProtected(Self.payload(taken, 100_000), pair.now) == JMP_OK)
    }

    /// Memory full of what waits for its predecessor: that has room all the same.
    @Test(arguments: [3, 120_000, 1_000_000]) func whatOthersWaitForHasRoom(length: Int) {
        let pair = Pair.established { $0.leaveLittleMemory(receiveBuffer: 16 << 20, sendBuffer: 16 << 20) }
        pair.run(100_000)
        // The first payload's datagrams do not arrive for two seconds.
        let mends = pair.now + 2_000_000
        var isFirst = true
        pair.tap = { side, _, _ in side == .client && isFirst }
        expectOK(pair.sendProtected(.client, Self.payload(0, length), channel: 1))
        isFirst = false
        for i in 1..<60 as Range<UInt64> { expectOK(pair.sendProtected(.client, Self.payload(i, 100_000), channel: 1)) }
        pair.run(mends - pair.now)
        pair.tap = nil
        #expect(pair.run(until: { pair.gateway.protected.count == 60 }, within: 120_000_000, step: 50_000))
        #expect(pair.gateway.protected.allSatisfy { $0.bytes == Self.payload(ProtectedDeliveryTests.number($0), $0.bytes.count) })
        #expect(Self.numbers(pair.gateway).dropFirst(length < 8 ? 1 : 0).map { $0 } == Array((length < 8 ? 1 : 0)..<60))
    }

    /// Several payloads a datagram, and memory for some of them only: what is acknowledged is there.
    @Test(arguments: [40, 300, 700, 1300]) func memoryThatEndsWithinADatagramLosesNothing(length: Int) {
        let pair = Pair.established { $0.leaveLittleMemory(receiveBuffer: 16 << 20, sendBuffer: 16 << 20) }
        pair.gateway.isReadingPaused = true
        // Large ones first, so that few are needed.
        for i in 0..<15 as Range<UInt64> { expectOK(pair.sendProtected(.client, Self.payload(i, 100_000))) }
        pair.run(3_000_000)
        let count: UInt64 = 1500
        for i in 15..<count { expectOK(pair.sendProtected(.client, Self.payload(i, length), channel: UInt32(1 + i % 2))) }
        pair.run(5_000_000)
        pair.gateway.isReadingPaused = false
        pair.drain(.gateway)
        #expect(pair.run(until: { pair.gateway.protected.count == Int(count) }, within: 60_000_000, step: 50_000))
        #expect(Self.numbers(pair.gateway).sorted() == Array(0..<count))
        pair.run(2_000_000)
        #expect(pair.info(.client).protected_count == 0)
    }

    /// Without any path times to live end all the same.
    @Test func timesToLiveEndWithoutAPath() {
        let pair = Pair.established { $0.links = 1 }
        expectOK(jmp_path_remove(pair.client.handle, pair.client.session, pair.client.paths()[0].path, pair.now))
        pair.drain(.client)
        #expect(pair.info(.client).active_path == JMP_PATH_NONE)
        expectOK(pair.sendProtected(.client, Self.payload(0, 100), timeToLive: 200_000, tag: 9))
        let at = pair.now
        pair.run(1_000_000)
        let expired = pair.client.events(JMP_EVENT_PAYLOAD_EXPIRED)
        #expect(expired.map(\.payload_tag) == [9])
        #expect(expired.allSatisfy { $0.time == at + 200_000 })
    }

    /// A full window is no hole for payloads when credit has to be told.
    @Test func creditTakesNoPayloadsPastTheWindow() {
        let pair = Pair.established { $0.tuneClient = { $0.receive_buffer = 1 << 16 } }
        pair.client.isReadingPaused = true
        for i in 0..<20 as Range<UInt64> { pair.sendProtected(.gateway, Self.payload(i, 3000), channel: 1) }
        pair.run(1_000_000)
        // Nothing of the client's is acknowledged from now on, while it has credit to tell with each payload that it takes.
        pair.links[0].isBlackhole[1] = true
        pair.links[1].isBlackhole[1] = true
        for i in 0..<200 as Range<UInt64> { expectOK(pair.client.sendProtected(Self.payload(i, 1000), pair.now)) }
        pair.drain(.client)
        let window = pair.info(.client).congestion_window
        pair.client.isReadingPaused = false
        pair.drain(.client)
        #expect(pair.info(.client).bytes_in_flight <= window + 1400)
    }

    /// A hundred datagrams at once, each a little late in its own way: none is taken for lost, and the path keeps its good name.
    @Test func burstsThatOvertakeThemselvesAreNoLoss() {
        let pair = Pair.established { $0.tuneClient = { $0.send_buffer = 8 << 20 } }
        for i in 0..<2 { pair.links[i].jitter = 4000 }
        pair.run(1_000_000)
        for i in 0..<8 as Range<UInt64> {
            expectOK(pair.sendProtected(.client, Self.payload(i, 400_000)))
            pair.run(500_000)
        }
        #expect(Self.numbers(pair.gateway).sorted() == Array(0..<8))
        #expect(pair.client.events(JMP_EVENT_VOLATILITY_SIGNAL).isEmpty && pair.gateway.events(JMP_EVENT_VOLATILITY_SIGNAL).isEmpty)
    }
}
