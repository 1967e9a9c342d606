"""Runs the pairs of Tests/Performance/sockets in turn and prints what they cost; see there."""
import argparse
import json
import os
import select
import signal
import statistics
import subprocess
import sys

PATIENCE_S = 20


class Pair:
    """A receiver and a sender, both from one program, on two processors where there are two."""

    def __init__(self, name, floor, program, library, options):
        self.name, self.floor, self.program, self.library, self.options = name, floor, program, library, options
        self.results = []

    def start(self, processor, *arguments):
        processors = sorted(os.sched_getaffinity(0))
        return subprocess.Popen(
            [self.program, *arguments, *([] if self.library is None else ["--psk", "measure"]), *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env={**os.environ, "LD_LIBRARY_PATH": self.library or ""},
            preexec_fn=lambda: os.sched_setaffinity(0, {processors[processor % len(processors)]}))

    def run(self, seconds):
        """One measurement: goodput in Gbit/s, processor seconds per GB of payload at sender, receiver and both."""
        receiver, sender = self.start(0, "--listen", "127.0.0.1:0"), None
        try:
            if not select.select([receiver.stdout], [], [], PATIENCE_S)[0]:
                sys.exit(f"{self.name}: the receiver does not listen")
            address = receiver.stdout.readline().split()[-1]
            sender = self.start(1, "--to", address, "--seconds", str(seconds))
            said = [json.loads(process.communicate(timeout=seconds + PATIENCE_S)[0]) for process in (sender, receiver)]
        finally:
            for process in (receiver, sender):
                if process and process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
        if sender.returncode or receiver.returncode:
            sys.exit(f"{self.name}: {said}")
        gigabytes = said[1]["bytes"] / 1e9
        cpu = [end["cpu_s"] / gigabytes for end in said]
        self.suite = said[0]["suite"]
        self.results.append({"goodput": said[1]["gbit_per_s"], "cpu_client": cpu[0], "cpu_gateway": cpu[1], "cpu_both": sum(cpu)})

    def median(self, what):
        return statistics.median(result[what] for result in self.results)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    installed, current = os.path.join(options.folder, "installed"), os.path.join(options.folder, "current")
    pairs = []
    for label, arguments, bulk in (("1200B/gso", ["--size", "1200"], "bulk"), ("1200B/no-gso", ["--size", "1200", "--no-offload"], "bulk"),
                                   ("8700B/gso", ["--size", "8700"], "bulk-jumbo")):
        bare = Pair(f"{label}/bare", None, os.path.join(options.folder, "bare"), None, arguments)
        pairs.append(bare)
        for kind, library in (("installed", installed), ("current", current)):
            pairs.append(Pair(f"{label}/{kind}", bare, os.path.join(options.folder, bulk), library, arguments))
    for _ in range(options.rounds):
        for pair in pairs:
            pair.run(options.seconds)
    for pair in pairs:
        for what, unit in (("goodput", "Gbit/s"), ("cpu_client", "s/GB"), ("cpu_gateway", "s/GB"), ("cpu_both", "s/GB")):
            value, floor = pair.median(what), pair.floor and pair.floor.median(what)
            suite = "" if pair.suite == "none" else f"/{pair.suite}"
            print(json.dumps({"name": f"sockets/{pair.name}{suite}/{what}", "value": round(value, 4), "unit": unit,
                              "floor": floor and round(floor, 4), "ratio": floor and round(value / floor, 3)}))


main()
