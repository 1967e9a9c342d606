"""Exceptions by domain, use after close, hostile arguments and stale handles: an error each time, and nothing changed."""

from __future__ import annotations

import copy
import dataclasses
import gc
import json
import os
import pickle
import random
import unittest
from typing import Any, Callable

import jumping
from jumping import _constants
from jumping.errors import error_class_for_status
from support import FAR, HINT, NEAR, PSK, World, asking

NUMBER_ERRORS = (TypeError, ValueError)
BAD_NUMBERS = (-1, -2**63, 2**64, 2**200, None, "1", b"1", 1.0, float("nan"), [], object())
BAD_BYTES = (None, 1, 3.5, "text", ["x"], object())


class Domains(unittest.TestCase):
    def test_every_status_has_its_class(self) -> None:
        domains = ((-1, -99, jumping.UsageError), (-100, -199, jumping.StateError), (-200, -299, jumping.LimitError),
                   (-300, -399, jumping.CryptoError), (-400, -499, jumping.InternalError))
        for first, last, domain in domains:
            for status in range(last, first + 1):
                self.assertTrue(issubclass(error_class_for_status(status), domain), status)
        self.assertIs(error_class_for_status(-500), jumping.JumpingError)
        named = {name: getattr(_constants, name) for name in dir(_constants) if name.startswith("JMP_ERR_")}
        self.assertGreater(len(named), 25)
        special = {"JMP_ERR_ENDPOINT": jumping.ClosedError, "JMP_ERR_SESSION": jumping.StaleSessionError,
                   "JMP_ERR_FORKED": jumping.ForkedError, "JMP_ERR_POLICY": jumping.PolicyError,
                   "JMP_ERR_TERMINATED": jumping.SessionTerminated, "JMP_ERR_NO_PATH": jumping.NoPathError,
                   "JMP_ERR_SWITCH_DENIED": jumping.SwitchDenied, "JMP_ERR_RATE_LIMITED": jumping.RateLimited,
                   "JMP_ERR_SUITE": jumping.SuiteError, "JMP_ERR_KEY": jumping.KeyRejected,
                   "JMP_ERR_MEMORY": jumping.OutOfMemory}
        for name, error_class in special.items():
            self.assertIs(error_class_for_status(named[name]), error_class, name)

    def test_usage(self) -> None:
        with jumping.Endpoint() as endpoint:
            endpoint.add_transport("udp:A")
            with self.assertRaises(jumping.UsageError) as caught:
                endpoint.add_transport("udp:A")
            self.assertEqual(caught.exception.status, _constants.JMP_ERR_EXISTS)
            self.assertGreater(len(str(caught.exception)), 8)
            with self.assertRaises(jumping.UsageError):
                endpoint.remove_transport(63)
            with self.assertRaises(jumping.UsageError):
                endpoint.connect(9, FAR, psk=PSK)
            with self.assertRaises(jumping.UsageError):
                endpoint.set_transport(0, jumping.TransportConfig("udp:B"))
            endpoint.set_transport(0, jumping.TransportConfig("udp:A", cost=7))
            self.assertEqual(endpoint.stats().transports, 1)

    def test_too_long_payload(self) -> None:
        with World() as world:
            near, _ = world.establish()
            largest = near.info().max_payload
            self.assertEqual(len(near.send(b"", now=world.now).data) > 0, True)
            near.send(bytes(largest), now=world.now)
            for length in (largest + 1, 65_508, 1_000_000):
                with self.assertRaises(jumping.UsageError) as caught:
                    near.send(bytes(length), now=world.now)
                self.assertEqual(caught.exception.status, _constants.JMP_ERR_TOO_LONG)

    def test_state(self) -> None:
        with World() as world:
            session = world.client.connect(0, FAR, psk=PSK, now=world.now)
            for call in (lambda: session.send(b"early", now=world.now), lambda: session.rekey(now=world.now),
                         lambda: session.request_switch(now=world.now)):
                with self.assertRaises(jumping.StateError):
                    call()
        only_accepts = jumping.Config(flags=jumping.ConfigFlag.ACCEPT)
        with jumping.Endpoint(only_accepts) as gateway:
            gateway.add_transport("udp:A")
            with self.assertRaises(jumping.StateError):
                gateway.connect(0, FAR, psk=PSK)

    def test_policy(self) -> None:
        for field, value in (("max_lifetime_us", 1), ("replay_window", 1000), ("max_consecutive_drops", 33),
                             ("suites", 0), ("version", "\x07"), ("strict_binding", 2)):
            with self.subTest(field), self.assertRaises(jumping.PolicyError) as caught:
                jumping.Endpoint(policy=dataclasses.replace(jumping.Policy(), **{field: value}))
            self.assertIn(field.replace("_us", ""), str(caught.exception))
        jumping.Policy().check()
        jumping.Config().check()
        with self.assertRaises(jumping.UsageError) as caught_usage:
            jumping.Config(max_sessions=0).check()
        self.assertIn("max_sessions", str(caught_usage.exception))

    def test_limit(self) -> None:
        with jumping.Endpoint(jumping.Config(max_sessions=2)) as endpoint:
            for number in range(_constants.JMP_MAX_TRANSPORTS):
                endpoint.add_transport(f"t{number}")
            with self.assertRaises(jumping.LimitError):
                endpoint.add_transport("one more")
            for number in range(2):
                endpoint.connect(0, ("192.0.2.9", 1 + number), psk=PSK)
            with self.assertRaises(jumping.LimitError):
                endpoint.connect(0, ("192.0.2.9", 9), psk=PSK)

    def test_cryptography(self) -> None:
        with jumping.Endpoint() as endpoint:
            endpoint.add_transport("udp:A")
            with self.assertRaises(jumping.KeyRejected):
                endpoint.add_psk(bytes(32))
            with self.assertRaises(jumping.KeyRejected):
                endpoint.connect(0, FAR)
            with self.assertRaises(jumping.CryptoError):
                endpoint.connect(0, FAR, gateway_key=jumping.generate_keypair().public)
            with self.assertRaises(jumping.KeyRejected):
                endpoint.add_client_key(bytes(32))

    def test_errors_travel(self) -> None:
        for error in (jumping.UsageError(-2, "an argument"), jumping.SessionTerminated(-102, "gone", "peer_terminated")):
            again = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(again), again.status, str(again)), (type(error), error.status, str(error)))
        self.assertEqual(again.reason, "peer_terminated")


class Closed(unittest.TestCase):
    def test_double_close_and_context(self) -> None:
        endpoint = jumping.Endpoint()
        with endpoint as entered:
            self.assertIs(entered, endpoint)
            self.assertFalse(endpoint.closed)
        self.assertTrue(endpoint.closed)
        endpoint.close()
        endpoint.close()
        self.assertIn("closed", repr(endpoint))
        with self.assertRaises(ZeroDivisionError), jumping.Endpoint() as failing:
            raise ZeroDivisionError
        self.assertTrue(failing.closed)

    def test_every_method_says_closed(self) -> None:
        world = World()
        near, far = world.establish()
        handle = near.handle
        endpoint, gateway = world.client, world.gateway
        endpoint.close()
        gateway.close()
        config = jumping.TransportConfig("x")
        calls: list[Callable[[], Any]] = [
            lambda: endpoint.set_static_key(PSK), lambda: endpoint.add_psk(PSK), lambda: endpoint.remove_psk(),
            lambda: endpoint.add_client_key(PSK), lambda: endpoint.remove_client_key(PSK),
            lambda: endpoint.add_transport("x"), lambda: endpoint.remove_transport(0),
            lambda: endpoint.set_transport(0, config), lambda: endpoint.hint_transport(0, True),
            lambda: endpoint.unsent(handle, 1), lambda: endpoint.connect(0, FAR, psk=PSK),
            lambda: endpoint.accept(handle), lambda: endpoint.refuse(handle), lambda: endpoint.session(handle),
            lambda: endpoint.send(handle, b"x"), lambda: endpoint.send_batch([(handle, b"x")]),
            lambda: endpoint.receive(0, FAR, b"x"), lambda: endpoint.receive_batch([(0, FAR, b"x")]),
            lambda: endpoint.receive_in_place(0, FAR, 1), lambda: endpoint.poll_transmit(), lambda: list(endpoint.transmits()),
            lambda: endpoint.poll_event(), lambda: list(endpoint.events()), lambda: endpoint.next_timeout(),
            lambda: endpoint.handle_timeout(), lambda: endpoint.set_wall_clock(0), lambda: endpoint.stats(),
            lambda: near.info(), lambda: near.id, lambda: near.state, lambda: near.stats(), lambda: near.paths(),
            lambda: near.explain(), lambda: near.policy(), lambda: near.send(b"x"), lambda: near.close(),
            lambda: near.add_path(0, FAR), lambda: near.remove_path(0), lambda: near.request_switch(),
            lambda: far.set_policy(jumping.Policy()), lambda: near.rekey(),
        ]
        for index, call in enumerate(calls):
            with self.subTest(index), self.assertRaises(jumping.ClosedError):
                call()
        self.assertIn("Session", repr(near))
        # What was handed out before stays.
        self.assertEqual(world.events[endpoint][0].to_dict(), json.loads(world.events[endpoint][0].to_json()))

    def test_collected_without_close(self) -> None:
        for _ in range(5_000):  # more than a process may have at once
            jumping.Endpoint(jumping.Config(max_sessions=1, event_capacity=64))
        gc.collect()
        jumping.Endpoint().close()

    def test_no_copies(self) -> None:
        with jumping.Endpoint() as endpoint:
            for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
                with self.assertRaises(TypeError):
                    attempt(endpoint)

    def test_after_fork(self) -> None:
        with World() as world:
            near, _ = world.establish()
            child = os.fork()
            if child == 0:
                try:
                    near.send(b"the parent's nonce", now=world.now)
                    os._exit(1)
                except jumping.ForkedError:
                    world.client.close()
                    os._exit(0)
                finally:
                    os._exit(2)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
            world.say(near, b"the parent goes on")
            world.run(50_000)
            self.assertEqual(world.payloads[world.gateway], [b"the parent goes on"])


class Hostile(unittest.TestCase):
    def setUp(self) -> None:
        self.world = World()
        self.addCleanup(self.world.client.close)
        self.addCleanup(self.world.gateway.close)
        self.near, self.far = self.world.establish()

    def tearDown(self) -> None:
        """Whatever was tried, the session works."""
        self.world.say(self.near, b"still here")
        self.world.run(100_000)
        self.assertEqual(self.world.payloads[self.world.gateway][-1], b"still here")

    def refuse(self, expected: Any, *calls: Callable[[Any], Any], values: Any) -> None:
        for index, call in enumerate(calls):
            for value in values:
                with self.subTest(call=index, value=repr(value)[:40]), self.assertRaises(expected):
                    call(value)

    def test_numbers(self) -> None:
        client, near, now = self.world.client, self.near, self.world.now
        self.refuse(
            NUMBER_ERRORS, lambda value: client.remove_transport(value), lambda value: client.hint_transport(value, True),
            lambda value: client.connect(value, FAR, psk=PSK), lambda value: client.send(value, b"x", now=now),
            lambda value: client.receive(value, FAR, b"x", now=now), lambda value: client.session(value),
            lambda value: client.unsent(value, 1), lambda value: client.unsent(near.handle, value),
            lambda value: client.accept(value, PSK), lambda value: client.refuse(value), lambda value: near.remove_path(value),
            lambda value: near.add_path(value, FAR), lambda value: near.close(value),
            lambda value: client.connect(0, FAR, psk=PSK, handshake_timeout_us=value),
            lambda value: client.send_batch([(value, b"x")]), lambda value: client.receive_batch([(value, FAR, b"x")]),
            lambda value: client.receive_in_place(0, FAR, value), lambda value: jumping.Session(client, value),
            values=BAD_NUMBERS)
        times = [value for value in BAD_NUMBERS if value is not None]
        self.refuse(NUMBER_ERRORS, lambda value: client.handle_timeout(now=value), lambda value: near.send(b"x", now=value),
                    lambda value: client.poll_transmit(now=value), lambda value: client.receive(0, FAR, b"x", now=value),
                    lambda value: near.request_switch(now=value), values=times)
        self.refuse(NUMBER_ERRORS, lambda value: client.receive_in_place(0, FAR, value), values=(10**6,))
        self.refuse(NUMBER_ERRORS, lambda value: client.set_wall_clock(value), values=(2**63, -2**63 - 1, None, "x"))

    def test_bytes(self) -> None:
        client, near = self.world.client, self.near
        self.refuse(TypeError, lambda value: near.send(value), lambda value: client.receive(0, FAR, value),
                    lambda value: client.add_psk(value), lambda value: client.set_static_key(value),
                    lambda value: client.add_psk(PSK, value), lambda value: client.add_client_key(value),
                    lambda value: jumping.public_key(value), lambda value: jumping.route_datagram(value),
                    lambda value: client.send_batch([(near.handle, value)]), lambda value: client.receive_batch([(0, FAR, value)]),
                    values=BAD_BYTES)
        for length in (0, 1, 31, 33, 10**6):
            self.refuse(ValueError, lambda value: client.add_psk(value), lambda value: client.connect(0, FAR, psk=value),
                        lambda value: client.connect(0, FAR, gateway_key=value), lambda value: jumping.public_key(value),
                        lambda value: jumping.Endpoint.seeded(value, jumping.Config()), values=(b"\x41" * length,))
        with self.assertRaises(ValueError) as caught:
            client.add_psk(b"A secret that must not be shown")
        self.assertNotIn("secret", str(caught.exception))
        self.refuse(ValueError, lambda value: client.add_psk(PSK, value), values=(bytes(33),))
        self.refuse(ValueError, lambda value: jumping.psk_from_passphrase(value), values=("", "x" * 1025))
        self.refuse(ValueError, lambda value: jumping.psk_from_passphrase("x", realm=value), values=("x" * 256,))

    def test_addresses(self) -> None:
        client, near = self.world.client, self.near
        bad = (None, 5, "192.0.2.1:4", ("192.0.2.1",), ("192.0.2.1", 0), ("192.0.2.1", 65536), ("192.0.2.1", -1),
               ("example.org", 5), ("::g", 5), ("192.0.2.1", "5"), (1, 2), b"", bytes(33), ["192.0.2.1", 5], ("::1", 5, 0))
        self.refuse(NUMBER_ERRORS, lambda value: near.add_path(1, value), lambda value: client.receive(0, value, b"x"),
                    lambda value: client.connect(0, value, psk=PSK), lambda value: client.receive_batch([(0, value, b"x")]),
                    values=bad)
        for good in (("2001:db8::1", 5), ("fe80::1", 5, 0, 3), b"any bytes", ("192.0.2.77", 65535)):
            session = client.connect(0, good, psk=PSK, now=self.world.now)
            datagram = next(datagram for datagram in client.transmits(now=self.world.now) if datagram.session == session.handle)
            self.assertEqual(datagram.remote if isinstance(good, bytes) else datagram.remote[:2],
                             good if isinstance(good, bytes) else good[:2])
            if len(good) == 4:
                self.assertEqual(datagram.remote, good)
            session.close(now=self.world.now)

    def test_names(self) -> None:
        client = self.world.client
        self.refuse(NUMBER_ERRORS, lambda value: client.add_transport(jumping.TransportConfig(value)),
                    values=("", "x" * 16, "\0", "é", 5, None, b"x"))
        self.refuse(jumping.UsageError, lambda value: client.add_transport(value), values=("a\nb", "\x7f"))
        self.refuse(NUMBER_ERRORS, lambda value: client.connect(0, FAR, psk=PSK, label=value), values=("x" * 32, "é", 5, None))
        self.refuse((*NUMBER_ERRORS, jumping.UsageError), lambda value: client.add_transport(jumping.TransportConfig("y", cost=value)),
                    lambda value: client.add_transport(jumping.TransportConfig("y", mtu=value)), values=(0, -1, 2**32, "1", None, 1.5))
        self.refuse((*NUMBER_ERRORS, jumping.UsageError),
                    lambda value: client.add_transport(jumping.TransportConfig("y", transport_class=value)), values=(32, -1, None))
        for name in ("event_name", "state_name", "reason_name", "drop_name", "suite_name", "path_role_name"):
            self.assertIn(getattr(jumping, name)(99_999).lower(), ("unknown", "none"))
            with self.assertRaises(ValueError):
                getattr(jumping, name)(2**40)

    def test_stale_and_foreign_handles(self) -> None:
        chance, real = random.Random(7), self.near.handle
        handles = [0, 1, 2**63, 2**64 - 1, real + 1, real ^ 1 << 40]
        handles += [chance.getrandbits(64) for _ in range(200)]
        for handle in handles:
            with self.subTest(handle):
                self.refuse_handle(handle)

    def refuse_handle(self, handle: int) -> None:
        client = self.world.client
        stale = jumping.Session(client, handle)
        for call in (stale.info, stale.stats, stale.paths, stale.explain, stale.policy, lambda: stale.send(b"x"),
                     stale.close, stale.rekey, lambda: stale.add_path(1, FAR), stale.request_switch,
                     lambda: client.session(handle), lambda: client.accept(handle, PSK), lambda: client.unsent(handle, 0)):
            with self.assertRaises(jumping.StaleSessionError):
                call()

    def test_gone_after_a_while(self) -> None:
        other = self.world.client.connect(0, ("192.0.2.50", 1), psk=PSK, now=self.world.now)
        other.close(now=self.world.now)
        self.assertEqual(other.state, jumping.State.TERMINATED)
        self.world.run(jumping.seconds(35))
        with self.assertRaises(jumping.StaleSessionError):
            other.info()

    def test_datagrams(self) -> None:
        world, chance = self.world, random.Random(11)
        good = self.near.send(b"x" * 40, now=world.now)
        for number in range(3_000):
            if number % 3 == 0:
                bad = chance.randbytes(chance.choice((0, 1, 12, 13, 30, 100, 1400)))
            elif number % 3 == 1:
                bad = good.data[:chance.randrange(len(good.data))]
            else:
                position = chance.randrange(len(good.data))
                bad = good.data[:position] + bytes([good.data[position] ^ 1 << chance.randrange(8)]) + good.data[position + 1:]
            received = world.gateway.receive(0, NEAR, bad, now=world.now)
            self.assertIsNone(received.payload)
        self.assertNotEqual(world.gateway.receive(0, NEAR, bytes(200_000), now=world.now).drop_cause, 0)
        self.assertEqual(world.gateway.receive(0, NEAR, good.data, now=world.now).payload, b"x" * 40)
        again = world.gateway.receive(0, NEAR, good.data, now=world.now)
        self.assertEqual((again.payload, again.drop_cause), (None, jumping.DropCause.REPLAYED))
        self.assertGreaterEqual(world.gateway.stats().dropped["replayed"], 1)
        with self.assertRaises(jumping.UsageError):
            world.gateway.receive(40, NEAR, good.data, now=world.now)

    def test_time_backwards(self) -> None:
        client = self.world.client
        client.handle_timeout(now=0)
        self.assertEqual(client.stats().clock_went_backwards, 1)

    def test_settings_of_wrong_types(self) -> None:
        self.refuse(NUMBER_ERRORS, lambda value: jumping.Endpoint(policy=jumping.Policy(transport_lost_ttl_us=value)),
                    lambda value: jumping.Endpoint(jumping.Config(max_sessions=value)), values=(30.0, "30", None, -1, 2**64))
        self.refuse(NUMBER_ERRORS, lambda value: jumping.Endpoint(jumping.Config(node_id=value)), values=(5, "x" * 32, "é"))
        self.refuse((TypeError, AttributeError), lambda value: jumping.Endpoint(value), values=(5, "config", {}))
        self.assertEqual(asking().flags & jumping.ConfigFlag.ASK, jumping.ConfigFlag.ASK)
        self.assertEqual(HINT, b"client-1")


if __name__ == "__main__":
    unittest.main()
