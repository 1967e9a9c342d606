"""What the documents are compared with: articles, sources, and the few shapes of Swift, C and Markdown that are read."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARTICLES = ROOT / "Sources/Jumping/Documentation.docc"

#: Microseconds of each unit that ranges are written in.
UNITS = {"ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "day": 86_400_000_000,
         "days": 86_400_000_000}


def read(path):
    """The text of a file, by its path below the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def article(name):
    """The text of an article."""
    return (ARTICLES / f"{name}.md").read_text(encoding="utf-8")


def documents():
    """Every document with its text: the articles and README."""
    return [(path, path.read_text(encoding="utf-8")) for path in [*sorted(ARTICLES.glob("*.md")), ROOT / "README.md"]]


def snake(name):
    """`transportTTLExceeded` becomes `transport_ttl_exceeded`."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"(TTL|OK|NAT|PPM|ID)", lambda m: m.group(1).capitalize(), name)).lower()


def table(text, *headings):
    """Rows of the first Markdown table with these headings, as tuples of cells; fails when there is none."""
    head = "| " + " | ".join(headings) + " |"
    if head not in text:
        raise SystemExit(f"no table | {' | '.join(headings)} |")
    rows = []
    for line in text[text.index(head):].splitlines()[2:]:
        if not line.startswith("|"):
            break
        rows.append(tuple(cell.strip() for cell in line.strip("|").split(" | ")))
    return rows


def number(text):
    """`1.5 s`, `200,000`, `0 (off)`, `8 * 3600 * 1_000_000` as a whole number; times in microseconds."""
    text = re.sub(r"\(.*?\)", "", text).replace(",", "").replace("_", "").strip()
    if "*" in text:
        product = 1
        for factor in text.split("*"):
            product *= int(factor)
        return product
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]*)", text)
    if not found:
        raise SystemExit(f"not a number: {text}")
    value = float(found.group(1)) * UNITS.get(found.group(2), 1)
    return int(value)


def body(source, start):
    """From `start` (text that occurs once) to the closing brace at the start's own indentation."""
    if source.count(start) != 1:
        raise SystemExit(f"{start!r} occurs {source.count(start)} times")
    begin = source.index(start)
    indent = begin - (source.rfind("\n", 0, begin) + 1)
    end = source.index("\n" + " " * indent + "}", begin)
    return source[begin:end]


def constant(path, name):
    """The whole number a Swift `static let` is given."""
    found = re.search(rf"static let {name}(?:: \w+)? = ([\d_]+|0x[0-9A-Fa-f]+|1 << \d+)\n", read(path))
    if not found:
        raise SystemExit(f"{path} has no constant {name}")
    left, _, right = found.group(1).replace("_", "").partition(" << ")
    return int(left) << int(right) if right else int(left, 0)
