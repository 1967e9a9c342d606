/// Counts completed switches in a sliding minute, exactly, up to 60. Few sessions switch often: room for their times grows 4, 16, 60, and
/// only while the oldest time still counts.
@usableFromInline
package struct SwitchLimiter: ~Copyable {
    package static let capacity = 60
    private static let minute: UInt64 = 60_000_000

    /// `room` times follow it in memory, a ring.
    private struct Record {
        var next: UInt16 = 0
        var count: UInt16 = 0
        var room: UInt16

        static let size = 8
    }

    private var record: UnsafeMutablePointer<Record>?

    package init() {}

    deinit {
        record?.deallocate()
    }

    private func times(_ record: UnsafeMutablePointer<Record>) -> UnsafeMutablePointer<UInt64> {
        (UnsafeMutableRawPointer(record) + Record.size).assumingMemoryBound(to: UInt64.self)
    }

    /// The n-th newest time, n from 1 to `count`.
    private func newest(_ n: Int, _ record: UnsafeMutablePointer<Record>) -> UInt64 {
        let index = Int(record.pointee.next) &- n
        return times(record)[index < 0 ? index &+ Int(record.pointee.room) : index]
    }

    package var lastSwitchAt: UInt64? {
        record.map { newest(1, $0) }
    }

    package mutating func record(_ now: UInt64) {
        let record = roomy(now)
        times(record)[Int(record.pointee.next)] = now
        record.pointee.next = record.pointee.next &+ 1 == record.pointee.room ? 0 : record.pointee.next &+ 1
        record.pointee.count = min(record.pointee.count &+ 1, record.pointee.room)
    }

    /// The record, with a place for one more time: a free one, or that of a time which does not count any more.
    private mutating func roomy(_ now: UInt64) -> UnsafeMutablePointer<Record> {
        guard let record else { return make(room: 4) }
        let count = Int(record.pointee.count)
        guard count == record.pointee.room, count < Self.capacity, now &- newest(count, record) < Self.minute else { return record }
        let bigger = make(room: min(count &* 4, Self.capacity))
        for n in 0..<count { times(bigger)[n] = newest(count &- n, record) }
        bigger.pointee.next = UInt16(truncatingIfNeeded: count)
        bigger.pointee.count = UInt16(truncatingIfNeeded: count)
        record.deallocate()
        return bigger
    }

    private mutating func make(room: Int) -> UnsafeMutablePointer<Record> {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Record.size &+ room &* MemoryLayout<UInt64>.size, alignment: 8)
        let fresh = memory.bindMemory(to: Record.self, capacity: 1)
        fresh.initialize(to: Record(room: UInt16(truncatingIfNeeded: room)))
        record = fresh
        return fresh
    }

    package func inLastMinute(_ now: UInt64) -> UInt32 {
        guard let record else { return 0 }
        var recent: UInt32 = 0
        while recent < UInt32(record.pointee.count), now &- newest(Int(recent) &+ 1, record) < Self.minute { recent &+= 1 }
        return recent
    }

    /// When one more switch fits below `limit` a minute; `now` or earlier when it fits already.
    package func allowedAt(_ now: UInt64, limit: UInt32) -> UInt64 {
        guard let record, inLastMinute(now) >= limit else { return now }
        // The limit-th newest switch has to leave the minute.
        return newest(Int(min(max(limit, 1), UInt32(record.pointee.count))), record) &+ Self.minute
    }
}
