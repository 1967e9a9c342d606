import CJumping
import JumpingC
import JumpingCrypto
import JumpingSession
import JumpingWire
import Testing
@testable import Jumping

/// `Tests/vectors/conformance.json`, which others test against, is what the library does: the same host calls give the same
/// bytes, and the core reads in them what the file says. The explanations there come from an implementation that shares no code.
struct ConformanceTests {
    private static let names = ["life", "wandering", "blackhole", "protected"]

    @Test func theFileHasItsConversations() throws {
        #expect(try VectorValue.conversations().map { try $0["name"].text() } == Self.names)
    }

    /// AES-256-GCM is not on every machine.
    private func canRun(_ conversation: VectorValue) throws -> Bool {
        let suite = UInt32(try conversation["suite"].number())
        return Library.initialize() && Library.availableSuites & suite != 0
    }

    @Test(arguments: ConformanceTests.names)
    func theSameCallsGiveTheSameDatagrams(name: String) throws {
        let conversation = try VectorValue.conversation(name)
        guard try canRun(conversation) else { return }
        let replay = try ConformanceReplay(conversation)
        for call in try conversation["calls"].list() { try replay.perform(call) }
        #expect(try replay.sentCount == conversation["datagrams"].list().count)
    }

    /// Opens every DATA datagram with the secrets in the file and takes the frames apart with the core's own reader.
    @Test(arguments: ConformanceTests.names)
    func theCoreReadsWhatTheFileExplains(name: String) throws {
        let conversation = try VectorValue.conversation(name)
        guard try canRun(conversation) else { return }
        let ends = ["client", "gateway"], keys = try conversation["keys"]
        let secrets = try ends.map { try keys["from_" + $0]["secrets"].list()[0].octets() }
        let suite = try #require(Suite(rawValue: UInt8(try conversation["suite"].number())))
        // By sender: the schedule of the end that receives.
        var atGateway = KeySchedule(suite: suite, send: secrets[1], receive: secrets[0], now: 0)
        var atClient = KeySchedule(suite: suite, send: secrets[0], receive: secrets[1], now: 0)
        var opened = 0
        for datagram in try conversation["datagrams"].list() {
            let explanation = try datagram["explanation"]
            guard try explanation["kind"].text() == "DATA" else { continue }
            let octets = try datagram["octets"].octets(), fromClient = try datagram["from"].text() == "client"
            let frames = fromClient ? try open(octets, explanation, &atGateway, nodeTag: 0xBEEF)
                : try open(octets, explanation, &atClient, nodeTag: nil)
            if try explanation["is_payload"].flag() { try comparePayload(frames, explanation) } else { try compare(frames, explanation) }
            opened += 1
        }
        #expect(opened > 25)
    }

    /// What was sealed; number, phase, index and header must be those of the explanation.
    private func open(_ octets: [UInt8], _ explanation: VectorValue, _ keys: inout KeySchedule, nodeTag: UInt16?) throws -> [UInt8] {
        var datagram = octets
        let tagLength = keys.suite.tagLength, header = DataPacket.headerLength
        let mask = keys.receiveHeader.mask(sample: Array(octets.suffix(tagLength).prefix(DataPacket.sampleLength)))
        let maskBytes = (0..<8).map { UInt8(truncatingIfNeeded: mask >> (8 * UInt64($0))) }
        #expect(try maskBytes == explanation["mask"].octets())
        datagram[0] ^= maskBytes[0] & 0x3F
        for i in 0..<4 { datagram[9 + i] ^= maskBytes[4 - i] }
        #expect(try Array(datagram.prefix(header)) == explanation["unmasked_header"].octets())
        let connectionID = DataPacket.connectionID(datagram), index = UInt32(try explanation["index"].number())
        let expectedID = keys.ownConnectionID(index, nodeTag: nodeTag)
        #expect(connectionID == expectedID)
        let number = try explanation["packet_number"].number(), phase = UInt32(try explanation["key_phase"].number())
        #expect(DataPacket.phaseBits(datagram[0]) == phase & 3)
        #expect(try (datagram[0] & DataPacket.payloadBit != 0) == explanation["is_payload"].flag())
        let additional = try explanation["additional_data"].octets()
        let made = AdditionalData(firstByte: datagram[0], connectionID: connectionID, packetNumber: UInt32(truncatingIfNeeded: number))
        #expect(bytes(made.words) == additional)
        var sealed = Array(datagram[header...])
        let length = sealed.count
        let result = keys.open(phaseBits: phase & 3, packetNumber: number, additionalData: additional, &sealed, length: length)
        let isOpen = result != .failed
        try #require(isOpen)
        if result == .nextPhase { keys.advance(now: 0, byPeer: true) }
        let frames = Array(sealed.prefix(length - tagLength))
        #expect(try frames == explanation["frames_octets"].octets())
        return frames
    }

    /// A payload that is alone has no frame type in front.
    private func comparePayload(_ payload: [UInt8], _ explanation: VectorValue) throws {
        let explained = try explanation["frames"].list()
        try #require(explained.count == 1)
        #expect(try explained[0]["frame"].text() == "PAYLOAD")
        #expect(try explained[0]["fields"].list().map { try $0.list()[3].octets() } == [payload])
    }

    /// Frame by frame, field by field: the core's reader against the explanation.
    private func compare(_ frames: [UInt8], _ explanation: VectorValue) throws {
        let explained = try explanation["frames"].list()
        try frames.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes), count = 0
            while let frame = Frame.read(&reader) {
                try #require(count < explained.count)
                let (name, fields) = taken(frame, bytes)
                #expect(try name == explained[count]["frame"].text())
                let expected = try explained[count]["fields"].list().dropFirst().map { try $0.list()[3].octets() }
                #expect(fields == expected, "\(name)")
                count += 1
            }
            #expect(!reader.failed && reader.remaining == 0 && count == explained.count)
        }
    }

    private func big<T: FixedWidthInteger>(_ value: T) -> [UInt8] { bytes(value.bigEndian) }

    /// A frame's name in the wire document and its fields after the type, each as it is on the wire.
    private func taken(_ frame: Frame, _ source: UnsafeRawBufferPointer) -> (String, [[UInt8]]) {
        switch frame {
        case .padding: ("PADDING", [])
        case .ping: ("PING", [])
        case .acknowledgement(let ack): ("ACK", [big(ack.largest), big(ack.delayUnits), big(ack.bitmap)])
        case .pathChallenge(let data): ("PATH_CHALLENGE", [big(data)])
        case .pathResponse(let data): ("PATH_RESPONSE", [big(data)])
        case .reattach(let request): ("REATTACH", [big(request.attemptID), big(request.bindingVersion), [request.cause],
                                                   [request.transportClass]] + counted(request.transportName))
        case .reattachAck(let answer): ("REATTACH_ACK", [big(answer.attemptID), big(answer.bindingVersion), [answer.detail]])
        case .reattachReject(let answer): ("REATTACH_REJECT", [big(answer.attemptID), big(answer.bindingVersion), [answer.detail]])
        case .nudge(let version): ("NUDGE", [big(version)])
        case .volatility(let report): ("VOLATILITY", [big(report.bindingVersion), [report.cause], [report.isAlive ? 1 : 0],
                                                      big(report.lossPPM)])
        case .policy(let sequence, let policy): ("POLICY", [big(sequence), big(UInt16(policy.count)), Array(policy)])
        case .policyAck(let sequence): ("POLICY_ACK", [big(sequence)])
        case .close(let reason): ("CLOSE", [[reason]])
        case .payload(let offset, let length): ("PAYLOAD", [Array(source[offset..<(offset + length)])])
        case .protected(let part): ("PROTECTED", [[part.channel], big(part.sequence), big(UInt16(part.bytes.count)), Array(part.bytes)])
        case .fragment(let part): ("FRAGMENT", [[part.channel], big(part.sequence), big(UInt32(part.payloadLength)), big(UInt16(part.firstBlock)),
                                                big(UInt16(part.bytes.count)), Array(part.bytes)])
        case .acknowledgementRanges(let ack): ("ACK_RANGES", taken(ack))
        case .maxData(let limit): ("MAX_DATA", [big(limit)])
        case .abandoned(let payload): ("ABANDONED", [[payload.channel], big(payload.sequence), big(payload.credit)])
        }
    }

    private func taken(_ ack: AcknowledgementRanges) -> [[UInt8]] {
        let ranges = ack.ranges(largest: UInt64(ack.largest)) ?? PacketNumberRanges()
        let further = (1..<max(1, ranges.count)).flatMap { i in
            [big(UInt16(ranges[i - 1].low - ranges[i].high - 1)), big(UInt16(ranges[i].high - ranges[i].low + 1))]
        }
        return [big(ack.largest), big(ack.delayUnits), [UInt8(ack.count - 1)], big(ack.firstRange)] + further
    }

    private func counted(_ name: Name) -> [[UInt8]] {
        var writer = [UInt8](repeating: 0, count: 16), length = 0
        writer.withUnsafeMutableBytes {
            var output = ByteWriter($0)
            output.text(name)
            length = output.count
        }
        return [[writer[0]], Array(writer[1..<length])]
    }
}
