"""The library's gateway and a client written from WireProtocol.md alone understand each other."""
import os
import struct
import unittest

import jumping
import peer
from peer import (ACK, ACK_RANGES, CLOSE, FRAGMENT, MAX_DATA, PATH_CHALLENGE, PATH_RESPONSE, PAYLOAD, PING, PROTECTED, REATTACH,
                  REATTACH_ACK)

PSK = bytes(range(1, 33))
NODE_TAG = 0xBEEF
A, B = b"address A", b"address B"
OPERATOR_REQUESTED = 9


class Conversation(unittest.TestCase):
    """One gateway with one transport; the client is wherever it says it is. Time is what the test says."""

    def setUp(self):
        self.now = 1_000_000_000
        self.gateway = jumping.Endpoint(jumping.Config(node_tag=NODE_TAG, **self.tuning()), now=self.now)
        self.addCleanup(self.gateway.close)
        self.transport = self.gateway.add_transport("mem:A", now=self.now)

    def tuning(self):
        return {}

    def give(self, datagram, address=A):
        """One datagram to the gateway; what it made of it."""
        self.now += 10_000
        return self.gateway.receive(self.transport, address, datagram, now=self.now)

    def take(self):
        """What the gateway sends: (address, bytes) each."""
        return [(datagram.remote, datagram.data) for datagram in self.gateway.transmits(now=self.now)]

    def events(self):
        return list(self.gateway.events())

    def attach(self, client):
        """A handshake, and the first authentic datagram."""
        self.give(client.init())
        (address, response), = self.take()
        self.assertEqual(address, A)
        self.assertLessEqual(len(response), len(client.init()))
        policy = client.receive_response(response)
        self.assertEqual(client.node_tag, NODE_TAG)
        self.assertEqual(self.events(), [])
        received = self.give(client.data(bytes([PING])))
        self.assertEqual(received.drop_cause, 0)
        session = self.gateway.session(received.session)
        self.assertEqual(session.id, client.session_id.hex())
        self.assertEqual(session.info().label, "from the document")
        self.events()
        return session, policy

    def answers(self, client, index=0):
        """Frames the gateway sends on an index's path, its own timers given a moment."""
        self.now += 100_000
        self.gateway.handle_timeout(now=self.now)
        return [frame for _, data in self.take() for frame in client.open(data, index)]


class Handshakes(Conversation):
    def test_nnpsk0(self):
        for suite in [peer.CHACHA] + ([peer.AES] if peer.has_aes() else []):
            with self.subTest(suite=suite):
                hint = b"document-%d" % suite
                self.gateway.add_psk(PSK, hint)
                client = peer.Client(PSK, hint, suites=suite)
                session, policy = self.attach(client)
                self.assertEqual(client.suite, suite)
                self.assertEqual(struct.unpack(">13Q8IB", policy[:137])[0], session.policy().max_lifetime_us)
                self.assertEqual(policy[138:138 + policy[137]], b"default-1")
                self.assertEqual(len(policy), 144 + policy[137])

    def test_ikpsk2(self):
        secret = os.urandom(32)
        self.gateway.set_static_key(secret)
        for psk in (None, PSK):
            own = os.urandom(32)
            self.gateway.add_client_key(peer.x25519(own), psk)
            client = peer.Client(psk or bytes(32), gateway_key=peer.x25519(secret), static_secret=own)
            self.attach(client)

    def test_a_wrong_key_has_no_answer(self):
        self.gateway.add_psk(PSK)
        self.assertNotEqual(self.give(peer.Client(bytes(32)).init()).drop_cause, 0)
        self.assertEqual(self.take(), [])


class Cookies(Conversation):
    def tuning(self):
        return {"cookie_threshold": 0}

    def test_a_cookie_is_asked_for_and_taken(self):
        self.gateway.add_psk(PSK)
        client = peer.Client(PSK)
        self.give(client.init())
        (_, cookie), = self.take()
        self.assertEqual((cookie[0], cookie[1:9], len(cookie)), (0xC3, client.handshake_id, 26))
        self.give(client.init(cookie[9:]))
        (_, response), = self.take()
        client.receive_response(response)


class Sessions(Conversation):
    def setUp(self):
        super().setUp()
        self.gateway.add_psk(PSK)
        self.client = peer.Client(PSK)
        self.session, _ = self.attach(self.client)

    def test_payloads_and_acknowledgements(self):
        self.take()
        received = self.give(self.client.data(bytes([PAYLOAD]) + b"to the gateway"))
        self.assertEqual((received.payload, received.packet_number), (b"to the gateway", 1))
        frames = self.client.open(self.session.send(b"to the client", now=self.now).data)
        self.assertEqual(frames[-1], (PAYLOAD, b"to the client"))
        frames = dict(frames + self.answers(self.client))
        largest, _, bitmap = struct.unpack(">IHI", frames[ACK])
        self.assertEqual((largest, bitmap & 1), (1, 1))

    def test_acknowledgements_are_understood(self):
        self.take()
        sent = self.session.send(b"x", now=self.now)
        self.now += 40_000
        self.give(self.client.data(struct.pack(">BIHI", ACK, sent.packet_number, 0, 0)))
        self.assertEqual(self.session.paths()[0].srtt_us > 0, True)
        self.assertEqual(self.session.info().srtt_us > 0, True)

    def test_payloads_alone(self):
        self.answers(self.client)
        for payload in (b"", b"x", bytes([REATTACH]) * 17, bytes(range(256))):
            received = self.give(self.client.data(payload, is_payload=True))
            self.assertEqual((received.payload, received.drop_cause), (payload, 0))
            self.answers(self.client)    # so that no acknowledgement is due
            sent = self.session.send(payload, now=self.now).data
            self.assertEqual((len(sent), self.client.open(sent)), (13 + len(payload) + 16, [(PAYLOAD, payload)]))
            self.assertTrue(self.client.had_payload_alone)
        self.assertEqual(self.give(self.client.data(b"", is_payload=True)[:-1]).drop_cause, jumping.DropCause.TOO_SHORT)

    def test_a_payload_behind_an_acknowledgement(self):
        self.answers(self.client)
        self.give(self.client.data(b"to the gateway", is_payload=True))
        self.now += 15_000
        frames = self.client.open(self.session.send(b"to the client", now=self.now).data)
        self.assertEqual(([kind for kind, _ in frames], frames[-1]), ([ACK, PAYLOAD], (PAYLOAD, b"to the client")))
        self.assertFalse(self.client.had_payload_alone)

    def test_reserved_bits_and_no_frames_are_malformed(self):
        for bit in (1, 2, 4):
            for is_payload in (False, True):
                datagram = self.client.data(bytes([PING]), is_payload=is_payload, reserved=bit)
                self.assertEqual(self.give(datagram).drop_cause, jumping.DropCause.MALFORMED)
        self.assertEqual(self.give(self.client.data(b"")).drop_cause, jumping.DropCause.MALFORMED)

    def test_a_copy_is_dropped(self):
        for datagram in (self.client.data(bytes([PAYLOAD]) + b"once"), self.client.data(b"once", is_payload=True)):
            self.assertEqual(self.give(datagram).payload, b"once")
            self.assertEqual(self.give(datagram).drop_cause, jumping.DropCause.REPLAYED)

    def test_a_jump_to_an_unproven_address(self):
        self.take()
        attempt = os.urandom(8)
        request = bytes([REATTACH]) + attempt + struct.pack(">IBBB", 0, OPERATOR_REQUESTED, 0, 5) + b"mem:B"
        self.give(self.client.data(request, index=1), B)
        frames = dict(frame for address, data in self.take() if address == B for frame in self.client.open(data, 1))
        self.assertEqual(frames[REATTACH_ACK], attempt + struct.pack(">IB", 0, 1), "pending")
        self.assertEqual(self.session.info().binding_version, 0)
        self.give(self.client.data(bytes([PATH_RESPONSE]) + frames[PATH_CHALLENGE], index=1), A)
        self.assertEqual(self.session.info().binding_version, 0, "an answer from elsewhere")
        self.take()
        self.give(self.client.data(request, index=1), B)
        frames = dict(frame for address, data in self.take() if address == B for frame in self.client.open(data, 1))
        self.give(self.client.data(bytes([PATH_RESPONSE]) + frames[PATH_CHALLENGE], index=1), B)
        frames = dict(frame for address, data in self.take() if address == B for frame in self.client.open(data, 1))
        self.assertEqual(frames[REATTACH_ACK], attempt + struct.pack(">IB", 1, 0), "bound")
        sent = self.session.send(b"there", now=self.now)
        self.assertEqual((sent.remote, self.client.open(sent.data, 1)[-1]), (B, (PAYLOAD, b"there")))
        states = [event.new_state.name for event in self.events() if event.type == jumping.EventType.SESSION_STATE_CHANGE]
        self.assertEqual(states, ["VOLATILE", "RECOVERING", "ATTACHED"])

    def test_a_key_phase(self):
        for _ in range(5):   # three probe timeouts, with an answer now and then
            self.answers(self.client)
            self.give(self.client.data(bytes([PING])))
        self.now += 5_000_000
        self.client.sending.next_phase()
        self.assertEqual(self.give(self.client.data(bytes([PAYLOAD]) + b"phase 1")).payload, b"phase 1")
        frames = self.client.open(self.session.send(b"too", now=self.now).data)
        self.assertEqual((frames[-1], self.client.receiving.phase), ((PAYLOAD, b"too"), 1))

    def test_close_from_the_gateway(self):
        self.take()
        self.session.close(now=self.now)
        (_, data), = self.take()
        self.assertEqual(self.client.open(data), [(CLOSE, bytes([jumping.Reason.OPERATOR_TERMINATED]))])

    def test_close_from_the_client(self):
        self.give(self.client.data(bytes([CLOSE, jumping.Reason.OPERATOR_TERMINATED])))
        self.assertEqual(self.session.state, jumping.State.TERMINATED)

    def test_a_reserved_frame_is_malformed(self):
        self.assertEqual(self.give(self.client.data(b"\x16")).drop_cause, jumping.DropCause.MALFORMED)

    def protected(self, sequence, payload, channel=0):
        """A datagram with a whole protected payload."""
        return self.client.data(struct.pack(">BBIH", PROTECTED, channel, sequence, len(payload)) + payload)

    def test_protected_payloads_are_acknowledged_by_ranges(self):
        self.answers(self.client)
        first = self.client.number
        for sequence, payload in enumerate((b"", b"one", b"one again in another datagram", b"lost", b"behind a gap")):
            datagram = self.protected(min(sequence, 1), payload) if sequence < 3 else self.protected(sequence, payload)
            if payload != b"lost":
                self.assertEqual(self.give(datagram).drop_cause, 0)
        frames = dict(self.answers(self.client))
        largest, _, further, length = struct.unpack(">IHBH", frames[ACK_RANGES][:9])
        self.assertEqual((largest, further, length), (first + 4, 1, 1))
        self.assertEqual(struct.unpack(">HH", frames[ACK_RANGES][9:]), (1, first + 3))
        limit, = struct.unpack(">Q", frames[MAX_DATA])
        self.assertGreater(limit, 65_536)

    def test_parts_that_break_the_rules_are_malformed(self):
        self.answers(self.client)        # the gateway has sent something
        for frame in (struct.pack(">BBIH", PROTECTED, 16, 0, 0), struct.pack(">BBIH", PROTECTED, 0, 4096, 0),
                      struct.pack(">BBIIHH", FRAGMENT, 0, 0, 1_048_577, 0, 16) + bytes(16), struct.pack(">BBIIHH", FRAGMENT, 0, 0, 40, 2, 16) + bytes(16),
                      struct.pack(">BBIIHH", FRAGMENT, 0, 0, 40, 0, 15) + bytes(15), struct.pack(">BBIIHH", FRAGMENT, 0, 0, 40, 0, 0),
                      struct.pack(">BIHBH", ACK_RANGES, 0, 0, 0, 0), struct.pack(">BIHBH", ACK_RANGES, 0, 0, 33, 1) + b"\0\1" * 66):
            self.assertEqual(self.give(self.client.data(frame)).drop_cause, jumping.DropCause.MALFORMED, frame.hex())


if __name__ == "__main__":
    unittest.main()
