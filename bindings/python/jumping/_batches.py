"""The batch forms of send and receive: one call into the library for many datagrams."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterable
from typing import Any, Optional, Union

from . import _constants as c
from ._addresses import AddressCache, RemoteAddress
from ._data_path import DATAGRAM_FIELDS, RECEIVED_FIELDS
from ._library import calls, fail
from ._structs import jmp_datagram, jmp_receive_item, jmp_received, jmp_send_item
from ._structures import U32_MAX, as_bytes, offset_of, unsigned
from .errors import JumpingError
from .records import Datagram, Received

__all__ = ["Batches"]

_SEND_STRIDE = ctypes.sizeof(jmp_send_item)
_RECEIVE_STRIDE = ctypes.sizeof(jmp_receive_item)
_SEND_STATUS, _SEND_DATAGRAM = offset_of(jmp_send_item, "status"), offset_of(jmp_send_item, "datagram")
_RECEIVE_STATUS, _RECEIVE_FROM = offset_of(jmp_receive_item, "status"), offset_of(jmp_receive_item, "from_")
_RECEIVE_RECEIVED = offset_of(jmp_receive_item, "received")
#: AEGIS-256 has a 32-byte tag, 16 more than JMP_DATAGRAM_OVERHEAD counts.
_ROOM = c.JMP_DATAGRAM_OVERHEAD + 16 + c.JMP_FRAME_RESERVE
#: session, payload offset and length, buffer offset and capacity: the fields the host sets.
_SEND_HEAD = struct.Struct("=QIIII")
_RECEIVE_HEAD = struct.Struct("=III")
_U32 = struct.Struct("=I")
_STATUS = struct.Struct("=i")
_Check = Callable[[int], None]


def _error(status: int) -> JumpingError:
    try:
        fail(status)
    except JumpingError as error:
        return error


class Batches:
    """The item arrays of one endpoint; they grow to the largest batch seen."""

    def __init__(self, addresses: AddressCache) -> None:
        self._addresses = addresses
        self._done = ctypes.c_size_t()

    @staticmethod
    def _array(item_class: Any, count: int) -> tuple[bytearray, Any]:
        raw = bytearray(ctypes.sizeof(item_class) * count)
        return raw, (item_class * count).from_buffer(raw)

    def send(self, handle: Optional[int], items: Iterable[tuple[int, Any]], now: int,
             check: _Check) -> list[Union[Datagram, JumpingError]]:
        """Seals every item; raises only when the whole call is refused."""
        batch = [(unsigned(session, "session"), as_bytes(payload, "payload")) for session, payload in items]
        if not batch:
            return []
        raw, array = self._array(jmp_send_item, len(batch))
        payload_offset = buffer_offset = 0
        for index, (session, payload) in enumerate(batch):
            position, room = index * _SEND_STRIDE, len(payload) + _ROOM
            _SEND_HEAD.pack_into(raw, position, session, payload_offset, len(payload), buffer_offset, room)
            _U32.pack_into(raw, position + _SEND_DATAGRAM, ctypes.sizeof(jmp_datagram))
            payload_offset += len(payload)
            buffer_offset += room
        payloads = b"".join(payload for _, payload in batch)
        buffer = (ctypes.c_char * buffer_offset)()
        check(calls.jmp_send_batch(handle, array, len(batch), payloads, len(payloads), now, buffer, buffer_offset,
                                   ctypes.byref(self._done)))
        view, results, begin = memoryview(buffer).cast("B"), [], 0
        for index, (_, payload) in enumerate(batch):
            results.append(self._sent(raw, index * _SEND_STRIDE, view, begin))
            begin += len(payload) + _ROOM
        return results

    def _sent(self, raw: bytearray, position: int, view: memoryview, begin: int) -> Union[Datagram, JumpingError]:
        status, = _STATUS.unpack_from(raw, position + _SEND_STATUS)
        if status:
            return _error(status)
        transport, to, length, path, session, packet_number = DATAGRAM_FIELDS.unpack_from(
            raw, position + _SEND_DATAGRAM)
        return Datagram(transport, self._addresses.decode(to), bytes(view[begin:begin + length]),
                        None if path == c.JMP_PATH_NONE else path, session,
                        None if packet_number == c.JMP_PACKET_NUMBER_NONE else packet_number)

    def receive(self, handle: Optional[int], items: Iterable[tuple[int, RemoteAddress, Any]], now: int,
                check: _Check) -> list[Union[Received, JumpingError]]:
        """Opens every item; raises only when the whole call is refused."""
        batch = [(unsigned(transport, "transport", U32_MAX), self._addresses.encode(remote)[2], as_bytes(data, "datagram"))
                 for transport, remote, data in items]
        if not batch:
            return []
        raw, array = self._array(jmp_receive_item, len(batch))
        offset = 0
        for index, (transport, remote_bytes, data) in enumerate(batch):
            position = index * _RECEIVE_STRIDE
            _RECEIVE_HEAD.pack_into(raw, position, transport, offset, len(data))
            begin = position + _RECEIVE_FROM
            raw[begin:begin + len(remote_bytes)] = remote_bytes
            _U32.pack_into(raw, position + _RECEIVE_RECEIVED, ctypes.sizeof(jmp_received))
            offset += len(data)
        buffer = ctypes.create_string_buffer(b"".join(data for _, _, data in batch), offset + 1)
        check(calls.jmp_receive_batch(handle, array, len(batch), buffer, offset, now))
        view, results, begin = memoryview(buffer).cast("B"), [], 0
        for index, (_, _, data) in enumerate(batch):
            results.append(self._opened(raw, index * _RECEIVE_STRIDE, view, begin))
            begin += len(data)
        return results

    @staticmethod
    def _opened(raw: bytearray, position: int, view: memoryview, begin: int) -> Union[Received, JumpingError]:
        status, = _STATUS.unpack_from(raw, position + _RECEIVE_STATUS)
        if status:
            return _error(status)
        kind, session, offset, size, path, drop_cause, packet_number = RECEIVED_FIELDS.unpack_from(
            raw, position + _RECEIVE_RECEIVED)
        begin += offset
        return Received(session, bytes(view[begin:begin + size]) if kind == c.JMP_RECEIVED_PAYLOAD else None,
                        None if path == c.JMP_PATH_NONE else path, drop_cause,
                        None if packet_number == c.JMP_PACKET_NUMBER_NONE else packet_number)
