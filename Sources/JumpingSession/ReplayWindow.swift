package import JumpingWire

/// Which of the newest `size` packet numbers have arrived: a sliding bitmap, consulted only after authentication (RFC 6479 shape,
/// exact edges). As long as all of them have arrived, none missing, there is no bitmap and no memory for one. It holds 1,024 numbers
/// (or its cap) and doubles towards its cap when reordering or a gap needs more.
@usableFromInline
package struct ReplayWindow: ~Copyable {
    package enum Verdict {
        case fresh, replayed, tooOld
    }

    /// Largest packet number marked; meaningful when `hasAny`.
    package private(set) var largest: UInt64 = 0
    /// Numbers below it have left the window for good, even if the window grows later.
    private var floor: UInt64 = 0
    /// A bit for each number of the window; nil while all from `floor` to `largest` have arrived.
    private var words: UnsafeMutablePointer<UInt64>?
    private var bits: UInt32
    /// The cap is 2 to this.
    private let capShift: UInt8
    package private(set) var hasAny = false

    package init(cap: UInt32) {
        let bitsAtMost = min(max(cap, 64), 65_536)
        capShift = UInt8(truncatingIfNeeded: bitsAtMost.trailingZeroBitCount)
        bits = min(bitsAtMost, 1024)
    }

    deinit {
        words?.deallocate()
    }

    /// Something is missing, or was until `compact`.
    package var hasBitmap: Bool { words != nil }

    /// Packet numbers it holds now; a power of two, 64 … 65,536.
    @inline(__always)
    package var size: UInt64 { UInt64(bits) }
    package var cap: UInt64 { 1 &<< UInt64(capShift) }

    private static func zeroed(_ bits: UInt64) -> UnsafeMutablePointer<UInt64> {
        let count = Int(bits / 64)
        let words = UnsafeMutablePointer<UInt64>.allocate(capacity: count)
        words.initialize(repeating: 0, count: count)
        return words
    }

    @inline(__always)
    package func verdict(_ number: UInt64) -> Verdict {
        guard hasAny, number <= largest else { return .fresh }
        guard number >= floor else { return .tooOld }
        return bit(number) ? .replayed : .fresh
    }

    /// Marks an authenticated, fresh packet number.
    @inline(__always)
    package mutating func mark(_ number: UInt64) {
        // The usual case, the next number, only moves the edge.
        guard hasAny, number == largest &+ 1 else { return markApart(number) }
        largest = number
        if number >= size { floor = max(floor, number &- size &+ 1) }
        set(number)
    }

    @inline(__always)
    private func set(_ number: UInt64) {
        let index = number & (size &- 1)
        words?[Int(truncatingIfNeeded: index / 64)] |= 1 << (index % 64)
    }

    @inline(never)
    private mutating func markApart(_ number: UInt64) {
        if hasAny || number > 0 { makeBitmap() }   // something is missing from now on
        let distance = number > largest ? number &- largest : largest &- number
        if hasAny, distance > size / 2, size < cap { grow(toHold: distance) }
        if !hasAny || number > largest {
            advance(to: number)
        }
        set(number)
    }

    /// Writes down what has arrived: until now everything had.
    private mutating func makeBitmap() {
        guard words == nil else { return }
        words = Self.zeroed(size)
        guard hasAny else { return }
        var number = largest
        for _ in 0..<size where number >= floor {
            set(number)
            guard number > 0 else { break }
            number &-= 1
        }
    }

    /// Gives the bitmap back when nothing is missing any more.
    package mutating func compact() {
        guard let words, hasAny else { return }
        var number = largest
        for _ in 0..<size where number >= floor {
            guard bit(number) else { return }
            guard number > 0 else { break }
            number &-= 1
        }
        words.deallocate()
        self.words = nil
    }

    /// Tells that a packet fell off the window, so that the next such one does not.
    package mutating func noteTooOld(_ number: UInt64) {
        if size < cap, largest > number { grow(toHold: largest &- number) }
    }

    /// Which of the 32 packet numbers below `number` have arrived; bit i is number - 1 - i.
    package func bitmap(below number: UInt64) -> UInt32 {
        guard hasAny else { return 0 }
        guard number <= largest &+ 1, number >= 32, number &- 32 >= floor else { return slowBitmap(below: number) }
        guard let words else { return .max }
        let start = (number &- 32) & (size &- 1), shift = start % 64
        var bits = words[Int(start / 64)] &>> shift
        if shift > 32 { bits |= words[Int((number &- 1) & (size &- 1)) / 64] &<< (64 &- shift) }
        return Self.reversed(UInt32(truncatingIfNeeded: bits))
    }

    /// At the window's edges; the first of them stand in one word, from its lowest bit.
    private func slowBitmap(below number: UInt64) -> UInt32 {
        var bits: UInt32 = 0
        if number > 0, number < 32, number <= largest &+ 1, floor == 0 {
            return Self.reversed(UInt32(truncatingIfNeeded: words?[0] ?? .max) &<< UInt32(32 &- number))
        }
        for i: UInt64 in 0..<32 {
            guard number > i else { break }
            let candidate = number &- 1 &- i
            if candidate <= largest, candidate >= floor, bit(candidate) { bits |= 1 << UInt32(i) }
        }
        return bits
    }

    /// The packet numbers up to `number` that have arrived, as ranges, highest first; none when `number` itself has not.
    package func ranges(through number: UInt64) -> PacketNumberRanges {
        var ranges = PacketNumberRanges()
        guard hasAny, number <= largest, number >= floor, bit(number) else { return ranges }
        guard words != nil else {
            ranges.append(floor, number)
            return ranges
        }
        var high = number
        while ranges.count < PacketNumberRanges.capacity {
            let arrived = run(downFrom: high, of: true)
            ranges.append(high &- (arrived &- 1), high)
            guard high &- floor >= arrived else { return ranges }
            let gap = high &- arrived, missing = run(downFrom: gap, of: false)
            guard gap &- floor >= missing else { return ranges }
            high = gap &- missing
        }
        return ranges
    }

    /// How many numbers from `number` on downwards, `floor` the last, are alike.
    private func run(downFrom number: UInt64, of value: Bool) -> UInt64 {
        let longest = number &- floor &+ 1
        guard let words else { return longest }
        var length: UInt64 = 0
        while length < longest {
            let index = (number &- length) & (size &- 1), inWord = index % 64
            let word = words[Int(truncatingIfNeeded: index / 64)], alike = value ? word : ~word
            let same = UInt64((~(alike &<< (63 &- inWord))).leadingZeroBitCount)
            length &+= min(same, inWord &+ 1)
            if same <= inWord { break }
        }
        return min(length, longest)
    }

    private static func reversed(_ bits: UInt32) -> UInt32 {
        var x = bits
        x = (x &>> 1) & 0x5555_5555 | (x & 0x5555_5555) &<< 1
        x = (x &>> 2) & 0x3333_3333 | (x & 0x3333_3333) &<< 2
        x = (x &>> 4) & 0x0F0F_0F0F | (x & 0x0F0F_0F0F) &<< 4
        return x.byteSwapped
    }

    @inline(__always)
    private func bit(_ number: UInt64) -> Bool {
        guard let words else { return true }
        let index = number & (size &- 1)
        return words[Int(index / 64)] & (1 << (index % 64)) != 0
    }

    private mutating func advance(to number: UInt64) {
        if !hasAny || number &- largest >= size {
            words?.update(repeating: 0, count: Int(size / 64))
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
            words?[Int(index / 64)] &= ~mask
            number &+= count
        }
    }

    private mutating func grow(toHold distance: UInt64) {
        var bigger = size
        while bigger < cap, bigger / 2 < distance { bigger *= 2 }
        guard bigger > size else { return }
        let oldSize = size
        bits = UInt32(truncatingIfNeeded: bigger)
        guard let old = words else { return }
        let fresh = Self.zeroed(bigger)
        var back: UInt64 = 0
        while back < oldSize, back <= largest {
            let number = largest &- back
            let from = number & (oldSize &- 1), to = number & (bigger &- 1)
            if old[Int(from / 64)] & (1 << (from % 64)) != 0 { fresh[Int(to / 64)] |= 1 << (to % 64) }
            back &+= 1
        }
        old.deallocate()
        words = fresh
    }
}
