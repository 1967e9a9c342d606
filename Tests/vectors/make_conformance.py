"""Makes conformance.json: conversations of two seeded libraries, explained by the independent implementation.

Run it by `Tests/vectors/run --make`, which names the library and the folders it needs.

The bytes are the library's. The same library gives the same file; when its sender rules change, the file is made anew.
"""
import hashlib
import json

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

import jumping
from conversation import CLIENT, DELAY_US, GATEWAY, START_US, Conversation
from explain import Explainer
from independent.primitives import SUITE_NAMES, public_key

NODE_TAG = 0xBEEF
ATTACHED, RECOVERING, DEGRADED = jumping.State.ATTACHED, jumping.State.RECOVERING, jumping.State.DEGRADED
ABOUT = """\
Conformance vectors of libjumping's protocol, version 1 (Sources/Jumping/Documentation.docc/WireProtocol.md).
Made by Tests/vectors/make_conformance.py from seeded runs of the library. Checked by Tests/vectors/check_conformance.py (an
implementation written from the wire document: it knows nothing of a conversation but its secrets) and, for the library itself,
by Tests/EndpointTests/ConformanceTests.swift. AEGIS-256 and PADDING do not occur.

How to test an implementation with it, in this order:
 1. keys: with `secrets` and the first INIT and RESP, run the Noise handshake of `pattern` and derive `keys`.
 2. reading: open every datagram of `datagrams` in its order and compare with its explanation. A datagram's receiver is the end
    it is not from; `arrives` is false when the network lost it (it is explained all the same).
 3. writing: make every datagram from the values of its explanation: the same bytes.
 4. behaviour: the gateway of a conversation may be replaced by yours up to where randomness or timing of your own differ.
    `calls` says what both hosts did, and which datagrams each call gave.

Octets are hexadecimal digits, times microseconds on one clock of both ends; every datagram arrives after 20 ms.
A field is [offset, length, name, octets, value, meaning]. The value is null where the octets are the value. Offsets of a
datagram's `fields` count from its first byte and are gapless; those of `client_hello`, `gateway_hello` and `policy` from the
payload's first byte, those of frames from the first byte of `frames_octets` (13 less than in the datagram).

secrets          PSK (absent: none), static and ephemeral X25519 secret keys, before clamping. Public keys follow from them.
keys             `from_client` and `from_gateway`: one entry for each key phase that occurred; connection ids of indices 0 to 3,
                 as the receiver of that direction is addressed
setup            seeds (an end's randomness is the ChaCha20 keystream of its seed, 64-bit counter from 0, nonce 0), suites, node tag,
                 transports; everything else is the library's default
datagrams        source and to: addresses as IPv4 4 and port 2; `link` the pair of transports
  DATA           mask: SipHash of the tag; unmasked_header: the 13 bytes under it; then index, key phase and 64-bit packet number as recovered,
                 additional_data and nonce of the AEAD. is_payload: the bit A, that a payload is alone; frames_octets is then the payload
                 and nothing else, and frames has one PAYLOAD without a frame type. Otherwise frames_octets is the opened frames
calls            `payload`, `protected` and `drop_cause` of a receive: what the host was told; protected payloads by jmp_receive itself
                 or by jmp_poll_payload right after it"""


def secret(conversation, name):
    """32 fixed bytes."""
    return hashlib.sha256(f"libjumping conformance, {conversation}, {name}".encode()).digest()


def find_ephemeral(seed, public):
    """The X25519 secret key an end drew for a public key: some 32 bytes of its seed's keystream."""
    stream = Cipher(algorithms.ChaCha20(seed, bytes(16)), mode=None).encryptor().update(bytes(4096))
    for offset in range(len(stream) - 31):
        if public_key(stream[offset:offset + 32]) == public:
            return stream[offset:offset + 32]
    raise SystemExit("an ephemeral key is not in the keystream of the seed")


# --- the stories

def established(story):
    """Until both ends are attached."""
    story.run(100_000)
    expect(story, CLIENT, ATTACHED)
    expect(story, GATEWAY, ATTACHED)


def expect(story, end, state):
    """Stops the script when a story does not go as it says."""
    if story.state(end) != state:
        raise SystemExit(f"{end} is {story.state(end)!r}, not {state!r}")


def rotate(story, end):
    """Both ends in the next key phase."""
    before = story.sessions[end].info().key_phase
    story.rekey(end)
    story.run(150_000)
    phases = [story.sessions[other].info().key_phase for other in (CLIENT, GATEWAY)]
    if phases != [before + 1] * 2:
        raise SystemExit(f"key phases {phases}")


def life(story):
    """Data, acknowledgements, key rotation, challenges, a reattach, one that is rejected, the end."""
    established(story)
    story.send(CLIENT, b"to the gateway")
    story.send(GATEWAY, b"to the client")
    story.run(100_000)
    story.send(CLIENT, b"")
    story.add_path("B")
    story.run(400_000)
    rotate(story, CLIENT)
    story.send(GATEWAY, b"in phase 1")
    story.run(100_000)
    story.request_switch()
    story.send(CLIENT, b"on the new path before the answer")
    story.run(100_000)
    expect(story, CLIENT, ATTACHED)
    story.send(GATEWAY, b"on the new path")
    story.run(1_500_000)             # the cooldown of voluntary switches
    rotate(story, GATEWAY)
    story.allow_classes(1 << 1)      # class 0, link A, is no longer allowed; the client does not know it yet
    story.request_switch()
    story.run(50_000)
    expect(story, CLIENT, DEGRADED)
    expect(story, GATEWAY, ATTACHED)
    story.run(100_000)
    story.send(CLIENT, b"data flows in every state")
    story.run(50_000)
    story.close(CLIENT)
    story.run(50_000)


def wandering(story):
    """A cookie, a reattach from an address that must prove itself, NAT rebinding of the active path, a CLOSE that is lost."""
    story.run(200_000)
    expect(story, GATEWAY, ATTACHED)
    story.add_path("B")
    story.run(300_000)
    story.rebind("B", "0a000101d431")
    story.request_switch()
    story.run(200_000)
    expect(story, CLIENT, ATTACHED)
    story.send(CLIENT, b"before the rebinding")
    story.run(100_000)
    story.rebind("B", "0a000101e4e2")
    story.send(CLIENT, b"after the rebinding")
    story.send(GATEWAY, b"to the old address, which is gone")
    story.run(40_000)
    story.send(GATEWAY, b"to both addresses")
    story.run(200_000)
    bound = [story.sessions[end].info().binding_version for end in (CLIENT, GATEWAY)]
    if bound != [2, 2]:
        raise SystemExit(f"binding versions {bound}")
    story.lost.add((GATEWAY, "B"))
    story.close(GATEWAY)
    story.run(120_000)               # a CLOSE is sent again after 100 ms at the earliest
    story.lost.clear()
    story.send(CLIENT, b"to a session that has ended")
    story.run(50_000)


def blackhole(story):
    """The gateway's datagrams get lost on the active path: it reports that over the other one, the client goes there."""
    established(story)
    story.add_path("B")
    story.run(300_000)
    story.lost.add((GATEWAY, "A"))
    for i in range(12):
        story.send(GATEWAY, b"payload %d" % i)
        story.run(20_000)
        if story.sessions[CLIENT].info().binding_version == 1:
            break
    story.run(100_000)
    expect(story, CLIENT, ATTACHED)
    expect(story, GATEWAY, ATTACHED)
    story.send(GATEWAY, b"over the other path")
    story.run(50_000)
    story.close(GATEWAY)
    story.run(50_000)


def text(what, length):
    """A payload that is easy to recognise."""
    return (what * (length // len(what) + 1))[:length].encode()


def protected(story):
    """Protected payloads: whole and in parts, both ways, in order and not; losses that are made good; one that is given up; a jump while some
    are in flight."""
    established(story)
    story.send_protected(CLIENT, b"unordered")
    story.send_protected(GATEWAY, b"", channel=1)
    story.run(60_000)
    story.send_protected(CLIENT, text("from the client, in parts. ", 3000), channel=2)
    story.send_protected(GATEWAY, text("from the gateway, in parts. ", 2000))
    story.run(100_000)
    # The second of four is lost: the third waits for it, the fourth is in no order.
    for i, channel in enumerate((1, 1, 1, 0)):
        losing(story, CLIENT, "A", i == 1, lambda i=i, channel=channel: story.send_protected(CLIENT, b"number %d" % i, channel))
        story.run(3000)
    story.run(150_000)
    # The middle part of three is lost, and goes again alone.
    losing(story, GATEWAY, "A", True, lambda: story.send_protected(GATEWAY, text("the beginning is lost. ", 1000), channel=3))
    story.send_protected(GATEWAY, text("two parts follow. ", 2500), channel=3)
    story.run(200_000)
    # Its time is over before it gets through; the next one does not wait for it.
    losing(story, CLIENT, "A", True, lambda: story.send_protected(CLIENT, b"too late", channel=4, time_to_live_us=15_000))
    story.send_protected(CLIENT, b"in time", channel=4)
    story.run(200_000)
    story.add_path("B")
    story.run(400_000)
    # In flight on the path that is left, and lost there: they go again on the other one, both ways.
    for end in (CLIENT, GATEWAY):
        losing(story, end, "A", True, lambda end=end: story.send_protected(end, b"in flight from the " + end.encode(), channel=5))
    story.request_switch()
    story.run(200_000)
    expect(story, CLIENT, ATTACHED)
    if story.sessions[GATEWAY].info().binding_version != 1:
        raise SystemExit("the gateway is not bound anew")
    story.close(CLIENT)
    story.run(50_000)
    told = [len(found["payload"]) // 2 for call in story.calls if call["call"] == "receive" for found in call["protected"]]
    if sorted(told) != sorted([9, 0, 3000, 2000, 8, 8, 8, 8, 1000, 2500, 7, 25, 26]):
        raise SystemExit(f"protected payloads {told}")


def losing(story, end, link, is_lost, work):
    """Does something whose datagrams may get lost."""
    if is_lost:
        story.lost.add((end, link))
    work()
    story.lost.discard((end, link))


STORIES = [
    ("NNpsk0", "life", life, 1, 1, True, {}),
    ("IKpsk2 with a PSK", "wandering", wandering, 2, 2, True, {"cookie_threshold": 0}),
    ("IKpsk2 without a PSK", "blackhole", blackhole, 2, 1, False, {}),
    ("NNpsk0", "protected", protected, 1, 1, True, {}, 1200),     # the smallest mtu: no probes for longer datagrams, full of PADDING
]


def converse(keys_name, name, story_of, pattern, suite, has_psk, gateway_config, mtu=None):
    """Runs one story and explains it."""
    seeds = {end: secret(name, end + " seed") for end in (CLIENT, GATEWAY)}
    secrets = {"psk": secret(name, "psk")} if has_psk else {}
    story = Conversation(seeds, suite, NODE_TAG, gateway_config, **({"mtu": mtu} if mtu else {}))
    keys = dict(secrets)
    if pattern == 1:
        keys["hint"] = b"conformance"
        story.ends[GATEWAY].add_psk(secrets["psk"], keys["hint"])
    else:
        for end in (CLIENT, GATEWAY):
            secrets[end + " static"] = secret(name, end + " static")
            story.ends[end].set_static_key(secrets[end + " static"])
        story.ends[GATEWAY].add_client_key(public_key(secrets[CLIENT + " static"]), secrets.get("psk"))
        keys["gateway_key"] = public_key(secrets[GATEWAY + " static"])
    story.connect(**keys)
    story_of(story)
    story.close_endpoints()
    for end, kind, key_offset in ((CLIENT, 0xC1, None), (GATEWAY, 0xC2, 9)):
        octets = next(octets for octets in map(octets_of, story.datagrams) if octets[0] == kind)
        offset = key_offset or 16 + octets[14] + octets[15 + octets[14]]
        secrets[end + " ephemeral"] = find_ephemeral(seeds[end], octets[offset:offset + 32])
    secrets = {key: value.hex() for key, value in secrets.items()}
    explainer = Explainer(pattern, secrets)
    for datagram in story.datagrams:
        datagram["explanation"] = explainer.explain(datagram["number"], datagram["from"], octets_of(datagram))
    return {"name": name, "about": story_of.__doc__, "pattern": pattern, "keys_name": keys_name, "suite": suite,
            "suite_name": SUITE_NAMES[suite], "secrets": secrets, "keys": explainer.keys(), "setup": story.setup,
            "datagrams": story.datagrams, "calls": story.calls}


def octets_of(datagram):
    """A recorded datagram's bytes."""
    return bytes.fromhex(datagram["octets"])


# --- the file

def dump(value, indent=""):
    """JSON with a list of plain values, and a dictionary of few, on one line."""
    inner = indent + " "
    flat = json.dumps(value, ensure_ascii=False)
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    if not any(isinstance(child, (dict, list)) for child in children) and (isinstance(value, list) and indent or len(flat) < 100):
        return flat
    if isinstance(value, dict):
        return "{\n" + ",\n".join(f"{inner}{json.dumps(key)}: {dump(child, inner)}" for key, child in value.items()) + f"\n{indent}}}"
    if isinstance(value, list):
        return "[\n" + ",\n".join(inner + dump(child, inner) for child in value) + f"\n{indent}]"
    return flat


def main():
    """Prints the file."""
    about = [line.rstrip() for line in ABOUT.splitlines()]
    conversations = [converse(*story) for story in STORIES]
    print("{\n \"about\": [\n" + ",\n".join("  " + json.dumps(line, ensure_ascii=False) for line in about) + "\n ],")
    print(f' "protocol_version": 1, "start_us": {START_US}, "delay_us": {DELAY_US},')
    print(' "conversations": ' + dump(conversations, " ") + "\n}")


if __name__ == "__main__":
    main()
