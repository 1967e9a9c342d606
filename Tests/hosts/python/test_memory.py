"""Memory stays flat: the library's over thousands of sessions and endpoints, Python's over thousands of calls."""

from __future__ import annotations

import gc
import os
import tracemalloc
import unittest

import jumping
from support import FAR, HINT, PSK, World

SESSIONS = 10_000
WARM_UP = 2_000
#: Allocators keep some pages; a leak of a mere 300 bytes a session would exceed this.
ALLOWED_GROWTH_BYTES = 3_000_000


def resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Memory(unittest.TestCase):
    def live(self, world: World, count: int) -> None:
        """``count`` sessions one after the other, each with a payload; they end from either side in turn."""
        for number in range(count):
            near = world.client.connect(0, FAR, psk=PSK, hint=HINT, now=world.now)
            world.run(20_000)
            world.say(near, b"one")
            world.run(10_000)
            ends = near if number % 2 else world.gateway_session()
            ends.close(now=world.now)
            world.run(40_000)  # 70 ms a session: within the default INITs per source and second
            for end in (world.client, world.gateway):
                world.events[end].clear()
                world.payloads[end].clear()

    def test_sessions(self) -> None:
        with World(path_count=1) as world:
            world.gateway.add_psk(PSK, HINT)
            self.live(world, WARM_UP)
            gc.collect()
            before = resident_bytes()
            self.live(world, SESSIONS)
            gc.collect()
            grown = resident_bytes() - before
            self.assertEqual(world.gateway.stats().handshakes_completed, WARM_UP + SESSIONS)
            world.run(jumping.seconds(40))
            self.assertEqual((world.client.stats().sessions, world.gateway.stats().sessions), (0, 0))
            self.assertLess(grown, ALLOWED_GROWTH_BYTES)

    def test_endpoints(self) -> None:
        def live(count: int) -> None:
            for _ in range(count):
                with jumping.Endpoint() as endpoint:
                    transport = endpoint.add_transport("udp:A")
                    endpoint.connect(transport, FAR, psk=PSK)
                    list(endpoint.transmits())
                    list(endpoint.events())
        live(200)
        gc.collect()
        before = resident_bytes()
        live(2_000)
        gc.collect()
        self.assertLess(resident_bytes() - before, ALLOWED_GROWTH_BYTES)

    def test_python_objects(self) -> None:
        with World() as world:
            near, far = world.establish()

            def use() -> None:
                for _ in range(500):
                    world.say(near, b"payload" * 20)
                    world.run(2_000)
                    near.info(), near.stats(), near.paths(), near.explain(now=world.now), near.policy(), far.info()
                    world.client.stats()
                    sealed = world.client.send_batch([(near.handle, b"x")] * 4, now=world.now)
                    world.gateway.receive_batch([(0, FAR, item.data) for item in sealed], now=world.now)
                    try:
                        world.client.session(1)
                    except jumping.StaleSessionError:
                        pass
                for end in (world.client, world.gateway):
                    for event in world.events[end]:
                        event.to_dict()
                    world.events[end].clear()
                    world.payloads[end].clear()

            use()
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            use()
            gc.collect()
            first, objects = tracemalloc.get_traced_memory()[0], len(gc.get_objects())
            use()
            use()
            gc.collect()
            self.assertLess(tracemalloc.get_traced_memory()[0] - first, 50_000)
            self.assertLess(len(gc.get_objects()) - objects, 200)


if __name__ == "__main__":
    unittest.main()
