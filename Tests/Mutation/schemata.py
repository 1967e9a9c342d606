"""Mutant schemata: all mutants in one copy of the sources, one of them switched on by a number at run time.

A mutant is a record in mutants/*.toml. Its `place` is text that stands exactly once in its file; the part between « and » is
what is broken. The copy holds, in its stead, a choice between the original and the mutated code:

    guard (jumping_mutant(7) ? (true) : (verdict == .fresh)) else { … }

so that one build serves all mutants. Number 0 is the unchanged library.
"""

import dataclasses
import pathlib
import tomllib

REQUIRED = {"name", "breaks", "file", "place", "mutated", "noticed_by"}
OPTIONAL = {"statement"}

SWITCH_HEADER = """\
#ifndef JUMPING_MUTANT_H
#define JUMPING_MUTANT_H
#include <stdbool.h>
/* The mutant that lives in this process; 0: none. Read once from the environment. */
extern int jumping_living_mutant;
static inline bool jumping_mutant(int number) { return jumping_living_mutant == number; }
#endif
"""

SWITCH_SOURCE = """\
#include "jumping_mutant.h"
#include <stdlib.h>

int jumping_living_mutant;

__attribute__((constructor)) static void read_number(void) {
    const char *text = getenv("JUMPING_MUTANT");
    jumping_living_mutant = text == NULL ? 0 : atoi(text);
}
"""

SWITCH_TARGET = """
package.targets.append(.target(name: "CMutant"))
for target in package.targets where target.type == .regular && target.name.hasPrefix("Jumping") {
    target.dependencies.append("CMutant")
}
"""


class RecordError(Exception):
    """A record that does not fit the sources, or is not one."""


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One way to break the library."""

    number: int
    name: str
    breaks: str
    """Which promise or rule is broken, and how."""
    file: str
    """Below Sources."""
    before: str
    original: str
    after: str
    mutated: str
    is_statement: bool
    noticed_by: tuple[str, ...]
    """Detectors that are expected to notice it, tried first: a Swift test as Suite/test, a C program as c:NAME."""

    def span(self, text: str) -> tuple[int, int]:
        """Where the original stands in its file's text."""
        place = self.before + self.original + self.after
        found = text.count(place)
        if found != 1:
            raise RecordError(f"{self.name}: its place stands {found} times in {self.file}, not once:\n    {place}")
        start = text.index(place) + len(self.before)
        return start, start + len(self.original)


def read_mutants(folder: pathlib.Path) -> list[Mutant]:
    """All records, numbered from 1 in the order of file names and places in them."""
    mutants: list[Mutant] = []
    for path in sorted(folder.glob("*.toml")):
        for record in tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", []):
            mutants.append(make_mutant(len(mutants) + 1, record, path.name))
    names = [mutant.name for mutant in mutants]
    for name in names:
        if names.count(name) > 1:
            raise RecordError(f"two mutants are named {name}")
    return mutants


def make_mutant(number: int, record: dict, source: str) -> Mutant:
    """Checks one record."""
    name = record.get("name", "a mutant without a name")
    keys = set(record)
    if keys - OPTIONAL != REQUIRED:
        raise RecordError(f"{source}: {name}: wants {sorted(REQUIRED)}, has {sorted(keys)}")
    before, opening, rest = record["place"].partition("«")
    original, closing, after = rest.partition("»")
    if not opening or not closing or not original:
        raise RecordError(f"{source}: {name}: its place marks nothing with « and »")
    if original == record["mutated"]:
        raise RecordError(f"{source}: {name}: nothing is changed")
    return Mutant(number, name, record["breaks"], record["file"], before, original, after, record["mutated"],
                  record.get("statement", False), tuple(record["noticed_by"]))


def choice(mutants: list[Mutant]) -> str:
    """The code that stands for one place, which may have several mutants."""
    original = mutants[0].original
    if mutants[0].is_statement:
        branches = " else ".join(f"if jumping_mutant({m.number}) {{\n{m.mutated}\n}}" for m in mutants)
        return f"{branches} else {{\n{original}\n}}"
    branches = " : ".join(f"jumping_mutant({m.number}) ? ({m.mutated})" for m in mutants)
    return f"({branches} : ({original}))"


def rewrite(text: str, mutants: list[Mutant]) -> str:
    """A source file with a choice in every mutant's place."""
    places: dict[tuple[int, int], list[Mutant]] = {}
    for mutant in mutants:
        places.setdefault(mutant.span(text), []).append(mutant)
    ordered = sorted(places)
    for (_, end), (start, _) in zip(ordered, ordered[1:]):
        if start < end:
            raise RecordError(f"the places of two mutants overlap in {mutants[0].file}: {text[start:end]}")
    for span in reversed(ordered):
        if len({mutant.is_statement for mutant in places[span]}) > 1:
            raise RecordError(f"{places[span][0].name}: another mutant of its place is of another kind")
        text = text[:span[0]] + choice(places[span]) + text[span[1]:]
    lines = text.split("\n")
    first = next((i for i, line in enumerate(lines) if line.partition("import ")[0] in ("", "package ", "internal ")
                  and "import " in line), 0)
    lines.insert(first, "internal import CMutant")
    return "\n".join(lines)


def write_if_changed(path: pathlib.Path, data: bytes) -> None:
    """Leaves the time of an unchanged file alone, so that only what changed is built again."""
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def make_package(project: pathlib.Path, target: pathlib.Path, mutants: list[Mutant]) -> None:
    """The package with all mutants in it, as a copy in `target`."""
    by_file: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        by_file.setdefault(mutant.file, []).append(mutant)
    wanted: dict[str, bytes] = {}
    for folder in ("Sources", "include", "Tests"):
        for path in sorted((project / folder).rglob("*")):
            name = path.relative_to(project)
            if path.is_file() and name.parts[:2] != ("Tests", "Mutation") and "__pycache__" not in name.parts:
                wanted[str(name)] = path.read_bytes()
    for file, its in by_file.items():
        if f"Sources/{file}" not in wanted:
            raise RecordError(f"{its[0].name}: there is no Sources/{file}")
        text = wanted[f"Sources/{file}"].decode("utf-8")
        wanted[f"Sources/{file}"] = rewrite(text, its).encode("utf-8")
    wanted["Package.swift"] = (project / "Package.swift").read_bytes() + SWITCH_TARGET.encode()
    wanted["Sources/CMutant/include/jumping_mutant.h"] = SWITCH_HEADER.encode()
    wanted["Sources/CMutant/jumping_mutant.c"] = SWITCH_SOURCE.encode()
    for path in target.rglob("*"):
        if path.is_file() and str(path.relative_to(target)) not in wanted:
            path.unlink()
    for name, data in wanted.items():
        write_if_changed(target / name, data)
