import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping

/// A request that was long on its way binds the gateway to path 1 while the client is ATTACHED on path 0; the client hears of it only by the
/// REJECT of what it answers a NUDGE with.
struct MissedBindTests {
    private static let learning = ["VOLATILE peer_reported_volatility", "RECOVERING dead_transport_recovery"]

    /// At every datagram either end sends: who is ATTACHED with the same version is so on the same path.
    private func watch(_ pair: Pair) {
        pair.onSend = { [unowned pair] _, _, _ in
            let client = pair.info(.client), gateway = pair.info(.gateway)
            guard client.state == JMP_STATE_ATTACHED, gateway.state == JMP_STATE_ATTACHED,
                  client.binding_version == gateway.binding_version else { return }
            #expect(client.active_transport == gateway.active_transport, "at \(pair.now), version \(client.binding_version)")
        }
    }

    /// The NAT of path 0 has forgotten the client, the gateway has asked for proof, and before that comes the late request binds path 1.
    private func split(switches: UInt32) throws -> Pair {
        var options = PairOptions()
        options.tuneGatewayPolicy = { $0.max_switches_per_min = switches }
        let pair = Pair.established(options, sending: true)
        watch(pair)
        var isAsked = false
        pair.tap = { [unowned pair] side, _, bytes in
            // The answer to the late request is lost, and of what the client says of its new address nothing arrives in time.
            if side == .gateway { return pair.client.frames(of: bytes).contains(FrameType.reattachAck) }
            guard pair.gateway.isReattach(bytes) || pair.gateway.frames(of: bytes).contains(FrameType.pathResponse) else { return false }
            isAsked = isAsked || pair.gateway.isReattach(bytes)
            return true
        }
        pair.links[0].clientPort = 61_000
        #expect(pair.run(until: { isAsked }, within: 500_000, step: 250))
        pair.inject(pair.client.forge(Frames.reattach(0xA77E, version: 0), index: 1), to: .gateway, link: 1)
        try #require(pair.info(.gateway).binding_version == 1 && pair.info(.gateway).active_transport == 1)
        try #require(pair.info(.client).state == JMP_STATE_ATTACHED && pair.info(.client).binding_version == 0)
        pair.tap = nil
        return pair
    }

    private func expectTogether(_ pair: Pair) {
        let client = pair.info(.client), gateway = pair.info(.gateway)
        #expect(client.state == JMP_STATE_ATTACHED && gateway.state == JMP_STATE_ATTACHED)
        #expect(client.active_transport == gateway.active_transport && client.binding_version == gateway.binding_version)
    }

    @Test func theClientLeavesAttachedAndProvesWhereItIs() throws {
        let pair = try split(switches: 8), at = pair.now
        pair.run(2_000_000)
        #expect(pair.client.ladder(since: at) == Self.learning + ["ATTACHED reattach_success"])
        #expect(pair.client.events(JMP_EVENT_REATTACH_RESULT, since: at).map { Int32($0.reason) }
            == [JMP_REASON_STALE_STATE_VERSION, JMP_REASON_REATTACH_SUCCESS])
        #expect(pair.client.events(JMP_EVENT_VOLATILITY_SIGNAL, since: at).count == 1)
        #expect(pair.client.events(JMP_EVENT_REATTACH_ATTEMPT, since: at).count == 1)
        #expect(pair.info(.client).binding_version == 2 && pair.info(.client).active_transport == 0)
        expectTogether(pair)
    }

    /// For the gateway the client's request is a switch; one that it refuses leaves nobody ATTACHED on another path.
    @Test func aRefusalIsTriedAgainLikeEveryOther() throws {
        let pair = try split(switches: 1), at = pair.now
        pair.run(1_000_000)
        #expect(Array(pair.client.ladder(since: at).prefix(3)) == Self.learning + ["DEGRADED policy_denied"])
        #expect(pair.info(.gateway).active_transport == 1 && pair.info(.client).state != JMP_STATE_ATTACHED)
        pair.client.sendEvery(50_000, from: pair.now)
        pair.run(90_000_000)   // a minute later there is a switch again
        expectTogether(pair)
    }
}
