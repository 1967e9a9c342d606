import CJumping
import JumpingC
import Testing
@testable import Jumping

/// A host whose own queues are full lets the library keep a session's protected payloads; the peer waits, other sessions do not.
struct HeldPayloadsTests {
    private func hold(_ pair: Pair, _ hold: UInt32) {
        expectOK(jmp_session_hold_payloads(pair.gateway.handle, pair.gateway.session, hold, pair.now))
        pair.drain(.gateway)
    }

    @Test(arguments: [0, 1] as [UInt32])
    func theyWaitAndTheirSenderWaits(channel: UInt32) {
        let pair = Pair.established { $0.tuneGateway = { $0.receive_buffer = 1 << 16 } }
        hold(pair, 1)
        for i in 0..<500 as Range<UInt64> { expectOK(pair.sendProtected(.client, ProtectedDeliveryTests.payload(i, 1000), channel: channel)) }
        pair.run(3_000_000)
        #expect(pair.gateway.protected.isEmpty, "neither from its datagram nor by polling")
        #expect(pair.info(.gateway).receive_buffered <= 65_536 + 1064)
        #expect(pair.info(.client).protected_count > 300)
        hold(pair, 0)
        #expect(pair.run(until: { pair.gateway.protected.count == 500 }, within: 20_000_000, step: 50_000))
        let numbers = pair.gateway.protected.map(ProtectedDeliveryTests.number)
        #expect((channel == 0 ? numbers.sorted() : numbers) == (0..<500).map(UInt64.init))
    }

    @Test func whatWaitedAlreadyIsHeldToo() {
        let pair = Pair.established()
        pair.gateway.isReadingPaused = true
        expectOK(pair.sendProtected(.client, ProtectedDeliveryTests.payload(0, 5000)))
        pair.run(100_000)
        hold(pair, 1)
        pair.gateway.isReadingPaused = false
        pair.drain(.gateway)
        #expect(pair.gateway.protected.isEmpty)
        hold(pair, 0)
        #expect(pair.gateway.protected.map(\.bytes) == [ProtectedDeliveryTests.payload(0, 5000)])
        hold(pair, 0)
        #expect(pair.gateway.protected.count == 1)
    }

    /// What is held is not handed out from its datagram: where there is no memory for it, it must come again.
    @Test func nothingIsLostWhenMemoryEnds() {
        let pair = Pair.established { $0.leaveLittleMemory(receiveBuffer: 1 << 23, sendBuffer: 1 << 22) }
        hold(pair, 1)
        for i in 0..<15 as Range<UInt64> { expectOK(pair.sendProtected(.client, ProtectedDeliveryTests.payload(i, 100_000), channel: 1)) }
        pair.run(3_000_000)
        // Each comes alone, whole and in its turn.
        for i in 15..<115 as Range<UInt64> {
            expectOK(pair.sendProtected(.client, ProtectedDeliveryTests.payload(i, 500), channel: i < 102 ? 0 : UInt32(i - 100)))
            pair.run(50_000)
        }
        #expect(pair.gateway.dropped(JMP_DROP_NO_MEMORY) > 0 && pair.gateway.dropped(JMP_DROP_MALFORMED) == 0)
        hold(pair, 0)
        #expect(pair.run(until: { pair.gateway.protected.count == 115 }, within: 60_000_000, step: 50_000))
        #expect(pair.gateway.protected.map(ProtectedDeliveryTests.number).sorted() == (0..<115).map(UInt64.init))
    }

    @Test func expendablePayloadsPass() {
        let pair = Pair.established()
        hold(pair, 1)
        pair.send(.client, [7])
        pair.run(100_000)
        #expect(pair.gateway.payloads.map(\.bytes) == [[7]])
    }

    @Test func whatIsHeldWhenTheSessionEndsCanStillBeHad() {
        let pair = Pair.established()
        hold(pair, 1)
        expectOK(pair.sendProtected(.client, [1, 2, 3]))
        pair.run(100_000)
        expectOK(jmp_session_close(pair.client.handle, pair.client.session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
        pair.drain(.client)
        pair.run(100_000)
        #expect(pair.info(.gateway).state == JMP_STATE_TERMINATED && pair.gateway.protected.isEmpty)
        hold(pair, 0)
        #expect(pair.gateway.protected.map(\.bytes) == [[1, 2, 3]])
    }

    @Test func wrongCallsChangeNothing() {
        let pair = Pair.established()
        #expect(jmp_session_hold_payloads(pair.gateway.handle, pair.gateway.session, 2, pair.now) == JMP_ERR_ARGUMENT)
        #expect(jmp_session_hold_payloads(pair.gateway.handle, 99, 1, pair.now) == JMP_ERR_SESSION)
        #expect(jmp_session_hold_payloads(nil, pair.gateway.session, 1, pair.now) == JMP_ERR_NULL)
        expectOK(pair.sendProtected(.client, [1]))
        pair.run(100_000)
        #expect(pair.gateway.protected.count == 1)
    }
}
