import CSodium

/// Where random bytes come from: the system, or a seed when a run must be reproducible.
///
/// A seeded source yields the ChaCha20 keystream of its seed (64-bit counter from 0, zero nonce), the same bytes on every
/// platform and however the requests are cut. It is for tests and simulation; whoever knows the seed knows every secret.
package struct RandomSource: ~Copyable {
    package let isSeeded: Bool
    private var seed: Key32
    /// Of the seed's keystream, or of the system's bytes for `next64`.
    private var block = KeystreamBlock()
    /// Bytes of the block already handed out, 0 … 64.
    private var used = KeystreamBlock.count
    private var nextBlock: UInt64 = 0

    /// Draws on the operating system (`randombytes_buf`).
    package init() {
        isSeeded = false
        seed = Key32()
    }

    /// Draws on the keystream of a 32-byte seed.
    package init(seed: UnsafeRawPointer) {
        isSeeded = true
        self.seed = Key32(copying: seed)
    }

    /// Writes `n` random bytes; none when `n` is below 1.
    package mutating func fill(_ p: UnsafeMutableRawPointer, _ n: Int) {
        guard n > 0 else { return }
        guard isSeeded else { return randombytes_buf(p, n) }
        var written = 0
        while written < n {
            if used == KeystreamBlock.count {
                seed.withBytes { block.generate(nextBlock, key: $0) }
                nextBlock &+= 1
                used = 0
            }
            let step = min(n - written, KeystreamBlock.count - used)
            block.copy(used, step, to: p.advanced(by: written))
            written += step
            used += step
        }
    }

    /// 64 random bits; from a seed, 8 keystream bytes read as little endian. For challenges, identifiers and keys of tables: the system is
    /// asked for eight of them at once, since each request is a system call.
    package mutating func next64() -> UInt64 {
        var value: UInt64 = 0
        withUnsafeMutablePointer(to: &value) {
            guard !isSeeded else { return fill(UnsafeMutableRawPointer($0), 8) }
            if used &+ 8 > KeystreamBlock.count {
                block.draw()
                used = 0
            }
            block.copy(used, 8, to: UnsafeMutableRawPointer($0))
            used &+= 8
        }
        return UInt64(littleEndian: value)
    }

    /// 32 random bits; from a seed, 4 keystream bytes read as little endian.
    package mutating func next32() -> UInt32 {
        var value: UInt32 = 0
        withUnsafeMutablePointer(to: &value) { fill(UnsafeMutableRawPointer($0), 4) }
        return UInt32(littleEndian: value)
    }
}
