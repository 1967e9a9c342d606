"""An endpoint that owns UDP sockets and timers on the running asyncio loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Optional, Union

from .. import _constants as c
from .._addresses import SocketAddress, pack_address
from ..clock import MICROSECONDS_PER_SECOND, now_us
from ..endpoint import Endpoint
from ..enums import EventType, Role, State
from ..errors import ClosedError, JumpingError, SessionTerminated
from ..events import Event
from ..keys import Buffer
from ..records import Datagram, DatagramView, EndpointStats, Received
from ..settings import DEFAULT_HANDSHAKE_TIMEOUT_US, Config, Policy, TransportConfig
from ._payload import Payload, on_channel
from ._queue import BoundedQueue
from .session import AsyncSession
from .transport import UdpTransport, _open_socket, resolve

__all__ = ["AsyncEndpoint", "Authorizer"]

#: Answers a session that asks to come in (``ConfigFlag.ASK``): True or a PSK accepts, None or False refuses. It sees the
#: AcceptRequested event (pattern, hint, peer key) and must return at once.
Authorizer = Callable[[Event], Union[bytes, bool, None]]

#: Sockets read in one turn of the loop, so that a flood on one does not starve the rest.
_DATAGRAMS_PER_TURN = 64
#: Upper bound of what a late wake-up reads from one socket before it lets time pass.
_DATAGRAMS_WHEN_LATE = 4096
#: The loop's timers are up to a millisecond coarse; beyond twice that the process did not run in time.
_LATE_US = 2_000
#: asyncio sleeps by CLOCK_MONOTONIC, which stands still in suspend while the library's clock does not: no sleep is longer.
_LONGEST_SLEEP_US = 1_000_000
_CLOSE_RETRIES, _CLOSE_RETRY_SECONDS = 10, 0.005


class AsyncEndpoint:
    """A gateway, a client or both. Use it with ``async with``, or ``await close()`` it.

    ``async for session in endpoint`` gives each session that clients establish. ``accept_backlog`` of them may wait
    (further ones are closed and counted in ``accept_drops``); each session's receive queue holds ``receive_capacity``
    payloads, and of protected ones no more bytes than ``config.receive_buffer``. Everything runs on the loop that was running when the first transport was added; methods are called from there.
    """

    def __init__(self, config: Optional[Config] = None, policy: Optional[Policy] = None, *,
                 authorize: Optional[Authorizer] = None, accept_backlog: int = 1024, receive_capacity: int = 1024) -> None:
        config = config if config is not None else Config()
        self._core = Endpoint(config, policy)
        self._authorize = authorize
        self._receive_limits = (receive_capacity, config.receive_buffer)
        self._transports: dict[int, UdpTransport] = {}
        self._sessions: dict[int, AsyncSession] = {}
        self._accepted: BoundedQueue[AsyncSession] = BoundedQueue(accept_backlog)
        self._early: dict[int, list[Payload]] = {}  # payloads of a batch whose sessions begin in it
        self._short_lived: list[int] = []  # sessions that were TERMINATED when first heard of
        self._streams: list[BoundedQueue[Event]] = []
        self._listeners: list[Callable[[Event], None]] = []
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._timer: Optional[asyncio.TimerHandle] = None
        self._timer_at_us = 0
        self._closing = False
        self._unsent_at_close: list[Datagram] = []
        self.late_wakeups = 0

    # ------------------------------------------------------------------------------------------------- life

    async def __aenter__(self) -> AsyncEndpoint:
        return self

    async def __aexit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<jumping.aio.AsyncEndpoint {'closed' if self.closed else f'{len(self._sessions)} sessions'}>"

    @property
    def closed(self) -> bool:
        """True after :meth:`close`."""
        return self._core.closed

    @property
    def core(self) -> Endpoint:
        """The endpoint without asyncio, for its keys and settings. After a call that changes a session, call :meth:`pump`."""
        return self._core

    async def close(self) -> None:
        """Closes every session, sends each peer the word, closes the sockets and wipes the keys."""
        if self.closed or self._closing:
            return
        self._closing = True
        for session in list(self._sessions.values()):
            try:
                session.core.close()
            except JumpingError:
                pass  # it ended by itself meanwhile
        try:
            self._pump()
            for _ in range(_CLOSE_RETRIES):
                waiting, self._unsent_at_close = self._unsent_at_close, []
                if not waiting:
                    break
                await asyncio.sleep(_CLOSE_RETRY_SECONDS)
                for datagram in waiting:
                    self._transmit(datagram)
        finally:  # also when this task is cancelled, or the library refuses: sockets and keys must not stay
            self._stop(ClosedError(c.JMP_ERR_ENDPOINT, "the endpoint is closed"), None)

    def _stop(self, for_sessions: BaseException, for_queues: Optional[BaseException]) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for transport in self._transports.values():
            transport._close()
        for session in self._sessions.values():
            session._break(for_sessions, for_queues)
        self._transports.clear()
        self._sessions.clear()
        self._accepted.close(for_queues)
        for stream in self._streams:
            stream.close(for_queues)
        self._core.close()

    def _ensure_open(self) -> None:
        if self.closed:
            raise ClosedError(c.JMP_ERR_ENDPOINT, "the endpoint is closed")

    def stats(self) -> EndpointStats:
        """The endpoint's counters."""
        return self._core.stats()

    @property
    def accept_drops(self) -> int:
        """Sessions closed because nobody took them from the accept queue."""
        return self._accepted.drops

    # ------------------------------------------------------------------------------------------------- keys

    def add_psk(self, psk: Buffer, hint: Buffer = b"") -> None:
        """Lets clients in that prove ``psk`` and name it by ``hint``."""
        self._core.add_psk(psk, hint)

    def set_static_key(self, secret_key: Buffer) -> None:
        """Gives the endpoint its X25519 secret key, for IKpsk2."""
        self._core.set_static_key(secret_key)

    def add_client_key(self, public_key: Buffer, psk: Optional[Buffer] = None) -> None:
        """Lets the client with this public key in by IKpsk2."""
        self._core.add_client_key(public_key, psk)

    # ------------------------------------------------------------------------------------------- transports

    def add_udp_transport(self, name: str, local: SocketAddress = ("0.0.0.0", 0), *, transport_class: int = 0,
                          cost: int = 1, mtu: int = c.JMP_DEFAULT_MTU) -> UdpTransport:
        """Binds a UDP socket to ``local`` (numeric; port 0 lets the system choose) and makes it the transport ``name``.

        Raises OSError when the socket cannot be had, UsageError when the name is taken or not 1 ... 15 ASCII characters.
        """
        self._ensure_open()
        self._loop = asyncio.get_running_loop()
        opened = _open_socket(local)
        try:
            number = self._core.add_transport(TransportConfig(name, int(transport_class), cost, mtu))
        except BaseException:
            opened.close()
            raise
        transport = UdpTransport(self, name, number, opened)
        self._transports[number] = transport
        self._pump()
        return transport

    def remove_transport(self, transport: UdpTransport) -> None:
        """Closes the socket and tells the library: sessions bound to it become VOLATILE and recover on another."""
        self._ensure_open()
        if self._transports.pop(transport.number, None) is None:
            return
        transport._close()
        self._core.remove_transport(transport.number)
        self._pump()

    @property
    def transports(self) -> list[UdpTransport]:
        """The transports, in the order they were added."""
        return list(self._transports.values())

    # --------------------------------------------------------------------------------------------- sessions

    def start(self, transport: UdpTransport, remote: SocketAddress, *, psk: Optional[Buffer] = None, hint: Buffer = b"",
              gateway_key: Optional[Buffer] = None, label: str = "",
              handshake_timeout_us: int = DEFAULT_HANDSHAKE_TIMEOUT_US,
              paths: Iterable[tuple[UdpTransport, SocketAddress]] = ()) -> AsyncSession:
        """Begins a session to the gateway at the numeric ``remote`` and returns before the handshake is done.

        NNpsk0 with ``psk`` (named by ``hint``), or IKpsk2 when ``gateway_key`` is given; ``label`` is for the audit
        trail; ``paths`` are offered as candidates from the beginning.
        """
        self._ensure_open()
        transport.check_remote(remote)
        core = self._core.connect(transport.number, remote, psk=psk, hint=hint, gateway_key=gateway_key, label=label,
                                  handshake_timeout_us=handshake_timeout_us)
        session = AsyncSession(self, core, *self._receive_limits)
        self._sessions[core.handle] = session
        try:
            for other, address in paths:
                other.check_remote(address)
                core.add_path(other.number, address)
        except BaseException:
            session.close()  # nobody would have it
            raise
        self._pump()
        return session

    async def connect(self, transport: UdpTransport, remote: SocketAddress, *, psk: Optional[Buffer] = None,
                      hint: Buffer = b"", gateway_key: Optional[Buffer] = None, label: str = "",
                      handshake_timeout_us: int = DEFAULT_HANDSHAKE_TIMEOUT_US,
                      paths: Iterable[tuple[UdpTransport, SocketAddress]] = ()) -> AsyncSession:
        """:meth:`start`, and wait until the session is established. ``remote`` may be a host name.

        Raises SessionTerminated (handshake_failed) when the gateway does not answer or does not agree.
        """
        self._ensure_open()
        try:
            pack_address(remote)
        except ValueError:
            remote = await resolve(remote[0], remote[1], transport.family)
        session = self.start(transport, remote, psk=psk, hint=hint, gateway_key=gateway_key, label=label,
                             handshake_timeout_us=handshake_timeout_us, paths=paths)
        try:
            await session.wait_established()
        except asyncio.CancelledError:
            session.close()
            raise
        return session

    @property
    def sessions(self) -> list[AsyncSession]:
        """Every session that has not ended."""
        return list(self._sessions.values())

    def __aiter__(self) -> AsyncEndpoint:
        return self

    async def __anext__(self) -> AsyncSession:
        return await self._accepted.get()

    # ----------------------------------------------------------------------------------------------- events

    def events(self, capacity: int = 4096) -> BoundedQueue[Event]:
        """An async iterator over every event from now on. A slow reader loses the newest, counted in its ``drops``."""
        stream: BoundedQueue[Event] = BoundedQueue(capacity)
        if self.closed:
            stream.close()
        self._streams.append(stream)
        return stream

    def add_event_listener(self, listener: Callable[[Event], None]) -> None:
        """Calls ``listener`` with every event from now on, at once and in order: for trace files. It must be quick, and
        must not call the endpoint."""
        self._listeners.append(listener)

    # ------------------------------------------------------------------------------------------ the machine

    def pump(self) -> None:
        """Sends what the library wants sent, hands out events, sets the timer. Every method here does so itself."""
        self._ensure_open()
        self._pump()

    def _send(self, session: AsyncSession, payload: Buffer) -> bool:
        datagram = session.core.send(payload)
        left = self._transmit(datagram)
        self._pump()
        return left

    def _send_many(self, session: AsyncSession, payloads: Iterable[Buffer]) -> list[Union[bool, JumpingError]]:
        handle = session.core.handle
        sealed = self._core.send_batch([(handle, payload) for payload in payloads], copy=False)
        results = [result if isinstance(result, JumpingError) else self._transmit(result) for result in sealed]
        self._pump()
        return results

    def _transmit(self, datagram: Union[Datagram, DatagramView]) -> bool:
        transport = self._transports.get(datagram.transport)
        if transport is not None and transport._send(datagram.data, datagram.remote):
            return True
        if self._closing and transport is not None and not transport.closed:
            self._unsent_at_close.append(Datagram(*datagram)._replace(data=bytes(datagram.data)))
        elif datagram.packet_number is not None:
            try:
                self._core.unsent(datagram.session, datagram.packet_number)
            except JumpingError:
                pass  # the session ended meanwhile
        return False

    def _pump(self) -> None:
        if self._core.closed:
            return
        answered = True
        while answered:
            answered = False
            now = now_us()
            datagram = self._core.poll_transmit(now=now)
            while datagram is not None:
                self._transmit(datagram)
                datagram = self._core.poll_transmit(now=now)
            event = self._core.poll_event()
            while event is not None:
                answered = self._dispatch(event) or answered
                event = self._core.poll_event()
        while self._short_lived:
            self._bury(self._short_lived.pop())
        self._arm()

    def _bury(self, handle: int) -> None:
        """Ends a session that is TERMINATED even when the word of its end was dropped from a full queue."""
        session = self._sessions.pop(handle, None)
        if session is not None:
            session._break(SessionTerminated(c.JMP_ERR_TERMINATED, "the session is TERMINATED"), None)

    def _dispatch(self, event: Event) -> bool:
        """Hands out one event; True when the library was called because of it."""
        for listener in self._listeners:
            listener(event)
        for stream in self._streams:
            stream.put(event)
        if event.type == EventType.ACCEPT_REQUESTED:
            self._answer(event)
            return True
        if not event.session:
            return False
        session = self._sessions.get(event.session) or self._adopt(event)
        if session is None:
            return False
        was_established = session.established
        session._note(event)
        if session.terminated:
            self._sessions.pop(event.session, None)
        elif session.established and not was_established and session.role == Role.GATEWAY:
            if not self._accepted.put(session):
                session.core.close()
                return True
        return False

    def _adopt(self, event: Event) -> Optional[AsyncSession]:
        """A session that a client began, when it is first heard of."""
        if event.type == EventType.SESSION_TERMINATED:
            return None
        try:
            core = self._core.session(event.session)
            session = AsyncSession(self, core, *self._receive_limits)
        except JumpingError:
            return None  # gone again before its event was read
        if session.state == State.TERMINATED:
            if event.type != EventType.SESSION_CREATED:
                return None
            session._state = State.BIRTH  # it began and ended in one batch: its events tell so in turn
            self._short_lived.append(event.session)
        session._established = False
        self._sessions[event.session] = session
        for payload in self._early.pop(event.session, ()):
            session._deliver(payload)
        return session

    def _answer(self, event: Event) -> None:
        answer = self._authorize(event) if self._authorize is not None else None
        try:
            if answer is None or answer is False:
                self._core.refuse(event.session)
            else:
                self._core.accept(event.session, None if answer is True else answer)
        except JumpingError:
            pass  # the request expired meanwhile, or its handshake does not open with this key: it is audited

    def _hint(self, transport: UdpTransport, up: bool) -> None:
        if not self.closed and transport.number in self._transports:
            self._core.hint_transport(transport.number, up)
            self._pump()

    def _on_readable(self, transport: UdpTransport) -> None:
        self._read(transport, _DATAGRAMS_PER_TURN)

    def _read(self, transport: UdpTransport, at_most: int) -> None:
        """The first datagram at once, so that one alone waits for nothing; what lies behind it in batches."""
        core = self._core
        try:
            read = transport._read_into(core.receive_buffer)
            if read is None:
                return
            self._take([core.receive_in_place(transport.number, read[1], read[0])])
            at_most -= 1
            while at_most > 0:
                slots = core.receive_slots[:at_most]
                arrivals = transport._read_batch(slots)
                if arrivals:
                    self._take(core.receive_batch_in_place(arrivals))
                if len(arrivals) < len(slots):
                    return
                at_most -= len(arrivals)
        except JumpingError as error:
            self._fatal(error)

    def _take(self, results: Iterable[Union[Received, JumpingError]]) -> None:
        """Delivers the payloads of sessions that exist before a word of their end that came behind them is heard; those of
        sessions that begin with them as soon as these do."""
        failure: Optional[JumpingError] = None
        waiting = False
        for received in results:
            if isinstance(received, JumpingError):
                failure = failure or received
                continue
            handle, data, _, _, _, channel, is_waiting = received
            waiting = waiting or is_waiting
            if data is not None:
                self._hand_over(handle, Payload(data) if channel is None else on_channel(channel, data))
        if waiting:
            self._collect()
        self._pump()
        self._early.clear()
        if failure is not None:
            raise failure

    def _hand_over(self, handle: int, payload: Payload) -> None:
        session = self._sessions.get(handle)
        if session is not None:
            session._deliver(payload)
        else:
            self._early.setdefault(handle, []).append(payload)

    def _collect(self) -> None:
        """Hands over the protected payloads that wait in the library, but those of sessions whose queues are full."""
        now = now_us()
        payload = self._core.poll_payload(now=now)
        while payload is not None:
            self._hand_over(payload.session, on_channel(payload.channel, payload.payload))
            payload = self._core.poll_payload(now=now)

    def _arm(self) -> None:
        deadline = self._core.next_timeout()
        if deadline is None or self._loop is None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            return
        if self._timer is not None and self._timer_at_us <= deadline:
            return  # it fires early, finds nothing due and sets itself again: cheaper than a new timer per datagram
        if self._timer is not None:
            self._timer.cancel()
        now = now_us()
        sleep_us = min(max(deadline - now, 0), _LONGEST_SLEEP_US)
        self._timer_at_us = now + sleep_us
        self._timer = self._loop.call_at(self._loop.time() + sleep_us / MICROSECONDS_PER_SECOND, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self.closed:
            return
        try:
            deadline = self._core.next_timeout()
            late_us = -1 if deadline is None else now_us() - deadline
            if late_us >= 0:
                if late_us > _LATE_US:
                    # This process slept, not the path: what arrived meanwhile comes first.
                    self.late_wakeups += 1
                    for transport in list(self._transports.values()):
                        self._read(transport, _DATAGRAMS_WHEN_LATE)
                self._core.handle_timeout()
                self._pump()
            else:
                self._arm()
        except JumpingError as error:
            self._fatal(error)

    def _fatal(self, error: JumpingError) -> None:
        """The library refused a call that cannot be wrong (forked, out of memory): nothing can go on; everyone is told."""
        if not self.closed:
            self._stop(error, error)


