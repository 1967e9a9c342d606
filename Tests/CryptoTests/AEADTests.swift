import Testing
@testable import JumpingCrypto

struct AEADTests {
    init() { #expect(Sodium.initialize()) }

    /// RFC 8439 §2.8.2.
    @Test func chaCha20Poly1305KnownAnswer() {
        let plaintext = Array("""
            Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen \
            would be it.
            """.utf8)
        let sealer = Sealer(.chacha20Poly1305, key: counting(32, from: 0x80), iv: hex("070000004041424344454647"))
        let sealed = sealer.seal(plaintext, aad: hex("50515253c0c1c2c3c4c5c6c7"))
        #expect(sealed == hex("""
            d31a8d34648e60db7b86afbc53ef7ec2 a4aded51296e08fea9e2b5a736ee62d6 3dbea45e8ca9671282fafb69da92728b
            1a71de0a9e060b2905d6a5b67ecd3b36 92ddbd7f2d778b8c9803aee328091b58 fab324e4fad675945585808b4831d7bc
            3ff4def08e4b7a9de576d26586cec64b 6116 1ae10b594f09e26a7e902ecbd0600691
            """))
        #expect(sealer.open(sealed, aad: hex("50515253c0c1c2c3c4c5c6c7")) == plaintext)
    }

    /// Test case 16 of the GCM specification's appendix B.
    @Test(.enabled(if: runnableSuites().contains(.aes256GCM)))
    func aes256GCMKnownAnswer() {
        let key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")
        let plaintext = hex("""
            d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
            1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39
            """)
        let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
        let sealer = Sealer(.aes256GCM, key: key, iv: hex("cafebabefacedbaddecaf888"))
        let sealed = sealer.seal(plaintext, aad: aad)
        #expect(sealed == hex("""
            522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
            8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662 76fc6ece0f4e1768cddf8853bb2d551b
            """))
        #expect(sealer.open(sealed, aad: aad) == plaintext)
    }

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

    @Test(arguments: runnableSuites())
    func aDroppedScheduleIsMadeAgain(suite: Suite) {
        let sealer = Sealer(suite, key: counting(32), iv: counting(suite.nonceLength))
        #expect(!sealer.hasSchedule)
        let first = sealer.seal(counting(30), number: 1)
        #expect(sealer.hasSchedule == (suite == .aes256GCM))
        sealer.key.dropSchedule()
        sealer.key.dropSchedule()
        #expect(!sealer.hasSchedule)
        let second = sealer.seal(counting(30), number: 1)
        #expect(first == second)
        sealer.key.dropSchedule()
        let opened = sealer.open(first, number: 1)
        #expect(opened == counting(30))
    }

    @Test(.enabled(if: runnableSuites().count < Suite.allCases.count))
    func aSuiteThatCannotRunHereSealsNothingAndOpensNothing() {
        for suite in Suite.allCases where Suite.available & UInt32(suite.rawValue) == 0 {
            var key = AEADKey(suite: suite, key: counting(32), iv: counting(32))
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
        var key = AEADKey(suite: .chacha20Poly1305, key: counting(32), iv: counting(12))
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
