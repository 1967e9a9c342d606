import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping
@testable import JumpingSession

/// The gateway's socket goes away while the client's new address, seen on another socket, is still to be proven.
struct ProvisionalWithoutActiveTests {
    private let newAddress = address([10, 9, 9, 9, 1, 2])

    /// The client is heard from its new address on transport 1, then the gateway loses transport 0.
    private func moved() -> Pair {
        var options = PairOptions()
        options.offered = 1
        let pair = Pair.established(options)
        pair.inject(pair.client.forge([FrameType.payload, 7]), to: .gateway, link: 1, from: newAddress)
        #expect(pair.gateway.path(on: 1)?.role == UInt32(JMP_PATH_PROVISIONAL))
        expectOK(jmp_transport_remove(pair.gateway.handle, 0, pair.now))
        pair.drain(.gateway)
        #expect(pair.info(.gateway).state != JMP_STATE_ATTACHED)
        return pair
    }

    private func prove(_ pair: Pair) throws {
        let slot = try #require(pair.gateway.slot(on: 1))
        let challenge = try #require(pair.gateway.withCore { $0.paths[slot].challenge })
        let frames = Frames.response(challenge) + Frames.reattach(1, version: 0, cause: JMP_REASON_NAT_REBINDING)
        pair.inject(pair.client.forge(frames), to: .gateway, link: 1, from: newAddress)
    }

    @Test func theProvenAddressBecomesTheActivePath() throws {
        let pair = moved()
        try prove(pair)
        let info = pair.info(.gateway)
        #expect(info.state == JMP_STATE_ATTACHED && info.binding_version == 1 && info.active_transport == 1)
        let active = pair.gateway.paths().filter { $0.role == JMP_PATH_ACTIVE }
        #expect(active.count == 1 && pair.gateway.paths().count == 1)
        #expect(active.first.map { isSame($0.address, newAddress) && $0.validated == 1 && $0.path == info.active_path } == true)
    }

    @Test func everyDatagramHasAnAddress() throws {
        let pair = moved()
        var toNew = 0
        pair.onSend = { side, datagram, _ in
            guard side == .gateway else { return }
            #expect(datagram.to.length != 0 && datagram.transport == 1)
            toNew += isSame(datagram.to, newAddress) ? 1 : 0
        }
        try prove(pair)
        let (status, payload) = pair.gateway.seal([1, 2, 3], pair.now)
        expectOK(status)
        #expect(payload.map { isSame($0.0.to, newAddress) && $0.0.transport == 1 } == true)
        pair.run(500_000)
        #expect(toNew > 0)
    }

    /// What comes under the same index next is the active path's.
    @Test func thePathKeepsItsIndex() throws {
        let pair = moved()
        try prove(pair)
        let received = pair.inject(pair.client.forge([FrameType.payload, 8]), to: .gateway, link: 1, from: newAddress)
        #expect(received.kind == JMP_RECEIVED_PAYLOAD && received.path == pair.info(.gateway).active_path)
        #expect(pair.gateway.paths().count == 1)
    }
}
