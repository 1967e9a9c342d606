import Testing
@testable import Jumping

struct ReadyQueueTests {
    /// Entries come out as they went in, through growth over many chunks and back.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func itIsARow(seed: UInt64) {
        var random = SeededGenerator(seed: seed), queue = ReadyQueue(), model: [UInt64] = [], next: UInt64 = 0
        for phase in 0..<40 {
            for _ in 0..<(random.next() % 900) {
                if random.next() % 100 < (phase % 2 == 0 ? 70 : 25) {
                    queue.push(next)
                    model.append(next)
                    next += 1
                } else {
                    queue.removeFirst()
                    if !model.isEmpty { model.removeFirst() }
                }
                verify(queue.count == model.count && queue.first == model.first)
            }
        }
        while let first = model.first {
            verify(queue.first == first)
            queue.removeFirst()
            model.removeFirst()
        }
        verify(queue.count == 0 && queue.first == nil)
    }
}
