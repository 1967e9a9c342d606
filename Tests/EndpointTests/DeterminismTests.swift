import CJumping
import JumpingC
import Testing
@testable import Jumping

/// Same seed, same inputs: the same bytes and the same events, in the same order.
struct DeterminismTests {
    /// A life with everything in it.
    private func transcript(seed: UInt8) -> [UInt8] {
        var options = PairOptions()
        options.seed = seed
        options.tuneGatewayPolicy = { $0.key_max_age_us = 1_000_000 }
        let pair = Pair.established(options, sending: true)
        pair.links[0].jitter = 3000
        pair.links[0].lossPerMille = [300, 200]
        pair.run(1_500_000)
        pair.links[1].clientPort = 61_001
        pair.run(500_000)
        pair.links[1].cut()
        pair.run(1_000_000)
        expectOK(jmp_session_close(pair.client.handle, pair.client.session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
        pair.drain(.client)
        pair.run(500_000)
        return pair.transcript
    }

    @Test(arguments: [1, 7] as [UInt8])
    func sameSeedAndInputsSameBytesAndEvents(seed: UInt8) {
        let first = transcript(seed: seed), second = transcript(seed: seed)
        #expect(first.count > 100_000)
        #expect(first == second)
    }

    @Test func anotherSeedGivesOtherBytes() {
        #expect(transcript(seed: 1) != transcript(seed: 2))
    }

    @Test func aSeededRunSaysSoInEveryEventAndNamesItsSuites() {
        let pair = Pair.established()
        for node in [pair.client, pair.gateway] {
            #expect(node.totals().seeded == 1)
            #expect(node.events.allSatisfy { $0.seeded == 1 && json($0).contains("\"seeded\": true") })
        }
        var config = jmp_config(), handle: OpaquePointer?
        expectOK(jmp_config_init(&config))
        config.suites = JMP_SUITE_ALL
        let status = jmp_endpoint_new_seeded(&config, nil, [UInt8](repeating: 1, count: 32), 0, &handle)
        #expect(status == (Library.availableSuites == JMP_SUITE_ALL ? JMP_OK : JMP_ERR_SUITE), "the bytes must not depend on the CPU")
        _ = jmp_endpoint_free(handle)
    }
}
