"""A session over asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Optional, Union

from .. import _constants as c
from .._addresses import SocketAddress
from ..enums import EventType, Reason, Role, State, reason_name
from ..errors import JumpingError, NoRoom, SessionTerminated
from ..events import Event
from ..keys import Buffer
from ..records import PathInfo, SessionInfo, SessionStats
from ..session import Session
from ..settings import Policy
from ._payload import Payload
from ._queue import BoundedQueue
from .transport import UdpTransport

if TYPE_CHECKING:
    from .endpoint import AsyncEndpoint

__all__ = ["AsyncSession"]

_Waiter = tuple[Callable[[], bool], "asyncio.Future[None]"]


class AsyncSession:
    """A session of an :class:`AsyncEndpoint`. ``async for payload in session`` ends when the session does.

    Received payloads, expendable and protected ones, wait in a queue of ``receive_capacity`` (of the endpoint; 1,024 unless told),
    each a :class:`Payload`: bytes with a ``channel``. When it is full the newest expendable one is dropped and counted in
    :attr:`receive_drops`, as a socket would; protected ones are never dropped: their sender waits.
    """

    def __init__(self, endpoint: AsyncEndpoint, core: Session, receive_capacity: int, protected_bytes: int) -> None:
        self._endpoint = endpoint
        self._core = core
        self._payloads: BoundedQueue[Payload] = BoundedQueue(receive_capacity)
        self._protected_limit = protected_bytes
        self._protected_bytes = 0  # of protected payloads in the queue
        self._is_holding = False  # the library keeps protected payloads until the queue is half empty
        self._turn = asyncio.Lock()  # those who send protected payloads wait for room in the order of their calls
        self._is_writable = True
        self._last_tag = 0
        self._reports: dict[int, asyncio.Future[bool]] = {}
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
        """Expendable payloads dropped because the receive queue was full."""
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

    async def send_protected(self, payload: Buffer, *, channel: int = 0, time_to_live_us: int = 0, report: bool = False) -> bool:
        """Sends a payload that must not get lost, 0 ... ``info().max_protected_payload`` bytes, however long the way is or however often
        the session jumps: it is sent until the peer has acknowledged it, and the peer receives it once.

        Returns when the library has taken it, at once while there is room in ``Config.send_buffer``; otherwise it waits, those who wait
        being served in the order of their calls. With ``report`` it returns when the peer has it: True; or when its time to
        live is over without word of that: False.

        ``channel`` 0 is unordered; the payloads of each channel 1 ... 15 arrive in the order of these calls, and no channel
        waits for another. ``time_to_live_us`` is microseconds from when it was taken (0: for ever); then it is given up, and an event
        PayloadExpired says so.

        Cancelling it while it waits for room leaves nothing behind; a payload that was taken goes on its way. Raises StateError
        before the session is established, UsageError (too long), ValueError (channel); SessionTerminated when the session ends
        while it waits, for room or with ``report`` for the peer: closing a session does not wait for what is on its way.
        """
        async with self._turn:
            taken = self._offer(payload, channel, time_to_live_us, report)
            while taken is None:
                await self._wait(lambda: self._is_writable)
                taken = self._offer(payload, channel, time_to_live_us, report)
        if not report:
            return True
        try:
            return await self._reports[taken]
        finally:
            del self._reports[taken]

    def _offer(self, payload: Buffer, channel: int, time_to_live_us: int, report: bool) -> Optional[int]:
        """Gives the library a protected payload. Its tag, or None when there is no room."""
        self._endpoint._ensure_open()
        self._last_tag += 1
        tag = self._last_tag
        try:
            self._core.send_protected(payload, channel=channel, time_to_live_us=time_to_live_us, tag=tag, report=report)
        except NoRoom:
            self._is_writable = False
            self._endpoint._pump()
            return None
        if report:
            self._reports[tag] = asyncio.get_running_loop().create_future()
        self._endpoint._pump()
        return tag

    async def receive(self) -> Payload:
        """The next payload. Raises SessionTerminated once the session has ended and the queue is empty."""
        try:
            return await self.__anext__()
        except StopAsyncIteration:
            raise self._termination() from None

    def receive_nowait(self) -> Optional[Payload]:
        """The next payload that waits, or None."""
        payload = self._payloads.take()
        if payload is not None and (self._is_holding or payload.channel is not None):
            self._note_taken(payload)
        return payload

    def __aiter__(self) -> AsyncSession:
        return self

    async def __anext__(self) -> Payload:
        payload = await self._payloads.get()
        if self._is_holding or payload.channel is not None:
            self._note_taken(payload)
        return payload

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

    def _deliver(self, payload: Payload) -> None:
        """Into the queue. A protected payload is never dropped; when the queue is full with it, the library holds the next ones."""
        if payload.channel is None:
            self._payloads.put(payload)
            return
        self._payloads._put_anyway(payload)
        self._protected_bytes += len(payload)
        is_full = len(self._payloads) >= self._payloads.capacity or self._protected_bytes >= self._protected_limit
        if is_full and not self._is_holding and not self.terminated:
            self._hold(True)

    def _note_taken(self, payload: Payload) -> None:
        if payload.channel is not None:
            self._protected_bytes -= len(payload)
        if self._is_holding and 2 * len(self._payloads) <= self._payloads.capacity and 2 * self._protected_bytes <= self._protected_limit:
            self._let_go()
            self._endpoint._pump()  # the peer is told that there is room again

    def _hold(self, hold: bool) -> None:
        self._is_holding = hold
        try:
            self._core.hold_payloads(hold)
        except JumpingError:
            pass  # the session, or the endpoint, is gone: there is nothing to hold

    def _let_go(self) -> None:
        """Takes what the library held."""
        self._hold(False)
        if not self._endpoint.closed:
            self._endpoint._collect()

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
            if self._is_holding:
                self._let_go()  # what is complete has arrived, and the library will not keep it for long
            self._payloads.close()
        elif event.type == EventType.WRITABLE:
            self._is_writable = True
        elif event.type in (EventType.PAYLOAD_ACKNOWLEDGED, EventType.PAYLOAD_EXPIRED):
            report = self._reports.get(event.payload_tag)
            if report is not None and not report.done():
                report.set_result(event.type == EventType.PAYLOAD_ACKNOWLEDGED)
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
        if self.terminated:
            for report in self._reports.values():
                if not report.done():
                    report.set_exception(self._termination())
