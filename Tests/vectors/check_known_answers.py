"""Holds known_answers.txt against implementations that share no code with the library: OpenSSL by `cryptography`, the standard
library, and this project's own SipHash in Python.

    PYTHONPATH=Tests/interop python3 Tests/vectors/check_known_answers.py
"""
import hashlib
import hmac
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from independent.primitives import public_key, siphash


def cases(path):
    """(kind, values) of each case."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            found.append((line[1:-1], {}))
        elif line and not line.startswith("#"):
            name, _, value = line.partition(" ")
            found[-1][1][name] = bytes.fromhex(value)
    return found


def x25519(scalar, point):
    """A shared secret."""
    return X25519PrivateKey.from_private_bytes(scalar).exchange(X25519PublicKey.from_public_bytes(point))


def iterated(count):
    """RFC 7748's loop: the scalar becomes the result, the point the scalar before."""
    scalar = point = bytes([9]) + bytes(31)
    for _ in range(count):
        scalar, point = x25519(scalar, point), scalar
    return scalar


def agrees(case):
    """Whether both secrets have the public keys named and agree."""
    publics = public_key(case["alice_secret"]), public_key(case["bob_secret"])
    shared = x25519(case["alice_secret"], case["bob_public"]), x25519(case["bob_secret"], case["alice_public"])
    return publics == (case["alice_public"], case["bob_public"]) and set(shared) == {case["shared"]}


def seals(cipher):
    """A check of an AEAD."""
    return lambda case: cipher(case["key"]).encrypt(case["nonce"], case["plaintext"], case["additional_data"]) == case["sealed"]


def keystream(key, count):
    """ChaCha20 from block 0 with a zero nonce."""
    return Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(count))


def derived(secret, number, label, count):
    """libsodium's key derivation, as its documentation describes it."""
    return hashlib.blake2b(key=secret, salt=number[::-1], person=label, digest_size=count).digest()


CHECKS = {
    "X25519": lambda case: x25519(case["scalar"], case["point"]) == case["output"],
    "X25519 iterated": lambda case: iterated(int.from_bytes(case["count"], "big")) == case["output"],
    "X25519 agreement": agrees,
    "ChaCha20-Poly1305": seals(ChaCha20Poly1305),
    "AES-256-GCM": seals(AESGCM),
    "crypto_kdf": lambda case: derived(case["secret"], case["number"], case["label"], len(case["output"])) == case["output"],
    "HMAC-SHA256": lambda case: hmac.digest(case["key"], case["message"], "sha256") == case["output"],
    "SipHash-2-4": lambda case: siphash(case["key"], case["message"]) == case["output"],
    "ChaCha20 keystream": lambda case: keystream(case["key"], len(case["output"])) == case["output"],
}


def main():
    """Prints what differs, then "N passed, N failed"."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("known_answers.txt")
    passed = failed = 0
    kinds = set(CHECKS)
    for number, (kind, case) in enumerate(cases(path)):
        kinds.discard(kind)
        if CHECKS[kind](case):
            passed += 1
        else:
            failed += 1
            print(f"case {number}, {kind}: another implementation has another answer")
    for kind in sorted(kinds):
        failed += 1
        print(f"no case of {kind}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
