"""Sessions over real UDP sockets on asyncio.

:class:`AsyncEndpoint` owns the sockets (several local transports, IPv4 and IPv6), drives the library's timers by
CLOCK_BOOTTIME, sends what it wants sent after every call, and reads sockets first when the loop woke late. Sending
expendable payloads never waits, sending protected ones waits for room; what was received waits in bounded queues, where expendable
payloads are dropped and counted when one is full, and protected ones held back at their sender.

One loop, one thread: an endpoint and its sessions are used from the loop they were made on.
"""

from __future__ import annotations

from ._payload import Payload
from ._queue import BoundedQueue
from .endpoint import AsyncEndpoint, Authorizer
from .session import AsyncSession
from .transport import DatagramFilter, Direction, UdpTransport, resolve

__all__ = [
    "AsyncEndpoint", "AsyncSession", "Authorizer", "BoundedQueue", "DatagramFilter", "Direction", "Payload", "UdpTransport",
    "resolve",
]
