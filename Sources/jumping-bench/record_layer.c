#include "record_layer.h"
#include "aead.h"

#include <stdlib.h>

enum { HEADER = 13, REPLAY_WORDS = 16 };

/* One end of a session, about 1.3 kB: as much as a session that is ready to seal and open cannot do without. */
struct record {
    struct aead send, receive;
    uint8_t send_header_key[16], receive_header_key[16];
    uint64_t peer_connection_id;
    uint64_t next_number, largest;
    uint64_t replay[REPLAY_WORDS];
    jmp_address address;
    uint64_t datagrams, bytes, last_at;
};

struct entry {
    uint64_t connection_id;
    uint32_t session, is_used;
};

struct record_layer {
    struct record *a, *b;
    struct entry *entries;   /* B's: connection id to session, open addressing, at most half full */
    uint64_t mask;
};

static uint64_t home(uint64_t connection_id)
{
    return (connection_id ^ connection_id >> 29) * 0x9E3779B97F4A7C15u >> 20;
}

static void insert(struct record_layer *layer, uint64_t connection_id, uint32_t session)
{
    uint64_t i = home(connection_id) & layer->mask;
    while (layer->entries[i].is_used) i = (i + 1) & layer->mask;
    layer->entries[i] = (struct entry) { connection_id, session, 1 };
}

static struct record *find(struct record_layer *layer, uint64_t connection_id)
{
    for (uint64_t i = home(connection_id) & layer->mask; layer->entries[i].is_used; i = (i + 1) & layer->mask) {
        if (layer->entries[i].connection_id == connection_id) return &layer->b[layer->entries[i].session];
    }
    return NULL;
}

struct record_layer *record_layer_new(uint32_t suite, uint32_t sessions)
{
    struct record_layer *layer = allocate(1, sizeof *layer);
    uint64_t capacity = 64;
    while (capacity < 2ull * sessions) capacity *= 2;
    layer->mask = capacity - 1;
    layer->entries = allocate(capacity, sizeof *layer->entries);
    layer->a = aligned_alloc(64, (sessions * sizeof *layer->a + 63) / 64 * 64);
    layer->b = aligned_alloc(64, (sessions * sizeof *layer->b + 63) / 64 * 64);
    if (!layer->a || !layer->b) fail("out of memory");
    memset(layer->a, 0, sessions * sizeof *layer->a);
    memset(layer->b, 0, sessions * sizeof *layer->b);
    for (uint32_t i = 0; i < sessions; i++) {
        randombytes_buf(&layer->a[i].peer_connection_id, 8);
        randombytes_buf(layer->a[i].send_header_key, 16);
        memcpy(layer->b[i].receive_header_key, layer->a[i].send_header_key, 16);
        aead_init(&layer->a[i].send, suite, (uint8_t)i);
        aead_init(&layer->b[i].receive, suite, (uint8_t)i);
        layer->b[i].address = layer->a[i].address = (jmp_address) { .length = 6, .bytes = { 127, 0, 0, 1, 1, 1 } };
        insert(layer, layer->a[i].peer_connection_id, i);
    }
    return layer;
}

void record_layer_free(struct record_layer *layer)
{
    free(layer->entries);
    free(layer->a);
    free(layer->b);
    free(layer);
}

static int seal(struct record *a, const uint8_t *payload, int length, uint8_t *buffer)
{
    uint64_t mask;
    uint32_t number = (uint32_t)a->next_number;
    uint8_t extra[16] = { 0x40 };
    memcpy(extra + 4, &a->peer_connection_id, 8);
    memcpy(extra + 12, &number, 4);
    buffer[HEADER] = 0x10;
    memcpy(buffer + HEADER + 1, payload, length);
    aead_seal(&a->send, buffer + HEADER, length + 1, extra, a->next_number++);
    crypto_shorthash((uint8_t *)&mask, buffer + HEADER + length + 1, 16, a->send_header_key);
    buffer[0] = extra[0] ^ (mask & 0x3F);
    memcpy(buffer + 1, &a->peer_connection_id, 8);
    number ^= (uint32_t)(mask >> 8);
    memcpy(buffer + 9, &number, 4);
    a->datagrams++;
    a->bytes += length;
    a->last_at = number;
    return HEADER + 1 + length + (int)a->send.tag_length;
}

/* A bitmap over the newest 1,024 numbers, kept in a ring of words. */
static bool mark_fresh(struct record *b, uint64_t number)
{
    uint64_t word = number / 64, newest = b->largest / 64;
    if (number + 64 * (REPLAY_WORDS - 1) < b->largest) return false;
    for (uint64_t i = newest + 1; i <= word && i <= newest + REPLAY_WORDS; i++) b->replay[i % REPLAY_WORDS] = 0;
    uint64_t bit = 1ull << (number % 64);
    if (b->replay[word % REPLAY_WORDS] & bit) return false;
    b->replay[word % REPLAY_WORDS] |= bit;
    if (number > b->largest) b->largest = number;
    return true;
}

static int open_record(struct record_layer *layer, uint8_t *buffer, int total)
{
    uint64_t mask, connection_id;
    uint32_t truncated;
    memcpy(&connection_id, buffer + 1, 8);
    struct record *b = find(layer, connection_id);
    if (!b) return -1;
    int sealed = total - HEADER, length = sealed - (int)b->receive.tag_length;
    crypto_shorthash((uint8_t *)&mask, buffer + HEADER + length, 16, b->receive_header_key);
    memcpy(&truncated, buffer + 9, 4);
    truncated ^= (uint32_t)(mask >> 8);
    uint64_t number = b->largest + (int32_t)(truncated - (uint32_t)b->largest);
    uint8_t extra[16] = { buffer[0] ^ (mask & 0x3F) };
    memcpy(extra + 4, buffer + 1, 8);
    memcpy(extra + 12, &truncated, 4);
    if (aead_open(&b->receive, buffer + HEADER, sealed, extra, number)) return -1;
    if (!mark_fresh(b, number)) return -1;
    if (memcmp(&b->address, &(jmp_address) { .length = 6, .bytes = { 127, 0, 0, 1, 1, 1 } }, sizeof b->address)) return -1;
    b->datagrams++;
    b->bytes += total;
    b->last_at = number;
    return length - 1;
}

int record_layer_pass(struct record_layer *layer, uint32_t session, const uint8_t *payload, int length, uint8_t *buffer)
{
    int total = seal(&layer->a[session], payload, length, buffer);
    return open_record(layer, buffer, total);
}
