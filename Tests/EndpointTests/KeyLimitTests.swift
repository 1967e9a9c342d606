import CJumping
import JumpingC
import JumpingCrypto
import JumpingWire
import Testing
@testable import Jumping
@testable import JumpingSession

/// What ends a key phase, how long an old one lives, and that no key ever meets a packet number twice.
struct KeyLimitTests {
    private func rekey(_ pair: Pair, _ side: Side) -> jmp_status {
        defer { pair.drain(side) }
        return jmp_session_rekey(pair.node(side).handle, pair.node(side).session, pair.now)
    }

    /// Phase 0 has lasted long enough for another.
    private func settled(_ options: PairOptions = PairOptions()) -> Pair {
        let pair = Pair.established(options)
        pair.run(2_000_000)
        return pair
    }

    @Test func aStragglerOfThePreviousPhaseIsReadForASecondAndNoLonger() {
        let pair = settled()
        let stragglers = (0..<2).map { pair.client.forge([FrameType.payload, UInt8($0)]) }
        expectOK(rekey(pair, .client))
        pair.run(500_000)
        #expect(pair.info(.gateway).key_phase == 1)
        #expect(pair.inject(stragglers[0], to: .gateway).kind == JMP_RECEIVED_PAYLOAD)
        pair.run(2_000_000)
        #expect(pair.inject(stragglers[1], to: .gateway).drop_cause == JMP_DROP_BAD_TAG)
        #expect(pair.gateway.payloads.count == 1)
    }

    /// A forgery under the phase bits of the previous, the present and the next phase changes nothing.
    @Test func aForgeryIsRefusedInEveryPhase() {
        let pair = settled()
        var genuine = [pair.client.forge([FrameType.payload, 0])]
        expectOK(rekey(pair, .client))
        pair.run(500_000)
        genuine.append(pair.client.forge([FrameType.payload, 1]))
        let version = pair.info(.gateway).key_phase
        for datagram in genuine {
            for position in 13..<datagram.count {
                var forged = datagram
                forged[position] ^= 0x40
                #expect(pair.inject(forged, to: .gateway).drop_cause == JMP_DROP_BAD_TAG)
            }
        }
        #expect(pair.gateway.payloads.isEmpty && pair.info(.gateway).key_phase == version)
        for datagram in genuine { #expect(pair.inject(datagram, to: .gateway).kind == JMP_RECEIVED_PAYLOAD) }
    }

    @Test func aPhaseBeginsOnlyAfterThePeerHasUsedTheOneBefore() {
        let pair = settled()
        for link in pair.links.indices { pair.links[link].cut() }
        expectOK(rekey(pair, .client))
        pair.run(1_000_000)
        #expect(pair.info(.client).key_phase == 1 && pair.info(.gateway).key_phase == 0)
        #expect(rekey(pair, .client) == JMP_ERR_RATE_LIMITED, "however long it takes")
    }

    @Test func aPhaseLastsThreeProbeTimeouts() {
        let pair = Pair.established(sending: true)
        expectOK(rekey(pair, .client))
        pair.run(60_000)
        #expect(pair.info(.gateway).key_phase == 1 && pair.client.withCore { $0.keys?.pointee.isPhaseConfirmed } == true)
        #expect(rekey(pair, .client) == JMP_ERR_RATE_LIMITED, "the peer has used it, but not for long enough")
        pair.run(500_000)
        expectOK(rekey(pair, .client))
    }

    @Test func tooManyForgeriesEndThePhase() {
        let pair = settled()
        _ = pair.gateway.withCore { $0.failedOpens = 1 << 30 - 2 }
        var forged = pair.client.forge([FrameType.payload, 0])
        forged[20] ^= 1
        pair.inject(forged, to: .gateway)
        pair.run(100_000)
        #expect(pair.info(.gateway).key_phase == 0)
        pair.inject(forged, to: .gateway)
        pair.run(100_000)
        #expect(pair.info(.gateway).key_phase == 1 && pair.info(.client).key_phase == 1)
        #expect(pair.gateway.withCore { $0.failedOpens } == 0)
    }

    /// The count lies in the schedule's memory; sending 2²² datagrams takes too long here.
    private func setSentInPhase(_ node: Node, _ count: UInt64) -> Bool {
        node.withCore { session -> Bool in
            guard let keys = session.keys else { return false }
            let present = keys.pointee.sentInPhase
            let words = UnsafeMutableRawPointer(keys)
            for offset in stride(from: 0, to: MemoryLayout<KeySchedule>.size - 7, by: 8) where words.load(fromByteOffset: offset, as: UInt64.self) == present {
                words.storeBytes(of: count, toByteOffset: offset, as: UInt64.self)
                if keys.pointee.sentInPhase == count { return true }
                words.storeBytes(of: present, toByteOffset: offset, as: UInt64.self)
            }
            return false
        } ?? false
    }

    @Test(.enabled(if: Sodium.initialize() && Suite.available & UInt32(JMP_SUITE_AES_256_GCM) != 0))
    func aPhaseOfAESGCMEndsAt4194304Datagrams() {
        var options = PairOptions()
        options.tuneClient = { $0.suites = JMP_SUITE_AES_256_GCM }
        options.tuneGateway = { $0.suites = JMP_SUITE_AES_256_GCM }
        let pair = settled(options)
        #expect(setSentInPhase(pair.client, 4_194_302))
        expectOK(pair.send(.client))
        #expect(pair.info(.client).key_phase == 0)
        expectOK(pair.send(.client))
        pair.run(100_000)
        #expect(pair.info(.client).key_phase == 1 && pair.info(.gateway).key_phase == 1)
    }

    @Test func aPhaseOfChaCha20EndsByTimeAlone() {
        let pair = settled()
        #expect(setSentInPhase(pair.client, 1 << 40))
        expectOK(pair.send(.client))
        pair.run(100_000)
        #expect(pair.info(.client).key_phase == 0)
    }

    /// Through rekeys, a jump, and a CLOSE for each path, no direction has the same packet number twice.
    @Test func noPacketNumberIsUsedTwice() throws {
        let pair = Pair.established(sending: true)
        var used: [[UInt32]] = [[], []], closes: [[UInt8]] = []
        pair.tap = { [unowned pair] side, _, bytes in
            guard let number = pair.node(side.other).packetNumber(of: bytes) else { return false }
            used[side.rawValue].append(number)
            return false
        }
        for side in [Side.client, .gateway] {
            expectOK(rekey(pair, side))
            pair.run(700_000)
        }
        pair.links[0].cut()
        pair.run(2_000_000)
        pair.links[0].mend()
        pair.run(2_000_000)
        #expect(pair.info(.client).key_phase == 2 && pair.info(.client).active_transport == 1)
        // One CLOSE for each path's id, read by the client's keys as they are.
        let questions = [0, 1].map { pair.client.forge([FrameType.payload, 1, 2, 3, 4], index: UInt32($0)) }
        pair.client.stopSending()
        pair.run(100_000)
        expectOK(jmp_session_close(pair.gateway.handle, pair.gateway.session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
        pair.tap = { [unowned pair] side, _, bytes in
            if side == .gateway, let number = pair.client.packetNumber(of: bytes) {
                used[side.rawValue].append(number)
                closes.append(bytes)
            }
            return true
        }
        pair.drain(.gateway)
        closes = []
        used[Side.gateway.rawValue].removeLast()
        for (link, question) in questions.enumerated() {
            pair.skip(200_000)
            pair.inject(question, to: .gateway, link: link)
        }
        #expect(closes.count == 2)
        for numbers in used {
            #expect(numbers.count > 1)
            #expect(Set(numbers).count == numbers.count)
        }
    }
}
