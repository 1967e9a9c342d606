"""A client written from WireProtocol.md alone, with nothing of libjumping but its constants' numbers: keys, datagrams, frames.

Primitives come from Python and from libsodium. It keeps no state machine: a test drives it step by step.
"""
import ctypes
import ctypes.util
import hashlib
import hmac
import os
import struct

_sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
if _sodium.sodium_init() < 0:
    raise SystemExit("libsodium does not work here")

CHACHA, AES = 1, 2
PING, ACK, PATH_CHALLENGE, PATH_RESPONSE, REATTACH, REATTACH_ACK, REATTACH_REJECT = range(1, 8)
POLICY, CLOSE, PAYLOAD = 0x0A, 0x0C, 0x10
PROTECTED, FRAGMENT, ACK_RANGES, MAX_DATA, ABANDONED = range(0x11, 0x16)
#: Length of the body of each frame a gateway sends; those that say their own are in `parse`.
BODIES = {0x00: 0, PING: 0, ACK: 10, PATH_CHALLENGE: 8, PATH_RESPONSE: 8, REATTACH_ACK: 13, REATTACH_REJECT: 13, 0x08: 4, 0x09: 10, CLOSE: 1,
          MAX_DATA: 8, ABANDONED: 9}
TAG = 16


class NotAuthentic(Exception):
    """A datagram or message that was not sealed with these keys."""


def has_aes():
    """Whether this machine runs AES-256-GCM."""
    return _sodium.crypto_aead_aes256gcm_is_available() == 1


def aead(suite, key, nonce, text, data, opens=False):
    """Seals, or opens, `text` with `data` as additional data."""
    name = "chacha20poly1305_ietf" if suite == CHACHA else "aes256gcm"
    call = getattr(_sodium, f"crypto_aead_{name}_{'decrypt' if opens else 'encrypt'}")
    output = ctypes.create_string_buffer(len(text) + TAG)
    length = ctypes.c_ulonglong()
    size = ctypes.c_ulonglong
    if opens:
        status = call(output, ctypes.byref(length), None, text, size(len(text)), data, size(len(data)), nonce, key)
    else:
        status = call(output, ctypes.byref(length), text, size(len(text)), data, size(len(data)), None, nonce, key)
    if status != 0:
        raise NotAuthentic
    return output.raw[:length.value]


def x25519(secret, public=None):
    """A shared secret, or the public key of a secret."""
    output = ctypes.create_string_buffer(32)
    status = _sodium.crypto_scalarmult(output, secret, public) if public else _sodium.crypto_scalarmult_base(output, secret)
    if status != 0:
        raise NotAuthentic
    return output.raw


def siphash(key, message):
    """SipHash-2-4, 8 bytes."""
    output = ctypes.create_string_buffer(8)
    _sodium.crypto_shorthash(output, message, ctypes.c_ulonglong(len(message)), key)
    return output.raw


def mac(key, *parts):
    """HMAC-SHA256."""
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def derive(secret, label, number, length):
    """The document's Derive."""
    return hashlib.blake2b(key=secret, salt=number.to_bytes(8, "little"), person=label, digest_size=length).digest()


class Noise:
    """The symmetric state of Noise revision 34 for 25519, ChaChaPoly and SHA256."""

    def __init__(self, name, prologue):
        self.hash = name.ljust(32, b"\0") if len(name) <= 32 else hashlib.sha256(name).digest()
        self.chaining, self.key, self.count = self.hash, b"", 0
        self.mix_hash(prologue)

    def mix_hash(self, data):
        self.hash = hashlib.sha256(self.hash + data).digest()

    def outputs(self, data, count):
        temporary, block, blocks = mac(self.chaining, data), b"", []
        for i in range(1, count + 1):
            block = mac(temporary, block, bytes([i]))
            blocks.append(block)
        return blocks

    def mix_key(self, data):
        self.chaining, self.key = self.outputs(data, 2)
        self.count = 0

    def mix_psk(self, psk):
        self.chaining, middle, self.key = self.outputs(psk, 3)
        self.mix_hash(middle)
        self.count = 0

    def nonce(self):
        self.count += 1
        return struct.pack("<IQ", 0, self.count - 1)

    def seal(self, text):
        sealed = aead(CHACHA, self.key, self.nonce(), text, self.hash)
        self.mix_hash(sealed)
        return sealed

    def open(self, sealed):
        text = aead(CHACHA, self.key, self.nonce(), sealed, self.hash, opens=True)
        self.mix_hash(sealed)
        return text


class Direction:
    """One direction's keys through its phases."""

    def __init__(self, suite, secret):
        self.suite, self.secret = suite, secret
        self.header_key = derive(secret, b"jmp1 hdr", 0, 16)
        self.phase = -1
        self.begin(secret)

    def begin(self, secret):
        self.secret, self.phase = secret, self.phase + 1
        keys = derive(secret, b"jmp1 key", self.suite, 64)
        self.key, self.iv = keys[:32], keys[32:44]

    def next_phase(self):
        self.begin(derive(self.secret, b"jmp1 nxt", 0, 32))

    def connection_id(self, index, node_tag=None):
        value = int.from_bytes(siphash(self.header_key, struct.pack("<Q", index)), "little")
        return value if node_tag is None else node_tag << 48 | value >> 16

    def nonce(self, number):
        return self.iv[:4] + (int.from_bytes(self.iv[4:], "big") ^ number).to_bytes(8, "big")

    def mask(self, datagram):
        """XORs the mask onto (or off) a whole datagram's header."""
        m = siphash(self.header_key, datagram[-TAG:])
        number = bytes(a ^ b for a, b in zip(datagram[9:13], (m[4], m[3], m[2], m[1])))
        return bytes([datagram[0] ^ m[0] & 0x3F]) + datagram[1:9] + number + datagram[13:]


class Client:
    """One session with a gateway. The hello asks for the default policy's limits."""

    def __init__(self, psk, hint=b"", suites=CHACHA, gateway_key=None, static_secret=None):
        self.psk, self.suites, self.gateway_key, self.static_secret = psk, suites, gateway_key, static_secret
        self.session_id, self.handshake_id = os.urandom(16), os.urandom(8)
        self.number, self.largest, self.had_payload_alone = 0, -1, False
        pattern = 2 if gateway_key else 1
        self.prologue = struct.pack(">BI8sBB", 0xC1, 1, self.handshake_id, pattern, len(hint)) + hint
        name = b"Noise_IKpsk2_25519_ChaChaPoly_SHA256" if gateway_key else b"Noise_NNpsk0_25519_ChaChaPoly_SHA256"
        self.noise = Noise(name, self.prologue)
        self.ephemeral = os.urandom(32)
        self.message = self.write_message(self.hello(b"mem:A", b"from the document"))

    def hello(self, name, label):
        second = 1_000_000
        limits = struct.pack(">5Q3IB", 8 * 3600 * second, 30 * second, 8 * second, 5 * second, 1_500_000, 8, 3, 0xFFFFFFFF, 0)
        text = self.session_id + bytes([self.suites, 0, len(name)]) + name + bytes([len(label)]) + label + limits
        return text.ljust(192, b"\0")

    def write_message(self, payload):
        noise, public = self.noise, x25519(self.ephemeral)
        if not self.gateway_key:
            noise.mix_psk(self.psk)
            noise.mix_hash(public)
            noise.mix_key(public)
            return public + noise.seal(payload)
        noise.mix_hash(self.gateway_key)
        noise.mix_hash(public)
        noise.mix_key(public)
        noise.mix_key(x25519(self.ephemeral, self.gateway_key))
        static = noise.seal(x25519(self.static_secret))
        noise.mix_key(x25519(self.static_secret, self.gateway_key))
        return public + static + noise.seal(payload)

    def init(self, cookie=b""):
        """INIT, the same each time but for the cookie."""
        return self.prologue + bytes([len(cookie)]) + cookie + self.message

    def receive_response(self, datagram):
        """RESP: makes the keys and gives the policy's bytes."""
        if datagram[0] != 0xC2 or datagram[1:9] != self.handshake_id:
            raise NotAuthentic
        noise, public = self.noise, datagram[9:41]
        noise.mix_hash(public)
        noise.mix_key(public)
        noise.mix_key(x25519(self.ephemeral, public))
        if self.gateway_key:
            noise.mix_key(x25519(self.static_secret, public))
            noise.mix_psk(self.psk)
        payload = noise.open(datagram[41:])
        self.suite, self.node_tag = payload[0], int.from_bytes(payload[1:3], "big")
        to_gateway, to_client = noise.outputs(b"", 2)
        self.sending, self.receiving = Direction(self.suite, to_gateway), Direction(self.suite, to_client)
        return payload[3:]

    def data(self, content, index=0, is_payload=False, reserved=0):
        """A DATA datagram with frames, or with a payload alone, on the path of an index."""
        low, connection_id = self.number & 0xFFFFFFFF, self.sending.connection_id(index, self.node_tag)
        first = 0x40 | (self.sending.phase & 3) << 4 | is_payload << 3 | reserved
        header = struct.pack(">BQI", first, connection_id, low)
        additional = struct.pack(">B3xQI", first, connection_id, low)
        sealed = aead(self.suite, self.sending.key, self.sending.nonce(self.number), content, additional)
        self.number += 1
        return self.sending.mask(header + sealed)

    def open(self, datagram, index=0):
        """Frames of a DATA datagram as (type, body), after all checks of the document. A payload alone is a PAYLOAD too."""
        clear = self.receiving.mask(datagram)
        first, connection_id, low = struct.unpack(">BQI", clear[:13])
        if connection_id != self.receiving.connection_id(index) or first & 0xC7 != 0x40:
            raise NotAuthentic
        if first >> 4 & 3 == (self.receiving.phase + 1) & 3:
            self.receiving.next_phase()
        elif first >> 4 & 3 != self.receiving.phase & 3:
            raise NotAuthentic
        additional = struct.pack(">B3xQI", first, connection_id, low)
        content = aead(self.suite, self.receiving.key, self.receiving.nonce(low), clear[13:], additional, opens=True)
        self.largest = max(self.largest, low)
        self.had_payload_alone = bool(first & 0x08)
        if self.had_payload_alone:
            return [(PAYLOAD, content)]
        if not content:
            raise NotAuthentic
        return self.parse(content)

    @staticmethod
    def parse(frames):
        found = []
        while frames:
            kind = frames[0]
            if kind == PAYLOAD:
                length = len(frames) - 1
            elif kind == POLICY:
                length = 6 + int.from_bytes(frames[5:7], "big")
            elif kind == PROTECTED:
                length = 7 + int.from_bytes(frames[6:8], "big")
            elif kind == FRAGMENT:
                length = 13 + int.from_bytes(frames[12:14], "big")
            elif kind == ACK_RANGES:
                length = 9 + 4 * frames[7]
            else:
                length = BODIES[kind]
            found.append((kind, frames[1:1 + length]))
            frames = frames[1 + length:]
        return found
