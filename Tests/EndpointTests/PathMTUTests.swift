import CJumping
import JumpingC
import JumpingSession
import Testing
@testable import Jumping

/// How long datagrams may be, as each path shows it (RFC 8899).
struct PathMTUTests {
    private func established(links: Int = 1, mtu: UInt32 = 1400) -> Pair {
        let pair = Pair.established { $0.links = links }
        for i in 0..<links {
            for side in [Side.client, .gateway] {
                var transport = jmp_transport_config()
                expectOK(jmp_transport_config_init(&transport))
                setText(&transport.name, "udp:" + String(UnicodeScalar(UInt8(65 + i))))
                transport.mtu = mtu
                expectOK(jmp_transport_set(pair.node(side).handle, UInt32(i), &transport, pair.now))
            }
        }
        return pair
    }

    private func longest(_ pair: Pair, of count: Int, payload: Int = 60_000) -> Int {
        var longest = 0
        pair.onSend = { side, _, bytes in if side == .client { longest = max(longest, bytes.count) } }
        for i in 0..<count {
            #expect(pair.sendProtected(.client, ProtectedDeliveryTests.payload(UInt64(i), payload)) == JMP_OK)
            pair.run(200_000)
        }
        pair.onSend = nil
        return longest
    }

    @Test func theFirstDatagramsAreShortAndTheRestAsLongAsThePathCarries() {
        let pair = established()
        var lengths: [Int] = []
        pair.onSend = { side, _, bytes in if side == .client { lengths.append(bytes.count) } }
        expectOK(pair.sendProtected(.client, ProtectedDeliveryTests.payload(0, 60_000)))
        pair.run(1_000_000)
        #expect(pair.gateway.protected.count == 1)
        #expect(lengths.filter { $0 > 1000 }.prefix(9).allSatisfy { $0 <= 1200 })
        #expect(lengths.filter { $0 > 1384 && $0 <= 1400 }.count > 20)
        #expect(pair.info(.client).max_payload == 1400 - 30 - 42)
    }

    /// Up to frames of 2,000 bytes that the path does not carry.
    @Test(arguments: [(1400, 1300), (1400, 1200), (2000, 1500), (2000, 1999), (2000, 1200)])
    func theSearchFindsWhatThePathCarries(told: Int, carried: Int) {
        let pair = established(mtu: UInt32(told))
        pair.links[0].mtu = carried
        expectOK(pair.sendProtected(.client, ProtectedDeliveryTests.payload(0, 60_000)))
        pair.run(6_000_000)
        let found = Int(pair.info(.client).max_payload) + 30 + 42
        #expect(found <= carried + 16 && found > carried - 32)
        let longest = longest(pair, of: 3)
        #expect(longest <= carried && longest > carried - 64)
        #expect(pair.gateway.protected.count == 4)
        #expect(pair.client.ladder(since: 0) == ["ATTACHED handshake_ok"])
    }

    /// The route changes: what was carried is carried no more.
    @Test(arguments: [1, 2])
    func aBlackHoleForLongDatagramsIsFound(links: Int) {
        let pair = established(links: links)
        #expect(longest(pair, of: 3) > 1384)
        pair.links[0].mtu = 1250
        let at = pair.now
        for i in 3..<23 as Range<UInt64> {
            expectOK(pair.sendProtected(.client, ProtectedDeliveryTests.payload(i, 5000)))
            pair.run(50_000)
        }
        pair.run(4_000_000)
        #expect(pair.gateway.protected.map(ProtectedDeliveryTests.number).sorted() == (0..<23).map(UInt64.init))
        let first = pair.gateway.protected.first { $0.at > at }
        #expect(first.map { $0.at - at <= 250_000 } == true)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
    }

    @Test func expendablePayloadsKeepTheLengthTheirHostChoseUntilSomethingSpeaksAgainst() {
        let pair = established()
        let limit = Int(pair.info(.client).max_payload)
        pair.links[0].mtu = 1300
        for _ in 0..<40 {
            _ = pair.send(.client, [UInt8](repeating: 1, count: limit))
            pair.run(25_000)
        }
        pair.run(3_000_000)
        let learned = Int(pair.info(.client).max_payload)
        #expect(learned < 1300 && learned > 1150)
        #expect(pair.send(.client, [UInt8](repeating: 1, count: limit)) == JMP_ERR_TOO_LONG)
        let before = pair.gateway.payloads.count
        #expect(pair.send(.client, [UInt8](repeating: 1, count: learned)) == JMP_OK)
        pair.run(100_000)
        #expect(pair.gateway.payloads.count == before + 1)
    }

    /// A session that sends nothing long asks nothing.
    @Test func shortPayloadsAskForNothing() {
        let pair = established(links: 2)
        var longest = 0
        pair.onSend = { _, _, bytes in longest = max(longest, bytes.count) }
        for _ in 0..<200 {
            pair.send(.client)
            pair.run(5000)
        }
        #expect(longest < 200)
    }

    @Test func aJumpAsksTheNewPath() {
        let pair = established(links: 2)
        pair.links[1].mtu = 1280
        #expect(longest(pair, of: 3) > 1384)
        pair.links[0].cut()
        for i in 3..<40 as Range<UInt64> {
            expectOK(pair.sendProtected(.client, ProtectedDeliveryTests.payload(i, 5000)))
            pair.run(25_000)
        }
        pair.run(3_000_000)
        #expect(pair.info(.client).active_transport == 1)
        #expect(pair.gateway.protected.count == 40)
        #expect(longest(pair, of: 2) <= 1280)
    }
}
