"""INIT and RESP with `noiseprotocol`: both patterns, both roles.

A NoiseConnection that failed to read a message is of no further use, but a RESP that does not open must change nothing. So a
connection is made anew for every message that is read; the ephemeral key stays.
"""
import os
import warnings

from cryptography.exceptions import InvalidTag
from noise.connection import Keypair, NoiseConnection

from .layouts import (CLIENT_HELLO, CLIENT_HELLO_LENGTH, COOKIE, COOKIE_BYTE, GATEWAY_HELLO, INIT, INIT_BYTE, RESP, RESP_BYTE,
                      Malformed, values_of)
from .primitives import NotAuthentic

NNPSK0, IKPSK2 = 1, 2
PATTERN_NAMES = {NNPSK0: b"Noise_NNpsk0_25519_ChaChaPoly_SHA256", IKPSK2: b"Noise_IKpsk2_25519_ChaChaPoly_SHA256"}
NO_PSK = bytes(32)
#: Bytes of Noise message 1 by pattern: public keys and tags round the client hello.
MESSAGE_1_LENGTHS = {NNPSK0: CLIENT_HELLO_LENGTH + 48, IKPSK2: CLIENT_HELLO_LENGTH + 96}
SECOND_US = 1_000_000
#: The limits of a client that asks for nothing but the default policy.
DEFAULT_LIMITS = {
    "max lifetime": 8 * 3600 * SECOND_US, "transport-lost TTL": 30 * SECOND_US, "recovery window": 8 * SECOND_US,
    "proof max age": 5 * SECOND_US, "switch cooldown": 1_500_000, "max switches per minute": 8, "max candidates": 3,
    "allowed classes": 0xFFFF_FFFF, "strict binding": 0,
}


def connection(pattern, initiator, prologue, psk, ephemeral, static=None, remote_static=None):
    """A NoiseConnection that can begin."""
    noise = NoiseConnection.from_name(PATTERN_NAMES[pattern])
    if initiator:
        noise.set_as_initiator()
    else:
        noise.set_as_responder()
    noise.set_prologue(prologue)
    noise.set_psks(psk=psk)
    noise.set_keypair_from_private_bytes(Keypair.EPHEMERAL, ephemeral)
    if pattern == IKPSK2:
        noise.set_keypair_from_private_bytes(Keypair.STATIC, static)
        if initiator:
            noise.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, remote_static)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")   # that the ephemeral key is set is on purpose
        noise.start_handshake()
    return noise


def read_message(noise, message):
    """The payload of a Noise message."""
    try:
        return bytes(noise.read_message(message))
    except (InvalidTag, ValueError) as error:
        raise NotAuthentic(f"a Noise message does not open: {error!r}") from None


def split(noise):
    """The secrets client→gateway and gateway→client of a finished handshake, at either end."""
    ends = noise.noise_protocol
    own, other = bytes(ends.cipher_state_encrypt.k), bytes(ends.cipher_state_decrypt.k)
    return own, other


def prologue_of(values):
    """INIT from byte 0 through the hint."""
    return INIT.write({**values, "cookie": b"", "Noise message 1": b""})[:-1]


class ClientHandshake:
    """One handshake of a client."""

    def __init__(self, psk=NO_PSK, hint=b"", gateway_key=None, static=None, **hello):
        """IKpsk2 when `gateway_key` is given. `hello` replaces fields of the client hello, by name with underscores."""
        self.pattern = NNPSK0 if gateway_key is None else IKPSK2
        self.keys = {"psk": psk, "ephemeral": os.urandom(32), "static": static, "remote_static": gateway_key}
        self.header = {"datagram type": INIT_BYTE, "version": 1, "handshake id": os.urandom(8), "pattern": self.pattern, "hint": hint}
        values = {"session id": os.urandom(16), "suites": 3, "transport class": 0, "transport name": "udp:A", "label": "independent",
                  **DEFAULT_LIMITS, **{name.replace("_", " "): value for name, value in hello.items()}, "zeros": b""}
        self.session_id = values["session id"]
        self.suites = values["suites"]
        self.hello = CLIENT_HELLO.write(values).ljust(CLIENT_HELLO_LENGTH, b"\0")
        self.cookie = b""

    def _begin(self):
        noise = connection(self.pattern, True, prologue_of(self.header), **self.keys)
        return noise, bytes(noise.write_message(self.hello))

    def init(self):
        """INIT, the same each time but for the cookie."""
        return INIT.write({**self.header, "cookie": self.cookie, "Noise message 1": self._begin()[1]})

    def take_cookie(self, datagram):
        """COOKIE: its bytes go into the next INIT."""
        values = values_of(COOKIE.read(datagram)[0])
        if values["handshake id"] == self.header["handshake id"]:
            self.cookie = values["cookie"]

    def take_response(self, datagram):
        """RESP: the gateway hello's values and the secrets client→gateway, gateway→client."""
        values = values_of(RESP.read(datagram)[0])
        if values["handshake id"] != self.header["handshake id"]:
            raise NotAuthentic("another handshake")
        noise, _ = self._begin()
        payload = read_message(noise, values["Noise message 2"])
        hello = values_of(GATEWAY_HELLO.read(payload)[0])
        if hello["suite"] & (hello["suite"] - 1) or not hello["suite"] & self.suites:
            raise Malformed("a suite that was not offered")
        to_gateway, to_client = split(noise)
        return hello, to_gateway, to_client


class GatewayHandshake:
    """What a gateway makes of one INIT."""

    def __init__(self, datagram, psks=None, client_keys=None, static=None):
        """`psks` by hint, `client_keys` (PSK or None by public key). Raises NotAuthentic when nobody is let in."""
        values = values_of(INIT.read(datagram)[0])
        self.values, self.pattern = values, values["pattern"]
        if values["version"] != 1 or len(values["Noise message 1"]) != MESSAGE_1_LENGTHS.get(self.pattern):
            raise Malformed("no INIT of version 1")
        psk = NO_PSK if self.pattern == IKPSK2 else (psks or {}).get(values["hint"])
        if psk is None or self.pattern == IKPSK2 and static is None:
            raise NotAuthentic("unknown hint")
        self.noise = connection(self.pattern, False, prologue_of(values), psk, os.urandom(32), static)
        payload = read_message(self.noise, values["Noise message 1"])
        if len(payload) != CLIENT_HELLO_LENGTH:
            raise Malformed("a hello of another length")
        self.hello = values_of(CLIENT_HELLO.read(payload)[0])
        if self.pattern == IKPSK2:
            identity = self.noise.noise_protocol.handshake_state.rs.public_bytes
            if identity not in (client_keys or {}):
                raise NotAuthentic("unknown client key")
            # The PSK is mixed in with message 2 only, so it may be chosen by the identity.
            self.noise.set_psks(psk=client_keys[identity] or NO_PSK)

    def response(self, suite, node_tag, policy):
        """RESP and the secrets client→gateway, gateway→client."""
        hello = GATEWAY_HELLO.write({"suite": suite, "node tag": node_tag, **policy})
        message = bytes(self.noise.write_message(hello))
        to_client, to_gateway = split(self.noise)
        datagram = RESP.write({"datagram type": RESP_BYTE, "handshake id": self.values["handshake id"], "Noise message 2": message})
        return datagram, to_gateway, to_client


def is_cookie(datagram):
    """Whether a datagram is a COOKIE."""
    return datagram[:1] == bytes([COOKIE_BYTE])
