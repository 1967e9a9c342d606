"""Sessions over real UDP sockets on asyncio.

:class:`AsyncEndpoint` owns the sockets (several local transports, IPv4 and IPv6), drives the library's timers by
CLOCK_BOOTTIME, sends what it wants sent after every call, and reads sockets first when the loop woke late. Sending never
waits; receiving waits in bounded queues whose drops are counted.

One loop, one thread: an endpoint and its sessions are used from the loop they were made on.
"""

from __future__ import annotations

from ._queue import BoundedQueue
from .endpoint import AsyncEndpoint, Authorizer
from .session import AsyncSession
from .transport import DatagramFilter, Direction, UdpTransport, resolve

__all__ = [
    "AsyncEndpoint", "AsyncSession", "Authorizer", "BoundedQueue", "DatagramFilter", "Direction", "UdpTransport", "resolve",
]
