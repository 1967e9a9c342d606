import Testing
@testable import JumpingWire

struct ClientHelloTests {
    private func example() -> ClientHello {
        var hello = ClientHello()
        hello.sessionID.words = (0x1122_3344_5566_7788, 0x99AA_BBCC_DDEE_FF00)
        hello.suites = 5
        hello.transportClass = 31
        hello.transportName = text("udp:A")
        hello.label = text("DEMO-SESSION")
        hello.limits.maxLifetime = 1
        hello.limits.transportLostTTL = 2
        hello.limits.recoveryWindow = 3
        hello.limits.proofMaxAge = 4
        hello.limits.switchCooldown = .max
        hello.limits.maxSwitchesPerMinute = 6
        hello.limits.maxCandidates = 7
        hello.limits.allowedClasses = 0x8000_0001
        hello.limits.strictBinding = true
        return hello
    }

    private func bytes(_ hello: ClientHello) -> [UInt8] {
        let (bytes, failed) = writing(ClientHello.length) { hello.write(&$0) }
        #expect(!failed)
        return bytes
    }

    @Test func itAlwaysHasTheSameLength() {
        #expect(bytes(ClientHello()).count == ClientHello.length)
        #expect(bytes(example()).count == ClientHello.length)
        var longest = example()
        longest.transportName = text("0123456789abcde")
        longest.label = text("0123456789abcdef0123456789abcde")
        #expect(bytes(longest).count == ClientHello.length)
    }

    @Test func everyFieldRoundTrips() throws {
        let sent = example()
        let hello = try #require(bytes(sent).withUnsafeBytes { ClientHello($0) })
        #expect(hello.sessionID == sent.sessionID)
        #expect((hello.suites, hello.transportClass) == (5, 31))
        #expect(hello.transportName == sent.transportName)
        #expect(hello.label == sent.label)
        let limits = hello.limits
        #expect((limits.maxLifetime, limits.transportLostTTL, limits.recoveryWindow, limits.proofMaxAge) == (1, 2, 3, 4))
        #expect((limits.switchCooldown, limits.maxSwitchesPerMinute, limits.maxCandidates) == (.max, 6, 7))
        #expect((limits.allowedClasses, limits.strictBinding) == (0x8000_0001, true))
        #expect(bytes(hello) == bytes(sent))
    }

    @Test func anyOtherLengthIsRefused() {
        let whole = bytes(example())
        for length in 0..<whole.count { #expect(whole[0..<length].withUnsafeBytes { ClientHello($0) } == nil) }
        #expect((whole + [0]).withUnsafeBytes { ClientHello($0) } == nil)
    }

    @Test func aTransportClassBeyond31OrAnUnprintableTextIsRefused() {
        var wrong = bytes(example())
        wrong[17] = 32
        #expect(wrong.withUnsafeBytes { ClientHello($0) } == nil)
        wrong = bytes(example())
        wrong[19] = 0x07
        #expect(wrong.withUnsafeBytes { ClientHello($0) } == nil)
        wrong = bytes(example())
        wrong[18] = 16
        #expect(wrong.withUnsafeBytes { ClientHello($0) } == nil)
    }

    @Test(arguments: UInt64(0)..<50)
    func garbageNeverTraps(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<100 {
            var payload = bytes(example())
            for _ in 0..<4 { payload[Int.random(in: 16..<60, using: &random)] = UInt8.random(in: 0...255, using: &random) }
            if let hello = payload.withUnsafeBytes({ ClientHello($0) }) {
                #expect(hello.transportClass < 32)
                #expect(hello.transportName.count <= 15 && hello.label.count <= 31)
            }
        }
    }
}
