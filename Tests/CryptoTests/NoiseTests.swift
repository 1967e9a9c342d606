import Testing
@testable import JumpingCrypto

struct NoiseTests {
    init() { #expect(Sodium.initialize()) }

    @Test(arguments: bothPatterns)
    func bothSidesGetTheSameKeys(pattern: NoisePattern) throws {
        let setup = NoiseSetup(pattern: pattern)
        let initiator = setup.initiator(), responder = setup.responder()
        let payload1 = counting(77, from: 1), payload2 = counting(130, from: 2)
        let message1 = try #require(initiator.write(1, payload1))
        #expect(message1.count == payload1.count + setup.overhead1)
        let received1 = responder.read(1, message1)
        #expect(received1 == payload1)
        let message2 = try #require(responder.write(2, payload2))
        #expect(message2.count == payload2.count + setup.overhead2)
        let received2 = initiator.read(2, message2)
        #expect(received2 == payload2)
        let keys = try #require(initiator.split())
        let otherKeys = responder.split()
        #expect(otherKeys == keys)
        #expect(keys.initiatorToResponder != keys.responderToInitiator)
        let again = (initiator.split(), responder.split())
        #expect(again.0 == nil && again.1 == nil)
    }

    /// Messages, keys and hash of an independent implementation, with the same fixed ephemerals.
    @Test(arguments: bothPatterns)
    func anIndependentImplementationWritesTheSameBytes(pattern: NoisePattern) throws {
        for vector in try VectorCase.all("noise " + (pattern == .nnpsk0 ? "NNpsk0" : "IKpsk2")) {
            var setup = NoiseSetup(pattern: pattern, prologue: try vector.bytes("prologue"),
                                   psk: try vector.bytes("psk"),
                                   initiatorSeed: try vector.bytes("initiator_seed"),
                                   responderSeed: try vector.bytes("responder_seed"))
            if pattern == .ikpsk2 {
                setup.initiatorStatic = try vector.bytes("initiator_static")
                setup.responderStatic = try vector.bytes("responder_static")
            }
            let initiator = setup.initiator(), responder = setup.responder()
            let message1 = initiator.write(1, try vector.bytes("payload1"))
            #expect(try message1 == vector.bytes("message1"))
            let payload1 = responder.read(1, try vector.bytes("message1"))
            #expect(try payload1 == vector.bytes("payload1"))
            let message2 = responder.write(2, try vector.bytes("payload2"))
            #expect(try message2 == vector.bytes("message2"))
            let payload2 = initiator.read(2, try vector.bytes("message2"))
            #expect(try payload2 == vector.bytes("payload2"))
            let expected = NoiseKeys(initiatorToResponder: try vector.bytes("initiator_to_responder"),
                                     responderToInitiator: try vector.bytes("responder_to_initiator"),
                                     handshakeHash: try vector.bytes("handshake_hash"))
            let keys = (initiator.split(), responder.split())
            #expect(keys.0 == expected && keys.1 == expected)
        }
    }

    @Test func theResponderLearnsTheInitiatorsIdentity() throws {
        let setup = NoiseSetup(pattern: .ikpsk2)
        let initiator = setup.initiator(), responder = setup.responder()
        let before = responder.remoteStatic()
        #expect(before == nil)
        let message = try #require(initiator.write(1))
        let payload = responder.read(1, message)
        #expect(payload == [])
        let learnt = responder.remoteStatic()
        #expect(learnt == setup.publicKey(setup.initiatorStatic))
        let known = initiator.remoteStatic()
        #expect(known == setup.publicKey(setup.responderStatic))
    }

    @Test func nobodyHasAnIdentityInNNpsk0() throws {
        let setup = NoiseSetup(pattern: .nnpsk0)
        let initiator = setup.initiator(), responder = setup.responder()
        #expect(responder.read(1, try #require(initiator.write(1))) == [])
        #expect(responder.remoteStatic() == nil)
        #expect(initiator.remoteStatic() == nil)
    }

    @Test func theResponderMayFindThePSKByTheIdentity() throws {
        let setup = NoiseSetup(pattern: .ikpsk2)
        let initiator = setup.initiator()
        let responder = NoiseParty(.ikpsk2, isInitiator: false, prologue: setup.prologue, seed: setup.responderSeed)
        responder.handshake.setLocalStatic(secret: setup.responderStatic, public: setup.publicKey(setup.responderStatic))
        let payload1 = responder.read(1, try #require(initiator.write(1, [1, 2, 3])))
        #expect(payload1 == [1, 2, 3])
        let early = responder.write(2)
        #expect(early == nil)
        responder.handshake.setPSK(setup.psk)
        let payload2 = initiator.read(2, try #require(responder.write(2, [4])))
        #expect(payload2 == [4])
        let keys = (initiator.split(), responder.split())
        #expect(keys.0 != nil && keys.0 == keys.1)
    }

    @Test func payloadsAndIdentityAreNotInTheMessages() throws {
        let setup = NoiseSetup(pattern: .ikpsk2), payload = counting(32, from: 0xC0)
        let initiator = setup.initiator()
        let message = try #require(initiator.write(1, payload))
        let identity = setup.publicKey(setup.initiatorStatic)
        #expect(!message.indices.contains { message[$0...].starts(with: payload.prefix(8)) })
        #expect(!message.indices.contains { message[$0...].starts(with: identity.prefix(8)) })
    }
}

/// Every way a handshake must fail, and that failing gives nothing away and breaks nothing.
struct NoiseRefusalTests {
    init() { #expect(Sodium.initialize()) }

    /// Flips every bit of both messages, cuts and lengthens them; then the genuine ones still go through.
    @Test(arguments: bothPatterns)
    func everyChangedBitIsRefusedAndTheGenuineMessageStillAccepted(pattern: NoisePattern) throws {
        let setup = NoiseSetup(pattern: pattern)
        let initiator = setup.initiator(), responder = setup.responder()
        let message1 = try #require(initiator.write(1, [9, 8, 7]))
        for forged in forgeries(of: message1) {
            let payload = responder.read(1, forged)
            #expect(payload == nil)
        }
        let learnt = responder.remoteStatic()
        #expect(learnt == nil)
        let payload1 = responder.read(1, message1)
        #expect(payload1 == [9, 8, 7])
        let message2 = try #require(responder.write(2, [6, 5]))
        for forged in forgeries(of: message2) {
            let payload = initiator.read(2, forged)
            #expect(payload == nil)
        }
        let early = initiator.split()
        #expect(early == nil)
        let payload2 = initiator.read(2, message2)
        #expect(payload2 == [6, 5])
        let keys = (initiator.split(), responder.split())
        #expect(keys.0 != nil && keys.0 == keys.1)
    }

    private func forgeries(of message: [UInt8]) -> [[UInt8]] {
        let flipped = (0..<(message.count * 8)).map { bit in
            var forged = message
            forged[bit / 8] ^= 1 << (bit % 8)
            return forged
        }
        return flipped + message.indices.map { Array(message.prefix($0)) } + [message + [0]]
    }

    @Test func aWrongPSKIsRefusedByNNpsk0InMessage1() throws {
        let setup = NoiseSetup(pattern: .nnpsk0)
        var wrong = setup
        wrong.psk[31] ^= 1
        let initiator = wrong.initiator(), responder = setup.responder()
        let payload = responder.read(1, try #require(initiator.write(1, [1])))
        #expect(payload == nil)
    }

    @Test func aWrongPSKIsRefusedByIKpsk2InMessage2() throws {
        let setup = NoiseSetup(pattern: .ikpsk2)
        var wrong = setup
        wrong.psk[0] ^= 0x80
        let initiator = setup.initiator(), responder = wrong.responder()
        let payload1 = responder.read(1, try #require(initiator.write(1, [1])))
        #expect(payload1 == [1])
        let payload2 = initiator.read(2, try #require(responder.write(2, [2])))
        #expect(payload2 == nil)
    }

    @Test(arguments: bothPatterns)
    func aDifferentPrologueIsRefused(pattern: NoisePattern) throws {
        let setup = NoiseSetup(pattern: pattern)
        var other = setup
        other.prologue.append(0)
        let initiator = setup.initiator(), responder = other.responder()
        let payload = responder.read(1, try #require(initiator.write(1)))
        #expect(payload == nil)
    }

    @Test func anInitiatorForAnotherResponderIsRefused() throws {
        let setup = NoiseSetup(pattern: .ikpsk2)
        var other = setup
        other.responderStatic[5] ^= 0x10
        let initiator = other.initiator(), responder = setup.responder()
        let payload = responder.read(1, try #require(initiator.write(1)))
        #expect(payload == nil)
    }

    @Test func theWrongPatternIsRefused() throws {
        let initiator = NoiseSetup(pattern: .nnpsk0).initiator(), responder = NoiseSetup(pattern: .ikpsk2).responder()
        let payload = responder.read(1, try #require(initiator.write(1, counting(48))))
        #expect(payload == nil)
    }

    /// A client that knows the PSK but sends a point of small order must not fix the shared secret.
    @Test func anEphemeralOfSmallOrderEndsTheHandshake() throws {
        let setup = NoiseSetup(pattern: .nnpsk0)
        var symmetric = NoiseSymmetricState(protocolName: NoisePattern.nnpsk0.protocolName)
        symmetric.mixHash(setup.prologue, setup.prologue.count)
        symmetric.mixKeyAndHash(setup.psk)
        var message = [UInt8](repeating: 0, count: 48)
        symmetric.mixHash(message, 32)
        symmetric.mixKey(message)
        let sealed = message.withUnsafeMutableBytes { symmetric.encryptAndHash(nil, 0, into: $0.baseAddress! + 32) }
        #expect(sealed)
        let responder = setup.responder()
        let payload = responder.read(1, message)
        #expect(payload == [])
        let answers = (responder.write(2), responder.write(2))
        #expect(answers.0 == nil && answers.1 == nil)
        let keys = responder.split()
        #expect(keys == nil)
    }

    @Test(arguments: bothPatterns)
    func callsOutOfOrderFailAndChangeNothing(pattern: NoisePattern) throws {
        let setup = NoiseSetup(pattern: pattern)
        let initiator = setup.initiator(), responder = setup.responder()
        let early = (initiator.write(2), initiator.read(1, counting(200)), initiator.read(2, counting(200)))
        #expect(early.0 == nil && early.1 == nil && early.2 == nil)
        let wrongSide = (responder.write(1), responder.write(2), responder.read(2, counting(200)), responder.split())
        #expect(wrongSide.0 == nil && wrongSide.1 == nil && wrongSide.2 == nil && wrongSide.3 == nil)
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        initiator.handshake.mixPrologue(empty)
        responder.handshake.setRemoteStatic(counting(32))
        #expect(responder.remoteStatic() == nil)
        let message1 = try #require(initiator.write(1))
        let twice = initiator.write(1)
        #expect(twice == nil)
        let payload1 = responder.read(1, message1)
        #expect(payload1 == [])
        let replayed = responder.read(1, message1)
        #expect(replayed == nil)
        let message2 = try #require(responder.write(2))
        let secondAnswer = responder.write(2)
        #expect(secondAnswer == nil)
        let payload2 = initiator.read(2, message2)
        #expect(payload2 == [])
        let keys = (initiator.split(), responder.split())
        #expect(keys.0 != nil && keys.0 == keys.1)
    }

    @Test(arguments: bothPatterns)
    func missingKeysOrPrologueFail(pattern: NoisePattern) {
        let setup = NoiseSetup(pattern: pattern)
        let bare = NoiseParty(pattern, isInitiator: true, prologue: [], seed: setup.initiatorSeed)
        let withoutKeys = bare.write(1)
        #expect(withoutKeys == nil)
        var handshake = NoiseHandshake(pattern: pattern, isInitiator: true)
        handshake.setPSK(setup.psk)
        handshake.setLocalStatic(secret: setup.initiatorStatic)
        handshake.setRemoteStatic(setup.publicKey(setup.responderStatic))
        var random = RandomSource(seed: setup.initiatorSeed)
        var output = [UInt8](repeating: 0, count: 200)
        let length = handshake.writeMessage1(payload: UnsafeRawBufferPointer(start: nil, count: 0), random: &random,
                                             into: &output, capacity: 200)
        #expect(length == -1)
    }

    @Test(arguments: bothPatterns)
    func aShortBufferFailsAndARoomyOneThenSucceeds(pattern: NoisePattern) throws {
        let setup = NoiseSetup(pattern: pattern)
        let initiator = setup.initiator(), responder = setup.responder()
        for capacity in [-1, 0, 32, setup.overhead1 + 9] {
            let message = initiator.write(1, counting(10), capacity: capacity)
            #expect(message == nil)
        }
        let message1 = try #require(initiator.write(1, counting(10), capacity: setup.overhead1 + 10))
        let tooShort = responder.read(1, message1, capacity: 9)
        #expect(tooShort == nil)
        let payload1 = responder.read(1, message1, capacity: 10)
        #expect(payload1 == counting(10))
        let message2 = try #require(responder.write(2, counting(10), capacity: setup.overhead2 + 10))
        let tooShort2 = initiator.read(2, message2, capacity: 9)
        #expect(tooShort2 == nil)
        let payload2 = initiator.read(2, message2, capacity: 10)
        #expect(payload2 == counting(10))
    }

    @Test func noMessageIsLongerThanNoiseAllows() throws {
        let initiator = NoiseSetup(pattern: .nnpsk0).initiator()
        let tooLong = initiator.write(1, [UInt8](repeating: 0, count: 65_535 - 47), capacity: 70_000)
        #expect(tooLong == nil)
        let longest = initiator.write(1, [UInt8](repeating: 0, count: 65_535 - 48), capacity: 70_000)
        #expect(longest?.count == 65_535)
        let responder = NoiseSetup(pattern: .nnpsk0).responder()
        let refused = responder.read(1, try #require(longest) + [0], capacity: 70_000)
        #expect(refused == nil)
    }
}
