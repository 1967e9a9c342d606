import CJumping
import JumpingSession
import JumpingWire

/// Batches of datagrams. Each is handled as a single one is; but while one is sealed or opened, the memory that the next ones need is
/// already on its way into the cache, which is most of what a datagram of a session not heard of lately costs.
extension Endpoint {
    /// How many items ahead: a connection id's entry, a session's slot, its key schedule.
    private static let entryDistance = 12
    private static let sessionDistance = 8
    private static let scheduleDistance = 4

    package mutating func sendBatch(_ items: UnsafeMutablePointer<jmp_send_item>, _ count: Int, _ payloads: UnsafePointer<UInt8>?,
                                    _ payloadsLength: Int, _ now: jmp_time, _ buffer: UnsafeMutablePointer<UInt8>?, _ bufferLength: Int) -> Int {
        var done = 0
        for i in 0..<count {
            if i == 0 {
                for ahead in 0..<min(count, Self.sessionDistance) { prefetchSession(items[ahead].session) }
                for ahead in 0..<min(count, Self.scheduleDistance) { prefetchKeys(items[ahead].session, forSealing: true) }
            }
            if i &+ Self.sessionDistance < count { prefetchSession(items[i &+ Self.sessionDistance].session) }
            if i &+ Self.scheduleDistance < count { prefetchKeys(items[i &+ Self.scheduleDistance].session, forSealing: true) }
            items[i].status = send(items + i, payloads, payloadsLength, now, buffer, bufferLength)
            if items[i].status == JMP_OK { done &+= 1 }
        }
        return done
    }

    package mutating func receiveBatch(_ items: UnsafeMutablePointer<jmp_receive_item>, _ count: Int, _ buffer: UnsafeMutableRawBufferPointer,
                                       _ now: jmp_time) {
        var coming = ComingSessions()
        for i in 0..<count {
            if i == 0 {
                for ahead in 0..<min(count, Self.entryDistance) { prefetchEntry(items + ahead, buffer) }
                for ahead in 0..<min(count, Self.sessionDistance) { prefetchSession(ahead, items + ahead, buffer, &coming) }
                for ahead in 0..<min(count, Self.scheduleDistance) { prefetchSchedule(coming[ahead]) }
            }
            if i &+ Self.entryDistance < count { prefetchEntry(items + (i &+ Self.entryDistance), buffer) }
            if i &+ Self.sessionDistance < count { prefetchSession(i &+ Self.sessionDistance, items + (i &+ Self.sessionDistance), buffer, &coming) }
            if i &+ Self.scheduleDistance < count { prefetchSchedule(coming[i &+ Self.scheduleDistance]) }
            items[i].status = receive(items + i, buffer, now)
        }
    }

    // MARK: looking ahead

    @inline(__always)
    private func prefetchSession(_ handle: jmp_session) {
        sessions.prefetch(Int(truncatingIfNeeded: handle & 0xFFFF_FFFF))
    }

    @inline(__always)
    private func prefetchKeys(_ handle: jmp_session, forSealing: Bool) {
        guard let index = sessions.resolve(handle) else { return }
        sessions[index].keys?.pointee.prefetchKeys(forSealing: forSealing)
    }

    /// The connection id of an item that is a DATA datagram, as far as can be seen without opening it.
    @inline(__always)
    private func connectionID(_ item: UnsafeMutablePointer<jmp_receive_item>, _ buffer: UnsafeMutableRawBufferPointer) -> UInt64? {
        let offset = Int(item.pointee.offset), length = Int(item.pointee.length)
        guard length >= DataPacket.minimumLength, offset &+ length <= buffer.count, let base = buffer.baseAddress,
              DataPacket.isData(base.load(fromByteOffset: offset, as: UInt8.self)) else { return nil }
        return DataPacket.connectionID(base + offset)
    }

    @inline(__always)
    private func prefetchEntry(_ item: UnsafeMutablePointer<jmp_receive_item>, _ buffer: UnsafeMutableRawBufferPointer) {
        if let id = connectionID(item, buffer) { env.connectionIDs.prefetch(id) }
    }

    @inline(__always)
    private func prefetchSession(_ i: Int, _ item: UnsafeMutablePointer<jmp_receive_item>, _ buffer: UnsafeMutableRawBufferPointer,
                                 _ coming: inout ComingSessions) {
        let owner = connectionID(item, buffer).flatMap { env.connectionIDs.find($0) }
        coming[i] = owner.map { Int($0) } ?? -1
        sessions.prefetch(coming[i])
    }

    @inline(__always)
    private func prefetchSchedule(_ index: Int) {
        guard sessions.isUsed(index) else { return }
        sessions[index].keys?.pointee.prefetchKeys(forSealing: false)
    }
}

/// The sessions that the items between here and `sessionDistance` ahead belong to, -1 for none: each is looked up once.
private struct ComingSessions {
    private var indices: InlineArray<16, Int> = InlineArray(repeating: -1)

    subscript(_ i: Int) -> Int {
        @inline(__always) get { indices[i & 15] }
        @inline(__always) set { indices[i & 15] = newValue }
    }
}
