/// The six states (DESIGN "State machine"); raw values are JMP_STATE_*.
package enum SessionState: UInt8, CaseIterable {
    case birth = 0
    case attached = 1
    case volatile = 2
    case degraded = 3
    case recovering = 4
    case terminated = 5
}

/// Why something happened; raw values are JMP_REASON_*.
package enum Reason: UInt8, CaseIterable {
    case none = 0
    case handshakeOK = 1
    case adoptionOK = 2
    case lossThresholdExceeded = 3
    case consecutiveDropExceeded = 4
    case heartbeatTimeout = 5
    case latencyThresholdExceeded = 6
    case transportDead = 7
    case peerReportedVolatility = 8
    case operatorRequested = 9
    case lossRecovery = 10
    case deadTransportRecovery = 11
    case policyForcedRecovery = 12
    case stabilityWindowMet = 13
    case volatilePersisted = 14
    case switchRateLimited = 15
    case cooldownActive = 16
    case noCandidateTransports = 17
    case reattachSuccess = 18
    case reattachValidationFailed = 19
    case policyDenied = 20
    case recoveryWindowExceeded = 21
    case handshakeFailed = 22
    case sessionLifetimeExceeded = 23
    case transportTTLExceeded = 24
    case securityFailure = 25
    case operatorTerminated = 26
    case peerTerminated = 27
    case ownershipMoved = 28
    case unknownSession = 32
    case badProof = 33
    case replayDetected = 34
    case staleRequest = 35
    case sessionExpired = 36
    case invalidStateForReattach = 37
    case staleStateVersion = 38
    case invalidTransportCandidate = 39
    case timedOut = 40
    case natRebinding = 48
}

/// A set of reasons, one bit each.
package struct ReasonSet {
    package let bits: UInt64

    package init(_ reasons: Reason...) {
        var bits: UInt64 = 0
        for reason in reasons { bits |= 1 << UInt64(reason.rawValue) }
        self.bits = bits
    }

    package func contains(_ reason: Reason) -> Bool {
        bits & (1 << UInt64(reason.rawValue)) != 0
    }
}
