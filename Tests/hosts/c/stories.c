/* What happens to a session when a link fails and another is left, in virtual time: detection, jumps, limits. No path at all
 * is in darkness.c. */
#include "check.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 10 };

static int compare_times(const void *left, const void *right)
{
    jmp_time l = *(const jmp_time *)left, r = *(const jmp_time *)right;
    return (l > r) - (l < r);
}

/* Sorts and prints the values. Gives their median. */
static jmp_time median(const char *what, jmp_time values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof values[0], compare_times);
    printf("  %s, ms:", what);
    for (int i = 0; i < ROUNDS; i++) printf(" %.1f", values[i] / 1e3);
    printf("\n");
    return (values[(ROUNDS - 1) / 2] + values[ROUNDS / 2]) / 2;
}

/* When the client's session first jumped, JMP_TIME_NONE if it did not. */
static jmp_time first_switch_at(const struct world *world)
{
    const jmp_event *event = world_event(world, CLIENT, JMP_EVENT_TRANSPORT_SWITCH, 0);
    return event ? event->time : JMP_TIME_NONE;
}

static void check_jumped_once_to_udp_B(struct world *world)
{
    for (int who = 0; who < NODES; who++) {
        CHECK_EQUAL(world_count(world, who, JMP_EVENT_TRANSPORT_SWITCH), 1);
        const jmp_event *event = world_event(world, who, JMP_EVENT_TRANSPORT_SWITCH, 0);
        if (event) {
            CHECK(!strcmp(event->from_transport, "udp:A"));
            CHECK(!strcmp(event->to_transport, "udp:B"));
            CHECK_EQUAL(event->explicit_switch, 1);
            CHECK_EQUAL(event->auditable, 1);
        }
        CHECK_EQUAL(world_info(world, who).state, JMP_STATE_ATTACHED);
        CHECK_EQUAL(world_info(world, who).active_transport, 1);
    }
    jmp_session_info client = world_info(world, CLIENT), gateway = world_info(world, GATEWAY);
    CHECK(!memcmp(client.session_id, gateway.session_id, sizeof client.session_id));
    CHECK_EQUAL(client.binding_version, gateway.binding_version);
}

/* ------------------------------------------------------------- one path fails */

static void blackholeOfTheActivePathCostsAtMostTwoRoundTrips(void)
{
    const jmp_time round_trip = 40 * MS, interval = 5 * MS;
    jmp_time gaps[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        struct world world;
        world_begin(&world, (struct world_options){ .seed = (uint8_t)(1 + i) });
        world_run(&world, (jmp_time)i * 3700);          /* another phase of timers and traffic every time */
        world_set_black_hole(&world, 0, true);
        world_run(&world, 2 * SECOND);
        check_jumped_once_to_udp_B(&world);
        gaps[i] = world.nodes[CLIENT].longest_gap_us;
        CHECK(gaps[i] <= 3 * round_trip);
        world_close(&world);
    }
    jmp_time limit = round_trip + 3 * interval + 10 * MS;
    if (limit < 2 * round_trip) limit = 2 * round_trip;
    CHECK(median("gaps between echoes", gaps) <= limit);
}

static void blackholeUnderJitterCostsAtMostFourRoundTrips(void)
{
    jmp_time gaps[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        struct world world;
        world_open(&world, (struct world_options){ .seed = (uint8_t)(40 + i) });
        for (uint32_t l = 0; l < 2; l++) world.links[l].jitter_us[CLIENT] = world.links[l].jitter_us[GATEWAY] = 20 * MS;
        if (world_connect(&world, 0)) {
            world.nodes[CLIENT].send_interval_us = 5 * MS;
            world.nodes[CLIENT].next_send_at = world.now;
            world_run(&world, 5 * SECOND);
            CHECK_EQUAL(world_count(&world, CLIENT, JMP_EVENT_TRANSPORT_SWITCH), 0);
            world.nodes[CLIENT].longest_gap_us = 0;
            world_set_black_hole(&world, 0, true);
            world_run(&world, 2 * SECOND);
            check_jumped_once_to_udp_B(&world);
        }
        gaps[i] = world.nodes[CLIENT].longest_gap_us;
        CHECK(gaps[i] <= 160 * MS);
        world_close(&world);
    }
    CHECK(median("gaps between echoes", gaps) <= 160 * MS);
}

static void thirtyPercentLossJumpsWithin200ms(void)
{
    jmp_time delays[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        struct world world;
        world_begin(&world, (struct world_options){ .seed = (uint8_t)(80 + i) });
        uint64_t sent = world.nodes[CLIENT].sent;
        jmp_time begin = world.now;
        world.links[0].loss_ppm[CLIENT] = world.links[0].loss_ppm[GATEWAY] = 300000;
        world_run(&world, 3 * SECOND);
        world.links[0].loss_ppm[CLIENT] = world.links[0].loss_ppm[GATEWAY] = 0;
        world.nodes[CLIENT].send_interval_us = 0;
        world_run(&world, 200 * MS);
        delays[i] = first_switch_at(&world) - begin;
        CHECK(first_switch_at(&world) != JMP_TIME_NONE);
        CHECK_EQUAL(world.nodes[CLIENT].sent - sent, 600);
        CHECK(world.nodes[CLIENT].sent - world.nodes[CLIENT].received <= 40);       /* either way; none was lost before */
        CHECK(world_count(&world, CLIENT, JMP_EVENT_TRANSPORT_SWITCH) <= 2);
        CHECK(world_count(&world, CLIENT, JMP_EVENT_VOLATILITY_SIGNAL) >= 1);
        CHECK(world_went(&world, CLIENT, JMP_STATE_VOLATILE, JMP_REASON_NONE, begin));
        CHECK_EQUAL(world_info(&world, CLIENT).state, JMP_STATE_ATTACHED);
        CHECK_EQUAL(world_info(&world, CLIENT).active_transport, 1);
        world_close(&world);
    }
    CHECK(median("jumps after", delays) <= 200 * MS);
}

/* Only the gateway talks; which direction dies must not matter. */
static void oneWayReceiverDetectsABlackhole(void)
{
    for (int both = 0; both < 2; both++) {
        struct world world;
        world_open(&world, (struct world_options){ .seed = (uint8_t)(20 + both) });
        if (!world_connect(&world, 0)) return;
        world.nodes[GATEWAY].send_interval_us = 5 * MS;
        world.nodes[GATEWAY].next_send_at = world.now;
        world_run(&world, 2 * SECOND);
        world.nodes[CLIENT].longest_gap_us = 0;
        CHECK(world.nodes[CLIENT].received > 350);
        world.links[0].is_black_hole[GATEWAY] = true;
        world.links[0].is_black_hole[CLIENT] = both;
        world_run(&world, 2 * SECOND);
        check_jumped_once_to_udp_B(&world);
        printf("  gap with %s dead: %.1f ms\n", both ? "both directions" : "one direction", world.nodes[CLIENT].longest_gap_us / 1e3);
        CHECK(world.nodes[CLIENT].longest_gap_us <= 250 * MS);
        world_close(&world);
    }
}

static void onePercentLossAndJitterNeverJump(void)
{
    struct world world;
    world_open(&world, (struct world_options){ .seed = 7 });
    for (uint32_t l = 0; l < 2; l++) {
        world.links[l].loss_ppm[CLIENT] = world.links[l].loss_ppm[GATEWAY] = 10000;
        world.links[l].jitter_us[CLIENT] = world.links[l].jitter_us[GATEWAY] = 20 * MS;
    }
    if (world_connect(&world, 0)) {
        world.nodes[CLIENT].send_interval_us = 5 * MS;
        world.nodes[CLIENT].next_send_at = world.now;
        world_run(&world, 600ull * SECOND);
        CHECK_EQUAL(world_count(&world, CLIENT, JMP_EVENT_TRANSPORT_SWITCH), 0);
        CHECK(!world_went(&world, CLIENT, JMP_STATE_VOLATILE, JMP_REASON_NONE, 0));
        CHECK(!world_went(&world, GATEWAY, JMP_STATE_VOLATILE, JMP_REASON_NONE, 0));
        CHECK(world.nodes[CLIENT].sent >= 120000);
        CHECK(world.nodes[CLIENT].received >= 116000);      /* 2 % of 120,000 lost, with room for luck */
        CHECK_EQUAL(world.nodes[CLIENT].duplicates, 0);
    }
    world_close(&world);
}

/* The NAT in front of the client gives it another port. `old_port_lives`: what is sent to the old one still arrives, as
 * with a NAT that forgot only the outgoing half; else it is lost, and physics costs a round trip of echoes. */
static void rebind(bool old_port_lives, jmp_time allowed_gap_us, uint64_t allowed_lost)
{
    struct world world;
    world_begin(&world, (struct world_options){ .seed = 3 });
    uint64_t handshakes = world_stats(&world, GATEWAY).handshakes_completed;
    world.links[0].old_port = old_port_lives ? world.links[0].client_port : 0;
    world.links[0].client_port = 61000;
    world_run(&world, 2 * SECOND);
    jmp_path_info path = world_active_path(&world, GATEWAY);
    jmp_address now_at = world_client_address(&world, 0);
    CHECK_EQUAL(path.role, JMP_PATH_ACTIVE);
    CHECK(world_same_address(&path.address, &now_at));
    CHECK_EQUAL(world_count(&world, GATEWAY, JMP_EVENT_TRANSPORT_SWITCH), 1);
    CHECK_EQUAL(world_stats(&world, GATEWAY).handshakes_completed, handshakes);
    CHECK_EQUAL(world_info(&world, CLIENT).active_transport, 0);
    CHECK_EQUAL(world_info(&world, CLIENT).state, JMP_STATE_ATTACHED);
    world.nodes[CLIENT].send_interval_us = 0;
    world_run(&world, 200 * MS);
    printf("  gap between echoes: %.1f ms; of %llu payloads %llu reached the gateway, %llu came back, %llu more than once\n",
           world.nodes[CLIENT].longest_gap_us / 1e3, (unsigned long long)world.nodes[CLIENT].sent,
           (unsigned long long)world.nodes[GATEWAY].received, (unsigned long long)world.nodes[CLIENT].received,
           (unsigned long long)world.nodes[CLIENT].duplicates);
    CHECK(world.nodes[CLIENT].longest_gap_us <= allowed_gap_us);
    CHECK_EQUAL(world.nodes[GATEWAY].received, world.nodes[CLIENT].sent);
    CHECK_EQUAL(world.nodes[GATEWAY].duplicates, 0);
    CHECK(world.nodes[CLIENT].sent - world.nodes[CLIENT].received <= allowed_lost);
    world_close(&world);
}

static void natRebindingCostsAtMostOnePayload(void)
{
    rebind(true, 20 * MS, 1);
}

static void natThatForgetsEverythingCostsARoundTripOfEchoes(void)
{
    rebind(false, 40 * MS + 20 * MS, 9);
}

/* ------------------------------------------------------- what is not the path's fault */

static void hostSuspendedForASecondDoesNotJump(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .seed = 11 });
    for (int i = 0; i < 5; i++) {
        world.nodes[CLIENT].suspended_until = world.now + 1 * SECOND;
        world_run(&world, 4 * SECOND);
        CHECK_EQUAL(world_count(&world, CLIENT, JMP_EVENT_TRANSPORT_SWITCH), 0);
        CHECK_EQUAL(world_info(&world, CLIENT).state, JMP_STATE_ATTACHED);
        CHECK_EQUAL(world_info(&world, CLIENT).active_transport, 0);
    }
    CHECK(world_stats(&world, CLIENT).late_calls >= 1);
    world_close(&world);
}

/* A loaded host: every fifth of a second it does nothing for up to 150 ms. */
static void hostThatCallsLateDoesNotJump(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .seed = 12 });
    for (int i = 0; i < 300; i++) {
        world.nodes[CLIENT].suspended_until = world.now + world_random(&world) % (150 * MS);
        world_run(&world, 200 * MS);
    }
    world_run(&world, 5 * SECOND);
    CHECK_EQUAL(world_count(&world, CLIENT, JMP_EVENT_TRANSPORT_SWITCH), 0);
    CHECK_EQUAL(world_info(&world, CLIENT).state, JMP_STATE_ATTACHED);
    world_close(&world);
}

/* ---------------------------------------------------------------- bounded recovery */

/* The path the session is on goes dark every two seconds, for ten minutes: never more than eight switches in a minute. */
static void flappingPathsAreBoundByTheSwitchLimit(void)
{
    struct world world;
    jmp_time switches[4096];
    size_t count = 0;
    world_begin(&world, (struct world_options){ .seed = 14 });
    world.nodes[CLIENT].send_interval_us = 20 * MS;
    for (int i = 0; i < 300; i++) {
        jmp_session_info info = world_info(&world, CLIENT);
        if (info.state == JMP_STATE_TERMINATED) break;
        world_set_black_hole(&world, 0, info.active_transport == 0);
        world_set_black_hole(&world, 1, info.active_transport == 1);
        world_run(&world, 2 * SECOND);
    }
    for (size_t i = 0; i < world.nodes[CLIENT].event_count; i++)
        if (world.nodes[CLIENT].events[i].type == JMP_EVENT_TRANSPORT_SWITCH && count < 4096)
            switches[count++] = world.nodes[CLIENT].events[i].time;
    CHECK(count > 8);
    for (size_t i = 8; i < count; i++) CHECK(switches[i] - switches[i - 8] >= 60ull * SECOND);
    CHECK(world_count(&world, CLIENT, JMP_EVENT_TRANSPORT_SWITCH_DENIED) >= 1);
    world_close(&world);
}

static void plannedHandoverLosesNothing(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .seed = 15 });
    world_run(&world, 2 * SECOND);
    CHECK_OK(jmp_session_request_switch(world.nodes[CLIENT].endpoint, world.nodes[CLIENT].session, JMP_PATH_NONE, world.now));
    world_drain(&world, CLIENT);
    world_run(&world, 1 * SECOND);
    check_jumped_once_to_udp_B(&world);
    CHECK(world_went(&world, CLIENT, JMP_STATE_VOLATILE, JMP_REASON_OPERATOR_REQUESTED, 0));
    CHECK_EQUAL(jmp_session_request_switch(world.nodes[CLIENT].endpoint, world.nodes[CLIENT].session, JMP_PATH_NONE, world.now),
                JMP_ERR_SWITCH_DENIED);     /* within the cooldown of 1.5 s */
    world_drain(&world, CLIENT);
    const jmp_event *denied = world_event(&world, CLIENT, JMP_EVENT_TRANSPORT_SWITCH_DENIED, 0);
    if (CHECK(denied != NULL)) CHECK_EQUAL(denied->reason, JMP_REASON_COOLDOWN_ACTIVE);
    world.nodes[CLIENT].send_interval_us = 0;
    world_run(&world, 200 * MS);
    CHECK_EQUAL(world.nodes[CLIENT].received, world.nodes[CLIENT].sent);
    world_close(&world);
}

/* The gateway's operator can ask too: the client is told and jumps. */
static void gatewayAsksForAHandover(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .seed = 16 });
    world_run(&world, 2 * SECOND);
    CHECK_OK(jmp_session_request_switch(world.nodes[GATEWAY].endpoint, world.nodes[GATEWAY].session, JMP_PATH_NONE, world.now));
    world_drain(&world, GATEWAY);
    world_run(&world, 1 * SECOND);
    check_jumped_once_to_udp_B(&world);
    world_close(&world);
}

static void downHintJumpsAtOnce(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .seed = 17 });
    world_set_black_hole(&world, 0, true);
    CHECK_OK(jmp_transport_hint(world.nodes[CLIENT].endpoint, 0, 0, world.now));
    world_drain(&world, CLIENT);
    world_run(&world, 1 * SECOND);
    check_jumped_once_to_udp_B(&world);
    printf("  gap between echoes: %.1f ms\n", world.nodes[CLIENT].longest_gap_us / 1e3);
    CHECK(world.nodes[CLIENT].longest_gap_us <= 60 * MS);       /* 1.5 round trips */
    world_close(&world);
}

static void maxLifetimeEndsBothEnds(void)
{
    jmp_policy policy;
    struct world world;
    CHECK_OK(jmp_policy_init(&policy));
    policy.max_lifetime_us = 5ull * SECOND;
    world_begin(&world, (struct world_options){ .seed = 18, .policy = &policy });
    jmp_time expires_at = world_info(&world, GATEWAY).expires_at;
    world_run(&world, 10ull * SECOND);
    const jmp_event *end = world_event(&world, GATEWAY, JMP_EVENT_SESSION_TERMINATED, 0);
    if (CHECK(end != NULL)) {
        CHECK_EQUAL(end->reason, JMP_REASON_SESSION_LIFETIME_EXCEEDED);
        CHECK_EQUAL(end->time, expires_at);
    }
    CHECK_EQUAL(world_info(&world, CLIENT).state, JMP_STATE_TERMINATED);
    world_close(&world);
}

int main(void)
{
    RUN(blackholeOfTheActivePathCostsAtMostTwoRoundTrips);
    RUN(blackholeUnderJitterCostsAtMostFourRoundTrips);
    RUN(thirtyPercentLossJumpsWithin200ms);
    RUN(oneWayReceiverDetectsABlackhole);
    RUN(onePercentLossAndJitterNeverJump);
    RUN(natRebindingCostsAtMostOnePayload);
    RUN(natThatForgetsEverythingCostsARoundTripOfEchoes);
    RUN(hostSuspendedForASecondDoesNotJump);
    RUN(hostThatCallsLateDoesNotJump);
    RUN(flappingPathsAreBoundByTheSwitchLimit);
    RUN(plannedHandoverLosesNothing);
    RUN(gatewayAsksForAHandover);
    RUN(downHintJumpsAtOnce);
    RUN(maxLifetimeEndsBothEnds);
    return check_summary();
}
