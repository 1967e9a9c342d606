/// Bounded text for a caller's buffer: cut to its capacity, always ended by a zero. A nil buffer takes nothing.
package struct Message {
    private let buffer: UnsafeMutablePointer<CChar>?
    private let capacity: Int
    private var count = 0

    package init(_ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int) {
        self.buffer = capacity > 0 ? buffer : nil
        self.capacity = capacity
        self.buffer?.pointee = 0
    }

    mutating func append(_ text: StaticString) {
        for i in 0..<text.utf8CodeUnitCount { append(byte: text.utf8Start[i]) }
    }

    mutating func append(bytes: UnsafeRawBufferPointer) {
        for byte in bytes { append(byte: byte) }
    }

    mutating func append(byte: UInt8) {
        guard let buffer, count &+ 1 < capacity else { return }
        buffer[count] = CChar(bitPattern: byte)
        count &+= 1
        buffer[count] = 0
    }

    mutating func append(number: UInt64) {
        if number >= 10 { append(number: number / 10) }
        append(byte: UInt8(truncatingIfNeeded: 48 &+ number % 10))
    }

    /// Ppm as a percentage with one decimal.
    mutating func append(ppm: UInt32) {
        append(number: UInt64(ppm / 10_000))
        append(".")
        append(number: UInt64(ppm / 1000 % 10))
        append(" %")
    }
}
