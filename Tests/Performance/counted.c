/* What Tests/Performance/run counts: cases of a seeded pair of endpoints, driven through the C interface alone. Of each case only
 * the calls it is about are collected by callgrind; connecting, settling and the making of datagrams are not. Prints a line a case,
 *
 *     SUITE/CASE units allocations
 *
 * where units is how many times the case happened while it was counted, and allocations how often memory was asked for or given
 * back meanwhile. Callgrind's counts of a case are in the dump that bears its name. Each case is gone through once before, so
 * that what is made on first use is there. */
#include "../../include/jumping.h"
#include "../../Sources/jumping-bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

enum { CROWD = 1000, BATCH = 32, ROUNDS = 8, CHUNK = 64, RARE = 8, SLOT = 2048, TRANSPORTS = 2, MINUTE = 60000000 };

struct slot {
    uint32_t length;
    uint8_t bytes[SLOT];
};

struct world {
    uint32_t suite;
    jmp_endpoint *client, *gateway;
    jmp_session sessions[CROWD];
    uint32_t count;
    jmp_time now;
    uint64_t random;
    uint32_t next;      /* while every session has its turn */
    bool is_in_turn;
    /* of the case that is being counted */
    bool is_counted;
    uint64_t units, allocations, allocations_before;
};

static const uint8_t psk[JMP_KEY_SIZE] = { 1, 2, 3 }, static_key[JMP_KEY_SIZE] = { 4, 5, 6 };
static struct slot slots[BATCH > CHUNK ? BATCH : CHUNK];

void check(jmp_status status, const char *what)
{
    if (status == JMP_OK) return;
    fprintf(stderr, "counted: %s: %s\n", what, jmp_strerror(status));
    exit(1);
}

void fail(const char *what)
{
    fprintf(stderr, "counted: %s\n", what);
    exit(1);
}

/* ---- counting */

static void begin(struct world *world)
{
    if (!world->is_counted) return;
    world->allocations_before = allocations_so_far();
    CALLGRIND_TOGGLE_COLLECT;
}

static void end(struct world *world, uint64_t units)
{
    if (!world->is_counted) return;
    CALLGRIND_TOGGLE_COLLECT;
    world->allocations += allocations_so_far() - world->allocations_before;
    world->units += units;
}

static void count(struct world *world, const char *name, void (*run)(struct world *world, uint32_t argument), uint32_t argument)
{
    char title[80];
    run(world, argument);
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    world->is_counted = true;
    world->units = world->allocations = 0;
    run(world, argument);
    world->is_counted = false;
    snprintf(title, sizeof title, "%s/%s", jmp_suite_name(world->suite), name);
    CALLGRIND_DUMP_STATS_AT(title);
    CALLGRIND_STOP_INSTRUMENTATION;
    printf("%s %llu %llu\n", title, (unsigned long long)world->units, (unsigned long long)world->allocations);
}

/* ---- endpoints and the memory between them */

static jmp_address address_of(uint32_t transport)
{
    return (jmp_address) { .length = 6, .prefix_length = 4, .bytes = { 127, 0, 0, 1, 1, (uint8_t)(1 + transport) } };
}

static jmp_endpoint *make_endpoint(struct world *world, uint8_t seed_byte, bool is_under_load)
{
    jmp_config config;
    jmp_policy policy;
    jmp_transport_config transport;
    jmp_endpoint *endpoint;
    uint8_t seed[32] = { seed_byte }, public_key[JMP_KEY_SIZE];
    uint32_t number;
    check(jmp_config_init(&config), "jmp_config_init");
    config.suites = world->suite;
    config.max_sessions = 4096;
    config.cookie_threshold = is_under_load ? 0 : 65536;
    config.source_rate = config.source_burst = 1000000;
    check(jmp_policy_init(&policy), "jmp_policy_init");
    policy.max_lifetime_us = 3600000000;
    check(jmp_endpoint_new_seeded(&config, &policy, seed, world->now, &endpoint), "jmp_endpoint_new_seeded");
    for (uint32_t i = 0; i < TRANSPORTS; i++) {
        check(jmp_transport_config_init(&transport), "jmp_transport_config_init");
        transport.mtu = 2000;
        snprintf(transport.name, sizeof transport.name, "memory:%u", (unsigned)i);
        check(jmp_transport_add(endpoint, &transport, world->now, &number), "jmp_transport_add");
    }
    check(jmp_endpoint_add_psk(endpoint, NULL, 0, psk), "jmp_endpoint_add_psk");
    check(jmp_endpoint_set_static_key(endpoint, static_key), "jmp_endpoint_set_static_key");
    check(jmp_public_key(static_key, public_key), "jmp_public_key");
    check(jmp_endpoint_add_client_key(endpoint, public_key, psk), "jmp_endpoint_add_client_key");
    return endpoint;
}

/* Whether there was anything to move. */
static uint32_t move(struct world *world, bool is_to_gateway)
{
    jmp_endpoint *from = is_to_gateway ? world->client : world->gateway, *to = is_to_gateway ? world->gateway : world->client;
    uint8_t bytes[SLOT];
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_received in = { .struct_size = sizeof in };
    jmp_event event = { .struct_size = sizeof event };
    uint32_t moved = 0;
    while (jmp_poll_transmit(from, world->now, bytes, sizeof bytes, &out) == JMP_OK) {
        uint32_t transport = out.to.bytes[5] - 1u;
        jmp_address address = address_of(transport);
        check(jmp_receive(to, transport, &address, bytes, out.length, world->now, &in), "jmp_receive");
        moved++;
    }
    while (jmp_poll_event(from, &event) == JMP_OK) continue;
    return moved;
}

static uint32_t settle(struct world *world)
{
    uint32_t moved = 0, before;
    do {
        before = moved;
        moved += move(world, true);
        moved += move(world, false);
    } while (moved > before);
    return moved;
}

/* Time passes from deadline to deadline, never late; how many datagrams were exchanged. */
static uint32_t wait_until(struct world *world, jmp_time until)
{
    uint32_t moved = 0;
    for (;;) {
        jmp_time of_client, of_gateway;
        check(jmp_next_timeout(world->client, &of_client), "jmp_next_timeout");
        check(jmp_next_timeout(world->gateway, &of_gateway), "jmp_next_timeout");
        jmp_time next = of_client < of_gateway ? of_client : of_gateway;
        if (next > until) break;
        if (next > world->now) world->now = next;
        check(jmp_handle_timeout(world->client, world->now), "jmp_handle_timeout");
        check(jmp_handle_timeout(world->gateway, world->now), "jmp_handle_timeout");
        moved += settle(world);
    }
    world->now = until;
    return moved;
}

static jmp_session connect_pair(struct world *world, uint32_t pattern)
{
    jmp_connect_config connect;
    jmp_session session;
    check(jmp_connect_config_init(&connect), "jmp_connect_config_init");
    connect.pattern = pattern;
    connect.transport = 0;
    connect.remote = address_of(0);
    memcpy(connect.psk, psk, sizeof psk);
    if (pattern == JMP_PATTERN_IKPSK2) check(jmp_public_key(static_key, connect.gateway_key), "jmp_public_key");
    begin(world);
    check(jmp_connect(world->client, &connect, world->now, &session), "jmp_connect");
    settle(world);
    end(world, 1);
    return session;
}

static void require_attached(struct world *world, jmp_session session, uint32_t transport)
{
    jmp_session_info info = { .struct_size = sizeof info };
    check(jmp_session_get_info(world->client, session, &info), "jmp_session_get_info");
    if (info.state != JMP_STATE_ATTACHED || !info.confirmed || info.active_transport != transport) fail("a session is not attached where it should be");
}

static struct world *world_open(uint32_t suite, uint32_t sessions, bool is_under_load)
{
    struct world *world = calloc(1, sizeof *world);
    if (!world) fail("out of memory");
    *world = (struct world) { .suite = suite, .count = sessions, .now = 1000000, .random = 88172645463325252u };
    world->client = make_endpoint(world, 1, false);
    world->gateway = make_endpoint(world, 2, is_under_load);
    for (uint32_t i = 0; i < sessions; i++) {
        world->sessions[i] = connect_pair(world, JMP_PATTERN_NNPSK0);
        world->now += 100;
    }
    for (uint32_t i = 0; i < sessions; i++) require_attached(world, world->sessions[i], 0);
    return world;
}

static void world_close(struct world *world)
{
    check(jmp_endpoint_free(world->client), "jmp_endpoint_free");
    check(jmp_endpoint_free(world->gateway), "jmp_endpoint_free");
    free(world);
}

/* ---- payloads */

static jmp_session pick(struct world *world)
{
    if (world->is_in_turn) return world->sessions[world->next++ % world->count];
    return world->sessions[world->count == 1 ? 0 : next_random(&world->random) % world->count];
}

static void seal(struct world *world, struct slot *slot, uint32_t length)
{
    static const uint8_t payload[SLOT];
    jmp_datagram out = { .struct_size = sizeof out };
    check(jmp_send(world->client, pick(world), payload, length, world->now, slot->bytes, SLOT, &out), "jmp_send");
    slot->length = out.length;
}

static void open(struct world *world, struct slot *slot, uint32_t length)
{
    jmp_received in = { .struct_size = sizeof in };
    const jmp_address address = address_of(0);
    check(jmp_receive(world->gateway, 0, &address, slot->bytes, slot->length, world->now, &in), "jmp_receive");
    if (in.payload_length != length || (in.kind == JMP_RECEIVED_PAYLOAD) != (length > 0)) fail("a payload was not delivered, or more than that");
}

enum { COUNT_SENDS = 1, COUNT_RECEIVES = 2, COUNT_ACKNOWLEDGEMENTS = 4, LOSE_SOME = 8, LENGTH_SHIFT = 8 };

/* Payloads of one size from client to gateway. Half of them wait at a time, and some of those are lost and the others arrive in another
 * order when that is asked for. */
static void pass(struct world *world, uint32_t argument)
{
    const uint32_t length = argument >> LENGTH_SHIFT;
    for (int round = 0; round < ROUNDS; round++) {
        world->now += 5000;
        if (argument & COUNT_SENDS) begin(world);
        for (int i = 0; i < BATCH; i++) seal(world, &slots[i], length);
        if (argument & COUNT_SENDS) end(world, BATCH);
        if (argument & COUNT_RECEIVES) begin(world);
        for (int i = 0; i < BATCH; i++) {
            const int chosen = argument & LOSE_SOME ? i ^ 5 : i;
            if (argument & LOSE_SOME && (chosen + round) % 7 == 3) continue;
            open(world, &slots[chosen], length);
        }
        if (argument & COUNT_RECEIVES) end(world, BATCH);
        if (argument & COUNT_ACKNOWLEDGEMENTS) begin(world);
        uint32_t moved = move(world, false);
        for (int steps = 0; moved == 0 && steps < 100; steps++) {
            world->now += 1000;
            check(jmp_handle_timeout(world->gateway, world->now), "jmp_handle_timeout");
            moved = move(world, false);
        }
        if (argument & COUNT_ACKNOWLEDGEMENTS) end(world, moved);
        if (moved == 0) fail("nothing was acknowledged");
        wait_until(world, world->now + 100);
    }
}

static void pass_in_batches(struct world *world, uint32_t argument)
{
    static const uint8_t payload[64];
    static uint8_t buffer[BATCH * SLOT];
    static jmp_send_item out[BATCH];
    static jmp_receive_item in[BATCH];
    size_t done;
    for (int round = 0; round < ROUNDS; round++) {
        world->now += 5000;
        for (uint32_t i = 0; i < BATCH; i++) {
            out[i] = (jmp_send_item) { .session = pick(world), .payload_length = sizeof payload, .buffer_offset = i * SLOT, .buffer_capacity = SLOT };
            out[i].datagram.struct_size = sizeof out[i].datagram;
        }
        if (argument & COUNT_SENDS) begin(world);
        check(jmp_send_batch(world->client, out, BATCH, payload, sizeof payload, world->now, buffer, sizeof buffer, &done), "jmp_send_batch");
        if (argument & COUNT_SENDS) end(world, BATCH);
        for (uint32_t i = 0; i < BATCH; i++) {
            in[i] = (jmp_receive_item) { .offset = i * SLOT, .length = out[i].datagram.length, .from = address_of(0) };
            in[i].received.struct_size = sizeof in[i].received;
        }
        if (argument & COUNT_RECEIVES) begin(world);
        check(jmp_receive_batch(world->gateway, in, BATCH, buffer, sizeof buffer, world->now), "jmp_receive_batch");
        if (argument & COUNT_RECEIVES) end(world, BATCH);
        for (uint32_t i = 0; i < BATCH; i++) {
            if (out[i].status != JMP_OK || in[i].received.payload_length != sizeof payload) fail("a payload of a batch was not delivered");
        }
        wait_until(world, world->now + 1000);
    }
}

/* ---- what is not genuine */

static void fill_random(struct world *world, struct slot *slot, uint32_t length)
{
    slot->length = length;
    for (uint32_t i = 0; i < length; i += 8) {
        uint64_t word = next_random(&world->random);
        memcpy(slot->bytes + i, &word, 8);
    }
}

static void refuse(struct world *world, uint32_t how_many)
{
    uint8_t answer[SLOT];
    jmp_datagram out = { .struct_size = sizeof out };
    begin(world);
    for (uint32_t i = 0; i < how_many; i++) {
        open(world, &slots[i], 0);
        while (jmp_poll_transmit(world->gateway, world->now, answer, sizeof answer, &out) == JMP_OK) continue;
    }
    end(world, how_many);
    settle(world);
}

static void receive_random(struct world *world, uint32_t is_foreign)
{
    for (int i = 0; i < CHUNK; i++) {
        fill_random(world, &slots[i], 94);
        if (is_foreign) slots[i].bytes[0] = 0x40 | (slots[i].bytes[0] & 0x3F);
    }
    refuse(world, CHUNK);
}

static void receive_replays(struct world *world, uint32_t length)
{
    static struct slot first[BATCH];
    world->now += 5000;
    for (int i = 0; i < BATCH; i++) {
        seal(world, &first[i], length);
        slots[i] = first[i];
    }
    for (int i = 0; i < BATCH; i++) open(world, &first[i], length);
    wait_until(world, world->now + 1000);
    refuse(world, BATCH);
}

/* WireProtocol "Handshake": an INIT without hint and cookie. */
static void receive_inits(struct world *world, uint32_t length)
{
    for (int i = 0; i < CHUNK; i++) {
        fill_random(world, &slots[i], 16 + length);
        memcpy(slots[i].bytes, (const uint8_t[]) { 0xC1, 0, 0, 0, 1 }, 5);
        memcpy(slots[i].bytes + 13, (const uint8_t[]) { JMP_PATTERN_NNPSK0, 0, 0 }, 3);
    }
    refuse(world, CHUNK);
    jmp_endpoint_stats stats = { .struct_size = sizeof stats };
    check(jmp_endpoint_get_stats(world->gateway, &stats), "jmp_endpoint_get_stats");
    if (stats.dropped[JMP_DROP_COOKIE_REQUIRED] < CHUNK) fail("no cookie was asked for");
}

/* ---- sessions' lives */

static void shake_hands(struct world *world, uint32_t pattern)
{
    for (int i = 0; i < RARE; i++) {
        world->now += 1000;
        require_attached(world, connect_pair(world, pattern), 0);
    }
}

/* Each session jumps to a standby that has been validated; another eight sessions each time. */
static void reattach(struct world *world, uint32_t first)
{
    uint32_t paths[RARE];
    const jmp_address second = address_of(1);
    first += world->is_counted ? RARE : 0;
    for (int i = 0; i < RARE; i++) check(jmp_path_add(world->client, world->sessions[first + i], 1, &second, world->now, &paths[i]), "jmp_path_add");
    settle(world);
    wait_until(world, world->now + 20000);
    begin(world);
    for (int i = 0; i < RARE; i++) check(jmp_session_request_switch(world->client, world->sessions[first + i], paths[i], world->now), "jmp_session_request_switch");
    settle(world);
    end(world, RARE);
    for (int i = 0; i < RARE; i++) require_attached(world, world->sessions[first + i], 1);
    wait_until(world, world->now + 20000);
}

/* Sessions without payloads: their heartbeats, a datagram each. */
static void idle(struct world *world, uint32_t minutes)
{
    wait_until(world, world->now + MINUTE);
    begin(world);
    uint32_t moved = wait_until(world, world->now + (jmp_time)minutes * MINUTE);
    end(world, moved);
    if (moved == 0) fail("there were no heartbeats");
}

/* Sessions reach the end of their lifetime, at both ends; those that are not counted end as they come. */
static void expire(struct world *world, uint32_t how_many)
{
    if (!world->is_counted) return;
    jmp_endpoint_stats before = { .struct_size = sizeof before }, after = before;
    check(jmp_endpoint_get_stats(world->gateway, &before), "jmp_endpoint_get_stats");
    world->now += 7200000000;
    begin(world);
    check(jmp_handle_timeout(world->client, world->now), "jmp_handle_timeout");
    check(jmp_handle_timeout(world->gateway, world->now), "jmp_handle_timeout");
    settle(world);
    end(world, how_many);
    wait_until(world, world->now + MINUTE);
    check(jmp_endpoint_get_stats(world->gateway, &after), "jmp_endpoint_get_stats");
    if (after.sessions != 0 || before.sessions != how_many) fail("the sessions did not expire");
}

/* ---- all of it */

static void count_suite(uint32_t suite)
{
    static const uint32_t sizes[] = { 64, 256, 1350 };
    struct world *world = world_open(suite, 1, false);
    char name[48];
    pass(world, 64u << LENGTH_SHIFT | LOSE_SOME);   /* room for gaps is made once */
    wait_until(world, world->now + 10000000);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "send/%u", (unsigned)sizes[i]);
        count(world, name, pass, sizes[i] << LENGTH_SHIFT | COUNT_SENDS);
        snprintf(name, sizeof name, "receive/%u", (unsigned)sizes[i]);
        count(world, name, pass, sizes[i] << LENGTH_SHIFT | COUNT_RECEIVES);
    }
    count(world, "send-batch/64", pass_in_batches, COUNT_SENDS);
    count(world, "receive-batch/64", pass_in_batches, COUNT_RECEIVES);
    count(world, "acknowledgement", pass, 64u << LENGTH_SHIFT | COUNT_ACKNOWLEDGEMENTS);
    count(world, "lossy-send/64", pass, 64u << LENGTH_SHIFT | LOSE_SOME | COUNT_SENDS);
    count(world, "lossy-receive/64", pass, 64u << LENGTH_SHIFT | LOSE_SOME | COUNT_RECEIVES);
    count(world, "lossy-acknowledgement", pass, 64u << LENGTH_SHIFT | LOSE_SOME | COUNT_ACKNOWLEDGEMENTS);
    count(world, "foreign-connection-id", receive_random, true);
    count(world, "random-bytes", receive_random, false);
    count(world, "replay", receive_replays, 64);
    count(world, "handshake-NNpsk0", shake_hands, JMP_PATTERN_NNPSK0);
    count(world, "handshake-IKpsk2", shake_hands, JMP_PATTERN_IKPSK2);
    world_close(world);

    world = world_open(suite, 1, true);
    count(world, "init-without-cookie", receive_inits, 240);
    world_close(world);

    world = world_open(suite, CROWD, false);
    world->is_in_turn = true;   /* what a session makes for its first payloads is made */
    while (world->next < 4 * CROWD) pass(world, 64u << LENGTH_SHIFT);
    world->is_in_turn = false;
    count(world, "send-random-of-1000/64", pass, 64u << LENGTH_SHIFT | COUNT_SENDS);
    count(world, "receive-random-of-1000/64", pass, 64u << LENGTH_SHIFT | COUNT_RECEIVES);
    world_close(world);

    world = world_open(suite, 2 * RARE, false);
    count(world, "reattach", reattach, 0);
    count(world, "idle-heartbeat", idle, 2);
    count(world, "expiry", expire, 2 * RARE);
    world_close(world);
}

int main(void)
{
    static const uint32_t suites[] = { JMP_SUITE_CHACHA20_POLY1305, JMP_SUITE_AES_256_GCM };
    uint32_t available;
    check(jmp_init(), "jmp_init");
    check(jmp_suites_available(&available), "jmp_suites_available");
    if (!allocations_are_counted()) fail("allocations cannot be counted here");
    for (int i = 0; i < 2; i++) {
        if (available & suites[i]) count_suite(suites[i]);
    }
    return 0;
}
