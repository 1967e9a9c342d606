import Testing
@testable import JumpingWire

struct DataPacketTests {
    // MARK: first byte

    @Test(arguments: UInt8.min...UInt8.max)
    func dataIsWhateverBeginsWithBits01(firstByte: UInt8) {
        #expect(DataPacket.isData(firstByte) == (0x40...0x7F).contains(firstByte))
    }

    @Test func thePhaseTravelsModuloFour() {
        for phase: UInt32 in [0, 1, 2, 3, 4, 5, 6, 7, 1000, .max] {
            for isPayload in [false, true] {
                let first = DataPacket.firstByte(phase: phase, isPayload: isPayload)
                #expect(DataPacket.isData(first))
                #expect(DataPacket.phaseBits(first) == phase % 4)
                #expect(first & DataPacket.reservedMask == 0)
                #expect((first & DataPacket.payloadBit != 0) == isPayload)
            }
        }
        #expect(DataPacket.firstByte(phase: 2, isPayload: false) == 0x60)
        #expect(DataPacket.firstByte(phase: 2, isPayload: true) == 0x68)
    }

    /// Fixed bits, phase, A and the reserved bits are all of the first byte, and none of it twice.
    @Test func everyBitOfTheFirstByteHasOneMeaning() {
        let phaseMask: UInt8 = 0x30, parts = [DataPacket.fixedBitsMask, phaseMask, DataPacket.payloadBit, DataPacket.reservedMask]
        #expect(parts.reduce(0, |) == 0xFF)
        #expect(parts.map(\.nonzeroBitCount).reduce(0, +) == 8)
    }

    @Test func theShortestDatagramIsAHeaderAndATag() {
        #expect(DataPacket.minimumLength == DataPacket.headerLength + 16)
    }

    @Test func theConnectionIDIsTheEightBytesAfterTheFirst() {
        let datagram: [UInt8] = [0x40, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
        #expect(datagram.withUnsafeBytes { DataPacket.connectionID($0.baseAddress!) } == 0x0102_0304_0506_0708)
    }

    // MARK: additional data

    @Test func additionalDataIsFirstByteThreeZerosConnectionIDPacketNumber() {
        let data = AdditionalData(firstByte: 0x71, connectionID: 0x0102_0304_0506_0708, packetNumber: 0xA1A2_A3A4)
        #expect(withUnsafeBytes(of: data.words) { Array($0) } ==
                [0x71, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0xA1, 0xA2, 0xA3, 0xA4])
        #expect(MemoryLayout.size(ofValue: data.words) == DataPacket.additionalDataLength)
    }

    // MARK: packet numbers (RFC 9000 §A.3, always 32 bits)

    /// The number nearest to the expected one among all with these low 32 bits; of two equally near ones the larger.
    private func nearest(_ truncated: UInt32, largest: UInt64) -> UInt64 {
        let expected = largest + 1
        let around = expected >> 32
        var best: UInt64?
        for high in (around == 0 ? 0 : around - 1)...(around + 1) {
            let candidate = high << 32 | UInt64(truncated)
            guard candidate < 1 << 62 else { continue }
            let distance = candidate > expected ? candidate - expected : expected - candidate
            let bestDistance = best.map { $0 > expected ? $0 - expected : expected - $0 } ?? .max
            if distance < bestDistance || (distance == bestDistance && candidate > expected) { best = candidate }
        }
        return best ?? 0
    }

    /// The example of RFC 9000 §A.3 (largest a82f30ea, 16 bits 9b32 received, a82f9b32 recovered), moved up to 32 bits.
    @Test func theRFCsExampleIsRecovered() {
        #expect(DataPacket.recoverPacketNumber(0xa82f_9b32, largest: 0xa82f_30ea) == 0xa82f_9b32)
        #expect(DataPacket.recoverPacketNumber(0x30ea_9b32, largest: 0x00a8_2f30_ea00_0000) == 0x00a8_2f31_30ea_9b32)
        #expect(DataPacket.recoverPacketNumber(0x0000_0002, largest: 0x0000_0007_FFFF_FFFE) == 0x0000_0008_0000_0002)
        #expect(DataPacket.recoverPacketNumber(0xFFFF_FFFE, largest: 0x0000_0008_0000_0001) == 0x0000_0007_FFFF_FFFE)
    }

    private static let half: UInt64 = 1 << 31
    private static let interesting: [UInt64] = [
        0, 1, 2, half - 2, half - 1, half, half + 1, 2 * half - 3, 2 * half - 2, 2 * half - 1, 2 * half, 2 * half + 1, 3 * half - 1,
        3 * half, 3 * half + 1, 4 * half - 1, 4 * half, 0xAC5C_02, 0xA82F_30EA, 0x1234_5678_9ABC_DEF0, (1 << 62) - 3 * half,
    ]

    /// Everything nearer than 2³¹ to the expected number comes back as it was.
    @Test(arguments: interesting)
    func everyNumberInTheNeighbourhoodIsRecovered(largest: UInt64) {
        let expected = largest + 1
        var distances = Array(-400...400).map(Int64.init)
        distances += (-3...0).map { Int64(Self.half) + $0 } + (1...3).map { -Int64(Self.half) + $0 }
        for distance in distances {
            let (number, overflow) = Int64(expected).addingReportingOverflow(distance)
            guard !overflow, number >= 0, number < Int64(1) << 62 else { continue }
            let recovered = DataPacket.recoverPacketNumber(UInt32(truncatingIfNeeded: number), largest: largest)
            #expect(recovered == UInt64(number), "largest \(largest), distance \(distance)")
        }
    }

    @Test(arguments: interesting + [(1 << 62) - 2, (1 << 62) - 1 - half])
    func recoveryAgreesWithANaiveModel(largest: UInt64) {
        var random = SeededGenerator(seed: largest)
        let edges = (-3...3).flatMap { offset in
            [UInt32(0), 1 << 31, UInt32(truncatingIfNeeded: largest), UInt32(truncatingIfNeeded: largest + Self.half)]
                .map { $0 &+ UInt32(truncatingIfNeeded: offset) }
        }
        for truncated in edges + (0..<500).map({ _ in UInt32.random(in: .min ... .max, using: &random) }) {
            #expect(DataPacket.recoverPacketNumber(truncated, largest: largest) == nearest(truncated, largest: largest),
                    "largest \(largest), truncated \(truncated)")
        }
    }

    /// Nothing a stranger writes into a header may trap, whatever the state of the session.
    @Test func recoveryNeverTraps() {
        for largest: UInt64 in [.max, .max - 1, 1 << 62, 1 << 63] {
            for truncated: UInt32 in [.min, 1, 1 << 31, .max] { _ = DataPacket.recoverPacketNumber(truncated, largest: largest) }
        }
    }
}
