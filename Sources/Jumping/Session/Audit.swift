import CJumping
import JumpingCrypto
import JumpingSession
import JumpingWire

extension Session {
    /// An event of this session: identity, versions, policy and the active path are filled in.
    func makeEvent(_ type: Int32, _ env: borrowing Environment) -> jmp_event {
        var event = env.makeEvent(type)
        event.session = handle
        event.role = UInt32(role.rawValue)
        event.state_version = stateVersion
        event.binding_version = UInt64(bindingVersion)
        event.previous_state = UInt32(state.rawValue)
        event.new_state = UInt32(state.rawValue)
        event.payloads_sent = counters.payloadsSent
        event.payloads_received = counters.payloadsReceived
        event.candidate_count = standbyCount
        event.key_phase = keys?.pointee.phase ?? 0
        event.suite = UInt32(suite?.rawValue ?? 0)
        withUnsafeMutableBytes(of: &event.session_id) { target in id.withBytes { target.copyMemory(from: $0) } }
        withUnsafeMutableBytes(of: &event.policy_version) { if let base = $0.baseAddress { policy.version.copy(to: base) } }
        withUnsafeMutableBytes(of: &event.label) { if let base = $0.baseAddress { label.copy(to: base) } }
        if let activeSlot { describePath(activeSlot, &event, env) }
        return event
    }

    /// Path, transport name, address and health of a path as the event's subject ("from" side).
    func describePath(_ slot: Int, _ event: inout jmp_event, _ env: borrowing Environment) {
        event.path = paths[slot].id
        event.loss_ppm = paths[slot].health.lossPPM
        event.latency_us = paths[slot].health.hasRTT ? UInt32(clamping: paths[slot].health.smoothedRTT) : 0
        let name = transportName(slot, env)
        withUnsafeMutableBytes(of: &event.from_transport) { if let base = $0.baseAddress { name.copy(to: base) } }
        event.from_address = paths[slot].address.exported
    }

    /// The path as the event's goal ("to" side).
    func describeTarget(_ slot: Int, _ event: inout jmp_event, _ env: borrowing Environment) {
        event.path = paths[slot].id
        let name = transportName(slot, env)
        withUnsafeMutableBytes(of: &event.to_transport) { if let base = $0.baseAddress { name.copy(to: base) } }
        event.to_address = paths[slot].address.exported
    }

    /// The name the client gave the path's transport, or this host's own.
    func transportName(_ slot: Int, _ env: borrowing Environment) -> Name {
        paths[slot].name == Name() ? env.transports[paths[slot].transport].name : paths[slot].name
    }

    var standbyCount: UInt32 {
        var count: UInt32 = 0
        for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].role == .standby { count &+= 1 }
        return count
    }

    /// An event about one reason and one path.
    mutating func emit(_ type: Int32, reason: Reason, cause: Reason = .none, target: Int? = nil, attempt: UInt64 = 0, _ env: inout Environment) {
        var event = makeEvent(type, env)
        event.reason = UInt32(reason.rawValue)
        event.cause = UInt32(cause.rawValue)
        event.attempt_id = attempt
        if let target {
            if type == JMP_EVENT_TRANSPORT_ATTACHED || type == JMP_EVENT_TRANSPORT_DEAD {
                describePath(target, &event, env)   // the path is the subject, there is no other end
            } else {
                describeTarget(target, &event, env)
            }
        }
        env.events.push(event)
    }
}
