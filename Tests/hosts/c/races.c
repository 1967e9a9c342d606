/* Copies of a reattach, replayed and raced, and datagrams that ask for more than they bring. An address is bound after proof
 * and confirmation only, and never gets more than three times its bytes before. The latter is checked by the attacker's
 * tap, at every datagram. */
#include "attacker.h"
#include "check.h"

/* --------------------------------------------------------- reattach, copied and raced */

/* Begins a session that knows its first path only. */
static void begin_race(struct world *world, struct attacker *attacker, uint8_t seed)
{
    world_begin(world, (struct world_options){ .offered_links = 1, .seed = seed });
    attacker_enter(attacker, world);
}

/* Kills the first path and gives the client the second in the same moment, so that its first datagrams there are the
 * reattach itself. Runs for `duration_us` and watches that the attacker's address is never bound. */
static void race(struct world *world, jmp_time duration_us, bool may_be_bound_meanwhile)
{
    jmp_address remote = world_gateway_address(1);
    uint32_t path;
    world_set_black_hole(world, 0, true);
    CHECK_OK(jmp_path_add(world->nodes[CLIENT].endpoint, world->nodes[CLIENT].session, 1, &remote, world->now, &path));
    CHECK_OK(jmp_transport_hint(world->nodes[CLIENT].endpoint, 0, 0, world->now));
    world_drain(world, CLIENT);
    for (jmp_time passed = 0; passed < duration_us; passed += 5 * MS) {
        world_run(world, 5 * MS);
        jmp_path_info active = world_active_path(world, GATEWAY);
        if (!may_be_bound_meanwhile) CHECK(active.role != JMP_PATH_ACTIVE || !world_same_address(&active.address, &attacker_address));
    }
}

static void check_ended_on_udp_B(struct world *world)
{
    jmp_path_info active = world_active_path(world, GATEWAY);
    jmp_address client = world_client_address(world, 1);
    CHECK_EQUAL(world_info(world, CLIENT).state, JMP_STATE_ATTACHED);
    CHECK_EQUAL(world_info(world, GATEWAY).state, JMP_STATE_ATTACHED);
    CHECK_EQUAL(active.role, JMP_PATH_ACTIVE);
    CHECK(world_same_address(&active.address, &client));
    CHECK_EQUAL(world_info(world, CLIENT).active_transport, 1);
    CHECK(world->nodes[CLIENT].last_received_at + 200 * MS >= world->now);
}

/* The attacker is faster than the client's own datagrams, every time, for a while. */
static void copiedReattachThatWinsTheRaceBindsNothing(void)
{
    struct world world;
    struct attacker attacker;
    begin_race(&world, &attacker, 21);
    attacker.keeps_from = CLIENT, attacker.keeps_link = 1;
    attacker.races_left = 20;
    race(&world, 5 * SECOND, false);
    CHECK_EQUAL(attacker.races_left, 0);
    check_ended_on_udp_B(&world);
    CHECK_EQUAL(world_count(&world, CLIENT, JMP_EVENT_TRANSPORT_SWITCH), 1);
    attacker_leave(&attacker, &world);
    world_close(&world);
}

/* The original never arrives: only copies reach the gateway, for two seconds; nothing is bound by them. */
static void copiedReattachWithoutTheOriginalBindsNothing(void)
{
    struct world world;
    struct attacker attacker;
    begin_race(&world, &attacker, 22);
    attacker.keeps_from = CLIENT, attacker.keeps_link = 1;
    attacker.races_left = ATTACKER_MAX_COPIES;
    attacker.swallows = true;
    uint64_t version = world_info(&world, GATEWAY).binding_version;
    race(&world, 2 * SECOND, false);
    CHECK_EQUAL(world_info(&world, GATEWAY).binding_version, version);
    CHECK_EQUAL(world_count(&world, GATEWAY, JMP_EVENT_TRANSPORT_SWITCH), 0);
    CHECK(world_count(&world, GATEWAY, JMP_EVENT_REATTACH_ATTEMPT) >= 1);
    attacker.races_left = 0, attacker.swallows = false;
    world_run(&world, 10ull * SECOND);
    check_ended_on_udp_B(&world);
    attacker_leave(&attacker, &world);
    world_close(&world);
}

/* The attacker races the first flight only and carries the gateway's answers, challenge included, to the client. The
 * client's answer to the challenge arrives from its own address, so nothing binds the attacker's. */
static void copiedReattachWithRelayedAnswersBindsNothing(void)
{
    struct world world;
    struct attacker attacker;
    begin_race(&world, &attacker, 23);
    attacker.keeps_from = CLIENT, attacker.keeps_link = 1;
    attacker.races_left = 1;
    attacker.relays = true;
    race(&world, 5 * SECOND, false);
    CHECK_EQUAL(attacker.races_left, 0);
    check_ended_on_udp_B(&world);
    CHECK_EQUAL(world_count(&world, CLIENT, JMP_EVENT_TRANSPORT_SWITCH), 1);
    attacker_leave(&attacker, &world);
    world_close(&world);
}

/* The attacker carries everything, both ways, faster than the network: it has become a router. It gains nothing: the
 * session is the same, the client's switch budget is spent on its own jump only, and when the attacker stops, traffic goes
 * on by the client's own address. */
static void fullRelayGainsNothing(void)
{
    struct world world;
    struct attacker attacker;
    begin_race(&world, &attacker, 24);
    attacker.keeps_from = CLIENT, attacker.keeps_link = 1;
    attacker.races_left = 200;
    attacker.relays = true;
    race(&world, 10ull * SECOND, true);
    CHECK_EQUAL(attacker.races_left, 0);
    check_ended_on_udp_B(&world);
    CHECK_EQUAL(world_count(&world, CLIENT, JMP_EVENT_TRANSPORT_SWITCH), 1);
    CHECK(world_info(&world, CLIENT).switches_last_minute <= 1);
    attacker_leave(&attacker, &world);
    world_close(&world);
}

/* The datagrams of a jump that happened, brought again later: from where they came and from elsewhere. */
static void replayedReattachIsDetectedAndChangesNothing(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .seed = 25 });
    struct attacker attacker;
    attacker_enter(&attacker, &world);
    attacker.keeps_from = CLIENT, attacker.keeps_link = 1;
    world_set_black_hole(&world, 0, true);
    for (int i = 0; i < 200 && !world_count(&world, GATEWAY, JMP_EVENT_TRANSPORT_SWITCH); i++) world_run(&world, 5 * MS);
    CHECK_EQUAL(world_count(&world, GATEWAY, JMP_EVENT_TRANSPORT_SWITCH), 1);
    attacker.keeps_from = -1;
    world_set_black_hole(&world, 0, false);
    world_run(&world, 2 * SECOND);
    world.nodes[CLIENT].send_interval_us = 0;
    world_run(&world, 300 * MS);
    CHECK_EQUAL(world_count(&world, GATEWAY, JMP_EVENT_SECURITY_REPLAY_DETECTED), 0);
    jmp_address sources[] = { world_client_address(&world, 1), attacker_address };
    for (int s = 0; s < 2; s++) {
        size_t detected = world_count(&world, GATEWAY, JMP_EVENT_SECURITY_REPLAY_DETECTED);
        struct picture before = take_picture(&world, GATEWAY);
        for (size_t i = 0; i < attacker.count; i++) {
            jmp_received got = world_inject(&world, GATEWAY, 1, &sources[s], attacker.copies[i].bytes, attacker.copies[i].length);
            CHECK_EQUAL(got.drop_cause, JMP_DROP_REPLAYED);
        }
        struct picture after = take_picture(&world, GATEWAY);
        check_unchanged(&before, &after);
        /* One event from each source at least; more may be held back by the rate of security events. */
        CHECK(world_count(&world, GATEWAY, JMP_EVENT_SECURITY_REPLAY_DETECTED) > detected);
        world_run(&world, 5 * SECOND);
    }
    CHECK_EQUAL(attacker.bytes_to_it, 0);
    attacker_leave(&attacker, &world);
    world_close(&world);
}

/* ---------------------------------------------------------------- amplification */

/* One datagram of the active path arrives from a new address while the gateway streams: the new address gets three times
 * what it brought, no more, and never becomes the session's. */
static void unconfirmedAddressGetsAtMostThreeTimesItsBytes(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .seed = 26 });
    world.nodes[GATEWAY].send_interval_us = 2 * MS;
    world.nodes[GATEWAY].payload_bytes = 1000;
    world.nodes[GATEWAY].next_send_at = world.now;
    world.nodes[GATEWAY].is_echoing = false;
    world_run(&world, 1 * SECOND);
    struct attacker attacker;
    attacker_enter(&attacker, &world);
    for (int i = 0; i < 20; i++) {
        struct attacker_copy fresh = attacker_fresh_datagram(&attacker, &world);
        attacker_send(&attacker, &world, 0, fresh.bytes, fresh.length);
        world_run(&world, 100 * MS);
        jmp_path_info active = world_active_path(&world, GATEWAY);
        CHECK(active.role != JMP_PATH_ACTIVE || !world_same_address(&active.address, &attacker_address));
    }
    CHECK(attacker.bytes_to_it > 0);        /* the challenge did go out: the test saw what it limits */
    jmp_address client = world_client_address(&world, 0);
    jmp_path_info active = world_active_path(&world, GATEWAY);
    CHECK(world_same_address(&active.address, &client));
    CHECK_EQUAL(world_count(&world, GATEWAY, JMP_EVENT_TRANSPORT_SWITCH), 0);
    CHECK_EQUAL(world_count(&world, CLIENT, JMP_EVENT_TRANSPORT_SWITCH), 0);
    attacker_leave(&attacker, &world);
    world_close(&world);
}

/* Message 1 from an address that never confirms: answers, repeats of the gateway and cookies together stay below 3 x. */
static void handshakesDoNotAmplify(void)
{
    struct world world;
    jmp_connect_config config;
    world_open(&world, (struct world_options){ .seed = 27 });
    struct attacker attacker;
    attacker_enter(&attacker, &world);
    for (int i = 0; i < 200; i++) {
        jmp_session session;
        attacker.keeps_from = CLIENT, attacker.swallows = true, attacker.count = 0;
        world_connect_config(&world, i % 2 ? JMP_PATTERN_IKPSK2 : JMP_PATTERN_NNPSK0, &config);
        CHECK_OK(jmp_connect(world.nodes[CLIENT].endpoint, &config, world.now, &session));
        world_drain(&world, CLIENT);
        attacker.keeps_from = -1;
        if (!CHECK_EQUAL(attacker.count, 1)) break;
        for (int copy = 0; copy < 3; copy++)
            attacker_send(&attacker, &world, 0, attacker.copies[0].bytes, attacker.copies[0].length);
        CHECK_OK(jmp_session_close(world.nodes[CLIENT].endpoint, session, JMP_REASON_OPERATOR_TERMINATED, world.now));
        world_run(&world, 20 * MS);
    }
    world_run(&world, 30ull * SECOND);
    CHECK(attacker.bytes_to_it > 0);
    CHECK_EQUAL(world_count(&world, GATEWAY, JMP_EVENT_SESSION_ESTABLISHED), 0);
    CHECK_EQUAL(world_stats(&world, GATEWAY).sessions, 0);
    CHECK_EQUAL(world_stats(&world, GATEWAY).handshakes_completed, 0);
    attacker_leave(&attacker, &world);
    world_close(&world);
}

int main(void)
{
    RUN(copiedReattachThatWinsTheRaceBindsNothing);
    RUN(copiedReattachWithoutTheOriginalBindsNothing);
    RUN(copiedReattachWithRelayedAnswersBindsNothing);
    RUN(fullRelayGainsNothing);
    RUN(replayedReattachIsDetectedAndChangesNothing);
    RUN(unconfirmedAddressGetsAtMostThreeTimesItsBytes);
    RUN(handshakesDoNotAmplify);
    return check_summary();
}
