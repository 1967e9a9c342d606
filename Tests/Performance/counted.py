"""What counted.c counted, beside Tests/Performance/thresholds; see Tests/Performance/run.

    counted.py sum FOLDER                 adds up callgrind's dumps FOLDER/dump.* and the cases of FOLDER/cases:
                                          "CASE INSTRUCTIONS ALLOCATIONS" lines, both of one unit
    counted.py judge COUNTS THRESHOLDS CASE   status 1 and why, when the case is not within its thresholds
    counted.py complete COUNTS THRESHOLDS     status 1 when one of the two has a case that the other lacks
    counted.py renew COUNTS THRESHOLDS        writes the counts' thresholds into the file, below its comment
"""
import math
import re
import sys
from pathlib import Path

#: A threshold lies so much above what was counted, and what is counted must not lie further below it.
ABOVE, BELOW = 1.03, 0.90
#: Only what this object itself does is counted: not libsodium's part, nor the C library's.
OBJECT = "libjumping.so"


def own_instructions(dump):
    """The case of a dump, and the instructions of the library's own functions in it.

    A line of numbers is the cost of one source line of the object named last; the one behind a "calls=" is what the called
    function spent, which is listed under the object it belongs to.
    """
    case, names, is_ours, is_call, total = None, {}, False, False, 0
    for line in dump.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("desc: Trigger: Client Request: "):
            case = line.removeprefix("desc: Trigger: Client Request: ")
        elif line.startswith(("ob=", "cob=")):
            number, name = re.fullmatch(r"c?ob=\((\d+)\)(?: (.*))?", line).groups()
            names.setdefault(number, name)
            if line.startswith("ob="):
                is_ours = Path(names[number] or "").name.startswith(OBJECT)
        elif line.startswith("calls="):
            is_call = True
        elif re.match(r"[\d+*-]", line):
            if is_ours and not is_call:
                total += int(line.split()[1])
            is_call = False
    return case, total


def add_up(folder):
    """Prints the counts of one unit of each case."""
    instructions = dict(own_instructions(dump) for dump in folder.glob("dump*"))
    for line in (folder / "cases").read_text(encoding="utf-8").splitlines():
        case, units, allocations = line.split()
        if not instructions.get(case):
            sys.exit(f"callgrind counted nothing of {case}")
        print(f"{case} {instructions[case] / int(units):.1f} {int(allocations) / int(units):.2f}")


def rows(path):
    """The rows of a file of counts or thresholds: case, instructions, allocations."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return {case: (float(instructions), float(allocations)) for case, instructions, allocations in lines}


def judge(counted, threshold):
    """What is wrong with a case, or None."""
    (instructions, allocations), (most, most_allocations) = counted, threshold
    if instructions > most:
        return f"{instructions:.1f} instructions, at most {most:.0f} are allowed"
    if instructions < most * BELOW:
        return f"{instructions:.1f} instructions are far below the threshold {most:.0f}: renew the thresholds"
    if allocations > most_allocations:
        return f"{allocations:.2f} allocations, at most {most_allocations:.2f} are allowed"
    if allocations < most_allocations * BELOW:
        return f"{allocations:.2f} allocations are far below the threshold {most_allocations:.2f}: renew the thresholds"
    return None


def missing(counts, thresholds):
    """Cases only one side has; a suite that this machine lacks has no counts at all."""
    suites = {case.partition("/")[0] for case in counts}
    expected = {case for case in thresholds if case.partition("/")[0] in suites}
    return [f"no row for {case}" for case in counts.keys() - thresholds.keys()] + [f"{case} was not counted" for case in expected - counts.keys()]


def renew(counts, path):
    """Keeps the comment and the rows of suites that were not counted."""
    suites = {case.partition("/")[0] for case in counts}
    comment = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#") or not line]
    others = {case: row for case, row in rows(path).items() if case.partition("/")[0] not in suites}
    renewed = {case: (math.ceil(instructions * ABOVE), allocations) for case, (instructions, allocations) in counts.items()}
    text = [f"{case:<48} {most:>9.0f} {allocations:>7.2f}" for case, (most, allocations) in (renewed | others).items()]
    path.write_text("\n".join([*comment, *text]) + "\n", encoding="utf-8")


def main():
    """Status 1 with a message when something is wrong."""
    command, *arguments = sys.argv[1:]
    if command == "sum":
        return add_up(Path(arguments[0]))
    counts, thresholds = rows(Path(arguments[0])), Path(arguments[1])
    if command == "renew":
        return renew(counts, thresholds)
    if command == "complete":
        return "\n".join(missing(counts, rows(thresholds))) or None
    return judge(counts[arguments[2]], rows(thresholds)[arguments[2]])


if __name__ == "__main__":
    sys.exit(main())
