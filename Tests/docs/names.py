"""Names in the documents: links, files, functions, constants, tests and events exist."""
import re

from sources import ARTICLES, ROOT, article, documents, read, table


def missing_or_none(found, wanted):
    """Two sets for a claim of existence: equal when nothing of `wanted` is missing, empty when nothing was looked for."""
    return set(wanted), set(wanted) & set(found)


def links():
    """Every `doc:` link, Markdown link and path in the documents leads to something."""
    wanted, found = set(), set()
    for path, text in documents():
        targets = {ARTICLES / f"{name}.md" for name in re.findall(r"<doc:(\w+)>", text)}
        targets |= {path.parent / target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target}
        targets |= {ROOT / name.rstrip("/") for name in re.findall(r"\b((?:Sources|Tests|include|bindings|examples)/[\w./-]*\w)", text)
                    if not name.endswith("-")}
        wanted |= {f"{path.name}: {target}" for target in targets}
        found |= {f"{path.name}: {target}" for target in targets if target.exists()}
    return missing_or_none(found, wanted)


def source_files():
    """Every file a document names by its last part exists."""
    have = {path.name for folder in ("Sources", "examples", "include", "Tests", "bindings") for path in (ROOT / folder).rglob("*") if path.is_file()}
    wanted = {f"{path.name}: {name}" for path, text in documents() for name in re.findall(r"(?<!<)\b(\w+\.(?:swift|c|h|py))\b", text) if name != "hello.c"}
    return missing_or_none({item for item in wanted if item.split(": ")[1] in have}, wanted)


def functions():
    """Every jmp_ function and JMP_ constant a document names is in the header."""
    header = set(re.findall(r"\b(?:jmp|JMP)_\w+", read("include/jumping.h")))
    wanted = {f"{path.name}: {name}" for path, text in documents() for name in re.findall(r"\b(?:jmp|JMP)_\w*[A-Za-z]\b(?![_*])", text)}
    return missing_or_none({item for item in wanted if item.split(": ")[1] in header}, wanted)


def tests():
    """Every test the threat model names exists, and every threat names one."""
    have = set()
    for path in (ROOT / "Tests").rglob("*"):
        if path.suffix in (".swift", ".c", ".py") and path.parent.name != "docs":
            have |= set(re.findall(r"(?:func |void |def |\(\")([\w-]+)", path.read_text(encoding="utf-8")))
    rows = [row for line in article("ThreatModel").splitlines() if line.startswith("| ") and "---" not in line
            for row in [line.strip("| ").split(" | ")] if len(row) == 4 and row[3] != "shown by"]
    wanted = {name for row in rows for name in re.findall(r"`([\w-]+)`", row[3])}
    nameless = {f"no test for: {row[0]}" for row in rows if not re.search(r"`[\w-]+`", row[3])}
    return wanted | nameless, wanted & have


def events():
    """The events of Embedding.md against Names.swift."""
    documented = {name for row in table(article("Embedding"), "event", "when") for name in row[0].split(", ")}
    return documented, set(re.findall(r'case JMP_EVENT_\w+: "(\w+)"', read("Sources/Jumping/Audit/Names.swift")))


CLAIMS = [links, source_files, functions, tests, events]
