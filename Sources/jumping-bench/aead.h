#ifndef AEAD_H
#define AEAD_H

/* The floor of everything: raw libsodium, a key schedule made once, 16 bytes of additional data as our datagrams have. */

#include "bench.h"

#include <sodium.h>
#include <string.h>

#if defined(crypto_aead_aegis256_KEYBYTES)
#define HAS_AEGIS256 1
#endif

struct aead {
    uint32_t suite;
    uint32_t tag_length;
    uint8_t key[32];
    crypto_aead_aes256gcm_state schedule;
};

static inline void aead_init(struct aead *aead, uint32_t suite, uint8_t first_key_byte)
{
    memset(aead, 0, sizeof *aead);
    aead->suite = suite;
    aead->tag_length = suite == JMP_SUITE_AEGIS_256 ? 32 : 16;
    aead->key[0] = first_key_byte;
    if (suite == JMP_SUITE_AES_256_GCM) crypto_aead_aes256gcm_beforenm(&aead->schedule, aead->key);
}

/* Seals `length` bytes in place; the tag follows them. */
static inline void aead_seal(const struct aead *aead, uint8_t *buffer, size_t length, const uint8_t *extra, uint64_t number)
{
    uint8_t nonce[32] = { 0 };
    memcpy(nonce, &number, sizeof number);
    switch (aead->suite) {
    case JMP_SUITE_AES_256_GCM:
        crypto_aead_aes256gcm_encrypt_afternm(buffer, NULL, buffer, length, extra, 16, NULL, nonce, &aead->schedule);
        break;
#ifdef HAS_AEGIS256
    case JMP_SUITE_AEGIS_256:
        crypto_aead_aegis256_encrypt(buffer, NULL, buffer, length, extra, 16, NULL, nonce, aead->key);
        break;
#endif
    default:
        crypto_aead_chacha20poly1305_ietf_encrypt(buffer, NULL, buffer, length, extra, 16, NULL, nonce, aead->key);
    }
}

/* Opens in place; `length` includes the tag. 0 when authentic. */
static inline int aead_open(const struct aead *aead, uint8_t *buffer, size_t length, const uint8_t *extra, uint64_t number)
{
    uint8_t nonce[32] = { 0 };
    memcpy(nonce, &number, sizeof number);
    switch (aead->suite) {
    case JMP_SUITE_AES_256_GCM:
        return crypto_aead_aes256gcm_decrypt_afternm(buffer, NULL, NULL, buffer, length, extra, 16, nonce, &aead->schedule);
#ifdef HAS_AEGIS256
    case JMP_SUITE_AEGIS_256:
        return crypto_aead_aegis256_decrypt(buffer, NULL, NULL, buffer, length, extra, 16, nonce, aead->key);
#endif
    default:
        return crypto_aead_chacha20poly1305_ietf_decrypt(buffer, NULL, NULL, buffer, length, extra, 16, nonce, aead->key);
    }
}

#endif
