import CJumping
import JumpingCrypto
import JumpingSession
import JumpingWire

extension Session {
    /// A new event of this session, with identity, versions, policy and the active path filled in; nil when the queue refuses it.
    mutating func addEvent(_ type: Int32, _ env: inout Environment) -> UnsafeMutablePointer<jmp_event>? {
        guard let event = env.addEvent(type) else { return nil }
        event.pointee.session = handle
        event.pointee.role = UInt32(role.rawValue)
        event.pointee.state_version = stateVersion
        event.pointee.binding_version = UInt64(bindingVersion)
        event.pointee.previous_state = UInt32(state.rawValue)
        event.pointee.new_state = UInt32(state.rawValue)
        event.pointee.payloads_sent = counters.payloadsSent
        event.pointee.payloads_received = counters.payloadsReceived
        event.pointee.candidate_count = standbyCount
        event.pointee.key_phase = keys?.pointee.phase ?? 0
        event.pointee.suite = UInt32(suite?.rawValue ?? 0)
        withUnsafeMutablePointer(to: &event.pointee.session_id) { id.copy(to: $0) }
        withUnsafeMutablePointer(to: &event.pointee.policy_version) { policy.version.copy(to: $0) }
        withUnsafeMutablePointer(to: &event.pointee.label) { label.copy(to: $0) }
        if let activeSlot { describePath(activeSlot, event, env) }
        return event
    }

    /// Path, transport name, address and health of a path as the event's subject ("from" side).
    func describePath(_ slot: Int, _ event: UnsafeMutablePointer<jmp_event>, _ env: borrowing Environment) {
        event.pointee.path = paths[slot].id
        event.pointee.loss_ppm = paths[slot].health.lossPPM
        event.pointee.latency_us = paths[slot].health.hasRTT ? UInt32(clamping: paths[slot].health.smoothedRTT) : 0
        withUnsafeMutablePointer(to: &event.pointee.from_transport) { transportName(slot, env).copy(to: $0) }
        paths[slot].address.write(to: &event.pointee.from_address)
    }

    /// The path as the event's goal ("to" side).
    func describeTarget(_ slot: Int, _ event: UnsafeMutablePointer<jmp_event>, _ env: borrowing Environment) {
        event.pointee.path = paths[slot].id
        withUnsafeMutablePointer(to: &event.pointee.to_transport) { transportName(slot, env).copy(to: $0) }
        paths[slot].address.write(to: &event.pointee.to_address)
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
        guard let event = addEvent(type, &env) else { return }
        event.pointee.reason = UInt32(reason.rawValue)
        event.pointee.cause = UInt32(cause.rawValue)
        event.pointee.attempt_id = attempt
        if let target {
            if type == JMP_EVENT_TRANSPORT_ATTACHED || type == JMP_EVENT_TRANSPORT_DEAD {
                describePath(target, event, env)   // the path is the subject, there is no other end
            } else {
                describeTarget(target, event, env)
            }
        }
    }
}
