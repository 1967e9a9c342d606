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
import asyncio
import ctypes
import ctypes.util
import json
import socket
import statistics
import sys
import time
import timeit
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bindings" / "python"))

import jumping  # noqa: E402
from jumping import _constants as c  # noqa: E402
from jumping._library import calls  # noqa: E402
from jumping._structs import jmp_datagram, jmp_event, jmp_receive_item, jmp_received, jmp_send_item  # noqa: E402
from jumping.aio import AsyncEndpoint, BoundedQueue  # noqa: E402

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

    def __init__(self, suite: int) -> None:
        now = jumping.now_us()
        policy = jumping.Policy(suites=suite)
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


class NullCalls:
    """ctypes alone: the two functions with the arguments of a payload, but no endpoint."""

    def __init__(self, pair: Pair) -> None:
        self.buffer = ctypes.create_string_buffer(SLOT)
        self.address = pair.gateway._data_path.addresses.encode(NEAR)[1]
        self.out, self.into = ctypes.byref(jmp_datagram()), ctypes.byref(jmp_received())

    def turn(self) -> int:
        send, receive, buffer = calls.jmp_send, calls.jmp_receive, ctypes.addressof(self.buffer)
        payload, address, out, into = bytes(PAYLOAD_LENGTH), self.address, self.out, self.into
        for _ in range(BATCH):
            send(None, 1, payload, PAYLOAD_LENGTH, 1, buffer, SLOT, out)
            receive(None, 0, address, buffer, PAYLOAD_LENGTH, 1, into)
        return BATCH


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


class Loopback:
    """Payloads by asyncio over real UDP sockets on loopback, 32 at a time, one end sending and the other receiving."""

    async def open(self) -> None:
        self.client, self.gateway = AsyncEndpoint(receive_capacity=4 * BATCH), AsyncEndpoint(receive_capacity=4 * BATCH)
        self.gateway.add_psk(PSK)
        door = self.gateway.add_udp_transport("gw", ("127.0.0.1", 0))
        way = self.client.add_udp_transport("cl", ("127.0.0.1", 0))
        self.near = await self.client.connect(way, door.local_address, psk=PSK)
        self.near.send(b"hello")
        self.far = await self.gateway.__anext__()
        await self.far.receive()
        self.payloads = [b"x" * PAYLOAD_LENGTH] * BATCH
        self.plain = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for plain in self.plain:
            plain.setblocking(False)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            plain.bind(("127.0.0.1", 0))
        self.queue: BoundedQueue[bytes] = BoundedQueue(4 * BATCH)
        self.buffer = memoryview(bytearray(SLOT))
        asyncio.get_running_loop().add_reader(self.plain[1], self.read_plain)

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.plain[1])
        for plain in self.plain:
            plain.close()
        await self.client.close()
        await self.gateway.close()

    async def turn(self) -> int:
        """One batch by ``send_many``."""
        self.near.send_many(self.payloads)
        for _ in range(BATCH):
            await self.far.receive()
        return BATCH

    async def turn_plain(self) -> int:
        """The same bytes by bare sockets, read as the runner reads: until nothing waits."""
        sender, remote = self.plain[0], self.plain[1].getsockname()
        for payload in self.payloads:
            sender.sendto(payload, remote)
        for _ in range(BATCH):
            await self.queue.get()
        return BATCH

    def read_plain(self) -> None:
        for _ in range(BATCH):
            try:
                length, _ = self.plain[1].recvfrom_into(self.buffer)
            except BlockingIOError:
                return
            self.queue.put(self.buffer[:length].tobytes())


def payloads_per_second(turns: dict[str, Callable[[], int]], seconds: float) -> dict[str, float]:
    """The median rate of each candidate over rounds in which they take turns."""
    rates: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(ROUNDS):
        for name, turn in turns.items():
            moved, begin, spent = 0, time.process_time(), 0.0
            while spent < seconds / ROUNDS:
                for _ in range(10):
                    arrived = turn()
                    if arrived != BATCH:
                        raise SystemExit(f"python_bench: {name}: {BATCH - arrived} of {BATCH} payloads did not arrive")
                    moved += arrived
                spent = time.process_time() - begin
            rates[name].append(moved / spent)
    return {name: statistics.median(rate) for name, rate in rates.items()}


def nanoseconds(statements: dict[str, str], names: dict[str, Any], seconds: float) -> dict[str, float]:
    """The median time of each statement over rounds in which they take turns, less that of an empty loop."""
    timers = {name: timeit.Timer(statement, timer=time.process_time_ns, globals=names)
              for name, statement in {**statements, "": "pass"}.items()}
    count = max(1_000, int(seconds / ROUNDS * 2e6))
    times: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(ROUNDS):
        for name, timer in timers.items():
            times[name].append(timer.timeit(count) / count)
    empty = statistics.median(times.pop(""))
    return {name: statistics.median(taken) - empty for name, taken in times.items()}


class Report:
    """Rows, as lines of JSON or as a table, and whether each met its target."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.missed: list[str] = []

    def row(self, name: str, value: float, unit: str, floor: float, target: Optional[float]) -> None:
        """A time's target bounds its ratio from above, a rate's the rate itself from below."""
        ratio = value / floor
        if target is not None and (value < target if unit == "payloads/s" else ratio > target):
            self.missed.append(name)
        if self.as_json:
            print(json.dumps({"name": name, "value": round(value, 2), "unit": unit, "floor": round(floor, 2),
                              "ratio": round(ratio, 3), "target": target}), flush=True)
            return
        wanted = "" if target is None else f">= {target:,}" if unit == "payloads/s" else f"ratio <= {target}"
        print(f"{name:<58} {value:>10,.0f} {unit:<10} floor {floor:>9,.0f}   ratio {ratio:.2f}   {wanted}".rstrip(), flush=True)


def bench_batches(report: Report, suite: int, seconds: float) -> None:
    """Rates of the binding and of the C batches, and one payload by single calls."""
    pair = Pair(suite)
    rates = payloads_per_second({
        "copies": BindingBatches(pair).turn, "views": ViewBatches(pair).turn, "C": CBatches(pair).turn,
        "cipher": Sodium(suite).turn, "single": SingleCalls(pair).turn, "null": NullCalls(pair).turn}, seconds)
    pair.lossless()
    name = jumping.suite_name(suite)
    report.row(f"Python, {name}: send_batch, receive_batch", rates["copies"], "payloads/s", rates["C"], RATE_TARGET)
    report.row(f"Python, {name}: the same with copy=False", rates["views"], "payloads/s", rates["C"], RATE_TARGET)
    report.row(f"Python, {name}: send, receive one by one", rates["single"], "payloads/s", rates["C"], RATE_TARGET)
    report.row(f"C batches by ctypes, {name}; floor: cipher by ctypes", rates["C"], "payloads/s", rates["cipher"], None)
    report.row(f"Python, {name}: send and receive one payload", 1e9 / rates["single"], "ns",
               1e9 / rates["null"] + 1e9 / rates["C"], CALL_TARGET)


def bench_calls(report: Report, seconds: float) -> None:
    """Calls that find nothing to do: the binding's cost and nothing else."""
    pair = Pair(c.JMP_SUITE_CHACHA20_POLY1305)
    endpoint = pair.client
    for _ in range(3):
        pair.settle(jumping.now_us())
    names: dict[str, Any] = {
        "endpoint": endpoint, "now": jumping.now_us(), "buffer": ctypes.addressof(ctypes.create_string_buffer(SLOT)),
        "out": ctypes.byref(jmp_datagram()), "event": ctypes.byref(jmp_event()), "deadline": ctypes.byref(ctypes.c_uint64())}
    names.update((name, getattr(calls, name)) for name in (
        "jmp_next_timeout", "jmp_poll_event", "jmp_poll_transmit", "jmp_handle_timeout"))
    pairs = {
        "next_timeout()": ("endpoint.next_timeout()", "jmp_next_timeout(None, deadline)"),
        "poll_event(), none": ("endpoint.poll_event()", "jmp_poll_event(None, event)"),
        "poll_transmit(), none": ("endpoint.poll_transmit(now=now)", "jmp_poll_transmit(None, now, buffer, 2048, out)"),
        "handle_timeout(), nothing due": ("endpoint.handle_timeout(now=now)", "jmp_handle_timeout(None, now)"),
    }
    statements = {name: statement for name, (statement, _) in pairs.items()}
    statements.update((f"floor of {name}", statement) for name, (_, statement) in pairs.items())
    times = nanoseconds(statements, names, seconds)
    for name in pairs:
        report.row(f"Python call: {name}", times[name], "ns", times[f"floor of {name}"], CALL_TARGET)


def bench_loopback(report: Report, seconds: float) -> None:
    """The asyncio runner beside bare sockets on the same loop."""
    loop = asyncio.new_event_loop()
    loopback = Loopback()
    loop.run_until_complete(loopback.open())

    def on_loop(turn: Callable[[], Coroutine[Any, Any, int]]) -> Callable[[], int]:
        async def turns() -> int:
            for _ in range(10):
                await turn()
            return BATCH
        return lambda: loop.run_until_complete(turns())

    rates = payloads_per_second({"ours": on_loop(loopback.turn), "plain": on_loop(loopback.turn_plain)}, seconds)
    loop.run_until_complete(loopback.close())
    loop.close()
    report.row("Python, asyncio over UDP; floor: bare sockets", 10 * rates["ours"], "payloads/s", 10 * rates["plain"], None)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU time of each row, about (default 1)")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    options = parser.parse_args()
    report = Report(options.json)
    for suite in (c.JMP_SUITE_AES_256_GCM, c.JMP_SUITE_CHACHA20_POLY1305):
        if jumping.suites_available() & suite:
            bench_batches(report, suite, options.seconds)
    bench_calls(report, options.seconds / 4)
    bench_loopback(report, options.seconds)
    if options.check and report.missed:
        print("missed: " + "; ".join(report.missed), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
