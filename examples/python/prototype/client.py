"""The demo's client: a session over udp:A with udp:B warm; half way udp:A goes dark without a word, and traffic goes on.

    python -m prototype.client --host 127.0.0.1 --port-a 40000 --port-b 40001 --psk DEMO_PSK_CHANGE_ME \
        --session-id DEMO-SESSION --trace DEMO_TRACE.jsonl

Every event goes to the trace; afterwards the trace alone is judged. Exit status: 0 only if the session was created on
udp:A, noticed the loss, jumped to udp:B and stayed the same session; 1 otherwise, with the reason.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from typing import Optional, TextIO

from . import COUNTER, PASSPHRASE, REALM, TRANSPORTS
from .server import host_line, port_number, stop_on_signals
from .timeline import Status, Timeline
from .verdict import judge

import jumping
from jumping.aio import AsyncEndpoint, AsyncSession, UdpTransport

__all__ = ["main"]

_LABEL_MAX = 31
_ROUNDTRIPS_PER_SECOND = 20
_LAST_ECHO_SECONDS = 1.0
_STANDBY_PATIENCE_SECONDS = 3.0
_HANDSHAKE_TIMEOUT_US = jumping.seconds(4)


class DemoFailure(Exception):
    """Why the demo cannot go on."""


class Run:
    """What the client sent, got back and saw; writes the trace and tells the story."""

    def __init__(self, trace: TextIO, timeline: Timeline, rate: int) -> None:
        self.trace = trace
        self.timeline = timeline
        self.note_every = max(1, rate // _ROUNDTRIPS_PER_SECOND)
        self.session: Optional[AsyncSession] = None
        self.transport = TRANSPORTS[0]
        self.sent_at: list[float] = []
        self.round_trips: list[float] = []
        self.last_echo_at: Optional[float] = None
        self.last_counter = -1
        self.longest_gap = 0.0
        self.dark_at: Optional[float] = None
        self.noticed_at: Optional[float] = None
        self.switched_at: Optional[float] = None

    def write(self, line: str) -> None:
        """Adds a line to the trace."""
        self.trace.write(line + "\n")

    def note_event(self, event: jumping.Event) -> None:
        """Follows the library's events: all into the trace, the telling ones onto the timeline."""
        self.write(event.to_json())
        kind = event.type
        if kind == jumping.EventType.SESSION_STATE_CHANGE:
            self.timeline.mark(f"{event.transition}  ({event.reason_code})", jumping.state_name(event.new_state))
        elif kind == jumping.EventType.VOLATILITY_SIGNAL:
            self.noticed_at = self.noticed_at or time.monotonic()
            self.timeline.mark(f"VolatilitySignal: {event.from_transport}, {event.reason_code}", "VOLATILE")
        elif kind == jumping.EventType.TRANSPORT_SWITCH:
            self.switched_at = time.monotonic()
            self.transport = event.to_transport
            self.timeline.mark(f"TransportSwitch: {event.from_transport} -> {event.to_transport}, explicit, auditable, "
                               f"session {event.session_id[:8]}... goes on", "jump")
        elif kind in (jumping.EventType.TRANSPORT_SWITCH_DENIED, jumping.EventType.TRANSITION_REJECTED):
            self.timeline.mark(f"{event.name}: {event.reason_code}", "bad")

    def note_echo(self, payload: bytes) -> None:
        """A payload came back."""
        now = time.monotonic()
        counter = COUNTER.unpack_from(payload)[0]
        round_trip = now - self.sent_at[counter]
        self.round_trips.append(round_trip)
        if self.last_echo_at is not None:
            self.longest_gap = max(self.longest_gap, now - self.last_echo_at)
        self.last_echo_at = now
        if counter % self.note_every == 0 and counter > self.last_counter and self.session is not None:
            self.last_counter = counter
            self.write(host_line("DataRoundtrip", session_id=self.session.id, counter=counter, transport=self.transport,
                                 rtt_ms=round(round_trip * 1000, 3), payloads_sent=len(self.sent_at),
                                 payloads_received=len(self.round_trips)))

    def show_status(self) -> None:
        """The status line, when it is time for one."""
        if self.session is None or self.session.terminated or not self.timeline.is_status_due():
            return
        info = self.session.info()
        path = next((path for path in self.session.paths() if path.path == info.active_path), None)
        self.timeline.status(Status(jumping.state_name(info.state), path.name if path else "none", info.srtt_us / 1000,
                                    info.loss_ppm, len(self.sent_at), len(self.round_trips), self.longest_gap * 1000))

    def go_dark(self, transport: UdpTransport) -> None:
        """Loses every datagram of the transport from now on, both ways, below the library."""
        self.dark_at = time.monotonic()
        transport.filter = lambda direction, datagram, remote: False
        if self.session is not None:
            self.write(host_line("SimulateTransportDeath", session_id=self.session.id, transport=transport.name))
        self.timeline.mark(f"{transport.name} goes dark: its datagrams are lost from now on, nobody is told", "loud")


async def wait_for_standby(session: AsyncSession) -> None:
    """Returns once the second transport is proven and warm."""
    give_up = time.monotonic() + _STANDBY_PATIENCE_SECONDS
    while session.info().candidate_count < 1:
        if time.monotonic() > give_up:
            raise DemoFailure(f"{TRANSPORTS[1]} did not become a warm standby: does --port-b lead to the server?")
        await asyncio.sleep(0.01)


async def collect(session: AsyncSession, run: Run) -> None:
    """Notes every echo until the session ends."""
    async for payload in session:
        run.note_echo(payload)


async def exchange(session: AsyncSession, first: UdpTransport, options: argparse.Namespace, run: Run,
                   stop: asyncio.Event) -> None:
    """Sends steadily; half way the first transport goes dark."""
    count = int(options.duration * options.rate)
    begin = time.monotonic()
    for counter in range(count):
        if stop.is_set():
            raise DemoFailure("interrupted")
        if counter == count // 2:
            run.go_dark(first)
        run.sent_at.append(time.monotonic())
        session.send(COUNTER.pack(counter) + b" steady traffic")
        run.show_status()
        await asyncio.sleep(max(0.0, begin + (counter + 1) / options.rate - time.monotonic()))
    give_up = time.monotonic() + _LAST_ECHO_SECONDS
    while time.monotonic() < give_up and (run.last_echo_at or 0) < run.sent_at[-1]:
        await asyncio.sleep(0.01)


async def converse(options: argparse.Namespace, run: Run) -> None:
    """The session from birth to end. Raises DemoFailure, SessionTerminated, OSError."""
    stop = stop_on_signals()
    psk = jumping.psk_from_passphrase(options.psk, REALM)
    any_address = "::" if ":" in options.host else "0.0.0.0"
    async with AsyncEndpoint(jumping.Config(node_id="client")) as endpoint:
        endpoint.add_event_listener(run.note_event)
        first, second = (endpoint.add_udp_transport(name, (any_address, 0)) for name in TRANSPORTS)
        run.timeline.mark(f"asking {options.host}:{options.port_a} for a session labelled {options.session_id}")
        connecting = asyncio.ensure_future(endpoint.connect(
            first, (options.host, options.port_a), psk=psk, label=options.session_id,
            paths=[(second, (options.host, options.port_b))], handshake_timeout_us=_HANDSHAKE_TIMEOUT_US))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({connecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not connecting.done():
            connecting.cancel()
            raise DemoFailure("interrupted")
        stopping.cancel()
        try:
            session = run.session = connecting.result()
        except jumping.SessionTerminated:
            raise DemoFailure(f"no session: nobody answers at {options.host}:{options.port_a} who knows this PSK "
                              "(is the server running?)") from None
        await wait_for_standby(session)
        run.timeline.mark(f"session {session.id} on {TRANSPORTS[0]}, {TRANSPORTS[1]} is a warm standby", "good")
        collecting = asyncio.create_task(collect(session, run))
        try:
            await exchange(session, first, options, run, stop)
        finally:
            session.close()
            await collecting


def tell(options: argparse.Namespace, run: Run, failure: Optional[str]) -> int:
    """Judges the trace, prints story and verdict, gives the exit status."""
    say = run.timeline.say
    say("")
    if failure is not None:
        say(f"FAILED: {failure}", "bad")
        return 1
    verdict = judge(options.trace, options.session_id)
    for claim in verdict.proven:
        say(f"  proven   {claim}")
    for text in verdict.failures:
        say(f"  MISSING  {text}", "bad")
    if not verdict.ok or run.dark_at is None or run.switched_at is None or run.noticed_at is None:
        say(f"FAILED: {verdict.failures[0] if verdict.failures else 'the jump was not seen'}", "bad")
        return 1
    sent, back = len(run.sent_at), len(run.round_trips)
    say("")
    say(f"{TRANSPORTS[0]} went dark; noticed after {(run.noticed_at - run.dark_at) * 1000:.1f} ms, on {TRANSPORTS[1]} after "
        f"{(run.switched_at - run.dark_at) * 1000:.1f} ms.")
    say(f"{back} of {sent} payloads came back ({sent - back} lost in the dark); median round trip "
        f"{statistics.median(run.round_trips) * 1000:.2f} ms; longest gap between echoes {run.longest_gap * 1000:.1f} ms "
        f"(one is sent every {1000 / options.rate:.1f} ms).")
    say(f"PASSED: session {verdict.session_id} outlived its transport. Trace: {options.trace}", "good")
    return 0


def parse(arguments: Optional[list[str]]) -> argparse.Namespace:
    """The command's options, checked."""
    parser = argparse.ArgumentParser(prog="python -m prototype.client", description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1", help="the server's numeric address")
    parser.add_argument("--port-a", type=port_number, default=40000, help="the server's port of udp:A")
    parser.add_argument("--port-b", type=port_number, default=40001, help="the server's port of udp:B")
    parser.add_argument("--psk", default=PASSPHRASE, help="passphrase shared with the server")
    parser.add_argument("--session-id", default="DEMO-SESSION", help="the session's audit label")
    parser.add_argument("--trace", default="DEMO_TRACE.jsonl", help="file to write, JSON lines; an old one is replaced")
    parser.add_argument("--duration", type=float, default=4.0, help="seconds of traffic (1 ... 3600; default 4)")
    parser.add_argument("--rate", type=int, default=200, help="payloads a second (20 ... 1000; default 200)")
    options = parser.parse_args(arguments)
    label = options.session_id
    if not 1 <= len(label) <= _LABEL_MAX or not label.isascii() or not label.isprintable():
        parser.error(f"--session-id must have 1 to {_LABEL_MAX} printable ASCII characters")
    if not 1 <= options.duration <= 3600 or not 20 <= options.rate <= 1000:
        parser.error("--duration must lie in 1 ... 3600 and --rate in 20 ... 1000")
    return options


def main(arguments: Optional[list[str]] = None) -> int:
    """The command."""
    options = parse(arguments)
    timeline = Timeline(sys.stdout)
    try:
        trace = open(options.trace, "w", encoding="utf-8", buffering=1)
    except OSError as error:
        timeline.say(f"FAILED: the trace {options.trace} cannot be written: {error.strerror}", "bad")
        return 1
    run = Run(trace, timeline, options.rate)
    failure: Optional[str] = None
    with trace:
        try:
            asyncio.run(converse(options, run))
        except (DemoFailure, jumping.JumpingError, OSError, ValueError) as error:
            failure = str(error) or type(error).__name__
    return tell(options, run, failure)


if __name__ == "__main__":
    sys.exit(main())
