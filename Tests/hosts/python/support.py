"""What the Python tests share: two endpoints on a link in memory, with a clock that only the test moves."""

from __future__ import annotations

import dataclasses
import random
from typing import Any, Optional

import jumping

PSK = bytes(range(1, 33))
HINT = b"client-1"
#: A link that is no IP network: addresses are bytes, the same at both ends.
NEAR, FAR = ("192.0.2.1", 1000), ("192.0.2.2", 2000)


class World:
    """A client and a gateway with ``path_count`` links; ``step`` lets datagrams and time pass.

    ``cut`` holds the numbers of the links that lose everything; ``loss`` is the share of the others' datagrams that gets lost.
    ``events`` collects what each end tells, ``payloads`` the expendable ones it got, ``protected`` the protected ones: (channel, payload).
    An end in ``deaf`` leaves those in the library that it can leave there.
    """

    def __init__(self, path_count: int = 2, *, client: Optional[jumping.Config] = None,
                 gateway: Optional[jumping.Config] = None, policy: Optional[jumping.Policy] = None, rtt_us: int = 10_000) -> None:
        self.now = 1_000_000_000
        self.rtt_us = rtt_us
        self.cut: set[int] = set()
        self.loss = 0.0
        self.deaf: set[Any] = set()
        self._chance = random.Random(1)
        self.client = jumping.Endpoint(client, policy, now=self.now)
        self.gateway = jumping.Endpoint(gateway, policy, now=self.now)
        self.links = [f"mem:{number}" for number in range(path_count)]
        for endpoint in (self.client, self.gateway):
            for name in self.links:
                endpoint.add_transport(name, now=self.now)
        self.events: dict[Any, list[jumping.Event]] = {self.client: [], self.gateway: []}
        self.payloads: dict[Any, list[bytes]] = {self.client: [], self.gateway: []}
        self.protected: dict[Any, list[tuple[int, bytes]]] = {self.client: [], self.gateway: []}
        self._flying: list[tuple[int, int, Any, int, Any, bytes]] = []
        self._order = 0

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.gateway.close()

    def put(self, sender: jumping.Endpoint, datagram: jumping.Datagram) -> None:
        """Puts a datagram of ``sender`` on its link."""
        if datagram.transport in self.cut or self._chance.random() < self.loss:
            return
        receiver, source = (self.gateway, NEAR) if sender is self.client else (self.client, FAR)
        self._order += 1
        self._flying.append((self.now + self.rtt_us // 2, self._order, receiver, datagram.transport, source, datagram.data))

    def drain(self) -> None:
        """Sends what both ends want sent and collects their events."""
        for endpoint in (self.client, self.gateway):
            if endpoint.closed:
                continue
            if endpoint not in self.deaf:
                self.protected.setdefault(endpoint, []).extend((payload.channel, payload.payload) for payload in endpoint.payloads(now=self.now))
            for datagram in endpoint.transmits(now=self.now):
                self.put(endpoint, datagram)
            self.events[endpoint].extend(endpoint.events())

    def run(self, duration_us: int) -> None:
        """Lets ``duration_us`` pass, from one thing that happens to the next."""
        end = self.now + duration_us
        self.drain()
        for _ in range(200_000):
            due = [flight[0] for flight in self._flying]
            due += [deadline for endpoint in (self.client, self.gateway) if not endpoint.closed
                    for deadline in [endpoint.next_timeout()] if deadline is not None]
            if not due or min(due) > end:
                break
            self.now = max(self.now, min(due))
            arrived = sorted(flight for flight in self._flying if flight[0] <= self.now)
            self._flying = [flight for flight in self._flying if flight[0] > self.now]
            for _, _, receiver, transport, source, data in arrived:
                if receiver.closed or transport in self.cut:
                    continue
                received = receiver.receive(transport, source, data, now=self.now)
                if received.channel is not None and received.payload is not None:
                    self.protected.setdefault(receiver, []).append((received.channel, received.payload))
                elif received.payload is not None:
                    self.payloads[receiver].append(received.payload)
            for endpoint in (self.client, self.gateway):
                deadline = None if endpoint.closed else endpoint.next_timeout()
                if deadline is not None and deadline <= self.now:
                    endpoint.handle_timeout(now=self.now)
            self.drain()
        else:
            raise AssertionError("the world does not come to rest")
        self.now = end

    def establish(self, **connect: Any) -> tuple[jumping.Session, jumping.Session]:
        """A session over link 0 with the other links as candidates: (at the client, at the gateway)."""
        if "psk" not in connect and "gateway_key" not in connect:
            self.gateway.add_psk(PSK, HINT)
            connect.update(psk=PSK, hint=HINT)
        near = self.client.connect(0, FAR, now=self.now, **connect)
        self.run(200_000)
        for transport in range(1, len(self.links)):
            near.add_path(transport, FAR, now=self.now)
        self.run(500_000)
        return near, self.gateway_session()

    def gateway_session(self) -> jumping.Session:
        """The newest session at the gateway."""
        handles = [event.session for event in self.events[self.gateway]
                   if event.type == jumping.EventType.SESSION_ESTABLISHED]
        return self.gateway.session(handles[-1])

    def say(self, sender: jumping.Session, payload: bytes) -> jumping.Datagram:
        """Sends a payload and gives its datagram."""
        datagram = sender.send(payload, now=self.now)
        self.put(sender.endpoint, datagram)
        return datagram

    def names(self, endpoint: jumping.Endpoint) -> list[str]:
        """The names of the events an end has told."""
        return [event.name for event in self.events[endpoint]]

    def found(self, endpoint: jumping.Endpoint, event_type: jumping.EventType) -> list[jumping.Event]:
        """The events of one type an end has told."""
        return [event for event in self.events[endpoint] if event.type == event_type]


def asking() -> jumping.Config:
    """A gateway that asks its host about every session."""
    config = jumping.Config()
    return dataclasses.replace(config, flags=config.flags | jumping.ConfigFlag.ASK)
