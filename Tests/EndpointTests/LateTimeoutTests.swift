import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping

/// A host that slept with nothing in its sockets learns of it by jmp_handle_timeout alone.
struct LateTimeoutTests {
    /// The whole machine sleeps: what it sent just before is lost, and nothing waits for it.
    private func sleep(_ pair: Pair, _ side: Side, _ duration: UInt64) {
        pair.client.stopSending()
        pair.run(500_000)
        pair.links[0].cut()
        for _ in 0..<4 { expectOK(pair.send(side)) }
        pair.links[0].mend()
        pair.skip(duration)
    }

    @Test(arguments: [Side.client, .gateway])
    func aTimeoutThatComesTooLateForgivesOneSilence(side: Side) {
        let pair = Pair.established(sending: true)
        let at = pair.now
        sleep(pair, side, 2_000_000)
        let late = pair.node(side).totals().late_calls
        pair.timeout(side)
        #expect(pair.node(side).totals().late_calls == late + 1)
        #expect(pair.node(side).events(JMP_EVENT_TRANSPORT_DEAD, since: at).isEmpty)
        #expect(pair.info(side).state == JMP_STATE_ATTACHED)
        pair.run(3_000_000)
        #expect(pair.info(side).state == JMP_STATE_ATTACHED && pair.info(side).active_transport == 0)
        #expect(pair.node(side).events(JMP_EVENT_TRANSPORT_DEAD, since: at).isEmpty)
    }

    /// An answer has just come and the next send is still to come, but what was sent before is on its way: its answers came while the host slept.
    @Test(arguments: [Side.client, .gateway])
    func whatIsOnItsWayMakesASilenceToo(side: Side) {
        let pair = Pair.established()
        pair.run(500_000)
        let node = pair.node(side), at = pair.now
        for _ in 0..<20 {
            pair.run(5000)
            expectOK(pair.send(side))
        }
        func isBetween() -> Bool? {
            node.withCore { session in
                guard let slot = session.activeSlot else { return false }
                return session.paths[slot].unansweredSince == .max && session.sent[session.sent.count - 1].fate == .outstanding
            }
        }
        #expect(pair.run(until: { isBetween() == true }, within: 30_000, step: 1000))
        pair.skip(300_000)
        pair.timeout(side)
        #expect(node.totals().late_calls == 1)
        pair.run(1_000_000)
        #expect(node.events(JMP_EVENT_TRANSPORT_DEAD, since: at).isEmpty)
    }

    /// Forgiven once: a path that is dead indeed is left soon after.
    @Test func aPathThatDiedWhileTheHostSleptIsLeftAfterOneProbe() {
        let pair = Pair.established(sending: true)
        sleep(pair, .client, 2_000_000)
        pair.links[0].cut()
        pair.timeout(.client)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
        pair.run(1_000_000)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED && pair.info(.client).active_transport == 1)
    }

    /// A busy gateway is late for many sessions at once: it asks those alone whose answer it awaits.
    @Test func whoAwaitsNoAnswerAsksForNone() {
        let pair = Pair.established()
        pair.run(1_000_000)
        expectOK(pair.send(.client))
        var acknowledgements = 0, pings = 0
        pair.onSend = { [unowned pair] side, _, bytes in
            guard side == .gateway else { return }
            let frames = pair.client.frames(of: bytes)
            if frames.contains(FrameType.acknowledgement) { acknowledgements += 1 }
            if frames.contains(FrameType.ping) { pings += 1 }
        }
        while pair.gateway.payloads.isEmpty { pair.run(1000) }
        pair.skip(100_000)
        pair.timeout(.gateway)
        pair.run(100_000)
        #expect(acknowledgements > 0 && pings == 0)
        #expect(pair.gateway.totals().late_calls == 0)
    }

    @Test func aTimeoutInTimeIsNotLate() {
        let pair = Pair.established(sending: true)
        #expect(pair.client.totals().late_calls == 0 && pair.gateway.totals().late_calls == 0)
        pair.client.stopSending()
        pair.run(60_000_000)
        #expect(pair.client.totals().late_calls == 0 && pair.gateway.totals().late_calls == 0)
    }

    /// While neither host lets time pass, both stay late, and each datagram finds the other end so.
    @Test(arguments: UInt64(0)..<60)
    func twoLateEndsDoNotProbeEachOtherWithoutEnd(seed: UInt64) {
        let pair = Pair.established()
        pair.run(1_000_000)
        var underWay: [(side: Side, link: Int, bytes: [UInt8])] = [], random = SeededGenerator(seed: seed), sent = 0, moved = 0
        pair.tap = { side, link, bytes in
            underWay.append((side, link, bytes))
            return true
        }
        pair.skip(20_000_000)
        while sent < 100 || !underWay.isEmpty, moved < 3000 {
            pair.skip(1000)
            if sent < 100, underWay.isEmpty || random.next() % 4 == 0 {
                expectOK(pair.send(random.next() % 2 == 0 ? .client : .gateway))
                sent += 1
            } else {
                let next = underWay.removeFirst()
                pair.inject(next.bytes, to: next.side.other, link: next.link)
                moved += 1
            }
        }
        #expect(moved < 200, "\(moved) datagrams for \(sent) payloads")
    }
}
