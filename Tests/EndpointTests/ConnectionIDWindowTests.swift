import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping
@testable import JumpingSession

/// Which connection ids a gateway knows: those in use, those lately in use, and a window around the newest index.
struct ConnectionIDWindowTests {
    private func known(_ node: Node) -> Int { node.endpoint.pointee.env.connectionIDs.count }

    private func pair(links: Int, candidates: UInt32) -> Pair {
        var options = PairOptions()
        options.links = links
        options.offered = 1
        options.tuneGatewayPolicy = { $0.max_candidates = candidates }
        options.tuneClientPolicy = { $0.max_candidates = candidates }
        return Pair.established(options)
    }

    /// 8 in use, 8 of late and 8 in the window at the most; at the end 16 at the most for the CLOSE, then none.
    @Test func skippedIndicesFillNoTable() {
        let pair = pair(links: 2, candidates: 3)
        var most = 0
        for step in 1...1000 {
            let datagram = pair.client.forge([FrameType.ping], index: UInt32(4 * step))
            let received = pair.inject(datagram, to: .gateway, link: 1, from: address([10, 9, UInt8(step >> 8), UInt8(step & 0xFF), 1, 1]))
            #expect(received.drop_cause == JMP_DROP_NONE, "index \(4 * step)")
            most = max(most, known(pair.gateway))
            if step % 64 == 0 { pair.run(1000) }
        }
        #expect(most <= 24)
        expectOK(jmp_session_close(pair.gateway.handle, pair.gateway.session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
        pair.drain(.gateway)
        #expect(known(pair.gateway) <= 16)
        pair.run(31_000_000)
        #expect(known(pair.gateway) == 0)
    }

    @Test func anIndexFarBehindTheWindowOpensNoPath() {
        let pair = pair(links: 2, candidates: 3)
        for step in 1...8 { pair.inject(pair.client.forge([FrameType.ping], index: UInt32(4 * step)), to: .gateway, link: 1) }
        #expect(pair.inject(pair.client.forge([FrameType.ping], index: 28), to: .gateway, link: 1).drop_cause == JMP_DROP_NONE)
        #expect(pair.inject(pair.client.forge([FrameType.ping], index: 27), to: .gateway, link: 1).drop_cause == JMP_DROP_UNKNOWN_CONNECTION_ID)
        #expect(pair.inject(pair.client.forge([FrameType.ping], index: 37), to: .gateway, link: 1).drop_cause == JMP_DROP_UNKNOWN_CONNECTION_ID)
        #expect(pair.inject(pair.client.forge([FrameType.ping], index: 0), to: .gateway).drop_cause == JMP_DROP_NONE, "it is in use")
    }

    /// A network that carries nothing back is offered and withdrawn four times; the gateway has heard every one of them.
    @Test(arguments: [1, 2, 3] as [UInt32])
    func pathsWithoutAnswersUseUpNoIndices(candidates: UInt32) {
        let pair = pair(links: 3, candidates: candidates)
        pair.links[1].isBlackhole[Side.gateway.rawValue] = true
        for _ in 0..<4 {
            let path = pair.addPath(1)
            pair.run(3_000_000)
            expectOK(jmp_path_remove(pair.client.handle, pair.client.session, path, pair.now))
            pair.drain(.client)
            pair.run(3_000_000)
        }
        let unknown = pair.gateway.dropped(JMP_DROP_UNKNOWN_CONNECTION_ID)
        pair.addPath(2)
        pair.run(5_000_000)
        #expect(pair.info(.client).candidate_count == 1)
        #expect(pair.gateway.dropped(JMP_DROP_UNKNOWN_CONNECTION_ID) == unknown)
        pair.links[0].cut()
        pair.run(40_000_000)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED && pair.info(.client).active_transport == 2)
    }

    /// Four candidates that nobody answers hold the four indices there are; the fifth still has its turn.
    @Test func aFifthCandidateTakesTurnsWithSilentOnes() {
        let pair = pair(links: 3, candidates: 6)
        for host: UInt8 in 0..<4 {
            var remote = address([192, 0, 2, 77 + host, 0x13, 0x88]), path: UInt32 = 0
            expectOK(jmp_path_add(pair.client.handle, pair.client.session, 1, &remote, pair.now, &path))
            pair.drain(.client)
        }
        pair.addPath(2)
        pair.run(30_000_000)
        #expect(pair.info(.client).candidate_count == 1 && pair.client.path(on: 2)?.validated == 1)
        pair.links[0].cut()
        pair.run(30_000_000)
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED && pair.info(.client).active_transport == 2)
    }
}
