"""Scenarios in which a protected stream takes what a path can carry: how much it gets, and what it leaves to TCP.

The bottleneck is the emulator's, from client to gateway, with a drop-tail queue of one bandwidth-delay product. Its rate
counts whole IP packets, so that 100 % of it is what a sender gets that never lets it rest, headers and all; goodput is
payload bytes alone, as the receiving host gets them. TCP is the kernel's, over the very same emulator.
"""

import time
from contextlib import ExitStack, contextmanager

from harness import Link, Run, clock_us
from report import Measure, Result
from scenarios_delivery import RTT_MS, demand_delivery
from scenarios_emulator import socket_inside
from scenarios_jump import attempt_runs, demand_continuity, demand_identity
from tcp import Arrivals, TcpStream

PAYLOAD_BYTES = 16_384
# Twice what a path with its queue holds: neither end's buffer is what limits the stream.
BUFFER_BYTES = 4 << 20
TCP_PORT = 9000


def _bottleneck(mbps):
    """The emulator's command for it."""
    return f"set A up rate {mbps * 1000} queue {mbps * RTT_MS * 1000 // 8}"


def _received(outcome):
    """What the gateway had of the client's stream, and when."""
    return Arrivals((line["t"], line["progress"]) for line in outcome.gateway_lines if "progress" in line)


@contextmanager
def _tcp_alone(tools, index, mbps, *congestions, setup=()):
    """The emulator of a run, with TCP streams and nothing else."""
    with ExitStack() as stack:
        link = stack.enter_context(Link(tools, tools.seed * 1000 + index))
        for command in (f"set AB both delay {RTT_MS * 500}", _bottleneck(mbps), *setup):
            link.command(command)
        yield link, [stack.enter_context(TcpStream(link, congestion, TCP_PORT + number, socket_inside))
                     for number, congestion in enumerate(congestions)]


def _use_percent(before, after, mbps):
    """How much of the bottleneck's rate came out of it between two readings of the emulator's counters."""
    passed = [stats["A"]["up"]["delivered_bytes"] for stats in (before, after)]
    return 100 * (passed[1] - passed[0]) * 8 / (mbps * (after["t"] - before["t"]))


def _jain(shares):
    """Jain's index: 1 when all get the same, one over their number when one gets all. In percent."""
    return 100 * sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


def _run_stream(tools, index, mbps, start_up_s, seconds, setup=(), beside=None):
    """A protected stream through a bottleneck, beside a TCP stream when a congestion control is named. The outcome, whose
    first two snapshots frame the measured time, and what TCP got in it (Mbit/s)."""
    with Run(tools, seed=index, bulk=PAYLOAD_BYTES, buffer=BUFFER_BYTES, setup=[_bottleneck(mbps), *setup],
             longest_s=start_up_s + seconds + 30) as run:
        with ExitStack() as stack:
            if beside:
                other = stack.enter_context(TcpStream(run.link, beside, TCP_PORT, socket_inside))
            run.wait(start_up_s)
            before = run.stats()
            run.wait(seconds)
            after = run.stats()
        return run.finish(), other.arrivals.mbps(before["t"], after["t"]) if beside else None


def _run_tcp(tools, index, mbps, start_up_s, seconds, *congestions, setup=()):
    """The same with TCP streams only: the emulator's counters at both ends of the measured time, and what each got."""
    with _tcp_alone(tools, index, mbps, *congestions, setup=setup) as (link, streams):
        time.sleep(start_up_s)
        before = link.stats()
        time.sleep(seconds)
        after = link.stats()
    return before, after, [stream.arrivals.mbps(before["t"], after["t"]) for stream in streams]


def _goodput(outcome):
    """Mbit/s of the protected stream in the measured time."""
    before, after = outcome.snapshots[:2]
    return _received(outcome).mbps(before["t"], after["t"])


BULK_MBPS, BULK_START_S = 100, 2.0


def bulk(tools, runs, seconds, compares):
    """One protected stream on a clean path of 100 Mbit/s; `compares`: what TCP CUBIC gets of it, too."""
    result = Result("delivery-bulk", f"protected stream alone on a path of {BULK_MBPS} Mbit/s, 40 ms", runs=runs)
    use = Measure("share of the path", "%", worst_limit=95, is_floor=True)
    goodput = Measure("goodput", "Mbit/s", is_floor=True)
    result.measures = [use, goodput]

    def one_run(index):
        return _run_stream(tools, index, BULK_MBPS, BULK_START_S, seconds)

    def use_of(outcome):
        return _use_percent(*outcome.snapshots[:2], BULK_MBPS)

    for index, outcome, _ in attempt_runs(result, runs, one_run, lambda outcome, _: use_of(outcome) < use.worst_limit):
        label = f"run {index + 1}"
        use.values.append(use_of(outcome))
        goodput.values.append(_goodput(outcome))
        demand_continuity(result, outcome, label)
        demand_delivery(result, outcome, label)
    if compares:
        tcp_use = Measure("share with TCP CUBIC", "%", is_floor=True)
        tcp_goodput = Measure("goodput of TCP CUBIC", "Mbit/s", is_floor=True)
        result.measures += [tcp_use, tcp_goodput]
        for index in range(runs):
            before, after, (mbps,) = _run_tcp(tools, index, BULK_MBPS, BULK_START_S, seconds, "cubic")
            tcp_use.values.append(_use_percent(before, after, BULK_MBPS))
            tcp_goodput.values.append(mbps)
    result.close()
    return result


FAIR_MBPS = 30
# Acknowledgements come 0 ... 4 ms later, none before another. Without any noise in it an emulator locks ack-clocked senders
# into phases, and a drop-tail queue takes from the same one each time (Floyd and Jacobson, "Traffic phase effects in
# packet-switched gateways", 1991): then even the kernel's own streams share badly.
NOISE = ("set A down jitter 4000 reorder 0",)


def fairness(tools, runs, start_up_s, seconds, congestion, jain_limit, compares):
    """A protected stream beside a TCP stream; `compares`: two TCP streams there, too."""
    result = Result(f"delivery-beside-{congestion}", f"protected stream beside TCP {congestion.upper()}, {FAIR_MBPS} Mbit/s, 40 ms, "
                    f"{seconds} s", runs=runs)
    jain = Measure("Jain's index", "%", worst_limit=jain_limit, is_floor=True)
    own, other, use = (Measure(name, unit) for name, unit in (("protected", "Mbit/s"), ("TCP", "Mbit/s"), ("share of the path", "%")))
    result.measures = [jain, own, other, use]
    tcp_got = {}

    def one_run(index):
        outcome, tcp_got["mbps"] = _run_stream(tools, index, FAIR_MBPS, start_up_s, seconds, NOISE, beside=congestion)
        return outcome, None

    def fair(outcome):
        return _jain([_goodput(outcome), tcp_got["mbps"]])

    for index, outcome, _ in attempt_runs(result, runs, one_run, lambda outcome, _: fair(outcome) < jain_limit):
        jain.values.append(fair(outcome))
        own.values.append(_goodput(outcome))
        other.values.append(tcp_got["mbps"])
        use.values.append(_use_percent(*outcome.snapshots[:2], FAIR_MBPS))
        demand_continuity(result, outcome, f"run {index + 1}")
        demand_delivery(result, outcome, f"run {index + 1}")
    if compares:
        reference = Measure(f"Jain's index, CUBIC beside {congestion.upper()}", "%", is_floor=True)
        cubic, rival = Measure("CUBIC", "Mbit/s"), Measure(f"{congestion.upper()} beside it", "Mbit/s")
        result.measures += [reference, cubic, rival]
        for index in range(runs):
            _, _, shares = _run_tcp(tools, index, FAIR_MBPS, start_up_s, seconds, "cubic", congestion, setup=NOISE)
            reference.values.append(_jain(shares))
            cubic.values.append(shares[0])
            rival.values.append(shares[1])
    result.close()
    return result


LOSSY_MBPS, LOSSY_START_S = 20, 1.0
LOSSES = {"both ways": "set A both loss {}", "up": "set A up loss {}"}
LOSS_PPM = 300_000


class _LossyPath:
    """One kind of loss on the only path there is, as a protected stream and as TCP meet it from their first second on."""

    def __init__(self, tools, result, name, command, seconds):
        self._tools, self._command, self._seconds = tools, command, seconds
        self._share = Measure(f"{name}: goodput of TCP's", "%", worst_limit=80, is_floor=True)
        self._own = Measure(f"{name}: protected", "kbit/s", is_floor=True)
        self._tcp = Measure(f"{name}: TCP CUBIC", "kbit/s", is_floor=True)
        result.measures += [self._share, self._own, self._tcp]

    def run(self, index):
        """The protected stream's outcome; the loss ends before what is under way is waited for."""
        with Run(self._tools, seed=index, bulk=PAYLOAD_BYTES, alone=True, setup=[_bottleneck(LOSSY_MBPS)],
                 longest_s=self._seconds + 60) as run:
            run.command(self._command.format(LOSS_PPM))
            run.wait(LOSSY_START_S)
            run.stats()
            run.wait(self._seconds)
            run.stats()
            run.command(self._command.format(0))
            return run.finish(), None

    def add(self, index, outcome):
        """Beside what TCP got there."""
        with _tcp_alone(self._tools, index, LOSSY_MBPS, "cubic") as (link, (stream,)):
            start = link.command(self._command.format(LOSS_PPM)) + int(LOSSY_START_S * 1_000_000)
            time.sleep(LOSSY_START_S + self._seconds)
            self._tcp.values.append(1000 * stream.arrivals.mbps(start, clock_us()))
        self._own.values.append(1000 * _goodput(outcome))

    def close(self):
        """Of all runs together, since TCP's luck differs from one to the next."""
        if self._own.values:
            self._share.values.append(100 * sum(self._own.values) / max(sum(self._tcp.values), 0.001))


def lossy_path(tools, runs, seconds):
    """30 % loss on the only path there is, from the beginning: exactly once all the same, and at least four fifths of what
    TCP CUBIC gets there."""
    result = Result("delivery-only-path", f"protected stream alone under 30 % loss, no other path, {seconds} s", runs=runs * len(LOSSES))
    for name, command in LOSSES.items():
        path = _LossyPath(tools, result, name, command, seconds)
        for index, outcome, _ in attempt_runs(result, runs, path.run, lambda *_: False):
            path.add(index, outcome)
            demand_identity(result, outcome, f"{name}, run {index + 1}")
            demand_delivery(result, outcome, f"{name}, run {index + 1}")
        path.close()
    result.close()
    return result
