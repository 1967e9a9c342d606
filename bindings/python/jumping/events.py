"""Audit events: what happened, typed, and as the library's own line of JSON."""

from __future__ import annotations

import ctypes
import json
from typing import Any, Optional, Union

from . import _constants as c
from ._addresses import RemoteAddress, address_from_bytes
from ._library import calls, check
from ._structs import jmp_address, jmp_event
from ._structures import read_text
from .enums import EventType, Reason, Role, State, event_name, known, reason_name, state_name

__all__ = ["Event"]

_JSON_CAPACITY = 4096


def _address(struct: jmp_address) -> Optional[RemoteAddress]:
    return address_from_bytes(bytes(struct.bytes[:struct.length])) if struct.length else None


class Event:
    """One event, copied out of the library: keep it as long as you like, from any thread.

    Events are flat: a field that a type does not use is 0, empty or None. Which type uses which field is told by
    :meth:`to_dict`, which has exactly the fields of the JSON line.
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: Union[bytes, bytearray]) -> None:
        """From the bytes of a ``jmp_event``; programs get events from ``poll_event`` and ``events``."""
        self._raw = jmp_event.from_buffer_copy(raw)

    def to_json(self) -> str:
        """The event as one line of JSON, without a line end, byte for byte as the library writes it."""
        line = ctypes.create_string_buffer(_JSON_CAPACITY)
        length = ctypes.c_size_t()
        check(calls.jmp_event_to_json(ctypes.byref(self._raw), line, _JSON_CAPACITY, ctypes.byref(length)))
        return line.raw[:length.value].decode("utf-8")

    def to_dict(self) -> dict[str, Any]:
        """The fields of :meth:`to_json` as a dictionary."""
        return json.loads(self.to_json())  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<jumping.Event {self.to_json()}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and bytes(self._raw) == bytes(other._raw)

    def __hash__(self) -> int:
        return hash(bytes(self._raw))

    @property
    def type(self) -> Union[EventType, int]:
        """What kind of event this is."""
        return known(EventType, self._raw.type)

    @property
    def name(self) -> str:
        """The type's stable name: ``"TransportSwitch"``."""
        return event_name(self._raw.type)

    @property
    def sequence(self) -> int:
        """+1 per event of the endpoint, kept or dropped: a gap tells that some were dropped."""
        return int(self._raw.sequence)

    @property
    def dropped(self) -> int:
        """Events dropped so far because the queue was full."""
        return int(self._raw.dropped)

    @property
    def time_us(self) -> int:
        """The host's clock (CLOCK_BOOTTIME), microseconds."""
        return int(self._raw.time)

    @property
    def ts_ms(self) -> int:
        """Wall clock, Unix milliseconds."""
        return int(self._raw.ts_ms)

    @property
    def session(self) -> int:
        """The session's handle; 0 for events of the endpoint."""
        return int(self._raw.session)

    @property
    def session_id(self) -> str:
        """The session's identity as 32 hexadecimal digits; all zero for events of the endpoint."""
        return bytes(self._raw.session_id).hex()

    @property
    def state_version(self) -> int:
        """The session's state version after the event."""
        return int(self._raw.state_version)

    @property
    def binding_version(self) -> int:
        """How many binds the session has had."""
        return int(self._raw.binding_version)

    @property
    def attempt_id(self) -> int:
        """The reattach attempt."""
        return int(self._raw.attempt_id)

    @property
    def age_us(self) -> int:
        """SessionTerminated: the session's age, microseconds."""
        return int(self._raw.age_us)

    @property
    def payloads_sent(self) -> int:
        """Payloads this end has sent in the session."""
        return int(self._raw.payloads_sent)

    @property
    def payloads_received(self) -> int:
        """Payloads this end has received in the session."""
        return int(self._raw.payloads_received)

    @property
    def role(self) -> Union[Role, int]:
        """This end's role in the session."""
        return known(Role, self._raw.role)

    @property
    def previous_state(self) -> Union[State, int]:
        """The state before a transition."""
        return known(State, self._raw.previous_state)

    @property
    def new_state(self) -> Union[State, int]:
        """The state after a transition."""
        return known(State, self._raw.new_state)

    @property
    def reason(self) -> Union[Reason, int]:
        """Why it happened."""
        return known(Reason, self._raw.reason)

    @property
    def reason_code(self) -> str:
        """The reason's stable name: ``"transport_dead"``."""
        return reason_name(self._raw.reason)

    @property
    def cause(self) -> int:
        """The :class:`~jumping.Reason` a reattach carries, or the :class:`~jumping.DropCause` of a security event."""
        return int(self._raw.cause)

    @property
    def explicit(self) -> bool:
        """TransportSwitch: True."""
        return bool(self._raw.explicit_switch)

    @property
    def auditable(self) -> bool:
        """TransportSwitch: True."""
        return bool(self._raw.auditable)

    @property
    def candidate_count(self) -> int:
        """Validated standby paths at that moment."""
        return int(self._raw.candidate_count)

    @property
    def loss_ppm(self) -> int:
        """Loss of the path, parts per million."""
        return int(self._raw.loss_ppm)

    @property
    def latency_us(self) -> int:
        """Smoothed round trip of the path, microseconds; 0 while unknown."""
        return int(self._raw.latency_us)

    @property
    def key_phase(self) -> int:
        """KeyRotated: the new key phase."""
        return int(self._raw.key_phase)

    @property
    def suite(self) -> int:
        """The session's :class:`~jumping.Suite`."""
        return int(self._raw.suite)

    @property
    def path(self) -> Optional[int]:
        """The path's id; None when the event has none."""
        return None if self._raw.path == c.JMP_PATH_NONE else int(self._raw.path)

    @property
    def pattern(self) -> int:
        """AcceptRequested: the client's :class:`~jumping.Pattern`."""
        return int(self._raw.pattern)

    @property
    def hint(self) -> bytes:
        """AcceptRequested: the identity hint the client sent, in clear and unproven."""
        return bytes(self._raw.hint[:self._raw.hint_length])

    @property
    def peer_key(self) -> bytes:
        """AcceptRequested with IKpsk2: the client's public key; zeros otherwise."""
        return bytes(self._raw.peer_key)

    @property
    def seeded(self) -> bool:
        """True when the endpoint's randomness is seeded: not secret, for tests only."""
        return bool(self._raw.seeded)

    @property
    def from_transport(self) -> str:
        """Name of the transport that was left, or that the event is about."""
        return read_text(self._raw.from_transport)

    @property
    def to_transport(self) -> str:
        """Name of the transport that is used now, or was tried."""
        return read_text(self._raw.to_transport)

    @property
    def from_address(self) -> Optional[RemoteAddress]:
        """Remote address of the path that was left."""
        return _address(self._raw.from_address)

    @property
    def to_address(self) -> Optional[RemoteAddress]:
        """Remote address of the path that is used now."""
        return _address(self._raw.to_address)

    @property
    def node_id(self) -> str:
        """The endpoint's node id."""
        return read_text(self._raw.node_id)

    @property
    def policy_version(self) -> str:
        """Version string of the policy in force."""
        return read_text(self._raw.policy_version)

    @property
    def label(self) -> str:
        """The session's audit label."""
        return read_text(self._raw.label)

    @property
    def payload_tag(self) -> int:
        """PayloadAcknowledged, PayloadExpired: the tag that was given to ``send_protected``."""
        return int(self._raw.payload_tag)

    @property
    def payload_sequence(self) -> int:
        """PayloadAcknowledged, PayloadExpired: the payload's number in its channel, from 0."""
        return int(self._raw.payload_sequence)

    @property
    def payload_length(self) -> int:
        """PayloadAcknowledged, PayloadExpired: bytes of the payload."""
        return int(self._raw.payload_length)

    @property
    def channel(self) -> int:
        """PayloadAcknowledged, PayloadExpired: the payload's channel."""
        return int(self._raw.channel)

    @property
    def congestion_window(self) -> int:
        """FlowControlUpdate: bytes that may be on their way."""
        return int(self._raw.congestion_window)

    @property
    def pacing_rate(self) -> int:
        """FlowControlUpdate: bytes a second."""
        return int(self._raw.pacing_rate)

    @property
    def bytes_in_flight(self) -> int:
        """FlowControlUpdate: bytes on their way."""
        return int(self._raw.bytes_in_flight)

    @property
    def transition(self) -> Optional[str]:
        """``"ATTACHED -> VOLATILE"`` for a SessionStateChange, else None."""
        if self._raw.type != c.JMP_EVENT_SESSION_STATE_CHANGE:
            return None
        return f"{state_name(self._raw.previous_state)} -> {state_name(self._raw.new_state)}"
