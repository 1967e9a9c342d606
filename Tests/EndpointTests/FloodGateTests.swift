import JumpingCrypto
import JumpingWire
import Testing
@testable import Jumping

struct FloodGateTests {
    private func source(_ host: UInt8, port: UInt8 = 1) -> Address {
        let octets: [UInt8] = [10, 0, 0, host, 0, port]
        return octets.withUnsafeBytes { Address($0.baseAddress!, length: 6, prefixLength: 4)! }
    }

    private func gate(rate: UInt32, burst: UInt32, _ body: (inout FloodGate, inout RandomSource) -> Void) {
        let seed = [UInt8](repeating: 5, count: 32)
        var random = RandomSource(seed: seed)
        var gate = FloodGate(random: &random, rate: rate, burst: burst, now: 1_000_000)
        body(&gate, &random)
    }

    @Test func aSourceHasItsBurstAndThenItsRate() {
        gate(rate: 10, burst: 5) { gate, _ in
            var now: UInt64 = 1_000_000
            for _ in 0..<5 { verify(gate.takeToken(source(1), now: now)) }
            verify(!gate.takeToken(source(1), now: now))
            now += 100_000
            verify(gate.takeToken(source(1), now: now), "ten a second is one in 100 ms")
            verify(!gate.takeToken(source(1), now: now))
        }
    }

    @Test func portsOfOneHostShareABucket() {
        gate(rate: 1, burst: 2) { gate, _ in
            verify(gate.takeToken(source(1, port: 1), now: 1_000_000))
            verify(gate.takeToken(source(1, port: 2), now: 1_000_000))
            verify(!gate.takeToken(source(1, port: 3), now: 1_000_000))
            verify(gate.takeToken(source(2), now: 1_000_000))
        }
    }

    private func cookie(_ gate: inout FloodGate, _ random: inout RandomSource, _ from: Address, _ id: UInt64, _ now: UInt64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: HandshakePacket.cookieLength)
        bytes.withUnsafeMutableBytes {
            var writer = ByteWriter($0)
            gate.writeCookie(&writer, transport: 3, from: from, handshakeID: id, random: &random, now: now)
        }
        return bytes
    }

    @Test func aCookieIsGoodForItsAddressTransportAndHandshakeForOneToTwoMinutes() {
        gate(rate: 10, burst: 5) { gate, random in
            let start: UInt64 = 1_000_000
            let good = cookie(&gate, &random, source(1), 77, start)
            func accepts(_ from: Address, _ transport: UInt32, _ id: UInt64, _ now: UInt64) -> Bool {
                good.withUnsafeBytes { gate.acceptsCookie($0, transport: transport, from: from, handshakeID: id, random: &random, now: now) }
            }
            verify(accepts(source(1), 3, 77, start))
            verify(!accepts(source(2), 3, 77, start))
            verify(!accepts(source(1), 4, 77, start))
            verify(!accepts(source(1), 3, 78, start))
            verify(accepts(source(1), 3, 77, start + 60_000_001), "the slot before is still good")
            verify(!accepts(source(1), 3, 77, start + 180_000_000))
        }
    }

    @Test func everyChangedBitOfACookieIsRefused() {
        gate(rate: 10, burst: 5) { gate, random in
            let good = cookie(&gate, &random, source(1), 77, 1_000_000)
            for bit in 0..<(8 * good.count) {
                var bad = good
                bad[bit / 8] ^= 1 << UInt8(bit % 8)
                let accepted = bad.withUnsafeBytes {
                    gate.acceptsCookie($0, transport: 3, from: source(1), handshakeID: 77, random: &random, now: 1_000_000)
                }
                verify(!accepted)
            }
        }
    }

    @Test func unprovenHandshakesAreCountedPerSecond() {
        gate(rate: 10, burst: 5) { gate, _ in
            for _ in 0..<3 { verify(gate.takeUnproven(limit: 3, now: 5_000_000)) }
            verify(!gate.takeUnproven(limit: 3, now: 5_500_000))
            verify(gate.takeUnproven(limit: 3, now: 6_000_000))
            verify(!gate.takeUnproven(limit: 0, now: 9_000_000), "a threshold of 0 always asks")
        }
    }
}
