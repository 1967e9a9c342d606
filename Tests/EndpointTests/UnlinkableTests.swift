import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping

/// What an observer of two networks may not learn: that two paths belong to one session (DESIGN section 7).
struct UnlinkableTests {
    /// Every connection id seen on a link, by sender.
    private func watch(_ pair: Pair, _ body: () -> Void) -> [Int: Set<[UInt8]>] {
        var seen: [Int: Set<[UInt8]>] = [:]
        pair.tap = { _, link, bytes in
            if Kind.isData(bytes) { seen[link, default: []].insert(Array(bytes[1..<9])) }
            return false
        }
        body()
        pair.tap = nil
        return seen
    }

    @Test func noConnectionIDIsSeenOnTwoPaths() throws {
        var options = PairOptions()
        options.links = 3
        options.offered = 2
        let pair = Pair.established(options, sending: true)
        let seen = watch(pair) {
            pair.run(1_000_000)
            pair.links[0].cut()
            pair.run(2_000_000)
            // The first network is gone; another comes in its place.
            let gone = pair.client.path(on: 0)?.path ?? UInt32.max
            expectOK(jmp_path_remove(pair.client.handle, pair.client.session, gone, pair.now))
            pair.drain(.client)
            pair.addPath(2)
            pair.run(2_000_000)
            // And a network that was only ever a standby is changed for another.
            let standby = pair.client.path(on: 2)?.path ?? UInt32.max
            expectOK(jmp_path_remove(pair.client.handle, pair.client.session, standby, pair.now))
            pair.drain(.client)
            pair.links[0].mend()
            pair.addPath(0)
            pair.run(3_000_000)
        }
        let (first, second, third) = (try #require(seen[0]), try #require(seen[1]), try #require(seen[2]))
        #expect(pair.client.path(on: 0)?.validated == 1)
        #expect(second.count == 2 && third.count == 2, "one for each direction")
        #expect(first.count == 4, "a path that was withdrawn and added again is another path")
        #expect(first.isDisjoint(with: second) && first.isDisjoint(with: third) && second.isDisjoint(with: third))
    }

    /// Neither the counter nor the key phase is to be read from the header.
    @Test func theHeaderShowsNoCounterAndNoPhase() {
        let pair = Pair.established(sending: true)
        var first: [UInt8] = [], counters: [UInt32] = []
        pair.tap = { side, link, bytes in
            guard side == .client, link == 0, Kind.isData(bytes) else { return false }
            first.append(bytes[0] & 0x3F)
            counters.append(bytes[9..<13].reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
            return false
        }
        pair.run(1_000_000)
        #expect(counters.count > 150)
        let steps = zip(counters.dropFirst(), counters).map { $0 &- $1 }
        #expect(steps.filter { $0 < 1000 }.count < 3, "no datagram's number is close above the one before")
        #expect(Set(first).count > 40, "six bits that look like chance")
    }
}
