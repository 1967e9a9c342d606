"""Exceptions by error domain.

The library answers every call with a status: 0, or a negative number in a documented range. Each range has one class
here, and statuses that a program wants to tell apart have their own subclass:

===============  ======================  ==================================================================
range            class                   subclasses
===============  ======================  ==================================================================
-1 ... -99       :class:`UsageError`     ClosedError, StaleSessionError, ForkedError
-100 ... -199    :class:`StateError`     PolicyError, SessionTerminated, NoPathError, SwitchDenied
-200 ... -299    :class:`LimitError`     RateLimited, NoRoom
-300 ... -399    :class:`CryptoError`    SuiteError, KeyRejected
-400 ... -499    :class:`InternalError`  OutOfMemory
===============  ======================  ==================================================================

After any of them nothing has changed. A bad datagram from the network is never an exception: it is a counter.
"""

from __future__ import annotations

from typing import Optional

from . import _constants as c

__all__ = [
    "AbiMismatchError", "ClosedError", "CryptoError", "ForkedError", "InternalError", "JumpingError", "KeyRejected",
    "LibraryNotFoundError", "LimitError", "NoPathError", "NoRoom", "OutOfMemory", "PolicyError", "RateLimited",
    "SessionTerminated", "StaleSessionError", "StateError", "SuiteError", "SwitchDenied", "UsageError",
    "error_class_for_status",
]


class JumpingError(Exception):
    """Base of every error the library reports.

    ``status`` is the library's negative status, the message its English sentence with the detail that is known.
    """

    status: int

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return (type(self), (self.status, str(self)))


class UsageError(JumpingError):
    """The call itself is wrong (-1 ... -99): an argument, a handle, a name, a size."""


class ClosedError(UsageError):
    """The endpoint (or its asyncio owner) has been closed."""


class StaleSessionError(UsageError):
    """The handle is not a live session of this endpoint: it never was, or the session is long gone."""


class ForkedError(UsageError):
    """The endpoint was made before ``fork()``; in the child its keys and nonces would repeat."""


class StateError(JumpingError):
    """Not possible in the session's present state, or not allowed by policy (-100 ... -199)."""


class PolicyError(StateError):
    """The policy is invalid (the message names the field) or forbids what was asked."""


class SessionTerminated(StateError):
    """The session is TERMINATED.

    ``reason`` is the stable name of the reason code when it is known ("transport_ttl_exceeded"), else None.
    """

    reason: Optional[str]

    def __init__(self, status: int, message: str, reason: Optional[str] = None) -> None:
        super().__init__(status, message)
        self.reason = reason

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return (type(self), (self.status, str(self), self.reason))


class NoPathError(StateError):
    """There is no path to send on."""


class SwitchDenied(StateError):
    """The switch was refused; a TransportSwitchDenied event tells why."""


class LimitError(JumpingError):
    """A cap has been reached (-200 ... -299)."""


class RateLimited(LimitError):
    """Too soon; try again later."""


class NoRoom(LimitError):
    """There is no room to take more now. After ``send_protected`` the event Writable tells when to try again."""


class CryptoError(JumpingError):
    """libsodium, cipher suites or keys (-300 ... -399)."""


class SuiteError(CryptoError):
    """No allowed cipher suite is available here."""


class KeyRejected(CryptoError):
    """A key is missing, weak or does not fit."""


class InternalError(JumpingError):
    """A broken invariant inside the library (-400 ... -499): please report it."""


class OutOfMemory(InternalError, MemoryError):
    """The library could not get memory."""


class LibraryNotFoundError(ImportError):
    """libjumping could not be loaded; the message lists every place that was tried."""


class AbiMismatchError(ImportError):
    """The library that was found speaks another ABI than this package."""


_BY_STATUS: dict[int, type[JumpingError]] = {
    c.JMP_ERR_ENDPOINT: ClosedError,
    c.JMP_ERR_SESSION: StaleSessionError,
    c.JMP_ERR_FORKED: ForkedError,
    c.JMP_ERR_POLICY: PolicyError,
    c.JMP_ERR_TERMINATED: SessionTerminated,
    c.JMP_ERR_NO_PATH: NoPathError,
    c.JMP_ERR_SWITCH_DENIED: SwitchDenied,
    c.JMP_ERR_RATE_LIMITED: RateLimited,
    c.JMP_AGAIN: NoRoom,
    c.JMP_ERR_SUITE: SuiteError,
    c.JMP_ERR_KEY: KeyRejected,
    c.JMP_ERR_MEMORY: OutOfMemory,
}


def error_class_for_status(status: int) -> type[JumpingError]:
    """The exception class of a negative status; :class:`JumpingError` itself for a status outside every range."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if -99 <= status <= -1:
        return UsageError
    if -199 <= status <= -100:
        return StateError
    if -299 <= status <= -200:
        return LimitError
    if -399 <= status <= -300:
        return CryptoError
    if -499 <= status <= -400:
        return InternalError
    return JumpingError
