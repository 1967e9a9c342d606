import Testing
@testable import JumpingSession

/// A window in a box: tests hand it around.
private final class Window {
    var window: ReplayWindow

    init(cap: UInt32) { window = ReplayWindow(cap: cap) }

    var size: UInt64 { window.size }
    var hasBitmap: Bool { window.hasBitmap }
    func compact() { window.compact() }
    func verdict(_ number: UInt64) -> ReplayWindow.Verdict { window.verdict(number) }
    func bitmap(below number: UInt64) -> UInt32 { window.bitmap(below: number) }

    /// What a session does with an authentic packet number. True when it was accepted.
    func receive(_ number: UInt64) -> Bool {
        switch window.verdict(number) {
        case .fresh:
            window.mark(number)
            return true
        case .tooOld:
            window.noteTooOld(number)
            return false
        case .replayed:
            return false
        }
    }
}

struct ReplayWindowTests {
    @Test func theCapIsKeptWithinItsRange() {
        for (cap, expected) in [(0, 64), (64, 64), (1024, 1024), (65_536, 65_536), (.max, 65_536)] as [(UInt32, UInt64)] {
            let window = Window(cap: cap)
            #expect(window.window.cap == expected)
            #expect(window.size == min(expected, 1024))
        }
    }

    @Test func theFirstNumberMayBeAny() {
        for number: UInt64 in [0, 1, 63, 64, 1 << 40, .max - 1, .max] {
            let window = Window(cap: 64)
            #expect(window.verdict(number) == .fresh)
            #expect(window.receive(number))
            #expect(window.verdict(number) == .replayed)
            #expect(window.window.largest == number)
        }
    }

    @Test(arguments: [64, 128, 1024] as [UInt32])
    func theEdgeIsExact(cap: UInt32) {
        let window = Window(cap: cap), largest: UInt64 = 100_000
        #expect(window.receive(largest))
        #expect(window.verdict(largest - UInt64(cap) + 1) == .fresh)
        #expect(window.verdict(largest - UInt64(cap)) == .tooOld)
        #expect(window.receive(largest - UInt64(cap) + 1))
        #expect(window.verdict(largest - UInt64(cap) + 1) == .replayed)
        #expect(window.receive(largest + 1))
        #expect(window.verdict(largest - UInt64(cap) + 1) == .tooOld)
    }

    @Test(arguments: [63, 64, 65, 1023, 1024, 1025, 5000, 1 << 40] as [UInt64])
    func aJumpForwardLeavesNothingBehind(distance: UInt64) {
        let window = Window(cap: 1024)
        for number: UInt64 in 0..<2000 { #expect(window.receive(number)) }
        let largest = 1999 + distance
        #expect(window.receive(largest))
        for number in (largest - 1000)..<largest {
            let expected: ReplayWindow.Verdict = number < 2000 ? .replayed : .fresh
            #expect(window.verdict(number) == expected, "\(number)")
        }
    }

    /// At its cap a window is a set of the newest `size` numbers.
    @Test(arguments: UInt64(0)..<20)
    func atItsCapItAgreesWithANaiveSet(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let cap: UInt32 = [64, 256, 1024][Int(seed % 3)]
        let window = Window(cap: cap)
        var seen: Set<UInt64> = [], largest: UInt64 = 1 << 33
        for _ in 0..<3000 {
            let reach = UInt64(cap) * (UInt64.random(in: 0..<20, using: &random) == 0 ? 3 : 1)
            let number = largest - min(reach, UInt64.random(in: 0...reach, using: &random)) + UInt64.random(in: 0...3, using: &random)
            let newest = seen.max() ?? 0
            let expected: ReplayWindow.Verdict = seen.isEmpty || number > newest ? .fresh
                : newest - number >= UInt64(cap) ? .tooOld : seen.contains(number) ? .replayed : .fresh
            #expect(window.verdict(number) == expected)
            if window.receive(number) { seen.insert(number) }
            largest = max(largest, number)
            seen = seen.filter { largest - $0 < 2 * UInt64(cap) }
        }
    }

    /// However the window slides and grows: no number is accepted a second time.
    @Test(arguments: UInt64(0)..<20)
    func aNumberIsNeverAcceptedTwiceWhileTheWindowGrows(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let window = Window(cap: 65_536)
        var seen: Set<UInt64> = [], next: UInt64 = 0
        for _ in 0..<6000 {
            next += UInt64.random(in: 0..<50, using: &random) == 0 ? UInt64.random(in: 0...3000, using: &random) : 1
            let number = Bool.random(using: &random) ? next : next - min(next, UInt64.random(in: 0...8000, using: &random))
            let wasSeen = seen.contains(number)
            let isAccepted = window.receive(number)
            #expect(!(isAccepted && wasSeen), "\(number) was accepted a second time, window \(window.size)")
            if isAccepted { seen.insert(number) }
        }
        #expect(window.size > 1024)
    }

    @Test func anOldNumberStaysOldWhenTheWindowGrowsForIt() {
        let window = Window(cap: 65_536)
        for number: UInt64 in 0...5000 { #expect(window.receive(number)) }
        #expect(!window.receive(3000))
        #expect(!window.receive(3000), "accepted again once the window had grown")
    }

    @Test func oneNumberThatFellOffMakesRoomForTheNext() {
        let window = Window(cap: 65_536)
        for number: UInt64 in 10_000...20_000 where number % 2 == 0 { #expect(window.receive(number)) }
        #expect(window.size == 1024)
        #expect(!window.receive(20_000 - 1025))
        #expect(window.size >= 2048)
        for number: UInt64 in 20_001...22_000 where number % 2 == 0 { #expect(window.receive(number)) }
        #expect(window.receive(22_000 - 1025), "as late as the one before, and unseen")
    }

    @Test func aGapMakesRoomForWhatIsStillOnItsWay() {
        let window = Window(cap: 65_536)
        for number: UInt64 in 0...100 { #expect(window.receive(number)) }
        #expect(window.receive(3100))
        for number: UInt64 in 101..<3100 { #expect(window.receive(number), "\(number)") }
    }

    @Test func itNeverGrowsPastItsCap() {
        let window = Window(cap: 2048)
        for number: UInt64 in [0, 1_000_000, 3, 2_000_000, 1_990_000, 1_000_000_000] { _ = window.receive(number) }
        #expect(window.size == 2048)
    }

    @Test(arguments: UInt64(0)..<20)
    func theBitmapAgreesWithANaiveSet(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let window = Window(cap: 64)
        var seen: Set<UInt64> = [], largest: UInt64 = 0
        for _ in 0..<300 {
            let number = largest + UInt64.random(in: 0...8, using: &random) - min(largest, UInt64.random(in: 0...5, using: &random))
            if window.receive(number) { seen.insert(number) }
            largest = max(largest, number)
            let below = largest - min(largest, UInt64.random(in: 0...20, using: &random))
            var expected: UInt32 = 0
            for i: UInt64 in 0..<32 where below > i && seen.contains(below - 1 - i) { expected |= 1 << UInt32(i) }
            #expect(window.bitmap(below: below) == expected)
        }
        #expect(Window(cap: 64).bitmap(below: 10) == 0)
    }

    @Test func nothingMissingNeedsNoBitmap() {
        let window = Window(cap: 1024)
        for number: UInt64 in 0..<5000 { #expect(window.receive(number)) }
        #expect(!window.hasBitmap)
        #expect(window.verdict(5000 - 1024) == .replayed && window.verdict(5000 - 1025) == .tooOld)
        #expect(window.bitmap(below: 4999) == .max)
        #expect(window.receive(5001) && window.hasBitmap)
        window.compact()
        #expect(window.hasBitmap, "5000 is missing")
        #expect(window.receive(5000))
        window.compact()
        #expect(!window.hasBitmap && window.verdict(5000) == .replayed && window.verdict(5002) == .fresh)
    }

    @Test func whatBeganAboveZeroMissesSomething() {
        let window = Window(cap: 64)
        #expect(window.receive(3))
        window.compact()
        #expect(window.hasBitmap && window.receive(1) && window.receive(0) && !window.receive(1))
        #expect(window.receive(2))
        window.compact()
        #expect(!window.hasBitmap && !window.receive(2) && window.receive(4))
    }

    /// Compacted at any time, it says what it would have said.
    @Test(arguments: UInt64(0)..<20)
    func compactingChangesNoVerdict(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let cap: UInt32 = [64, 1024, 4096][Int(seed % 3)]
        let window = Window(cap: cap), plain = Window(cap: cap)
        var largest: UInt64 = 0
        for _ in 0..<4000 {
            let isOrderly = UInt64.random(in: 0..<10, using: &random) > 0
            let number = isOrderly ? largest + 1 : largest - min(largest, UInt64.random(in: 0...80, using: &random)) + UInt64.random(in: 0...3, using: &random)
            #expect(window.receive(number) == plain.receive(number), "\(number)")
            largest = max(largest, number)
            if UInt64.random(in: 0..<50, using: &random) == 0 { window.compact() }
            #expect(window.bitmap(below: largest) == plain.bitmap(below: largest) && window.size == plain.size)
        }
    }
}
