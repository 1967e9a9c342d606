import CJumping
import JumpingCrypto
import JumpingDelivery
import JumpingSession
import JumpingWire

/// What the host may look at: info, counters, paths, and why the session is where it is.
extension Session {
    func fill(_ info: UnsafeMutablePointer<jmp_session_info>, _ env: borrowing Environment) {
        var out = jmp_session_info()
        out.struct_size = UInt32(MemoryLayout<jmp_session_info>.size)
        out.state = UInt32(state.rawValue)
        out.role = UInt32(role.rawValue)
        out.last_reason = UInt32(lastReason.rawValue)
        withUnsafeMutableBytes(of: &out.session_id) { target in id.withBytes { target.copyMemory(from: $0) } }
        out.state_version = stateVersion
        out.binding_version = UInt64(bindingVersion)
        out.created_at = createdAt
        out.expires_at = timers[.lifetime]
        out.transport_lost_at = transportLostAt
        out.active_path = JMP_PATH_NONE
        out.active_transport = JMP_TRANSPORT_NONE
        out.path_count = UInt32(paths.count)
        out.candidate_count = standbyCount
        out.suite = UInt32(suite?.rawValue ?? 0)
        out.key_phase = keys?.pointee.phase ?? 0
        out.switches_last_minute = limiter.inLastMinute(env.now)
        out.confirmed = isConfirmed || (isClient && keys != nil) ? 1 : 0
        if let slot = activeSlot {
            out.active_path = paths[slot].id
            out.active_transport = paths[slot].transport
            out.srtt_us = paths[slot].health.hasRTT ? UInt32(clamping: paths[slot].health.smoothedRTT) : 0
            out.rttvar_us = paths[slot].health.hasRTT ? UInt32(clamping: paths[slot].health.variance) : 0
            out.loss_ppm = paths[slot].health.lossPPM
        }
        if carriesPayloads, let slot = sendingSlot { out.max_payload = UInt32(clamping: maxPayload(slot, env)) }
        out.max_protected_payload = UInt32(clamping: maxProtectedPayload(env))
        if let delivery {
            out.send_buffered = UInt32(clamping: delivery.pointee.sender.buffered)
            out.receive_buffered = UInt32(clamping: delivery.pointee.receiver.buffered)
            out.protected_count = UInt32(clamping: delivery.pointee.sender.payloadCount)
            out.congestion_window = UInt64(delivery.pointee.sender.congestion.window)
            out.bytes_in_flight = UInt64(delivery.pointee.sender.congestion.bytesInFlight)
            if let slot = sendingSlot { out.pacing_rate = delivery.pointee.sender.congestion.pacingRate(paths[slot].health.smoothedRTT) }
        }
        withUnsafeMutableBytes(of: &out.label) { if let base = $0.baseAddress { label.copy(to: base) } }
        withUnsafeMutableBytes(of: &out.policy_version) { if let base = $0.baseAddress { policy.version.copy(to: base) } }
        withUnsafeMutableBytes(of: &out.peer_key) { target in withUnsafeBytes(of: peerKey.words) { target.copyMemory(from: $0) } }
        info.pointee = out
    }

    func fill(_ stats: UnsafeMutablePointer<jmp_session_stats>) {
        var out = jmp_session_stats()
        out.struct_size = UInt32(MemoryLayout<jmp_session_stats>.size)
        out.replay_window_size = UInt32(clamping: replay.size)
        out.datagrams_sent = counters.datagramsSent
        out.datagrams_received = counters.datagramsReceived
        out.bytes_sent = counters.bytesSent
        out.bytes_received = counters.bytesReceived
        out.payloads_sent = counters.payloadsSent
        out.payloads_received = counters.payloadsReceived
        out.datagrams_lost = counters.rare.datagramsLost
        out.replayed = counters.rare.replayed
        out.too_old = counters.rare.tooOld
        out.bad_tag = counters.rare.badTag
        out.switches = counters.rare.switches
        out.switches_denied = counters.rare.switchesDenied
        out.reattach_attempts = counters.rare.reattachAttempts
        out.key_rotations = UInt64(counters.keyRotations)
        if let delivery {
            let sending = delivery.pointee.sender.counters
            out.protected_sent = sending.sent
            out.protected_acknowledged = sending.acknowledged
            out.protected_expired = sending.expired
            out.protected_datagrams_lost = sending.datagramsLost
            out.protected_bytes_resent = sending.bytesResent
            out.protected_received = delivery.pointee.receiver.receivedCount
            out.protected_duplicates = delivery.pointee.receiver.duplicateCount
        }
        stats.pointee = out
    }

    /// Writes every path; `target` has room for `paths.count`.
    func fill(_ target: UnsafeMutablePointer<jmp_path_info>, _ env: borrowing Environment) {
        var position = 0
        for slot in 0..<paths.capacity where paths[slot].isUsed {
            target[position] = describe(slot, env)
            position &+= 1
        }
    }

    private func describe(_ slot: Int, _ env: borrowing Environment) -> jmp_path_info {
        var out = jmp_path_info()
        out.struct_size = UInt32(MemoryLayout<jmp_path_info>.size)
        out.path = paths[slot].id
        out.transport = paths[slot].transport
        out.role = UInt32(paths[slot].role.rawValue)
        out.address = paths[slot].address.exported
        let name = transportName(slot, env)
        withUnsafeMutableBytes(of: &out.name) { if let base = $0.baseAddress { name.copy(to: base) } }
        out.transport_class = UInt32(paths[slot].transportClass)
        out.cost = env.transports[paths[slot].transport].cost
        out.mtu = env.transports[paths[slot].transport].mtu
        out.validated = paths[slot].isValidated ? 1 : 0
        out.dead = paths[slot].isDead ? 1 : 0
        if paths[slot].health.hasRTT {
            out.srtt_us = UInt32(clamping: paths[slot].health.smoothedRTT)
            out.rttvar_us = UInt32(clamping: paths[slot].health.variance)
            out.min_rtt_us = UInt32(clamping: paths[slot].health.minimumRTT)
            out.jitter_us = UInt32(clamping: paths[slot].health.jitter)
        }
        out.loss_ppm = paths[slot].health.lossPPM
        out.consecutive_drops = paths[slot].health.consecutiveDrops
        out.bytes_sent = paths[slot].datagramBytesSent
        out.bytes_received = paths[slot].datagramBytesReceived
        out.last_evidence_at = paths[slot].lastEvidenceAt
        return out
    }

    /// One line a path: why it is used, or why not.
    func explain(_ message: inout Message, _ env: borrowing Environment) {
        message.append(Names.state(UInt32(state.rawValue)))
        message.append(" since ")
        message.append(Names.reason(UInt32(lastReason.rawValue)))
        if let denial = switchDenial(env) {
            message.append("; voluntary switches denied: ")
            message.append(Names.reason(UInt32(denial.reason.rawValue)))
        }
        for slot in 0..<paths.capacity where paths[slot].isUsed {
            message.append("\n")
            let name = transportName(slot, env)
            withUnsafeBytes(of: name) { message.append(bytes: UnsafeRawBufferPointer(rebasing: $0[0..<name.count])) }
            message.append(" (path ")
            message.append(number: UInt64(paths[slot].id))
            message.append("): ")
            message.append(verdict(slot, env))
            guard paths[slot].health.hasRTT else { continue }
            message.append("; RTT ")
            message.append(number: paths[slot].health.smoothedRTT)
            message.append(" us, loss ")
            message.append(ppm: paths[slot].health.lossPPM)
        }
    }

    private func verdict(_ slot: Int, _ env: borrowing Environment) -> StaticString {
        if slot == activeSlot { return paths[slot].isDead ? "active, but dead" : "active" }
        if !policy.allows(transportClass: paths[slot].transportClass) { return "not used: its class is not allowed by policy" }
        if paths[slot].role == .pending { return "not used: a reattach from it waits for proof of its address" }
        if paths[slot].role == .provisional { return "not used: possible new address of the active path, not proven" }
        if paths[slot].isHintedDown { return "not used: the host says its transport is down" }
        if paths[slot].isDead { return "not used: it does not answer" }
        if !paths[slot].isValidated { return "not used: not validated yet" }
        guard let activeSlot, !paths[activeSlot].isDead else { return "standby: next choice if it stays the best" }
        let isBetter = Selection.isWorthLeaving(candidate(activeSlot, env), for: candidate(slot, env), improvementPPM: policy.switchImprovementPPM)
        return isBetter ? "standby: better than the active path, taken when that becomes volatile"
            : "standby: not better than the active path by switch_improvement"
    }
}
