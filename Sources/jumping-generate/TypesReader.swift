import Foundation

/// Reads `jumping_types.h`: a strict little grammar, not C. What it does not understand is an error, so that nothing is
/// left out of the bindings in silence.
struct TypesReader {
    private let lines: [String]
    private let file: String
    private var position = 0
    /// The `/** … */` that stands directly above the present line.
    private var comment: [String] = []
    private var constants: [Constant] = []
    private var structures: [Structure] = []

    /// The C scalars and how many bytes they have; each is aligned to its size. Typedefs and structs join as they are read.
    private var sizes: [String: (size: Int, alignment: Int)] = [
        "uint8_t": (1, 1), "char": (1, 1), "uint16_t": (2, 2), "uint32_t": (4, 4), "int32_t": (4, 4),
        "uint64_t": (8, 8), "int64_t": (8, 8),
    ]

    static let beginning = "#include <stdint.h>\n"
    static let end = "\n#endif"

    private init(_ text: String, file: String) {
        lines = text.components(separatedBy: "\n")
        self.file = file
    }

    /// The text between the include guards, the constants and the structs with their layout.
    static func read(_ text: String, file: String) throws -> (text: String, constants: [Constant], structures: [Structure]) {
        guard let start = text.range(of: beginning), let finish = text.range(of: end, options: .backwards) else {
            throw GeneratorError("\(file): expected \"#include <stdint.h>\" before and \"#endif\" after the declarations")
        }
        let body = String(text[start.upperBound..<finish.lowerBound]).trimmingCharacters(in: .newlines)
        var reader = TypesReader(body, file: file)
        try reader.readAll()
        return (body, reader.constants, reader.structures)
    }

    private func failure(_ what: String) -> GeneratorError {
        GeneratorError("\(file): \(what): \"\(position < lines.count ? lines[position] : "end of file")\"")
    }

    private mutating func readAll() throws {
        while position < lines.count {
            let line = lines[position].trimmingCharacters(in: .whitespaces)
            if line.isEmpty {
                comment = []
                position += 1
            } else if line.hasPrefix("/*") {
                try readComment()
            } else if line.hasPrefix("#define ") {
                try readConstant(line)
            } else if line.hasPrefix("typedef struct ") && line.hasSuffix("{") {
                try readStructure(line)
            } else if line.hasPrefix("typedef ") && line.hasSuffix(";") {
                readAlias(line)
            } else {
                throw failure("cannot read this line")
            }
        }
    }

    /// A comment block; one that begins with `/**` documents what follows.
    private mutating func readComment() throws {
        var text: [String] = []
        let documents = lines[position].hasPrefix("/**")
        while true {
            guard position < lines.count else { throw failure("a comment does not end") }
            var line = lines[position].trimmingCharacters(in: .whitespaces)
            position += 1
            let isLast = line.hasSuffix("*/")
            if isLast { line = String(line.dropLast(2)) }
            while let first = line.first, first == "/" || first == "*" { line.removeFirst() }
            text.append(line.trimmingCharacters(in: .whitespaces))
            if isLast { break }
        }
        comment = documents ? text : []
    }

    /// Splits `declaration /**< remark */`; the remark is empty when there is none.
    private func splitRemark(_ line: String) throws -> (declaration: String, remark: String) {
        guard let start = line.range(of: "/*") else { return (line, "") }
        guard line.hasSuffix("*/") else { throw failure("a comment beside a declaration must end on its line") }
        let remark = line[start.upperBound...].dropLast(2).drop { $0 == "*" || $0 == "<" }
        return (line[..<start.lowerBound].trimmingCharacters(in: .whitespaces), remark.trimmingCharacters(in: .whitespaces))
    }

    private mutating func readConstant(_ line: String) throws {
        let (declaration, remark) = try splitRemark(line)
        let words = declaration.split(separator: " ").map(String.init)
        guard words.count == 3, words[1].hasPrefix("JMP_") else { throw failure("expected \"#define JMP_NAME value\"") }
        // A comment above the first of several constants describes the group, so it counts only for a constant alone.
        let isAlone = position + 1 >= lines.count || !lines[position + 1].hasPrefix("#define ")
        let above = isAlone || words[1] == "JMP_OK" ? comment.joined(separator: " ") : ""
        let known = Constant(name: words[1], cValue: words[2], documentation: remark.isEmpty ? above : remark)
        guard known.decimal != nil || known.literal != known.cValue else { throw failure("expected an integer value") }
        constants.append(known)
        let next = position + 1 < lines.count ? lines[position + 1] : ""
        // Each of the "no …" values has its own comment, although they stand together.
        comment = next.hasPrefix("#define ") ? [] : comment
        position += 1
    }

    /// `typedef int32_t jmp_status;`; an opaque struct has no size.
    private mutating func readAlias(_ line: String) {
        let words = line.dropLast().split(separator: " ").map(String.init)
        if words.count == 3 { sizes[words[2]] = sizes[words[1]] }
        comment = []
        position += 1
    }

    private mutating func readStructure(_ line: String) throws {
        let name = line.split(separator: " ")[2]
        let documentation = comment
        var fields: [Field] = []
        var offset = 0
        var alignment = 1
        position += 1
        while position < lines.count, !lines[position].hasPrefix("}") {
            let field = try readField(at: offset, of: String(name))
            fields.append(field)
            alignment = max(alignment, sizes[field.type]!.alignment)
            offset = field.offset + field.size
            position += 1
        }
        guard position < lines.count, lines[position] == "} \(name);" else { throw failure("expected \"} \(name);\"") }
        guard offset % alignment == 0 else { throw failure("\(name) has \(offset) bytes: the compiler would add padding at its end") }
        sizes[String(name)] = (offset, alignment)
        structures.append(Structure(name: String(name), documentation: documentation, fields: fields, size: offset, alignment: alignment))
        comment = []
        position += 1
    }

    private func readField(at offset: Int, of structure: String) throws -> Field {
        let (declaration, remark) = try splitRemark(lines[position].trimmingCharacters(in: .whitespaces))
        let words = declaration.split(separator: " ").map(String.init)
        guard words.count == 2, words[1].hasSuffix(";") else { throw failure("expected \"type name;\"") }
        guard let (elementSize, alignment) = sizes[words[0]] else { throw failure("unknown type \(words[0])") }
        var name = String(words[1].dropLast())
        var count: Int?
        if let bracket = name.firstIndex(of: "[") {
            let text = String(name[name.index(after: bracket)...].dropLast())
            guard let length = Int(text) ?? constants.first(where: { $0.name == text })?.decimal.flatMap({ Int($0) }), length > 0 else {
                throw failure("unknown array length \(text)")
            }
            count = length
            name = String(name[..<bracket])
        }
        // Implicit padding would be uninitialised bytes, and a layout that differs between 32 and 64 bits.
        guard offset % alignment == 0 else { throw failure("\(structure).\(name) at \(offset): the compiler would add padding before it") }
        return Field(type: words[0], name: name, count: count, documentation: remark, offset: offset, size: elementSize * (count ?? 1))
    }
}
