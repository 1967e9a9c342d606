import CJumping
import JumpingC
import JumpingDelivery
import JumpingSession
import JumpingWire
import Testing
@testable import Jumping

// MARK: datagrams of the peer

extension Trigger {
    /// A sealed datagram of the peer on link 0 unless another is named.
    private static func frame(_ name: String, link: Int = 0, prepare: @escaping (TriggerWorld) -> Void = { _ in },
                              _ frames: @escaping (TriggerWorld) -> [UInt8]?) -> Trigger {
        Trigger(name, prepare: prepare) { world in frames(world).map { world.inject(frames: $0, link: link) } }
    }

    private static func version(_ world: TriggerWorld) -> UInt32 { UInt32(world.node.info().binding_version) }

    // MARK: at both ends

    static var framesAtBothEnds: [Trigger] { generalFrames + deliveryFrames }

    private static var generalFrames: [Trigger] {
        [
            frame("PAYLOAD") { _ in TriggerFrame.payload },
            frame("PAYLOAD, on the other path", link: 1) { _ in TriggerFrame.payload },
            Trigger("PAYLOAD, from another address") { $0.inject(frames: TriggerFrame.payload, from: $0.reboundAddress) },
            Trigger("PAYLOAD, alone and without a frame") { $0.inject(frames: [1, 2, 3], isPayload: true) },
            Trigger("PAYLOAD, alone and empty") { $0.inject(frames: [], isPayload: true) },
            Trigger("no frame and no payload") { $0.inject(frames: []) },
            frame("PADDING, PING") { _ in TriggerFrame.padding + TriggerFrame.ping },
            frame("PING, on an index never used", link: 2) { _ in TriggerFrame.ping },
            frame("ACK, of a datagram on its way", prepare: { world in world.pair.send(world.side) }) { world in
                world.read { $0.nextPacketNumber }.flatMap { $0 > 0 ? TriggerFrame.acknowledgement($0 - 1) : nil }
            },
            frame("ACK, on the other path, of its own challenge", link: 1, prepare: { challenge($0, link: 1) }) { world in
                world.read { $0.nextPacketNumber }.flatMap { $0 > 0 ? TriggerFrame.acknowledgement($0 - 1) : nil }
            },
            frame("ACK, that leaves out many", prepare: loseMany) { world in
                world.read { $0.nextPacketNumber }.flatMap { $0 > 0 ? TriggerFrame.acknowledgement($0 - 1) : nil }
            },
            frame("ACK, that took longer than latency_volatile_threshold", prepare: { world in
                world.core { session, _ in session.policy.latencyVolatileThreshold = 41_000 }   // a little above the links' round trip
                world.pair.send(world.side)
                world.pair.skip(55_000)
            }) { world in
                world.read { $0.nextPacketNumber }.flatMap { $0 > 0 ? TriggerFrame.acknowledgement($0 - 1) : nil }
            },
            frame("ACK, of a number never sent") { _ in TriggerFrame.acknowledgement(1 << 31) },
            frame("PATH_CHALLENGE") { _ in TriggerFrame.challenge(0x1234) },
            frame("PATH_RESPONSE, to no challenge") { _ in TriggerFrame.response(0x1234) },
            frame("PATH_RESPONSE, of the active path", prepare: { challenge($0, link: 0) }) { response($0, link: 0) },
            frame("PATH_RESPONSE, of the other path", link: 1, prepare: { challenge($0, link: 1) }) { response($0, link: 1) },
            frame("CLOSE, operator_terminated") { _ in TriggerFrame.close(JMP_REASON_OPERATOR_TERMINATED) },
            frame("CLOSE, session_lifetime_exceeded") { _ in TriggerFrame.close(JMP_REASON_SESSION_LIFETIME_EXCEEDED) },
            frame("CLOSE, transport_ttl_exceeded") { _ in TriggerFrame.close(JMP_REASON_TRANSPORT_TTL_EXCEEDED) },
            frame("CLOSE, of no reason there is") { _ in [FrameType.close, 0xEE] },
            frame("an unknown frame") { _ in TriggerFrame.unknown },
            frame("a frame that is cut") { _ in TriggerFrame.cut },
            Trigger("reserved bits that are set") { $0.inject(frames: TriggerFrame.ping, reserved: 1) },
            Trigger("PING, in the next key phase") { $0.inject(frames: TriggerFrame.ping, isNextPhase: true) },
            Trigger("a forged tag") { world in
                var datagram = world.sealed(TriggerFrame.ping)
                datagram[datagram.count - 1] ^= 1
                return world.inject(datagram)
            },
            Trigger("a datagram a second time") { world in
                let datagram = world.sealed(TriggerFrame.payload)
                world.inject(datagram)
                return world.inject(datagram)
            },
            Trigger("a connection id nobody has") { $0.inject([UInt8](repeating: 0x42, count: 64)) },
        ]
    }

    /// Frames of protected delivery.
    private static var deliveryFrames: [Trigger] {
        [
            frame("PROTECTED") { _ in TriggerFrame.protected(0) },
            frame("PROTECTED, on the other path", link: 1) { _ in TriggerFrame.protected(0) },
            Trigger("PROTECTED, from another address") { $0.inject(frames: TriggerFrame.protected(0), from: $0.reboundAddress) },
            frame("PROTECTED, on the other path, strict_binding", link: 1, prepare: { $0.core { session, _ in
                session.policy.strictBinding = true
            } }) { _ in TriggerFrame.protected(0) },
            frame("PROTECTED, a payload that came before", prepare: { $0.inject(frames: TriggerFrame.protected(0)) }) { _ in
                TriggerFrame.protected(0)
            },
            frame("PROTECTED, out of its channel's order") { _ in TriggerFrame.protected(3, channel: 1) },
            frame("PROTECTED, a number beyond the window") { _ in TriggerFrame.protected(4096) },
            frame("FRAGMENT") { _ in TriggerFrame.fragment(0, payloadLength: 1000) },
            frame("FRAGMENT, of a payload longer than there are") { _ in
                TriggerFrame.fragment(0, payloadLength: ProtectedFrame.longestPayload + 1)
            },
            frame("FRAGMENT, when there is no memory", prepare: { $0.core { _, env in env.payloads = PayloadPool(limit: 0) } }) { _ in
                TriggerFrame.fragment(0, payloadLength: 1000)
            },
            frame("ACK_RANGES, of a protected payload", prepare: { world in
                world.number = world.read { $0.nextPacketNumber } ?? 0
                world.pair.sendProtected(world.side, [1, 2, 3], tag: 7)
            }) { world in
                world.read { $0.nextPacketNumber }.flatMap { $0 > 0 ? TriggerFrame.ranges(world.number, count: 1) : nil }
            },
            frame("ACK_RANGES, of a number never sent") { _ in TriggerFrame.ranges(1 << 31, count: 1) },
            frame("ACK_RANGES, that pass below 0", prepare: { world in world.pair.send(world.side) }) { world in
                world.read { $0.nextPacketNumber }.flatMap { $0 > 0 ? TriggerFrame.ranges($0 - 1, count: .max) : nil }
            },
            frame("MAX_DATA") { _ in TriggerFrame.maxData(1 << 20) },
            frame("ABANDONED") { _ in TriggerFrame.abandoned(0, credit: 164) },
        ]
    }

    /// Twelve payloads of which the peer acknowledges the last alone, and one more after the time that reordering is given.
    private static func loseMany(_ world: TriggerWorld) {
        for _ in 0..<12 { world.pair.send(world.side) }
        if let next = world.read({ $0.nextPacketNumber }), next > 0 { world.inject(frames: TriggerFrame.acknowledgement(next - 1)) }
        world.pair.skip(40_000)
        world.pair.send(world.side)
    }

    /// A challenge of the end under test on one of its paths, as it makes them.
    private static func challenge(_ world: TriggerWorld, link: Int) {
        world.core { session, env in
            guard session.keys != nil, session.state != .birth else { return }
            for slot in 0..<session.paths.capacity where session.paths[slot].isUsed && session.paths[slot].transport == UInt32(link) {
                session.requestChallenge(slot, &env)
            }
        }
        world.pair.drain(world.side)
    }

    /// The peer's answer to the challenge that is open on a path.
    private static func response(_ world: TriggerWorld, link: Int) -> [UInt8] {
        let value = world.read { session -> UInt64 in
            for slot in 0..<session.paths.capacity where session.paths[slot].isUsed && session.paths[slot].transport == UInt32(link)
                && session.paths[slot].isChallengeOpen { return session.paths[slot].challenge }
            return 0
        }
        return TriggerFrame.response(value ?? 0)
    }

    // MARK: at the client

    static var framesAtClient: [Trigger] { answersToReattach + reportsAndPolicies }

    private static var answersToReattach: [Trigger] {
        [
            frame("REATTACH, which only a client sends") { TriggerFrame.reattach(7, version($0), JMP_REASON_TRANSPORT_DEAD) },
            frame("REATTACH_ACK, of the newest attempt", link: 1) { world in
                TriggerFrame.answer(FrameType.reattachAck, newestAttempt(world), version(world) + 1, 0)
            },
            frame("REATTACH_ACK, pending", link: 1) { world in
                TriggerFrame.answer(FrameType.reattachAck, newestAttempt(world), version(world), ReattachAnswer.pendingFlag)
            },
            frame("REATTACH_ACK, of the newest attempt, version not greater", link: 1) { world in
                TriggerFrame.answer(FrameType.reattachAck, newestAttempt(world), version(world), 0)
            },
            frame("REATTACH_ACK, of an attempt in place, version the same", prepare: { $0.core { session, _ in
                guard let activeSlot = session.activeSlot else { return }
                session.attempt?.slot = activeSlot
                session.attempt?.isSamePath = true
            } }) { world in
                TriggerFrame.answer(FrameType.reattachAck, newestAttempt(world), version(world), 0)
            },
            frame("REATTACH_ACK, of an unknown attempt", link: 1) { TriggerFrame.answer(FrameType.reattachAck, 0xDEAD, version($0) + 1, 0) },
            frame("REATTACH_ACK, of the answer to a NUDGE", prepare: asksForRebinding) { world in
                TriggerFrame.answer(FrameType.reattachAck, 0xBEEF, version(world) + 1, 0)
            },
            frame("REATTACH_REJECT, stale_state_version", link: 1) { reject($0, JMP_REASON_STALE_STATE_VERSION) },
            frame("REATTACH_REJECT, policy_denied", link: 1) { reject($0, JMP_REASON_POLICY_DENIED) },
            frame("REATTACH_REJECT, stale_request", link: 1) { reject($0, JMP_REASON_STALE_REQUEST) },
            frame("REATTACH_REJECT, of an unknown attempt", link: 1) {
                TriggerFrame.answer(FrameType.reattachReject, 0xDEAD, version($0), UInt8(JMP_REASON_POLICY_DENIED))
            },
            frame("REATTACH_REJECT, stale_state_version, of the answer to a NUDGE", prepare: asksForRebinding) { world in
                TriggerFrame.answer(FrameType.reattachReject, 0xBEEF, version(world) + 1, UInt8(JMP_REASON_STALE_STATE_VERSION))
            },
            frame("REATTACH_REJECT, policy_denied, of the answer to a NUDGE", prepare: asksForRebinding) { world in
                TriggerFrame.answer(FrameType.reattachReject, 0xBEEF, version(world) + 1, UInt8(JMP_REASON_POLICY_DENIED))
            },
            frame("NUDGE") { TriggerFrame.nudge(version($0)) },
            frame("NUDGE, of a newer version") { TriggerFrame.nudge(version($0) + 1) },
        ]
    }

    private static var reportsAndPolicies: [Trigger] {
        [
            frame("VOLATILITY, alive") { TriggerFrame.volatility(version($0), cause: JMP_REASON_CONSECUTIVE_DROP_EXCEEDED) },
            frame("VOLATILITY, alive, much loss") {
                TriggerFrame.volatility(version($0), cause: JMP_REASON_LOSS_THRESHOLD_EXCEEDED, lossPPM: 500_000)
            },
            frame("VOLATILITY, alive, latency_threshold_exceeded") {
                TriggerFrame.volatility(version($0), cause: JMP_REASON_LATENCY_THRESHOLD_EXCEEDED)
            },
            frame("VOLATILITY, not alive", link: 1) {
                TriggerFrame.volatility(version($0), cause: JMP_REASON_CONSECUTIVE_DROP_EXCEEDED, isAlive: false)
            },
            frame("VOLATILITY, alive, much loss, within switch_cooldown", prepare: { $0.hasSwitched(times: 1) }) {
                TriggerFrame.volatility(version($0), cause: JMP_REASON_LOSS_THRESHOLD_EXCEEDED, lossPPM: 500_000)
            },
            frame("VOLATILITY, not alive, max_switches_per_min spent", link: 1, prepare: { $0.hasSwitched(times: 8) }) {
                TriggerFrame.volatility(version($0), cause: JMP_REASON_CONSECUTIVE_DROP_EXCEEDED, isAlive: false)
            },
            frame("VOLATILITY, operator_requested") { TriggerFrame.volatility(version($0), cause: JMP_REASON_OPERATOR_REQUESTED) },
            frame("VOLATILITY, of a newer version") { TriggerFrame.volatility(version($0) + 1, cause: JMP_REASON_CONSECUTIVE_DROP_EXCEEDED) },
            frame("VOLATILITY, not alive, while reports are doubted", prepare: { world in
                let now = world.pair.now
                world.core { session, _ in session.reportsDoubtedUntil = now + 500_000 }
            }) { TriggerFrame.volatility(version($0), cause: JMP_REASON_CONSECUTIVE_DROP_EXCEEDED, isAlive: false) },
            frame("POLICY") { _ in TriggerFrame.policy(1) },
            frame("POLICY, of an old sequence") { _ in TriggerFrame.policy(0) },
            frame("POLICY, forbids the active path's class", prepare: { world in
                var other = jmp_transport_config()
                expectOK(jmp_transport_config_init(&other))
                setText(&other.name, "udp:B")
                other.transport_class = 1
                expectOK(jmp_transport_set(world.node.handle, 1, &other, world.pair.now))
            }) { _ in TriggerFrame.policy(1, allowedClasses: ~1) },
            frame("POLICY, malformed") { _ in TriggerFrame.policy(1, allowedClasses: 0) },
            frame("POLICY_ACK, which only a client sends") { _ in TriggerFrame.policyAck(0) },
        ]
    }

    /// The attempt the client began last; of one that never tried anything, a number.
    private static func newestAttempt(_ world: TriggerWorld) -> UInt64 {
        world.node.events(JMP_EVENT_REATTACH_ATTEMPT).last?.attempt_id ?? 7
    }

    /// The client has answered a NUDGE.
    private static func asksForRebinding(_ world: TriggerWorld) {
        world.core { session, _ in session.rebindAttemptID = 0xBEEF }
    }

    private static func reject(_ world: TriggerWorld, _ reason: Int32) -> [UInt8] {
        TriggerFrame.answer(FrameType.reattachReject, newestAttempt(world), version(world), UInt8(reason))
    }

    // MARK: at the gateway

    static var framesAtGateway: [Trigger] { reattaches + refusedReattaches + otherFramesAtGateway }

    private static var reattaches: [Trigger] {
        [
            frame("REATTACH, from the standby", link: 1) { reattach($0, JMP_REASON_CONSECUTIVE_DROP_EXCEEDED) },
            frame("REATTACH, from the standby, operator_requested", link: 1) { reattach($0, JMP_REASON_OPERATOR_REQUESTED) },
            frame("REATTACH, from the standby, loss_threshold_exceeded", link: 1) { reattach($0, JMP_REASON_LOSS_THRESHOLD_EXCEEDED) },
            frame("REATTACH, from the active path, stability_window_met") { reattach($0, JMP_REASON_STABILITY_WINDOW_MET) },
            frame("REATTACH, from the active path, nat_rebinding") { reattach($0, JMP_REASON_NAT_REBINDING) },
            frame("REATTACH, from a new address", link: 2) { reattach($0, JMP_REASON_CONSECUTIVE_DROP_EXCEEDED) },
            frame("PATH_RESPONSE, of a pending path", link: 2, prepare: { world in
                world.inject(frames: reattach(world, JMP_REASON_CONSECUTIVE_DROP_EXCEEDED), link: 2)
            }) { response($0, link: 2) },
            Trigger("REATTACH, from the provisional address, not proven", prepare: openProvisional) { world in
                world.inject(frames: reattach(world, JMP_REASON_NAT_REBINDING), from: world.reboundAddress)
            },
            Trigger("REATTACH, from the provisional address, proven", prepare: { world in
                openProvisional(world)
                let value = world.read { session in
                    (0..<session.paths.capacity).first { session.paths[$0].isUsed && session.paths[$0].role == .provisional }
                        .map { session.paths[$0].challenge } ?? 0
                }
                world.inject(frames: TriggerFrame.response(value ?? 0), from: world.reboundAddress)
            }) { world in
                world.inject(frames: reattach(world, JMP_REASON_NAT_REBINDING), from: world.reboundAddress)
            },
        ]
    }

    private static var refusedReattaches: [Trigger] {
        [
            frame("REATTACH, answered before", link: 1, prepare: { world in
                world.inject(frames: TriggerFrame.reattach(9, version(world) + 7, JMP_REASON_CONSECUTIVE_DROP_EXCEEDED), link: 1)
            }) { TriggerFrame.reattach(9, version($0), JMP_REASON_CONSECUTIVE_DROP_EXCEEDED) },
            Trigger("REATTACH, older than proof_max_age", prepare: { world in
                let datagram = world.sealed(reattach(world, JMP_REASON_CONSECUTIVE_DROP_EXCEEDED), link: 1)
                world.held = datagram
                world.inject(frames: TriggerFrame.ping)
                world.pair.skip(6_000_000)
            }) { $0.inject($0.held, link: 1) },
            frame("REATTACH, past max_lifetime", link: 1, prepare: { $0.pair.skip(8 * 3600 * 1_000_000) }) {
                reattach($0, JMP_REASON_CONSECUTIVE_DROP_EXCEEDED)
            },
            frame("REATTACH, past transport_lost_ttl", link: 1, prepare: { world in
                _ = jmp_transport_hint(world.node.handle, 0, 0, world.pair.now)
                world.pair.drain(.gateway)
                world.pair.skip(31_000_000)
            }) { world in
                if world.node.info().state == JMP_STATE_BIRTH, world.node.withCore({ $0.keys != nil }) == true { return nil }   // no clock runs
                return reattach(world, JMP_REASON_CONSECUTIVE_DROP_EXCEEDED)
            },
            frame("REATTACH, of another version", link: 1) {
                TriggerFrame.reattach(7, version($0) + 1, JMP_REASON_CONSECUTIVE_DROP_EXCEEDED)
            },
            frame("REATTACH, of a forbidden class", link: 1) {
                TriggerFrame.reattach(7, version($0), JMP_REASON_CONSECUTIVE_DROP_EXCEEDED, transportClass: TriggerWorld.forbiddenClass)
            },
            frame("REATTACH, max_switches_per_min spent", link: 1, prepare: { $0.hasSwitched(times: 8) }) {
                reattach($0, JMP_REASON_CONSECUTIVE_DROP_EXCEEDED)
            },
            frame("REATTACH, voluntary, within switch_cooldown", link: 1, prepare: { $0.hasSwitched(times: 1) }) {
                reattach($0, JMP_REASON_OPERATOR_REQUESTED)
            },
            frame("REATTACH, from a dead path, within switch_cooldown", link: 1, prepare: { $0.hasSwitched(times: 1) }) {
                reattach($0, JMP_REASON_CONSECUTIVE_DROP_EXCEEDED)
            },
            Trigger("REATTACH, a second time") { world in
                let datagram = world.sealed(TriggerFrame.reattach(9, version(world) + 7, JMP_REASON_CONSECUTIVE_DROP_EXCEEDED), link: 1)
                world.inject(datagram, link: 1)
                return world.inject(datagram, link: 1)
            },
        ]
    }

    private static var otherFramesAtGateway: [Trigger] {
        [
            frame("REATTACH_ACK, which only a gateway sends") { TriggerFrame.answer(FrameType.reattachAck, 7, version($0) + 1, 0) },
            frame("REATTACH_REJECT, which only a gateway sends") {
                TriggerFrame.answer(FrameType.reattachReject, 7, version($0), UInt8(JMP_REASON_POLICY_DENIED))
            },
            frame("NUDGE, which only a gateway sends") { TriggerFrame.nudge(version($0)) },
            frame("VOLATILITY, which only a gateway sends") {
                TriggerFrame.volatility(version($0), cause: JMP_REASON_CONSECUTIVE_DROP_EXCEEDED, isAlive: false)
            },
            frame("POLICY, which only a gateway sends") { _ in TriggerFrame.policy(1) },
            frame("POLICY_ACK") { _ in TriggerFrame.policyAck(0) },
        ]
    }

    private static func reattach(_ world: TriggerWorld, _ cause: Int32) -> [UInt8] { TriggerFrame.reattach(7, version(world), cause) }

    private static func openProvisional(_ world: TriggerWorld) {
        world.inject(frames: TriggerFrame.payload, from: world.reboundAddress)
    }

    // MARK: datagrams in clear

    static var handshakeDatagrams: [Trigger] {
        [
            Trigger("INIT, the same again") { $0.wire.firstInit.isEmpty ? nil : $0.inject($0.wire.firstInit) },
            Trigger("INIT, of the same handshake, changed") { world in
                var datagram = world.wire.firstInit
                datagram[datagram.count - 1] ^= 1
                return world.inject(datagram)
            },
            Trigger("RESP") { $0.wire.firstResponse.isEmpty ? nil : $0.inject($0.wire.firstResponse) },
            Trigger("RESP, which does not open") { world in
                guard var datagram = Optional(world.wire.firstResponse), !datagram.isEmpty else { return nil }
                datagram[datagram.count - 1] ^= 1
                return world.inject(datagram)
            },
            Trigger("COOKIE") { world in
                world.inject([0xC3] + Array(world.wire.firstInit[5..<13]) + [UInt8](repeating: 1, count: 17))
            },
            Trigger("ADOPT") { $0.inject([0xC4] + [UInt8](repeating: 0, count: 63)) },
            Trigger("any other first byte") { $0.inject([UInt8](repeating: 0xFF, count: 63)) },
        ]
    }
}
