import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping

/// The gateway binds a new address of the client; the client learns of it by the REATTACH_ACK alone and asks until it has come.
struct RebindingAckTests {
    private static let ladder = ["VOLATILE peer_reported_volatility", "RECOVERING dead_transport_recovery", "ATTACHED reattach_success"]

    /// Loses the first acknowledgements of the gateway, then rebinds the NAT.
    private func rebind(_ pair: Pair, losing lost: Int) -> () -> Int {
        var acknowledgements = 0
        pair.tap = { [unowned pair] side, _, bytes in
            guard side == .gateway, pair.client.frames(of: bytes).contains(FrameType.reattachAck) else { return false }
            acknowledgements += 1
            return acknowledgements <= lost
        }
        pair.links[0].clientPort = 61_000
        return { acknowledgements }
    }

    @Test(arguments: [1, 2, 3])
    func aLostAcknowledgementIsAskedForAgain(lost: Int) {
        let pair = Pair.established(sending: true)
        let at = pair.now
        let acknowledgements = rebind(pair, losing: lost)
        pair.run(3_000_000)
        #expect(acknowledgements() == lost + 1)
        for node in [pair.client, pair.gateway] {
            #expect(node.info().binding_version == 1)
            #expect(node.ladder(since: at) == Self.ladder, "both audit trails read alike")
        }
        #expect(pair.gateway.events(JMP_EVENT_REATTACH_ATTEMPT, since: at).count == 1, "the repetition is not judged again")
    }

    /// Nobody sends anything but the client's one payload from its new address.
    @Test func anIdleClientAsksToo() {
        var options = PairOptions()
        options.links = 1
        let pair = Pair.established(options)
        pair.run(1_000_000)
        let at = pair.now
        _ = rebind(pair, losing: 1)
        expectOK(pair.send(.client))
        pair.run(3_000_000)
        #expect(pair.info(.client).binding_version == 1 && pair.info(.gateway).binding_version == 1)
        #expect(pair.client.ladder(since: at) == Self.ladder)
    }

    @Test func anAnsweredRequestIsNotSentAgain() {
        let pair = Pair.established(sending: true)
        var requests = 0
        let acknowledgements = rebind(pair, losing: 0)
        pair.onSend = { [unowned pair] side, _, bytes in
            if side == .client, pair.gateway.frames(of: bytes).contains(FrameType.reattach) { requests += 1 }
        }
        pair.run(200_000)
        let sent = requests
        pair.run(5_000_000)
        #expect(sent > 0 && requests == sent)
        #expect(acknowledgements() == 1)
    }
}
