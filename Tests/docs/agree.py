"""Compares the articles with the sources, one claim a call: states, policy, frames, labels, links, functions."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARTICLES = ROOT / "Sources/Jumping/Documentation.docc"


def read(path):
    """The text of a file, by its path below the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def snake(name):
    """`transportTTLExceeded` → `transport_ttl_exceeded`."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"(TTL|OK|NAT)", lambda m: m.group(1).capitalize(), name)).lower()


def states():
    """The transition table of StateMachine.md against StateMachine.swift."""
    documented = set()
    for row in re.findall(r"^\| ([A-Z]+) \| ([A-Z]+) \| ([a-z_, ]+) \|$", (ARTICLES / "StateMachine.md").read_text(), re.M):
        documented |= {(row[0], row[1], reason.strip()) for reason in row[2].split(",")}
    source = read("Sources/JumpingSession/StateMachine.swift")
    coded = set()
    for pairs, reasons in re.findall(r"case ((?:\(\.\w+, \.\w+\)(?:, )?)+):\s+return ReasonSet\((.*?)\)", source, re.S):
        for start, end in re.findall(r"\(\.(\w+), \.(\w+)\)", pairs):
            coded |= {(start.upper(), end.upper(), snake(reason)) for reason in re.findall(r"\.(\w+)", reasons)}
    return documented, coded


def policy():
    """Ranges and defaults of Policy.md against the field comments of the C struct."""
    fields = re.findall(r"^    uint\d+_t (\w+);\s+/\*\*< (.*?) \*/$", struct("jmp_policy"), re.M)
    coded = {name: words(comment) for name, comment in fields}
    rows = re.findall(r"^\| (\w+) \| (.+?) \| (.+?) \| \w+ \| (.+?) \|$", (ARTICLES / "Policy.md").read_text(), re.M)
    documented = {name: words(f"{low_high} {default}") for name, low_high, default, _ in rows}
    wrong = {name for name, numbers in documented.items() if name != "version" and not numbers <= coded.get(name, set())}
    return {f"{name}: {documented[name]}" for name in wrong}, set() if set(coded) <= set(documented) else {str(set(coded) - set(documented))}


def words(text):
    """The numbers of a text with their units, in one spelling."""
    text = text.replace(",", "").replace(" days", " d").replace("1.10", "").replace("(", " ").replace(")", " ")
    return {" ".join(found).strip() for found in re.findall(r"(\d+(?:\.\d+)?) ?(ms|min|s|d|h)?\b", text)}


def struct(name):
    """The body of a C struct."""
    return re.search(r"typedef struct %s \{(.*?)\} %s;" % (name, name), read("Sources/CJumping/include/jumping_types.h"), re.S).group(1)


def frames():
    """Frame types of WireProtocol.md against Frame.swift."""
    documented = {(re.sub("_", "", name).lower(), int(number, 16))
                  for number, name in re.findall(r"^\| (0x[0-9A-F]{2}) \| ([A-Z_]+) \|", (ARTICLES / "WireProtocol.md").read_text(), re.M)}
    names = {"acknowledgement": "ack"}
    coded = {(names.get(name, name.lower()), int(number, 16))
             for name, number in re.findall(r"static let (\w+): UInt8 = (0x[0-9A-F]{2})", read("Sources/JumpingWire/Frame.swift"))}
    return documented, coded


def labels():
    """Key labels of WireProtocol.md against KeySchedule.swift and KDF.swift."""
    document = (ARTICLES / "WireProtocol.md").read_text()
    documented = set(re.findall(r'`Expand\(S[^,]*, "([^"]+)"', document))
    source = read("Sources/JumpingSession/KeySchedule.swift")
    coded = set(re.findall(r'label: "([^"]+)"', source)) | set(re.findall(r'withExpanded\([^"]*?"([^"]+)"', source))
    if '"libjumping 1 "' in document and '"libjumping 1 "' not in read("Sources/JumpingCrypto/KDF.swift"):
        coded.add("prefix libjumping 1")
    return documented, coded


def links():
    """Every `doc:` link and every path in backquotes that names a file of the project exists."""
    missing = set()
    for article in [*ARTICLES.glob("*.md"), ROOT / "README.md"]:
        text = article.read_text(encoding="utf-8")
        missing |= {f"{article.name}: {name}" for name in re.findall(r"<doc:(\w+)>", text) if not (ARTICLES / f"{name}.md").exists()}
        for path in re.findall(r"`((?:Sources|Tests|include|bindings|examples)/[\w./-]+)`", text):
            if not (ROOT / path.rstrip("/")).exists():
                missing.add(f"{article.name}: {path}")
    return missing, set()


def functions():
    """Every jmp_ function an article names is in the header."""
    header = read("include/jumping.h")
    missing = set()
    for article in [*ARTICLES.glob("*.md"), ROOT / "README.md"]:
        for name in set(re.findall(r"`(jmp_\w+)`", article.read_text(encoding="utf-8"))):
            if not re.search(rf"\b{name}\b", header):
                missing.add(f"{article.name}: {name}")
    return missing, set()


def main():
    """Prints what only one side has; status 1 when there is any."""
    documented, coded = globals()[sys.argv[1]]()
    for only, where in ((documented - coded, "documents"), (coded - documented, "sources")):
        for item in sorted(map(str, only)):
            print(f"only in the {where}: {item}")
    if sys.argv[1] in ("states", "frames", "labels") and not (documented and coded):
        print("nothing was found to compare")
        return 1
    return 1 if documented ^ coded else 0


if __name__ == "__main__":
    sys.exit(main())
