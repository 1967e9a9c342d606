import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping

/// What a gateway answers to an INIT that is not the client's own, and to one that is cut.
struct FirstMessageTests {
    /// A gateway that has answered an INIT, the INIT, and everything it sends afterwards.
    private func answered() throws -> (Pair, [UInt8], () -> Int) {
        let pair = Pair()
        var hello: [UInt8] = [], answers = 0
        pair.tap = { side, _, bytes in
            if Kind.isInit(bytes) { hello = bytes }
            if side == .gateway { answers += 1 }
            return true
        }
        expectOK(pair.connect())
        try #require(!hello.isEmpty)
        #expect(pair.inject(hello, to: .gateway).drop_cause == JMP_DROP_NONE)
        #expect(answers == 1)
        return (pair, hello, { answers - 1 })
    }

    /// The handshake id lies in clear: it alone is no claim to the answer.
    @Test func theSameHandshakeIDWithAnythingElseIsNotAnswered() throws {
        let (pair, hello, further) = try answered()
        for position in [20, hello.count / 2, hello.count - 1] {
            var other = hello
            other[position] ^= 1
            #expect(pair.inject(other, to: .gateway).drop_cause != JMP_DROP_NONE, "byte \(position)")
        }
        #expect(further() == 0)
        #expect(pair.gateway.totals().half_open == 1)
    }

    @Test func aCopyFromAnotherAddressOrTransportIsNotAnswered() throws {
        let (pair, hello, further) = try answered()
        #expect(pair.inject(hello, to: .gateway, from: address([6, 6, 6, 6, 0, 1])).drop_cause == JMP_DROP_HANDSHAKE_REJECTED)
        #expect(pair.inject(hello, to: .gateway, link: 1, from: pair.clientAddress(0)).drop_cause == JMP_DROP_HANDSHAKE_REJECTED)
        #expect(further() == 0)
    }

    /// One that is shorter or longer than a hello makes it gets no answer at all, so that none is ever longer than what came.
    @Test(arguments: [-100, -16, -1, 1, 16])
    func aFirstMessageOfAnotherLengthIsMalformed(difference: Int) throws {
        let pair = Pair()
        var hello: [UInt8] = [], answers = 0
        pair.tap = { side, _, bytes in
            if Kind.isInit(bytes) { hello = bytes }
            if side == .gateway { answers += 1 }
            return true
        }
        expectOK(pair.connect())
        let other = difference < 0 ? Array(hello.dropLast(-difference)) : hello + [UInt8](repeating: 0, count: difference)
        #expect(pair.inject(other, to: .gateway).drop_cause == JMP_DROP_MALFORMED)
        #expect(answers == 0 && pair.gateway.totals().sessions == 0)
    }

    /// A flood of INITs that do not authenticate is counted, and told once a second.
    @Test func failedHandshakesAreToldOnceASecond() throws {
        let pair = Pair()
        var hello: [UInt8] = []
        pair.tap = { _, _, bytes in
            if Kind.isInit(bytes) { hello = bytes }
            return true
        }
        expectOK(pair.connect())
        for second in 1...2 {
            for number: UInt8 in 0..<5 {
                var forged = hello
                forged[6] = number    // the handshake id is part of the prologue
                forged[7] = UInt8(second)
                #expect(pair.inject(forged, to: .gateway).drop_cause == JMP_DROP_HANDSHAKE_REJECTED)
            }
            #expect(pair.gateway.events(JMP_EVENT_SECURITY_VALIDATION_FAILED).count == second)
            pair.skip(1_000_000)
        }
        #expect(pair.gateway.dropped(JMP_DROP_HANDSHAKE_REJECTED) == 10 && pair.gateway.totals().sessions == 0)
    }
}
