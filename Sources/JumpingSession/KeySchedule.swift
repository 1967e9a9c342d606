package import JumpingCrypto
internal import JumpingWire

/// The keys of an established session (wire document, "Keys"). Each direction has its own secret; key phase n + 1 comes
/// from phase n by a one-way step, header keys and with them connection ids stay. At most three receive phases live at once, and
/// the two phase bits of a datagram choose exactly one of them.
///
/// The packet keys of the present phase are kept ready while payloads flow. An idle session keeps the secrets they come from and derives a key
/// for each of its few datagrams, a jump's too.
@usableFromInline
package struct KeySchedule: ~Copyable {
    /// A receive phase other than the present one. It has memory of its own, since most of the time there is none.
    struct Phase: ~Copyable {
        var secret: Key32
        var key: AEADKey
    }

    package let suite: Suite
    private let tagBytes: UInt8
    /// A datagram of the present phase has come from the peer: it has the phase too.
    package private(set) var isPhaseConfirmed = true
    package private(set) var phase: UInt32 = 0
    package private(set) var sentInPhase: UInt64 = 0
    /// While payloads flow.
    private var ready: ReadyKeys?
    package let sendHeader: HeaderKey
    package let receiveHeader: HeaderKey
    private var sendSecret: Key32
    private var receiveSecret: Key32
    private(set) var previous: UnsafeMutablePointer<Phase>?
    private var next: UnsafeMutablePointer<Phase>?
    package private(set) var phaseStartedAt: UInt64

    /// The suite's, at hand.
    @inline(__always)
    package var tagLength: Int { Int(tagBytes) }

    /// `send` and `receive` are the 32-byte keys of Noise Split (§5.2).
    package init(suite: Suite, send: UnsafeRawPointer, receive: UnsafeRawPointer, now: UInt64) {
        self.suite = suite
        tagBytes = UInt8(truncatingIfNeeded: suite.tagLength)
        sendSecret = Key32(copying: send)
        receiveSecret = Key32(copying: receive)
        sendHeader = Self.headerKey(send)
        receiveHeader = Self.headerKey(receive)
        phaseStartedAt = now
    }

    deinit {
        Self.end(previous)
        Self.end(next)
    }

    private static func end(_ phase: UnsafeMutablePointer<Phase>?) {
        phase?.deinitialize(count: 1)
        phase?.deallocate()
    }

    /// Payloads flow: from now on the packet keys are kept ready.
    @inline(__always)
    package mutating func noteActivity() {
        if ready == nil { makeReady() }
    }

    @inline(never)
    private mutating func makeReady() {
        ready = ReadyKeys(suite: suite, send: { Self.packetKey(suite, sendSecret) }, receive: { Self.packetKey(suite, receiveSecret) })
    }

    /// No payloads for a while: the ready keys are wiped and freed.
    package mutating func becomeIdle() {
        ready = nil
    }

    /// Whether packet keys are kept.
    package var isReady: Bool { ready != nil }

    /// Brings what sealing (or opening) needs into the processor's cache.
    @inline(__always)
    package func prefetchKeys(forSealing: Bool) {
        ready?.prefetch(suite: suite, forSealing: forSealing)
    }

    /// Destination connection ids of a session's datagrams: index to 64 bits. A gateway's begin with its node tag.
    package func peerConnectionID(_ index: UInt32, nodeTag: UInt16?) -> UInt64 {
        Self.connectionID(sendHeader.connectionID(UInt64(index)), nodeTag)
    }

    package func ownConnectionID(_ index: UInt32, nodeTag: UInt16?) -> UInt64 {
        Self.connectionID(receiveHeader.connectionID(UInt64(index)), nodeTag)
    }

    @inline(__always)
    package mutating func seal(packetNumber: UInt64, additionalData: UnsafeRawPointer, _ buffer: UnsafeMutableRawPointer, length: Int) {
        sentInPhase &+= 1
        let isSealed = ready?.seal(suite: suite, packetNumber: packetNumber, aad: additionalData, aadLength: DataPacket.additionalDataLength,
                                   buffer: buffer, length: length)
        if isSealed == nil { sealOnce(packetNumber, additionalData, buffer, length) }
    }

    @inline(never)
    private func sealOnce(_ packetNumber: UInt64, _ additionalData: UnsafeRawPointer, _ buffer: UnsafeMutableRawPointer, _ length: Int) {
        Self.packetKey(suite, sendSecret).seal(packetNumber: packetNumber, aad: additionalData, aadLength: DataPacket.additionalDataLength,
                                               buffer: buffer, length: length)
    }

    package enum Opened {
        case failed, previousPhase, currentPhase, nextPhase
    }

    /// Opens in place under the one key that `phaseBits` names. `length` includes the tag.
    @inline(__always)
    package mutating func open(phaseBits: UInt32, packetNumber: UInt64, additionalData: UnsafeRawPointer,
                               _ buffer: UnsafeMutableRawPointer, length: Int) -> Opened {
        guard phaseBits == phase & 3 else {
            return openApart(phaseBits: phaseBits, packetNumber: packetNumber, additionalData: additionalData, buffer, length: length)
        }
        let ok = ready?.open(suite: suite, packetNumber: packetNumber, aad: additionalData, aadLength: DataPacket.additionalDataLength,
                             buffer: buffer, length: length) ?? openOnce(packetNumber, additionalData, buffer, length)
        return ok ? .currentPhase : .failed
    }

    @inline(never)
    private func openOnce(_ packetNumber: UInt64, _ additionalData: UnsafeRawPointer, _ buffer: UnsafeMutableRawPointer, _ length: Int) -> Bool {
        Self.packetKey(suite, receiveSecret).open(packetNumber: packetNumber, aad: additionalData, aadLength: DataPacket.additionalDataLength,
                                                  buffer: buffer, length: length)
    }

    /// Around a rekey: the phase before or after the present one.
    @inline(never)
    private mutating func openApart(phaseBits: UInt32, packetNumber: UInt64, additionalData: UnsafeRawPointer,
                                    _ buffer: UnsafeMutableRawPointer, length: Int) -> Opened {
        let aadLength = DataPacket.additionalDataLength
        if phaseBits == (phase &+ 1) & 3 {
            prepareNextReceiveKey()
            let ok = next?.pointee.key.open(packetNumber: packetNumber, aad: additionalData, aadLength: aadLength, buffer: buffer, length: length)
            return ok == true ? .nextPhase : .failed
        }
        if phaseBits == (phase &- 1) & 3 {
            let ok = previous?.pointee.key.open(packetNumber: packetNumber, aad: additionalData, aadLength: aadLength, buffer: buffer, length: length)
            return ok == true ? .previousPhase : .failed
        }
        return .failed
    }

    package mutating func confirmPhase() {
        isPhaseConfirmed = true
    }

    /// Steps both directions to the next phase: by our own choice, or because the peer's first datagram of it was authentic.
    package mutating func advance(now: UInt64, byPeer: Bool) {
        prepareNextReceiveKey()
        guard let old = next else { return }
        next = nil
        // The present phase takes the next one's place, and with it its memory.
        old.pointee.key = Self.packetKey(suite, receiveSecret)
        swap(&receiveSecret, &old.pointee.secret)
        old.pointee.secret = Key32()   // the old phase's secret must not outlive it
        forgetPreviousPhase()
        previous = old
        sendSecret = Self.nextSecret(sendSecret)
        if isReady { makeReady() }
        phase &+= 1
        phaseStartedAt = now
        sentInPhase = 0
        isPhaseConfirmed = byPeer
    }

    package mutating func forgetPreviousPhase() {
        Self.end(previous)
        previous = nil
    }

    /// Derived once and kept: forged datagrams of the next phase cost no derivation each.
    private mutating func prepareNextReceiveKey() {
        guard next == nil else { return }
        let fresh = UnsafeMutablePointer<Phase>.allocate(capacity: 1)
        let secret = Self.nextSecret(receiveSecret)
        let key = Self.packetKey(suite, secret)
        fresh.initialize(to: Phase(secret: secret, key: key))
        next = fresh
    }

    // MARK: derivations

    private static func packetKey(_ suite: Suite, _ secret: borrowing Key32) -> AEADKey {
        secret.withBytes { secret in
            withDerived(secret, "jmp1 key", number: UInt64(suite.rawValue), 64) { AEADKey(suite: suite, key: $0, iv: $0 + 32) }
        }
    }

    private static func headerKey(_ secret: UnsafeRawPointer) -> HeaderKey {
        withDerived(secret, "jmp1 hdr", 16) { HeaderKey($0) }
    }

    private static func nextSecret(_ secret: borrowing Key32) -> Key32 {
        secret.withBytes { withDerived($0, "jmp1 nxt", 32) { Key32(copying: $0) } }
    }

    /// `body` gets `count` derived bytes (at most 64), wiped afterwards.
    private static func withDerived<R: ~Copyable>(_ secret: UnsafeRawPointer, _ label: StaticString, number: UInt64 = 0, _ count: Int,
                                                  _ body: (UnsafeRawPointer) -> R) -> R {
        var bytes = InlineArray<64, UInt8>(repeating: 0)
        return withUnsafeMutablePointer(to: &bytes) { bytes in
            let bytes = UnsafeMutableRawPointer(bytes)
            KDF.derive(secret: secret, label: label, number: number, into: bytes, count: count)
            defer { Sodium.wipe(bytes, 64) }
            return body(UnsafeRawPointer(bytes))
        }
    }

    private static func connectionID(_ value: UInt64, _ nodeTag: UInt16?) -> UInt64 {
        guard let nodeTag else { return value }
        return UInt64(nodeTag) << 48 | value >> 16
    }
}
