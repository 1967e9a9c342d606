/// Up to 15 bytes of printable ASCII with a final zero: a transport's name. Compared and copied as two words.
package struct Name: Equatable {
    package var words: (UInt64, UInt64) = (0, 0)
    package static let capacity = 16

    package init() {}

    package static func == (a: Name, b: Name) -> Bool {
        a.words.0 == b.words.0 && a.words.1 == b.words.1
    }
}

/// Up to 31 bytes of printable ASCII with a final zero: label, node id, policy version.
package struct Label: Equatable {
    package var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    package static let capacity = 32

    package init() {}

    package static func == (a: Label, b: Label) -> Bool {
        a.words.0 == b.words.0 && a.words.1 == b.words.1 && a.words.2 == b.words.2 && a.words.3 == b.words.3
    }
}

/// What Name and Label share: fixed zero-padded bytes that began as somebody else's text.
package protocol ShortText {
    static var capacity: Int { get }
    init()
}

extension Name: ShortText {}
extension Label: ShortText {}

extension ShortText {
    /// Takes text of `bytes.count` bytes; nil when it does not fit with its final zero or is not printable ASCII.
    package init?(text bytes: UnsafeRawBufferPointer) {
        guard bytes.count < Self.capacity else { return nil }
        for byte in bytes where byte < 0x20 || byte > 0x7E { return nil }
        self.init()
        withUnsafeMutableBytes(of: &self) { $0.copyMemory(from: bytes) }
    }

    /// Takes a C char array of the type's capacity; nil without a final zero or with a byte that is not printable ASCII.
    package init?(array start: UnsafeRawPointer) {
        let bytes = UnsafeRawBufferPointer(start: start, count: Self.capacity)
        var count = 0
        while count < Self.capacity, bytes[count] != 0 { count &+= 1 }
        guard count < Self.capacity else { return nil }
        self.init(text: UnsafeRawBufferPointer(rebasing: bytes[0..<count]))
    }

    /// Length of the text without its final zero.
    package var count: Int {
        withUnsafeBytes(of: self) { bytes in
            var count = 0
            while count < Self.capacity, bytes[count] != 0 { count &+= 1 }
            return count
        }
    }

    /// Copies all bytes, padding included, to a C char array of the type's capacity.
    package func copy(to target: UnsafeMutableRawPointer) {
        withUnsafeBytes(of: self) { bytes in
            guard let base = bytes.baseAddress else { return }
            target.copyMemory(from: base, byteCount: Self.capacity)
        }
    }
}

extension ByteWriter {
    /// Length byte, then the text.
    package mutating func text<Text: ShortText>(_ text: Text) {
        let count = text.count
        u8(UInt8(truncatingIfNeeded: count))
        withUnsafeBytes(of: text) { copy(UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
    }
}

extension ByteReader {
    /// Length byte, then the text; an unprintable or overlong one reads as nil.
    package mutating func text<Text: ShortText>(_: Text.Type) -> Text? {
        let count = Int(u8())
        guard let bytes = take(count) else { return nil }
        return Text(text: bytes)
    }
}
