"""A UDP socket as a transport, with a hook to lose datagrams below the library."""

from __future__ import annotations

import asyncio
import enum
import errno
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Optional, Union

from .. import _constants as c
from .._addresses import RemoteAddress, SocketAddress
from ..clock import now_us
from ..errors import ClosedError

if TYPE_CHECKING:
    from .endpoint import AsyncEndpoint

__all__ = ["DatagramFilter", "Direction", "UdpTransport", "resolve"]

_SOCKET_BUFFER_BYTES = 1 << 20
#: The interface or its routes are gone: worth a hint to the library, which never trusts hints alone.
_TRANSPORT_DOWN_ERRNOS = frozenset({errno.ENETDOWN, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.ENODEV})
_HINT_INTERVAL_US = 1_000_000
_ERRORS_PER_READ = 64


class Direction(enum.Enum):
    """Which way a datagram travels, seen from this host."""

    OUTGOING = "outgoing"
    INCOMING = "incoming"


#: Called with direction, datagram and remote address; False loses the datagram without telling anyone. The datagram is
#: valid during the call only.
DatagramFilter = Callable[[Direction, memoryview, RemoteAddress], bool]


async def resolve(host: str, port: int, family: int = socket.AF_UNSPEC) -> SocketAddress:
    """The first UDP address of ``host`` in ``family``. Raises OSError when there is none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_DGRAM)
    return found[0][4]  # type: ignore[return-value]


def _open_socket(local: SocketAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            opened.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER_BYTES)  # the kernel gives what it allows
        opened.bind(local)
    except BaseException:
        opened.close()
        raise
    return opened


class UdpTransport:
    """A UDP socket that belongs to an :class:`~jumping.aio.AsyncEndpoint`; made by ``add_udp_transport``.

    ``filter`` may be set at any time: it sees every datagram in both directions and loses those for which it returns
    False, as a bad link would. Counters: ``datagrams_sent``, ``datagrams_received``, ``filtered_outgoing``,
    ``filtered_incoming``, ``send_errors`` (the last one in ``last_error``).
    """

    def __init__(self, endpoint: AsyncEndpoint, name: str, number: int, opened: socket.socket) -> None:
        self.name = name
        self.number = number
        self.filter: Optional[DatagramFilter] = None
        self.datagrams_sent = self.datagrams_received = 0
        self.filtered_outgoing = self.filtered_incoming = 0
        self.send_errors = 0
        self.last_error: Optional[OSError] = None
        self._endpoint = endpoint
        self._socket = opened
        self._loop = asyncio.get_running_loop()
        self._hinted_down = False
        self._hinted_at_us = 0
        self._closed = False
        self._loop.add_reader(opened, endpoint._on_readable, self)

    def __repr__(self) -> str:
        return f"<jumping.aio.UdpTransport {self.name} {'closed' if self._closed else self.local_address}>"

    @property
    def family(self) -> int:
        """``socket.AF_INET`` or ``socket.AF_INET6``."""
        return int(self._socket.family)

    @property
    def local_address(self) -> SocketAddress:
        """The socket's own address, with the port the system chose."""
        return self._socket.getsockname()  # type: ignore[no-any-return]

    @property
    def closed(self) -> bool:
        """True once the socket is closed."""
        return self._closed

    def check_remote(self, remote: RemoteAddress) -> None:
        """Raises ValueError when this socket cannot send to ``remote``."""
        is_ipv6 = isinstance(remote, tuple) and ":" in remote[0]
        if not isinstance(remote, tuple) or is_ipv6 != (self.family == socket.AF_INET6):
            version = 6 if self.family == socket.AF_INET6 else 4
            raise ValueError(f"transport {self.name} is IPv{version} and cannot reach {remote!r}")

    def hint(self, up: bool) -> None:
        """Tells the library that this transport went down or came up (from netlink, say); it acts at once."""
        self._hinted_down = not up
        self._hinted_at_us = now_us()
        self._endpoint._hint(self, up)

    def rebind(self, local: Optional[SocketAddress] = None) -> None:
        """Opens a new socket (default: same host, new port) in place of the present one, without telling the library:
        for a socket that the system broke, and what a NAT does when it forgets. Raises ClosedError once it is closed."""
        if self._closed:
            raise ClosedError(c.JMP_ERR_ENDPOINT, f"transport {self.name} is closed")
        opened = _open_socket(local if local is not None else (self.local_address[0], 0))
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._socket = opened
        self._loop.add_reader(opened, self._endpoint._on_readable, self)

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _send(self, data: Union[bytes, memoryview], remote: RemoteAddress) -> bool:
        """False when the datagram surely never left this host."""
        if self._closed:
            return False
        if self.filter is not None and not self.filter(Direction.OUTGOING, memoryview(data), remote):
            self.filtered_outgoing += 1
            return True
        try:
            self._socket.sendto(data, remote)
        except ConnectionRefusedError:  # an earlier datagram's answer, reported on this call instead of sending
            return self._send_again(data, remote)
        except OSError as error:
            return self._refused(error)
        self.datagrams_sent += 1
        if self._hinted_down and now_us() - self._hinted_at_us > _HINT_INTERVAL_US:
            self.hint(True)
        return True

    def _send_again(self, data: Union[bytes, memoryview], remote: RemoteAddress) -> bool:
        try:
            self._socket.sendto(data, remote)
        except OSError as error:
            return self._refused(error)
        self.datagrams_sent += 1
        return True

    def _refused(self, error: OSError) -> bool:
        self.send_errors += 1
        self.last_error = error
        if error.errno in _TRANSPORT_DOWN_ERRNOS and not self._hinted_down:
            self._hinted_down = True
            self._hinted_at_us = now_us()
            self._loop.call_soon(self._endpoint._hint, self, False)  # not from inside the library's own drain
        return False

    def _read_batch(self, slots: Sequence[memoryview]) -> list[tuple[int, SocketAddress, int]]:
        """Reads into slot after slot while datagrams wait; what ``receive_batch_in_place`` takes."""
        arrivals = []
        for slot in slots:
            read = self._read_into(slot)
            if read is None:
                break
            arrivals.append((self.number, read[1], read[0]))
        return arrivals

    def _read_into(self, buffer: memoryview) -> Optional[tuple[int, SocketAddress]]:
        """(length, remote) of the next datagram that may be seen, or None when the socket is empty or closed."""
        errors = 0
        while not self._closed:
            try:
                length, remote = self._socket.recvfrom_into(buffer)
            except (BlockingIOError, InterruptedError):
                return None
            except OSError as error:  # an ICMP answer to something sent earlier: says nothing about this socket
                self.last_error = error
                errors += 1
                if errors == _ERRORS_PER_READ:
                    return None  # a socket that only fails must not hold the loop
                continue
            self.datagrams_received += 1
            if remote[1] == 0:
                continue  # nobody can be answered at port 0
            if self.filter is not None and not self.filter(Direction.INCOMING, buffer[:length], remote):
                self.filtered_incoming += 1
                continue
            return length, remote
        return None
