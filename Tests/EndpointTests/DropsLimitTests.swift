import CJumping
import JumpingC
import Testing
@testable import Jumping

/// max_consecutive_drops: every value that is allowed finds a dead path under traffic.
struct DropsLimitTests {
    @Test(arguments: [2, 3, 16, 32] as [UInt32])
    func aDeadPathIsFoundUnderTraffic(drops: UInt32) throws {
        for interval: UInt64 in [500, 5000] {
            var options = PairOptions()
            options.tuneGatewayPolicy = { $0.max_consecutive_drops = drops }
            let pair = Pair.established(options)
            pair.client.sendEvery(interval, from: pair.now)
            pair.run(1_000_000)
            let at = pair.now
            pair.links[0].cut()
            pair.run(1_000_000)
            let death = try #require(pair.client.events(JMP_EVENT_TRANSPORT_DEAD, since: at).first, "every \(interval) µs")
            #expect(death.reason == JMP_REASON_CONSECUTIVE_DROP_EXCEEDED)
            #expect(death.time <= at + 200_000 + UInt64(drops) * interval)
            #expect(pair.info(.client).active_transport == 1)
        }
    }

    /// Beneath the number of drops a silence ends with heartbeat_volatile, however much is sent and forgotten meanwhile.
    @Test func aLongSilenceIsBoundedByTheHeartbeat() throws {
        var options = PairOptions()
        options.links = 1   // no way for the gateway's report
        let pair = Pair.established(options, sending: true)
        let slot = try #require(pair.client.slot(on: 0))
        pair.links[0].cut()
        let at = pair.now
        // The table of sends keeps the newest only, as when other paths' probes take its places: never enough that are overdue.
        for _ in 0..<300 {
            pair.client.withCore { session in
                for i in 0..<session.sent.count where session.sent[i].slot == slot && session.sent[i].sentAt + 30_000 < pair.now {
                    session.sent[i].fate = .unsent
                }
            }
            pair.run(10_000)
        }
        let death = try #require(pair.client.events(JMP_EVENT_TRANSPORT_DEAD, since: at).first)
        #expect(death.reason == JMP_REASON_HEARTBEAT_TIMEOUT && death.time <= at + 2_200_000)
    }
}
