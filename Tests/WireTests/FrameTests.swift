import Testing
@testable import JumpingWire

/// A frame on the wire: its bytes as the wire document lays them out, written out by hand.
struct FrameExample: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: [UInt8]

    static let all: [FrameExample] = [
        FrameExample(testDescription: "PADDING", bytes: [0x00]),
        FrameExample(testDescription: "PING", bytes: [0x01]),
        FrameExample(testDescription: "ACK", bytes: [0x02, 0xA1, 0xA2, 0xA3, 0xA4, 0xB1, 0xB2, 0xC1, 0xC2, 0xC3, 0xC4]),
        FrameExample(testDescription: "PATH_CHALLENGE", bytes: [0x03, 1, 2, 3, 4, 5, 6, 7, 8]),
        FrameExample(testDescription: "PATH_RESPONSE", bytes: [0x04, 8, 7, 6, 5, 4, 3, 2, 1]),
        FrameExample(testDescription: "REATTACH", bytes: [0x05, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 7, 2, 5] + Array("udp:A".utf8)),
        FrameExample(testDescription: "REATTACH without a name", bytes: [0x05, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 7, 2, 0]),
        FrameExample(testDescription: "REATTACH_ACK", bytes: [0x06, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 1]),
        FrameExample(testDescription: "REATTACH_REJECT", bytes: [0x07, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 38]),
        FrameExample(testDescription: "NUDGE", bytes: [0x08, 0, 0, 1, 2]),
        FrameExample(testDescription: "VOLATILITY", bytes: [0x09, 0, 0, 0, 3, 4, 1, 0, 3, 0x0D, 0x40]),
        FrameExample(testDescription: "POLICY", bytes: [0x0A, 0, 0, 0, 7, 0, 3, 0xAA, 0xBB, 0xCC]),
        FrameExample(testDescription: "POLICY_ACK", bytes: [0x0B, 0, 0, 0, 7]),
        FrameExample(testDescription: "CLOSE", bytes: [0x0C, 26]),
        FrameExample(testDescription: "PAYLOAD", bytes: [0x10, 0xDE, 0xAD, 0xBE, 0xEF]),
        FrameExample(testDescription: "PAYLOAD of nothing", bytes: [0x10]),
        FrameExample(testDescription: "PROTECTED", bytes: [0x11, 3, 0, 0, 1, 2, 0, 4, 0xDE, 0xAD, 0xBE, 0xEF]),
        FrameExample(testDescription: "PROTECTED of nothing", bytes: [0x11, 15, 0, 0, 1, 2, 0, 0]),
        FrameExample(testDescription: "FRAGMENT", bytes: [0x12, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 64, 0, 1, 0, 16] + [UInt8](repeating: 7, count: 16)),
        FrameExample(testDescription: "FRAGMENT, the last", bytes: [0x12, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 1, 0, 4, 1, 2, 3, 4]),
        FrameExample(testDescription: "ACK_RANGES", bytes: [0x13, 0, 0, 1, 0, 0xB1, 0xB2, 2, 0, 9, 0, 1, 0, 8, 0, 20, 0, 1]),
        FrameExample(testDescription: "ACK_RANGES, one", bytes: [0x13, 0, 0, 1, 0, 0xB1, 0xB2, 0, 0, 1]),
        FrameExample(testDescription: "MAX_DATA", bytes: [0x14, 1, 2, 3, 4, 5, 6, 7, 8]),
        FrameExample(testDescription: "ABANDONED", bytes: [0x15, 4, 0, 0, 0, 9, 0, 0, 1, 0x40]),
    ]
}

/// Writes a frame back, through the writer's own functions where it has them.
private func encode(_ frame: Frame, from source: [UInt8]) -> [UInt8] {
    writing(300) { writer in
        switch frame {
        case .padding: writer.u8(FrameType.padding)
        case .ping: writer.u8(FrameType.ping)
        case .acknowledgement(let value): writer.acknowledgement(value)
        case .pathChallenge(let value): writer.frame(FrameType.pathChallenge, value)
        case .pathResponse(let value): writer.frame(FrameType.pathResponse, value)
        case .reattach(let value): writer.reattach(value)
        case .reattachAck(let value): writer.reattachAnswer(FrameType.reattachAck, value)
        case .reattachReject(let value): writer.reattachAnswer(FrameType.reattachReject, value)
        case .nudge(let version): writer.frame(FrameType.nudge, version)
        case .volatility(let value): writer.volatility(value)
        case .policy(let sequence, let bytes):
            writer.u8(FrameType.policy)
            writer.u32(sequence)
            writer.u16(UInt16(bytes.count))
            writer.copy(bytes)
        case .policyAck(let sequence): writer.frame(FrameType.policyAck, sequence)
        case .close(let reason):
            writer.u8(FrameType.close)
            writer.u8(reason)
        case .payload(let offset, let length):
            writer.u8(FrameType.payload)
            source.withUnsafeBytes { writer.copy(UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + length)])) }
        case .protected(let part):
            writer.protected(channel: part.channel, sequence: UInt64(part.sequence), length: part.bytes.count)
            writer.copy(part.bytes)
        case .fragment(let part):
            writer.fragment(channel: part.channel, sequence: UInt64(part.sequence), payloadLength: part.payloadLength, firstBlock: part.firstBlock,
                            length: part.bytes.count)
            writer.copy(part.bytes)
        case .acknowledgementRanges(let value):
            if let ranges = value.ranges(largest: UInt64(value.largest)), let further = ranges.further(room: 300) {
                writer.acknowledgementRanges(ranges, further: further, delayUnits: value.delayUnits)
            }
        case .maxData(let limit): writer.maxData(limit)
        case .abandoned(let value): writer.abandoned(value)
        }
    }.bytes
}

struct FrameTests {
    @Test(arguments: FrameExample.all)
    func everyFrameRoundTrips(example: FrameExample) {
        reading(example.bytes) { reader in
            guard let frame = Frame.read(&reader) else {
                Issue.record("not read")
                return
            }
            #expect(encode(frame, from: example.bytes) == example.bytes)
            #expect(reader.remaining == 0)
            #expect(!reader.failed)
            #expect(Frame.read(&reader) == nil)
            #expect(!reader.failed)
        }
    }

    /// A payload and its absence are both whole; everything else is refused when a byte is missing.
    @Test(arguments: FrameExample.all.filter { $0.bytes.count > 1 && $0.bytes[0] != FrameType.payload })
    func everyTruncationIsRefused(example: FrameExample) {
        for length in 1..<example.bytes.count {
            reading(Array(example.bytes[0..<length])) { reader in
                #expect(Frame.read(&reader) == nil, "cut to \(length)")
                #expect(reader.failed || reader.remaining > 0, "cut to \(length) must not look like the end")
            }
        }
    }

    @Test func fieldsAreWhereTheWireDocumentPutsThem() throws {
        let frames = FrameExample.all.map { example in
            example.bytes.withUnsafeBytes { bytes -> Frame? in
                var reader = ByteReader(bytes)
                return Frame.read(&reader)
            }
        }
        guard case .acknowledgement(let ack) = frames[2], case .reattach(let request) = frames[5],
              case .reattachAck(let answer) = frames[7], case .volatility(let report) = frames[10] else {
            Issue.record("frames of other kinds")
            return
        }
        #expect((ack.largest, ack.delayUnits, ack.bitmap) == (0xA1A2_A3A4, 0xB1B2, 0xC1C2_C3C4))
        #expect((request.attemptID, request.bindingVersion, request.cause, request.transportClass) == (0x0102_0304_0506_0708, 9, 7, 2))
        #expect(textOf(request.transportName) == "udp:A")
        #expect((answer.attemptID, answer.bindingVersion, answer.detail) == (0x0102_0304_0506_0708, 9, 1))
        #expect((report.bindingVersion, report.cause, report.isAlive, report.lossPPM) == (3, 4, true, 200_000))
    }

    @Test func framesFollowOneAnotherUntilAPayloadTakesTheRest() {
        let bytes: [UInt8] = [0x01, 0x03, 1, 2, 3, 4, 5, 6, 7, 8, 0x00, 0x10, 0x01, 0x01]
        reading(bytes) { reader in
            guard case .ping = Frame.read(&reader), case .pathChallenge(0x0102_0304_0506_0708) = Frame.read(&reader),
                  case .padding = Frame.read(&reader), case .payload(let offset, let length) = Frame.read(&reader) else {
                Issue.record("other frames")
                return
            }
            #expect((offset, length) == (12, 2))
            #expect(Frame.read(&reader) == nil)
            #expect(!reader.failed && reader.remaining == 0)
        }
    }

    @Test(arguments: UInt8.min...UInt8.max)
    func anUnknownTypeMakesTheDatagramMalformed(type: UInt8) {
        let known: Set<UInt8> = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16, 17, 18, 19, 20, 21]
        guard !known.contains(type) else { return }
        reading([type] + [UInt8](repeating: 0, count: 64)) { reader in
            #expect(Frame.read(&reader) == nil)
            #expect(reader.failed)
        }
    }

    @Test func aReattachWithAnUnprintableNameIsMalformed() {
        reading([0x05, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 7, 2, 2, 0x61, 0x07, 0x01]) { reader in
            #expect(Frame.read(&reader) == nil)
            #expect(reader.failed)
        }
    }

    @Test func theConstantsForLengthsAreTheFramesLengths() {
        let lengths = Dictionary(uniqueKeysWithValues: FrameExample.all.map { ($0.testDescription, $0.bytes.count) })
        #expect(lengths["ACK"] == Acknowledgement.length)
        #expect(lengths["REATTACH_ACK"] == ReattachAnswer.length)
        #expect(lengths["VOLATILITY"] == VolatilityReport.length)
        let longest = ReattachRequest(attemptID: 1, bindingVersion: 1, cause: 1, transportClass: 1, transportName: text("0123456789abcde"))
        #expect(writing(100) { $0.reattach(longest) }.bytes.count == ReattachRequest.capacity)
    }

    /// Random bytes, and valid datagrams with a few bytes changed: never a trap, never past the end, always to an end.
    @Test(arguments: UInt64(0)..<200)
    func garbageNeverTraps(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<50 {
            var bytes = Bool.random(using: &random) ? random.bytes(Int.random(in: 0...80, using: &random))
                : (0..<3).flatMap { _ in FrameExample.all.randomElement(using: &random)?.bytes ?? [] }
            for _ in 0..<2 where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...20, using: &random)
            }
            bytes.removeLast(min(bytes.count, Int.random(in: 0...3, using: &random)))
            reading(bytes) { reader in
                var count = 0
                while let frame = Frame.read(&reader) {
                    count += 1
                    if case .payload(let offset, let length) = frame { #expect(offset + length == bytes.count) }
                }
                #expect(count <= bytes.count)
                #expect(reader.offset <= bytes.count)
            }
        }
    }
}
