import CJumping
import JumpingC
import Testing
@testable import Jumping

/// What a host says of a transport acts at once, whatever the number of sessions, and reaches those that are not used a few in each call.
struct TransportSweepTests {
    /// Sessions that a call brings up to date at most, and those that jmp_handle_timeout does besides timers.
    private static let atOnce = 128, atATime = 32

    /// Many sessions of one client at one gateway, each with the paths its transports give, links without delay.
    private final class Crowd {
        let pair: Pair
        private(set) var clients: [jmp_session] = []

        init(_ count: Int, links: Int = 2, offered: Int? = nil) {
            var options = PairOptions()
            options.links = links
            options.offered = offered
            options.tuneGateway = { $0.source_rate = 1_000_000; $0.source_burst = 1_000_000; $0.cookie_threshold = 256 }
            pair = Pair(options)
            for link in pair.links.indices { pair.links[link].delay = [0, 0] }
            for _ in 0..<count { add() }
            pair.run(200_000)
            for session in clients { #expect(info(session).state == JMP_STATE_ATTACHED) }
        }

        @discardableResult
        func add() -> jmp_session {
            expectOK(pair.connect())
            clients.append(pair.client.session)
            pair.run(1000)
            return pair.client.session
        }

        var endpoint: UnsafeMutablePointer<Endpoint> { pair.client.endpoint }
        var isSweeping: Bool { endpoint.pointee.env.transports.unsettled != 0 }

        func info(_ session: jmp_session) -> jmp_session_info {
            var info = jmp_session_info()
            info.struct_size = UInt32(MemoryLayout<jmp_session_info>.size)
            expectOK(jmp_session_get_info(pair.client.handle, session, &info))
            return info
        }

        func hint(_ transport: UInt32, isUp: Bool) {
            expectOK(jmp_transport_hint(pair.client.handle, transport, isUp ? 1 : 0, pair.now))
            pair.drain(.client)
        }

        func remove(_ transport: UInt32) {
            expectOK(jmp_transport_remove(pair.client.handle, transport, pair.now))
            pair.drain(.client)
        }

        /// Slots of the sessions whose active path was declared dead, in the order of the events.
        func deaths(since at: UInt64) -> [UInt64] {
            pair.client.events(JMP_EVENT_TRANSPORT_DEAD, since: at).map { $0.session & 0xFFFF_FFFF }
        }

        /// Calls jmp_handle_timeout until nobody is left behind; how often.
        @discardableResult
        func finish() -> Int {
            var calls = 0
            while isSweeping, calls < 1000 {
                #expect(pair.client.nextTimeout <= pair.now, "a host is told to go on")
                pair.timeout(.client)
                calls += 1
            }
            return calls
        }

        /// Seals a payload of a session and says which transport it goes to.
        func send(_ session: jmp_session) -> UInt32? {
            pair.client.session = session
            return pair.client.seal([1, 2, 3], pair.now).1?.0.transport
        }
    }

    @Test func aSmallEndpointHasFollowedWhenTheCallReturns() {
        let crowd = Crowd(Self.atOnce)
        let at = crowd.pair.now
        crowd.hint(0, isUp: false)
        #expect(!crowd.isSweeping && crowd.deaths(since: at) == Array(0..<UInt64(Self.atOnce)))
        crowd.remove(0)
        #expect(!crowd.isSweeping && crowd.endpoint.pointee.env.transports.add(Transport()) == 0)
    }

    @Test func manySessionsFollowInTheOrderOfTheirSlots() {
        let crowd = Crowd(250)
        let at = crowd.pair.now
        crowd.hint(0, isUp: false)
        #expect(crowd.deaths(since: at) == Array(0..<UInt64(Self.atOnce)))
        var before = Self.atOnce, calls = 0
        while crowd.isSweeping, calls < 100 {
            #expect(crowd.pair.client.nextTimeout <= crowd.pair.now)
            crowd.pair.timeout(.client)
            let followed = crowd.deaths(since: at).count
            #expect(followed - before <= 2 * Self.atATime && (followed - before >= Self.atATime || !crowd.isSweeping))
            before = followed
            calls += 1
        }
        #expect(crowd.deaths(since: at) == Array(0..<250), "each once, lowest slot first")
        #expect(calls <= (250 - Self.atOnce) / Self.atATime + 1)
    }

    @Test func aSessionThatIsUsedFollowsFirst() {
        let crowd = Crowd(200)
        let at = crowd.pair.now
        crowd.hint(0, isUp: false)
        #expect(crowd.send(crowd.clients[199]) == 1, "the payload takes the path that is recovered to")
        #expect(crowd.info(crowd.clients[150]).state == JMP_STATE_RECOVERING)
        #expect(crowd.isSweeping)
        crowd.pair.client.drainEvents()
        #expect(crowd.deaths(since: at).suffix(2) == [199, 150])
        crowd.finish()
        #expect(crowd.deaths(since: at).sorted() == Array(0..<200), "the sweep does not act on them again")
    }

    @Test func nothingIsSentOnATransportFromItsRemovalOn() {
        let crowd = Crowd(200)
        var used = Set<UInt32>()
        crowd.pair.onSend = { side, datagram, _ in if side == .client { used.insert(datagram.transport) } }
        crowd.remove(0)
        for i in stride(from: 199, to: 0, by: -7) { #expect(crowd.send(crowd.clients[i]) == 1) }
        crowd.finish()
        crowd.pair.run(1_000_000)
        #expect(used == [1])
        for session in crowd.clients { #expect(crowd.info(session).active_transport == 1 && crowd.info(session).path_count == 1) }
    }

    @Test func theNumberOfARemovedTransportIsFreeWhenAllHaveFollowed() {
        let crowd = Crowd(200)
        let client = crowd.pair.client
        crowd.remove(0)
        #expect(client.totals().transports == 1)
        expectEqual(jmp_transport_hint(client.handle, 0, 1, crowd.pair.now), JMP_ERR_TRANSPORT)
        expectEqual(jmp_transport_remove(client.handle, 0, crowd.pair.now), JMP_ERR_TRANSPORT)
        expectOK(client.receive([0x40, 1, 2, 3], 0, Pair.gatewayAddress(0), crowd.pair.now).kind == 0 ? JMP_OK : JMP_ERR_INTERNAL)
        var transport = jmp_transport_config(), number: UInt32 = 0
        expectOK(jmp_transport_config_init(&transport))
        setText(&transport.name, "udp:A")   // the name is free at once
        expectOK(jmp_transport_add(client.handle, &transport, crowd.pair.now, &number))
        #expect(number == 2)
        crowd.finish()
        setText(&transport.name, "udp:B2")
        expectOK(jmp_transport_add(client.handle, &transport, crowd.pair.now, &number))
        #expect(number == 0)
    }

    /// While numbers are not free there may be none left.
    @Test func allNumbersCanBeTakenByTransportsThatLeave() {
        let crowd = Crowd(200)
        var transport = jmp_transport_config(), number: UInt32 = 0
        expectOK(jmp_transport_config_init(&transport))
        for i in 2..<Int(JMP_MAX_TRANSPORTS) {
            setText(&transport.name, "t\(i)")
            expectOK(jmp_transport_add(crowd.pair.client.handle, &transport, crowd.pair.now, &number))
        }
        crowd.remove(1)
        setText(&transport.name, "another")
        expectEqual(jmp_transport_add(crowd.pair.client.handle, &transport, crowd.pair.now, &number), JMP_ERR_TRANSPORT_LIMIT)
        crowd.finish()
        expectOK(jmp_transport_add(crowd.pair.client.handle, &transport, crowd.pair.now, &number))
        #expect(number == 1)
    }

    @Test func whatIsTakenBackInTimeIsNeverHeardOf() {
        let crowd = Crowd(200)
        let at = crowd.pair.now
        crowd.hint(0, isUp: false)
        crowd.hint(0, isUp: true)
        crowd.finish()
        #expect(crowd.deaths(since: at) == Array(0..<UInt64(Self.atOnce)), "the others only hear that it is up")
        for slot in 0..<200 {
            let isHintedDown = crowd.endpoint.pointee.sessions[slot].paths[0].isHintedDown
            #expect(!isHintedDown, "the first ones hear that too")
        }
    }

    /// A session follows the latest state: the sweep ends with every path as the host said last.
    @Test func downUpDownIsDown() {
        let crowd = Crowd(200)
        let at = crowd.pair.now
        for isUp in [false, true, false] { crowd.hint(0, isUp: isUp) }
        crowd.finish()
        let deaths = crowd.deaths(since: at)
        #expect(Set(deaths).count == 200 && deaths.filter { $0 == 199 }.count == 1)
        for slot in 0..<200 {
            let isHintedDown = crowd.endpoint.pointee.sessions[slot].paths[0].isHintedDown
            #expect(isHintedDown)
        }
    }

    /// One pass serves all transports, and one that is spoken of again and again does not keep the highest slots waiting.
    @Test func frequentHintsDoNotStarveTheSessionsBehind() {
        let crowd = Crowd(200, links: 3)
        crowd.hint(2, isUp: false)
        for i in 0..<8 { crowd.hint(1, isUp: i % 2 == 1) }
        for slot in 0..<200 {
            let behind = UInt16(truncatingIfNeeded: crowd.endpoint.pointee.env.transports.revision) &- crowd.endpoint.pointee.sessions[slot].followedRevision
            #expect(behind <= 4, "slot \(slot)")
        }
        crowd.finish()
        for slot in 0..<200 {
            let paths = (0..<3).map { crowd.endpoint.pointee.sessions[slot].paths[$0].isHintedDown }
            #expect(paths[2] && !paths[0])
        }
    }

    @Test func aSessionBornMeanwhileHasNothingToFollow() {
        let crowd = Crowd(200)
        let at = crowd.pair.now
        crowd.hint(1, isUp: false)
        crowd.hint(0, isUp: false)
        let late = crowd.add()   // over a transport that the host says is down: the host knows better
        let slot = late & 0xFFFF_FFFF
        #expect(slot >= 200)
        crowd.finish()
        crowd.pair.run(1_000_000)
        #expect(!crowd.deaths(since: at).contains(slot) && crowd.info(late).state == JMP_STATE_ATTACHED)
        #expect(Set(crowd.deaths(since: at)).count == 200)
    }

    @Test func anotherClassIsKnownBeforeTheNextDecision() {
        let crowd = Crowd(200)
        var transport = jmp_transport_config()
        expectOK(jmp_transport_config_init(&transport))
        setText(&transport.name, "udp:A")
        transport.transport_class = UInt32(JMP_CLASS_CELLULAR)
        expectOK(jmp_transport_set(crowd.pair.client.handle, 0, &transport, crowd.pair.now))
        #expect(crowd.isSweeping)
        for i in [199, 128, 0] {
            crowd.pair.client.session = crowd.clients[i]
            #expect(crowd.pair.client.path(on: 0)?.transport_class == UInt32(JMP_CLASS_CELLULAR))
        }
        crowd.finish()
        for session in crowd.clients {
            crowd.pair.client.session = session
            #expect(crowd.pair.client.path(on: 0)?.transport_class == UInt32(JMP_CLASS_CELLULAR))
        }
    }

    /// A half-open session whose transport is removed before its answer has left: no answer, and the slot comes back.
    @Test func aHalfOpenSessionEndsWithItsTransport() {
        let crowd = Crowd(Self.atOnce + 2)
        let gateway = crowd.pair.gateway
        crowd.pair.tap = { side, _, bytes in side == .gateway && bytes[0] == 0x81 || side == .client && bytes[0] < 0x80 }
        expectOK(crowd.pair.connect())
        crowd.pair.run(1000)
        crowd.pair.tap = nil
        #expect(gateway.totals().half_open == 1)
        let sessions = gateway.totals().sessions
        expectOK(jmp_transport_remove(gateway.handle, 0, crowd.pair.now))
        crowd.pair.drain(.gateway)
        for _ in 0..<10 { crowd.pair.timeout(.gateway) }
        #expect(gateway.totals().half_open == 0 && gateway.totals().sessions == sessions - 1)
    }

    @Test func twoRunsAreTheSameToTheByte() {
        func transcript() -> [UInt8] {
            let crowd = Crowd(200)
            crowd.hint(0, isUp: false)
            _ = crowd.send(crowd.clients[190])
            crowd.remove(0)
            crowd.pair.run(300_000)
            return crowd.pair.transcript
        }
        #expect(transcript() == transcript())
    }
}

private func expectEqual(_ status: jmp_status, _ expected: jmp_status, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(status == expected, "\(Names.status(status))", sourceLocation: sourceLocation)
}
