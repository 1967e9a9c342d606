/* Seeded endpoints and virtual time: the same inputs give the same datagrams and the same trace, byte for byte. Prints one
 * hash per scenario; the suite compares the hashes of two runs, and of a debug and a release library. */
#include "check.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

static void blackhole(struct world *world)
{
    world_run(world, 500 * MS);
    world_set_black_hole(world, 0, true);
    world_run(world, 3 * SECOND);
    world_set_black_hole(world, 0, false);
    world_run(world, 3 * SECOND);
}

static void loss(struct world *world)
{
    for (uint32_t l = 0; l < 2; l++)
        for (int from = 0; from < NODES; from++) {
            world->links[l].loss_ppm[from] = 150000;
            world->links[l].jitter_us[from] = 20 * MS;
        }
    world_run(world, 20ull * SECOND);
}

static void rebinding(struct world *world)
{
    for (uint16_t i = 0; i < 3; i++) {
        world->links[0].client_port = (uint16_t)(61000 + i);
        world_run(world, 3 * SECOND);
    }
}

static void rekeys_and_handover(struct world *world)
{
    for (int i = 0; i < 4; i++) {
        struct world_node *node = &world->nodes[i % 2];
        jmp_session_rekey(node->endpoint, node->session, world->now);
        world_drain(world, i % 2);
        world_run(world, 2 * SECOND);
        jmp_session_request_switch(node->endpoint, node->session, JMP_PATH_NONE, world->now);
        world_drain(world, i % 2);
        world_run(world, 2 * SECOND);
    }
}

static void darkness(struct world *world)
{
    world_set_black_hole(world, 0, true);
    world_set_black_hole(world, 1, true);
    world_run(world, 40ull * SECOND);
}

static const struct { const char *name; void (*play)(struct world *); } scenarios[] = {
    { "blackhole", blackhole }, { "loss and jitter", loss }, { "NAT rebinding", rebinding },
    { "rekeys and handovers", rekeys_and_handover }, { "darkness", darkness } };

static uint64_t play(size_t scenario, uint32_t pattern, uint32_t suite, uint8_t seed)
{
    struct world world;
    world_begin(&world, (struct world_options){ .pattern = pattern, .suites = suite, .seed = seed });
    scenarios[scenario].play(&world);
    uint64_t hash = world.hash;
    world_close(&world);
    return hash;
}

/* Every scenario twice in this process, the second time after other endpoints have come and gone. */
static void sameSeedSameBytes(void)
{
    uint32_t available = 0;
    CHECK_OK(jmp_suites_available(&available));
    for (size_t s = 0; s < sizeof scenarios / sizeof scenarios[0]; s++) {
        for (uint32_t pattern = JMP_PATTERN_NNPSK0; pattern <= JMP_PATTERN_IKPSK2; pattern++) {
            for (uint32_t suite = JMP_SUITE_CHACHA20_POLY1305; suite <= JMP_SUITE_AEGIS_256; suite *= 2) {
                if (!(available & suite)) continue;
                uint64_t first = play(s, pattern, suite, 1), other = play(s, pattern, suite, 2), again = play(s, pattern, suite, 1);
                CHECK_EQUAL(again, first);
                CHECK(other != first);
                printf("hash %016llx  %s, pattern %u, %s\n", (unsigned long long)first, scenarios[s].name, pattern, jmp_suite_name(suite));
            }
        }
    }
}

/* The seed is told in every event, so that no such trace is taken for one of a real session. */
static void seededTracesSaySo(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .seed = 3 });
    for (int who = 0; who < NODES; who++) {
        CHECK_EQUAL(world_stats(&world, who).seeded, 1);
        for (size_t i = 0; i < world.nodes[who].event_count; i++) CHECK_EQUAL(world.nodes[who].events[i].seeded, 1);
    }
    world_close(&world);
}

int main(void)
{
    RUN(sameSeedSameBytes);
    RUN(seededTracesSaySo);
    return check_summary();
}
