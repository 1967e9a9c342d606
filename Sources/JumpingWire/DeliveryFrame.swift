/// PROTECTED: type, channel 1, sequence 4, length 2, payload.
/// FRAGMENT: type, channel 1, sequence 4, whole length 4, first block 2, length 2, part of the payload.
/// A payload is cut between blocks of 16 bytes; every part but the last is whole blocks.
package struct ProtectedFrame {
    package static let headerLength = 8
    package static let fragmentHeaderLength = 14
    package static let blockLength = 16
    /// 0 … 15: 0 is unordered, each other one is ordered in itself.
    package static let channels = 16
    /// Blocks are counted in 16 bits.
    package static let longestPayload = 65_536 * blockLength

    package let channel: UInt8
    /// Low 32 bits.
    package let sequence: UInt32
    /// Of the whole payload.
    package let payloadLength: Int
    package let firstBlock: Int
    package let bytes: UnsafeRawBufferPointer

    package var isWhole: Bool { bytes.count == payloadLength }

    /// How many blocks the bytes touch.
    package var blockCount: Int { (bytes.count &+ Self.blockLength &- 1) / Self.blockLength }
}

/// ABANDONED: type, channel 1, sequence 4, length 4. The payload will never come (again); length is what it took of the sender's
/// credit: its own and 64, or 0 when no part of it was ever sent.
package struct AbandonedPayload {
    package static let length = 10
    package let channel: UInt8
    package let sequence: UInt32
    package let credit: UInt32

    package init(channel: UInt8, sequence: UInt32, credit: UInt32) {
        self.channel = channel
        self.sequence = sequence
        self.credit = credit
    }
}

/// ACK_RANGES: type, largest 4, delay 2 (units of 16 µs), number of further ranges 1, length of the first range 2, then for each
/// further one: missing 2, arrived 2. Lengths count packet numbers downwards from the largest, and none is 0.
package struct AcknowledgementRanges {
    package static let shortest = 10
    package static let rangeLength = 4
    package static let rangesAtMost = 32

    package let largest: UInt32
    package let delayUnits: UInt16
    package let firstRange: UInt16
    private let others: UnsafeRawBufferPointer

    package var count: Int { others.count / Self.rangeLength &+ 1 }

    fileprivate init(largest: UInt32, delayUnits: UInt16, firstRange: UInt16, others: UnsafeRawBufferPointer) {
        self.largest = largest
        self.delayUnits = delayUnits
        self.firstRange = firstRange
        self.others = others
    }

    /// Writes the ranges of packet numbers, highest first, once `largest` is known in full; nil when they pass below 0 or one is empty.
    package func ranges(largest: UInt64) -> PacketNumberRanges? {
        var ranges = PacketNumberRanges()
        var top = largest
        var length = UInt64(firstRange)
        var reader = ByteReader(others)
        while true {
            guard length > 0, length &- 1 <= top else { return nil }
            ranges.append(top &- (length &- 1), top)
            guard reader.remaining > 0 else { return ranges }
            let missing = UInt64(reader.u16())
            guard missing > 0, top >= length &+ missing else { return nil }
            top = top &- length &- missing
            length = UInt64(reader.u16())
        }
    }
}

/// Packet numbers that have arrived, as closed ranges, highest first, at most 33.
package struct PacketNumberRanges {
    package static let capacity = AcknowledgementRanges.rangesAtMost + 1
    package private(set) var count = 0
    private var bounds: InlineArray<33, (low: UInt64, high: UInt64)> = InlineArray(repeating: (low: 0, high: 0))

    package init() {}

    package subscript(_ i: Int) -> (low: UInt64, high: UInt64) { bounds[i] }

    /// Adds a range below all others; nothing when full.
    package mutating func append(_ low: UInt64, _ high: UInt64) {
        guard count < Self.capacity else { return }
        bounds[count] = (low: low, high: high)
        count &+= 1
    }

    /// How many ranges besides the first an ACK_RANGES frame in so much room can tell; nil when not even that one.
    package func further(room: Int) -> Int? {
        guard count > 0, room >= AcknowledgementRanges.shortest else { return nil }
        let fitting = min(count &- 1, (room &- AcknowledgementRanges.shortest) / AcknowledgementRanges.rangeLength, AcknowledgementRanges.rangesAtMost)
        var further = 0
        // Numbers below a range that is too long for its field could not be told from the missing ones.
        while further < fitting, bounds[further].high &- bounds[further].low < UInt64(UInt16.max),
              bounds[further].low &- bounds[further &+ 1].high &- 1 <= UInt64(UInt16.max) { further &+= 1 }
        return further
    }

    /// What an ACK's bitmap says of the 32 numbers below `largest`: bit i is number largest - 1 - i.
    package var bitmap: UInt32 {
        guard count > 0 else { return 0 }
        let largest = bounds[0].high
        var bits: UInt32 = 0
        for i in 0..<count {
            guard largest &- bounds[i].high <= 32 else { break }
            var number = bounds[i].high
            while number >= bounds[i].low, largest &- number <= 32 {
                if number < largest { bits |= 1 << UInt32(truncatingIfNeeded: largest &- 1 &- number) }
                guard number > 0 else { break }
                number &-= 1
            }
        }
        return bits
    }

    /// The ranges an ACK's bitmap stands for.
    package init(largest: UInt64, bitmap: UInt32) {
        var high = largest, low = largest, isOpen = true
        for i: UInt64 in 0..<32 {
            guard largest > i else { break }
            let number = largest &- 1 &- i
            if bitmap & (1 << UInt32(truncatingIfNeeded: i)) != 0 {
                if !isOpen { high = number }
                low = number
                isOpen = true
            } else if isOpen {
                append(low, high)
                isOpen = false
            }
        }
        if isOpen { append(low, high) }
    }
}

extension Frame {
    static func readDelivery(_ type: UInt8, _ reader: inout ByteReader) -> Frame? {
        switch type {
        case FrameType.maxData: return .maxData(reader.u64())
        case FrameType.abandoned:
            let channel = reader.u8(), sequence = reader.u32(), credit = reader.u32()
            guard channel < ProtectedFrame.channels else { break }
            return .abandoned(AbandonedPayload(channel: channel, sequence: sequence, credit: credit))
        case FrameType.acknowledgementRanges: return readRanges(&reader)
        default: return readProtected(type, &reader)
        }
        reader.skip(.max)
        return nil
    }

    private static func readRanges(_ reader: inout ByteReader) -> Frame? {
        let largest = reader.u32(), delay = reader.u16(), count = Int(reader.u8()), first = reader.u16()
        guard count <= AcknowledgementRanges.rangesAtMost, let others = reader.take(count &* AcknowledgementRanges.rangeLength) else {
            reader.skip(.max)
            return nil
        }
        return .acknowledgementRanges(AcknowledgementRanges(largest: largest, delayUnits: delay, firstRange: first, others: others))
    }

    private static func readProtected(_ type: UInt8, _ reader: inout ByteReader) -> Frame? {
        let isFragment = type == FrameType.fragment
        let channel = reader.u8(), sequence = reader.u32()
        let whole = isFragment ? Int(reader.u32()) : -1
        let block = isFragment ? Int(reader.u16()) : 0
        guard let bytes = reader.take(Int(reader.u16())), channel < ProtectedFrame.channels else {
            reader.skip(.max)
            return nil
        }
        let frame = ProtectedFrame(channel: channel, sequence: sequence, payloadLength: isFragment ? whole : bytes.count, firstBlock: block, bytes: bytes)
        guard isFragment else { return .protected(frame) }
        // A part of something, cut between blocks: anything else could not be put together.
        let start = block &* ProtectedFrame.blockLength, end = start &+ bytes.count
        guard whole <= ProtectedFrame.longestPayload, bytes.count > 0, end <= whole, end == whole || bytes.count % ProtectedFrame.blockLength == 0 else {
            reader.skip(.max)
            return nil
        }
        return .fragment(frame)
    }
}

extension ByteWriter {
    /// The frame's bytes follow: `claimBody` gives their place.
    package mutating func protected(channel: UInt8, sequence: UInt64, length: Int) {
        u8(FrameType.protected)
        u8(channel)
        u32(UInt32(truncatingIfNeeded: sequence))
        u16(UInt16(truncatingIfNeeded: length))
    }

    package mutating func fragment(channel: UInt8, sequence: UInt64, payloadLength: Int, firstBlock: Int, length: Int) {
        u8(FrameType.fragment)
        u8(channel)
        u32(UInt32(truncatingIfNeeded: sequence))
        u32(UInt32(truncatingIfNeeded: payloadLength))
        u16(UInt16(truncatingIfNeeded: firstBlock))
        u16(UInt16(truncatingIfNeeded: length))
    }

    package mutating func maxData(_ limit: UInt64) {
        u8(FrameType.maxData)
        u64(limit)
    }

    package mutating func abandoned(_ frame: AbandonedPayload) {
        u8(FrameType.abandoned)
        u8(frame.channel)
        u32(frame.sequence)
        u32(frame.credit)
    }

    /// The first range and `further` more of them, as `PacketNumberRanges.further` has counted them.
    package mutating func acknowledgementRanges(_ ranges: PacketNumberRanges, further: Int, delayUnits: UInt16) {
        u8(FrameType.acknowledgementRanges)
        u32(UInt32(truncatingIfNeeded: ranges[0].high))
        u16(delayUnits)
        u8(UInt8(truncatingIfNeeded: further))
        u16(length(ranges[0]))
        for i in 0..<further {
            u16(UInt16(truncatingIfNeeded: ranges[i].low &- ranges[i &+ 1].high &- 1))
            u16(length(ranges[i &+ 1]))
        }
    }

    /// A longer range is told as far as the field reaches.
    private func length(_ range: (low: UInt64, high: UInt64)) -> UInt16 {
        UInt16(clamping: range.high &- range.low &+ 1)
    }
}
