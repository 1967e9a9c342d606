"""Scenarios in which both ends send protected payloads and the path under them fails: none may be lost, none may come
twice, and none may come late.

Delay: from the call that gives a payload to the library until the other end's host has it, over the whole run, in either
direction; both ends read one clock. Gap: the longest time between two deliveries that ends after the fault, in either
direction. Limits are those of the project's fourth goal at a round trip time of 40 ms.
"""

from harness import Run
from report import Measure, Result
from scenarios_jump import AFTERMATH_S, WARM_UP_S, attempt_runs, demand_continuity, demand_one_jump, explain

RTT_MS = 40
NEVER, WHILE_VOLATILE, ALWAYS = "never", "while_volatile", "always"
REDUNDANCY = {NEVER: 0, WHILE_VOLATILE: 1, ALWAYS: 2}
WORST_DELAY_MS = {NEVER: 3 * RTT_MS, WHILE_VOLATILE: 2.5 * RTT_MS, ALWAYS: None}
GAP_LIMIT_MS = {NEVER: None, WHILE_VOLATILE: None, ALWAYS: 15}
# One more recovery than four round trips have room for: a round trip, and what tells a late datagram from a lost one.
LOSSY_WORST_MS = 5.5 * RTT_MS
# What delivery may add to the path's own round trip while nothing is wrong: no latency buffer.
STEADY_LIMIT_MS = RTT_MS + 2


class Deliveries:
    """What became of the payloads of a run, by direction: "up" from the client to the gateway, and "down"."""

    def __init__(self, outcome):
        ends = {"up": (outcome.client, outcome.gateway), "down": (outcome.gateway, outcome.client)}
        self.accepted = {direction: sender["accepted"] for direction, (sender, _) in ends.items()}
        self.delivered = {direction: receiver["echoed"] for direction, (_, receiver) in ends.items()}
        self.twice = sum(receiver["duplicates"] for _, receiver in ends.values())
        self.damaged = sum(receiver["damaged"] for _, receiver in ends.values())
        self.worst_delay_ms = max(receiver["rtt_us"]["max"] for _, receiver in ends.values()) / 1000
        self.gap_ms = max(receiver.get("fault_gap_us", receiver["gap_us"]) for _, receiver in ends.values()) / 1000
        self.steady_ms = sum(receiver["steady_us"]["median"] for _, receiver in ends.values()) / 1000

    @property
    def lost(self):
        """Accepted and never delivered."""
        return sum(self.accepted.values()) - sum(self.delivered.values())


def demand_delivery(result, outcome, label):
    """Every accepted payload came once, whole."""
    deliveries = Deliveries(outcome)
    holds = [result.demand(deliveries.accepted[direction] == deliveries.delivered[direction],
                           f"{label}: {deliveries.accepted[direction]} accepted, {deliveries.delivered[direction]} delivered ({direction})")
             for direction in ("up", "down")]
    holds.append(result.demand(deliveries.twice == 0, f"{label}: {deliveries.twice} payloads delivered twice"))
    holds.append(result.demand(deliveries.damaged == 0, f"{label}: {deliveries.damaged} payloads damaged"))
    return all(holds)


class _Measures:
    """The rows of one redundancy policy in a scenario's result."""

    def __init__(self, redundancy, result, worst_delay_ms, gap_ms, median_delay_ms=None):
        self.delay = Measure(f"{redundancy}: worst delay", "ms", median_limit=median_delay_ms, worst_limit=worst_delay_ms)
        self.gap = Measure(f"{redundancy}: gap", "ms", worst_limit=gap_ms)
        self.steady = Measure(f"{redundancy}: round trip before", "ms", worst_limit=STEADY_LIMIT_MS)
        self.lost = Measure(f"{redundancy}: lost or twice", "count", worst_limit=0)
        self._all = [self.delay, self.gap, self.steady, self.lost]
        result.measures += self._all

    def values(self, outcome):
        """One run's, in the order of the rows."""
        deliveries = Deliveries(outcome)
        return deliveries.worst_delay_ms, deliveries.gap_ms, deliveries.steady_ms, abs(deliveries.lost) + deliveries.twice

    def exceed(self, outcome):
        """Whether this run alone breaks a limit."""
        return any(measure.worst_limit is not None and value > measure.worst_limit
                   for measure, value in zip(self._all, self.values(outcome)))

    def add(self, outcome):
        for measure, value in zip(self._all, self.values(outcome)):
            measure.values.append(value)


def measure_delivery(name, title, tools, runs, disturb, *, jumps=True, judge=None, policies=tuple(REDUNDANCY), worst_delay_ms=None,
                     median_delay_ms=None, **network):
    """For each redundancy policy so many runs: a fresh network, warm-up, `disturb(run)` gives when the fault began and, if it
    ended, when; aftermath. Then judges what was delivered."""
    result = Result(name, title, runs=runs * len(policies))

    def demands_hold(result, outcome, label, fault_at):
        holds = [demand_continuity(result, outcome, label), demand_delivery(result, outcome, label)]
        if jumps:
            holds.append(demand_one_jump(result, outcome, label, fault_at))
        if judge is not None:
            holds.append(judge(result, outcome, label, fault_at))
        return all(holds)

    for redundancy in policies:
        measures = _Measures(redundancy, result, worst_delay_ms or WORST_DELAY_MS[redundancy], GAP_LIMIT_MS[redundancy],
                             median_delay_ms)

        def one_run(index):
            with Run(tools, seed=index, protected=True, policy={"redundancy": REDUNDANCY[redundancy]}, **network) as run:
                # Faults fall at different moments between two payloads.
                run.wait(WARM_UP_S + 0.0013 * index)
                fault_at, until = disturb(run)
                run.wait(AFTERMATH_S)
                return run.finish(fault_at, until), fault_at

        def breaks(outcome, fault_at):
            return measures.exceed(outcome) or not demands_hold(Result(name, title), outcome, "", fault_at)

        for index, outcome, fault_at in attempt_runs(result, runs, one_run, breaks):
            label = f"{redundancy}, run {index + 1}"
            measures.add(outcome)
            if not demands_hold(result, outcome, label, fault_at) or measures.exceed(outcome):
                explain(result, outcome, label, fault_at)
    result.close()
    return result


def _once(command):
    """The fault is one command of the emulator, and lasts."""
    return lambda run: (run.command(command), None)


def blackhole(tools, runs):
    """Both directions of the active path swallow everything."""
    return measure_delivery("delivery-blackhole", "protected payloads: blackhole of the active path", tools, runs,
                            _once("set A both blackhole 1"))


def link_down_netlink(tools, runs):
    """The client's interface goes down; netlink tells the host, which hints the library."""
    return measure_delivery("delivery-link-hint", "protected payloads: link down at the client, hint from netlink", tools, runs,
                            _once("interface A down"), client_options=["--netlink"])


def link_down_unsent(tools, runs):
    """The same without netlink: a send fails, the host calls jmp_unsent and hints."""
    def judge(result, outcome, label, _):
        return result.demand(outcome.client["unsent"] >= 1, f"{label}: no send failed, so the scenario showed nothing")

    return measure_delivery("delivery-link-unsent", "protected payloads: link down at the client, a send fails", tools, runs,
                            _once("interface A down"), judge=judge)


def _moved(address):
    """What holds after the client's address on udp:A has changed: it stays on udp:A, and the gateway follows it there."""
    def judge(result, outcome, label, fault_at):
        bound = {line["bound"] for line in outcome.gateway_lines if "bound" in line and line["t"] >= fault_at}
        return all([
            result.demand(bound == {address}, f"{label}: the gateway bound to {sorted(bound)}"),
            result.demand(outcome.client.get("active_transport") == 0, f"{label}: the client left udp:A"),
        ])

    return judge


def nat_rebinding(tools, runs):
    """The source port changes silently, and nothing sent to the old one arrives any more."""
    return measure_delivery("delivery-rebinding", "protected payloads: NAT rebinding of the active path", tools, runs,
                            _once("nat A rebind"), jumps=False, judge=_moved("10.201.1.2:42001"), setup=["nat A on"])


def address_change(tools, runs):
    """The client comes from another address, and nothing sent to the old one arrives any more."""
    return measure_delivery("delivery-address", "protected payloads: another address on the active path", tools, runs,
                            _once("nat A move"), jumps=False, judge=_moved("10.201.1.3:42001"), setup=["nat A on"])


def heavy_loss(tools, runs):
    """30 % loss each way for 3 s on the active path, the standby is clean. Until the session jumps a payload may get lost again
    and again, each time for another round trip: four are the rule, and one more the bad luck of some runs."""
    def disturb(run):
        fault_at = run.command("set A both loss 300000")
        run.wait(3.0)
        return fault_at, run.command("set A both loss 0")

    return measure_delivery("delivery-loss-30", "protected payloads: 30 % loss each way for 3 s on the active path", tools, runs,
                            disturb, jumps=False, policies=(NEVER,), worst_delay_ms=LOSSY_WORST_MS,
                            median_delay_ms=4 * RTT_MS if runs > 2 else None)
