import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping

struct ClosingTests {
    private func close(_ pair: Pair, _ side: Side, reason: Int32 = JMP_REASON_OPERATOR_TERMINATED) -> jmp_status {
        let node = pair.node(side)
        defer { pair.drain(side) }
        return jmp_session_close(node.handle, node.session, UInt32(bitPattern: reason), pair.now)
    }

    @Test(arguments: [Side.client, .gateway])
    func closingTellsThePeerAndWipesTheKeys(side: Side) throws {
        let pair = Pair.established(sending: true)
        pair.client.stopSending()
        pair.run(100_000)
        let at = pair.now
        expectOK(close(pair, side))
        #expect(pair.node(side).ladder(since: at) == ["TERMINATED operator_terminated"])
        pair.run(30_000)
        let peer = pair.node(side.other)
        #expect(peer.ladder(since: at) == ["TERMINATED peer_terminated"])
        let end = try #require(peer.events(JMP_EVENT_SESSION_TERMINATED).first)
        #expect(end.cause == UInt32(JMP_REASON_OPERATOR_TERMINATED))
        #expect(end.age_us > 2_000_000)
        for node in [pair.client, pair.gateway] {
            #expect(node.withCore { $0.keys == nil } == true)
            #expect(node.totals().sessions_terminated == 1)
        }
    }

    @Test func aReasonForClosingIsTheOperatorsOrSecurity() {
        let pair = Pair.established()
        for reason in [JMP_REASON_NONE, JMP_REASON_PEER_TERMINATED, JMP_REASON_TRANSPORT_TTL_EXCEEDED, 255, 256 + JMP_REASON_OPERATOR_TERMINATED, -1] {
            #expect(close(pair, .client, reason: reason) == JMP_ERR_ARGUMENT)
        }
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
        expectOK(close(pair, .client, reason: JMP_REASON_SECURITY_FAILURE))
        #expect(pair.client.ladder(since: 0).last == "TERMINATED security_failure")
    }

    @Test func afterTheEndEveryCallSaysSoAndForThirtySecondsInfoTellsWhy() {
        let pair = Pair.established()
        expectOK(close(pair, .client))
        let (handle, session) = (pair.client.handle, pair.client.session)
        var remote = Pair.gatewayAddress(1), path: UInt32 = 0
        #expect(pair.send(.client) == JMP_ERR_TERMINATED)
        #expect(close(pair, .client) == JMP_ERR_TERMINATED)
        #expect(jmp_session_rekey(handle, session, pair.now) == JMP_ERR_TERMINATED)
        #expect(jmp_session_request_switch(handle, session, UInt32.max, pair.now) == JMP_ERR_TERMINATED)
        #expect(jmp_path_add(handle, session, 1, &remote, pair.now, &path) == JMP_ERR_TERMINATED)
        #expect(jmp_path_remove(handle, session, 0, pair.now) == JMP_ERR_TERMINATED)
        pair.run(29_900_000)
        #expect(pair.info(.client).state == JMP_STATE_TERMINATED)
        #expect(pair.info(.client).last_reason == JMP_REASON_OPERATOR_TERMINATED)
        pair.run(200_000)
        var info = jmp_session_info()
        info.struct_size = UInt32(MemoryLayout<jmp_session_info>.size)
        #expect(jmp_session_get_info(handle, session, &info) == JMP_ERR_SESSION)
        #expect(jmp_session_close(handle, session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now) == JMP_ERR_SESSION)
        #expect(pair.client.totals().sessions == 0)
    }

    // MARK: farewell

    /// The gateway closed and its CLOSE was lost. Gives what the client goes on sending.
    private func lostFarewell() -> (Pair, [UInt8]) {
        let pair = Pair.established(sending: true)
        pair.links[0].isBlackhole[1] = true
        pair.links[1].isBlackhole[1] = true
        expectOK(close(pair, .gateway))
        var question: [UInt8] = []
        pair.tap = { side, link, bytes in
            if side == .client, link == 0 { question = bytes }
            return false
        }
        pair.run(6000)
        pair.client.stopSending()
        return (pair, question)
    }

    @Test func whoStillTalksToATerminatedSessionIsToldAgain() {
        let (pair, _) = lostFarewell()
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
        pair.links[0].mend()
        pair.links[1].mend()
        pair.run(100_000)   // the lost CLOSE counts as an answer too
        expectOK(pair.send(.client))
        pair.run(500_000)
        #expect(pair.client.ladder(since: 0).last == "TERMINATED peer_terminated")
    }

    @Test func theRepliesAreRareAndNoLongerThanTheQuestion() {
        let (pair, question) = lostFarewell()
        pair.run(1_000_000)
        var answers: [[UInt8]] = []
        pair.tap = { side, _, bytes in
            if side == .gateway { answers.append(bytes) }
            return true
        }
        for _ in 0..<100 {
            #expect(pair.inject(question, to: .gateway).drop_cause == JMP_DROP_SESSION_CLOSED)
            pair.skip(10_000)
        }
        #expect((9...11).contains(answers.count), "one in 100 ms")
        #expect(answers.allSatisfy { $0.count <= question.count && pair.client.frames(of: $0) == [FrameType.close] })
        pair.skip(200_000)
        let before = answers.count
        pair.inject(Array(question.prefix(30)), to: .gateway)
        #expect(answers.count == before, "the answer would be longer")
    }

    @Test func aReplyCarriesTheConnectionIDOfThePathThatAsked() {
        let (pair, question) = lostFarewell()
        pair.run(1_000_000)
        var probe: [UInt8] = [], answers: [[UInt8]] = []
        pair.tap = { side, link, bytes in
            if side == .client, link == 1 { probe = bytes }
            if side == .gateway { answers.append(bytes) }
            return true
        }
        #expect(pair.run(until: { probe.count >= 31 }, within: 20_000_000, step: 10_000))
        answers = []
        for (bytes, link) in [(question, 0), (probe, 1)] {
            pair.skip(200_000)
            pair.inject(bytes, to: .gateway, link: link)
        }
        #expect(answers.count == 2)
        #expect(Set(answers.map { Array($0[1..<9]) }).count == 2, "no identifier links the two paths")
    }

    @Test func afterThirtySecondsNobodyAnswersAnyMore() {
        let (pair, question) = lostFarewell()
        pair.links[0].cut()
        pair.run(31_000_000)
        #expect(pair.inject(question, to: .gateway).drop_cause == JMP_DROP_UNKNOWN_CONNECTION_ID)
        #expect(pair.gateway.totals().sessions == 0)
    }
}
