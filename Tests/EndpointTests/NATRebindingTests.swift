import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping

/// The client's address changes without its knowledge (DESIGN section 5, "NAT rebinding").
struct NATRebindingTests {
    private let elsewhere = address([66, 66, 66, 66, 0, 66])

    @Test func theSessionFollowsTheClientToItsNewAddress() throws {
        let pair = Pair.established(sending: true)
        let at = pair.now, id = bytes(pair.info(.client).session_id), before = pair.clientAddress(0)
        var handshakes = 0
        pair.tap = { _, _, bytes in
            if !Kind.isData(bytes) { handshakes += 1 }
            return false
        }
        pair.links[0].clientPort = 61_000
        pair.run(2_000_000)
        #expect(handshakes == 0)
        for node in [pair.client, pair.gateway] {
            #expect(node.ladder(since: at)
                    == ["VOLATILE peer_reported_volatility", "RECOVERING dead_transport_recovery", "ATTACHED reattach_success"])
            #expect(node.info().binding_version == 1 && node.info().active_transport == 0)
            #expect(bytes(node.info().session_id) == id)
            #expect(node.info().switches_last_minute == 0, "none of the client's switch budget is spent")
        }
        let switches = pair.gateway.events(JMP_EVENT_TRANSPORT_SWITCH)
        #expect(switches.count == 1)
        let change = try #require(switches.first)
        #expect(isSame(change.from_address, before) && isSame(change.to_address, pair.clientAddress(0)))
        #expect(pair.client.events(JMP_EVENT_TRANSPORT_SWITCH).isEmpty, "the client's own address has not changed for it")
        #expect(pair.client.longestGap(from: at, to: pair.now) <= 20_000 + 10_000, "one way there, and one send interval")
    }

    /// Until the new address is proven, payloads go to both, and never more than three times what came from the new one.
    @Test func payloadsGoToBothAddressesWithinTheAmplificationLimit() {
        var options = PairOptions()
        options.links = 1
        let pair = Pair.established(options, sending: true)
        let old = pair.clientAddress(0)
        var received = 0, toNew = 0, toOld = 0, copies = 0
        pair.tap = { [unowned pair] side, link, bytes in
            guard side == .client, link == 0 else { return false }
            let frames = pair.gateway.frames(of: bytes)
            // The client's proof is lost for a while.
            if frames.contains(FrameType.pathResponse) || frames.contains(FrameType.reattach) { return true }
            received += bytes.count
            return false
        }
        pair.onSend = { [unowned pair] side, datagram, bytes in
            guard side == .gateway, datagram.transport == 0, pair.gateway.info().binding_version == 0 else { return }
            if isSame(datagram.to, old) {
                toOld += 1
            } else {
                toNew += bytes.count
                copies += pair.client.frames(of: bytes).contains(FrameType.payload) ? 1 : 0
                #expect(isSame(datagram.to, pair.clientAddress(0)))
                #expect(toNew <= 3 * received)
            }
        }
        pair.links[0].clientPort = 61_000
        pair.run(300_000)
        #expect(pair.info(.gateway).binding_version == 0, "not proven, not bound")
        #expect(copies > 30 && toOld > 30)
        pair.tap = nil
        pair.run(1_000_000)
        #expect(pair.info(.gateway).binding_version == 1)
    }

    /// Somebody on the path sends the client's datagrams on from his own address: he gains nothing and spends nothing.
    @Test func aRelayGainsNothing() {
        let pair = Pair.established(sending: true)
        var count = 0
        var relayed: [[UInt8]] = []
        pair.tap = { side, link, bytes in
            guard side == .client, link == 0 else { return false }
            count += 1
            guard count % 20 == 0 else { return false }
            relayed.append(bytes)
            return true
        }
        let version = pair.info(.gateway).state_version
        for _ in 0..<100 {
            pair.run(50_000)
            while let bytes = relayed.popLast() { pair.inject(bytes, to: .gateway, from: elsewhere) }
        }
        #expect(pair.info(.gateway).binding_version == 0)
        #expect(pair.info(.gateway).state_version == version && pair.info(.client).state_version == version)
        #expect(pair.gateway.events(JMP_EVENT_TRANSPORT_SWITCH).isEmpty)
        #expect(pair.gateway.paths().contains { $0.role == JMP_PATH_ACTIVE && isSame($0.address, pair.clientAddress(0)) })
    }

    @Test func onlyTheNewestNumberMayMoveAnything() {
        let pair = Pair.established(sending: true)
        var late: [UInt8] = []
        pair.tap = { side, link, bytes in
            guard side == .client, link == 0, late.isEmpty else { return false }
            late = bytes
            return true
        }
        pair.run(100_000)
        let paths = pair.gateway.paths().count
        let received = pair.inject(late, to: .gateway, from: elsewhere)
        #expect(received.drop_cause == JMP_DROP_NONE, "receiving is liberal")
        #expect(pair.gateway.paths().count == paths, "binding is strict")
        #expect(!pair.gateway.paths().contains { isSame($0.address, elsewhere) })
    }

    @Test func strictBindingDeliversFromTheBoundPathOnly() {
        var options = PairOptions()
        options.tuneGatewayPolicy = { $0.strict_binding = 1 }
        let pair = Pair.established(options, sending: true)
        var taken: [UInt8] = []
        pair.tap = { [unowned pair] side, link, bytes in
            guard side == .client, link == 0, taken.isEmpty, pair.gateway.frames(of: bytes).contains(FrameType.payload) else { return false }
            taken = bytes
            return true
        }
        #expect(pair.run(until: { !taken.isEmpty }, within: 20_000, step: 1000))
        let before = pair.gateway.payloads.count
        #expect(pair.inject(taken, to: .gateway, from: elsewhere).drop_cause == JMP_DROP_STRICT_BINDING)
        #expect(pair.gateway.payloads.count == before)
    }

    @Test func aStandbyMovesToItsNewAddressToo() {
        let pair = Pair.established(sending: true)
        pair.links[1].clientPort = 61_001
        pair.run(5_000_000)
        #expect(pair.info(.gateway).binding_version == 0)
        #expect(pair.gateway.path(on: 1).map { isSame($0.address, pair.clientAddress(1)) && $0.validated == 1 } == true)
        let at = pair.now
        pair.links[0].cut()
        pair.run(1_000_000)
        #expect(pair.info(.client).active_transport == 1)
        #expect(pair.client.longestGap(from: at, to: pair.now) <= 150_000)
    }
}
