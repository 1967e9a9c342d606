"""Sealing, opening and polling with buffers and C values that are made once.

A call into the library costs less than a microsecond, most of it ctypes' own. What can be done once is done once: output
structs, their pointers, the buffers, the C values of handles and lengths (``_library.ready`` takes them as they are); fields
are read with one ``struct.unpack_from``; addresses are remembered. Copying a payload out of or into a buffer costs less than
making a ctypes view of it would.
"""

from __future__ import annotations

import ctypes
from typing import Any, Union

from . import _constants as c
from ._addresses import AddressCache, RemoteAddress
from ._library import ready
from ._items import Buffer, grown
from ._structs import jmp_datagram, jmp_payload, jmp_payload_options, jmp_received
from ._structures import field_reader, with_size
from .records import Datagram, ProtectedPayload, Received

__all__ = ["BUFFER_SIZE", "DataPath", "KnownValues"]

#: Larger than any datagram (JMP_MAX_MTU) with the room the library asks for while it builds one.
BUFFER_SIZE = c.JMP_MAX_MTU + 1024

_read_datagram = field_reader(jmp_datagram, "transport", "to", "length", "path", "session", "packet_number").unpack_from
_read_received = field_reader(jmp_received, "kind", "session", "payload_offset", "payload_length", "path", "drop_cause",
                              "packet_number", "channel", "waiting").unpack_from
_read_payload = field_reader(jmp_payload, "channel", "session", "sequence", "length").unpack_from
_new = tuple.__new__  # a NamedTuple's own constructor takes three times as long
_NO_PATH, _NO_NUMBER = c.JMP_PATH_NONE, c.JMP_PACKET_NUMBER_NONE
_NOTHING, _PROTECTED = c.JMP_RECEIVED_NOTHING, c.JMP_RECEIVED_PROTECTED
#: What the buffer for protected payloads begins with and keeps; a longer payload makes it larger until it is empty again.
_PAYLOAD_BUFFER = 65_536


class KnownValues(dict[int, Any]):
    """Numbers as C values, made when first asked for and never changed: threads that misuse one endpoint cannot give one's
    payload the other's length or session. Bounded: when full it is emptied. Keys must be ints within the C type's range."""

    CAPACITY = 4096

    def __init__(self, c_type: Any) -> None:
        super().__init__()
        self._c_type = c_type

    def __missing__(self, number: int) -> Any:
        value = self._c_type(number)
        if len(self) >= self.CAPACITY:
            self.clear()
        self[number] = value
        return value


class DataPath:
    """The buffers of one endpoint. Methods give a record, or the library's negative status."""

    def __init__(self, handle: int) -> None:
        #: The endpoint as a C value; NULL once :meth:`close` was called.
        self.handle = ctypes.c_void_p(handle)
        #: The time of the call, as a C value that changes with each call.
        self.now = ctypes.c_uint64()
        self.addresses = AddressCache()
        self._encoded, self._decoded = self.addresses.encoded, self.addresses.decoded
        self._sessions, self._transports = KnownValues(ctypes.c_uint64), KnownValues(ctypes.c_uint32)
        self._lengths = KnownValues(ctypes.c_size_t)
        self._capacity = ctypes.c_size_t(BUFFER_SIZE)
        self._send_view, self._send_pointer = self._buffer()
        self.receive_view, self._receive_pointer = self._buffer()
        self._datagram = with_size(jmp_datagram)
        self._datagram_view = memoryview(self._datagram).cast("B")
        self._datagram_pointer = ctypes.byref(self._datagram)
        self._received = with_size(jmp_received)
        self._received_view = memoryview(self._received).cast("B")
        self._received_pointer = ctypes.byref(self._received)
        self._payload_buffer = Buffer(1)
        self._payload = with_size(jmp_payload)
        self._payload_view = memoryview(self._payload).cast("B")
        self._payload_pointer = ctypes.byref(self._payload)
        self._options = with_size(jmp_payload_options)
        self._options_pointer = ctypes.byref(self._options)
        self._jmp_send_protected, self._jmp_poll_payload = ready("jmp_send_protected"), ready("jmp_poll_payload")
        self._jmp_send = ready("jmp_send")
        self._jmp_receive = ready("jmp_receive")
        self._jmp_poll_transmit = ready("jmp_poll_transmit")

    @staticmethod
    def _buffer() -> tuple[memoryview, Any]:
        buffer = bytearray(BUFFER_SIZE)
        return memoryview(buffer), ctypes.byref((ctypes.c_uint8 * BUFFER_SIZE).from_buffer(buffer))

    def close(self) -> None:
        """The endpoint is gone: every further call gets the library's error for that."""
        self.handle.value = None

    def send(self, session: int, payload: bytes, now: int) -> Union[Datagram, int]:
        """Seals ``payload``."""
        self.now.value = now
        status: int = self._jmp_send(self.handle, self._sessions[session], payload, self._lengths[len(payload)], self.now,
                                     self._send_pointer, self._capacity, self._datagram_pointer)
        return status if status else self._take_datagram()

    def send_protected(self, session: int, payload: bytes, channel: int, time_to_live_us: int, tag: int, report: bool,
                       now: int) -> int:
        """Gives the library a protected payload; its status."""
        options = self._options
        options.channel, options.time_to_live_us, options.tag, options.report = channel, time_to_live_us, tag, report
        self.now.value = now
        status: int = self._jmp_send_protected(self.handle, self._sessions[session], payload, self._lengths[len(payload)],
                                               self._options_pointer, self.now)
        return status

    def poll_payload(self, now: int) -> Union[ProtectedPayload, int]:
        """The next protected payload that waits."""
        self.now.value = now
        buffer = self._payload_buffer
        status: int = self._jmp_poll_payload(self.handle, self.now, buffer.pointer, buffer.c_capacity, self._payload_pointer)
        if status == c.JMP_ERR_BUFFER_TOO_SMALL:
            needed = _read_payload(self._payload_view)[3]
            self._payload_buffer = buffer = Buffer(grown(max(buffer.capacity, _PAYLOAD_BUFFER // 2), needed, _PAYLOAD_BUFFER))
            status = self._jmp_poll_payload(self.handle, self.now, buffer.pointer, buffer.c_capacity, self._payload_pointer)
        if status:
            if buffer.capacity > _PAYLOAD_BUFFER:
                self._payload_buffer = Buffer(1)
            return status
        channel, session, sequence, length = _read_payload(self._payload_view)
        return _new(ProtectedPayload, (session, buffer.view[:length].tobytes(), channel, sequence))

    def poll_transmit(self, now: int) -> Union[Datagram, int]:
        """The next control datagram."""
        self.now.value = now
        status: int = self._jmp_poll_transmit(self.handle, self.now, self._send_pointer, self._capacity,
                                              self._datagram_pointer)
        return status if status else self._take_datagram()

    def _take_datagram(self) -> Datagram:
        transport, to, length, path, session, packet_number = _read_datagram(self._datagram_view)
        return _new(Datagram, (
            transport, self._decoded[to], self._send_view[:length].tobytes(),
            None if path == _NO_PATH else path, session, None if packet_number == _NO_NUMBER else packet_number))

    def stage(self, datagram: bytes) -> int:
        """Copies a datagram to where it is opened; the library opens in place, and callers' bytes are not changed."""
        if len(datagram) > BUFFER_SIZE:
            datagram = datagram[:BUFFER_SIZE]  # still longer than any: the library drops it and counts it as too long
        self.receive_view[:len(datagram)] = datagram
        return len(datagram)

    def receive(self, transport: int, remote: RemoteAddress, length: int, now: int) -> Union[Received, int]:
        """Opens the first ``length`` bytes of the receive buffer."""
        try:
            address = self._encoded[remote][1]
        except TypeError:
            address = self.addresses.encode(remote)[1]
        self.now.value = now
        status: int = self._jmp_receive(self.handle, self._transports[transport], address, self._receive_pointer,
                                        self._lengths[length], self.now, self._received_pointer)
        if status:
            return status
        kind, session, offset, size, path, drop_cause, packet_number, channel, waiting = _read_received(self._received_view)
        return _new(Received, (
            session, self.receive_view[offset:offset + size].tobytes() if kind != _NOTHING else None,
            None if path == _NO_PATH else path, drop_cause, None if packet_number == _NO_NUMBER else packet_number,
            channel if kind == _PROTECTED else None, waiting != 0))
