import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping
@testable import JumpingSession

/// A pending path whose proof comes, but whose request has become stale: proven it is, pending no more.
struct PendingRoleTests {
    private func source(_ number: UInt32) -> jmp_address { address([10, 7, 7, UInt8(number), 1, 1]) }

    private func forge(_ pair: Pair, _ frames: [UInt8], _ number: UInt32) {
        pair.inject(pair.client.forge(frames, index: number), to: .gateway, link: 1, from: source(number))
    }

    private func challenge(_ pair: Pair, _ number: UInt32) -> UInt64? {
        pair.gateway.withCore { session -> UInt64? in
            for slot in 0..<session.paths.capacity where session.paths[slot].isUsed && session.paths[slot].index == number {
                return session.paths[slot].challenge
            }
            return nil
        } ?? nil
    }

    /// Asks for a switch to a new address; before its proof something else is bound.
    private func missTheMoment(_ pair: Pair, _ number: UInt32) throws {
        let version = UInt32(truncatingIfNeeded: pair.info(.gateway).binding_version)
        forge(pair, Frames.reattach(UInt64(1000 + number), version: version), number)
        let proof = try #require(challenge(pair, number), "path \(number) is asked for its proof")
        let healing = Frames.reattach(UInt64(2000 + number), version: version, cause: JMP_REASON_STABILITY_WINDOW_MET)
        pair.inject(pair.client.forge(healing), to: .gateway)
        #expect(pair.info(.gateway).binding_version == UInt64(version) + 1)
        forge(pair, Frames.response(proof), number)
        #expect(pair.gateway.events(JMP_EVENT_REATTACH_RESULT).last?.reason == UInt32(JMP_REASON_STALE_STATE_VERSION))
    }

    private func pair() -> Pair {
        var options = PairOptions()
        options.offered = 1
        return Pair.established(options)
    }

    @Test func aProvenPathWhoseRequestIsRefusedIsAStandby() throws {
        let pair = pair()
        try missTheMoment(pair, 1)
        #expect(pair.gateway.path(on: 1).map { $0.role == JMP_PATH_STANDBY && $0.validated == 1 } == true)
        #expect(pair.info(.gateway).candidate_count == 1)
        #expect(pair.info(.gateway).active_transport == 0)
    }

    /// max_candidates 3: the active path, one pending and three more, whatever comes.
    @Test func refusedRequestsDoNotFillTheTableOfPaths() throws {
        let pair = pair()
        for number in 1...12 as ClosedRange<UInt32> {
            try missTheMoment(pair, number)
            pair.run(100_000)
            #expect(pair.gateway.paths().count <= 5)
        }
        #expect(!pair.gateway.paths().contains { $0.role == JMP_PATH_PENDING })
    }
}
