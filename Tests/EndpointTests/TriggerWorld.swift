import CJumping
import JumpingC
import JumpingSession
import JumpingWire
import Testing
@testable import Jumping

/// What travelled, and what may travel from now on.
final class TriggerWire {
    private(set) var firstInit: [UInt8] = []
    private(set) var firstResponse: [UInt8] = []
    /// Nothing this end sends gets through.
    var isClosed = [false, false]
    var swallows: ((Side, [UInt8]) -> Bool)?

    func sees(_ side: Side, _ bytes: [UInt8]) -> Bool {
        if Kind.isInit(bytes), firstInit.isEmpty { firstInit = bytes }
        if Kind.isResponse(bytes), firstResponse.isEmpty { firstResponse = bytes }
        return isClosed[side.rawValue] || swallows?(side, bytes) == true
    }
}

/// A pair whose end under test has been brought into one of the situations of the trigger tables. Link 0 is the active path (in BIRTH
/// the one of the handshake), link 1 the other one, link 2 has never been used. From then on nothing travels but what a trigger injects.
final class TriggerWorld {
    static let clientSituations = ["BIRTH", "ATTACHED", "VOLATILE", "DEGRADED, denied", "DEGRADED, dark", "RECOVERING", "TERMINATED"]
    static let gatewaySituations = ["BIRTH, waiting", "BIRTH, half-open", "ATTACHED", "VOLATILE", "DEGRADED", "TERMINATED"]
    /// A transport class that the policy of every world forbids.
    static let forbiddenClass: UInt8 = 9

    let side: Side
    let pair: Pair
    let wire = TriggerWire()
    /// A datagram that was made and not yet sent.
    var held: [UInt8] = []
    /// A packet number of the end under test.
    var number: UInt64 = 0

    init(_ side: Side, _ situation: String) {
        self.side = side
        var options = PairOptions()
        options.links = 3
        options.offered = 2
        options.tuneClient = { $0.telemetry_interval_ms = 60_000 }
        options.tuneGateway = { config in
            config.telemetry_interval_ms = 60_000
            if situation == "BIRTH, waiting" { config.flags = JMP_CONFIG_ACCEPT | JMP_CONFIG_ASK }
        }
        options.tuneGatewayPolicy = { policy in
            policy.allowed_classes = ~(1 << UInt32(TriggerWorld.forbiddenClass))
            if side == .gateway, situation == "DEGRADED" { policy.volatile_to_degraded_us = 20_000 }
        }
        let wire = wire
        let record = { (pair: Pair) in pair.tap = { side, _, bytes in wire.sees(side, bytes) } }
        if situation.hasPrefix("BIRTH") {
            pair = Pair(options)
            record(pair)
        } else {
            pair = Pair.established(options, prepare: record)
            pair.run(1_000_000)
        }
        if side == .client { enterClient(situation) } else { enterGateway(situation) }
        wire.isClosed = [true, true]
        wire.swallows = nil
    }

    var node: Node { pair.node(side) }
    var peer: Node { pair.node(side.other) }

    // MARK: the situations

    private func enterClient(_ situation: String) {
        switch situation {
        case "BIRTH":
            wire.isClosed[Side.gateway.rawValue] = true
            expectOK(pair.connect())
            pair.run(30_000)
        case "VOLATILE":
            // The peer reports a loss that is over and that this end never saw: no reason to leave, so it waits and heals.
            inject(frames: TriggerFrame.volatility(0, cause: JMP_REASON_LOSS_THRESHOLD_EXCEEDED))
        case "DEGRADED, denied":
            // The same with much loss, too soon after another switch; both paths live.
            hasSwitched(times: 1)
            inject(frames: TriggerFrame.volatility(0, cause: JMP_REASON_LOSS_THRESHOLD_EXCEEDED, lossPPM: 500_000))
        case "DEGRADED, dark", "RECOVERING":
            pair.links[0].cut()
            pair.links[1].cut()
            pair.client.sendEvery(5000, from: pair.now)
            let wanted = situation == "RECOVERING" ? JMP_STATE_RECOVERING : JMP_STATE_DEGRADED
            let hasArrived = pair.run(until: { [pair] in pair.info(.client).state == wanted }, within: 5_000_000)
            #expect(hasArrived)
            pair.client.stopSending()
        case "TERMINATED":
            wire.isClosed = [true, true]
            expectOK(jmp_session_close(node.handle, node.session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
            pair.drain(side)
        default: break
        }
    }

    private func enterGateway(_ situation: String) {
        switch situation {
        case "BIRTH, waiting":
            expectOK(pair.connect())
            pair.run(25_000)
            pair.gateway.session = pair.gateway.events(JMP_EVENT_ACCEPT_REQUESTED).first?.session ?? 0
        case "BIRTH, half-open":
            wire.swallows = { side, bytes in side == .client && Kind.isData(bytes) }
            expectOK(pair.connect())
            pair.run(50_000)
            pair.gateway.session = pair.gateway.endpoint.pointee.sessions[0].handle
        case "VOLATILE", "DEGRADED":
            let client = pair.client
            wire.swallows = { side, bytes in side == .gateway && client.frames(of: bytes).contains(FrameType.volatility) }
            expectOK(jmp_session_request_switch(node.handle, node.session, JMP_PATH_NONE, pair.now))
            pair.drain(side)
            if situation == "DEGRADED" { pair.run(21_000) }
        case "TERMINATED":
            wire.isClosed = [true, true]
            expectOK(jmp_session_close(node.handle, node.session, UInt32(JMP_REASON_OPERATOR_TERMINATED), pair.now))
            pair.drain(side)
        default: break
        }
    }

    /// Is the session still in the state of this situation?
    func stands(in situation: String) -> Bool {
        guard isAlive, situation.hasPrefix("\(Names.state(node.info().state))") else { return false }
        return situation != "BIRTH, waiting" || node.totals().waiting > 0
    }

    var isAlive: Bool { node.endpoint.pointee.sessions.resolve(node.session) != nil }

    // MARK: reaching into the end under test

    /// Runs `body` on the core's session and its environment, as a call of the endpoint would.
    func core(_ body: (inout Session, inout Environment) -> Void) {
        _ = node.endpoint.pointee.withSession(node.session) { session, env in
            body(&session, &env)
            return JMP_OK
        }
    }

    /// As if the session had switched so often, just now.
    func hasSwitched(times: Int) {
        let now = pair.now
        core { session, _ in
            for _ in 0..<times { session.limiter.record(now) }
        }
    }

    func read<R>(_ body: (borrowing Session) -> R) -> R? { node.withCore { body($0) } }

    // MARK: what the peer sends

    /// Gives the end under test a datagram that its peer sealed with the session's keys.
    @discardableResult
    func inject(frames: [UInt8], link: Int = 0, from source: jmp_address? = nil, isNextPhase: Bool = false, reserved: UInt8 = 0,
                isPayload: Bool = false) -> String {
        inject(sealed(frames, link: link, isNextPhase: isNextPhase, reserved: reserved, isPayload: isPayload), link: link, from: source)
    }

    /// How the end under test took a datagram: "ok", or the cause of its drop.
    @discardableResult
    func inject(_ bytes: [UInt8], link: Int = 0, from source: jmp_address? = nil) -> String {
        let received = pair.inject(bytes, to: side, link: link, from: source)
        return received.drop_cause == UInt32(JMP_DROP_NONE) ? "ok" : "drop \(Names.drop(received.drop_cause))"
    }

    /// Seals frames with the peer's keys, under the connection id of path index `link`, as the wire document tells; or, with
    /// `isPayload`, a payload without a frame around it. Before there are keys nobody can: then a DATA datagram of nobody.
    func sealed(_ frames: [UInt8], link: Int = 0, isNextPhase: Bool = false, reserved: UInt8 = 0, isPayload: Bool = false) -> [UInt8] {
        var datagram = [UInt8](repeating: 0x45, count: DataPacket.headerLength) + frames + [UInt8](repeating: 0, count: 16)
        let now = pair.now
        _ = peer.withCore { session in
            guard let keys = session.keys else { return }
            if isNextPhase { keys.pointee.advance(now: now, byPeer: false) }
            let number = session.nextPacketNumber
            session.nextPacketNumber += 1
            let first = DataPacket.firstByte(phase: keys.pointee.phase, isPayload: isPayload) | reserved
            let connectionID = keys.pointee.peerConnectionID(UInt32(link), nodeTag: session.isClient ? session.nodeTag : nil)
            let additional = AdditionalData(firstByte: first, connectionID: connectionID, packetNumber: UInt32(truncatingIfNeeded: number))
            datagram.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                let body = base + DataPacket.headerLength
                withUnsafeBytes(of: additional.words) {
                    if let additionalBase = $0.baseAddress {
                        keys.pointee.seal(packetNumber: number, additionalData: additionalBase, body, length: frames.count)
                    }
                }
                let mask = keys.pointee.sendHeader.mask(sample: body + frames.count)
                var writer = ByteWriter(bytes)
                writer.u8(first ^ UInt8(mask & 0x3F))
                writer.u64(connectionID)
                writer.u32(UInt32(truncatingIfNeeded: number) ^ UInt32(truncatingIfNeeded: mask >> 8))
            }
        }
        return datagram
    }

    /// The client's address on link 0 after a NAT gave it another port.
    var reboundAddress: jmp_address { address([10, 0, 0, 1, 0xEE, 0xEE]) }
}
