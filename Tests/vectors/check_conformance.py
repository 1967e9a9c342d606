"""Checks conformance.json with the independent implementation, written from the wire document: nothing of the library is loaded.

    PYTHONPATH=Tests/interop python3 Tests/vectors/check_conformance.py [FILE [ASPECT]]

Aspects: keys, reading, writing, tiling, forging, telling; all of them without an argument. Each conversation counts once for each.
"""
import json
import sys
from pathlib import Path

from explain import Explainer
from independent.delivery import PROTECTED_FRAMES, Receiver
from independent.layouts import Malformed, read_frames
from independent.primitives import NotAuthentic

FILE = Path(__file__).with_name("conformance.json")
DATA_HEADER_LENGTH = 13


def octets_of(datagram):
    """A datagram's bytes."""
    return bytes.fromhex(datagram["octets"])


def read(conversation):
    """An explainer that has read all datagrams, and what it made of each."""
    explainer = Explainer(conversation["pattern"], conversation["secrets"])
    # As JSON, so that both sides have the same types.
    explained = [json.loads(json.dumps(explainer.explain(datagram["number"], datagram["from"], octets_of(datagram))))
                 for datagram in conversation["datagrams"]]
    return explainer, explained


def differences(found, expected, what):
    """A line when two values differ."""
    return [] if found == expected else [f"{what}: {found!r} instead of {expected!r}"]


def keys(conversation):
    """All keys follow from PSK, static and ephemeral keys."""
    return differences(read(conversation)[0].keys(), conversation["keys"], "keys")


def reading(conversation):
    """Every datagram opens and says what its explanation says."""
    wrong = []
    for datagram, explained in zip(conversation["datagrams"], read(conversation)[1]):
        wrong += differences(explained, datagram["explanation"], f"datagram {datagram['number']}")
    return wrong


def writing(conversation):
    """Every datagram comes of its explanation's values, byte for byte."""
    explainer, by_number, wrong = read(conversation)[0], {}, []
    for datagram in conversation["datagrams"]:
        number = datagram["number"]
        by_number[number] = explainer.write(datagram["from"], datagram["explanation"], by_number)
        wrong += differences(by_number[number].hex(), datagram["octets"], f"datagram {number}")
    return wrong


def tiling(conversation):
    """Fields leave no byte out and none belongs to two."""
    wrong = []
    for datagram in conversation["datagrams"]:
        explanation = datagram["explanation"]
        parts = [(explanation.get("fields"), datagram["octets"]), (explanation.get("client_hello"), None), (explanation.get("gateway_hello"), None)]
        frames = explanation.get("frames", [])
        if frames:
            parts.append(([field for frame in frames for field in frame["fields"]], explanation["frames_octets"]))
            parts += [(frame["policy"], frame["fields"][-1][3]) for frame in frames if "policy" in frame]
        for fields, octets in parts:
            offset = 0
            for at, length, name, field_octets, value, _ in fields or []:
                wrong += differences((at, length), (offset, len(field_octets) // 2), f"datagram {datagram['number']}, {name}")
                if isinstance(value, int):
                    wrong += differences(int(field_octets or "0", 16), value, name)
                offset += length
            if fields and octets is not None:
                wrong += differences("".join(field[3] for field in fields), octets, f"fields of datagram {datagram['number']}")
    return wrong


def forging(conversation):
    """A datagram with one bit changed is not authentic, wherever the bit is."""
    wrong, explainer = [], Explainer(conversation["pattern"], conversation["secrets"])
    for datagram in conversation["datagrams"]:
        octets = octets_of(datagram)
        explanation = explainer.explain(datagram["number"], datagram["from"], octets)
        if explanation["kind"] != "DATA":
            continue
        direction = explainer.directions[datagram["from"]]
        for bit in range(len(octets) * 8):
            forged = bytearray(octets)
            forged[bit // 8] ^= 1 << bit % 8
            try:
                header, clear = direction.read_header(bytes(forged))
                direction.open(clear, header, explanation["packet_number"] & ~0xFFFF_FFFF | header.low, explanation["key_phase"])
                wrong.append(f"datagram {datagram['number']} opens with bit {bit} changed")
            except (NotAuthentic, Malformed):
                continue
    return wrong


def telling(conversation):
    """What the library told its hosts is what the datagrams carry; every datagram comes of one call."""
    wrong, by_number = [], {datagram["number"]: datagram for datagram in conversation["datagrams"]}
    given = [number for call in conversation["calls"] for number in call["datagrams"]]
    wrong += differences(given, sorted(by_number), "datagrams of the calls")
    collectors = {"client": Receiver(), "gateway": Receiver()}
    for call in conversation["calls"]:
        if call["call"] != "receive" or call["drop_cause"] != 0:
            continue
        what, explanation = f"datagram {call['datagram']} told to the host", by_number[call["datagram"]]["explanation"]
        payloads = [frame["fields"][-1][3] for frame in explanation.get("frames", []) if frame["frame"] == "PAYLOAD"]
        wrong += differences([] if call["payload"] is None else [call["payload"]], payloads, what)
        protected = handed_out(collectors[call["end"]], explanation)
        told = [(found["channel"], found["payload"]) for found in call["protected"]]
        wrong += differences(sorted(told), sorted(protected), what)
        for channel in range(1, 16):
            in_order = [[found for found in each if found[0] == channel] for each in (told, protected)]
            wrong += differences(*in_order, what)
    return wrong


def handed_out(collector, explanation):
    """The protected payloads that a receiver has after this datagram: (channel, octets)."""
    if "frames_octets" not in explanation or explanation["is_payload"]:
        return []
    frames = read_frames(bytes.fromhex(explanation["frames_octets"]))
    taken = [collector.take(frame) for frame in frames if frame.name in PROTECTED_FRAMES]
    return [(channel, payload.hex()) for payloads in taken for channel, _, payload in payloads]


ASPECTS = {function.__name__: function for function in (keys, reading, writing, tiling, forging, telling)}


def main():
    """Prints what is wrong, then "N passed, N failed"."""
    file = sys.argv[1] if len(sys.argv) > 1 else FILE
    with open(file, encoding="utf-8") as opened:
        conversations = json.load(opened)["conversations"]
    passed = failed = 0
    for conversation in conversations:
        for name in sys.argv[2:] or ASPECTS:
            try:
                wrong = ASPECTS[name](conversation)
            except (NotAuthentic, Malformed, KeyError, StopIteration) as error:
                wrong = [repr(error)]
            for line in wrong[:5]:
                print(f"{conversation['name']}, {name}: {line}")
            passed, failed = passed + (not wrong), failed + bool(wrong)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
