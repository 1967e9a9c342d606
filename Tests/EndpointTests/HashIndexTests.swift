import Testing
@testable import Jumping

struct HashIndexTests {
    /// Insertions, lookups and removals against a dictionary, with keys that collide in their low bits.
    @Test func itHoldsWhatADictionaryHolds() {
        var random = SeededGenerator(seed: 41)
        var index = HashIndex(secret: 0x1234_5678_9ABC_DEF0)
        var model: [UInt64: UInt32] = [:]
        for step in 0..<40_000 {
            let key = (random.next() % 3000) << 40
            switch random.next() % 3 {
            case 0:
                verify(index.insert(key, UInt32(step)) == (model[key] == nil))
                if model[key] == nil { model[key] = UInt32(step) }
            case 1:
                if let owner = model[key] { index.remove(key, owner) }
                model[key] = nil
            default:
                verify(index.find(key) == model[key])
            }
            verify(index.count == model.count)
        }
        for (key, owner) in model { verify(index.find(key) == owner) }
    }

    @Test func onlyTheOwnerRemoves() {
        var index = HashIndex(secret: 7)
        verify(index.insert(99, 1))
        index.remove(99, 2)
        verify(index.find(99) == 1)
        index.remove(99, 1)
        verify(index.find(99) == nil)
    }

    /// Keys that differ only in high bits, as a client could choose its handshake ids, do not make one long chain.
    @Test(arguments: [1, 2, 0xFFFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0001] as [UInt64])
    func aPeerCannotChooseBuckets(secret: UInt64) {
        var index = HashIndex(secret: secret)
        for high: UInt64 in 0..<20_000 { verify(index.insert(high << 45, 1)) }
        let clock = ContinuousClock()
        let spent = clock.measure {
            for high: UInt64 in 0..<20_000 { _ = index.find(high << 45) }
        }
        verify(spent < .seconds(2), "one chain of 20,000 would take 200 million steps")
    }
}
