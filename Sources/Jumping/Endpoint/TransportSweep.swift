import CJumping
import JumpingSession
import JumpingWire

/// Carries what the host said of transports to every session, a few in each call: no call takes longer because there are many sessions.
/// It goes through the slots in passes; what is said while a pass is under way is carried by it from there on, and to the slots before by
/// the next. A session that is used meanwhile is not kept waiting: it follows first, so that no datagram and no decision ever knows less than
/// the host has said.
struct TransportSweep {
    /// The next slot of the present pass.
    var cursor = 0
    /// Every session will have followed the transports up to this revision when the present pass ends.
    var goal: UInt64 = 0
}

extension Endpoint {
    /// Something was said of a transport: a small endpoint's sessions follow at once, a large one's begin to.
    mutating func beginSweep() {
        if sweep.cursor == 0 { sweep.goal = env.transports.revision }
        var budget = 2 * Self.timeoutBudget
        continueSweep(&budget)
    }

    /// A slot costs one of `budget`, a session that had to act costs eight as its timers would.
    mutating func continueSweep(_ budget: inout Int) {
        while env.transports.unsettled != 0 {
            while sweep.cursor < sessions.capacity {
                guard budget > 0 else { return }
                budget &-= 1
                if sessions.isUsed(sweep.cursor), !sessions[sweep.cursor].hasFollowed(env), follow(sweep.cursor) { budget &-= 7 }
                sweep.cursor &+= 1
            }
            env.transports.settle(sweep.goal)
            sweep = TransportSweep(cursor: 0, goal: env.transports.revision)
        }
    }

    /// Before anything is done with a session: whether it is there, having followed the transports. A half-open one whose only path is gone
    /// ends with that.
    @inline(__always)
    mutating func isCurrent(_ index: Int) -> Bool {
        if sessions[index].hasFollowed(env) { return true }
        _ = follow(index)
        return sessions.isUsed(index)
    }

    /// Whether the session had a path there.
    @inline(never)
    private mutating func follow(_ index: Int) -> Bool {
        let wasConcerned = sessions[index].followTransports(&env)
        if sessions[index].endedHalfOpen { removeSession(index) }
        return wasConcerned
    }
}

extension Session {
    @inline(__always)
    func hasFollowed(_ env: borrowing Environment) -> Bool {
        followedRevision == UInt16(truncatingIfNeeded: env.transports.revision)
    }

    /// Acts on the latest that was said of each transport since this session followed last. Says whether that meant a path of this session.
    @inline(never) @discardableResult
    mutating func followTransports(_ env: inout Environment) -> Bool {
        let revision = env.transports.revision
        // 16 bits are enough: each call that makes a revision moves the sweep on by 128 slots, and 32,768 calls by all that can be.
        let followed = revision &- UInt64(UInt16(truncatingIfNeeded: revision) &- followedRevision)
        followedRevision = UInt16(truncatingIfNeeded: revision)
        var isConcerned = false, rest = env.transports.unsettled
        while rest != 0 {
            let number = UInt32(rest.trailingZeroBitCount)
            rest &= rest &- 1
            let transport = env.transports[number]
            guard max(transport.hintedIn, transport.setIn, transport.removedIn) > followed else { continue }
            isConcerned = isConcerned || uses(number)
            if transport.isLeaving {
                leave(number, &env)
            } else {
                if transport.setIn > followed { noteSet(number, transport.transportClass) }
                if transport.hintedIn > followed, state != .terminated { hint(number, isUp: transport.isUp, &env) }
            }
        }
        syncWheel(&env)
        return isConcerned
    }

    private func uses(_ transport: UInt32) -> Bool {
        for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].transport == transport { return true }
        return false
    }

    /// A gateway goes by the class the client told; what is known of the paths' mtus was known under the old one's bound.
    private mutating func noteSet(_ transport: UInt32, _ transportClass: UInt8) {
        for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].transport == transport {
            forgetMTU(slot)
            if isClient { paths[slot].transportClass = transportClass }
        }
    }

    /// The transport is gone, and its number may soon be another's.
    private mutating func leave(_ transport: UInt32, _ env: inout Environment) {
        if let farewell, farewell.pointee.transport == transport { farewell.pointee.pending = -1 }
        for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].transport == transport {
            guard state != .terminated else { return }
            withdraw(slot, &env)
        }
    }
}
