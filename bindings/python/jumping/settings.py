"""Settings of sessions, endpoints and transports as frozen dataclasses.

Defaults are read from the library when the package is imported, so there is one source for them. Times are integer
microseconds (``_us``), ratios integer parts per million (``_ppm``), exactly as in C and in the audit trail;
:func:`jumping.seconds` and :func:`jumping.ppm` convert: ``Policy(transport_lost_ttl_us=seconds(30))``. Use
:func:`dataclasses.replace` to derive one from another. Field types are checked when the settings are used, ranges by
the library as a whole: the error names the field.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from typing import Any, Optional

from . import _constants as c
from ._library import calls, check, fail
from ._structs import jmp_config, jmp_connect_config, jmp_policy, jmp_transport_config
from ._structures import fill, read_text
from .clock import wall_clock_offset_us
from .enums import ConfigFlag, Suite

__all__ = ["Config", "Policy", "TransportConfig"]

_MESSAGE_CAPACITY = 256


def _defaults(struct_class: type[Any], init_name: str) -> Any:
    struct = struct_class()
    check(getattr(calls, init_name)(ctypes.byref(struct)))
    return struct


_POLICY: jmp_policy = _defaults(jmp_policy, "jmp_policy_init")
_CONFIG: jmp_config = _defaults(jmp_config, "jmp_config_init")
_TRANSPORT: jmp_transport_config = _defaults(jmp_transport_config, "jmp_transport_config_init")
_CONNECT: jmp_connect_config = _defaults(jmp_connect_config, "jmp_connect_config_init")

DEFAULT_HANDSHAKE_TIMEOUT_US: int = _CONNECT.handshake_timeout_us


def new_connect_struct() -> jmp_connect_config:
    """A connect description with the library's defaults."""
    return jmp_connect_config.from_buffer_copy(_CONNECT)


@dataclass(frozen=True)
class Policy:
    """How a session behaves. The gateway's policy is authoritative and travels to the client."""

    max_lifetime_us: int = _POLICY.max_lifetime_us
    transport_lost_ttl_us: int = _POLICY.transport_lost_ttl_us
    heartbeat_interval_us: int = _POLICY.heartbeat_interval_us
    idle_heartbeat_us: int = _POLICY.idle_heartbeat_us
    heartbeat_volatile_us: int = _POLICY.heartbeat_volatile_us
    loss_window_us: int = _POLICY.loss_window_us
    volatile_to_degraded_us: int = _POLICY.volatile_to_degraded_us
    switch_cooldown_us: int = _POLICY.switch_cooldown_us
    recovery_window_us: int = _POLICY.recovery_window_us
    proof_max_age_us: int = _POLICY.proof_max_age_us
    latency_volatile_threshold_us: int = _POLICY.latency_volatile_threshold_us
    stability_window_us: int = _POLICY.stability_window_us
    key_max_age_us: int = _POLICY.key_max_age_us
    loss_volatile_threshold_ppm: int = _POLICY.loss_volatile_threshold_ppm
    max_consecutive_drops: int = _POLICY.max_consecutive_drops
    max_switches_per_min: int = _POLICY.max_switches_per_min
    switch_improvement_ppm: int = _POLICY.switch_improvement_ppm
    max_candidates: int = _POLICY.max_candidates
    allowed_classes: int = _POLICY.allowed_classes
    replay_window: int = _POLICY.replay_window
    suites: int = _POLICY.suites
    strict_binding: bool = bool(_POLICY.strict_binding)
    redundancy: int = _POLICY.redundancy
    redundancy_share_ppm: int = _POLICY.redundancy_share_ppm
    control_expendable: bool = bool(_POLICY.control_expendable)
    version: str = read_text(_POLICY.version)

    def check(self) -> None:
        """Raises :class:`~jumping.PolicyError`, TypeError or ValueError naming the first wrong field."""
        self._checked_struct()

    def _checked_struct(self) -> jmp_policy:
        struct = jmp_policy.from_buffer_copy(_POLICY)
        fill(struct, self)
        message = ctypes.create_string_buffer(_MESSAGE_CAPACITY)
        status = calls.jmp_policy_check(ctypes.byref(struct), message, _MESSAGE_CAPACITY)
        if status != 0:
            fail(status, message.value.decode("ascii", "replace"))
        return struct

    @classmethod
    def _from_struct(cls, struct: jmp_policy) -> Policy:
        values = {name: getattr(struct, name) for name in cls.__dataclass_fields__}
        for name in ("strict_binding", "control_expendable"):
            values[name] = bool(values[name])
        values["version"] = read_text(values["version"])
        return cls(**values)


@dataclass(frozen=True)
class Config:
    """What an endpoint is, and the caps that bound its memory.

    ``send_buffer`` and ``receive_buffer`` are bytes of a session's protected payloads, until they are acknowledged and until the host
    takes them (64 KiB ... 64 MiB each; 64 bytes are added for each payload); ``delivery_memory`` is bytes of all sessions' together
    (1 MiB ... 1 TiB). ``wall_clock_offset_us`` is Unix time minus the library's time, for ``ts_ms`` in events; None takes it from the
    clocks when the endpoint is made.
    """

    flags: int = ConfigFlag(_CONFIG.flags)
    max_sessions: int = _CONFIG.max_sessions
    max_half_open: int = _CONFIG.max_half_open
    max_waiting: int = _CONFIG.max_waiting
    event_capacity: int = _CONFIG.event_capacity
    cookie_threshold: int = _CONFIG.cookie_threshold
    source_rate: int = _CONFIG.source_rate
    source_burst: int = _CONFIG.source_burst
    telemetry_interval_ms: int = _CONFIG.telemetry_interval_ms
    suites: int = Suite(_CONFIG.suites)
    node_tag: int = _CONFIG.node_tag
    wall_clock_offset_us: Optional[int] = None
    node_id: str = read_text(_CONFIG.node_id)
    send_buffer: int = _CONFIG.send_buffer
    receive_buffer: int = _CONFIG.receive_buffer
    delivery_memory: int = _CONFIG.delivery_memory

    def check(self) -> None:
        """Raises :class:`~jumping.UsageError`, TypeError or ValueError naming the first wrong field."""
        self._checked_struct()

    def _checked_struct(self) -> jmp_config:
        source = self
        if source.wall_clock_offset_us is None:
            source = replace(source, wall_clock_offset_us=wall_clock_offset_us())
        struct = jmp_config.from_buffer_copy(_CONFIG)
        fill(struct, source)
        message = ctypes.create_string_buffer(_MESSAGE_CAPACITY)
        status = calls.jmp_config_check(ctypes.byref(struct), message, _MESSAGE_CAPACITY)
        if status != 0:
            fail(status, message.value.decode("ascii", "replace"))
        return struct


@dataclass(frozen=True)
class TransportConfig:
    """Something the host can send datagrams through.

    ``name`` is 1 ... 15 printable ASCII characters, unique in the endpoint; ``transport_class`` a
    :class:`~jumping.TransportClass` or a number of the host's own (6 ... 31); ``cost`` 1 ... 1,000,000, 1 is cheapest;
    ``mtu`` the largest datagram it carries, in bytes.
    """

    name: str
    transport_class: int = _TRANSPORT.transport_class
    cost: int = _TRANSPORT.cost
    mtu: int = _TRANSPORT.mtu

    def _struct(self) -> jmp_transport_config:
        if not self.name:
            raise ValueError(f"name must have 1 to {c.JMP_NAME_SIZE - 1} characters")
        struct = jmp_transport_config.from_buffer_copy(_TRANSPORT)
        fill(struct, self)
        return struct
