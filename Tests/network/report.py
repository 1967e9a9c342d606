"""Results of scenarios: what was measured, what was demanded, and why it failed when it did."""

import json
import statistics
from dataclasses import dataclass, field


@dataclass
class Measure:
    """One quantity over the repetitions of a scenario.

    A limit of ``None`` means the quantity is only reported. Limits are inclusive. Where more is better (``is_floor``) the
    limits are lower ones, and the worst value is the smallest.
    """

    name: str
    unit: str
    values: list = field(default_factory=list)
    median_limit: float = None
    worst_limit: float = None
    is_floor: bool = False

    def median(self):
        """Median of the values, None when there are none."""
        return statistics.median(self.values) if self.values else None

    def worst(self):
        """Largest value (of a floor: smallest), None when there are none."""
        return (min if self.is_floor else max)(self.values) if self.values else None

    def exceeds(self):
        """Sentences about limits that do not hold."""
        wrong = []
        for which, value, limit in (("median", self.median(), self.median_limit), ("worst", self.worst(), self.worst_limit)):
            if limit is None or value is None or (value >= limit if self.is_floor else value <= limit):
                continue
            wrong.append(f"{self.name}: {which} {value:.1f} {self.unit} {'is below' if self.is_floor else 'exceeds'} {limit:g}")
        return wrong


@dataclass
class Result:
    """One scenario: its measures, its broken demands, and timelines of the runs that broke one."""

    name: str
    title: str
    measures: list = field(default_factory=list)
    failures: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    timelines: list = field(default_factory=list)
    runs: int = 0
    repeated: int = 0
    """Runs thrown away because the machine itself was late."""
    seconds: float = 0.0
    details: list = field(default_factory=list)
    """Summaries of every run, for the JSON file."""

    def demand(self, holds, sentence):
        """Notes a failure unless the demand holds; whether it does."""
        if not holds:
            self.failures.append(sentence)
        return bool(holds)

    def close(self):
        """Judges the measures; call once, after the last run."""
        for measure in self.measures:
            self.failures.extend(measure.exceeds())
            if not measure.values and (measure.median_limit is not None or measure.worst_limit is not None):
                self.failures.append(f"{measure.name}: nothing was measured")

    @property
    def passed(self):
        """Whether every demand held."""
        return not self.failures

    def as_object(self):
        """For the JSON file."""
        return {"name": self.name, "title": self.title, "passed": self.passed, "failures": self.failures, "notes": self.notes,
                "runs": self.runs, "repeated": self.repeated, "seconds": round(self.seconds, 1),
                "measures": [{"name": measure.name, "unit": measure.unit, "values": measure.values, "median": measure.median(),
                              "worst": measure.worst(), "median_limit": measure.median_limit, "worst_limit": measure.worst_limit}
                             for measure in self.measures],
                "timelines": self.timelines, "details": self.details}


def _limit(measure, value):
    return "-" if value is None else f"{'≥ ' if measure.is_floor else ''}{value:g}"


def table(results):
    """The measured values as lines of text, one measure a line."""
    rows = [("scenario", "measure", "median", "limit", "worst", "limit", "runs", "")]
    for result in results:
        verdict = "ok" if result.passed else "FAILED"
        if not result.measures:
            rows.append((result.name, "-", "-", "-", "-", "-", str(result.runs), verdict))
        for index, measure in enumerate(result.measures):
            values = ("-", "-") if not measure.values else (f"{measure.median():.1f}", f"{measure.worst():.1f}")
            rows.append((result.name if index == 0 else "", f"{measure.name} ({measure.unit})", values[0], _limit(measure, measure.median_limit),
                         values[1], _limit(measure, measure.worst_limit), str(len(measure.values)), verdict if index == 0 else ""))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) if column < 2 or column == 7 else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return lines


def timeline(outcome, origin, until, before_us=60_000, most=80):
    """What happened around a fault, in milliseconds since it: the orchestrator's marks, both ends' events, first arrivals."""
    rows = [(at, "network", note) for at, note in outcome.marks]
    for side, lines in (("client", outcome.client_lines), ("gateway", outcome.gateway_lines)):
        rows.extend((line["t"], side, _describe(line)) for line in lines if "summary" not in line)
    client = outcome.client
    rows.append((client.get("fault_gap_from", 0), "client", "last arrival before the longest gap"))
    rows.append((client.get("fault_gap_to", 0), "client", "first arrival after the longest gap"))
    rows.append((client.get("first_on_b", 0), "client", "first arrival over udp:B"))
    # The sort is stable: what one end says of one moment stays in its order.
    rows = sorted((row for row in rows if origin - before_us <= row[0] <= until), key=lambda row: row[0])
    lines, last, again = [], None, 0
    for at, side, what in rows:
        if (side, what) == last:
            again += 1
            continue
        if again:
            lines.append(f"  {'':9}     {'':8} ... the same {again} times more")
        last, again = (side, what), 0
        lines.append(f"  {(at - origin) / 1000:9.1f} ms  {side:8} {what}")
    if again:
        lines.append(f"  {'':9}     {'':8} ... the same {again} times more")
    cut = [] if len(lines) <= most else [f"  ... {len(lines) - most} lines more"]
    return lines[:most] + cut


# Fields of an event that explain a jump, in the order in which they are shown.
_TELLING = ("previous_state", "new_state", "reason_code", "cause", "from_transport", "to_transport", "transport", "loss_ratio",
            "latency_estimate_ms", "attempt_id", "candidate_count")
_ADDRESSED = ("TransportSwitch", "ReattachAttempt", "SecurityReplayDetected", "SecurityValidationFailed")


def _describe(line):
    if "event" not in line:
        return ", ".join(f"{key} {value}" for key, value in line.items() if key != "t")
    event = line["event"]
    told = [f"{key}={event[key]}" for key in _TELLING if event.get(key) not in (None, "", 0)]
    # Addresses matter only where someone else's may turn up.
    if line["type"] in _ADDRESSED:
        told += [f"{key}={line[key]}" for key in ("from_address", "to_address") if line.get(key)]
    return " ".join([line["type"], *told])


def write_json(path, results, seconds):
    """All results into a file."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"seconds": round(seconds, 1), "passed": sum(result.passed for result in results),
                   "failed": sum(not result.passed for result in results),
                   "scenarios": [result.as_object() for result in results]}, file, indent=1)
        file.write("\n")
