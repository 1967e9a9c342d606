"""Encrypted sessions whose identity does not depend on a network path.

:class:`Endpoint` is the protocol without sockets: the host owns sockets, threads and clock. :mod:`jumping.aio` is such a
host: asyncio over real UDP sockets. :mod:`jumping.audit` checks a trace.

    >>> import jumping
    >>> with jumping.Endpoint() as gateway:
    ...     gateway.add_psk(jumping.psk_from_passphrase("correct horse battery staple"))

Importing the package loads libjumping and compares its ABI version: :class:`LibraryNotFoundError` or
:class:`AbiMismatchError` (both ImportErrors) tell what is wrong and what helps.
"""

from __future__ import annotations

from ._addresses import RemoteAddress, SocketAddress
from ._library import LIBRARY_PATH
from ._library import version as library_version
from .clock import now_us, ppm, seconds, wall_clock_offset_us
from .endpoint import Endpoint
from .enums import (
    ConfigFlag,
    DatagramKind,
    DropCause,
    EventType,
    PathRole,
    Pattern,
    Reason,
    Role,
    State,
    Status,
    Suite,
    TransportClass,
    drop_name,
    event_name,
    path_role_name,
    reason_name,
    state_name,
    suite_name,
)
from .errors import (
    AbiMismatchError,
    ClosedError,
    CryptoError,
    ForkedError,
    InternalError,
    JumpingError,
    KeyRejected,
    LibraryNotFoundError,
    LimitError,
    NoPathError,
    NoRoom,
    OutOfMemory,
    PolicyError,
    RateLimited,
    SessionTerminated,
    StaleSessionError,
    StateError,
    SuiteError,
    SwitchDenied,
    UsageError,
)
from .events import Event
from .keys import KeyPair, generate_keypair, init, psk_from_passphrase, public_key, suites_available
from .records import (
    Datagram,
    DatagramView,
    EndpointStats,
    PathInfo,
    ProtectedPayload,
    Received,
    ReceivedView,
    Route,
    SessionInfo,
    SessionStats,
)
from .routing import route_datagram
from .session import Session
from .settings import Config, Policy, TransportConfig

__version__ = "0.1.0"

__all__ = [
    "AbiMismatchError", "ClosedError", "Config", "ConfigFlag", "CryptoError", "Datagram", "DatagramKind", "DatagramView",
    "DropCause", "Endpoint", "EndpointStats", "Event", "EventType", "ForkedError", "InternalError", "JumpingError",
    "KeyPair", "KeyRejected", "LIBRARY_PATH", "LibraryNotFoundError", "LimitError", "NoPathError", "NoRoom", "OutOfMemory",
    "PathInfo", "PathRole", "Pattern", "Policy", "PolicyError", "ProtectedPayload", "RateLimited", "Reason", "Received",
    "ReceivedView", "RemoteAddress", "Role", "Route", "Session", "SessionInfo", "SessionStats", "SessionTerminated",
    "SocketAddress", "StaleSessionError", "State", "StateError", "Status", "Suite", "SuiteError", "SwitchDenied",
    "TransportClass", "TransportConfig", "UsageError", "drop_name", "event_name", "generate_keypair", "init",
    "library_version", "now_us", "path_role_name", "ppm", "psk_from_passphrase", "public_key", "reason_name",
    "route_datagram", "seconds", "state_name", "suite_name", "suites_available", "wall_clock_offset_us",
]
