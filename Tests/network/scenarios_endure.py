"""Scenarios in which the session must not jump, or has nowhere to jump to: noise, suspension, all paths gone."""

import random

from harness import HarnessError, Run
from report import Measure, Result
from scenarios_jump import AFTERMATH_S, WARM_UP_S, demand_continuity, explain


# A suspicion that proves wrong heals: a clean loss window, then the stability window.
HEALING_S = 5.0


def demand_no_jump(result, outcome, label):
    """Neither end switched."""
    counts = {side: len(getattr(outcome, side)["switch_times"]) for side in ("client", "gateway")}
    return result.demand(counts == {"client": 0, "gateway": 0}, f"{label}: false jumps: {counts}")


def _jumps(outcome):
    """How many jumps there were: both ends tell of each."""
    return max(len(outcome.client["switch_times"]), len(outcome.gateway["switch_times"]))


def _keep(result, outcome):
    result.details.append({"client": outcome.client, "gateway": outcome.gateway, "link": outcome.link})


def soak(tools, seconds):
    """1 % random loss and 20 ms jitter on both paths in both directions: no false jump."""
    result = Result(f"soak-{seconds}s", f"{seconds} s of 1 % random loss and 20 ms jitter: no false jump", runs=1)
    jumps, lost = Measure("false jumps", "count", worst_limit=0), Measure("lost payloads", "%")
    volatile = Measure("times VOLATILE at the client", "count")
    result.measures = [jumps, volatile, lost]
    setup = ["set AB both loss 10000"]
    with Run(tools, jitter_ms=20, setup=setup, longest_s=seconds + 20, seed=7) as run:
        run.wait(seconds)
        outcome = run.finish()
    _keep(result, outcome)
    jumps.values.append(_jumps(outcome))
    lost.values.append(100 * outcome.client["lost"] / max(1, outcome.client["sent"]))
    volatile.values.append(sum(state["to"] == "VOLATILE" for state in outcome.client["states"]))
    demand_continuity(result, outcome, "soak")
    result.demand(outcome.client["sent"] >= 190 * seconds, f"only {outcome.client['sent']} payloads were sent")
    result.demand(outcome.link["A"]["up"]["lost"] > 0, "the emulator lost nothing, so the scenario showed nothing")
    for at in outcome.client["switch_times"][:3]:
        explain(result, outcome, "false jump", at, until=at)
    result.close()
    return result


def duplicates(tools, _runs):
    """Every fifth packet comes twice and packets overtake each other: each payload is delivered once, nothing else happens."""
    seconds = 6
    result = Result("duplicates", "20 % duplicates and reordering: each payload once, no state change", runs=1)
    twice = Measure("payloads delivered twice", "count", worst_limit=0)
    result.measures = [twice]
    with Run(tools, jitter_ms=20, setup=["set AB both duplicate 200000"], seed=5) as run:
        run.wait(seconds)
        outcome = run.finish()
    _keep(result, outcome)
    client, gateway = outcome.client, outcome.gateway
    twice.values.append(client["duplicates"] + gateway["echoed"] - client["sent"])
    demand_continuity(result, outcome, "duplicates")
    demand_no_jump(result, outcome, "duplicates")
    result.demand(client["lost"] == 0, f"{client['lost']} payloads lost although the network lost none")
    result.demand(client["session_stats"]["replayed"] > 0, "no duplicate was counted, so the scenario showed nothing")
    for side in ("client", "gateway"):
        transitions = outcome.transitions(side)
        result.demand(transitions == ["ATTACHED(handshake_ok)"], f"{side}: state changes: {transitions}")
    result.close()
    return result


def _suspension(name, title, tools, runs, suspend):
    """Suspends the client as `suspend(run, index)` says, which gives when it went on for the last time."""
    result = Result(name, title, runs=runs)
    jumps = Measure("false jumps", "count", worst_limit=0)
    back = Measure("going on to echo", "ms")
    result.measures = [jumps, back]
    for index in range(runs):
        label = f"run {index + 1}"
        try:
            with Run(tools, seed=index) as run:
                run.wait(WARM_UP_S)
                resumed_at = suspend(run, index)
                run.wait(HEALING_S)
                outcome = run.finish(resumed_at)
        except HarnessError as error:
            result.failures.append(f"{label}: {error}")
            continue
        _keep(result, outcome)
        jumps.values.append(_jumps(outcome))
        if outcome.client["first_sent_after_fault"]:
            back.values.append((outcome.client["first_sent_after_fault"] - resumed_at) / 1000)
        holds = demand_continuity(result, outcome, label)
        holds = demand_no_jump(result, outcome, label) and holds
        holds = result.demand(outcome.client["first_sent_after_fault"], f"{label}: no echo after the suspension") and holds
        if not holds:
            # What led to the jump, when there was one; it may have been after an earlier suspension.
            jumped_at = min([*outcome.client["switch_times"], *outcome.gateway["switch_times"]], default=resumed_at + 500_000)
            explain(result, outcome, label, jumped_at - 500_000, until=jumped_at + 50_000)
    result.close()
    return result


def suspended(tools, runs):
    """The client's process is stopped for 1 s with datagrams in flight."""
    return _suspension("suspended-1s", "client suspended for 1 s does not jump", tools, runs, lambda run, _: run.suspend(1.0))


def late_calls(tools, runs):
    """The client is stopped ten times for 60 ... 300 ms within some seconds: a host that calls late under load."""
    def suspend(run, index):
        choice = random.Random(tools.seed * 100 + index)
        resumed_at = 0
        for _ in range(10):
            resumed_at = run.suspend(choice.uniform(0.06, 0.3))
            run.wait(choice.uniform(0.05, 0.3))
        return resumed_at

    return _suspension("late-calls", "client that calls 60 ... 300 ms late ten times does not jump", tools, runs, suspend)


# Short bounds, so that the ladder is climbed within seconds. Both ends ask for them; the minimum counts.
TTL_S = 4
SHORT_BOUNDS = {"transport_lost_ttl_us": TTL_S * 1_000_000, "volatile_to_degraded_us": 500_000, "recovery_window_us": 1_000_000}


def _climbs(transitions, wanted):
    """Whether `wanted` states occur in this order among the transitions."""
    rest = iter(transitions)
    return all(any(step.startswith(state) for step in rest) for state in wanted)


def all_paths_gone(tools, runs):
    """Both paths swallow everything: VOLATILE, DEGRADED, TERMINATED at the TTL and never before, at both ends."""
    result = Result("all-paths-gone", f"all paths gone: TERMINATED by the TTL of {TTL_S} s, never before", runs=runs)
    measures = {side: Measure(f"fault to TERMINATED at the {side}", "ms", worst_limit=TTL_S * 1000 + 1500)
                for side in ("client", "gateway")}
    result.measures = list(measures.values())
    for index in range(runs):
        label = f"run {index + 1}"
        with Run(tools, seed=index, policy=SHORT_BOUNDS) as run:
            run.wait(WARM_UP_S)
            fault_at = run.command("set AB both blackhole 1")
            run.wait(TTL_S + 2.0)
            outcome = run.finish(fault_at)
        _keep(result, outcome)
        holds = []
        for side, measure in measures.items():
            transitions = outcome.transitions(side)
            ended = [line["t"] for line in outcome.events(side, "SessionTerminated")]
            if not result.demand(len(ended) == 1, f"{label}: {len(ended)} SessionTerminated at the {side}: {transitions}"):
                holds.append(False)
                continue
            measure.values.append((ended[0] - fault_at) / 1000)
            # The last proof of life arrives after the fault: what was in flight still comes through.
            holds.append(result.demand(ended[0] >= fault_at + TTL_S * 1_000_000,
                                       f"{label}: the {side} ended {(ended[0] - fault_at) / 1000:.1f} ms after the fault, before the TTL"))
            holds.append(result.demand(transitions[-1] == "TERMINATED(transport_ttl_exceeded)", f"{label}: {side}: {transitions}"))
            holds.append(result.demand(_climbs(transitions, ("VOLATILE", "DEGRADED", "TERMINATED")), f"{label}: {side}: {transitions}"))
        if not all(holds):
            explain(result, outcome, label, fault_at, until=fault_at + (TTL_S + 2) * 1_000_000)
    result.close()
    return result


def paths_return(tools, _runs):
    """Both paths are gone for 2 s; then both come back, or only one: ATTACHED again before the TTL."""
    result = Result("paths-return", f"paths back before the TTL of {TTL_S} s: ATTACHED again", runs=3)
    back = Measure("repair to echo", "ms", worst_limit=(TTL_S - 2) * 1000)
    result.measures = [back]
    for index, paths in enumerate(("AB", "A", "B")):
        label = f"{paths} back"
        with Run(tools, seed=index, policy=SHORT_BOUNDS) as run:
            run.wait(WARM_UP_S)
            fault_at = run.command("set AB both blackhole 1")
            run.wait(2.0)
            repaired_at = run.command(f"set {paths} both blackhole 0")
            # Longer than the TTL, so that a TTL that was never stopped shows.
            run.wait(TTL_S + AFTERMATH_S)
            outcome = run.finish(fault_at, repaired_at)
        _keep(result, outcome)
        first = outcome.client["first_sent_after_repair"]
        holds = [demand_continuity(result, outcome, label), result.demand(first, f"{label}: no echo after the repair")]
        if first:
            back.values.append((first - repaired_at) / 1000)
        volatile = _climbs(outcome.transitions("client"), ("VOLATILE", "RECOVERING", "ATTACHED"))
        holds.append(result.demand(volatile, f"{label}: the client climbed {outcome.transitions('client')}"))
        if not all(holds):
            explain(result, outcome, label, fault_at, until=fault_at + (TTL_S + 2) * 1_000_000)
    result.close()
    return result
