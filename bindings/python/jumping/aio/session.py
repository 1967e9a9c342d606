"""A session over asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Optional, Union

from .. import _constants as c
from .._addresses import SocketAddress
from ..enums import EventType, Reason, Role, State, reason_name
from ..errors import JumpingError, SessionTerminated
from ..events import Event
from ..keys import Buffer
from ..records import PathInfo, SessionInfo, SessionStats
from ..session import Session
from ..settings import Policy
from ._queue import BoundedQueue
from .transport import UdpTransport

if TYPE_CHECKING:
    from .endpoint import AsyncEndpoint

__all__ = ["AsyncSession"]

_Waiter = tuple[Callable[[], bool], "asyncio.Future[None]"]


class AsyncSession:
    """A session of an :class:`AsyncEndpoint`. ``async for payload in session`` ends when the session does.

    Received payloads wait in a queue of ``receive_capacity`` (of the endpoint; 1,024 unless told); when it is full the
    newest is dropped and counted in :attr:`receive_drops`, as a socket would.
    """

    def __init__(self, endpoint: AsyncEndpoint, core: Session, receive_capacity: int) -> None:
        self._endpoint = endpoint
        self._core = core
        self._payloads: BoundedQueue[bytes] = BoundedQueue(receive_capacity)
        self._waiters: list[_Waiter] = []
        self._error: Optional[BaseException] = None
        info = core.info()
        self._id = info.session_id
        self._role = info.role
        self._label = info.label
        self._state: Union[State, int] = info.state
        self._established = info.confirmed
        self._reason: Optional[Union[Reason, int]] = None

    def __repr__(self) -> str:
        return f"<jumping.aio.AsyncSession {self._id} {self._state!r}>"

    # ------------------------------------------------------------------------------------------- what it is

    @property
    def core(self) -> Session:
        """The session without asyncio. Do not call what sends on it: the datagrams would be yours to send."""
        return self._core

    @property
    def id(self) -> str:
        """The session's identity, 32 hexadecimal digits, constant for its life."""
        return self._id

    @property
    def role(self) -> Union[Role, int]:
        """CLIENT or GATEWAY: who this end is."""
        return self._role

    @property
    def label(self) -> str:
        """The audit label that the client gave the session."""
        return self._label

    @property
    def state(self) -> Union[State, int]:
        """The session's state."""
        return self._state

    @property
    def established(self) -> bool:
        """True once the session could carry payloads; stays True afterwards."""
        return self._established

    @property
    def terminated(self) -> bool:
        """True once the session is TERMINATED (or its endpoint closed)."""
        return self._state == State.TERMINATED or self._error is not None

    @property
    def termination_reason(self) -> Optional[Union[Reason, int]]:
        """Why the session is TERMINATED; None while it is not."""
        return self._reason

    @property
    def receive_drops(self) -> int:
        """Payloads dropped because the receive queue was full."""
        return self._payloads.drops

    def info(self) -> SessionInfo:
        """The session at this moment."""
        return self._core.info()

    def stats(self) -> SessionStats:
        """The session's counters."""
        return self._core.stats()

    def paths(self) -> list[PathInfo]:
        """Every path of the session."""
        return self._core.paths()

    def policy(self) -> Policy:
        """The policy the session lives by."""
        return self._core.policy()

    def explain(self) -> str:
        """Why the session is on this path, and why not on each other one."""
        return self._core.explain()

    # --------------------------------------------------------------------------------------------- payloads

    def send(self, payload: Buffer) -> bool:
        """Seals and sends ``payload`` at once, without waiting for anything: it is a datagram and may be lost.

        False when the socket refused it (its buffer is full, its network is gone); the library is told. Raises
        StateError before the session is established, SessionTerminated, NoPathError, UsageError (too long).
        """
        self._endpoint._ensure_open()
        return self._endpoint._send(self, payload)

    def send_many(self, payloads: Iterable[Buffer]) -> list[Union[bool, JumpingError]]:
        """:meth:`send` for many payloads at less cost. The results are in their order: True; False when the socket refused
        it; or the error that :meth:`send` would have raised for this one. Nothing is sent when it raises TypeError."""
        self._endpoint._ensure_open()
        return self._endpoint._send_many(self, payloads)

    async def receive(self) -> bytes:
        """The next payload. Raises SessionTerminated once the session has ended and the queue is empty."""
        try:
            return await self._payloads.get()
        except StopAsyncIteration:
            raise self._termination() from None

    def receive_nowait(self) -> Optional[bytes]:
        """The next payload that waits, or None."""
        return self._payloads.take()

    def __aiter__(self) -> AsyncSession:
        return self

    async def __anext__(self) -> bytes:
        return await self._payloads.get()

    # ---------------------------------------------------------------------------------------------- waiting

    async def wait_established(self) -> None:
        """Returns once the session can carry payloads. Raises SessionTerminated when the handshake fails."""
        await self._wait(lambda: self._established)

    async def wait_state(self, *states: State) -> State:
        """Returns once the session is in one of ``states``. Raises SessionTerminated when it can never be."""
        await self._wait(lambda: self._state in states)
        return State(self._state)

    async def wait_terminated(self) -> Optional[Union[Reason, int]]:
        """Returns once the session has ended, with the reason."""
        await self._wait(lambda: self.terminated)
        return self._reason

    async def _wait(self, reached: Callable[[], bool]) -> None:
        while not reached():
            if self.terminated:
                raise self._termination()
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            waiter = (reached, future)
            self._waiters.append(waiter)
            try:
                await future
                return  # it was reached, even if the session has moved on since
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def _termination(self) -> BaseException:
        if self._error is not None:
            return self._error
        reason = reason_name(self._reason) if self._reason is not None else None
        return SessionTerminated(c.JMP_ERR_TERMINATED, f"the session is TERMINATED ({reason})", reason)

    # --------------------------------------------------------------------------------------------- steering

    def add_path(self, transport: UdpTransport, remote: SocketAddress) -> int:
        """Offers the session another path (client only): a transport and the gateway's numeric address there."""
        self._endpoint._ensure_open()
        transport.check_remote(remote)
        path = self._core.add_path(transport.number, remote)
        self._endpoint._pump()
        return path

    def remove_path(self, path: int) -> None:
        """Withdraws a path (client only)."""
        self._endpoint._ensure_open()
        self._core.remove_path(path)
        self._endpoint._pump()

    def request_switch(self, path: Optional[int] = None) -> None:
        """Asks for a planned handover to ``path``, or to the best candidate. Raises SwitchDenied."""
        self._endpoint._ensure_open()
        try:
            self._core.request_switch(path)
        finally:
            self._endpoint._pump()  # a denial is audited too

    def set_policy(self, policy: Policy) -> None:
        """Replaces the policy of the live session (gateway only)."""
        self._endpoint._ensure_open()
        self._core.set_policy(policy)
        self._endpoint._pump()

    def rekey(self) -> None:
        """Starts the next key phase now."""
        self._endpoint._ensure_open()
        self._core.rekey()
        self._endpoint._pump()

    def close(self, reason: int = Reason.OPERATOR_TERMINATED) -> None:
        """Ends the session and tells the peer. Closing one that has ended does nothing."""
        if not self.terminated:
            self._endpoint._ensure_open()
            self._core.close(reason)
            self._endpoint._pump()

    # ------------------------------------------------------------------------------ called by the endpoint

    def _deliver(self, payload: bytes) -> None:
        self._payloads.put(payload)

    def _note(self, event: Event) -> None:
        """Follows the session's life. A state is shown to waiters even when it lasts no longer than one event."""
        if event.type == EventType.SESSION_STATE_CHANGE:
            self._state = event.new_state
        elif event.type == EventType.SESSION_ESTABLISHED:
            self._established = True
            self._label = self._label or event.label
        elif event.type == EventType.SESSION_TERMINATED:
            self._state = State.TERMINATED
        if self._state == State.TERMINATED:
            # The transition comes before SessionTerminated; either ends the session, since the queue may have dropped one.
            self._reason = event.reason
            self._payloads.close()
        self._wake()

    def _break(self, error: BaseException, for_payloads: Optional[BaseException]) -> None:
        """The endpoint is gone: nothing will ever arrive. Iteration ends, with ``for_payloads`` raised when it is given."""
        if not self.terminated:
            self._error = error
        self._payloads.close(for_payloads)
        self._wake()

    def _wake(self) -> None:
        for reached, future in list(self._waiters):
            if future.done():
                continue
            if reached():
                future.set_result(None)
            elif self.terminated:
                future.set_exception(self._termination())
