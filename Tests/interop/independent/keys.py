"""Keys of one direction: phases, nonces, connection ids, the header mask, packet numbers."""
from typing import NamedTuple

from .layouts import DATA, Malformed, number, values_of
from .primitives import TAG_LENGTH, NotAuthentic, derive, seal, siphash, unseal

HEADER_LENGTH = 13
LONGEST_DATAGRAM = 65_507


class Phase(NamedTuple):
    """The keys of one key phase."""
    secret: bytes
    key: bytes
    iv: bytes

    @classmethod
    def derive(cls, suite, secret):
        """Packet key and IV of a phase's secret."""
        keys = derive(secret, "jmp1 key", suite, 64)
        return cls(secret, keys[:32], keys[32:44])

    def nonce(self, packet_number):
        """The IV with its last 8 bytes XORed with the packet number."""
        return self.iv[:4] + (number(self.iv[4:]) ^ packet_number).to_bytes(8, "big")


class Header(NamedTuple):
    """A DATA header without its mask."""
    phase_bits: int
    is_payload: bool
    reserved: int
    connection_id: bytes
    low: int

    def octets(self):
        """The 13 bytes as they are before the mask."""
        first = 0x40 | self.phase_bits << 4 | self.is_payload << 3 | self.reserved
        return bytes([first]) + self.connection_id + self.low.to_bytes(4, "big")

    def additional(self):
        """The AEAD's additional data."""
        octets = self.octets()
        return octets[:1] + bytes(3) + octets[1:]


class Direction:
    """Everything that one direction's secret of phase 0 gives."""

    def __init__(self, suite, secret, node_tag=None):
        """`node_tag` is the gateway's for the direction to it, None for the other."""
        self.suite, self.node_tag = suite, node_tag
        self.header_key = derive(secret, "jmp1 hdr", 0, 16)
        self.phases = [Phase.derive(suite, secret)]

    def phase(self, n):
        """The keys of phase n."""
        while len(self.phases) <= n:
            secret = derive(self.phases[-1].secret, "jmp1 nxt", 0, 32)
            self.phases.append(Phase.derive(self.suite, secret))
        return self.phases[n]

    def connection_id(self, index):
        """The receiver's connection id for a path's index."""
        value = number(siphash(self.header_key, index.to_bytes(8, "little"))[::-1])
        if self.node_tag is not None:
            value = self.node_tag << 48 | value >> 16
        return value.to_bytes(8, "big")

    def mask(self, datagram):
        """The 8 mask bytes of a datagram, masked or not: they come from the tag."""
        return siphash(self.header_key, datagram[-TAG_LENGTH:][:16])

    def apply_mask(self, datagram):
        """The datagram with its mask put on, or taken off."""
        m = self.mask(datagram)
        low = bytes(a ^ b for a, b in zip(datagram[9:13], (m[4], m[3], m[2], m[1])))
        return bytes([datagram[0] ^ m[0] & 0x3F]) + datagram[1:9] + low + datagram[13:]

    def write(self, packet_number, phase, connection_id, content, is_payload=False):
        """A DATA datagram with frames, or with a payload alone."""
        header = Header(phase & 3, is_payload, 0, connection_id, packet_number & 0xFFFF_FFFF)
        keys = self.phase(phase)
        sealed = seal(self.suite, keys.key, keys.nonce(packet_number), content, header.additional())
        return self.apply_mask(header.octets() + sealed)

    def read_header(self, datagram):
        """The header without its mask, and the datagram without it."""
        if not HEADER_LENGTH + TAG_LENGTH <= len(datagram) <= LONGEST_DATAGRAM or datagram[0] & 0xC0 != 0x40:
            raise Malformed("no DATA datagram")
        clear = self.apply_mask(datagram)
        values = values_of(DATA.read(clear)[0])
        first = values["first byte"]
        return Header(first >> 4 & 3, bool(first & 8), first & 7, values["connection id"], values["packet number"]), clear

    def open(self, clear, header, packet_number, phase):
        """What is sealed in a datagram without its mask: frames, or a payload alone."""
        keys = self.phase(phase)
        return unseal(self.suite, keys.key, keys.nonce(packet_number), clear[HEADER_LENGTH:], header.additional())


def recover(low, largest):
    """The 64-bit packet number of 32 bits; `largest` is the largest authenticated one, None before there is any."""
    if largest is None:
        return low
    expected = largest + 1
    candidate = expected & ~0xFFFF_FFFF | low
    if candidate + (1 << 31) <= expected and candidate + (1 << 32) < 1 << 64:
        return candidate + (1 << 32)
    if candidate > expected + (1 << 31) and candidate >= 1 << 32:
        return candidate - (1 << 32)
    return candidate


class Receiver:
    """The state of opening one direction: phase, largest number, numbers seen."""

    def __init__(self, direction):
        self.direction, self.phase, self.largest, self.seen = direction, 0, None, set()
        self.keeps_previous = False

    def open(self, datagram):
        """(packet number, phase, whether it is a payload alone, what was sealed); `phase` and the numbers are taken over when it is
        authentic and fresh."""
        header, clear = self.direction.read_header(datagram)
        phases = [self.phase, self.phase + 1] + ([self.phase - 1] if self.keeps_previous else [])
        phase = next((n for n in phases if n & 3 == header.phase_bits), None)
        if phase is None:
            raise NotAuthentic("no key has these phase bits")
        packet_number = recover(header.low, self.largest)
        content = self.direction.open(clear, header, packet_number, phase)
        if packet_number in self.seen:
            raise NotAuthentic("a copy")
        if header.reserved:
            raise Malformed("reserved bits")
        if not content and not header.is_payload:
            raise Malformed("no frames")
        self.seen.add(packet_number)
        self.largest = packet_number if self.largest is None else max(packet_number, self.largest)
        if phase > self.phase:
            self.phase, self.keeps_previous = phase, True
        return packet_number, phase, header.is_payload, content
