"""A bounded queue between the protocol and a task: it never blocks or slows the protocol; what does not fit is counted."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, Optional, TypeVar

__all__ = ["BoundedQueue"]

_Item = TypeVar("_Item")


class BoundedQueue(Generic[_Item]):
    """Items in order, at most ``capacity`` of them; a newer one that does not fit is dropped and counted in ``drops``.

    It is an async iterator, which ends when the queue is closed and empty. Several tasks may wait; each item goes to one.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self.capacity = capacity
        self.drops = 0
        self._items: deque[_Item] = deque()
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self._error: Optional[BaseException] = None

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: _Item) -> bool:
        """Adds an item; False when it was dropped."""
        if self._closed or len(self._items) >= self.capacity:
            self.drops += 1
            return False
        self._items.append(item)
        self._wake_one()
        return True

    def _put_anyway(self, item: _Item) -> None:
        """Adds an item beyond the capacity too: one that must not be dropped, and whose kind is held back from now on."""
        if self._closed:
            self.drops += 1
            return
        self._items.append(item)
        self._wake_one()

    def close(self, error: Optional[BaseException] = None) -> None:
        """No more items. What waits can still be taken; then iteration ends, or raises ``error``."""
        self._closed = True
        self._error = self._error or error
        while self._waiters:
            self._wake_one()

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def take(self) -> Optional[_Item]:
        """The next item, or None when none waits."""
        return self._items.popleft() if self._items else None

    async def get(self) -> _Item:
        """The next item. Raises StopAsyncIteration when the queue is closed and empty, or the error it was closed with."""
        while not self._items:
            if self._closed:
                raise self._error or StopAsyncIteration
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled() and self._items:
                    self._wake_one()  # this task was woken and cancelled at once: the item is another's
                raise
        return self._items.popleft()

    def __aiter__(self) -> BoundedQueue[_Item]:
        return self

    async def __anext__(self) -> _Item:
        return await self.get()
