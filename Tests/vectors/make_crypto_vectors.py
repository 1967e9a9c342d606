"""Makes crypto_vectors.txt with implementations that share no code with the library.

Run from any folder, in an environment with `noiseprotocol` and `cryptography` installed:

    python3 make_crypto_vectors.py > crypto_vectors.txt

Noise messages come from `noiseprotocol`, Argon2id and the ChaCha20 keystream from `cryptography` (OpenSSL),
BLAKE2b from the standard library. The output is the same on every run. Format: `[kind]` starts a case, `name hex`
lines follow (an empty value is a name alone).
"""
import hashlib
import sys
import warnings

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from noise.connection import Keypair, NoiseConnection


def bytes_of(label, count=32):
    """Returns `count` fixed bytes (at most 64) for a label."""
    return hashlib.sha512(label.encode()).digest()[:count]


def keystream(seed, count):
    """Returns the first `count` bytes of a seeded random source: ChaCha20, 64-bit counter 0, zero nonce."""
    return Cipher(algorithms.ChaCha20(seed, bytes(16)), mode=None).encryptor().update(bytes(count))


def public_key(secret):
    """Returns the X25519 public key of 32 secret bytes."""
    public = X25519PrivateKey.from_private_bytes(secret).public_key()
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def emit(kind, **values):
    """Prints one case."""
    print(f"\n[{kind}]")
    for name, value in values.items():
        print(f"{name} {value.hex()}".rstrip())


def siphash128(key, message):
    """SipHash-2-4 (Aumasson, Bernstein 2012) with 16 bytes of output, as its authors' code makes them."""
    def turn(x, bits):
        return (x << bits | x >> (64 - bits)) & (1 << 64) - 1

    def rounds(count):
        nonlocal a, b, c, d
        for _ in range(count):
            a, c = (a + b) & (1 << 64) - 1, (c + d) & (1 << 64) - 1
            b, d = turn(b, 13) ^ a, turn(d, 16) ^ c
            a = turn(a, 32)
            c, a = (c + b) & (1 << 64) - 1, (a + d) & (1 << 64) - 1
            b, d = turn(b, 17) ^ c, turn(d, 21) ^ a
            c = turn(c, 32)

    low, high = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    a, b = low ^ 0x736F6D6570736575, high ^ 0x646F72616E646F6D ^ 0xEE
    c, d = low ^ 0x6C7967656E657261, high ^ 0x7465646279746573
    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) & 0xFF])
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start:start + 8], "little")
        d ^= word
        rounds(2)
        a ^= word
    c ^= 0xEE
    rounds(4)
    first = a ^ b ^ c ^ d
    b ^= 0xDD
    rounds(4)
    return first.to_bytes(8, "little") + (a ^ b ^ c ^ d).to_bytes(8, "little")


def noise_case(number, pattern, prologue, payload1, payload2, psk=None):
    """Runs one handshake with fixed keys and prints everything that went in and came out."""
    label = f"{pattern} {number} "
    psk = psk or bytes_of(label + "psk")
    seeds = {side: bytes_of(label + side + " seed") for side in ("initiator", "responder")}
    statics = {side: bytes_of(label + side + " static") for side in ("initiator", "responder")}
    sides = {}
    for side in ("initiator", "responder"):
        noise = NoiseConnection.from_name(f"Noise_{pattern}_25519_ChaChaPoly_SHA256".encode())
        if side == "initiator":
            noise.set_as_initiator()
        else:
            noise.set_as_responder()
        noise.set_psks(psk=psk)
        noise.set_prologue(prologue)
        noise.set_keypair_from_private_bytes(Keypair.EPHEMERAL, keystream(seeds[side], 32))
        if pattern == "IKpsk2":
            noise.set_keypair_from_private_bytes(Keypair.STATIC, statics[side])
            if side == "initiator":
                noise.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, public_key(statics["responder"]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")   # that the ephemeral keys are set is on purpose
            noise.start_handshake()
        sides[side] = noise
    initiator, responder = sides["initiator"], sides["responder"]
    message1 = bytes(initiator.write_message(payload1))
    assert bytes(responder.read_message(message1)) == payload1
    message2 = bytes(responder.write_message(payload2))
    assert bytes(initiator.read_message(message2)) == payload2
    assert initiator.handshake_finished and responder.handshake_finished
    assert initiator.get_handshake_hash() == responder.get_handshake_hash()
    keys = (initiator.noise_protocol.cipher_state_encrypt.k, initiator.noise_protocol.cipher_state_decrypt.k)
    assert keys == (responder.noise_protocol.cipher_state_decrypt.k, responder.noise_protocol.cipher_state_encrypt.k)
    static_keys = {side + "_static": secret for side, secret in statics.items() if pattern == "IKpsk2"}
    emit(f"noise {pattern}", prologue=prologue, psk=psk, initiator_seed=seeds["initiator"],
         responder_seed=seeds["responder"], **static_keys, payload1=payload1, payload2=payload2, message1=message1,
         message2=message2, initiator_to_responder=keys[0], responder_to_initiator=keys[1],
         handshake_hash=initiator.get_handshake_hash())


def main():
    """Prints all cases."""
    print(f"# Made by {sys.argv[0].rsplit('/', 1)[-1]}.")
    for pattern in ("NNpsk0", "IKpsk2"):
        noise_case(1, pattern, b"", b"", b"")
        noise_case(2, pattern, b"prologue of both sides", b"suites offered", b"suite chosen, policy")
        noise_case(3, pattern, bytes_of("long prologue", 64) * 5, bytes_of("p1", 64) * 15,
                   bytes_of("p2", 64) * 9 + b"x")
        # As in INIT and RESP: 15 bytes of header and a hint, a client hello, a gateway hello with a policy version of 9 bytes.
        wire_pattern = {"NNpsk0": 1, "IKpsk2": 2}[pattern]
        header = b"\xc1" + (1).to_bytes(4, "big") + bytes_of("handshake id", 8) + bytes([wire_pattern, 5]) + b"alice"
        noise_case(4, pattern, header, bytes_of("hello", 64) * 3, (bytes_of("policy", 64) * 3)[:150])
    noise_case(5, "IKpsk2", header, bytes_of("hello", 64) * 3, bytes_of("policy", 64), psk=bytes(32))
    for count in (16, 17, 32, 33, 64):
        secret, number = bytes_of(f"kdf {count}"), bytes_of(f"number {count}", 8)
        output = hashlib.blake2b(key=secret, salt=number, person=b"testing!", digest_size=count).digest()
        emit("kdf", secret=secret, number=number, output=output)
    for count in (0, 1, 64, 300):
        key, message = bytes_of(f"mac {count}"), (bytes_of("message", 64) * 5)[:count]
        emit("mac", key=key, message=message, tag=siphash128(key[:16], message))
    for passphrase, realm, hint in ((b"DEMO_PSK_CHANGE_ME", b"", b""), (b"correct horse", b"gateway.example", b"alice"),
                                    (b"x", b"r" * 255, bytes(64))):
        salt = hashlib.blake2b(bytes([len(realm)]) + realm + hint, digest_size=32).digest()[:16]
        key = Argon2id(salt=salt, length=32, iterations=3, lanes=1, memory_cost=64 * 1024).derive(passphrase)
        emit("passphrase", passphrase=passphrase, realm=realm, hint=hint, key=key)
    seed = bytes_of("random source")
    emit("random", seed=seed, output=keystream(seed, 200))


main()
