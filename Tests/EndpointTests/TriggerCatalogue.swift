import CJumping
import JumpingC
import JumpingSession
import Testing
@testable import Jumping

/// Something that may happen to a session: a call of the host, a datagram, a deadline. The name is that of its row in the tables.
struct Trigger {
    let name: String
    /// What must have happened before, without leaving the situation. Where that is not possible the trigger cannot come about.
    let prepare: (TriggerWorld) -> Void
    /// Does it and gives the status or the cause of a drop; nil when it cannot come about in this situation.
    let fire: (TriggerWorld) -> String?

    init(_ name: String, prepare: @escaping (TriggerWorld) -> Void = { _ in }, fire: @escaping (TriggerWorld) -> String?) {
        self.name = name
        self.prepare = prepare
        self.fire = fire
    }

    static let none = "–"

    private static var client: [Trigger] { hostCalls(.client) + framesAtBothEnds + framesAtClient + handshakeDatagrams + timers(.client) }
    private static var gateway: [Trigger] { hostCalls(.gateway) + framesAtBothEnds + framesAtGateway + handshakeDatagrams + timers(.gateway) }

    static func of(_ side: Side) -> [Trigger] { side == .client ? client : gateway }

    /// What really happens, in the words of the tables. Checks on the way what holds for every trigger.
    func outcome(_ side: Side, _ situation: String) -> String {
        let world = TriggerWorld(side, situation)
        prepare(world)
        let node = world.node
        guard world.stands(in: situation) else { return Self.none }
        let before = node.info(), count = node.events.count
        guard let status = fire(world) else { return Self.none }
        world.pair.drain(side)
        let outcome = TriggerOutcome(node.events[count...].filter { $0.session == node.session || $0.session == 0 }, at: side)
        guard world.isAlive else { return outcome.words(status: status, bindingGrowth: 0, isGone: true) }

        let after = node.info()
        #expect(after.state_version == before.state_version + UInt64(outcome.transitions.count), "a version for each transition, and no other")
        let last = outcome.transitions.last ?? "→ \(Names.state(before.state)) \(Names.reason(before.last_reason))"
        #expect(last == "→ \(Names.state(after.state)) \(Names.reason(after.last_reason))", "the last event tells the state")
        #expect(bytes(after.session_id) == bytes(before.session_id) || before.state == JMP_STATE_BIRTH)
        #expect(side == .client || after.state != JMP_STATE_RECOVERING, "a gateway is RECOVERING only within a call")
        #expect(!status.hasPrefix("ERR") || outcome.transitions.isEmpty, "an error changes nothing")
        return outcome.words(status: status, bindingGrowth: after.binding_version - before.binding_version, isGone: false)
    }
}

// MARK: calls of the host

extension Trigger {
    private typealias Call = (OpaquePointer?, jmp_session, jmp_time) -> jmp_status

    /// A call that takes the session and the time.
    private static func call(_ name: String, _ call: @escaping Call) -> Trigger {
        Trigger(name) { world in TriggerOutcome.name(call(world.node.handle, world.node.session, world.pair.now)) }
    }

    private static func hostCalls(_ side: Side) -> [Trigger] {
        [
            Trigger("jmp_send") { TriggerOutcome.name($0.node.seal([1, 2, 3], $0.pair.now).0) },
            Trigger("jmp_send_protected") { TriggerOutcome.name($0.node.sendProtected([1, 2, 3], $0.pair.now)) },
            Trigger("jmp_send_protected, send_buffer full", prepare: { world in
                let large = [UInt8](repeating: 0, count: 1 << 19)
                for _ in 0..<2 { _ = world.node.sendProtected(large, world.pair.now) }
                world.pair.drain(world.side)
            }) { TriggerOutcome.name($0.node.sendProtected([UInt8](repeating: 0, count: 1 << 19), $0.pair.now)) },
            call("jmp_session_hold_payloads") { jmp_session_hold_payloads($0, $1, 1, $2) },
            call("jmp_unsent, a number not sent") { jmp_unsent($0, $1, 1 << 40, $2) },
            Trigger("jmp_unsent, the newest number") { world in
                guard let next = world.read({ $0.nextPacketNumber }), next > 0 else { return nil }
                return TriggerOutcome.name(jmp_unsent(world.node.handle, world.node.session, next - 1, world.pair.now))
            },
            call("jmp_path_add") { handle, session, now in
                var remote = Pair.gatewayAddress(2), path: UInt32 = 0
                return jmp_path_add(handle, session, 2, &remote, now, &path)
            },
            removal("jmp_path_remove, active", link: 0),
            removal("jmp_path_remove, other", link: 1),
            call("jmp_session_request_switch, JMP_PATH_NONE") { jmp_session_request_switch($0, $1, JMP_PATH_NONE, $2) },
            Trigger("jmp_session_request_switch, within switch_cooldown", prepare: { $0.hasSwitched(times: 1) }) { world in
                TriggerOutcome.name(jmp_session_request_switch(world.node.handle, world.node.session, JMP_PATH_NONE, world.pair.now))
            },
            Trigger("jmp_session_request_switch, the other path") { world in
                let path = world.node.path(on: 1)?.path ?? 1
                return TriggerOutcome.name(jmp_session_request_switch(world.node.handle, world.node.session, path, world.pair.now))
            },
            call("jmp_session_rekey", jmp_session_rekey),
            call("jmp_session_set_policy") { handle, session, now in
                var policy = jmp_policy()
                expectOK(jmp_policy_init(&policy))
                return jmp_session_set_policy(handle, session, &policy, now)
            },
            call("jmp_session_close, operator_terminated") { jmp_session_close($0, $1, UInt32(JMP_REASON_OPERATOR_TERMINATED), $2) },
            call("jmp_session_close, security_failure") { jmp_session_close($0, $1, UInt32(JMP_REASON_SECURITY_FAILURE), $2) },
            call("jmp_session_close, any other reason") { jmp_session_close($0, $1, UInt32(JMP_REASON_PEER_TERMINATED), $2) },
            call("jmp_transport_hint, active down") { handle, _, now in jmp_transport_hint(handle, 0, 0, now) },
            call("jmp_transport_hint, active up") { handle, _, now in jmp_transport_hint(handle, 0, 1, now) },
            call("jmp_transport_hint, other down") { handle, _, now in jmp_transport_hint(handle, 1, 0, now) },
            call("jmp_transport_hint, other up") { handle, _, now in jmp_transport_hint(handle, 1, 1, now) },
            call("jmp_transport_remove, active") { handle, _, now in jmp_transport_remove(handle, 0, now) },
            call("jmp_transport_remove, other") { handle, _, now in jmp_transport_remove(handle, 1, now) },
            transport("jmp_transport_add", "udp:new") { handle, config, now in
                var number: UInt32 = 0
                return jmp_transport_add(handle, config, now, &number)
            },
            transport("jmp_transport_set", "udp:A") { jmp_transport_set($0, 0, $1, $2) },
            Trigger("jmp_connect, another session") { world in
                var config = world.pair.connectConfig(), another: jmp_session = 0
                return TriggerOutcome.name(jmp_connect(world.node.handle, &config, world.pair.now, &another))
            },
            call("jmp_accept") { jmp_accept($0, $1, Pair.psk, $2) },
            call("jmp_accept, a wrong key") { jmp_accept($0, $1, [UInt8](repeating: 1, count: 32), $2) },
            call("jmp_refuse") { jmp_refuse($0, $1, $2) },
            call("jmp_handle_timeout, nothing due") { handle, _, now in jmp_handle_timeout(handle, now) },
            Trigger(lookingCalls, fire: look),
        ]
    }

    private static func removal(_ name: String, link: Int) -> Trigger {
        Trigger(name) { world in
            let path = world.node.path(on: link)?.path ?? UInt32(link)
            return TriggerOutcome.name(jmp_path_remove(world.node.handle, world.node.session, path, world.pair.now))
        }
    }

    private static func transport(_ name: String, _ transportName: String,
                                  _ call: @escaping (OpaquePointer?, UnsafePointer<jmp_transport_config>, jmp_time) -> jmp_status) -> Trigger {
        Trigger(name) { world in
            var config = jmp_transport_config()
            expectOK(jmp_transport_config_init(&config))
            setText(&config.name, transportName)
            config.cost = 7
            return TriggerOutcome.name(call(world.node.handle, &config, world.pair.now))
        }
    }

    private static let lookingCalls = "jmp_session_get_info, jmp_session_get_stats, jmp_session_get_paths, jmp_session_get_policy, jmp_session_explain"

    private static func look(_ world: TriggerWorld) -> String {
        var policy = jmp_policy(), text = [CChar](repeating: 0, count: 512)
        policy.struct_size = UInt32(MemoryLayout<jmp_policy>.size)
        _ = (world.node.info(), world.node.stats(), world.node.paths())
        let statuses = [jmp_session_get_policy(world.node.handle, world.node.session, &policy),
                        jmp_session_explain(world.node.handle, world.node.session, world.pair.now, &text, text.count)]
        return TriggerOutcome.name(statuses.first { $0 != JMP_OK } ?? JMP_OK)
    }
}
