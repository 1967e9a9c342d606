"""The asyncio layer over real UDP on loopback: sockets that die, sockets that move, queues that fill, a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import json
import socket
import unittest
from typing import Any, Optional

import jumping
from jumping import EventType, Reason, State
from jumping.aio import AsyncEndpoint, AsyncSession, BoundedQueue, Direction, UdpTransport, resolve
from aio_support import LOOPBACK, Relay, echo, pair, soon, until
from support import HINT, PSK, asking


class Talk(unittest.IsolatedAsyncioTestCase):
    async def test_connect_and_echo(self) -> None:
        async with pair() as both:
            session = await both.connect(label="talk")
            self.assertEqual(session.state, State.ATTACHED)
            for number in range(20):
                self.assertTrue(session.send(b"%d" % number))
            received = []
            async for payload in session:
                received.append(payload)
                if len(received) == 20:
                    break
            self.assertEqual(sorted(received, key=int), [b"%d" % number for number in range(20)])
            self.assertEqual((both.served[0].id, both.served[0].label), (session.id, "talk"))
            self.assertEqual(session.stats().payloads_received, 20)
            self.assertIn("udp:B", session.explain())
            names = [(await soon(both.events.get())).name for _ in range(3)]
            self.assertIn("SessionCreated", names)
            self.assertEqual([json.loads(event.to_json()) for event in both.seen], [event.to_dict() for event in both.seen])

    async def test_static_keys_and_ipv6_and_host_names(self) -> None:
        client, gateway = jumping.generate_keypair(), jumping.generate_keypair()
        async with AsyncEndpoint() as server, AsyncEndpoint() as user:
            server.set_static_key(gateway.secret)
            server.add_client_key(client.public)
            user.set_static_key(client.secret)
            doors: list[tuple[UdpTransport, UdpTransport, Any]] = []
            four = server.add_udp_transport("gw:4", LOOPBACK)
            doors.append((four, user.add_udp_transport("udp:4", LOOPBACK), ("localhost", four.local_address[1])))
            if socket.has_ipv6:
                with contextlib.suppress(OSError):  # a machine without ::1
                    six = server.add_udp_transport("gw:6", ("::1", 0))
                    doors.append((six, user.add_udp_transport("udp:6", ("::1", 0)), six.local_address))
            for _, way, remote in doors:
                session = await soon(user.connect(way, remote, gateway_key=gateway.public))
                accepted = await soon(server.__anext__())
                accepted.send(b"welcome")
                self.assertEqual(await soon(session.receive()), b"welcome")
            with self.assertRaises(ValueError):
                user.start(doors[0][1], ("::1", 5), gateway_key=gateway.public)
            self.assertEqual((await resolve("127.0.0.1", 5))[:2], ("127.0.0.1", 5))

    async def test_asking(self) -> None:
        asked: list[jumping.Event] = []

        def authorize(event: jumping.Event) -> Optional[bytes]:
            asked.append(event)
            return PSK if event.hint == HINT else None

        async with AsyncEndpoint(asking(), authorize=authorize) as server, AsyncEndpoint() as user:
            door, way = server.add_udp_transport("gw", LOOPBACK), user.add_udp_transport("udp", LOOPBACK)
            await soon(user.connect(way, door.local_address, psk=PSK, hint=HINT))
            with self.assertRaises(jumping.SessionTerminated) as caught:
                await soon(user.connect(way, door.local_address, psk=PSK, hint=b"stranger", handshake_timeout_us=400_000))
            self.assertEqual(caught.exception.reason, "handshake_failed")
            self.assertEqual({event.hint for event in asked}, {HINT, b"stranger"})

    async def test_connect_fails_and_is_cancelled(self) -> None:
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind(LOOPBACK)
        with contextlib.closing(silent):
            async with AsyncEndpoint() as user:
                way = user.add_udp_transport("udp", LOOPBACK)
                with self.assertRaises(jumping.SessionTerminated):
                    await soon(user.connect(way, silent.getsockname(), psk=PSK, handshake_timeout_us=200_000))
                task = asyncio.get_running_loop().create_task(user.connect(way, silent.getsockname(), psk=PSK))
                await asyncio.sleep(0.02)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                self.assertEqual(user.sessions, [])
                with self.assertRaises(ValueError):
                    user.start(way, silent.getsockname(), psk=PSK, paths=[(way, ("::1", 5))])
                self.assertEqual(user.sessions, [])

    async def test_policy_rekey_and_planned_switch(self) -> None:
        async with pair() as both:
            session = await both.connect()
            far = both.served[0]
            far.set_policy(dataclasses.replace(far.policy(), version="evening"))
            await until(lambda: session.policy().version == "evening", "the new policy at the client")
            session.request_switch()
            await until(lambda: session.info().active_transport == both.ways[1].number, "the planned switch")

            def rekeyed() -> bool:
                try:
                    session.rekey()
                except jumping.RateLimited:  # three probe timeouts after the session began, however long they are here
                    return False
                return True

            await until(rekeyed, "the next key phase")
            await both.converse(session, 10)
            self.assertEqual(session.stats().key_rotations, 1)
            third = both.client.add_udp_transport("udp:C", LOOPBACK)
            path = session.add_path(third, both.doors[0].local_address)
            await until(lambda: session.info().candidate_count == 2, "a second standby")
            session.remove_path(path)
            self.assertNotIn(path, [known.path for known in session.paths()])


class Jump(unittest.IsolatedAsyncioTestCase):
    async def test_a_link_that_drops_everything(self) -> None:
        async with pair() as both:
            session = await both.connect()
            identity = session.id
            self.assertGreater(await both.converse(session, 20), 15)
            directions: set[Direction] = set()

            def lose(direction: Direction, data: memoryview, remote: Any) -> bool:
                directions.add(direction)
                return False

            both.ways[0].filter = lose
            back = await both.converse(session, 100)
            self.assertGreater(back, 60)
            self.assertEqual((session.id, session.info().active_transport), (identity, both.ways[1].number))
            switch, = [event for event in both.seen if event.type == EventType.TRANSPORT_SWITCH]
            self.assertEqual((switch.from_transport, switch.to_transport), ("udp:A", "udp:B"))
            self.assertEqual(switch.to_address, both.doors[1].local_address)
            self.assertIn(Direction.OUTGOING, directions)
            self.assertGreater(both.ways[0].filtered_outgoing, 0)
            self.assertEqual(both.served[0].id, identity)
            self.assertEqual(len(both.served), 1)

    async def test_a_socket_is_closed_and_another_comes(self) -> None:
        async with pair() as both:
            session = await both.connect(paths=1)
            identity = session.id
            both.client.remove_transport(both.ways[0])
            self.assertTrue(both.ways[0].closed)
            with self.assertRaises(jumping.ClosedError):
                both.ways[0].rebind()
            await asyncio.sleep(0.1)
            self.assertNotEqual(session.state, State.ATTACHED)
            fresh = both.client.add_udp_transport("udp:fresh", LOOPBACK)
            session.add_path(fresh, both.doors[0].local_address)
            self.assertEqual(await soon(session.wait_state(State.ATTACHED)), State.ATTACHED)
            self.assertGreater(await both.converse(session, 20), 10)
            self.assertEqual((session.id, both.served[0].id, len(both.served)), (identity, identity, 1))

    async def test_hints(self) -> None:
        async with pair() as both:
            session = await both.connect()
            both.ways[0].hint(False)
            await until(lambda: session.info().active_transport == both.ways[1].number, "the jump after the hint")
            both.ways[0].hint(True)
            self.assertGreater(await both.converse(session, 10), 5)

    async def test_all_links_gone(self) -> None:
        async with pair() as both:
            session = await both.connect()
            for way in both.ways:
                way.filter = lambda direction, data, remote: False
            await both.converse(session, 20)
            self.assertEqual(await soon(session.wait_terminated()), Reason.TRANSPORT_TTL_EXCEEDED)
            with self.assertRaises(jumping.SessionTerminated) as caught:
                session.send(b"late")
            self.assertEqual(caught.exception.reason, "transport_ttl_exceeded")

    async def test_a_nat_that_forgets(self) -> None:
        async with pair() as both:
            _, relay = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: Relay(both.doors[0].local_address), local_addr=LOOPBACK)
            await relay.forget()
            try:
                session = await soon(both.client.connect(both.ways[0], relay.inside.get_extra_info("sockname"), psk=PSK, hint=HINT))
                await both.converse(session, 20)
                events = both.gateway.events()
                handshakes = both.gateway.stats().handshakes_completed
                await relay.forget()
                port = relay.outside.get_extra_info("sockname")[1]
                self.assertGreaterEqual(await both.converse(session, 50), 45)
                self.assertEqual(both.served[0].paths()[0].remote[1], port)
                switches = [event for event in iter(events.take, None) if event.type == EventType.TRANSPORT_SWITCH]
                self.assertEqual([event.to_address[1] for event in switches], [port])
                self.assertEqual(both.gateway.stats().handshakes_completed, handshakes)
                self.assertEqual((session.id, session.state), (both.served[0].id, State.ATTACHED))
            finally:
                relay.inside.close()
                relay.outside.close()

    async def test_rebinding_the_own_socket(self) -> None:
        async with pair() as both:
            session = await both.connect(paths=1)
            await both.converse(session, 10)
            before = both.ways[0].local_address
            both.ways[0].rebind()
            self.assertNotEqual(both.ways[0].local_address, before)
            self.assertGreaterEqual(await both.converse(session, 50), 45)
            self.assertEqual(both.served[0].paths()[0].remote, both.ways[0].local_address)


class End(unittest.IsolatedAsyncioTestCase):
    async def test_the_peer_is_told(self) -> None:
        async with pair() as both:
            session = await both.connect()
            far = both.served[0]
            await both.client.close()
            self.assertEqual(await soon(far.wait_terminated()), Reason.PEER_TERMINATED)
            self.assertEqual(both.gateway.sessions, [])
            self.assertTrue(session.terminated)
            self.assertTrue(all(way.closed for way in both.ways))
            await both.client.close()

    async def test_iteration_ends_with_the_session(self) -> None:
        async with pair() as both:
            session = await both.connect()
            reader = asyncio.get_running_loop().create_task(echo(session))
            await asyncio.sleep(0.02)
            both.served[0].close()
            await soon(reader)
            self.assertEqual(session.termination_reason, Reason.PEER_TERMINATED)
            self.assertEqual(both.served[0].termination_reason, Reason.OPERATOR_TERMINATED)
            with self.assertRaises(jumping.SessionTerminated) as caught:
                await session.receive()
            self.assertEqual(caught.exception.reason, "peer_terminated")
            with self.assertRaises(jumping.SessionTerminated):
                await session.wait_state(State.VOLATILE)
            session.close()

    async def test_after_close(self) -> None:
        async with pair() as both:
            session = await both.connect()
            client = both.client
            waiting = asyncio.get_running_loop().create_task(session.receive())
            await asyncio.sleep(0)
            await client.close()
            with self.assertRaises(jumping.JumpingError):
                await soon(waiting)
            self.assertEqual([payload async for payload in session], [])
            self.assertEqual([accepted async for accepted in client], [])
            session.close()
            for call in (lambda: session.send(b"x"), lambda: session.rekey(), lambda: session.info(), lambda: client.stats(),
                         lambda: client.pump(), lambda: client.add_psk(PSK), lambda: client.remove_transport(both.ways[0]),
                         lambda: client.add_udp_transport("x", LOOPBACK), lambda: session.request_switch(),
                         lambda: session.add_path(both.ways[0], ("127.0.0.1", 5)),
                         lambda: client.start(both.ways[0], ("127.0.0.1", 5), psk=PSK)):
                with self.assertRaises(jumping.ClosedError):
                    call()
            self.assertIn("closed", repr(client))

    async def test_a_refusal_nobody_can_help_reaches_everyone(self) -> None:
        async with pair() as both:
            session = await both.connect()
            broken = jumping.OutOfMemory(-401, "out of memory")
            reading = [asyncio.get_running_loop().create_task(waits) for waits in (
                session.receive(), echo(session), session.wait_terminated(), both.client.__anext__())]
            await asyncio.sleep(0)
            both.client._fatal(broken)
            results = await soon(asyncio.gather(*reading, return_exceptions=True))
            self.assertEqual([result for result in results if result is not None], [broken] * 3)
            self.assertTrue(both.client.closed)

    async def test_a_cancelled_close_still_closes(self) -> None:
        async with pair() as both:
            await both.connect()
            far = both.served[0]
            for door in both.doors:
                door._socket.close()  # every send fails from here on, so that close has something to retry
            closing = asyncio.get_running_loop().create_task(both.gateway.close())
            await asyncio.sleep(0.001)
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)
            self.assertTrue(both.gateway.closed)
            self.assertTrue(far.terminated)

    async def test_a_full_receive_queue_counts(self) -> None:
        async with AsyncEndpoint(receive_capacity=5) as server, AsyncEndpoint() as user:
            server.add_psk(PSK)
            door, way = server.add_udp_transport("gw", LOOPBACK), user.add_udp_transport("udp", LOOPBACK)
            session = await soon(user.connect(way, door.local_address, psk=PSK))
            far = await soon(server.__anext__())
            for number in range(30):
                session.send(b"%d" % number)
                await asyncio.sleep(0)
            await until(lambda: far.stats().payloads_received == 30, "30 payloads at the gateway")
            self.assertEqual(far.receive_drops, 25)
            self.assertEqual([await soon(far.receive()) for _ in range(5)], [b"0", b"1", b"2", b"3", b"4"])
            self.assertIsNone(far.receive_nowait())
            session.send(b"again")
            self.assertEqual(await soon(far.receive()), b"again")

    async def test_a_full_backlog_counts(self) -> None:
        async with AsyncEndpoint(accept_backlog=2) as server, AsyncEndpoint() as user:
            server.add_psk(PSK)
            door, way = server.add_udp_transport("gw", LOOPBACK), user.add_udp_transport("udp", LOOPBACK)
            sessions = [await soon(user.connect(way, door.local_address, psk=PSK)) for _ in range(4)]
            await until(lambda: sum(session.terminated for session in sessions) == 2, "two sessions closed by the gateway")
            self.assertEqual(server.accept_drops, 2)
            self.assertEqual(len(server.sessions), 2)

    async def test_the_queue(self) -> None:
        queue: BoundedQueue[int] = BoundedQueue(2)
        with self.assertRaises(ValueError):
            BoundedQueue(0)
        waiting = [asyncio.get_running_loop().create_task(queue.get()) for _ in range(2)]
        await asyncio.sleep(0)
        queue.put(1)
        waiting[0].cancel()  # woken and cancelled in the same turn: the item is for the other one
        self.assertEqual(await soon(waiting[1]), 1)
        self.assertEqual([queue.put(2), queue.put(3), queue.put(4)], [True, True, False])
        queue.close()
        self.assertEqual([item async for item in queue], [2, 3])
        self.assertEqual((queue.drops, len(queue)), (1, 0))

    async def test_nothing_stays(self) -> None:
        before = len(gc.get_objects())
        for _ in range(5):
            async with pair() as both:
                await both.connect(paths=1)
        del both
        await asyncio.sleep(0.05)
        gc.collect()
        self.assertEqual([kept for kept in gc.get_objects() if isinstance(kept, (AsyncEndpoint, AsyncSession, UdpTransport))], [])
        self.assertLess(len(gc.get_objects()) - before, 5_000)


if __name__ == "__main__":
    unittest.main()
