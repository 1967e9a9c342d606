"""A world of one libjumping endpoint and one independent peer that speak over UDP on 127.0.0.1, in one thread.

Either peer may be the gateway. The independent peer's places are (number of its socket, remote address).
"""
import select
import socket
import time

import jumping

import protected
from independent.layouts import Malformed
from independent.primitives import NotAuthentic

LONGEST_RUN_SECONDS = 20.0
_NAP_SECONDS = 0.05


def udp_socket():
    """A socket on a free loopback port."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.setblocking(False)
    return made


class World:
    """The sockets of both ends and the loop of both hosts."""

    def __init__(self, endpoint, socket_count=2):
        self.endpoint, self.peer, self.session = endpoint, None, None
        self.sockets = [udp_socket() for _ in range(socket_count)]
        self.peer_sockets = [udp_socket() for _ in range(socket_count)]
        self.transports = [endpoint.add_transport(f"udp:{i}") for i in range(socket_count)]
        self.payloads, self.drops = [], []
        #: (channel, payload) of protected ones as the library handed them out.
        self.protected = []
        #: Every n-th datagram from either end gets lost (0: none), and the next few.
        self.loses_every = self.loses_next = self.datagrams = 0
        #: States libjumping's session entered; a test may clear it.
        self.states = []
        self.peer_refusals = []

    def close(self):
        """Ends everything."""
        self.endpoint.close()
        for made in self.sockets + self.peer_sockets:
            made.close()

    def address(self, i):
        """Where libjumping's socket i listens."""
        return self.sockets[i].getsockname()

    def peer_address(self, i):
        """Where the independent peer's socket i listens."""
        return self.peer_sockets[i].getsockname()

    def rebind(self, i):
        """Gives the independent peer's socket i another port, as a NAT does."""
        self.peer_sockets[i].close()
        self.peer_sockets[i] = udp_socket()

    def rebind_library(self, i):
        """The same for libjumping's socket i."""
        self.sockets[i].close()
        self.sockets[i] = udp_socket()

    # --- the loop

    def run(self, until, seconds=LONGEST_RUN_SECONDS):
        """Lets both ends go on until the condition holds. Raises TimeoutError when it does not come to hold."""
        end = time.monotonic() + seconds
        while True:
            self.flush()
            if until():
                return
            if time.monotonic() > end:
                raise TimeoutError(f"after {seconds} s; drops {self.drops}, refusals {self.peer_refusals}")
            self.wait()

    def pause(self, seconds):
        """Lets both ends go on for a while."""
        end = time.monotonic() + seconds
        self.run(lambda: time.monotonic() >= end)

    def flush(self):
        """Sends what both have to send; takes events."""
        for datagram in self.endpoint.transmits():
            self.transmit(datagram)
        for event in self.endpoint.events():
            if event.type == jumping.EventType.SESSION_STATE_CHANGE:
                self.states.append(event.new_state.name)
            if self.session is None and event.type == jumping.EventType.SESSION_ESTABLISHED:
                self.session = self.endpoint.session(event.session)
        if self.peer is not None:
            self.peer.tick(time.monotonic())
            for (i, remote), datagram in self.peer.take_outgoing():
                if not self.is_lost():
                    self.peer_sockets[i].sendto(datagram, remote)

    def is_lost(self):
        """Whether the next datagram gets lost."""
        self.datagrams += 1
        if self.loses_next > 0:
            self.loses_next -= 1
            return True
        return self.loses_every > 0 and self.datagrams % self.loses_every == 0

    def transmit(self, datagram):
        """Puts one of libjumping's datagrams on the network."""
        if self.is_lost():
            return
        self.sockets[self.transports.index(datagram.transport)].sendto(datagram.data, datagram.remote)

    def wait(self):
        """Sleeps until a socket or libjumping has something, and gives it to whom it belongs."""
        deadline = self.endpoint.next_timeout()
        nap = _NAP_SECONDS if deadline is None else max(0.0, min(_NAP_SECONDS, (deadline - jumping.now_us()) / 1e6))
        for ready in select.select(self.sockets + self.peer_sockets, [], [], nap)[0]:
            data, remote = ready.recvfrom(65_536)
            if ready in self.sockets:
                self.deliver(self.sockets.index(ready), remote, data)
            else:
                self.deliver_to_peer(self.peer_sockets.index(ready), remote, data)
        self.endpoint.handle_timeout()

    def deliver(self, i, remote, data):
        """A datagram to libjumping."""
        received = protected.receive(self.endpoint, self.transports[i], remote, data)
        self.protected += received.protected
        if received.drop_cause:
            self.drops.append(received.drop_cause)
        if received.payload is not None:
            self.payloads.append(received.payload)

    def deliver_to_peer(self, i, remote, data):
        """A datagram to the independent peer."""
        try:
            self.peer.receive((i, remote), data)
        except (NotAuthentic, Malformed) as refusal:
            self.peer_refusals.append(repr(refusal))

    # --- what both do

    def send(self, payload):
        """A payload from libjumping."""
        self.transmit(self.session.send(payload))