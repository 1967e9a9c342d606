"""Runs every client with every gateway and checks both ends of each session: the passphrase, realm and hint agree across
languages, payloads come back, the first transport dies, the session jumps under the same id, and the close arrives.

Prints what failed and, as its last line, "N passed, N failed".
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Optional

PASSPHRASE, REALM, HINT = "käse & correct horse", "interop", "client-7"
COUNT, KILL_AFTER = 200, 100
START_SECONDS, RUN_SECONDS, STOP_SECONDS = 10.0, 30.0, 10.0
POLL_SECONDS = 0.02


class Problem(Exception):
    """Why a pair failed."""


def json_lines(text: str) -> list[dict[str, Any]]:
    events = []
    for line in text.splitlines():
        if line.startswith("{"):
            events.append(json.loads(line))
    return events


class Gateway:
    """A gateway process with two loopback sockets; its events are readable after stop()."""

    def __init__(self, command: list[str], folder: Path, trace: Optional[Path]) -> None:
        self.output_path, self.trace = folder / "gateway.out", trace
        shared = ["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--psk", PASSPHRASE, "--hint", HINT, "--realm", REALM]
        more = ["--trace", str(trace)] if trace else []
        self.output = open(self.output_path, "w", encoding="utf-8")
        self.process = subprocess.Popen(command + shared + more, stdout=self.output, stderr=subprocess.STDOUT)
        try:
            self.addresses = self._addresses()
        except BaseException:
            self.kill()
            raise

    def text(self) -> str:
        return self.output_path.read_text(encoding="utf-8")

    def _addresses(self) -> list[str]:
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up and self.process.poll() is None:
            found = re.findall(r"127\.0\.0\.1:[1-9][0-9]*", self.text())
            if len(found) >= 2:
                return found[:2]
            time.sleep(POLL_SECONDS)
        raise Problem(f"the gateway did not start:\n{self.text()}")

    def events(self) -> list[dict[str, Any]]:
        return json_lines(self.trace.read_text(encoding="utf-8") if self.trace else self.text())

    def wait_for(self, event_type: str) -> None:
        """Returns when an event of this type has been written."""
        give_up = time.monotonic() + STOP_SECONDS
        while time.monotonic() < give_up:
            if f'"{event_type}"' in (self.trace.read_text(encoding="utf-8") if self.trace else self.text()):
                return
            time.sleep(POLL_SECONDS)
        raise Problem(f"the gateway saw no {event_type}:\n{self.text()}")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Problem("the gateway does not end on SIGTERM") from None
        if status != 0:
            raise Problem(f"the gateway ended with {status}:\n{self.text()}")

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.output.close()


def run_client(command: list[str], gateway: Gateway, *more: str) -> tuple[int, str]:
    where = [part for address in gateway.addresses for part in ("--gateway", address)]
    process = subprocess.Popen(command + where + ["--psk", PASSPHRASE, "--hint", HINT, "--realm", REALM, *more], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, _ = process.communicate(timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        raise Problem(f"the client does not end:\n{output}") from None
    return process.returncode, output


def session_id(output: str) -> str:
    """From the client's summary, its last line of JSON."""
    return str(json_lines(output)[-1]["session_id"])


def expect(is_so: bool, what: str, detail: str) -> None:
    if not is_so:
        raise Problem(f"{what}:\n{detail}")


def check_gateway(gateway: Gateway, identity: str) -> None:
    """The gateway's audit trail tells the same story as the client."""
    events = [event for event in gateway.events() if event.get("session_id") == identity]
    detail = "\n".join(json.dumps(event) for event in gateway.events())

    def of(event_type: str) -> list[dict[str, Any]]:
        return [event for event in events if event["event_type"] == event_type]

    expect(len(of("SessionEstablished")) == 1, f"the gateway did not establish {identity} once", detail)
    switches = of("TransportSwitch")
    expect(len(switches) == 1 and (switches[0]["from_transport"], switches[0]["to_transport"]) == ("udp:A", "udp:B")
           and switches[0]["explicit"] is True and switches[0]["auditable"] is True,
           "the gateway did not see one jump from udp:A to udp:B", detail)
    ended = of("SessionTerminated")
    expect(len(ended) == 1 and ended[0]["reason_code"] == "peer_terminated", "the gateway did not hear the close", detail)
    versions = [event["state_version"] for event in of("SessionStateChange")]
    expect(versions == list(range(1, len(versions) + 1)), f"state versions are {versions}", detail)


def check_pair(gateway_command: list[str], client_command: list[str], folder: Path, trace: Optional[Path]) -> None:
    gateway = Gateway(gateway_command, folder, trace)
    try:
        status, output = run_client(client_command, gateway, "--count", str(COUNT), "--kill-after", str(KILL_AFTER))
        expect(status == 0, f"the client ended with {status}", output + "\n" + gateway.text())
        gateway.wait_for("SessionTerminated")
        gateway.stop()
        check_gateway(gateway, session_id(output))
    finally:
        gateway.kill()


def main() -> int:
    parser = argparse.ArgumentParser()
    for option in ("--c-gateway", "--c-client", "--go-echo", "--python-echo"):
        parser.add_argument(option, required=True)
    parser.add_argument("--only", help="e.g. go-python: the client's language, then the gateway's")
    options = parser.parse_args()
    python = [sys.executable, options.python_echo]
    gateways = {"c": [options.c_gateway], "python": python + ["gateway"], "go": [options.go_echo, "gateway"]}
    clients = {"c": [options.c_client, "--json"], "python": python + ["client"], "go": [options.go_echo, "client"]}
    passed = failed = 0
    for client, client_command in clients.items():
        for gateway, gateway_command in gateways.items():
            if options.only and options.only != f"{client}-{gateway}":
                continue
            with tempfile.TemporaryDirectory() as folder:
                trace = Path(folder, "trace.jsonl") if gateway == "c" else None
                try:
                    check_pair(gateway_command, client_command, Path(folder), trace)
                    passed += 1
                except (Problem, OSError, ValueError, KeyError, IndexError) as problem:
                    failed += 1
                    print(f"FAILED: {client} client, {gateway} gateway: {problem}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
