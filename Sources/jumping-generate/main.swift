// Generates what must never differ from the C interface: the public header, and the constants, structures and prototypes of
// the bindings.
//
//   swift run jumping-generate           writes the files that are stale
//   swift run jumping-generate --check   writes nothing; exits 1 and names the stale files
import Foundation

/// The folder with Package.swift: the working directory or one above it.
func findRoot() throws -> URL {
    var folder = URL(fileURLWithPath: FileManager.default.currentDirectoryPath)
    while folder.path != "/" {
        if FileManager.default.fileExists(atPath: folder.appendingPathComponent("Sources/CJumping/include/jumping_types.h").path) {
            return folder
        }
        folder.deleteLastPathComponent()
    }
    throw GeneratorError("run it inside the package: Sources/CJumping/include/jumping_types.h was not found")
}

/// The exported functions, a group a file, in the order the header shows them.
func readGroups(_ root: URL) throws -> [FunctionGroup] {
    let folder = root.appendingPathComponent("Sources/JumpingC")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
    let groups = try files.map { file in
        let text = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
        return FunctionGroup(title: String(file.dropLast(".swift".count)), functions: try ExportsReader.read(text, file: "Sources/JumpingC/\(file)"))
    }
    func rank(_ group: FunctionGroup) -> Int { HeaderWriter.order.firstIndex(of: group.title) ?? HeaderWriter.order.count }
    return groups.filter { !$0.functions.isEmpty }.sorted { (rank($0), $0.title) < (rank($1), $1.title) }
}

/// Path below the root and text of every generated file.
func generate(_ root: URL) throws -> [(path: String, text: String)] {
    let file = "Sources/CJumping/include/jumping_types.h"
    let types = try TypesReader.read(try String(contentsOf: root.appendingPathComponent(file), encoding: .utf8), file: file)
    let interface = Interface(typesText: types.text, constants: types.constants, structures: types.structures, groups: try readGroups(root))
    return [
        ("include/jumping.h", HeaderWriter.write(interface)),
        ("bindings/python/jumping/_constants.py", PythonWriter.constants(interface)),
        ("bindings/python/jumping/_structs.py", PythonWriter.structs(interface)),
        ("bindings/python/jumping/_functions.py", PythonWriter.functions(interface)),
        ("bindings/go/constants.go", GoWriter.write(interface)),
    ]
}

/// Writes or checks; true when every file was up to date or has been written.
func run(_ arguments: [String]) throws -> Bool {
    guard arguments.isEmpty || arguments == ["--check"] else { throw GeneratorError("usage: jumping-generate [--check]") }
    let root = try findRoot()
    var isCurrent = true
    for (path, text) in try generate(root) {
        let url = root.appendingPathComponent(path)
        if (try? String(contentsOf: url, encoding: .utf8)) == text { continue }
        if arguments.isEmpty {
            try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: url, atomically: true, encoding: .utf8)
            print("wrote \(path)")
        } else {
            print("stale: \(path)")
            isCurrent = false
        }
    }
    return isCurrent
}

do {
    exit(try run(Array(CommandLine.arguments.dropFirst())) ? 0 : 1)
} catch {
    FileHandle.standardError.write(Data("jumping-generate: \(error)\n".utf8))
    exit(1)
}
