"""Protected payloads on asyncio over real UDP: they arrive once, senders wait for room and are let go, slow readers lose nothing."""

from __future__ import annotations

import asyncio
import contextlib
import random
import unittest
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Optional

import jumping
from jumping import EventType
from jumping.aio import AsyncEndpoint, AsyncSession, Payload, UdpTransport
from aio_support import LOOPBACK, QUICK, soon, until
from support import HINT, PSK


@dataclass
class Ends:
    """A session at both ends, over two pairs of sockets; nobody reads."""

    client: AsyncEndpoint
    gateway: AsyncEndpoint
    near: AsyncSession
    far: AsyncSession
    ways: list[UdpTransport]
    events: list[jumping.Event]

    def cut(self, *ways: int) -> None:
        """These links of the client lose everything from now on, the others nothing."""
        for number, way in enumerate(self.ways):
            way.filter = (lambda *_: False) if number in ways else None

    async def read(self, count: int) -> list[Payload]:
        """So many payloads at the gateway."""
        return [await soon(self.far.receive()) for _ in range(count)]


@contextlib.asynccontextmanager
async def ends(client: Optional[jumping.Config] = None, gateway: Optional[jumping.Config] = None, receive_capacity: int = 1024,
               policy: jumping.Policy = QUICK) -> AsyncIterator[Ends]:
    async with AsyncEndpoint(client, policy) as user, AsyncEndpoint(gateway, policy, receive_capacity=receive_capacity) as server:
        doors = [server.add_udp_transport(name, LOOPBACK) for name in ("gw:A", "gw:B")]
        ways = [user.add_udp_transport(name, LOOPBACK) for name in ("udp:A", "udp:B")]
        server.add_psk(PSK, HINT)
        events: list[jumping.Event] = []
        user.add_event_listener(events.append)
        near = await soon(user.connect(ways[0], doors[0].local_address, psk=PSK, hint=HINT, paths=[(ways[1], doors[1].local_address)]))
        far = await soon(server.__anext__())
        await until(lambda: near.info().candidate_count == 1, "a warm standby")
        yield Ends(user, server, near, far, ways, events)


def started(awaitable: Any) -> asyncio.Task[Any]:
    return asyncio.get_running_loop().create_task(awaitable)


class Delivery(unittest.IsolatedAsyncioTestCase):
    async def test_both_kinds_come_from_one_place_and_tell_which_they_are(self) -> None:
        async with ends() as both:
            self.assertTrue(both.near.send(b"expendable"))
            self.assertTrue(await soon(both.near.send_protected(b"unordered")))
            self.assertTrue(await soon(both.near.send_protected(b"in order", channel=7)))
            self.assertTrue(await soon(both.near.send_protected(bytes(100_000), channel=7, report=True)))
            got = await both.read(3)
            self.assertEqual(sorted((payload, payload.channel) for payload in got),
                             sorted([(b"expendable", None), (b"unordered", 0), (b"in order", 7)], key=lambda pair: pair[0]))
            async for payload in both.far:
                self.assertEqual((payload, payload.channel, isinstance(payload, Payload)), (bytes(100_000), 7, True))
                break
            self.assertIsNone(both.far.receive_nowait())
            self.assertTrue(await soon(both.far.send_protected(b"back", report=True)))
            self.assertEqual(both.near.receive_nowait(), b"back")

    async def test_the_first_payload_of_a_session_may_be_protected(self) -> None:
        async with AsyncEndpoint() as user, AsyncEndpoint() as server:
            door, way = server.add_udp_transport("gw", LOOPBACK), user.add_udp_transport("udp", LOOPBACK)
            server.add_psk(PSK, HINT)
            near = user.start(way, door.local_address, psk=PSK, hint=HINT)
            with self.assertRaises(jumping.StateError):
                await near.send_protected(b"too early")
            await soon(near.wait_established())
            self.assertTrue(await soon(near.send_protected(bytes(5_000), channel=1, report=True)))
            far = await soon(server.__anext__())
            self.assertEqual((await soon(far.receive())).channel, 1)

    async def test_loss_and_a_jump_lose_nothing(self) -> None:
        chance = random.Random(2)
        async with ends() as both:
            for way in both.ways:
                way.filter = lambda *_: chance.random() > 0.1
            for number in range(300):
                await soon(both.near.send_protected(b"%d" % number, channel=number % 3))
                if number == 150:
                    both.ways[0].filter = lambda *_: False
                await asyncio.sleep(0.002)
            got = await both.read(300)
            self.assertEqual(sorted(map(int, got)), list(range(300)))
            for channel in (1, 2):
                self.assertEqual([int(payload) for payload in got if payload.channel == channel], list(range(channel, 300, 3)))
            self.assertEqual(both.near.info().active_transport, both.ways[1].number)

    async def test_the_longest_payload(self) -> None:
        async with ends() as both:
            payload = random.Random(3).randbytes(both.near.info().max_protected_payload)
            for _ in range(3):
                self.assertTrue(await soon(both.near.send_protected(payload, report=True)))
                self.assertTrue(await soon(both.far.receive()) == payload)
            with self.assertRaises(jumping.UsageError):
                await both.near.send_protected(payload + b"x")


class Waiting(unittest.IsolatedAsyncioTestCase):
    SMALL = jumping.Config(send_buffer=65_536)

    async def test_senders_wait_for_room_without_trying_again_and_again(self) -> None:
        async with ends(self.SMALL) as both:
            both.cut(0, 1)
            offers = 0
            offer = both.near._offer

            def counted(*arguments: Any) -> Any:
                nonlocal offers
                offers += 1
                return offer(*arguments)

            both.near._offer = counted  # type: ignore[method-assign,assignment]
            tasks = [started(both.near.send_protected(b"%d" % number + bytes(10_000), channel=1)) for number in range(30)]
            await asyncio.sleep(0.3)
            self.assertEqual((sum(task.done() for task in tasks), offers), (6, 7))
            both.cut()
            got = await both.read(30)
            self.assertEqual([int(payload.rstrip(b"\0")) for payload in got], list(range(30)))  # in the order of their calls
            self.assertEqual([await soon(task) for task in tasks], [True] * 30)
            self.assertLess(offers, 100)

    async def test_a_cancelled_sender_leaves_nothing_behind(self) -> None:
        async with ends(self.SMALL) as both:
            both.cut(0, 1)
            tasks = [started(both.near.send_protected(b"%d" % number + bytes(20_000), channel=1)) for number in range(8)]
            await asyncio.sleep(0.05)
            self.assertEqual(sum(task.done() for task in tasks), 3)
            tasks[3].cancel()  # the one whose turn it is
            tasks[5].cancel()  # one behind it
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(both.near.send_protected(b"99" + bytes(20_000)), 0.05)
            both.cut()
            got = await both.read(6)
            self.assertEqual([int(payload.rstrip(b"\0")) for payload in got], [0, 1, 2, 4, 6, 7])
            self.assertTrue(await soon(both.near.send_protected(b"and on", report=True)))
            self.assertEqual(await both.read(1), [b"and on"])
            self.assertTrue(tasks[3].cancelled() and tasks[5].cancelled())

    async def test_a_report_tells_that_it_arrived_or_was_too_old(self) -> None:
        async with ends() as both:
            many = await soon(asyncio.gather(*(both.near.send_protected(b"%d" % number, report=True) for number in range(2_000))))
            self.assertEqual(many, [True] * 2_000)
            self.assertEqual(both.near.stats().protected_acknowledged, 2_000)
            both.cut(0, 1)
            self.assertFalse(await soon(both.near.send_protected(b"perishable", time_to_live_us=50_000, report=True)))
            self.assertTrue(await soon(both.near.send_protected(b"unasked", time_to_live_us=50_000)))
            await until(lambda: len([event for event in both.events if event.type == EventType.PAYLOAD_EXPIRED]) == 2, "a second expiry")

    async def test_who_stops_waiting_for_a_report_stops_nothing(self) -> None:
        async with ends() as both:
            both.cut(0, 1)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(both.near.send_protected(b"on its way", report=True), 0.05)
            both.cut()
            self.assertEqual(await both.read(1), [b"on its way"])
            self.assertEqual(both.near._reports, {})

    async def test_the_end_of_the_session_ends_every_wait(self) -> None:
        async with ends(self.SMALL) as both:
            both.cut(0, 1)
            reports = [started(both.near.send_protected(bytes(20_000), report=True)) for _ in range(3)]
            senders = [started(both.near.send_protected(bytes(20_000))) for _ in range(3)]
            await asyncio.sleep(0.05)
            both.near.close()
            for result in await soon(asyncio.gather(*reports, *senders, return_exceptions=True)):
                self.assertIsInstance(result, jumping.SessionTerminated)
                self.assertEqual(result.reason, "operator_terminated")
            with self.assertRaises(jumping.SessionTerminated):
                await both.near.send_protected(b"after the end")

    async def test_the_peers_end_ends_every_wait(self) -> None:
        async with ends(self.SMALL, jumping.Config(receive_buffer=65_536), receive_capacity=1) as both:
            tasks = [started(both.near.send_protected(bytes(20_000), report=True)) for _ in range(30)]
            await asyncio.sleep(0.1)
            both.far.close()
            results = await soon(asyncio.gather(*tasks, return_exceptions=True))
            ended = [result for result in results if isinstance(result, jumping.SessionTerminated)]
            self.assertTrue(ended and all(error.reason == "peer_terminated" for error in ended))

    async def test_a_closed_endpoint_ends_every_wait(self) -> None:
        async with ends(self.SMALL) as both:
            both.cut(0, 1)
            tasks = [started(both.near.send_protected(bytes(20_000), report=True)) for _ in range(6)]
            await asyncio.sleep(0.05)
            await both.client.close()
            for result in await soon(asyncio.gather(*tasks, return_exceptions=True)):
                self.assertIsInstance(result, (jumping.SessionTerminated, jumping.ClosedError))
            with self.assertRaises(jumping.ClosedError):
                await both.near.send_protected(b"after the end")


class SlowReaders(unittest.IsolatedAsyncioTestCase):
    async def test_lose_nothing_and_hold_the_sender(self) -> None:
        async with ends(jumping.Config(send_buffer=65_536), jumping.Config(receive_buffer=65_536), receive_capacity=8) as both:
            tasks = [started(both.near.send_protected(b"%d" % number + bytes(500), channel=number % 2)) for number in range(1_000)]
            await asyncio.sleep(0.5)
            self.assertLess(sum(task.done() for task in tasks), 500)
            self.assertLess(len(both.far._payloads), 8 + 32)
            for _ in range(20):
                both.near.send(b"expendable")
            await until(lambda: both.far.receive_drops == 20, "drops of expendable payloads")
            got = await both.read(1_000)
            numbers = [int(payload.rstrip(b"\0")) for payload in got]
            self.assertEqual(sorted(numbers), list(range(1_000)))
            self.assertEqual([number for number in numbers if number % 2], list(range(1, 1_000, 2)))
            self.assertEqual(await soon(asyncio.gather(*tasks)), [True] * 1_000)

    async def test_long_payloads_do_not_pile_up_either(self) -> None:
        async with ends(gateway=jumping.Config(receive_buffer=65_536)) as both:
            tasks = [started(both.near.send_protected(bytes(30_000))) for _ in range(60)]
            await asyncio.sleep(0.5)
            self.assertLessEqual(sum(map(len, both.far._payloads._items)), 65_536 + 30_000)
            self.assertTrue(all(len(payload) == 30_000 for payload in await both.read(60)))
            await soon(asyncio.gather(*tasks))

    async def test_do_not_slow_others(self) -> None:
        async with ends(gateway=jumping.Config(receive_buffer=65_536), receive_capacity=4) as both:
            slow = started(asyncio.wait([started(both.near.send_protected(bytes(1_000))) for _ in range(500)]))
            await asyncio.sleep(0.2)
            quick = await soon(both.client.connect(both.ways[0], both.gateway.transports[0].local_address, psk=PSK, hint=HINT))
            other = await soon(both.gateway.__anext__())
            for number in range(100):
                await soon(quick.send_protected(b"%d" % number, channel=1))
                self.assertEqual(await soon(other.receive()), b"%d" % number)
            self.assertFalse(slow.done() and not both.near.info().protected_count)
            await both.read(500)
            await soon(slow)

    async def test_get_what_had_arrived_when_the_session_ended(self) -> None:
        async with ends(receive_capacity=2) as both:
            for number in range(20):
                await soon(both.near.send_protected(b"%d" % number, channel=1))
            await until(lambda: both.far.info().receive_buffered > 0 and both.near.info().protected_count == 0, "all of them there")
            both.near.close()
            await soon(both.far.wait_terminated())
            self.assertEqual([int(payload) for payload in await both.read(20)], list(range(20)))
            with self.assertRaises(jumping.SessionTerminated):
                await both.far.receive()


if __name__ == "__main__":
    unittest.main()
