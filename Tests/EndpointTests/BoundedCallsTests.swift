import CJumping
import JumpingC
import Testing
@testable import Jumping

/// However many sessions there are, one call does a bounded piece of work, and jmp_next_timeout tells that there is more.
struct BoundedCallsTests {
    /// Sessions of the client that nobody answers.
    private func pair(sessions: Int) -> Pair {
        var options = PairOptions()
        options.links = 1
        let pair = Pair(options)
        pair.tap = { _, _, _ in true }
        for _ in 0..<sessions { expectOK(pair.connect()) }
        return pair
    }

    @Test func sessionsThatHaveNothingLeftToSayAreLookedAtAFewAtATime() {
        let pair = pair(sessions: 1200)
        let endpoint = pair.client.endpoint
        for index in 0..<1200 { endpoint.pointee.sessions[index].queue(&endpoint.pointee.env) }
        expectOK(pair.connect())   // its INIT waits behind them all; connecting drains once
        var calls = 0
        while pair.client.nextTimeout <= pair.now, calls < 10 {
            pair.timeout(.client)
            calls += 1
        }
        #expect(calls == 2, "512 in each draining: the first call's own, then two more")
        #expect(endpoint.pointee.env.ready.count == 0 && pair.client.stats().datagrams_sent == 1)
    }

    /// Sessions that end at one time are forgotten in any order: the list of those that linger never takes long to tidy.
    @Test func theGoneAreForgottenAFewAtATime() {
        let pair = pair(sessions: 1)
        let endpoint = pair.client.endpoint
        for index in 0..<1250 { endpoint.pointee.env.closing.push(UInt64(99 << 32 | index)) }   // handles that were never given
        var before = 1250
        for _ in 0..<3 {
            expectOK(jmp_handle_timeout(pair.client.handle, pair.now))
            #expect(before - endpoint.pointee.env.closing.count <= Endpoint.timeoutBudget)
            before = endpoint.pointee.env.closing.count
        }
        #expect(before == 0)
    }
}
