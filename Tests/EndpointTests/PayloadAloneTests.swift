import CJumping
import JumpingC
import JumpingCrypto
import JumpingWire
import Testing
@testable import Jumping
@testable import JumpingSession

/// Whether this machine runs a suite: libsodium can tell once it is initialized.
private func runs(_ suite: UInt32) -> Bool { Library.initialize() && Library.availableSuites & suite != 0 }

/// A datagram that has nothing to say but a payload carries it without a frame around it, and says so in its first byte (wire document,
/// "DATA").
struct PayloadAloneTests {
    /// A pair in which nobody owes an acknowledgement.
    private func pair(_ tune: (inout PairOptions) -> Void = { _ in }) -> Pair {
        var options = PairOptions()
        tune(&options)
        let pair = Pair.established(options)
        pair.run(1_000_000)
        return pair
    }

    /// What both ends sent from now on.
    private final class Sent {
        var datagrams: [Side: [[UInt8]]] = [.client: [], .gateway: []]
    }

    private func watch(_ pair: Pair) -> Sent {
        let sent = Sent()
        pair.onSend = { side, _, bytes in sent.datagrams[side, default: []].append(bytes) }
        return sent
    }

    @Test(arguments: [1, 64, 256, 1000])
    func aPayloadWithNothingBesideItNeedsNoFrame(length: Int) throws {
        let pair = pair(), payload = [UInt8](repeating: 0x10, count: length), sent = watch(pair)
        expectOK(pair.send(.client, payload))
        let datagram = try #require(sent.datagrams[.client]?.first)
        #expect(pair.gateway.isPayloadAlone(datagram))
        #expect(datagram.count == DataPacket.headerLength + length + 16)
        pair.skip(20_000)
        let received = pair.inject(datagram, to: .gateway)
        #expect(received.kind == JMP_RECEIVED_PAYLOAD)
        #expect((received.payload_offset, received.payload_length) == (13, UInt32(length)))
        #expect(pair.gateway.payloads.last?.bytes == payload)
    }

    @Test func anEmptyPayloadIsTheShortestDatagramThereIs() throws {
        let pair = pair(), sent = watch(pair)
        expectOK(pair.send(.client, []))
        let datagram = try #require(sent.datagrams[.client]?.first)
        #expect(datagram.count == DataPacket.minimumLength)
        #expect(pair.inject(Array(datagram.dropLast()), to: .gateway).drop_cause == JMP_DROP_TOO_SHORT)
        let received = pair.inject(datagram, to: .gateway)
        #expect(received.kind == JMP_RECEIVED_PAYLOAD && received.payload_length == 0 && received.drop_cause == JMP_DROP_NONE)
        #expect(pair.gateway.payloads.map(\.bytes) == [[]])
    }

    @Test(.enabled(if: runs(JMP_SUITE_AEGIS_256)))
    func theLongerTagIsCounted() {
        let pair = pair { $0.tuneClient = { $0.suites = JMP_SUITE_AEGIS_256 }; $0.tuneGateway = { $0.suites = JMP_SUITE_AEGIS_256 } }
        #expect(pair.inject(pair.client.forge([], isPayload: true), to: .gateway).kind == JMP_RECEIVED_PAYLOAD)
        let short = Array(pair.client.forge([], isPayload: true).dropLast())
        #expect(pair.inject(short, to: .gateway).drop_cause == JMP_DROP_TOO_SHORT)
    }

    /// It asks for an acknowledgement, counts, and is evidence like a PAYLOAD frame.
    @Test func itIsAcknowledged() {
        let pair = pair(), sent = watch(pair)
        expectOK(pair.send(.client))
        let before = pair.gateway.stats().payloads_received
        pair.run(200_000)
        #expect(pair.gateway.stats().payloads_received == before + 1)
        #expect(sent.datagrams[.gateway]?.contains { pair.client.frames(of: $0).contains(FrameType.acknowledgement) } == true)
        let outstanding = pair.client.withCore { session in (0..<session.sent.count).count { session.sent[$0].fate == .outstanding } }
        #expect(outstanding == 0)
    }

    @Test func anAcknowledgementThatIsDueMakesItFrames() throws {
        let pair = pair(), payload: [UInt8] = [7, 8, 9]
        expectOK(pair.send(.client))
        pair.run(20_000)   // it has arrived, and its acknowledgement has not yet left
        let sent = watch(pair)
        for _ in 0..<2 { expectOK(pair.send(.gateway, payload)) }
        let datagrams = try #require(sent.datagrams[.gateway])
        #expect(pair.client.frames(of: datagrams[0]) == [FrameType.acknowledgement, FrameType.payload])
        #expect(!pair.client.isPayloadAlone(datagrams[0]) && pair.client.isPayloadAlone(datagrams[1]))
        for datagram in datagrams { pair.inject(datagram, to: .client) }
        #expect(pair.client.payloads.suffix(2).map(\.bytes) == [payload, payload])
    }

    @Test func aReattachThatWaitsForItsAnswerMakesItFrames() throws {
        let pair = pair()
        pair.links[1].cut()
        let sent = watch(pair)
        expectOK(jmp_session_request_switch(pair.client.handle, pair.client.session, JMP_PATH_NONE, pair.now))
        expectOK(pair.send(.client))
        let datagram = try #require(sent.datagrams[.client]?.first)
        #expect(pair.gateway.frames(of: datagram) == [FrameType.reattach, FrameType.payload])
    }

    // MARK: in the host's buffer

    /// The payload may lie anywhere in the buffer the datagram is written to; where it goes, nothing is copied.
    @Test(arguments: [13, 0, 5, 12, 14, 24, 25, 300], [false, true])
    func thePayloadMayLieInTheBuffer(offset: Int, withAcknowledgement: Bool) {
        let pair = pair(), payload = (0..<100).map { UInt8($0) }
        if withAcknowledgement {
            expectOK(pair.send(.client))
            pair.run(20_000)
        }
        var buffer = [UInt8](repeating: 0xEE, count: offset) + payload + [UInt8](repeating: 0xEE, count: 300)
        var datagram = jmp_datagram()
        datagram.struct_size = UInt32(MemoryLayout<jmp_datagram>.size)
        let node = pair.gateway
        buffer.withUnsafeMutableBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return }
            expectOK(jmp_send(node.handle, node.session, base + offset, payload.count, pair.now, base, bytes.count, &datagram))
        }
        let sealed = Array(buffer[0..<Int(datagram.length)])
        #expect(pair.client.isPayloadAlone(sealed) != withAcknowledgement)
        let received = pair.inject(sealed, to: .client)
        #expect(received.payload_offset == (withAcknowledgement ? 25 : 13))
        #expect(pair.client.payloads.last?.bytes == payload)
        #expect(buffer[Int(datagram.length)...].allSatisfy { $0 == 0xEE || offset == 300 }, "nothing behind the datagram is touched")
    }

    // MARK: what a peer must not send

    @Test func noFramesAtAllAreMalformed() {
        let pair = pair(), datagram = pair.client.forge([])
        let before = pair.gateway.stats()
        #expect(pair.inject(datagram, to: .gateway).drop_cause == JMP_DROP_MALFORMED)
        #expect(pair.inject(datagram, to: .gateway).drop_cause == JMP_DROP_MALFORMED, "its number was not taken for seen")
        #expect(pair.gateway.stats().datagrams_received == before.datagrams_received && pair.gateway.payloads.isEmpty)
    }

    /// All of the first byte is authenticated, A too: frames are never read as a payload, nor a payload as frames.
    @Test(arguments: [true, false])
    func theFirstByteCannotBeChangedOnTheWay(isPayload: Bool) {
        let pair = pair()
        for bit in 0..<6 {
            var datagram = pair.client.forge([FrameType.payload, 1, 2], isPayload: isPayload)
            datagram[0] ^= 1 << UInt8(bit)
            #expect(pair.inject(datagram, to: .gateway).drop_cause == JMP_DROP_BAD_TAG, "bit \(bit)")
        }
        #expect(pair.gateway.payloads.isEmpty)
    }

    /// Bytes of a payload are never frames, not even those of a copy.
    @Test func itsBytesAreNotRead() {
        let pair = pair(), request = Frames.reattach(1, version: 0)
        let datagram = pair.client.forge(request, index: 1, isPayload: true)
        #expect(pair.inject(datagram, to: .gateway, link: 1).kind == JMP_RECEIVED_PAYLOAD)
        #expect(pair.gateway.payloads.last?.bytes == request && pair.info(.gateway).binding_version == 0)
        let before = pair.gateway.stats()
        let again = pair.inject(datagram, to: .gateway, link: 1)
        #expect(again.drop_cause == JMP_DROP_REPLAYED && again.kind == JMP_RECEIVED_NOTHING)
        let after = pair.gateway.stats()
        #expect(after.payloads_received == before.payloads_received && after.datagrams_received == before.datagrams_received)
        #expect(pair.gateway.payloads.count == 1)
        #expect(pair.gateway.events(JMP_EVENT_REATTACH_ATTEMPT).isEmpty && pair.gateway.events(JMP_EVENT_SECURITY_REPLAY_DETECTED).isEmpty)
        #expect(pair.info(.gateway).state == JMP_STATE_ATTACHED)
    }

    @Test func strictBindingTakesItFromTheActivePathOnly() {
        let pair = pair { $0.tuneGatewayPolicy = { $0.strict_binding = 1 } }
        #expect(pair.inject(pair.client.forge([1], index: 1, isPayload: true), to: .gateway, link: 1).drop_cause == JMP_DROP_STRICT_BINDING)
        #expect(pair.inject(pair.client.forge([1], index: 0, isPayload: true), to: .gateway, link: 0).kind == JMP_RECEIVED_PAYLOAD)
    }

    // MARK: ready keys

    /// Heartbeats and challenges get by without the memory of ready packet keys; the first payload makes them, at each end.
    @Test func keysAreReadyFromTheFirstPayloadOn() {
        let pair = pair()
        func isReady(_ node: Node) -> Bool? { node.withCore { $0.keys.map { $0.pointee.isReady } } ?? nil }
        pair.run(60_000_000)
        for node in [pair.client, pair.gateway] { #expect(isReady(node) == false) }
        expectOK(pair.send(.client))
        pair.run(500_000)
        for node in [pair.client, pair.gateway] { #expect(isReady(node) == true) }
        pair.run(60_000_000)
        for node in [pair.client, pair.gateway] { #expect(isReady(node) == false, "a minute of heartbeats keeps none") }
        expectOK(pair.send(.client))
        pair.run(500_000)
        #expect(pair.gateway.payloads.count == 2 && pair.info(.client).state == JMP_STATE_ATTACHED)
    }

    /// Nor does a jump, some ten datagrams in a row: a storm of idle sessions takes no memory for keys.
    @Test func anIdleSessionThatMovesKeepsNoKeys() {
        let pair = pair()
        func isReady(_ node: Node) -> Bool? { node.withCore { $0.keys.map { $0.pointee.isReady } } ?? nil }
        pair.run(60_000_000)
        pair.links[0].clientPort = 61_000
        for _ in 0..<600 where pair.info(.gateway).binding_version == 0 { pair.run(100_000) }
        #expect(pair.info(.gateway).binding_version == 1)
        for node in [pair.client, pair.gateway] { #expect(isReady(node) == false) }
        pair.links[0].cut()
        for _ in 0..<600 where pair.info(.client).active_transport == 0 { pair.run(100_000) }
        #expect(pair.info(.client).active_transport == 1)
        for node in [pair.client, pair.gateway] { #expect(isReady(node) == false) }
    }
}
