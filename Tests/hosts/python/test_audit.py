"""The trace verifier: an honest trace holds, and every way of doctoring it that is tried here is found, each for its reason."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jumping
from jumping import audit
from support import World

Trace = list[dict[str, Any]]
ANOTHER_SESSION = "ab" * 16


def jump_and_close() -> Trace:
    """Both ends' events of a session that loses its path, jumps and is closed, the client's first."""
    configs = [jumping.Config(node_id=name) for name in ("client", "gateway")]
    with World(client=configs[0], gateway=configs[1]) as world:
        near, _ = world.establish(label="AUDITED")
        world.cut.add(0)
        for number in range(60):
            world.say(near, b"%d" % number)
            world.run(10_000)
        world.run(500_000)
        near.close(now=world.now)
        world.run(500_000)
        return [event.to_dict() for end in (world.client, world.gateway) for event in world.events[end]]


def problems_of(trace: Trace) -> list[str]:
    return [str(problem) for problem in audit.verify(json.dumps(event) for event in trace).problems]


def numbered_again(trace: Trace) -> Trace:
    """What a careful forger does after removing or adding lines: every node's sequence without a gap."""
    last: dict[str, int] = {}
    for event in trace:
        event["sequence"] = last[event["node_id"]] = last.get(event["node_id"], 0) + 1
    return trace


class DoctoredTraces(unittest.TestCase):
    honest: Trace

    @classmethod
    def setUpClass(cls) -> None:
        cls.honest = jump_and_close()

    def index(self, event_type: str, occurrence: int = 0, **wanted: Any) -> int:
        """Where the client's event of this type stands."""
        found = [index for index, event in enumerate(self.honest) if event["event_type"] == event_type
                 and event["node_id"] == "client" and all(event.get(name) == value for name, value in wanted.items())]
        return found[occurrence]

    def check_found(self, doctor: Callable[[Trace], Any], said: str) -> None:
        """``doctor`` changes a copy of the honest trace; the verifier must say why it does not hold."""
        trace = copy.deepcopy(self.honest)
        changed = doctor(trace)
        problems = problems_of(trace if changed is None else changed)
        self.assertTrue(any(said in problem for problem in problems), problems or "the doctored trace holds")

    def test_the_honest_trace_holds(self) -> None:
        self.assertEqual(problems_of(self.honest), [])
        report = audit.verify(json.dumps(event) for event in self.honest)
        life = report.session(self.honest[0]["session_id"], "client")
        assert life is not None
        self.assertEqual([change["new_state"] for change in life.transitions],
                         ["ATTACHED", "VOLATILE", "RECOVERING", "ATTACHED", "TERMINATED"])
        self.assertEqual([(switch["from_transport"], switch["to_transport"]) for switch in life.switches], [("mem:0", "mem:1")])
        self.assertEqual((life.end_reason, life.label), ("operator_terminated", "AUDITED"))

    def test_the_table_is_the_state_machine(self) -> None:
        """The verifier's own table knows the library's states and reasons by their names, and TERMINATED absorbs."""
        states = {jumping.state_name(state) for state in jumping.State}
        reasons = {jumping.reason_name(reason) for reason in jumping.Reason}
        for (left, entered), why in audit.TRANSITIONS.items():
            self.assertLessEqual({left, entered}, states)
            self.assertLessEqual(why, reasons)
            self.assertNotEqual(left, "TERMINATED")
        self.assertNotIn(("VOLATILE", "ATTACHED"), audit.TRANSITIONS)
        self.assertNotIn(("ATTACHED", "ATTACHED"), audit.TRANSITIONS)

    def test_lines_removed_repeated_or_swapped(self) -> None:
        switch = self.index("TransportSwitch")
        self.check_found(lambda trace: trace.pop(switch) and None, "events are missing before sequence")
        self.check_found(lambda trace: trace.insert(switch, dict(trace[switch])), "repeated, reordered or another run")
        self.check_found(lambda trace: trace.insert(switch, trace.pop(switch + 1)), "repeated, reordered or another run")

    def test_a_transition_removed_and_the_rest_numbered_again(self) -> None:
        """The next line of the session gives it away, and says what it shows: a version too high, or a state nothing led to."""
        established, volatile, recovering, bound, terminated = (
            index for index, event in enumerate(self.honest)
            if event["node_id"] == "client" and event["event_type"] == "SessionStateChange")
        led = "state {0}, state_version {1}, but the transitions led to {2}, {3}".format
        climbed = "VOLATILE -> RECOVERING (dead_transport_recovery)"
        for removed, messages in (
                (established, ["SessionEstablished: " + led("ATTACHED", 1, "BIRTH", 0)]),
                (volatile, [f"{climbed}: state_version goes from 1 to 3, not up by 1", f"{climbed}: the session was ATTACHED"]),
                (recovering, ["ReattachAttempt: " + led("RECOVERING", 3, "VOLATILE", 2)]),
                (bound, ["TransportSwitch: " + led("ATTACHED", 4, "RECOVERING", 3)]),
                (terminated, ["SessionTerminated: " + led("TERMINATED", 5, "ATTACHED", 4),
                              "SessionTerminated by operator_terminated, but the transition says reattach_success"])):
            with self.subTest(self.honest[removed]["new_state"]):
                doctored = numbered_again(copy.deepcopy(self.honest[:removed] + self.honest[removed + 1:]))
                self.assertEqual(problems_of(doctored), [f"line {removed + 1}: {message}" for message in messages])

    def test_the_beginning_or_the_end_cut_off(self) -> None:
        self.check_found(lambda trace: numbered_again(trace[1:]), "which no SessionCreated began")
        end = self.index("SessionTerminated")
        self.check_found(lambda trace: numbered_again(trace[:end]), "the trace was cut")
        self.check_found(lambda trace: [], "no event of the library")

    def test_a_transition_that_does_not_exist(self) -> None:
        volatile = self.index("SessionStateChange", new_state="VOLATILE")
        recovered = self.index("SessionStateChange", previous_state="RECOVERING")
        self.check_found(lambda trace: trace[volatile].update(new_state="RECOVERING", state="RECOVERING"), "no such transition")
        self.check_found(lambda trace: trace[recovered].update(previous_state="VOLATILE"), "no such transition")
        self.check_found(lambda trace: trace[volatile].update(reason_code="reattach_success"), "no such reason")
        self.check_found(lambda trace: trace[volatile].update(reason_code="because"), "no such reason")

    def test_a_state_version_that_is_not_one_more(self) -> None:
        volatile = self.index("SessionStateChange", new_state="VOLATILE")
        for change in (-1, 1, 7):
            self.check_found(lambda trace, change=change: trace[volatile].update(  # type: ignore[misc]
                state_version=trace[volatile]["state_version"] + change), "not up by 1")

    def test_another_identity(self) -> None:
        """A session that silently becomes another one is the one thing that must never pass."""
        volatile = self.index("SessionStateChange", new_state="VOLATILE")

        def replace_identity(trace: Trace) -> None:
            for event in trace[volatile:]:
                event["session_id"] = ANOTHER_SESSION
        self.check_found(replace_identity, "which no SessionCreated began")
        self.check_found(lambda trace: trace[volatile].update(role="gateway"), "role changes")
        self.check_found(lambda trace: trace[volatile].update(label="SOMEONE"), "label changes")

    def test_life_after_the_end(self) -> None:
        end, volatile = self.index("SessionTerminated"), self.index("SessionStateChange", new_state="VOLATILE")

        def revive(trace: Trace) -> Trace:
            again = {**trace[volatile], "time_us": trace[end]["time_us"], "previous_state": "TERMINATED",
                     "new_state": "ATTACHED", "state": "ATTACHED", "state_version": trace[end]["state_version"] + 1}
            return numbered_again(trace[:end + 1] + [again] + trace[end + 1:])
        self.check_found(revive, "after the end of session")

        def revive_before_the_last_word(trace: Trace) -> Trace:
            again = {**trace[end - 1], "previous_state": "TERMINATED", "new_state": "ATTACHED", "state": "ATTACHED",
                     "state_version": trace[end]["state_version"] + 1}
            return numbered_again(trace[:end] + [again] + trace[end:])
        self.check_found(revive_before_the_last_word, "TERMINATED is left")

        def create_again(trace: Trace) -> Trace:
            return numbered_again(trace[:end] + [{**trace[0], "time_us": trace[end]["time_us"]}] + trace[end:])
        self.check_found(create_again, "created a second time")

    def test_a_switch_that_is_not_explicit(self) -> None:
        at = self.index("TransportSwitch")
        self.check_found(lambda trace: trace[at].update(explicit=False), "explicit must be true")
        self.check_found(lambda trace: trace[at].pop("auditable") and None, "auditable must be true")
        self.check_found(lambda trace: trace[at].update(
            to_transport=trace[at]["from_transport"], to_address=trace[at]["from_address"]), "must lead from one transport")
        self.check_found(lambda trace: trace[at].update(binding_version=0), "binding_version")

    def test_counters_and_clocks_that_fall(self) -> None:
        at = self.index("TransportSwitch")
        for name in ("payloads_sent", "binding_version"):
            self.check_found(lambda trace, name=name: trace[at + 1].update({name: -1}), f"{name} falls")  # type: ignore[misc]
        self.check_found(lambda trace: trace[at].update(time_us=1), "time_us goes back")

    def test_another_end(self) -> None:
        end = self.index("SessionTerminated")
        self.check_found(lambda trace: trace[end].update(reason_code="peer_terminated"), "but the transition says")

    def test_lines_that_are_no_events(self) -> None:
        for line, said in (("{", "not JSON"), ("[]", "not an event"), ('"text"', "not an event"), ("{}", "not an event"),
                           ('{"event_type":"SessionCreated","sequence":"1"}', "must be"), ("\x00", "not JSON")):
            problems = [str(problem) for problem in audit.verify([*map(json.dumps, self.honest), line]).problems]
            self.assertEqual(len(problems), 1, line)
            self.assertIn(said, problems[0])

    def test_drops_that_the_library_admits(self) -> None:
        """A full event queue drops lines and says so: a gap of exactly that size is not a forgery."""
        at = self.index("TransportAttached")
        trace = copy.deepcopy(self.honest)
        for event in trace[at + 1:]:
            if event["node_id"] == "client":
                event["events_dropped"] = 1
        trace.pop(at)
        self.assertEqual(problems_of(trace), [])

    def test_the_command(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.jsonl"
            path.write_text("".join(json.dumps(event) + "\n" for event in self.honest), encoding="utf-8")
            self.assertEqual(self.run_command(str(path)), (0, True))
            path.write_text("".join(json.dumps(event) + "\n" for event in self.honest[2:]), encoding="utf-8")
            self.assertEqual(self.run_command(str(path)), (1, False))
            self.assertEqual(self.run_command(str(path) + ".missing"), (2, False))

    @staticmethod
    def run_command(path: str) -> tuple[int, bool]:
        """(exit status, whether it said that the trace holds)."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = audit.main([path])
        return status, "the trace holds" in said.getvalue()


if __name__ == "__main__":
    unittest.main()
