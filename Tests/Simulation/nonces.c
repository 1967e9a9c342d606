/* The AEAD recorder: libsodium's sealing functions, defined here and forwarded. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "nonces.h"

typedef unsigned long long length_type;
typedef int seal_function(unsigned char *, length_type *, const unsigned char *, length_type, const unsigned char *, length_type,
                          const unsigned char *, const unsigned char *, const unsigned char *);
typedef int seal_detached_function(unsigned char *, unsigned char *, length_type *, const unsigned char *, length_type, const unsigned char *,
                                   length_type, const unsigned char *, const unsigned char *, const unsigned char *);

/* One slot per (key, nonce): their hash, 128 bits, so that a collision is out of the question in any run. */
struct pair { uint64_t a, b; };
struct table {
    struct pair *slots;
    uint64_t capacity, count;
};

static struct table pairs, keys;
static struct nonce_counts counts;
static observer_report *report;
static void *report_context;
static bool has_recorded;
/* libsodium's functions call each other, and find the definitions here when they do: only the outermost call is a sealing. */
static unsigned depth;

/* Key schedules of AES-256-GCM by address: what libsodium leaves in one is partly undefined, so it is known by the key it was made from. */
#define SCHEDULES 4096u
static struct { const void *state; struct pair key; } schedules[SCHEDULES];

static uint64_t mixed(uint64_t value)
{
    value = (value ^ (value >> 32)) * 0xd6e8feb86659fd93u;
    value = (value ^ (value >> 32)) * 0xd6e8feb86659fd93u;
    return value ^ (value >> 32);
}

static struct pair hash_of(struct pair seed, const unsigned char *bytes, size_t length)
{
    struct pair hash = { mixed(seed.a + length), mixed(seed.b ^ 0x9e3779b97f4a7c15u) };
    for (size_t i = 0; i < length; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, length - i < 8 ? length - i : 8);
        hash.a = mixed(hash.a ^ word);
        hash.b = mixed(hash.b + word * 0xa0761d6478bd642fu) ^ hash.a;
    }
    hash.b |= 1;    /* a slot in use is never all zeros */
    return hash;
}

/* True when it was there already. */
static bool put(struct table *table, struct pair pair)
{
    if (2 * (table->count + 1) > table->capacity) {
        struct table bigger = { .capacity = table->capacity ? 2 * table->capacity : 1024 };
        bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
        if (!bigger.slots) abort();
        for (uint64_t i = 0; i < table->capacity; i++)
            if (table->slots[i].b) put(&bigger, table->slots[i]);
        free(table->slots);
        *table = bigger;
    }
    uint64_t i = pair.a & (table->capacity - 1);
    for (; table->slots[i].b; i = (i + 1) & (table->capacity - 1))
        if (table->slots[i].a == pair.a && table->slots[i].b == pair.b) return true;
    table->slots[i] = pair;
    table->count++;
    return false;
}

static void record(const char *primitive, struct pair key, const unsigned char *nonce, size_t nonce_length)
{
    if (depth) return;
    has_recorded = true;
    counts.sealings++;
    if (!put(&keys, key)) counts.keys++;
    if (!put(&pairs, hash_of(key, nonce, nonce_length))) return;
    counts.repeats++;
    if (!report) return;
    char text[160];
    int used = snprintf(text, sizeof text, "%s sealed twice under one key with nonce ", primitive);
    for (size_t i = 0; i < nonce_length; i++) used += snprintf(text + used, sizeof text - (size_t)used, "%02x", nonce[i]);
    report(report_context, "nonce_reuse", text);
}

static struct pair key_hash(const char *primitive, const unsigned char *key)
{
    struct pair seed = { (uint64_t)(unsigned char)primitive[0] << 8 | (unsigned char)primitive[1], 1 };
    return hash_of(seed, key, 32);
}

static uint32_t schedule_slot(const void *state)
{
    uint32_t first = (uint32_t)mixed((uint64_t)(uintptr_t)state) % SCHEDULES, i = first;
    while (schedules[i].state && schedules[i].state != state) {
        i = (i + 1) % SCHEDULES;
        if (i == first) break;      /* full: the first makes room, and is asked for by contents then */
    }
    return i;
}

/* The next definition of a function: libsodium's own. */
static void *forward(const char *name)
{
    void *address = dlsym(RTLD_NEXT, name);
    if (!address) {
        fprintf(stderr, "%s: %s\n", name, dlerror());
        abort();
    }
    return address;
}

#define FORWARD(type, name) \
    static type *next; \
    if (!next) *(void **)&next = forward(name)

int crypto_aead_chacha20poly1305_ietf_encrypt(unsigned char *c, length_type *c_length, const unsigned char *m, length_type m_length,
                                              const unsigned char *ad, length_type ad_length, const unsigned char *nsec,
                                              const unsigned char *npub, const unsigned char *k);
int crypto_aead_chacha20poly1305_ietf_encrypt(unsigned char *c, length_type *c_length, const unsigned char *m, length_type m_length,
                                              const unsigned char *ad, length_type ad_length, const unsigned char *nsec,
                                              const unsigned char *npub, const unsigned char *k)
{
    FORWARD(seal_function, "crypto_aead_chacha20poly1305_ietf_encrypt");
    record("ChaCha20-Poly1305", key_hash("ChaCha20-Poly1305", k), npub, 12);
    depth++;
    int status = next(c, c_length, m, m_length, ad, ad_length, nsec, npub, k);
    depth--;
    return status;
}

int crypto_aead_chacha20poly1305_ietf_encrypt_detached(unsigned char *c, unsigned char *mac, length_type *mac_length, const unsigned char *m,
                                                       length_type m_length, const unsigned char *ad, length_type ad_length,
                                                       const unsigned char *nsec, const unsigned char *npub, const unsigned char *k);
int crypto_aead_chacha20poly1305_ietf_encrypt_detached(unsigned char *c, unsigned char *mac, length_type *mac_length, const unsigned char *m,
                                                       length_type m_length, const unsigned char *ad, length_type ad_length,
                                                       const unsigned char *nsec, const unsigned char *npub, const unsigned char *k)
{
    FORWARD(seal_detached_function, "crypto_aead_chacha20poly1305_ietf_encrypt_detached");
    record("ChaCha20-Poly1305", key_hash("ChaCha20-Poly1305", k), npub, 12);
    depth++;
    int status = next(c, mac, mac_length, m, m_length, ad, ad_length, nsec, npub, k);
    depth--;
    return status;
}

int crypto_aead_aegis256_encrypt(unsigned char *c, length_type *c_length, const unsigned char *m, length_type m_length, const unsigned char *ad,
                                 length_type ad_length, const unsigned char *nsec, const unsigned char *npub, const unsigned char *k);
int crypto_aead_aegis256_encrypt(unsigned char *c, length_type *c_length, const unsigned char *m, length_type m_length, const unsigned char *ad,
                                 length_type ad_length, const unsigned char *nsec, const unsigned char *npub, const unsigned char *k)
{
    FORWARD(seal_function, "crypto_aead_aegis256_encrypt");
    record("AEGIS-256", key_hash("AEGIS-256", k), npub, 32);
    depth++;
    int status = next(c, c_length, m, m_length, ad, ad_length, nsec, npub, k);
    depth--;
    return status;
}

int crypto_aead_aes256gcm_encrypt(unsigned char *c, length_type *c_length, const unsigned char *m, length_type m_length, const unsigned char *ad,
                                  length_type ad_length, const unsigned char *nsec, const unsigned char *npub, const unsigned char *k);
int crypto_aead_aes256gcm_encrypt(unsigned char *c, length_type *c_length, const unsigned char *m, length_type m_length, const unsigned char *ad,
                                  length_type ad_length, const unsigned char *nsec, const unsigned char *npub, const unsigned char *k)
{
    FORWARD(seal_function, "crypto_aead_aes256gcm_encrypt");
    record("AES-256-GCM", key_hash("AES-256-GCM", k), npub, 12);
    depth++;
    int status = next(c, c_length, m, m_length, ad, ad_length, nsec, npub, k);
    depth--;
    return status;
}

int crypto_aead_aes256gcm_beforenm(void *state, const unsigned char *k);
int crypto_aead_aes256gcm_beforenm(void *state, const unsigned char *k)
{
    typedef int expand_function(void *, const unsigned char *);
    FORWARD(expand_function, "crypto_aead_aes256gcm_beforenm");
    uint32_t i = schedule_slot(state);
    schedules[i].state = state;
    schedules[i].key = key_hash("AES-256-GCM", k);
    return next(state, k);
}

int crypto_aead_aes256gcm_encrypt_afternm(unsigned char *c, length_type *c_length, const unsigned char *m, length_type m_length,
                                          const unsigned char *ad, length_type ad_length, const unsigned char *nsec, const unsigned char *npub,
                                          const void *state);
int crypto_aead_aes256gcm_encrypt_afternm(unsigned char *c, length_type *c_length, const unsigned char *m, length_type m_length,
                                          const unsigned char *ad, length_type ad_length, const unsigned char *nsec, const unsigned char *npub,
                                          const void *state)
{
    typedef int seal_after_function(unsigned char *, length_type *, const unsigned char *, length_type, const unsigned char *, length_type,
                                    const unsigned char *, const unsigned char *, const void *);
    FORWARD(seal_after_function, "crypto_aead_aes256gcm_encrypt_afternm");
    uint32_t i = schedule_slot(state);
    /* Every schedule was made by the function above, unless the table is full: then the first 256 bytes, which are defined, stand for the key. */
    struct pair unknown = { 2, 1 };
    record("AES-256-GCM", schedules[i].state == state ? schedules[i].key : hash_of(unknown, state, 256), npub, 12);
    depth++;
    int status = next(c, c_length, m, m_length, ad, ad_length, nsec, npub, state);
    depth--;
    return status;
}

void nonces_reset(void)
{
    free(pairs.slots);
    free(keys.slots);
    memset(&pairs, 0, sizeof pairs);
    memset(&keys, 0, sizeof keys);
    memset(&counts, 0, sizeof counts);
    memset(schedules, 0, sizeof schedules);
    has_recorded = false;
}

void nonces_report(observer_report *to, void *context)
{
    report = to;
    report_context = context;
}

struct nonce_counts nonces_count(void)
{
    return counts;
}

bool nonces_are_recorded(void)
{
    return has_recorded;
}
