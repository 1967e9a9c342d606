"""Compares the documents with the sources: `agree.py CLAIM` prints what only one side has; status 1 when there is any.

`agree.py --list` names the claims. A claim is a function that gives two sets, what is documented and what the sources say.
"""
import sys

import names
import policies
import wire
from sources import article, body, read, snake, table
import re


def states():
    """The transition table of StateMachine.md against StateMachine.swift."""
    documented = {(start, end, reason.strip())
                  for start, end, reasons in table(article("StateMachine"), "from", "to", "reasons") for reason in reasons.split(",")}
    source = read("Sources/JumpingSession/StateMachine.swift")
    coded = set()
    for pairs, reasons in re.findall(r"case ((?:\(\.\w+, \.\w+\)(?:, )?)+):\s+return ReasonSet\((.*?)\)", source, re.S):
        for start, end in re.findall(r"\(\.(\w+), \.(\w+)\)", pairs):
            coded |= {(start.upper(), end.upper(), snake(reason)) for reason in re.findall(r"\.(\w+)", reasons)}
    return documented, coded


def explained_reasons():
    """Every reason of the transition table has a row that says how it comes about, but those nothing raises yet."""
    documented = {row[0] for row in table(article("StateMachine"), "reason", "at", "when")}
    return documented | {"adoption_ok", "ownership_moved"}, {reason for _, _, reason in states()[1]}


def causes():
    """What a gateway makes of a request's cause, against GatewayReattach.swift."""
    documented = {(cause.strip(), reason)
                  for row in table(article("StateMachine"), "cause of the request", "gateway's reason for RECOVERING")
                  for cause in row[0].split(",") for reason in [row[1]]}
    source = body(read("Sources/Jumping/Session/GatewayReattach.swift"), "static func recoveryReason")
    coded = {("everything else", snake(re.search(r"default: \.(\w+)", source).group(1)))}
    for given, made in re.findall(r"case ((?:\.\w+(?:, )?)+): \.(\w+)", source):
        coded |= {(snake(cause), snake(made)) for cause in re.findall(r"\.(\w+)", given)}
    return documented, coded


def timers():
    """The timers of StateMachine.md against Timers.swift, in their order."""
    documented = enumerate(row[0] for row in table(article("StateMachine"), "timer", "armed", "does"))
    kinds = body(read("Sources/JumpingSession/Timers.swift"), "package enum TimerKind")
    return set(documented), set(enumerate(re.findall(r"^    case (\w+)", kinds, re.M)))


def diagram():
    """README shows the diagram of StateMachine.md."""
    def lines(text):
        return {line.strip() for line in text.splitlines() if "───" in line or re.search(r"│|▼", line)}
    return lines(article("StateMachine")), lines(read("README.md"))


CLAIMS = [states, explained_reasons, causes, timers, diagram, *policies.CLAIMS, *wire.CLAIMS, *names.CLAIMS]


def main():
    """Runs one claim, or names them."""
    if sys.argv[1:] == ["--list"]:
        print(*(claim.__name__ for claim in CLAIMS), sep="\n")
        return 0
    documented, coded = next(claim for claim in CLAIMS if claim.__name__ == sys.argv[1])()
    for only, where in ((documented - coded, "documents"), (coded - documented, "sources")):
        for item in sorted(map(str, only)):
            print(f"only in the {where}: {item}")
    if not coded:
        print("nothing was found to compare")
        return 1
    return 1 if documented != coded else 0


if __name__ == "__main__":
    sys.exit(main())
