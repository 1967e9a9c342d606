"""WireProtocol.md against the sources: bytes, offsets, labels, order of checks."""
import re

from sources import article, body, constant, read, snake, table

FRAME = "Sources/JumpingWire/Frame.swift"
DELIVERY_FRAMES = "Sources/JumpingWire/DeliveryFrame.swift"
#: Swift's names of frames, where they are not the document's.
NAMES = {"acknowledgement": "ack", "acknowledgementRanges": "ackranges"}
PACKETS = "Sources/JumpingWire/HandshakePackets.swift"
DATA = "Sources/JumpingWire/DataPacket.swift"


def frame_rows():
    """Type, name and body of each frame that exists."""
    rows = table(article("WireProtocol"), "type", "frame", "body", "sent by")
    return [(int(kind, 16), name, text) for kind, name, text, _ in rows if re.fullmatch("0x[0-9A-F]{2}", kind)]


def frames():
    """Frame types against Frame.swift."""
    documented = {(name.replace("_", "").lower(), kind) for kind, name, _ in frame_rows()}
    coded = {(NAMES.get(name, name.lower()), int(kind, 16))
             for name, kind in re.findall(r"static let (\w+): UInt8 = (0x[0-9A-F]{2})", read(FRAME))}
    return documented, coded


def frame_bodies():
    """Lengths of the frames' fields against what Frame.swift reads, in order."""
    sizes = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
    source = read(FRAME)
    answer, reattach = body(source, "private static func readAnswer"), body(source, "private static func readReattach")
    cases = dict(re.findall(r"case FrameType\.(\w+):(.*?)(?=\n        (?:case|default))", body(source, "private static func readBody"), re.S))
    coded = set()
    for name, text in [*cases.items(), *delivery_cases()]:
        text = answer if "readAnswer" in text else reattach if "readReattach" in text else text
        coded.add((NAMES.get(name, name.lower()), tuple(sizes[kind] for kind in re.findall(r"reader\.(u\d+)\(\)", text))))
    documented = set()
    for _, name, text in frame_rows():
        fixed = tuple(int(size) for field in text.split(", ") for size in re.findall(r" (\d+)(?: \(ppm\))?$", field))
        documented.add((name.replace("_", "").lower(), fixed))
    # A name's own length byte is read with the text, not here.
    return {(name, size[:-1] if name == "reattach" else size) for name, size in documented}, coded


def delivery_cases():
    """Frames of protected delivery: Swift's name, and the text that reads the fields."""
    source = read(DELIVERY_FRAMES)
    text = body(source, "static func readDelivery")
    cases = re.findall(r"case FrameType\.(maxData|abandoned):(.*?)(?=\n        (?:case|default))", text, re.S)
    part = body(source, "private static func readProtected")
    # The pairs of numbers are read when the ranges are made.
    ranges = body(source, "private static func readRanges") + body(source, "package func ranges(largest")
    whole = re.sub(r"isFragment \? .*", "", part)
    return [*cases, ("acknowledgementRanges", ranges), ("protected", whole), ("fragment", part)]


def reserved():
    """The ranges kept for later, against Frame.swift's comment."""
    documented = set(re.findall(r"^\| (0x\w\w)–(0x\w\w) \| reserved \| ([a-z ]+) \|", article("WireProtocol"), re.M))
    return documented, {(low, high, use) for low, high, use in re.findall(r"(0x\w\w) … (0x\w\w) ([a-z ]+)", read(FRAME))}


def first_bytes():
    """First bytes of datagrams against HandshakePackets.swift and DataPacket.swift."""
    documented = set(re.findall(r"^\| `0x(\w\w)` \| (INIT|RESP|COOKIE|ADOPT)", article("WireProtocol"), re.M))
    names = {"initByte": "INIT", "responseByte": "RESP", "cookieByte": "COOKIE", "adoptByte": "ADOPT"}
    coded = {(value, names[name]) for name, value in re.findall(r"static let (\w+Byte): UInt8 = 0x(\w\w)", read(PACKETS))}
    packet = read(DATA)
    fixed = int(re.search(r"fixedBits: UInt8 = (0x\w\w)", packet).group(1), 16)
    mask = int(re.search(r"fixedBitsMask: UInt8 = (0x\w\w)", packet).group(1), 16)
    low, high = re.search(r"`0x(\w\w)`–`0x(\w\w)`\) \| DATA", article("WireProtocol")).groups()
    return documented | {(low, high)}, coded | {(f"{fixed:02X}", f"{fixed | ~mask & 0xFF:02X}")}


def labels():
    """Key labels and lengths against KeySchedule.swift."""
    documented = set(re.findall(r'`Derive\(S[^,]*, "([^"]+)", \w+, (\d+)\)`', article("WireProtocol")))
    return documented, set(re.findall(r'withDerived\([^"]*?"([^"]+)",.*? (\d+)\) \{', read("Sources/JumpingSession/KeySchedule.swift")))


def suites():
    """Suites, their names, nonces and tags against Suite.swift."""
    documented = {(number, re.search(r"`(.+?)`", name).group(1), nonce, tag)
                  for number, name, nonce, tag in table(article("WireProtocol"), "suite", "name", "nonce", "tag")}
    source = read("Sources/JumpingCrypto/Suite.swift")
    values = dict(re.findall(r"case (\w+) = (\d)", source))
    names = dict(re.findall(r'case \.(\w+): "([^"]+)"', source))
    tag, tag_else = re.search(r"tagLength: Int \{ self == \.aegis256 \? (\d+) : (\d+) \}", source).groups()
    nonce, nonce_else = re.search(r"nonceLength: Int \{ self == \.aegis256 \? (\d+) : (\d+) \}", source).groups()
    coded = set()
    for case, value in values.items():
        is_aegis = case == "aegis256"
        coded.add((value, names[case], nonce if is_aegis else nonce_else, tag if is_aegis else tag_else))
    return documented, coded


def patterns():
    """Noise patterns against NoisePattern.swift."""
    documented = {(number, name.strip("`")) for number, name, _ in table(article("WireProtocol"), "pattern", "name", "messages")}
    source = read("Sources/JumpingCrypto/NoisePattern.swift")
    names = dict(re.findall(r'case \.(\w+): "([^"]+)"', source))
    return documented, {(value, names[case]) for case, value in re.findall(r"case (\w+) = (\d)", source)}


def policy_layout():
    """Offsets, lengths and order of the policy's fields against Policy.write."""
    rows = layout_after("*Policy on the wire*")
    documented, offset, behind = [], 0, ""
    for at, length, field in rows:
        if at != f"{offset}{behind}":
            return {f"offset of {field}: {at}"}, {f"offset of {field}: {offset}{behind}"}
        documented.append((length, re.sub(r"[ -]", "", re.split("[,:]", field)[0]).lower()))
        offset += int(length) if length.isdigit() else 0
        behind = behind if length.isdigit() else " + v"
    source = body(read("Sources/JumpingSession/Policy.swift"), "package func write(_ writer: inout ByteWriter)")
    coded = []
    for size, field in re.findall(r"writer\.(u8|u32|u64|text)\((\w+)", source):
        name = re.sub(r"ppm$", "", field.lower())
        coded += [("1", "v"), ("v", "versiontext")] if size == "text" else [(str(int(size[1:]) // 8), name)]
    return set(enumerate(documented)), set(enumerate(coded))


def layout_after(words):
    """Rows of the first layout table behind these words."""
    text = article("WireProtocol")
    return table(text[text.index(words):], "offset", "length", "field")


def hello_layout():
    """The client hello: its lengths in order against ClientHello.swift, its offsets against its lengths."""
    rows = layout_after("*Payload of message 1*")
    offset, wrong = 0, set()
    for at, length, field in rows:
        if not at.startswith(str(offset)):
            wrong.add(f"offset of {field}: {at}, expected {offset}")
        offset += int(length) if length.isdigit() else 0
    last = int(re.match(r"\d+", rows[-1][1]).group())
    total = constant("Sources/JumpingWire/ClientHello.swift", "length")
    source = read("Sources/JumpingWire/ClientHello.swift")
    hello = body(source, "package struct ClientHello")
    hello = hello[hello.index("package func write"):hello.index("writer.zeros")]
    limits = body(source, "package struct PolicyLimits")
    limits = limits[limits.index("package func write"):limits.index("package init(_ reader")]
    sizes = {"u8": ["1"], "u32": ["4"], "u64": ["8"], "text": ["1", "text"], "copy": ["16"]}
    coded = [size for call in re.findall(r"writer\.(u8|u32|u64|text|copy)\(", hello + limits) for size in sizes[call]]
    documented = [length if length.isdigit() else "text" for _, length, _ in rows[:-1]]
    return set(enumerate(documented)) | wrong | {offset + last}, set(enumerate(coded)) | {total}


def reject_order():
    """The gateway's checks in their order against GatewayReattach.judge."""
    rows = table(article("WireProtocol"), "check", "reason")
    documented = [reason for _, reason in rows if not reason.startswith("(")]
    source = body(read("Sources/Jumping/Session/GatewayReattach.swift"), "private func judge(")
    coded = []
    for reason in re.findall(r"return \.(\w+)", source):
        if snake(reason) not in coded:
            coded.append(snake(reason))
    return set(enumerate(documented)), set(enumerate(coded))


def constants():
    """Single numbers the document states, against the constants they stand for."""
    text = article("WireProtocol")

    def stated(pattern):
        found = re.search(pattern, text)
        return int(found.group(1).replace(",", "")) if found else None

    seconds = 1_000_000
    powers = {"²²": 22, "³⁰": 30}
    expected = {
        "version": (stated(r"\| 1 \| 4 \| version, (\d+) \|"), constant(PACKETS, "version")),
        "hint": (stated(r"\| hint \| 0–(\d+) bytes"), constant(PACKETS, "hintCapacity")),
        "cookie": (stated(r"length of the cookie: 0 or (\d+)"), constant(PACKETS, "cookieLength")),
        "hello": (stated(r"the client hello, always (\d+) bytes"), constant("Sources/JumpingWire/ClientHello.swift", "length")),
        "ack delay unit": (stated(r"in units of\s(\d+) µs"), constant(FRAME, "delayUnit")),
        "header": (stated(r"\| (\d+) \| m \| sealed part"), constant(DATA, "headerLength")),
        "shortest": (stated(r"The shortest datagram has (\d+) bytes"), constant(DATA, "minimumLength")),
        "shortest, judged": (stated(r"Is it long enough \((\d+) bytes"), constant(DATA, "minimumLength")),
        "A": (stated(r"\*A\* \(0x0(\d)\)"), constant(DATA, "payloadBit")),
        "half-open s": (stated(r"half-open session \| (\d+) s"), constant("Sources/Jumping/Endpoint/Accepting.swift", "halfOpenLifetime") // seconds),
        "close kept s": (stated(r"CLOSE kept \| (\d+) s"), constant("Sources/Jumping/Session/Termination.swift", "lifetime") // seconds),
        "close pause ms": (stated(r"at most one in (\d+) ms, none"), constant("Sources/Jumping/Session/Termination.swift", "minimumInterval") // 1000),
        "closes": (stated(r"registered ahead\), (\d+) at most"), constant("Sources/Jumping/Session/Termination.swift", "capacity")),
        "first repetition ms": (stated(r"repeats INIT after (\d+) ms"), constant("Sources/Jumping/Session/Handshake.swift", "initialRetransmission") // 1000),
        "initial rtt ms": (stated(r"first sample (\d+) ms"), constant("Sources/JumpingSession/PathHealth.swift", "initialRTT") // 1000),
        "GCM limit": (1 << powers[re.search(r"at 2(²²) datagrams", text).group(1)], constant("Sources/Jumping/Session/Renewal.swift", "gcmPhaseLimit")),
    }
    return {(name, pair[0]) for name, pair in expected.items()}, {(name, pair[1]) for name, pair in expected.items()}


CLAIMS = [frames, frame_bodies, reserved, first_bytes, labels, suites, patterns, policy_layout, hello_layout, reject_order, constants]
