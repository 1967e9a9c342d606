"""One command for the whole demo: server in the background, client, verification of both audit trails, clean stop.

    python live_demo.py [--trace DEMO_TRACE.jsonl]

Works from any folder; the trace is written to the present one. Exit status: 0 only if the client's trace proves the
jump and the server's own trail agrees with it, 1 otherwise, with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Optional

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from prototype import BINDINGS, PASSPHRASE, TRANSPORTS  # noqa: E402  (found by the line above)
from prototype.server import port_number  # noqa: E402

from jumping.audit import verify  # noqa: E402

START_PATIENCE_SECONDS = 20.0
STOP_PATIENCE_SECONDS = 5.0


class DemoFailure(Exception):
    """Why the demo failed."""


def say(text: str) -> None:
    """A line of the runner's own."""
    print(f"[live_demo] {text}", flush=True)


def child_environment() -> dict[str, str]:
    """The present environment, in which children find the prototype and, in a source tree, the package jumping."""
    environment = dict(os.environ)
    paths = [str(HERE), str(BINDINGS) if BINDINGS.is_dir() else "", environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return environment


class Server:
    """The server in the background; what it prints is kept."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.lines: list[str] = []
        self._unread: queue.Queue[Optional[str]] = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "prototype.server", "--host", options.host, "--port-a", str(options.port_a),
             "--port-b", str(options.port_b), "--psk", options.psk],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=child_environment())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line)
            self._unread.put(line)
        self._unread.put(None)

    def wait_until_ready(self) -> list[int]:
        """The ports of both transports. Raises DemoFailure when the server does not begin."""
        give_up = time.monotonic() + START_PATIENCE_SECONDS
        while True:
            try:
                line = self._unread.get(timeout=max(0.0, give_up - time.monotonic()))
            except queue.Empty:
                raise DemoFailure(f"the server was not ready within {START_PATIENCE_SECONDS:.0f} s") from None
            if line is None:
                raise DemoFailure(f"the server ended at once, with exit status {self._process.wait()}")
            event: dict[str, Any] = json.loads(line)
            if event["event_type"] == "ServerStart":
                return [int(event["transports"][name].rpartition(":")[2]) for name in TRANSPORTS]

    def stop(self) -> int:
        """Stops the server and gives its exit status; what it printed is then complete."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(STOP_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._reader.join(STOP_PATIENCE_SECONDS)
        return status


def run_client(options: argparse.Namespace, ports: list[int]) -> int:
    """Runs the client in the foreground and gives its exit status."""
    command = [sys.executable, "-m", "prototype.client", "--host", options.host, "--port-a", str(ports[0]), "--port-b",
               str(ports[1]), "--psk", options.psk, "--session-id", options.session_id, "--trace", options.trace,
               "--duration", str(options.duration)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, env=child_environment()) as client:
        try:
            return client.wait()
        except BaseException:
            client.terminate()  # interrupted: `with` waits until the client has closed its session
            raise


def check_server_trail(server: Server, label: str) -> str:
    """Judges the server's own audit trail; gives the sentence to print. Raises DemoFailure."""
    report = verify(server.lines)
    if not report.ok:
        raise DemoFailure(f"the server's audit trail is broken, {report.problems[0]}")
    lives = [life for life in report.sessions if life.label == label]
    if len(lives) != 1 or not lives[0].has_ended:
        raise DemoFailure(f"the server saw {len(lives)} sessions labelled {label}, where one that ended is expected")
    jumps = [(switch["from_transport"], switch["to_transport"]) for switch in lives[0].switches]
    if jumps != [TRANSPORTS]:
        raise DemoFailure(f"the server saw the jumps {jumps}, where one from {' to '.join(TRANSPORTS)} is expected")
    return f"the server's own trail agrees: session {lives[0].session_id}, one jump {' -> '.join(TRANSPORTS)}, " \
           f"{report.events} events"


def run(options: argparse.Namespace) -> int:
    """The demo. Gives the exit status; the server is stopped whatever happens."""
    server = Server(options)
    try:
        ports = server.wait_until_ready()
        say(f"server ready: {', '.join(f'{name} on port {port}' for name, port in zip(TRANSPORTS, ports))}")
        status = run_client(options, ports)
    finally:
        server_status = server.stop()
    if status != 0:
        raise DemoFailure(f"the client ended with exit status {status}")
    if server_status != 0:
        raise DemoFailure(f"the server ended with exit status {server_status}")
    say(check_server_trail(server, options.session_id))
    say(f"done: the session jumped and stayed the same session; audit trail in {options.trace}")
    return 0


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1", help="numeric address of this machine")
    parser.add_argument("--port-a", type=port_number, default=0, help="port of udp:A; default: a free one")
    parser.add_argument("--port-b", type=port_number, default=0, help="port of udp:B; default: a free one")
    parser.add_argument("--psk", default=PASSPHRASE, help="passphrase of both sides")
    parser.add_argument("--session-id", default="DEMO-SESSION", help="the session's audit label")
    parser.add_argument("--trace", default="DEMO_TRACE.jsonl", help="file to write, JSON lines; an old one is replaced")
    parser.add_argument("--duration", type=float, default=4.0, help="seconds of traffic")
    options = parser.parse_args()

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        return run(options)
    except DemoFailure as failure:
        say(f"FAILED: {failure}")
    except KeyboardInterrupt:
        say("FAILED: interrupted")
    return 1


if __name__ == "__main__":
    sys.exit(main())
