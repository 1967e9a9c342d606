"""The asyncio layer when much waits on a socket at once: order, sessions that begin and end in one batch, send_many."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import unittest
from collections.abc import Iterator
from typing import Any

import jumping
from jumping import Reason
from jumping.aio import AsyncEndpoint
from aio_support import LOOPBACK, pair, soon, until
from support import PSK


class ByHand:
    """A client that its test drives, so that datagrams arrive at the gateway all at once and in a known order."""

    def __init__(self, remote: Any) -> None:
        self.remote = remote
        self.core = jumping.Endpoint()
        self.core.add_transport("udp:A")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(LOOPBACK)
        self.session = self.core.connect(0, remote, psk=PSK)

    def close(self) -> None:
        self.core.close()
        self.socket.close()

    def flush(self) -> None:
        for datagram in self.core.transmits():
            self.put(datagram.data)

    def put(self, data: bytes) -> None:
        self.socket.sendto(data, self.remote)

    def turn(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.core.receive(0, self.remote, self.socket.recv(2_048))
        self.flush()

    async def establish(self) -> None:
        """Until the client could speak; the gateway has not heard of the session yet, since its first word is kept back."""
        self.flush()
        for _ in range(1_000):
            await asyncio.sleep(0.002)
            with contextlib.suppress(BlockingIOError):
                self.core.receive(0, self.remote, self.socket.recv(2_048))
            if self.session.state == jumping.State.ATTACHED:
                return
        raise AssertionError("the handshake was not answered")


@contextlib.contextmanager
def by_hand(remote: Any) -> Iterator[ByHand]:
    client = ByHand(remote)
    try:
        yield client
    finally:
        client.close()


class Batches(unittest.IsolatedAsyncioTestCase):
    async def test_a_burst_keeps_its_order(self) -> None:
        async with AsyncEndpoint() as gateway:
            door = gateway.add_udp_transport("gw:A", LOOPBACK)
            gateway.add_psk(PSK)
            with by_hand(door.local_address) as client:
                await client.establish()
                expected = []
                for burst in (1, 2, 32, 33, 34, 150):
                    payloads = [b"%d/%d" % (burst, number) for number in range(burst)]
                    for sealed in client.core.send_batch([(client.session.handle, payload) for payload in payloads]):
                        client.put(sealed.data)
                    expected += payloads
                    if burst == 1:
                        session = await soon(gateway.__anext__())
                    while len(expected):
                        self.assertEqual(await soon(session.receive()), expected.pop(0))
                    client.turn()
                await asyncio.sleep(0.05)
                client.turn()
                self.assertEqual(client.session.stats().datagrams_lost, 0)
                self.assertEqual(session.stats().payloads_received, 1 + 2 + 32 + 33 + 34 + 150)

    async def test_a_session_that_begins_and_ends_in_one_batch(self) -> None:
        async with AsyncEndpoint() as gateway:
            door = gateway.add_udp_transport("gw:A", LOOPBACK)
            gateway.add_psk(PSK)
            events = gateway.events()
            with by_hand(door.local_address) as client:
                await client.establish()
                client.put(b"rubbish")  # the first datagram that waits is taken alone
                for number in range(3):
                    client.put(client.session.send(b"%d" % number).data)
                client.session.close()
                client.flush()
                session = await soon(gateway.__anext__())
                self.assertEqual([payload async for payload in session], [b"0", b"1", b"2"])
                self.assertEqual(await soon(session.wait_terminated()), Reason.PEER_TERMINATED)
                self.assertEqual(gateway.sessions, [])
                names = [(await soon(events.get())).name for _ in range(3)]
                self.assertEqual(names[0], "SessionCreated")

    async def test_the_last_word_of_a_session(self) -> None:
        """What arrived before the peer's goodbye is delivered although one batch brought both."""
        async with AsyncEndpoint() as gateway:
            door = gateway.add_udp_transport("gw:A", LOOPBACK)
            gateway.add_psk(PSK)
            with by_hand(door.local_address) as client:
                await client.establish()
                client.put(client.session.send(b"first").data)
                session = await soon(gateway.__anext__())
                client.put(b"rubbish")
                for number in range(20):
                    client.put(client.session.send(b"%d" % number).data)
                client.session.close()
                client.flush()
                received = [payload async for payload in session]
                self.assertEqual(received, [b"first"] + [b"%d" % number for number in range(20)])

    async def test_a_filter_sees_each_datagram(self) -> None:
        async with pair() as both:
            session = await both.connect(paths=1)
            seen: list[int] = []
            both.doors[0].filter = lambda direction, data, remote: seen.append(len(data)) is not None or True
            session.send_many([bytes(100 + number) for number in range(40)])
            await until(lambda: both.served[0].stats().payloads_received >= 40, "forty payloads")
            self.assertGreaterEqual(len([length for length in seen if length >= 130]), 40)

    async def test_send_many(self) -> None:
        async with pair() as both:
            session = await both.connect(paths=1)
            payloads: list[Any] = [b"%d" % number for number in range(30)]
            self.assertEqual(session.send_many(payloads), [True] * 30)
            self.assertEqual([await soon(session.receive()) for _ in payloads], payloads)
            self.assertEqual(session.send_many([]), [])
            results = session.send_many(iter([b"a", bytes(50_000), bytearray(b"b")]))
            self.assertEqual((results[0], results[2]), (True, True))
            self.assertIsInstance(results[1], jumping.UsageError)
            self.assertIn("item 1 ", str(results[1]))
            self.assertEqual([await soon(session.receive()) for _ in range(2)], [b"a", b"b"])
            sent = session.stats().payloads_sent
            with self.assertRaises(TypeError):
                session.send_many([b"a", "text"])  # type: ignore[list-item]
            self.assertEqual(session.stats().payloads_sent, sent)
            both.ways[0]._socket.close()  # a socket that the system broke: the library is told that nothing left
            self.assertEqual(session.send_many([b"a", b"b"]), [False, False])
            session.close()
            self.assertIsInstance(session.send_many([b"late"])[0], jumping.SessionTerminated)
        with self.assertRaises(jumping.ClosedError):
            session.send_many([b"late"])


if __name__ == "__main__":
    unittest.main()
