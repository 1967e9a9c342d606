"""A client and a gateway of one session each, without sockets and clock: datagrams in, datagrams out.

A *place* is whatever the host uses to tell where a datagram came from or goes to. The peers answer; they measure nothing, and but for
protected payloads (`tick`) repeat nothing by themselves.
"""
import os

from . import delivery
from .handshake import ClientHandshake, GatewayHandshake, is_cookie
from .keys import Direction, Receiver, recover
from .layouts import INIT_BYTE, RESP_BYTE, Malformed, read_content, write_frame
from .primitives import SUITE_NAMES, NotAuthentic

STATE_STALE, CLASS_REFUSED, NAT_REBINDING, OPERATOR_REQUESTED = 38, 39, 48, 9
PENDING = 1
#: Indices above the highest that came in an authentic datagram that a receiver knows.
INDICES_AHEAD = 4
_ASKS_FOR_NO_ACKNOWLEDGEMENT = {"ACK", "ACK_RANGES", "PADDING", "CLOSE"}
#: Bytes of the longest datagram's frames.
_ROOM = 1400 - 13 - 16
#: Protected payloads without an acknowledgement for so long are sent again.
_TIMEOUT_SECONDS = 0.15


class Path:
    """One path of a session as this end sees it."""

    def __init__(self, place, index):
        self.place, self.index = place, index
        self.largest = None          # packet number received here
        self.validated = False
        self.challenge = None        # data that waits for its PATH_RESPONSE
        self.acknowledged = set()    # own packet numbers an ACK on this path named


class Session:
    """What both roles share: sealing, opening, acknowledgements, challenges, key phases."""

    def __init__(self, suite, sending, receiving):
        self.suite, self.sending, self.receiver = suite, sending, Receiver(receiving)
        self.phase = self.next_number = self.binding_version = 0
        self.paths, self.active = [], None
        self.highest_index = 0
        self.outgoing, self.payloads, self.frames_seen = [], [], []
        self.payloads_sent = self.payloads_alone = 0     # sent in either form, and received without a frame
        self.closed = None           # the reason a CLOSE gave
        self.sender, self.collector = delivery.Sender(), delivery.Receiver()
        self.protected = []          # (channel, sequence, payload) as they were handed out
        self.now = 0.0

    # --- sending

    def send(self, path, *frames, is_payload=False):
        """Seals frames, or a payload alone, for a path; gives the packet number."""
        number, connection_id = self.next_number, self.sending.connection_id(path.index)
        self.outgoing.append((path.place, self.sending.write(number, self.phase, connection_id, b"".join(frames), is_payload)))
        self.next_number += 1
        return number

    def send_payload(self, payload, path=None):
        """A payload on the active path. When there is nothing else to say it goes alone, every second time in a frame all the same:
        receivers take both."""
        path = path or self.active
        first = self.first_frames(path)
        self.payloads_sent += 1
        if not first and self.payloads_sent % 2:
            return self.send(path, payload, is_payload=True)
        return self.send(path, *first, write_frame("PAYLOAD", payload=payload))

    def first_frames(self, path):
        """Frames that every datagram on a path must begin with."""
        return []

    def send_protected(self, payload, channel=0):
        """A payload that is sent until it is acknowledged; gives its sequence number."""
        sequence = self.sender.offer(payload, channel)
        self.pump()
        return sequence

    def give_up(self, channel, sequence):
        """The time of a payload is over."""
        self.sender.give_up(channel, sequence)
        self.pump()

    def carrier(self):
        """The path that protected payloads take."""
        return self.active

    def pump(self):
        """Sends what of the protected payloads may be sent, and the credit when the peer is to hear of it."""
        while (path := self.carrier()) is not None and self.closed is None:
            first, carried = self.first_frames(path), []
            if self.collector.is_credit_due:
                first, carried = [*first, write_frame("MAX_DATA", limit=self.collector.credit())], [(None, None)]
            frames, payloads = self.sender.frames(_ROOM - sum(map(len, first)))
            if not carried and not frames:
                return
            self.sender.note(self.send(path, *first, *frames), carried + payloads, self.now)

    def tick(self, now):
        """Time passes, in seconds of the host's clock: what has had no acknowledgement for long is sent again."""
        self.now = now
        self.send_again(now - _TIMEOUT_SECONDS)

    def send_again(self, before):
        """Everything protected that left before a moment and has no acknowledgement."""
        if self.sender.send_again(before):
            self.collector.is_credit_due = True
        self.pump()

    def challenge(self, path):
        """Asks a path for its answer; a challenge without an answer is repeated unchanged."""
        path.challenge = path.challenge or os.urandom(8)
        self.send(path, *self.first_frames(path), write_frame("PATH_CHALLENGE", data=path.challenge))

    def start_phase(self):
        """Begins the next key phase and tells the other end."""
        self.phase += 1
        self.send(self.active, write_frame("PING"))

    def close(self, reason):
        """Ends the session on the active path."""
        self.send(self.active, write_frame("CLOSE", reason=reason))

    def take_outgoing(self):
        """What waits to be sent: (place, datagram)."""
        waiting, self.outgoing = self.outgoing, []
        return waiting

    # --- receiving

    def index_of(self, connection_id):
        """The index a datagram to this end names."""
        for index in range(self.highest_index + 1 + INDICES_AHEAD):
            if self.receiver.direction.connection_id(index) == connection_id:
                return index
        raise NotAuthentic("no such connection id")

    def receive(self, place, datagram):
        """Takes a DATA datagram; gives its frames."""
        index = self.index_of(datagram[1:9])
        number, phase, is_payload, content = self.receiver.open(datagram)
        is_newest = number == self.receiver.largest
        self.highest_index = max(self.highest_index, index)
        path = self.path_of(place, index, is_newest)
        moved = phase > self.phase
        self.phase = max(phase, self.phase)
        if path is not None:
            path.largest = number if path.largest is None else max(path.largest, number)
        frames = read_content(content, is_payload)
        self.payloads_alone += is_payload
        self.frames_seen += frames
        answers = [write_frame("PING")] if moved else []
        for frame in frames:
            answers += self.act(frame, path)
        if path is not None and any(frame.name not in _ASKS_FOR_NO_ACKNOWLEDGEMENT for frame in frames):
            answers.append(self.acknowledgement(path))
        if answers and self.closed is None:
            self.send(path or self.active, *answers)
        self.pump()
        return frames

    def acknowledgement(self, path):
        """The ACK for a path, by ranges once protected frames have come."""
        arrived = self.receiver.seen
        if self.collector.has_received:
            return write_frame("ACK_RANGES", **delivery.ranges_of(arrived, path.largest))
        bitmap = sum(1 << i for i in range(32) if path.largest - 1 - i in arrived)
        return write_frame("ACK", largest=path.largest & 0xFFFF_FFFF, delay=0, bitmap=bitmap)

    def act(self, frame, path):
        """Does what a frame says; gives the frames to answer with on the same path."""
        if frame.name == "PAYLOAD":
            self.payloads.append(frame["payload"])
        elif frame.name == "CLOSE":
            self.closed = frame["reason"]
        elif frame.name in delivery.PROTECTED_FRAMES:
            self.protected += self.collector.take(frame)
        elif frame.name == "MAX_DATA":
            self.sender.credit = max(self.sender.credit, frame["limit"])
        elif path is None:
            return []
        elif frame.name == "PATH_CHALLENGE":
            return [write_frame("PATH_RESPONSE", data=frame["data"])]
        elif frame.name == "PATH_RESPONSE" and path.challenge == frame["data"]:
            path.validated, path.challenge = True, None
            return self.on_validated(path)
        elif frame.name in ("ACK", "ACK_RANGES"):
            self.act_on_acknowledgement(frame, path)
        else:
            return self.act_in_role(frame, path)
        return []

    def act_on_acknowledgement(self, frame, path):
        """Own numbers that have arrived; a frame that names one never sent is void."""
        largest = recover(frame["largest"], self.next_number - 1)
        if largest >= self.next_number:
            return
        if frame.name == "ACK":
            numbers = {largest} | {largest - 1 - i for i in range(32) if frame["bitmap"] >> i & 1}
        else:
            numbers = delivery.numbers_of(frame, largest)
        path.acknowledged |= numbers
        self.sender.acknowledge(numbers)

    def on_validated(self, path):
        """Frames to answer with when a path's challenge was answered."""
        return []


class ClientSession(Session):
    """The client's end, established."""

    def __init__(self, suite, sending, receiving, place):
        super().__init__(suite, sending, receiving)
        self.active = self.add_path(place)
        self.attempt = None          # (attempt id, path, cause) that waits for its answer
        self.attempts_made = 0
        self.policies = []
        self.rejections = []

    def path_of(self, place, index, is_newest):
        """The path with this index and place; the client opens none."""
        return next((path for path in self.paths if (path.place, path.index) == (place, index)), None)

    def add_path(self, place):
        """A path with the next index."""
        path = Path(place, len(self.paths))
        self.paths.append(path)
        self.highest_index = max(self.highest_index, path.index)
        return path

    def reattach(self, path, cause=OPERATOR_REQUESTED):
        """Asks the gateway to bind the session to a path."""
        self.attempt = (os.urandom(8), path, cause)
        self.attempts_made += 1
        self.send(path, *self.first_frames(path))
        self.send_again(float("inf"))    # payloads take the new path from the first REATTACH on

    def carrier(self):
        return self.active if self.attempt is None else self.attempt[1]

    def first_frames(self, path):
        if self.attempt is None or self.attempt[1] is not path:
            return []
        return [write_frame("REATTACH", attempt_id=self.attempt[0], binding_version=self.binding_version, cause=self.attempt[2],
                            transport_class=0, transport_name="udp:%d" % path.index)]

    def act_in_role(self, frame, path):
        if frame.name == "REATTACH_ACK":
            if self.attempt and frame["attempt id"] == self.attempt[0] and not frame["flags"] & PENDING \
                    and frame["binding version"] > self.binding_version:
                self.binding_version, self.active, self.attempt = frame["binding version"], self.attempt[1], None
        elif frame.name == "REATTACH_REJECT" and self.attempt and frame["attempt id"] == self.attempt[0]:
            self.rejections.append(frame["reason"])
            (_, wanted, cause), self.attempt = self.attempt, None
            if frame["reason"] == STATE_STALE:
                self.binding_version = frame["binding version"]
                self.reattach(wanted, cause)
        elif frame.name == "NUDGE" and frame["binding version"] == self.binding_version and self.attempt is None:
            self.reattach(self.active, NAT_REBINDING)
        elif frame.name == "POLICY":
            self.policies.append(frame["policy"])
            return [write_frame("POLICY_ACK", sequence=frame["sequence"])]
        return []


class Client:
    """A client: a handshake, then a session."""

    def __init__(self, place, **handshake):
        self.place, self.handshake, self.session = place, ClientHandshake(**handshake), None
        self.policy = None
        self.outgoing = [(place, self.handshake.init())]

    def receive(self, place, datagram):
        """Takes any datagram. Raises NotAuthentic or Malformed for those a client drops."""
        if is_cookie(datagram):
            self.handshake.take_cookie(datagram)
            self.outgoing.append((place, self.handshake.init()))
        elif datagram[:1] == bytes([RESP_BYTE]):
            if self.session is None:
                self._establish(*self.handshake.take_response(datagram))
        elif self.session is not None:
            return self.session.receive(place, datagram)
        return []

    def _establish(self, hello, to_gateway, to_client):
        suite, node_tag = hello.pop("suite"), hello.pop("node tag")
        self.policy = hello
        self.session = ClientSession(suite, Direction(suite, to_gateway, node_tag), Direction(suite, to_client), self.place)
        self.session.send(self.session.active, write_frame("PING"))   # the gateway waits for an authentic datagram

    def tick(self, now):
        """Time passes."""
        if self.session is not None:
            self.session.tick(now)

    def take_outgoing(self):
        """What waits to be sent: (place, datagram)."""
        waiting, self.outgoing = self.outgoing, []
        return waiting + (self.session.take_outgoing() if self.session else [])


class GatewaySession(Session):
    """The gateway's end."""

    def __init__(self, suite, sending, receiving, place):
        super().__init__(suite, sending, receiving)
        self.initial_place, self.confirmed = place, False
        self.pending = None          # (REATTACH frame, path) that waits for the path's proof
        self.answered = None         # (attempt id, path, answer) given last
        self.challenges_candidates = True
        self.bound = []              # causes of the binds
        self.acknowledged_policies = []

    def path_of(self, place, index, is_newest):
        """The path a datagram belongs to: known, a new candidate, a moved one, or a provisional one of the active path's index."""
        if not self.confirmed:
            self.confirmed = True
            self.active = Path(self.initial_place, 0)
            self.active.validated = True
            self.paths.append(self.active)
        same_index = [path for path in self.paths if path.index == index]
        known = next((path for path in same_index if path.place == place), None)
        if known is not None or same_index and not is_newest:
            return known
        if same_index and same_index[0] is not self.active:
            same_index[0].place, same_index[0].validated, same_index[0].challenge = place, False, None
            return same_index[0]
        path = Path(place, index)
        self.paths.append(path)
        if same_index:               # another address with the active path's index: provisional
            self.send(path, write_frame("NUDGE", binding_version=self.binding_version))
        if same_index or self.challenges_candidates:
            self.challenge(path)
        return path

    def send_policy(self, sequence, policy):
        """A changed policy, as bytes."""
        self.send(self.active, write_frame("POLICY", sequence=sequence, policy=policy))

    def act_in_role(self, frame, path):
        if frame.name == "REATTACH":
            return self.judge(frame, path)
        if frame.name == "POLICY_ACK":
            self.acknowledged_policies.append(frame["sequence"])
        return []

    def judge(self, frame, path):
        """The answer to a REATTACH."""
        if self.answered and self.answered[:2] == (frame["attempt id"], path):
            return [self.answered[2]]
        if frame["binding version"] != self.binding_version:
            answer = write_frame("REATTACH_REJECT", attempt_id=frame["attempt id"], binding_version=self.binding_version,
                                 reason=STATE_STALE)
            self.answered = (frame["attempt id"], path, answer)
            return [answer]
        if path.validated:
            return [self.bind(frame, path)]
        self.pending = (frame, path)
        path.challenge = path.challenge or os.urandom(8)
        return [write_frame("REATTACH_ACK", attempt_id=frame["attempt id"], binding_version=self.binding_version, flags=PENDING),
                write_frame("PATH_CHALLENGE", data=path.challenge)]

    def bind(self, frame, path):
        """Makes a path the active one."""
        self.binding_version += 1
        self.bound.append(frame["cause"])
        if path.index == self.active.index and path is not self.active:
            self.paths.remove(self.active)
        self.active, self.pending = path, None
        answer = write_frame("REATTACH_ACK", attempt_id=frame["attempt id"], binding_version=self.binding_version, flags=0)
        self.answered = (frame["attempt id"], path, answer)
        self.send_again(float("inf"))
        return answer

    def on_validated(self, path):
        if self.pending and self.pending[1] is path:
            frame = self.pending[0]
            self.pending = None
            return self.judge(frame, path)
        return []


class Gateway:
    """A gateway for one client: a handshake, then a session."""

    def __init__(self, node_tag, policy, suites=tuple(SUITE_NAMES), **credentials):
        """`policy` by the layout's names; `credentials` as GatewayHandshake takes them."""
        self.node_tag, self.policy, self.suites, self.credentials = node_tag, policy, suites, credentials
        self.session = self.hello = None
        self.outgoing, self.inits = [], {}

    def receive(self, place, datagram):
        """Takes any datagram. Raises NotAuthentic or Malformed for those a gateway drops."""
        if datagram[:1] != bytes([INIT_BYTE]):
            if self.session is None:
                raise NotAuthentic("no session")
            return self.session.receive(place, datagram)
        if (place, datagram) in self.inits:
            self.outgoing.append((place, self.inits[place, datagram]))
        elif self.session is not None:
            raise NotAuthentic("this gateway has its client")
        else:
            self._accept(place, datagram)
        return []

    def _accept(self, place, datagram):
        handshake = GatewayHandshake(datagram, **self.credentials)
        common = [suite for suite in self.suites if suite & handshake.hello["suites"] and suite & self.policy["suites"]]
        if not common:
            raise Malformed("no suite in common")
        suite, self.hello = max(common), handshake.hello
        response, to_gateway, to_client = handshake.response(suite, self.node_tag, self.policy)
        self.inits[place, datagram] = response
        self.outgoing.append((place, response))
        self.session = GatewaySession(suite, Direction(suite, to_client), Direction(suite, to_gateway, self.node_tag), place)

    def tick(self, now):
        """Time passes."""
        if self.session is not None:
            self.session.tick(now)

    def take_outgoing(self):
        """What waits to be sent: (place, datagram)."""
        waiting, self.outgoing = self.outgoing, []
        return waiting + (self.session.take_outgoing() if self.session else [])
