import Foundation
import Testing
@testable import JumpingSession

struct PathHealthTests {
    private let window: UInt64 = 2_000_000
    private let threshold: UInt32 = 200_000

    // MARK: round trips

    /// RFC 6298 §2.2 and §2.3, alpha = 1/8, beta = 1/4.
    @Test func smoothedRTTAndVarianceFollowRFC6298() {
        var health = PathHealth()
        #expect(!health.hasRTT)
        #expect((health.smoothedRTT, health.variance) == (333_000, 166_500))
        health.addRTT(100_000, acknowledgementDelay: 0)
        #expect((health.smoothedRTT, health.variance, health.hasRTT) == (100_000, 50_000, true))
        health.addRTT(200_000, acknowledgementDelay: 0)
        #expect((health.smoothedRTT, health.variance) == (112_500, 62_500))
        health.addRTT(100_000, acknowledgementDelay: 0)
        #expect((health.smoothedRTT, health.variance) == (110_937, 50_000))
        #expect((health.latestRTT, health.minimumRTT) == (100_000, 100_000))
    }

    @Test(arguments: UInt64(0)..<10)
    func theEstimatorFollowsTheFormulaInRealNumbers(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var health = PathHealth(), smoothed = 0.0, variance = 0.0
        for i in 0..<500 {
            let sample = UInt64.random(in: 1000...400_000, using: &random)
            health.addRTT(sample, acknowledgementDelay: 0)
            if i == 0 {
                (smoothed, variance) = (Double(sample), Double(sample) / 2)
            } else {
                variance = 0.75 * variance + 0.25 * abs(smoothed - Double(sample))
                smoothed = 0.875 * smoothed + 0.125 * Double(sample)
            }
            #expect(abs(Double(health.smoothedRTT) - smoothed) < 10)
            #expect(abs(Double(health.variance) - variance) < 20)
        }
    }

    /// RFC 9002 §5.3: the peer's delay is taken off unless that goes below the minimum.
    @Test func theAcknowledgementDelayIsNeverTakenBelowTheMinimum() {
        var health = PathHealth()
        health.addRTT(50_000, acknowledgementDelay: 20_000)
        #expect((health.latestRTT, health.minimumRTT) == (50_000, 50_000))
        health.addRTT(70_000, acknowledgementDelay: 20_000)
        #expect(health.latestRTT == 50_000)
        health.addRTT(69_999, acknowledgementDelay: 20_000)
        #expect(health.latestRTT == 69_999)
    }

    @Test func jitterIsTheSmoothedDifferenceOfConsecutiveSamples() {
        var health = PathHealth()
        health.addRTT(40_000, acknowledgementDelay: 0)
        #expect(health.jitter == 0)
        health.addRTT(56_000, acknowledgementDelay: 0)
        #expect(health.jitter == 1000)
        health.addRTT(40_000, acknowledgementDelay: 0)
        #expect(health.jitter == 1000 - 62 + 1000)
    }

    /// D = srtt + max(4 · rttvar, srtt / 4, 5 ms) + the peer's acknowledgement delay (DESIGN section 5).
    @Test func overdueIsOneRoundTripItsVarianceAndTheDelay() {
        var health = PathHealth()
        health.addRTT(40_000, acknowledgementDelay: 0)
        #expect(health.overdueAfter == 40_000 + 4 * 20_000 + 5000)
        for _ in 0..<100 { health.addRTT(40_000, acknowledgementDelay: 0) }
        #expect(health.overdueAfter == 40_000 + 10_000 + 5000)
        for _ in 0..<200 { health.addRTT(4000, acknowledgementDelay: 0) }
        #expect(health.overdueAfter == health.smoothedRTT + 5000 + 1000)
        #expect(health.smoothedRTT <= 4008)
    }

    @Test func aRoundTripOfNothingIsAMicrosecond() {
        var health = PathHealth()
        health.addRTT(0, acknowledgementDelay: 1000)
        #expect(health.latestRTT == 1)
        #expect(health.acknowledgementDelay == 1000)
    }

    // MARK: loss

    /// The weights of the design: +23 a loss, −2 a delivery, trip at 115, at a threshold of 200,000 ppm.
    @Test func fiveLossesInARowTrip() {
        var health = PathHealth()
        for i: UInt32 in 1...5 {
            #expect(!health.isLossy(thresholdPPM: threshold))
            health.addLost(now: 0, window: window, thresholdPPM: threshold)
            #expect(health.consecutiveDrops == i)
        }
        #expect(health.isLossy(thresholdPPM: threshold))
        health.addDelivered(now: 0, window: window)
        #expect(!health.isLossy(thresholdPPM: threshold))
        #expect(health.consecutiveDrops == 0)
    }

    /// Packets until the detector trips when each is lost with this probability.
    private func packetsUntilTrip(lossPerMille: UInt64, _ random: inout SeededGenerator) -> Int {
        var health = PathHealth()
        for i in 1...1000 {
            if random.next() % 1000 < lossPerMille {
                health.addLost(now: UInt64(i) * 5000, window: window, thresholdPPM: threshold)
            } else {
                health.addDelivered(now: UInt64(i) * 5000, window: window)
            }
            if health.isLossy(thresholdPPM: threshold) { return i }
        }
        return .max
    }

    @Test func thirtyPerCentLossTripsWithinSomeThirtyPackets() {
        var random = SeededGenerator(seed: 30)
        let trips = (0..<500).map { _ in packetsUntilTrip(lossPerMille: 300, &random) }.sorted()
        #expect(trips[250] <= 30, "median")
        #expect(trips[475] <= 75, "95 of 100")
        #expect(trips[250] >= 10, "a few losses prove nothing yet")
    }

    /// 200 runs of 120,000 packets. While the sum is zero a delivery changes nothing, so those are skipped up to the next loss.
    /// The window is short enough to leave the ratio out of it: this is the fast detector alone.
    @Test func onePerCentLossNeverTrips() {
        var random = SeededGenerator(seed: 1)
        var trips = 0, losses = 0
        for _ in 0..<200 {
            var health = PathHealth(), sum = 0, packet = 0
            while true {
                let deliveries = Int(log(Double.random(in: 0.0..<1, using: &random)) / log(0.99))
                guard packet + deliveries < 120_000 else { break }
                for i in 0..<min(deliveries, (sum + 1) / 2) { health.addDelivered(now: UInt64(packet + i) * 20_000, window: 100_000) }
                packet += deliveries + 1
                sum = max(0, sum - 2 * deliveries) + 23
                losses += 1
                health.addLost(now: UInt64(packet) * 20_000, window: 100_000, thresholdPPM: threshold)
                if health.isLossy(thresholdPPM: threshold) {
                    trips += 1
                    health.resetLoss()
                    sum = 0
                }
            }
        }
        #expect(losses > 230_000 && losses < 250_000)
        #expect(trips == 0)
    }

    @Test func theRatioNeedsTwentySamples() {
        var health = PathHealth()
        let low: UInt32 = 1000   // one loss in a thousand: far below what the fast detector waits for
        health.addLost(now: 0, window: window, thresholdPPM: low)
        for _ in 0..<18 { health.addDelivered(now: 0, window: window) }
        #expect(!health.isLossy(thresholdPPM: low))
        health.addDelivered(now: 0, window: window)
        #expect(health.lossPPM == 50_000)
        #expect(health.isLossy(thresholdPPM: low))
    }

    @Test func lossLeavesTheWindow() {
        var health = PathHealth()
        for _ in 0..<10 { health.addLost(now: 0, window: window, thresholdPPM: threshold) }
        health.addDelivered(now: 1_000_000, window: window)
        #expect(health.lossPPM == 10 * 1_000_000 / 11)
        health.addDelivered(now: 2_000_000, window: window)
        #expect(health.lossPPM == 0)
    }

    @Test func aLongSilenceForgetsTheOldWindow() {
        var health = PathHealth()
        for _ in 0..<10 { health.addLost(now: 0, window: window, thresholdPPM: threshold) }
        health.addDelivered(now: 60_000_000, window: window)
        #expect(health.lossPPM == 0)
    }

    @Test func aLateAcknowledgementTakesTheLossBack() {
        var health = PathHealth()
        for _ in 0..<30 { health.addDelivered(now: 0, window: window) }
        for _ in 0..<5 { health.addLost(now: 0, window: window, thresholdPPM: threshold) }
        #expect(health.isLossy(thresholdPPM: threshold))
        #expect(health.lossPPM == 5 * 1_000_000 / 35)
        for _ in 0..<5 { health.takeBackLoss(now: 0, window: window, thresholdPPM: threshold) }
        #expect(health.lossPPM == 0)
        #expect(health.consecutiveDrops == 0)
        #expect(!health.isLossy(thresholdPPM: threshold))
        #expect(health.isCalm(thresholdPPM: threshold, now: 0, quiet: 1))
    }

    @Test func takingBackWhatIsNotThereDoesNoHarm() {
        var health = PathHealth()
        health.takeBackLoss(now: 0, window: window, thresholdPPM: threshold)
        #expect(health.lossPPM == 0)
        #expect(health.isCalm(thresholdPPM: threshold, now: 0, quiet: 1))
    }

    @Test func calmMeansNoTraceOfTrouble() {
        var health = PathHealth()
        #expect(health.isCalm(thresholdPPM: threshold, now: 0, quiet: 1))
        for _ in 0..<50 { health.addDelivered(now: 0, window: window) }
        health.addLost(now: 0, window: window, thresholdPPM: threshold)
        #expect(!health.isCalm(thresholdPPM: threshold, now: 0, quiet: 1), "a drop nothing has followed yet")
        health.addDelivered(now: 0, window: window)
        #expect(health.isCalm(thresholdPPM: threshold, now: 0, quiet: 1))
        for _ in 0..<3 { health.addLost(now: 0, window: window, thresholdPPM: threshold) }
        health.addDelivered(now: 0, window: window)
        #expect(!health.isCalm(thresholdPPM: threshold, now: 0, quiet: 1))
        health.resetLoss()
        #expect(health.isCalm(thresholdPPM: threshold, now: 0, quiet: 1))
        #expect(health.lossPPM == 0)
    }

    @Test(arguments: [1000, 50_000, 200_000, 500_000, 1_000_000] as [UInt32])
    func everyAllowedThresholdTripsOnLossAloneAndNeverOnDelivery(thresholdPPM: UInt32) {
        var health = PathHealth()
        for _ in 0..<1000 { health.addDelivered(now: 0, window: window) }
        #expect(!health.isLossy(thresholdPPM: thresholdPPM))
        var lossy = PathHealth()
        for _ in 0..<20 { lossy.addLost(now: 0, window: window, thresholdPPM: thresholdPPM) }
        #expect(lossy.isLossy(thresholdPPM: thresholdPPM))
    }
}
