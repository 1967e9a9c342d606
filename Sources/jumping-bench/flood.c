/* What a gateway pays for datagrams that are not genuine, interleaved 10 : 1 with genuine ones. The cost of one is what the
 * mixture costs more than the genuine datagrams alone, divided: what it spoils in the caches is on its bill. The host's
 * loop is part of it: jmp_receive, then jmp_poll_transmit until it is empty (COOKIE answers leave that way). */
#include "pair.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { SESSIONS = 256, PER_GENUINE = 10, BOGUS = SESSIONS * PER_GENUINE, SLOT = 512, PAYLOAD = 64, COOKIE = 17 };
/* WireProtocol "Handshake": lengths of INIT without hint, and where its fields lie. */
enum { INIT_ID = 5, INIT_PATTERN = 13, INIT_COOKIE_LENGTH = 15, INIT_COOKIE = 16, NOISE_NNPSK0 = 240, NOISE_IKPSK2 = 288 };

struct slot {
    uint32_t length;
    jmp_address from;
    uint8_t bytes[SLOT];
};

struct flood {
    struct pair pair;
    jmp_session client[SESSIONS];
    struct slot *genuine, *copies, *bogus;
    uint64_t random;
};

struct kind {
    const char *name;
    void (*make)(struct flood *flood);
    /* Beyond which share of a genuine datagram's cost; 0: only reported. */
    double target;
    bool is_under_load;
};

static void fill_random(struct flood *flood, struct slot *slot, uint32_t length)
{
    slot->length = length;
    slot->from = usual_address;
    for (uint32_t i = 0; i < length; i += 8) {
        uint64_t word = next_random(&flood->random);
        memcpy(slot->bytes + i, &word, 8);
    }
}

static uint32_t data_length(struct flood *flood)
{
    return flood->genuine[0].length;
}

static void make_random(struct flood *flood)
{
    for (int i = 0; i < BOGUS; i++) fill_random(flood, &flood->bogus[i], data_length(flood));
}

static void make_foreign(struct flood *flood)
{
    make_random(flood);
    for (int i = 0; i < BOGUS; i++) flood->bogus[i].bytes[0] = 0x40 | (flood->bogus[i].bytes[0] & 0x3F);
}

static void make_forged(struct flood *flood)
{
    for (int i = 0; i < BOGUS; i++) {
        flood->bogus[i] = flood->copies[i % SESSIONS];
        flood->bogus[i].bytes[flood->bogus[i].length - 1 - i % 16] ^= (uint8_t)(1 + i % 255);
    }
}

static void make_replays(struct flood *flood)
{
    for (int i = 0; i < BOGUS; i++) flood->bogus[i] = flood->copies[i % SESSIONS];
}

/* Each from a source of its own, so that no token bucket stands in its way. */
static void make_init(struct flood *flood, struct slot *slot, int i, uint8_t pattern, const uint8_t *cookie)
{
    uint32_t noise = pattern == JMP_PATTERN_NNPSK0 ? NOISE_NNPSK0 : NOISE_IKPSK2;
    uint32_t start = INIT_COOKIE + (cookie ? COOKIE : 0);
    fill_random(flood, slot, start + noise);
    slot->bytes[0] = 0xC1;
    memcpy(slot->bytes + 1, (uint8_t[]) { 0, 0, 0, 1 }, 4);
    slot->bytes[INIT_PATTERN] = pattern;
    slot->bytes[INIT_PATTERN + 1] = 0;
    slot->bytes[INIT_COOKIE_LENGTH] = cookie ? COOKIE : 0;
    if (cookie) memcpy(slot->bytes + INIT_COOKIE, cookie, COOKIE);
    slot->from.bytes[2] = (uint8_t)(i >> 8);
    slot->from.bytes[3] = (uint8_t)i;
}

static void make_inits(struct flood *flood)
{
    for (int i = 0; i < BOGUS; i++) make_init(flood, &flood->bogus[i], i, JMP_PATTERN_NNPSK0, NULL);
}

/* The attacker receives what is sent to its sources: it asks for cookies first, outside the measured time. */
static void make_inits_with_cookies(struct flood *flood, uint8_t pattern, bool is_one_source)
{
    uint8_t answer[2048];
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_received in = { .struct_size = sizeof in };
    for (int i = 0; i < BOGUS; i++) {
        struct slot *slot = &flood->bogus[i];
        make_init(flood, slot, is_one_source ? 0 : i, pattern, NULL);
        uint8_t id[8];
        memcpy(id, slot->bytes + INIT_ID, 8);
        check(jmp_receive(flood->pair.gateway, 0, &slot->from, slot->bytes, slot->length, flood->pair.now, &in), "jmp_receive");
        if (jmp_poll_transmit(flood->pair.gateway, flood->pair.now, answer, sizeof answer, &out) != JMP_OK || answer[0] != 0xC3) {
            fail("the gateway did not answer by a cookie");
        }
        make_init(flood, slot, is_one_source ? 0 : i, pattern, answer + 9);
        memcpy(slot->bytes + INIT_ID, id, 8);
    }
}

static void make_inits_nnpsk0(struct flood *flood)
{
    make_inits_with_cookies(flood, JMP_PATTERN_NNPSK0, false);
}

static void make_inits_ikpsk2(struct flood *flood)
{
    make_inits_with_cookies(flood, JMP_PATTERN_IKPSK2, false);
}

static void make_inits_one_source(struct flood *flood)
{
    make_inits_with_cookies(flood, JMP_PATTERN_IKPSK2, true);
}

static const struct kind kinds[] = {
    { "random bytes", make_random, 0.2, false },
    { "foreign connection id", make_foreign, 0.2, false },
    { "forged tag", make_forged, 0, false },
    { "replay", make_replays, 0, false },
    { "INIT without cookie, under load", make_inits, 1.0, true },
    { "INIT with cookie, over its source's rate", make_inits_one_source, 0, true },
    { "INIT with cookie, NNpsk0, wrong key", make_inits_nnpsk0, 0, true },
    { "INIT with cookie, IKpsk2, garbage", make_inits_ikpsk2, 0, true },
    { "INIT without cookie, no load, NNpsk0, wrong key", make_inits, 0, false },
};

/* The gateway under load asks every INIT for a cookie; its rate for a source is the default. */
static void flood_open(struct flood *flood, bool is_under_load)
{
    jmp_config config;
    uint32_t suite = usual_suite();
    memset(&flood->pair, 0, sizeof flood->pair);
    flood->random = 88172645463325252u;
    flood->pair.now = 1000000;
    usual_config(&config, suite, SESSIONS);
    flood->pair.client = make_endpoint(&config, NULL, "memory", flood->pair.now);
    if (is_under_load) {
        config.cookie_threshold = 0;
        config.source_rate = 20;
        config.source_burst = 40;
    }
    flood->pair.gateway = make_endpoint(&config, NULL, "memory", flood->pair.now);
    for (int i = 0; i < SESSIONS; i++) {
        pair_connect(&flood->pair, JMP_PATTERN_NNPSK0, &flood->client[i]);
        flood->pair.now += 60000;   /* within the rate of the one source they have */
    }
}

/* One payload of every session, sealed outside the measured time. */
static void seal_genuine(struct flood *flood)
{
    static const uint8_t payload[PAYLOAD];
    jmp_datagram out = { .struct_size = sizeof out };
    flood->pair.now += 5000;
    for (int i = 0; i < SESSIONS; i++) {
        struct slot *slot = &flood->genuine[i];
        check(jmp_send(flood->pair.client, flood->client[i], payload, PAYLOAD, flood->pair.now, slot->bytes, SLOT, &out), "jmp_send");
        slot->length = out.length;
        slot->from = usual_address;
    }
}

static void take(struct flood *flood, struct slot *slot, uint32_t expected)
{
    uint8_t answer[2048];
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_received in = { .struct_size = sizeof in };
    jmp_endpoint *gateway = flood->pair.gateway;
    check(jmp_receive(gateway, 0, &slot->from, slot->bytes, slot->length, flood->pair.now, &in), "jmp_receive");
    while (jmp_poll_transmit(gateway, flood->pair.now, answer, sizeof answer, &out) == JMP_OK) continue;
    if (in.payload_length != expected) fail("the gateway took a bogus datagram for a genuine one, or a genuine one for bogus");
}

static double measure(struct flood *flood, bool has_bogus)
{
    seal_genuine(flood);
    if (has_bogus) memcpy(flood->copies, flood->genuine, SESSIONS * sizeof *flood->genuine);
    double start = cpu_now();
    for (int i = 0; i < SESSIONS; i++) {
        take(flood, &flood->genuine[i], PAYLOAD);
        for (int j = 0; has_bogus && j < PER_GENUINE; j++) take(flood, &flood->bogus[i * PER_GENUINE + j], 0);
    }
    double spent = cpu_now() - start;
    pair_settle(&flood->pair);
    pair_tick(&flood->pair);
    return spent;
}

static void bench_kind(struct flood *flood, const struct kind *kind)
{
    enum { WARMUP = 100, ROUNDS = 15 };
    double alone[ROUNDS], mixed[ROUNDS];
    flood_open(flood, kind->is_under_load);
    for (int r = 0; r < WARMUP; r++) measure(flood, false);   /* until the genuine sessions have all they need */
    memcpy(flood->copies, flood->genuine, SESSIONS * sizeof *flood->genuine);
    kind->make(flood);
    measure(flood, true);
    double resident = resident_bytes(), heap = heap_in_use();   /* in this order: looking at one allocates */
    for (int r = 0; r < ROUNDS; r++) {
        alone[r] = measure(flood, false);
        kind->make(flood);
        mixed[r] = measure(flood, true);
    }
    double heap_growth = heap_in_use() - heap, resident_growth = resident_bytes() - resident;
    double genuine = median(alone, ROUNDS);
    double bogus = (median(mixed, ROUNDS) - genuine) / BOGUS;
    report(bogus, "ns", genuine / SESSIONS, kind->target > 0 ? RATIO_AT_MOST : NO_TARGET, kind->target, "flood: %s (floor: a genuine datagram)", kind->name);
    /* Flat: less than half a byte a datagram; a page or two may still be touched for the first time. */
    report((heap_growth > 0 ? heap_growth : 0) / 1024, "KiB", NO_FLOOR, VALUE_AT_MOST, 16, "  heap growth over %s of them", grouped((uint64_t)ROUNDS * BOGUS));
    report((resident_growth > 0 ? resident_growth : 0) / 1024, "KiB", NO_FLOOR, VALUE_AT_MOST, 64, "  resident growth");
    pair_close(&flood->pair);
}

void bench_flood(const struct options *options)
{
    struct flood flood;
    (void)options;
    flood.genuine = allocate(SESSIONS, sizeof *flood.genuine);
    flood.copies = allocate(SESSIONS, sizeof *flood.copies);
    flood.bogus = allocate(BOGUS, sizeof *flood.bogus);
    memset(flood.bogus, 1, BOGUS * sizeof *flood.bogus);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) bench_kind(&flood, &kinds[i]);
    free(flood.genuine);
    free(flood.copies);
    free(flood.bogus);
}
