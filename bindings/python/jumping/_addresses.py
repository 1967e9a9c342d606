"""Socket addresses as the library's opaque bytes, and back.

The encoding all hosts of this project share: IPv4 is 4 bytes and 2 bytes port (big endian), rate-limited by the whole
address; IPv6 is 16 and 2, rate-limited by its /64. A link-local IPv6 address also carries its scope id (4 bytes),
without which it could not be answered. Anything else may be given as raw bytes (1 ... 32), for transports of the host's own.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import Any, Union

from . import _constants as c
from ._structs import jmp_address
from ._structures import offset_of

__all__ = ["AddressCache", "RemoteAddress", "SocketAddress", "address_from_bytes", "pack_address"]

#: What ``socket.recvfrom`` gives: ``(host, port)`` or ``(host, port, flow_info, scope_id)``.
SocketAddress = Union[tuple[str, int], tuple[str, int, int, int]]
#: A numeric socket address, or opaque bytes for a transport that is not IP.
RemoteAddress = Union[SocketAddress, bytes]

_IPV4_LENGTH, _IPV6_LENGTH, _IPV6_SCOPED_LENGTH = 6, 18, 22
_IPV6_PREFIX_LENGTH = 8
_BYTES_OFFSET, _LENGTH_OFFSET = offset_of(jmp_address, "bytes"), offset_of(jmp_address, "length")


def pack_address(remote: RemoteAddress) -> tuple[bytes, int]:
    """Encodes ``remote`` as (bytes, prefix_length). Raises ValueError for a host that is not numeric or a bad port."""
    if isinstance(remote, (bytes, bytearray, memoryview)):
        raw = bytes(remote)
        if not 1 <= len(raw) <= c.JMP_ADDRESS_MAX:
            raise ValueError(f"a raw address has 1 to {c.JMP_ADDRESS_MAX} bytes, not {len(raw)}")
        return raw, 0
    if not isinstance(remote, tuple) or len(remote) not in (2, 4):
        raise TypeError(f"an address is (host, port), (host, port, flow_info, scope_id) or bytes, not {remote!r}")
    host, port = remote[0], remote[1]
    if not isinstance(host, str) or not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"an address is (host: str, port: int), not {remote!r}")
    if not 0 < port < 65536:
        raise ValueError(f"port {port} is not in 1 ... 65535")
    if ":" not in host:
        try:
            return socket.inet_pton(socket.AF_INET, host) + struct.pack(">H", port), 4
        except OSError:
            raise ValueError(f"{host!r} is not a numeric IPv4 or IPv6 address; resolve names first") from None
    plain, _, zone = host.partition("%")
    try:
        packed = socket.inet_pton(socket.AF_INET6, plain) + struct.pack(">H", port)
    except OSError:
        raise ValueError(f"{host!r} is not a numeric IPv4 or IPv6 address; resolve names first") from None
    scope_id = remote[3] if len(remote) == 4 else 0
    if not scope_id and zone:
        scope_id = int(zone) if zone.isdigit() else socket.if_nametoindex(zone)
    if scope_id:
        packed += struct.pack(">I", scope_id)
    return packed, _IPV6_PREFIX_LENGTH


def address_from_bytes(raw: bytes) -> RemoteAddress:
    """The socket address that ``raw`` encodes, in the form sockets take; ``raw`` itself when it is none of ours."""
    if len(raw) == _IPV4_LENGTH:
        return socket.inet_ntop(socket.AF_INET, raw[:4]), int.from_bytes(raw[4:6], "big")
    if len(raw) == _IPV6_LENGTH:
        return socket.inet_ntop(socket.AF_INET6, raw[:16]), int.from_bytes(raw[16:18], "big"), 0, 0
    if len(raw) == _IPV6_SCOPED_LENGTH:
        scope_id = int.from_bytes(raw[18:22], "big")
        return socket.inet_ntop(socket.AF_INET6, raw[:16]), int.from_bytes(raw[16:18], "big"), 0, scope_id
    return raw


class _Decoded(dict[bytes, RemoteAddress]):
    """From the bytes of a whole ``jmp_address`` to the address; what is asked for the first time is converted."""

    def __missing__(self, raw_struct: bytes) -> RemoteAddress:
        address = address_from_bytes(raw_struct[_BYTES_OFFSET:_BYTES_OFFSET + raw_struct[_LENGTH_OFFSET]])
        if len(self) >= AddressCache.CAPACITY:
            self.clear()
        self[raw_struct] = address
        return address


class _Encoded(dict[RemoteAddress, tuple[jmp_address, Any, bytes]]):
    """From an address to a C struct, a pointer to it and its bytes; what is asked for the first time is converted."""

    def __missing__(self, remote: RemoteAddress) -> tuple[jmp_address, Any, bytes]:
        packed, prefix_length = pack_address(remote)
        struct_ = jmp_address()
        struct_.length = len(packed)
        struct_.prefix_length = prefix_length
        ctypes.memmove(ctypes.addressof(struct_) + _BYTES_OFFSET, packed, len(packed))
        encoded = (struct_, ctypes.byref(struct_), bytes(struct_))
        if len(self) >= AddressCache.CAPACITY:
            self.clear()
        self[remote] = encoded
        return encoded


class AddressCache:
    """Remembers conversions in both directions, so that the data path pays a dictionary look-up only.

    Bounded: when full it is emptied, which costs a conversion per address and nothing else. ``encoded[address]`` is a C
    struct, a pointer to it and its bytes, which callers must not change; ``decoded[raw]`` is the address in the bytes of a
    whole ``jmp_address``.
    """

    CAPACITY = 4096

    def __init__(self) -> None:
        self.encoded, self.decoded = _Encoded(), _Decoded()

    def encode(self, remote: RemoteAddress) -> tuple[jmp_address, Any, bytes]:
        """``encoded[remote]``, for raw addresses of any type."""
        return self.encoded[bytes(remote) if isinstance(remote, (bytearray, memoryview)) else remote]
