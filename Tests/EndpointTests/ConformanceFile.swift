import Foundation
import Testing

/// A value of `Tests/vectors/conformance.json`. What is not there, or is of another kind, is an error of the test.
struct VectorValue {
    private let value: Any
    private let name: String

    private init(_ value: Any, _ name: String) {
        self.value = value
        self.name = name
    }

    /// All conversations of the file.
    static func conversations() throws -> [VectorValue] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("vectors/conformance.json")
        let whole = VectorValue(try JSONSerialization.jsonObject(with: Data(contentsOf: file)), "conformance.json")
        return try whole["conversations"].list()
    }

    static func conversation(_ name: String) throws -> VectorValue {
        let found = try conversations().first { try $0["name"].text() == name }
        return try #require(found, "no conversation \(name)")
    }

    subscript(key: String) -> VectorValue {
        get throws { try #require(self.optional(key), "\(name) has no \(key)") }
    }

    /// nil when the key is not there, or null.
    func optional(_ key: String) -> VectorValue? {
        guard let found = (value as? [String: Any])?[key], !(found is NSNull) else { return nil }
        return VectorValue(found, "\(name).\(key)")
    }

    func list() throws -> [VectorValue] {
        try #require(value as? [Any], "\(name) is no list").enumerated().map { VectorValue($1, "\(name)[\($0)]") }
    }

    func text() throws -> String { try #require(value as? String, "\(name) is no text") }

    func number() throws -> UInt64 { try #require(value as? NSNumber, "\(name) is no number").uint64Value }

    func flag() throws -> Bool { try #require(value as? Bool, "\(name) is neither true nor false") }

    /// Hexadecimal digits as bytes.
    func octets() throws -> [UInt8] {
        let digits = Array(try text().utf8)
        try #require(digits.count % 2 == 0)
        return try stride(from: 0, to: digits.count, by: 2).map {
            try #require(UInt8(String(decoding: digits[$0..<($0 + 2)], as: UTF8.self), radix: 16), "\(name) is not hexadecimal")
        }
    }
}
