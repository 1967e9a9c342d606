/* 10,000 sessions come and go on two endpoints; memory stays where it was after the first ones. Every fourth session's
 * client vanishes without a word, so that ends by the transport-lost TTL are among them. */
#include "check.h"
#include "world.h"

#include <string.h>
#include <unistd.h>

enum {
    SESSIONS = 10000,
    AT_ONCE = 100,
    WARM_UP_ROUNDS = 20,            /* by then tables and queues have grown to what these rounds need */
    ALLOWED_GROWTH_BYTES = 256 * 1024
};

/* Resident memory of this process, bytes: second number of statm, in pages. */
static long resident_bytes(void)
{
    long size, resident = -1;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (!statm) return -1;
    if (fscanf(statm, "%ld %ld", &size, &resident) != 2) resident = -1;
    fclose(statm);
    return resident < 0 ? -1 : resident * sysconf(_SC_PAGESIZE);
}

static void one_payload(struct world *world, jmp_session session, uint64_t number)
{
    world->nodes[CLIENT].session = session;
    world->nodes[CLIENT].sent = number;
    CHECK_OK(world_send(world, CLIENT));
}

/* AT_ONCE sessions: established, one payload there and back, closed or abandoned, forgotten by both ends. */
static void one_round(struct world *world, uint64_t first_number)
{
    jmp_session sessions[AT_ONCE];
    jmp_endpoint *client = world->nodes[CLIENT].endpoint;
    jmp_connect_config config;
    for (int i = 0; i < AT_ONCE; i++) {
        world_connect_config(world, i % 2 ? JMP_PATTERN_IKPSK2 : JMP_PATTERN_NNPSK0, &config);
        CHECK_OK(jmp_connect(client, &config, world->now, &sessions[i]));
        world_drain(world, CLIENT);
        world_run(world, 50 * MS);      /* below the rate at which the gateway would ask for cookies and refuse sources */
    }
    for (int i = 0; i < AT_ONCE; i++) one_payload(world, sessions[i], first_number + (uint64_t)i);
    world_run(world, 100 * MS);
    for (int i = 0; i < AT_ONCE; i++) {
        if (i % 4 == 3) continue;
        CHECK_OK(jmp_session_close(client, sessions[i], JMP_REASON_OPERATOR_TERMINATED, world->now));
    }
    world_drain(world, CLIENT);
    world_run(world, 100 * MS);
    world_set_black_hole(world, 0, true);       /* the others vanish: their CLOSE is lost, as all else is */
    for (int i = 3; i < AT_ONCE; i += 4) CHECK_OK(jmp_session_close(client, sessions[i], JMP_REASON_OPERATOR_TERMINATED, world->now));
    world_drain(world, CLIENT);
    world_run(world, 120ull * SECOND);
    world_set_black_hole(world, 0, false);
    for (int who = 0; who < NODES; who++) CHECK_EQUAL(world_stats(world, who).sessions, 0);
    for (int who = 0; who < NODES; who++) world->nodes[who].event_count = 0;
}

static void tenThousandSessionsLeaveMemoryFlat(void)
{
    struct world world;
    long warm = 0;
    world_open(&world, (struct world_options){ .links = 1, .delay_us = 5 * MS, .is_unseeded = true });
    world.ignores_trails = true;
    for (int round = 0; round < SESSIONS / AT_ONCE; round++) {
        one_round(&world, (uint64_t)round * AT_ONCE);
        if (round == WARM_UP_ROUNDS) warm = resident_bytes();
    }
    long end = resident_bytes();
    printf("  resident after %d sessions %ld kB, after %d sessions %ld kB\n", WARM_UP_ROUNDS * AT_ONCE, warm / 1024, SESSIONS, end / 1024);
    CHECK(warm > 0 && end > 0);
    CHECK(end - warm <= ALLOWED_GROWTH_BYTES);
    CHECK_EQUAL(world.nodes[CLIENT].received, SESSIONS);
    CHECK_EQUAL(world_stats(&world, GATEWAY).handshakes_completed, SESSIONS);
    CHECK_EQUAL(world_stats(&world, GATEWAY).sessions_terminated, SESSIONS);
    CHECK_EQUAL(world_stats(&world, CLIENT).sessions_terminated, SESSIONS);
    world_close(&world);
}

/* Endpoints too: what one takes, freeing it gives back. */
static void thousandEndpointsLeaveMemoryFlat(void)
{
    long warm = 0;
    for (int i = 0; i < 1000; i++) {
        struct world world;
        world_open(&world, (struct world_options){ .is_unseeded = true });
        world_connect(&world, 0);
        world_close(&world);
        if (i == 200) warm = resident_bytes();
    }
    long end = resident_bytes();
    printf("  resident after 200 endpoints %ld kB, after 1000 %ld kB\n", warm / 1024, end / 1024);
    CHECK(warm > 0 && end - warm <= ALLOWED_GROWTH_BYTES);
}

int main(void)
{
    RUN(tenThousandSessionsLeaveMemoryFlat);
    RUN(thousandEndpointsLeaveMemoryFlat);
    return check_summary();
}
