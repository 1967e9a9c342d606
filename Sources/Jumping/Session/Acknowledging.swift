import CJumping
import JumpingDelivery
import JumpingSession
import JumpingWire

extension Session {
    mutating func receiveAcknowledgement(_ frame: Acknowledgement, slot: Int?, _ env: inout Environment) {
        guard let largest = recoverAcknowledged(frame.largest) else { return }
        noteAcknowledgement(frame, largest, slot: slot, &env)
        if delivery != nil { acknowledgeDelivery(PacketNumberRanges(largest: largest, bitmap: frame.bitmap), &env) }
    }

    /// For path detection the newest numbers are all that counts; protected payloads need every one.
    mutating func receiveAcknowledgement(_ frame: AcknowledgementRanges, slot: Int?, _ env: inout Environment) -> Bool {
        guard let largest = recoverAcknowledged(frame.largest) else { return true }
        guard let ranges = frame.ranges(largest: largest) else { return false }
        noteAcknowledgement(Acknowledgement(largest: frame.largest, delayUnits: frame.delayUnits, bitmap: ranges.bitmap), largest, slot: slot, &env)
        noteOlder(ranges, slot: slot, &env)
        if delivery != nil { acknowledgeDelivery(ranges, &env) }
        return true
    }

    /// The full number; nil for one that was never sent.
    private func recoverAcknowledged(_ truncated: UInt32) -> UInt64? {
        guard nextPacketNumber > 0 else { return nil }
        let largest = DataPacket.recoverPacketNumber(truncated, largest: nextPacketNumber &- 1)
        return largest < nextPacketNumber ? largest : nil
    }

    /// What an ACK says of our sends: round trips, deliveries, gaps.
    private mutating func noteAcknowledgement(_ frame: Acknowledgement, _ largest: UInt64, slot: Int?, _ env: inout Environment) {
        if bulk.present != nil { noteMTUProbes(frame, largest, &env) }
        let floor = largest >= Acknowledgement.span ? largest &- Acknowledgement.span : 0
        let delay = UInt64(frame.delayUnits) &* Acknowledgement.delayUnit
        var oldest: SentPacket?
        var proven: Int?
        var i = sent.count
        while i > 0 {
            i &-= 1
            let packet = sent[i]
            if packet.number > largest { continue }
            if packet.number < floor { break }
            if packet.fate == .acknowledged || packet.fate == .unsent { continue }
            let isNamed = packet.number == largest || frame.bitmap & (1 << UInt32(largest &- 1 &- packet.number)) != 0
            if isNamed {
                let isLargest = packet.number == largest
                if !isLargest, packet.slot == slot { oldest = packet }
                if let path = noteDelivered(i, packet, on: slot, delay: isLargest ? delay : nil, &env) { proven = path }
            } else if packet.fate == .outstanding {
                sent[i].markMissing(env.now)
            }
        }
        if let proven { noteEvidence(proven, &env) }
        if let oldest { sampleRTT(oldest, delay: 0, &env) }
        judgeMissing(&env)
    }

    /// Of numbers below those that a bitmap could name, ranges tell more: where many datagrams are under way, one that was overtaken by
    /// more than 33 would seem lost although it has come.
    private mutating func noteOlder(_ ranges: PacketNumberRanges, slot: Int?, _ env: inout Environment) {
        guard ranges.count > 0, ranges[0].high > Acknowledgement.span else { return }
        let floor = ranges[0].high &- Acknowledgement.span
        var i = sent.count, range = 0
        while i > 0 {
            i &-= 1
            let packet = sent[i]
            guard packet.number < floor, packet.fate != .acknowledged, packet.fate != .unsent else { continue }
            while range < ranges.count, ranges[range].low > packet.number { range &+= 1 }
            guard range < ranges.count else { return }
            if packet.number <= ranges[range].high, let path = noteDelivered(i, packet, on: slot, delay: nil, &env) { noteEvidence(path, &env) }
        }
    }

    /// Round trips of the largest number an ACK names, and of the oldest it names for the first time: the largest alone has always
    /// overtaken others, so under reordering it would make every path look faster and steadier than it is. None while this host
    /// was late: the acknowledgement lay in its socket.
    private mutating func sampleRTT(_ packet: SentPacket, delay: UInt64, _ env: inout Environment) {
        guard env.now >= lateUntil, !env.isClamped, paths[packet.slot].isUsed else { return }
        let cap = paths[packet.slot].health.acknowledgementDelay &* 2
        paths[packet.slot].health.addRTT(env.now &- packet.sentAt, acknowledgementDelay: min(delay, cap))
    }

    /// A send has arrived. Its path when that proves both of its directions: the answer came back the same way.
    private mutating func noteDelivered(_ i: Int, _ packet: SentPacket, on slot: Int?, delay: UInt64?, _ env: inout Environment) -> Int? {
        let path = packet.slot
        guard path < paths.capacity, paths[path].isUsed else { return nil }
        let wasLost = packet.fate == .lost
        if wasLost || packet.fate == .missing { paths[path].health.noteReordering(packet.missingFor(env.now)) }
        sent[i].fate = .acknowledged
        if packet.isLong { noteLongArrived(path) }
        if wasLost {
            if counters.rare.datagramsLost > 0 { counters.rare.datagramsLost &-= 1 }
            paths[path].health.takeBackLoss(now: env.now, window: policy.lossWindow, thresholdPPM: policy.lossVolatileThresholdPPM)
        } else {
            paths[path].health.addDelivered(now: env.now, window: policy.lossWindow)
        }
        if !paths[path].hasAcknowledged || packet.number > paths[path].newestAcknowledged {
            paths[path].hasAcknowledged = true
            paths[path].newestAcknowledged = packet.number
        }
        guard slot == path else { return nil }
        if let delay { sampleRTT(packet, delay: delay, &env) }
        return path
    }

    /// Sends that an acknowledgement skipped are lost after the path's reordering tolerance. Late ones come back.
    mutating func judgeMissing(_ env: inout Environment) {
        var hasLost = false
        for i in 0..<(sent.missing > 0 ? sent.count : 0) where sent[i].fate == .missing {
            let packet = sent[i]
            guard packet.slot < paths.capacity, paths[packet.slot].isUsed,
                  packet.missingFor(env.now) >= paths[packet.slot].health.reorderingTolerance else { continue }
            sent[i].fate = .lost
            counters.rare.datagramsLost &+= 1
            if packet.isLong, noteLongLost(packet.slot, &env) { continue }
            paths[packet.slot].health.addLost(now: env.now, window: policy.lossWindow, thresholdPPM: policy.lossVolatileThresholdPPM)
            hasLost = hasLost || packet.slot == activeSlot
        }
        if hasLost || policy.latencyVolatileThreshold > 0 { judgeQuality(&env) }
    }

    /// Two-way evidence on a path: it lives. Ends the transport-lost clock, may end a DEGRADED wait.
    mutating func noteEvidence(_ slot: Int, _ env: inout Environment) {
        let wasDead = paths[slot].isDead || paths[slot].lastEvidenceAt == .max
        paths[slot].noteEvidence(env.now)
        if slot == activeSlot { delivery?.pointee.isSuspect = false }
        if isClient, paths[slot].index != .max { highestIndex = max(highestIndex, paths[slot].index) }
        if transportLostAt != Timers.never { restartLostClock(env) }
        if wasDead { pathCameAlive(slot, &env) }
    }

    /// The host says that a datagram never left: it is neither delivered nor lost.
    mutating func markUnsent(_ number: UInt64) -> jmp_status {
        guard number < nextPacketNumber else { return JMP_ERR_ARGUMENT }
        if let i = sent.find(number), sent[i].fate != .acknowledged { sent[i].fate = .unsent }
        return JMP_OK
    }
}
