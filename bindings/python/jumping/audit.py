"""The trace verifier: rebuilds each session's life from a trace file alone and checks that it obeys the design.

    python -m jumping.audit DEMO_TRACE.jsonl

A trace is a file of JSON lines: the events of one or more endpoints (told apart by ``node_id``; one run of an endpoint
each) as the library writes them, and lines of the host's own, which have no ``sequence`` and are counted, not judged.
Exit status: 0 when the trace holds, 1 when it does not, 2 when it cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Optional

__all__ = ["NO_SESSION", "Problem", "Report", "SessionLife", "TRANSITIONS", "verify", "verify_file"]

#: ``session_id`` of events that belong to the endpoint.
NO_SESSION = "0" * 32

_ENDED_WHEN_TROUBLED = frozenset({
    "session_lifetime_exceeded", "transport_ttl_exceeded", "security_failure", "operator_terminated", "peer_terminated",
    "ownership_moved"})
_TO_RECOVERING = frozenset({"loss_recovery", "dead_transport_recovery", "policy_forced_recovery", "stability_window_met"})

#: The state machine: what leads from one state to another. What is not here must not be in a trace.
TRANSITIONS: dict[tuple[str, str], frozenset[str]] = {
    ("BIRTH", "ATTACHED"): frozenset({"handshake_ok", "adoption_ok"}),
    ("ATTACHED", "VOLATILE"): frozenset({
        "loss_threshold_exceeded", "consecutive_drop_exceeded", "heartbeat_timeout", "latency_threshold_exceeded",
        "transport_dead", "peer_reported_volatility", "operator_requested"}),
    ("VOLATILE", "RECOVERING"): _TO_RECOVERING,
    ("VOLATILE", "DEGRADED"): frozenset({
        "volatile_persisted", "switch_rate_limited", "cooldown_active", "no_candidate_transports"}),
    ("DEGRADED", "RECOVERING"): _TO_RECOVERING,
    ("RECOVERING", "ATTACHED"): frozenset({"reattach_success"}),
    ("RECOVERING", "DEGRADED"): frozenset({
        "reattach_validation_failed", "no_candidate_transports", "policy_denied", "recovery_window_exceeded"}),
    ("BIRTH", "TERMINATED"): frozenset({
        "handshake_failed", "security_failure", "operator_terminated", "peer_terminated"}),
    ("ATTACHED", "TERMINATED"): _ENDED_WHEN_TROUBLED - {"transport_ttl_exceeded"},
    ("VOLATILE", "TERMINATED"): _ENDED_WHEN_TROUBLED,
    ("DEGRADED", "TERMINATED"): _ENDED_WHEN_TROUBLED,
    ("RECOVERING", "TERMINATED"): _ENDED_WHEN_TROUBLED,
}

_NEVER_FALLING = ("binding_version", "payloads_sent", "payloads_received")
_REQUIRED: dict[str, type] = {"ts_ms": int, "time_us": int, "event_type": str, "sequence": int, "session_id": str,
                              "node_id": str, "policy_version": str}
_REQUIRED_OF_SESSION: dict[str, type] = {"role": str, "state": str, "state_version": int, "binding_version": int,
                                         "payloads_sent": int, "payloads_received": int}
_REQUIRED_OF_CHANGE: dict[str, type] = {"previous_state": str, "new_state": str, "reason_code": str}


@dataclass(frozen=True)
class Problem:
    """What is wrong, and in which line (counted from 1; 0 for the trace as a whole)."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}" if self.line else self.text


@dataclass
class SessionLife:
    """A session as one endpoint saw it, rebuilt from its events."""

    node_id: str
    session_id: str
    role: str
    label: str
    state: str = "BIRTH"
    state_version: int = 0
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_NEVER_FALLING, 0))
    transitions: list[dict[str, Any]] = field(default_factory=list)
    switches: list[dict[str, Any]] = field(default_factory=list)
    end_reason: Optional[str] = None
    has_ended: bool = False
    missing_transitions: int = 0
    _drops_seen: int = 0

    def summary(self) -> str:
        """The life in one line."""
        states = " -> ".join(["BIRTH"] + [str(change["new_state"]) for change in self.transitions])
        jumps = ", ".join(f"{switch.get('from_transport')} -> {switch.get('to_transport')}" for switch in self.switches)
        end = f"ended: {self.end_reason}" if self.has_ended else f"still {self.state}"
        name = f" ({self.label})" if self.label else ""
        return f"{self.node_id} {self.role} {self.session_id}{name}: {states}; jumps: {jumps or 'none'}; {end}"


@dataclass
class Report:
    """What a trace shows. ``ok`` when nothing in it contradicts the design."""

    problems: list[Problem] = field(default_factory=list)
    sessions: list[SessionLife] = field(default_factory=list)
    events: int = 0
    host_lines: int = 0
    events_dropped: int = 0

    @property
    def ok(self) -> bool:
        """True when the trace has events and no problem."""
        return not self.problems

    def session(self, session_id: str, node_id: Optional[str] = None) -> Optional[SessionLife]:
        """The life of a session (as the given endpoint saw it), or None."""
        for life in self.sessions:
            if life.session_id == session_id and node_id in (None, life.node_id):
                return life
        return None


@dataclass
class _Node:
    sequence: int = 0
    dropped: int = 0
    time_us: int = 0


class _Verifier:
    def __init__(self) -> None:
        self.report = Report()
        self.nodes: dict[str, _Node] = {}
        self.lives: dict[tuple[str, str], SessionLife] = {}
        self.line = 0

    def problem(self, text: str) -> None:
        self.report.problems.append(Problem(self.line, text))

    def read(self, line_number: int, text: str) -> None:
        self.line = line_number
        try:
            event = json.loads(text)
        except ValueError as error:
            self.problem(f"not JSON: {error}")
            return
        if not isinstance(event, dict) or not isinstance(event.get("event_type"), str):
            self.problem("not an event: a JSON object with event_type is expected")
        elif "sequence" not in event:
            self.report.host_lines += 1
        elif self.has_fields(event, _REQUIRED):
            self.report.events += 1
            self.check_node(event)
            if event["session_id"] != NO_SESSION and self.has_fields(event, _REQUIRED_OF_SESSION):
                self.check_session(event)

    def has_fields(self, event: dict[str, Any], required: dict[str, type]) -> bool:
        for name, kind in required.items():
            if type(event.get(name)) is not kind:
                self.problem(f"{event['event_type']}: {name} must be {'a number' if kind is int else 'text'}, "
                             f"not {event.get(name)!r}")
                return False
        return True

    def check_node(self, event: dict[str, Any]) -> None:
        node = self.nodes.setdefault(event["node_id"], _Node())
        dropped = event.get("events_dropped", 0)
        missing = event["sequence"] - node.sequence - 1
        if missing < 0:
            self.problem(f"sequence goes from {node.sequence} to {event['sequence']}: repeated, reordered or another run")
        elif missing != dropped - node.dropped:
            self.problem(f"{missing} events are missing before sequence {event['sequence']}, but the library dropped "
                         f"{dropped - node.dropped}: lines were removed or added")
        if event["time_us"] < node.time_us:
            self.problem(f"time_us goes back from {node.time_us} to {event['time_us']}")
        self.report.events_dropped += max(0, dropped - node.dropped)
        node.sequence, node.dropped, node.time_us = event["sequence"], dropped, event["time_us"]

    def check_session(self, event: dict[str, Any]) -> None:
        key = (event["node_id"], event["session_id"])
        life = self.lives.get(key)
        kind = event["event_type"]
        if life is None:
            life = SessionLife(event["node_id"], event["session_id"], event["role"], str(event.get("label", "")))
            self.lives[key] = life
            self.report.sessions.append(life)
            drops = self.nodes[event["node_id"]].dropped
            if kind == "SessionCreated":
                life._drops_seen = drops
            else:
                life.state, life.state_version = event["state"], event["state_version"]
                if kind == "SessionStateChange":
                    life.state, life.state_version = str(event.get("previous_state")), event["state_version"] - 1
                if drops == 0:
                    self.problem(f"{kind} of session {event['session_id']}, which no SessionCreated began")
        elif kind == "SessionCreated":
            self.problem(f"session {event['session_id']} is created a second time")
        if life.has_ended:
            self.problem(f"{kind} after the end of session {life.session_id}")
            return
        self.check_constants(event, life)
        if kind == "SessionStateChange":
            if self.has_fields(event, _REQUIRED_OF_CHANGE):
                self.check_transition(event, life)
        else:
            self.check_state(event, life)
        if kind == "TransportSwitch":
            self.check_switch(event, life)
        elif kind == "SessionTerminated":
            self.check_end(event, life)
        life._drops_seen = self.nodes[life.node_id].dropped

    def check_constants(self, event: dict[str, Any], life: SessionLife) -> None:
        if event["role"] != life.role:
            self.problem(f"role changes from {life.role} to {event['role']}")
        label = str(event.get("label", ""))
        if label != life.label and life.label:
            self.problem(f"label changes from {life.label!r} to {label!r}")
        life.label = life.label or label
        for name in _NEVER_FALLING:
            if event[name] < life.counters[name]:
                self.problem(f"{name} falls from {life.counters[name]} to {event[name]}")
            life.counters[name] = event[name]

    def check_transition(self, event: dict[str, Any], life: SessionLife) -> None:
        previous, new, reason = event["previous_state"], event["new_state"], event["reason_code"]
        change = f"{previous} -> {new} ({reason})"
        skipped = event["state_version"] - life.state_version - 1
        may_skip = self.nodes[life.node_id].dropped - life._drops_seen
        if not 0 <= skipped <= may_skip:
            self.problem(f"{change}: state_version goes from {life.state_version} to {event['state_version']}, not up by 1")
        if 0 < skipped <= may_skip:
            life.missing_transitions += skipped
        elif previous != life.state:
            self.problem(f"{change}: the session was {life.state}")
        if life.state == "TERMINATED":
            self.problem(f"{change}: TERMINATED is left, but absorbs")
        if reason not in TRANSITIONS.get((previous, new), frozenset()):
            what = "reason" if (previous, new) in TRANSITIONS else "transition"
            self.problem(f"{change}: the state machine has no such {what}")
        if event["state"] != new:
            self.problem(f"{change}: the event's state is {event['state']}")
        life.state, life.state_version = new, event["state_version"]
        life.transitions.append(event)

    def check_state(self, event: dict[str, Any], life: SessionLife) -> None:
        kind, version = event["event_type"], event["state_version"]
        skipped = version - life.state_version
        if 0 < skipped <= self.nodes[life.node_id].dropped - life._drops_seen:
            life.missing_transitions += skipped
        elif skipped or event["state"] != life.state:
            self.problem(f"{kind}: state {event['state']}, state_version {version}, but the transitions led to {life.state}, "
                         f"{life.state_version}")
        elif life.state == "TERMINATED" and kind != "SessionTerminated":
            self.problem(f"{kind} in TERMINATED")
        life.state, life.state_version = event["state"], version

    def check_switch(self, event: dict[str, Any], life: SessionLife) -> None:
        for name in ("explicit", "auditable"):
            if event.get(name) is not True:
                self.problem(f"TransportSwitch: {name} must be true, not {event.get(name)!r}")
        left = (event.get("from_transport"), event.get("from_address"))
        used = (event.get("to_transport"), event.get("to_address"))
        if not all(left + used) or left == used:
            self.problem(f"TransportSwitch: must lead from one transport or address to another, not from {left} to {used}")
        if event["state"] != "ATTACHED":
            self.problem(f"TransportSwitch in {event['state']}: a switch is told once the session is ATTACHED")
        before = life.switches[-1]["binding_version"] if life.switches else 0
        if event["binding_version"] <= before:
            self.problem(f"TransportSwitch: binding_version must be above {before}, not {event['binding_version']}")
        life.switches.append(event)

    def finish(self) -> None:
        """Judges the trace as a whole, after its last line."""
        self.line = 0
        if self.report.events == 0:
            self.problem("the trace has no event of the library")
        for life in self.report.sessions:
            if life.state == "TERMINATED" and not life.has_ended and self.nodes[life.node_id].dropped == 0:
                self.problem(f"session {life.session_id} is TERMINATED, but SessionTerminated is missing: the trace was cut")

    def check_end(self, event: dict[str, Any], life: SessionLife) -> None:
        reason = event.get("reason_code")
        if life.state != "TERMINATED":
            self.problem(f"SessionTerminated, but the session is {life.state}")
        elif life.transitions and not life.missing_transitions and life.transitions[-1]["reason_code"] != reason:
            self.problem(f"SessionTerminated by {reason}, but the transition says {life.transitions[-1]['reason_code']}")
        life.has_ended = True
        life.end_reason = reason


def verify(lines: Iterable[str]) -> Report:
    """Checks a trace, given line by line (empty lines are ignored). A trace without any event is a problem too."""
    verifier = _Verifier()
    for number, text in enumerate(lines, start=1):
        if text.strip():
            verifier.read(number, text)
    verifier.finish()
    return verifier.report


def verify_file(path: str) -> Report:
    """:func:`verify` for a file. Raises OSError when it cannot be read."""
    with open(path, encoding="utf-8", errors="replace") as trace:
        return verify(trace)


def main(arguments: Optional[list[str]] = None) -> int:
    """The command: prints every session's life, every problem, and the verdict."""
    parser = argparse.ArgumentParser(prog="python -m jumping.audit", description="Checks a trace of libjumping events.")
    parser.add_argument("trace", help="a file of JSON lines")
    options = parser.parse_args(arguments)
    try:
        report = verify_file(options.trace)
    except OSError as error:
        print(f"{options.trace}: {error.strerror}", file=sys.stderr)
        return 2
    for life in report.sessions:
        print(life.summary())
    for problem in report.problems:
        print(f"WRONG: {problem}")
    dropped = f", {report.events_dropped} dropped by a full queue" if report.events_dropped else ""
    print(f"{report.events} events of {len(report.sessions)} sessions, {report.host_lines} host lines{dropped}: "
          + ("the trace holds" if report.ok else f"{len(report.problems)} problems"))
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
