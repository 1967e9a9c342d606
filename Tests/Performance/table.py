"""Runs what measures and prints the table of all targets; see Tests/Performance/table."""
import argparse
import datetime
import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
#: The nine targets, and protected payloads: the group of jumping-bench, or the program, that measures it, and what is asked for.
TARGETS = [
    ("datagrams", "Datagrams: seal and open beside raw libsodium"),
    ("handshakes", "Handshakes: both ends beside their cryptography"),
    ("flood", "Datagrams that are not genuine, beside one that is"),
    ("memory", "Memory of a session at the gateway"),
    ("storm", "Reattach storm: all paths die at once"),
    ("scale", "Cost beside the number of sessions, and the longest calls"),
    ("cores", "Two cores beside one"),
    ("sockets", "Whole processes over loopback UDP beside bare sockets"),
    ("python", "Python beside its floors"),
    ("delivery", "Protected payloads beside expendable ones"),
]
#: What is no group of jumping-bench.
PROGRAMS = ("sockets", "python")
#: Where libsodium has a part: measured on both.
ON_BOTH = ("datagrams", "handshakes", "flood", "storm", "delivery")
#: Seconds that one of them may take.
LIMIT_S, FULL_LIMIT_S = 150, 2400


def run(command, limit_s, **environment):
    """Rows a program prints as JSON lines, and why there are not all of them, or None. It and its children end within the limit."""
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, **environment}, start_new_session=True)
    try:
        said, complaint = program.communicate(timeout=limit_s)
        error = None if program.returncode == 0 else f"status {program.returncode}: {complaint.strip()[-300:]}"
    except subprocess.TimeoutExpired:
        os.killpg(program.pid, signal.SIGKILL)
        said, _ = program.communicate()
        error = f"did not end within {limit_s} s"
    return [json.loads(line) for line in said.splitlines() if line.startswith("{") and line.endswith("}")], error


def as_met(row):
    """A row of python_bench.py or sockets in the shape of jumping-bench's: the target as text, and whether it is met."""
    bound = row.pop("target", None)
    if bound is not None:
        is_rate = row["unit"] == "payloads/s"
        row["target"] = f"value >= {bound:g}" if is_rate else f"ratio <= {bound:g}"
        row["met"] = row["value"] >= bound if is_rate else row["ratio"] <= bound
    return row


def measure(options):
    """Yields target, libsodium's version or None, rows and what went wrong."""
    limit_s, scale = (FULL_LIMIT_S, "full") if options.full else (LIMIT_S, "small")
    for group in [name for name, _ in TARGETS if name not in PROGRAMS]:
        yield group, options.installed_version, *run([options.installed, "--json", "--scale", scale, group], limit_s)
        if group in ON_BOTH:
            yield group, options.current_version, *run([options.current, "--json", "--scale", scale, group], limit_s,
                                                       LD_LIBRARY_PATH=options.current_libraries)
    rounds = ["--rounds", "3" if options.full else "1", "--seconds", "2" if options.full else "1"]
    rows, error = run([str(HERE / "sockets"), *rounds], limit_s)
    yield "sockets", None, [as_met(row) for row in rows], error
    rows, error = run([sys.executable, "-B", str(HERE / "python_bench.py"), "--json"], limit_s)
    yield "python", options.installed_version, [as_met(row) for row in rows], error


def circumstances(options):
    """How it is measured: without that a figure says nothing."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
                  if line.startswith("model name")), platform.processor() or platform.machine())
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), "revision": options.revision,
        "processor": model, "processors": len(os.sched_getaffinity(0)), "is_virtual": "hypervisor" in Path("/proc/cpuinfo").read_text(encoding="utf-8"),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1), "kernel": platform.release(),
        "swift": options.swift, "libsodium": [options.installed_version, options.current_version],
        "load_before": round(os.getloadavg()[0], 2), "scale": "full" if options.full else "small",
        "method": "process CPU time, medians of rounds, candidate and floor in turn; sockets: wall clock for goodput; pauses: longest call that is long again in a second run",
    }


def number(value):
    """A figure of the table."""
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def print_row(row, version):
    """One line."""
    mark = "" if row.get("met") is None else "met" if row["met"] else "MISSED"
    name = row["name"] if version is None else f"{row['name']} [{version}]"
    ratio = "" if row.get("ratio") is None else f"{row['ratio']:.2f}"
    print(f"{name:<100} {number(row['value']):>12} {row['unit']:<10} {number(row.get('floor')):>12} {ratio:>9}  {row.get('target') or '':<16} {mark}".rstrip(),
          flush=True)


def main():
    """Prints as it measures, at last how many targets were missed."""
    parser = argparse.ArgumentParser()
    for name in ("swift", "revision", "installed", "installed-version", "current", "current-version", "current-libraries"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    told, missed, wanted, errors, last = circumstances(options), [], 0, [], None
    if options.json:
        print(json.dumps(told), flush=True)
    else:
        print("\n".join(f"{name:<12} {', '.join(value) if isinstance(value, list) else value}" for name, value in told.items()))
        print(f"\n{'':<100} {'value':>12} {'unit':<10} {'floor':>12} {'ratio':>9}  target")
    for target, version, rows, error in measure(options):
        position = 1 + [name for name, _ in TARGETS].index(target)
        if not options.json and target != last:
            print(f"\n{position}. {TARGETS[position - 1][1]}")
        last = target
        for row in rows:
            wanted += row.get("met") is not None
            if row.get("met") is False:
                missed.append(position)
            if options.json:
                print(json.dumps({"target_number": position, "group": target, "libsodium": version, **row}), flush=True)
            else:
                print_row(row, version)
        if error:
            errors.append(f"{target}{f' on libsodium {version}' if version else ''}: {error}")
            print(f"{target}: NOT ALL MEASURED: {error}", file=sys.stderr, flush=True)
    summary = {"rows_with_target": wanted, "missed": len(missed), "missed_of": {str(position): missed.count(position) for position in sorted(set(missed))},
               "not_measured": errors, "load_after": round(os.getloadavg()[0], 2)}
    if options.json:
        print(json.dumps(summary))
    else:
        spread = ", ".join(f"{count} of target {position}" for position, count in summary["missed_of"].items())
        print(f"\n{wanted} rows have a target, {len(missed)} missed it{f': {spread}' if spread else ''}; load after: {summary['load_after']}")
        print("\n".join(f"not measured: {error}" for error in errors))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
