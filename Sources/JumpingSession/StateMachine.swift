/// The only place where transitions exist. What is not in this table is rejected and audited (TransitionRejected).
///
///     BIRTH ──► ATTACHED ──► VOLATILE ──► RECOVERING ──► ATTACHED
///                               │  ▲           │
///                               ▼              ▼
///                            DEGRADED ◄────────┘   (DEGRADED ──► RECOVERING)
///     every state but TERMINATED ──► TERMINATED, which absorbs
package enum StateMachine {
    /// The reasons that lead from one state to another; empty when there is no such transition.
    package static func reasons(from: SessionState, to: SessionState) -> ReasonSet {
        switch (from, to) {
        case (.birth, .attached):
            return ReasonSet(.handshakeOK, .adoptionOK)
        case (.attached, .volatile):
            return ReasonSet(.lossThresholdExceeded, .consecutiveDropExceeded, .heartbeatTimeout, .latencyThresholdExceeded,
                             .transportDead, .peerReportedVolatility, .operatorRequested)
        case (.volatile, .recovering), (.degraded, .recovering):
            return ReasonSet(.lossRecovery, .deadTransportRecovery, .policyForcedRecovery, .stabilityWindowMet)
        case (.volatile, .degraded):
            return ReasonSet(.volatilePersisted, .switchRateLimited, .cooldownActive, .noCandidateTransports)
        case (.recovering, .attached):
            return ReasonSet(.reattachSuccess)
        case (.recovering, .degraded):
            return ReasonSet(.reattachValidationFailed, .noCandidateTransports, .policyDenied, .recoveryWindowExceeded)
        case (.birth, .terminated):
            return ReasonSet(.handshakeFailed, .securityFailure, .operatorTerminated, .peerTerminated)
        case (.attached, .terminated):
            return ReasonSet(.sessionLifetimeExceeded, .securityFailure, .operatorTerminated, .peerTerminated, .ownershipMoved)
        case (.volatile, .terminated), (.degraded, .terminated), (.recovering, .terminated):
            return ReasonSet(.sessionLifetimeExceeded, .transportTTLExceeded, .securityFailure, .operatorTerminated,
                             .peerTerminated, .ownershipMoved)
        default:
            return ReasonSet()
        }
    }

    package static func allows(from: SessionState, to: SessionState, reason: Reason) -> Bool {
        reasons(from: from, to: to).contains(reason)
    }
}
