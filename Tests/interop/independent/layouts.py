"""Every layout of the wire document as rows of (name, form, meaning), and what reads and writes them.

A form is a number of bytes (an unsigned big-endian integer), `octets N` (N bytes as they are), `counted`, `counted text`
(one byte length, then that many), `counted 2` (two bytes length), `rest`, or a list of rows that come as often as the field named
here says: their names get a number, from 1.
"""
from typing import NamedTuple


class Malformed(Exception):
    """Bytes that are not what their layout says."""


class Field(NamedTuple):
    """One field as it was found. `value` is a number, bytes or a text; `meaning` is the layout's."""
    offset: int
    name: str
    octets: bytes
    value: object
    meaning: str


class Layout:
    """An ordered list of fields."""

    def __init__(self, *rows):
        self.rows = rows

    def read(self, data, offset=0):
        """The fields of `data` from `offset` on and the offset after the last one."""
        fields = []

        def take(count, name, value_of, meaning):
            nonlocal offset
            octets = data[offset:offset + count]
            if len(octets) != count:
                raise Malformed(f"{name} is cut")
            fields.append(Field(offset, name, octets, value_of(octets), meaning))
            offset += count
            return fields[-1].value

        for name, form, meaning in self.rows:
            if isinstance(form, int):
                take(form, name, number, meaning)
            elif isinstance(form, list):
                for i in range(1, next(field.value for field in fields if field.name == name) + 1):
                    for repeated, size, what in form:
                        take(size, f"{repeated} {i}", number, what)
            elif form.startswith("octets "):
                take(int(form.split()[1]), name, bytes, meaning)
            elif form == "rest":
                take(len(data) - offset, name, bytes, meaning)
            else:
                size = 2 if form == "counted 2" else 1
                length = take(size, name + " length", number, f"bytes of the {name}")
                take(length, name, text if form == "counted text" else bytes, meaning)
        return fields, offset

    def write(self, values):
        """The bytes of these values, a dictionary by field name."""
        parts = []
        for name, form, _ in self.rows:
            value = values[name]
            if isinstance(form, list):
                parts += [values[f"{repeated} {i}"].to_bytes(size, "big") for i in range(1, value + 1) for repeated, size, _ in form]
                continue
            if isinstance(form, int):
                parts.append(value.to_bytes(form, "big"))
                continue
            octets = value.encode("ascii") if isinstance(value, str) else value
            if form.startswith("counted"):
                parts.append(len(octets).to_bytes(2 if form == "counted 2" else 1, "big"))
            elif form.startswith("octets ") and len(octets) != int(form.split()[1]):
                raise Malformed(f"{name} has {len(octets)} bytes")
            parts.append(octets)
        return b"".join(parts)


def number(octets):
    """An unsigned big-endian integer."""
    return int.from_bytes(octets, "big")


def text(octets):
    """Printable ASCII, as names and labels are."""
    if any(not 0x20 <= octet <= 0x7E for octet in octets):
        raise Malformed("a text is not printable ASCII")
    return octets.decode("ascii")


def values_of(fields):
    """The fields' values by name, lengths of counted fields left out."""
    return {field.name: field.value for field in fields if not field.name.endswith(" length")}


INIT_BYTE, RESP_BYTE, COOKIE_BYTE = 0xC1, 0xC2, 0xC3

INIT = Layout(
    ("datagram type", 1, "INIT"),
    ("version", 4, "of the protocol"),
    ("handshake id", "octets 8", "random; names this handshake and nothing later"),
    ("pattern", 1, "1 NNpsk0, 2 IKpsk2"),
    ("hint", "counted", "names the PSK to the gateway; the prologue ends here"),
    ("cookie", "counted", "the gateway's, when it asked for one; not in the prologue"),
    ("Noise message 1", "rest", "e, in IKpsk2 the sealed static key, the sealed client hello"),
)
RESP = Layout(
    ("datagram type", 1, "RESP"),
    ("handshake id", "octets 8", "of the INIT"),
    ("Noise message 2", "rest", "e and the sealed gateway hello"),
)
COOKIE = Layout(
    ("datagram type", 1, "COOKIE"),
    ("handshake id", "octets 8", "of the INIT"),
    ("cookie", "octets 17", "opaque to the client"),
)
DATA = Layout(
    ("first byte", 1, "masked: 0 1, key phase modulo 4, payload alone, three reserved bits"),
    ("connection id", "octets 8", "of the receiver; never masked"),
    ("packet number", 4, "masked: low 32 bits"),
    ("sealed part and tag", "rest", "AEAD ciphertext, the tag last"),
)
CLIENT_HELLO_LENGTH = 192
CLIENT_HELLO = Layout(
    ("session id", "octets 16", "random, chosen by the client"),
    ("suites", 1, "offered, a set of bits"),
    ("transport class", 1, "of the first path"),
    ("transport name", "counted text", "of the first path"),
    ("label", "counted text", "for the audit"),
    ("max lifetime", 8, "µs"),
    ("transport-lost TTL", 8, "µs"),
    ("recovery window", 8, "µs"),
    ("proof max age", 8, "µs"),
    ("switch cooldown", 8, "µs"),
    ("max switches per minute", 4, ""),
    ("max candidates", 4, ""),
    ("allowed classes", 4, "a set of bits"),
    ("strict binding", 1, "0 no, else yes"),
    ("zeros", "rest", "up to 192 bytes"),
)
POLICY = Layout(
    ("max lifetime", 8, "µs"),
    ("transport-lost TTL", 8, "µs"),
    ("heartbeat interval", 8, "µs"),
    ("idle heartbeat", 8, "µs"),
    ("heartbeat volatile", 8, "µs"),
    ("loss window", 8, "µs"),
    ("volatile to degraded", 8, "µs"),
    ("switch cooldown", 8, "µs"),
    ("recovery window", 8, "µs"),
    ("proof max age", 8, "µs"),
    ("latency volatile threshold", 8, "µs"),
    ("stability window", 8, "µs"),
    ("key max age", 8, "µs"),
    ("loss volatile threshold", 4, "ppm"),
    ("max consecutive drops", 4, ""),
    ("max switches per minute", 4, ""),
    ("switch improvement", 4, "ppm"),
    ("max candidates", 4, ""),
    ("allowed classes", 4, "a set of bits"),
    ("replay window", 4, "packet numbers"),
    ("suites", 4, "allowed, a set of bits"),
    ("strict binding", 1, "0 no, else yes"),
    ("version text", "counted text", "of the policy"),
    ("redundancy", 1, "0 never, 1 while volatile, 2 always"),
    ("redundancy share", 4, "ppm"),
    ("control expendable", 1, "0 no, else yes"),
)
GATEWAY_HELLO = Layout(
    ("suite", 1, "chosen, one bit"),
    ("node tag", 2, "first two bytes of this gateway's connection ids"),
    *POLICY.rows,
)

_ATTEMPT = ("attempt id", "octets 8", "of the REATTACH")
_PAYLOAD = (("channel", 1, "0 unordered, 1 to 15 in order"), ("sequence", 4, "low 32 bits of its number in the channel"))
#: Frame type -> name and body.
FRAMES = {
    0x00: ("PADDING", Layout()),
    0x01: ("PING", Layout()),
    0x02: ("ACK", Layout(("largest", 4, "low 32 bits of the largest number received on this path"),
                         ("delay", 2, "since it came, in 16 µs"),
                         ("bitmap", 4, "bit i: largest − 1 − i has arrived"))),
    0x03: ("PATH_CHALLENGE", Layout(("data", "octets 8", "to be sent back on the same path"))),
    0x04: ("PATH_RESPONSE", Layout(("data", "octets 8", "of the challenge"))),
    0x05: ("REATTACH", Layout(("attempt id", "octets 8", "random"),
                              ("binding version", 4, "the one it replaces"),
                              ("cause", 1, "JMP_REASON_*"),
                              ("transport class", 1, "of the wanted path"),
                              ("transport name", "counted text", "of the wanted path"))),
    0x06: ("REATTACH_ACK", Layout(_ATTEMPT, ("binding version", 4, "the gateway's, new when it bound"),
                                  ("flags", 1, "bit 0: pending"))),
    0x07: ("REATTACH_REJECT", Layout(_ATTEMPT, ("binding version", 4, "the gateway's"), ("reason", 1, "JMP_REASON_*"))),
    0x08: ("NUDGE", Layout(("binding version", 4, "the gateway's"))),
    0x09: ("VOLATILITY", Layout(("binding version", 4, "the gateway's"), ("cause", 1, "JMP_REASON_*"),
                                ("alive", 1, "0: the active path is held for dead"), ("loss", 4, "ppm"))),
    0x0A: ("POLICY", Layout(("sequence", 4, "from 1"), ("policy", "counted 2", "a whole policy"))),
    0x0B: ("POLICY_ACK", Layout(("sequence", 4, "of the POLICY"))),
    0x0C: ("CLOSE", Layout(("reason", 1, "JMP_REASON_*"))),
    0x10: ("PAYLOAD", Layout(("payload", "rest", "the application's bytes"))),
    0x11: ("PROTECTED", Layout(*_PAYLOAD, ("payload", "counted 2", "a whole payload"))),
    0x12: ("FRAGMENT", Layout(*_PAYLOAD, ("whole", 4, "bytes of the whole payload"),
                              ("first block", 2, "of 16 bytes, where the part begins"),
                              ("part", "counted 2", "of the payload"))),
    0x13: ("ACK_RANGES", Layout(("largest", 4, "low 32 bits of the largest number received on this path"),
                                ("delay", 2, "since it came, in 16 µs"),
                                ("further ranges", 1, "after the first one"),
                                ("first range", 2, "numbers that have arrived, from the largest down"),
                                ("further ranges", [("missing", 2, "numbers below the range before"),
                                                    ("arrived", 2, "numbers below those")], ""))),
    0x14: ("MAX_DATA", Layout(("limit", 8, "charges of all payloads from the first on; one may begin below it"))),
    0x15: ("ABANDONED", Layout(*_PAYLOAD, ("credit", 4, "what it counts for; 0: no part of it was sent"))),
}
FRAME_TYPES = {name: kind for kind, (name, _) in FRAMES.items()}


class Frame(NamedTuple):
    """One frame: its name and its fields; the first field is the type."""
    name: str
    fields: list

    def __getitem__(self, key):
        return values_of(self.fields)[key] if isinstance(key, str) else tuple.__getitem__(self, key)


def read_frames(data):
    """All frames of an opened datagram. PADDING in a row is one frame here: there may be a thousand."""
    frames, offset = [], 0
    while offset < len(data):
        kind = data[offset]
        if kind == FRAME_TYPES["PADDING"]:
            end = len(data) - len(data[offset:].lstrip(b"\0"))
            frames.append(Frame("PADDING", [Field(offset, "frame types", data[offset:end], 0, "PADDING")]))
            offset = end
            continue
        if kind not in FRAMES:
            raise Malformed(f"frame type {kind:#04x}")
        name, layout = FRAMES[kind]
        body, end = layout.read(data, offset + 1)
        frames.append(Frame(name, [Field(offset, "frame type", data[offset:offset + 1], kind, name), *body]))
        offset = end
    return frames


def read_content(data, is_payload):
    """What an opened datagram says: its frames, or the payload that is alone in it, as a PAYLOAD without a type."""
    return [Frame("PAYLOAD", FRAMES[FRAME_TYPES["PAYLOAD"]][1].read(data)[0])] if is_payload else read_frames(data)


def write_frame(name, **values):
    """A frame's bytes; underscores in the names of values stand for spaces."""
    kind = FRAME_TYPES[name]
    return bytes([kind]) + FRAMES[kind][1].write({key.replace("_", " "): value for key, value in values.items()})
