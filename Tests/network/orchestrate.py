"""Runs the scenarios and reports. Started by `run`, which builds the programs; see `run --help`."""

import argparse
import signal
import sys
import threading
import time
import traceback

import scenarios_attack as attack
import scenarios_delivery as delivery
import scenarios_emulator as instrument
import scenarios_endure as endure
import scenarios_jump as jump
import scenarios_throughput as throughput
from harness import HarnessError, Tools
from report import Result, table, write_json

CI_RUNS, FULL_RUNS = 3, 10
SHORT_SOAK_S, LONG_SOAK_S = 40, 600
# Round trip time (ms) and rate (payloads a second) at which the general rule is measured besides 40 ms and 200/s.
GENERAL = ((10, 500), (20, 100), (40, 50), (100, 200))
# Jain's index of a protected stream and one of TCP, in percent: over a minute, and over seconds.
JAIN_LIMIT, JAIN_LIMIT_CI = 90, 80
# Scenarios that a little work beside them does not disturb.
UNHURRIED = ("suspended-1s", "late-calls", "duplicates", "all-paths-gone", "paths-return", "attack-race", "attack-race-first",
             "attack-replay", "attack-rebinding")
# Little work for long: they run beside those, all at once.
LASTING = ("soak", "delivery-only-path")


def _general(rtt_ms, rate):
    return lambda tools, runs: jump.blackhole_general(tools, runs, rtt_ms, rate)


def _streams(is_full):
    """Protected streams and TCP. Shares of seconds tell less of who gets what in the end than those of a minute."""
    start_up_s, seconds = (10, 60) if is_full else (3, 8)

    def beside(congestion):
        jain_limit = JAIN_LIMIT if is_full else JAIN_LIMIT_CI
        return lambda tools, runs: throughput.fairness(tools, runs, start_up_s, seconds, congestion, jain_limit, is_full)

    return [
        ("delivery-bulk", lambda tools, runs: throughput.bulk(tools, runs, 10 if is_full else 3, is_full), 1),
        ("delivery-beside-cubic", beside("cubic"), 1),
        ("delivery-beside-reno", beside("reno"), 1),
        ("delivery-only-path", lambda tools, runs: throughput.lossy_path(tools, runs, 30 if is_full else 6), 1),
    ]


def scenarios(soak_s, is_full=False):
    """Name, function(tools, runs), repetitions in CI."""
    entries = [
        ("emulator", instrument.emulator, 1),
        ("blackhole", jump.blackhole, CI_RUNS),
        ("blackhole-up", jump.blackhole_up, 3),
        ("blackhole-down", jump.blackhole_down, 3),
        ("blackhole-jitter", jump.blackhole_jitter, CI_RUNS),
    ]
    entries += [(f"blackhole-{rtt_ms}ms-{rate}", _general(rtt_ms, rate), 3) for rtt_ms, rate in GENERAL]
    entries += [
        ("link-down-hint", jump.link_down_netlink, CI_RUNS),
        ("link-down-unsent", jump.link_down_unsent, CI_RUNS),
        ("nat-rebinding", jump.nat_rebinding, CI_RUNS),
        ("loss-30", jump.heavy_loss, 10),
        ("one-way-receiver", jump.one_way, 3),
    ]
    entries += [(name, function, FULL_RUNS if is_full else 1) for name, function in (
        ("delivery-blackhole", delivery.blackhole), ("delivery-link-hint", delivery.link_down_netlink),
        ("delivery-link-unsent", delivery.link_down_unsent), ("delivery-rebinding", delivery.nat_rebinding),
        ("delivery-address", delivery.address_change), ("delivery-loss-30", delivery.heavy_loss))]
    entries += _streams(is_full)
    entries += [
        ("suspended-1s", endure.suspended, 2),
        ("late-calls", endure.late_calls, 1),
        ("duplicates", endure.duplicates, 1),
        ("all-paths-gone", endure.all_paths_gone, 1),
        ("paths-return", endure.paths_return, 1),
        ("attack-race", attack.race_every_reattach, 1),
        ("attack-race-first", attack.race_first_reattach, 1),
        ("attack-replay", attack.replay_reattach, 1),
        ("attack-rebinding", attack.race_active_path, 1),
        ("soak", lambda tools, _: endure.soak(tools, soak_s), 1),
    ]
    return entries


def _parse(arguments):
    parser = argparse.ArgumentParser(prog="Tests/network/run", description="Behaviour over real sockets through an emulated network.",
                                     epilog="Needs Linux, /dev/net/tun, and root or user namespaces. JUMPING_PREFIX names an installed "
                                     "library (include/, lib/); without it the release library is built.")
    parser.add_argument("--full", action="store_true", help=f"{FULL_RUNS} repetitions instead of {CI_RUNS}, and streams for a minute beside TCP")
    parser.add_argument("--long", action="store_true", help=f"only the {LONG_SOAK_S // 60} minutes of loss and jitter without a false jump")
    parser.add_argument("--only", metavar="NAME,...", help="only these scenarios")
    parser.add_argument("--list", action="store_true", help="names of the scenarios")
    parser.add_argument("--runs", type=int, metavar="N", help="repetitions of every repeated scenario")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of losses and jitter (default 1)")
    parser.add_argument("--json", metavar="FILE", help="everything measured, machine-readable")
    parser.add_argument("--link", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--probe", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.runs is not None and not 1 <= options.runs <= 1000 or not 0 <= options.seed < 2**32:
        parser.error("--runs must be 1 ... 1000, --seed 0 ... 4294967295")
    return parser, options


def _choose(parser, options):
    """The scenarios to run, with repetitions."""
    entries = scenarios(LONG_SOAK_S if options.long else SHORT_SOAK_S, options.full)
    names = [name for name, _, _ in entries]
    wanted = ["soak"] if options.long else options.only.split(",") if options.only else names
    if unknown := [name for name in wanted if name not in names]:
        parser.error(f"unknown scenario {unknown[0]}; there are: {' '.join(names)}")
    if options.runs:
        entries = [(name, function, 1 if runs == 1 else options.runs) for name, function, runs in entries]
    elif options.full:
        entries = [(name, function, 1 if runs == 1 else FULL_RUNS) for name, function, runs in entries]
    return [entry for entry in entries if entry[0] in wanted]


def _run_one(function, name, tools, runs):
    """One scenario; a program that fails is the scenario's failure, not the end of the others. So is a mistake in the
    scenario itself: the last line must come whatever happens."""
    start = time.monotonic()
    try:
        result = function(tools, runs)
    except HarnessError as error:
        result = Result(name, name, failures=[str(error)])
    except Exception:
        result = Result(name, name, failures=traceback.format_exc().splitlines())
    result.seconds = time.monotonic() - start
    return result


def _tell(result):
    print(f"{'ok    ' if result.passed else 'FAILED'} {result.title} ({result.seconds:.0f} s)", flush=True)
    for note in result.notes:
        print(f"       {note}")
    if not result.passed:
        for failure in result.failures:
            print(f"       {failure}")
        for lines in result.timelines[:3]:
            print("\n".join(f"       {line}" for line in lines))
        sys.stdout.flush()


class _Background(threading.Thread):
    """A scenario beside others. A daemon: when the orchestrator ends early, its programs end with it."""

    def __init__(self, function, name, tools, runs):
        super().__init__(daemon=True)
        self._work = (function, name, tools, runs)
        self.result = None

    def run(self):
        self.result = _run_one(*self._work)


def _start_lasting(chosen, tools):
    lasting = [_Background(function, name, tools, runs) for name, function, runs in chosen if name in LASTING]
    for scenario in lasting:
        scenario.start()
    return lasting


def _run_all(chosen, tools):
    """Every scenario in order, told as it ends. The lasting ones run beside the scenarios that measure no gaps."""
    results, lasting = [], []
    entries = [entry for entry in chosen if entry[0] not in LASTING]
    for name, function, runs in entries:
        if name in UNHURRIED and not lasting:
            lasting = _start_lasting(chosen, tools)
        results.append(_run_one(function, name, tools, runs))
        _tell(results[-1])
    for scenario in lasting or _start_lasting(chosen, tools):
        scenario.join()
        results.append(scenario.result)
        _tell(scenario.result)
    return results


def main(arguments):
    """Exit status 0 when every scenario passed."""
    # An end from outside unwinds through the context managers, which end every program.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser, options = _parse(arguments)
    chosen = _choose(parser, options)
    if options.list:
        print("\n".join(name for name, _, _ in chosen))
        return 0
    tools = Tools(options.link, options.probe, options.seed)
    start = time.monotonic()
    results = _run_all(chosen, tools)
    seconds = time.monotonic() - start
    print("\n" + "\n".join(table(results)) + "\n")
    print(f"{seconds:.0f} s, seed {options.seed}")
    if options.json:
        write_json(options.json, results, seconds)
    failed = sum(not result.passed for result in results)
    print(f"{len(results) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
