"""A session: the identity that outlives its transports."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _constants as c
from ._addresses import RemoteAddress
from ._library import calls
from ._structs import jmp_path_info, jmp_policy, jmp_session_info, jmp_session_stats
from ._structures import U32_MAX, unsigned, with_size
from .enums import Reason, State
from .keys import Buffer
from .records import Datagram, PathInfo, SessionInfo, SessionStats
from .settings import Policy

if TYPE_CHECKING:
    from .endpoint import Endpoint

__all__ = ["Session"]

_EXPLANATION_CAPACITY = 4096


class Session:
    """A session of an :class:`~jumping.Endpoint`: its handle with methods. Cheap to make, equal when the handle is.

    Once the session is gone (30 s after it is TERMINATED, or earlier when its slot is needed) every method raises
    :class:`~jumping.StaleSessionError`; after the endpoint is closed :class:`~jumping.ClosedError`.
    """

    __slots__ = ("endpoint", "handle")

    def __init__(self, endpoint: Endpoint, handle: int) -> None:
        self.endpoint = endpoint
        self.handle = unsigned(handle, "handle")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Session) and other.handle == self.handle and other.endpoint is self.endpoint

    def __hash__(self) -> int:
        return hash(self.handle)

    def __repr__(self) -> str:
        return f"<jumping.Session {self.handle:#x}>"

    def _check(self, status: int) -> None:
        if status != 0:
            self.endpoint._fail(status, self.handle)

    # ------------------------------------------------------------------------------------------- what it is

    def info(self) -> SessionInfo:
        """The session at this moment."""
        info: Any = with_size(jmp_session_info)
        self._check(calls.jmp_session_get_info(self.endpoint._handle, self.handle, ctypes.byref(info)))
        return SessionInfo._from_struct(info)

    @property
    def id(self) -> str:
        """The session's identity, 32 hexadecimal digits, constant from BIRTH to TERMINATED."""
        return self.info().session_id

    @property
    def state(self) -> Union[State, int]:
        """The session's state."""
        return self.info().state

    def stats(self) -> SessionStats:
        """The session's counters."""
        stats: Any = with_size(jmp_session_stats)
        self._check(calls.jmp_session_get_stats(self.endpoint._handle, self.handle, ctypes.byref(stats)))
        return SessionStats._from_struct(stats)

    def paths(self) -> list[PathInfo]:
        """Every path of the session."""
        array = (jmp_path_info * c.JMP_MAX_PATHS)()
        count = ctypes.c_size_t()
        self._check(calls.jmp_session_get_paths(self.endpoint._handle, self.handle, array, c.JMP_MAX_PATHS,
                                                ctypes.byref(count)))
        return [PathInfo._from_struct(array[index]) for index in range(count.value)]

    def explain(self, *, now: Optional[int] = None) -> str:
        """Why the session is on this path, and why not on each other one: one English line a path."""
        message = ctypes.create_string_buffer(_EXPLANATION_CAPACITY)
        self._check(calls.jmp_session_explain(self.endpoint._handle, self.handle, self.endpoint._time(now), message,
                                              _EXPLANATION_CAPACITY))
        return message.value.decode("utf-8", "replace")

    def policy(self) -> Policy:
        """The policy the session lives by (negotiated)."""
        policy: Any = with_size(jmp_policy)
        self._check(calls.jmp_session_get_policy(self.endpoint._handle, self.handle, ctypes.byref(policy)))
        return Policy._from_struct(policy)

    # --------------------------------------------------------------------------------------- what it can do

    def send(self, payload: Buffer, *, now: Optional[int] = None) -> Datagram:
        """Seals ``payload`` and gives the datagram to send at once; see :meth:`Endpoint.send`."""
        return self.endpoint.send(self.handle, payload, now=now)

    def send_protected(self, payload: Buffer, *, channel: int = 0, time_to_live_us: int = 0, tag: int = 0, report: bool = False,
                       now: Optional[int] = None) -> None:
        """Takes a payload that must not get lost; see :meth:`Endpoint.send_protected`."""
        self.endpoint.send_protected(self.handle, payload, channel=channel, time_to_live_us=time_to_live_us, tag=tag, report=report,
                                     now=now)

    def hold_payloads(self, hold: bool, *, now: Optional[int] = None) -> None:
        """Holds protected payloads back, or lets them go again; see :meth:`Endpoint.hold_payloads`."""
        self.endpoint.hold_payloads(self.handle, hold, now=now)

    def close(self, reason: int = Reason.OPERATOR_TERMINATED, *, now: Optional[int] = None) -> None:
        """Ends the session with ``OPERATOR_TERMINATED`` or ``SECURITY_FAILURE``. Send ``endpoint.transmits()``
        afterwards: they tell the peer."""
        number = unsigned(reason, "reason", U32_MAX)
        self._check(calls.jmp_session_close(self.endpoint._handle, self.handle, number, self.endpoint._time(now)))

    def add_path(self, transport: int, remote: RemoteAddress, *, now: Optional[int] = None) -> int:
        """Offers another path (client only): validated, kept warm, jumped to when needed. Gives its id."""
        path = ctypes.c_uint32()
        pointer = self.endpoint._data_path.addresses.encode(remote)[1]
        self._check(calls.jmp_path_add(self.endpoint._handle, self.handle, unsigned(transport, "transport", U32_MAX), pointer,
                                       self.endpoint._time(now), ctypes.byref(path)))
        return path.value

    def remove_path(self, path: int, *, now: Optional[int] = None) -> None:
        """Withdraws a path (client only); withdrawing the active one makes the session VOLATILE."""
        number = unsigned(path, "path", U32_MAX)
        self._check(calls.jmp_path_remove(self.endpoint._handle, self.handle, number, self.endpoint._time(now)))

    def request_switch(self, path: Optional[int] = None, *, now: Optional[int] = None) -> None:
        """Asks for a planned handover to ``path``, or to the best candidate. Raises SwitchDenied, which is audited."""
        number = c.JMP_PATH_NONE if path is None else unsigned(path, "path", U32_MAX)
        self._check(calls.jmp_session_request_switch(self.endpoint._handle, self.handle, number, self.endpoint._time(now)))

    def set_policy(self, policy: Policy, *, now: Optional[int] = None) -> None:
        """Replaces the policy of the live session (gateway only): in force when the call returns, audited."""
        struct = policy._checked_struct()
        self._check(calls.jmp_session_set_policy(self.endpoint._handle, self.handle, ctypes.byref(struct),
                                                 self.endpoint._time(now)))

    def rekey(self, *, now: Optional[int] = None) -> None:
        """Starts the next key phase now. Raises RateLimited while the peer has not used the present one."""
        self._check(calls.jmp_session_rekey(self.endpoint._handle, self.handle, self.endpoint._time(now)))
