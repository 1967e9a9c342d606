"""Events as objects, JSON and dictionaries; the batch forms; routing without keys; enumerations and settings."""

from __future__ import annotations

import dataclasses
import inspect
import json
import time
import typing
import unittest

import jumping
import jumping.aio
from jumping import EventType, State
from support import FAR, HINT, NEAR, PSK, World


class Events(unittest.TestCase):
    def test_json_and_dictionary(self) -> None:
        with World(client=jumping.Config(node_id="laptop", wall_clock_offset_us=1_700_000_000_000_000)) as world:
            near, _ = world.establish(label='quote "me"')
            world.cut.add(0)
            for _ in range(30):
                world.say(near, b"x")
                world.run(20_000)
            near.close(now=world.now)
            world.run(100_000)
            events = world.events[world.client]
            self.assertGreater(len(events), 8)
            for event in events:
                line = event.to_json()
                self.assertNotIn("\n", line)
                self.assertEqual(event.to_dict(), json.loads(line))
                self.assertIn(event.name, event.to_dict().values())
                self.assertEqual(event.node_id, "laptop")
                self.assertEqual(event.ts_ms, (event.time_us + 1_700_000_000_000_000) // 1000)
                self.assertIn(event.name, repr(event))
            self.assertEqual([event.sequence for event in events], list(range(events[0].sequence, events[0].sequence + len(events))))
            self.assertTrue(any(event.label == 'quote "me"' and 'quote "me"' in event.to_dict().values() for event in events))
            self.assertEqual({event.session_id for event in events if event.session}, {near.id})
            self.assertIn("BIRTH -> ATTACHED", [event.transition for event in events])
            self.assertEqual(world.found(world.client, EventType.SESSION_TERMINATED)[0].reason_code, "operator_terminated")
            versions = [event.state_version for event in events if event.session]
            self.assertEqual(versions, sorted(versions))

    def test_values(self) -> None:
        with World() as world:
            world.establish()
            first, second = world.events[world.client][:2]
            self.assertEqual(first, jumping.Event(bytes(first._raw)))
            self.assertEqual(len({first, jumping.Event(bytes(first._raw))}), 1)
            self.assertNotEqual(first, second)
            with self.assertRaises((AttributeError, TypeError)):
                first.reason = 3  # type: ignore[misc]

    def test_a_full_queue_counts(self) -> None:
        with World(client=jumping.Config(event_capacity=64)) as world:
            for number in range(200):
                session = world.client.connect(0, ("192.0.2.9", 1 + number), psk=PSK, now=world.now)
                session.close(now=world.now)
            kept = list(world.client.events())
            self.assertLessEqual(len(kept), 64)
            self.assertGreater(world.client.stats().events_dropped, 100)

    def test_telemetry(self) -> None:
        with World(client=jumping.Config(telemetry_interval_ms=100)) as world:
            world.establish()
            world.events[world.client].clear()
            world.run(1_050_000)
            self.assertIn(len(world.found(world.client, EventType.TELEMETRY_TICK)), (10, 11))


class Batches(unittest.TestCase):
    def test_both_ways(self) -> None:
        with World() as world:
            near, far = world.establish()
            payloads = [bytes([number]) * (number * 13 % 1000) for number in range(64)]
            sealed = world.client.send_batch([(near.handle, payload) for payload in payloads], now=world.now)
            self.assertTrue(all(isinstance(item, jumping.Datagram) and item.remote == FAR for item in sealed))
            self.assertEqual(len({item.packet_number for item in sealed}), 64)
            opened = world.gateway.receive_batch([(item.transport, NEAR, item.data) for item in sealed], now=world.now)
            self.assertEqual([item.payload for item in opened], payloads)
            self.assertEqual({item.session for item in opened}, {far.handle})
            self.assertEqual(world.gateway.send_batch([], now=world.now), [])
            self.assertEqual(world.gateway.receive_batch([], now=world.now), [])

    def test_each_item_has_its_error(self) -> None:
        with World() as world:
            near, _ = world.establish()
            results = world.client.send_batch(
                [(near.handle, b"good"), (12345, b"stale"), (near.handle, bytes(60_000)), (near.handle, bytearray(b"too"))],
                now=world.now)
            self.assertEqual([type(result) for result in results],
                             [jumping.Datagram, jumping.StaleSessionError, jumping.UsageError, jumping.Datagram])
            opened = world.gateway.receive_batch(
                [(0, NEAR, results[0].data), (0, NEAR, b"rubbish"), (50, NEAR, results[3].data), (0, NEAR, results[0].data),
                 (0, NEAR, memoryview(results[3].data))], now=world.now)
            self.assertEqual(opened[0].payload, b"good")
            self.assertIsNone(opened[1].payload)
            self.assertNotEqual(opened[1].drop_cause, 0)
            self.assertIsInstance(opened[2], jumping.UsageError)
            self.assertEqual(opened[3].drop_cause, jumping.DropCause.REPLAYED)
            self.assertEqual(opened[4].payload, b"too")


class Routing(unittest.TestCase):
    def test_kinds(self) -> None:
        with World(gateway=jumping.Config(node_tag=0xBEEF)) as world:
            world.gateway.add_psk(PSK, HINT)
            session = world.client.connect(0, FAR, psk=PSK, hint=HINT, now=world.now)
            initiation = world.client.poll_transmit(now=world.now)
            route = jumping.route_datagram(initiation.data)
            self.assertEqual(route.kind, jumping.DatagramKind.INIT)
            self.assertNotEqual(route.handshake_id, 0)
            self.assertIsNone(initiation.packet_number)
            world.put(world.client, initiation)
            world.run(300_000)
            route = jumping.route_datagram(session.send(b"x", now=world.now).data)
            self.assertEqual((route.kind, route.node_tag), (jumping.DatagramKind.DATA, 0xBEEF))
            self.assertNotEqual(route.connection_id, 0)
        for bad in (b"", b"x", b"\xff" * 60):
            with self.assertRaises(jumping.UsageError):
                jumping.route_datagram(bad)


class Names(unittest.TestCase):
    def test_enumerations_match_the_library(self) -> None:
        def words(name: str) -> str:
            return name.replace("_", "").replace("-", "").lower()
        for enumeration, named in ((jumping.State, jumping.state_name), (jumping.Reason, jumping.reason_name),
                                   (jumping.EventType, jumping.event_name), (jumping.DropCause, jumping.drop_name)):
            self.assertGreater(len(enumeration), 5)
            for member in enumeration:
                self.assertEqual(words(named(member)), words(member.name))
        for role in jumping.PathRole:
            self.assertEqual(jumping.path_role_name(role), role.name.lower())
        for suite in (jumping.Suite.CHACHA20_POLY1305, jumping.Suite.AES_256_GCM, jumping.Suite.AEGIS_256):
            self.assertIn(words(jumping.suite_name(suite))[:5], words(suite.name))

    def test_everything_public_exists(self) -> None:
        for module in (jumping, jumping.aio):
            for name in module.__all__:
                self.assertTrue(hasattr(module, name), name)
                thing = getattr(module, name)
                if typing.get_origin(thing) is None and (inspect.isclass(thing) or inspect.isfunction(thing)):
                    self.assertTrue(thing.__doc__, name)
        for known_class in (jumping.Endpoint, jumping.Session, jumping.Event, jumping.aio.AsyncEndpoint, jumping.aio.AsyncSession):
            for name, member in vars(known_class).items():
                if not name.startswith("_") and (callable(member) or isinstance(member, property)):
                    self.assertTrue(member.__doc__, f"{known_class.__name__}.{name}")

    def test_settings(self) -> None:
        policy = jumping.Policy(transport_lost_ttl_us=jumping.seconds(12.5), loss_volatile_threshold_ppm=jumping.ppm(0.25))
        self.assertEqual((policy.transport_lost_ttl_us, policy.loss_volatile_threshold_ppm), (12_500_000, 250_000))
        self.assertEqual(jumping.Policy().max_switches_per_min, 8)
        self.assertEqual(dataclasses.replace(policy), policy)
        with World(policy=policy) as world:
            near, far = world.establish()
            self.assertEqual(near.policy().transport_lost_ttl_us, 12_500_000)
            self.assertEqual(far.policy(), near.policy())
            self.assertEqual(near.state, State.ATTACHED)
        with self.assertRaises(dataclasses.FrozenInstanceError):
            policy.version = "other"  # type: ignore[misc]

    def test_clocks(self) -> None:
        self.assertAlmostEqual(jumping.now_us() + jumping.wall_clock_offset_us(), time.time_ns() // 1000, delta=1_000_000)


if __name__ == "__main__":
    unittest.main()
