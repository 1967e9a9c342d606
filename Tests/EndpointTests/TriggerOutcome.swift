import CJumping
import JumpingC
import JumpingSession
import Testing
@testable import Jumping

/// What a trigger did, in the words of the tables: status or drop cause, the transitions with their reasons, other events.
/// Events that a transition always has with it are not repeated, but they must be there: without them the words differ.
struct TriggerOutcome {
    private(set) var transitions: [String] = []
    private(set) var others: [String] = []
    private(set) var binds = 0

    /// Every public status by its name in the header.
    private static let statuses: [jmp_status: String] = [
        JMP_OK: "ok", JMP_AGAIN: "AGAIN", JMP_ERR_ARGUMENT: "ERR_ARGUMENT", JMP_ERR_SESSION: "ERR_SESSION", JMP_ERR_TRANSPORT: "ERR_TRANSPORT",
        JMP_ERR_PATH: "ERR_PATH", JMP_ERR_STATE: "ERR_STATE", JMP_ERR_POLICY: "ERR_POLICY", JMP_ERR_TERMINATED: "ERR_TERMINATED",
        JMP_ERR_NO_PATH: "ERR_NO_PATH", JMP_ERR_SWITCH_DENIED: "ERR_SWITCH_DENIED", JMP_ERR_ROLE: "ERR_ROLE",
        JMP_ERR_EXISTS: "ERR_EXISTS", JMP_ERR_KEY: "ERR_KEY", JMP_ERR_RATE_LIMITED: "ERR_RATE_LIMITED",
    ]

    static func name(_ status: jmp_status) -> String { statuses[status] ?? "status \(status)" }

    private static func name(_ event: jmp_event) -> String {
        let type = "\(Names.event(event.type))"
        switch Int32(event.type) {
        case JMP_EVENT_TRANSPORT_SWITCH_DENIED, JMP_EVENT_REATTACH_RESULT, JMP_EVENT_VOLATILITY_SIGNAL, JMP_EVENT_TRANSPORT_DEAD:
            return "\(type) \(Names.reason(event.reason))"
        default:
            return type
        }
    }

    init(_ events: [jmp_event], at side: Side) {
        let names = events.map(Self.name)
        var consumed = Set<Int>()
        for (i, event) in events.enumerated() where event.type == UInt32(JMP_EVENT_SESSION_STATE_CHANGE) {
            let reason = "\(Names.reason(event.reason))", state = "\(Names.state(event.new_state))"
            transitions.append("→ \(state) \(reason)")
            consumed.insert(i)
            // What belongs to a transition, by its place beside it.
            var companions: [(Int, String)] = []
            switch (Int32(event.new_state), Int32(event.reason)) {
            case (JMP_STATE_VOLATILE, _): companions = [(i - 1, "VolatilitySignal \(reason)")]
            case (JMP_STATE_RECOVERING, _) where side == .client: companions = [(i + 1, "ReattachAttempt")]
            case (JMP_STATE_ATTACHED, JMP_REASON_REATTACH_SUCCESS):
                binds += 1
                companions = [(i - 1, "ReattachResult reattach_success"), (i + 2, "TransportAttached")]
            case (JMP_STATE_ATTACHED, _):
                companions = [(i - 1, "SessionCreated"), (i + 1, "SessionEstablished"), (i + 2, "TransportAttached")]
            case (JMP_STATE_TERMINATED, _) where i + 1 < events.count && events[i + 1].reason == event.reason:
                companions = [(i + 1, "SessionTerminated")]
            default: break
            }
            for (place, name) in companions where names.indices.contains(place) && names[place] == name { consumed.insert(place) }
        }
        others = names.indices.filter { !consumed.contains($0) }.map { names[$0] }
    }

    /// `status` is the call's or the datagram's; `isGone`: the handle is stale now.
    func words(status: String, bindingGrowth: UInt64, isGone: Bool) -> String {
        var words = ([status] + transitions).joined(separator: " ")
        if bindingGrowth != UInt64(binds) { words += ", binding + \(bindingGrowth)" }
        if isGone { words += ", gone" }
        if !others.isEmpty { words += "; " + others.joined(separator: ", ") }
        return words
    }
}
