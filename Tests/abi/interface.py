"""What the public header declares, asked of a C compiler: the other files of this suite compare it with everything else.

Usage: interface.py functions HEADER            prints the names of all functions, one a line, sorted
       interface.py probe HEADER                prints C source that defines every function, for libabigail
       interface.py constants HEADER            prints name and value of every constant, in the header's order
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path


def declarations(header: Path) -> str:
    """The header's own declarations without comments, one line: the preprocessor resolves everything else."""
    preprocessed = subprocess.run(["cc", "-std=c99", "-E", str(header)], check=True, capture_output=True, text=True).stdout
    own, keep = [], False
    for line in preprocessed.splitlines():
        marker = re.match(r'# \d+ "(.*?)"', line)
        if marker:
            keep = Path(marker.group(1)).name == header.name
        elif keep:
            own.append(line)
    return " ".join(" ".join(own).split())


def prototypes(header: Path) -> "list[tuple[str, str]]":
    """(name, prototype without its semicolon) of every function, in the header's order."""
    found = []
    for statement in declarations(header).split(";"):
        match = re.fullmatch(r"(?:extern )?((?:const )?\w+ \*?(jmp_\w+)\([^()]*\))", statement.strip())
        if match:
            found.append((match.group(2), match.group(1)))
    return found


def run_c(header: Path, source: str) -> str:
    """What a C99 program with this source prints."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program"
        subprocess.run(["cc", "-std=c99", "-I", str(header.parent), "-x", "c", "-o", str(program), "-"], input=source, check=True, text=True)
        return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout


def constants(header: Path) -> "dict[str, int]":
    """Name and value of every constant, in the header's order, as a C compiler sees them."""
    names = re.findall(r"^#define (JMP_\w+)[ \t]+\S", header.read_text(encoding="utf-8"), re.MULTILINE)
    prints = [f'if ({name} < 0) printf("{name} %lld\\n", (long long)({name})); '
              f'else printf("{name} %llu\\n", (unsigned long long)({name}));' for name in names]
    source = "\n".join(["#include <stdio.h>", '#include "jumping.h"', "int main(void) {", *prints, "return 0; }", ""])
    return {name: int(value) for name, value in (line.split() for line in run_c(header, source).splitlines())}


def probe(header: Path) -> str:
    """C source with a body for every function, so that debug information describes the whole interface."""
    bodies = [f"{prototype} {{ __builtin_unreachable(); }}" for _, prototype in prototypes(header)]
    return "\n".join(['#include "jumping.h"', *bodies, ""])


def main(arguments: "list[str]") -> int:
    if len(arguments) != 2 or arguments[0] not in ("functions", "probe", "constants"):
        print(__doc__, file=sys.stderr)
        return 2
    header = Path(arguments[1])
    if arguments[0] == "functions":
        print("\n".join(sorted(name for name, _ in prototypes(header))))
    elif arguments[0] == "constants":
        for name, value in constants(header).items():
            print(name, value)
    else:
        print(probe(header), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
