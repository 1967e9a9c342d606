"""Programs, links and runs: what every scenario is built from.

A :class:`Run` is one emulated network with one gateway and one client in it. Everything it starts ends with it: it is a
context manager, and the programs also end by themselves when their standard input does, so that a killed orchestrator
leaves nothing behind (the emulator's namespaces have no names and vanish with their last program).

Times are CLOCK_BOOTTIME in microseconds throughout; the programs use the same clock.
"""

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field

CLIENT_ADDRESSES = "10.201.1.2,10.201.2.2"
GATEWAY_ADDRESSES = "10.201.1.1,10.201.2.1"
PROBE_PRIORITY = 10
# How long a program may take for anything that is not the network's doing.
PATIENCE_S = 10.0
# Somewhat longer than the probes wait for the acknowledgements of their protected payloads.
SETTLING_S = 15.0


class HarnessError(Exception):
    """A program did not do what every scenario takes for granted."""


def clock_us():
    """Microseconds of CLOCK_BOOTTIME."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


@dataclass(frozen=True)
class Tools:
    """Where the built programs are, and the seed of this invocation."""

    link: str
    probe: str
    seed: int = 1


class Program:
    """A child process that speaks in lines. Use as a context manager."""

    def __init__(self, name, arguments):
        self.name = name
        self._errors = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
                                        text=True, bufsize=1)
        self.lines = []
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def send(self, line):
        """Writes one line to the program's standard input; False when it no longer listens."""
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            return True
        except (BrokenPipeError, ValueError):
            return False

    def wait_for(self, wanted, timeout_s=PATIENCE_S, start=0):
        """The first line from `start` on for which `wanted` is true."""
        end = time.monotonic() + timeout_s
        with self._changed:
            position = start
            while True:
                while position < len(self.lines):
                    if wanted(self.lines[position]):
                        return self.lines[position]
                    position += 1
                left = end - time.monotonic()
                if self._ended:
                    self.process.wait(PATIENCE_S)
                    raise HarnessError(f"{self.name} ended early{self.complaint()}")
                if left <= 0:
                    raise HarnessError(f"{self.name} did not answer in {timeout_s:g} s{self.complaint()}")
                self._changed.wait(left)

    def complaint(self):
        """What the program wrote to standard error and how it ended, for messages."""
        status = self.process.poll()
        self._errors.seek(0)
        said = self._errors.read().strip()
        ended = "" if status is None else f" (it ended with status {status})"
        return ended + (f": {said}" if said else "")

    def wait(self, timeout_s=PATIENCE_S):
        """Waits for the end; an error when there is none or the status is not 0."""
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise HarnessError(f"{self.name} did not end in {timeout_s:g} s") from None
        self._reader.join(PATIENCE_S)
        if status != 0:
            raise HarnessError(f"{self.name} failed{self.complaint()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(PATIENCE_S)
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            try:
                stream.close()
            except BrokenPipeError:
                pass


class Link(Program):
    """The emulator: :meth:`command` gives the time just before a command took effect."""

    def __init__(self, tools, seed):
        super().__init__("link", [tools.link, "--seed", str(seed)])
        try:
            words = self.wait_for(lambda line: line.startswith("ready")).split()
        except HarnessError:
            self.__exit__()
            raise
        self.client_namespace = f"/proc/{words[1]}/fd/{words[2]}"
        self.gateway_namespace = f"/proc/{words[1]}/fd/{words[3]}"

    def _ask(self, line):
        start = len(self.lines)
        self.send(line)
        answer = self.wait_for(lambda _: True, start=start)
        if not answer.startswith("ok "):
            raise HarnessError(f"link: '{line}': {answer}")
        return answer

    def command(self, line):
        """Gives one command; the time (µs) just before it took effect."""
        return int(self._ask(line).split()[1])

    def stats(self):
        """Every counter of the emulator, and when they were read (µs)."""
        _, at, counters = self._ask("stats").split(" ", 2)
        return {"t": int(at), **json.loads(counters)}


class Probe(Program):
    """A client or gateway; its lines are JSON objects."""

    def __init__(self, tools, role, namespace, arguments, priority=PROBE_PRIORITY):
        super().__init__(role, [tools.probe, role, "--netns", namespace, "--priority", str(priority), *arguments])

    def wait_for_key(self, key, timeout_s=PATIENCE_S):
        """The first line that has this key, as an object."""
        return json.loads(self.wait_for(lambda line: f'"{key}":' in line, timeout_s))

    def objects(self):
        """All lines so far."""
        try:
            return [json.loads(line) for line in list(self.lines)]
        except ValueError as error:
            raise HarnessError(f"{self.name} wrote a line that is no JSON: {error}") from None

    def summary(self):
        """The summary; the program must have ended."""
        return next(line["summary"] for line in reversed(self.objects()) if "summary" in line)


@dataclass
class Outcome:
    """What a run left: summaries, every line of both ends, the emulator's counters."""

    client: dict
    gateway: dict
    client_lines: list
    gateway_lines: list
    link: dict
    marks: list = field(default_factory=list)
    """(time µs, what the orchestrator did)"""
    snapshots: list = field(default_factory=list)
    """The emulator's counters whenever :meth:`Run.stats` was asked, the last ones included."""

    def events(self, side, event_type):
        """Events of one type of "client" or "gateway", in order."""
        lines = self.client_lines if side == "client" else self.gateway_lines
        return [line for line in lines if line.get("type") == event_type]

    def transitions(self, side):
        """The states a side went through, as "VOLATILE(reason)"."""
        states = (self.client if side == "client" else self.gateway)["states"]
        return [f"{state['to']}({state['reason']})" for state in states]

    def machine_was_late_us(self):
        """The worst lateness of the emulator's timers and the probes' wake-ups: noise of the machine, not the library's."""
        return max(self.link["lateness_us"]["max"], self.client["worst_wake_us"], self.gateway["worst_wake_us"])


class Run:
    """One network, one gateway, one client; inside the `with` block both run and the standby is warm.

    :param rtt_ms: round trip time of both paths
    :param jitter_ms: added to each packet's one-way delay, uniform between 0 and this
    :param rate: payloads a second
    :param one_way: the gateway sends, the client only receives
    :param policy: fields of ``jmp_policy`` for both ends
    :param setup: commands for the emulator before anyone sends
    :param client_options: further options of the client
    :param protected: both ends send protected payloads at that rate, and note those of the other
    :param bulk: bytes of each payload of a protected stream from client to gateway, as fast as the library takes it
    :param buffer: bytes of send and receive buffers, None for the library's default
    :param mtu: bytes of the largest datagram, None for the library's default
    :param alone: there is no standby
    """

    def __init__(self, tools, *, rtt_ms=40, jitter_ms=0, rate=200, one_way=False, policy=None, setup=(), client_options=(),
                 longest_s=30.0, seed=0, protected=False, bulk=None, buffer=None, mtu=None, alone=False):
        self._tools = tools
        self._programs = []
        self._longest_s = longest_s
        self._setup = [f"set AB both delay {int(rtt_ms * 500)} jitter {int(jitter_ms * 1000)}", *setup]
        self._seed = tools.seed * 1000 + seed
        policy_options = [word for name, value in (policy or {}).items() for word in ("--policy", f"{name}={value}")]
        self._is_protected = protected or bulk is not None
        both = [*policy_options, *(["--protected"] if self._is_protected else []), *(["--bulk", "--size", str(bulk)] if bulk else []),
                *(["--buffer", str(buffer)] if buffer else []), *(["--mtu", str(mtu)] if mtu else [])]
        self._gateway_options = ["--local", GATEWAY_ADDRESSES, "--duration", str(longest_s + 30), *both,
                                 "--rate", str(rate if one_way or self._is_protected else 0)]
        self._client_options = ["--local", CLIENT_ADDRESSES, "--remote", GATEWAY_ADDRESSES, "--duration", str(longest_s),
                                "--linger", str(max(0.2, 4 * (rtt_ms + 2 * jitter_ms) / 1000)), "--rate", str(rate), *both,
                                *(["--one-way"] if one_way else []), *(["--alone"] if alone else []), *client_options]
        self.marks = []
        self.snapshots = []
        self._latest_us = 0

    def __enter__(self):
        try:
            self.link = self._start(Link(self._tools, self._seed))
            for command in self._setup:
                self.link.command(command)
            self.gateway = self._start(Probe(self._tools, "gateway", self.link.gateway_namespace, self._gateway_options))
            self.gateway.wait_for_key("listening")
            self.client = self._start(Probe(self._tools, "client", self.link.client_namespace, self._client_options))
            self.client.wait_for_key("warm")
            self.link.stats()  # its lateness counts from here on
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, program):
        self._programs.append(program)
        return program

    def __exit__(self, *_):
        while self._programs:
            self._programs.pop().__exit__()

    def command(self, line, note=None):
        """Gives the emulator a command and remembers when it took effect (µs)."""
        at = self.link.command(line)
        self.marks.append((at, note or line))
        return at

    def suspend(self, seconds):
        """Stops the client's process as a whole for a time; when it went on (µs)."""
        os.kill(self.client.process.pid, signal.SIGSTOP)
        self.marks.append((clock_us(), "client suspended"))
        time.sleep(seconds)
        os.kill(self.client.process.pid, signal.SIGCONT)
        self.marks.append((clock_us(), "client goes on"))
        return self.marks[-1][0]

    def wait(self, seconds):
        """Lets the run go on; an error when a program dies meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))
            for program in self._programs:
                if program.process.poll() not in (None, 0):
                    raise HarnessError(f"{program.name} died{program.complaint()}")

    def stats(self):
        """The emulator's counters; its worst lateness is that since the run began."""
        stats = self.link.stats()
        lateness = stats["lateness_us"]
        self._latest_us = lateness["max"] = max(self._latest_us, lateness["max"])
        self.snapshots.append(stats)
        return stats

    def _settle(self):
        """Neither end sends any more, and what was accepted is acknowledged, unless that takes too long."""
        for probe in (self.client, self.gateway):
            probe.send("quiet")
        for probe in (self.client, self.gateway):
            probe.wait_for_key("settled", SETTLING_S)

    def finish(self, fault_from=None, fault_until=None):
        """Ends client and gateway in order; the outcome. `fault_*` (µs): when the network was disturbed."""
        if fault_from is not None:
            for probe in (self.client, self.gateway):
                probe.send(f"fault {fault_from} {fault_until if fault_until is not None else clock_us()}")
        if self._is_protected:
            self._settle()
        self.client.send("stop")
        self.client.wait()
        self.gateway.send("stop")
        self.gateway.wait()
        stats = self.stats()
        self.link.send("quit")
        self.link.wait()
        return Outcome(self.client.summary(), self.gateway.summary(), self.client.objects(), self.gateway.objects(), stats,
                       self.marks, self.snapshots)
