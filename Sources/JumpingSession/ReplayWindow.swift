/// Sliding bitmap over packet numbers: which of the newest `size` have arrived. Consulted only after authentication
/// (RFC 6479 shape, exact edges). It starts at 1,024 bits (or its cap) and doubles towards its cap when reordering or a
/// gap needs more, so that an idle session pays 128 bytes.
@usableFromInline
package struct ReplayWindow: ~Copyable {
    package enum Verdict {
        case fresh, replayed, tooOld
    }

    private var words: UnsafeMutablePointer<UInt64>
    /// Packet numbers it holds now; a power of two, 64 … 65,536.
    package private(set) var size: UInt64
    package let cap: UInt64
    /// Largest packet number marked; meaningful when `hasAny`.
    package private(set) var largest: UInt64 = 0
    package private(set) var hasAny = false
    /// Numbers below it have left the window for good, even if the window grows later.
    private var floor: UInt64 = 0

    package init(cap: UInt32) {
        let bounded = min(max(UInt64(cap), 64), 65_536)
        self.cap = bounded
        size = min(bounded, 1024)
        words = Self.zeroed(size)
    }

    deinit {
        words.deallocate()
    }

    private static func zeroed(_ bits: UInt64) -> UnsafeMutablePointer<UInt64> {
        let count = Int(bits / 64)
        let words = UnsafeMutablePointer<UInt64>.allocate(capacity: count)
        words.initialize(repeating: 0, count: count)
        return words
    }

    package func verdict(_ number: UInt64) -> Verdict {
        guard hasAny, number <= largest else { return .fresh }
        guard number >= floor else { return .tooOld }
        return bit(number) ? .replayed : .fresh
    }

    /// Marks an authenticated, fresh packet number.
    package mutating func mark(_ number: UInt64) {
        let distance = number > largest ? number &- largest : largest &- number
        if hasAny, distance > size / 2, size < cap { grow(toHold: distance) }
        if !hasAny || number > largest {
            advance(to: number)
        }
        let index = number & (size &- 1)
        words[Int(index / 64)] |= 1 << (index % 64)
    }

    /// Tells that a packet fell off the window, so that the next such one does not.
    package mutating func noteTooOld(_ number: UInt64) {
        if size < cap, largest > number { grow(toHold: largest &- number) }
    }

    /// Which of the 32 packet numbers below `number` have arrived; bit i is number - 1 - i.
    package func bitmap(below number: UInt64) -> UInt32 {
        var bits: UInt32 = 0
        for i: UInt64 in 0..<32 {
            guard number > i else { break }
            let candidate = number &- 1 &- i
            if candidate <= largest, candidate >= floor, bit(candidate) { bits |= 1 << UInt32(i) }
        }
        return bits
    }

    private func bit(_ number: UInt64) -> Bool {
        let index = number & (size &- 1)
        return words[Int(index / 64)] & (1 << (index % 64)) != 0
    }

    private mutating func advance(to number: UInt64) {
        if !hasAny || number &- largest >= size {
            words.update(repeating: 0, count: Int(size / 64))
        } else {
            clear(after: largest, through: number)
        }
        largest = number
        hasAny = true
        floor = max(floor, number >= size ? number &- size &+ 1 : 0)
    }

    /// Clears the bits of `first` + 1 … `last`, fewer than `size` of them.
    private mutating func clear(after first: UInt64, through last: UInt64) {
        var number = first &+ 1
        while number <= last {
            let index = number & (size &- 1)
            let inWord = index % 64
            let count = min(64 &- inWord, last &- number &+ 1)
            let mask = count == 64 ? UInt64.max : ((1 << count) &- 1) << inWord
            words[Int(index / 64)] &= ~mask
            number &+= count
        }
    }

    private mutating func grow(toHold distance: UInt64) {
        var bigger = size
        while bigger < cap, bigger / 2 < distance { bigger *= 2 }
        guard bigger > size else { return }
        let old = words, oldSize = size
        words = Self.zeroed(bigger)
        size = bigger
        var back: UInt64 = 0
        while back < oldSize, back <= largest {
            let number = largest &- back
            let from = number & (oldSize &- 1), to = number & (bigger &- 1)
            if old[Int(from / 64)] & (1 << (from % 64)) != 0 { words[Int(to / 64)] |= 1 << (to % 64) }
            back &+= 1
        }
        old.deallocate()
    }
}
