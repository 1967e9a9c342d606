import CJumping
import JumpingC
import Testing
@testable import Jumping

/// A gateway and the first messages of many clients.
private struct Crowd {
    let pair: Pair
    /// INIT datagrams, each of a handshake of its own.
    let hellos: [[UInt8]]

    init(_ count: Int, _ tune: @escaping (inout jmp_config) -> Void) {
        var options = PairOptions()
        options.links = 1
        options.tuneGateway = tune
        pair = Pair(options)
        var hellos: [[UInt8]] = []
        pair.tap = { _, _, bytes in
            hellos.append(bytes)
            return true
        }
        for _ in 0..<count {
            var config = pair.connectConfig(), session: jmp_session = 0
            config.handshake_timeout_us = 600_000_000
            expectOK(jmp_connect(pair.client.handle, &config, pair.now, &session))
            pair.drain(.client)
        }
        self.hellos = hellos
    }

    /// What the gateway answers to a datagram from source `number`.
    func ask(_ datagram: [UInt8], source number: UInt8 = 1) -> (drop: Int32, answers: [[UInt8]]) {
        var answers: [[UInt8]] = []
        pair.tap = { side, _, bytes in
            if side == .gateway { answers.append(bytes) }
            return true
        }
        let received = pair.inject(datagram, to: .gateway, from: address([10, 9, 9, number, 0, 1]))
        return (Int32(received.drop_cause), answers)
    }

    /// Lets the gateway's time pass, alone.
    func wait(_ duration: UInt64) {
        pair.skip(duration)
        for _ in 0..<100 where pair.gateway.nextTimeout <= pair.now { pair.timeout(.gateway) }
    }
}

struct HandshakeLoadTests {
    @Test func underLoadASourceIsAskedForACookieFirst() throws {
        let crowd = Crowd(4) { $0.cookie_threshold = 2 }
        for i in 0..<2 { #expect(crowd.ask(crowd.hellos[i]).answers.first.map(Kind.isResponse) == true) }
        let (drop, answers) = crowd.ask(crowd.hellos[2])
        #expect(drop == JMP_DROP_COOKIE_REQUIRED)
        let cookie = try #require(answers.first)
        #expect(Kind.isCookie(cookie) && answers.count == 1)
        #expect(cookie.count <= crowd.hellos[2].count)
        #expect(crowd.pair.gateway.totals().half_open == 2, "a cookie costs the gateway nothing to remember")

        var again: [UInt8] = []
        crowd.pair.tap = { side, _, bytes in
            if side == .client { again = bytes }
            return true
        }
        crowd.pair.inject(cookie, to: .client)
        #expect(Kind.isInit(again) && again.count == crowd.hellos[2].count + 17)
        let elsewhere = crowd.ask(again, source: 2)
        #expect(elsewhere.drop == JMP_DROP_COOKIE_INVALID, "it is bound to the address")
        #expect(crowd.ask(again).answers.first.map(Kind.isResponse) == true)
        #expect(crowd.pair.gateway.totals().half_open == 3)
    }

    @Test func aCookieIsGoodForAMinuteOrTwoAndForOneHandshake() throws {
        let crowd = Crowd(4) { $0.cookie_threshold = 0 }
        let cookie = try #require(crowd.ask(crowd.hellos[0]).answers.first)
        func withCookie(_ hello: [UInt8]) -> [UInt8] { Array(hello[0..<15]) + [17] + Array(cookie[9...]) + Array(hello[16...]) }
        #expect(crowd.ask(withCookie(crowd.hellos[1])).drop == JMP_DROP_COOKIE_INVALID, "another handshake")
        crowd.wait(59_000_000)
        #expect(crowd.ask(withCookie(crowd.hellos[0])).drop == JMP_DROP_NONE)
        let second = Crowd(1) { $0.cookie_threshold = 0 }
        let old = try #require(second.ask(second.hellos[0]).answers.first)
        second.wait(121_000_000)
        let late = Array(second.hellos[0][0..<15]) + [17] + Array(old[9...]) + Array(second.hellos[0][16...])
        let (drop, answers) = second.ask(late)
        #expect(drop == JMP_DROP_COOKIE_INVALID)
        #expect(answers.first.map(Kind.isCookie) == true, "a stale cookie gets a fresh one")
    }

    /// Whatever became of the first cookie (forged, old, bound to another path): the next one still lets the client in.
    @Test func aClientTakesALaterCookie() {
        var options = PairOptions()
        options.tuneGateway = { $0.cookie_threshold = 0 }
        let pair = Pair(options)
        var isForged = false
        pair.tap = { [unowned pair] side, link, bytes in
            if side == .client, Kind.isInit(bytes), !isForged {
                isForged = true
                pair.inject([0xC3] + Array(bytes[5..<13]) + [UInt8](repeating: 0, count: 17), to: .client, link: link)
            }
            return false
        }
        expectOK(pair.connect())
        pair.run(8_000_000)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
    }

    @Test func aCookieOfADeadPathDoesNotBarTheOther() {
        var options = PairOptions()
        options.tuneGateway = { $0.cookie_threshold = 0 }
        let pair = Pair(options)
        pair.tap = { [unowned pair] side, link, bytes in
            if side == .gateway, Kind.isCookie(bytes), link == 0 { pair.links[0].isBlackhole[0] = true }
            return false
        }
        expectOK(pair.connect())
        pair.run(8_000_000)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
        #expect(pair.info(.client).active_transport == 1)
    }

    @Test func halfOpenSessionsAreFewAndShortLived() {
        let crowd = Crowd(6) { config in
            config.max_half_open = 3
            config.cookie_threshold = 1000
        }
        for i in 0..<3 { #expect(crowd.ask(crowd.hellos[i]).drop == JMP_DROP_NONE) }
        #expect(crowd.ask(crowd.hellos[3]).drop == JMP_DROP_HALF_OPEN_FULL)
        crowd.wait(4_900_000)
        #expect(crowd.ask(crowd.hellos[4]).drop == JMP_DROP_HALF_OPEN_FULL)
        crowd.wait(200_000)
        let totals = crowd.pair.gateway.totals()
        #expect((totals.half_open, totals.sessions) == (0, 0))
        #expect(crowd.pair.gateway.events.isEmpty, "nobody knew of them")
        #expect(crowd.ask(crowd.hellos[5]).drop == JMP_DROP_NONE)
    }

    @Test func aSourceHasATokenBucket() {
        let crowd = Crowd(12) { config in
            config.source_burst = 5
            config.source_rate = 10
            config.cookie_threshold = 1000
        }
        for i in 0..<5 { #expect(crowd.ask(crowd.hellos[i]).drop == JMP_DROP_NONE) }
        #expect(crowd.ask(crowd.hellos[5]).drop == JMP_DROP_RATE_LIMITED)
        #expect(crowd.ask(crowd.hellos[6]).drop == JMP_DROP_RATE_LIMITED)
        #expect(crowd.pair.gateway.events(JMP_EVENT_RATE_LIMITED).count == 1, "a flood is not a flood of events")
        #expect(crowd.ask(crowd.hellos[7], source: 2).drop == JMP_DROP_NONE, "another source")
        crowd.pair.skip(100_000)
        #expect(crowd.ask(crowd.hellos[8]).drop == JMP_DROP_NONE, "one token later")
        #expect(crowd.ask(crowd.hellos[9]).drop == JMP_DROP_RATE_LIMITED)
    }

    @Test func theSourceIsTheAddressPrefix() {
        let crowd = Crowd(4) { config in
            config.source_burst = 1
            config.source_rate = 1
            config.cookie_threshold = 1000
        }
        let prefix = [UInt8](repeating: 0x20, count: 8)
        let neighbours = (0..<2).map { address(prefix + [UInt8](repeating: UInt8($0), count: 10), prefixLength: 8) }
        crowd.pair.tap = { _, _, _ in true }
        #expect(crowd.pair.inject(crowd.hellos[0], to: .gateway, from: neighbours[0]).drop_cause == JMP_DROP_NONE)
        #expect(crowd.pair.inject(crowd.hellos[1], to: .gateway, from: neighbours[1]).drop_cause == JMP_DROP_RATE_LIMITED)
    }

    @Test func sessionsHaveALimitOnBothEnds() {
        let crowd = Crowd(3) { config in
            config.max_sessions = 2
            config.cookie_threshold = 1000
        }
        for i in 0..<2 { #expect(crowd.ask(crowd.hellos[i]).drop == JMP_DROP_NONE) }
        #expect(crowd.ask(crowd.hellos[2]).drop == JMP_DROP_SESSION_LIMIT)

        var options = PairOptions()
        options.tuneClient = { $0.max_sessions = 1 }
        let pair = Pair.established(options)
        var config = pair.connectConfig(), second: jmp_session = 0
        #expect(jmp_connect(pair.client.handle, &config, pair.now, &second) == JMP_ERR_SESSION_LIMIT)
        #expect(second == 0)
        expectOK(jmp_session_close(pair.client.handle, pair.client.session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
        expectOK(jmp_connect(pair.client.handle, &config, pair.now, &second))
        #expect(second != 0 && second != pair.client.session, "a TERMINATED session gives way")
    }

    /// The host takes a transport away between message 1 and the client's first datagram.
    @Test func aHalfOpenSessionWithoutItsTransportComesToNothing() {
        let pair = Pair()
        expectOK(pair.connect())
        pair.run(25_000)
        #expect(pair.gateway.totals().half_open == 1)
        expectOK(jmp_transport_remove(pair.gateway.handle, 0, pair.now))
        while let (datagram, _) = pair.gateway.poll(pair.now) { #expect(datagram.to.length > 0, "a datagram to nowhere") }
        pair.tap = { side, link, _ in link == 0 }
        pair.run(10_000_000)
        for path in pair.gateway.session == 0 ? [] : pair.gateway.paths() { #expect(path.address.length > 0) }
        #expect(pair.gateway.totals().half_open == 0)
    }
}
