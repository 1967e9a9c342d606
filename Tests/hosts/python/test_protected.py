"""Protected payloads through the Endpoint: each arrives once and tells its channel; what is full, too old or wrong says so."""

from __future__ import annotations

import unittest
from typing import Any

import jumping
from jumping import EventType, Reason
from support import FAR, World


def text(number: int) -> bytes:
    return b"payload %d" % number


class Delivery(unittest.TestCase):
    def test_each_arrives_once_whatever_gets_lost(self) -> None:
        for channel in (0, 3):
            with self.subTest(channel=channel), World() as world:
                near, _ = world.establish()
                world.loss = 0.2
                for number in range(200):
                    near.send_protected(text(number), channel=channel, now=world.now)
                    world.run(5_000)
                    if number == 100:
                        world.cut.add(0)
                world.run(5_000_000)
                arrived = world.protected[world.gateway]
                expected = [(channel, text(number)) for number in range(200)]
                self.assertEqual(arrived if channel else sorted(arrived), expected if channel else sorted(expected))
                stats = near.stats()
                self.assertEqual((stats.protected_sent, stats.protected_acknowledged, stats.protected_expired), (200, 200, 0))
                self.assertGreater(stats.protected_bytes_resent, 0)
                self.assertEqual(world.gateway_session().stats().protected_received, 200)

    def test_a_payload_of_a_datagram_says_its_channel_and_longer_ones_come_by_poll(self) -> None:
        with World() as world:
            near, far = world.establish()
            near.send_protected(b"short", channel=4, now=world.now)
            datagram, *_ = world.client.transmits(now=world.now)   # what follows asks how long a datagram may be
            received = world.gateway.receive(datagram.transport, ("192.0.2.1", 1000), datagram.data, now=world.now)
            self.assertEqual((received.payload, received.channel, received.waiting), (b"short", 4, False))
            self.assertIsNone(world.gateway.poll_payload(now=world.now))
            for size in (1_400, 70_000, near.info().max_protected_payload):
                payload = bytes(number * 7 % 251 for number in range(size))
                near.send_protected(payload, channel=2, now=world.now)
                world.run(3_000_000)
                self.assertTrue(world.protected[world.gateway].pop() == (2, payload), f"{size} bytes")
            self.assertEqual(far.info().receive_buffered, 0)

    def test_batches_say_the_channel(self) -> None:
        with World() as world:
            near, _ = world.establish()
            near.send_protected(b"alone", channel=1, now=world.now)
            arrivals: list[Any] = [(datagram.transport, ("192.0.2.1", 1000), datagram.data) for datagram in world.client.transmits(now=world.now)]
            for number in range(2):
                near.send_protected(text(number), channel=1, now=world.now)
            arrivals += [(datagram.transport, ("192.0.2.1", 1000), datagram.data) for datagram in world.client.transmits(now=world.now)]
            received = [one for one in world.gateway.receive_batch(arrivals, now=world.now, copy=False)
                        if isinstance(one, jumping.ReceivedView) and one.payload is not None]
            self.assertEqual([(bytes(one.payload or b""), one.channel, one.waiting) for one in received],
                             [(b"alone", 1, False), (text(0), 1, True)])
            waiting = [(payload.channel, payload.sequence, payload.payload) for payload in world.gateway.payloads(now=world.now)]
            self.assertEqual(waiting, [(1, 2, text(1))])

    def test_expendable_ones_have_no_channel(self) -> None:
        with World() as world:
            near, _ = world.establish()
            datagram = near.send(b"x", now=world.now)
            received = world.gateway.receive(0, ("192.0.2.1", 1000), datagram.data, now=world.now)
            self.assertEqual((received.payload, received.channel, received.waiting), (b"x", None, False))


class Bounds(unittest.TestCase):
    def test_a_full_buffer_says_so_and_tells_when_there_is_room(self) -> None:
        with World(client=jumping.Config(send_buffer=65_536)) as world:
            near, _ = world.establish()
            taken = 0
            with self.assertRaises(jumping.NoRoom):
                while True:
                    near.send_protected(bytes(1_000), now=world.now)
                    taken += 1
            self.assertEqual(taken, 65_536 // 1_064)
            self.assertEqual(near.info().send_buffered, taken * 1_064)
            self.assertEqual(world.found(world.client, EventType.WRITABLE), [])
            world.run(500_000)
            self.assertEqual(len(world.found(world.client, EventType.WRITABLE)), 1)
            near.send_protected(bytes(1_000), now=world.now)
            world.run(100_000)
            self.assertEqual(len(world.protected[world.gateway]), taken + 1)
            flow = world.found(world.client, EventType.FLOW_CONTROL_UPDATE)
            self.assertTrue(flow and all(event.congestion_window > 0 and event.pacing_rate > 0 for event in flow))

    def test_no_report_is_lost_however_small_the_queue_of_events(self) -> None:
        with World(client=jumping.Config(event_capacity=64)) as world:
            near, _ = world.establish()
            for number in range(1_500):
                near.send_protected(b"t", tag=number, report=True, now=world.now)
            world.run(2_000_000)
            told = [event.payload_tag for event in world.found(world.client, EventType.PAYLOAD_ACKNOWLEDGED)]
            self.assertEqual(sorted(told), list(range(1_500)))

    def test_held_payloads_wait_and_hold_their_sender(self) -> None:
        with World(gateway=jumping.Config(receive_buffer=65_536)) as world:
            near, far = world.establish()
            far.hold_payloads(True, now=world.now)
            for number in range(300):
                near.send_protected(text(number) + bytes(1_000), channel=number % 2, now=world.now)
            world.run(3_000_000)
            self.assertEqual(world.protected[world.gateway], [])
            self.assertLessEqual(far.info().receive_buffered, 65_536 + 2_000)
            self.assertGreater(near.info().protected_count, 200)
            far.hold_payloads(False, now=world.now)
            world.run(3_000_000)
            self.assertEqual(len(set(world.protected[world.gateway])), 300)
            in_order = [payload for channel, payload in world.protected[world.gateway] if channel == 1]
            self.assertEqual(in_order, [text(number) + bytes(1_000) for number in range(1, 300, 2)])

    def test_what_is_complete_outlives_the_session(self) -> None:
        with World() as world:
            near, far = world.establish()
            far.hold_payloads(True, now=world.now)
            near.send_protected(b"last words", now=world.now)
            world.run(100_000)
            near.close(now=world.now)
            world.run(100_000)
            self.assertEqual((far.state, world.protected[world.gateway]), (jumping.State.TERMINATED, []))
            far.hold_payloads(False, now=world.now)
            world.run(1)
            self.assertEqual(world.protected[world.gateway], [(0, b"last words")])


class Reports(unittest.TestCase):
    def test_acknowledged(self) -> None:
        with World() as world:
            near, _ = world.establish()
            near.send_protected(b"twelve bytes", channel=5, tag=2**64 - 1, report=True, now=world.now)
            near.send_protected(b"unasked", channel=5, tag=7, now=world.now)
            world.run(100_000)
            report, = world.found(world.client, EventType.PAYLOAD_ACKNOWLEDGED)
            self.assertEqual((report.payload_tag, report.channel, report.payload_sequence, report.payload_length),
                             (2**64 - 1, 5, 0, 12))
            self.assertEqual(report.to_dict()["event_type"], "PayloadAcknowledged")

    def test_too_old(self) -> None:
        with World(1) as world:
            near, _ = world.establish()
            world.cut.add(0)
            begun = world.now
            near.send_protected(b"perishable", channel=1, time_to_live_us=100_000, tag=5, now=world.now)
            near.send_protected(b"durable", channel=1, now=world.now)
            world.run(300_000)
            expired, = world.found(world.client, EventType.PAYLOAD_EXPIRED)
            self.assertEqual((expired.payload_tag, expired.time_us - begun), (5, 100_000))
            world.cut.clear()
            world.run(8_000_000)
            self.assertEqual(world.protected[world.gateway], [(1, b"durable")])

    def test_too_old_without_any_path(self) -> None:
        with World(1) as world:
            near, _ = world.establish()
            world.client.remove_transport(0, now=world.now)
            begun = world.now
            near.send_protected(b"perishable", time_to_live_us=100_000, tag=6, now=world.now)
            world.run(300_000)
            expired, = world.found(world.client, EventType.PAYLOAD_EXPIRED)
            self.assertEqual((expired.payload_tag, expired.time_us - begun), (6, 100_000))


class Misuse(unittest.TestCase):
    def test_wrong_arguments(self) -> None:
        with World() as world:
            near, _ = world.establish()
            wrong: list[tuple[type[Exception], dict[str, Any]]] = [
                (ValueError, {"channel": 16}), (ValueError, {"channel": -1}), (ValueError, {"time_to_live_us": -1}),
                (ValueError, {"tag": 2**64}), (TypeError, {"tag": 1.5}), (TypeError, {"payload": "text"}),
                (jumping.UsageError, {"payload": bytes(1_048_577)})]
            for error, arguments in wrong:
                with self.subTest(**{name: repr(value)[:20] for name, value in arguments.items()}), self.assertRaises(error):
                    near.send_protected(**{"payload": b"x", "now": world.now, **arguments})
            with self.assertRaises(jumping.StaleSessionError):
                world.client.send_protected(12_345, b"x", now=world.now)
            with self.assertRaises(jumping.StaleSessionError):
                world.client.hold_payloads(12_345, True, now=world.now)
            self.assertEqual(near.stats().protected_sent, 0)

    def test_states(self) -> None:
        with World() as world:
            world.gateway.add_psk(bytes(range(1, 33)), b"client-1")
            near = world.client.connect(0, FAR, psk=bytes(range(1, 33)), hint=b"client-1", now=world.now)
            with self.assertRaises(jumping.StateError):
                near.send_protected(b"too early", now=world.now)
            world.run(200_000)
            near.close(now=world.now)
            with self.assertRaises(jumping.SessionTerminated) as caught:
                near.send_protected(b"too late", now=world.now)
            self.assertEqual(caught.exception.reason, jumping.reason_name(Reason.OPERATOR_TERMINATED))
            world.client.close()
            for call in (lambda: near.send_protected(b"x"), lambda: near.hold_payloads(True), world.client.poll_payload):
                with self.assertRaises(jumping.ClosedError):
                    call()


if __name__ == "__main__":
    unittest.main()
