"""What notices a mutant: the Swift tests, and the C programs of Tests/hosts/c against a release library with all mutants in it."""

import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import time

FAILED_TEST = re.compile(r"^. Test (\S+?)\(.*\) recorded an issue.*? at (\S+:\d+):", re.MULTILINE)
FAILED_C_TEST = re.compile(r"^FAIL(?:ED)?:?\s+(.{1,90})", re.MULTILINE)
STARTED_TEST = re.compile(r"^. Test (\S+?)\(.*\) started", re.MULTILINE)
TRAP = re.compile(r"(?:Fatal error|Precondition failed|Assertion failed)[^\n]*")
ENDED_TEST = re.compile(r"^. Test (?!run with)\S.* (?:passed|failed) after ", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a detector said of the library with one mutant living."""

    is_noticed: bool
    how: str
    """Which test failed, or what crashed or hung."""
    seconds: float
    ran_nothing: bool = False
    """All of its tests were skipped: this machine cannot run them (no AES)."""


def run_with_mutant(command: list[str], number: int, limit_s: float, environment: dict[str, str]) -> tuple[int | None, str, float]:
    """Exit status (None: stopped at its limit), what it printed, seconds."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", env={**os.environ, **environment, "NO_COLOR": "1", "JUMPING_MUTANT": str(number)})
    try:
        output, _ = process.communicate(timeout=limit_s)
        status: int | None = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        status = None
    return status, output, time.monotonic() - started


def describe(status: int | None, output: str, failed: re.Pattern[str], limit_s: float) -> str:
    """The first failed test; else what kind of end it was."""
    found = failed.search(output)
    if found:
        return " at ".join(found.groups()).strip()
    running = STARTED_TEST.findall(output)
    where = f" in {running[-1]}" if running else ""
    if status is None:
        return f"hung{where} (stopped after {limit_s:.0f} s)"
    trap = TRAP.search(output)
    if trap:
        return f"crash{where}: {trap.group(0)[:140]}"
    if status < 0:
        return f"crash{where}: {signal.Signals(-status).name}"
    return f"exit status {status}{where}"


def call(*command: str | pathlib.Path) -> None:
    """Runs a build tool."""
    subprocess.run([str(word) for word in command], check=True, stdin=subprocess.DEVNULL)


class SwiftTests:
    """The package's tests, debug and hosted, run one after the other in one process."""

    def __init__(self, bundle: pathlib.Path):
        self.bundle = bundle

    def list_tests(self) -> list[str]:
        """Module.Suite/test() of every test."""
        found = subprocess.run([str(self.bundle), "--testing-library", "swift-testing", "--list-tests"], check=True, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
        return sorted(set(re.findall(r"^\w+\.\S+/\S.*\)$", found.stdout, re.MULTILINE)))

    def run(self, number: int, patterns: list[str], limit_s: float) -> Outcome:
        """Those tests whose name one of the patterns matches; all without patterns."""
        command = [str(self.bundle), "--testing-library", "swift-testing", "--no-parallel"]
        for pattern in patterns:
            command += ["--filter", pattern]
        status, output, seconds = run_with_mutant(command, number, limit_s, {})
        ran_nothing = status == 0 and not ENDED_TEST.search(output)
        return Outcome(status != 0, describe(status, output, FAILED_TEST, limit_s) if status != 0 else "", seconds, ran_nothing)


class CPrograms:
    """The test programs of Tests/hosts/c."""

    TOO_SLOW = ("churn", "determinism")
    #: Tests the examples' sockets, not the library's core.
    OF_EXAMPLES = ("sockets",)

    def __init__(self, project: pathlib.Path, library: pathlib.Path, folder: pathlib.Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        soname = folder / "libjumping.so.0"
        soname.unlink(missing_ok=True)
        soname.symlink_to(library.resolve())
        sources = [source for source in sorted((project / "Tests/hosts/c").glob("*.c")) if source.stem not in self.OF_EXAMPLES]
        objects = [self.compile(source, project / "include") for source in sources]
        # What is shared lies in an archive, so that a program takes what it needs of it.
        helpers = folder / "helpers.a"
        helpers.unlink(missing_ok=True)
        call("ar", "rcs", helpers, *(path for path, is_program in objects if not is_program))
        programs = [path for path, is_program in objects if is_program and path.stem not in self.TOO_SLOW]
        for path in programs:
            call("gcc", path, helpers, library.resolve(), "-o", folder / path.stem)
        self.names = [path.stem for path in programs]

    def compile(self, source: pathlib.Path, include: pathlib.Path) -> tuple[pathlib.Path, bool]:
        """The object, and whether it is a program."""
        target = self.folder / (source.stem + ".o")
        call("gcc", "-std=gnu11", "-O1", "-I", include, "-c", source, "-o", target)
        return target, re.search(r"^int main\(", source.read_text(encoding="utf-8"), re.MULTILINE) is not None

    def run(self, number: int, name: str, limit_s: float) -> Outcome:
        """One program."""
        status, output, seconds = run_with_mutant([str(self.folder / name)], number, limit_s, {"LD_LIBRARY_PATH": str(self.folder)})
        how = f"c:{name}: " + describe(status, output, FAILED_C_TEST, limit_s) if status != 0 else ""
        return Outcome(status != 0, how, seconds)
