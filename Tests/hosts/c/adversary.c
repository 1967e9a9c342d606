/* What an attacker on the network can do with copies of datagrams: nothing. Replayed, reordered, duplicated, truncated,
 * bit-flipped and foreign ones are dropped, counted by cause, and change no state. */
#include "attacker.h"
#include "check.h"

#include <string.h>

/* ------------------------------------------------------------ copies of good ones */

static void replayedDatagramsChangeNothing(void)
{
    for (int victim = 0; victim < NODES; victim++) {
        struct world world;
        world_begin(&world, (struct world_options){ .seed = (uint8_t)(1 + victim) });
        struct attacker attacker;
        attacker_enter(&attacker, &world);
        attacker.keeps_from = !victim;
        world_run(&world, 1 * SECOND);
        attacker.keeps_from = -1;
        world.nodes[CLIENT].send_interval_us = 0;
        world_run(&world, 200 * MS);
        CHECK(attacker.count >= 200);
        struct picture before = take_picture(&world, victim);
        for (size_t i = 0; i < attacker.count; i++) {
            jmp_address source = victim == GATEWAY ? world_client_address(&world, attacker.copies[i].link)
                                                   : world_gateway_address(attacker.copies[i].link);
            if (i % 3 == 2) source = attacker_address;
            const struct attacker_copy *copy = &attacker.copies[i];
            jmp_received got = world_inject(&world, victim, copy->link, &source, copy->bytes, copy->length);
            CHECK_EQUAL(got.kind, JMP_RECEIVED_NOTHING);
            CHECK_EQUAL(got.drop_cause, JMP_DROP_REPLAYED);
        }
        struct picture after = take_picture(&world, victim);
        check_unchanged(&before, &after);
        CHECK_EQUAL(after.endpoint.dropped[JMP_DROP_REPLAYED] - before.endpoint.dropped[JMP_DROP_REPLAYED], attacker.count);
        CHECK_EQUAL(after.stats.replayed - before.stats.replayed, attacker.count);
        CHECK_EQUAL(attacker.bytes_to_it, 0);
        attacker_leave(&attacker, &world);
        world_close(&world);
    }
}

/* Copies that lie left of the replay window are told apart from those inside it. */
static void ancientDatagramsAreTooOld(void)
{
    jmp_policy policy;
    struct world world;
    CHECK_OK(jmp_policy_init(&policy));
    policy.replay_window = 64;
    world_begin(&world, (struct world_options){ .seed = 3, .policy = &policy });
    struct attacker attacker;
    attacker_enter(&attacker, &world);
    struct attacker_copy old = attacker_fresh_datagram(&attacker, &world);
    world_run(&world, 2 * SECOND);
    world.nodes[CLIENT].send_interval_us = 0;
    world_run(&world, 200 * MS);
    struct picture before = take_picture(&world, GATEWAY);
    jmp_address source = world_client_address(&world, 0);
    CHECK_EQUAL(world_inject(&world, GATEWAY, 0, &source, old.bytes, old.length).drop_cause, JMP_DROP_TOO_OLD);
    struct picture after = take_picture(&world, GATEWAY);
    check_unchanged(&before, &after);
    CHECK_EQUAL(after.stats.too_old - before.stats.too_old, 1);
    attacker_leave(&attacker, &world);
    world_close(&world);
}

static void reorderedDatagramsAreDeliveredOnce(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .seed = 4 });
    for (int from = 0; from < NODES; from++) world.links[0].jitter_us[from] = world.links[1].jitter_us[from] = 15 * MS;
    world_run(&world, 10ull * SECOND);
    world.nodes[CLIENT].send_interval_us = 0;
    world_run(&world, 300 * MS);
    for (int who = 0; who < NODES; who++) {
        CHECK_EQUAL(world.nodes[who].received, world.nodes[CLIENT].sent);
        CHECK_EQUAL(world.nodes[who].duplicates, 0);
        CHECK(!world_went(&world, who, JMP_STATE_VOLATILE, JMP_REASON_NONE, 0));
        CHECK_EQUAL(world_stats(&world, who).dropped[JMP_DROP_REPLAYED] + world_stats(&world, who).dropped[JMP_DROP_TOO_OLD], 0);
    }
    world_close(&world);
}

/* Hands every datagram over twice. */
static bool duplicate(struct world *world, int from, const jmp_datagram *datagram, const uint8_t *bytes)
{
    uint64_t *count = world->tap_context;
    jmp_address source = from == CLIENT ? world_client_address(world, datagram->transport) : world_gateway_address(datagram->transport);
    (*count)++;
    world_inject(world, !from, datagram->transport, &source, bytes, datagram->length);
    return false;
}

static void duplicatedDatagramsAreDeliveredOnce(void)
{
    struct world world;
    uint64_t copied = 0;
    world_begin(&world, (struct world_options){ .seed = 5 });
    jmp_endpoint_stats before[NODES] = { world_stats(&world, CLIENT), world_stats(&world, GATEWAY) };
    world.tap = duplicate, world.tap_context = &copied;
    world_run(&world, 2 * SECOND);
    world.nodes[CLIENT].send_interval_us = 0;
    world_run(&world, 300 * MS);
    world.tap = NULL;
    world_run(&world, 100 * MS);
    uint64_t replayed = 0;
    for (int who = 0; who < NODES; who++) {
        replayed += world_stats(&world, who).dropped[JMP_DROP_REPLAYED] - before[who].dropped[JMP_DROP_REPLAYED];
        CHECK_EQUAL(world.nodes[who].received, world.nodes[CLIENT].sent);
        CHECK_EQUAL(world.nodes[who].duplicates, 0);
        CHECK(!world_went(&world, who, JMP_STATE_VOLATILE, JMP_REASON_NONE, 0));
    }
    CHECK(copied > 800);
    CHECK_EQUAL(replayed, copied);
    world_close(&world);
}

/* ----------------------------------------------------------------- damaged ones */

static void truncatedDatagramsAreDropped(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .seed = 6 });
    world.nodes[CLIENT].send_interval_us = 0;
    world_run(&world, 300 * MS);
    struct attacker attacker;
    attacker_enter(&attacker, &world);
    struct attacker_copy good = attacker_fresh_datagram(&attacker, &world);
    jmp_address source = world_client_address(&world, 0);
    struct picture before = take_picture(&world, GATEWAY);
    for (uint32_t length = 0; length < good.length; length++) {
        jmp_received got = world_inject(&world, GATEWAY, 0, &source, good.bytes, length);
        CHECK_EQUAL(got.kind, JMP_RECEIVED_NOTHING);
        CHECK_EQUAL(got.drop_cause, length < SHORTEST_DATA ? JMP_DROP_TOO_SHORT : JMP_DROP_BAD_TAG);
    }
    struct picture after = take_picture(&world, GATEWAY);
    check_unchanged(&before, &after);
    CHECK_EQUAL(after.stats.bad_tag - before.stats.bad_tag, good.length - SHORTEST_DATA);
    CHECK_EQUAL(world_inject(&world, GATEWAY, 0, &source, good.bytes, good.length).kind, JMP_RECEIVED_PAYLOAD);
    attacker_leave(&attacker, &world);
    world_close(&world);
}

static void bitFlippedDatagramsAreDropped(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .seed = 7 });
    world.nodes[CLIENT].send_interval_us = 0;
    world_run(&world, 300 * MS);
    struct attacker attacker;
    attacker_enter(&attacker, &world);
    struct attacker_copy good = attacker_fresh_datagram(&attacker, &world);
    jmp_address source = world_client_address(&world, 0);
    struct picture before = take_picture(&world, GATEWAY);
    for (uint32_t bit = 0; bit < good.length * 8; bit++) {
        good.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        jmp_received got = world_inject(&world, GATEWAY, 0, &source, good.bytes, good.length);
        CHECK_EQUAL(got.kind, JMP_RECEIVED_NOTHING);
        if (bit >= 9 * 8) CHECK_EQUAL(got.drop_cause, JMP_DROP_BAD_TAG);
        else if (bit >= 8) CHECK_EQUAL(got.drop_cause, JMP_DROP_UNKNOWN_CONNECTION_ID);
        else CHECK(got.drop_cause != JMP_DROP_NONE);
        good.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    struct picture after = take_picture(&world, GATEWAY);
    check_unchanged(&before, &after);
    CHECK_EQUAL(all_drops(&after.endpoint) - all_drops(&before.endpoint), good.length * 8);
    CHECK_EQUAL(world_inject(&world, GATEWAY, 0, &source, good.bytes, good.length).kind, JMP_RECEIVED_PAYLOAD);
    attacker_leave(&attacker, &world);
    world_close(&world);
}

/* ----------------------------------------------------------------- foreign ones */

static void garbageIsDropped(void)
{
    for (int victim = 0; victim < NODES; victim++) {
        struct world world;
        uint8_t bytes[WORLD_DATAGRAM_SIZE];
        world_begin(&world, (struct world_options){ .seed = (uint8_t)(8 + victim) });
        world.nodes[CLIENT].send_interval_us = 0;
        world_run(&world, 300 * MS);
        struct attacker attacker;
        attacker_enter(&attacker, &world);
        struct picture before = take_picture(&world, victim);
        for (int i = 0; i < 20000; i++) {
            size_t length = i < WORLD_DATAGRAM_SIZE ? (size_t)i : world_random(&world) % sizeof bytes;
            for (size_t b = 0; b < length; b++) bytes[b] = (uint8_t)(world_random(&world) >> 32);
            if (length && i % 2) bytes[0] = (uint8_t)(0xc0 + i / 2 % 6);        /* every kind of handshake datagram */
            if (length > 5 && i % 4 == 1) memcpy(bytes + 1, (uint8_t[]){ 0, 0, 0, 1 }, 4);
            jmp_received got = victim == GATEWAY ? attacker_send(&attacker, &world, 0, bytes, length)
                                                 : world_inject(&world, CLIENT, 0, &attacker_address, bytes, length);
            CHECK_EQUAL(got.kind, JMP_RECEIVED_NOTHING);
            CHECK(got.drop_cause != JMP_DROP_NONE);
        }
        struct picture after = take_picture(&world, victim);
        /* A cookie may have been sent, and counted; nothing else. */
        before.endpoint.datagrams_sent = after.endpoint.datagrams_sent;
        check_unchanged(&before, &after);
        CHECK_EQUAL(all_drops(&after.endpoint) - all_drops(&before.endpoint), 20000);
        attacker_leave(&attacker, &world);
        world_close(&world);
    }
}

static void datagramsOfAnotherSessionAreUnknown(void)
{
    struct world here, there;
    world_begin(&here, (struct world_options){ .seed = 10 });
    world_begin(&there, (struct world_options){ .seed = 11 });
    struct attacker attacker;
    attacker_enter(&attacker, &there);
    attacker.keeps_from = CLIENT;
    world_run(&there, 1 * SECOND);
    struct picture before = take_picture(&here, GATEWAY);
    jmp_address source = world_client_address(&here, 0);
    for (size_t i = 0; i < attacker.count; i++)
        CHECK_EQUAL(world_inject(&here, GATEWAY, 0, &source, attacker.copies[i].bytes, attacker.copies[i].length).drop_cause,
                    JMP_DROP_UNKNOWN_CONNECTION_ID);
    struct picture after = take_picture(&here, GATEWAY);
    check_unchanged(&before, &after);
    CHECK_EQUAL(after.endpoint.dropped[JMP_DROP_UNKNOWN_CONNECTION_ID] - before.endpoint.dropped[JMP_DROP_UNKNOWN_CONNECTION_ID],
                attacker.count);
    attacker_leave(&attacker, &there);
    world_close(&there);
    world_close(&here);
}

/* Old handshake datagrams: of this session while it lives, and of both patterns when it is long gone. */
static void replayedHandshakesMakeNoSession(void)
{
    for (uint32_t pattern = JMP_PATTERN_NNPSK0; pattern <= JMP_PATTERN_IKPSK2; pattern++) {
        struct world world;
        world_open(&world, (struct world_options){ .seed = (uint8_t)(12 + pattern) });
        struct attacker attacker;
        attacker_enter(&attacker, &world);
        attacker.keeps_from = CLIENT;
        world_connect(&world, pattern);
        attacker.keeps_from = -1;
        const struct attacker_copy *init = &attacker.copies[0];
        jmp_address source = world_client_address(&world, 0);
        CHECK_EQUAL(init->bytes[0], 0xc1);
        struct picture before = take_picture(&world, GATEWAY);
        CHECK_EQUAL(world_inject(&world, GATEWAY, 0, &source, init->bytes, init->length).drop_cause, JMP_DROP_DUPLICATE_HANDSHAKE);
        CHECK_EQUAL(attacker_send(&attacker, &world, 0, init->bytes, init->length).drop_cause, JMP_DROP_DUPLICATE_HANDSHAKE);
        struct picture after = take_picture(&world, GATEWAY);
        check_unchanged(&before, &after);

        CHECK_OK(jmp_session_close(world.nodes[CLIENT].endpoint, world.nodes[CLIENT].session, JMP_REASON_OPERATOR_TERMINATED, world.now));
        world_drain(&world, CLIENT);
        world_run(&world, 60ull * SECOND);
        CHECK_EQUAL(world_stats(&world, GATEWAY).sessions, 0);
        uint64_t completed = world_stats(&world, GATEWAY).handshakes_completed;
        for (int i = 0; i < 10; i++) attacker_send(&attacker, &world, 0, init->bytes, init->length);
        world_run(&world, 60ull * SECOND);
        CHECK_EQUAL(world_stats(&world, GATEWAY).sessions, 0);
        CHECK_EQUAL(world_stats(&world, GATEWAY).half_open, 0);
        CHECK_EQUAL(world_stats(&world, GATEWAY).handshakes_completed, completed);
        CHECK_EQUAL(world_count(&world, GATEWAY, JMP_EVENT_SESSION_ESTABLISHED), 1);
        attacker_leave(&attacker, &world);
        world_close(&world);
    }
}

int main(void)
{
    RUN(replayedDatagramsChangeNothing);
    RUN(ancientDatagramsAreTooOld);
    RUN(reorderedDatagramsAreDeliveredOnce);
    RUN(duplicatedDatagramsAreDeliveredOnce);
    RUN(truncatedDatagramsAreDropped);
    RUN(bitFlippedDatagramsAreDropped);
    RUN(garbageIsDropped);
    RUN(datagramsOfAnotherSessionAreUnknown);
    RUN(replayedHandshakesMakeNoSession);
    return check_summary();
}
