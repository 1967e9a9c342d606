"""Compares the generated parts of the bindings with what a C compiler makes of the public header.

Usage: bindings.py structs|constants|go|groups HEADER

structs    size and every offset of the ctypes structures
constants  the Python constants and the enumerations made of them
go         the values of the Go constants
groups     no two constants of one group have the same value, and bits of a set do not overlap
Prints each difference and exits 1 when there is one.
"""

import ctypes
import enum
import importlib.util
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Iterator

from interface import constants, run_c

ROOT = Path(__file__).resolve().parents[2]
GROUPS = ("JMP_ERR_", "JMP_STATE_", "JMP_REASON_", "JMP_ROLE_", "JMP_CLASS_", "JMP_PATTERN_", "JMP_SUITE_", "JMP_EVENT_", "JMP_DROP_",
          "JMP_CONFIG_", "JMP_RECEIVED_", "JMP_DATAGRAM_", "JMP_PATH_")
#: Names that begin like a group and are none of its members.
NOT_MEMBERS = {"JMP_DROP_CAUSES", "JMP_DATAGRAM_OVERHEAD", "JMP_PATH_NONE", "JMP_SUITE_ALL"}
SETS = ("JMP_SUITE_", "JMP_CONFIG_")


def load(name: str) -> ModuleType:
    """A generated module of the Python package alone: importing the package would load the library."""
    path = ROOT / "bindings" / "python" / "jumping" / f"{name}.py"
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def check_structs(header: Path) -> Iterator[str]:
    module = load("_structs")
    structures = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, ctypes.Structure)]
    declared = set(re.findall(r"^typedef struct (\w+) \{", header.read_text(encoding="utf-8"), re.MULTILINE))
    if declared != {structure.__name__ for structure in structures}:
        yield f"structs differ: {sorted(declared ^ {structure.__name__ for structure in structures})}"
    wanted = {}
    for structure in structures:
        wanted[f"sizeof({structure.__name__})"] = ctypes.sizeof(structure)
        for field in structure._fields_:
            # A trailing underscore keeps a name apart from a Python keyword.
            wanted[f"offsetof({structure.__name__}, {field[0].rstrip('_')})"] = getattr(structure, field[0]).offset
    prints = [f'printf("%zu\\n", {expression});' for expression in wanted]
    source = "\n".join(["#include <stdio.h>", '#include "jumping.h"', "int main(void) {", *prints, "return 0; }", ""])
    for (expression, python), found in zip(wanted.items(), run_c(header, source).split()):
        if python != int(found):
            yield f"{expression} is {found} in C, {python} in Python"


def check_constants(header: Path) -> Iterator[str]:
    module = load("_constants")
    found = {name: value for name, value in vars(module).items() if name.startswith("JMP_")}
    for name, value in constants(header).items():
        if found.pop(name, None) != value:
            yield f"{name} is {value} in C, {getattr(module, name, 'missing')} in Python"
    for name in found:
        yield f"{name} is only in Python"
    enumerations = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, enum.Enum) and list(value)]
    if len(enumerations) < 10:
        yield f"only {len(enumerations)} enumerations"
    for enumeration in enumerations:
        repeated = [name for name, count in Counter(member.value for member in enumeration.__members__.values()).items() if count > 1]
        if repeated:
            yield f"{enumeration.__name__} has {repeated} twice"


def check_go(header: Path) -> Iterator[str]:
    text = (ROOT / "bindings" / "go" / "constants.go").read_text(encoding="utf-8")
    go = Counter(int(value, 0) for value in re.findall(r"^\t\w+ +(?:\w+ )?= (\S+)$", text, re.MULTILINE))
    c = Counter(constants(header).values())
    for value in sorted((go - c) + (c - go)):
        yield f"{value} stands {c[value]} times in C, {go[value]} times in Go"


def check_groups(header: Path) -> Iterator[str]:
    values = constants(header)
    for group in GROUPS:
        members = {name: value for name, value in values.items() if name.startswith(group) and name not in NOT_MEMBERS}
        if group == "JMP_ERR_":
            members.update({name: values[name] for name in ("JMP_OK", "JMP_AGAIN")})
        if len(members) < 2:
            yield f"{group}* has {len(members)} members"
        for value, count in Counter(members.values()).items():
            if count > 1:
                yield f"{[name for name in members if members[name] == value]} are all {value}"
        if group in SETS and any(value & (value - 1) or value == 0 for value in members.values()):
            yield f"{group}* are bits of a set, but not each is one bit"


def main(arguments: "list[str]") -> int:
    checks = {"structs": check_structs, "constants": check_constants, "go": check_go, "groups": check_groups}
    if len(arguments) != 2 or arguments[0] not in checks:
        print(__doc__, file=sys.stderr)
        return 2
    differences = list(checks[arguments[0]](Path(arguments[1])))
    for difference in differences:
        print(difference)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
