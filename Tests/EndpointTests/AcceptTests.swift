import CJumping
import JumpingC
import Testing
@testable import Jumping

/// A gateway whose host answers for every new session.
struct AcceptTests {
    private func asked(_ pattern: Int32 = JMP_PATTERN_NNPSK0, waiting: UInt32 = 64, _ tune: @escaping (inout jmp_connect_config) -> Void = { _ in }) -> Pair {
        var options = PairOptions()
        options.pattern = pattern
        options.links = 1
        options.tuneGateway = { config in
            config.flags = JMP_CONFIG_ACCEPT | JMP_CONFIG_ASK
            config.max_waiting = waiting
        }
        let pair = Pair(options)
        expectOK(pair.connect(tune))
        pair.run(25_000)
        return pair
    }

    private func request(_ pair: Pair) throws -> jmp_event {
        try #require(pair.gateway.events(JMP_EVENT_ACCEPT_REQUESTED).first)
    }

    @Test func theHostIsAskedWithTheHintAndAcceptsWithTheKey() throws {
        let pair = asked { config in
            setBytes(&config.hint, Array("alice".utf8))
            config.hint_length = 5
        }
        let event = try request(pair)
        #expect(event.pattern == JMP_PATTERN_NNPSK0 && event.hint_length == 5)
        #expect(Array(bytes(event.hint)[0..<5]) == Array("alice".utf8))
        #expect(isSame(event.from_address, pair.clientAddress(0)))
        #expect(pair.gateway.totals().waiting == 1 && pair.gateway.totals().half_open == 0)
        #expect(jmp_accept(pair.gateway.handle, event.session, nil, pair.now) == JMP_ERR_KEY, "NNpsk0 needs its key")
        expectOK(jmp_accept(pair.gateway.handle, event.session, Pair.psk, pair.now))
        #expect(jmp_accept(pair.gateway.handle, event.session, Pair.psk, pair.now) == JMP_ERR_STATE)
        #expect(pair.gateway.totals().waiting == 0 && pair.gateway.totals().half_open == 1)
        pair.drain(.gateway)
        pair.run(1_000_000)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
        #expect(pair.gateway.ladder(since: 0) == ["ATTACHED handshake_ok"])
    }

    @Test func theHostSeesTheClientsKeyAndMayAcceptWithoutAPSK() throws {
        let pair = asked(JMP_PATTERN_IKPSK2)
        let event = try request(pair)
        #expect(event.pattern == JMP_PATTERN_IKPSK2)
        #expect(bytes(event.peer_key) == pair.client.publicKey)
        expectOK(jmp_accept(pair.gateway.handle, event.session, nil, pair.now))
        pair.drain(.gateway)
        pair.run(1_000_000)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
    }

    @Test func aRepeatedInitAsksOnlyOnce() throws {
        let pair = asked()
        pair.run(2_000_000)
        #expect(pair.gateway.events(JMP_EVENT_ACCEPT_REQUESTED).count == 1)
        #expect(pair.gateway.totals().sessions == 1)
    }

    @Test func refusingForgetsWithoutAnAnswer() throws {
        let pair = asked()
        var answers = 0
        pair.tap = { side, _, _ in
            if side == .gateway { answers += 1 }
            return false
        }
        let event = try request(pair)
        expectOK(jmp_refuse(pair.gateway.handle, event.session, pair.now))
        #expect(jmp_refuse(pair.gateway.handle, event.session, pair.now) == JMP_ERR_SESSION)
        pair.drain(.gateway)
        #expect(answers == 0)
        #expect(pair.gateway.totals().sessions == 0 && pair.gateway.totals().waiting == 0)
    }

    @Test func acceptingWithAWrongKeyIsAnErrorAndChangesNothing() throws {
        let pair = asked()
        let event = try request(pair)
        #expect(jmp_accept(pair.gateway.handle, event.session, [UInt8](repeating: 1, count: 32), pair.now) == JMP_ERR_KEY)
        #expect(pair.gateway.totals().half_open == 0 && pair.gateway.totals().waiting == 1, "it still waits")
        expectOK(jmp_accept(pair.gateway.handle, event.session, Pair.psk, pair.now))
        #expect(pair.gateway.totals().half_open == 1 && pair.gateway.totals().waiting == 0)
    }

    @Test func aRequestNobodyAnswersExpires() throws {
        let pair = asked()
        let event = try request(pair)
        pair.links[0].cut()
        pair.run(6_000_000)
        #expect(jmp_accept(pair.gateway.handle, event.session, Pair.psk, pair.now) == JMP_ERR_SESSION)
        #expect(pair.gateway.totals().waiting == 0 && pair.gateway.totals().sessions == 0)
    }

    @Test func thoseWaitingHaveTheirOwnPool() {
        let pair = asked(waiting: 1)
        var config = pair.connectConfig(), second: jmp_session = 0
        expectOK(jmp_connect(pair.client.handle, &config, pair.now, &second))
        pair.drain(.client)
        pair.run(25_000)
        #expect(pair.gateway.dropped(JMP_DROP_HALF_OPEN_FULL) == 1)
        #expect(pair.gateway.totals().waiting == 1)
    }
}
