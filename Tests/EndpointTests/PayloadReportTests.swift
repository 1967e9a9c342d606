import CJumping
import JumpingC
import Testing
@testable import Jumping

/// What a host waits to hear of its protected payloads comes, however full its queue of events and whatever became of the paths.
struct PayloadReportTests {
    private static func smallQueue(_ options: inout PairOptions) {
        options.tuneClient = { $0.event_capacity = 64; $0.send_buffer = 1 << 17 }
    }

    @Test func noReportIsLostWhenManyComeAtOnce() {
        let pair = Pair.established(Self.smallQueue)
        for tag in 0..<1500 as Range<UInt64> { expectOK(pair.client.sendProtected([1], tag: tag, pair.now)) }
        pair.drain(.client)
        pair.run(2_000_000)
        let told = pair.client.events(JMP_EVENT_PAYLOAD_ACKNOWLEDGED).map(\.payload_tag)
        #expect(told.sorted() == (0..<1500).map(UInt64.init))
        #expect(pair.client.stats().protected_acknowledged == 1500)
    }

    /// Reports that wait count as payloads under way: there are never more of both than the one limit.
    @Test func reportsThatWaitHoldTheSender() {
        let pair = Pair.established { $0.tuneClient = { $0.event_capacity = 64; $0.send_buffer = 1 << 20 } }
        var sent: UInt64 = 0, told = 0
        for _ in 0..<20 {
            while pair.client.sendProtected([1], tag: sent, pair.now) == JMP_OK { sent += 1 }
            pair.drain(.client)
            pair.run(20_000)
        }
        pair.run(5_000_000)
        told = pair.client.events(JMP_EVENT_PAYLOAD_ACKNOWLEDGED).count
        #expect(sent > 4096 && told == Int(sent))
    }

    @Test func thatThereIsRoomIsToldAlthoughTheQueueWasFull() {
        let pair = Pair.established(Self.smallQueue)
        var sent: UInt64 = 0
        while pair.client.sendProtected([1], tag: sent, pair.now) == JMP_OK { sent += 1 }
        pair.drain(.client)
        pair.run(3_000_000)
        #expect(pair.client.events(JMP_EVENT_WRITABLE).count == 1)
        #expect(pair.client.events(JMP_EVENT_PAYLOAD_ACKNOWLEDGED).count == Int(sent))
    }

    /// Reports that had no room are read after the session has ended: it has no timer any more that would never fire.
    @Test func aSessionThatEndedWithReportsWaitingKeepsNobodyBusy() {
        let pair = Pair.established(Self.smallQueue)
        pair.drainsEvents = false
        for tag in 0..<300 as Range<UInt64> { expectOK(pair.client.sendProtected([1], tag: tag, pair.now)) }
        pair.drain(.client)
        pair.run(500_000)
        pair.links[0].cut()
        pair.links[1].cut()
        for tag in 300..<400 as Range<UInt64> { expectOK(pair.client.sendProtected([1], timeToLive: 100_000, tag: tag, pair.now)) }
        pair.drain(.client)
        expectOK(jmp_session_close(pair.client.handle, pair.client.session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
        pair.drainsEvents = true
        pair.drain(.client)
        #expect(!pair.client.events(JMP_EVENT_PAYLOAD_ACKNOWLEDGED).isEmpty)
        for _ in 0..<3 {
            pair.skip(1_000_000)
            pair.timeout(.client)
            #expect(pair.client.nextTimeout > pair.now)
        }
    }

    /// A time to live ends when it ends, also while there is no path at all.
    @Test func whatIsTooOldIsReportedWithoutAPath() {
        let pair = Pair.established { $0.links = 1 }
        expectOK(pair.sendProtected(.client, [1], timeToLive: 300_000, tag: 4))
        expectOK(jmp_transport_remove(pair.client.handle, 0, pair.now))
        pair.drain(.client)
        let at = pair.now
        expectOK(pair.sendProtected(.client, [2], timeToLive: 100_000, tag: 5))
        pair.run(500_000)
        let expired = pair.client.events(JMP_EVENT_PAYLOAD_EXPIRED)
        #expect(expired.map(\.payload_tag) == [5, 4])
        #expect(expired.map { $0.time - at } == [100_000, 300_000])
    }
}
