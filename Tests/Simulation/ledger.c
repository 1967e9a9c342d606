/* The ledger: what is true between the hosts of a world. */
#include <stdlib.h>
#include <string.h>
#include "observer_parts.h"

/** Datagrams of a world remembered for certain; after twice as many, absence proves nothing. */
#define DATAGRAMS_REMEMBERED (1u << 20)
#define ATTACKERS_KEPT 1024u

static void *grown(void *memory, size_t count, size_t size)
{
    void *bigger = realloc(memory, count * size);
    if (!bigger) abort();
    return bigger;
}

/* --------------------------------------------------------------------------------------------------------------- hashes */

struct hash_generation {
    uint64_t *slots;
    uint32_t capacity, count;
};

struct hash_set {
    struct hash_generation newer, older;
    uint32_t largest;
    bool is_partial;
};

struct hash_set *hash_set_new(uint32_t largest)
{
    struct hash_set *set = calloc(1, sizeof *set);
    if (!set) abort();
    set->largest = largest;
    return set;
}

void hash_set_free(struct hash_set *set)
{
    if (!set) return;
    free(set->newer.slots);
    free(set->older.slots);
    free(set);
}

static bool generation_has(const struct hash_generation *generation, uint64_t hash)
{
    if (!generation->capacity) return false;
    for (uint32_t i = (uint32_t)hash & (generation->capacity - 1);; i = (i + 1) & (generation->capacity - 1)) {
        if (generation->slots[i] == hash) return true;
        if (!generation->slots[i]) return false;
    }
}

static void generation_put(struct hash_generation *generation, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & (generation->capacity - 1);
    while (generation->slots[i]) i = (i + 1) & (generation->capacity - 1);
    generation->slots[i] = hash;
    generation->count++;
}

static void generation_grow(struct hash_generation *generation)
{
    struct hash_generation bigger = { .capacity = generation->capacity ? 2 * generation->capacity : 1024 };
    bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
    if (!bigger.slots) abort();
    for (uint32_t i = 0; i < generation->capacity; i++)
        if (generation->slots[i]) generation_put(&bigger, generation->slots[i]);
    free(generation->slots);
    *generation = bigger;
}

void hash_set_add(struct hash_set *set, uint64_t hash)
{
    if (generation_has(&set->newer, hash)) return;
    if (set->newer.count == set->largest) {
        set->is_partial = set->is_partial || set->older.count > 0;
        free(set->older.slots);
        set->older = set->newer;
        memset(&set->newer, 0, sizeof set->newer);
    }
    if (2 * (set->newer.count + 1) > set->newer.capacity) generation_grow(&set->newer);
    generation_put(&set->newer, hash);
}

bool hash_set_has(const struct hash_set *set, uint64_t hash)
{
    return generation_has(&set->newer, hash) || generation_has(&set->older, hash);
}

bool hash_set_is_partial(const struct hash_set *set)
{
    return set->is_partial;
}

/* Multiply and fold, eight bytes at a time: a collision would hide a fault, and is one in 2^64 for a pair. */
uint64_t datagram_hash(const uint8_t *bytes, size_t length)
{
    uint64_t hash = 0x9e3779b97f4a7c15u ^ (length * 0xd6e8feb86659fd93u);
    while (length > 0) {
        uint64_t word = 0;
        size_t part = length < 8 ? length : 8;
        memcpy(&word, bytes, part);
        hash = (hash ^ word) * 0xa0761d6478bd642fu;
        hash ^= hash >> 29;
        bytes += part;
        length -= part;
    }
    hash *= 0xe7037ed1a0b428dbu;
    hash ^= hash >> 32;
    return hash ? hash : 1;
}

/* --------------------------------------------------------------------------------------------------------------- ledger */

struct ledger {
    struct deliveries *deliveries;
    struct hash_set *datagrams;
    struct identity *identities;
    uint32_t identity_count, identity_capacity;
    struct stream *streams;
    uint32_t stream_count, stream_capacity, last_stream;
    struct { jmp_address address; bool relays; } attackers[ATTACKERS_KEPT];
    uint32_t attacker_count;
};

struct ledger *ledger_new(void)
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    if (!ledger) abort();
    ledger->datagrams = hash_set_new(DATAGRAMS_REMEMBERED);
    ledger->deliveries = deliveries_new();
    return ledger;
}

void ledger_free(struct ledger *ledger)
{
    if (!ledger) return;
    hash_set_free(ledger->datagrams);
    deliveries_free(ledger->deliveries);
    for (uint32_t i = 0; i < ledger->stream_count; i++) free(ledger->streams[i].copies);
    free(ledger->streams);
    free(ledger->identities);
    free(ledger);
}

struct deliveries *ledger_deliveries(struct ledger *ledger)
{
    return ledger->deliveries;
}

void ledger_datagram_sent(struct ledger *ledger, uint64_t hash)
{
    hash_set_add(ledger->datagrams, hash);
}

bool ledger_is_foreign(const struct ledger *ledger, uint64_t hash)
{
    return !hash_set_is_partial(ledger->datagrams) && !hash_set_has(ledger->datagrams, hash);
}

static uint32_t attacker_index(const struct ledger *ledger, const jmp_address *address)
{
    uint32_t i = 0;
    while (i < ledger->attacker_count && !is_same_address(&ledger->attackers[i].address, address)) i++;
    return i;
}

void ledger_attacker_address(struct ledger *ledger, const jmp_address *address)
{
    uint32_t i = attacker_index(ledger, address);
    if (i < ledger->attacker_count || ledger->attacker_count == ATTACKERS_KEPT) return;
    ledger->attackers[i].address = *address;
    ledger->attackers[i].relays = false;
    ledger->attacker_count++;
}

void ledger_attacker_relays(struct ledger *ledger, const jmp_address *address)
{
    uint32_t i = attacker_index(ledger, address);
    if (i < ledger->attacker_count) ledger->attackers[i].relays = true;
}

bool ledger_is_attacker(const struct ledger *ledger, const jmp_address *address)
{
    uint32_t i = attacker_index(ledger, address);
    return i < ledger->attacker_count && !ledger->attackers[i].relays;
}

struct identity *ledger_identity(struct ledger *ledger, const uint8_t *session_id)
{
    for (uint32_t i = ledger->identity_count; i-- > 0;)
        if (!memcmp(ledger->identities[i].session_id, session_id, JMP_SESSION_ID_SIZE)) return &ledger->identities[i];
    if (ledger->identity_count == ledger->identity_capacity) {
        ledger->identity_capacity = ledger->identity_capacity ? 2 * ledger->identity_capacity : 16;
        ledger->identities = grown(ledger->identities, ledger->identity_capacity, sizeof *ledger->identities);
    }
    struct identity *identity = &ledger->identities[ledger->identity_count++];
    memset(identity, 0, sizeof *identity);
    memcpy(identity->session_id, session_id, JMP_SESSION_ID_SIZE);
    return identity;
}

struct stream *ledger_stream(struct ledger *ledger, const struct payload_header *header, bool is_new)
{
    for (uint32_t n = 0; n < ledger->stream_count; n++) {
        uint32_t i = (ledger->last_stream + n) % ledger->stream_count;
        struct stream *stream = &ledger->streams[i];
        if (stream->sender != header->sender || stream->connection != header->connection) continue;
        ledger->last_stream = i;
        return stream;
    }
    if (!is_new) return NULL;
    if (ledger->stream_count == ledger->stream_capacity) {
        ledger->stream_capacity = ledger->stream_capacity ? 2 * ledger->stream_capacity : 16;
        ledger->streams = grown(ledger->streams, ledger->stream_capacity, sizeof *ledger->streams);
    }
    struct stream *stream = &ledger->streams[ledger->stream_count++];
    memset(stream, 0, sizeof *stream);
    stream->sender = header->sender;
    stream->connection = header->connection;
    return stream;
}
