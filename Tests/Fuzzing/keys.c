#define _GNU_SOURCE
#include "keys.h"
#include "require.h"

#include <dlfcn.h>
#include <sodium.h>

enum { HEADER = 13, ADDITIONAL = 16, SCHEDULES = 64, TAG = 16 };

int keys_owner;
uint64_t keys_next[2];

static struct sealer sealers[2][SEALERS];
static unsigned sealer_counts[2];
static struct { uint8_t bytes[FRAMES_MAX]; size_t length; } last_frames[2];
/* Whose tag the next crypto_shorthash of 16 bytes masks with. */
static struct sealer *last_sealer;
static uint8_t last_tag[TAG];
static struct { const void *schedule; uint8_t key[32]; } schedules[SCHEDULES];
static unsigned schedule_count;
/* libsodium calls its own functions by name too, and so comes back here while the harness seals. */
static bool is_forging;

#define REAL(name) ({ static __typeof__(&name) real_; if (!real_) *(void **)&real_ = dlsym(RTLD_NEXT, #name); real_; })

void keys_reset(void)
{
    memset(sealers, 0, sizeof sealers);
    memset(sealer_counts, 0, sizeof sealer_counts);
    memset(last_frames, 0, sizeof last_frames);
    memset(keys_next, 0, sizeof keys_next);
    last_sealer = NULL;
    schedule_count = 0;
}

static uint64_t load64(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value = value << 8 | bytes[i];
    return value;
}

static void store64(uint8_t *bytes, uint64_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 8) bytes[i] = (uint8_t)value;
}

static uint32_t load32(const uint8_t *bytes)
{
    return (uint32_t)(load64(bytes - 4) & UINT32_MAX);
}

struct sealer *keys_sealer(int owner, unsigned number)
{
    unsigned count = sealer_counts[owner], kept = count < SEALERS ? count : SEALERS;
    return kept ? &sealers[owner][(count - 1 - number % kept) % SEALERS] : NULL;
}

const uint8_t *keys_frames(int owner, size_t *length)
{
    *length = last_frames[owner].length;
    return last_frames[owner].bytes;
}

static struct sealer *find_sealer(int owner, const uint8_t *key)
{
    for (unsigned i = 0; i < SEALERS && i < sealer_counts[owner]; i++)
        if (!memcmp(sealers[owner][i].key, key, 32)) return &sealers[owner][i];
    return NULL;
}

/* Notes what was sealed. No key is ever used by both ends, no packet number twice: that would be a nonce used twice. */
static struct sealer *note(const uint8_t *key, const uint8_t *nonce, const uint8_t *additional, bool is_aes)
{
    uint64_t number = load32(additional + 12), id = load64(additional + 4);
    struct sealer *sealer = find_sealer(keys_owner, key);
    REQUIRE(!find_sealer(!keys_owner, key), "both ends seal with the same key");
    if (!sealer) {
        sealer = &sealers[keys_owner][sealer_counts[keys_owner]++ % SEALERS];
        memset(sealer, 0, sizeof *sealer);
        memcpy(sealer->key, key, 32);
        memcpy(sealer->iv, nonce, 12);
        store64(sealer->iv + 4, load64(nonce + 4) ^ number);
        sealer->is_aes = is_aes;
        sealer->phase = additional[0] >> 4 & 3;
    } else {
        REQUIRE(number > sealer->newest, "packet number %llu sealed again under its key", (unsigned long long)number);
        REQUIRE((load64(nonce + 4) ^ load64(sealer->iv + 4)) == number, "the nonce is not that of the packet number");
        REQUIRE((additional[0] >> 4 & 3) == sealer->phase, "a key in two phases");
    }
    REQUIRE((additional[0] & 0xC7) == 0x40, "reserved bits are sent");
    sealer->newest = number;
    if (keys_next[keys_owner] <= number) keys_next[keys_owner] = number + 1;
    for (uint32_t i = 0; i < sealer->id_count; i++)
        if (sealer->ids[i] == id) return sealer;
    memmove(sealer->ids + 1, sealer->ids, sizeof sealer->ids - sizeof *sealer->ids);
    sealer->ids[0] = id;
    if (sealer->id_count < SEALER_IDS) sealer->id_count++;
    return sealer;
}

static bool is_data(const uint8_t *additional, unsigned long long length)
{
    return !is_forging && length == ADDITIONAL && (additional[0] & 0xC0) == 0x40 && !additional[1] && !additional[2] && !additional[3];
}

/* A payload that is alone is kept as the PAYLOAD frame it stands for. */
static void keep_frames(const uint8_t *additional, const uint8_t *sealed, unsigned long long length)
{
    size_t type_length = additional[0] & FIRST_PAYLOAD ? 1 : 0;
    size_t kept = length < FRAMES_MAX - type_length ? (size_t)length : FRAMES_MAX - type_length;
    last_frames[keys_owner].bytes[0] = 0x10;
    if (kept) memcpy(last_frames[keys_owner].bytes + type_length, sealed, kept);
    last_frames[keys_owner].length = type_length + kept;
}

/* ------------------------------------------------- in front of libsodium */

int crypto_aead_chacha20poly1305_ietf_encrypt(unsigned char *c, unsigned long long *clen, const unsigned char *m, unsigned long long mlen,
                                              const unsigned char *ad, unsigned long long adlen, const unsigned char *nsec,
                                              const unsigned char *npub, const unsigned char *k)
{
    struct sealer *sealer = is_data(ad, adlen) ? note(k, npub, ad, false) : NULL;
    if (sealer) keep_frames(ad, m, mlen);
    int status = REAL(crypto_aead_chacha20poly1305_ietf_encrypt)(c, clen, m, mlen, ad, adlen, nsec, npub, k);
    if (sealer) memcpy(last_tag, c + mlen, TAG);
    last_sealer = sealer;
    return status;
}

int crypto_aead_aes256gcm_beforenm(crypto_aead_aes256gcm_state *schedule, const unsigned char *k)
{
    unsigned i = 0;
    if (is_forging) return REAL(crypto_aead_aes256gcm_beforenm)(schedule, k);
    while (i < schedule_count && i < SCHEDULES && schedules[i].schedule != schedule) i++;
    if (i == schedule_count || i == SCHEDULES) i = schedule_count++ % SCHEDULES;
    schedules[i].schedule = schedule;
    memcpy(schedules[i].key, k, 32);
    return REAL(crypto_aead_aes256gcm_beforenm)(schedule, k);
}

int crypto_aead_aes256gcm_encrypt_afternm(unsigned char *c, unsigned long long *clen, const unsigned char *m, unsigned long long mlen,
                                          const unsigned char *ad, unsigned long long adlen, const unsigned char *nsec,
                                          const unsigned char *npub, const crypto_aead_aes256gcm_state *schedule)
{
    struct sealer *sealer = NULL;
    for (unsigned i = 0; is_data(ad, adlen) && i < schedule_count && i < SCHEDULES; i++)
        if (schedules[i].schedule == schedule) sealer = note(schedules[i].key, npub, ad, true);
    if (sealer) keep_frames(ad, m, mlen);
    int status = REAL(crypto_aead_aes256gcm_encrypt_afternm)(c, clen, m, mlen, ad, adlen, nsec, npub, schedule);
    if (sealer) memcpy(last_tag, c + mlen, TAG);
    last_sealer = sealer;
    return status;
}

int crypto_shorthash(unsigned char *out, const unsigned char *in, unsigned long long inlen, const unsigned char *k)
{
    if (last_sealer && inlen == TAG && !memcmp(in, last_tag, TAG)) {
        memcpy(last_sealer->header_key, k, 16);
        last_sealer->has_header_key = true;
        last_sealer = NULL;
    }
    return REAL(crypto_shorthash)(out, in, inlen, k);
}

/* Planted: a library that would take any tag. */
int crypto_aead_chacha20poly1305_ietf_decrypt(unsigned char *m, unsigned long long *mlen, unsigned char *nsec, const unsigned char *c,
                                              unsigned long long clen, const unsigned char *ad, unsigned long long adlen,
                                              const unsigned char *npub, const unsigned char *k)
{
    if (is_planted("tag") && is_data(ad, adlen) && clen >= TAG)
        return crypto_stream_chacha20_ietf_xor_ic(m, c, clen - TAG, npub, 1, k);
    return REAL(crypto_aead_chacha20poly1305_ietf_decrypt)(m, mlen, nsec, c, clen, ad, adlen, npub, k);
}

/* ---------------------------------------------------------------- forging */

size_t keys_forge(const struct sealer *sealer, const struct forgery *forgery, uint8_t *out)
{
    uint8_t nonce[12], additional[ADDITIONAL] = { 0 }, mask[8];
    uint8_t *sealed = out + HEADER, *tag = sealed + forgery->length;
    memcpy(nonce, sealer->iv, sizeof nonce);
    store64(nonce + 4, load64(sealer->iv + 4) ^ forgery->packet_number);
    additional[0] = forgery->first;
    store64(additional + 4, forgery->connection_id);
    for (int i = 0; i < 4; i++) additional[12 + i] = (uint8_t)(forgery->packet_number >> (24 - 8 * i));
    is_forging = true;
    if (sealer->is_aes)
        crypto_aead_aes256gcm_encrypt(sealed, NULL, forgery->frames, forgery->length, additional, ADDITIONAL, NULL, nonce, sealer->key);
    else
        REAL(crypto_aead_chacha20poly1305_ietf_encrypt)(sealed, NULL, forgery->frames, forgery->length, additional, ADDITIONAL, NULL,
                                                        nonce, sealer->key);
    is_forging = false;
    REAL(crypto_shorthash)(mask, tag, TAG, sealer->header_key);
    out[0] = additional[0] ^ (mask[0] & 0x3F);
    memcpy(out + 1, additional + 4, 8);
    for (int i = 0; i < 4; i++) out[9 + i] = additional[12 + i] ^ mask[4 - i];
    return HEADER + forgery->length + TAG;
}
