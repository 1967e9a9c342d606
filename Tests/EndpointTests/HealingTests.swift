import CJumping
import JumpingC
import Testing
@testable import Jumping

/// One path only: it ails and heals, or dies and comes back, or does not.
struct HealingTests {
    private func alone(_ tune: @escaping (inout jmp_policy) -> Void = { _ in }) -> Pair {
        var options = PairOptions()
        options.links = 1
        options.tuneGatewayPolicy = tune
        return Pair.established(options, sending: true)
    }

    @Test func aPathThatHealsIsReattachedInPlaceAfterTheStabilityWindow() {
        let pair = alone()
        let at = pair.now
        pair.links[0].lossPerMille = [400, 400]
        #expect(pair.run(until: { pair.info(.client).state != JMP_STATE_ATTACHED }, within: 2_000_000))
        let healedAt = pair.now
        pair.links[0].lossPerMille = [0, 0]
        pair.run(1_900_000)
        #expect(pair.info(.client).state != JMP_STATE_ATTACHED, "not before the stability window")
        pair.run(8_000_000)
        #expect(pair.client.ladder(since: healedAt).suffix(2) == ["RECOVERING stability_window_met", "ATTACHED reattach_success"])
        for node in [pair.client, pair.gateway] {
            #expect(node.info().state == JMP_STATE_ATTACHED)
            #expect(node.info().binding_version == 1)
            #expect(node.events(JMP_EVENT_TRANSPORT_SWITCH).isEmpty)
            #expect(node.stats().switches == 0 && node.info().switches_last_minute == 0)
        }
        #expect(pair.client.longestGap(from: healedAt, to: pair.now) <= 50_000, "recovering does not stop the application")
        #expect(pair.client.events(JMP_EVENT_SESSION_STATE_CHANGE, since: at).count >= 3)
    }

    @Test func withoutAnyPathTheSessionEndsAtTheTTLAndNotBefore() throws {
        var options = PairOptions()
        options.tuneGatewayPolicy = { $0.transport_lost_ttl_us = 3_000_000; $0.volatile_to_degraded_us = 1_000_000 }
        let pair = Pair.established(options, sending: true)
        let at = pair.now
        pair.links[0].cut()
        pair.links[1].cut()
        pair.run(8_000_000)
        for node in [pair.client, pair.gateway] {
            let end = try #require(node.events(JMP_EVENT_SESSION_TERMINATED).first)
            #expect(end.reason == JMP_REASON_TRANSPORT_TTL_EXCEEDED)
            let ladder = node.ladder(since: at)
            #expect(ladder.first?.hasPrefix("VOLATILE") == true)
            #expect(ladder.contains { $0.hasPrefix("DEGRADED") })
            #expect(ladder.last == "TERMINATED transport_ttl_exceeded")
            #expect(end.time >= at + 3_000_000, "never before the TTL")
            #expect(end.time <= at + 3_000_000 + 600_000, "and soon after")
        }
    }

    /// The clock counts from the last proof that both directions worked, or from when the loss was known; info tells.
    @Test func theTTLIsExact() throws {
        let pair = alone { $0.transport_lost_ttl_us = 3_000_000 }
        pair.links[0].cut()
        var lostAt = UInt64.max
        _ = pair.run(until: {
            let info = pair.info(.client)
            if info.transport_lost_at != UInt64.max { lostAt = info.transport_lost_at }
            return info.state == JMP_STATE_TERMINATED
        }, within: 8_000_000)
        let end = try #require(pair.client.events(JMP_EVENT_SESSION_TERMINATED).first)
        #expect(end.time == lostAt + 3_000_000)
    }

    @Test func aPathThatIsBackBeforeTheTTLCarriesOn() {
        let pair = alone { $0.transport_lost_ttl_us = 5_000_000 }
        let id = bytes(pair.info(.client).session_id)
        pair.links[0].cut()
        pair.run(4_000_000)
        #expect(pair.info(.client).state == JMP_STATE_DEGRADED)
        pair.links[0].mend()
        pair.run(6_000_000)
        for node in [pair.client, pair.gateway] {
            #expect(node.info().state == JMP_STATE_ATTACHED, "\(node.ladder(since: 0))")
            #expect(bytes(node.info().session_id) == id)
            #expect(node.info().transport_lost_at == UInt64.max)
        }
        let received = pair.client.payloads.count
        pair.run(1_000_000)
        #expect(pair.client.payloads.count >= received + 150)
    }

    @Test func aLossyButLivingPathNeverDiesOfTheTTL() {
        let pair = alone { $0.transport_lost_ttl_us = 2_000_000 }
        pair.links[0].lossPerMille = [500, 500]
        pair.run(20_000_000)
        #expect(pair.info(.client).state != JMP_STATE_TERMINATED)
        #expect(pair.info(.gateway).state != JMP_STATE_TERMINATED)
    }

    @Test func aSilentApplicationIsNotAVolatileSession() {
        var options = PairOptions()
        options.links = 2
        let pair = Pair.established(options)
        pair.run(120_000_000)
        #expect(pair.client.ladder(since: 0) == ["ATTACHED handshake_ok"])
        #expect(pair.gateway.ladder(since: 0) == ["ATTACHED handshake_ok"])
        #expect(pair.client.stats().datagrams_sent < 200, "an idle session is quiet")
    }

    @Test func anIdleSessionStillNoticesThatItsPathDied() {
        var options = PairOptions()
        options.tuneGatewayPolicy = { policy in
            policy.heartbeat_interval_us = 200_000
            policy.idle_heartbeat_us = 1_000_000
        }
        let pair = Pair.established(options)
        pair.run(10_000_000)
        pair.links[0].cut()
        pair.run(5_000_000)
        #expect(pair.info(.client).active_transport == 1)
        #expect(pair.info(.gateway).active_transport == 1)
    }

    @Test func theLifetimeEndsTheSessionOnBothEnds() throws {
        let pair = alone { $0.max_lifetime_us = 6_000_000 }
        pair.run(6_000_000)
        for node in [pair.client, pair.gateway] {
            let end = try #require(node.events(JMP_EVENT_SESSION_TERMINATED).first)
            #expect(end.reason == JMP_REASON_SESSION_LIFETIME_EXCEEDED)
            #expect(end.time >= node.info().created_at + 6_000_000 || node.side == .gateway || end.cause != 0)
            #expect(end.age_us >= 5_900_000 && end.age_us <= 6_100_000)
        }
    }
}
