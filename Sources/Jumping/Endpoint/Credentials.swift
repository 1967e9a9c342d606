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
        var name: CredentialName
        var psk: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    }

    private static let unused = Entry(name: CredentialName(UnsafeRawBufferPointer(start: nil, count: 0)))
    private var entries: UnsafeMutablePointer<Entry>?
    private var capacity = 0
    private var end = 0
    private var firstFree = 0
    private(set) var count = 0
    private var index: HashIndex
    private let hash: KeyedHash

    init(random: inout RandomSource) {
        index = HashIndex(secret: random.next64())
        hash = KeyedHash(random: &random)
    }

    deinit {
        guard let entries else { return }
        Sodium.wipe(entries, capacity &* MemoryLayout<Entry>.stride)
        entries.deallocate()
    }

    private func position(_ name: CredentialName) -> Int? {
        guard let entries, let found = index.find(hash.value(name.words, name.length)) else { return nil }
        let i = Int(found)
        return entries[i].isUsed && entries[i].name == name ? i : nil
    }

    func contains(_ name: CredentialName) -> Bool {
        position(name) != nil
    }

    /// Copies the PSK of a name to `target` (32 bytes; zeros when it has none); false when the name is unknown.
    func copyPSK(_ name: CredentialName, to target: UnsafeMutableRawPointer) -> Bool {
        guard let i = position(name), let entries else { return false }
        withUnsafeBytes(of: &entries[i].psk) { target.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(target), byteCount: 32) }
        return true
    }

    mutating func add(_ name: CredentialName, psk: UnsafeRawPointer?) -> jmp_status {
        guard !contains(name) else { return JMP_ERR_EXISTS }
        guard count < Int(JMP_MAX_CREDENTIALS) else { return JMP_ERR_CREDENTIAL_LIMIT }
        if end == capacity, count == end { grow() }
        guard let entries else { return JMP_ERR_MEMORY }
        var i = count == end ? end : firstFree
        while i < end, entries[i].isUsed { i &+= 1 }
        guard index.insert(hash.value(name.words, name.length), UInt32(truncatingIfNeeded: i)) else { return JMP_ERR_EXISTS }
        entries[i] = Entry(isUsed: true, hasPSK: psk != nil, name: name)
        if let psk { withUnsafeMutableBytes(of: &entries[i].psk) { $0.copyMemory(from: UnsafeRawBufferPointer(start: psk, count: 32)) } }
        end = max(end, i &+ 1)
        firstFree = i &+ 1
        count &+= 1
        return JMP_OK
    }

    mutating func remove(_ name: CredentialName) -> jmp_status {
        guard let i = position(name), let entries else { return JMP_ERR_NOT_FOUND }
        index.remove(hash.value(name.words, name.length), UInt32(truncatingIfNeeded: i))
        Sodium.wipe(entries + i, MemoryLayout<Entry>.stride)
        entries[i] = Self.unused
        firstFree = min(firstFree, i)
        count &-= 1
        return JMP_OK
    }

    private mutating func grow() {
        let bigger = max(8, capacity &* 2)
        let grown = UnsafeMutablePointer<Entry>.allocate(capacity: bigger)
        grown.initialize(repeating: Self.unused, count: bigger)
        if let old = entries {
            grown.update(from: old, count: capacity)
            Sodium.wipe(old, capacity &* MemoryLayout<Entry>.stride)
            old.deallocate()
        }
        entries = grown
        capacity = bigger
    }
}
