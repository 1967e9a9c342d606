import CJumping
import JumpingC
import Testing
@testable import Jumping
@testable import JumpingSession

/// The audit trail tells what happened in the order it happened (DESIGN section 10).
struct AuditOrderTests {
    private func types(_ node: Node, since at: UInt64) -> [Int32] { node.events.filter { $0.time >= at }.map { Int32($0.type) } }

    @Test func aJumpIsToldFromItsCauseToItsEnd() {
        let pair = Pair.established()
        pair.run(1_000_000)
        let at = pair.now
        expectOK(jmp_transport_hint(pair.client.handle, 0, 0, pair.now))
        pair.drain(.client)
        pair.run(200_000)
        #expect(types(pair.client, since: at) == [
            JMP_EVENT_TRANSPORT_DEAD, JMP_EVENT_VOLATILITY_SIGNAL, JMP_EVENT_SESSION_STATE_CHANGE, JMP_EVENT_SESSION_STATE_CHANGE,
            JMP_EVENT_REATTACH_ATTEMPT, JMP_EVENT_REATTACH_RESULT, JMP_EVENT_SESSION_STATE_CHANGE, JMP_EVENT_TRANSPORT_SWITCH,
            JMP_EVENT_TRANSPORT_ATTACHED,
        ])
        #expect(types(pair.gateway, since: at) == [
            JMP_EVENT_REATTACH_ATTEMPT, JMP_EVENT_VOLATILITY_SIGNAL, JMP_EVENT_SESSION_STATE_CHANGE, JMP_EVENT_SESSION_STATE_CHANGE,
            JMP_EVENT_REATTACH_RESULT, JMP_EVENT_SESSION_STATE_CHANGE, JMP_EVENT_TRANSPORT_SWITCH, JMP_EVENT_TRANSPORT_ATTACHED,
        ])
    }

    @Test func anEndIsToldAfterItsTransition() {
        let pair = Pair.established()
        let at = pair.now
        expectOK(jmp_session_close(pair.client.handle, pair.client.session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
        pair.drain(.client)
        pair.run(100_000)
        for node in [pair.client, pair.gateway] {
            #expect(types(node, since: at) == [JMP_EVENT_SESSION_STATE_CHANGE, JMP_EVENT_SESSION_TERMINATED])
            #expect(node.events.last?.new_state == UInt32(JMP_STATE_TERMINATED))
        }
    }

    /// What is not in the table is refused, told, and changes nothing.
    @Test func aTransitionThatDoesNotExistIsRefusedAndTold() {
        let pair = Pair.established()
        let version = pair.info(.client).state_version
        let core = pair.client.endpoint
        guard let index = core.pointee.sessions.resolve(pair.client.session) else {
            Issue.record("the session is gone")
            return
        }
        for (state, reason) in [(SessionState.attached, Reason.reattachSuccess), (.recovering, .deadTransportRecovery), (.birth, .none),
                                (.volatile, .volatilePersisted)] {
            let isAccepted = core.pointee.sessions[index].transition(to: state, reason, &core.pointee.env)
            var event = jmp_event()
            event.struct_size = UInt32(MemoryLayout<jmp_event>.size)
            #expect(!isAccepted && jmp_poll_event(pair.client.handle, &event) == JMP_OK)
            #expect(event.type == UInt32(JMP_EVENT_TRANSITION_REJECTED) && event.reason == UInt32(reason.rawValue))
            #expect((event.previous_state, event.new_state) == (UInt32(JMP_STATE_ATTACHED), UInt32(state.rawValue)))
            #expect(jmp_poll_event(pair.client.handle, &event) == JMP_AGAIN)
        }
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED && pair.info(.client).state_version == version)
    }
}
