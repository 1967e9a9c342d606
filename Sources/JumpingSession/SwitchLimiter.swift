/// Counts completed switches in a sliding minute, exactly: the times of the last 60.
@usableFromInline
package struct SwitchLimiter: ~Copyable {
    package static let capacity = 60
    private static let minute: UInt64 = 60_000_000
    private var times: UnsafeMutablePointer<UInt64>?
    private var next = 0
    private var count = 0
    package private(set) var lastSwitchAt: UInt64?

    package init() {}

    deinit {
        times?.deallocate()
    }

    package mutating func record(_ now: UInt64) {
        if times == nil { times = .allocate(capacity: Self.capacity) }
        times?[next] = now
        next = (next &+ 1) % Self.capacity
        count = min(count &+ 1, Self.capacity)
        lastSwitchAt = now
    }

    package func inLastMinute(_ now: UInt64) -> UInt32 {
        guard let times else { return 0 }
        var recent: UInt32 = 0
        for i in 0..<count where now &- times[i] < Self.minute { recent &+= 1 }
        return recent
    }

    /// When one more switch fits below `limit` a minute; `now` or earlier when it fits already.
    package func allowedAt(_ now: UInt64, limit: UInt32) -> UInt64 {
        guard let times, inLastMinute(now) >= limit else { return now }
        // The limit-th newest switch has to leave the minute.
        let index = (next &+ 2 &* Self.capacity &- Int(min(limit, UInt32(Self.capacity)))) % Self.capacity
        return times[index] &+ Self.minute
    }
}
