import CJumping
import JumpingC
import Testing
@testable import Jumping

enum Side: Int {
    case client = 0, gateway = 1
    var other: Side { self == .client ? .gateway : .client }
}

/// A way between transport i of the client and transport i of the gateway. Arrays are by sender: client, gateway.
struct Link {
    var delay: [UInt64] = [20_000, 20_000]
    var jitter: UInt64 = 0
    var lossPerMille: [UInt64] = [0, 0]
    var isBlackhole = [false, false]
    /// The client's port as the gateway sees it: change it to rebind the NAT. Datagrams to an old port are lost.
    var clientPort: UInt16 = 50_000
    /// Of a bottleneck each way, with room for a queue before it that drops what does not fit; 0 is none. Headers of IP and UDP count.
    var bytesPerSecond: UInt64 = 0
    var queueBytes: UInt64 = 0
    /// Longer datagrams vanish.
    var mtu = Int.max
    /// When the bottleneck has sent all it holds.
    var busyUntil: [UInt64] = [0, 0]
    private(set) var queueDrops = [0, 0]

    /// When a datagram has left the bottleneck; nil when its queue is full.
    mutating func depart(_ length: Int, from side: Int, _ now: UInt64) -> UInt64? {
        guard bytesPerSecond > 0 else { return now }
        let start = max(busyUntil[side], now)
        guard (start - now) * bytesPerSecond / 1_000_000 <= queueBytes else {
            queueDrops[side] += 1
            return nil
        }
        // Times are whole microseconds: what a datagram's time has in excess goes to the next.
        carry[side] += UInt64(length + 28) * 1_000_000
        busyUntil[side] = start + carry[side] / bytesPerSecond
        carry[side] %= bytesPerSecond
        return busyUntil[side]
    }

    private var carry: [UInt64] = [0, 0]

    mutating func cut() { isBlackhole = [true, true] }
    mutating func mend() { isBlackhole = [false, false] }
}

struct Flight {
    let due: UInt64
    let from: Side
    let link: Int
    let source: jmp_address
    let bytes: [UInt8]
}

/// How a pair begins.
struct PairOptions {
    var links = 2
    /// Links the client knows as paths from the beginning; nil: all.
    var offered: Int?
    var pattern = JMP_PATTERN_NNPSK0
    var seed: UInt8 = 1
    var tuneGatewayPolicy: (inout jmp_policy) -> Void = { _ in }
    var tuneClientPolicy: (inout jmp_policy) -> Void = { _ in }
    var tuneGateway: (inout jmp_config) -> Void = { _ in }
    var tuneClient: (inout jmp_config) -> Void = { _ in }

    /// The gateway may keep as little as an endpoint can, whatever a session may; the client more than that.
    mutating func leaveLittleMemory(receiveBuffer: UInt32, sendBuffer: UInt32) {
        tuneGateway = {
            $0.receive_buffer = receiveBuffer
            $0.delivery_memory = 4 << 20
        }
        tuneClient = { $0.send_buffer = sendBuffer }
    }
}

/// A client and a gateway over links in memory, on one virtual clock that starts at one second. Seeded: the same test gives
/// the same bytes every time.
final class Pair {
    static let startAt: UInt64 = 1_000_000
    static let psk = [UInt8](repeating: 0x42, count: 32)
    private(set) var now = Pair.startAt
    var links: [Link]
    let client: Node
    let gateway: Node
    let options: PairOptions
    private var flights: [Flight] = []
    private var random: SeededGenerator
    /// Sees every datagram before its link does; true keeps it.
    var tap: ((Side, Int, [UInt8]) -> Bool)?
    /// Sees every datagram with its destination, before the tap.
    var onSend: ((Side, jmp_datagram, [UInt8]) -> Void)?
    /// Cleared while the client's host reads no events.
    var drainsEvents = true
    /// Everything both ends sent and said, in order.
    private(set) var transcript: [UInt8] = []

    init(_ options: PairOptions = PairOptions()) {
        self.options = options
        links = (0..<options.links).map { _ in Link() }
        random = SeededGenerator(seed: UInt64(options.seed))
        client = Node(.client, options, now: Pair.startAt)
        gateway = Node(.gateway, options, now: Pair.startAt)
        for i in 0..<options.links { links[i].clientPort += UInt16(i) }
        Pair.psk.withUnsafeBufferPointer { _ = jmp_endpoint_add_psk(gateway.handle, nil, 0, $0.baseAddress) }
    }

    func node(_ side: Side) -> Node { side == .client ? client : gateway }

    // MARK: addresses

    static func gatewayAddress(_ link: Int) -> jmp_address { address([192, 0, 2, UInt8(link), 0x13, 0x88]) }

    func clientAddress(_ link: Int) -> jmp_address {
        let port = links[link].clientPort
        return address([10, 0, UInt8(link), 1, UInt8(port >> 8), UInt8(port & 0xFF)])
    }

    // MARK: beginning

    /// What jmp_connect takes to reach the gateway over link 0.
    func connectConfig() -> jmp_connect_config {
        var config = jmp_connect_config()
        expectOK(jmp_connect_config_init(&config))
        config.pattern = UInt32(options.pattern)
        config.transport = 0
        config.remote = Pair.gatewayAddress(0)
        setText(&config.label, "test")
        if options.pattern == JMP_PATTERN_NNPSK0 {
            setBytes(&config.psk, Pair.psk)
        } else {
            setBytes(&config.gateway_key, gateway.publicKey)
        }
        return config
    }

    @discardableResult
    func connect(_ tune: (inout jmp_connect_config) -> Void = { _ in }) -> jmp_status {
        var config = connectConfig()
        tune(&config)
        let status = jmp_connect(client.handle, &config, now, &client.session)
        if status == JMP_OK {
            for link in 1..<max(1, options.offered ?? options.links) { addPath(link) }
        }
        drain(.client)
        return status
    }

    @discardableResult
    func addPath(_ link: Int) -> UInt32 {
        var remote = Pair.gatewayAddress(link), path: UInt32 = 0
        expectOK(jmp_path_add(client.handle, client.session, UInt32(link), &remote, now, &path))
        drain(.client)
        return path
    }

    /// Connected, confirmed and every offered path warm; with `sending`, 200 payloads a second echoed, run in for 2 s.
    static func established(_ options: PairOptions = PairOptions(), sending: Bool = false, prepare: (Pair) -> Void = { _ in }) -> Pair {
        let pair = Pair(options)
        prepare(pair)
        expectOK(pair.connect())
        let standbys = UInt32((options.offered ?? options.links) - 1)
        for _ in 0..<500 {
            pair.run(10_000)
            if pair.info(.client).state == JMP_STATE_ATTACHED, pair.gateway.session != 0, pair.info(.gateway).state == JMP_STATE_ATTACHED,
               pair.info(.client).candidate_count == standbys, pair.info(.gateway).candidate_count == standbys { break }
        }
        #expect(pair.info(.client).state == JMP_STATE_ATTACHED && pair.info(.client).candidate_count == standbys)
        #expect(pair.gateway.session != 0 && pair.info(.gateway).state == JMP_STATE_ATTACHED)
        if sending {
            pair.gateway.isEchoing = true
            pair.client.sendEvery(5000, from: pair.now)
            pair.run(2_000_000)
        }
        return pair
    }

    // MARK: the world goes on

    func run(_ duration: UInt64) {
        let end = now + duration
        var turns = 0
        while true {
            let next = min(nextMoment(), end)
            turns = next <= now ? turns + 1 : 0
            guard turns < 20_000 else {
                Issue.record("the world does not get past \(now)")
                return
            }
            now = max(now, next)
            deliverDue()
            for side in [Side.client, .gateway] { takeTurn(side) }
            if now == end, nextMoment() > end { return }
        }
    }

    func run(until condition: () -> Bool, within limit: UInt64, step: UInt64 = 1000) -> Bool {
        let end = now + limit
        while now < end {
            if condition() { return true }
            run(min(step, end - now))
        }
        return condition()
    }

    private func nextMoment() -> UInt64 {
        var next = UInt64.max
        let awake = (client: client.suspendedUntil, gateway: gateway.suspendedUntil)
        flights.withUnsafeBufferPointer { flights in   // thousands of them, each time, in debug builds
            var i = 0
            while i < flights.count {
                let due = max(flights[i].due, flights[i].from == .client ? awake.gateway : awake.client)
                if due < next { next = due }
                i &+= 1
            }
        }
        for side in [Side.client, .gateway] { next = min(next, max(node(side).nextMoment, node(side).suspendedUntil)) }
        return next
    }

    private func deliverDue() {
        while let i = flights.firstIndex(where: { $0.due <= now && node($0.from.other).suspendedUntil <= now }) {
            let flight = flights.remove(at: i)
            let receiver = node(flight.from.other)
            let received = receiver.receive(flight.bytes, flight.link, flight.source, now)
            if receiver.isEchoing, received.kind == JMP_RECEIVED_PAYLOAD, let payload = receiver.payloads.last?.bytes {
                send(receiver.side, payload)
            }
            drain(receiver.side)
        }
    }

    private func takeTurn(_ side: Side) {
        let node = node(side)
        guard node.suspendedUntil <= now else { return }
        if node.nextTimeout <= now { timeout(side) }
        while node.nextSendAt <= now { node.nextSendAt += node.sendInterval; send(side, node.nextPayload()) }
    }

    func timeout(_ side: Side) {
        expectOK(jmp_handle_timeout(node(side).handle, now))
        drain(side)
    }

    // MARK: host calls

    @discardableResult
    func send(_ side: Side, _ payload: [UInt8] = [1, 2, 3]) -> jmp_status {
        let (status, datagram) = node(side).seal(payload, now)
        if let datagram { launch(side, datagram.0, datagram.1) }
        drain(side)
        return status
    }

    @discardableResult
    func sendProtected(_ side: Side, _ payload: [UInt8], channel: UInt32 = 0, timeToLive: UInt64 = 0, tag: UInt64? = nil) -> jmp_status {
        let status = node(side).sendProtected(payload, channel: channel, timeToLive: timeToLive, tag: tag, now)
        drain(side)
        return status
    }

    /// Drains transmits, then events, as a host does after every call.
    func drain(_ side: Side) {
        node(side).takePayloads(now)
        while let (datagram, bytes) = node(side).poll(now) { launch(side, datagram, bytes) }
        let node = node(side), before = node.events.count
        guard drainsEvents || side != .client else { return }
        node.drainEvents()
        for event in node.events[before...] { transcript += Array(json(event).utf8) + [10] }
    }

    private func launch(_ side: Side, _ datagram: jmp_datagram, _ bytes: [UInt8]) {
        transcript += [UInt8(side.rawValue), UInt8(datagram.transport)] + bytes
        let link = Int(datagram.transport)
        onSend?(side, datagram, bytes)
        if let tap, tap(side, link, bytes) { return }
        let from = side.rawValue
        let expected = side == .client ? Pair.gatewayAddress(link) : clientAddress(link)
        let isLost = random.next() % 1000 < links[link].lossPerMille[from]
        let extra = links[link].jitter == 0 ? 0 : random.next() % links[link].jitter
        guard !links[link].isBlackhole[from], !isLost, bytes.count <= links[link].mtu, isSame(datagram.to, expected) else { return }
        let source = side == .client ? clientAddress(link) : Pair.gatewayAddress(link)
        guard let departed = links[link].depart(bytes.count, from: from, now) else { return }
        flights.append(Flight(due: departed + links[link].delay[from] + extra, from: side, link: link, source: source, bytes: bytes))
    }

    /// Gives an end a datagram from anywhere, now.
    @discardableResult
    func inject(_ bytes: [UInt8], to side: Side, link: Int = 0, from source: jmp_address? = nil) -> jmp_received {
        let address = source ?? (side == .gateway ? clientAddress(link) : Pair.gatewayAddress(link))
        let received = node(side).receive(bytes, link, address, now)
        drain(side)
        return received
    }

    /// Virtual time passes without anybody being called.
    func skip(_ duration: UInt64) { now += duration }

    func info(_ side: Side) -> jmp_session_info { node(side).info() }
}
