import CJumping
import JumpingC
import Testing
@testable import Jumping

/// A voluntary switch to a path that has just gone dark, unknown to anybody: the living active path goes on.
struct RequestedSwitchTests {
    /// Asks for the path on link 1 in the instant in which it goes dark.
    private func switchIntoTheDark(_ pair: Pair) throws {
        let path = try #require(pair.client.path(on: 1)).path
        pair.links[1].cut()
        expectOK(jmp_session_request_switch(pair.client.handle, pair.client.session, path, pair.now))
        pair.drain(.client)
    }

    @Test func aSwitchIntoTheDarkStopsTheApplicationForOneProbeTimeoutOnly() throws {
        let pair = Pair.established(sending: true)
        let at = pair.now
        try switchIntoTheDark(pair)
        pair.run(10_000_000)
        #expect(pair.gateway.longestGap(from: at + 20_000, to: pair.now) <= 150_000)
        #expect(pair.client.longestGap(from: at + 20_000, to: pair.now) <= 150_000, "the gateway's echoes too")
    }

    @Test func aWishThatCameToNothingIsNotTriedForEver() throws {
        let pair = Pair.established(sending: true)
        let at = pair.now
        try switchIntoTheDark(pair)
        pair.run(10_000_000)
        let attempts = pair.client.events(JMP_EVENT_REATTACH_ATTEMPT, since: at).filter { textOf($0.to_transport) == "udp:B" }
        #expect(attempts.count == 1, "\(pair.client.ladder(since: at))")
        #expect(pair.client.ladder(since: at).suffix(2) == ["RECOVERING stability_window_met", "ATTACHED reattach_success"])
        for node in [pair.client, pair.gateway] {
            #expect(node.info().state == JMP_STATE_ATTACHED && node.info().active_transport == 0)
            #expect(node.stats().switches == 0)
        }
        // The next wish is a new one.
        pair.links[1].mend()
        pair.run(5_000_000)
        expectOK(jmp_session_request_switch(pair.client.handle, pair.client.session, UInt32.max, pair.now))
        pair.drain(.client)
        pair.run(200_000)
        #expect(pair.info(.client).active_transport == 1 && pair.info(.client).state == JMP_STATE_ATTACHED)
    }

    /// The same without an operator: the lossy path is left for a standby that is not there any more.
    @Test func leavingALossyPathForADarkOneGoesBackToTheLossyOne() {
        let pair = Pair.established(sending: true)
        let at = pair.now
        pair.links[0].lossPerMille = [250, 250]
        pair.links[1].cut()
        pair.run(6_000_000)
        #expect(pair.client.ladder(since: at).contains { $0.hasPrefix("RECOVERING") }, "the standby was tried")
        #expect(pair.gateway.longestGap(from: at, to: pair.now) <= 250_000)
    }
}
