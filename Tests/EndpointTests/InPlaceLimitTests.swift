import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping
@testable import JumpingSession

/// Reattaches in place spend no switch, but they are not without a limit: each is three transitions at the gateway.
struct InPlaceLimitTests {
    private let elsewhere = address([66, 66, 66, 66, 0, 66])

    private func pair() -> Pair {
        var options = PairOptions()
        options.offered = 1
        return Pair.established(options)
    }

    /// A healing that was none, from the active path.
    private func heal(_ pair: Pair, _ attempt: UInt64) -> Int32? {
        let version = UInt32(truncatingIfNeeded: pair.info(.gateway).binding_version)
        pair.inject(pair.client.forge(Frames.reattach(attempt, version: version, cause: JMP_REASON_STABILITY_WINDOW_MET)), to: .gateway)
        return pair.gateway.events(JMP_EVENT_REATTACH_RESULT).last.map { Int32($0.reason) }
    }

    @Test func sixtyBindsInPlaceAMinuteAndNoMore() {
        let pair = pair()
        for attempt in 1...60 as ClosedRange<UInt64> { #expect(heal(pair, attempt) == JMP_REASON_REATTACH_SUCCESS) }
        let before = pair.info(.gateway)
        for attempt in 61...200 as ClosedRange<UInt64> { #expect(heal(pair, attempt) == JMP_REASON_POLICY_DENIED) }
        #expect(pair.info(.gateway).binding_version == 60)
        #expect(pair.info(.gateway).state_version == before.state_version, "no transition without a bind")
        #expect(pair.info(.gateway).state == JMP_STATE_ATTACHED && pair.gateway.stats().switches == 0)
    }

    @Test func theMinuteSlides() {
        let pair = pair()
        for attempt in 1...60 as ClosedRange<UInt64> { _ = heal(pair, attempt) }
        #expect(heal(pair, 61) == JMP_REASON_POLICY_DENIED)
        pair.skip(59_000_000)
        #expect(heal(pair, 62) == JMP_REASON_POLICY_DENIED)
        pair.skip(1_500_000)
        #expect(heal(pair, 63) == JMP_REASON_REATTACH_SUCCESS)
    }

    /// A new address of the active path counts with them.
    @Test func aNewAddressIsBoundByTheSameLimit() {
        let pair = pair()
        for attempt in 1...60 as ClosedRange<UInt64> { _ = heal(pair, attempt) }
        let request = Frames.reattach(99, version: 60, cause: JMP_REASON_NAT_REBINDING)
        pair.inject(pair.client.forge(request), to: .gateway, from: elsewhere)
        #expect(pair.gateway.events(JMP_EVENT_REATTACH_RESULT).last.map { Int32($0.reason) } == JMP_REASON_POLICY_DENIED)
        #expect(pair.info(.gateway).binding_version == 60)
    }

    /// The limit of what stays in place leaves a switch alone.
    @Test func aSwitchIsStillBound() throws {
        let pair = pair()
        for attempt in 1...60 as ClosedRange<UInt64> { _ = heal(pair, attempt) }
        pair.inject(pair.client.forge(Frames.reattach(99, version: 60), index: 1), to: .gateway, link: 1)
        let slot = try #require(pair.gateway.slot(on: 1))
        let challenge = try #require(pair.gateway.withCore { $0.paths[slot].challenge })
        pair.inject(pair.client.forge(Frames.response(challenge), index: 1), to: .gateway, link: 1)
        #expect(pair.info(.gateway).binding_version == 61 && pair.info(.gateway).active_transport == 1)
    }
}
