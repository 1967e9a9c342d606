"""The seed documents' commands as a user types them: subprocesses, real UDP on free loopback ports, traces checked line by line."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "python"
PSK = "DEMO_PSK_CHANGE_ME"
TTL_SECONDS = 30


def free_ports(count: int) -> list[int]:
    """UDP ports that nobody has now."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    try:
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [opened.getsockname()[1] for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()


def events_of(text: str) -> list[dict[str, Any]]:
    """The JSON lines of ``text``; lines for people are left out."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


class Commands(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def run_command(self, *arguments: str, seconds: float = 20) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *arguments], cwd=EXAMPLES, capture_output=True, text=True, timeout=seconds,
                              check=False, stdin=subprocess.DEVNULL)

    def start_server(self, *arguments: str) -> "tuple[subprocess.Popen[str], Path]":
        """A server in the background that has said its first line, and the file it writes to."""
        said = self.folder / "server.log"
        with said.open("w", encoding="utf-8") as output:
            server = subprocess.Popen([sys.executable, "-u", *arguments], cwd=EXAMPLES, stdout=output, stderr=subprocess.STDOUT,
                                      text=True, stdin=subprocess.DEVNULL)
        self.addCleanup(self.stop, server)
        deadline = time.monotonic() + 10
        while "\n" not in said.read_text(encoding="utf-8"):
            self.assertIsNone(server.poll(), said.read_text(encoding="utf-8"))
            self.assertLess(time.monotonic(), deadline, "the server says nothing")
            time.sleep(0.02)
        return server, said

    def stop(self, server: "subprocess.Popen[str]", signal_number: int = signal.SIGINT) -> int:
        """Ends a server as Ctrl-C does (or by another signal); its exit status."""
        if server.poll() is None:
            server.send_signal(signal_number)
        try:
            return server.wait(10)
        finally:
            server.kill()
            server.wait()

    def check_trace(self, trace: Path, label: str) -> list[dict[str, Any]]:
        """A demo trace tells one session's jump from udp:A to udp:B; gives its events."""
        lines = events_of(trace.read_text(encoding="utf-8"))
        events = [line for line in lines if "sequence" in line]
        self.assertEqual(len({line["session_id"] for line in lines if "session_id" in line}), 1)
        self.assertEqual({event["label"] for event in events}, {label})
        self.assertEqual([event["sequence"] for event in events], list(range(1, len(events) + 1)))
        names = [event["event_type"] for event in events]
        order = [names.index(name) for name in ("SessionCreated", "SessionStateChange", "VolatilitySignal", "TransportSwitch")]
        self.assertEqual(order, sorted(order))
        switch, = (event for event in events if event["event_type"] == "TransportSwitch")
        self.assertEqual((switch["from_transport"], switch["to_transport"], switch["explicit"], switch["auditable"]),
                         ("udp:A", "udp:B", True, True))
        states = [event["new_state"] for event in events if event["event_type"] == "SessionStateChange"]
        self.assertEqual(states[:4], ["ATTACHED", "VOLATILE", "RECOVERING", "ATTACHED"])
        received = [event["payloads_received"] for event in events]
        self.assertEqual(received, sorted(received))
        self.assertGreater(received[-1], switch["payloads_received"])
        return events

    def test_live_demo(self) -> None:
        trace = self.folder / "trace.jsonl"
        ran = self.run_command("live_demo.py", "--trace", str(trace))
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        self.assertIn("PASSED", ran.stdout)
        self.check_trace(trace, "DEMO-SESSION")
        audited = self.run_command("-m", "jumping.audit", str(trace))
        self.assertEqual(audited.returncode, 0, audited.stdout + audited.stderr)
        # The audit is no rubber stamp: without the line of the jump the trace does not pass.
        lines = trace.read_text(encoding="utf-8").splitlines()
        at = next(index for index, line in enumerate(lines) if '"TransportSwitch"' in line)
        trace.write_text("\n".join(lines[:at] + lines[at + 1:]) + "\n", encoding="utf-8")
        self.assertNotEqual(self.run_command("-m", "jumping.audit", str(trace)).returncode, 0)

    def test_prototype(self) -> None:
        first, second = map(str, free_ports(2))
        where = ("--host", "127.0.0.1", "--port-a", first, "--port-b", second, "--psk", PSK)
        server, said = self.start_server("-m", "prototype.server", *where)
        trace = self.folder / "trace.jsonl"
        ran = self.run_command("-m", "prototype.client", *where, "--session-id", "MY-SESSION", "--trace", str(trace))
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        events = self.check_trace(trace, "MY-SESSION")
        self.assertEqual(self.stop(server), 0)
        far = [event for event in events_of(said.read_text(encoding="utf-8")) if "sequence" in event]
        self.assertEqual({event["session_id"] for event in far if set(event["session_id"]) != {"0"}}, {events[0]["session_id"]})
        self.assertEqual(len([event for event in far if event["event_type"] == "TransportSwitch"]), 1)
        self.assertEqual(len([event for event in far if event["event_type"] == "SessionCreated"]), 1)

    def test_prototype_with_another_psk(self) -> None:
        first, second = map(str, free_ports(2))
        where = ("--host", "127.0.0.1", "--port-a", first, "--port-b", second)
        self.start_server("-m", "prototype.server", *where, "--psk", "one")
        ran = self.run_command("-m", "prototype.client", *where, "--psk", "another", "--trace", str(self.folder / "trace"))
        self.assertNotEqual(ran.returncode, 0)
        self.assertNotIn("Traceback", ran.stderr)

    def real_udp(self, *client: str, seconds: float = 20) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
        """Server and client of the real UDP prototype: (client's lines, server's lines, client's status)."""
        port, = free_ports(1)
        server, said = self.start_server("real_udp_prototype.py", "server", "--bind", f"0.0.0.0:{port}")
        ran = self.run_command("real_udp_prototype.py", "client", "--server", f"127.0.0.1:{port}", *client, seconds=seconds)
        self.assertNotIn("Traceback", ran.stderr)
        near, deadline = events_of(ran.stdout), time.monotonic() + 5
        while "SessionTerminated" not in said.read_text(encoding="utf-8") and time.monotonic() < deadline:
            time.sleep(0.05)
        self.stop(server)
        return near, events_of(said.read_text(encoding="utf-8")), ran.returncode

    def test_real_udp(self) -> None:
        near, far, status = self.real_udp("--count", "3")
        self.assertEqual(status, 0, near[-1:])
        names = [line["event_type"] for line in near]
        story = ["HANDSHAKE_INIT", "SessionEstablished", "DataRoundtrip", "SimulateTransportDeath", "REATTACH_REQUEST", "ReattachResult"]
        self.assertEqual([names.index(name) for name in story], sorted(names.index(name) for name in story))
        trips = [line for line in near if line["event_type"] == "DataRoundtrip"]
        self.assertEqual([trip["counter"] for trip in trips], list(range(6)))
        self.assertEqual([trip["local_port"] for trip in trips[:3]], [trips[0]["local_port"]] * 3)
        self.assertEqual([trip["local_port"] for trip in trips[3:]], [trips[3]["local_port"]] * 3)
        self.assertNotEqual(trips[0]["local_port"], trips[3]["local_port"])
        self.assertEqual(len({line["session_id"] for line in near if "session_id" in line}), 1)
        self.assertEqual(far[0]["event_type"], "ServerStart")
        switch, = (line for line in far if line["event_type"] == "TransportSwitch")
        self.assertEqual((switch["explicit"], switch["auditable"]), (True, True))
        self.assertTrue(switch["from_transport"] and switch["to_transport"])
        self.assertEqual(len([line for line in far if line["event_type"] == "SessionCreated"]), 1)

    def test_real_udp_past_the_ttl(self) -> None:
        """The transport is gone for longer than the transport-lost TTL of 30 s."""
        near, far, _ = self.real_udp("--count", "1", "--death-seconds", str(TTL_SECONDS + 1), seconds=60)
        result = [line for line in near if line["event_type"] == "ReattachResult"][-1]
        self.assertEqual(result["reason_code"], "transport_ttl_exceeded")
        self.assertEqual(len([line for line in near if line["event_type"] == "DataRoundtrip"]), 1)
        ended, = (line for line in far if line["event_type"] == "SessionTerminated")
        self.assertEqual(ended["reason_code"], "transport_ttl_exceeded")
        lost, = (line for line in near if line["event_type"] == "SessionTerminated")
        dark = next(line for line in near if line["event_type"] == "SimulateTransportDeath")
        self.assertGreaterEqual(lost["ts_ms"] - dark["ts_ms"], TTL_SECONDS * 1000 - 100)

    def test_servers_stop_cleanly(self) -> None:
        first, second = map(str, free_ports(2))
        for command in (("-m", "prototype.server", "--port-a", first, "--port-b", second),
                        ("real_udp_prototype.py", "server", "--bind", f"127.0.0.1:{first}")):
            for signal_number in (signal.SIGINT, signal.SIGTERM):
                server, said = self.start_server(*command)
                self.assertEqual(self.stop(server, signal_number), 0, command)
                lines = said.read_text(encoding="utf-8")
                self.assertEqual(events_of(lines)[-1]["event_type"], "ServerStop", lines)
                self.assertNotIn("Traceback", lines)

    def test_commands_refuse_nonsense(self) -> None:
        for command in (("live_demo.py", "--duration", "x"), ("real_udp_prototype.py", "client", "--server", "nowhere"),
                        ("real_udp_prototype.py", "client", "--count", "0"), ("-m", "prototype.client", "--port-a", "70000")):
            ran = self.run_command(*command)
            self.assertEqual(ran.returncode, 2, command)
            self.assertNotIn("Traceback", ran.stderr)


if __name__ == "__main__":
    unittest.main()
