"""Judges the demo by its trace alone: did the session really jump from udp:A to udp:B and stay the same session?"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from . import TRANSPORTS

from jumping.audit import NO_SESSION, verify

__all__ = ["Verdict", "judge"]

_FEWEST_ROUNDTRIPS = 3


@dataclass
class Verdict:
    """What was proven, and the reasons why the demo failed; it passed when there are none."""

    session_id: str = ""
    proven: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True when everything happened."""
        return not self.failures

    def check(self, holds: bool, claim: str, otherwise: str = "") -> bool:
        """Notes a claim that the trace proves, or what is missing."""
        if holds:
            self.proven.append(claim)
        else:
            self.failures.append(otherwise or f"the trace does not show: {claim}")
        return holds


def _find(events: list[dict[str, Any]], start: int, **wanted: Any) -> int:
    """Index of the first event from ``start`` on whose fields are as wanted; -1 when there is none."""
    for index in range(start, len(events)):
        if all(events[index].get(name) == value for name, value in wanted.items()):
            return index
    return -1


def _judge_order(events: list[dict[str, Any]], verdict: Verdict) -> int:
    """Walks the story in its order; gives the index of the switch, or -1."""
    first, second = TRANSPORTS
    story: list[tuple[str, dict[str, Any]]] = [
        ("the session is created", {"event_type": "SessionCreated"}),
        (f"it is ATTACHED on {first}",
         {"event_type": "SessionStateChange", "new_state": "ATTACHED", "transport": first}),
        (f"{first} goes dark, unannounced", {"event_type": "SimulateTransportDeath", "transport": first}),
        (f"{first} shows trouble by itself (VolatilitySignal)",
         {"event_type": "VolatilitySignal", "transport": first}),
        ("ATTACHED -> VOLATILE",
         {"event_type": "SessionStateChange", "previous_state": "ATTACHED", "new_state": "VOLATILE"}),
        ("-> RECOVERING", {"event_type": "SessionStateChange", "new_state": "RECOVERING"}),
        (f"-> ATTACHED on {second}", {"event_type": "SessionStateChange", "previous_state": "RECOVERING",
                                      "new_state": "ATTACHED", "transport": second}),
        (f"TransportSwitch {first} -> {second}, explicit and auditable",
         {"event_type": "TransportSwitch", "from_transport": first, "to_transport": second, "explicit": True,
          "auditable": True}),
    ]
    index = -1
    for claim, wanted in story:
        index = _find(events, index + 1, **wanted)
        if not verdict.check(index >= 0, claim):
            return -1
    return index


def _judge_counters(events: list[dict[str, Any]], switch: int, verdict: Verdict) -> None:
    first, second = TRANSPORTS
    roundtrips = [(index, event) for index, event in enumerate(events) if event["event_type"] == "DataRoundtrip"]
    counters = [event["counter"] for _, event in roundtrips]
    before = sum(1 for index, event in roundtrips if index < switch and event["transport"] == first)
    after = sum(1 for index, event in roundtrips if index > switch and event["transport"] == second)
    verdict.check(min(before, after) >= _FEWEST_ROUNDTRIPS,
                  f"round trips on both transports ({before} noted on {first}, {after} on {second})",
                  f"only {before} round trips are noted on {first} and {after} on {second}")
    falls = [f"{low} is followed by {high}" for low, high in zip(counters, counters[1:]) if low >= high]
    verdict.check(not falls, "counters rise throughout",
                  f"the counters of DataRoundtrip do not rise: {', '.join(falls[:3])}")


def judge(path: str, label: str) -> Verdict:
    """Reads the trace at ``path``. Raises OSError when it cannot be read."""
    verdict = Verdict()
    with open(path, encoding="utf-8") as trace:
        lines = trace.readlines()
    report = verify(lines)
    for problem in report.problems:
        verdict.failures.append(f"the audit trail is broken, {problem}")
    if not report.ok:
        return verdict
    verdict.proven.append(f"the audit trail holds ({report.events} events; every transition by the table)")
    events = [json.loads(line) for line in lines if line.strip()]
    switch = _judge_order(events, verdict)
    sessions = sorted({event["session_id"] for event in events if event.get("session_id", NO_SESSION) != NO_SESSION})
    if verdict.check(len(sessions) == 1, "one session id from the first event to the last",
                     f"{len(sessions)} session ids instead of one: {', '.join(sessions)}"):
        verdict.session_id = sessions[0]
    verdict.check(all(life.label == label for life in report.sessions), f"its audit label is {label}")
    if switch >= 0:
        _judge_counters(events, switch, verdict)
    return verdict
