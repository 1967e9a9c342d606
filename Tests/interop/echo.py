"""An echo gateway and client over jumping.aio, with the flags and the manners of the C and Go examples.

    python echo.py gateway --listen 127.0.0.1:0 --listen 127.0.0.1:0 --psk PASSPHRASE [--hint H] [--realm R]
    python echo.py client --gateway ADDR:PORT --gateway ADDR:PORT --psk PASSPHRASE --count N --kill-after N

Both print a line of JSON per event. The client ends with 0 only if the session kept its identity, jumped when its first
transport was killed, and lost no payload but those of the jump.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from typing import Any

import jumping
from jumping.aio import AsyncEndpoint, AsyncSession, UdpTransport

INTERVAL_SECONDS = 0.005
PATIENCE_SECONDS = 5.0
LAST_ECHO_SECONDS = 2.0
#: Payloads sent so long before the kill may still have been under way on loopback.
UNDER_WAY_SECONDS = 0.05


def show(event_type: str, **fields: Any) -> None:
    print(json.dumps({"event_type": event_type, **fields}), flush=True)


def address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def name(index: int) -> str:
    return f"udp:{chr(ord('A') + index)}"


async def echo(session: AsyncSession) -> None:
    async for payload in session:
        try:
            session.send(payload)
        except jumping.SessionTerminated:
            return


async def gateway(options: argparse.Namespace, psk: bytes) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    config = jumping.Config(node_id="gateway")
    async with AsyncEndpoint(config) as endpoint:
        endpoint.add_event_listener(lambda event: print(event.to_json(), flush=True))
        endpoint.add_psk(psk, options.hint.encode())
        for index, listen in enumerate(options.listen):
            transport = endpoint.add_udp_transport(name(index), address(listen))
            host, port = transport.local_address[:2]
            show("Listening", transport=transport.name, address=f"{host}:{port}")

        async def accept() -> None:
            tasks = []
            async for session in endpoint:
                tasks.append(asyncio.create_task(echo(session)))

        accepting = asyncio.create_task(accept())
        await stop.wait()
        accepting.cancel()
    return 0


class Run:
    """What a client did and saw."""

    def __init__(self) -> None:
        self.sent_at: dict[int, float] = {}
        self.echoed: set[int] = set()
        self.strange = 0
        self.killed_at = self.jumped_at = 0.0

    def note(self, event: jumping.Event) -> None:
        print(event.to_json(), flush=True)
        if event.type == jumping.EventType.TRANSPORT_SWITCH and self.killed_at and not self.jumped_at:
            self.jumped_at = time.monotonic()

    async def collect(self, session: AsyncSession) -> None:
        async for payload in session:
            number = int(payload.split()[1]) if payload.startswith(b"payload ") else -1
            if number in self.sent_at and number not in self.echoed:
                self.echoed.add(number)
            else:
                self.strange += 1

    def lost(self) -> tuple[int, int]:
        """How many payloads the jump explains, and how many nothing explains."""
        missing = [sent for number, sent in self.sent_at.items() if number not in self.echoed]
        explained = [sent for sent in missing
                     if self.jumped_at and self.killed_at - UNDER_WAY_SECONDS < sent < self.jumped_at]
        return len(explained), len(missing) - len(explained)


async def exchange(session: AsyncSession, first: UdpTransport, options: argparse.Namespace, run: Run) -> None:
    for number in range(options.count):
        if options.kill_after and number == options.kill_after:
            run.killed_at = time.monotonic()
            first.filter = lambda direction, datagram, remote: False
            show("TransportKilled", transport=first.name)
        run.sent_at[number] = time.monotonic()
        session.send(f"payload {number}".encode())
        await asyncio.sleep(INTERVAL_SECONDS)
    give_up = time.monotonic() + LAST_ECHO_SECONDS
    while len(run.echoed) < options.count and time.monotonic() < give_up:
        await asyncio.sleep(INTERVAL_SECONDS)


async def client(options: argparse.Namespace, psk: bytes) -> int:
    run = Run()
    async with AsyncEndpoint(jumping.Config(node_id="client")) as endpoint:
        endpoint.add_event_listener(run.note)
        transports = [endpoint.add_udp_transport(name(i), ("127.0.0.1", 0)) for i in range(len(options.gateway))]
        paths = list(zip(transports, map(address, options.gateway)))
        session = await endpoint.connect(*paths[0], psk=psk, hint=options.hint.encode(), label="interop", paths=paths[1:])
        identity = session.id
        collecting = asyncio.create_task(run.collect(session))
        give_up = time.monotonic() + PATIENCE_SECONDS
        while session.info().candidate_count < len(paths) - 1:
            if time.monotonic() > give_up:
                show("Failed", why="the other paths are not validated")
                return 1
            await asyncio.sleep(INTERVAL_SECONDS)
        await exchange(session, transports[0], options, run)
        is_same = session.info().session_id == identity
        session.close()
        await collecting
    by_jump, otherwise = run.lost()
    passed = (is_same and not otherwise and not run.strange and len(run.sent_at) == options.count
              and (not options.kill_after or run.jumped_at > 0))
    show("EchoSummary", session_id=identity, sent=len(run.sent_at), returned=len(run.echoed), lost_during_jump=by_jump,
         lost_otherwise=otherwise, strange=run.strange, ok=passed)
    return 0 if passed else 1


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("gateway", "client"))
    parser.add_argument("--listen", action="append", default=[])
    parser.add_argument("--gateway", action="append", default=[])
    parser.add_argument("--psk", required=True)
    parser.add_argument("--hint", default="")
    parser.add_argument("--realm", default="")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--kill-after", type=int, default=0)
    options = parser.parse_args()
    psk = jumping.psk_from_passphrase(options.psk, realm=options.realm, hint=options.hint.encode())
    return asyncio.run(gateway(options, psk) if options.role == "gateway" else client(options, psk))


if __name__ == "__main__":
    sys.exit(main())
