#!/usr/bin/env python3
"""What the Python binding costs, beside its floors in the same run.

    python3 Tests/Performance/python_bench.py [--json] [--seconds S] [--check]

Two endpoints in one process, one session, one core, process CPU time; candidates interleaved, medians of rounds. A row is
{name, value, unit, floor, ratio, target}: ratio is value / floor, target is the least value of a rate ("payloads/s") and the
largest ratio of a time ("ns"). ``--check`` exits with 1 when a target is missed.

Rates count payloads of 1,200 bytes that were sealed at one end and opened at the other, with what a host must do besides:
after every batch both ends' control datagrams are carried over, events polled, timeouts handled. Their floor is the same
traffic with the item arrays of the C interface filled in beforehand and the two batch functions called as they are.

Times are one call of the binding. Their floor is ctypes' own: the same function with the same arguments and prototype,
but no endpoint, so that it returns at once. Where the library does real work (seal, open) that work is added to the floor: the
time of an item in the C batches.

Finds the library as the package does: set JUMPING_LIBRARY, or build the release library first.
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import json
import statistics
import sys
import time
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bindings" / "python"))

import jumping  # noqa: E402
from jumping import _constants as c  # noqa: E402
from jumping._library import calls  # noqa: E402
from jumping._structs import jmp_datagram, jmp_receive_item, jmp_received, jmp_send_item  # noqa: E402

PSK, HINT = bytes(range(1, 33)), b"client-1"
NEAR, FAR = ("192.0.2.1", 1000), ("192.0.2.2", 2000)
PAYLOAD_LENGTH = 1_200
#: An acknowledgement names 33 datagrams: a host drains before more than that have arrived.
BATCH = 32
ROUNDS = 7
RATE_TARGET, CALL_TARGET = 100_000, 1.5
SLOT = 2_048


class Pair:
    """Two endpoints on a link in memory, and a session between them that has come to rest."""

    def __init__(self) -> None:
        now = jumping.now_us()
        policy = jumping.Policy()
        self.client = jumping.Endpoint(jumping.Config(), policy, now=now)
        self.gateway = jumping.Endpoint(jumping.Config(), policy, now=now)
        for endpoint in (self.client, self.gateway):
            endpoint.add_transport("mem:0", now=now)
        self.gateway.add_psk(PSK, HINT)
        self.session = self.client.connect(0, FAR, psk=PSK, hint=HINT, now=now)
        self.far: Optional[int] = None
        for _ in range(50):
            self.settle(jumping.now_us())
            time.sleep(0.001)
        if self.far is None or self.session.state != jumping.State.ATTACHED:
            raise SystemExit("python_bench: the session was not established")

    def settle(self, now: int) -> None:
        """Carries control datagrams both ways, polls events, handles timeouts: what a host does after every batch."""
        client, gateway = self.client, self.gateway
        busy = True
        while busy:
            busy = False
            for sender, receiver, source in ((gateway, client, FAR), (client, gateway, NEAR)):
                datagram = sender.poll_transmit(now=now)
                while datagram is not None:
                    busy = True
                    receiver.receive(datagram.transport, source, datagram.data, now=now)
                    datagram = sender.poll_transmit(now=now)
        for endpoint in (client, gateway):
            event = endpoint.poll_event()
            while event is not None:
                if endpoint is gateway and event.type == jumping.EventType.SESSION_ESTABLISHED:
                    self.far = event.session
                event = endpoint.poll_event()
            deadline = endpoint.next_timeout()
            if deadline is not None and deadline <= now:
                endpoint.handle_timeout(now=now)

    def lossless(self) -> None:
        """Fails unless everything that was sent was delivered, and believed to be."""
        near, far = self.session.stats(), self.gateway.session(self.far or 0).stats()
        if near.datagrams_lost or near.payloads_sent != far.payloads_received or self.client.stats().dropped:
            raise SystemExit(f"python_bench: payloads were lost: {near} {far}")


class BindingBatches:
    """Payloads through ``send_batch`` and ``receive_batch``: bytes in, bytes out."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.items = [(pair.session.handle, bytes([number]) * PAYLOAD_LENGTH) for number in range(BATCH)]

    def turn(self) -> int:
        """One batch there and what it takes to go on; how many payloads arrived."""
        now = jumping.now_us()
        sealed = self.pair.client.send_batch(self.items, now=now)
        opened = self.pair.gateway.receive_batch([(item.transport, NEAR, item.data) for item in sealed], now=now)
        arrived = 0
        for received in opened:
            if len(received.payload) == PAYLOAD_LENGTH:
                arrived += 1
        self.pair.settle(now)
        return arrived


class ViewBatches(BindingBatches):
    """As above without copies: datagrams and payloads are views."""

    def turn(self) -> int:
        now = jumping.now_us()
        sealed = self.pair.client.send_batch(self.items, now=now, copy=False)
        opened = self.pair.gateway.receive_batch([(item.transport, NEAR, item.data) for item in sealed], now=now, copy=False)
        arrived = 0
        for received in opened:
            if len(received.payload) == PAYLOAD_LENGTH:
                arrived += 1
        self.pair.settle(now)
        return arrived


class SingleCalls(BindingBatches):
    """The same payloads one by one, drained as seldom."""

    def turn(self) -> int:
        now, arrived = jumping.now_us(), 0
        send, receive = self.pair.client.send, self.pair.gateway.receive
        for handle, payload in self.items:
            sealed = send(handle, payload, now=now)
            if len(receive(sealed.transport, NEAR, sealed.data, now=now).payload) == PAYLOAD_LENGTH:
                arrived += 1
        self.pair.settle(now)
        return arrived


class CBatches:
    """The same traffic by the two C functions on arrays that are filled in once; datagrams are opened where they were sealed."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.payloads = b"x" * (PAYLOAD_LENGTH * BATCH)
        self.buffer = ctypes.create_string_buffer(SLOT * BATCH)
        self.out = (jmp_send_item * BATCH)()
        self.into = (jmp_receive_item * BATCH)()
        self.done = ctypes.c_size_t()
        address = pair.gateway._data_path.addresses.encode(NEAR)[0]
        for number in range(BATCH):
            out, into = self.out[number], self.into[number]
            out.session, out.payload_offset, out.payload_length = pair.session.handle, PAYLOAD_LENGTH * number, PAYLOAD_LENGTH
            out.buffer_offset, out.buffer_capacity = SLOT * number, SLOT
            out.datagram.struct_size = ctypes.sizeof(jmp_datagram)
            into.offset, into.from_ = SLOT * number, address
            into.received.struct_size = ctypes.sizeof(jmp_received)
        self.length = 0
        self.turn(measured=False)

    def turn(self, measured: bool = True) -> int:
        """As :meth:`BindingBatches.turn`; unless ``measured`` it also sets the datagrams' lengths, which stay the same."""
        now = jumping.now_us()
        client, gateway = self.pair.client, self.pair.gateway
        calls.jmp_send_batch(client._handle, self.out, BATCH, self.payloads, len(self.payloads), now, self.buffer,
                             SLOT * BATCH, ctypes.byref(self.done))
        if not measured:
            for out, into in zip(self.out, self.into):
                into.length = out.datagram.length
        calls.jmp_receive_batch(gateway._handle, self.into, BATCH, self.buffer, SLOT * BATCH, now)
        self.pair.settle(now)
        last = self.into[BATCH - 1].received
        return BATCH if last.payload_length == PAYLOAD_LENGTH and self.done.value == BATCH else 0


class Sodium:
    """The cipher alone, through ctypes: every payload encrypted and decrypted."""

    def __init__(self, suite: int) -> None:
        name = ctypes.util.find_library("sodium")
        if name is None:
            raise SystemExit("python_bench: libsodium was not found")
        library = ctypes.PyDLL(name)
        library.sodium_init()
        self.state: Optional[ctypes.Array[ctypes.c_char]] = None
        key, nonce = bytes(32), bytes(12)
        self.buffer = ctypes.create_string_buffer(b"x" * PAYLOAD_LENGTH, PAYLOAD_LENGTH + 16)
        self.tag = ctypes.create_string_buffer(16)
        size, pointer = ctypes.c_ulonglong, ctypes.c_void_p
        if suite == c.JMP_SUITE_AES_256_GCM:
            prefix = "crypto_aead_aes256gcm"
            space = ctypes.create_string_buffer(512 + 16)
            begin = ctypes.addressof(space) + (-ctypes.addressof(space)) % 16
            library.crypto_aead_aes256gcm_beforenm(pointer(begin), key)
            self.state, ending, key_argument = space, "_afternm", begin
        else:
            prefix, ending, key_argument = "crypto_aead_chacha20poly1305_ietf", "", key  # type: ignore[assignment]
        seal = getattr(library, f"{prefix}_encrypt_detached{ending}")
        open_ = getattr(library, f"{prefix}_decrypt_detached{ending}")
        seal.argtypes = [pointer, pointer, pointer, pointer, size, pointer, size, pointer, pointer, pointer]
        open_.argtypes = [pointer, pointer, pointer, size, pointer, pointer, size, pointer, pointer]
        header, text = bytes(16), ctypes.addressof(self.buffer)
        tag = ctypes.addressof(self.tag)
        self.seal: Callable[[], int] = lambda: seal(text, tag, None, text, PAYLOAD_LENGTH, header, 16, None, nonce, key_argument)
        self.open: Callable[[], int] = lambda: open_(text, None, text, PAYLOAD_LENGTH, tag, header, 16, nonce, key_argument)

    def turn(self) -> int:
        for _ in range(BATCH):
            if self.seal() or self.open():
                return 0
        return BATCH


def payloads_per_second(turns: dict[str, Callable[[], int]], seconds: float) -> dict[str, float]:
    """The median rate of each candidate over rounds in which they take turns."""
    rates: dict[str, list[float]] = {name: [] for name in turns}
    share = seconds / ROUNDS
    for _ in range(ROUNDS):
        for name, turn in turns.items():
            moved, begin = 0, time.process_time()
            spent = 0.0
            while spent < share:
                for _ in range(10):
                    moved += turn()
                spent = time.process_time() - begin
            rates[name].append(moved / spent)
    return {name: statistics.median(rate) for name, rate in rates.items()}


def nanoseconds(operations: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """The median time of one call of each candidate, without the loop's own."""
    times: dict[str, list[float]] = {name: [] for name in operations}
    count = max(200, int(seconds / ROUNDS / 1e-6 / 20) * 20)

    def spent_by(operation: Callable[[], object]) -> float:
        begin = time.process_time_ns()
        for _ in repeat(None, count):
            operation()
        return (time.process_time_ns() - begin) / count

    for _ in range(ROUNDS):
        for name, operation in operations.items():
            times[name].append(spent_by(operation))
    return {name: statistics.median(taken) for name, taken in times.items()}


if __name__ == "__main__":
    pair = Pair()
    print(pair.session.info().suite, jumping.LIBRARY_PATH)
    b, cb, s, single = BindingBatches(pair), CBatches(pair), Sodium(pair.session.info().suite), SingleCalls(pair)
    print(payloads_per_second({"batch": b.turn, "views":ViewBatches(pair).turn, "single": single.turn, "c": cb.turn, "sodium": s.turn}, 1.0))
    pair.lossless()
    from functools import partial
    cl = pair.client; h = cl._handle
    dp=cl._data_path
    now = jumping.now_us()
    big = 65536
    print(nanoseconds({
        "next_timeout": cl.next_timeout, "raw next_timeout NULL": partial(calls.jmp_next_timeout, None, cl._deadline_pointer),
        "raw": partial(calls.jmp_next_timeout, h, cl._deadline_pointer),
        "poll_event": cl.poll_event, "raw poll_event NULL": partial(calls.jmp_poll_event, None, cl._event_pointer),
        "poll_transmit": partial(cl.poll_transmit, now=now), "raw poll_transmit NULL": partial(calls.jmp_poll_transmit, None, now, dp._send_pointer, 66000, dp._datagram_pointer),
        "raw poll_transmit": partial(calls.jmp_poll_transmit, h, now, dp._send_pointer, 66000, dp._datagram_pointer),
        "handle_timeout": partial(cl.handle_timeout, now=now), "raw handle_timeout NULL": partial(calls.jmp_handle_timeout, None, now),
        "send": partial(cl.send, pair.session.handle, b"x"*1200, now=now), "raw send NULL": partial(calls.jmp_send, None, pair.session.handle, b"x"*1200, 1200, now, dp._send_pointer, 66000, dp._datagram_pointer),
        "raw send": partial(calls.jmp_send, h, pair.session.handle, b"x"*1200, 1200, now, dp._send_pointer, 66000, dp._datagram_pointer),
    }, 0.7))
