import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping

/// A path dies or ails and a warm standby is there.
struct JumpTests {
    private static let roundTrip: UInt64 = 40_000

    @Test(arguments: [0, 1300, 2600, 3900] as [UInt64])
    func aDeadPathIsLeftForTheWarmStandby(phase: UInt64) throws {
        let pair = Pair.established(sending: true)
        pair.run(phase)
        let id = bytes(pair.info(.client).session_id), at = pair.now
        pair.links[0].cut()
        pair.run(1_000_000)
        #expect(pair.client.ladder(since: at)
                == ["VOLATILE consecutive_drop_exceeded", "RECOVERING dead_transport_recovery", "ATTACHED reattach_success"])
        let gatewayLadder = pair.gateway.ladder(since: at)
        #expect(gatewayLadder.count == 3)
        #expect(["VOLATILE peer_reported_volatility", "VOLATILE consecutive_drop_exceeded"].contains(gatewayLadder.first))
        #expect(gatewayLadder.suffix(2) == ["RECOVERING dead_transport_recovery", "ATTACHED reattach_success"])
        for node in [pair.client, pair.gateway] {
            let info = node.info()
            #expect(bytes(info.session_id) == id)
            #expect((info.state_version, info.binding_version) == (4, 1))
            #expect(info.active_transport == 1)
            let jumps = node.events(JMP_EVENT_TRANSPORT_SWITCH)
            #expect(jumps.count == 1)
            let jump = try #require(jumps.first)
            #expect((textOf(jump.from_transport), textOf(jump.to_transport)) == ("udp:A", "udp:B"))
            #expect((jump.explicit_switch, jump.auditable) == (1, 1))
            #expect(node.events(JMP_EVENT_TRANSPORT_DEAD, since: at).count >= (node.side == .client ? 1 : 0))
        }
        #expect(pair.client.longestGap(from: at, to: pair.now) <= 3 * Self.roundTrip)
    }

    @Test func theGatewayWalksTheRungsInOneCall() {
        let pair = Pair.established()
        let at = pair.now
        expectOK(jmp_transport_hint(pair.client.handle, 0, 0, pair.now))
        pair.drain(.client)
        pair.run(100_000)
        #expect(pair.gateway.ladder(since: at)
                == ["VOLATILE peer_reported_volatility", "RECOVERING dead_transport_recovery", "ATTACHED reattach_success"])
        #expect(Set(pair.gateway.events(JMP_EVENT_SESSION_STATE_CHANGE, since: at).map(\.time)).count == 1)
        #expect(pair.client.ladder(since: at)
                == ["VOLATILE transport_dead", "RECOVERING dead_transport_recovery", "ATTACHED reattach_success"])
    }

    /// The request and the application's data leave in the same flight, the request first until it is answered.
    @Test func theRequestGoesFirstInEveryDatagramUntilItIsAnswered() {
        let pair = Pair.established(sending: true)
        var kinds: [[UInt8]] = []
        var isAttempting = false
        pair.tap = { [unowned pair] side, link, bytes in
            if side == .client, link == 1, isAttempting, pair.info(.client).state != JMP_STATE_ATTACHED { kinds.append(pair.gateway.frames(of: bytes)) }
            return false
        }
        pair.links[0].cut()
        isAttempting = true
        #expect(pair.run(until: { pair.info(.client).state == JMP_STATE_RECOVERING }, within: 500_000, step: 250))
        let before = kinds.count
        #expect(pair.run(until: { pair.info(.client).state == JMP_STATE_ATTACHED }, within: 500_000, step: 250))
        let flight = kinds.dropFirst(max(0, before - 1))
        #expect(flight.filter { $0.last == FrameType.payload }.count >= 5, "payloads did not wait for the answer")
        #expect(flight.dropFirst().allSatisfy { $0.first == FrameType.reattach })
    }

    @Test func theHostsHintActsAtOnce() {
        let pair = Pair.established(sending: true)
        let at = pair.now
        pair.links[0].cut()
        expectOK(jmp_transport_hint(pair.client.handle, 0, 0, pair.now))
        pair.drain(.client)
        #expect(pair.info(.client).state == JMP_STATE_RECOVERING)
        pair.run(300_000)
        #expect(pair.info(.client).active_transport == 1)
        #expect(pair.client.longestGap(from: at, to: pair.now) <= Self.roundTrip + 10_000)
    }

    @Test func removingTheTransportIsTheSurestSign() {
        let pair = Pair.established(sending: true)
        let at = pair.now
        expectOK(jmp_transport_remove(pair.client.handle, 0, pair.now))
        pair.drain(.client)
        pair.run(200_000)
        #expect(pair.client.ladder(since: at).first == "VOLATILE transport_dead")
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED && pair.info(.client).active_transport == 1)
        #expect(jmp_transport_remove(pair.client.handle, 0, pair.now) == JMP_ERR_TRANSPORT)
    }

    /// A client that sends nothing of its own still notices.
    @Test func aOneWayReceiverDetectsABlackhole() {
        let pair = Pair.established()
        pair.gateway.sendEvery(5000, from: pair.now)
        pair.run(2_000_000)
        let at = pair.now
        pair.links[0].cut()
        pair.run(1_000_000)
        #expect(pair.info(.client).active_transport == 1)
        #expect(pair.info(.gateway).active_transport == 1)
        #expect(pair.client.longestGap(from: at, to: pair.now) <= 5 * Self.roundTrip)
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt8])
    func thirtyPerCentLossMakesTheSessionJump(seed: UInt8) throws {
        var options = PairOptions()
        options.seed = seed
        let pair = Pair.established(options, sending: true)
        let at = pair.now
        pair.links[0].lossPerMille = [300, 300]
        pair.run(1_000_000)
        let first = try #require(pair.client.ladder(since: at).first)
        // At 30 % each way a whole flight of echoes may be missing: that looks dead, and is as good a reason.
        #expect(["VOLATILE loss_threshold_exceeded", "VOLATILE peer_reported_volatility", "VOLATILE consecutive_drop_exceeded"].contains(first))
        #expect(pair.info(.client).active_transport == 1 && pair.info(.client).state == JMP_STATE_ATTACHED)
        let jump = try #require(pair.client.events(JMP_EVENT_TRANSPORT_SWITCH, since: at).first)
        #expect(jump.time - at <= 500_000)
        #expect(pair.client.events(JMP_EVENT_TRANSPORT_SWITCH, since: at).count == 1)
    }

    @Test func onePerCentLossIsNoReasonToJump() {
        let pair = Pair.established(sending: true)
        pair.links[0].lossPerMille = [10, 10]
        pair.run(60_000_000)
        #expect(pair.client.ladder(since: 0) == ["ATTACHED handshake_ok"])
        #expect(pair.gateway.ladder(since: 0) == ["ATTACHED handshake_ok"])
    }

    @Test func latencyBeyondTheThresholdIsVolatile() {
        var options = PairOptions()
        options.tuneGatewayPolicy = { $0.latency_volatile_threshold_us = 100_000 }
        let pair = Pair.established(options, sending: true)
        let at = pair.now
        for delay in stride(from: UInt64(20_000), through: 100_000, by: 4000) {   // a leap would look like death
            pair.links[0].delay = [delay, delay]
            pair.run(200_000)
        }
        pair.run(3_000_000)
        let reasons = Set(pair.client.ladder(since: at) + pair.gateway.ladder(since: at))
        #expect(reasons.contains("VOLATILE latency_threshold_exceeded"))
        #expect(pair.info(.client).active_transport == 1)
    }

    // MARK: not every silence is the path's

    @Test(arguments: [Side.client, .gateway])
    func aHostThatWasSuspendedForASecondDoesNotJump(side: Side) {
        let pair = Pair.established(sending: true)
        let at = pair.now
        pair.node(side).suspendedUntil = pair.now + 1_000_000
        pair.run(5_000_000)
        if side == .client {
            #expect(pair.client.events(JMP_EVENT_TRANSPORT_SWITCH).isEmpty, "\(pair.client.ladder(since: at))")
            #expect(pair.info(.client).active_transport == 0)
        }
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED)
        #expect(pair.info(.gateway).state == JMP_STATE_ATTACHED)
    }

    @Test func timeThatGoesBackwardsIsClampedAndCounted() {
        let pair = Pair.established(sending: true)
        let before = pair.client.totals().clock_went_backwards
        expectOK(jmp_handle_timeout(pair.client.handle, 5))
        var datagram = jmp_datagram(), buffer = [UInt8](repeating: 0, count: 2000)
        datagram.struct_size = UInt32(MemoryLayout<jmp_datagram>.size)
        expectOK(jmp_send(pair.client.handle, pair.client.session, [1], 1, 7, &buffer, buffer.count, &datagram))
        #expect(pair.client.totals().clock_went_backwards == before + 2)
        pair.run(1_000_000)
        #expect(pair.client.ladder(since: 0) == ["ATTACHED handshake_ok"])
        #expect(pair.client.events.map(\.time) == pair.client.events.map(\.time).sorted())
    }

    @Test func aDatagramThatNeverLeftIsNeitherDeliveredNorLost() {
        let pair = Pair.established(sending: true)
        let lost = pair.client.stats().datagrams_lost
        for _ in 0..<10 {
            let (status, sealed) = pair.client.seal([1], pair.now)
            expectOK(status)
            guard let datagram = sealed?.0 else { continue }
            expectOK(jmp_unsent(pair.client.handle, pair.client.session, datagram.packet_number, pair.now))
        }
        pair.run(1_000_000)
        #expect(pair.client.stats().datagrams_lost == lost)
        #expect(pair.client.ladder(since: 0) == ["ATTACHED handshake_ok"])
        #expect(jmp_unsent(pair.client.handle, pair.client.session, 1 << 40, pair.now) == JMP_ERR_ARGUMENT)
    }
}
