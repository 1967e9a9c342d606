"""Someone on the path copies the client's datagrams and sends the copies from an address of his own.

He holds no keys and relays nothing back. Whatever he does, the session must never be bound to his address, he must not
receive more than three times what he sent (RFC 9000 §8), and once he stops the session must go on as the same session.
"""

from harness import Run
from report import Measure, Result
from scenarios_jump import WARM_UP_S, demand_continuity, explain

ATTACK_S = 1.0
RECOVERY_S = 3.0
# Until the ends are ATTACHED again: the loss window must be clean and then stay so for the stability window.
HEALING_S = 5.5
ADDRESS = {"A": "10.201.1.66", "B": "10.201.2.66"}
PORT = 5555


def _attack(name, title, tools, *, path, delay_us, copies, blackhole_a, jumps, replays):
    """One attack; `jumps` is how many switches each end must show, `replays` whether SecurityReplayDetected is due."""
    result = Result(name, title, runs=1)
    back = Measure("end of attack to echo", "ms", worst_limit=RECOVERY_S * 1000)
    gained = Measure("bytes to the attacker per byte from him", "ratio", worst_limit=3)
    result.measures = [back, gained]
    with Run(tools, seed=3) as run:
        run.wait(WARM_UP_S)
        start = run.command(f"attack {path} {ADDRESS[path]} {PORT} {delay_us} {copies}")
        if blackhole_a:
            start = run.command("set A both blackhole 1")
        run.wait(ATTACK_S)
        end = run.command(f"attack {path} off")
        run.wait(HEALING_S)
        outcome = run.finish(start, end)
    result.details.append({"client": outcome.client, "gateway": outcome.gateway, "link": outcome.link})
    attacker = outcome.link[path]["attacker"]
    result.demand(attacker["sent_packets"] > 0, "the attacker copied nothing, so the scenario showed nothing")
    gained.values.append(attacker["received_bytes"] / max(1, attacker["sent_bytes"]))
    bound = [line for lines in (outcome.client_lines, outcome.gateway_lines) for line in lines
             if line.get("bound", "").startswith(ADDRESS[path])
             or line.get("type") in ("TransportSwitch", "TransportAttached") and line["to_address"].startswith(ADDRESS[path])]
    result.demand(not bound, f"bound to the attacker's address: {bound[:1]}")
    demand_continuity(result, outcome, "after the attack")
    for side in ("client", "gateway"):
        switches = len(getattr(outcome, side)["switch_times"])
        result.demand(switches == jumps, f"{switches} TransportSwitch at the {side} instead of {jumps}")
    if replays:
        result.demand(outcome.gateway["events"].get("SecurityReplayDetected", 0) > 0, "no SecurityReplayDetected at the gateway")
    first = outcome.client["first_sent_after_repair"]
    if result.demand(first, "no echo after the attack"):
        back.values.append((first - end) / 1000)
    if result.failures:
        explain(result, outcome, name, start, until=end + 500_000)
    result.close()
    return result


def race_every_reattach(tools, _runs):
    """The active path dies, and every datagram on the standby is overtaken by its copy: each reattach arrives first from
    the attacker's address, each original afterwards as a replay. Binding can only succeed once he stops."""
    return _attack("attack-race", "raced copies of every reattach never end up bound", tools, path="B", delay_us=0,
                   copies=1_000_000, blackhole_a=True, jumps=1, replays=False)


def race_first_reattach(tools, _runs):
    """Only the first datagrams are raced; the honest client's next ones bind although the attacker was first."""
    return _attack("attack-race-first", "a raced copy of the first reattach does not stop the client", tools, path="B", delay_us=0,
                   copies=8, blackhole_a=True, jumps=1, replays=False)


def replay_reattach(tools, _runs):
    """The copies come 150 ms late, after the jump: valid old requests, which change nothing and are audited."""
    return _attack("attack-replay", "a replayed reattach changes nothing and is audited", tools, path="B", delay_us=150_000,
                   copies=1_000_000, blackhole_a=True, jumps=1, replays=True)


def race_active_path(tools, _runs):
    """Every datagram of a healthy active path is raced from another address: it looks like NAT rebinding, but the
    attacker cannot answer the challenge, so nothing is bound and no switch is spent. The copies win by 2 ms of 20: one that
    came at once would also halve the round trip, and its end would look like a path that doubled it."""
    return _attack("attack-rebinding", "raced copies on the active path are no NAT rebinding", tools, path="A", delay_us=18_000,
                   copies=1_000_000, blackhole_a=False, jumps=0, replays=False)
