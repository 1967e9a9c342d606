import Testing
@testable import JumpingCrypto

struct AEADTests {
    init() { #expect(Sodium.initialize()) }

    /// draft-irtf-cfrg-aegis-aead, appendix A.3, test vectors 1 and 2.
    @Test(.enabled(if: runnableSuites().contains(.aegis256)))
    func aegis256KnownAnswer() {
        let sealer = Sealer(.aegis256, key: hex("1001") + [UInt8](repeating: 0, count: 30),
                            iv: hex("100002") + [UInt8](repeating: 0, count: 29))
        let sealed = sealer.seal([UInt8](repeating: 0, count: 16))
        #expect(sealed == hex("""
            754fc3d8c973246dcc6d741412a4b236 1181a1d18091082bf0266f66297d167d2e68b845f61a3b0527d31fc7b7b89f13
            """))
        #expect(sealer.seal([]) == hex("6a348c930adbd654896e1666aad67de989ea75ebaa2b82fb588977b1ffec864a"))
    }

    /// A packet number under one IV is the same nonce as number 0 under that IV ⊕ the number.
    @Test(arguments: runnableSuites(), [1, 0x0102_0304_0506_0708, UInt64.max] as [UInt64])
    func theNonceIsTheIVWithThePacketNumberInItsLastEightBytes(suite: Suite, number: UInt64) {
        let key = counting(32, from: 3), plaintext = counting(50)
        var iv = counting(suite.nonceLength, from: 0x70)
        let numbered = Sealer(suite, key: key, iv: iv)
        for index in 0..<8 {
            iv[suite.nonceLength - 1 - index] ^= UInt8(truncatingIfNeeded: number >> (8 * UInt64(index)))
        }
        let combined = Sealer(suite, key: key, iv: iv)
        let sealed = numbered.seal(plaintext, number: number)
        #expect(sealed == combined.seal(plaintext, number: 0))
    }

    @Test(arguments: runnableSuites())
    func everyLengthComesBack(suite: Suite) {
        let sealer = Sealer(suite, key: counting(32, from: 9), iv: counting(suite.nonceLength))
        for length in Array(0...70) + [1350, 65_000] {
            let plaintext = counting(length, from: 5)
            let sealed = sealer.seal(plaintext, aad: counting(16), number: UInt64(length))
            #expect(sealed.count == length + suite.tagLength)
            #expect(sealer.open(sealed, aad: counting(16), number: UInt64(length)) == plaintext)
        }
    }

    @Test(arguments: runnableSuites())
    func everyChangedBitIsRefused(suite: Suite) {
        let plaintext = counting(24), aad = counting(16, from: 0xA0)
        let sealer = Sealer(suite, key: counting(32, from: 9), iv: counting(suite.nonceLength))
        let sealed = sealer.seal(plaintext, aad: aad, number: 7)
        for bit in 0..<(sealed.count * 8) {
            var forged = sealed
            forged[bit / 8] ^= 1 << (bit % 8)
            #expect(sealer.open(forged, aad: aad, number: 7) == nil)
        }
        for bit in 0..<(aad.count * 8) {
            var forged = aad
            forged[bit / 8] ^= 1 << (bit % 8)
            #expect(sealer.open(sealed, aad: forged, number: 7) == nil)
        }
        for bit in 0..<64 {
            #expect(sealer.open(sealed, aad: aad, number: 7 ^ (1 << UInt64(bit))) == nil)
        }
        for length in 0..<sealed.count {
            #expect(sealer.open(Array(sealed.prefix(length)), aad: aad, number: 7) == nil)
        }
        #expect(sealer.open(sealed + [0], aad: aad, number: 7) == nil)
        #expect(sealer.open(sealed, aad: Array(aad.dropLast()), number: 7) == nil)
        #expect(sealer.open(sealed, aad: aad, number: 7) == plaintext)
    }

    /// Each direction has its own key; both do what the same keys do without schedules.
    @Test(arguments: runnableSuites())
    func readyKeysSealAndOpenAsTheirKeysDo(suite: Suite) throws {
        let toPeer = Sealer(suite, key: counting(32), iv: counting(suite.nonceLength)), fromPeer = Sealer(suite, key: counting(32, from: 7), iv: counting(suite.nonceLength))
        let made = ReadyKeys(suite: suite, send: { AEADKey(suite: suite, key: counting(32), iv: counting(suite.nonceLength)) },
                             receive: { AEADKey(suite: suite, key: counting(32, from: 7), iv: counting(suite.nonceLength)) })
        guard let ready = made else { return #expect(Bool(false), "no memory") }
        for number: UInt64 in [0, 1, 1 << 40] {
            var buffer = counting(30) + [UInt8](repeating: 0, count: suite.tagLength)
            let isSealed = ready.seal(suite: suite, packetNumber: number, aad: counting(13), aadLength: 13, buffer: &buffer, length: 30)
            #expect(isSealed && buffer == toPeer.seal(counting(30), aad: counting(13), number: number))
            var received = fromPeer.seal(counting(30), aad: counting(13), number: number)
            let count = received.count
            let isOpened = ready.open(suite: suite, packetNumber: number, aad: counting(13), aadLength: 13, buffer: &received, length: count)
            #expect(isOpened && Array(received.prefix(30)) == counting(30))
            let isOwnOpened = ready.open(suite: suite, packetNumber: number, aad: counting(13), aadLength: 13, buffer: &buffer, length: count)
            #expect(!isOwnOpened, "the directions have different keys")
        }
    }

    @Test(.enabled(if: runnableSuites().count < Suite.allCases.count))
    func aSuiteThatCannotRunHereSealsNothingAndOpensNothing() {
        for suite in Suite.allCases where Suite.available & UInt32(suite.rawValue) == 0 {
            let key = AEADKey(suite: suite, key: counting(32), iv: counting(32))
            var buffer = counting(40 + suite.tagLength, from: 1)
            let count = buffer.count
            let sealed = key.seal(packetNumber: 0, aad: counting(16), aadLength: 16, buffer: &buffer, length: 40)
            #expect(!sealed)
            #expect(buffer == [UInt8](repeating: 0, count: count))
            let opened = key.open(packetNumber: 0, aad: counting(16), aadLength: 16, buffer: &buffer, length: count)
            #expect(!opened)
        }
    }

    @Test func negativeLengthsAreRefused() {
        let key = AEADKey(suite: .chacha20Poly1305, key: counting(32), iv: counting(12))
        var buffer = counting(40)
        let results = [
            key.seal(packetNumber: 0, aad: counting(16), aadLength: 16, buffer: &buffer, length: -1),
            key.seal(packetNumber: 0, aad: counting(16), aadLength: -1, buffer: &buffer, length: 8),
            key.open(packetNumber: 0, aad: counting(16), aadLength: 16, buffer: &buffer, length: -1),
            key.open(packetNumber: 0, aad: counting(16), aadLength: Int.min, buffer: &buffer, length: 40),
        ]
        #expect(results == [false, false, false, false])
        #expect(buffer == counting(40))
    }
}
