/*
 * What Swift sees of libsodium: its public header, AEGIS-256 behind one pair of functions that exist whatever the
 * installed version (the primitive arrived in 1.0.19), memory for keys that can fail without a trap, and
 * BLAKE2b in pieces, whose packed state Swift cannot import.
 */
#ifndef JUMPING_SODIUM_SHIM_H
#define JUMPING_SODIUM_SHIM_H

#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>

/* The header defines this macro exactly when the library has the primitive, so no version number is compared. */
#if defined(crypto_aead_aegis256_KEYBYTES)
#define JUMPING_HAS_AEGIS256 1
#else
#define JUMPING_HAS_AEGIS256 0
#endif

/*
 * 1 when AEGIS-256 is compiled in and this CPU has AES instructions. libsodium would fall back to software AES,
 * which is slower than ChaCha20, so the suite counts as absent there. Call after sodium_init().
 */
static inline int jumping_aegis256_available(void)
{
#if JUMPING_HAS_AEGIS256
    return sodium_runtime_has_aesni() || sodium_runtime_has_armcrypto();
#else
    return 0;
#endif
}

/* Seals `length` bytes in place and writes the 32-byte tag behind them. 0 on success, -1 when unavailable. */
static inline int jumping_aegis256_seal(unsigned char *buffer, unsigned long long length,
                                        const unsigned char *aad, unsigned long long aad_length,
                                        const unsigned char *nonce, const unsigned char *key)
{
#if JUMPING_HAS_AEGIS256
    return crypto_aead_aegis256_encrypt(buffer, NULL, buffer, length, aad, aad_length, NULL, nonce, key);
#else
    (void) buffer; (void) length; (void) aad; (void) aad_length; (void) nonce; (void) key;
    return -1;
#endif
}

/* Opens `length` bytes, the 32-byte tag included, in place. 0 on success, -1 when forged or unavailable. */
static inline int jumping_aegis256_open(unsigned char *buffer, unsigned long long length,
                                        const unsigned char *aad, unsigned long long aad_length,
                                        const unsigned char *nonce, const unsigned char *key)
{
#if JUMPING_HAS_AEGIS256
    return crypto_aead_aegis256_decrypt(buffer, NULL, NULL, buffer, length, aad, aad_length, nonce, key);
#else
    (void) buffer; (void) length; (void) aad; (void) aad_length; (void) nonce; (void) key;
    return -1;
#endif
}

/* Memory for keys and their schedules (16-byte aligned), or NULL when memory is short. Release it with the function below. */
static inline void *jumping_key_memory_allocate(size_t length)
{
    void *memory = NULL;
    return posix_memalign(&memory, 16, length) == 0 ? memory : NULL;
}

/* Asks for the cache lines of keys before they are needed. */
static inline __attribute__((always_inline)) void jumping_key_memory_prefetch(const void *memory, size_t length)
{
    for (size_t offset = 0; offset < length; offset += 64) __builtin_prefetch((const char *) memory + offset);
}

/* Wipes and frees such memory. */
static inline void jumping_key_memory_release(void *memory, size_t length)
{
    sodium_memzero(memory, length);
    free(memory);
}

/* 32 bytes of unkeyed BLAKE2b over the concatenation of three pieces, each of which may be empty. */
static inline void jumping_blake2b256(unsigned char *output, const unsigned char *first, size_t first_length,
                                      const unsigned char *second, size_t second_length,
                                      const unsigned char *third, size_t third_length)
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, 32);
    if (first_length > 0) crypto_generichash_update(&state, first, first_length);
    if (second_length > 0) crypto_generichash_update(&state, second, second_length);
    if (third_length > 0) crypto_generichash_update(&state, third, third_length);
    crypto_generichash_final(&state, output, 32);
}

#endif
