import CJumping
import JumpingCrypto
import JumpingWire

/// 32 bytes that name a credential: a hint (zero padded) or a public key.
struct CredentialName: Equatable {
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    var length: UInt8 = 0

    /// At most 32 bytes; longer ones are cut (callers check).
    init(_ bytes: UnsafeRawBufferPointer) {
        let count = min(bytes.count, 32)
        length = UInt8(truncatingIfNeeded: count)
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[0..<count])) }
    }

    static func == (a: CredentialName, b: CredentialName) -> Bool {
        a.words.0 == b.words.0 && a.words.1 == b.words.1 && a.words.2 == b.words.2 && a.words.3 == b.words.3 && a.length == b.length
    }
}

/// A keyed hash of a few words, for tables that strangers' bytes are looked up in.
struct KeyedHash: ~Copyable {
    private let function: PseudoRandomFunction

    init(random: inout RandomSource) {
        var key = (random.next64(), random.next64())
        function = withUnsafePointer(to: &key) { PseudoRandomFunction(UnsafeRawPointer($0)) }
    }

    func value(_ words: (UInt64, UInt64, UInt64, UInt64), _ length: UInt8) -> UInt64 {
        var value = function.value(words.0 ^ UInt64(length) << 56)
        value = function.value(value ^ words.1)
        value = function.value(value ^ words.2)
        return function.value(value ^ words.3)
    }

    /// Of any number of bytes.
    func value(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        bytes.baseAddress.map { function.value($0, bytes.count) } ?? function.value(0)
    }
}

/// One kind of credential a gateway lets clients in with: PSKs by hint, or client public keys with an optional PSK. Found by
/// a keyed hash; secrets are wiped when dropped.
struct Credentials: ~Copyable {
    private struct Entry {
        var isUsed = false
        var hasPSK = false
        /// The next free entry.
        var next: UInt32 = endOfList
        var name = CredentialName(UnsafeRawBufferPointer(start: nil, count: 0))
        var psk: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        static let endOfList = UInt32.max
    }

    /// Entries lie in slabs that never move: no addition copies the others, and no copy of a secret is left behind.
    private static let slabShift = 6
    private static let slabSize = 1 << slabShift

    private var slabs: UnsafeMutablePointer<UnsafeMutablePointer<Entry>>
    private var slabCount = 0
    private var slabCapacity = 8
    private var firstFree = Entry.endOfList
    private(set) var count = 0
    private var index: HashIndex
    private let hash: KeyedHash

    init(random: inout RandomSource) {
        index = HashIndex(secret: random.next64())
        hash = KeyedHash(random: &random)
        slabs = .allocate(capacity: 8)
    }

    deinit {
        for slab in 0..<slabCount {
            Sodium.wipe(slabs[slab], Self.slabSize &* MemoryLayout<Entry>.stride)
            slabs[slab].deallocate()
        }
        slabs.deallocate()
    }

    private func entry(_ i: Int) -> UnsafeMutablePointer<Entry> {
        slabs[i &>> Self.slabShift] + (i & (Self.slabSize &- 1))
    }

    private func position(_ name: CredentialName) -> Int? {
        guard let found = index.find(hash.value(name.words, name.length)) else { return nil }
        let i = Int(found.first)
        return entry(i).pointee.isUsed && entry(i).pointee.name == name ? i : nil
    }

    func contains(_ name: CredentialName) -> Bool {
        position(name) != nil
    }

    /// Copies the PSK of a name to `target` (32 bytes; zeros when it has none); false when the name is unknown.
    func copyPSK(_ name: CredentialName, to target: UnsafeMutableRawPointer) -> Bool {
        guard let i = position(name) else { return false }
        withUnsafeBytes(of: &entry(i).pointee.psk) { target.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(target), byteCount: 32) }
        return true
    }

    mutating func add(_ name: CredentialName, psk: UnsafeRawPointer?) -> jmp_status {
        guard !contains(name) else { return JMP_ERR_EXISTS }
        guard count < Int(JMP_MAX_CREDENTIALS) else { return JMP_ERR_CREDENTIAL_LIMIT }
        if firstFree == Entry.endOfList { grow() }
        let number = firstFree, added = entry(Int(number))
        guard index.insert(hash.value(name.words, name.length), number) else { return JMP_ERR_EXISTS }
        firstFree = added.pointee.next
        added.pointee = Entry(isUsed: true, hasPSK: psk != nil, name: name)
        if let psk { withUnsafeMutableBytes(of: &added.pointee.psk) { $0.copyMemory(from: UnsafeRawBufferPointer(start: psk, count: 32)) } }
        count &+= 1
        return JMP_OK
    }

    mutating func remove(_ name: CredentialName) -> jmp_status {
        guard let i = position(name) else { return JMP_ERR_NOT_FOUND }
        index.remove(hash.value(name.words, name.length), UInt32(truncatingIfNeeded: i))
        Sodium.wipe(entry(i), MemoryLayout<Entry>.stride)
        entry(i).pointee = Entry(next: firstFree)
        firstFree = UInt32(truncatingIfNeeded: i)
        count &-= 1
        return JMP_OK
    }

    private mutating func grow() {
        if slabCount == slabCapacity {
            let bigger = UnsafeMutablePointer<UnsafeMutablePointer<Entry>>.allocate(capacity: slabCapacity &* 2)
            bigger.update(from: slabs, count: slabCount)
            slabs.deallocate()
            slabs = bigger
            slabCapacity &*= 2
        }
        let first = slabCount &<< Self.slabShift
        slabs[slabCount] = .allocate(capacity: Self.slabSize)
        slabs[slabCount].initialize(repeating: Entry(), count: Self.slabSize)
        slabCount &+= 1
        for i in first..<(first &+ Self.slabSize &- 1) { entry(i).pointee.next = UInt32(truncatingIfNeeded: i &+ 1) }
        firstFree = UInt32(truncatingIfNeeded: first)
    }
}
