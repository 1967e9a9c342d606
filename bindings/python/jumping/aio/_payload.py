"""A payload as a session's receiver gets it."""

from __future__ import annotations

from typing import Optional

__all__ = ["Payload", "on_channel"]


class Payload(bytes):
    """A received payload: its bytes, and the channel of a protected one."""

    __slots__ = ()  # most are expendable, and need no more than their bytes

    #: 0 ... 15 for a protected payload (see :meth:`AsyncSession.send_protected`), None for an expendable one.
    channel: Optional[int] = None


class _OnChannel(Payload):
    channel: Optional[int]


def on_channel(channel: int, data: bytes) -> Payload:
    """A protected payload."""
    payload = _OnChannel(data)
    payload.channel = channel
    return payload
