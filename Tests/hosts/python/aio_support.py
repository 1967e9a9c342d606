"""What the asyncio tests share: a gateway and a client on loopback sockets, and a relay that behaves as a NAT does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import jumping
from jumping.aio import AsyncEndpoint, AsyncSession
from support import HINT, PSK

LOOPBACK = ("127.0.0.1", 0)
QUICK = jumping.Policy(heartbeat_interval_us=50_000, idle_heartbeat_us=1_000_000, switch_cooldown_us=0,
                       stability_window_us=100_000, transport_lost_ttl_us=2_000_000)
#: No single wait of these tests takes longer, however busy the machine is.
PATIENCE_SECONDS = 15.0


async def soon(awaitable: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(awaitable, PATIENCE_SECONDS)


async def until(reached: Any, what: str) -> None:
    """Waits until ``reached()``; fails saying ``what`` was waited for."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while not reached():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"never happened: {what}")
        await asyncio.sleep(0.005)


async def echo(session: AsyncSession) -> None:
    """Sends every payload back until the session ends."""
    async for payload in session:
        with contextlib.suppress(jumping.StateError):
            session.send(payload)


class Pair:
    """A gateway that echoes on two sockets and a client with two sockets, all on loopback."""

    def __init__(self, **gateway: Any) -> None:
        self.gateway = AsyncEndpoint(policy=QUICK, **gateway)
        self.client = AsyncEndpoint(policy=QUICK)
        self.doors = [self.gateway.add_udp_transport(name, LOOPBACK) for name in ("gw:A", "gw:B")]
        self.ways = [self.client.add_udp_transport(name, LOOPBACK) for name in ("udp:A", "udp:B")]
        self.gateway.add_psk(PSK, HINT)
        self.events = self.client.events()
        self.seen: list[jumping.Event] = []
        self.client.add_event_listener(self.seen.append)
        self.served: list[AsyncSession] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.accepting = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        async for session in self.gateway:
            self.served.append(session)
            self._tasks.append(asyncio.get_running_loop().create_task(echo(session)))

    async def connect(self, *, paths: int = 2, **options: Any) -> AsyncSession:
        """A session by socket A, with socket B as a standby that is already warm."""
        session: AsyncSession = await soon(self.client.connect(
            self.ways[0], self.doors[0].local_address, psk=PSK, hint=HINT,
            paths=[(self.ways[1], self.doors[1].local_address)] if paths == 2 else [], **options))
        if paths == 2:
            await until(lambda: session.info().candidate_count == 1, "a warm standby")
        await until(lambda: self.served, "the gateway's session")
        return session

    async def converse(self, session: AsyncSession, count: int, interval: float = 0.01) -> int:
        """Sends ``count`` payloads steadily; how many came back."""
        back = 0
        for number in range(count):
            with contextlib.suppress(jumping.StateError):
                session.send(b"%d" % number)
            await asyncio.sleep(interval)
            while session.receive_nowait() is not None:
                back += 1
        return back

    async def close(self) -> None:
        await self.client.close()
        await self.gateway.close()
        await soon(self.accepting)
        await soon(asyncio.gather(*self._tasks))


@contextlib.asynccontextmanager
async def pair(**gateway: Any) -> AsyncIterator[Pair]:
    both = Pair(**gateway)
    try:
        yield both
    finally:
        await both.close()


class Relay(asyncio.DatagramProtocol):
    """A UDP relay as a NAT is: the gateway sees its port, and ``forget`` gives the client another one."""

    def __init__(self, target: Any) -> None:
        self.target = target
        self.client: Any = None
        self.inside: Any = None
        self.outside: Any = None

    def connection_made(self, transport: Any) -> None:
        self.inside = transport

    def datagram_received(self, data: bytes, source: Any) -> None:
        self.client = source
        self.outside.sendto(data, self.target)

    async def forget(self) -> None:
        """Takes a new port towards the gateway; the old one is gone."""
        relay = self

        class Outside(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, source: Any) -> None:
                if relay.client is not None:
                    relay.inside.sendto(data, relay.client)

        old = self.outside
        self.outside, _ = await asyncio.get_running_loop().create_datagram_endpoint(Outside, local_addr=LOOPBACK)
        if old is not None:
            old.close()
