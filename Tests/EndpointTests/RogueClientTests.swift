import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping
@testable import JumpingSession

/// A client that has the keys and keeps no rules: the gateway judges for itself (DESIGN section 6). The client of the pair knows link 0
/// alone; what comes on the others is forged with its keys.
struct RogueClientTests {
    private func pair(links: Int = 2, _ tune: @escaping (inout jmp_policy) -> Void = { _ in }) -> Pair {
        var options = PairOptions()
        options.links = links
        options.offered = 1
        options.tuneGatewayPolicy = tune
        return Pair.established(options)
    }

    @discardableResult
    private func forge(_ pair: Pair, _ frames: [UInt8], link: Int = 1) -> jmp_received {
        pair.inject(pair.client.forge(frames, index: UInt32(link)), to: .gateway, link: link)
    }

    /// The eight bytes the gateway has sent to a link's address.
    private func challenge(_ pair: Pair, _ link: Int) throws -> UInt64 {
        let slot = try #require(pair.gateway.slot(on: link))
        return try #require(pair.gateway.withCore { $0.paths[slot].challenge })
    }

    /// The gateway knows the path on a link and holds it for proven.
    private func prove(_ pair: Pair, _ link: Int = 1) throws {
        forge(pair, [FrameType.ping], link: link)
        forge(pair, Frames.response(try challenge(pair, link)), link: link)
        #expect(pair.gateway.path(on: link)?.validated == 1)
    }

    private func lastResult(_ pair: Pair) -> Int32? {
        pair.gateway.events(JMP_EVENT_REATTACH_RESULT).last.map { Int32($0.reason) }
    }

    @Test func onlyTheChallengesOwnBytesProveAnAddress() throws {
        let pair = pair()
        forge(pair, Frames.reattach(1, version: 0))
        #expect(pair.gateway.path(on: 1)?.role == UInt32(JMP_PATH_PENDING))
        for wrong in [0, try challenge(pair, 1) ^ 1, try challenge(pair, 1).byteSwapped] {
            forge(pair, Frames.response(wrong))
            #expect(pair.gateway.path(on: 1)?.validated == 0 && pair.info(.gateway).binding_version == 0)
        }
        forge(pair, Frames.response(try challenge(pair, 1)))
        #expect(pair.info(.gateway).binding_version == 1 && pair.info(.gateway).active_transport == 1)
    }

    @Test func aRequestHeldBackForLongerThanTheProofsAgeIsStale() throws {
        let pair = pair { $0.proof_max_age_us = 1_000_000 }
        try prove(pair)
        let held = pair.client.forge(Frames.reattach(1, version: 0), index: 1)
        pair.client.sendEvery(50_000, from: pair.now)
        pair.run(1_500_000)
        pair.client.stopSending()
        pair.inject(held, to: .gateway, link: 1)
        #expect(lastResult(pair) == JMP_REASON_STALE_REQUEST)
        #expect(pair.info(.gateway).binding_version == 0 && pair.info(.gateway).active_transport == 0)
        forge(pair, Frames.reattach(2, version: 0))
        #expect(lastResult(pair) == JMP_REASON_REATTACH_SUCCESS, "the same request, fresh")
    }

    /// The host calls too late for the timers; the judgement does not wait for them.
    @Test func aSessionPastItsLifetimeIsNotBound() throws {
        let pair = pair { $0.max_lifetime_us = 5_000_000 }
        try prove(pair)
        pair.skip(6_000_000)
        forge(pair, Frames.reattach(1, version: 0))
        #expect(lastResult(pair) == JMP_REASON_SESSION_EXPIRED)
        #expect(pair.info(.gateway).binding_version == 0)
    }

    @Test func aSessionLostForLongerThanItsTTLIsNotBound() throws {
        let pair = pair { $0.transport_lost_ttl_us = 3_000_000 }
        try prove(pair)
        pair.gateway.sendEvery(20_000, from: pair.now)
        pair.links[0].cut()
        #expect(pair.run(until: { pair.info(.gateway).transport_lost_at != UInt64.max }, within: 5_000_000))
        pair.skip(3_100_000)
        forge(pair, Frames.reattach(1, version: 0))
        #expect(lastResult(pair) == JMP_REASON_TRANSPORT_TTL_EXCEEDED)
        #expect(pair.info(.gateway).binding_version == 0)
    }

    @Test func aClassThatIsNotAllowedIsRefused() throws {
        let pair = pair { $0.allowed_classes = 1 }
        try prove(pair)
        forge(pair, Frames.reattach(1, version: 0, transportClass: 3))
        #expect(lastResult(pair) == JMP_REASON_INVALID_TRANSPORT_CANDIDATE)
        forge(pair, Frames.reattach(2, version: 0, transportClass: 200))
        #expect(lastResult(pair) == JMP_REASON_INVALID_TRANSPORT_CANDIDATE)
        #expect(pair.info(.gateway).binding_version == 0)
    }

    @Test func theGatewayKeepsTheCooldownOfAVoluntarySwitchToo() throws {
        let pair = pair()
        try prove(pair)
        forge(pair, Frames.reattach(1, version: 0))
        #expect(pair.info(.gateway).active_transport == 1)
        for (number, cause) in [JMP_REASON_LOSS_THRESHOLD_EXCEEDED, JMP_REASON_LATENCY_THRESHOLD_EXCEEDED, JMP_REASON_OPERATOR_REQUESTED].enumerated() {
            forge(pair, Frames.reattach(2 + UInt64(number), version: 1, cause: cause), link: 0)
            #expect(lastResult(pair) == JMP_REASON_POLICY_DENIED)
        }
        #expect(pair.info(.gateway).binding_version == 1)
        forge(pair, Frames.reattach(9, version: 1, cause: JMP_REASON_TRANSPORT_DEAD), link: 0)
        #expect(pair.info(.gateway).binding_version == 2, "a dead path may be left at once")
    }

    /// Time passes between a request and its proof: what has become stale meanwhile does not bind.
    @Test func aPendingRequestIsJudgedAgainWhenItIsProven() throws {
        let pair = pair(links: 3)
        forge(pair, Frames.reattach(1, version: 0), link: 1)
        try prove(pair, 2)
        forge(pair, Frames.reattach(2, version: 0), link: 2)
        #expect(pair.info(.gateway).binding_version == 1 && pair.info(.gateway).active_transport == 2)
        forge(pair, Frames.response(try challenge(pair, 1)), link: 1)
        #expect(lastResult(pair) == JMP_REASON_STALE_STATE_VERSION)
        #expect(pair.info(.gateway).binding_version == 1 && pair.info(.gateway).active_transport == 2)
    }

    /// Of two requests that wait for their proof the newer one is what the client wants.
    @Test func aNewerPendingRequestReplacesAnOlderOne() throws {
        let pair = pair(links: 3)
        forge(pair, Frames.reattach(1, version: 0), link: 1)
        forge(pair, Frames.reattach(2, version: 0), link: 2)
        forge(pair, Frames.response(try challenge(pair, 1)), link: 1)
        #expect(pair.info(.gateway).binding_version == 0 && pair.info(.gateway).active_transport == 0)
        forge(pair, Frames.response(try challenge(pair, 2)), link: 2)
        #expect(pair.info(.gateway).binding_version == 1 && pair.info(.gateway).active_transport == 2)
    }

    /// Nobody can answer a challenge he has not got.
    @Test func everyChallengeIsAnother() throws {
        let pair = pair(links: 3)
        var challenges: [UInt64] = []
        for link in [1, 2] {
            forge(pair, [FrameType.ping], link: link)
            challenges.append(try challenge(pair, link))
        }
        // Proven, then moved to another address: that is challenged anew.
        forge(pair, Frames.response(challenges[0]), link: 1)
        pair.links[1].clientPort += 1
        forge(pair, [FrameType.ping], link: 1)
        challenges.append(try challenge(pair, 1))
        #expect(Set(challenges).count == 3 && !challenges.contains(0))
        forge(pair, Frames.response(challenges[0]), link: 1)
        #expect(pair.gateway.path(on: 1)?.validated == 0, "the answer to the old one proves nothing")
    }

    @Test func anAcknowledgementOfTheFutureIsVoid() throws {
        let pair = pair()
        pair.run(200_000)
        pair.links[0].isBlackhole[1] = true
        for _ in 0..<4 { expectOK(pair.send(.gateway)) }
        let next = try #require(pair.gateway.withCore { $0.nextPacketNumber })
        let outstanding = { pair.gateway.withCore { session in
            (0..<session.sent.count).filter { session.sent[$0].fate == .outstanding && session.sent[$0].number + 4 >= next }.count
        } }
        #expect(outstanding() == 4)
        for ahead: UInt64 in [0, 1, 7, 1 << 31] {
            forge(pair, Frames.acknowledgement(next + ahead, bitmap: .max), link: 0)
            #expect(outstanding() == 4, "\(ahead) ahead of what was sent")
        }
        forge(pair, Frames.acknowledgement(next - 1, bitmap: .max), link: 0)
        #expect(outstanding() == 0)
    }

    @Test func reservedBitsAreZero() {
        let pair = pair()
        for bit: UInt8 in [1, 2, 4, 7] {
            for isPayload in [false, true] {
                let datagram = pair.client.forge([FrameType.payload, 7], reserved: bit, isPayload: isPayload)
                #expect(pair.inject(datagram, to: .gateway).drop_cause == JMP_DROP_MALFORMED)
            }
        }
        #expect(pair.gateway.payloads.isEmpty)
    }

    /// Frames before a bad one have taken effect; what follows is no frame.
    @Test func anUnknownOrACutFrameMakesTheDatagramMalformed() throws {
        let pair = pair()
        for frames in [[0x7F], [FrameType.ping, 0x0D, 1], [FrameType.pathChallenge, 1, 2, 3], [FrameType.reattach], [FrameType.policy, 0, 0, 0, 1, 0, 9, 1]] {
            #expect(pair.inject(pair.client.forge(frames), to: .gateway).drop_cause == JMP_DROP_MALFORMED, "\(frames)")
        }
        #expect(pair.info(.gateway).state == JMP_STATE_ATTACHED && pair.gateway.payloads.isEmpty)
    }

    /// The connection id is authenticated: a datagram of one path is none of another.
    @Test func aDatagramIsOfOnePath() throws {
        let pair = pair()
        try prove(pair)
        var moved = pair.client.forge([FrameType.payload, 7], index: 0)
        let other = pair.client.forge([FrameType.ping], index: 1)
        moved.replaceSubrange(1..<9, with: other[1..<9])
        #expect(pair.inject(moved, to: .gateway, link: 1).drop_cause == JMP_DROP_BAD_TAG)
        #expect(pair.gateway.payloads.isEmpty)
    }

    /// A datagram that was overtaken counts once like any other.
    @Test func anOvertakenDatagramIsTakenOnce() {
        let pair = pair()
        let slow = pair.client.forge([FrameType.payload, 1]), fast = pair.client.forge([FrameType.payload, 2])
        #expect(pair.inject(fast, to: .gateway).kind == JMP_RECEIVED_PAYLOAD)
        #expect(pair.inject(slow, to: .gateway).kind == JMP_RECEIVED_PAYLOAD)
        for copy in [slow, fast] { #expect(pair.inject(copy, to: .gateway).drop_cause == JMP_DROP_REPLAYED) }
        #expect(pair.gateway.payloads.count == 2)
    }

    /// For three probe timeouts the ids of a path that is gone are still known, so that its stragglers are read; they open no path.
    @Test func aStragglerOfAForgottenPathOpensNone() throws {
        let pair = pair(links: 3) { $0.max_candidates = 0 }
        forge(pair, [FrameType.ping], link: 1)
        let straggler = pair.client.forge([FrameType.payload, 7], index: 1)
        pair.run(1000)
        forge(pair, [FrameType.ping], link: 2)
        #expect(pair.gateway.path(on: 1) == nil && pair.gateway.path(on: 2) != nil, "there is room for one besides the active path")
        #expect(pair.inject(straggler, to: .gateway, link: 1).kind == JMP_RECEIVED_PAYLOAD)
        #expect(pair.gateway.path(on: 1) == nil && pair.gateway.path(on: 2) != nil)
    }

    /// A provisional address is forgotten in time, and with it what is sent there.
    @Test func anAddressThatIsNeverProvenIsForgotten() {
        let pair = pair()
        let elsewhere = address([66, 66, 66, 66, 0, 66])
        pair.inject(pair.client.forge([FrameType.payload, 7]), to: .gateway, from: elsewhere)
        #expect(pair.gateway.paths().contains { $0.role == JMP_PATH_PROVISIONAL && isSame($0.address, elsewhere) })
        var sent = 0
        pair.run(2_000_000)
        #expect(!pair.gateway.paths().contains { isSame($0.address, elsewhere) })
        pair.onSend = { side, datagram, _ in if side == .gateway, isSame(datagram.to, elsewhere) { sent += 1 } }
        for _ in 0..<10 { expectOK(pair.send(.gateway)) }
        pair.run(2_000_000)
        #expect(sent == 0 && pair.info(.gateway).binding_version == 0)
    }
}
