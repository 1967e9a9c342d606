"""Arrays of C items and buffers that stay with an endpoint, and the views through which Python fills and reads them."""

from __future__ import annotations

import ctypes
from typing import Any

from ._structures import field_column

__all__ = ["Buffer", "Items", "grown"]


class Items:
    """An array of ``capacity`` C items, zeroed; ``pointer`` is for the library."""

    def __init__(self, item_class: Any, capacity: int) -> None:
        self.capacity = capacity
        self.raw = bytearray(ctypes.sizeof(item_class) * capacity)
        self.view = memoryview(self.raw)
        self.pointer = ctypes.byref(ctypes.c_uint8.from_buffer(self.raw))
        self._item_class = item_class

    def column(self, name: str) -> memoryview:
        """A field of every item."""
        return field_column(self._item_class, self.view, name)


class Buffer:
    """``capacity`` bytes that the library reads or writes. A replaced one lives on as long as views of it do."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.c_capacity = ctypes.c_size_t(capacity)
        self.view = memoryview(bytearray(capacity))
        self.pointer = ctypes.byref(ctypes.c_uint8.from_buffer(self.view))


def grown(present: int, needed: int, kept: int) -> int:
    """A capacity for ``needed``: up to ``kept`` at least twice the present one, so that growing stays rare."""
    return max(needed, min(2 * present, kept))
