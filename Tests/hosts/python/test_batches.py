"""The batch forms of send and receive: order, sizes, items that fail, arrays that grow, views, threads, memory."""

from __future__ import annotations

import ctypes
import gc
import os
import random
import sys
import threading
import time
import unittest
from typing import Any

import jumping
from jumping import _constants
from jumping._library import calls
from jumping._structs import jmp_datagram, jmp_receive_item, jmp_received, jmp_send_item
from support import FAR, HINT, NEAR, PSK, World

#: Set JUMPING_TEST_PAYLOADS=1000000 for the long version.
PAYLOADS = int(os.environ.get("JUMPING_TEST_PAYLOADS", "150000"))


def resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def arrivals(sealed: list[Any], remote: Any = NEAR) -> list[tuple[int, Any, Any]]:
    return [(item.transport, remote, item.data) for item in sealed]


class Order(unittest.TestCase):
    def test_mixed_sizes_keep_their_order(self) -> None:
        with World() as world:
            near, far = world.establish()
            largest, chance = near.info().max_payload, random.Random(1)
            for turn in range(40):
                payloads = [chance.randbytes(chance.choice((0, 1, 100, largest, chance.randrange(largest))))
                            for _ in range(chance.randrange(1, 33))]
                for copy in (True, False):
                    sealed = world.client.send_batch([(near.handle, payload) for payload in payloads], now=world.now, copy=copy)
                    self.assertEqual([item.packet_number for item in sealed],
                                     list(range(sealed[0].packet_number, sealed[0].packet_number + len(sealed))))
                    opened = world.gateway.receive_batch(arrivals(sealed), now=world.now, copy=copy)
                    self.assertEqual([bytes(item.payload) for item in opened], payloads)
                    self.assertEqual([item.packet_number for item in opened], [item.packet_number for item in sealed])
                    self.assertEqual({item.session for item in opened}, {far.handle})
                world.run(1_000)
            self.assertEqual(near.stats().datagrams_lost, 0)

    def test_a_batch_is_what_single_calls_are(self) -> None:
        """Two seeded worlds give the same bytes, whether payloads are sealed one by one or in batches."""
        def told(batched: bool) -> list[Any]:
            config = jumping.Config(suites=jumping.Suite.CHACHA20_POLY1305, wall_clock_offset_us=1)
            policy = jumping.Policy(suites=jumping.Suite.CHACHA20_POLY1305)
            with World() as world:
                world.client.close(), world.gateway.close()
                world.client = jumping.Endpoint.seeded(bytes(32), config, policy, now=world.now)
                world.gateway = jumping.Endpoint.seeded(bytes(31) + b"x", config, policy, now=world.now)
                for endpoint in (world.client, world.gateway):
                    for name in world.links:
                        endpoint.add_transport(name, now=world.now)
                    world.events[endpoint], world.payloads[endpoint] = [], []
                near, _ = world.establish()
                payloads = [bytes([number]) * number * 30 for number in range(20)]
                if batched:
                    sealed = world.client.send_batch([(near.handle, payload) for payload in payloads], now=world.now)
                    opened = world.gateway.receive_batch(arrivals(sealed), now=world.now)
                else:
                    sealed = [near.send(payload, now=world.now) for payload in payloads]
                    opened = [world.gateway.receive(*item, now=world.now) for item in arrivals(sealed)]
                return [list(map(tuple, sealed)), list(map(tuple, opened))]
        self.assertEqual(told(True), told(False))

    def test_any_iterable_and_an_empty_one(self) -> None:
        with World() as world:
            near, _ = world.establish()
            sealed = world.client.send_batch(((near.handle, b"%d" % number) for number in range(3)), now=world.now)
            opened = world.gateway.receive_batch(tuple(arrivals(sealed)), now=world.now)
            self.assertEqual([item.payload for item in opened], [b"0", b"1", b"2"])
            for nothing in ([], (), iter(())):
                for copy in (True, False):
                    self.assertEqual(world.client.send_batch(nothing, copy=copy), [])
                    self.assertEqual(world.client.receive_batch(nothing, copy=copy), [])
            self.assertEqual(world.client.receive_batch_in_place([]), [])

    def test_several_sessions_and_endpoints(self) -> None:
        with World() as world:
            near, far = world.establish()
            others = [jumping.Endpoint(now=world.now) for _ in range(3)]
            sessions: list[tuple[jumping.Endpoint, Any, jumping.Session, int]] = []
            for number, other in enumerate(others):
                other.add_transport("mem:0", now=world.now)
                remote = ("192.0.2.77", 7000 + number)
                session = other.connect(0, FAR, psk=PSK, hint=HINT, now=world.now)
                for _ in range(6):
                    world.gateway.receive_batch(arrivals(list(other.transmits(now=world.now)), remote), now=world.now)
                    back = [item for item in world.gateway.transmits(now=world.now) if item.remote == remote]
                    other.receive_batch(arrivals(back, FAR), now=world.now)
                handles = [event.session for event in world.gateway.events() if event.name == "SessionEstablished"]
                sessions.append((other, remote, session, handles[0]))
            try:
                mixed = [(handle, b"to %d" % number) for number, (_, _, _, handle) in enumerate(sessions)]
                sealed = world.gateway.send_batch([(far.handle, b"to the first"), *mixed, *mixed], now=world.now)
                self.assertEqual([item.remote for item in sealed], [NEAR] + [remote for _, remote, _, _ in sessions] * 2)
                self.assertEqual(world.client.receive_batch(arrivals(sealed[:1], FAR), now=world.now)[0].payload, b"to the first")
                for number, (other, _, session, _) in enumerate(sessions):
                    own = [sealed[1 + number], sealed[1 + len(others) + number]]
                    opened = other.receive_batch(arrivals(own, FAR), now=world.now)
                    self.assertEqual([(item.session, item.payload) for item in opened], [(session.handle, b"to %d" % number)] * 2)
                incoming = [(0, remote, session.send(b"from %d" % number, now=world.now).data)
                            for number, (_, remote, session, _) in enumerate(sessions)]
                incoming.insert(1, (0, NEAR, near.send(b"from the first", now=world.now).data))
                opened = world.gateway.receive_batch(incoming, now=world.now)
                self.assertEqual([(item.session, item.payload) for item in opened],
                                 [(sessions[0][3], b"from 0"), (far.handle, b"from the first"),
                                  (sessions[1][3], b"from 1"), (sessions[2][3], b"from 2")])
            finally:
                for other in others:
                    other.close()


class Failures(unittest.TestCase):
    def test_an_item_in_the_middle(self) -> None:
        with World() as world:
            near, _ = world.establish()
            items = [(near.handle, b"%d" % number) for number in range(9)]
            items[3], items[4], items[7] = (999, b"stale"), (near.handle, bytes(1_000_000)), (near.handle, bytes(20_000))
            for copy in (True, False):
                before = near.stats().payloads_sent
                results = world.client.send_batch(items, now=world.now, copy=copy)
                self.assertEqual(near.stats().payloads_sent - before, 6)
                for index, error_class in ((3, jumping.StaleSessionError), (4, jumping.UsageError), (7, jumping.UsageError)):
                    self.assertIs(type(results[index]), error_class)
                    self.assertIn(f"item {index} ", str(results[index]))
                sent = [result for result in results if not isinstance(result, jumping.JumpingError)]
                opened = world.gateway.receive_batch(arrivals(sent), now=world.now)
                self.assertEqual([item.payload for item in opened], [b"0", b"1", b"2", b"5", b"6", b"8"])

    def test_arrivals_in_the_middle(self) -> None:
        with World() as world:
            near, _ = world.establish()
            good = [near.send(b"%d" % number, now=world.now).data for number in range(4)]
            for copy in (True, False):
                results = world.gateway.receive_batch(
                    [(0, NEAR, good[0]), (63, NEAR, good[1]), (0, NEAR, b""), (0, NEAR, bytes(65_508)), (0, NEAR, b"\x00" * 40),
                     (0, NEAR, good[1]), (0, NEAR, good[1])], now=world.now, copy=copy)
                self.assertIs(type(results[1]), jumping.UsageError)
                self.assertEqual(results[1].status, _constants.JMP_ERR_TRANSPORT)
                self.assertIn("item 1 ", str(results[1]))
                causes = [getattr(result, "drop_cause", None) for result in results]
                expected = [0, None, jumping.DropCause.TOO_SHORT, jumping.DropCause.TOO_LONG, causes[4], 0,
                            jumping.DropCause.REPLAYED]
                self.assertEqual(causes, expected)
                self.assertEqual([bytes(results[index].payload) for index in (0, 5)], [b"0", b"1"] if copy else [b"2", b"3"])
                good = good[2:] * 2

    def test_reuse_after_an_exception(self) -> None:
        with World() as world:
            near, _ = world.establish()
            handle = near.handle

            def works() -> None:
                sealed = world.client.send_batch([(handle, b"one"), (handle, b"three")], now=world.now)
                opened = world.gateway.receive_batch(arrivals(sealed), now=world.now)
                self.assertEqual([item.payload for item in opened], [b"one", b"three"])

            works()
            bad_sends: list[Any] = [
                [(handle, b"abc"), (handle, "text")], [(handle, b"abc"), (handle, None)], [(handle, b"abc"), (handle,)],
                [(handle, b"abc"), (handle, b"x", 1)], [(handle, b"abc"), (-1, b"x")], [(handle, b"abc"), (2**64, b"x")],
                [(handle, b"abc"), (1.0, b"x")], [(handle, b"abc"), ("1", b"x")], [7], 7, None]
            bad_arrivals: list[Any] = [
                [(0, NEAR, b"abc"), (0, NEAR, "text")], [(0, NEAR, b"abc"), (0, NEAR)], [(0, NEAR, b"abc"), (-1, NEAR, b"x")],
                [(0, NEAR, b"abc"), (2**32, NEAR, b"x")], [(0, NEAR, b"abc"), (0, ("name", 1), b"x")],
                [(0, NEAR, b"abc"), (0, ("192.0.2.1", 0), b"x")], [(0, NEAR, b"abc"), (0, b"", b"x")],
                [(0, NEAR, b"abc"), (0, None, b"x")], [(0, NEAR, b"abc"), (0, [], b"x")], 7]
            counted = near.stats(), world.gateway.stats().datagrams_received
            for bad in bad_sends:
                with self.assertRaises((TypeError, ValueError)) as caught:
                    world.client.send_batch(bad, now=world.now)
            for bad in bad_arrivals:
                with self.assertRaises((TypeError, ValueError)):
                    world.gateway.receive_batch(bad, now=world.now)
            self.assertEqual((near.stats(), world.gateway.stats().datagrams_received), counted)
            with self.assertRaises(TypeError) as caught:
                world.client.send_batch([(handle, b"abc"), (handle, "text")], now=world.now)
            self.assertIn("payload of item 1", str(caught.exception))
            with self.assertRaises(ValueError) as caught_value:
                world.gateway.receive_batch([(0, NEAR, b"abc"), (2**32, NEAR, b"x")], now=world.now)
            self.assertIn("transport of item 1", str(caught_value.exception))
            with self.assertRaises(ValueError):
                world.client.send_batch([(handle, b"one"), (handle, b"three")], now=-1)
            works()
        with self.assertRaises(jumping.ClosedError):
            world.client.send_batch([(handle, b"one"), (handle, b"three")], now=world.now)
        with self.assertRaises(jumping.ClosedError):
            world.gateway.receive_batch([(0, NEAR, b"x")], now=world.now)

    def test_tiny_buffers(self) -> None:
        """What the C functions say of items without room; the binding never gives such."""
        with World() as world:
            near, _ = world.establish()
            items, buffer, done = (jmp_send_item * 4)(), ctypes.create_string_buffer(3_000), ctypes.c_size_t()
            room = 100 + 46 + _constants.JMP_FRAME_RESERVE
            for item, offset, capacity in zip(items, (0, 1_000, 2_900, 1_500), (room, 99, 200, room)):
                item.session, item.payload_length = near.handle, 100
                item.buffer_offset, item.buffer_capacity = offset, capacity
                item.datagram.struct_size = ctypes.sizeof(jmp_datagram)
            status = calls.jmp_send_batch(world.client._handle, items, 4, bytes(100), 100, world.now, buffer, 3_000, ctypes.byref(done))
            self.assertEqual((status, done.value), (0, 2))
            self.assertEqual([item.status for item in items],
                             [0, _constants.JMP_ERR_BUFFER_TOO_SMALL, _constants.JMP_ERR_ARGUMENT, 0])
            arrived = (jmp_receive_item * 2)()
            for item, sealed, past in zip(arrived, (items[0], items[3]), (0, 3_000)):
                item.offset, item.length = sealed.buffer_offset, sealed.datagram.length + past
                item.from_ = world.gateway._data_path.addresses.encode(NEAR)[0]
                item.received.struct_size = ctypes.sizeof(jmp_received)
            self.assertEqual(calls.jmp_receive_batch(world.gateway._handle, arrived, 2, buffer, 3_000, world.now), 0)
            self.assertEqual([item.status for item in arrived], [0, _constants.JMP_ERR_ARGUMENT])
            self.assertEqual(arrived[0].received.payload_length, 100)


class Arrays(unittest.TestCase):
    def test_larger_than_what_is_kept(self) -> None:
        with World() as world:
            near, _ = world.establish()
            for count in (1, 31, 33, 700, 5_000, 10, 10_000, 1):
                payloads = [b"%d" % number * 5 for number in range(count)]
                sealed = world.client.send_batch([(near.handle, payload) for payload in payloads], now=world.now)
                opened = []
                for begin in range(0, count, 32):
                    opened += world.gateway.receive_batch(arrivals(sealed[begin:begin + 32]), now=world.now)
                    world.drain()
                self.assertEqual([item.payload for item in opened], payloads)
                world.run(20_000)
            many = world.gateway.receive_batch([(0, NEAR, b"rubbish")] * 6_000, now=world.now)
            self.assertEqual(len(many), 6_000)
            self.assertTrue(all(item.payload is None and item.drop_cause for item in many))
            large = world.gateway.receive_batch([(0, NEAR, bytes(1_000_000))] * 12, now=world.now)
            self.assertEqual({item.drop_cause for item in large}, {jumping.DropCause.TOO_LONG})
            results = world.client.send_batch([(near.handle, bytes(1_000_000))] * 12, now=world.now)
            self.assertEqual({type(result) for result in results}, {jumping.UsageError})
            self.assertLess(world.client._send_batches._buffer.capacity, 9 << 20)
            self.assertLess(world.client._send_batches._items.capacity, 4_097)
            self.assertLess(world.gateway._receive_batches._staged.items.capacity, 4_097)

    def test_what_is_remembered_of_the_batch_before(self) -> None:
        """Same lengths with other bytes, other sessions and other addresses; addresses that change in place."""
        with World() as world:
            near, far = world.establish()
            for payloads in ([b"aa", b"bbb"], [b"cc", b"ddd"], [b"eee", b"ff"], [b"ee"], [b"gg", b"hhh"]):
                sealed = world.client.send_batch([(near.handle, payload) for payload in payloads], now=world.now)
                for source in (NEAR, ("192.0.2.1", 1001)):
                    opened = world.gateway.receive_batch(arrivals(sealed, source), now=world.now)
                    causes = {item.drop_cause for item in opened}
                    self.assertEqual(causes, {0} if source == NEAR else {jumping.DropCause.REPLAYED})
            self.assertIs(type(world.client.send_batch([(near.handle, b"gg"), (5, b"hhh")], now=world.now)[1]),
                          jumping.StaleSessionError)

    def test_a_raw_address_that_changes_in_place(self) -> None:
        gateway, client = jumping.Endpoint(now=1), jumping.Endpoint(now=1)
        with gateway, client:
            for endpoint in (gateway, client):
                endpoint.add_transport("mem:0", now=1)
            gateway.add_psk(PSK)
            address = bytearray(b"a")
            for name in b"ab":
                address[0] = name
                client.connect(0, b"gw", psk=PSK, now=1)
                initiation = client.poll_transmit(now=1)
                self.assertIsNotNone(initiation)
                gateway.receive_batch([(0, address, initiation.data)], now=1)
                self.assertEqual({item.remote for item in gateway.transmits(now=1)}, {bytes(address)})
                list(client.transmits(now=1))

    def test_buffers_of_other_types(self) -> None:
        with World() as world:
            near, _ = world.establish()
            wide = memoryview(bytearray(b"12345678")).cast("I")
            payloads = [b"x", bytearray(b"yy"), memoryview(b"zzz"), memoryview(b"a-b-c-")[::2], wide, memoryview(b"abc")[::-1]]
            sealed = world.client.send_batch([(near.handle, payload) for payload in payloads], now=world.now, copy=False)
            data = [bytes(item.data) for item in sealed]
            opened = world.gateway.receive_batch(
                [(0, NEAR, kind(item)) for kind, item in zip((bytes, bytearray, memoryview) * 2, data)], now=world.now)
            self.assertEqual([item.payload for item in opened], [bytes(payload) for payload in payloads])
            original = bytearray(near.send(b"stays", now=world.now).data)
            unchanged = bytes(original)
            self.assertEqual(world.gateway.receive_batch([(0, NEAR, original)], now=world.now)[0].payload, b"stays")
            self.assertEqual(original, unchanged)


class Views(unittest.TestCase):
    def test_lifetime(self) -> None:
        with World() as world:
            near, _ = world.establish()
            sealed = world.client.send_batch([(near.handle, b"first")] * 2, now=world.now, copy=False)
            self.assertIs(type(sealed[0]), jumping.DatagramView)
            first = bytes(sealed[0].data)
            opened = world.gateway.receive_batch(arrivals(sealed), now=world.now, copy=False)
            self.assertIs(type(opened[0]), jumping.ReceivedView)
            self.assertEqual([bytes(item.payload) for item in opened], [b"first"] * 2)
            self.assertEqual(bytes(sealed[0].data), first)  # receiving does not touch what was sealed
            near.send(b"single", now=world.now)
            self.assertEqual(bytes(sealed[0].data), first)  # nor do single calls
            world.client.send_batch([(near.handle, b"other")] * 2, now=world.now)
            self.assertNotEqual(bytes(sealed[0].data), first)  # the next batch does
            kept = world.client.send_batch([(near.handle, b"kept")] * 2, now=world.now, copy=False)
            data = [bytes(item.data) for item in kept]
            world.client.send_batch([(near.handle, bytes(1_000))] * 3_000, now=world.now)
            self.assertEqual([bytes(item.data) for item in kept], data)  # a replaced buffer lives as long as its views
        gc.collect()
        self.assertEqual([bytes(item.data) for item in kept], data)
        self.assertEqual(len(bytes(opened[0].payload)), 5)

    def test_in_place(self) -> None:
        with World() as world:
            near, far = world.establish()
            slots = world.gateway.receive_slots
            self.assertEqual(len(slots), 32)
            self.assertIs(world.gateway.receive_slots, slots)
            for count in (1, 32, 7):
                for copy in (True, False):
                    payloads = [b"%d" % number * number for number in range(count)]
                    read = []
                    for slot, sealed in zip(slots, world.client.send_batch([(near.handle, payload) for payload in payloads],
                                                                           now=world.now)):
                        slot[:len(sealed.data)] = sealed.data
                        read.append((0, NEAR, len(sealed.data)))
                    opened = world.gateway.receive_batch_in_place(read, now=world.now, copy=copy)
                    self.assertEqual([bytes(item.payload) for item in opened], payloads)
                    world.run(1_000)
            for bad in ([(0, NEAR, 1)] * 33, [(0, NEAR, -1)], [(0, NEAR, len(slots[0]) + 1)], [(0, NEAR, None)], [(0, NEAR)],
                        [(-1, NEAR, 1)], [(0, None, 1)]):
                with self.assertRaises((TypeError, ValueError)):
                    world.gateway.receive_batch_in_place(bad, now=world.now)
            results = world.gateway.receive_batch_in_place([(0, NEAR, 0), (9, NEAR, 5)], now=world.now)
            self.assertEqual(results[0].drop_cause, jumping.DropCause.TOO_SHORT)
            self.assertIn("item 1 ", str(results[1]))


class Threads(unittest.TestCase):
    def test_an_endpoint_may_move_to_another_thread(self) -> None:
        with World() as world:
            near, _ = world.establish()
            results: list[Any] = []
            for _ in range(3):
                thread = threading.Thread(target=lambda: results.append(
                    world.client.send_batch([(near.handle, b"moved")], now=world.now)[0]))
                thread.start()
                thread.join()
            opened = world.gateway.receive_batch(arrivals(results), now=world.now)
            self.assertEqual([item.payload for item in opened], [b"moved"] * 3)

    def test_two_at_once_are_told_and_mix_nothing(self) -> None:
        with World() as world:
            first, _ = world.establish()
            second = world.client.connect(0, FAR, psk=PSK, hint=HINT, now=world.now)
            world.run(200_000)
            sealed: dict[int, list[bytes]] = {first.handle: [], second.handle: []}
            told: list[str] = []
            wrong: list[Any] = []

            def use(session: jumping.Session, letter: bytes) -> None:
                turn = 0
                while turn < 500:
                    items = [(session.handle, letter * (1 + (turn + number) % 50)) for number in range(8)]
                    try:
                        results = world.client.send_batch(items, now=world.now)
                    except RuntimeError as error:
                        told.append(str(error))
                        time.sleep(0)
                        continue
                    turn += 1
                    wrong.extend(result for result in results if getattr(result, "session", None) != session.handle)
                    sealed[session.handle] += [result.data for result in results]

            interval = sys.getswitchinterval()
            sys.setswitchinterval(1e-6)
            try:
                threads = [threading.Thread(target=use, args=pair) for pair in ((first, b"a"), (second, b"b"))]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            finally:
                sys.setswitchinterval(interval)
            self.assertEqual(wrong, [])
            self.assertTrue(all("one thread at a time" in text for text in told))
            letters = []
            for data in sealed.values():
                opened = [world.gateway.receive(0, NEAR, datagram, now=world.now) for datagram in data[-500:]]
                letters.append({(item.session, (item.payload or b"")[:1]) for item in opened})
            self.assertEqual([{letter for _, letter in found} for found in letters], [{b"a"}, {b"b"}])
            self.assertEqual([len(found) for found in letters], [1, 1])

    def test_the_guard(self) -> None:
        with World() as world:
            near, _ = world.establish()
            for batches, call in ((world.client._send_batches, lambda: world.client.send_batch([(near.handle, b"x")])),
                                  (world.client._receive_batches, lambda: world.client.receive_batch([(0, FAR, b"x")]))):
                with batches._entered, self.assertRaises(RuntimeError) as caught:
                    call()
                self.assertIn("one thread at a time", str(caught.exception))
                self.assertEqual(len(call()), 1)


class Memory(unittest.TestCase):
    def test_flat_over_many_payloads(self) -> None:
        with World(path_count=1) as world:
            near, _ = world.establish()
            items = [(near.handle, bytes([number]) * 1_200) for number in range(32)]

            def move(count: int) -> None:
                for turn in range(count // 32):
                    copy = turn % 2 == 0
                    sealed = world.client.send_batch(items, now=world.now, copy=copy)
                    opened = world.gateway.receive_batch(arrivals(sealed), now=world.now, copy=copy)
                    self.assertEqual(opened[31].payload, items[31][1])
                    world.run(1_000)
                    for end in (world.client, world.gateway):
                        world.events[end].clear()

            move(20_000)
            gc.collect()
            before, objects = resident_bytes(), len(gc.get_objects())
            move(PAYLOADS)
            gc.collect()
            self.assertLess(resident_bytes() - before, 1_000_000)
            self.assertLess(len(gc.get_objects()) - objects, 200)
            self.assertEqual(near.stats().datagrams_lost, 0)


if __name__ == "__main__":
    unittest.main()
