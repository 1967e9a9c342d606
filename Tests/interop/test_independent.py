"""libjumping and an implementation written from WireProtocol.md with `noiseprotocol` and `cryptography`, live over UDP.

Every story runs with both patterns (IKpsk2 with and without a PSK) and both suites, with either end as the gateway.
"""
import io
import os
import sys
import unittest

import jumping
import protected
from independent.delivery import Receiver
from independent.handshake import NO_PSK
from independent.layouts import POLICY
from independent.peer import NAT_REBINDING, OPERATOR_REQUESTED, STATE_STALE, Client, Gateway
from independent.primitives import SUITE_NAMES, NotAuthentic, public_key
from loopback import World

PSK, HINT, NODE_TAG, LABEL = bytes(range(1, 33)), b"client-7", 0xBEEF, "independent"
KEYS = ("NNpsk0", "IKpsk2", "IKpsk2+PSK")
ATTACHED, TERMINATED = jumping.State.ATTACHED, jumping.State.TERMINATED
OPERATOR_TERMINATED = jumping.Reason.OPERATOR_TERMINATED


def default_policy():
    """libjumping's default policy under the wire document's names."""
    policy = jumping.Policy()
    defaults = {"redundancy": 0, "redundancy share": 1_000_000}     # for a binding that does not know them
    names = {"transport-lost TTL": "transport_lost_ttl_us", "max switches per minute": "max_switches_per_min", "version text": "version"}
    values = {}
    for name, _, meaning in POLICY.rows:
        unit = {"µs": "_us", "ppm": "_ppm"}.get(meaning, "")
        value = getattr(policy, names.get(name) or name.replace(" ", "_") + unit, defaults.get(name))
        values[name] = value if isinstance(value, str) else int(value)
    return values


class Keys:
    """Secrets of one key case, given to either end in either role."""

    def __init__(self, case):
        self.psk = None if case == "IKpsk2" else PSK
        self.has_static = case != "NNpsk0"
        self.gateway, self.client = os.urandom(32), os.urandom(32)

    def of_library_gateway(self, endpoint):
        if self.has_static:
            endpoint.set_static_key(self.gateway)
            endpoint.add_client_key(public_key(self.client), self.psk)
        else:
            endpoint.add_psk(PSK, HINT)

    def of_library_client(self, endpoint):
        if not self.has_static:
            return {"psk": PSK, "hint": HINT}
        endpoint.set_static_key(self.client)
        return {"psk": self.psk, "gateway_key": public_key(self.gateway)}

    def of_client(self):
        if not self.has_static:
            return {"psk": PSK, "hint": HINT}
        return {"psk": self.psk or NO_PSK, "gateway_key": public_key(self.gateway), "static": self.client}

    def of_gateway(self):
        if not self.has_static:
            return {"psks": {HINT: PSK}}
        return {"static": self.gateway, "client_keys": {public_key(self.client): self.psk}}


class Live:
    """The stories both roles share. `keys_case` and `suite` are set by the classes made below."""

    def setUp(self):
        self.keys = Keys(self.keys_case)
        self.world = self.make_world()
        self.addCleanup(self.world.close)
        self.world.run(self.is_attached)
        self.session, self.peer = self.world.session, self.world.peer.session

    def is_attached(self):
        session, peer = self.world.session, self.world.peer.session
        return session is not None and session.state == ATTACHED and peer is not None and peer.active is not None

    def exchange(self):
        """Payloads both ways: empty, short and as long as they may be."""
        world = self.world
        longest = self.session.info().max_payload
        for payload in (b"", os.urandom(1), os.urandom(255), os.urandom(longest), os.urandom(longest)):
            self.peer.send_payload(payload)
            world.run(lambda: payload in world.payloads)
            world.send(payload)
            world.run(lambda: payload in self.peer.payloads)
            world.payloads.clear()
            self.peer.payloads.clear()
        self.assertEqual((world.drops, world.peer_refusals), ([], []))

    def send_protected(self, payload, channel=0):
        """From the library, which must take it."""
        self.assertTrue(protected.send(self.session, payload, channel))

    def test_protected_payloads(self):
        longest = self.session.info().max_payload
        payloads = [(channel, os.urandom(length)) for length in (0, 1, 16, longest - 8, longest, longest + 1, 5000, 65_536) for channel in (0, 3)]
        if self.keys_case == "NNpsk0":
            payloads.append((0, os.urandom(200_000)))
        for channel, payload in payloads:
            self.peer.send_protected(payload, channel)
            self.world.run(lambda channel=channel, payload=payload: protected.send(self.session, payload, channel))
        self.world.run(lambda: len(self.world.protected) >= len(payloads) <= len(self.peer.protected))
        self.check_protected(payloads)
        self.assertEqual((self.world.drops, self.world.peer_refusals), ([], []))

    def check_protected(self, payloads):
        """Both ends have each of (channel, payload) once, those of a channel but 0 in their order."""
        self.world.pause(0.3)            # whatever might come twice
        for found in (self.world.protected, [(channel, payload) for channel, _, payload in self.peer.protected]):
            self.assertTrue(sorted(found) == sorted(payloads))
            for channel in (1, 2, 3):
                self.assertTrue([each for each in found if each[0] == channel] == [each for each in payloads if each[0] == channel])

    def test_protected_payloads_survive_loss(self):
        self.world.loses_every = 17
        payloads = [(i % 3, b"%d " % i * (i * 20)) for i in range(60)]
        for channel, payload in payloads:
            self.peer.send_protected(payload, channel)
            self.send_protected(payload, channel)
            self.world.pause(0.003)
        self.world.run(lambda: len(self.world.protected) >= 60 <= len(self.peer.protected))
        self.world.loses_every = 0
        self.check_protected(payloads)
        self.assertGreater(self.peer.sender.sent_again, 0)
        self.assertGreater(max(frame["further ranges"] for frame in self.peer.frames_seen if frame.name == "ACK_RANGES"), 0)
        self.assertEqual(self.world.peer_refusals, [])

    def test_credit(self):
        """More than an end takes at once: the library a mebibyte, the peer little."""
        if self.keys_case != "NNpsk0":
            self.skipTest("keys have no part in it")
        self.peer.collector = Receiver(65_536)
        payloads = [(0, os.urandom(60_000)) for _ in range(20)]
        for _, payload in payloads:
            self.peer.send_protected(payload)
            self.world.run(lambda payload=payload: protected.send(self.session, payload))
        self.world.run(lambda: len(self.world.protected) >= 20 <= len(self.peer.protected))
        self.check_protected(payloads)
        self.assertGreater(self.peer.sender.credit, 1_200_000)
        self.assertEqual((self.world.drops, self.world.peer_refusals), ([], []))

    def test_a_payload_that_is_given_up_holds_up_no_other(self):
        self.send_protected(b"both ends have heard of each other")
        self.world.run(lambda: self.peer.protected)
        self.world.loses_next = 2        # the datagrams with the first payload of each end
        sequence = self.peer.send_protected(b"in vain", 1)
        self.assertTrue(protected.send(self.session, b"in vain", 1, time_to_live_us=3000))
        self.world.flush()
        self.assertEqual(self.world.loses_next, 0)
        self.peer.send_protected(b"next", 1)
        self.send_protected(b"next", 1)
        self.peer.give_up(1, sequence)
        self.world.run(lambda: (1, b"next") in self.world.protected and (1, 1, b"next") in self.peer.protected)
        self.world.run(lambda: not self.peer.sender.waiting)
        self.assertEqual(self.world.protected, [(1, b"next")])
        self.assertEqual([payload for _, _, payload in self.peer.protected[1:]], [b"next"])

    def lose_protected(self):
        """A protected payload of each end is in flight and will not arrive."""
        self.world.flush()
        self.world.loses_next = 2
        self.peer.send_protected(b"in flight to the library")
        self.send_protected(b"in flight to the peer")
        self.world.flush()

    def find_protected(self):
        """Both have come, once."""
        self.world.run(lambda: self.world.protected and self.peer.protected)
        self.world.pause(0.3)
        self.assertEqual(self.world.protected, [(0, b"in flight to the library")])
        self.assertEqual([payload for _, _, payload in self.peer.protected], [b"in flight to the peer"])

    def test_handshake_and_payloads(self):
        info = self.session.info()
        self.assertEqual((info.suite, self.peer.suite), (self.suite, self.suite))
        self.assertEqual(info.session_id, self.independent_hello()["session id"].hex())
        self.assertEqual(info.label, LABEL)
        self.assertEqual(info.key_phase, 0)
        self.check_policy()
        for _ in range(2):               # five payloads each: all of them in both of the peer's forms
            self.exchange()
        self.world.pause(0.1)            # no acknowledgement is due any more
        alone = self.peer.payloads_alone
        self.world.send(b"alone")
        self.world.run(lambda: b"alone" in self.peer.payloads)
        self.assertEqual(self.peer.payloads_alone, alone + 1)

    def test_acknowledgements(self):
        numbers = [self.peer.send_payload(b"%d" % i) for i in range(3)]
        self.world.run(lambda: self.peer.active.acknowledged.issuperset(numbers))
        # Without good acknowledgements the library would hold the path for dead within a fraction of this time.
        for i in range(10):
            self.world.send(b"%d" % i)
            self.world.pause(0.03)
        self.world.pause(0.2)
        self.assertEqual(self.session.state, ATTACHED)
        self.assertEqual((self.session.stats().datagrams_lost, self.session.paths()[0].consecutive_drops), (0, 0))

    def test_a_rekey_by_the_library_and_one_by_the_peer(self):
        peer, session = self.peer, self.session
        self.world.send(b"an answer to this lets the library begin a phase")
        self.world.run(self.rekeys)
        self.world.run(lambda: session.info().key_phase == peer.phase == peer.receiver.phase == 1)
        self.exchange()
        peer.start_phase()
        self.world.run(lambda: session.info().key_phase == peer.receiver.phase == 2)
        self.exchange()
        self.world.run(self.rekeys)
        self.world.run(lambda: session.info().key_phase == peer.phase == 3)
        self.assertEqual(session.stats().bad_tag, 0)

    def rekeys(self):
        try:
            self.session.rekey()
        except jumping.RateLimited:      # three probe timeouts are not over
            return False
        return True

    def test_close_by_the_library(self):
        self.session.close()
        self.world.run(lambda: self.peer.closed is not None)
        self.assertEqual(self.peer.closed, OPERATOR_TERMINATED)

    def test_close_by_the_peer(self):
        self.peer.close(OPERATOR_TERMINATED)
        self.world.run(lambda: self.session.state == TERMINATED)
        self.assertEqual(self.session.info().last_reason, jumping.Reason.PEER_TERMINATED)


class LibraryGateway(Live):
    """libjumping is the gateway, the independent peer the client."""

    def make_world(self):
        config = jumping.Config(node_tag=NODE_TAG, suites=self.suite)
        world = World(jumping.Endpoint(config))
        self.keys.of_library_gateway(world.endpoint)
        world.peer = Client((0, world.address(0)), label=LABEL, **self.keys.of_client())
        return world

    def independent_hello(self):
        return {"session id": self.world.peer.handshake.session_id}

    def check_policy(self):
        self.assertEqual(self.world.peer.policy, default_policy())
        self.assertEqual(self.peer.sending.node_tag, NODE_TAG)

    def test_a_reattach_to_a_validated_path(self):
        path = self.peer.add_path((1, self.world.address(1)))
        self.peer.challenge(path)
        self.world.run(lambda: path.validated and any(known.validated and known.transport == 1 for known in self.session.paths()))
        self.jump(path)

    def test_a_reattach_to_a_path_that_must_prove_itself_first(self):
        self.jump(self.peer.add_path((1, self.world.address(1))))
        flags = [frame["flags"] for frame in self.peer.frames_seen if frame.name == "REATTACH_ACK"]
        self.assertEqual((flags[0], flags[-1], sorted(set(flags))), (1, 0, [0, 1]))

    def jump(self, path):
        self.world.states.clear()
        self.lose_protected()
        self.peer.reattach(path)
        self.world.run(lambda: self.peer.active is path)
        self.assertEqual((self.peer.binding_version, self.session.info().binding_version), (1, 1))
        self.assertEqual(self.world.states, ["VOLATILE", "RECOVERING", "ATTACHED"])
        self.assertEqual(self.session.info().active_transport, 1)
        self.find_protected()
        self.exchange()

    def test_a_stale_binding_version_is_refused_and_asked_again(self):
        path = self.peer.add_path((1, self.world.address(1)))
        self.peer.binding_version = 7
        self.jump(path)
        self.assertEqual(self.peer.rejections, [STATE_STALE])

    def test_a_nat_rebinding(self):
        self.exchange()
        self.world.rebind(0)
        self.peer.send_payload(b"from another port")
        self.world.run(lambda: self.session.info().binding_version == 1 == self.peer.binding_version)
        self.assertEqual(self.session.paths()[0].remote, self.world.peer_address(0))
        self.assertEqual((len(self.session.paths()), self.session.state), (1, ATTACHED))
        self.exchange()

    def test_a_changed_policy(self):
        self.session.set_policy(jumping.Policy(version="second", heartbeat_interval_us=jumping.seconds(1)))
        self.world.run(lambda: self.peer.policies)
        values = {**default_policy(), "version text": "second", "heartbeat interval": 1_000_000}
        self.assertEqual(self.peer.policies[0], POLICY.write(values))


class LibraryClient(Live):
    """libjumping is the client, the independent peer the gateway."""

    def make_world(self):
        world = World(jumping.Endpoint(jumping.Config(suites=self.suite)))
        world.peer = Gateway(NODE_TAG, {**default_policy(), "version text": "independent-1"}, **self.keys.of_gateway())
        credentials = self.keys.of_library_client(world.endpoint)
        world.session = world.endpoint.connect(0, world.peer_address(0), label=LABEL, **credentials)
        return world

    def independent_hello(self):
        return self.world.peer.hello

    def check_policy(self):
        self.assertEqual(self.session.policy(), jumping.Policy(version="independent-1"))
        self.assertEqual(self.world.peer.hello["transport name"], "udp:0")

    def test_a_reattach_to_a_validated_path(self):
        self.jump(lambda: any(path.validated for path in self.peer.paths if path.index == 1))

    def test_a_reattach_to_a_path_that_must_prove_itself_first(self):
        self.peer.challenges_candidates = False
        self.jump(lambda: True)

    def test_a_stale_binding_version_is_refused_and_asked_again(self):
        self.peer.binding_version = 7
        self.jump(lambda: True, version=8)

    def jump(self, is_ready, version=1):
        """The library goes to its second path as soon as that is valid there and `is_ready` holds."""
        path = self.session.add_path(1, self.world.peer_address(1))
        self.world.run(lambda: self.session.info().candidate_count == 1 and is_ready())
        self.world.states.clear()
        self.lose_protected()
        self.session.request_switch(path)
        self.world.run(lambda: self.session.state == ATTACHED)
        self.assertEqual(self.session.info().active_path, path)
        self.assertEqual((self.peer.binding_version, self.session.info().binding_version), (version, version))
        self.assertEqual(self.peer.bound, [OPERATOR_REQUESTED])
        self.assertEqual(self.peer.active.place, (1, self.world.address(1)))
        self.assertEqual(self.world.states, ["VOLATILE", "RECOVERING", "ATTACHED"])
        self.find_protected()
        self.exchange()

    def test_a_nat_rebinding(self):
        self.exchange()
        self.world.rebind_library(0)
        self.world.send(b"from another port")
        self.world.run(lambda: self.session.info().binding_version == 1)
        self.assertEqual(self.peer.bound, [NAT_REBINDING])
        self.assertEqual(self.peer.active.place, (0, self.world.address(0)))
        self.exchange()

    def test_a_changed_policy(self):
        self.peer.send_policy(1, POLICY.write({**default_policy(), "version text": "second"}))
        self.world.run(lambda: self.peer.acknowledged_policies == [1])
        self.assertEqual(self.session.policy(), jumping.Policy(version="second"))


def make_cases():
    """A class for each role, key case and suite."""
    for role in (LibraryGateway, LibraryClient):
        for keys_case in KEYS:
            for suite in SUITE_NAMES:
                name = f"{role.__name__} {keys_case} {SUITE_NAMES[suite]}"
                can_run = unittest.skipUnless(suite & jumping.suites_available(), "this machine has no instructions for the suite")
                globals()[name] = can_run(type(name, (role, unittest.TestCase), {"keys_case": keys_case, "suite": suite}))


class Refusals(unittest.TestCase):
    """What must have no answer, and what answers may look like."""

    def world(self, **tuning):
        world = World(jumping.Endpoint(jumping.Config(node_tag=NODE_TAG, **tuning)))
        self.addCleanup(world.close)
        return world

    def test_a_wrong_psk_and_an_unknown_hint_have_no_answer_from_the_library(self):
        world = self.world()
        world.endpoint.add_psk(PSK, HINT)
        for keys in ({"psk": NO_PSK, "hint": HINT}, {"psk": PSK, "hint": b"nobody"}):
            world.peer = Client((0, world.address(0)), **keys)
            drops = len(world.drops)
            world.run(lambda: len(world.drops) > drops)
            self.assertIsNone(world.peer.session)
            self.assertEqual(list(world.endpoint.transmits()), [])

    def test_a_wrong_psk_of_the_library_is_refused_by_the_peer(self):
        world = self.world()
        world.peer = Gateway(NODE_TAG, default_policy(), psks={HINT: PSK})
        world.session = world.endpoint.connect(0, world.peer_address(0), psk=PSK[::-1], hint=HINT)
        world.run(lambda: world.peer_refusals)
        self.assertIsNone(world.peer.session)

    def test_a_cookie_is_asked_for_and_taken(self):
        world = self.world(cookie_threshold=0)
        world.endpoint.add_psk(PSK, HINT)
        world.peer = Client((0, world.address(0)), psk=PSK, hint=HINT)
        world.run(lambda: world.session is not None)
        self.assertEqual(len(world.peer.handshake.cookie), 17)

    def test_a_response_that_does_not_open_changes_nothing(self):
        world = self.world()
        world.endpoint.add_psk(PSK, HINT)
        client = Client((0, world.address(0)), psk=PSK, hint=HINT)
        (place, init), = client.take_outgoing()
        world.endpoint.receive(0, ("127.0.0.1", 9), init)
        (response,) = world.endpoint.transmits()
        forged = response.data[:-1] + bytes([response.data[-1] ^ 1])
        self.assertRaises(NotAuthentic, client.receive, place, forged)
        client.receive(place, response.data)
        self.assertIsNotNone(client.session)


make_cases()

def main():
    """Runs everything, silent about what passes; the last line is "N passed, N failed"."""
    output = io.StringIO()
    result = unittest.TextTestRunner(output).run(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]))
    failed = len(result.failures) + len(result.errors)
    if failed:
        print(output.getvalue())
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed")
    return 1 if failed or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
