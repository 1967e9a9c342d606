import CJumping
import JumpingC
import Testing
@testable import Jumping

/// TERMINATED sessions linger for 30 s, and few of them: however many there have been, the next one lingers like the first.
struct LingeringTests {
    /// More sessions than linger at the same time, one after the other, each gone before the next one comes.
    private static let past = 1030

    private func isKnown(_ node: Node, _ session: jmp_session) -> Bool {
        var info = jmp_session_info()
        info.struct_size = UInt32(MemoryLayout<jmp_session_info>.size)
        let status = jmp_session_get_info(node.handle, session, &info)
        #expect(status == JMP_OK || status == JMP_ERR_SESSION)
        #expect(status != JMP_OK || info.state == JMP_STATE_TERMINATED)
        return status == JMP_OK
    }

    /// A session of the client that nobody answers, without the world going on.
    private func begin(_ pair: Pair) -> jmp_session {
        var config = pair.connectConfig(), session: jmp_session = 0
        expectOK(jmp_connect(pair.client.handle, &config, pair.now, &session))
        pair.drain(.client)
        return session
    }

    private func end(_ pair: Pair, _ session: jmp_session) {
        expectOK(jmp_session_close(pair.client.handle, session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
        pair.drain(.client)
    }

    private func pass(_ pair: Pair, _ duration: UInt64) {
        pair.skip(duration)
        pair.timeout(.client)
    }

    private func live(_ pair: Pair, sessions: Int) {
        pair.tap = { _, _, _ in true }
        for _ in 0..<sessions {
            end(pair, begin(pair))
            pass(pair, 100_000)
            pass(pair, 31_000_000)
        }
        pair.tap = nil
    }

    @Test func theThousandthSessionLingersLikeTheFirst() {
        let pair = Pair()
        live(pair, sessions: Self.past)
        #expect(pair.client.endpoint.pointee.env.closing.count == 0, "what is gone is not remembered")
        let session = begin(pair)
        end(pair, session)
        for _ in 0..<29 {
            pass(pair, 1_000_000)
            #expect(isKnown(pair.client, session))
        }
        pass(pair, 1_100_000)
        #expect(!isKnown(pair.client, session))
    }

    @Test func aSessionThatEndsByItselfStillTellsItsPeer() {
        var options = PairOptions()
        options.links = 1
        options.tuneGatewayPolicy = { $0.max_lifetime_us = 5_000_000 }
        var closes = 0
        let pair = Pair.established(options, prepare: { live($0, sessions: Self.past) })
        pair.onSend = { side, datagram, bytes in
            if side == .client, Kind.isData(bytes), datagram.packet_number == UInt64.max { closes += 1 }
        }
        pair.run(6_000_000)
        #expect(pair.info(.client).state == JMP_STATE_TERMINATED)
        #expect(closes == 1)
    }

    /// The oldest of those there are, not one that only has the slot of a session long gone.
    @Test func atTheSessionLimitTheOldestGivesWay() {
        var options = PairOptions()
        options.tuneClient = { $0.max_sessions = 3 }
        let pair = Pair(options)
        pair.tap = { _, _, _ in true }
        live(pair, sessions: 1)   // its slot is used again by the first of the following
        pair.tap = { _, _, _ in true }
        let sessions = (0..<3).map { _ in begin(pair) }
        end(pair, sessions[1])
        end(pair, sessions[0])
        let next = begin(pair)
        #expect(next != 0)
        #expect(!isKnown(pair.client, sessions[1]) && isKnown(pair.client, sessions[0]))
    }
}
