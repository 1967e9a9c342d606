"""Writes the table of Performance.md anew: `Tests/Performance/table --json >FILE && python3 Tests/Performance/article.py FILE`."""
import json
import re
import sys
from pathlib import Path

ARTICLE = Path(__file__).resolve().parents[2] / "Sources/Jumping/Documentation.docc/Performance.md"
BEGIN, END = "## The nine targets\n", "## What bounds them\n"
#: Target, what is measured, which rows (a pattern whose groups, if any, are told apart by "/"), and whether the ratio or the value counts.
LINES = [
    (1, "one session, AES-256-GCM, 64 / 256 / 1,350 B", r"datagram AES-256-GCM, \d+ B, one session", "ratio"),
    (1, "random of 10,000 sessions, AES-256-GCM", r"datagram AES-256-GCM, \d+ B, random of 10,000", "ratio"),
    (1, "one session, AEGIS-256", r"datagram AEGIS-256, \d+ B, one session", "ratio"),
    (1, "bookkeeping of both ends, one session, AES-256-GCM", r"  bookkeeping of both ends, AES-256-GCM, \d+ B, one session", "value"),
    (1, "batches save, random sessions", r"  batches save, .*", "value"),
    (1, "allocations a datagram, one session / random of 10,000", r"  allocations per datagram, AES-256-GCM, .*", "value"),
    (2, "NNpsk0 / IKpsk2, both ends", r"handshake (NNpsk0|IKpsk2), both sides", "ratio"),
    (3, "random bytes / foreign connection id", r"flood: (random bytes|foreign connection id) .*", "ratio"),
    (3, "INIT without cookie, under load", r"flood: INIT without cookie, under load .*", "ratio"),
    (3, "most heap growth over 38,400 of a kind", r"  heap growth over .*", "most"),
    (4, "idle session, gateway", r"resident bytes of an idle session at the gateway, .*", "value"),
    (4, "active session, gateway", r"resident bytes of an active session at the gateway, .*", "value"),
    (4, "growth over creations and terminations", r"resident growth over .*", "value"),
    (5, "reattaches a second", r"reattaches per second .*", "ratio"),
    (5, "sessions lost", r"  sessions lost in the storm", "value"),
    (5, "other sessions' delay, p99", r"  delay of other sessions' data at the gateway, p99", "value"),
    (6, "worst operation, emptied caches", r".* sessions, cold", "most"),
    (6, "longest of all calls, by itself", r"jmp_.*, longest by itself", "most"),
    (7, "64 B, one session each / random / 1,350 B, random", r"two cores, .*", "value"),
    (8, "goodput, 1,200 B with GSO and GRO", r"sockets/1200B/gso/(installed|current)/.*/goodput", "ratio"),
    (8, "processor time, both ends, the same", r"sockets/1200B/gso/(installed|current)/.*/cpu_both", "ratio"),
    (9, "payloads a second by batches, AES-256-GCM / ChaCha20", r"Python, .*: send_batch, receive_batch", "value"),
    (9, "worst call", r"Python call: .*", "most"),
    (10, "a byte, both ends, AES-256-GCM, beside expendable payloads", r"protected payloads, AES-256-GCM, (1,200|16,384) B", "ratio"),
]
TITLES = ["", "datagrams", "handshakes", "not genuine", "memory", "storm", "scale", "cores", "sockets", "Python", "protected"]


def figure(row, what):
    """One figure: a ratio bare, a value with its unit."""
    is_ratio = what == "ratio" or what == "most" and (row.get("target") or "").startswith("ratio")
    if is_ratio:
        return f"{row['ratio']:.2f}"
    value = row["value"]
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"


def cell(rows, what):
    """The figures of one line on one libsodium."""
    if not rows:
        return "–"
    if what == "most":
        rows = [max(rows, key=lambda row: row["ratio"] if (row.get("target") or "").startswith("ratio") else row["value"])]
    return " / ".join(figure(row, what) for row in rows)


def verdict(rows):
    """Met, missed, or how many of the figures are."""
    judged = [row["met"] for row in rows if row.get("met") is not None]
    if not judged:
        return "no target"
    return "met" if all(judged) else "missed" if not any(judged) else f"{judged.count(False)} of {len(judged)} missed"


def block(told, rows):
    """The text between the two headings."""
    versions = told["libsodium"]
    text = [
        f"{told['date']}, revision {told['revision']}, scale {told['scale']}: {told['processor']}, {told['processors']} processors"
        f"{' of a virtual machine' if told['is_virtual'] else ''}, {told['memory_gib']:.0f} GiB, Linux {told['kernel']}, Swift {told['swift']}, load {told['load_before']} before and {told['load_after']} after it.",
        "", f"| target | what | asked | libsodium {versions[0]} | libsodium {versions[1]} | |", "| --- | --- | --- | --- | --- | --- |"]
    for position, label, pattern, what in LINES:
        found = [row for row in rows if row["target_number"] == position and re.fullmatch(pattern, row["name"])]
        if what == "most":
            found = [row for row in found if row.get("target")]
        asked = list(dict.fromkeys(row["target"] for row in found if row.get("target")))
        same = {target.rpartition(" ")[0] for target in asked}
        wanted = f"{same.pop().replace('<=', '≤').replace('>=', '≥')} {' / '.join(target.rpartition(' ')[2] for target in asked)}" if len(same) == 1 else "–"
        unit = found[0]["unit"] if found and what != "ratio" and not wanted.startswith("ratio") and found[0]["unit"] not in ("", "x") else ""
        # Sockets measure both libsodiums in one run, and name them in their rows.
        groups = [[row for row in found if row["libsodium"] == versions[0] or "/installed/" in row["name"]],
                  [row for row in found if row["libsodium"] == versions[1] or "/current/" in row["name"]]]
        text.append(f"| {TITLES[position]} | {label}{f', {unit}' if unit else ''} | {wanted} | {cell(groups[0], what)} | {cell(groups[1], what)} | {verdict(found)} |")
    return "\n".join(text)


def main():
    """Replaces the block in the article."""
    told, *rows, summary = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    told["load_after"] = summary["load_after"]
    text = ARTICLE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    ARTICLE.write_text(f"{before}{BEGIN}\n{block(told, rows)}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
