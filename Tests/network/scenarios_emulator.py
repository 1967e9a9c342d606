"""The instrument itself: the emulator must do what the other scenarios take for granted. No library is involved."""

import ctypes
import os
import socket
import threading
import time

from harness import HarnessError, Link, clock_us
from report import Measure, Result

CLONE_NEWNET = 0x40000000
CLIENT, GATEWAY = ("10.201.1.2", 5000), ("10.201.1.1", 6000)


def _socket_inside(namespace, address):
    """A bound UDP socket in a namespace; it stays there, while only a passing thread of this process enters."""
    made, problems = [], []

    def make():
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if libc.setns(descriptor, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
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
    link.command("nat A off")
    link.command("attack A 10.201.1.66 5555 0 1")
    client.sendto(b"secret", GATEWAY)
    sources = [gateway.recvfrom(2048)[1] for _ in range(2)]
    result.demand(sources == [("10.201.1.66", 5555), CLIENT], f"copy and original came from {sources}")
    gateway.sendto(b"answer", ("10.201.1.66", 5555))
    time.sleep(0.02)
    result.demand(link.stats()["A"]["attacker"]["received_packets"] == 1 and _drain(client) == 0,
                  "what goes to the attacker did not go to him alone")


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


def emulator(tools, _runs):
    """Delays to 0.2 ms (median), loss by seed, blackholes, translation with right checksums, copies, interfaces."""
    result = Result("emulator", "the emulator's own delays, faults and rewriting", runs=1)
    late = Measure("lateness, median", "ms", worst_limit=0.2)
    late_99, late_max = Measure("lateness, 99 %", "ms"), Measure("lateness, most", "ms")
    trips = Measure("round trip over 40 ms", "ms", median_limit=41.5)
    result.measures = [late, late_99, late_max, trips]
    with Link(tools, tools.seed) as link:
        link.command("set AB both delay 20000")
        client = _socket_inside(link.client_namespace, CLIENT)
        gateway = _socket_inside(link.gateway_namespace, GATEWAY)
        with client, gateway:
            trips.values = [time_us / 1000 for time_us in _round_trips_us(client, gateway, 60)]
            result.demand(min(trips.values) >= 40.0, f"a round trip took only {min(trips.values):.2f} ms")
            for check in (_check_faults, _check_addresses, _check_interface):
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
