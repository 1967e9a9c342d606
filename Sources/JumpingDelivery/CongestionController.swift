/// How much of the protected traffic may be under way on a path, and how fast it may follow: NewReno's frame of RFC 9002 §7 with CUBIC's
/// growth (RFC 9438), a slow start that ends before the queue overflows (after RFC 9406), and pacing (RFC 9002 §7.7). Bytes are whole datagrams, times microseconds. Integers only.
package struct CongestionController {
    /// RFC 9002 §7.2.
    private static let initialDatagrams = 10
    private static let minimumDatagrams = 2
    /// RFC 9438 §4.6: β = 0.7, in tenths.
    private static let betaTenths = 7
    /// Datagrams that may leave at once however slow the pace.
    private static let burst = 10
    /// No path is worth more in flight than this.
    private static let windowAtMost = 64 * 1024 * 1024

    /// Largest datagram, for all that the RFCs count in segments.
    package private(set) var datagramSize: Int
    /// Congestion window.
    package private(set) var window: Int
    private var slowStartThreshold = Int.max
    package private(set) var bytesInFlight = 0
    /// Losses of what was sent before this moment belong to the congestion event that is under way; 0 before the first.
    private var recoveryStartedAt: UInt64 = 0

    private var slowStart = SlowStart()

    // CUBIC
    private var epochStartedAt: UInt64 = 0
    private var windowAtMaximum = 0
    /// K, milliseconds.
    private var timeToMaximum: UInt64 = 0
    /// What Reno would have (RFC 9438 §4.3), and the fraction of a byte it is ahead.
    private var renoWindow = 0
    private var renoCredit = 0
    private var windowAtEpoch = 0

    // What to go back to when the losses turn out to have been none (RFC 9438 §4.9)
    private var undo: (window: Int, threshold: Int, maximum: Int)?
    private var lossesInEvent = 0

    /// When the next datagram's turn is, had all before it left in their pace.
    private var pacedAt: UInt64 = 0

    package init(datagramSize: Int) {
        self.datagramSize = max(datagramSize, 1)
        window = Self.initialWindow(self.datagramSize)
    }

    /// RFC 9002 §7.2: ten datagrams, at most 14,720 bytes unless two are more.
    private static func initialWindow(_ size: Int) -> Int { min(initialDatagrams &* size, max(14_720, 2 &* size)) }

    private var minimumWindow: Int { Self.minimumDatagrams &* datagramSize }
    package var isInSlowStart: Bool { window < slowStartThreshold }

    package mutating func setDatagramSize(_ size: Int) { datagramSize = max(size, 1) }

    // MARK: what may be sent

    package var mayBeSent: Int { max(0, window &- bytesInFlight) }

    /// When the next datagram may leave: `now` or before it means at once.
    package func nextSendAt(_ now: UInt64, roundTrip: UInt64) -> UInt64 {
        let slack = Self.duration(Self.burst &* datagramSize, rate: pacingRate(roundTrip))
        return pacedAt > slack ? pacedAt &- slack : 0
    }

    /// Bytes a second: 5/4 of the window a round trip, twice of it while it doubles.
    package func pacingRate(_ roundTrip: UInt64) -> UInt64 {
        let gain: UInt64 = isInSlowStart ? 8 : 5
        return max(UInt64(window) &* gain &* 250_000 / max(roundTrip, 1), 1)
    }

    private static func duration(_ bytes: Int, rate: UInt64) -> UInt64 { UInt64(bytes) &* 1_000_000 / rate }

    // MARK: what happens to it

    package mutating func noteSent(_ bytes: Int, now: UInt64, roundTrip: UInt64) {
        bytesInFlight &+= bytes
        pacedAt = max(pacedAt, now) &+ Self.duration(bytes, rate: pacingRate(roundTrip))
    }

    /// It is neither on its way nor lost: it went with a path that was left.
    package mutating func forget(_ bytes: Int) { bytesInFlight = max(0, bytesInFlight &- bytes) }

    /// `wasLimited`: the window, not the application, held sending back (RFC 9002 §7.8).
    package mutating func noteAcknowledged(_ bytes: Int, sentAt: UInt64, now: UInt64, roundTrip: UInt64, wasLimited: Bool) {
        forget(bytes)
        slowStart.delivered &+= bytes
        guard wasLimited, sentAt > recoveryStartedAt || recoveryStartedAt == 0 else { return }
        if isInSlowStart {
            window = min(window &+ bytes / slowStart.growthDivisor, Self.windowAtMost)
        } else {
            growCubic(bytes, now: now, roundTrip: roundTrip)
        }
    }

    /// Round trips of the newest datagrams that an acknowledgement names, since older ones were held back by their receiver.
    package mutating func noteRoundTrip(_ sample: UInt64, now: UInt64) {
        guard isInSlowStart, let capacity = slowStart.capacity(sample, now: now) else { return }
        // The window has grown for a round trip since those left that have shown the queue.
        window = max(min(window, capacity &+ capacity / 4), Self.initialWindow(datagramSize))
        slowStartThreshold = window
        epochStartedAt = 0
    }

    /// A lost datagram, once for each. Those of one round trip are one congestion event.
    package mutating func noteLost(_ bytes: Int, sentAt: UInt64, now: UInt64) {
        forget(bytes)
        if recoveryStartedAt != 0, sentAt <= recoveryStartedAt {
            lossesInEvent &+= 1
            return
        }
        undo = (window, slowStartThreshold, windowAtMaximum)
        lossesInEvent = 1
        recoveryStartedAt = max(now, 1)
        // Fast convergence (RFC 9438 §4.7): a flow that meets losses below its last maximum makes room.
        windowAtMaximum = window < windowAtMaximum ? window &* (10 &+ Self.betaTenths) / 20 : window
        window = max(window &* Self.betaTenths / 10, minimumWindow)
        slowStartThreshold = window
        epochStartedAt = 0
    }

    /// A datagram of the present event that was thought lost has arrived; when that holds for all of them there was no congestion.
    package mutating func noteSpuriousLoss(sentAt: UInt64) {
        guard recoveryStartedAt != 0, sentAt <= recoveryStartedAt, lossesInEvent > 0 else { return }
        lossesInEvent &-= 1
        guard lossesInEvent == 0, let before = undo else { return }
        undo = nil
        window = max(window, before.window)
        slowStartThreshold = before.threshold
        windowAtMaximum = before.maximum
        epochStartedAt = 0
    }

    /// RFC 9002 §7.6: nothing got through for long.
    package mutating func notePersistentCongestion() {
        window = minimumWindow
        undo = nil
        epochStartedAt = 0
        recoveryStartedAt = 0
    }

    // MARK: slow start

    /// In the spirit of HyStart++ (RFC 9406): when round trips grow a queue builds up, and the window grows a quarter as fast; when they go on
    /// growing, slow start is over. It looks at 8 round trips at a time where the RFC looks at all of a round: within one round the window can
    /// go from half of what the path holds to twice of it, and the smallest round trip of that round is from its beginning.
    private struct SlowStart {
        private static let groupSize: UInt32 = 8

        private var smallest = UInt64.max
        private var smallestOfGroup = UInt64.max
        private var samples: UInt32 = 0
        private(set) var growthDivisor = 1
        /// Bytes acknowledged since the group began.
        var delivered = 0
        private var groupStartedAt: UInt64 = 0

        /// Bytes that the path holds without a queue, once that is known: the rate at which they come out, for the smallest round trip.
        mutating func capacity(_ sample: UInt64, now: UInt64) -> Int? {
            smallest = min(smallest, sample)
            smallestOfGroup = min(smallestOfGroup, sample)
            samples &+= 1
            guard samples >= Self.groupSize else { return nil }
            let queue = smallestOfGroup &- smallest, threshold = min(max(smallest / 8, 4000), 16_000)
            let held = delivered &* Int(clamping: min(smallest, 1 << 30)) / Int(clamping: max(now &- groupStartedAt, 1))
            growthDivisor = queue >= threshold ? 4 : 1
            smallestOfGroup = .max
            samples = 0
            delivered = 0
            groupStartedAt = now
            return queue >= 2 &* threshold ? held : nil
        }
    }

    // MARK: CUBIC

    private mutating func growCubic(_ bytes: Int, now: UInt64, roundTrip: UInt64) {
        if epochStartedAt == 0 {
            epochStartedAt = max(now, 1)
            windowAtEpoch = window
            renoWindow = window
            renoCredit = 0
            windowAtMaximum = max(windowAtMaximum, window)
            timeToMaximum = Self.cubeRoot(UInt64(windowAtMaximum &- window) &* 2_500_000_000 / UInt64(datagramSize))
        }
        growReno(bytes)
        let target = min(max(cubicWindow(now &- epochStartedAt &+ roundTrip), window), window &+ window / 2)
        // RFC 9438 §4.4: (target − window) / window for each acknowledged byte.
        let growth = (target &- window) &* bytes / window
        window = min(max(window &+ growth, renoWindow), Self.windowAtMost)
    }

    /// RFC 9438 §4.3: additive increase of 3 (1 − β) / (1 + β) = 0.529 datagrams a window.
    private mutating func growReno(_ bytes: Int) {
        let factor = renoWindow < windowAtMaximum ? 529 : 1000
        renoCredit &+= bytes &* datagramSize / 1000 &* factor
        let whole = renoCredit / max(renoWindow, 1)
        renoWindow = min(renoWindow &+ whole, Self.windowAtMost)
        renoCredit &-= whole &* max(renoWindow &- whole, 1)
    }

    /// W(t) = 0.4 (t − K)³ + maximum, in datagrams and seconds.
    private func cubicWindow(_ elapsed: UInt64) -> Int {
        let milliseconds = min(elapsed / 1000, 100_000)
        let isBefore = milliseconds < timeToMaximum
        let distance = min(isBefore ? timeToMaximum &- milliseconds : milliseconds &- timeToMaximum, 100_000)
        let cube = distance &* distance &* distance / 1_000_000   // at most 10⁹, in 10⁻³ s³
        let bytes = Int(truncatingIfNeeded: cube &* UInt64(datagramSize) / 2500)
        return isBefore ? max(windowAtMaximum &- bytes, windowAtEpoch) : min(windowAtMaximum &+ bytes, Self.windowAtMost)
    }

    /// The largest number whose cube is not above `value`.
    static func cubeRoot(_ value: UInt64) -> UInt64 {
        var root: UInt64 = 0
        var bit: UInt64 = 1 << 20
        while bit > 0 {
            let candidate = root | bit
            if candidate &* candidate &* candidate <= value { root = candidate }
            bit >>= 1
        }
        return root
    }
}
