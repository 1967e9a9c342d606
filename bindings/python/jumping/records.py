"""Snapshots the library hands out: plain immutable values, copied, valid for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Optional, Union

from . import _constants as c
from ._addresses import RemoteAddress, address_from_bytes
from ._structs import jmp_endpoint_stats, jmp_path_info, jmp_session_info, jmp_session_stats
from ._structures import read_text
from .enums import DatagramKind, DropCause, PathRole, Reason, Role, State, drop_name, known

__all__ = [
    "Datagram", "DatagramView", "EndpointStats", "PathInfo", "ProtectedPayload", "Received", "ReceivedView", "Route",
    "SessionInfo", "SessionStats",
]


class Datagram(NamedTuple):
    """A datagram to put on the network now: send ``data`` through ``transport`` to ``remote``.

    ``packet_number`` is what :meth:`Endpoint.unsent` takes when the socket refuses it, None for handshake datagrams;
    ``path`` is None and ``session`` 0 for datagrams that belong to none.
    """

    transport: int
    remote: RemoteAddress
    data: bytes
    path: Optional[int]
    session: int
    packet_number: Optional[int]


class Received(NamedTuple):
    """What a received datagram was.

    ``payload`` is None when it carried none: control traffic, or a datagram that was dropped for ``drop_cause``
    (0 when it was not). ``session`` is 0 when it belongs to none. ``channel`` is that of a protected payload, 0 ... 15, which is
    handed out this once, and None otherwise. ``waiting`` is True when :meth:`Endpoint.poll_payload` has payloads of the session.
    """

    session: int
    payload: Optional[bytes]
    path: Optional[int]
    drop_cause: int
    packet_number: Optional[int]
    channel: Optional[int] = None
    waiting: bool = False


class ProtectedPayload(NamedTuple):
    """A protected payload that :meth:`Endpoint.poll_payload` hands out, this once.

    ``sequence`` is its number in ``channel`` (0 ... 15) of ``session``, from 0.
    """

    session: int
    payload: bytes
    channel: int
    sequence: int


class DatagramView(NamedTuple):
    """A :class:`Datagram` whose ``data`` lies in the endpoint's own buffer: valid until its next ``send_batch``."""

    transport: int
    remote: RemoteAddress
    data: memoryview
    path: Optional[int]
    session: int
    packet_number: Optional[int]


class ReceivedView(NamedTuple):
    """A :class:`Received` whose ``payload`` lies in the endpoint's own buffer: valid until its next batch of that kind."""

    session: int
    payload: Optional[memoryview]
    path: Optional[int]
    drop_cause: int
    packet_number: Optional[int]
    channel: Optional[int] = None
    waiting: bool = False


class Route(NamedTuple):
    """Where a datagram belongs, told without keys."""

    kind: Union[DatagramKind, int]
    connection_id: int
    handshake_id: int
    node_tag: int


def _or_none(value: int, none: int) -> Optional[int]:
    return None if value == none else value


@dataclass(frozen=True)
class SessionInfo:
    """A session at one moment. Times are the library's clock in microseconds, None for "not running".

    ``max_payload`` and ``max_protected_payload`` are the largest payloads that ``send`` and ``send_protected`` take, in bytes.
    ``send_buffered`` counts bytes (and 64 for each payload) that the peer has not acknowledged, of ``protected_count``
    protected payloads; ``receive_buffered`` those that wait to be complete, for their turn or for the host.
    ``congestion_window`` and ``bytes_in_flight`` are bytes, ``pacing_rate`` bytes a second; 0 before the first protected payload.
    """

    session_id: str
    state: Union[State, int]
    role: Union[Role, int]
    last_reason: Union[Reason, int]
    state_version: int
    binding_version: int
    created_at_us: int
    expires_at_us: int
    transport_lost_at_us: Optional[int]
    active_path: Optional[int]
    active_transport: Optional[int]
    path_count: int
    candidate_count: int
    max_payload: int
    suite: int
    key_phase: int
    srtt_us: int
    rttvar_us: int
    loss_ppm: int
    switches_last_minute: int
    confirmed: bool
    label: str
    policy_version: str
    peer_key: bytes
    max_protected_payload: int
    send_buffered: int
    receive_buffered: int
    protected_count: int
    congestion_window: int
    pacing_rate: int
    bytes_in_flight: int

    @classmethod
    def _from_struct(cls, info: jmp_session_info) -> SessionInfo:
        return cls(
            session_id=bytes(info.session_id).hex(), state=known(State, info.state), role=known(Role, info.role),
            last_reason=known(Reason, info.last_reason), state_version=info.state_version,
            binding_version=info.binding_version, created_at_us=info.created_at, expires_at_us=info.expires_at,
            transport_lost_at_us=_or_none(info.transport_lost_at, c.JMP_TIME_NONE),
            active_path=_or_none(info.active_path, c.JMP_PATH_NONE),
            active_transport=_or_none(info.active_transport, c.JMP_TRANSPORT_NONE), path_count=info.path_count,
            candidate_count=info.candidate_count, max_payload=info.max_payload, suite=info.suite,
            key_phase=info.key_phase, srtt_us=info.srtt_us, rttvar_us=info.rttvar_us, loss_ppm=info.loss_ppm,
            switches_last_minute=info.switches_last_minute, confirmed=bool(info.confirmed), label=read_text(info.label),
            policy_version=read_text(info.policy_version), peer_key=bytes(info.peer_key),
            max_protected_payload=info.max_protected_payload, send_buffered=info.send_buffered,
            receive_buffered=info.receive_buffered, protected_count=info.protected_count,
            congestion_window=info.congestion_window, pacing_rate=info.pacing_rate, bytes_in_flight=info.bytes_in_flight)


@dataclass(frozen=True)
class SessionStats:
    """Counters of a session since its birth.

    ``protected_sent`` counts protected payloads taken from the host, ``protected_received`` those that are complete and in turn,
    ``protected_duplicates`` parts that came again.
    """

    replay_window_size: int
    datagrams_sent: int
    datagrams_received: int
    bytes_sent: int
    bytes_received: int
    payloads_sent: int
    payloads_received: int
    datagrams_lost: int
    replayed: int
    too_old: int
    bad_tag: int
    switches: int
    switches_denied: int
    reattach_attempts: int
    key_rotations: int
    protected_sent: int
    protected_acknowledged: int
    protected_expired: int
    protected_received: int
    protected_duplicates: int
    protected_datagrams_lost: int
    protected_bytes_resent: int

    @classmethod
    def _from_struct(cls, stats: jmp_session_stats) -> SessionStats:
        return cls(**{name: getattr(stats, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class PathInfo:
    """A path at one moment. Round trips are 0 while unknown."""

    path: int
    transport: int
    role: Union[PathRole, int]
    remote: RemoteAddress
    name: str
    transport_class: int
    cost: int
    mtu: int
    validated: bool
    dead: bool
    srtt_us: int
    rttvar_us: int
    min_rtt_us: int
    jitter_us: int
    loss_ppm: int
    consecutive_drops: int
    bytes_sent: int
    bytes_received: int
    last_evidence_at_us: Optional[int]

    @classmethod
    def _from_struct(cls, info: jmp_path_info) -> PathInfo:
        return cls(
            path=info.path, transport=info.transport, role=known(PathRole, info.role),
            remote=address_from_bytes(bytes(info.address.bytes[:info.address.length])), name=read_text(info.name),
            transport_class=info.transport_class, cost=info.cost, mtu=info.mtu, validated=bool(info.validated),
            dead=bool(info.dead), srtt_us=info.srtt_us, rttvar_us=info.rttvar_us, min_rtt_us=info.min_rtt_us,
            jitter_us=info.jitter_us, loss_ppm=info.loss_ppm, consecutive_drops=info.consecutive_drops,
            bytes_sent=info.bytes_sent, bytes_received=info.bytes_received,
            last_evidence_at_us=_or_none(info.last_evidence_at, c.JMP_TIME_NONE))


@dataclass(frozen=True)
class EndpointStats:
    """Counters of an endpoint. ``dropped`` maps the stable name of each cause to its count, zeros left out."""

    sessions: int
    half_open: int
    waiting: int
    transports: int
    seeded: bool
    datagrams_received: int
    datagrams_sent: int
    handshakes_completed: int
    sessions_terminated: int
    events_dropped: int
    clock_went_backwards: int
    late_calls: int
    dropped: dict[str, int]

    @classmethod
    def _from_struct(cls, stats: jmp_endpoint_stats) -> EndpointStats:
        values = {name: getattr(stats, name) for name in cls.__dataclass_fields__}
        values["seeded"] = bool(stats.seeded)
        values["dropped"] = {drop_name(cause): count for cause, count in enumerate(stats.dropped) if count}
        return cls(**values)

    def dropped_for(self, cause: DropCause) -> int:
        """How many datagrams were dropped for ``cause``."""
        return self.dropped.get(drop_name(cause), 0)
