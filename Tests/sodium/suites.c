/* Cipher suites with a libsodium that has all three: which one a session gets, that AEGIS-256 with its longer tag carries
 * payloads of every length, jumps and rekeys, and that a changed datagram is refused. In the worlds of Tests/hosts/c. */
#include "check.h"
#include "world.h"

#include <string.h>

enum { AEGIS_TAG = 32, AEGIS_OVERHEAD = JMP_DATAGRAM_OVERHEAD - 16 + AEGIS_TAG };

static void everySuiteIsThere(void)
{
    uint32_t available = 0;
    CHECK_OK(jmp_suites_available(&available));
    CHECK_EQUAL(available, JMP_SUITE_ALL);
}

/* The suite both ends report, 0 when they disagree or there is no session. */
static uint32_t suite_between(uint32_t client, uint32_t gateway, const jmp_policy *policy, uint32_t pattern)
{
    struct world world;
    uint32_t suite = 0;
    /* A seeded endpoint refuses a policy that narrows its suites: they are named once, in its configuration. */
    if (world_begin(&world, (struct world_options){ .suites = client, .gateway_suites = gateway, .policy = policy,
                                                    .pattern = pattern, .is_unseeded = policy != NULL })
        && CHECK_EQUAL(world_info(&world, GATEWAY).suite, world_info(&world, CLIENT).suite))
        suite = world_info(&world, CLIENT).suite;
    world_close(&world);
    return suite;
}

static void theBestSuiteOfBothEndsIsChosen(void)
{
    static const struct { uint32_t client, gateway, chosen; } cases[] = {
        { JMP_SUITE_ALL, JMP_SUITE_ALL, JMP_SUITE_AEGIS_256 },
        { JMP_SUITE_ALL, JMP_SUITE_AES_256_GCM | JMP_SUITE_CHACHA20_POLY1305, JMP_SUITE_AES_256_GCM },
        { JMP_SUITE_AES_256_GCM | JMP_SUITE_CHACHA20_POLY1305, JMP_SUITE_ALL, JMP_SUITE_AES_256_GCM },
        { JMP_SUITE_ALL, JMP_SUITE_CHACHA20_POLY1305, JMP_SUITE_CHACHA20_POLY1305 },
        { JMP_SUITE_AEGIS_256 | JMP_SUITE_CHACHA20_POLY1305, JMP_SUITE_AES_256_GCM | JMP_SUITE_CHACHA20_POLY1305,
          JMP_SUITE_CHACHA20_POLY1305 },
        { JMP_SUITE_AEGIS_256, JMP_SUITE_AEGIS_256, JMP_SUITE_AEGIS_256 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (uint32_t pattern = JMP_PATTERN_NNPSK0; pattern <= JMP_PATTERN_IKPSK2; pattern++)
            CHECK_EQUAL(suite_between(cases[i].client, cases[i].gateway, NULL, pattern), cases[i].chosen);
}

static void theGatewaysPolicyRestrictsTheSuite(void)
{
    jmp_policy policy;
    CHECK_OK(jmp_policy_init(&policy));
    policy.suites = JMP_SUITE_AES_256_GCM | JMP_SUITE_CHACHA20_POLY1305;
    CHECK_EQUAL(suite_between(JMP_SUITE_ALL, JMP_SUITE_ALL, &policy, JMP_PATTERN_NNPSK0), JMP_SUITE_AES_256_GCM);
}

static void nothingInCommonGivesNoSession(void)
{
    struct world world;
    jmp_connect_config config;
    world_open(&world, (struct world_options){ .suites = JMP_SUITE_AEGIS_256, .gateway_suites = JMP_SUITE_AES_256_GCM });
    world_connect_config(&world, JMP_PATTERN_NNPSK0, &config);
    CHECK_OK(jmp_connect(world.nodes[CLIENT].endpoint, &config, world.now, &world.nodes[CLIENT].session));
    world_drain(&world, CLIENT);
    world_run(&world, 15ull * SECOND);
    CHECK(world_went(&world, CLIENT, JMP_STATE_TERMINATED, JMP_REASON_HANDSHAKE_FAILED, 0));
    CHECK(world_stats(&world, GATEWAY).dropped[JMP_DROP_SUITE] > 0);
    CHECK_EQUAL(world_stats(&world, GATEWAY).handshakes_completed, 0);
    world_close(&world);
}

/* ------------------------------------------------------------------ AEGIS-256 */

static void aSessionJumpsAndGoesOn(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .suites = JMP_SUITE_ALL });
    world_set_black_hole(&world, 0, true);
    world_run(&world, 2 * SECOND);
    for (int who = 0; who < NODES; who++) {
        CHECK_EQUAL(world_info(&world, who).suite, JMP_SUITE_AEGIS_256);
        CHECK_EQUAL(world_count(&world, who, JMP_EVENT_TRANSPORT_SWITCH), 1);
        CHECK_EQUAL(world_info(&world, who).active_transport, 1);
    }
    CHECK(world.nodes[CLIENT].longest_gap_us <= 120 * MS);
    world.links[1].client_port = 61000;                 /* and the NAT of the new path forgets */
    world_run(&world, 2 * SECOND);
    CHECK_EQUAL(world_count(&world, GATEWAY, JMP_EVENT_TRANSPORT_SWITCH), 2);
    CHECK_EQUAL(world_session_stats(&world, GATEWAY).bad_tag + world_session_stats(&world, CLIENT).bad_tag, 0);
    CHECK_EQUAL(world.nodes[CLIENT].duplicates, 0);
    world_close(&world);
}

static void keysRotateWithoutALoss(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .suites = JMP_SUITE_ALL });
    for (uint32_t i = 0; i < 6; i++) {                  /* more than the four phases the header can tell apart */
        struct world_node *node = &world.nodes[i % 2];
        CHECK_OK(jmp_session_rekey(node->endpoint, node->session, world.now));
        world_drain(&world, i % 2);
        world_run(&world, 2 * SECOND);
        for (int who = 0; who < NODES; who++) CHECK_EQUAL(world_info(&world, who).key_phase, i + 1);
    }
    world.nodes[CLIENT].send_interval_us = 0;
    world_run(&world, 1 * SECOND);
    CHECK_EQUAL(world.nodes[GATEWAY].received, world.nodes[CLIENT].sent);
    CHECK_EQUAL(world.nodes[CLIENT].received, world.nodes[CLIENT].sent);
    world_close(&world);
}

/* Each length there is, in a buffer that is exactly as large as the header asks for. */
static void payloadsOfEveryLengthFit(void)
{
    struct world world;
    static uint8_t payload[JMP_DEFAULT_MTU], buffer[JMP_DEFAULT_MTU + 128], copy[sizeof buffer];
    world_begin(&world, (struct world_options){ .suites = JMP_SUITE_ALL });
    world.nodes[CLIENT].send_interval_us = 0;
    world_run(&world, 1 * SECOND);
    struct world_node *client = &world.nodes[CLIENT], *gateway = &world.nodes[GATEWAY];
    uint32_t longest = world_info(&world, CLIENT).max_payload;
    jmp_address from = world_client_address(&world, 0);
    for (size_t i = 0; i < sizeof payload; i++) payload[i] = (uint8_t)(i * 7);
    CHECK(longest > JMP_DEFAULT_MTU - AEGIS_OVERHEAD - JMP_FRAME_RESERVE - 8 && longest <= JMP_DEFAULT_MTU - AEGIS_OVERHEAD);
    for (uint32_t length = 0; length <= longest; length++) {
        jmp_datagram out = { .struct_size = sizeof out };
        jmp_received in = { .struct_size = sizeof in };
        size_t room = length + AEGIS_OVERHEAD + JMP_FRAME_RESERVE;
        if (!CHECK_OK(jmp_send(client->endpoint, client->session, payload, length, world.now, buffer, room, &out))) break;
        /* A payload that travels alone has no type byte. */
        CHECK(out.length <= JMP_DEFAULT_MTU && out.length >= length + AEGIS_OVERHEAD - 1);
        memcpy(copy, buffer, out.length);
        CHECK_OK(jmp_receive(gateway->endpoint, 0, &from, copy, out.length, world.now, &in));
        if (!CHECK_EQUAL(in.kind, JMP_RECEIVED_PAYLOAD) || !CHECK_EQUAL(in.payload_length, length)) break;
        CHECK(!memcmp(copy + in.payload_offset, payload, length));
    }
    jmp_datagram out = { .struct_size = sizeof out };
    CHECK_EQUAL(jmp_send(client->endpoint, client->session, payload, longest + 1, world.now, buffer, sizeof buffer, &out), JMP_ERR_TOO_LONG);
    CHECK_EQUAL(jmp_send(client->endpoint, client->session, payload, 100, world.now, buffer, 100 + AEGIS_OVERHEAD - 1, &out),
                JMP_ERR_BUFFER_TOO_SMALL);
    world_close(&world);
}

/* Every byte of a datagram counts, the tag's 32 too; what is cut off or put behind it as well. */
static void aChangedDatagramIsRefused(void)
{
    struct world world;
    static const uint8_t payload[40];
    uint8_t buffer[256], changed[sizeof buffer];
    jmp_datagram out = { .struct_size = sizeof out };
    world_begin(&world, (struct world_options){ .suites = JMP_SUITE_ALL });
    world.nodes[CLIENT].send_interval_us = 0;
    world_run(&world, 1 * SECOND);
    struct world_node *client = &world.nodes[CLIENT];
    jmp_address from = world_client_address(&world, 0);
    CHECK_OK(jmp_send(client->endpoint, client->session, payload, sizeof payload, world.now, buffer, sizeof buffer, &out));
    uint64_t before = world_session_stats(&world, GATEWAY).datagrams_received;
    for (uint32_t i = 0; i < out.length; i++) {
        memcpy(changed, buffer, out.length);
        changed[i] ^= 1;
        CHECK_EQUAL(world_inject(&world, GATEWAY, 0, &from, changed, out.length).kind, JMP_RECEIVED_NOTHING);
    }
    for (uint32_t length = 0; length < out.length; length++)
        CHECK_EQUAL(world_inject(&world, GATEWAY, 0, &from, buffer, length).kind, JMP_RECEIVED_NOTHING);
    buffer[out.length] = 0;
    CHECK_EQUAL(world_inject(&world, GATEWAY, 0, &from, buffer, out.length + 1).kind, JMP_RECEIVED_NOTHING);
    CHECK_EQUAL(world_session_stats(&world, GATEWAY).datagrams_received, before);
    CHECK_EQUAL(world_inject(&world, GATEWAY, 0, &from, buffer, out.length).kind, JMP_RECEIVED_PAYLOAD);
    CHECK_EQUAL(world_inject(&world, GATEWAY, 0, &from, buffer, out.length).drop_cause, JMP_DROP_REPLAYED);
    world_close(&world);
}

int main(void)
{
    RUN(everySuiteIsThere);
    RUN(theBestSuiteOfBothEndsIsChosen);
    RUN(theGatewaysPolicyRestrictsTheSuite);
    RUN(nothingInCommonGivesNoSession);
    RUN(aSessionJumpsAndGoesOn);
    RUN(keysRotateWithoutALoss);
    RUN(payloadsOfEveryLengthFit);
    RUN(aChangedDatagramIsRefused);
    return check_summary();
}
