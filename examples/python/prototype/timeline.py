"""Tells a session's story on the terminal while it happens: marks that stay, and a status line.

On a terminal the status line is redrawn in place, in colour. Anywhere else (a pipe, a file, NO_COLOR set, TERM=dumb)
plain lines come, the status twice a second.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from typing import TextIO

from . import put

__all__ = ["Status", "Timeline"]

_RESET, _ERASE_LINE = "\x1b[0m", "\r\x1b[2K"
_COLOURS = {"ATTACHED": "\x1b[32m", "VOLATILE": "\x1b[33m", "DEGRADED": "\x1b[31m", "RECOVERING": "\x1b[33m",
            "TERMINATED": "\x1b[2m", "good": "\x1b[1;32m", "bad": "\x1b[1;31m", "jump": "\x1b[1;36m", "loud": "\x1b[1;35m"}
_STATUS_INTERVAL_S, _PLAIN_STATUS_INTERVAL_S = 0.1, 0.5


@dataclass(frozen=True)
class Status:
    """A session at one moment. Times in milliseconds, loss in parts per million."""

    state: str
    transport: str
    rtt_ms: float
    loss_ppm: int
    sent: int
    delivered: int
    longest_gap_ms: float

    def __str__(self) -> str:
        # Made to fit 80 columns behind the time.
        return (f"{self.state:<10} {self.transport:<5}  RTT {self.rtt_ms:.2f}ms  loss {self.loss_ppm / 10_000:.1f}%  "
                f"delivered {self.delivered}/{self.sent}  gap {self.longest_gap_ms:.0f}ms")


class Timeline:
    """Writes to ``stream``; time runs from the making of the object."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_live = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._start = time.monotonic()
        self._next_status = 0.0
        self._has_status = False

    def _write(self, text: str, style: str, end: str) -> None:
        line = f"{time.monotonic() - self._start:6.3f} s {text}"
        if self._is_live:
            if end != "\n":
                line = line[:max(20, shutil.get_terminal_size().columns - 1)]  # a wrapped line could not be redrawn
            line = f"{_ERASE_LINE}{_COLOURS.get(style, '')}{line}{_RESET}"
        put(self._stream, line + end)

    def mark(self, text: str, style: str = "") -> None:
        """Something happened: a line that stays."""
        self._has_status = False
        self._write(text, style, "\n")

    def is_status_due(self) -> bool:
        """True when :meth:`status` would show something: to be asked before a status is put together."""
        return time.monotonic() >= self._next_status

    def status(self, status: Status) -> None:
        """The present status."""
        interval = _STATUS_INTERVAL_S if self._is_live else _PLAIN_STATUS_INTERVAL_S
        self._next_status = time.monotonic() + interval
        self._has_status = True
        self._write(str(status), status.state, "" if self._is_live else "\n")

    def say(self, text: str, style: str = "") -> None:
        """A line of the closing story, without a time."""
        self.close()
        colour = _COLOURS.get(style, "") if self._is_live else ""
        put(self._stream, f"{colour}{text}{_RESET if colour else ''}\n")

    def close(self) -> None:
        """Ends the status line, so that others can write below it."""
        if self._is_live and self._has_status:
            put(self._stream, "\n")
        self._has_status = False
