/* The floor of a handshake, operation by operation (Noise revision 34, §5 and §7; WireProtocol "Handshake" and "Keys").
 *
 * One side of                              NNpsk0                     IKpsk2
 *   X25519, key pair (and 32 random bytes) 1  e                       1  e
 *   X25519, shared secret                  1  ee                      4  es ss ee se
 *   HKDF with 2 outputs: 3 HMAC            e, e, ee, Split            e, es, ss, e, ee, se, Split
 *   HKDF with 3 outputs: 4 HMAC            psk                        psk
 *   MixHash: 1 SHA-256                     prologue, psk, e, hello,   prologue, s, e, sealed s, hello,
 *                                          e, hello                   e, psk, hello
 *   ChaCha20-Poly1305                      2 hellos                   sealed s, 2 hellos
 *   keys: 1 HMAC each                      packet key, IV, header key, connection id key, of each direction: 8
 *
 * "e" mixes the key as well, because the pattern has a psk (§9.2). The hash of the protocol's name is a constant, the
 * static public key is known, SipHash of the connection ids and copies cost next to nothing: not counted. HMAC and SHA-256
 * are libsodium's one-call forms. */
#include "noise_floor.h"
#include "bench.h"

#include <sodium.h>
#include <string.h>

enum { CLIENT_HELLO = 192, GATEWAY_HELLO = 150, PROLOGUE = 15, KEY_LABEL = 28 };

struct side {
    uint8_t chaining_key[32], hash[32], cipher_key[32];
    uint8_t ephemeral_secret[32], ephemeral_public[32];
    uint8_t transcript[512];
};

/* §4.3 */
static void hkdf(struct side *side, const uint8_t *input, int input_length, int outputs)
{
    uint8_t temporary[32], message[33];
    crypto_auth_hmacsha256(temporary, input, input_length, side->chaining_key);
    message[0] = 1;
    crypto_auth_hmacsha256(side->chaining_key, message, 1, temporary);
    memcpy(message, side->chaining_key, 32);
    message[32] = 2;
    crypto_auth_hmacsha256(side->cipher_key, message, 33, temporary);
    if (outputs < 3) return;
    memcpy(message, side->cipher_key, 32);
    message[32] = 3;
    crypto_auth_hmacsha256(side->cipher_key, message, 33, temporary);
}

static void mix_hash(struct side *side, int length)
{
    memcpy(side->transcript, side->hash, 32);
    crypto_hash_sha256(side->hash, side->transcript, 32 + length);
}

static void make_ephemeral(struct side *side)
{
    randombytes_buf(side->ephemeral_secret, 32);
    crypto_scalarmult_base(side->ephemeral_public, side->ephemeral_secret);
}

static void mix_ephemeral(struct side *side, const uint8_t *public_key)
{
    mix_hash(side, 32);
    hkdf(side, public_key, 32, 2);
}

static void mix_secret(struct side *side, const uint8_t *secret, const uint8_t *public_key)
{
    uint8_t shared[32];
    if (crypto_scalarmult(shared, secret, public_key)) fail("X25519 gave zeros");
    hkdf(side, shared, 32, 2);
}

static void mix_psk(struct side *side)
{
    static const uint8_t psk[32] = { 1 };
    hkdf(side, psk, 32, 3);
    mix_hash(side, 32);
}

/* One ciphertext, sealed by one side and opened by the other, hashed by both. */
static void pass(struct side *from, struct side *to, int length)
{
    uint8_t bytes[256] = { 0 }, plain[256], nonce[12] = { 0 };
    memcpy(to->cipher_key, from->cipher_key, 32);
    memcpy(to->hash, from->hash, 32);
    crypto_aead_chacha20poly1305_ietf_encrypt(bytes, NULL, bytes, length, from->hash, 32, NULL, nonce, from->cipher_key);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL, bytes, length + 16, to->hash, 32, nonce, to->cipher_key)) fail("the floor's handshake failed");
    mix_hash(from, length + 16);
    mix_hash(to, length + 16);
}

static void derive_keys(struct side *side)
{
    uint8_t label[KEY_LABEL] = { 0 }, key[32];
    hkdf(side, NULL, 0, 2);
    for (int i = 0; i < 8; i++) crypto_auth_hmacsha256(key, label, sizeof label, side->chaining_key);
}

void noise_floor(uint32_t pattern)
{
    static const uint8_t client_static[32] = { 1, 1 }, gateway_static[32] = { 2, 2 };
    static uint8_t client_public[32], gateway_public[32];
    static struct side client, gateway;
    struct side *both[] = { &client, &gateway };
    bool is_ik = pattern == JMP_PATTERN_IKPSK2;
    if (!client_public[0] && !client_public[1]) {
        crypto_scalarmult_base(client_public, client_static);
        crypto_scalarmult_base(gateway_public, gateway_static);
    }
    for (int i = 0; i < 2; i++) {
        mix_hash(both[i], PROLOGUE);
        if (is_ik) mix_hash(both[i], 32);
        else mix_psk(both[i]);
    }
    make_ephemeral(&client);
    for (int i = 0; i < 2; i++) mix_ephemeral(both[i], client.ephemeral_public);
    if (is_ik) {
        mix_secret(&client, client.ephemeral_secret, gateway_public);
        mix_secret(&gateway, gateway_static, client.ephemeral_public);
        pass(&client, &gateway, 32);
        mix_secret(&client, client_static, gateway_public);
        mix_secret(&gateway, gateway_static, client_public);
    }
    pass(&client, &gateway, CLIENT_HELLO);
    make_ephemeral(&gateway);
    for (int i = 0; i < 2; i++) mix_ephemeral(both[i], gateway.ephemeral_public);
    mix_secret(&gateway, gateway.ephemeral_secret, client.ephemeral_public);
    mix_secret(&client, client.ephemeral_secret, gateway.ephemeral_public);
    if (is_ik) {
        mix_secret(&gateway, gateway.ephemeral_secret, client_public);
        mix_secret(&client, client_static, gateway.ephemeral_public);
        for (int i = 0; i < 2; i++) mix_psk(both[i]);
    }
    pass(&gateway, &client, GATEWAY_HELLO);
    for (int i = 0; i < 2; i++) derive_keys(both[i]);
}
