import Foundation
import Testing

/// One cell of the trigger tables in the article "State machine": what a trigger does in a situation.
struct TriggerCell: Sendable, CustomTestStringConvertible {
    let side: Side
    let trigger: String
    let situation: String
    let documented: String

    var testDescription: String { "\(side) \(situation): \(trigger)" }
}

/// The trigger tables as the article has them. They are the one source: nothing of their contents is repeated in the tests.
struct TriggerTable: Sendable {
    let side: Side
    /// Headings of the columns, the first one ("trigger") left out.
    private(set) var situations: [String] = []
    private(set) var triggers: [String] = []
    private(set) var cells: [TriggerCell] = []
    /// Rows whose number of cells is not that of the headings, and tables whose headings differ.
    private(set) var misshapen: [String] = []

    static let project = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func text(_ path: String) -> String {
        (try? String(contentsOf: project.appendingPathComponent(path), encoding: .utf8)) ?? ""
    }

    static let article = text("Sources/Jumping/Documentation.docc/StateMachine.md")
    static let client = TriggerTable(.client, heading: "### Triggers at the client")
    static let gateway = TriggerTable(.gateway, heading: "### Triggers at the gateway")
    static let allCells = client.cells + gateway.cells

    static func of(_ side: Side) -> TriggerTable { side == .client ? client : gateway }

    private init(_ side: Side, heading: String) {
        self.side = side
        let lines = Self.article.components(separatedBy: "\n")
        guard let start = lines.firstIndex(of: heading) else { return }
        for line in lines[(start + 1)...].prefix(while: { !$0.hasPrefix("#") }) where line.hasPrefix("|") { read(line) }
    }

    private mutating func read(_ line: String) {
        let fields = line.dropFirst().dropLast().components(separatedBy: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        if fields.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0 == "-" } }) { return }
        if fields.first == "trigger" {
            let headings = Array(fields.dropFirst())
            if situations.isEmpty { situations = headings } else if situations != headings { misshapen.append(line) }
            return
        }
        guard fields.count == situations.count + 1 else { return misshapen.append(line) }
        let trigger = fields[0].replacingOccurrences(of: "`", with: "")
        triggers.append(trigger)
        for (situation, documented) in zip(situations, fields.dropFirst()) {
            cells.append(TriggerCell(side: side, trigger: trigger, situation: situation, documented: documented))
        }
    }
}
