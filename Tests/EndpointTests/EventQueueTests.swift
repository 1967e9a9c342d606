import CJumping
import Testing
@testable import Jumping

struct EventQueueTests {
    private func event(_ type: Int32) -> jmp_event {
        var event = jmp_event()
        event.type = UInt32(bitPattern: type)
        return event
    }

    private func drain(_ queue: inout EventQueue) -> [jmp_event] {
        var out = jmp_event(), events: [jmp_event] = []
        while queue.pop(into: &out) { events.append(out) }
        return events
    }

    @Test func eventsComeInOrderWithTheirSequence() {
        var queue = EventQueue(capacity: 64)
        for _ in 0..<10 { queue.push(event(JMP_EVENT_TELEMETRY_TICK)) }
        verify(drain(&queue).map(\.sequence) == Array(1...10))
    }

    /// Ordinary events are refused when a quarter is left; transitions until nothing is; every refusal is counted and told.
    @Test func transitionsAreRefusedLast() {
        var queue = EventQueue(capacity: 64)
        for _ in 0..<100 { queue.push(event(JMP_EVENT_TELEMETRY_TICK)) }
        verify(queue.count == 48 && queue.dropped == 52)
        for _ in 0..<20 { queue.push(event(JMP_EVENT_SESSION_STATE_CHANGE)) }
        verify(queue.count == 64 && queue.dropped == 56)
        let events = drain(&queue)
        verify(events.filter { $0.type == UInt32(JMP_EVENT_SESSION_STATE_CHANGE) }.count == 16)
        queue.push(event(JMP_EVENT_TELEMETRY_TICK))
        let next = drain(&queue)
        verify(next.first?.dropped == 56 && next.first?.sequence == 121, "the gap in the sequence is explained")
    }

    @Test func itWrapsForEver() {
        var queue = EventQueue(capacity: 64)
        for round in 0..<1000 {
            queue.push(event(JMP_EVENT_SESSION_CREATED))
            queue.push(event(JMP_EVENT_SESSION_TERMINATED))
            let events = drain(&queue)
            verify(events.map(\.sequence) == [UInt64(2 * round + 1), UInt64(2 * round + 2)])
        }
    }
}
