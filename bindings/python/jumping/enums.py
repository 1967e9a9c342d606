"""The library's states, reasons, events and sets as Python enumerations, and their stable names.

The enumerations are generated from the C types. A newer library may append numbers this package does not know: typed
fields then hold the plain number (see :func:`known`), never an exception.
"""

from __future__ import annotations

import enum
from typing import TypeVar, Union

from ._constants import (
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
)
from ._library import text

__all__ = [
    "ConfigFlag", "DatagramKind", "DropCause", "EventType", "PathRole", "Pattern", "Reason", "Role", "State", "Status",
    "Suite", "TransportClass", "drop_name", "event_name", "known", "path_role_name", "reason_name", "state_name",
    "suite_name",
]

_Enumeration = TypeVar("_Enumeration", bound=enum.IntEnum)


def known(enumeration: type[_Enumeration], number: int) -> Union[_Enumeration, int]:
    """The member of ``enumeration`` for ``number``, or ``number`` itself when this package has no name for it."""
    try:
        return enumeration(number)
    except ValueError:
        return number


def state_name(state: int) -> str:
    """The stable name of a state as events write it: ``"ATTACHED"``; ``"UNKNOWN"`` for others."""
    return text("jmp_state_name", state)


def reason_name(reason: int) -> str:
    """The stable name of a reason as events write it: ``"transport_dead"``; ``"unknown"`` for others."""
    return text("jmp_reason_name", reason)


def event_name(event_type: int) -> str:
    """The stable name of an event type as events write it: ``"TransportSwitch"``; ``"Unknown"`` for others."""
    return text("jmp_event_name", event_type)


def drop_name(cause: int) -> str:
    """The stable name of a drop cause: ``"bad_tag"``; ``"unknown"`` for others."""
    return text("jmp_drop_name", cause)


def suite_name(suite: int) -> str:
    """The stable name of one cipher suite: ``"AES-256-GCM"``; ``"none"`` for others and for sets."""
    return text("jmp_suite_name", suite)


def path_role_name(role: int) -> str:
    """The stable name of a path's role: ``"standby"``; ``"unknown"`` for others."""
    return text("jmp_path_role_name", role)
