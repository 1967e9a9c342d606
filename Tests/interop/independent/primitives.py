"""Cryptography under the wire document's names. Nothing here is ours but SipHash, which no package offers."""
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CHACHA20_POLY1305, AES_256_GCM = 1, 2
#: Suites this implementation has, best last. AEGIS-256 (4) is in neither package.
SUITE_NAMES = {CHACHA20_POLY1305: "ChaCha20-Poly1305", AES_256_GCM: "AES-256-GCM"}
TAG_LENGTH = 16
_AEADS = {CHACHA20_POLY1305: ChaCha20Poly1305, AES_256_GCM: AESGCM}
_MASK64 = (1 << 64) - 1


class NotAuthentic(Exception):
    """A datagram or message that was not made with these keys, or is no datagram of this session."""


def seal(suite, key, nonce, text, additional):
    """The sealed text with its tag."""
    return _AEADS[suite](key).encrypt(nonce, text, additional)


def unseal(suite, key, nonce, sealed, additional):
    """The text of what `seal` made."""
    try:
        return _AEADS[suite](key).decrypt(nonce, sealed, additional)
    except InvalidTag:
        raise NotAuthentic("the tag is wrong") from None


def public_key(secret):
    """The X25519 public key of 32 secret bytes."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def derive(secret, label, value, length):
    """The document's Derive."""
    return hashlib.blake2b(key=secret, salt=value.to_bytes(8, "little"), person=label.encode("ascii"), digest_size=length).digest()


def _rotate(value, count):
    return (value << count | value >> (64 - count)) & _MASK64


def _round(a, b, c, d):
    """SipRound."""
    a, c = (a + b) & _MASK64, (c + d) & _MASK64
    b, d = _rotate(b, 13) ^ a, _rotate(d, 16) ^ c
    a, c = (_rotate(a, 32) + d) & _MASK64, (c + b) & _MASK64
    d, b = _rotate(d, 21) ^ a, _rotate(b, 17) ^ c
    return a, b, _rotate(c, 32), d


def siphash(key, message):
    """SipHash-2-4 (Aumasson, Bernstein 2012): 8 bytes in the order the paper puts them out."""
    low, high = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:16], "little")
    state = (low ^ 0x736F6D6570736575, high ^ 0x646F72616E646F6D, low ^ 0x6C7967656E657261, high ^ 0x7465646279746573)
    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) & 0xFF])
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start:start + 8], "little")
        state = state[:3] + (state[3] ^ word,)
        state = _round(*_round(*state))
        state = (state[0] ^ word,) + state[1:]
    state = state[:2] + (state[2] ^ 0xFF,) + state[3:]
    for _ in range(4):
        state = _round(*state)
    return (state[0] ^ state[1] ^ state[2] ^ state[3]).to_bytes(8, "little")
