import CJumping
import Foundation
import Testing
@testable import Jumping
@testable import JumpingSession

/// Every situation × every trigger: accepted or refused exactly as the tables in the article "State machine" say.
struct TriggerTests {
    @Test(arguments: TriggerTable.allCells)
    func theTriggerDoesWhatTheTableSays(cell: TriggerCell) throws {
        let trigger = try #require(Trigger.of(cell.side).first { $0.name == cell.trigger }, "no test fires \(cell.trigger)")
        #expect(trigger.outcome(cell.side, cell.situation) == cell.documented)
    }

    // MARK: nothing is missing

    @Test(arguments: [Side.client, .gateway])
    func everyCellHasATestAndEveryTestACell(side: Side) {
        let table = TriggerTable.of(side), tests = Trigger.of(side).map(\.name)
        #expect(table.situations == (side == .client ? TriggerWorld.clientSituations : TriggerWorld.gatewaySituations))
        #expect(table.misshapen == [])
        #expect(table.triggers.sorted() == tests.sorted(), "rows and tests, each once")
        #expect(table.cells.count == tests.count * table.situations.count)
        #expect(table.cells.allSatisfy { !$0.documented.isEmpty })
    }

    private func wordsOfRows(_ side: Side) -> Set<String> {
        Set(TriggerTable.of(side).triggers.flatMap { $0.components(separatedBy: ", ") })
    }

    /// Calls that take a session or change transports. What is sent and received is in the rows of datagrams; keys of an endpoint
    /// matter to later sessions only.
    @Test(arguments: [Side.client, .gateway])
    func everyCallOfTheHeaderHasARow(side: Side) {
        let header = TriggerTable.text("include/jumping.h").replacingOccurrences(of: "\n ", with: " ")
        var calls: [String] = []
        for line in header.components(separatedBy: "\n") where line.hasPrefix("jmp_status jmp_") {
            let name = String(line.dropFirst("jmp_status ".count).prefix { $0 != "(" })
            let takesEndpoint = line.contains("jmp_endpoint *endpoint, ")
            if takesEndpoint, line.contains("jmp_session session") || name.hasPrefix("jmp_transport_") { calls.append(name) }
        }
        #expect(calls.count >= 19, "the header is read")
        #expect(Set(calls).subtracting(wordsOfRows(side)) == [])
    }

    @Test(arguments: [Side.client, .gateway])
    func everyFrameOfTheWireDocumentHasARow(side: Side) {
        let lines = TriggerTable.text("Sources/Jumping/Documentation.docc/WireProtocol.md").components(separatedBy: "\n")
        let frames = lines.filter { $0.hasPrefix("| 0x") }.map { $0.components(separatedBy: " | ")[1] }.filter { $0 != "reserved" }
        #expect(frames.count >= 14, "the wire document is read")
        #expect(Set(frames).subtracting(wordsOfRows(side)) == [])
    }

    @Test(arguments: [Side.client, .gateway])
    func everyTimerHasARow(side: Side) {
        #expect(Set(TimerKind.allCases.map { "\($0)" }).subtracting(TriggerTable.of(side).triggers) == [])
    }

    // MARK: the transitions

    private struct Step: Hashable, CustomStringConvertible {
        let from: String, to: String, reason: String
        var description: String { "\(from) → \(to) \(reason)" }
    }

    private func name(_ state: SessionState) -> String { "\(Names.state(UInt32(state.rawValue)))" }
    private func name(_ reason: Reason) -> String { "\(Names.reason(UInt32(reason.rawValue)))" }

    /// The transitions of a cell, from its column's state on.
    private func steps(_ cell: TriggerCell) -> [Step] {
        var from = String(cell.situation.prefix { $0 != "," }), steps: [Step] = []
        let transitions = cell.documented.components(separatedBy: ";")[0].components(separatedBy: " → ").dropFirst()
        for transition in transitions {
            let words = transition.components(separatedBy: CharacterSet(charactersIn: " ,"))
            steps.append(Step(from: from, to: words[0], reason: words[1]))
            from = words[0]
        }
        return steps
    }

    /// The cells use the state machine's transitions, no other, and all of them but those that nothing raises yet.
    @Test func theTriggersBringAboutEveryTransitionThereIs() {
        var possible = Set<Step>()
        for from in SessionState.allCases {
            for to in SessionState.allCases {
                for reason in Reason.allCases where StateMachine.allows(from: from, to: to, reason: reason) {
                    possible.insert(Step(from: name(from), to: name(to), reason: name(reason)))
                }
            }
        }
        let seen = Set(TriggerTable.allCells.flatMap(steps))
        #expect(seen.subtracting(possible) == [])
        var never = Set(["ATTACHED", "VOLATILE", "DEGRADED", "RECOVERING"].map { Step(from: $0, to: "TERMINATED", reason: "ownership_moved") })
        never.insert(Step(from: "BIRTH", to: "ATTACHED", reason: "adoption_ok"))
        never.insert(Step(from: "BIRTH", to: "TERMINATED", reason: "peer_terminated"))
        #expect(possible.subtracting(seen) == never)
    }
}
