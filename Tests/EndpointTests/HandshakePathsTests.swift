import CJumping
import JumpingC
import Testing
@testable import Jumping

/// A client that does not know which of its paths leads to the gateway: every path it tries has a handshake of its own, and both
/// ends tell the same of the one that worked.
struct HandshakePathsTests {
    /// INITs the client sent, by link, in their order.
    private final class Inits {
        var byLink: [Int: [[UInt8]]] = [:]

        func on(_ link: Int) -> [[UInt8]] { byLink[link] ?? [] }

        /// Bytes 5 to 12 of each.
        func handshakeIDs(_ link: Int) -> Set<[UInt8]> { Set(on(link).map { Array($0[5..<13]) }) }
    }

    private func record(_ pair: Pair) -> Inits {
        let inits = Inits()
        pair.onSend = { side, datagram, bytes in
            if side == .client, Kind.isInit(bytes) { inits.byLink[Int(datagram.transport), default: []].append(bytes) }
        }
        return inits
    }

    /// Link i has class i, as on a host with several kinds of transport.
    private func setClass(_ pair: Pair, link: Int, _ value: UInt32) {
        for node in [pair.client, pair.gateway] {
            var transport = jmp_transport_config()
            expectOK(jmp_transport_config_init(&transport))
            setText(&transport.name, "udp:" + String(UnicodeScalar(UInt8(65 + link))))
            transport.transport_class = value
            expectOK(jmp_transport_set(node.handle, UInt32(link), &transport, pair.now))
        }
    }

    private func pair(_ tune: (inout PairOptions) -> Void = { _ in }) -> Pair {
        var options = PairOptions()
        tune(&options)
        let pair = Pair(options)
        for link in 0..<options.links { setClass(pair, link: link, UInt32(link)) }
        return pair
    }

    /// One session, bound to this link, named and classed alike at both ends; nothing is left of other handshakes.
    private func expectAgreement(_ pair: Pair, on link: Int) {
        for node in [pair.client, pair.gateway] {
            #expect(node.info().state == JMP_STATE_ATTACHED)
            #expect(node.info().active_transport == UInt32(link))
            let attached = node.events(JMP_EVENT_TRANSPORT_ATTACHED), established = node.events(JMP_EVENT_SESSION_ESTABLISHED)
            #expect(attached.count == 1 && established.count == 1)
            let name = "udp:" + String(UnicodeScalar(UInt8(65 + link)))
            #expect(attached.first.map { textOf($0.from_transport) } == name)
            #expect(established.first.map { textOf($0.from_transport) } == name)
            #expect(node.path(on: link).map { textOf($0.name) } == name)
            #expect(node.path(on: link)?.transport_class == UInt32(link))
            #expect(node.totals().sessions == 1)
            let (count, initiation) = (node.endpoint.pointee.env.handshakes.count, node.endpoint.pointee.sessions[0].initiation)
            #expect(count == 0 && initiation == nil, "other handshakes are wiped and nobody answers for them")
        }
        #expect(pair.gateway.totals().half_open == 0)
        #expect(bytes(pair.client.info().session_id) == bytes(pair.gateway.info().session_id))
    }

    // MARK: which path it becomes

    @Test(arguments: [JMP_PATTERN_NNPSK0, JMP_PATTERN_IKPSK2])
    func aDarkFirstLinkLeavesNoNameBehind(pattern: Int32) {
        let pair = pair { $0.pattern = pattern }
        expectOK(jmp_endpoint_add_client_key(pair.gateway.handle, pair.client.publicKey, nil))
        let inits = record(pair)
        pair.links[0].cut()
        expectOK(pair.connect())
        pair.run(1_000_000)
        expectAgreement(pair, on: 1)
        #expect(pair.client.path(on: 1).map { $0.srtt_us > 0 } == true, "one INIT there, one RESP: a round trip")
        #expect(inits.on(0).count == 1 && inits.on(1).count == 1)
    }

    @Test func aPathRepeatsItsOwnInitAndNoOther() {
        let pair = pair { $0.links = 3 }
        let inits = record(pair)
        for link in 0..<3 { pair.links[link].cut() }
        expectOK(pair.connect { $0.handshake_timeout_us = 60_000_000 })
        pair.run(30_000_000)
        for link in 0..<3 {
            #expect(inits.on(link).count >= 3)
            #expect(Set(inits.on(link)).count == 1, "byte for byte")
        }
        let all = (0..<3).map { inits.on($0)[0] }
        for (a, b) in [(0, 1), (1, 2), (0, 2)] {
            #expect(all[a][5..<13] != all[b][5..<13], "its own handshake id")
            #expect(all[a][16..<48] != all[b][16..<48], "its own ephemeral key")
            #expect(all[a][48...] != all[b][48...])
        }
        let count = pair.client.endpoint.pointee.env.handshakes.count
        #expect(count == 3)
    }

    /// The gateway hears the first INIT and answers into the void.
    @Test func aHalfOpenSessionNobodyHearsOfDoesNotBarTheOtherPath() {
        let pair = pair()
        pair.links[0].isBlackhole[Side.gateway.rawValue] = true
        expectOK(pair.connect())
        pair.run(280_000)
        #expect(pair.gateway.totals().half_open == 2, "both wait for the client's word")
        pair.run(100_000)
        expectAgreement(pair, on: 1)
        #expect(pair.gateway.events(JMP_EVENT_SESSION_CREATED).count == 1)
        pair.run(10_000_000)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED && pair.gateway.totals().sessions == 1)
    }

    /// A round trip longer than the first repetition: answers to both INITs are on their way.
    @Test func theFirstAnswerWinsAndTheOtherIsUnexpected() {
        let pair = pair()
        for link in 0..<2 { pair.links[link].delay = [400_000, 400_000] }
        expectOK(pair.connect())
        pair.run(1_300_000)
        expectAgreement(pair, on: 0)
        #expect(pair.client.dropped(JMP_DROP_UNEXPECTED) == 1, "the second path's RESP")
        #expect(pair.gateway.events(JMP_EVENT_SESSION_CREATED).count == 1)
    }

    /// The second path is faster than the first.
    @Test func theSecondPathMayWinTheRace() {
        let pair = pair()
        pair.links[0].delay = [400_000, 400_000]
        expectOK(pair.connect())
        pair.run(1_300_000)
        expectAgreement(pair, on: 1)
        expectOK(pair.send(.client, [7]))
        pair.run(100_000)
        #expect(pair.gateway.payloads.map(\.bytes) == [[7]])
    }

    // MARK: policy

    @Test func theGatewayJudgesTheClassOfThePathThatIsUsed() throws {
        let pair = pair { $0.tuneGatewayPolicy = { $0.allowed_classes = 0b01 } }
        pair.links[0].cut()
        expectOK(pair.connect())
        pair.run(11_000_000)
        let end = try #require(pair.client.events(JMP_EVENT_SESSION_TERMINATED).first)
        #expect(end.reason == JMP_REASON_HANDSHAKE_FAILED)
        #expect(pair.gateway.dropped(JMP_DROP_SUITE) > 0, "no class in common")
        #expect(pair.gateway.events.isEmpty && pair.gateway.totals().sessions == 0)
    }

    @Test func aClientInBirthDoesNotTryAClassItsPolicyForbids() {
        let pair = pair { $0.tuneClientPolicy = { $0.allowed_classes = 0b011 } }
        let inits = record(pair)
        pair.links[0].cut()
        expectOK(pair.connect())
        setClass(pair, link: 1, 5)
        pair.run(5_000_000)
        #expect(inits.on(0).count >= 3 && inits.on(1).isEmpty)
        setClass(pair, link: 1, 1)
        pair.run(5_000_000)
        expectAgreement(pair, on: 1)
    }

    /// The host learns what its link really is while the client tries it.
    @Test func anotherClassMakesAnotherInit() {
        let pair = pair()
        let inits = record(pair)
        setClass(pair, link: 0, 4)
        pair.links[0].cut()
        pair.links[1].cut()
        expectOK(pair.connect())
        pair.run(1_000_000)
        setClass(pair, link: 0, 0)
        pair.links[0].mend()
        pair.run(5_000_000)
        expectAgreement(pair, on: 0)
        #expect(inits.handshakeIDs(0).count == 2 && inits.handshakeIDs(1).count == 1)
    }

    // MARK: cookies

    @Test func aCookieBelongsToThePathItWasGivenOn() {
        let pair = pair { $0.tuneGateway = { $0.cookie_threshold = 0 } }
        let inits = record(pair)
        pair.links[0].isBlackhole[Side.client.rawValue] = true
        expectOK(pair.connect())
        pair.run(1_500_000)
        expectAgreement(pair, on: 1)
        #expect(inits.on(0).allSatisfy { $0[15] == 0 })
        #expect(inits.on(1).map { $0[15] } == [0, 17])
        #expect(inits.handshakeIDs(1).count == 1, "the same INIT but for the cookie")
    }

    @Test func aCookieOrResponseOnAnotherPathChangesNothing() {
        let pair = pair()
        var misled = 0
        pair.tap = { [unowned pair] side, link, bytes in
            guard side == .gateway, link == 0, Kind.isResponse(bytes) else { return false }
            misled += 1
            pair.inject([0xC3] + Array(bytes[1..<9]) + [UInt8](repeating: 1, count: 17), to: .client, link: 1)
            pair.inject(bytes, to: .client, link: 1)
            return true
        }
        expectOK(pair.connect())
        pair.run(200_000)
        #expect(misled == 1 && pair.client.dropped(JMP_DROP_UNEXPECTED) == 2)
        #expect(pair.info(.client).state == JMP_STATE_BIRTH)
        pair.run(500_000)
        expectAgreement(pair, on: 1)
    }

    // MARK: attackers

    /// The first INIT is taken from the wire and handed in from elsewhere: its handshake id is busy, the session's others are not.
    @Test func anInitCopiedFromElsewhereDoesNotBarTheOtherPath() {
        let pair = pair()
        pair.tap = { [unowned pair] side, link, bytes in
            guard side == .client, link == 0, Kind.isInit(bytes) else { return false }
            pair.inject(bytes, to: .gateway, from: address([6, 6, 6, 6, 0, 1]))
            return true
        }
        expectOK(pair.connect())
        pair.run(400_000)
        expectAgreement(pair, on: 1)
    }

    /// Recorded INITs of the same session come again just before the client's first datagram.
    @Test func aReplayedInitEndsNoHalfOpenSession() {
        let pair = pair()
        let inits = record(pair)
        pair.links[0].cut()
        var isReplayed = false
        pair.tap = { [unowned pair] side, link, bytes in
            guard side == .client, Kind.isData(bytes), !isReplayed else { return false }
            isReplayed = true
            pair.inject(inits.on(0)[0], to: .gateway, link: 0)
            pair.inject(inits.on(0)[0], to: .gateway, from: address([6, 6, 6, 6, 0, 1]))
            pair.inject(inits.on(1)[0], to: .gateway, link: 1)
            return false
        }
        expectOK(pair.connect())
        pair.run(1_000_000)
        #expect(isReplayed)
        expectAgreement(pair, on: 1)
        let version = pair.info(.gateway).state_version
        for link in 0..<2 {
            #expect(pair.inject(inits.on(link)[0], to: .gateway, link: link).drop_cause == JMP_DROP_DUPLICATE_HANDSHAKE, "it is confirmed now")
        }
        #expect(pair.info(.gateway).state_version == version && pair.gateway.totals().half_open == 0)
    }

    @Test func oneSessionIDHasFewHalfOpenSessions() throws {
        let pair = pair()
        let inits = record(pair)
        pair.links[0].cut()
        pair.links[1].cut()
        expectOK(pair.connect { $0.handshake_timeout_us = 600_000_000 })
        pair.run(300_000)
        // Each time the path is offered anew it has another handshake: more than an honest client has paths.
        while inits.handshakeIDs(1).count < 8 {
            let path = pair.client.path(on: 1)?.path ?? 0
            expectOK(jmp_path_remove(pair.client.handle, pair.client.session, path, pair.now))
            pair.addPath(1)
            pair.run(4_000_000)
            try #require(pair.now < 120_000_000, "the client does not try its new path")
        }
        var seen: Set<[UInt8]> = []
        let hellos = (inits.on(0) + inits.on(1)).filter { seen.insert($0).inserted }
        #expect(hellos.count == 9)
        let drops = hellos.map { Int32(pair.inject($0, to: .gateway).drop_cause) }
        #expect(drops == [Int32](repeating: JMP_DROP_NONE, count: 8) + [JMP_DROP_DUPLICATE_HANDSHAKE])
        #expect(pair.gateway.totals().half_open == 8)
        pair.run(5_100_000)
        #expect(pair.gateway.totals().half_open == 0)
    }

    // MARK: paths come and go in BIRTH

    @Test func aWithdrawnPathTakesItsHandshakeAlong() throws {
        let pair = pair()
        let inits = record(pair)
        var response: [UInt8] = []
        pair.tap = { side, link, bytes in
            guard side == .gateway, Kind.isResponse(bytes), response.isEmpty else { return false }
            response = bytes
            return true
        }
        pair.links[1].cut()
        expectOK(pair.connect())
        pair.run(100_000)
        #expect(!response.isEmpty)
        let path = try #require(pair.client.path(on: 0)).path
        expectOK(jmp_path_remove(pair.client.handle, pair.client.session, path, pair.now))
        var count = pair.client.endpoint.pointee.env.handshakes.count
        #expect(count == 0)
        pair.addPath(0)
        #expect(pair.inject(response, to: .client, link: 0).drop_cause == JMP_DROP_UNEXPECTED, "to an INIT that is forgotten")
        pair.run(2_000_000)
        expectAgreement(pair, on: 0)
        #expect(inits.handshakeIDs(0).count == 2)
        count = pair.gateway.endpoint.pointee.env.handshakes.count
        #expect(count == 0)
    }

    @Test func aPathThatComesLateIsTriedAtOnce() throws {
        let pair = pair { $0.offered = 1 }
        let inits = record(pair)
        pair.links[0].cut()
        expectOK(pair.connect())
        let path = try #require(pair.client.path(on: 0)).path
        expectOK(jmp_path_remove(pair.client.handle, pair.client.session, path, pair.now))
        pair.run(3_000_000)
        #expect(inits.on(0).count == 1 && pair.info(.client).state == JMP_STATE_BIRTH)
        pair.addPath(1)
        #expect(inits.on(1).count == 1)
        pair.run(100_000)
        expectAgreement(pair, on: 1)
    }

    // MARK: a host that decides

    @Test func aHostIsAskedOncePerPathAndHasOneSession() throws {
        let pair = pair { $0.tuneGateway = { $0.flags = JMP_CONFIG_ACCEPT | JMP_CONFIG_ASK } }
        pair.links[0].isBlackhole[Side.gateway.rawValue] = true
        expectOK(pair.connect())
        pair.run(300_000)
        let requests = pair.gateway.events(JMP_EVENT_ACCEPT_REQUESTED)
        try #require(requests.count == 2)
        for request in requests { expectOK(jmp_accept(pair.gateway.handle, request.session, Pair.psk, pair.now)) }
        pair.gateway.session = 0
        pair.drain(.gateway)
        pair.run(1_000_000)
        pair.gateway.session = requests[1].session
        expectAgreement(pair, on: 1)
        #expect(jmp_refuse(pair.gateway.handle, requests[0].session, pair.now) == JMP_ERR_SESSION, "the other one is gone")
    }

    @Test func acceptingAfterTheSessionIsThereIsAnError() throws {
        let pair = pair { $0.tuneGateway = { $0.flags = JMP_CONFIG_ACCEPT | JMP_CONFIG_ASK } }
        pair.links[0].isBlackhole[Side.gateway.rawValue] = true
        expectOK(pair.connect())
        pair.run(300_000)
        let requests = pair.gateway.events(JMP_EVENT_ACCEPT_REQUESTED)
        try #require(requests.count == 2)
        expectOK(jmp_accept(pair.gateway.handle, requests[1].session, Pair.psk, pair.now))
        pair.drain(.gateway)
        pair.run(1_000_000)
        #expect(jmp_accept(pair.gateway.handle, requests[0].session, Pair.psk, pair.now) == JMP_ERR_EXISTS)
        pair.gateway.session = requests[1].session
        expectAgreement(pair, on: 1)
    }
}
