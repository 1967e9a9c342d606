/// What the generator knows about the C interface: constants, structs and functions, as read from the sources.

/// A failure with the place it was found at; the command prints it and exits 1.
struct GeneratorError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// One `#define JMP_…` with an integer value.
struct Constant {
    /// The C name, e.g. `JMP_STATE_BIRTH`.
    let name: String
    /// The value as C writes it, e.g. `(-1)`, `4u`, `UINT64_MAX`.
    let cValue: String
    /// What the comment beside or above it says, one line; empty when there is none.
    let documentation: String

    /// The value without parentheses and suffixes: decimal digits with a sign (hexadecimal ones
    /// converted), or nil for a `UINT…_MAX`.
    var decimal: String? {
        let digits = cValue.filter { !"()uUlL".contains($0) }
        if digits.hasPrefix("0x") { return UInt64(digits.dropFirst(2), radix: 16).map { String($0) } }
        return Int(digits).map(String.init)
    }

    /// The value in Python and Go, which know no `UINT64_MAX`.
    var literal: String {
        switch cValue {
        case "UINT64_MAX": return "0xFFFFFFFFFFFFFFFF"
        case "UINT32_MAX": return "0xFFFFFFFF"
        default: return decimal ?? cValue
        }
    }
}

/// One member of a struct.
struct Field {
    /// The C element type, e.g. `uint32_t`.
    let type: String
    let name: String
    /// Elements of an array, nil for a scalar or a nested struct.
    let count: Int?
    /// What the comment beside it says; empty when there is none.
    let documentation: String
    /// Bytes from the start of the struct.
    let offset: Int
    /// Bytes in all.
    let size: Int
}

/// One `typedef struct`.
struct Structure {
    let name: String
    /// What the comment above it says, one string a line.
    let documentation: [String]
    let fields: [Field]
    let size: Int
    let alignment: Int
}

/// One parameter of an exported function, already in C terms.
struct Parameter {
    /// The C type without the name, e.g. `const jmp_policy *`.
    let type: String
    /// snake_case.
    let name: String
}

/// One `@_cdecl` function.
struct Function {
    let name: String
    let documentation: [String]
    let parameters: [Parameter]
    /// The C return type, e.g. `jmp_status`.
    let result: String
}

/// The functions of one source file, which are one chapter of the header.
struct FunctionGroup {
    /// The file name without its extension, e.g. `Sessions`.
    let title: String
    let functions: [Function]
}

/// Everything the writers need.
struct Interface {
    /// `jumping_types.h` between its include guards, verbatim.
    let typesText: String
    let constants: [Constant]
    let structures: [Structure]
    let groups: [FunctionGroup]

    var functions: [Function] { groups.flatMap(\.functions) }

    /// A set of constants that belong together and become one enumeration in languages that have those.
    struct Family {
        /// What all names of the family begin with.
        let prefixes: [String]
        /// The enumeration's name in Python.
        let python: String
        /// The type's name in Go, and what its constants begin with.
        let go: String
        let goPrefix: String
        /// The Go type underneath.
        let goBase: String
        /// Values are bits of a set.
        let isSet: Bool
        /// One line for both languages.
        let documentation: String
    }

    /// Every constant whose name begins with one of these is a member; the first match counts. All others are plain numbers.
    static let families: [Family] = [
        Family(prefixes: ["JMP_OK", "JMP_AGAIN", "JMP_ERR_"], python: "Status", go: "Status", goPrefix: "", goBase: "int32", isSet: false,
               documentation: "What a call returned: 0 is success, errors are negative."),
        Family(prefixes: ["JMP_STATE_"], python: "State", go: "State", goPrefix: "State", goBase: "uint32", isSet: false,
               documentation: "State of a session."),
        Family(prefixes: ["JMP_REASON_"], python: "Reason", go: "Reason", goPrefix: "Reason", goBase: "uint32", isSet: false,
               documentation: "Why a transition happened, a reattach failed or a switch was denied."),
        Family(prefixes: ["JMP_ROLE_"], python: "Role", go: "Role", goPrefix: "Role", goBase: "uint32", isSet: false,
               documentation: "Which end of the session this is."),
        Family(prefixes: ["JMP_PATH_ACTIVE", "JMP_PATH_STANDBY", "JMP_PATH_CANDIDATE", "JMP_PATH_PENDING", "JMP_PATH_PROVISIONAL"],
               python: "PathRole", go: "PathRole", goPrefix: "Path", goBase: "uint32", isSet: false,
               documentation: "What a path is to its session."),
        Family(prefixes: ["JMP_CLASS_"], python: "TransportClass", go: "TransportClass", goPrefix: "Class", goBase: "uint32", isSet: false,
               documentation: "Transport class, 0 to 31; 6 and above are the host's own."),
        Family(prefixes: ["JMP_PATTERN_"], python: "Pattern", go: "Pattern", goPrefix: "Pattern", goBase: "uint32", isSet: false,
               documentation: "Handshake pattern (Noise revision 34)."),
        Family(prefixes: ["JMP_SUITE_"], python: "Suite", go: "Suite", goPrefix: "Suite", goBase: "uint32", isSet: true,
               documentation: "Cipher suites, as bits of a set; a session has exactly one."),
        Family(prefixes: ["JMP_EVENT_"], python: "EventType", go: "EventType", goPrefix: "Event", goBase: "uint32", isSet: false,
               documentation: "What an event tells."),
        Family(prefixes: ["JMP_DROP_CAUSES"], python: "", go: "", goPrefix: "", goBase: "", isSet: false, documentation: ""),
        Family(prefixes: ["JMP_DROP_"], python: "DropCause", go: "DropCause", goPrefix: "Drop", goBase: "uint32", isSet: false,
               documentation: "Why a received datagram was dropped."),
        Family(prefixes: ["JMP_CONFIG_"], python: "ConfigFlag", go: "ConfigFlag", goPrefix: "Config", goBase: "uint32", isSet: true,
               documentation: "What an endpoint does, as bits of jmp_config.flags."),
        Family(prefixes: ["JMP_RECEIVED_"], python: "ReceivedKind", go: "ReceivedKind", goPrefix: "Received", goBase: "uint32", isSet: false,
               documentation: "What a received datagram held for the host."),
        Family(prefixes: ["JMP_DATAGRAM_OVERHEAD"], python: "", go: "", goPrefix: "", goBase: "", isSet: false, documentation: ""),
        Family(prefixes: ["JMP_DATAGRAM_"], python: "DatagramKind", go: "DatagramKind", goPrefix: "Datagram", goBase: "uint32", isSet: false,
               documentation: "Kind of a datagram, for balancers."),
    ]

    /// The position in `families` of a constant, nil when it is a plain number.
    static func family(of constant: Constant) -> Int? {
        let position = families.firstIndex { $0.prefixes.contains { constant.name.hasPrefix($0) } }
        return position.flatMap { families[$0].python.isEmpty ? nil : $0 }
    }
}
