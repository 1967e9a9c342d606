import CJumping
import JumpingCrypto
import JumpingDelivery
import JumpingSession
import JumpingWire

/// How long the datagrams of each path may be (wire document, "Path MTU"). A session that sends nothing long never asks.
extension Session {
    private func mtu(_ slot: Int) -> PathMTU? { slot < 8 ? bulk.present?.pointee.mtus[slot] : nil }

    /// What expendable payloads may fill.
    @inline(__always)
    func mtuLimit(_ slot: Int, _ env: borrowing Environment) -> Int {
        let ceiling = env.transports.mtu(paths[slot].transport)
        return bulk.present == nil ? ceiling : min(ceiling, mtu(slot)?.limit ?? ceiling)
    }

    /// What protected payloads may fill: what has been seen to arrive.
    func confirmedMTU(_ slot: Int, _ env: borrowing Environment) -> Int {
        min(env.transports.mtu(paths[slot].transport), mtu(slot)?.confirmed ?? PathMTU.base)
    }

    private mutating func change(_ slot: Int, _ body: (inout PathMTU) -> Void) {
        guard slot < 8, let bulk = bulk.present, var mtu = bulk.pointee.mtus[slot] else { return }
        body(&mtu)
        bulk.pointee.mtus[slot] = mtu
    }

    /// A datagram left that is long, or whose sender would make it so: the search begins if it has not.
    @inline(__always)
    mutating func noteLongSent(_ slot: Int, _ env: inout Environment) {
        if slot >= 8 || (bulk.present?.pointee.searched ?? 0) & (1 << UInt8(truncatingIfNeeded: slot)) == 0 { beginMTUSearch(slot, &env) }
    }

    @inline(never)
    private mutating func beginMTUSearch(_ slot: Int, _ env: inout Environment) {
        guard slot < 8, mtu(slot) == nil, env.transports.mtu(paths[slot].transport) > PathMTU.base else { return }
        bulk.made(Bulk()).pointee.mtus[slot] = PathMTU(ceiling: env.transports.mtu(paths[slot].transport))
        bulk.present?.pointee.searched |= 1 << UInt8(truncatingIfNeeded: slot)
        queue(&env)
    }

    /// The slot will be another path's.
    mutating func forgetMTU(_ slot: Int) {
        guard slot < 8, let bulk = bulk.present else { return }
        bulk.pointee.mtus[slot] = nil
        bulk.pointee.searched &= ~(1 << UInt8(truncatingIfNeeded: slot))
    }

    // MARK: probes

    /// PING and PADDING, as long as the datagram in question. It counts for nothing else: neither as the path's silence nor as its loss.
    mutating func transmitMTUProbe(_ buffer: UnsafeMutableRawPointer, _ capacity: Int, _ datagram: UnsafeMutablePointer<jmp_datagram>,
                                   _ env: inout Environment) -> TransmitResult {
        for slot in 0..<paths.capacity where paths[slot].isUsed && paths[slot].isValidated && !paths[slot].isDead && paths[slot].index != .max {
            let length = mtu(slot)?.probeLength(room: capacity) ?? 0
            guard length > PathMTU.base else { continue }
            let tagLength = suite?.tagLength ?? 16
            var writer = ByteWriter(buffer + DataPacket.headerLength, length &- DataPacket.headerLength &- tagLength)
            writer.u8(FrameType.ping)
            writer.zeros(writer.room)
            let (total, number) = seal(slot, buffer, writer.count, isPayload: false, isEliciting: false, isProbe: false, &env)
            let timeout = paths[slot].health.probeTimeout
            let now = env.now
            change(slot) { $0.noteProbeSent(number, length: total, now: now, timeout: timeout) }
            armEarlier(.pathMTU, now &+ timeout, &env)
            fill(datagram, slot, total, number)
            return .sent
        }
        return .nothing
    }

    /// The timer: probes that were not answered, and paths to ask again.
    mutating func probePathMTU(_ env: inout Environment) {
        let now = env.now
        for slot in 0..<paths.capacity where paths[slot].isUsed {
            guard let mtu = mtu(slot) else { continue }
            if mtu.deadline <= now {
                change(slot) { $0.handleTimeout(now: now) }
                followMTU(slot, env)
            }
        }
        armMTU(&env)
        queue(&env)
    }

    private mutating func armMTU(_ env: inout Environment) {
        for slot in 0..<paths.capacity where paths[slot].isUsed {
            if let deadline = mtu(slot)?.deadline, deadline != .max { armEarlier(.pathMTU, max(deadline, env.now &+ 1), &env) }
        }
    }

    /// An acknowledgement names a probe.
    mutating func noteMTUProbes(_ frame: Acknowledgement, _ largest: UInt64, _ env: inout Environment) {
        for slot in 0..<paths.capacity where paths[slot].isUsed {
            for i in 0..<4 {
                guard let number = mtu(slot)?.probeNumber(i), number <= largest, largest &- number <= Acknowledgement.span,
                      number == largest || frame.bitmap & (1 << UInt32(truncatingIfNeeded: largest &- 1 &- number)) != 0 else { continue }
                let now = env.now
                change(slot) { $0.noteProbeArrived(i, now: now) }
                followMTU(slot, env)
                armMTU(&env)
                queue(&env)
            }
        }
    }

    /// Protected payloads use what is known.
    private mutating func followMTU(_ slot: Int, _ env: borrowing Environment) {
        guard let delivery, delivery.pointee.sender.carrier == paths[slot].id else { return }
        delivery.pointee.sender.setDatagramSize(confirmedMTU(slot, env))
    }

    // MARK: black holes

    /// A long datagram has arrived: it was no longer than what had been confirmed, or as long as the host says the path is.
    mutating func noteLongArrived(_ slot: Int) {
        change(slot) { $0.noteLongArrived() }
    }

    /// True when long datagrams vanish: then their loss says nothing else of the path.
    mutating func noteLongLost(_ slot: Int, _ env: inout Environment) -> Bool {
        var isBlackHole = false
        change(slot) { isBlackHole = $0.noteLongLost() }
        guard isBlackHole else { return false }
        paths[slot].health.resetLoss()
        followMTU(slot, env)
        queue(&env)
        return true
    }

    /// A path that died may have done so for long datagrams alone.
    mutating func restartMTU(_ slot: Int, _ env: inout Environment) {
        guard mtu(slot) != nil else { return }
        change(slot) { $0.restart() }
        followMTU(slot, env)
    }
}
