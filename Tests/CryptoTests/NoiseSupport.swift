import Testing
@testable import JumpingCrypto

/// What both sides of a test handshake are made from.
struct NoiseSetup {
    var pattern: NoisePattern
    var prologue: [UInt8] = Array("prologue".utf8)
    var psk: [UInt8] = counting(32, from: 0x11)
    var initiatorSeed: [UInt8] = counting(32, from: 0x21)
    var responderSeed: [UInt8] = counting(32, from: 0x41)
    var initiatorStatic: [UInt8] = counting(32, from: 0x61)
    var responderStatic: [UInt8] = counting(32, from: 0x81)

    var overhead1: Int { NoiseHandshake.overhead1(pattern) }
    var overhead2: Int { NoiseHandshake.overhead2(pattern) }

    func publicKey(_ secret: [UInt8]) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: 32)
        #expect(X25519.publicKey(secret: secret, into: &output))
        return output
    }

    func initiator() -> NoiseParty {
        let party = NoiseParty(pattern, isInitiator: true, prologue: prologue, seed: initiatorSeed)
        party.handshake.setPSK(psk)
        if pattern == .ikpsk2 {
            party.handshake.setLocalStatic(secret: initiatorStatic)
            party.handshake.setRemoteStatic(publicKey(responderStatic))
        }
        return party
    }

    func responder() -> NoiseParty {
        let party = NoiseParty(pattern, isInitiator: false, prologue: prologue, seed: responderSeed)
        party.handshake.setPSK(psk)
        if pattern == .ikpsk2 { party.handshake.setLocalStatic(secret: responderStatic) }
        return party
    }
}

/// What a finished handshake gives.
struct NoiseKeys: Equatable {
    var initiatorToResponder = [UInt8](repeating: 0, count: 32)
    var responderToInitiator = [UInt8](repeating: 0, count: 32)
    var handshakeHash = [UInt8](repeating: 0, count: 32)
}

/// One side: a handshake and its randomness, with arrays for buffers. nil stands for the refusal -1.
final class NoiseParty {
    var handshake: NoiseHandshake
    var random: RandomSource

    init(_ pattern: NoisePattern, isInitiator: Bool, prologue: [UInt8], seed: [UInt8]) {
        handshake = NoiseHandshake(pattern: pattern, isInitiator: isInitiator)
        random = RandomSource(seed: seed)
        prologue.withUnsafeBytes { handshake.mixPrologue($0) }
    }

    func write(_ number: Int, _ payload: [UInt8] = [], capacity: Int = 2000) -> [UInt8]? {
        var output = [UInt8](repeating: 0, count: max(capacity, 2000))
        let length = payload.withUnsafeBytes {
            number == 1 ? handshake.writeMessage1(payload: $0, random: &random, into: &output, capacity: capacity)
                : handshake.writeMessage2(payload: $0, random: &random, into: &output, capacity: capacity)
        }
        return length < 0 ? nil : Array(output.prefix(length))
    }

    func read(_ number: Int, _ message: [UInt8], capacity: Int = 2000) -> [UInt8]? {
        var output = [UInt8](repeating: 0, count: max(capacity, 2000))
        let length = message.withUnsafeBytes {
            number == 1 ? handshake.readMessage1($0, payload: &output, capacity: capacity)
                : handshake.readMessage2($0, payload: &output, capacity: capacity)
        }
        return length < 0 ? nil : Array(output.prefix(length))
    }

    func split() -> NoiseKeys? {
        var keys = NoiseKeys()
        let complete = handshake.split(initiatorToResponder: &keys.initiatorToResponder,
                                       responderToInitiator: &keys.responderToInitiator,
                                       handshakeHash: &keys.handshakeHash)
        return complete ? keys : nil
    }

    func remoteStatic() -> [UInt8]? {
        var output = [UInt8](repeating: 0, count: 32)
        return handshake.remoteStatic(into: &output) ? output : nil
    }
}

let bothPatterns = [NoisePattern.nnpsk0, .ikpsk2]
