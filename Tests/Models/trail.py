"""Reads what `pan -r` says of an error and prints its steps, one a line, and what the world looked like at the end."""
import re
import sys


def main():
    """Standard input to standard output."""
    said = sys.stdin.read()
    names = {}
    for name, value in re.findall(r"^\tmtype  (\w+):\t(\d+)$", said, re.M):
        names.setdefault(value, name)
    chosen = ""
    for line in said.splitlines():
        shown = re.search(r"^\s*([A-Z_]+) (\d+) (\d+) (\d+)$", line)     # protected delivery prints its steps itself
        if shown:
            print(shown.group(1) + "".join(f" {name}={value}" for name, value in zip(("i", "choice", "first"), shown.groups()[1:]) if value != "0"))
        step = re.search(r"\[\(+event==(\w+)\)", line)
        choice = re.search(r"session.pml:\d+ .*\[(i|choice|why) = (\w+)\]", line)
        if step:
            print(step.group(1) + chosen)
            chosen = ""
        elif choice:
            chosen += f" {choice.group(1)}={choice.group(2)}"
        elif "CYCLE" in line or "assertion" in line:
            print(line.strip())
    for kind, name, value in re.findall(r"^\t(mtype|byte|bit|unsigned|int)\s+(\S+):\t(\d+)$", said[said.rfind("global vars"):], re.M):
        if value != "0" and name not in names.values():
            print(f"  {name} = {names.get(value, value) if kind == 'mtype' else value}")


if __name__ == "__main__":
    main()
