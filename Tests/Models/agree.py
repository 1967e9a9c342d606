"""Compares the models with documents and sources: `agree.py CLAIM …`; status 1 with a line for each difference.

 table      the transition table of table.pml is the one of StateMachine.md
 functions  every function that Model.md names exists in the file it names
 complete   Model.md says of every step and every inline of the models what it stands for, and names no others
 broken     the rules that Model.md tells of as left out are those the suite leaves out, and the model knows each
 figures    the worlds that Model.md tells of are the ones the suite runs, `--big` included
 states     `agree.py states WORLD NUMBER`: a search of this world found as many states as Model.md tells of
"""
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ARTICLES = ROOT / "Sources/Jumping/Documentation.docc"


def read(path):
    """The text of a file below the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def rows(article, *headings):
    """Rows of every table with these headings."""
    is_inside = False
    for line in (ARTICLES / f"{article}.md").read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            is_inside = False
        elif line == "| " + " | ".join(headings) + " |":
            is_inside = True
        elif is_inside and not line.startswith("| ---"):
            yield tuple(cell.strip() for cell in line.strip("|").split(" | "))


def table():
    """Transitions with reasons, both ways."""
    documented = {(start, end, reason.strip()) for start, end, reasons in rows("StateMachine", "from", "to", "reasons") for reason in reasons.split(",")}
    source = (HERE / "table.pml").read_text(encoding="utf-8")
    sets = dict(re.findall(r"^#define (\w+_TO_\w+)\(r\)\s+(.*)$", source, re.M))
    reasons = set(re.search(r"mtype = \{\s+none,(.*?)\}", source, re.S).group(1).replace(",", " ").split())
    modelled = set()
    for start, end, name in re.findall(r"(?m)^    ROW\((\w+), (\w+), (\w+), f, t, r\)", source):
        modelled |= {(start, end, word) for word in re.findall(r"\w+", sets[name]) if word in reasons}
    for row in sorted(documented ^ modelled):
        yield f"only in the {'document' if row in documented else 'model'}: {' '.join(row)}"
    if not modelled:
        yield "no table was found"


def named():
    """What Model.md says stands for what: (names in the model, file, functions)."""
    for names, path, functions in rows("Model", "in the model", "file below Sources", "function"):
        yield re.findall(r"`(\w+)`", names), path, re.findall(r"`(\w+)`", functions)


def functions():
    """Functions that are not where the article says."""
    for names, path, wanted in named():
        if path == "–":
            continue
        text = read(f"Sources/{path}")
        for name in wanted:
            if not re.search(rf"\b(func|var|let|struct) {name}\b", text):
                yield f"{path} has no {name} (for {', '.join(names)})"


def complete():
    """Steps and inlines that Model.md leaves out or makes up."""
    def texts(*names):
        return "".join((HERE / f"{name}.pml").read_text(encoding="utf-8") for name in names)

    steps = " ".join(re.findall(r"no_event,(.*?)\}", texts("variables", "payloads"), re.S)).replace(",", " ").split()
    inlines = re.findall(r"^inline (\w+)", texts("client", "gateway", "sender", "receiver"), re.M)
    wanted = {*steps, *inlines}
    told = {name for names, _, _ in named() for name in names}
    yield from (f"Model.md does not tell what {name} stands for" for name in sorted(wanted - told))
    yield from (f"Model.md tells of {name}, which the model does not have" for name in sorted(told - wanted))


def broken():
    """Rules left out in the article against those of the suite and those of the models."""
    suite = set(re.findall(r"^(?:unsafe|stuck) (\w+) ", (HERE / "run").read_text(encoding="utf-8"), re.M))
    told = {flag.strip("`")[2:] for flag, _, _ in rows("Model", "built with", "what is left out", "broken")}
    known = set(re.findall(r"^#ifn?def (\w+)$", "".join(path.read_text(encoding="utf-8") for path in HERE.glob("*.pml")), re.M))
    yield from (f"only in {'the suite' if flag in suite else 'Model.md'}: {flag}" for flag in sorted(suite ^ told))
    yield from (f"no model knows {flag}" for flag in sorted(suite - known))
    if not suite:
        yield "no rule was found"


def worlds():
    """The tables of worlds in Model.md: name, flags, states."""
    for name, flags, states, *_ in rows("Model", "world", "built with", "states", "depth", "memory, MB", "CPU time, s"):
        yield name, flags.strip("`"), states


def figures():
    """Worlds of the article against those of the suite."""
    suite = set(re.findall(r'^ *(?:safe|live) "([^"]+)" "(.*)"$', (HERE / "run").read_text(encoding="utf-8"), re.M))
    told = {(name, flags) for name, flags, _ in worlds()}
    yield from (f"only in {'the suite' if row in suite else 'Model.md'}: {row}" for row in sorted(suite ^ told))
    if not suite:
        yield "no world was found"


def states(world, number):
    """What a search of a world has found against what the article says of it."""
    yield from (f"{world}: {number} states were found, Model.md tells of {told}" for name, _, told in worlds() if name == world and told != number)
    if world not in {name for name, *_ in worlds()}:
        yield f"Model.md does not tell of {world}"


CLAIMS = {claim.__name__: claim for claim in (table, functions, complete, broken, figures, states)}


def main():
    """Prints what disagrees."""
    found = list(CLAIMS[sys.argv[1]](*sys.argv[2:]))
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
