/* Seal at A and open at B, found by connection id, all bookkeeping of both ends; floor: the AEAD calls alone. */
#include "aead.h"
#include "pair.h"
#include "record_layer.h"

#include <stdio.h>
#include <stdlib.h>

/* What is settled after each chunk (acknowledgements, timers) is outside the measured time, and has a row of its own. */
enum { ROUNDS = 9, CHUNK = 192, BATCH = 32, SIZES = 3, SLOT = 2048 };

static const int sizes[SIZES] = { 64, 256, 1350 };
static const double hot_targets[SIZES] = { 1.30, 1.25, 1.08 };
static const double random_targets[SIZES] = { 1.55, 1.40, 1.12 };

struct world {
    struct pair pair;
    jmp_session *client;
    uint32_t sessions;
    uint32_t in_order;       /* sessions that are still to have their turn before they come at random */
    uint64_t random;
    double settling;         /* CPU nanoseconds spent outside the measured time */
    uint64_t allocations;    /* inside the measured time */
};

static void world_open(struct world *world, uint32_t suite, uint32_t sessions)
{
    *world = (struct world) { .sessions = sessions, .random = 88172645463325252u };
    world->client = allocate(sessions, sizeof *world->client);
    pair_open(&world->pair, suite, sessions);
    for (uint32_t i = 0; i < sessions; i++) {
        pair_connect(&world->pair, JMP_PATTERN_NNPSK0, &world->client[i]);
        world->pair.now += 100;
        if (i % 32 == 0) pair_tick(&world->pair);   /* never late */
    }
}

static void world_close(struct world *world)
{
    pair_close(&world->pair);
    free(world->client);
}

static jmp_session pick(struct world *world)
{
    if (world->in_order > 0) return world->client[--world->in_order % world->sessions];
    return world->client[world->sessions == 1 ? 0 : next_random(&world->random) % world->sessions];
}

static void send_singly(struct world *world, int length)
{
    static uint8_t payload[SLOT], buffer[SLOT];
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_received in = { .struct_size = sizeof in };
    for (int i = 0; i < CHUNK; i++) {
        world->pair.now += 10;
        if (jmp_send(world->pair.client, pick(world), payload, length, world->pair.now, buffer, sizeof buffer, &out) != JMP_OK
            || jmp_receive(world->pair.gateway, 0, &usual_address, buffer, out.length, world->pair.now, &in) != JMP_OK
            || in.payload_length != (uint32_t)length) fail("a datagram was not delivered");
    }
}

static void send_in_batches(struct world *world, int length)
{
    static uint8_t payload[SLOT], buffer[BATCH * SLOT];
    static jmp_send_item out[BATCH];
    static jmp_receive_item in[BATCH];
    size_t done;
    for (int first = 0; first < CHUNK; first += BATCH) {
        world->pair.now += 10 * BATCH;
        for (int i = 0; i < BATCH; i++) {
            out[i] = (jmp_send_item) { .session = pick(world), .payload_length = length, .buffer_offset = i * SLOT, .buffer_capacity = SLOT };
            out[i].datagram.struct_size = sizeof out[i].datagram;
        }
        if (jmp_send_batch(world->pair.client, out, BATCH, payload, sizeof payload, world->pair.now, buffer, sizeof buffer, &done) != JMP_OK
            || done != BATCH) fail("a batch was not sealed");
        for (int i = 0; i < BATCH; i++) {
            in[i] = (jmp_receive_item) { .offset = i * SLOT, .length = out[i].datagram.length, .from = usual_address };
            in[i].received.struct_size = sizeof in[i].received;
        }
        if (jmp_receive_batch(world->pair.gateway, in, BATCH, buffer, sizeof buffer, world->pair.now) != JMP_OK) fail("a batch was refused");
        for (int i = 0; i < BATCH; i++) {
            if (in[i].received.payload_length != (uint32_t)length) fail("a datagram of a batch was not delivered");
        }
    }
}

static double datagram_round(struct world *world, void (*send)(struct world *, int), int length, int count)
{
    double spent = 0;
    for (int done = 0; done < count; done += CHUNK) {
        uint64_t allocations = allocations_so_far();
        double start = cpu_now();
        send(world, length);
        double end = cpu_now();
        world->allocations += allocations_so_far() - allocations;
        spent += end - start;
        pair_settle(&world->pair);
        pair_tick(&world->pair);
        world->settling += cpu_now() - end;
    }
    return spent / count;
}

/* Every session has a long payload before anything is measured, and a second later as many turns at random: what payloads need is made with the
 * first ones, marks of when numbers came follow after 0.7 s, and the record of what was sent grows to what their pace needs, 64 sends at most. */
static void warm_up(struct world *world, uint32_t turns)
{
    world->in_order = world->sessions;
    datagram_round(world, send_singly, sizes[SIZES - 1], (int)(world->sessions + CHUNK));
    for (int i = 0; i < 1000; i++) {
        world->pair.now += 1000;
        pair_tick(&world->pair);
    }
    datagram_round(world, send_singly, sizes[0], (int)(turns * world->sessions) + 50 * CHUNK);
    world->allocations = 0;
}

static double floor_round(const struct aead *aead, int length, int count)
{
    static uint8_t buffer[SLOT];
    static const uint8_t extra[16];
    double spent = 0;
    for (int done = 0; done < count; done += CHUNK) {
        double start = cpu_now();
        for (int i = 0; i < CHUNK; i++) {
            aead_seal(aead, buffer, length, extra, done + i);
            if (aead_open(aead, buffer, length + aead->tag_length, extra, done + i)) fail("libsodium does not open what it sealed");
        }
        spent += cpu_now() - start;
    }
    return spent / count;
}

static double record_round(struct record_layer *layer, uint32_t sessions, uint64_t *random, int length, int count)
{
    static uint8_t payload[SLOT], buffer[SLOT];
    double spent = 0;
    for (int done = 0; done < count; done += CHUNK) {
        double start = cpu_now();
        for (int i = 0; i < CHUNK; i++) {
            uint32_t session = sessions == 1 ? 0 : (uint32_t)(next_random(random) % sessions);
            if (record_layer_pass(layer, session, payload, length, buffer) != length) fail("the record layer lost a datagram");
        }
        spent += cpu_now() - start;
    }
    return spent / count;
}

static int rounds_of(double seconds)
{
    return (int)(seconds * 1e9 / 2500 / ROUNDS) / CHUNK * CHUNK + CHUNK;
}

static const char *population(uint32_t sessions)
{
    static char text[48];
    if (sessions == 1) return "one session";
    snprintf(text, sizeof text, "random of %s", grouped(sessions));
    return text;
}

/* The targets hold for AES-256-GCM, the suite every supported libsodium has. */
static void bench_population(uint32_t suite, uint32_t sessions, double seconds)
{
    struct world world;
    struct aead aead;
    int count = rounds_of(seconds);
    bool has_target = suite == JMP_SUITE_AES_256_GCM && sessions <= 10000;
    const double *targets = sessions == 1 ? hot_targets : random_targets;
    uint64_t datagrams = 0;
    aead_init(&aead, suite, 1);
    world_open(&world, suite, sessions);
    warm_up(&world, 70);
    for (int s = 0; s < SIZES; s++) {
        double ours[ROUNDS], floors[ROUNDS], typed[ROUNDS];
        datagram_round(&world, send_singly, sizes[s], count);
        world.settling = 0;
        for (int r = 0; r < ROUNDS; r++) {
            ours[r] = datagram_round(&world, send_singly, sizes[s], count);
            floors[r] = floor_round(&aead, sizes[s], count);
            typed[r] = sessions == 1 ? floor_round(&aead, sizes[s] + 1, count) : 0;
        }
        datagrams += (uint64_t)count * (ROUNDS + 1);
        double value = median(ours, ROUNDS), floor = median(floors, ROUNDS);
        const char *name = jmp_suite_name(suite), *who = population(sessions);
        report(value, "ns", floor, has_target ? RATIO_AT_MOST : NO_TARGET, targets[s], "datagram %s, %d B, %s", name, sizes[s], who);
        report(value - floor, "ns", NO_FLOOR, sessions == 1 ? VALUE_AT_MOST : NO_TARGET, 60, "  bookkeeping of both ends, %s, %d B, %s", name, sizes[s], who);
        /* The frame's type is a byte more to seal, and old libsodiums take that hard. */
        if (sessions == 1) report(median(typed, ROUNDS), "ns", floor, NO_TARGET, 0, "  raw libsodium with one byte more, %s, %d B", name, sizes[s]);
        report(world.settling / count / ROUNDS, "ns", NO_FLOOR, NO_TARGET, 0, "  acknowledgements and timers, not in the above, %s, %d B, %s", name,
               sizes[s], who);
    }
    if (allocations_are_counted()) {
        report((double)world.allocations / datagrams, "calls", NO_FLOOR, VALUE_AT_MOST, 0, "  allocations per datagram, %s, %s",
               jmp_suite_name(suite), population(sessions));
    }
    world_close(&world);
}

/* The batch forms know the next sessions in advance. */
static void bench_batches(uint32_t suite, uint32_t sessions, double seconds)
{
    struct world world;
    struct aead aead;
    int count = rounds_of(seconds);
    aead_init(&aead, suite, 1);
    world_open(&world, suite, sessions);
    warm_up(&world, 2);
    for (int s = 0; s < SIZES; s++) {
        double single[ROUNDS], batch[ROUNDS], floors[ROUNDS];
        datagram_round(&world, send_singly, sizes[s], count);
        datagram_round(&world, send_in_batches, sizes[s], count);
        for (int r = 0; r < ROUNDS; r++) {
            single[r] = datagram_round(&world, send_singly, sizes[s], count);
            batch[r] = datagram_round(&world, send_in_batches, sizes[s], count);
            floors[r] = floor_round(&aead, sizes[s], count);
        }
        double one = median(single, ROUNDS), many = median(batch, ROUNDS), floor = median(floors, ROUNDS);
        const char *name = jmp_suite_name(suite), *who = population(sessions);
        report(one, "ns", floor, NO_TARGET, 0, "datagram %s, %d B, %s", name, sizes[s], who);
        report(many, "ns", floor, NO_TARGET, 0, "datagram %s, %d B, %s, batches of %d", name, sizes[s], who, BATCH);
        report(100 * (1 - many / one), "%", NO_FLOOR, VALUE_AT_LEAST, 15, "  batches save, %s, %d B, %s", name, sizes[s], who);
    }
    world_close(&world);
}

static void bench_record_layer(uint32_t suite, uint32_t sessions, double seconds)
{
    struct record_layer *layer = record_layer_new(suite, sessions);
    struct aead aead;
    uint64_t random = 88172645463325252u;
    int count = rounds_of(seconds);
    aead_init(&aead, suite, 1);
    for (int s = 0; s < SIZES; s++) {
        double theirs[ROUNDS], floors[ROUNDS];
        record_round(layer, sessions, &random, sizes[s], count);
        for (int r = 0; r < ROUNDS; r++) {
            theirs[r] = record_round(layer, sessions, &random, sizes[s], count);
            floors[r] = floor_round(&aead, sizes[s], count);
        }
        report(median(theirs, ROUNDS), "ns", median(floors, ROUNDS), NO_TARGET, 0, "for comparison: minimal C record layer, %s, %d B, %s",
               jmp_suite_name(suite), sizes[s], population(sessions));
    }
    record_layer_free(layer);
}

void bench_datagrams(const struct options *options)
{
    static const uint32_t suites[] = { JMP_SUITE_AES_256_GCM, JMP_SUITE_CHACHA20_POLY1305, JMP_SUITE_AEGIS_256 };
    static const uint32_t populations[] = { 1, 10000, 100000 };
    uint32_t available;
    check(jmp_suites_available(&available), "jmp_suites_available");
    for (int i = 0; i < 3; i++) {
        if (!(available & suites[i])) continue;
        bench_population(suites[i], 1, options->seconds);
        bench_population(suites[i], 10000, options->seconds);
    }
    bench_batches(usual_suite(), options->is_full ? 100000 : 20000, options->seconds);
    for (int i = 0; i < 3; i++) bench_record_layer(usual_suite(), populations[i], options->seconds / 2);
}
