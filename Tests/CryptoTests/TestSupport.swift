import Foundation
import Testing
@testable import JumpingCrypto

/// Bytes from a hexadecimal string; spaces are ignored.
func hex(_ text: String) -> [UInt8] {
    let digits = text.filter { $0 != " " && $0 != "\n" }
    var bytes: [UInt8] = []
    var index = digits.startIndex
    while let next = digits.index(index, offsetBy: 2, limitedBy: digits.endIndex), index < digits.endIndex {
        guard let byte = UInt8(digits[index..<next], radix: 16) else {
            Issue.record("not hexadecimal: \(digits[index..<next])")
            return []
        }
        bytes.append(byte)
        index = next
    }
    return bytes
}

/// `count` bytes that count up from `first`.
func counting(_ count: Int, from first: UInt8 = 0) -> [UInt8] {
    (0..<count).map { first &+ UInt8(truncatingIfNeeded: $0) }
}

/// One case of a file in `Tests/vectors`.
struct VectorCase {
    let kind: String
    var values: [String: [UInt8]] = [:]

    /// A value that must be there.
    func bytes(_ name: String) throws -> [UInt8] {
        try #require(values[name], "\(kind) has no \(name)")
    }

    /// All cases of one kind, in file order; it is an error if there are none.
    static func all(_ kind: String, in name: String = "crypto_vectors.txt") throws -> [VectorCase] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("vectors/" + name)
        var cases: [VectorCase] = []
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") where !line.hasPrefix("#") {
            if line.hasPrefix("[") {
                cases.append(VectorCase(kind: String(line.dropFirst().dropLast())))
            } else {
                let parts = line.split(separator: " ")
                try #require(!cases.isEmpty && (1...2).contains(parts.count))
                cases[cases.count - 1].values[String(parts[0])] = parts.count == 2 ? hex(String(parts[1])) : []
            }
        }
        let found = cases.filter { $0.kind == kind }
        try #require(!found.isEmpty, "no cases of kind \(kind)")
        return found
    }
}

/// A key with the arrays a test likes to hold; seals and opens copies.
final class Sealer {
    var key: AEADKey

    init(_ suite: Suite, key: [UInt8], iv: [UInt8]) {
        precondition(key.count == 32 && iv.count == suite.nonceLength)
        self.key = AEADKey(suite: suite, key: key, iv: iv)
    }

    func seal(_ plaintext: [UInt8], aad: [UInt8] = [], number: UInt64 = 0) -> [UInt8] {
        var buffer = plaintext + [UInt8](repeating: 0, count: key.suite.tagLength)
        let sealed = key.seal(packetNumber: number, aad: aad, aadLength: aad.count, buffer: &buffer,
                              length: plaintext.count)
        #expect(sealed)
        return buffer
    }

    func open(_ sealed: [UInt8], aad: [UInt8] = [], number: UInt64 = 0) -> [UInt8]? {
        var buffer = sealed
        guard key.open(packetNumber: number, aad: aad, aadLength: aad.count, buffer: &buffer, length: sealed.count) else {
            return nil
        }
        return Array(buffer.prefix(sealed.count - key.suite.tagLength))
    }
}

/// The suites that can run on this machine.
func runnableSuites() -> [Suite] {
    _ = Sodium.initialize()
    return Suite.allCases.filter { Suite.available & UInt32($0.rawValue) != 0 }
}
