import JumpingSession
import JumpingWire

/// The rules a session lives by: its policy, and what the client asked for, beyond which no later policy may go.
struct Agreement: Equatable {
    var policy: Policy
    var clientLimits: PolicyLimits
}

/// An agreement in memory that several sessions share: most of an endpoint's sessions live by the same one, which so lies in the cache.
struct SharedAgreement: ~Copyable {
    fileprivate struct Record {
        var agreement: Agreement
        var uses: Int
    }

    fileprivate var record: UnsafeMutablePointer<Record>

    init(_ agreement: Agreement) {
        record = .allocate(capacity: 1)
        record.initialize(to: Record(agreement: agreement, uses: 1))
    }

    fileprivate init(sharing record: UnsafeMutablePointer<Record>) {
        self.record = record
        record.pointee.uses &+= 1
    }

    deinit {
        record.pointee.uses &-= 1
        if record.pointee.uses == 0 { record.deallocate() }
    }

    @inline(__always)
    var address: UnsafePointer<Agreement> {
        UnsafeRawPointer(record).assumingMemoryBound(to: Agreement.self)
    }

    /// Another session may have the present one: a changed one is this session's own.
    mutating func replace(with agreement: Agreement) {
        self = SharedAgreement(agreement)
    }
}

/// The agreements in use, so that equal ones are kept once. Few are different; beyond its room they are not shared.
struct PolicyPool: ~Copyable {
    private static let capacity = 32
    private var records: InlineArray<32, UnsafeMutablePointer<SharedAgreement.Record>?> = InlineArray(repeating: nil)
    private var next = 0

    init() {}

    deinit {
        for i in 0..<Self.capacity { release(i) }
    }

    private func release(_ i: Int) {
        guard let record = records[i] else { return }
        record.pointee.uses &-= 1
        if record.pointee.uses == 0 { record.deallocate() }
    }

    /// Lets the session use the pool's copy of its agreement, or makes its own the pool's.
    mutating func share(_ shared: inout SharedAgreement) {
        for i in 0..<Self.capacity {
            guard let known = records[i] else { continue }
            if known == shared.record { return }
            if known.pointee.agreement == shared.record.pointee.agreement {
                shared = SharedAgreement(sharing: known)
                return
            }
        }
        // The place of one that only the pool still holds, else the next in turn.
        for i in 0..<Self.capacity where records[i] == nil || records[i]?.pointee.uses == 1 {
            next = i
            break
        }
        release(next)
        shared.record.pointee.uses &+= 1
        records[next] = shared.record
        next = (next &+ 1) % Self.capacity
    }
}
