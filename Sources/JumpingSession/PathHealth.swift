/// What a session knows of one path's quality. Integers only, so that every build computes the same.
/// RTT and variance: RFC 6298 / RFC 9002 §5.3. Loss: a window, and a CUSUM detector that reacts within some 16 packets.
package struct PathHealth {
    /// RFC 9002 §6.2.2: before there is a sample.
    package static let initialRTT: UInt64 = 333_000
    package static let granularity: UInt64 = 1000

    /// Times are kept in 32 bits: no path is slower than this.
    private static let slowestRTT: UInt64 = 1 << 28

    private var smoothed = UInt32(initialRTT)
    private var deviation = UInt32(initialRTT / 2)
    private var minimum = UInt32.max
    private var latest: UInt32 = 0
    private var jitterEstimate: UInt32 = 0
    /// How late reordered datagrams came lately: a slowly falling maximum.
    private var reordering: UInt32 = 0
    /// Of the estimates above, kept because every datagram asks for them.
    private var overdue: UInt32 = 0
    private var acknowledgementHold: UInt32 = 0
    package private(set) var hasRTT = false
    /// Counts to `quietSamples`.
    private var deliveredSinceLoss: UInt8 = 0

    /// Lost sends in a row, by what the acknowledgements say.
    package private(set) var consecutiveDrops: UInt32 = 0
    private var cusum: Int32 = 0
    private var inboundCusum: Int32 = 0
    private var current = LossBucket()
    private var previous = LossBucket()
    private var bucketStartedAt: UInt64 = 0
    /// When a send was lost last. (The other direction's losses the peer knows better, and reports.)
    private var lastLossAt: UInt64 = 0
    /// So many deliveries show that a quiet path is not merely an idle one.
    private static let quietSamples: UInt8 = 3
    /// Samples the windowed ratio needs before it means anything.
    private static let minimumSamples: UInt32 = 20

    package init() {
        updateTimeouts()
    }

    package var smoothedRTT: UInt64 { UInt64(smoothed) }
    package var variance: UInt64 { UInt64(deviation) }
    /// `.max` before there is a sample.
    package var minimumRTT: UInt64 { minimum == .max ? .max : UInt64(minimum) }
    package var latestRTT: UInt64 { UInt64(latest) }
    /// Smoothed difference of consecutive RTT samples (RFC 3550 §6.4.1 shape).
    package var jitter: UInt64 { UInt64(jitterEstimate) }

    // MARK: round trips

    package mutating func addRTT(_ sample: UInt64, acknowledgementDelay: UInt64) {
        // A stall of either host is not the path's round trip: one sample moves the estimate by a bounded step.
        let bounded = min(hasRTT ? min(sample, 2 &* overdueAfter) : sample, Self.slowestRTT)
        var rtt = UInt32(truncatingIfNeeded: max(bounded, 1))
        minimum = min(minimum, rtt)
        if UInt64(rtt) >= UInt64(minimum) &+ acknowledgementDelay { rtt &-= UInt32(truncatingIfNeeded: acknowledgementDelay) }
        if hasRTT {
            let change = rtt > latest ? rtt &- latest : latest &- rtt
            jitterEstimate = jitterEstimate &- jitterEstimate / 16 &+ change / 16
            let distance = rtt > smoothed ? rtt &- smoothed : smoothed &- rtt
            deviation = (3 &* deviation &+ distance) / 4
            smoothed = (7 &* smoothed &+ rtt) / 8
        } else {
            smoothed = rtt
            deviation = rtt / 2
            reordering = rtt / 4   // until shown otherwise, some
            hasRTT = true
        }
        latest = rtt
        updateTimeouts()
    }

    private mutating func updateTimeouts() {
        let unstalled = hasRTT ? min(smoothed, 2 &* minimum) : smoothed
        acknowledgementHold = max(UInt32(Self.granularity), unstalled / 8)
        overdue = smoothed &+ max(4 &* deviation, smoothed / 4, 5000) &+ acknowledgementHold
    }

    /// How long an acknowledgement may be held: max(1 ms, srtt / 8). A round trip inflated by a stall does not count, else
    /// the acknowledgements would become rare just when the peer waits for them.
    package var acknowledgementDelay: UInt64 { UInt64(acknowledgementHold) }

    /// D: a send not acknowledged for this long is overdue (DESIGN "Finding trouble fast"): srtt + max(4 rttvar, srtt / 4, 5 ms) and
    /// the delay of acknowledgements.
    package var overdueAfter: UInt64 { UInt64(overdue) }

    /// Probe timeout (RFC 9002 §6.2.1), for retransmitting control frames.
    package var probeTimeout: UInt64 {
        smoothedRTT &+ max(4 &* variance, Self.granularity) &+ acknowledgementDelay
    }

    // MARK: loss

    package static let leastReorderingTolerance: UInt64 = 5000

    /// A datagram that an acknowledgement skipped is lost when it is still missing after this long (RFC 9002 §6.1.2's time
    /// threshold, learned from the path's own reordering instead of the round trip).
    package var reorderingTolerance: UInt64 {
        max(2 &* UInt64(reordering), smoothedRTT / 8, Self.leastReorderingTolerance)
    }

    /// A datagram thought missing arrived after all, this much later.
    package mutating func noteReordering(_ delay: UInt64) {
        reordering = max(reordering, UInt32(truncatingIfNeeded: min(delay, 1_000_000)))
    }

    package mutating func addDelivered(now: UInt64, window: UInt64) {
        rotate(now, window)
        current.delivered &+= 1
        if deliveredSinceLoss < Self.quietSamples { deliveredSinceLoss &+= 1 }
        consecutiveDrops = 0
        cusum = max(0, cusum &- 2)
        reordering &-= reordering / 256
    }

    package mutating func addLost(now: UInt64, window: UInt64, thresholdPPM: UInt32) {
        rotate(now, window)
        current.lost &+= 1
        lastLossAt = now
        deliveredSinceLoss = 0
        if consecutiveDrops < .max { consecutiveDrops &+= 1 }
        cusum = Self.bounded(Int64(cusum) &+ Self.lossWeight(thresholdPPM), thresholdPPM)
    }

    /// A late acknowledgement: the loss did not happen.
    package mutating func takeBackLoss(now: UInt64, window: UInt64, thresholdPPM: UInt32) {
        rotate(now, window)
        if current.lost > 0 { current.lost &-= 1 } else if previous.lost > 0 { previous.lost &-= 1 }
        cusum = Self.bounded(Int64(cusum) &- Self.lossWeight(thresholdPPM), thresholdPPM)
        addDelivered(now: now, window: window)
    }

    /// What gaps in the arriving packet numbers say of the other direction.
    package mutating func addInbound(delivered: UInt32, lost: UInt32, thresholdPPM: UInt32) {
        let change = Int64(lost) &* Self.lossWeight(thresholdPPM) &- 2 &* Int64(delivered)
        inboundCusum = Self.bounded(Int64(inboundCusum) &+ change, thresholdPPM)
    }

    package mutating func takeBackInboundLoss(thresholdPPM: UInt32) {
        inboundCusum = Self.bounded(Int64(inboundCusum) &- Self.lossWeight(thresholdPPM) &- 2, thresholdPPM)
    }

    /// Lost share of the last window, ppm.
    package var lossPPM: UInt32 {
        let lost = UInt64(current.lost) &+ UInt64(previous.lost)
        guard lost > 0 else { return 0 }
        let total = lost &+ UInt64(current.delivered) &+ UInt64(previous.delivered)
        return UInt32(truncatingIfNeeded: lost &* 1_000_000 / total)
    }

    package func isLossy(thresholdPPM: UInt32) -> Bool {
        if Int64(max(cusum, inboundCusum)) >= 5 &* Self.lossWeight(thresholdPPM) { return true }
        let samples = current.delivered &+ current.lost &+ previous.delivered &+ previous.lost
        return samples >= Self.minimumSamples && lossPPM >= thresholdPPM
    }

    /// No trace of trouble left: what the stability window waits for. Traffic shows it by deliveries that outweigh the losses; where
    /// there is little, by `quiet` microseconds in which something was delivered and nothing lost.
    package func isCalm(thresholdPPM: UInt32, now: UInt64, quiet: UInt64) -> Bool {
        guard consecutiveDrops == 0 else { return false }
        if isQuiet(now, quiet) { return true }
        return Int64(max(cusum, inboundCusum)) <= Self.lossWeight(thresholdPPM) && lossPPM < max(thresholdPPM / 2, 1)
    }

    private func isQuiet(_ now: UInt64, _ quiet: UInt64) -> Bool {
        deliveredSinceLoss >= Self.quietSamples && now &- lastLossAt >= quiet
    }

    /// What a report tells of the path: the window's share, at least the threshold while a detector is tripped, 0 once it is quiet.
    package func reportedLossPPM(thresholdPPM: UInt32, now: UInt64, quiet: UInt64) -> UInt32 {
        if consecutiveDrops == 0, isQuiet(now, quiet) { return 0 }
        return isLossy(thresholdPPM: thresholdPPM) ? max(lossPPM, thresholdPPM) : lossPPM
    }

    package mutating func resetLoss() {
        cusum = 0
        inboundCusum = 0
        current = LossBucket()
        previous = LossBucket()
        consecutiveDrops = 0
    }

    /// CUSUM weight of a loss against -2 a delivery: no drift at 0.4 × the threshold. 200,000 ppm gives 23 and a trip at 115.
    private static func lossWeight(_ thresholdPPM: UInt32) -> Int64 {
        let neutral = max(Int64(thresholdPPM) * 2 / 5, 1)
        return max(2 * (1_000_000 - neutral) / neutral, 1)
    }

    /// Twice the trip at most: an outage is forgotten after some hundred deliveries, however long it was. (20 million at most.)
    private static func bounded(_ cusum: Int64, _ thresholdPPM: UInt32) -> Int32 {
        Int32(truncatingIfNeeded: max(0, min(cusum, 10 &* lossWeight(thresholdPPM))))
    }

    private mutating func rotate(_ now: UInt64, _ window: UInt64) {
        let half = max(window / 2, 1)
        let age = now &- bucketStartedAt
        guard age >= half else { return }
        previous = age >= 2 &* half ? LossBucket() : current
        current = LossBucket()
        bucketStartedAt = now
    }

    private struct LossBucket {
        var delivered: UInt32 = 0
        var lost: UInt32 = 0
    }
}
