"""Two seeded endpoints of the library over links in memory, on a virtual clock: every host call and every datagram is recorded."""
import jumping
import protected
from jumping._addresses import pack_address

START_US, DELAY_US = 1_000_000, 20_000
CLIENT, GATEWAY = "client", "gateway"
OTHER = {CLIENT: GATEWAY, GATEWAY: CLIENT}
#: An address is IPv4 4 ‖ port 2, as every host of the project encodes it.
ADDRESSES = {CLIENT: {"A": "0a000001c350", "B": "0a000101c351"}, GATEWAY: {"A": "c00002011388", "B": "c00002021388"}}
LINKS = ("A", "B")
CLASSES = {"A": 0, "B": 1}


def encoded(remote):
    """A remote address as the hexadecimal digits of its bytes."""
    return pack_address(remote)[0].hex()


class Conversation:
    """One story. `calls` is what both hosts did, `datagrams` what came of it."""

    def __init__(self, seeds, suites, node_tag, gateway_config=None, **transport):
        self.now, self.calls, self.datagrams, self.flights = START_US, [], [], []
        self.lost = set()            # (end, link) whose datagrams do not arrive
        self.sources = {link: ADDRESSES[CLIENT][link] for link in LINKS}
        self.sessions, self.ends, self.setup = {}, {}, {}
        for end in (CLIENT, GATEWAY):
            config = {"suites": suites, "node_tag": node_tag if end == GATEWAY else 0, **((gateway_config or {}) if end == GATEWAY else {})}
            made = jumping.Endpoint.seeded(seeds[end], jumping.Config(wall_clock_offset_us=0, **config), now=self.now)
            for link in LINKS:
                made.add_transport(jumping.TransportConfig(f"udp:{link}", transport_class=CLASSES[link], **transport), now=self.now)
            self.ends[end] = made
            self.setup[end] = {"seed": seeds[end].hex(), **config,
                               "transports": [{"name": f"udp:{link}", "class": CLASSES[link], **transport} for link in LINKS]}

    def close_endpoints(self):
        """Frees both endpoints."""
        for made in self.ends.values():
            made.close()

    # --- host calls

    def call(self, end, name, work, **arguments):
        """Does one host call, then what every host does after it: sends what waits, takes events."""
        record = {"number": len(self.calls), "at_us": self.now, "end": end, "call": name, **arguments, "datagrams": []}
        self.calls.append(record)
        result = work()
        if isinstance(result, jumping.Datagram):
            self.launch(end, result, record)
        for datagram in self.ends[end].transmits(now=self.now):
            self.launch(end, datagram, record)
        for event in self.ends[end].events():
            if event.session and end not in self.sessions:
                self.sessions[end] = self.ends[end].session(event.session)
        return result

    def launch(self, end, datagram, record):
        """Puts a datagram on its link."""
        link, number = LINKS[datagram.transport], len(self.datagrams)
        to = encoded(datagram.remote)
        expected = ADDRESSES[GATEWAY][link] if end == CLIENT else self.sources[link]
        is_lost = (end, link) in self.lost or to != expected
        source = self.sources[link] if end == CLIENT else ADDRESSES[GATEWAY][link]
        self.datagrams.append({"number": number, "at_us": self.now, "from": end, "link": link, "source": source, "to": to,
                               "arrives": not is_lost, "octets": datagram.data.hex()})
        record["datagrams"].append(number)
        if not is_lost:
            self.flights.append((self.now + DELAY_US, number))

    def connect(self, **keys):
        """The client's first call."""
        def work():
            self.sessions[CLIENT] = self.ends[CLIENT].connect(0, bytes.fromhex(ADDRESSES[GATEWAY]["A"]), label="conformance",
                                                              now=self.now, **keys)
        self.call(CLIENT, "connect", work, link="A", to=ADDRESSES[GATEWAY]["A"], label="conformance",
                  **{name: value.hex() for name, value in keys.items()})

    def send(self, end, payload):
        """A payload."""
        self.call(end, "send", lambda: self.sessions[end].send(payload, now=self.now), payload=payload.hex())

    def send_protected(self, end, payload, channel=0, time_to_live_us=0):
        """A payload that must not get lost."""
        def work():
            if not protected.send(self.sessions[end], payload, channel, time_to_live_us, self.now):
                raise SystemExit("a protected payload is not taken")
        self.call(end, "send_protected", work, payload=payload.hex(), channel=channel, time_to_live_us=time_to_live_us)

    def add_path(self, link):
        """Another path of the client."""
        to = ADDRESSES[GATEWAY][link]
        self.call(CLIENT, "add_path", lambda: self.sessions[CLIENT].add_path(LINKS.index(link), bytes.fromhex(to), now=self.now),
                  link=link, to=to)

    def request_switch(self):
        """A planned handover to the best candidate."""
        self.call(CLIENT, "request_switch", lambda: self.sessions[CLIENT].request_switch(now=self.now))

    def rekey(self, end):
        """The next key phase."""
        self.call(end, "rekey", lambda: self.sessions[end].rekey(now=self.now))

    def close(self, end):
        """The end of the session."""
        self.call(end, "close", lambda: self.sessions[end].close(now=self.now))

    def allow_classes(self, classes):
        """The gateway changes one field of its policy."""
        policy = jumping.Policy(allowed_classes=classes, version="second")
        self.call(GATEWAY, "set_policy", lambda: self.sessions[GATEWAY].set_policy(policy, now=self.now),
                  allowed_classes=classes, version="second")

    def rebind(self, link, address):
        """The client's address on a link changes, as behind a NAT."""
        self.sources[link] = address

    # --- time

    def run(self, duration_us):
        """Time passes: datagrams arrive, timers run out."""
        end_us = self.now + duration_us
        while True:
            timeouts = {end: made.next_timeout() for end, made in self.ends.items()}
            moments = [due for due, _ in self.flights] + [due for due in timeouts.values() if due is not None]
            due = min(moments, default=end_us)
            if due > end_us:
                self.now = end_us
                return
            self.now = max(self.now, due)
            self._arrive()
            for end, made in self.ends.items():
                deadline = made.next_timeout()
                if deadline is not None and deadline <= self.now:
                    self.call(end, "handle_timeout", lambda made=made: made.handle_timeout(now=self.now))

    def _arrive(self):
        while self.flights and self.flights[0][0] <= self.now:
            datagram = self.datagrams[self.flights.pop(0)[1]]
            end, transport = OTHER[datagram["from"]], LINKS.index(datagram["link"])
            octets, source = bytes.fromhex(datagram["octets"]), bytes.fromhex(datagram["source"])
            received = self.call(end, "receive", lambda: protected.receive(self.ends[end], transport, source, octets, self.now),
                                 datagram=datagram["number"])
            self.calls[-1]["payload"] = None if received.payload is None else received.payload.hex()
            self.calls[-1]["protected"] = [{"channel": channel, "payload": payload.hex()} for channel, payload in received.protected]
            self.calls[-1]["drop_cause"] = received.drop_cause

    def state(self, end):
        """The session's state at one end."""
        return self.sessions[end].state
