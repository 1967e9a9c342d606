"""The demo's server: two UDP transports, every payload echoed, every event printed as a line of JSON.

    python -m prototype.server --host 127.0.0.1 --port-a 40000 --port-b 40001 --psk DEMO_PSK_CHANGE_ME

Stops cleanly on SIGINT and SIGTERM, and when nobody reads its lines any more. Exit status: 0 after a clean stop, 1 when it cannot begin.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from typing import Any, Optional

from . import PASSPHRASE, REALM, TRANSPORTS, put, text_address

import jumping
from jumping.aio import AsyncEndpoint, AsyncSession

__all__ = ["accept_and_echo", "host_line", "main", "port_number", "show", "stop_on_signals"]


def host_line(event_type: str, **fields: Any) -> str:
    """A line of the host's own for a trace: it has no ``sequence``, which only the library counts."""
    return json.dumps({"ts_ms": time.time_ns() // 1_000_000, "event_type": event_type, **fields})


def show(line: str, stop: asyncio.Event) -> None:
    """Prints a line at once; sets ``stop`` when whoever read the lines is gone."""
    if not put(sys.stdout, line + "\n"):
        stop.set()


def stop_on_signals() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _echo(session: AsyncSession) -> None:
    try:
        async for payload in session:
            session.send(payload)
    except (jumping.SessionTerminated, jumping.ClosedError):
        pass  # it ended between two payloads


async def accept_and_echo(endpoint: AsyncEndpoint) -> None:
    """Echoes every session's payloads until the endpoint closes or the task is cancelled."""
    echoes: set[asyncio.Task[None]] = set()
    async for session in endpoint:
        task = asyncio.create_task(_echo(session))
        echoes.add(task)
        task.add_done_callback(echoes.discard)


def port_number(text: str) -> int:
    """A UDP port for argparse: 0 lets the system choose."""
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


async def serve(options: argparse.Namespace) -> int:
    """Runs the server until a signal."""
    stop = stop_on_signals()
    psk = jumping.psk_from_passphrase(options.psk, REALM)
    async with AsyncEndpoint(jumping.Config(node_id="server")) as endpoint:
        endpoint.add_event_listener(lambda event: show(event.to_json(), stop))
        endpoint.add_psk(psk)
        local = {}
        for name, port in zip(TRANSPORTS, (options.port_a, options.port_b)):
            try:
                transport = endpoint.add_udp_transport(name, (options.host, port))
            except OSError as error:
                print(f"server: {name} cannot use {options.host}:{port}: {error.strerror}", file=sys.stderr)
                return 1
            local[name] = text_address(transport.local_address)
        show(host_line("ServerStart", transports=local, library=jumping.library_version()), stop)
        accepting = asyncio.create_task(accept_and_echo(endpoint))
        await stop.wait()
        accepting.cancel()
    show(host_line("ServerStop"), stop)
    return 0


def main(arguments: Optional[list[str]] = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m prototype.server", description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1", help="numeric address to listen on")
    parser.add_argument("--port-a", type=port_number, default=40000, help="port of udp:A; 0 lets the system choose")
    parser.add_argument("--port-b", type=port_number, default=40001, help="port of udp:B; 0 lets the system choose")
    parser.add_argument("--psk", default=PASSPHRASE, help="passphrase that the clients share")
    return asyncio.run(serve(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
