"""Turns a recorded trace, JSON lines as `jmp_event_to_json` writes them, into the numbers that trace.pml reads.

`trace.py list FILE` numbers its sessions, one of each story; `trace.py write CHECKER FILE NUMBER [CHANGE]` prints one of them, doctored by CHANGE if
given, for the checker with this pan.c; `trace.py changes` names the changes. Only what the model shows is used: state changes, attempts, results and
switches of both ends.
"""
import json
import re
import sys

SHOWN = {"SessionStateChange": "STATE", "ReattachAttempt": "ATTEMPT", "ReattachResult": "RESULT", "TransportSwitch": "SWITCH"}
KINDS = ("", "STATE", "ATTEMPT", "RESULT", "SWITCH")    # numbers as in trace.pml
MOST_ATTEMPTS = 30                                      # ids that trace.pml can tell apart
NO_PATH = 2
PATHS = {"udp:A": 0, "udp:B": 1}


def sessions(name):
    """The first session of every world recorded in a file: lists of the events shown, in the file's order."""
    worlds = []
    with open(name, encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("{"):
                continue
            event = json.loads(line)
            if event["event_type"] == "SessionCreated" and event["role"] == "client" and event["sequence"] == 1:
                worlds.append([])
            if worlds:
                worlds[-1].append(event)
    return [[e for e in world if e["session_id"] == world[0]["session_id"] and e["event_type"] in SHOWN] for world in worlds]


def is_modelled(events):
    """Two paths at most: the model has no more."""
    return bool(events) and all(e.get("to_transport", "udp:A") in PATHS and e.get("transport", "udp:A") in PATHS for e in events)


def story(events):
    """What two sessions have in common that differ in nothing the model shows but times and ids."""
    return tuple((e["role"], e["event_type"], e.get("new_state"), e.get("reason_code"), e.get("to_transport")) for e in events)


def words(checker):
    """The numbers that a checker gives to states and reasons."""
    with open(checker, encoding="utf-8") as text:
        return {name: int(number) for number, name in re.findall(r'case (\d+): Printf\("(\w+)"\)', text.read())}


class Recording:
    """The events of both ends as rows of numbers."""

    def __init__(self, events, numbers_of_words):
        self.words = numbers_of_words
        self.rows = {"client": [], "gateway": []}
        self.numbers = {}
        self.last_at_gateway = 0
        announced = {e["attempt_id"] for e in events if e["role"] == "client" and e["event_type"] == "ReattachAttempt"}
        self.rebindings = []
        versions = {"client": 0, "gateway": 0}
        for event in events:
            end = event["role"]
            kind = SHOWN[event["event_type"]]
            if kind == "STATE":
                versions[end] += 1
                if event["state_version"] != versions[end]:
                    raise ValueError(f"state_version {event['state_version']} at the {end} where {versions[end]} is due")
            if kind == "ATTEMPT" and end == "gateway" and event["attempt_id"] not in {*announced, *self.numbers}:
                self.rebindings.append(self.number(event["attempt_id"]))
            self.rows[end].append((KINDS.index(kind), *self.describe(kind, event), event["binding_version"], event["time_us"]))
            if end == "gateway" and "attempt_id" in event:
                self.last_at_gateway = self.number(event["attempt_id"])

    def number(self, attempt):
        """Attempt ids as 1, 2, 3 … and from 1 again, but never what the gateway remembers as its last."""
        if attempt not in self.numbers:
            number = len(self.numbers) % MOST_ATTEMPTS + 1
            while number == self.last_at_gateway:
                number = number % MOST_ATTEMPTS + 1
            self.numbers[attempt] = number
        return self.numbers[attempt]

    def describe(self, kind, event):
        """First and second value and the path of an event."""
        if kind == "STATE":
            return self.words[event["new_state"]], self.words[event["reason_code"]], NO_PATH
        if kind == "SWITCH":
            return PATHS[event["to_transport"]], 0, NO_PATH
        number = self.number(event["attempt_id"])
        return number, self.words[event["reason_code"]], PATHS[event["to_transport"]] if kind == "ATTEMPT" else NO_PATH

    def lines(self):
        """The file that trace.pml reads: an end and its kind, first, second, path, binding and how many events of the other end are earlier."""
        for end, prefix, other in (("client", "c", "gateway"), ("gateway", "g", "client")):
            for *row, time in self.rows[end]:
                yield " ".join(map(str, (prefix, *row, sum(row[-1] < time for row in self.rows[other]))))
        yield from (f"r {number}" for number in self.rebindings)


def position(events, kind, end):
    """Where the last event of a kind at an end is."""
    return max(n for n, e in enumerate(events) if e["event_type"] == kind and e["role"] == end)


def forget_the_bind(events):
    """The client attaches to what the gateway never bound."""
    cut = position(events, "ReattachResult", "gateway")
    return [e for n, e in enumerate(events) if e["role"] == "client" or n < cut - 2]


def bind_another_path(events):
    """The gateway switches to one path, the client to the other."""
    n = position(events, "TransportSwitch", "client")
    events[n] = {**events[n], "to_transport": "udp:A" if events[n]["to_transport"] == "udp:B" else "udp:B"}
    return events


def skip_a_version(events):
    """The client claims a binding that was not made."""
    for n, e in enumerate(events):
        if e["role"] == "client" and e["binding_version"] > 0:
            events[n] = {**e, "binding_version": e["binding_version"] + 1}
    return events


def attach_before_the_gateway(events):
    """The client knows of the bind before it was made."""
    time = events[position(events, "ReattachAttempt", "gateway")]["time_us"] - 1
    first = position(events, "ReattachResult", "client")
    return sorted(({**e, "time_us": min(e["time_us"], time)} if n >= first and e["role"] == "client" else e for n, e in enumerate(events)),
                  key=lambda e: e["time_us"])


def answer_another_attempt(events):
    """The gateway grants a request that the client never sent."""
    for n, e in enumerate(events):
        if e["role"] == "gateway" and "attempt_id" in e:
            events[n] = {**e, "attempt_id": "0" * 16, "reason_code": "heartbeat_timeout" if e["event_type"] == "ReattachAttempt" else e["reason_code"]}
    return events


CHANGES = {change.__name__: change for change in (forget_the_bind, bind_another_path, skip_a_version, attach_before_the_gateway, answer_another_attempt)}


def main():
    """The command line of the module's description."""
    if sys.argv[1:] == ["changes"]:
        print(*CHANGES, sep="\n")
        return
    if sys.argv[1] == "list":
        stories = {story(events): n for n, events in reversed(list(enumerate(sessions(sys.argv[2])))) if is_modelled(events)}
        print(*sorted(stories.values()), sep="\n")
        return
    checker, name, number, *change = sys.argv[2:]
    events = sessions(name)[int(number)]
    print(*Recording(CHANGES[change[0]](events) if change else events, words(checker)).lines(), sep="\n")


if __name__ == "__main__":
    main()
