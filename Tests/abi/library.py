"""Compares a built libjumping.so with the public header.

Usage: library.py symbols|needs|names LIBRARY HEADER

symbols  the exported dynamic symbols are exactly the functions of the header
needs    the SONAME, and that nothing but libsodium and libc (libm at most) is needed
names    every state, reason, event, drop cause, suite, path role and status has the stable name its constant says
Prints each difference and exits 1 when there is one.
"""

import ctypes
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator

from interface import constants, prototypes


def output_of(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def check_symbols(library: Path, header: Path) -> Iterator[str]:
    exported = {line.split()[0] for line in output_of("nm", "-D", "--defined-only", "-P", str(library)).splitlines()}
    declared = {name for name, _ in prototypes(header)}
    for name in sorted(exported - declared):
        yield f"{name} is exported, but not in the header"
    for name in sorted(declared - exported):
        yield f"{name} is in the header, but not exported"


def check_needs(library: Path, header: Path) -> Iterator[str]:
    dynamic = output_of("readelf", "-d", "-W", str(library))
    soname = re.findall(r"\(SONAME\).*\[(.*)\]", dynamic)
    if soname != ["libjumping.so.0"]:
        yield f"SONAME is {soname}, expected libjumping.so.0"
    # Swift's package manager always writes a RUNPATH of the library's own folder; anything else would be a machine's.
    dynamic = dynamic.replace("(RUNPATH)            Library runpath: [$ORIGIN]", "")
    for tag in ("RPATH", "RUNPATH", "TEXTREL"):
        if f"({tag})" in dynamic:
            yield f"the library has a {tag}"
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    allowed = re.compile(r"libsodium\.so\.\d+|libc\.so\.6|libm\.so\.6|ld-linux[-a-z0-9_]*\.so\.\d")
    for name in needed:
        if not allowed.fullmatch(name):
            yield f"{name} is needed"
    if not any(name.startswith("libsodium.so.") for name in needed):
        yield "libsodium is not needed: this cannot be the library"
    for line in output_of("ldd", str(library)).splitlines():
        name = line.split()[0].rsplit("/", 1)[-1]
        if "not found" in line or not (allowed.fullmatch(name) or name.startswith("linux-vdso")):
            yield f"ldd: {line.strip()}"


def camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


SUITE_NAMES = {"CHACHA20_POLY1305": "ChaCha20-Poly1305", "AES_256_GCM": "AES-256-GCM", "AEGIS_256": "AEGIS-256"}


def check_names(library: Path, header: Path) -> Iterator[str]:
    loaded = ctypes.CDLL(str(library))
    values = constants(header)

    def named(function: str, value: int) -> str:
        call = getattr(loaded, function)
        call.restype = ctypes.c_char_p
        return str(call(ctypes.c_int32(value)).decode("ascii"))

    families = [("JMP_STATE_", "jmp_state_name", str, "UNKNOWN"), ("JMP_REASON_", "jmp_reason_name", str.lower, "unknown"),
                ("JMP_EVENT_", "jmp_event_name", camel, "Unknown"), ("JMP_DROP_", "jmp_drop_name", str.lower, "unknown"),
                ("JMP_PATH_", "jmp_path_role_name", str.lower, "unknown"), ("JMP_SUITE_", "jmp_suite_name", SUITE_NAMES.get, "none")]
    for prefix, function, spelling, unknown in families:
        for name, value in values.items():
            if not name.startswith(prefix) or name in ("JMP_DROP_CAUSES", "JMP_PATH_NONE", "JMP_SUITE_ALL"):
                continue
            wanted = spelling(name[len(prefix):])
            if named(function, value) != wanted:
                yield f"{function}({name}) is \"{named(function, value)}\", expected \"{wanted}\""
        for value in (1000, -1, 2**31 - 1):
            if named(function, value) != unknown:
                yield f"{function}({value}) is \"{named(function, value)}\", expected \"{unknown}\""
    statuses = {name: named("jmp_strerror", value) for name, value in values.items() if name in ("JMP_OK", "JMP_AGAIN") or "_ERR_" in name}
    for name, text in statuses.items():
        if not text or list(statuses.values()).count(text) > 1:
            yield f"jmp_strerror({name}) is \"{text}\", which is empty or not its own"
    loaded.jmp_abi_version.restype = ctypes.c_uint32
    if loaded.jmp_abi_version() != values["JMP_ABI_VERSION"]:
        yield f"jmp_abi_version() is {loaded.jmp_abi_version()}, the header says {values['JMP_ABI_VERSION']}"


def main(arguments: "list[str]") -> int:
    checks = {"symbols": check_symbols, "needs": check_needs, "names": check_names}
    if len(arguments) != 3 or arguments[0] not in checks:
        print(__doc__, file=sys.stderr)
        return 2
    differences = list(checks[arguments[0]](Path(arguments[1]).resolve(), Path(arguments[2])))
    for difference in differences:
        print(difference)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
