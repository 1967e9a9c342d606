"""Breaks the library in every way mutants/*.toml names, one at a time, and shows that the tests notice. See Tests/Mutation/run."""

import argparse
import concurrent.futures
import dataclasses
import functools
import os
import pathlib
import random
import re
import subprocess
import sys
import time

import detectors
import schemata

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
HINT_LIMIT_S = 60.0
FULL_LIMIT_S = 300.0


def build(package: pathlib.Path, scratch: pathlib.Path, arguments: list[str]) -> None:
    """swift build, silent unless it fails."""
    command = ["swift", "build", "--package-path", str(package), "--scratch-path", str(scratch), *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("JUMPING_HOSTED", "JUMPING_SANITIZED")}
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    if result.returncode != 0:
        errors = re.findall(r"^\S+ error: .*|^.*: error: .*", result.stdout, re.MULTILINE) or [result.stdout[-4000:]]
        print("\n".join(errors[:20]), f"{' '.join(command)} failed; a mutant may not be Swift\n0 passed, 1 failed", sep="\n")
        sys.exit(1)


class Campaign:
    """All detectors on one build."""

    def __init__(self, work: pathlib.Path, mutants: list[schemata.Mutant]):
        package, scratch = work / "package", work / "swift"
        schemata.make_package(PROJECT, package, mutants)
        build(package, scratch, ["--build-tests"])
        build(package, scratch, ["-c", "release", "--product", "jumping"])
        self.swift = detectors.SwiftTests(scratch / "debug/jumpingPackageTests.xctest")
        self.c = detectors.CPrograms(PROJECT, scratch / "release/libjumping.so", work / "c")
        self.c_limits: dict[str, float] = {}

    def check_health(self, mutants: list[schemata.Mutant], are_all: bool) -> list[str]:
        """What is wrong before any mutant lives: a detector that fails, a record that names a test that does not exist. Unless
        these are all mutants, of the Swift tests those named for them are run."""
        faults = []
        tests = self.swift.list_tests()
        for mutant in mutants:
            for detector in mutant.noticed_by:
                if detector.startswith("c:"):
                    known = detector[2:] in self.c.names
                else:
                    known = any(f".{detector}(" in test for test in tests)
                if not known:
                    faults.append(f"{mutant.name}: there is no test {detector}")
        named = {detector for mutant in mutants for detector in mutant.noticed_by if not detector.startswith("c:")}
        patterns = [] if are_all else [rf"\.{re.escape(test)}\(" for test in sorted(named)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            whole = pool.submit(self.swift.run, 0, patterns, FULL_LIMIT_S)
            for name in self.c.names:
                outcome = self.c.run(0, name, FULL_LIMIT_S)
                self.c_limits[name] = 10 + 5 * outcome.seconds
                if outcome.is_noticed:
                    faults.append(f"without a mutant: {outcome.how}")
            if whole.result().is_noticed or whole.result().ran_nothing:
                faults.append(f"without a mutant: {whole.result().how or 'no Swift test ran'}")
        return faults

    def hunt(self, mutant: schemata.Mutant, only_named: bool) -> detectors.Outcome:
        """Tries the detectors named for the mutant, then everything, until one notices."""
        patterns = [rf"\.{re.escape(test)}\(" for test in mutant.noticed_by if not test.startswith("c:")]
        programs = [test[2:] for test in mutant.noticed_by if test.startswith("c:")]
        outcome = self.try_all(mutant.number, patterns, programs, HINT_LIMIT_S)
        if outcome.is_noticed or outcome.ran_nothing or only_named:
            return outcome
        outcome = self.try_all(mutant.number, [r"."], [name for name in self.c.names if name not in programs], FULL_LIMIT_S)
        return dataclasses.replace(outcome, how=f"{outcome.how}, which is not named for it")

    def try_all(self, number: int, patterns: list[str], programs: list[str], limit_s: float) -> detectors.Outcome:
        """The first of these detectors that notices, C programs first: they take a fraction of a second."""
        for name in programs:
            outcome = self.c.run(number, name, self.c_limits[name])
            if outcome.is_noticed:
                return outcome
        if patterns:
            return self.swift.run(number, patterns, limit_s)
        return detectors.Outcome(False, "", 0.0)


def choose(mutants: list[schemata.Mutant], names: list[str], twelfth: int | None) -> list[schemata.Mutant]:
    """Those named by a part of their name, or a twelfth by its seed, or all."""
    if names:
        return [mutant for mutant in mutants if any(name in mutant.name for name in names)]
    if twelfth is None:
        return mutants
    shuffled = mutants[:]
    random.Random(twelfth // 12).shuffle(shuffled)
    return sorted(shuffled[twelfth % 12::12], key=lambda mutant: mutant.number)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, default=PROJECT / ".build-mutation", help="folder for the copy and its build")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    parser.add_argument("--twelfth", type=int, metavar="SEED", help="only a twelfth of the mutants; SEED to SEED + 11 (SEED a multiple of 12) are all "
                        "of them")
    parser.add_argument("--named", action="store_true", help="only the tests that are named for each mutant")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    parser.add_argument("names", nargs="*", help="only mutants with this in their name")
    options = parser.parse_args()
    try:
        mutants = schemata.read_mutants(HERE / "mutants")
        chosen = choose(mutants, options.names, options.twelfth)
        if options.list:
            for mutant in mutants:
                print(f"{mutant.number:3} {mutant.name} ({mutant.file}): {mutant.breaks}")
            return 0
        started = time.monotonic()
        campaign = Campaign(options.work.resolve(), mutants)
    except (schemata.RecordError, subprocess.CalledProcessError) as error:
        print(f"{error}\n0 passed, 1 failed")
        return 1
    built = time.monotonic()
    faults = campaign.check_health(chosen, chosen == mutants)
    if faults:
        print("\n".join(faults))
        print(f"0 passed, {len(faults)} failed")
        return 1
    healthy = time.monotonic()
    noticed = survivors = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for mutant, outcome in zip(chosen, pool.map(functools.partial(campaign.hunt, only_named=options.named), chosen)):
            if outcome.is_noticed:
                noticed += 1
                print(f"noticed  {mutant.number:3} {mutant.name}: {outcome.how}", flush=True)
            elif outcome.ran_nothing:
                print(f"skipped  {mutant.number:3} {mutant.name}: this machine cannot run the tests named for it", flush=True)
            else:
                survivors += 1
                print(f"SURVIVED {mutant.number:3} {mutant.name} ({mutant.file}): {mutant.breaks}", flush=True)
    print(f"built in {built - started:.0f} s, checked without a mutant in {healthy - built:.0f} s, "
          f"{len(chosen)} mutants in {time.monotonic() - healthy:.0f} s")
    print(f"{noticed} passed, {survivors} failed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
