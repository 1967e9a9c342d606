"""The instrument itself: the emulator must do what the other scenarios take for granted. No library is involved."""

import ctypes
import os
import socket
import statistics
import threading
import time

from harness import HarnessError, Link, clock_us
from report import Measure, Result
from scenarios_jump import LATE_US

CLONE_NEWNET = 0x40000000
CLIENT, GATEWAY = ("10.201.1.2", 5000), ("10.201.1.1", 6000)
# LINK_PRIORITY of link.c.
EMULATOR_PRIORITY = 20
LATE_LIMIT_MS = 0.2
# More than other scenarios have: here a neighbour is in the way with all that is measured. It may be gone after a pause.
REPEATS_MAX = 4
PAUSE_S = 3.0


def socket_inside(namespace, address, kind=socket.SOCK_DGRAM):
    """A bound socket in a namespace; it stays there, while only a passing thread of this process enters."""
    made, problems = [], []

    def make():
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if libc.setns(descriptor, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.socket(socket.AF_INET, kind))
            made[0].bind(address)
            made[0].settimeout(1.0)
        except OSError as error:
            problems.append(error)
        finally:
            os.close(descriptor)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if problems:
        for unbound in made:
            unbound.close()
        raise HarnessError(f"no socket in the namespace: {problems[0]}")
    return made[0]


def _drain(receiver):
    """How many datagrams arrive until none does for 100 ms."""
    receiver.settimeout(0.1)
    count = 0
    try:
        while True:
            receiver.recvfrom(2048)
            count += 1
    except TimeoutError:
        receiver.settimeout(1.0)
        return count


def _round_trips_us(client, gateway, count):
    """Round trips of datagrams sent one by one, echoed by hand."""
    times = []
    for _ in range(count):
        sent_at = clock_us()
        client.sendto(b"x" * 64, GATEWAY)
        data, source = gateway.recvfrom(2048)
        gateway.sendto(data, source)
        client.recvfrom(2048)
        times.append(clock_us() - sent_at)
    return times


def _lost_of(link, client, gateway, seed, count):
    """Indices of datagrams lost under 30 % loss with this seed."""
    link.command(f"seed {seed}")
    link.command("set A up loss 300000")
    arrived = set()
    gateway.settimeout(0.1)
    for start in range(0, count, 100):  # few enough at a time for a socket's buffer
        for index in range(start, start + 100):
            client.sendto(index.to_bytes(4, "big"), GATEWAY)
        try:
            while True:
                arrived.add(int.from_bytes(gateway.recvfrom(2048)[0], "big"))
        except TimeoutError:
            pass
    gateway.settimeout(1.0)
    link.command("set A up loss 0")
    return set(range(count)) - arrived


def _check_faults(result, link, client, gateway):
    """Loss, duplication, blackholes: each does what it says."""
    first, again = (_lost_of(link, client, gateway, 11, 1000) for _ in range(2))
    result.demand(250 <= len(first) <= 350, f"30 % loss lost {len(first)} of 1000")
    result.demand(first == again, "the same seed lost different datagrams")
    link.command("set A up duplicate 1000000")
    client.sendto(b"twice", GATEWAY)
    result.demand(_drain(gateway) == 2, "a duplicated datagram did not arrive twice")
    link.command("set A up duplicate 0 blackhole 1")
    client.sendto(b"gone", GATEWAY)
    gateway.sendto(b"back", CLIENT)
    result.demand(_drain(gateway) == 0, "a blackhole let something through")
    result.demand(_drain(client) == 1, "a one-way blackhole swallowed the other direction")
    link.command("set A up blackhole 0")


def _check_addresses(result, link, client, gateway):
    """Translation, rebinding and the attacker's copies; the kernel drops what has a wrong checksum."""
    ports = []
    link.command("nat A on")
    for _ in range(2):
        client.sendto(b"hello!!", GATEWAY)
        data, source = gateway.recvfrom(2048)
        ports.append(source[1])
        gateway.sendto(data, source)
        result.demand(client.recvfrom(2048)[0] == b"hello!!", "an answer through the translation was wrong")
        link.command("nat A rebind")
    result.demand(ports[0] != ports[1] and CLIENT[1] not in ports, f"source ports {ports} did not change")
    gateway.sendto(b"late", ("10.201.1.2", ports[0]))
    result.demand(_drain(client) == 0, "a forgotten port still led to the client")
    link.command("nat A move")
    client.sendto(b"moved", GATEWAY)
    source = gateway.recvfrom(2048)[1]
    result.demand(source[0] == "10.201.1.3", f"after a change of address the client came from {source}")
    gateway.sendto(b"there", source)
    result.demand(client.recvfrom(2048)[0] == b"there", "an answer to the new address was wrong")
    link.command("nat A off")
    link.command("attack A 10.201.1.66 5555 0 1")
    client.sendto(b"secret", GATEWAY)
    sources = [gateway.recvfrom(2048)[1] for _ in range(2)]
    result.demand(sources == [("10.201.1.66", 5555), CLIENT], f"copy and original came from {sources}")
    gateway.sendto(b"answer", ("10.201.1.66", 5555))
    time.sleep(0.02)
    result.demand(link.stats()["A"]["attacker"]["received_packets"] == 1 and _drain(client) == 0,
                  "what goes to the attacker did not go to him alone")


def _check_bottleneck(result, link, client, gateway):
    """1 Mbit/s lets a datagram of 1,000 bytes pass every 8 ms, and four wait; a fifth is dropped."""
    link.command("set A up rate 1000 queue 4000")
    start_us = clock_us()
    for _ in range(6):
        client.sendto(b"x" * 972, GATEWAY)
    times_us = [gateway.recvfrom(2048) and clock_us() - start_us for _ in range(4)]
    result.demand(_drain(gateway) == 0, "more datagrams passed a full queue than it holds")
    result.demand(all(abs(at - 20_000 - 8_000 * (index + 1)) < 4_000 for index, at in enumerate(times_us)),
                  f"datagrams left a bottleneck after {[round(at / 1000, 1) for at in times_us]} ms")
    result.demand(link.stats()["A"]["up"]["overrun"] == 2, "what found no room was not counted")
    link.command("set A up rate 0 queue 0")


def _check_interface(result, link, client, gateway):
    """A client's interface that is down refuses to send, and works again when it is up."""
    link.command("interface A down")
    try:
        client.sendto(b"nowhere", GATEWAY)
        result.failures.append("sending over an interface that is down did not fail")
    except OSError:
        pass
    link.command("interface A up")
    client.sendto(b"somewhere", GATEWAY)
    result.demand(_drain(gateway) == 1, "an interface that came up again does not work")


class _Witness(threading.Thread):
    """How late the machine wakes a thread that has as much right to be on time as the emulator: a neighbour makes both late, a
    defect of the emulator only the emulator."""

    INTERVAL_US = 2_000

    def __init__(self):
        super().__init__(daemon=True)
        self._late_us = []
        self._is_over = threading.Event()

    def run(self):
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(EMULATOR_PRIORITY))  # of this thread alone
        except OSError:
            pass  # then the emulator has not got it either
        while not self._is_over.is_set():
            due_us = clock_us() + self.INTERVAL_US
            time.sleep(self.INTERVAL_US / 1e6)
            self._late_us.append(clock_us() - due_us)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self.join()

    def median_ms(self):
        """Of all wake-ups."""
        return statistics.median(self._late_us) / 1000

    def worst_ms(self):
        """The latest wake-up."""
        return max(self._late_us) / 1000


def _examine(tools):
    """Everything once."""
    result = Result("emulator", "the emulator's own delays, faults and rewriting", runs=1)
    late = Measure("lateness, median", "ms", worst_limit=LATE_LIMIT_MS)
    late_99, late_max = Measure("lateness, 99 %", "ms"), Measure("lateness, most", "ms")
    trips = Measure("round trip over 40 ms", "ms", median_limit=41.5)
    result.measures = [late, late_99, late_max, trips]
    with Link(tools, tools.seed) as link:
        link.command("set AB both delay 20000")
        client = socket_inside(link.client_namespace, CLIENT)
        gateway = socket_inside(link.gateway_namespace, GATEWAY)
        with client, gateway:
            trips.values = [time_us / 1000 for time_us in _round_trips_us(client, gateway, 60)]
            result.demand(min(trips.values) >= 40.0, f"a round trip took only {min(trips.values):.2f} ms")
            for check in (_check_faults, _check_addresses, _check_bottleneck, _check_interface):
                try:
                    check(result, link, client, gateway)
                except TimeoutError:
                    result.failures.append(f"{check.__name__}: a datagram that was due did not arrive")
        stats = link.stats()
        for measure, name in ((late, "median"), (late_99, "p99"), (late_max, "max")):
            measure.values.append(stats["lateness_us"][name] / 1000)
        result.details.append(stats)
        link.send("quit")
        link.wait()
    result.close()
    return result


def emulator(tools, _runs):
    """Delays to 0.2 ms (median), loss by seed, blackholes, translation with right checksums, a bottleneck's rate and queue,
    copies, interfaces. Done again, a bounded number of times, when something was wrong and the machine was late."""
    notes = []
    while True:
        with _Witness() as witness:
            result = _examine(tools)
        result.repeated, result.notes = len(notes), notes
        was_late = witness.median_ms() > LATE_LIMIT_MS or witness.worst_ms() > LATE_US / 1000
        if result.passed or not was_late or len(notes) == REPEATS_MAX:
            return result
        notes.append(f"repeated: {result.failures[0]}; the machine woke others {witness.median_ms():.1f} ms late (median), "
                     f"{witness.worst_ms():.1f} ms at worst")
        time.sleep(PAUSE_S)
