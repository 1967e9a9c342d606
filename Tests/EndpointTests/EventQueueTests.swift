import CJumping
import Testing
@testable import Jumping

struct EventQueueTests {
    private func drain(_ queue: inout EventQueue) -> [jmp_event] {
        var out = jmp_event(), events: [jmp_event] = []
        while queue.pop(into: &out) { events.append(out) }
        return events
    }

    @Test func eventsComeInOrderWithTheirSequence() {
        var queue = EventQueue(capacity: 64)
        for _ in 0..<10 { _ = queue.add(JMP_EVENT_TELEMETRY_TICK) }
        verify(drain(&queue).map(\.sequence) == Array(1...10))
    }

    /// Ordinary events are refused when a quarter is left; transitions until nothing is; every refusal is counted and told.
    @Test func transitionsAreRefusedLast() {
        var queue = EventQueue(capacity: 64)
        for _ in 0..<100 { _ = queue.add(JMP_EVENT_TELEMETRY_TICK) }
        verify(queue.count == 48 && queue.dropped == 52)
        for _ in 0..<20 { _ = queue.add(JMP_EVENT_SESSION_STATE_CHANGE) }
        verify(queue.count == 64 && queue.dropped == 56)
        let events = drain(&queue)
        verify(events.filter { $0.type == UInt32(JMP_EVENT_SESSION_STATE_CHANGE) }.count == 16)
        _ = queue.add(JMP_EVENT_TELEMETRY_TICK)
        let next = drain(&queue)
        verify(next.first?.dropped == 56 && next.first?.sequence == 121, "the gap in the sequence is explained")
    }

    @Test func itWrapsForEver() {
        var queue = EventQueue(capacity: 64)
        for round in 0..<1000 {
            _ = queue.add(JMP_EVENT_SESSION_CREATED)
            _ = queue.add(JMP_EVENT_SESSION_TERMINATED)
            let events = drain(&queue)
            verify(events.map(\.sequence) == [UInt64(2 * round + 1), UInt64(2 * round + 2)])
        }
    }

    /// An event is filled in where it lies, and nothing of those that lay there before is told again.
    @Test func anEventTellsOnlyWhatItWasFilledWith() {
        var queue = EventQueue(capacity: 64)
        for round in 0..<200 {
            let isFilled = round % 2 == 0
            if let event = queue.add(JMP_EVENT_SESSION_CREATED), isFilled {
                event.pointee.attempt_id = .max
                event.pointee.hint_length = .max
                withUnsafeMutableBytes(of: &event.pointee.label) { $0.initializeMemory(as: UInt8.self, repeating: 0x61) }
            }
            var told = jmp_event()
            verify(queue.pop(into: &told) && told.type == UInt32(JMP_EVENT_SESSION_CREATED))
            verify(told.struct_size == UInt32(MemoryLayout<jmp_event>.size))
            verify(told.attempt_id == (isFilled ? .max : 0) && told.hint_length == (isFilled ? .max : 0))
            verify(withUnsafeBytes(of: told.label) { label in label.allSatisfy { $0 == (isFilled ? 0x61 : 0) } })
        }
    }

    /// Events keep their order when the ring begins anew at its start and when it wraps in the middle of a backlog.
    @Test func aBacklogKeepsItsOrderWhereverItBegan() {
        var queue = EventQueue(capacity: 64), out = jmp_event(), next: UInt64 = 1
        for backlog in [1, 40, 64, 3, 63, 50] {
            for _ in 0..<backlog { _ = queue.add(JMP_EVENT_SESSION_STATE_CHANGE) }
            for _ in 0..<backlog / 2 {
                verify(queue.pop(into: &out) && out.sequence == next)
                next += 1
            }
            for _ in 0..<backlog / 2 { _ = queue.add(JMP_EVENT_SESSION_STATE_CHANGE) }
            while queue.pop(into: &out) {
                verify(out.sequence == next && out.dropped == 0)
                next += 1
            }
        }
    }
}
