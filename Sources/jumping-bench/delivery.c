/* Protected payloads from client to gateway, handed out there, acknowledgements and timers of both ends included; floor: the same bytes as
 * expendable payloads, with all that comes with those. In memory, 20 ms each way in virtual time, so that windows and recovery are at work. */
#include "pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 9, SLOT = 2048, FLIGHTS = 4096, DELAY = 20000, STEP = 1000, WARM = 1000, STEPS = 100 };

/* Datagrams on their way, by direction. */
struct flight {
    jmp_time due;
    uint32_t length;
    uint8_t bytes[SLOT];
};

struct world {
    struct pair pair;
    jmp_session session;
    struct flight *flights[2];
    uint32_t first[2], count[2];
    uint64_t delivered;      /* bytes handed out at the gateway */
    bool is_protected;
    uint32_t length;
};

static uint8_t payload[1 << 20], taken[1 << 20];

static struct flight *launch(struct world *world, int direction)
{
    if (world->count[direction] == FLIGHTS) fail("too many datagrams are on their way");
    struct flight *flight = &world->flights[direction][(world->first[direction] + world->count[direction]++) % FLIGHTS];
    flight->due = world->pair.now + DELAY;
    return flight;
}

static void transmit(struct world *world, int direction)
{
    jmp_endpoint *from = direction == 0 ? world->pair.client : world->pair.gateway;
    jmp_datagram out = { .struct_size = sizeof out };
    for (;;) {
        struct flight *flight = launch(world, direction);
        jmp_status status = jmp_poll_transmit(from, world->pair.now, flight->bytes, SLOT, &out);
        flight->length = out.length;
        if (status == JMP_OK) continue;
        world->count[direction]--;
        if (status != JMP_AGAIN) check(status, "jmp_poll_transmit");
        return;
    }
}

static void arrive(struct world *world, int direction)
{
    jmp_endpoint *to = direction == 0 ? world->pair.gateway : world->pair.client;
    jmp_received in = { .struct_size = sizeof in };
    jmp_payload out = { .struct_size = sizeof out };
    while (world->count[direction] > 0) {
        struct flight *flight = &world->flights[direction][world->first[direction]];
        if (flight->due > world->pair.now) return;
        check(jmp_receive(to, 0, &usual_address, flight->bytes, flight->length, world->pair.now, &in), "jmp_receive");
        world->first[direction] = (world->first[direction] + 1) % FLIGHTS;
        world->count[direction]--;
        if (direction == 0 && in.kind != JMP_RECEIVED_NOTHING) world->delivered += in.payload_length;
        while (jmp_poll_payload(to, world->pair.now, taken, sizeof taken, &out) == JMP_OK) world->delivered += out.length;
        transmit(world, 1 - direction);
    }
}

/* A millisecond, with so many payloads offered. */
static void step(struct world *world, uint32_t offered)
{
    jmp_datagram out = { .struct_size = sizeof out };
    world->pair.now += STEP;
    for (int direction = 0; direction < 2; direction++) arrive(world, direction);
    for (uint32_t i = 0; i < offered; i++) {
        if (world->is_protected) {
            /* While the window grows there may be no room; a round notices when that lasts. */
            jmp_status status = jmp_send_protected(world->pair.client, world->session, payload, world->length, NULL, world->pair.now);
            if (status != JMP_AGAIN) check(status, "jmp_send_protected");
            transmit(world, 0);
        } else {
            struct flight *flight = launch(world, 0);
            check(jmp_send(world->pair.client, world->session, payload, world->length, world->pair.now, flight->bytes, SLOT, &out), "jmp_send");
            flight->length = out.length;
        }
    }
    check(jmp_handle_timeout(world->pair.client, world->pair.now), "jmp_handle_timeout");
    check(jmp_handle_timeout(world->pair.gateway, world->pair.now), "jmp_handle_timeout");
    for (int direction = 0; direction < 2; direction++) transmit(world, direction);
    drop_events(world->pair.client);
    drop_events(world->pair.gateway);
}

static void world_open(struct world *world, uint32_t suite, uint32_t length, bool is_protected)
{
    *world = (struct world) { .is_protected = is_protected, .length = length };
    for (int direction = 0; direction < 2; direction++) world->flights[direction] = allocate(FLIGHTS, sizeof(struct flight));
    pair_open(&world->pair, suite, 1);
    pair_connect(&world->pair, JMP_PATTERN_NNPSK0, &world->session);
    for (int i = 0; i < WARM; i++) step(world, i < 50 ? 1 : length > SLOT ? 1 : 8);
}

static void world_close(struct world *world)
{
    pair_close(&world->pair);
    for (int direction = 0; direction < 2; direction++) free(world->flights[direction]);
}

/* CPU nanoseconds a byte. */
static double round_of(struct world *world, uint32_t offered, uint64_t *allocations)
{
    uint64_t delivered_before = world->delivered, allocations_before = allocations_so_far();
    double start = cpu_now();
    for (int i = 0; i < STEPS; i++) step(world, offered);
    double spent = cpu_now() - start;
    *allocations += allocations_so_far() - allocations_before;
    uint64_t delivered = world->delivered - delivered_before;
    if (delivered < (uint64_t)STEPS * offered * world->length * 9 / 10) fail("payloads do not get through at the rate at which they are offered");
    return spent / (double)delivered;
}

static void bench_length(uint32_t suite, uint32_t length, uint32_t offered)
{
    struct world expendable, protected;
    uint64_t ignored = 0, allocations = 0;
    double ours[ROUNDS], floors[ROUNDS];
    /* What is longer than a datagram has the same bytes in datagrams of 1,200 beside it. */
    uint32_t plain_length = length > SLOT ? 1200 : length, plain_offered = length > SLOT ? offered * length / 1200 : offered;
    world_open(&expendable, suite, plain_length, false);
    world_open(&protected, suite, length, true);
    for (int r = 0; r < ROUNDS; r++) {
        ours[r] = round_of(&protected, offered, &allocations);
        floors[r] = round_of(&expendable, plain_offered, &ignored);
    }
    const char *name = jmp_suite_name(suite);
    report(median(ours, ROUNDS), "ns/B", median(floors, ROUNDS), length >= 1200 ? RATIO_AT_MOST : NO_TARGET, 1.3, "protected payloads, %s, %s B", name, grouped(length));
    if (allocations_are_counted()) {
        report((double)allocations / ROUNDS / STEPS / offered, "calls", NO_FLOOR, length > SLOT ? NO_TARGET : VALUE_AT_MOST, 0.01, "  allocations per payload, %s, %s B", name,
               grouped(length));
    }
    world_close(&expendable);
    world_close(&protected);
}

void bench_delivery(const struct options *options)
{
    static const uint32_t suites[] = { JMP_SUITE_AES_256_GCM, JMP_SUITE_CHACHA20_POLY1305, JMP_SUITE_AEGIS_256 };
    uint32_t available;
    (void)options;
    check(jmp_suites_available(&available), "jmp_suites_available");
    for (int i = 0; i < 3; i++) {
        if (!(available & suites[i])) continue;
        bench_length(suites[i], 100, 8);
        bench_length(suites[i], 1200, 8);
        bench_length(suites[i], 16384, 1);
    }
}
