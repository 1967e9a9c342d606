import Foundation

/// Reads the `@_cdecl` functions of a Swift file with their `///` comments.
enum ExportsReader {
    /// The functions of one file, in its order. A doc comment is required.
    static func read(_ text: String, file: String) throws -> [Function] {
        let lines = text.components(separatedBy: "\n")
        var functions: [Function] = []
        var documentation: [String] = []
        var position = 0
        while position < lines.count {
            let line = lines[position].trimmingCharacters(in: .whitespaces)
            position += 1
            if line.hasPrefix("///") {
                documentation.append(line.dropFirst(3).trimmingCharacters(in: .whitespaces))
            } else if line.hasPrefix("@_cdecl(") {
                var signature = ""
                while position < lines.count, !signature.contains("{") {
                    signature += lines[position] + " "
                    position += 1
                }
                functions.append(try parse(signature, exportedAs: line, documentation, file))
                documentation = []
            } else {
                documentation = []
            }
        }
        return functions
    }

    private static func parse(_ signature: String, exportedAs attribute: String, _ documentation: [String], _ file: String) throws -> Function {
        let quoted = attribute.split(separator: "\"")
        guard quoted.count >= 2 else { throw GeneratorError("\(file): cannot read \(attribute)") }
        let name = String(quoted[1])
        guard !documentation.isEmpty, !documentation.contains(where: { $0.contains("*/") || $0.contains("/*") }) else {
            throw GeneratorError("\(file): \(name) needs a /// comment that a C comment can hold")
        }
        guard let open = signature.firstIndex(of: "("), let brace = signature.firstIndex(of: "{"),
              let close = signature[..<brace].lastIndex(of: ")") else {
            throw GeneratorError("\(file): cannot read the signature of \(name)")
        }
        let swiftName = signature[..<open].split(separator: " ").last.map(String.init)
        guard swiftName == name else { throw GeneratorError("\(file): \(name) is the export of a function of another name") }
        let parameters = try signature[signature.index(after: open)..<close].split(separator: ",").map { text -> Parameter in
            let words = text.split(separator: ":").map { $0.trimmingCharacters(in: .whitespaces) }
            guard words.count == 2, words[0].hasPrefix("_ ") else { throw GeneratorError("\(file): \(name): cannot read parameter \"\(text)\"") }
            return Parameter(type: try cType(words[1], of: name, file), name: snakeCase(String(words[0].dropFirst(2))))
        }
        let arrow = signature[close..<brace].components(separatedBy: "->")
        guard arrow.count == 2 else { throw GeneratorError("\(file): \(name) must return a value") }
        let result = try cType(arrow[1].trimmingCharacters(in: .whitespaces), of: name, file)
        return Function(name: name, documentation: documentation, parameters: parameters, result: result)
    }

    /// The C type of a Swift type at the ABI's edge. `Int` is the host's size_t: same width, and the core refuses negatives.
    private static func cType(_ swift: String, of function: String, _ file: String) throws -> String {
        let scalars = ["Int": "size_t", "UInt8": "uint8_t", "UInt16": "uint16_t", "UInt32": "uint32_t", "UInt64": "uint64_t",
                       "Int32": "int32_t", "Int64": "int64_t", "CChar": "char"]
        if let scalar = scalars[swift] { return scalar }
        if swift == "OpaquePointer?" { return "jmp_endpoint *" }
        for (prefix, qualifier) in [("UnsafePointer<", "const "), ("UnsafeMutablePointer<", "")] where swift.hasPrefix(prefix) {
            guard swift.hasSuffix(">?") else { break }
            let pointee = try cType(String(swift.dropFirst(prefix.count).dropLast(2)), of: function, file)
            return pointee.hasSuffix("*") ? "\(qualifier)\(pointee)*" : "\(qualifier)\(pointee) *"
        }
        guard swift.hasPrefix("jmp_"), !swift.contains("<") else {
            throw GeneratorError("\(file): \(function): no C type for \(swift) (pointers must be optional)")
        }
        return swift
    }

    /// `payloadLength` → `payload_length`.
    private static func snakeCase(_ name: String) -> String {
        name.reduce(into: "") { text, character in
            text += character.isUppercase ? "_" + character.lowercased() : String(character)
        }
    }
}
