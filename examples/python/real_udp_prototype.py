"""A session survives the death of its transport: a server and a client over real UDP, told as lines of JSON.

    python real_udp_prototype.py server --bind 0.0.0.0:9999
    python real_udp_prototype.py client --server 127.0.0.1:9999 [--death-seconds 31]

The client closes its socket, stays dark, opens another (a new port) and reattaches the same session, which the server
tells as a TransportSwitch between the client's two addresses. A session whose transport stays lost for 30 s ends: with
--death-seconds 31 the reattach fails with transport_ttl_exceeded and the server tells the termination.

Exit status: 0 when the story that the options ask for happened (for the server: after a clean stop), 1 otherwise. Both
stop cleanly on SIGINT and SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import socket
import sys
import time
from typing import Any, Optional

from prototype import COUNTER, PASSPHRASE, REALM, text_address
from prototype.server import accept_and_echo, host_line, show, stop_on_signals

import jumping
from jumping.aio import AsyncEndpoint, AsyncSession, UdpTransport, resolve

TRANSPORT_LOST_TTL_SECONDS = 30
#: The server looks after a silent client this often, so that its TTL begins soon after the loss, however idle the session was.
IDLE_HEARTBEAT_SECONDS = 1
ECHO_PATIENCE_SECONDS = 1.0
REATTACH_PATIENCE_SECONDS = 10.0
HANDSHAKE_TIMEOUT_SECONDS = 4
LABEL = "real-udp-prototype"


class Failure(Exception):
    """Why the story did not happen."""


# ---------------------------------------------------------------------------------------------------- server


def server_line(event: jumping.Event) -> str:
    """The library's event; in a TransportSwitch the transports are the client's addresses, which are what changed."""
    if event.type != jumping.EventType.TRANSPORT_SWITCH:
        return event.to_json()
    fields = event.to_dict()
    fields.update(from_transport=text_address(event.from_address), to_transport=text_address(event.to_address))
    return json.dumps(fields)


async def serve(options: argparse.Namespace) -> int:
    """Echoes payloads until a signal."""
    stop = stop_on_signals()
    policy = jumping.Policy(transport_lost_ttl_us=jumping.seconds(TRANSPORT_LOST_TTL_SECONDS),
                            idle_heartbeat_us=jumping.seconds(IDLE_HEARTBEAT_SECONDS), version="real-udp-1")
    psk = jumping.psk_from_passphrase(options.psk, REALM)
    async with AsyncEndpoint(jumping.Config(node_id="server"), policy) as endpoint:
        endpoint.add_event_listener(lambda event: show(server_line(event), stop))
        endpoint.add_psk(psk)
        try:
            transport = endpoint.add_udp_transport("udp", options.bind)
        except (OSError, ValueError) as error:
            print(f"server: cannot use {text_address(options.bind)}: {error}", file=sys.stderr)
            return 1
        show(host_line("ServerStart", bind=text_address(transport.local_address),
                       transport_lost_ttl_s=TRANSPORT_LOST_TTL_SECONDS, library=jumping.library_version()), stop)
        accepting = asyncio.create_task(accept_and_echo(endpoint))
        await stop.wait()
        accepting.cancel()
    show(host_line("ServerStop"), stop)
    return 0


# ---------------------------------------------------------------------------------------------------- client


class Client:
    """The client's side of the story."""

    def __init__(self, options: argparse.Namespace, endpoint: AsyncEndpoint, stop: asyncio.Event) -> None:
        self.options = options
        self.endpoint = endpoint
        self.stop = stop
        self.counter = 0
        self.created = 0
        self.is_dark = False
        self.reattached = False
        self.local_port = 0
        endpoint.add_event_listener(self.note)

    def show(self, line: str) -> None:
        """Prints a line."""
        show(line, self.stop)

    def note(self, event: jumping.Event) -> None:
        """Prints an event, and before it what the seed calls it."""
        if event.type == jumping.EventType.SESSION_CREATED:
            self.created += 1
            self.show(host_line("HANDSHAKE_INIT", session_id=event.session_id, server=text_address(event.to_address),
                           local_port=self.local_port))
        elif event.type == jumping.EventType.REATTACH_ATTEMPT:
            self.show(host_line("REATTACH_REQUEST", session_id=event.session_id, attempt_id=f"{event.attempt_id:016x}",
                           local_port=self.local_port))
        elif event.type == jumping.EventType.REATTACH_RESULT and event.reason == jumping.Reason.REATTACH_SUCCESS:
            self.reattached = True
        self.show(event.to_json())

    def open_socket(self, name: str, family: int) -> UdpTransport:
        """A new UDP socket on a port that the system chooses."""
        any_address = "::" if family == socket.AF_INET6 else "0.0.0.0"
        transport = self.endpoint.add_udp_transport(name, (any_address, 0))
        self.local_port = transport.local_address[1]
        return transport

    async def pause(self, seconds: float) -> None:
        """Sleeps. Raises Failure when a signal came."""
        try:
            await asyncio.wait_for(self.stop.wait(), seconds)
        except asyncio.TimeoutError:
            return
        raise Failure("interrupted")

    async def round_trip(self, session: AsyncSession) -> bool:
        """Sends the next counter and waits for its echo; False when it was lost."""
        counter, sent_at = self.counter, time.monotonic()
        self.counter += 1
        session.send(COUNTER.pack(counter))
        while time.monotonic() - sent_at < ECHO_PATIENCE_SECONDS:
            try:
                payload = await asyncio.wait_for(session.receive(), sent_at + ECHO_PATIENCE_SECONDS - time.monotonic())
            except asyncio.TimeoutError:
                break
            if payload == COUNTER.pack(counter):
                self.show(host_line("DataRoundtrip", session_id=session.id, counter=counter, local_port=self.local_port,
                               rtt_ms=round((time.monotonic() - sent_at) * 1000, 3)))
                return True
        self.show(host_line("DataLost", session_id=session.id, counter=counter))
        return False

    async def exchange(self, session: AsyncSession) -> None:
        """The round trips of one phase. Raises Failure when more are lost than return."""
        returned = lost = 0
        while returned < self.options.count:
            if await self.round_trip(session):
                returned += 1
            else:
                lost += 1
            if lost > self.options.count:
                raise Failure(f"{lost} payloads were lost and {returned} returned")
            await self.pause(self.options.interval)

    async def reattach(self, session: AsyncSession, server: tuple[Any, ...], family: int) -> Optional[str]:
        """Offers the session a new socket; None when it is ATTACHED again, else the reason why it cannot be."""
        transport = self.open_socket("udp:2", family)
        try:
            session.add_path(transport, server)
            await asyncio.wait_for(session.wait_state(jumping.State.ATTACHED), REATTACH_PATIENCE_SECONDS)
        except jumping.SessionTerminated as error:
            self.show(host_line("REATTACH_REQUEST", session_id=session.id, local_port=self.local_port))
            self.show(host_line("ReattachResult", session_id=session.id, reason_code=error.reason, ok=False))
            return error.reason or "unknown"
        except asyncio.TimeoutError:
            return "timed_out"
        return None

    async def tell(self) -> str:
        """The whole story. Gives its last sentence; raises Failure, JumpingError, OSError."""
        host, port = self.options.server
        server = await resolve(host, port)
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        psk = jumping.psk_from_passphrase(self.options.psk, REALM)
        first = self.open_socket("udp:1", family)
        try:
            session = await self.endpoint.connect(first, server, psk=psk, label=LABEL,
                                                  handshake_timeout_us=jumping.seconds(HANDSHAKE_TIMEOUT_SECONDS))
        except jumping.SessionTerminated:
            raise Failure(f"nobody answers at {text_address(server)} who knows this PSK (is the server running?)") from None
        identity, first_port = session.id, self.local_port
        await self.exchange(session)
        self.show(host_line("SimulateTransportDeath", session_id=identity, local_port=first_port,
                       dark_seconds=self.options.death_seconds))
        self.endpoint.remove_transport(first)
        await self.pause(self.options.death_seconds)
        reason = await self.reattach(session, server, family)
        if self.options.death_seconds > TRANSPORT_LOST_TTL_SECONDS:
            if reason != "transport_ttl_exceeded":
                raise Failure(f"transport_ttl_exceeded was to be the reattach's answer, but it was {reason or 'success'}")
            return f"dark for {self.options.death_seconds:g} s, longer than the TTL: the reattach failed with {reason}"
        if reason is not None:
            raise Failure(f"the reattach failed: {reason}")
        await self.exchange(session)
        if not self.reattached or self.created != 1 or session.info().session_id != identity:
            raise Failure("the session is not the same one, reattached")
        session.close()
        return f"session {identity} went on from port {first_port} to port {self.local_port}"


async def converse(options: argparse.Namespace) -> int:
    """Runs the client; prints the verdict as the last line."""
    stop = stop_on_signals()
    async with AsyncEndpoint(jumping.Config(node_id="client")) as endpoint:
        telling = asyncio.create_task(Client(options, endpoint, stop).tell())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({telling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not telling.done():
            telling.cancel()
        try:
            sentence, status = await telling, 0
        except asyncio.CancelledError:
            sentence, status = "interrupted", 1
        except (Failure, jumping.JumpingError, OSError, ValueError) as error:
            sentence, status = str(error) or type(error).__name__, 1
        stopping.cancel()
    show(host_line("Verdict", ok=status == 0, message=sentence), stop)
    return status


# --------------------------------------------------------------------------------------------------- command


def host_and_port(text: str) -> tuple[str, int]:
    """``HOST:PORT`` or ``[IPv6]:PORT`` for argparse."""
    host, _, port = text.rpartition(":")
    number = int(port)
    if not host or not 0 <= number <= 65535:
        raise ValueError
    return host.strip("[]"), number


def numeric_address(text: str) -> tuple[str, int]:
    """``ADDRESS:PORT`` with a numeric address, for argparse."""
    host, port = host_and_port(text)
    ipaddress.ip_address(host)
    return host, port


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    roles = parser.add_subparsers(dest="role", required=True)
    server = roles.add_parser("server", help="echoes payloads and tells events")
    server.add_argument("--bind", type=numeric_address, default=("0.0.0.0", 9999), help="ADDRESS:PORT; port 0 is a free one")
    client = roles.add_parser("client", help="loses its socket and reattaches")
    client.add_argument("--server", type=host_and_port, default=("127.0.0.1", 9999), help="HOST:PORT")
    client.add_argument("--death-seconds", type=float, default=1.0, help="how long it stays dark (0 ... 3600; default 1)")
    client.add_argument("--count", type=int, default=5, help="round trips before and after (1 ... 10000; default 5)")
    client.add_argument("--interval", type=float, default=0.2, help="seconds between them (0 ... 10; default 0.2)")
    for role in (server, client):
        role.add_argument("--psk", default=PASSPHRASE, help="passphrase of both sides")
    options = parser.parse_args()
    if options.role == "server":
        return asyncio.run(serve(options))
    if not 0 <= options.death_seconds <= 3600 or not 1 <= options.count <= 10_000 or not 0 <= options.interval <= 10:
        parser.error("--death-seconds, --count or --interval is out of range")
    return asyncio.run(converse(options))


if __name__ == "__main__":
    sys.exit(main())
