/* A session's whole life, once per handshake pattern and suite; run under memory checkers, so it uses every part of the
 * library that allocates. */
#include "check.h"
#include "world.h"

#include <string.h>

static uint32_t life_pattern, life_suite;

/* Traffic both ways for a while, all of it delivered once. */
static void exchange(struct world *world, jmp_time duration_us)
{
    uint64_t echoed = world->nodes[CLIENT].received;
    world_run(world, duration_us);
    CHECK(world->nodes[CLIENT].received >= echoed + duration_us / (10 * MS) / 2);
}

static void rekey(struct world *world)
{
    for (int i = 0; i < 5; i++) {
        uint32_t phase = world_info(world, CLIENT).key_phase;
        struct world_node *node = &world->nodes[i % 2];
        CHECK_OK(jmp_session_rekey(node->endpoint, node->session, world->now));
        CHECK_EQUAL(jmp_session_rekey(node->endpoint, node->session, world->now), JMP_ERR_RATE_LIMITED);
        world_drain(world, i % 2);
        exchange(world, 2 * SECOND);
        for (int who = 0; who < NODES; who++) {
            CHECK_EQUAL(world_info(world, who).key_phase, phase + 1);
            CHECK(world_count(world, who, JMP_EVENT_KEY_ROTATED) >= 1);
        }
    }
}

static void replace_policy(struct world *world)
{
    struct world_node *client = &world->nodes[CLIENT], *gateway = &world->nodes[GATEWAY];
    jmp_policy policy, seen = { .struct_size = sizeof seen };
    CHECK_OK(jmp_policy_init(&policy));
    policy.transport_lost_ttl_us = 20ull * SECOND;
    strcpy(policy.version, "second-policy");
    CHECK_EQUAL(jmp_session_set_policy(client->endpoint, client->session, &policy, world->now), JMP_ERR_ROLE);
    CHECK_OK(jmp_session_set_policy(gateway->endpoint, gateway->session, &policy, world->now));
    CHECK_OK(jmp_session_get_policy(gateway->endpoint, gateway->session, &seen));
    CHECK_EQUAL(seen.transport_lost_ttl_us, 20ull * SECOND);        /* before the call returned */
    world_drain(world, GATEWAY);
    exchange(world, 1 * SECOND);
    CHECK_OK(jmp_session_get_policy(client->endpoint, client->session, &seen));
    CHECK_EQUAL(seen.transport_lost_ttl_us, 20ull * SECOND);
    for (int who = 0; who < NODES; who++) {
        CHECK_EQUAL(world_count(world, who, JMP_EVENT_POLICY_CHANGED), 1);
        CHECK(!strcmp(world_info(world, who).policy_version, "second-policy"));
    }
}

static void explain_itself(struct world *world)
{
    for (int who = 0; who < NODES; who++) {
        char text[1024] = "", short_text[8] = "";
        struct world_node *node = &world->nodes[who];
        CHECK_OK(jmp_session_explain(node->endpoint, node->session, world->now, text, sizeof text));
        CHECK(strstr(text, "udp:") != NULL);
        CHECK_OK(jmp_session_explain(node->endpoint, node->session, world->now, short_text, sizeof short_text));
        CHECK_EQUAL(strlen(short_text), sizeof short_text - 1);
    }
}

/* Paths come and go while the session lives. */
static void change_transports(struct world *world)
{
    struct world_node *client = &world->nodes[CLIENT];
    jmp_transport_config config;
    jmp_address remote = world_gateway_address(2);
    jmp_path_info paths[JMP_MAX_PATHS];
    size_t count = 0;
    uint32_t path = JMP_PATH_NONE;
    CHECK_OK(jmp_transport_config_init(&config));
    strcpy(config.name, "udp:C");
    config.cost = 7;
    CHECK_OK(jmp_transport_set(client->endpoint, 2, &config, world->now));
    CHECK_OK(jmp_session_get_paths(client->endpoint, client->session, paths, JMP_MAX_PATHS, &count));
    for (size_t i = 0; i < count; i++)
        if (paths[i].transport == 2) path = paths[i].path;
    CHECK_OK(jmp_path_remove(client->endpoint, client->session, path, world->now));
    world_drain(world, CLIENT);
    exchange(world, 1 * SECOND);
    CHECK_OK(jmp_path_add(client->endpoint, client->session, 2, &remote, world->now, &path));
    world_drain(world, CLIENT);
    exchange(world, 1 * SECOND);
    CHECK_EQUAL(world_info(world, CLIENT).candidate_count, 2);
}

static void wholeLife(void)
{
    struct world world;
    world_begin(&world, (struct world_options){ .links = 3, .pattern = life_pattern, .suites = life_suite, .is_unseeded = true });
    CHECK_EQUAL(world_info(&world, CLIENT).suite, life_suite);
    exchange(&world, 1 * SECOND);
    change_transports(&world);
    rekey(&world);
    replace_policy(&world);
    explain_itself(&world);

    world_set_black_hole(&world, world_info(&world, CLIENT).active_transport, true);
    world_run(&world, 300 * MS);
    exchange(&world, 1 * SECOND);
    CHECK_EQUAL(world_count(&world, CLIENT, JMP_EVENT_TRANSPORT_SWITCH), 1);

    world.links[world_info(&world, CLIENT).active_transport].client_port = 61000;
    exchange(&world, 1 * SECOND);
    CHECK_EQUAL(world_count(&world, GATEWAY, JMP_EVENT_TRANSPORT_SWITCH), 2);

    uint32_t active = world_info(&world, CLIENT).active_transport;
    world.loses_transports = true;
    CHECK_OK(jmp_transport_remove(world.nodes[CLIENT].endpoint, active, world.now));
    world_drain(&world, CLIENT);
    world_run(&world, 300 * MS);
    exchange(&world, 1 * SECOND);
    CHECK(world_info(&world, CLIENT).active_transport != active);

    world.nodes[CLIENT].send_interval_us = 0;
    CHECK_OK(jmp_session_close(world.nodes[CLIENT].endpoint, world.nodes[CLIENT].session, JMP_REASON_OPERATOR_TERMINATED, world.now));
    world_drain(&world, CLIENT);
    world_run(&world, 1 * SECOND);
    CHECK_EQUAL(world_info(&world, CLIENT).last_reason, JMP_REASON_OPERATOR_TERMINATED);
    CHECK_EQUAL(world_info(&world, GATEWAY).last_reason, JMP_REASON_PEER_TERMINATED);
    world_run(&world, 60ull * SECOND);
    for (int who = 0; who < NODES; who++) {
        jmp_session_info info = { .struct_size = sizeof info };
        CHECK_EQUAL(world_stats(&world, who).sessions, 0);
        CHECK_EQUAL(jmp_session_get_info(world.nodes[who].endpoint, world.nodes[who].session, &info), JMP_ERR_SESSION);
    }
    world_close(&world);
}

/* A gateway whose host is asked, and a client that has just asked it under the hint "alice". Gives the request. */
static const jmp_event *ask(struct world *world, const uint8_t psk[JMP_KEY_SIZE])
{
    jmp_connect_config config;
    world_open(world, (struct world_options){ .flags = JMP_CONFIG_ACCEPT | JMP_CONFIG_ASK, .is_unseeded = true });
    world_connect_config(world, JMP_PATTERN_NNPSK0, &config);
    memcpy(config.psk, psk, JMP_KEY_SIZE);
    memcpy(config.hint, "alice", config.hint_length = 5);
    config.handshake_timeout_us = 2 * SECOND;
    CHECK_OK(jmp_connect(world->nodes[CLIENT].endpoint, &config, world->now, &world->nodes[CLIENT].session));
    world_drain(world, CLIENT);
    world_run(world, 100 * MS);
    const jmp_event *request = world_event(world, GATEWAY, JMP_EVENT_ACCEPT_REQUESTED, 0);
    if (!CHECK(request != NULL)) return NULL;
    CHECK_EQUAL(request->pattern, JMP_PATTERN_NNPSK0);
    CHECK_EQUAL(request->hint_length, 5);
    CHECK(!memcmp(request->hint, "alice", 5));
    CHECK_EQUAL(world_count(world, GATEWAY, JMP_EVENT_ACCEPT_REQUESTED), 1);
    CHECK_EQUAL(world_stats(world, GATEWAY).waiting, 1);
    return request;
}

static const uint8_t alice_psk[JMP_KEY_SIZE] = { 42 };

static void hostRefuses(void)
{
    struct world world;
    const jmp_event *request = ask(&world, alice_psk);
    if (request) {
        jmp_endpoint *gateway = world.nodes[GATEWAY].endpoint;
        jmp_session asked = request->session;
        CHECK_OK(jmp_refuse(gateway, asked, world.now));
        CHECK_EQUAL(jmp_refuse(gateway, asked, world.now), JMP_ERR_SESSION);
        CHECK_EQUAL(jmp_accept(gateway, asked, alice_psk, world.now), JMP_ERR_SESSION);
        world_drain(&world, GATEWAY);
        CHECK_EQUAL(world_stats(&world, GATEWAY).waiting, 0);
    }
    /* The client goes on asking until its time is over; nobody answers, and it is told that the handshake failed. */
    world_run(&world, 3 * SECOND);
    CHECK_EQUAL(world_info(&world, CLIENT).state, JMP_STATE_TERMINATED);
    CHECK_EQUAL(world_info(&world, CLIENT).last_reason, JMP_REASON_HANDSHAKE_FAILED);
    world_run(&world, 60ull * SECOND);
    CHECK_EQUAL(world_stats(&world, GATEWAY).sessions, 0);
    world_close(&world);
}

static void hostAccepts(void)
{
    struct world world;
    const jmp_event *request = ask(&world, alice_psk);
    if (request) {
        const uint8_t wrong[JMP_KEY_SIZE] = { 43 };
        jmp_endpoint *gateway = world.nodes[GATEWAY].endpoint;
        jmp_session asked = world.nodes[GATEWAY].session = request->session;
        CHECK_EQUAL(jmp_accept(gateway, asked, NULL, world.now), JMP_ERR_KEY);
        CHECK_EQUAL(jmp_accept(gateway, asked, wrong, world.now), JMP_ERR_KEY);
        CHECK_OK(jmp_accept(gateway, asked, alice_psk, world.now));     /* an error changes nothing, so it still waits */
        CHECK_EQUAL(jmp_accept(gateway, asked, alice_psk, world.now), JMP_ERR_STATE);
        world_drain(&world, GATEWAY);
        world_run(&world, 200 * MS);
        CHECK_EQUAL(world_info(&world, CLIENT).state, JMP_STATE_ATTACHED);
        CHECK_OK(world_send(&world, CLIENT));
        world_run(&world, 100 * MS);
        CHECK_EQUAL(world.nodes[CLIENT].received, 1);
    }
    world_close(&world);
}

/* An endpoint freed in the middle of everything: sessions half open, established and closing, events not read. */
static void freedInTheMiddle(void)
{
    struct world world;
    jmp_connect_config config;
    world_begin(&world, (struct world_options){ .is_unseeded = true });
    for (int i = 0; i < 20; i++) {
        jmp_session session;
        world_connect_config(&world, 1 + (uint32_t)i % 2, &config);
        CHECK_OK(jmp_connect(world.nodes[CLIENT].endpoint, &config, world.now, &session));
        world_drain(&world, CLIENT);
        world_run(&world, 7 * MS);
        if (i % 5 == 0) CHECK_OK(jmp_session_close(world.nodes[CLIENT].endpoint, session, JMP_REASON_SECURITY_FAILURE, world.now));
    }
    world_close(&world);
}

static void passphrasesAndKeys(void)
{
    uint8_t public_key[JMP_KEY_SIZE], secret_key[JMP_KEY_SIZE], again[JMP_KEY_SIZE], psk[2][JMP_KEY_SIZE];
    CHECK_OK(jmp_keypair(public_key, secret_key));
    CHECK_OK(jmp_public_key(secret_key, again));
    CHECK(!memcmp(public_key, again, sizeof again));
    CHECK_OK(jmp_psk_from_passphrase((const uint8_t *)"pass", 4, (const uint8_t *)"realm", 5, (const uint8_t *)"h", 1, psk[0]));
    CHECK_OK(jmp_psk_from_passphrase((const uint8_t *)"pass", 4, (const uint8_t *)"realm", 5, (const uint8_t *)"i", 1, psk[1]));
    CHECK(memcmp(psk[0], psk[1], sizeof psk[0]));
}

int main(void)
{
    static const char *const names[] = { "NNpsk0", "IKpsk2" };
    uint32_t available = 0;
    CHECK_OK(jmp_suites_available(&available));
    CHECK(available & JMP_SUITE_CHACHA20_POLY1305);
    for (life_suite = 1; life_suite <= JMP_SUITE_AEGIS_256; life_suite *= 2) {
        if (!(available & life_suite)) continue;
        for (life_pattern = JMP_PATTERN_NNPSK0; life_pattern <= JMP_PATTERN_IKPSK2; life_pattern++) {
            printf("%s, %s:\n", names[life_pattern - 1], jmp_suite_name(life_suite));
            RUN(wholeLife);
        }
    }
    RUN(hostRefuses);
    RUN(hostAccepts);
    RUN(freedInTheMiddle);
    RUN(passphrasesAndKeys);
    return check_summary();
}
