"""Protected payloads through the C interface, by ctypes alone: what a host of any language calls."""
import ctypes
from typing import NamedTuple

import jumping
from jumping import _constants as c
from jumping._addresses import AddressCache
from jumping._library import calls, check
from jumping._structs import jmp_payload, jmp_payload_options, jmp_received
from jumping._structures import with_size

_addresses = AddressCache()
_buffer = ctypes.create_string_buffer(c.JMP_PROTECTED_PAYLOAD_MAX)


class Received(NamedTuple):
    """What jmp_receive told. `payload` is an expendable one, `protected` holds (channel, payload) of protected ones."""
    payload: bytes | None
    protected: list
    drop_cause: int


def endpoint_handle(endpoint):
    """The C handle of a Python endpoint."""
    return endpoint._data_path.handle  # pylint: disable=protected-access


def send(session, payload, channel=0, time_to_live_us=0, now=None):
    """jmp_send_protected; gives whether it was taken."""
    options = jmp_payload_options()
    check(calls.jmp_payload_options_init(ctypes.byref(options)))
    options.channel, options.time_to_live_us = channel, time_to_live_us
    status = calls.jmp_send_protected(endpoint_handle(session.endpoint), session.handle, payload, len(payload), ctypes.byref(options),
                                      jumping.now_us() if now is None else now)
    if status != c.JMP_AGAIN:
        check(status)
    return status == 0


def poll(endpoint, now=None):
    """Every payload that jmp_poll_payload has: (channel, payload)."""
    payload, found = with_size(jmp_payload), []
    while True:
        status = calls.jmp_poll_payload(endpoint_handle(endpoint), jumping.now_us() if now is None else now, _buffer, len(_buffer),
                                        ctypes.byref(payload))
        if status == c.JMP_AGAIN:
            return found
        check(status)
        found.append((payload.channel, _buffer.raw[:payload.length]))


def receive(endpoint, transport, remote, datagram, now=None):
    """jmp_receive, then what every host does: every payload that waits."""
    opened, received = ctypes.create_string_buffer(datagram, len(datagram)), with_size(jmp_received)
    check(calls.jmp_receive(endpoint_handle(endpoint), transport, _addresses.encode(remote)[1], opened, len(datagram),
                            jumping.now_us() if now is None else now, ctypes.byref(received)))
    start = received.payload_offset
    payload = opened.raw[start:start + received.payload_length]
    protected = [(received.channel, payload)] if received.kind == c.JMP_RECEIVED_PROTECTED else []
    return Received(payload if received.kind == c.JMP_RECEIVED_PAYLOAD else None, protected + poll(endpoint, now), received.drop_cause)
