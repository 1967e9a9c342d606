"""Sealing, opening and polling with buffers that are made once.

A call into the library costs about a microsecond, most of it Python's own. What can be done once is done once: output
structs, their pointers, the buffers and their addresses; fields are read with one ``struct.unpack_from``; addresses are
remembered. Copying a payload out of or into a buffer costs less than making a ctypes view of it would.
"""

from __future__ import annotations

import ctypes
from typing import Optional, Union

from . import _constants as c
from ._addresses import AddressCache, RemoteAddress
from ._library import calls
from ._structs import jmp_datagram, jmp_received
from ._structures import as_bytes, field_reader
from .records import Datagram, Received

__all__ = ["DATAGRAM_FIELDS", "RECEIVED_FIELDS", "DataPath"]

#: Larger than any datagram (JMP_MAX_MTU) with the room the library asks for while it builds one.
_BUFFER_SIZE = c.JMP_MAX_MTU + 1024

DATAGRAM_FIELDS = field_reader(jmp_datagram, "transport", "to", "length", "path", "session", "packet_number")
RECEIVED_FIELDS = field_reader(jmp_received, "kind", "session", "payload_offset", "payload_length", "path", "drop_cause",
                               "packet_number")
_read_datagram = DATAGRAM_FIELDS.unpack_from
_read_received = RECEIVED_FIELDS.unpack_from
_new = tuple.__new__  # a NamedTuple's own constructor takes three times as long


class DataPath:
    """The buffers of one endpoint. Methods give a record, or the library's negative status."""

    def __init__(self) -> None:
        self.addresses = AddressCache()
        self._send_buffer = bytearray(_BUFFER_SIZE)
        self._send_view = memoryview(self._send_buffer)
        self._send_keeper = (ctypes.c_uint8 * _BUFFER_SIZE).from_buffer(self._send_buffer)
        self._send_address = ctypes.addressof(self._send_keeper)
        self._receive_buffer = bytearray(_BUFFER_SIZE)
        self.receive_view = memoryview(self._receive_buffer)
        self._receive_keeper = (ctypes.c_uint8 * _BUFFER_SIZE).from_buffer(self._receive_buffer)
        self._receive_address = ctypes.addressof(self._receive_keeper)
        self._datagram_bytes = bytearray(ctypes.sizeof(jmp_datagram))
        self._datagram = jmp_datagram.from_buffer(self._datagram_bytes)
        self._datagram.struct_size = ctypes.sizeof(jmp_datagram)
        self._datagram_pointer = ctypes.byref(self._datagram)
        self._received_bytes = bytearray(ctypes.sizeof(jmp_received))
        self._received = jmp_received.from_buffer(self._received_bytes)
        self._received.struct_size = ctypes.sizeof(jmp_received)
        self._received_pointer = ctypes.byref(self._received)
        self._jmp_send = calls.jmp_send
        self._jmp_receive = calls.jmp_receive
        self._jmp_poll_transmit = calls.jmp_poll_transmit

    def send(self, handle: Optional[int], session: int, payload: bytes, now: int) -> Union[Datagram, int]:
        """Seals ``payload``."""
        status: int = self._jmp_send(handle, session, payload, len(payload), now, self._send_address, _BUFFER_SIZE,
                                     self._datagram_pointer)
        return status if status else self._take_datagram()

    def poll_transmit(self, handle: Optional[int], now: int) -> Union[Datagram, int]:
        """The next control datagram."""
        status: int = self._jmp_poll_transmit(handle, now, self._send_address, _BUFFER_SIZE, self._datagram_pointer)
        return status if status else self._take_datagram()

    def _take_datagram(self) -> Datagram:
        transport, to, length, path, session, packet_number = _read_datagram(self._datagram_bytes)
        return _new(Datagram, (
            transport, self.addresses.decode(to), bytes(self._send_view[:length]),
            None if path == c.JMP_PATH_NONE else path, session,
            None if packet_number == c.JMP_PACKET_NUMBER_NONE else packet_number))

    def stage(self, datagram: Union[bytes, bytearray, memoryview]) -> int:
        """Copies a datagram to where it is opened; the library opens in place, and callers' bytes are not changed."""
        raw = as_bytes(datagram, "datagram")
        if len(raw) > _BUFFER_SIZE:
            raw = raw[:_BUFFER_SIZE]  # still longer than any datagram: the library drops it and counts it as too long
        self._receive_buffer[:len(raw)] = raw
        return len(raw)

    def receive(self, handle: Optional[int], transport: int, remote: RemoteAddress, length: int,
                now: int) -> Union[Received, int]:
        """Opens the first ``length`` bytes of the receive buffer."""
        status: int = self._jmp_receive(handle, transport, self.addresses.encode(remote)[1], self._receive_address, length,
                                        now, self._received_pointer)
        if status:
            return status
        kind, session, offset, size, path, drop_cause, packet_number = _read_received(self._received_bytes)
        return _new(Received, (
            session, bytes(self.receive_view[offset:offset + size]) if kind == c.JMP_RECEIVED_PAYLOAD else None,
            None if path == c.JMP_PATH_NONE else path, drop_cause,
            None if packet_number == c.JMP_PACKET_NUMBER_NONE else packet_number))
