import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping

/// What of a session an outsider must not be able to change.
private struct Standing: Equatable {
    let state: UInt32, stateVersion: UInt64, bindingVersion: UInt64, transport: UInt32, address: [UInt8]

    init(_ node: Node) {
        let info = node.info()
        (state, stateVersion, bindingVersion) = (info.state, info.state_version, info.binding_version)
        transport = info.active_transport
        address = node.paths().first { $0.role == JMP_PATH_ACTIVE }.map { bytes($0.address.bytes) } ?? []
    }
}

/// DESIGN section 6, attacked and followed.
struct ReattachTests {
    private let attacker = address([66, 66, 66, 66, 0, 66])

    /// The first REATTACH datagram the client sends on link 1, and everything to the attacker.
    private func capture(_ pair: Pair, swallow: Bool) -> () -> [UInt8] {
        var request: [UInt8] = []
        pair.tap = { [unowned pair] side, link, bytes in
            guard side == .client, link == 1, request.isEmpty, pair.gateway.isReattach(bytes) else { return false }
            request = bytes
            return swallow
        }
        return { request }
    }

    @Test func aReplayedReattachChangesNothing() throws {
        let pair = Pair.established(sending: true)
        let request = capture(pair, swallow: false)
        pair.links[0].cut()
        pair.run(1_000_000)
        pair.client.stopSending()
        pair.run(200_000)
        let before = Standing(pair.gateway), attempts = pair.gateway.events(JMP_EVENT_REATTACH_ATTEMPT)
        #expect(!request().isEmpty && before.transport == 1)
        for source in [pair.clientAddress(1), attacker] {
            let received = pair.inject(request(), to: .gateway, link: 1, from: source)
            #expect(received.drop_cause == JMP_DROP_REPLAYED)
            #expect(received.kind == JMP_RECEIVED_NOTHING)
        }
        #expect(Standing(pair.gateway) == before)
        #expect(pair.gateway.events(JMP_EVENT_REATTACH_ATTEMPT).count == attempts.count)
        let alarms = pair.gateway.events(JMP_EVENT_SECURITY_REPLAY_DETECTED)
        #expect(alarms.count == 1, "copies at the same moment raise one alarm")
        #expect(try #require(alarms.first).attempt_id == (try #require(attempts.last).attempt_id))
        pair.run(200_000)
        _ = pair.inject(request(), to: .gateway, link: 1, from: attacker)
        let last = try #require(pair.gateway.events(JMP_EVENT_SECURITY_REPLAY_DETECTED).last)
        #expect(pair.gateway.events(JMP_EVENT_SECURITY_REPLAY_DETECTED).count == 2 && isSame(last.to_address, attacker))
    }

    /// An attacker copies the request and gets it there first, from his own address.
    @Test func aRacedCopyNeverBinds() throws {
        let pair = Pair.established(sending: true)
        let request = capture(pair, swallow: true)
        pair.links[0].cut()
        #expect(pair.run(until: { !request().isEmpty }, within: 500_000, step: 250))
        let before = Standing(pair.gateway)
        var stolen = 0
        pair.inject(request(), to: .gateway, link: 1, from: attacker)
        #expect(Standing(pair.gateway) == before, "proof of the keys alone binds nothing")
        pair.tap = { side, _, _ in
            if side == .gateway { stolen += 1 }
            return false
        }
        pair.run(5000)
        #expect(pair.inject(request(), to: .gateway, link: 1).drop_cause == JMP_DROP_REPLAYED, "the genuine one comes second")
        pair.run(3_000_000)
        #expect(stolen > 0)
        let after = Standing(pair.gateway)
        #expect(after.address == bytes(pair.clientAddress(1).bytes))
        #expect(after.bindingVersion == 1 && after.state == JMP_STATE_ATTACHED)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
        for path in pair.gateway.paths() { #expect(!(path.role == JMP_PATH_ACTIVE && isSame(path.address, attacker))) }
    }

    /// From an address that has not proved itself a request is pending: no transition, no version, no event but the attempt.
    @Test func anUnvalidatedAddressMustAnswerAChallengeFirst() throws {
        var options = PairOptions()
        options.offered = 1
        let pair = Pair.established(options, sending: true)
        pair.links[0].cut()
        #expect(pair.run(until: { pair.info(.client).state == JMP_STATE_DEGRADED }, within: 2_000_000))
        pair.run(1_000_000)
        let before = Standing(pair.gateway), at = pair.now
        pair.addPath(1)
        #expect(pair.info(.client).state == JMP_STATE_RECOVERING)
        pair.run(25_000)
        #expect(pair.gateway.path(on: 1)?.role == UInt32(JMP_PATH_PENDING))
        #expect(Standing(pair.gateway) == before)
        #expect(pair.gateway.events.filter { $0.time >= at }.map(\.type) == [UInt32(JMP_EVENT_REATTACH_ATTEMPT)])
        pair.run(100_000)
        #expect(pair.info(.gateway).active_transport == 1 && pair.info(.gateway).binding_version == 1)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED && pair.info(.client).active_transport == 1)
        #expect(pair.gateway.events(JMP_EVENT_TRANSPORT_SWITCH).count == 1)
        let bound = pair.gateway.events(JMP_EVENT_SESSION_STATE_CHANGE, since: at)
        #expect(Set(bound.map(\.time)).count == 1, "ladder, bind and event in one call")
    }

    @Test func aPendingRequestThatIsNotProvenExpiresWithoutATrace() {
        var options = PairOptions()
        options.offered = 1
        let pair = Pair.established(options)
        let before = Standing(pair.gateway)
        pair.links[1].isBlackhole[1] = true    // the gateway's challenge never arrives
        pair.addPath(1)
        pair.run(50_000)
        expectOK(jmp_transport_hint(pair.client.handle, 0, 0, pair.now))
        pair.drain(.client)
        pair.run(30_000)
        #expect(pair.gateway.path(on: 1)?.role == UInt32(JMP_PATH_PENDING))
        pair.links[1].isBlackhole[0] = true
        pair.run(5_000_000)
        #expect(pair.gateway.path(on: 1).map { $0.role != UInt32(JMP_PATH_PENDING) } ?? true)
        #expect(Standing(pair.gateway) == before)
    }

    @Test func aHeldBackCopyOfABoundRequestChangesNothing() throws {
        let pair = Pair.established()
        pair.client.sendEvery(50_000, from: pair.now)
        pair.run(1_000_000)
        let request = capture(pair, swallow: true)
        pair.links[0].cut()
        #expect(pair.run(until: { !request().isEmpty && pair.info(.client).state == JMP_STATE_ATTACHED }, within: 3_000_000))
        pair.run(7_000_000)
        let before = Standing(pair.gateway)
        let received = pair.inject(request(), to: .gateway, link: 1)
        #expect(received.drop_cause == JMP_DROP_NONE, "authentic and never seen")
        #expect(Standing(pair.gateway) == before)
    }

    /// The request was bound but no answer came back: the next attempt is told the present version and succeeds on top of it.
    @Test func aStaleVersionIsRetriedWithThePresentOne() throws {
        var options = PairOptions()
        options.links = 3
        let pair = Pair.established(options, sending: true)
        let at = pair.now
        pair.links[0].cut()
        pair.links[1].isBlackhole[1] = true    // requests arrive, answers do not
        pair.run(4_000_000)
        let results = pair.client.events(JMP_EVENT_REATTACH_RESULT, since: at).map { Names.reason($0.reason).description }
        #expect(results.contains("stale_state_version"))
        #expect(results.last == "reattach_success")
        let client = pair.info(.client), gateway = pair.info(.gateway)
        #expect(client.state == JMP_STATE_ATTACHED && gateway.state == JMP_STATE_ATTACHED)
        #expect((client.active_transport, gateway.active_transport) == (2, 2))
        #expect((client.binding_version, gateway.binding_version) == (2, 2))
    }

    @Test func arepeatedRequestIsAnsweredAgainAndNotJudgedAgain() {
        let pair = Pair.established(sending: true)
        var answers = 0
        pair.tap = { [unowned pair] side, link, bytes in
            guard side == .gateway, link == 1, pair.client.frames(of: bytes).contains(FrameType.reattachAck) else { return false }
            answers += 1
            return answers <= 2
        }
        pair.links[0].cut()
        pair.run(2_000_000)
        #expect(answers > 2)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
        #expect(pair.info(.gateway).binding_version == 1)
        #expect(pair.gateway.events(JMP_EVENT_REATTACH_ATTEMPT).count == 1)
        #expect(pair.gateway.events(JMP_EVENT_TRANSPORT_SWITCH).count == 1)
    }

    @Test func aForgedRequestIsCountedAndNothingElse() throws {
        let pair = Pair.established(sending: true)
        let request = capture(pair, swallow: true)
        pair.links[0].cut()
        #expect(pair.run(until: { !request().isEmpty }, within: 500_000, step: 250))
        let before = Standing(pair.gateway), events = pair.gateway.events.count
        var sent = 0
        pair.tap = { side, _, _ in
            if side == .gateway { sent += 1 }
            return false
        }
        for position in request().indices {
            var forged = request()
            forged[position] ^= 0x10
            let received = pair.inject(forged, to: .gateway, link: 1, from: attacker)
            #expect(received.kind == JMP_RECEIVED_NOTHING && received.drop_cause != JMP_DROP_NONE, "byte \(position)")
        }
        #expect(Standing(pair.gateway) == before)
        #expect(pair.gateway.events.count == events)
        #expect(sent == 0, "an unproven request gets no answer")
        #expect(pair.gateway.stats().bad_tag > 0)
    }
}
