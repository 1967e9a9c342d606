import Testing
@testable import JumpingCrypto

struct SodiumTests {
    init() { #expect(Sodium.initialize()) }

    @Test func initializeMayBeRepeated() {
        #expect(Sodium.initialize())
        #expect(Sodium.initialize())
    }

    @Test func wipeZeroesExactlyTheGivenBytes() {
        var bytes = counting(40, from: 1)
        bytes.withUnsafeMutableBytes { Sodium.wipe($0.baseAddress! + 4, 32) }
        #expect(bytes == [1, 2, 3, 4] + [UInt8](repeating: 0, count: 32) + [37, 38, 39, 40])
        bytes.withUnsafeMutableBytes { Sodium.wipe($0.baseAddress!, -1) }
        #expect(bytes.prefix(4) == [1, 2, 3, 4])
    }

    @Test func equalAndIsZeroLookAtEveryByte() {
        let zeros = [UInt8](repeating: 0, count: 33)
        #expect(Sodium.equal(zeros, zeros, 33))
        #expect(Sodium.isZero(zeros, 33))
        for index in 0..<33 {
            var other = zeros
            other[index] = 0x80
            #expect(!Sodium.equal(zeros, other, 33))
            #expect(!Sodium.isZero(other, 33))
            #expect(Sodium.equal(zeros, other, index))
            #expect(Sodium.isZero(other, index))
        }
        #expect(!Sodium.equal(zeros, zeros, -1))
        #expect(!Sodium.isZero(zeros, -1))
    }
}

/// A secret must be gone from the very memory it lived in, not from a copy of it.
struct SecretWipingTests {
    init() { #expect(Sodium.initialize()) }

    /// How many of a value's bytes hold the marker while it lives, and after it ended.
    private func marks<T: ~Copyable>(_ marker: UInt8, _ make: () -> T) -> (alive: Int, ended: Int) {
        let size = MemoryLayout<T>.size
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        let value = memory.assumingMemoryBound(to: T.self)
        func count() -> Int { (0..<size).count { memory.load(fromByteOffset: $0, as: UInt8.self) == marker } }
        value.initialize(to: make())
        let alive = count()
        value.deinitialize(count: 1)
        return (alive, count())
    }

    /// More marker bytes than a stray pointer or flag could hold by chance.
    private let chance = 8

    @Test func keysAreWipedWhereTheyLived() {
        let secret = [UInt8](repeating: 0xA5, count: 64)
        let key32 = marks(0xA5) { Key32(copying: secret) }
        #expect(key32 == (32, 0))
        let key16 = marks(0xA5) { Key16(copying: secret) }
        #expect(key16 == (16, 0))
        let header = marks(0xA5) { HeaderKey(secret) }
        #expect(header == (16, 0))
        let function = marks(0xA5) { PseudoRandomFunction(secret) }
        #expect(function == (16, 0))
        let random = marks(0xA5) { RandomSource(seed: secret) }
        #expect(random.alive >= 32 && random.ended < chance)
        for suite in Suite.allCases {
            let aead = marks(0xA5) { AEADKey(suite: suite, key: secret, iv: secret) }
            #expect(aead.alive >= 32 + suite.nonceLength && aead.ended < chance)
        }
    }

    @Test func derivedSecretsAreWipedWhereTheyLived() {
        let secret = [UInt8](repeating: 0xA5, count: 32)
        // The state's buffer holds the message until a block is full, so the message can be recognised there.
        let hmac = marks(0xA5) {
            var hmac = HMACSHA256(key: counting(32))
            hmac.update(secret, 32)
            return hmac
        }
        #expect(hmac.alive >= 32 && hmac.ended < chance)
        let size = KeystreamBlock.count
        let memory = UnsafeMutablePointer<KeystreamBlock>.allocate(capacity: 1)
        defer { memory.deallocate() }
        memory.initialize(to: KeystreamBlock())
        memory.pointee.generate(3, key: secret)
        #expect(!Sodium.isZero(memory, size))
        memory.deinitialize(count: 1)
        #expect(Sodium.isZero(memory, size))
    }

    @Test func aHandshakeIsWipedWhereItLived() {
        let secret = [UInt8](repeating: 0xA5, count: 32)
        let handshake = marks(0xA5) {
            var handshake = NoiseHandshake(pattern: .ikpsk2, isInitiator: true)
            handshake.mixPrologue(UnsafeRawBufferPointer(start: nil, count: 0))
            handshake.setPSK(secret)
            handshake.setLocalStatic(secret: secret)
            return handshake
        }
        #expect(handshake.alive >= 64 && handshake.ended < chance)
    }

    @Test func aCloneIsIndependent() {
        let first = counting(32, from: 1)
        var key = Key32(copying: first)
        let copy = key.clone()
        key.withMutableBytes { Sodium.wipe($0, 32) }
        let keptBytes = copy.withBytes { Sodium.equal($0, first, 32) }
        let original = key.withBytes { Sodium.isZero($0, 32) }
        #expect(keptBytes && original)
        let fresh = Key32()
        let isZero = fresh.withBytes { Sodium.isZero($0, 32) }
        #expect(isZero)
    }

    @Test func structsStaySmall() {
        #expect(MemoryLayout<Key32>.size == 32)
        #expect(MemoryLayout<AEADKey>.size <= 80)
        #expect(MemoryLayout<HeaderKey>.size == 16)
        #expect(MemoryLayout<NoiseHandshake>.size < 400)
    }
}
