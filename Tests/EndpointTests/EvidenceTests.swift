import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping
@testable import JumpingSession

/// What counts as evidence for or against a path, and whose word it is (DESIGN section 5).
struct EvidenceTests {
    /// Both directions of a path are proven by an answer that came back on it, and by no other.
    @Test func anAcknowledgementOverAnotherPathIsNoEvidenceForThisOne() throws {
        let pair = Pair.established()
        pair.links[0].cut()
        expectOK(pair.send(.client))
        pair.skip(10_000)
        let number = try #require(pair.client.withCore { $0.nextPacketNumber }) - 1
        let before = try #require(pair.client.path(on: 0))
        pair.inject(pair.gateway.forge(Frames.acknowledgement(number), index: 1), to: .client, link: 1)
        #expect(pair.client.path(on: 0)?.last_evidence_at == before.last_evidence_at)
        #expect(pair.client.path(on: 0)?.srtt_us == before.srtt_us)
    }

    @Test func anAcknowledgementOnItsPathIsEvidence() throws {
        let pair = Pair.established()
        pair.links[0].cut()
        expectOK(pair.send(.client))
        pair.skip(10_000)
        let number = try #require(pair.client.withCore { $0.nextPacketNumber }) - 1
        pair.inject(pair.gateway.forge(Frames.acknowledgement(number)), to: .client)
        #expect(pair.client.path(on: 0)?.last_evidence_at == pair.now)
    }

    /// A datagram that was taken for lost and is acknowledged after all was never lost.
    @Test func aLateAcknowledgementTakesTheLossBack() throws {
        let pair = Pair.established()
        pair.run(1_000_000)
        for link in pair.links.indices { pair.links[link].isBlackhole[1] = true }
        for _ in 0..<3 { expectOK(pair.send(.gateway)) }
        let newest = try #require(pair.gateway.withCore { $0.nextPacketNumber }) - 1
        let skipping = Frames.acknowledgement(newest, bitmap: 0b10), complete = Frames.acknowledgement(newest, bitmap: 0b11)
        pair.inject(pair.client.forge(skipping), to: .gateway)
        #expect(pair.gateway.stats().datagrams_lost == 0, "skipped, but it may only be late")
        pair.skip(60_000)
        pair.inject(pair.client.forge(skipping), to: .gateway)
        #expect(pair.gateway.stats().datagrams_lost == 1)
        #expect(pair.gateway.path(on: 0)?.consecutive_drops == 1)
        pair.inject(pair.client.forge(complete), to: .gateway)
        #expect(pair.gateway.stats().datagrams_lost == 0)
        #expect(pair.gateway.path(on: 0)?.loss_ppm == 0 && pair.gateway.path(on: 0)?.consecutive_drops == 0)
    }

    /// The peer's datagrams go on coming in while ours are lost: the path is dead all the same, and as fast.
    @Test func whatStillComesInDoesNotKeepAPathAlive() {
        let pair = Pair.established(sending: true)
        pair.gateway.isEchoing = false
        pair.gateway.sendEvery(5000, from: pair.now)
        pair.tap = { [unowned pair] side, _, bytes in side == .gateway && pair.client.frames(of: bytes).contains(FrameType.volatility) }
        pair.run(1_000_000)
        let at = pair.now
        pair.links[0].isBlackhole[0] = true
        pair.run(500_000)
        #expect(pair.client.ladder(since: at).first == "VOLATILE consecutive_drop_exceeded")
        let dead = pair.client.events(JMP_EVENT_TRANSPORT_DEAD, since: at).first?.time ?? UInt64.max
        #expect(dead <= at + 120_000)
    }

    /// What lay in the socket while the host was away says nothing of the round trip.
    @Test func noRoundTripIsMeasuredFromDatagramsThatWaitedForTheHost() throws {
        let pair = Pair.established()
        pair.client.sendEvery(50_000, from: pair.now)
        pair.run(2_000_000)
        let before = try #require(pair.client.path(on: 0)).srtt_us
        pair.client.suspendedUntil = pair.now + 1_010_000
        pair.run(1_030_000)
        let after = try #require(pair.client.path(on: 0)).srtt_us
        #expect(before <= 42_000 && after <= 42_000, "\(before) µs, then \(after) µs")
    }

    /// A handover goes to a proven standby or nowhere.
    @Test func aPathThatNeverAnsweredIsNoGoalForAHandover() throws {
        var options = PairOptions()
        options.offered = 1
        let pair = Pair.established(options)
        pair.links[1].cut()
        pair.addPath(1)
        pair.run(50_000)
        #expect(jmp_session_request_switch(pair.client.handle, pair.client.session, UInt32.max, pair.now) == JMP_ERR_SWITCH_DENIED)
        pair.drain(.client)
        #expect(pair.client.events(JMP_EVENT_TRANSPORT_SWITCH_DENIED).map { Int32($0.reason) } == [JMP_REASON_NO_CANDIDATE_TRANSPORTS])
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
    }

    @Test func aClientKeepsNoMorePathsThanAgreed() {
        var options = PairOptions()
        options.links = 4
        options.offered = 1
        options.tuneGatewayPolicy = { $0.max_candidates = 2 }
        let pair = Pair.established(options)
        pair.addPath(1)
        pair.addPath(2)
        var remote = Pair.gatewayAddress(3), path: UInt32 = 0
        #expect(jmp_path_add(pair.client.handle, pair.client.session, 3, &remote, pair.now, &path) == JMP_ERR_PATH_LIMIT)
        #expect(pair.client.paths().count == 3)
    }
}
