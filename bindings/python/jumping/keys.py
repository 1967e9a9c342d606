"""Keys: X25519 pairs and pre-shared keys. Any thread may call these.

Python cannot wipe ``bytes``; a program that must not leave keys in memory keeps them in a ``bytearray``, which every
function here takes, and overwrites it.
"""

from __future__ import annotations

import ctypes
from typing import NamedTuple, Union

from . import _constants as c
from ._library import calls, calls_without_gil, check
from ._structures import as_bytes, key_bytes

__all__ = ["Buffer", "KeyPair", "generate_keypair", "init", "psk_from_passphrase", "public_key", "suites_available"]

#: What bytes may be given as.
Buffer = Union[bytes, bytearray, memoryview]

_PASSPHRASE_MAX, _REALM_MAX = 1024, 255


class KeyPair(NamedTuple):
    """An X25519 key pair, 32 bytes each. Its repr hides the secret."""

    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public.hex()}, secret=<hidden>)"


def init() -> None:
    """Initialises libsodium; every call that needs it does so itself. Raises :class:`~jumping.CryptoError`."""
    check(calls.jmp_init())


def suites_available() -> int:
    """The cipher suites this build, its libsodium and this CPU offer, as a set of :class:`~jumping.Suite` bits."""
    suites = ctypes.c_uint32()
    check(calls.jmp_suites_available(ctypes.byref(suites)))
    return suites.value


def generate_keypair() -> KeyPair:
    """A new X25519 key pair from system randomness."""
    public = ctypes.create_string_buffer(c.JMP_KEY_SIZE)
    secret = ctypes.create_string_buffer(c.JMP_KEY_SIZE)
    check(calls.jmp_keypair(public, secret))
    pair = KeyPair(public.raw, secret.raw)
    ctypes.memset(secret, 0, c.JMP_KEY_SIZE)
    return pair


def public_key(secret_key: Buffer) -> bytes:
    """The public key of a 32-byte X25519 secret key (RFC 7748)."""
    public = ctypes.create_string_buffer(c.JMP_KEY_SIZE)
    check(calls.jmp_public_key(key_bytes(secret_key, c.JMP_KEY_SIZE, "secret_key"), public))
    return public.raw


def psk_from_passphrase(passphrase: Union[str, Buffer], realm: Union[str, Buffer] = b"", hint: Buffer = b"") -> bytes:
    """A 32-byte PSK from a passphrase by Argon2id (3 passes, 64 MiB): some 100 ms, other Python threads run meanwhile.

    Both sides must use the same passphrase (1 ... 1024 bytes), realm (0 ... 255 bytes; names the deployment) and hint
    (0 ... 32 bytes; names the client). Text is taken as UTF-8. Whoever knows the passphrase can be either side.
    """
    secret = passphrase.encode("utf-8") if isinstance(passphrase, str) else as_bytes(passphrase, "passphrase")
    place = realm.encode("utf-8") if isinstance(realm, str) else as_bytes(realm, "realm")
    name = as_bytes(hint, "hint")
    if not 1 <= len(secret) <= _PASSPHRASE_MAX:
        raise ValueError(f"passphrase must have 1 to {_PASSPHRASE_MAX} bytes, not {len(secret)}")
    if len(place) > _REALM_MAX:
        raise ValueError(f"realm must have at most {_REALM_MAX} bytes, not {len(place)}")
    if len(name) > c.JMP_HINT_MAX:
        raise ValueError(f"hint must have at most {c.JMP_HINT_MAX} bytes, not {len(name)}")
    psk = ctypes.create_string_buffer(c.JMP_KEY_SIZE)
    check(calls_without_gil.jmp_psk_from_passphrase(secret, len(secret), place, len(place), name, len(name), psk))
    return psk.raw
