import CJumping
import JumpingC
import JumpingSession
import Testing
@testable import Jumping

// MARK: deadlines

extension Trigger {
    /// Every timer at its deadline, and those that do something else when more has happened by then.
    static func timers(_ side: Side) -> [Trigger] {
        TimerKind.allCases.map { kind in timer("\(kind)", kind, prepare: preparation(kind, side)) } + [
            timer("detection, all sends overdue", .detection, prepare: { silence($0, sends: 3) }),
            timer("detection, all sends overdue, no other path", .detection, prepare: { world in
                let other = world.node.path(on: 1)?.path ?? 1
                _ = jmp_path_remove(world.node.handle, world.node.session, other, world.pair.now)
                silence(world, sends: 3)
            }),
            timer("detection, one send overdue, past heartbeat_volatile", .detection, prepare: { world in
                world.core { session, _ in session.policy.heartbeatVolatile = 20_000 }
                silence(world, sends: 1)
            }),
            timer("reattach, the fourth time", .reattach, times: 4),
            timer("stability, calm for the window", .stability, prepare: { world in
                let now = world.pair.now
                world.core { session, _ in
                    session.peerLossPPM = 0
                    session.episode.calmSince = now - min(now, session.policy.stabilityWindow)
                }
            }),
            timer("retry, of a handover that was asked for", .retry, prepare: { $0.core { session, _ in
                session.episode.isOperatorRequested = true
            } }),
            timer("delivery, a payload's time to live is over", .delivery, prepare: { world in
                world.pair.sendProtected(world.side, [1, 2, 3], timeToLive: 1, tag: 7)
            }),
            timer("report, POLICY not acknowledged", .report, prepare: { world in
                guard side == .gateway else { return }
                var policy = jmp_policy()
                expectOK(jmp_policy_init(&policy))
                _ = jmp_session_set_policy(world.node.handle, world.node.session, &policy, world.pair.now)
                world.pair.drain(side)
            }),
        ]
    }

    /// The end under test has sent on its active path, and half a second has passed.
    private static func silence(_ world: TriggerWorld, sends: Int) {
        for _ in 0..<sends {
            world.pair.send(world.side)
            world.pair.skip(1000)
        }
        world.pair.skip(500_000)
    }

    /// What arms a timer that is not always armed, without a change of state.
    private static func preparation(_ kind: TimerKind, _ side: Side) -> (TriggerWorld) -> Void {
        switch kind {
        case .acknowledgement: return { $0.inject(frames: TriggerFrame.ping) }
        case .delivery, .pathMTU: return { $0.pair.sendProtected($0.side, [1, 2, 3]) }
        case .previousKey: return { $0.inject(frames: TriggerFrame.ping, isNextPhase: true) }
        case .provisional where side == .gateway:
            return { $0.inject(frames: TriggerFrame.payload, from: $0.reboundAddress) }
        case .provisional:
            return { $0.core { session, env in
                guard session.state != .terminated else { return }
                _ = session.retired.add(5, until: env.now + 1_000_000)
                session.unregisterRetired(&env)
            } }
        case .transportLost where side == .gateway:
            return { world in
                _ = jmp_transport_hint(world.node.handle, 0, 0, world.pair.now)
                world.pair.drain(side)
            }
        default: return { _ in }
        }
    }

    private static func timer(_ name: String, _ kind: TimerKind, times: Int = 1, prepare: @escaping (TriggerWorld) -> Void = { _ in }) -> Trigger {
        Trigger(name, prepare: prepare) { world in
            for turn in 0..<times {
                // A denied switch is tried again when the limit allows it, protected payloads after a probe timeout, not before: those
                // deadlines really have to come.
                guard world.letPass(kind, isLate: turn > 0 || kind == .retry || kind == .delivery) else { return turn == 0 ? nil : "not armed again" }
            }
            return "ok"
        }
    }
}

extension TriggerWorld {
    /// Lets a timer's deadline come, alone: it is taken forward to now (`isLate`: the time until then passes), timers due by
    /// then wait a microsecond more. False when it is not armed.
    func letPass(_ kind: TimerKind, isLate: Bool) -> Bool {
        guard let deadline = read({ $0.timers[kind] }), deadline != Timers.never else { return false }
        let due = isLate ? deadline : pair.now + 1
        core { session, env in
            for other in TimerKind.allCases where other != kind && session.timers[other] <= due { session.timers[other] = due + 1 }
            session.timers[kind] = due
            session.timers.refresh()
            env.wheel.cancel(Int(session.index))
            env.wheel.arm(Int(session.index), at: due)
            session.wheelDeadline = due
        }
        pair.skip(due - pair.now)
        expectOK(jmp_handle_timeout(node.handle, pair.now))
        pair.drain(side)
        return true
    }
}
