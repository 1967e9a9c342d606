import CJumping
import JumpingSession
import JumpingWire

/// The gateway cannot jump; it tells the client what it sees of the active path, over whatever is left.
extension Session {
    mutating func sendReport(_ env: inout Environment) {
        guard !isClient, isConfirmed, state == .volatile || state == .degraded else { return }
        for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].isValidated && paths[slot].role != .provisional {
            request(.report, slot, &env)
        }
        let base = activeSlot.map { paths[$0].health.overdueAfter } ?? 100_000
        timers[.report] = env.now &+ min(max(base, 50_000) &<< UInt64(min(reportTries, 5)), 1_000_000)
        reportTries &+= 1
    }

    /// The client trusts the report as far as its own view agrees: its own lateness is not the path's fault.
    mutating func receiveReport(_ report: VolatilityReport, _ env: inout Environment) {
        guard isClient, report.bindingVersion >= bindingVersion, state != .birth, state != .recovering else { return }
        let cause = Reason(rawValue: report.cause) ?? .none
        if env.now < reportsDoubtedUntil, cause != .operatorRequested { return answerDoubtedReport(report, cause, &env) }
        peerLossPPM = min(report.lossPPM, 1_000_000)
        if state == .attached {
            emit(JMP_EVENT_VOLATILITY_SIGNAL, reason: .peerReportedVolatility, cause: cause, &env)
            transition(to: .volatile, .peerReportedVolatility, &env)
        }
        if cause == .operatorRequested { episode.isOperatorRequested = true }
        episode.isPeerCutOff = !report.isAlive
        if !report.isAlive { episode.trigger = .peerReportedVolatility }   // leaving is no choice any more
        episode.isPeerSlow = cause == .latencyThresholdExceeded
        recover(&env)
    }

    /// The report may speak of a time in which this host was away. Once the peer sees the path alive again, it needs a reattach in
    /// place to become ATTACHED; for this end the path has been calm all along, so the stability window is met.
    private mutating func answerDoubtedReport(_ report: VolatilityReport, _ cause: Reason, _ env: inout Environment) {
        guard report.isAlive, state == .attached, let activeSlot,
              isCalm(activeSlot, env.now) else { return }
        emit(JMP_EVENT_VOLATILITY_SIGNAL, reason: .peerReportedVolatility, cause: cause, &env)
        transition(to: .volatile, .peerReportedVolatility, &env)
        begin(activeSlot, .stabilityWindowMet, cause: .stabilityWindowMet, isSamePath: true, &env)
    }
}
