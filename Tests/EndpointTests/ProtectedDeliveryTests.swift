import CJumping
import JumpingC
import JumpingWire
import Testing
@testable import Jumping

/// Protected payloads through the C interface: each arrives once, whatever happens on the way.
struct ProtectedDeliveryTests {
    private static let roundTrip: UInt64 = 40_000

    /// `length` bytes that begin with a number and go on in a way that a wrong piece would break.
    static func payload(_ number: UInt64, _ length: Int = 100) -> [UInt8] {
        let head = (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64($0))) }
        let start = Int(number % 997)
        return Array((head + pattern[start..<start + max(0, length - 8)]).prefix(length))
    }

    /// Made once: debug builds are slow at it.
    private static let pattern: [UInt8] = (0..<Int(JMP_PROTECTED_PAYLOAD_MAX) + 1000).map { UInt8(truncatingIfNeeded: ($0 &* 31) ^ ($0 >> 8)) }

    static func number(_ payload: ProtectedPayload) -> UInt64 { payload.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }

    /// Sends `count` payloads, one each 5 ms, while the world goes on; gives back when each was sent.
    @discardableResult
    private func stream(_ pair: Pair, _ count: Int, from first: UInt64 = 0, length: Int = 100, channel: UInt32 = 0,
                        at moments: [Int: () -> Void] = [:]) -> [UInt64] {
        var sentAt: [UInt64] = []
        for i in 0..<count {
            moments[i]?()
            sentAt.append(pair.now)
            #expect(pair.sendProtected(.client, Self.payload(first + UInt64(i), length), channel: channel) == JMP_OK)
            pair.run(5000)
        }
        return sentAt
    }

    /// Each of the payloads came once, and whole; gives back the longest way one of them took.
    private func expectEachOnce(_ pair: Pair, _ sentAt: [UInt64], length: Int = 100, inOrder: Bool = false) -> UInt64 {
        let numbers = pair.gateway.protected.map(Self.number)
        #expect(numbers.sorted() == (0..<sentAt.count).map(UInt64.init))
        if inOrder { #expect(numbers == numbers.sorted()) }
        #expect(pair.gateway.protected.allSatisfy { $0.bytes == Self.payload(Self.number($0), length) })
        return pair.gateway.protected.map { $0.at - sentAt[Int(min(Self.number($0), UInt64(sentAt.count - 1)))] }.max() ?? 0
    }

    @Test func aPayloadArrivesAndIsReported() throws {
        let pair = Pair.established()
        expectOK(pair.sendProtected(.client, Self.payload(0), channel: 3, tag: 77))
        let at = pair.now
        pair.run(100_000)
        let arrived = try #require(pair.gateway.protected.first)
        #expect(pair.gateway.protected.count == 1 && arrived.channel == 3 && arrived.bytes == Self.payload(0))
        #expect(arrived.at == at + Self.roundTrip / 2, "it left at once")
        let report = try #require(pair.client.events(JMP_EVENT_PAYLOAD_ACKNOWLEDGED).first)
        #expect((report.payload_tag, report.channel, report.payload_sequence, report.payload_length) == (77, 3, 0, 100))
        let info = pair.info(.client)
        #expect((info.send_buffered, info.protected_count, info.bytes_in_flight) == (0, 0, 0))
        let stats = pair.client.stats()
        #expect((stats.protected_sent, stats.protected_acknowledged, stats.protected_datagrams_lost) == (1, 1, 0))
    }

    @Test func withoutTroubleNothingIsSentTwiceAndNothingWaits() {
        let pair = Pair.established()
        let sentAt = stream(pair, 400)
        pair.run(200_000)
        let longest = expectEachOnce(pair, sentAt, inOrder: true)
        #expect(longest == Self.roundTrip / 2, "no buffer adds to the way")
        #expect(pair.gateway.stats().protected_duplicates == 0)
        #expect(pair.client.stats().protected_bytes_resent == 0)
    }

    @Test(arguments: [0, 1, 5] as [UInt32], [10, 100, 300] as [UInt64])
    func lossIsMadeGood(channel: UInt32, perMille: UInt64) {
        let pair = Pair.established()
        pair.links[0].lossPerMille = [perMille, perMille]
        pair.links[1].lossPerMille = [perMille, perMille]
        let sentAt = stream(pair, 400, channel: channel)
        pair.run(3_000_000)
        _ = expectEachOnce(pair, sentAt, inOrder: channel != 0)
        #expect(pair.info(.client).protected_count == 0)
        #expect(pair.client.stats().protected_bytes_resent > 0)
    }

    @Test(arguments: [0, 1] as [UInt32])
    func jitterChangesOrderButLosesNothing(channel: UInt32) {
        let pair = Pair.established()
        pair.links[0].jitter = 20_000
        let sentAt = stream(pair, 600, channel: channel)
        pair.run(1_000_000)
        let longest = expectEachOnce(pair, sentAt, inOrder: channel != 0)
        #expect(longest <= 3 * Self.roundTrip)
        #expect(pair.client.stats().protected_bytes_resent <= 60 * 100, "few are taken for lost")
    }

    @Test(arguments: [0, 1300, 2600, 3900] as [UInt64])
    func aBlackholeLosesNothing(phase: UInt64) {
        let pair = Pair.established(sending: true)
        pair.run(phase)
        let sentAt = stream(pair, 300, at: [100: { pair.links[0].cut() }])
        pair.run(1_000_000)
        let longest = expectEachOnce(pair, sentAt)
        #expect(longest <= 3 * Self.roundTrip)
        #expect(pair.info(.client).active_transport == 1)
    }

    @Test func aHintMovesEverythingAtOnce() {
        let pair = Pair.established()
        let sentAt = stream(pair, 100, at: [45: { pair.links[0].cut() }, 50: {
            expectOK(jmp_transport_hint(pair.client.handle, 0, 0, pair.now))
            pair.drain(.client)
        }])
        pair.run(1_000_000)
        let longest = expectEachOnce(pair, sentAt)
        #expect(longest <= 25_000 + Self.roundTrip / 2 + 1000, "what was under way went again in the moment of the jump")
    }

    @Test func natRebindingLosesNothing() {
        let pair = Pair.established()
        var sentAt: [UInt64] = []
        for i in 0..<300 {
            if i == 100 { pair.links[0].clientPort += 100 }
            sentAt.append(pair.now)
            pair.sendProtected(.gateway, Self.payload(UInt64(i)))
            pair.send(.client)
            pair.run(5000)
        }
        pair.run(1_000_000)
        let numbers = pair.client.protected.map(Self.number)
        #expect(numbers.sorted() == (0..<300).map(UInt64.init))
        let longest = pair.client.protected.map { $0.at - sentAt[Int(Self.number($0))] }.max() ?? 0
        #expect(longest <= 2 * Self.roundTrip + 1000, "what went to the old address goes again with the bind")
        #expect(pair.gateway.events(JMP_EVENT_TRANSPORT_SWITCH).count == 1)
    }

    @Test(arguments: [0, 2] as [UInt32], [1370, 5000, 65_536, 1_048_576])
    func largePayloadsComeInParts(channel: UInt32, length: Int) {
        let pair = Pair.established { $0.tuneClient = { $0.send_buffer = 1 << 22 } }
        pair.links[0].lossPerMille = [20, 20]
        let count: UInt64 = length > 100_000 ? 1 : 3
        for i in 0..<count { expectOK(pair.sendProtected(.client, Self.payload(i, length), channel: channel)) }
        #expect(pair.run(until: { pair.gateway.protected.count == count }, within: 30_000_000, step: 50_000))
        pair.run(500_000)
        _ = expectEachOnce(pair, [UInt64](repeating: 0, count: Int(count)), length: length, inOrder: channel != 0)
        #expect(pair.info(.client).send_buffered == 0 && pair.info(.gateway).receive_buffered == 0)
    }

    @Test func anEmptyPayloadIsAPayload() {
        let pair = Pair.established()
        expectOK(pair.sendProtected(.client, []))
        expectOK(pair.sendProtected(.client, [], channel: 1))
        pair.run(100_000)
        #expect(pair.gateway.protected.map(\.bytes) == [[], []])
    }

    /// One channel's loss holds up that channel alone.
    @Test func channelsDoNotBlockEachOther() throws {
        let pair = Pair.established()
        pair.run(100_000)
        var isFirst = true
        pair.tap = { side, _, _ in
            guard side == .client, isFirst else { return false }
            isFirst = false
            return true
        }
        expectOK(pair.sendProtected(.client, Self.payload(0), channel: 1))
        pair.tap = nil
        expectOK(pair.sendProtected(.client, Self.payload(1), channel: 1))
        expectOK(pair.sendProtected(.client, Self.payload(2), channel: 2))
        expectOK(pair.sendProtected(.client, Self.payload(3)))
        let at = pair.now
        pair.run(500_000)
        let order = pair.gateway.protected.map(Self.number)
        #expect(Array(order.prefix(2)) == [2, 3] && Array(order.suffix(2)) == [0, 1])
        #expect(pair.gateway.protected.prefix(2).allSatisfy { $0.at == at + Self.roundTrip / 2 })
        #expect(isFirst == false)
    }

    /// A payload that could be handed out from its datagram waits behind one of its channel that the host has not taken yet.
    @Test func nothingOvertakesWhatWaitsForTheHost() {
        let pair = Pair.established()
        pair.gateway.isReadingPaused = true
        expectOK(pair.sendProtected(.client, Self.payload(0, 5000), channel: 1))
        pair.run(200_000)
        expectOK(pair.sendProtected(.client, Self.payload(1), channel: 1))
        expectOK(pair.sendProtected(.client, Self.payload(2), channel: 2))
        pair.run(200_000)
        #expect(pair.gateway.protected.map(Self.number) == [2])
        pair.gateway.isReadingPaused = false
        pair.drain(.gateway)
        #expect(pair.gateway.protected.map(Self.number) == [2, 0, 1])
    }

    // MARK: bounds

    @Test func aFullBufferSaysSoAndTellsWhenThereIsRoom() {
        let pair = Pair.established { $0.tuneClient = { $0.send_buffer = 1 << 16 } }
        var taken: UInt64 = 0
        while pair.client.sendProtected(Self.payload(taken, 1000), pair.now) == JMP_OK { taken += 1 }
        #expect(taken == 65_536 / 1064)
        #expect(pair.client.sendProtected(Self.payload(0, 65_536), pair.now) == JMP_ERR_TOO_LONG, "larger than the buffer is never possible")
        pair.drain(.client)
        #expect(pair.client.events(JMP_EVENT_WRITABLE).isEmpty)
        pair.run(500_000)
        #expect(pair.client.events(JMP_EVENT_WRITABLE).count == 1)
        #expect(pair.client.sendProtected(Self.payload(taken, 1000), pair.now) == JMP_OK)
        pair.drain(.client)
        pair.run(100_000)
        #expect(pair.gateway.protected.count == Int(taken) + 1)
    }

    /// Tiny ones cannot fill tables beyond their caps or come to a standstill.
    @Test func floodsOfTinyPayloadsFlow() {
        let pair = Pair.established()
        var sent: UInt64 = 0
        for _ in 0..<40 {
            while pair.client.sendProtected([UInt8(truncatingIfNeeded: sent)], channel: UInt32(sent % 4), pair.now) == JMP_OK { sent += 1 }
            pair.drain(.client)
            #expect(pair.info(.client).protected_count <= UInt32(JMP_PROTECTED_COUNT_MAX))
            pair.run(50_000)
        }
        pair.run(2_000_000)
        #expect(sent > 20_000)
        #expect(pair.gateway.protected.count == Int(sent))
    }

    /// A host that does not read holds its peer, not its memory; when it reads on, all of it comes.
    @Test func aSlowReaderHoldsTheSender() {
        let pair = Pair.established {
            $0.tuneGateway = { $0.receive_buffer = 1 << 16 }
            $0.tuneClient = { $0.send_buffer = 1 << 20 }
        }
        pair.gateway.isReadingPaused = true
        // In order, and the first is held up, so that none can be handed out from its datagram.
        var sent: UInt64 = 0
        while sent < 300 {
            expectOK(pair.sendProtected(.client, Self.payload(sent, 3000), channel: 1))
            sent += 1
        }
        pair.run(5_000_000)
        #expect(pair.info(.gateway).receive_buffered <= 65_536 + 3064)
        #expect(pair.info(.client).protected_count > 200)
        pair.gateway.isReadingPaused = false
        pair.drain(.gateway)
        #expect(pair.run(until: { pair.gateway.protected.count == 300 }, within: 20_000_000, step: 50_000))
        #expect(pair.gateway.protected.map(Self.number) == (0..<300).map(UInt64.init))
    }

    /// What the endpoint has no memory for is not acknowledged, and comes again.
    @Test func withoutMemoryNothingIsLost() {
        let pair = Pair.established { $0.leaveLittleMemory(receiveBuffer: 1 << 23, sendBuffer: 1 << 22) }
        pair.gateway.isReadingPaused = true
        for i in 0..<30 as Range<UInt64> { expectOK(pair.sendProtected(.client, Self.payload(i, 100_000))) }
        pair.run(3_000_000)
        #expect(pair.info(.gateway).receive_buffered <= 1 << 22)
        #expect(pair.gateway.dropped(JMP_DROP_NO_MEMORY) > 0)
        pair.gateway.isReadingPaused = false
        pair.drain(.gateway)
        #expect(pair.run(until: { pair.gateway.protected.count == 30 }, within: 60_000_000, step: 50_000))
        #expect(pair.gateway.protected.allSatisfy { $0.bytes == Self.payload(Self.number($0), 100_000) })
    }

    // MARK: time to live

    @Test(arguments: [0, 1] as [UInt32])
    func whatIsTooOldIsGivenUpAndReported(channel: UInt32) {
        let pair = Pair.established { $0.links = 1 }
        pair.links[0].cut()
        let at = pair.now
        expectOK(pair.sendProtected(.client, Self.payload(0), channel: channel, timeToLive: 100_000, tag: 5))
        expectOK(pair.sendProtected(.client, Self.payload(1), channel: channel))
        pair.run(300_000)
        let expired = pair.client.events(JMP_EVENT_PAYLOAD_EXPIRED)
        #expect(expired.count == 1 && expired.first?.payload_tag == 5 && expired.first.map { $0.time - at } == 100_000)
        pair.links[0].mend()
        pair.run(8_000_000)
        #expect(pair.gateway.protected.map(Self.number) == [1], "its successor does not wait for it")
        #expect(pair.info(.client).protected_count == 0)
    }

    @Test(arguments: [1, 1 << 61, 1 << 62, 1 << 63, .max - 2_000_000, .max] as [UInt64])
    func aTimeToLiveMayBeAnyNumber(timeToLive: UInt64) {
        let pair = Pair.established()
        expectOK(pair.sendProtected(.client, Self.payload(0), timeToLive: timeToLive))
        pair.run(200_000)
        #expect(pair.gateway.protected.count == 1 || timeToLive == 1)
        #expect(pair.info(.client).protected_count == 0)
    }

    // MARK: arguments, states

    @Test func wrongCallsChangeNothing() {
        let pair = Pair.established()
        let node = pair.client
        var options = jmp_payload_options()
        #expect(jmp_send_protected(node.handle, node.session, [1], 1, &options, pair.now) == JMP_ERR_STRUCT_SIZE)
        expectOK(jmp_payload_options_init(&options))
        options.channel = UInt32(JMP_CHANNELS)
        #expect(jmp_send_protected(node.handle, node.session, [1], 1, &options, pair.now) == JMP_ERR_ARGUMENT)
        options.channel = 0
        options.report = 2
        #expect(jmp_send_protected(node.handle, node.session, [1], 1, &options, pair.now) == JMP_ERR_ARGUMENT)
        options.report = 0
        options.reserved0 = 1
        #expect(jmp_send_protected(node.handle, node.session, [1], 1, &options, pair.now) == JMP_ERR_STRUCT_SIZE)
        #expect(jmp_send_protected(node.handle, node.session, nil, 1, nil, pair.now) == JMP_ERR_NULL)
        #expect(jmp_send_protected(node.handle, 99, [1], 1, nil, pair.now) == JMP_ERR_SESSION)
        #expect(jmp_send_protected(nil, node.session, [1], 1, nil, pair.now) == JMP_ERR_NULL)
        let large = [UInt8](repeating: 0, count: Int(JMP_PROTECTED_PAYLOAD_MAX) + 1)
        #expect(jmp_send_protected(node.handle, node.session, large, large.count, nil, pair.now) == JMP_ERR_TOO_LONG)
        #expect(jmp_send_protected(node.handle, node.session, large, -1, nil, pair.now) == JMP_ERR_TOO_LONG)
        var out = jmp_payload()
        #expect(jmp_poll_payload(node.handle, pair.now, nil, 0, &out) == JMP_ERR_STRUCT_SIZE)
        out.struct_size = UInt32(MemoryLayout<jmp_payload>.size)
        #expect(jmp_poll_payload(node.handle, pair.now, nil, 0, &out) == JMP_AGAIN)
        #expect(pair.info(.client).protected_count == 0)
    }

    @Test func aSmallBufferTakesNothingAway() {
        let pair = Pair.established()
        pair.gateway.isReadingPaused = true
        expectOK(pair.sendProtected(.client, Self.payload(0, 5000)))
        pair.run(200_000)
        var out = jmp_payload(), buffer = [UInt8](repeating: 0, count: 5000)
        out.struct_size = UInt32(MemoryLayout<jmp_payload>.size)
        #expect(jmp_poll_payload(pair.gateway.handle, pair.now, &buffer, 4999, &out) == JMP_ERR_BUFFER_TOO_SMALL && out.length == 5000)
        #expect(jmp_poll_payload(pair.gateway.handle, pair.now, &buffer, 5000, &out) == JMP_OK && buffer == Self.payload(0, 5000))
        #expect(jmp_poll_payload(pair.gateway.handle, pair.now, &buffer, 5000, &out) == JMP_AGAIN)
    }

    @Test func whatIsCompleteOutlivesTheSession() {
        let pair = Pair.established()
        pair.gateway.isReadingPaused = true
        expectOK(pair.sendProtected(.client, Self.payload(0, 5000)))
        pair.run(200_000)
        expectOK(jmp_session_close(pair.client.handle, pair.client.session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
        pair.drain(.client)
        pair.run(100_000)
        #expect(pair.info(.gateway).state == JMP_STATE_TERMINATED)
        pair.gateway.isReadingPaused = false
        pair.drain(.gateway)
        #expect(pair.gateway.protected.map(\.bytes) == [Self.payload(0, 5000)])
        #expect(pair.sendProtected(.client, [1]) == JMP_ERR_TERMINATED)
    }

    /// A receiver that binds strictly does not take a datagram with protected payloads from a path it has not bound: what else
    /// stands in it would go under with it.
    @Test func underStrictBindingProtectedFramesTravelApart() throws {
        let pair = Pair.established { $0.tuneGatewayPolicy = { $0.strict_binding = 1 } }
        pair.run(100_000)
        var seen: [[UInt8]] = []
        pair.tap = { [unowned pair] side, _, bytes in
            if side == .client { seen.append(pair.gateway.frames(of: bytes)) }
            return false
        }
        _ = pair.client.withCore { session in
            if let slot = session.activeSlot { session.paths[slot].pings = 1 }
        }
        pair.sendProtected(.client, Self.payload(0))
        #expect(Array(seen.prefix(2)) == [[FrameType.ping], [FrameType.protected]])
        pair.run(100_000)
        #expect(pair.gateway.protected.map(Self.number) == [0])
    }

    /// A part that breaks the rules makes the rest of its datagram malformed; frames before it have taken effect.
    @Test func nothingBehindAPartThatBreaksTheRulesCounts() {
        let pair = Pair.established()
        let frames = TriggerFrame.protected(0) + TriggerFrame.protected(4099) + TriggerFrame.protected(1)
        let received = pair.inject(pair.client.forge(frames), to: .gateway)
        #expect(received.kind == JMP_RECEIVED_PROTECTED && pair.gateway.protected.count == 1)
        #expect(pair.gateway.dropped(JMP_DROP_MALFORMED) == 1)
        pair.run(100_000)
        #expect(pair.gateway.protected.count == 1)
    }

    @Test func strictBindingLosesNothingEither() {
        let pair = Pair.established { $0.tuneGatewayPolicy = { $0.strict_binding = 1 } }
        let sentAt = stream(pair, 300, at: [100: { pair.links[0].cut() }])
        pair.run(1_000_000)
        _ = expectEachOnce(pair, sentAt)
    }
}

extension Pair {
    /// `established` with a change to the defaults.
    static func established(_ tune: (inout PairOptions) -> Void) -> Pair {
        var options = PairOptions()
        tune(&options)
        return established(options)
    }
}
