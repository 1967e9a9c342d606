/// Counts completed switches in a sliding minute, exactly: the times of the last 60.
@usableFromInline
package struct SwitchLimiter: ~Copyable {
    package static let capacity = 60
    private static let minute: UInt64 = 60_000_000

    private struct Record {
        var times: InlineArray<60, UInt64> = InlineArray(repeating: 0)
        var next = 0
        var count = 0
    }

    private var record = OnDemand<Record>()

    package init() {}

    package var lastSwitchAt: UInt64? {
        guard let record = record.present else { return nil }
        return record.pointee.times[(record.pointee.next &+ Self.capacity &- 1) % Self.capacity]
    }

    package mutating func record(_ now: UInt64) {
        let record = record.made(Record())
        record.pointee.times[record.pointee.next] = now
        record.pointee.next = (record.pointee.next &+ 1) % Self.capacity
        record.pointee.count = min(record.pointee.count &+ 1, Self.capacity)
    }

    package func inLastMinute(_ now: UInt64) -> UInt32 {
        guard let record = record.present else { return 0 }
        var recent: UInt32 = 0
        for i in 0..<record.pointee.count where now &- record.pointee.times[i] < Self.minute { recent &+= 1 }
        return recent
    }

    /// When one more switch fits below `limit` a minute; `now` or earlier when it fits already.
    package func allowedAt(_ now: UInt64, limit: UInt32) -> UInt64 {
        guard let record = record.present, inLastMinute(now) >= limit else { return now }
        // The limit-th newest switch has to leave the minute.
        let index = (record.pointee.next &+ 2 &* Self.capacity &- Int(min(limit, UInt32(Self.capacity)))) % Self.capacity
        return record.pointee.times[index] &+ Self.minute
    }
}
