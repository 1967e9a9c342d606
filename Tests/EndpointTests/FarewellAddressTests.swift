import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping

/// Where the CLOSE of a session that is over goes, and where it does not.
struct FarewellAddressTests {
    private let stranger = address([66, 66, 66, 66, 0, 66])

    private func close(_ pair: Pair, _ side: Side) {
        expectOK(jmp_session_close(pair.node(side).handle, pair.node(side).session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
        pair.drain(side)
    }

    /// A gateway's client may have moved; a client's gateway is where its host said.
    @Test func aClientThatIsGoneAnswersNoStranger() {
        let pair = Pair.established()
        let question = pair.gateway.forge([FrameType.payload] + [UInt8](repeating: 7, count: 40))
        pair.tap = { _, _, _ in true }
        close(pair, .client)
        pair.skip(1_000_000)
        var answers: [jmp_address] = []
        pair.onSend = { side, datagram, _ in if side == .client { answers.append(datagram.to) } }
        pair.inject(question, to: .client, from: stranger)
        #expect(answers.isEmpty)
        pair.inject(question, to: .client)
        #expect(answers.count == 1 && isSame(answers[0], Pair.gatewayAddress(0)))
    }

    @Test func aGatewayThatIsGoneAnswersAClientThatMoved() {
        let pair = Pair.established()
        let question = pair.client.forge([FrameType.payload] + [UInt8](repeating: 7, count: 40))
        pair.tap = { _, _, _ in true }
        close(pair, .gateway)
        pair.skip(1_000_000)
        var answers: [jmp_address] = []
        pair.onSend = { side, datagram, _ in if side == .gateway { answers.append(datagram.to) } }
        pair.inject(question, to: .gateway, from: stranger)
        #expect(answers.count == 1 && isSame(answers[0], stranger))
    }

    /// The active path is dead and known to be: the CLOSE takes the standby.
    @Test func theCloseTakesAPathThatLives() {
        let pair = Pair.established()
        pair.run(1_000_000)
        pair.links[0].cut()
        expectOK(jmp_transport_hint(pair.client.handle, 0, 0, pair.now))
        close(pair, .client)
        pair.run(500_000)
        #expect(pair.info(.gateway).state == JMP_STATE_TERMINATED)
        #expect(pair.info(.gateway).last_reason == JMP_REASON_PEER_TERMINATED)
    }

    /// The CLOSE was to leave on a transport that has gone meanwhile: whoever asks later is told all the same.
    @Test func aCloseThatCouldNotLeaveDoesNotBarALaterOne() {
        let pair = Pair.established()
        let question = pair.gateway.forge([FrameType.payload] + [UInt8](repeating: 7, count: 40), index: 1)
        pair.tap = { _, _, _ in true }
        expectOK(jmp_session_close(pair.client.handle, pair.client.session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
        expectOK(jmp_transport_remove(pair.client.handle, 0, pair.now))
        pair.drain(.client)
        pair.skip(1_000_000)
        var answers = 0
        pair.onSend = { side, datagram, _ in if side == .client, datagram.transport == 1 { answers += 1 } }
        pair.inject(question, to: .client, link: 1)
        #expect(answers == 1)
    }
}
