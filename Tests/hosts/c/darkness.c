/* What happens to a session when no path is left, in virtual time: the transport-lost TTL, and what survives the dark. */
#include "check.h"
#include "world.h"

/* How both ends must walk when every path is gone: never attached again, terminated exactly at the TTL. */
static void check_ttl_end(const struct world *world, int who, jmp_time dark_at, jmp_time lost_at, jmp_time ttl_us)
{
    const jmp_event *end = world_event(world, who, JMP_EVENT_SESSION_TERMINATED, 0);
    CHECK(world_went(world, who, JMP_STATE_VOLATILE, JMP_REASON_NONE, dark_at));
    CHECK(world_went(world, who, JMP_STATE_DEGRADED, JMP_REASON_NONE, dark_at));
    CHECK(!world_went(world, who, JMP_STATE_ATTACHED, JMP_REASON_NONE, dark_at));
    CHECK_EQUAL(world_count(world, who, JMP_EVENT_SESSION_TERMINATED), 1);
    if (!CHECK(end != NULL)) return;
    CHECK_EQUAL(end->reason, JMP_REASON_TRANSPORT_TTL_EXCEEDED);
    CHECK_EQUAL(end->time, lost_at + ttl_us);
    CHECK(lost_at != JMP_TIME_NONE && lost_at + 100 * MS >= dark_at);
    CHECK(lost_at <= dark_at + 3 * SECOND);
}

static void allPathsGoneEndsAtTheTransportLostTTL(void)
{
    const jmp_time ttl_us = 30ull * SECOND;
    jmp_time lost_at[NODES];
    struct world world;
    world_begin(&world, (struct world_options){ .seed = 4 });
    jmp_time dark_at = world.now;
    world_set_black_hole(&world, 0, true);
    world_set_black_hole(&world, 1, true);
    world_run(&world, 25ull * SECOND);
    for (int who = 0; who < NODES; who++) {
        lost_at[who] = world_info(&world, who).transport_lost_at;
        CHECK(world_info(&world, who).state != JMP_STATE_TERMINATED);
        CHECK(world_info(&world, who).state != JMP_STATE_ATTACHED);
    }
    world_run(&world, 10ull * SECOND);
    for (int who = 0; who < NODES; who++) {
        check_ttl_end(&world, who, dark_at, lost_at[who], ttl_us);
        CHECK_EQUAL(world_info(&world, who).state, JMP_STATE_TERMINATED);
        CHECK_EQUAL(world_info(&world, who).last_reason, JMP_REASON_TRANSPORT_TTL_EXCEEDED);
    }
    CHECK_EQUAL(world_send(&world, CLIENT), JMP_ERR_TERMINATED);
    world_close(&world);
}

static void pathsBackBeforeTheTTLAttachAgain(void)
{
    for (uint32_t back = 0; back < 2; back++) {
        struct world world;
        world_begin(&world, (struct world_options){ .seed = (uint8_t)(5 + back) });
        world_set_black_hole(&world, 0, true);
        world_set_black_hole(&world, 1, true);
        world_run(&world, 25ull * SECOND);
        CHECK(world_info(&world, CLIENT).state != JMP_STATE_ATTACHED);
        uint64_t echoed = world.nodes[CLIENT].received;
        jmp_time light_at = world.now;
        world_set_black_hole(&world, back, false);
        world_run(&world, 15ull * SECOND);
        for (int who = 0; who < NODES; who++) {
            CHECK_EQUAL(world_info(&world, who).state, JMP_STATE_ATTACHED);
            CHECK_EQUAL(world_info(&world, who).active_transport, back);
            CHECK_EQUAL(world_info(&world, who).transport_lost_at, JMP_TIME_NONE);
            CHECK(world_went(&world, who, JMP_STATE_ATTACHED, JMP_REASON_REATTACH_SUCCESS, light_at));
        }
        CHECK(world.nodes[CLIENT].received > echoed + 100);
        world_close(&world);
    }
}

static void lossyButLivingPathNeverDiesOfTheTTL(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .links = 1, .seed = 9 });
    world.links[0].loss_ppm[CLIENT] = world.links[0].loss_ppm[GATEWAY] = 400000;
    world_run(&world, 120ull * SECOND);
    for (int who = 0; who < NODES; who++) {
        CHECK(world_info(&world, who).state != JMP_STATE_TERMINATED);
        CHECK_EQUAL(world_count(&world, who, JMP_EVENT_TRANSPORT_SWITCH), 0);
    }
    world_close(&world);
}

/* A key phase that only one end has heard of, because it began in the dark: when the paths are back, and even when the
 * client comes back from another port so that the gateway cannot reach it first, each end opens what the other sends. */
static void rekeyInTheDarkLosesNothing(void)
{
    for (int who = 0; who < NODES; who++) {
        struct world world;
        world_begin(&world, (struct world_options){ .seed = (uint8_t)(30 + who) });
        world_set_black_hole(&world, 0, true);
        world_set_black_hole(&world, 1, true);
        world_run(&world, 100 * MS);
        CHECK_OK(jmp_session_rekey(world.nodes[who].endpoint, world.nodes[who].session, world.now));
        world_drain(&world, who);
        world_run(&world, 5 * SECOND);
        for (uint32_t l = 0; l < 2; l++) {
            world.links[l].client_port = (uint16_t)(62000 + l);
            world_set_black_hole(&world, l, false);
        }
        world_run(&world, 10ull * SECOND);
        for (int node = 0; node < NODES; node++) {
            CHECK_EQUAL(world_info(&world, node).state, JMP_STATE_ATTACHED);
            CHECK_EQUAL(world_info(&world, node).key_phase, 1);
            CHECK_EQUAL(world_stats(&world, node).dropped[JMP_DROP_BAD_TAG], 0);
        }
        world_close(&world);
    }
}

/* A single path that is dark for a second climbs the whole ladder on itself: no switch is told, none is spent. */
static void pathThatHealsIsNotASwitch(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .links = 1, .seed = 10 });
    uint64_t binding = world_info(&world, CLIENT).binding_version;
    jmp_time dark_at = world.now;
    world_set_black_hole(&world, 0, true);
    world_run(&world, 1 * SECOND);
    world_set_black_hole(&world, 0, false);
    world_run(&world, 12ull * SECOND);
    for (int who = 0; who < NODES; who++) {
        CHECK(world_went(&world, who, JMP_STATE_VOLATILE, JMP_REASON_NONE, dark_at));
        CHECK(world_went(&world, who, JMP_STATE_ATTACHED, JMP_REASON_REATTACH_SUCCESS, dark_at));
        CHECK_EQUAL(world_count(&world, who, JMP_EVENT_TRANSPORT_SWITCH), 0);
        CHECK_EQUAL(world_session_stats(&world, who).switches, 0);
        CHECK_EQUAL(world_info(&world, who).switches_last_minute, 0);
        CHECK(world_info(&world, who).binding_version > binding);
    }
    world_close(&world);
}

int main(void)
{
    RUN(allPathsGoneEndsAtTheTransportLostTTL);
    RUN(pathsBackBeforeTheTTLAttachAgain);
    RUN(lossyButLivingPathNeverDiesOfTheTTL);
    RUN(rekeyInTheDarkLosesNothing);
    RUN(pathThatHealsIsNotASwitch);
    return check_summary();
}
