import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping
@testable import JumpingSession

/// What was kept for an address that is not proven goes with the address, or with the socket that leads there.
struct ForgottenAddressTests {
    private let newAddress = address([10, 9, 9, 9, 1, 2])

    private func pair() -> Pair {
        var options = PairOptions()
        options.offered = 1
        return Pair.established(options)
    }

    /// Copies for the new address wait for the host to fetch them; meanwhile it closes that socket.
    @Test func nothingIsSentOnATransportThatIsGone() {
        let pair = pair()
        let long = [FrameType.payload] + [UInt8](repeating: 7, count: 200)
        pair.inject(pair.client.forge(long), to: .gateway, link: 1, from: newAddress)
        #expect(pair.gateway.path(on: 1)?.role == UInt32(JMP_PATH_PROVISIONAL))
        let (status, sealed) = pair.gateway.seal([1, 2, 3], pair.now)
        expectOK(status)
        #expect(sealed?.0.transport == 0)
        #expect(pair.gateway.endpoint.pointee.env.outgoing.count > 0, "a copy waits")
        expectOK(jmp_transport_remove(pair.gateway.handle, 1, pair.now))
        while let (datagram, _) = pair.gateway.poll(pair.now) { #expect(datagram.transport == 0) }
        #expect(pair.info(.gateway).state == JMP_STATE_ATTACHED && pair.info(.gateway).active_transport == 0)
    }

    /// The same request from the same address, after that had been forgotten: the old refusal is no answer to it.
    @Test func aRequestIsJudgedAnewAfterItsAddressWasForgotten() {
        let pair = pair()
        pair.tap = { _, _, _ in true }   // the client hears of nothing and asks for nothing itself
        func ask(version: UInt32) {
            let request = Frames.reattach(77, version: version, cause: JMP_REASON_NAT_REBINDING)
            pair.inject(pair.client.forge(request), to: .gateway, link: 1, from: newAddress)
        }
        ask(version: 9)
        #expect(pair.gateway.events(JMP_EVENT_REATTACH_RESULT).map { Int32($0.reason) } == [JMP_REASON_STALE_STATE_VERSION])
        pair.run(2_000_000)
        #expect(pair.gateway.path(on: 1) == nil)
        ask(version: 0)
        #expect(pair.gateway.events(JMP_EVENT_REATTACH_ATTEMPT).count == 2)
        #expect(pair.gateway.events(JMP_EVENT_REATTACH_RESULT).count == 1, "it waits for its proof")
    }
}
