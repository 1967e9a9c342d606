import Testing
@testable import JumpingSession

struct PathMTUSearchTests {
    /// Plays a path that carries `carried`; gives back how many probes were sent.
    private func play(_ mtu: inout PathMTU, carried: Int, now: inout UInt64) -> Int {
        var probes = 0, number: UInt64 = 0
        while mtu.isProbeDue || mtu.isSearching, probes < 200 {
            if mtu.isProbeDue {
                let length = mtu.probeLength(room: 65_507)
                number += 1
                probes += 1
                mtu.noteProbeSent(number, length: length, now: now, timeout: 100)
                if length <= carried { if let i = (0..<4).first(where: { mtu.probeNumber($0) == number }) { mtu.noteProbeArrived(i, now: now) } }
            } else {
                now = mtu.deadline
                mtu.handleTimeout(now: now)
            }
        }
        return probes
    }

    @Test(arguments: [(1400, 1400), (1400, 1399), (1400, 1300), (1400, 1200), (9000, 1500), (65_507, 9000), (1200, 1200), (1210, 1205), (65_507, 65_507)])
    func itFindsWhatIsCarried(ceiling: Int, carried: Int) {
        var mtu = PathMTU(ceiling: ceiling), now: UInt64 = 1000
        let probes = play(&mtu, carried: carried, now: &now)
        #expect(mtu.confirmed <= carried && mtu.confirmed > carried - 17)
        #expect(mtu.limit >= mtu.confirmed && mtu.limit <= ceiling)
        #expect(probes <= 60)
        #expect((mtu.deadline == .max) == (ceiling - mtu.confirmed < 16 && probes <= 1))
    }

    @Test func afterAWhileItAsksForMore() {
        var mtu = PathMTU(ceiling: 1400), now: UInt64 = 1000
        _ = play(&mtu, carried: 1300, now: &now)
        let confirmed = mtu.confirmed
        now = mtu.deadline
        mtu.handleTimeout(now: now)
        #expect(mtu.isProbeDue && mtu.probeLength(room: 65_507) == 1400 && mtu.confirmed == confirmed)
        _ = play(&mtu, carried: 1400, now: &now)
        #expect(mtu.confirmed == 1400)
    }

    @Test func threeLongLossesInARowAreABlackHole() {
        var mtu = PathMTU(ceiling: 1400), now: UInt64 = 1000
        func losses(_ count: Int) -> [Bool] { (0..<count).map { _ in mtu.noteLongLost() } }
        #expect(losses(1) == [true], "before anything is known a loss may be due to the length")
        _ = play(&mtu, carried: 1400, now: &now)
        #expect(losses(2) == [false, false])
        mtu.noteLongArrived()
        #expect(losses(2) == [false, false] && mtu.confirmed == 1400)
        #expect(losses(1) == [true] && mtu.confirmed == PathMTU.base && mtu.isProbeDue)
    }

    @Test func aLateAnswerCountsToo() {
        var mtu = PathMTU(ceiling: 1400)
        for number in 1...3 as ClosedRange<UInt64> {
            mtu.noteProbeSent(number, length: 1400, now: number * 100, timeout: 100)
            mtu.handleTimeout(now: number * 100 + 100)
        }
        #expect(mtu.limit == 1399 && mtu.confirmed == PathMTU.base)
        mtu.noteProbeArrived(1, now: 500)
        #expect(mtu.limit == 1400 && mtu.confirmed == 1400 && !mtu.isSearching)
    }

    /// Where acknowledgements do not reach back to the probes, long datagrams that arrive keep what the host was told.
    @Test func whatArrivesSpeaksForItself() {
        var mtu = PathMTU(ceiling: 1400)
        for number in 1...3 as ClosedRange<UInt64> {
            mtu.noteProbeSent(number, length: 1400, now: number * 100, timeout: 100)
            mtu.noteLongArrived()
            mtu.handleTimeout(now: number * 100 + 100)
        }
        #expect(mtu.limit == 1400 && !mtu.isSearching && mtu.deadline > 400)
        let verdicts = (0..<3).map { _ in mtu.noteLongLost() }
        #expect(verdicts == [false, false, true] && mtu.isProbeDue, "until long ones vanish")
    }

    @Test func aSmallBufferLimitsTheProbe() {
        var mtu = PathMTU(ceiling: 9000)
        #expect(mtu.probeLength(room: 2048) == 2048)
        mtu.noteProbeSent(1, length: 2048, now: 0, timeout: 100)
        mtu.noteProbeArrived(0, now: 10)
        #expect(mtu.confirmed == 2048)
    }
}
