import CJumping
import JumpingC
import Testing
@testable import Jumping

/// Expendable payloads where the policy puts them under congestion control.
struct ExpendableControlTests {
    private func pair(isControlled: Bool, bitsPerSecond: UInt64 = 10_000_000) -> Pair {
        let pair = Pair.established {
            $0.links = 1
            $0.tuneGatewayPolicy = { $0.control_expendable = isControlled ? 1 : 0 }
        }
        pair.links[0].bytesPerSecond = bitsPerSecond / 8
        pair.links[0].queueBytes = bitsPerSecond / 8 * 40 / 1000
        return pair
    }

    /// Offers twice of what the link carries, as fast as the library takes it; gives back the share of the link that came out at the end.
    private func overload(_ pair: Pair, _ duration: UInt64) -> Double {
        let end = pair.now + duration, half = pair.now + duration / 2
        var atHalf = 0, refused = false
        while pair.now < end {
            for _ in 0..<2 {
                let status = pair.send(.client, [UInt8](repeating: 9, count: 1200))
                #expect(status == JMP_OK || status == JMP_AGAIN)
                refused = refused || status == JMP_AGAIN
            }
            pair.run(1000)
            if pair.now == half { atHalf = pair.gateway.payloads.count }
        }
        let carried = Double((pair.gateway.payloads.count - atHalf) * 1258) / (Double(duration / 2) / 1_000_000)
        return carried / Double(pair.links[0].bytesPerSecond)
    }

    @Test func aPolicyThatAsksKeepsThemFromOverflowingTheBottleneck() {
        let pair = pair(isControlled: true)
        let share = overload(pair, 6_000_000)
        #expect(share > 0.9)
        #expect(pair.links[0].queueDrops[0] < 100)
        #expect(pair.client.ladder(since: 0) == ["ATTACHED handshake_ok"])
        #expect(!pair.client.events(JMP_EVENT_FLOW_CONTROL_UPDATE).isEmpty)
        #expect(pair.info(.client).congestion_window > 14_720)
    }

    @Test func withoutThatPolicyNoneIsHeldBack() {
        let pair = pair(isControlled: false)
        for _ in 0..<300 { expectOK(pair.send(.client, [UInt8](repeating: 9, count: 1200))) }
        #expect(pair.links[0].queueDrops[0] > 0)
        #expect(pair.client.events(JMP_EVENT_WRITABLE).isEmpty)
    }

    /// What is refused changes nothing, and one Writable tells when to try again: it is taken then.
    @Test func aRefusedOneIsToldWhenItMayLeave() {
        let pair = pair(isControlled: true), at = pair.now
        var taken: UInt64 = 0
        while pair.send(.client, [UInt8](repeating: 9, count: 1200)) == JMP_OK, taken < 1000 { taken += 1 }
        #expect(taken >= 9 && taken <= 12, "the first window of RFC 9002 §7.2")
        #expect(pair.client.stats().payloads_sent == taken)
        #expect(pair.send(.client) == JMP_AGAIN)
        #expect(pair.client.events(JMP_EVENT_WRITABLE).isEmpty)
        for _ in 0..<200 where pair.client.events(JMP_EVENT_WRITABLE).isEmpty { pair.run(1000) }
        #expect(pair.client.events(JMP_EVENT_WRITABLE).count == 1)
        #expect(pair.now - at >= 40_000, "acknowledgements open the window, not the pace")
        expectOK(pair.send(.client))
        pair.run(1_000_000)
        #expect(pair.client.events(JMP_EVENT_WRITABLE).count == 1, "nothing was refused since")
        #expect(pair.gateway.payloads.count == Int(taken) + 1)
    }

    /// Protected payloads go first: while they fill the window, expendable ones wait.
    @Test func protectedPayloadsComeFirst() {
        let pair = pair(isControlled: true)
        expectOK(pair.sendProtected(.client, ProtectedDeliveryTests.payload(0, 200_000)))
        #expect(pair.send(.client) == JMP_AGAIN)
        pair.run(3_000_000)
        #expect(pair.gateway.protected.count == 1)
        #expect(pair.client.events(JMP_EVENT_WRITABLE).count == 1)
        expectOK(pair.send(.client))
    }

    /// A path that dies takes what was in flight with it: the window of the next one is new and free, and nothing is sent again.
    @Test func aJumpFreesTheWindow() {
        let pair = Pair.established { $0.tuneGatewayPolicy = { $0.control_expendable = 1 } }
        pair.run(500_000)
        pair.links[0].cut()
        while pair.send(.client, [UInt8](repeating: 9, count: 1200)) == JMP_OK {}
        for _ in 0..<3000 where pair.info(.client).active_transport == 0 { pair.run(1000) }
        #expect(pair.info(.client).active_transport == 1)
        pair.run(200_000)
        #expect(pair.gateway.payloads.isEmpty)
        #expect(!pair.client.events(JMP_EVENT_WRITABLE).isEmpty)
        expectOK(pair.send(.client))
    }

    @Test func theFieldIsCheckedAndNegotiated() {
        var policy = jmp_policy()
        jmp_policy_init(&policy)
        #expect(policy.control_expendable == 0)
        policy.control_expendable = 2
        var message = [CChar](repeating: 0, count: 100)
        #expect(jmp_policy_check(&policy, &message, message.count) == JMP_ERR_POLICY)
        #expect(String(cString: message) == "control_expendable: expected 0 or 1")
        let pair = pair(isControlled: true)
        for side in [Side.client, .gateway] {
            var agreed = jmp_policy()
            agreed.struct_size = UInt32(MemoryLayout<jmp_policy>.size)
            #expect(jmp_session_get_policy(pair.node(side).handle, pair.node(side).session, &agreed) == JMP_OK)
            #expect(agreed.control_expendable == 1)
        }
    }
}
