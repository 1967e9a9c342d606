import JumpingSession
import JumpingWire

/// What only a path that has to prove itself, or had to, needs to remember: challenges to and fro, and a reattach with its answer. A
/// session's first path was proven by the handshake, so that most paths never have one. `Path` reads and writes each of it by name, below.
struct Trial {
    static let noAttempt = ReattachRequest(attemptID: 0, bindingVersion: 0, cause: 0, transportClass: 0, transportName: Name())
    static let noAnswer = ReattachAnswer(attemptID: 0, bindingVersion: 0, detail: 0)

    // Challenge in flight, and the next one
    var challenge: UInt64 = 0
    var challengeSentAt: UInt64 = 0
    /// To the peer's last challenge.
    var response: UInt64 = 0
    var nextProbeAt = Timers.never
    /// 0 for a path that the handshake proved.
    var validatedAt: UInt64 = 0

    /// When a pending request or a provisional address ends.
    var expiresAt = Timers.never
    /// Gateway: the reattach that waits for this path's challenge.
    var pendingAttempt = noAttempt
    var answer = noAnswer
    var answerType: UInt8 = 0
    var isChallengeOpen = false
    /// Gateway: there is a `pendingAttempt`.
    var hasPendingAttempt = false
    var challengeTries: UInt16 = 0
    /// After an answer that may have been to any of several challenges the next ones are as patient as the last (RFC 6298 §5.5–5.7),
    /// until one is answered without a repetition and gives a round trip.
    var challengeBackoff: UInt16 = 0
}

/// `Trial` by name: what was never written reads as its initial value, and writing that is no reason to make memory for it.
extension Path {
    private mutating func tried(_ isNews: Bool) -> UnsafeMutablePointer<Trial>? {
        isNews ? trial.made(Trial()) : trial.present
    }

    var challenge: UInt64 {
        get { trial.present?.pointee.challenge ?? 0 }
        set { tried(newValue != 0)?.pointee.challenge = newValue }
    }

    var challengeSentAt: UInt64 {
        get { trial.present?.pointee.challengeSentAt ?? 0 }
        set { tried(newValue != 0)?.pointee.challengeSentAt = newValue }
    }

    var response: UInt64 {
        get { trial.present?.pointee.response ?? 0 }
        set { tried(newValue != 0)?.pointee.response = newValue }
    }

    var nextProbeAt: UInt64 {
        get { trial.present?.pointee.nextProbeAt ?? Timers.never }
        set { tried(newValue != Timers.never)?.pointee.nextProbeAt = newValue }
    }

    var validatedAt: UInt64 {
        get { trial.present?.pointee.validatedAt ?? 0 }
        set { tried(newValue != 0)?.pointee.validatedAt = newValue }
    }

    var expiresAt: UInt64 {
        get { trial.present?.pointee.expiresAt ?? Timers.never }
        set { tried(newValue != Timers.never)?.pointee.expiresAt = newValue }
    }

    var pendingAttempt: ReattachRequest {
        get { trial.present?.pointee.pendingAttempt ?? Trial.noAttempt }
        set { tried(true)?.pointee.pendingAttempt = newValue }
    }

    var answer: ReattachAnswer {
        get { trial.present?.pointee.answer ?? Trial.noAnswer }
        set { tried(true)?.pointee.answer = newValue }
    }

    var answerType: UInt8 {
        get { trial.present?.pointee.answerType ?? 0 }
        set { tried(newValue != 0)?.pointee.answerType = newValue }
    }

    var isChallengeOpen: Bool {
        get { trial.present?.pointee.isChallengeOpen ?? false }
        set { tried(newValue)?.pointee.isChallengeOpen = newValue }
    }

    var hasPendingAttempt: Bool {
        get { trial.present?.pointee.hasPendingAttempt ?? false }
        set { tried(newValue)?.pointee.hasPendingAttempt = newValue }
    }

    var challengeTries: UInt16 {
        get { trial.present?.pointee.challengeTries ?? 0 }
        set { tried(newValue != 0)?.pointee.challengeTries = newValue }
    }

    var challengeBackoff: UInt16 {
        get { trial.present?.pointee.challengeBackoff ?? 0 }
        set { tried(newValue != 0)?.pointee.challengeBackoff = newValue }
    }
}
