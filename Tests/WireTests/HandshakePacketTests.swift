import Testing
@testable import JumpingWire

struct HandshakePacketTests {
    /// INIT: C1 | version 4 | handshake id 8 | pattern 1 | hint length 1, hint | cookie length 1, cookie | Noise message 1
    private func initBytes(hint: [UInt8] = Array("alice".utf8), cookie: [UInt8] = [], noise: [UInt8] = [9, 8, 7],
                           version: UInt8 = 1) -> [UInt8] {
        [0xC1, 0, 0, 0, version, 1, 2, 3, 4, 5, 6, 7, 8, 2, UInt8(hint.count)] + hint + [UInt8(cookie.count)] + cookie + noise
    }

    private let cookie = [UInt8](repeating: 0x5A, count: 17)

    private func parses(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { InitPacket($0) != nil }
    }

    // MARK: INIT

    @Test func anInitIsReadFieldByField() throws {
        let bytes = initBytes(cookie: cookie)
        try bytes.withUnsafeBytes { view in
            let packet = try #require(InitPacket(view))
            #expect(packet.version == HandshakePacket.version)
            #expect(packet.handshakeID == 0x0102_0304_0506_0708)
            #expect(packet.pattern == 2)
            #expect(Array(packet.hint) == Array("alice".utf8))
            #expect(Array(packet.cookie) == cookie)
            #expect(Array(packet.noise) == [9, 8, 7])
        }
    }

    @Test func thePrologueIsEverythingInClearButTheCookie() throws {
        let with = initBytes(cookie: cookie), without = initBytes()
        let prologues = try [with, without].map { bytes in
            try bytes.withUnsafeBytes { Array(try #require(InitPacket($0)).prologue) }
        }
        #expect(prologues[0] == prologues[1])
        #expect(prologues[0] == Array(without[0..<20]))
        let written = writing(100) { writer in
            Array("alice".utf8).withUnsafeBytes { InitPacket.writePrologue(&writer, handshakeID: 0x0102_0304_0506_0708, pattern: 2, hint: $0) }
        }
        #expect(written.bytes == prologues[0])
    }

    @Test func everyTruncationOfTheClearPartIsRefused() {
        let bytes = initBytes(cookie: cookie, noise: [])
        for length in 0..<bytes.count { #expect(!parses(Array(bytes[0..<length])), "cut to \(length)") }
        #expect(parses(bytes))
    }

    @Test func aForeignVersionIsStillTold() {
        let version = initBytes(version: 9).withUnsafeBytes { InitPacket($0)?.version }
        #expect(version == 9)
    }

    @Test func lengthsHaveTheirLimits() {
        #expect(parses(initBytes(hint: [UInt8](repeating: 1, count: 32))))
        #expect(!parses(initBytes(hint: [UInt8](repeating: 1, count: 33))))
        for count in [1, 16, 18, 32, 255] { #expect(!parses(initBytes(cookie: [UInt8](repeating: 1, count: count), noise: [UInt8](repeating: 2, count: 300)))) }
        #expect(parses(initBytes(noise: [UInt8](repeating: 2, count: HandshakePacket.noiseCapacity))))
        #expect(!parses(initBytes(noise: [UInt8](repeating: 2, count: HandshakePacket.noiseCapacity + 1))))
        let largest = initBytes(hint: [UInt8](repeating: 1, count: 32), cookie: cookie, noise: [UInt8](repeating: 2, count: HandshakePacket.noiseCapacity))
        #expect(largest.count == HandshakePacket.initCapacity)
    }

    @Test(arguments: UInt8.min...UInt8.max)
    func everyKindBeginsWithItsOwnByte(first: UInt8) {
        let rest = [UInt8](repeating: 0, count: 25)
        ([first] + rest).withUnsafeBytes { view in
            #expect((InitPacket(view) != nil) == (first == 0xC1))
            #expect((ResponsePacket(view) != nil) == (first == 0xC2))
            #expect((CookiePacket(view) != nil) == (first == 0xC3))
        }
        #expect(HandshakePacket.adoptByte == 0xC4)
    }

    // MARK: RESP and COOKIE

    @Test func aResponseIsHandshakeIDAndNoise() throws {
        let bytes: [UInt8] = [0xC2, 1, 2, 3, 4, 5, 6, 7, 8, 0xAA, 0xBB]
        try bytes.withUnsafeBytes { view in
            let packet = try #require(ResponsePacket(view))
            #expect(packet.handshakeID == 0x0102_0304_0506_0708)
            #expect(Array(packet.noise) == [0xAA, 0xBB])
        }
        for length in 0..<9 { bytes.withUnsafeBytes { #expect(ResponsePacket(UnsafeRawBufferPointer(rebasing: $0[0..<length])) == nil) } }
        let longest = [UInt8](repeating: 0xC2, count: HandshakePacket.responseCapacity)
        longest.withUnsafeBytes { #expect(ResponsePacket($0) != nil) }
        (longest + [1]).withUnsafeBytes { #expect(ResponsePacket($0) == nil) }
    }

    @Test func aCookiePacketHasExactlyOneLength() throws {
        let bytes: [UInt8] = [0xC3, 1, 2, 3, 4, 5, 6, 7, 8] + cookie
        #expect(bytes.count == HandshakePacket.cookiePacketLength)
        try bytes.withUnsafeBytes { view in
            let packet = try #require(CookiePacket(view))
            #expect(packet.handshakeID == 0x0102_0304_0506_0708)
            #expect(Array(packet.cookie) == cookie)
        }
        for length in 0..<bytes.count { bytes.withUnsafeBytes { #expect(CookiePacket(UnsafeRawBufferPointer(rebasing: $0[0..<length])) == nil) } }
        (bytes + [1]).withUnsafeBytes { #expect(CookiePacket($0) == nil) }
    }

    /// A RESP is never longer than the shortest INIT: no amplification.
    @Test func aResponseIsNeverLongerThanTheInitItAnswers() {
        let shortestInit = initBytes(hint: [], noise: []).count + 32 + ClientHello.length + 16
        let gatewayHelloCapacity = 1 + 2 + 13 * 8 + 8 * 4 + 1 + 1 + 31
        #expect(HandshakePacket.responseHeaderLength + 32 + gatewayHelloCapacity + 16 <= shortestInit)
    }

    @Test(arguments: UInt64(0)..<100)
    func garbageNeverTraps(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<50 {
            var bytes = Bool.random(using: &random) ? random.bytes(Int.random(in: 0...400, using: &random))
                : initBytes(cookie: cookie, noise: random.bytes(240))
            for _ in 0..<3 where !bytes.isEmpty {
                bytes[Int.random(in: 0..<min(bytes.count, 45), using: &random)] = UInt8.random(in: .min ... .max, using: &random)
            }
            if !bytes.isEmpty { bytes[0] = 0xC0 + UInt8.random(in: 1...3, using: &random) }
            bytes.withUnsafeBytes { view in
                if let packet = InitPacket(view) {
                    #expect(packet.prologue.count + 1 + packet.cookie.count + packet.noise.count == view.count)
                }
                if let packet = ResponsePacket(view) { #expect(packet.noise.count == view.count - 9) }
                if let packet = CookiePacket(view) { #expect(packet.cookie.count == 17) }
            }
        }
    }
}
