"""The endpoint: one protocol instance, without sockets, threads or clock of its own.

The loop of every host: call something, take every payload of :meth:`Endpoint.payloads`, send every datagram of
:meth:`Endpoint.transmits`, look at every event of :meth:`Endpoint.events`, then wait for a datagram or for :meth:`Endpoint.next_timeout`. :mod:`jumping.aio` does all of
that over real UDP sockets.

An endpoint is used by one thread at a time. Every method that needs the time takes ``now``, microseconds of
CLOCK_BOOTTIME; None reads the clock.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Optional, Union, overload

from . import _constants as c
from ._addresses import RemoteAddress
from ._batches import ReceiveBatches, SendBatches
from ._data_path import BUFFER_SIZE, DataPath
from ._library import calls, fail, ready
from ._structs import jmp_endpoint_stats, jmp_event
from ._structures import U32_MAX, U64_MAX, as_bytes, bounded, char_array, key_bytes, unsigned, with_size
from .clock import now_us
from .enums import Pattern, reason_name
from .errors import ClosedError, JumpingError
from .events import Event
from .keys import Buffer
from .records import Datagram, DatagramView, EndpointStats, ProtectedPayload, Received, ReceivedView
from .settings import DEFAULT_HANDSHAKE_TIMEOUT_US, Config, Policy, TransportConfig, new_connect_struct

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Endpoint"]


class Endpoint:
    """Initiates and accepts sessions. Use it as a context manager, or call :meth:`close`.

    After :meth:`close` every method raises :class:`~jumping.ClosedError`.
    """

    def __init__(self, config: Optional[Config] = None, policy: Optional[Policy] = None, *,
                 now: Optional[int] = None) -> None:
        """Raises UsageError or PolicyError naming the wrong field, CryptoError, LimitError, InternalError."""
        self._create(config, policy, None, now)

    @classmethod
    def seeded(cls, seed: Buffer, config: Config, policy: Optional[Policy] = None, *,
               now: Optional[int] = None) -> Endpoint:
        """An endpoint whose keys, ids and nonces come from ``seed`` (32 bytes) and are PREDICTABLE.

        For tests, simulation and reproducible traces only. ``config.suites`` must name exactly the suites to offer, and
        ``config.wall_clock_offset_us`` be given, so that bytes and trace do not depend on this machine.
        """
        endpoint = cls.__new__(cls)
        endpoint._create(config, policy, key_bytes(seed, c.JMP_KEY_SIZE, "seed"), now)
        return endpoint

    _handle: Optional[int] = None

    def _create(self, config: Optional[Config], policy: Optional[Policy], seed: Optional[bytes],
                now: Optional[int]) -> None:
        config_struct = (config if config is not None else Config())._checked_struct()
        policy_struct = policy._checked_struct() if policy is not None else None
        policy_pointer = ctypes.byref(policy_struct) if policy_struct is not None else None
        handle = ctypes.c_void_p()
        if seed is None:
            status = calls.jmp_endpoint_new(ctypes.byref(config_struct), policy_pointer, self._time(now), ctypes.byref(handle))
        else:
            status = calls.jmp_endpoint_new_seeded(ctypes.byref(config_struct), policy_pointer, seed, self._time(now),
                                                   ctypes.byref(handle))
        if status != 0 or not handle.value:
            fail(status)
        self._handle = handle.value
        self._free = calls.jmp_endpoint_free  # kept: when the interpreter ends, modules go before the last objects
        self._data_path = DataPath(handle.value)
        self._send_batches, self._receive_batches = SendBatches(self._data_path), ReceiveBatches(self._data_path)
        self._c_handle, self._c_now = self._data_path.handle, self._data_path.now
        self._event = with_size(jmp_event)
        self._event_pointer = ctypes.byref(self._event)
        self._deadline = ctypes.c_uint64()
        self._deadline_pointer = ctypes.byref(self._deadline)
        self._jmp_poll_event, self._jmp_next_timeout = ready("jmp_poll_event"), ready("jmp_next_timeout")
        self._jmp_handle_timeout = ready("jmp_handle_timeout")

    # ------------------------------------------------------------------------------------------------ life

    @property
    def closed(self) -> bool:
        """True after :meth:`close`."""
        return self._handle is None

    def close(self) -> None:
        """Wipes every key and frees the endpoint. Sessions end without a word to their peers: close them first to tell.

        Calling it again does nothing.
        """
        handle, self._handle = self._handle, None
        if handle is not None:
            self._data_path.close()
            self._free(handle)

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<jumping.Endpoint {'closed' if self._handle is None else hex(self._handle)}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Endpoint holds keys and cannot be copied or pickled")

    @staticmethod
    def _time(now: Optional[int]) -> int:
        return now_us() if now is None else unsigned(now, "now")

    def _fail(self, status: int, session: int = 0) -> NoReturn:
        """Raises for ``status``; a closed endpoint is named as the cause, a terminated session with its reason."""
        if self._handle is None:
            raise ClosedError(c.JMP_ERR_ENDPOINT, "the endpoint is closed")
        reason = None
        if status == c.JMP_ERR_TERMINATED and session:
            from .session import Session
            try:
                reason = reason_name(Session(self, session).info().last_reason)
            except JumpingError:
                pass  # the slot was needed meanwhile: the error itself still tells TERMINATED
        fail(status, reason=reason)

    def _check(self, status: int, session: int = 0) -> None:
        if status != 0:
            self._fail(status, session)

    # ------------------------------------------------------------------------------------------------ keys

    def set_static_key(self, secret_key: Buffer) -> None:
        """Gives the endpoint its X25519 secret key (32 bytes), for IKpsk2 on either side. Sessions that exist keep going."""
        self._check(calls.jmp_endpoint_set_static_key(self._handle, key_bytes(secret_key, c.JMP_KEY_SIZE, "secret_key")))

    def add_psk(self, psk: Buffer, hint: Buffer = b"") -> None:
        """Lets clients in that prove ``psk`` (32 bytes) and name it by ``hint`` (0 ... 32 bytes, sent in clear)."""
        name = self._hint(hint)
        self._check(calls.jmp_endpoint_add_psk(self._handle, name, len(name), key_bytes(psk, c.JMP_KEY_SIZE, "psk")))

    def remove_psk(self, hint: Buffer = b"") -> None:
        """Removes and wipes the PSK of ``hint``; sessions that exist keep going."""
        name = self._hint(hint)
        self._check(calls.jmp_endpoint_remove_psk(self._handle, name, len(name)))

    def add_client_key(self, public_key: Buffer, psk: Optional[Buffer] = None) -> None:
        """Lets the client with this X25519 public key in by IKpsk2, with its PSK or none."""
        secret = None if psk is None else key_bytes(psk, c.JMP_KEY_SIZE, "psk")
        key = key_bytes(public_key, c.JMP_KEY_SIZE, "public_key")
        self._check(calls.jmp_endpoint_add_client_key(self._handle, key, secret))

    def remove_client_key(self, public_key: Buffer) -> None:
        """Removes a client key; sessions that exist keep going."""
        key = key_bytes(public_key, c.JMP_KEY_SIZE, "public_key")
        self._check(calls.jmp_endpoint_remove_client_key(self._handle, key))

    @staticmethod
    def _hint(hint: Buffer) -> bytes:
        name = as_bytes(hint, "hint")
        if len(name) > c.JMP_HINT_MAX:
            raise ValueError(f"hint must have at most {c.JMP_HINT_MAX} bytes, not {len(name)}")
        return name

    # ------------------------------------------------------------------------------------------ transports

    def add_transport(self, transport: Union[TransportConfig, str], *, now: Optional[int] = None) -> int:
        """Adds a transport (a name alone takes the defaults) and gives its number."""
        config = TransportConfig(transport) if isinstance(transport, str) else transport
        number = ctypes.c_uint32()
        self._check(calls.jmp_transport_add(self._handle, ctypes.byref(config._struct()), self._time(now),
                                            ctypes.byref(number)))
        return number.value

    def remove_transport(self, transport: int, *, now: Optional[int] = None) -> None:
        """Removes a transport: its paths end at once, sessions bound to it recover on another."""
        number = unsigned(transport, "transport", U32_MAX)
        self._check(calls.jmp_transport_remove(self._handle, number, self._time(now)))

    def set_transport(self, transport: int, config: TransportConfig, *, now: Optional[int] = None) -> None:
        """Changes class, cost and mtu of a transport; ``config.name`` must be the transport's own."""
        number = unsigned(transport, "transport", U32_MAX)
        self._check(calls.jmp_transport_set(self._handle, number, ctypes.byref(config._struct()), self._time(now)))

    def hint_transport(self, transport: int, up: bool, *, now: Optional[int] = None) -> None:
        """Tells that a transport went down or came up: acts at once, is never trusted alone."""
        number = unsigned(transport, "transport", U32_MAX)
        self._check(calls.jmp_transport_hint(self._handle, number, 1 if up else 0, self._time(now)))

    def unsent(self, session: int, packet_number: int, *, now: Optional[int] = None) -> None:
        """Tells that the datagram with this packet number never left (the socket refused it): it is not a loss."""
        self._check(calls.jmp_unsent(self._handle, unsigned(session, "session"), unsigned(packet_number, "packet_number"),
                                     self._time(now)), session)

    # -------------------------------------------------------------------------------------------- sessions

    def connect(self, transport: int, remote: RemoteAddress, *, psk: Optional[Buffer] = None, hint: Buffer = b"",
                gateway_key: Optional[Buffer] = None, label: str = "",
                handshake_timeout_us: int = DEFAULT_HANDSHAKE_TIMEOUT_US, now: Optional[int] = None) -> Session:
        """Begins a session to the gateway at ``remote``: NNpsk0 with ``psk``, or IKpsk2 when ``gateway_key`` is given.

        ``hint`` names the PSK to the gateway and is sent in clear; ``label`` is the session's audit label (at most 31
        printable ASCII characters), told to the gateway encrypted. Send :meth:`transmits` afterwards.
        """
        from .session import Session
        name = self._hint(hint)
        config = new_connect_struct()
        config.pattern = Pattern.NNPSK0 if gateway_key is None else Pattern.IKPSK2
        config.transport = unsigned(transport, "transport", U32_MAX)
        config.remote = self._data_path.addresses.encode(remote)[0]
        config.hint_length = len(name)
        ctypes.memmove(config.hint, name, len(name))
        if psk is not None:
            ctypes.memmove(config.psk, key_bytes(psk, c.JMP_KEY_SIZE, "psk"), c.JMP_KEY_SIZE)
        if gateway_key is not None:
            ctypes.memmove(config.gateway_key, key_bytes(gateway_key, c.JMP_KEY_SIZE, "gateway_key"), c.JMP_KEY_SIZE)
        config.handshake_timeout_us = unsigned(handshake_timeout_us, "handshake_timeout_us")
        config.label = char_array(label, c.JMP_LABEL_SIZE, "label")
        handle = ctypes.c_uint64()
        status = calls.jmp_connect(self._handle, ctypes.byref(config), self._time(now), ctypes.byref(handle))
        ctypes.memset(config.psk, 0, c.JMP_KEY_SIZE)
        self._check(status)
        return Session(self, handle.value)

    def accept(self, session: int, psk: Optional[Buffer] = None, *, now: Optional[int] = None) -> None:
        """Answers AcceptRequested with yes; ``psk`` is the client's key (required for NNpsk0)."""
        secret = None if psk is None else key_bytes(psk, c.JMP_KEY_SIZE, "psk")
        self._check(calls.jmp_accept(self._handle, unsigned(session, "session"), secret, self._time(now)), session)

    def refuse(self, session: int, *, now: Optional[int] = None) -> None:
        """Answers AcceptRequested with no: the request is forgotten without an answer."""
        self._check(calls.jmp_refuse(self._handle, unsigned(session, "session"), self._time(now)), session)

    def session(self, handle: int) -> Session:
        """The session of a handle (from an event or a received datagram). Raises StaleSessionError when it is gone."""
        from .session import Session
        session = Session(self, unsigned(handle, "session"))
        session.info()
        return session

    # ------------------------------------------------------------------------------------------- data path

    def send(self, session: int, payload: Buffer, *, now: Optional[int] = None) -> Datagram:
        """Seals ``payload`` and gives the datagram to send at once. Send :meth:`transmits` afterwards.

        Raises StateError before the session is established, SessionTerminated, NoPathError, UsageError (too long).
        """
        if type(session) is not int or not 0 <= session <= U64_MAX:
            session = unsigned(session, "session")
        if type(payload) is not bytes:
            payload = as_bytes(payload, "payload")
        if type(now) is not int or not 0 <= now <= U64_MAX:
            now = self._time(now)
        result = self._data_path.send(session, payload, now)
        if type(result) is int:
            self._fail(result, session)
        return result  # type: ignore[return-value]

    def send_protected(self, session: int, payload: Buffer, *, channel: int = 0, time_to_live_us: int = 0, tag: int = 0,
                       report: bool = False, now: Optional[int] = None) -> None:
        """Takes a payload that must not get lost, 0 ... ``max_protected_payload`` bytes (see :class:`SessionInfo`): it is copied,
        sent until the peer has acknowledged it, and handed out there once. Send :meth:`transmits` afterwards.

        ``channel`` 0 is unordered; the payloads of each channel 1 ... 15 are handed out in the order of these calls. One that is not
        acknowledged ``time_to_live_us`` microseconds from now is given up, and an event PayloadExpired tells (0: never).
        With ``report`` PayloadAcknowledged tells when the peer has it; both events carry ``tag``, a number of 64 bits of your own.
        Of what is not acknowledged when the session ends, only SessionTerminated tells.

        Raises NoRoom when the session's ``send_buffer`` or the endpoint's ``delivery_memory`` (see :class:`Config`) is full: nothing
        was taken, and an event Writable tells when to try again. Raises ValueError for a channel out of its range,
        StateError before the session is established, SessionTerminated, UsageError (too long).
        """
        status = self._data_path.send_protected(
            unsigned(session, "session"), as_bytes(payload, "payload"), unsigned(channel, "channel", c.JMP_CHANNELS - 1),
            unsigned(time_to_live_us, "time_to_live_us"), unsigned(tag, "tag"), bool(report), self._time(now))
        if status != 0:
            self._fail(status, session)

    def poll_payload(self, *, now: Optional[int] = None) -> Optional[ProtectedPayload]:
        """The next protected payload that is complete and was not in a :class:`Received` already, or None. Call it until None after
        :meth:`receive`, in the order of which payloads of a channel stay: first what that gave, then these. Sessions take turns.
        Send :meth:`transmits` afterwards: they tell the peers that there is room again."""
        result = self._data_path.poll_payload(self._time(now))
        if type(result) is int:
            if result == c.JMP_AGAIN:
                return None
            self._fail(result)
        return result  # type: ignore[return-value]

    def payloads(self, *, now: Optional[int] = None) -> Iterator[ProtectedPayload]:
        """Every protected payload that waits to be polled."""
        payload = self.poll_payload(now=now)
        while payload is not None:
            yield payload
            payload = self.poll_payload(now=now)

    def hold_payloads(self, session: int, hold: bool, *, now: Optional[int] = None) -> None:
        """Holds a session's protected payloads back, or lets them go again: while they are held, neither :meth:`receive` nor
        :meth:`poll_payload` hands one out; they wait in ``receive_buffer``, and when that is full the peer waits. For hosts
        with queues of their own that are full. Call :meth:`payloads` after letting them go."""
        self._check(calls.jmp_session_hold_payloads(self._handle, unsigned(session, "session"), 1 if hold else 0, self._time(now)),
                    session)

    @overload
    def send_batch(self, items: Iterable[tuple[int, Buffer]], *, now: Optional[int] = None,
                   copy: Literal[True] = True) -> list[Union[Datagram, JumpingError]]: ...

    @overload
    def send_batch(self, items: Iterable[tuple[int, Buffer]], *, now: Optional[int] = None,
                   copy: Literal[False]) -> list[Union[DatagramView, JumpingError]]: ...

    def send_batch(self, items: Iterable[tuple[int, Buffer]], *, now: Optional[int] = None, copy: bool = True) -> Any:
        """Seals many ``(session handle, payload)``, of any sessions of this endpoint, in one call.

        The results are in the items' order: a :class:`Datagram`, or the error that :meth:`send` would have raised, which
        names the item by its index; the other items are sealed all the same. Send :meth:`transmits` afterwards.

        ``copy=False`` gives :class:`DatagramView` instead: ``data`` is a memoryview of the endpoint's own buffer, whose
        contents are valid until the next :meth:`send_batch` (later it shows other bytes; it never becomes invalid memory).

        Raises, before anything is sealed, TypeError or ValueError for an item that is no such pair, ClosedError, ForkedError,
        and RuntimeError when another thread is in the middle of a :meth:`send_batch` of this endpoint.
        """
        return self._send_batches.send(items, self._time(now), copy, self._check)

    @property
    def receive_buffer(self) -> memoryview:
        """A buffer to read a datagram into (``socket.recvfrom_into``) before :meth:`receive_in_place`. It belongs to
        the endpoint and is the same one always."""
        return self._data_path.receive_view

    def receive(self, transport: int, remote: RemoteAddress, datagram: Buffer, *, now: Optional[int] = None) -> Received:
        """Gives the library a datagram that arrived through ``transport`` from ``remote``; ``datagram`` is not changed.

        A bad datagram is no error: ``payload`` is None and ``drop_cause`` says why. A protected payload has a ``channel``. Take
        :meth:`payloads`, :meth:`transmits` and :meth:`events` afterwards.
        """
        if type(transport) is not int or not 0 <= transport <= U32_MAX:
            transport = unsigned(transport, "transport", U32_MAX)
        length = self._data_path.stage(datagram if type(datagram) is bytes else as_bytes(datagram, "datagram"))
        if type(now) is not int or not 0 <= now <= U64_MAX:
            now = self._time(now)
        result = self._data_path.receive(transport, remote, length, now)
        if type(result) is int:
            self._fail(result)
        return result  # type: ignore[return-value]

    def receive_in_place(self, transport: int, remote: RemoteAddress, length: int, *,
                         now: Optional[int] = None) -> Received:
        """:meth:`receive` for the first ``length`` bytes of :attr:`receive_buffer`."""
        if type(transport) is not int or not 0 <= transport <= U32_MAX:
            transport = unsigned(transport, "transport", U32_MAX)
        if type(length) is not int or not 0 <= length <= BUFFER_SIZE:
            length = bounded(length, 0, BUFFER_SIZE, "length")
        if type(now) is not int or not 0 <= now <= U64_MAX:
            now = self._time(now)
        result = self._data_path.receive(transport, remote, length, now)
        if type(result) is int:
            self._fail(result)
        return result  # type: ignore[return-value]

    @overload
    def receive_batch(self, items: Iterable[tuple[int, RemoteAddress, Buffer]], *, now: Optional[int] = None,
                      copy: Literal[True] = True) -> list[Union[Received, JumpingError]]: ...

    @overload
    def receive_batch(self, items: Iterable[tuple[int, RemoteAddress, Buffer]], *, now: Optional[int] = None,
                      copy: Literal[False]) -> list[Union[ReceivedView, JumpingError]]: ...

    def receive_batch(self, items: Iterable[tuple[int, RemoteAddress, Buffer]], *, now: Optional[int] = None,
                      copy: bool = True) -> Any:
        """:meth:`receive` for many ``(transport, remote, datagram)`` in one call; the datagrams are not changed.

        The results are in the items' order: a :class:`Received`, or the error that :meth:`receive` would have raised (a
        transport that is none of this endpoint's), which names the item by its index; the other items are opened all the same.
        Drain (:meth:`transmits`, :meth:`events`) after at most 32 datagrams of a session: one acknowledgement names 33
        arrivals, and the peer learns nothing of those that none names, neither round trip nor delivery.

        ``copy=False`` gives :class:`ReceivedView` instead: ``payload`` is a memoryview of the endpoint's own buffer, whose
        contents are valid until the next :meth:`receive_batch` (later it shows other bytes; it never becomes invalid memory).

        Raises, before anything is opened, TypeError or ValueError for an item that is no such triple, ClosedError, ForkedError,
        and RuntimeError when another thread is in the middle of a batch of this endpoint.
        """
        return self._receive_batches.receive(items, self._time(now), copy, self._check)

    @property
    def receive_slots(self) -> tuple[memoryview, ...]:
        """32 buffers to read datagrams into (``socket.recvfrom_into``) before :meth:`receive_batch_in_place`. They belong to
        the endpoint and are the same ones always."""
        return self._receive_batches.slots

    @overload
    def receive_batch_in_place(self, arrivals: Sequence[tuple[int, RemoteAddress, int]], *, now: Optional[int] = None,
                               copy: Literal[True] = True) -> list[Union[Received, JumpingError]]: ...

    @overload
    def receive_batch_in_place(self, arrivals: Sequence[tuple[int, RemoteAddress, int]], *, now: Optional[int] = None,
                               copy: Literal[False]) -> list[Union[ReceivedView, JumpingError]]: ...

    def receive_batch_in_place(self, arrivals: Sequence[tuple[int, RemoteAddress, int]], *, now: Optional[int] = None,
                               copy: bool = True) -> Any:
        """:meth:`receive_batch` for datagrams that lie in :attr:`receive_slots`: the n-th ``(transport, remote, length)``
        tells what is in slot n.

        With ``copy=False`` a payload is a memoryview into its slot, valid until that slot is written again. Raises ValueError
        for more arrivals than slots, otherwise as :meth:`receive_batch`.
        """
        return self._receive_batches.receive_slots(arrivals, self._time(now), copy, self._check)

    def poll_transmit(self, *, now: Optional[int] = None) -> Optional[Datagram]:
        """The next datagram with control traffic or protected payloads, or None when there is none. Call it until None after every
        other call."""
        if type(now) is not int or not 0 <= now <= U64_MAX:
            now = self._time(now)
        result = self._data_path.poll_transmit(now)
        if type(result) is int:
            if result == c.JMP_AGAIN:
                return None
            self._fail(result)
        return result  # type: ignore[return-value]

    def transmits(self, *, now: Optional[int] = None) -> Iterator[Datagram]:
        """Every datagram with control traffic or protected payloads that waits to be sent."""
        datagram = self.poll_transmit(now=now)
        while datagram is not None:
            yield datagram
            datagram = self.poll_transmit(now=now)

    # ------------------------------------------------------------------------------------- events and time

    def poll_event(self) -> Optional[Event]:
        """The next event, or None when there is none."""
        status = self._jmp_poll_event(self._c_handle, self._event_pointer)
        if status == 0:
            return Event(self._event)
        if status != c.JMP_AGAIN:
            self._fail(status)
        return None

    def events(self) -> Iterator[Event]:
        """Every event that waits to be polled."""
        event = self.poll_event()
        while event is not None:
            yield event
            event = self.poll_event()

    def next_timeout(self) -> Optional[int]:
        """When :meth:`handle_timeout` must be called next, microseconds of the library's clock; None for never."""
        status = self._jmp_next_timeout(self._c_handle, self._deadline_pointer)
        if status != 0:
            self._fail(status)
        deadline = self._deadline.value
        return None if deadline == c.JMP_TIME_NONE else deadline

    def handle_timeout(self, *, now: Optional[int] = None) -> None:
        """Lets time pass. When the call is late, give the library what the sockets hold first."""
        if type(now) is not int or not 0 <= now <= U64_MAX:
            now = self._time(now)
        self._c_now.value = now
        status = self._jmp_handle_timeout(self._c_handle, self._c_now)
        if status != 0:
            self._fail(status)

    def set_wall_clock(self, offset_us: int) -> None:
        """Tells Unix time minus the library's time (:func:`jumping.wall_clock_offset_us`) after the wall clock was set."""
        offset = bounded(offset_us, -2**63, 2**63 - 1, "offset_us")
        self._check(calls.jmp_endpoint_set_wall_clock(self._handle, offset))

    def stats(self) -> EndpointStats:
        """The endpoint's counters."""
        stats: Any = with_size(jmp_endpoint_stats)
        self._check(calls.jmp_endpoint_get_stats(self._handle, ctypes.byref(stats)))
        return EndpointStats._from_struct(stats)
