import CJumping
import Testing
@testable import JumpingSession

/// The table of DESIGN section 3, written out a second time from the document and the ABI's numbers.
private let table: [(from: [Int32], to: Int32, reasons: [Int32])] = [
    ([JMP_STATE_BIRTH], JMP_STATE_ATTACHED, [JMP_REASON_HANDSHAKE_OK, JMP_REASON_ADOPTION_OK]),
    ([JMP_STATE_ATTACHED], JMP_STATE_VOLATILE,
     [JMP_REASON_LOSS_THRESHOLD_EXCEEDED, JMP_REASON_CONSECUTIVE_DROP_EXCEEDED, JMP_REASON_HEARTBEAT_TIMEOUT,
      JMP_REASON_LATENCY_THRESHOLD_EXCEEDED, JMP_REASON_TRANSPORT_DEAD, JMP_REASON_PEER_REPORTED_VOLATILITY, JMP_REASON_OPERATOR_REQUESTED]),
    ([JMP_STATE_VOLATILE, JMP_STATE_DEGRADED], JMP_STATE_RECOVERING,
     [JMP_REASON_LOSS_RECOVERY, JMP_REASON_DEAD_TRANSPORT_RECOVERY, JMP_REASON_POLICY_FORCED_RECOVERY, JMP_REASON_STABILITY_WINDOW_MET]),
    ([JMP_STATE_VOLATILE], JMP_STATE_DEGRADED,
     [JMP_REASON_VOLATILE_PERSISTED, JMP_REASON_SWITCH_RATE_LIMITED, JMP_REASON_COOLDOWN_ACTIVE, JMP_REASON_NO_CANDIDATE_TRANSPORTS]),
    ([JMP_STATE_RECOVERING], JMP_STATE_ATTACHED, [JMP_REASON_REATTACH_SUCCESS]),
    ([JMP_STATE_RECOVERING], JMP_STATE_DEGRADED,
     [JMP_REASON_REATTACH_VALIDATION_FAILED, JMP_REASON_NO_CANDIDATE_TRANSPORTS, JMP_REASON_POLICY_DENIED, JMP_REASON_RECOVERY_WINDOW_EXCEEDED]),
    ([JMP_STATE_BIRTH], JMP_STATE_TERMINATED,
     [JMP_REASON_HANDSHAKE_FAILED, JMP_REASON_SECURITY_FAILURE, JMP_REASON_OPERATOR_TERMINATED, JMP_REASON_PEER_TERMINATED]),
    ([JMP_STATE_ATTACHED], JMP_STATE_TERMINATED,
     [JMP_REASON_SESSION_LIFETIME_EXCEEDED, JMP_REASON_SECURITY_FAILURE, JMP_REASON_OPERATOR_TERMINATED, JMP_REASON_PEER_TERMINATED,
      JMP_REASON_OWNERSHIP_MOVED]),
    ([JMP_STATE_VOLATILE, JMP_STATE_DEGRADED, JMP_STATE_RECOVERING], JMP_STATE_TERMINATED,
     [JMP_REASON_SESSION_LIFETIME_EXCEEDED, JMP_REASON_TRANSPORT_TTL_EXCEEDED, JMP_REASON_SECURITY_FAILURE, JMP_REASON_OPERATOR_TERMINATED,
      JMP_REASON_PEER_TERMINATED, JMP_REASON_OWNERSHIP_MOVED]),
]

struct StateMachineTests {
    /// Every state, every state, every reason: what the table has is allowed, and nothing else.
    @Test func exactlyTheTransitionsOfTheTableExist() {
        var allowed = 0
        for from in SessionState.allCases {
            for to in SessionState.allCases {
                for reason in Reason.allCases {
                    let isInTable = table.contains { row in
                        row.from.contains(Int32(from.rawValue)) && row.to == Int32(to.rawValue) && row.reasons.contains(Int32(reason.rawValue))
                    }
                    #expect(StateMachine.allows(from: from, to: to, reason: reason) == isInTable, "\(from) → \(to): \(reason)")
                    if isInTable { allowed += 1 }
                }
            }
        }
        #expect(allowed == table.reduce(0) { $0 + $1.from.count * $1.reasons.count })
    }

    @Test func terminatedAbsorbs() {
        for to in SessionState.allCases {
            #expect(StateMachine.reasons(from: .terminated, to: to).bits == 0)
        }
    }

    @Test func aVolatileSessionClimbsTheLadderAndNeverHealsByItself() {
        #expect(StateMachine.reasons(from: .volatile, to: .attached).bits == 0)
        #expect(StateMachine.reasons(from: .degraded, to: .attached).bits == 0)
        #expect(StateMachine.reasons(from: .attached, to: .attached).bits == 0)
    }

    @Test func everyStateButTerminatedCanEnd() {
        for from in SessionState.allCases where from != .terminated {
            #expect(StateMachine.allows(from: from, to: .terminated, reason: .operatorTerminated))
            #expect(StateMachine.allows(from: from, to: .terminated, reason: .securityFailure))
        }
    }

    @Test func aReasonSetHoldsItsReasonsAndNoOthers() {
        for first in Reason.allCases {
            for second in Reason.allCases {
                let set = ReasonSet(first, second)
                for reason in Reason.allCases {
                    #expect(set.contains(reason) == (reason == first || reason == second))
                }
            }
        }
    }
}
