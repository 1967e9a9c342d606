"""A session's life over a link in memory: both patterns, jumps, steering, accept and refuse."""

from __future__ import annotations

import dataclasses
import unittest

import jumping
from jumping import EventType, PathRole, Pattern, Reason, Role, State
from support import FAR, HINT, NEAR, PSK, World, asking


class Patterns(unittest.TestCase):
    def exchange(self, world: World, near: jumping.Session, far: jumping.Session) -> None:
        self.assertEqual((near.state, far.state), (State.ATTACHED, State.ATTACHED))
        self.assertEqual(near.id, far.id)
        self.assertRegex(near.id, "^[0-9a-f]{32}$")
        self.assertEqual((near.info().role, far.info().role), (Role.CLIENT, Role.GATEWAY))
        secret = b"a payload nobody else may read"
        self.assertNotIn(secret, world.say(near, secret).data)
        world.say(far, b"and back")
        world.run(50_000)
        self.assertEqual(world.payloads[world.gateway], [secret])
        self.assertEqual(world.payloads[world.client], [b"and back"])

    def test_psk(self) -> None:
        with World() as world:
            near, far = world.establish(label="audit-me")
            self.exchange(world, near, far)
            self.assertEqual((near.info().label, far.info().label), ("audit-me", "audit-me"))
            self.assertTrue(far.info().confirmed)
            self.assertEqual(far.info().peer_key, bytes(32))

    def test_static_keys(self) -> None:
        for psk in (None, PSK):
            with self.subTest(psk=psk is not None), World() as world:
                client, gateway = jumping.generate_keypair(), jumping.generate_keypair()
                self.assertEqual(jumping.public_key(client.secret), client.public)
                self.assertNotIn(client.secret.hex(), repr(client))
                world.client.set_static_key(bytearray(client.secret))
                world.gateway.set_static_key(gateway.secret)
                world.gateway.add_client_key(client.public, psk)
                near, far = world.establish(gateway_key=memoryview(gateway.public), psk=psk)
                self.exchange(world, near, far)
                self.assertEqual((near.info().peer_key, far.info().peer_key), (gateway.public, client.public))

    def test_wrong_keys_never_attach(self) -> None:
        with World() as world:
            world.gateway.add_psk(PSK, HINT)
            session = world.client.connect(0, FAR, psk=bytes([9]) * 32, hint=HINT, handshake_timeout_us=1_000_000, now=world.now)
            world.run(2_000_000)
            self.assertEqual(session.state, State.TERMINATED)
            self.assertEqual(session.info().last_reason, Reason.HANDSHAKE_FAILED)
            self.assertGreater(world.gateway.stats().dropped_for(jumping.DropCause.HANDSHAKE_REJECTED), 0)
            self.assertEqual(world.gateway.stats().sessions, 0)

    def test_keys_can_be_removed(self) -> None:
        with World() as world:
            near, _ = world.establish()
            world.gateway.remove_psk(HINT)
            with self.assertRaises(jumping.UsageError):
                world.gateway.remove_psk(HINT)
            pair = jumping.generate_keypair()
            world.gateway.add_client_key(pair.public)
            world.gateway.remove_client_key(pair.public)
            world.say(near, b"goes on")
            world.run(50_000)
            self.assertEqual(world.payloads[world.gateway], [b"goes on"])

    def test_passphrases(self) -> None:
        first = jumping.psk_from_passphrase("correct horse", realm="example", hint=HINT)
        self.assertEqual(len(first), 32)
        self.assertEqual(first, jumping.psk_from_passphrase(b"correct horse", realm=b"example", hint=bytearray(HINT)))
        self.assertNotEqual(first, jumping.psk_from_passphrase("correct horse", realm="elsewhere", hint=HINT))


class Asking(unittest.TestCase):
    def request(self, world: World) -> tuple[jumping.Session, jumping.Event]:
        session = world.client.connect(0, FAR, psk=PSK, hint=HINT, handshake_timeout_us=2_000_000, now=world.now)
        world.run(50_000)
        asked, = world.found(world.gateway, EventType.ACCEPT_REQUESTED)
        self.assertEqual((asked.hint, asked.pattern, asked.peer_key), (HINT, Pattern.NNPSK0, bytes(32)))
        self.assertEqual(world.gateway.stats().waiting, 1)
        return session, asked

    def test_accept(self) -> None:
        with World(gateway=asking()) as world:
            session, asked = self.request(world)
            with self.assertRaises(jumping.KeyRejected):
                world.gateway.accept(asked.session, now=world.now)
            with self.assertRaises(jumping.KeyRejected):
                world.gateway.accept(asked.session, bytes([7]) * 32, now=world.now)
            world.gateway.accept(asked.session, PSK, now=world.now)
            world.run(200_000)
            self.assertEqual(session.state, State.ATTACHED)
            with self.assertRaises(jumping.StateError):
                world.gateway.accept(asked.session, PSK, now=world.now)

    def test_refuse(self) -> None:
        with World(gateway=asking()) as world:
            session, asked = self.request(world)
            world.gateway.refuse(asked.session, now=world.now)
            with self.assertRaises(jumping.StaleSessionError):
                world.gateway.accept(asked.session, PSK, now=world.now)
            # The client asks again until its patience ends; each time the answer is no.
            for _ in range(30):
                world.run(100_000)
                for event in world.found(world.gateway, EventType.ACCEPT_REQUESTED)[1:]:
                    try:
                        world.gateway.refuse(event.session, now=world.now)
                    except jumping.StaleSessionError:
                        pass
            self.assertEqual(session.state, State.TERMINATED)
            self.assertEqual(session.info().last_reason, Reason.HANDSHAKE_FAILED)


class Jumps(unittest.TestCase):
    def test_a_dead_path_is_left(self) -> None:
        with World() as world:
            near, far = world.establish()
            identity = near.id
            self.assertEqual(near.info().active_transport, 0)
            world.cut.add(0)
            for number in range(100):
                world.say(near, b"%d" % number)
                world.run(10_000)
            world.run(1_000_000)
            self.assertEqual((near.id, far.id), (identity, identity))
            self.assertEqual(near.info().active_transport, 1)
            switch, = world.found(world.client, EventType.TRANSPORT_SWITCH)
            self.assertEqual((switch.from_transport, switch.to_transport), ("mem:0", "mem:1"))
            self.assertTrue(switch.explicit and switch.auditable)
            self.assertEqual(near.stats().switches, 1)
            self.assertGreater(len(world.payloads[world.gateway]), 80)
            world.run(5_000_000)
            self.assertEqual(near.state, State.ATTACHED)

    def test_all_paths_gone(self) -> None:
        policy = jumping.Policy(transport_lost_ttl_us=jumping.seconds(3))
        with World(policy=policy) as world:
            near, far = world.establish()
            world.cut.update({0, 1})
            for _ in range(60):
                try:
                    world.say(near, b"into the void")
                except jumping.StateError:
                    pass
                world.run(100_000)
            for session in (near, far):
                self.assertEqual(session.state, State.TERMINATED)
                self.assertEqual(session.info().last_reason, Reason.TRANSPORT_TTL_EXCEEDED)
            with self.assertRaises(jumping.SessionTerminated) as caught:
                near.send(b"late", now=world.now)
            self.assertEqual(caught.exception.reason, "transport_ttl_exceeded")
            self.assertIn("transport_ttl_exceeded", str(caught.exception))

    def test_planned_switch(self) -> None:
        with World() as world:
            near, far = world.establish()
            standby, = (path.path for path in near.paths() if path.role == PathRole.STANDBY)
            near.request_switch(standby, now=world.now)
            world.run(200_000)
            self.assertEqual(near.info().active_path, standby)
            self.assertEqual(far.info().active_transport, 1)
            # The next voluntary one falls into the cooldown, and the denial is audited.
            with self.assertRaises(jumping.SwitchDenied):
                near.request_switch(now=world.now)
            world.drain()
            denied = world.found(world.client, EventType.TRANSPORT_SWITCH_DENIED)
            self.assertEqual(denied[-1].reason_code, "cooldown_active")

    def test_transport_hints_and_removal(self) -> None:
        with World(path_count=3) as world:
            near, _ = world.establish()
            world.client.hint_transport(0, False, now=world.now)
            world.run(300_000)
            first = near.info().active_transport
            self.assertNotEqual(first, 0)
            world.client.hint_transport(0, True, now=world.now)
            world.client.remove_transport(first, now=world.now)
            world.run(1_000_000)
            self.assertNotEqual(near.info().active_transport, first)
            self.assertEqual(near.state, State.ATTACHED)

    def test_unsent_is_no_loss(self) -> None:
        with World() as world:
            near, _ = world.establish()
            datagram = near.send(b"the socket refuses this", now=world.now)
            self.assertIsNotNone(datagram.packet_number)
            world.client.unsent(near.handle, datagram.packet_number, now=world.now)
            world.run(2_000_000)
            self.assertEqual(near.stats().datagrams_lost, 0)
            with self.assertRaises(jumping.UsageError):
                world.client.unsent(near.handle, 10**9, now=world.now)


class Steering(unittest.TestCase):
    def test_policy_replacement(self) -> None:
        with World() as world:
            near, far = world.establish()
            replaced = dataclasses.replace(far.policy(), max_switches_per_min=2, version="night-2")
            far.set_policy(replaced, now=world.now)
            self.assertEqual(far.policy().version, "night-2")
            world.run(300_000)
            self.assertEqual(near.policy().max_switches_per_min, 2)
            self.assertEqual(near.info().policy_version, "night-2")
            self.assertIn("PolicyChanged", world.names(world.client))
            self.assertIn("PolicyChanged", world.names(world.gateway))
            with self.assertRaises(jumping.StateError):
                near.set_policy(replaced, now=world.now)

    def test_rekey(self) -> None:
        with World() as world:
            near, far = world.establish()
            before = near.info().key_phase
            near.rekey(now=world.now)
            with self.assertRaises(jumping.RateLimited):
                near.rekey(now=world.now)
            for _ in range(5):
                world.say(near, b"new phase")
                world.say(far, b"too")
                world.run(100_000)
            self.assertNotEqual(near.info().key_phase, before)
            self.assertEqual(near.info().key_phase, far.info().key_phase)
            self.assertEqual(near.stats().key_rotations, 1)
            self.assertEqual(len(world.payloads[world.gateway]), 5)
            self.assertIn("KeyRotated", world.names(world.gateway))

    def test_what_a_session_tells(self) -> None:
        with World() as world:
            near, far = world.establish()
            for number in range(10):
                world.say(near, b"%d" % number)
                world.run(20_000)
            info, stats = near.info(), near.stats()
            self.assertEqual((info.path_count, info.candidate_count), (2, 1))
            self.assertAlmostEqual(info.srtt_us, world.rtt_us, delta=6_000)
            self.assertGreater(info.max_payload, 1_000)
            self.assertIsNone(info.transport_lost_at_us)
            self.assertEqual((stats.payloads_sent, far.stats().payloads_received), (10, 10))
            self.assertIn(info.suite, list(jumping.Suite))
            self.assertTrue(info.suite & jumping.suites_available())
            paths = near.paths()
            self.assertEqual(sorted(path.role for path in paths), [PathRole.ACTIVE, PathRole.STANDBY])
            self.assertTrue(all(path.validated and path.remote == FAR for path in paths))
            self.assertEqual({path.name for path in far.paths()}, {"mem:0", "mem:1"})
            self.assertEqual(far.paths()[0].remote, NEAR)
            lines = near.explain(now=world.now).strip().splitlines()
            self.assertEqual([sum(name in line for line in lines) for name in ("mem:0", "mem:1")], [1, 1], lines)
            totals = world.gateway.stats()
            self.assertEqual((totals.sessions, totals.transports, totals.handshakes_completed), (1, 2, 1))
            self.assertFalse(totals.seeded)

    def test_paths_come_and_go(self) -> None:
        with World(path_count=2) as world:
            near, far = world.establish()
            other = next(path.path for path in near.paths() if path.role == PathRole.STANDBY)
            with self.assertRaises(jumping.UsageError):
                near.add_path(1, FAR, now=world.now)
            near.remove_path(other, now=world.now)
            self.assertEqual(len(near.paths()), 1)
            with self.assertRaises(jumping.UsageError):
                near.remove_path(other, now=world.now)
            with self.assertRaises(jumping.StateError):
                far.add_path(1, NEAR, now=world.now)

    def test_closing_tells_the_peer(self) -> None:
        with World() as world:
            near, far = world.establish()
            near.close(now=world.now)
            self.assertEqual(near.state, State.TERMINATED)
            world.run(100_000)
            self.assertEqual(far.info().last_reason, Reason.PEER_TERMINATED)
            ended, = world.found(world.client, EventType.SESSION_TERMINATED)
            self.assertEqual(ended.reason_code, "operator_terminated")
            with self.assertRaises(jumping.SessionTerminated):
                near.close(now=world.now)

    def test_seeded_endpoints_repeat(self) -> None:
        def first_datagram(seed: bytes) -> bytes:
            config = jumping.Config(suites=jumping.Suite.CHACHA20_POLY1305, wall_clock_offset_us=0)
            with jumping.Endpoint.seeded(seed, config, now=5) as endpoint:
                transport = endpoint.add_transport("mem:0", now=5)
                endpoint.connect(transport, FAR, psk=PSK, now=5)
                self.assertTrue(endpoint.stats().seeded)
                return next(endpoint.transmits(now=5)).data
        self.assertEqual(first_datagram(b"s" * 32), first_datagram(b"s" * 32))
        self.assertNotEqual(first_datagram(b"s" * 32), first_datagram(b"t" * 32))


if __name__ == "__main__":
    unittest.main()
