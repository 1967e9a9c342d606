import CJumping
import Foundation
import JumpingC
import Testing
@testable import Jumping

struct EventJSONTests {
    private func parse(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    /// A life with many kinds of event in it.
    private func story() -> [jmp_event] {
        var options = PairOptions()
        options.tuneGateway = { $0.telemetry_interval_ms = 500 }
        let pair = Pair.established(options, sending: true)
        pair.links[0].cut()
        pair.run(1_000_000)
        _ = jmp_session_request_switch(pair.client.handle, pair.client.session, UInt32.max, pair.now)
        expectOK(jmp_session_rekey(pair.gateway.handle, pair.gateway.session, pair.now))
        pair.inject([0xC1] + [UInt8](repeating: 0, count: 20), to: .gateway)
        pair.run(500_000)
        expectOK(jmp_session_close(pair.client.handle, pair.client.session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
        pair.drain(.client)
        pair.run(100_000)
        return pair.client.events + pair.gateway.events
    }

    @Test func everyEventIsOneObjectOnOneLineWithThePromisedFields() throws {
        let events = story()
        for event in events {
            let line = json(event)
            #expect(!line.contains("\n"))
            let object = try parse(line)
            for key in ["ts_ms", "event_type", "session_id", "node_id", "policy_version"] { #expect(object[key] != nil, "\(key): \(line)") }
            #expect(object["event_type"] as? String == Names.event(event.type).description)
            #expect(object["session_id"] as? String == bytes(event.session_id).map { String(format: "%02x", $0) }.joined())
            #expect((object["ts_ms"] as? NSNumber)?.int64Value == event.ts_ms)
            if event.type == UInt32(JMP_EVENT_SESSION_STATE_CHANGE) {
                #expect(object["previous_state"] as? String == Names.state(event.previous_state).description)
                #expect(object["new_state"] as? String == Names.state(event.new_state).description)
                #expect(object["reason_code"] as? String == Names.reason(event.reason).description)
                #expect((object["state_version"] as? NSNumber)?.uint64Value == event.state_version)
            }
        }
        let kinds = Set(events.map(\.type))
        for kind in [JMP_EVENT_SESSION_CREATED, JMP_EVENT_SESSION_ESTABLISHED, JMP_EVENT_SESSION_STATE_CHANGE, JMP_EVENT_TRANSPORT_ATTACHED,
                     JMP_EVENT_TRANSPORT_DEAD, JMP_EVENT_TRANSPORT_SWITCH, JMP_EVENT_REATTACH_ATTEMPT, JMP_EVENT_REATTACH_RESULT,
                     JMP_EVENT_VOLATILITY_SIGNAL, JMP_EVENT_SESSION_TERMINATED, JMP_EVENT_KEY_ROTATED, JMP_EVENT_TELEMETRY_TICK] {
            #expect(kinds.contains(UInt32(kind)), "the story has no \(Names.event(UInt32(kind)))")
        }
    }

    @Test func aSwitchTellsFromWhereToWhereAndHowThingsStood() throws {
        let event = try #require(story().first { $0.type == UInt32(JMP_EVENT_TRANSPORT_SWITCH) })
        let object = try parse(json(event))
        #expect(object["from_transport"] as? String == "udp:A" && object["to_transport"] as? String == "udp:B")
        #expect(object["explicit"] as? Bool == true && object["auditable"] as? Bool == true)
        for key in ["candidate_count", "loss_ratio", "latency_estimate_ms", "reason_code"] { #expect(object[key] != nil, "\(key)") }
        #expect((object["latency_estimate_ms"] as? NSNumber)?.doubleValue ?? 0 > 30)
    }

    @Test func theEndTellsReasonAndAge() throws {
        let event = try #require(story().last { $0.type == UInt32(JMP_EVENT_SESSION_TERMINATED) })
        let object = try parse(json(event))
        #expect(object["reason_code"] != nil)
        #expect((object["age_ms"] as? NSNumber)?.uint64Value == event.age_us / 1000)
    }

    @Test func wallClockTimeComesFromTheHostsOffset() throws {
        var options = PairOptions()
        options.tuneClient = { $0.wall_clock_offset_us = 1_700_000_000_000_000 }
        let pair = Pair.established(options)
        let event = try #require(pair.client.events.last)
        #expect(event.ts_ms == (1_700_000_000_000_000 + Int64(event.time)) / 1000)
        expectOK(jmp_endpoint_set_wall_clock(pair.client.handle, -Int64(pair.now) - 5_000_000))
        expectOK(jmp_session_close(pair.client.handle, pair.client.session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
        pair.drain(.client)
        let last = try #require(pair.client.events.last)
        #expect(last.ts_ms == -5000)
        #expect((try parse(json(last))["ts_ms"] as? NSNumber)?.int64Value == -5000)
    }

    /// A host may hand in any struct; the line stays JSON.
    @Test(arguments: 1...21 as ClosedRange<UInt32>)
    func whateverStandsInTheTextsTheLineIsJSON(type: UInt32) throws {
        var random = SeededGenerator(seed: UInt64(type))
        for _ in 0..<50 {
            var event = jmp_event()
            withUnsafeMutableBytes(of: &event) { target in
                for i in target.indices { target[i] = UInt8(truncatingIfNeeded: random.next()) & 0x7F }
            }
            event.struct_size = UInt32(MemoryLayout<jmp_event>.size)
            event.type = type
            setText(&event.label, "a\"b\\c\u{1}\u{7F}")
            _ = try parse(json(event))
        }
    }

    @Test func aShortBufferIsAnErrorAndNeverOverrun() {
        for event in story().prefix(12) {
            var copy = event
            let needed = json(event).utf8.count + 1
            for capacity in [0, 1, 2, 17, needed - 1, needed] {
                var text = [CChar](repeating: 0x55, count: needed + 8), length = -1
                let status = jmp_event_to_json(&copy, &text, capacity, &length)
                #expect(status == (capacity < needed ? JMP_ERR_BUFFER_TOO_SMALL : JMP_OK), "\(capacity) of \(needed)")
                #expect(text[capacity...].allSatisfy { $0 == 0x55 })
                if status == JMP_OK { #expect(length == needed - 1 && text[length] == 0) }
            }
            #expect(needed <= 2048)
        }
    }
}
