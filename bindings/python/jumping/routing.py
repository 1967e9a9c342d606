"""For balancers in front of several gateways: where does a datagram belong?"""

from __future__ import annotations

import ctypes
from typing import Any

from ._library import calls, check
from ._structs import jmp_route
from ._structures import as_bytes, with_size
from .enums import DatagramKind, known
from .keys import Buffer
from .records import Route

__all__ = ["route_datagram"]


def route_datagram(datagram: Buffer) -> Route:
    """Tells a datagram's kind and node tag without keys. Any thread. Raises UsageError when it is not of this protocol."""
    raw = as_bytes(datagram, "datagram")
    route: Any = with_size(jmp_route)
    check(calls.jmp_route_datagram(raw, len(raw), ctypes.byref(route)))
    return Route(known(DatagramKind, route.kind), route.connection_id, route.handshake_id, route.node_tag)
