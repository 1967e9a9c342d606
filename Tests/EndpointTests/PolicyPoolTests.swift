import JumpingSession
import Testing
@testable import Jumping
@testable import JumpingSession
@testable import JumpingWire

struct PolicyPoolTests {
    private func agreement(_ drops: UInt32) -> Agreement {
        var policy = Policy()
        policy.maxConsecutiveDrops = drops
        return Agreement(policy: policy, clientLimits: policy.limits)
    }

    @Test func equalAgreementsAreKeptOnce() {
        var pool = PolicyPool()
        var first = SharedAgreement(agreement(3)), second = SharedAgreement(agreement(3)), other = SharedAgreement(agreement(4))
        pool.share(&first)
        pool.share(&second)
        pool.share(&other)
        let (a, b, c) = (first.address, second.address, other.address)
        #expect(a == b && a != c)
        second.replace(with: agreement(5))
        let (drops, changed) = (first.address.pointee.policy.maxConsecutiveDrops, second.address.pointee.policy.maxConsecutiveDrops)
        #expect(drops == 3 && changed == 5, "a change is the session's own")
    }

    /// More different ones than there is room for: each session keeps its own, whatever the pool lets go.
    @Test func whatThePoolForgetsTheSessionsKeep() {
        var pool = PolicyPool()
        let agreements = UnsafeMutablePointer<SharedAgreement>.allocate(capacity: 100)
        for i in 0..<100 {
            (agreements + i).initialize(to: SharedAgreement(agreement(UInt32(i))))
            pool.share(&agreements[i])
        }
        for i in 0..<100 { #expect(agreements[i].address.pointee.policy.maxConsecutiveDrops == UInt32(i)) }
        agreements.deinitialize(count: 100)
        agreements.deallocate()
        var late = SharedAgreement(agreement(7))
        pool.share(&late)
        let drops = late.address.pointee.policy.maxConsecutiveDrops
        #expect(drops == 7)
    }
}
