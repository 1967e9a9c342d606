"""The two clocks a host needs. The library itself reads none: every call that needs the time takes it."""

from __future__ import annotations

import time

__all__ = ["MICROSECONDS_PER_SECOND", "now_us", "ppm", "seconds", "wall_clock_offset_us"]

MICROSECONDS_PER_SECOND = 1_000_000

# CLOCK_BOOTTIME counts through suspend, so a laptop that slept past a session's TTL learns it when it wakes.
_clock_gettime_ns = time.clock_gettime_ns
_BOOTTIME = time.CLOCK_BOOTTIME


def now_us() -> int:
    """The library's time now: microseconds of CLOCK_BOOTTIME."""
    return _clock_gettime_ns(_BOOTTIME) // 1000


def wall_clock_offset_us() -> int:
    """Unix time minus :func:`now_us`, in microseconds: what turns event times into ``ts_ms``."""
    return time.time_ns() // 1000 - now_us()


def seconds(value: float) -> int:
    """Seconds as the integer microseconds that settings take: ``seconds(1.5) == 1_500_000``."""
    return round(value * MICROSECONDS_PER_SECOND)


def ppm(ratio: float) -> int:
    """A ratio as the integer parts per million that settings take: ``ppm(0.2) == 200_000``."""
    return round(ratio * 1_000_000)
