"""Policy.md against jumping_types.h and Policy.swift: ranges, defaults, negotiation."""
import re

from sources import UNITS, article, body, number, read, table

HEADINGS = ("field (`jmp_policy`)", "range", "default", "negotiated", "effect")
#: Fields whose range or default is no pair of numbers.
WORDS = {"allowed_classes", "suites", "version", "redundancy"}
#: 0 or 1, which Swift keeps as a Bool.
FLAGS = {"strict_binding", "control_expendable"}


def rows():
    """Field name to (range, default, negotiated) of Policy.md."""
    return {row[0]: row[1:4] for row in table(article("Policy"), *HEADINGS)}


def ends(text):
    """`0 (off) or 1 ms … 60 s` → (1000, 60000000); `heartbeat_interval … 10 min` keeps its word."""
    text = text.split(", ")[0] if "power of two" in text else text
    found = re.search(r"(?:^|or )([\w., ]+?) (?:…|to|or) ([\d,.]+ ?\w*)", re.sub(r"^0 \(off\) or ", "", text))
    low, high = found.group(1), found.group(2)
    if re.fullmatch(r"[\d,.]+", low) and (unit := re.search(r" ([a-z]+)$", high)) and low != "0" and unit.group(1) in UNITS:
        low += " " + unit.group(1)
    return (low if low.startswith("heartbeat") else number(low)), number(high)


def header_fields():
    """Field name to the comment of jmp_policy, in its order."""
    source = read("Sources/CJumping/include/jumping_types.h")
    struct = re.search(r"typedef struct jmp_policy \{(.*?)\} jmp_policy;", source, re.S).group(1)
    return dict(re.findall(r"^    (?:uint\d+_t|char) (\w+)(?:\[\w+\])?;\s+/\*\*< (.*?) \*/$", struct, re.M))


def swift_properties():
    """Property of Policy to the field it is in jmp_policy, as Settings.export says."""
    return dict(re.findall(r"out\.(\w+) = policy\.(\w+)", read("Sources/Jumping/Settings.swift")))


def fields():
    """Every field of jmp_policy is in Policy.md."""
    return set(rows()), set(header_fields())


def ranges_and_defaults_of_the_header():
    """Ranges and defaults against the comments of the C struct."""
    documented, coded = set(), set()
    comments = header_fields()
    for name, (low_high, default, _) in rows().items():
        if name in WORDS:
            continue
        comment = comments.get(name, "")
        given = re.search(r"default (?:is )?([\d,.]+(?: (?:ms|s|min|h))?)", comment)
        off = "0 is off (default)" in comment
        coded_range = comment.replace("0 is off (default), else ", "").split(";")[0].split(":")[0]
        coded_range = re.sub(r" (after|besides|between|packet).*", "", re.sub(r"^[a-z][^…]*?, (?=[\d,]+ …)", "", coded_range))
        documented.add((name, ends(low_high), number(default)))
        coded.add((name, ends(coded_range), number(given.group(1)) if given else 0 if off or name in FLAGS else None))
    return documented, coded


def ranges_of_the_core():
    """Ranges against what Policy.swift checks."""
    source = read("Sources/JumpingSession/Policy.swift")
    capacity = re.search(r"static let capacity = (\d+)", read("Sources/JumpingSession/SwitchLimiter.swift")).group(1)
    named = {"ms": "1 ms", "second": "1 s", "minute": "1 min", "day": "1 d", "UInt64(SwitchLimiter.capacity)": capacity}

    def value(text):
        text = named.get(text, text)
        if text == "heartbeatInterval":
            return "heartbeat_interval"
        times = re.fullmatch(r"(\d+) \* (\w+)", text)
        return int(times.group(1)) * number(named[times.group(2)]) if times else number(text)

    coded = set()
    for low, high, name in re.findall(r"check\.need\([^,]+(?:, [^,]+)??, ([^,]+), ([^,]+), \"(\w+)\"", source):
        if name not in WORDS:
            coded.add((name, value(low), value(high)))
    documented = {(name, *ends(low_high)) for name, (low_high, _, _) in rows().items() if name not in WORDS | FLAGS}
    return documented, coded


def defaults_of_the_core():
    """Defaults against Policy.swift."""
    source = read("Sources/JumpingSession/Policy.swift")
    properties = {prop: field for field, prop in swift_properties().items()}
    coded = set()
    for prop, value in re.findall(r"^    package var (\w+): UInt\d+ = ([\d_ *]+)$", source, re.M):
        if properties.get(prop) not in WORDS:
            coded.add((properties[prop], number(value)))
    documented = {(name, number(default)) for name, (_, default, _) in rows().items() if name not in WORDS | FLAGS}
    text = re.search(r'let text: StaticString = "([^"]+)"', source).group(1)
    return documented | {("version", rows()["version"][1])}, coded | {("version", text)}


def negotiation():
    """The column *negotiated* against Policy.negotiated."""
    source = body(read("Sources/JumpingSession/Policy.swift"), "package func negotiated(with limits")
    properties = {prop: field for field, prop in swift_properties().items()} | {"strictBinding": "strict_binding", "controlExpendable": "control_expendable"}
    words = {"min(": "minimum", "max(": "maximum"}
    coded = {}
    for prop, rule in re.findall(r"policy\.(\w+) = (.*)$", source, re.M):
        coded[properties[prop]] = words.get(rule[:4], "intersection" if " & " in rule else "either" if " || " in rule else rule)
    return {(name, rule) for name, (_, _, rule) in rows().items()}, {(name, coded.get(name, "gateway")) for name in header_fields()}


CLAIMS = [fields, ranges_and_defaults_of_the_header, ranges_of_the_core, defaults_of_the_core, negotiation]
