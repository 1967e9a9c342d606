import JumpingWire
import Testing
@testable import JumpingCrypto
@testable import JumpingSession

/// One end's keys in a box, with datagrams as arrays.
private final class End {
    var keys: KeySchedule

    init(_ suite: Suite, send: [UInt8], receive: [UInt8], now: UInt64 = 0) {
        keys = KeySchedule(suite: suite, send: send, receive: receive, now: now)
    }

    var phase: UInt32 { keys.phase }
    var isPhaseConfirmed: Bool { keys.isPhaseConfirmed }
    var phaseStartedAt: UInt64 { keys.phaseStartedAt }
    var sentInPhase: UInt64 { keys.sentInPhase }

    func seal(_ plaintext: [UInt8], number: UInt64, additionalData: [UInt8]) -> [UInt8] {
        var buffer = plaintext + [UInt8](repeating: 0, count: keys.suite.tagLength)
        keys.seal(packetNumber: number, additionalData: additionalData, &buffer, length: plaintext.count)
        return buffer
    }

    /// The plaintext and which phase it was of, or nil.
    func open(_ sealed: [UInt8], phaseBits: UInt32, number: UInt64, additionalData: [UInt8]) -> (KeySchedule.Opened, [UInt8])? {
        var buffer = sealed
        let opened = keys.open(phaseBits: phaseBits, packetNumber: number, additionalData: additionalData, &buffer, length: sealed.count)
        return opened == .failed ? nil : (opened, Array(buffer.dropLast(keys.suite.tagLength)))
    }

    /// Does this run of bytes lie anywhere in the schedule's own memory, or in that of the previous phase?
    func holds(_ secret: [UInt8]) -> Bool {
        let isWithin = withUnsafePointer(to: &keys) { Self.lies(secret, in: UnsafeRawBufferPointer(start: $0, count: MemoryLayout<KeySchedule>.size)) }
        return isWithin || Self.lies(secret, in: UnsafeRawBufferPointer(UnsafeBufferPointer(start: keys.previous, count: keys.previous == nil ? 0 : 1)))
    }

    private static func lies(_ secret: [UInt8], in bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= secret.count
            && (0...(bytes.count - secret.count)).contains { start in bytes[start..<(start + secret.count)].elementsEqual(secret) }
    }
}

/// The two ends of one session.
private struct Ends {
    let client: End
    let gateway: End
    static let toGateway = [UInt8](repeating: 0x11, count: 32)
    static let toClient = (0..<32).map { UInt8($0) }
    private let additionalData = [UInt8](repeating: 7, count: DataPacket.additionalDataLength)

    init(_ suite: Suite) {
        client = End(suite, send: Self.toGateway, receive: Self.toClient)
        gateway = End(suite, send: Self.toClient, receive: Self.toGateway)
    }

    /// Sends under the sender's phase; nil when the receiver does not open it.
    func carry(from: End, to: End, number: UInt64 = 1, phaseBits: UInt32? = nil) -> KeySchedule.Opened? {
        let plaintext = Array("the session is the anchor".utf8)
        let bits = phaseBits ?? from.phase & 3
        let sealed = from.seal(plaintext, number: number, additionalData: additionalData)
        guard let (opened, text) = to.open(sealed, phaseBits: bits, number: number, additionalData: additionalData) else { return nil }
        #expect(text == plaintext)
        return opened
    }
}

private func suites() -> [Suite] {
    _ = Sodium.initialize()
    return Suite.allCases.filter { Suite.available & UInt32($0.rawValue) != 0 }
}

struct KeyScheduleTests {
    @Test(arguments: suites())
    func theTwoEndsAgree(suite: Suite) {
        let ends = Ends(suite)
        #expect(ends.carry(from: ends.client, to: ends.gateway) == .currentPhase)
        #expect(ends.carry(from: ends.gateway, to: ends.client) == .currentPhase)
        #expect(ends.carry(from: ends.client, to: ends.client) == nil, "the directions have keys of their own")
        let sample = [UInt8](repeating: 0x3C, count: 16)
        #expect(ends.client.keys.sendHeader.mask(sample: sample) == ends.gateway.keys.receiveHeader.mask(sample: sample))
        #expect(ends.gateway.keys.sendHeader.mask(sample: sample) == ends.client.keys.receiveHeader.mask(sample: sample))
        #expect(ends.client.keys.sendHeader.mask(sample: sample) != ends.client.keys.receiveHeader.mask(sample: sample))
    }

    @Test func theSuiteIsPartOfTheKeys() {
        let available = suites()
        guard available.count > 1 else { return }
        let one = Ends(available[0]), other = Ends(available[1])
        #expect(one.carry(from: one.client, to: other.gateway) == nil)
    }

    @Test(arguments: suites())
    func aRekeyWorksInBothDirectionsManyTimes(suite: Suite) {
        let ends = Ends(suite)
        for round: UInt32 in 1...9 {
            let (leader, follower) = round % 2 == 0 ? (ends.client, ends.gateway) : (ends.gateway, ends.client)
            leader.keys.advance(now: 10, byPeer: false)
            #expect(leader.phase == round)
            #expect(!leader.isPhaseConfirmed)
            #expect(ends.carry(from: leader, to: follower) == .nextPhase)
            follower.keys.advance(now: 11, byPeer: true)
            #expect(follower.isPhaseConfirmed)
            #expect(ends.carry(from: follower, to: leader) == .currentPhase)
            leader.keys.confirmPhase()
            #expect(leader.isPhaseConfirmed)
            #expect(ends.carry(from: leader, to: follower) == .currentPhase)
            #expect((leader.phaseStartedAt, follower.phaseStartedAt) == (10, 11))
        }
    }

    @Test func aLateDatagramOfThePreviousPhaseOpensUntilThatIsForgotten() {
        let ends = Ends(.chacha20Poly1305)
        ends.gateway.keys.advance(now: 0, byPeer: false)
        #expect(ends.carry(from: ends.client, to: ends.gateway) == .previousPhase)
        ends.gateway.keys.forgetPreviousPhase()
        #expect(ends.carry(from: ends.client, to: ends.gateway) == nil)
    }

    @Test func aPhaseTwoAwayFails() {
        let ends = Ends(.chacha20Poly1305)
        ends.gateway.keys.advance(now: 0, byPeer: true)
        ends.gateway.keys.advance(now: 0, byPeer: true)
        #expect(ends.carry(from: ends.client, to: ends.gateway) == nil, "two behind")
        #expect(ends.carry(from: ends.gateway, to: ends.client) == nil, "two ahead")
    }

    /// The header's two bits choose exactly one key.
    @Test func wrongPhaseBitsFail() {
        let ends = Ends(.chacha20Poly1305)
        for bits: UInt32 in 1...3 { #expect(ends.carry(from: ends.client, to: ends.gateway, phaseBits: bits) == nil, "phase 0 as \(bits)") }
        ends.client.keys.advance(now: 0, byPeer: true)
        ends.gateway.keys.advance(now: 0, byPeer: true)
        for bits: UInt32 in [0, 2, 3] { #expect(ends.carry(from: ends.client, to: ends.gateway, phaseBits: bits) == nil, "phase 1 as \(bits)") }
        #expect(ends.carry(from: ends.client, to: ends.gateway) == .currentPhase)
    }

    @Test func aForgeryOfTheNextPhaseMovesNothing() {
        let ends = Ends(.chacha20Poly1305)
        for number: UInt64 in 0..<10 { #expect(ends.carry(from: ends.client, to: ends.gateway, number: number, phaseBits: 1) == nil) }
        #expect(ends.gateway.phase == 0)
        #expect(ends.carry(from: ends.client, to: ends.gateway) == .currentPhase)
    }

    @Test func theNumberOfSendsIsCountedPerPhase() {
        let ends = Ends(.chacha20Poly1305)
        for number: UInt64 in 0..<5 { _ = ends.carry(from: ends.client, to: ends.gateway, number: number) }
        #expect(ends.client.sentInPhase == 5)
        ends.client.keys.advance(now: 0, byPeer: false)
        #expect(ends.client.sentInPhase == 0)
    }

    /// Forward secrecy between phases: what could make an old phase's keys again is wiped.
    @Test func thePhaseSecretIsGoneAfterARekey() {
        let ends = Ends(.chacha20Poly1305)
        #expect(ends.client.holds(Ends.toGateway) && ends.client.holds(Ends.toClient), "the search finds a secret that is there")
        ends.client.keys.advance(now: 0, byPeer: false)
        #expect(!ends.client.holds(Ends.toGateway), "send secret of phase 0")
        #expect(!ends.client.holds(Ends.toClient), "receive secret of phase 0, whose key is kept")
        #expect(ends.carry(from: ends.gateway, to: ends.client) == .previousPhase)
        ends.client.keys.forgetPreviousPhase()
        #expect(!ends.client.holds(Ends.toGateway) && !ends.client.holds(Ends.toClient))
    }

    // MARK: ready keys

    private func isReady(_ end: End) -> Bool { end.keys.isReady }

    /// An idle session derives its packet keys for each of its few datagrams; an active one has them ready, 512 bytes more a direction with AES.
    @Test(arguments: suites())
    func keysAreKeptReadyWhilePayloadsFlow(suite: Suite) {
        let ends = Ends(suite)
        for number: UInt64 in 0..<3 { #expect(ends.carry(from: ends.client, to: ends.gateway, number: number) == .currentPhase) }
        #expect(!isReady(ends.client) && !isReady(ends.gateway))
        ends.client.keys.noteActivity()
        #expect(isReady(ends.client) && !isReady(ends.gateway))
        #expect(ends.carry(from: ends.client, to: ends.gateway) == .currentPhase)
        #expect(ends.carry(from: ends.gateway, to: ends.client) == .currentPhase)
        ends.client.keys.becomeIdle()
        #expect(!isReady(ends.client))
        #expect(ends.carry(from: ends.client, to: ends.gateway) == .currentPhase)
        #expect(ends.carry(from: ends.gateway, to: ends.client) == .currentPhase)
        #expect(!isReady(ends.client))
    }

    /// Whether payloads flow outlives a rekey, and the phase before still opens.
    @Test(arguments: suites(), [false, true])
    func aRekeyKeepsKeysReadyOrNot(suite: Suite, isActive: Bool) {
        let ends = Ends(suite)
        if isActive { ends.client.keys.noteActivity() }
        for round in 0..<4 {
            ends.client.keys.advance(now: 0, byPeer: round % 2 == 0)
            #expect(ends.carry(from: ends.gateway, to: ends.client) == .previousPhase)
            ends.gateway.keys.advance(now: 0, byPeer: round % 2 == 1)
            #expect(ends.carry(from: ends.client, to: ends.gateway) == .currentPhase)
            #expect(ends.carry(from: ends.gateway, to: ends.client) == .currentPhase)
            #expect(isReady(ends.client) == isActive, "round \(round)")
        }
    }

    // MARK: connection ids

    @Test func connectionIDsAgreeAndAreNeverEqual() {
        let ends = Ends(.chacha20Poly1305)
        var seen: Set<UInt64> = []
        for index: UInt32 in 0..<500 {
            let toGateway = ends.client.keys.peerConnectionID(index, nodeTag: 0xABCD)
            let toClient = ends.gateway.keys.peerConnectionID(index, nodeTag: nil)
            #expect(ends.gateway.keys.ownConnectionID(index, nodeTag: 0xABCD) == toGateway)
            #expect(ends.client.keys.ownConnectionID(index, nodeTag: nil) == toClient)
            #expect(toGateway >> 48 == 0xABCD)
            seen.insert(toGateway)
            seen.insert(toClient)
        }
        #expect(seen.count == 1000)
    }

    @Test func connectionIDsOutliveARekey() {
        let ends = Ends(.chacha20Poly1305)
        let before = (0..<5).map { ends.client.keys.peerConnectionID($0, nodeTag: 1) }
        ends.client.keys.advance(now: 0, byPeer: false)
        #expect((0..<5).map { ends.client.keys.peerConnectionID($0, nodeTag: 1) } == before)
    }
}
