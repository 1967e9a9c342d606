"""Puts one fault into conformance.json (standard input to output) that an aspect of check_conformance.py must notice.

    python3 Tests/vectors/spoil_conformance.py ASPECT < conformance.json
"""
import json
import sys


def acknowledgement(conversation):
    """The explanation of the first datagram with an ACK, and the frame."""
    for datagram in conversation["datagrams"]:
        for frame in datagram["explanation"].get("frames", []):
            if frame["frame"] == "ACK":
                return datagram, frame
    raise SystemExit("no ACK")


def spoil(conversation, aspect):
    """Changes one thing."""
    datagram, frame = acknowledgement(conversation)
    if aspect == "keys":
        conversation["keys"]["from_client"]["connection_ids"][3] = "beef000000000000"
    elif aspect == "reading":
        datagram["explanation"]["packet_number"] += 1
    elif aspect == "writing":
        frame["fields"][1][4] ^= 1
    elif aspect == "tiling":
        frame["fields"][2][0] += 1
    elif aspect == "telling":
        next(call for call in conversation["calls"] if call.get("protected"))["protected"][0]["payload"] = "00"
    else:
        raise SystemExit(f"no aspect {aspect}")


def main():
    """Spoils the last conversation only: one fault among many right things."""
    vectors = json.load(sys.stdin)
    spoil(vectors["conversations"][-1], sys.argv[1])
    json.dump(vectors, sys.stdout)


if __name__ == "__main__":
    main()
