"""The batch forms of send and receive: one call into the library for many datagrams.

What a batch costs besides the library's work is paid per item, so items cost as little as Python lets them: item arrays and
buffers stay and grow; a batch of the same lengths, transports or addresses as the one before does not write these again;
fields are written a column at a time and read by one ``struct.iter_unpack``. What is unusual about a batch (another type than
bytes, a number out of range) leads to a slower way, which names the item.
"""

from __future__ import annotations

import ctypes
import threading
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any, Union

from . import _constants as c
from ._addresses import RemoteAddress
from ._data_path import BUFFER_SIZE, DataPath
from ._items import Buffer, Items, grown
from ._library import fail, ready
from ._structs import jmp_datagram, jmp_receive_item, jmp_received, jmp_send_item
from ._structures import U32_MAX, as_bytes, bounded, field_reader, offset_of, unsigned
from .errors import JumpingError
from .records import Datagram, DatagramView, Received, ReceivedView

__all__ = ["RECEIVE_SLOTS", "ReceiveBatches", "SendBatches"]

#: One acknowledgement names 33 arrivals: a host that drains after each batch of this many reports every one.
RECEIVE_SLOTS = 32
#: Arrays and buffers beyond these sizes serve one batch and are given back.
_KEPT_ITEMS, _KEPT_BYTES = 4_096, 8 << 20
_FIRST_ITEMS, _FIRST_BYTES = RECEIVE_SLOTS, RECEIVE_SLOTS * 2_048
#: AEGIS-256 has a 32-byte tag, 16 more than JMP_DATAGRAM_OVERHEAD counts.
_ROOM = c.JMP_DATAGRAM_OVERHEAD + 16 + c.JMP_FRAME_RESERVE

_read_sent = field_reader(jmp_send_item, "datagram.transport", "datagram.to", "datagram.length", "datagram.path",
                          "datagram.session", "datagram.packet_number").iter_unpack
_read_opened = field_reader(jmp_receive_item, "received.kind", "received.session", "received.payload_offset",
                            "received.payload_length", "received.path", "received.drop_cause",
                            "received.packet_number", "received.channel", "received.waiting").iter_unpack
_SEND_STRIDE, _RECEIVE_STRIDE = ctypes.sizeof(jmp_send_item), ctypes.sizeof(jmp_receive_item)
_FROM = offset_of(jmp_receive_item, "from_")
_FROM_END = offset_of(jmp_receive_item, "received")

_new = tuple.__new__  # a NamedTuple's own constructor takes three times as long
_NO_PATH, _NO_NUMBER = c.JMP_PATH_NONE, c.JMP_PACKET_NUMBER_NONE
_NOTHING, _PROTECTED = c.JMP_RECEIVED_NOTHING, c.JMP_RECEIVED_PROTECTED
_ONLY_BYTES = {bytes}
_Check = Callable[[int], None]
_Bytes = Union[bytes, bytearray, memoryview]


def _error(status: int, index: int) -> JumpingError:
    try:
        fail(status, f"item {index} of the batch")
    except JumpingError as error:
        return error


def _as_joinable(value: Any, name: str) -> _Bytes:
    """``value`` as something whose ``len`` is its bytes and that ``bytes.join`` takes; copied only when it must be."""
    if type(value) is bytes or type(value) is bytearray:
        return value
    if type(value) is memoryview and value.ndim == 1 and value.itemsize == 1 and value.contiguous:
        return value
    return as_bytes(value, name)


def _joinable(values: list[Any], name: str) -> list[Any]:
    if set(map(type, values)) == _ONLY_BYTES:
        return values
    return [_as_joinable(value, f"{name} of item {index}") for index, value in enumerate(values)]


def _numbers(code: str, values: list[Any], maximum: int, name: str) -> array[int]:
    try:
        return array(code, values)
    except (TypeError, OverflowError):
        return array(code, [unsigned(value, f"{name} of item {index}", maximum) for index, value in enumerate(values)])


def _offsets(lengths: Iterable[int]) -> array[int]:
    """Where each item begins when they lie one behind the other, and at last where all end."""
    try:
        return array("I", accumulate(lengths, initial=0))
    except OverflowError:
        raise ValueError(f"a batch has at most {U32_MAX} bytes") from None


class _Entered:
    """Entered by one batch at a time: arrays are shared, and a second thread would seal its payloads for the first one's peers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(False):
            raise RuntimeError("another thread is in the middle of a batch of this endpoint: one thread at a time may use it")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class SendBatches:
    """Seals batches of one endpoint."""

    def __init__(self, data_path: DataPath) -> None:
        self._data_path = data_path
        self._decoded = data_path.addresses.decoded
        self._call = ready("jmp_send_batch")
        self._done = ctypes.c_size_t()
        self._done_pointer = ctypes.byref(self._done)
        self._entered = _Entered()
        self._forget()

    def _forget(self) -> None:
        self._lengths: list[int] = []  # of the batch that the arrays are laid out for
        self._buffer = Buffer(1)
        self._make_items(1)

    def _make_items(self, capacity: int) -> None:
        self._items = items = Items(jmp_send_item, capacity)
        items.column("datagram.struct_size")[:] = array("I", [ctypes.sizeof(jmp_datagram)]) * capacity
        self._sessions, self._statuses = items.column("session"), items.column("status")

    def send(self, items: Iterable[tuple[int, Any]], now: int, copy: bool,
             check: _Check) -> Union[list[Union[Datagram, JumpingError]], list[Union[DatagramView, JumpingError]]]:
        """Seals every item; raises only when the whole call is refused, or an item is not of its type."""
        batch = items if type(items) is list else list(items)
        sessions = [session for session, _ in batch]
        if not sessions:
            return []
        handles = _numbers("Q", sessions, 2**64 - 1, "session")
        payloads = _joinable([payload for _, payload in batch], "payload")
        lengths, joined = list(map(len, payloads)), b"".join(payloads)
        with self._entered:
            if lengths != self._lengths:
                self._lay_out(lengths)
            self._sessions[:len(lengths)] = handles
            self._data_path.now.value = now
            check(self._call(self._data_path.handle, self._items.pointer, self._count, joined,
                             ctypes.c_size_t(len(joined)), self._data_path.now, self._buffer.pointer,
                             self._buffer.c_capacity, self._done_pointer))
            results = self._results(len(lengths), copy)
            if self._items.capacity > _KEPT_ITEMS or self._buffer.capacity > _KEPT_BYTES:
                self._forget()
            return results

    def _lay_out(self, lengths: list[int]) -> None:
        """Says where payloads lie and datagrams go: each one behind the other."""
        self._lengths = []
        count = len(lengths)
        payload_begins, rooms = _offsets(lengths), array("I", [length + _ROOM for length in lengths])
        begins = _offsets(rooms)
        if count > self._items.capacity:
            self._make_items(grown(max(self._items.capacity, _FIRST_ITEMS // 2), count, _KEPT_ITEMS))
        if begins[-1] > self._buffer.capacity:
            self._buffer = Buffer(grown(max(self._buffer.capacity, _FIRST_BYTES // 2), begins[-1], _KEPT_BYTES))
        column = self._items.column
        column("payload_offset")[:count], column("payload_length")[:count] = payload_begins[:-1], array("I", lengths)
        column("buffer_offset")[:count], column("buffer_capacity")[:count] = begins[:-1], rooms
        self._count, self._begins, self._lengths = ctypes.c_size_t(count), begins.tolist(), lengths

    def _results(self, count: int, copy: bool) -> list[Any]:
        rows, view, decoded = _read_sent(self._items.view[:count * _SEND_STRIDE]), self._buffer.view, self._decoded
        results: list[Any]
        if copy:
            results = [_new(Datagram, (
                transport, decoded[to], view[begin:begin + length].tobytes(), None if path == _NO_PATH else path, session,
                None if packet_number == _NO_NUMBER else packet_number))
                for (transport, to, length, path, session, packet_number), begin in zip(rows, self._begins)]
        else:
            results = [_new(DatagramView, (
                transport, decoded[to], view[begin:begin + length], None if path == _NO_PATH else path, session,
                None if packet_number == _NO_NUMBER else packet_number))
                for (transport, to, length, path, session, packet_number), begin in zip(rows, self._begins)]
        if self._done.value != count:
            _replace_failed(results, self._statuses[:count])
        return results


def _replace_failed(results: list[Any], statuses: memoryview) -> None:
    """The library writes nothing but its status into an item that failed; what was read of it is an older batch's."""
    for index, status in enumerate(statuses):
        if status:
            results[index] = _error(status, index)


class _Arrivals:
    """An item array for received datagrams and the buffer they are opened in, and what was last written into the array."""

    def __init__(self, capacity: int, buffer_capacity: int) -> None:
        self.items, self.buffer = Items(jmp_receive_item, capacity), Buffer(buffer_capacity)
        self.items.column("received.struct_size")[:] = array("I", [ctypes.sizeof(jmp_received)]) * capacity
        self.statuses = self.items.column("status")
        self.begins: list[int] = []
        self.lengths: list[int] = []
        self.transports: array[int] = array("I")
        self.remotes: list[RemoteAddress] = []


class ReceiveBatches:
    """Opens batches of one endpoint: datagrams that it copies into a buffer, or that were read into its slots."""

    def __init__(self, data_path: DataPath) -> None:
        self._data_path = data_path
        self._call = ready("jmp_receive_batch")
        self._entered = _Entered()
        self._staged = _Arrivals(1, 1)
        self._slotted = _Arrivals(1, 1)
        self._slots: tuple[memoryview, ...] = ()

    @property
    def slots(self) -> tuple[memoryview, ...]:
        """``RECEIVE_SLOTS`` buffers, each larger than any datagram; memory is taken where they are written."""
        if not self._slots:
            begins = range(0, RECEIVE_SLOTS * BUFFER_SIZE, BUFFER_SIZE)
            self._slotted = slotted = _Arrivals(RECEIVE_SLOTS, RECEIVE_SLOTS * BUFFER_SIZE)
            slotted.begins = list(begins)
            slotted.items.column("offset")[:] = array("I", begins)
            self._slots = tuple(slotted.buffer.view[begin:begin + BUFFER_SIZE] for begin in begins)
        return self._slots

    def receive(self, items: Iterable[tuple[int, RemoteAddress, Any]], now: int, copy: bool,
                check: _Check) -> Union[list[Union[Received, JumpingError]], list[Union[ReceivedView, JumpingError]]]:
        """Opens every item; raises only when the whole call is refused, or an item is not of its type."""
        batch = items if type(items) is list else list(items)
        transports = [transport for transport, _, _ in batch]
        if not transports:
            return []
        numbers = _numbers("I", transports, U32_MAX, "transport")
        datagrams = _joinable([datagram for _, _, datagram in batch], "datagram")
        lengths, joined = list(map(len, datagrams)), b"".join(datagrams)
        with self._entered:
            self._stage(lengths, joined)
            results = self._open(self._staged, numbers, [remote for _, remote, _ in batch], now, copy, check)
            if self._staged.items.capacity > _KEPT_ITEMS or self._staged.buffer.capacity > _KEPT_BYTES:
                self._staged = _Arrivals(1, 1)
            return results

    def _stage(self, lengths: list[int], joined: bytes) -> None:
        staged, count = self._staged, len(lengths)
        if count > staged.items.capacity or len(joined) > staged.buffer.capacity:
            self._staged = staged = _Arrivals(
                grown(max(staged.items.capacity, _FIRST_ITEMS // 2), count, _KEPT_ITEMS),
                grown(max(staged.buffer.capacity, _FIRST_BYTES // 2), len(joined), _KEPT_BYTES))
        if lengths != staged.lengths:
            staged.lengths = []
            begins = _offsets(lengths)
            staged.items.column("offset")[:count] = begins[:-1]
            staged.items.column("length")[:count] = array("I", lengths)
            staged.begins, staged.lengths = begins.tolist(), lengths
        staged.buffer.view[:len(joined)] = joined

    def receive_slots(self, arrivals: Sequence[tuple[int, RemoteAddress, int]], now: int, copy: bool,
                      check: _Check) -> Union[list[Union[Received, JumpingError]], list[Union[ReceivedView, JumpingError]]]:
        """Opens the datagrams that were read into the first slots."""
        transports = [transport for transport, _, _ in arrivals]
        count = len(transports)
        if not count:
            return []
        if count > len(self.slots):
            raise ValueError(f"there are {RECEIVE_SLOTS} slots, not {count}")
        numbers = _numbers("I", transports, U32_MAX, "transport")
        lengths = [length for _, _, length in arrivals]
        if set(map(type, lengths)) != {int} or min(lengths) < 0 or max(lengths) > BUFFER_SIZE:
            lengths = [bounded(length, 0, BUFFER_SIZE, f"length of item {index}") for index, length in enumerate(lengths)]
        with self._entered:
            self._slotted.items.column("length")[:count] = array("I", lengths)
            return self._open(self._slotted, numbers, [remote for _, remote, _ in arrivals], now, copy, check)

    def _open(self, arrivals: _Arrivals, transports: array[int], remotes: list[RemoteAddress], now: int, copy: bool,
              check: _Check) -> list[Any]:
        count = len(transports)
        if transports != arrivals.transports:
            arrivals.items.column("transport")[:count] = transports
            arrivals.transports = transports
        if remotes != arrivals.remotes:
            self._write_remotes(arrivals, remotes)
        self._data_path.now.value = now
        check(self._call(self._data_path.handle, arrivals.items.pointer, ctypes.c_size_t(count), arrivals.buffer.pointer,
                         arrivals.buffer.c_capacity, self._data_path.now))
        rows, view, begins = _read_opened(arrivals.items.view[:count * _RECEIVE_STRIDE]), arrivals.buffer.view, arrivals.begins
        results: list[Any]
        if copy:
            results = [_new(Received, (
                session, view[begin + offset:begin + offset + size].tobytes() if kind != _NOTHING else None,
                None if path == _NO_PATH else path, drop_cause, None if packet_number == _NO_NUMBER else packet_number,
                channel if kind == _PROTECTED else None, waiting != 0))
                for (kind, session, offset, size, path, drop_cause, packet_number, channel, waiting), begin in zip(rows, begins)]
        else:
            results = [_new(ReceivedView, (
                session, view[begin + offset:begin + offset + size] if kind != _NOTHING else None,
                None if path == _NO_PATH else path, drop_cause, None if packet_number == _NO_NUMBER else packet_number,
                channel if kind == _PROTECTED else None, waiting != 0))
                for (kind, session, offset, size, path, drop_cause, packet_number, channel, waiting), begin in zip(rows, begins)]
        statuses = arrivals.statuses[:count]
        if any(statuses):
            _replace_failed(results, statuses)
        return results

    def _write_remotes(self, arrivals: _Arrivals, remotes: list[RemoteAddress]) -> None:
        arrivals.remotes = []
        encode, raw = self._data_path.addresses.encode, arrivals.items.raw
        for index, remote in enumerate(remotes):
            position = index * _RECEIVE_STRIDE
            raw[position + _FROM:position + _FROM_END] = encode(remote)[2]
        if set(map(type, remotes)) <= {tuple, bytes}:  # a bytearray may change, and would still be equal to itself
            arrivals.remotes = remotes
