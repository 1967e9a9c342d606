/* Hostile host calls, part one: NULL, wrong struct sizes and reserved bytes, wrong handles, use after free, fork, time that
 * goes backwards, any order. Every refused call gives its documented error and changes nothing. Wrong values, buffers and
 * states are in hostile_values.c, hostile_buffers.c and hostile_states.c. */
#include "hostile.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Both endpoints of the victim, by the letters the tables below use. */
#define C victim.nodes[CLIENT].endpoint
#define G victim.nodes[GATEWAY].endpoint
#define S victim.nodes[CLIENT].session
#define NOW victim.now

static void nullPointersAreRefusedByTheLibraryFamily(void)
{
    uint8_t key[JMP_KEY_SIZE] = { 1 };
    char text[64];
    size_t length;
    jmp_event event = { .struct_size = sizeof event };
    jmp_route route = { .struct_size = sizeof route };
    jmp_endpoint *made = (jmp_endpoint *)text;
    victim_open();
    REFUSED(jmp_suites_available(NULL), JMP_ERR_NULL);
    REFUSED(jmp_config_init(NULL), JMP_ERR_NULL);
    REFUSED(jmp_policy_init(NULL), JMP_ERR_NULL);
    REFUSED(jmp_transport_config_init(NULL), JMP_ERR_NULL);
    REFUSED(jmp_connect_config_init(NULL), JMP_ERR_NULL);
    REFUSED(jmp_payload_options_init(NULL), JMP_ERR_NULL);
    REFUSED(jmp_config_check(NULL, text, sizeof text), JMP_ERR_NULL);
    REFUSED(jmp_policy_check(NULL, text, sizeof text), JMP_ERR_NULL);
    REFUSED(jmp_endpoint_new(NULL, NULL, NOW, NULL), JMP_ERR_NULL);
    REFUSED(jmp_endpoint_new_seeded(NULL, NULL, key, NOW, NULL), JMP_ERR_NULL);
    REFUSED(jmp_endpoint_new_seeded(NULL, NULL, NULL, NOW, &made), JMP_ERR_NULL);
    CHECK(made == NULL);
    REFUSED(jmp_keypair(NULL, key), JMP_ERR_NULL);
    REFUSED(jmp_keypair(key, NULL), JMP_ERR_NULL);
    REFUSED(jmp_public_key(NULL, key), JMP_ERR_NULL);
    REFUSED(jmp_public_key(key, NULL), JMP_ERR_NULL);
    REFUSED(jmp_psk_from_passphrase(NULL, 1, key, 1, key, 1, key), JMP_ERR_NULL);
    REFUSED(jmp_psk_from_passphrase(key, 1, NULL, 1, key, 1, key), JMP_ERR_NULL);
    REFUSED(jmp_psk_from_passphrase(key, 1, key, 1, NULL, 1, key), JMP_ERR_NULL);
    REFUSED(jmp_psk_from_passphrase(key, 1, key, 1, key, 1, NULL), JMP_ERR_NULL);
    REFUSED(jmp_event_to_json(NULL, text, sizeof text, &length), JMP_ERR_NULL);
    REFUSED(jmp_event_to_json(&event, NULL, sizeof text, &length), JMP_ERR_NULL);
    REFUSED(jmp_event_to_json(&event, text, sizeof text, NULL), JMP_ERR_NULL);
    REFUSED(jmp_route_datagram(NULL, 10, &route), JMP_ERR_NULL);
    REFUSED(jmp_route_datagram(key, sizeof key, NULL), JMP_ERR_NULL);
    REFUSED(jmp_endpoint_free(NULL), JMP_OK);
    victim_close();
}

static void nullPointersAreRefusedByEndpoints(void)
{
    const uint8_t key[JMP_KEY_SIZE] = { 1 };
    uint32_t number;
    jmp_transport_config transport;
    victim_open();
    CHECK_OK(jmp_transport_config_init(&transport));
    strcpy(transport.name, "new");
    REFUSED(jmp_endpoint_get_stats(C, NULL), JMP_ERR_NULL);
    REFUSED(jmp_endpoint_set_static_key(C, NULL), JMP_ERR_NULL);
    REFUSED(jmp_endpoint_add_psk(C, NULL, 1, key), JMP_ERR_NULL);
    REFUSED(jmp_endpoint_add_psk(C, key, 1, NULL), JMP_ERR_NULL);
    REFUSED(jmp_endpoint_remove_psk(C, NULL, 1), JMP_ERR_NULL);
    REFUSED(jmp_endpoint_add_client_key(C, NULL, key), JMP_ERR_NULL);
    REFUSED(jmp_endpoint_remove_client_key(C, NULL), JMP_ERR_NULL);
    REFUSED(jmp_transport_add(C, NULL, NOW, &number), JMP_ERR_NULL);
    REFUSED(jmp_transport_add(C, &transport, NOW, NULL), JMP_ERR_NULL);
    REFUSED(jmp_transport_set(C, 0, NULL, NOW), JMP_ERR_NULL);
    REFUSED(jmp_poll_event(C, NULL), JMP_ERR_NULL);
    REFUSED(jmp_next_timeout(C, NULL), JMP_ERR_NULL);
    victim_close();
}

static void nullPointersAreRefusedBySessions(void)
{
    uint8_t bytes[WORLD_DATAGRAM_SIZE] = { 0 };
    jmp_connect_config connect;
    jmp_session session = 99;
    jmp_address from = world_gateway_address(0);
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    jmp_received received = { .struct_size = sizeof received };
    jmp_payload payload = { .struct_size = sizeof payload };
    jmp_send_item send_item = { .session = 0 };
    jmp_receive_item receive_item = { .transport = 0 };
    jmp_path_info paths[1];
    uint32_t path;
    size_t count;
    victim_open();
    world_connect_config(&victim, JMP_PATTERN_NNPSK0, &connect);
    REFUSED(jmp_connect(C, NULL, NOW, &session), JMP_ERR_NULL);
    CHECK_EQUAL(session, 0);
    REFUSED(jmp_connect(C, &connect, NOW, NULL), JMP_ERR_NULL);
    REFUSED(jmp_session_get_info(C, S, NULL), JMP_ERR_NULL);
    REFUSED(jmp_session_get_stats(C, S, NULL), JMP_ERR_NULL);
    REFUSED(jmp_session_get_policy(C, S, NULL), JMP_ERR_NULL);
    REFUSED(jmp_session_set_policy(G, victim.nodes[GATEWAY].session, NULL, NOW), JMP_ERR_NULL);
    REFUSED(jmp_session_get_paths(C, S, NULL, 1, &count), JMP_ERR_NULL);
    REFUSED(jmp_session_get_paths(C, S, paths, 1, NULL), JMP_ERR_NULL);
    REFUSED(jmp_path_add(C, S, 1, NULL, NOW, &path), JMP_ERR_NULL);
    REFUSED(jmp_path_add(C, S, 1, &from, NOW, NULL), JMP_ERR_NULL);
    REFUSED(jmp_session_explain(C, S, NOW, NULL, 10), JMP_ERR_NULL);
    REFUSED(jmp_send(C, S, NULL, 1, NOW, bytes, sizeof bytes, &datagram), JMP_ERR_NULL);
    REFUSED(jmp_send(C, S, bytes, 1, NOW, NULL, sizeof bytes, &datagram), JMP_ERR_NULL);
    REFUSED(jmp_send(C, S, bytes, 1, NOW, bytes, sizeof bytes, NULL), JMP_ERR_NULL);
    REFUSED(jmp_send_protected(C, S, NULL, 1, NULL, NOW), JMP_ERR_NULL);
    REFUSED(jmp_poll_payload(C, NOW, bytes, sizeof bytes, NULL), JMP_ERR_NULL);
    REFUSED(jmp_poll_payload(C, NOW, NULL, 1, &payload), JMP_ERR_NULL);
    REFUSED(jmp_send_batch(C, NULL, 1, bytes, 1, NOW, bytes, sizeof bytes, &count), JMP_ERR_NULL);
    REFUSED(jmp_send_batch(C, &send_item, 1, NULL, 1, NOW, bytes, sizeof bytes, &count), JMP_ERR_NULL);
    REFUSED(jmp_send_batch(C, &send_item, 1, bytes, 1, NOW, NULL, sizeof bytes, &count), JMP_ERR_NULL);
    REFUSED(jmp_send_batch(C, &send_item, 1, bytes, 1, NOW, bytes, sizeof bytes, NULL), JMP_ERR_NULL);
    REFUSED(jmp_receive(C, 0, NULL, bytes, 1, NOW, &received), JMP_ERR_NULL);
    REFUSED(jmp_receive(C, 0, &from, NULL, 1, NOW, &received), JMP_ERR_NULL);
    REFUSED(jmp_receive(C, 0, &from, bytes, 1, NOW, NULL), JMP_ERR_NULL);
    REFUSED(jmp_receive_batch(C, NULL, 1, bytes, 1, NOW), JMP_ERR_NULL);
    REFUSED(jmp_receive_batch(C, &receive_item, 1, NULL, 1, NOW), JMP_ERR_NULL);
    REFUSED(jmp_poll_transmit(C, NOW, NULL, 2000, &datagram), JMP_ERR_NULL);
    REFUSED(jmp_poll_transmit(C, NOW, bytes, sizeof bytes, NULL), JMP_ERR_NULL);
    victim_close();
}

/* Calls that get a struct whose size is not the library's. */
static void wrongStructSizesAreRefused(void)
{
    const uint8_t seed[JMP_KEY_SIZE] = { 1 };
    uint8_t bytes[WORLD_DATAGRAM_SIZE] = { 0x40 };
    victim_open();
    jmp_address address = world_gateway_address(0);
    jmp_endpoint *made;
    jmp_session session;
    uint32_t number;
    char text[2048];
    size_t length;
    for (int i = 0; i < 4; i++) {
#define WRONG(type) (uint32_t)(i == 0 ? 0 : i == 1 ? 1 : i == 2 ? sizeof(type) + 8 : UINT32_MAX)
#define OUT(type, name) type name = { .struct_size = WRONG(type) }
        OUT(jmp_endpoint_stats, stats); OUT(jmp_session_info, info); OUT(jmp_session_stats, session_stats); OUT(jmp_policy, got);
        OUT(jmp_payload, payload); OUT(jmp_payload_options, options);
        OUT(jmp_datagram, datagram); OUT(jmp_received, received); OUT(jmp_event, event); OUT(jmp_route, route);
        jmp_config config; jmp_policy policy; jmp_transport_config transport; jmp_connect_config connect;
        jmp_config_init(&config); jmp_policy_init(&policy); jmp_transport_config_init(&transport);
        world_connect_config(&victim, JMP_PATTERN_NNPSK0, &connect);
        strcpy(transport.name, "new");
        config.struct_size = WRONG(jmp_config); policy.struct_size = WRONG(jmp_policy);
        transport.struct_size = WRONG(jmp_transport_config); connect.struct_size = WRONG(jmp_connect_config);
        REFUSED(jmp_endpoint_get_stats(C, &stats), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_session_get_info(C, S, &info), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_session_get_stats(C, S, &session_stats), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_session_get_policy(C, S, &got), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_send(C, S, bytes, 1, NOW, bytes, sizeof bytes, &datagram), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_send_protected(C, S, bytes, 1, &options, NOW), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_poll_payload(C, NOW, bytes, sizeof bytes, &payload), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_poll_transmit(C, NOW, bytes, sizeof bytes, &datagram), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_receive(C, 0, &address, bytes, sizeof bytes, NOW, &received), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_poll_event(C, &event), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_event_to_json(&event, text, sizeof text, &length), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_route_datagram(bytes, sizeof bytes, &route), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_config_check(&config, text, sizeof text), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_policy_check(&policy, text, sizeof text), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_endpoint_new(&config, NULL, NOW, &made), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_endpoint_new(NULL, &policy, NOW, &made), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_endpoint_new_seeded(&config, NULL, seed, NOW, &made), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_transport_add(C, &transport, NOW, &number), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_transport_set(C, 0, &transport, NOW), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_connect(C, &connect, NOW, &session), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_session_set_policy(G, victim.nodes[GATEWAY].session, &policy, NOW), JMP_ERR_STRUCT_SIZE);
        jmp_send_item send_item = { .session = S, .payload_length = 1, .buffer_capacity = sizeof bytes, .datagram = datagram };
        REFUSED(jmp_send_batch(C, &send_item, 1, bytes, 1, NOW, bytes, sizeof bytes, &length), JMP_OK);
        CHECK_EQUAL(send_item.status, JMP_ERR_STRUCT_SIZE);
        CHECK_EQUAL(length, 0);
        jmp_receive_item receive_item = { .length = 40, .from = address, .received = received };
        REFUSED(jmp_receive_batch(C, &receive_item, 1, bytes, sizeof bytes, NOW), JMP_OK);
        CHECK_EQUAL(receive_item.status, JMP_ERR_STRUCT_SIZE);
    }
    victim_close();
}

static void reservedBytesMustBeZero(void)
{
    victim_open();
    for (int last = 0; last < 2; last++) {
        jmp_config config; jmp_policy policy; jmp_transport_config transport; jmp_connect_config connect;
        jmp_payload_options options;
        jmp_endpoint *made;
        jmp_session session;
        uint32_t number;
        jmp_config_init(&config); jmp_policy_init(&policy); jmp_transport_config_init(&transport);
        jmp_payload_options_init(&options);
        world_connect_config(&victim, JMP_PATTERN_NNPSK0, &connect);
        strcpy(transport.name, "new");
        options.reserved[last * 3] = 1;
        config.reserved[last * (sizeof config.reserved - 1)] = 1;
        policy.reserved[last * (sizeof policy.reserved - 1)] = 1;
        transport.reserved[last * (sizeof transport.reserved - 1)] = 1;
        connect.reserved[last * (sizeof connect.reserved - 1)] = 1;
        REFUSED(jmp_config_check(&config, NULL, 0), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_policy_check(&policy, NULL, 0), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_endpoint_new(&config, NULL, NOW, &made), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_endpoint_new(NULL, &policy, NOW, &made), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_transport_add(C, &transport, NOW, &number), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_connect(C, &connect, NOW, &session), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_session_set_policy(G, victim.nodes[GATEWAY].session, &policy, NOW), JMP_ERR_STRUCT_SIZE);
        REFUSED(jmp_send_protected(C, S, (const uint8_t *)"x", 1, &options, NOW), JMP_ERR_STRUCT_SIZE);
    }
    victim_close();
}

/* ------------------------------------------------------------------ handles */

static void check_every_call(jmp_endpoint *endpoint, jmp_status expected)
{
    for (size_t i = 0; i < endpoint_call_count; i++)
        if (!CHECK_EQUAL(endpoint_calls[i].call(endpoint, S, NOW), expected)) printf("    by %s\n", endpoint_calls[i].name);
}

static void wrongEndpointsAreRefusedByEveryFunction(void)
{
    jmp_endpoint *freed[3];
    victim_open();
    for (int i = 0; i < 3; i++) CHECK_OK(jmp_endpoint_new(NULL, NULL, NOW, &freed[i]));
    for (int i = 0; i < 3; i++) CHECK_OK(jmp_endpoint_free(freed[i]));
    struct snapshot before = victim_snapshot();
    for (int i = 0; i < 3; i++) {
        check_every_call(freed[i], JMP_ERR_ENDPOINT);
        CHECK_EQUAL(jmp_endpoint_free(freed[i]), JMP_ERR_ENDPOINT);
    }
    check_every_call(NULL, JMP_ERR_NULL);
    const uintptr_t wrong[] = { 1, 4095, 4096, 0xdeadbeef, (uintptr_t)&before, (uintptr_t)C + 1, (uintptr_t)C ^ 0x100000,
                                UINTPTR_MAX, UINTPTR_MAX - 4095, (uintptr_t)1 << 63 };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) check_every_call((jmp_endpoint *)wrong[i], JMP_ERR_ENDPOINT);
    for (int i = 0; i < 2000; i++) {
        uintptr_t random = (uintptr_t)world_random(&victim);
        if (random == (uintptr_t)C || random == (uintptr_t)G) continue;
        CHECK_EQUAL(endpoint_calls[(size_t)i % endpoint_call_count].call((jmp_endpoint *)random, S, NOW), JMP_ERR_ENDPOINT);
        CHECK_EQUAL(jmp_endpoint_free((jmp_endpoint *)random), JMP_ERR_ENDPOINT);
    }
    victim_check_unchanged(&before, __FILE__, __LINE__, "calls with wrong endpoints");
    victim_close();
}

static void wrongSessionsAreRefusedByEveryFunction(void)
{
    jmp_connect_config config;
    jmp_session stale;
    victim_open();
    /* A handle whose session came, ended and was forgotten. */
    world_connect_config(&victim, JMP_PATTERN_NNPSK0, &config);
    config.remote = world_client_address(&victim, 1);       /* nobody answers there */
    CHECK_OK(jmp_connect(C, &config, NOW, &stale));
    CHECK_OK(jmp_session_close(C, stale, JMP_REASON_OPERATOR_TERMINATED, NOW));
    world_drain(&victim, CLIENT);
    world_run(&victim, 60ull * SECOND);
    const jmp_session wrong[] = { 0, 1, 0xffffffff, stale, S + 1, S ^ ((jmp_session)1 << 32), S ^ ((jmp_session)1 << 40), UINT64_MAX,
                                  (jmp_session)1 << 63, 0x00000001ffffffff, 0xffffffff00000001 };
    for (int who = 0; who < NODES; who++) {
        for (size_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++)
            for (size_t i = 0; i < endpoint_call_count; i++) {
                if (!endpoint_calls[i].takes_session || wrong[w] == victim.nodes[who].session) continue;
                struct snapshot before = victim_snapshot();
                if (!CHECK_EQUAL(endpoint_calls[i].call(victim.nodes[who].endpoint, wrong[w], NOW), JMP_ERR_SESSION))
                    printf("    by %s, session %llx\n", endpoint_calls[i].name, (unsigned long long)wrong[w]);
                victim_check_unchanged(&before, __FILE__, __LINE__, endpoint_calls[i].name);
            }
    }
    victim_close();
}

/* In a child of fork, a parent's endpoint would repeat keys and nonces: every call says so, and an endpoint of its own works. */
static void forkedChildIsRefused(void)
{
    int status = 0;
    victim_open();
    struct snapshot before = victim_snapshot();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        jmp_endpoint *own = NULL;
        check_counts.failures_here = 0;
        check_every_call(C, JMP_ERR_FORKED);
        CHECK_OK(jmp_endpoint_new(NULL, NULL, NOW, &own));
        check_every_call(G, JMP_ERR_FORKED);
        jmp_endpoint_stats stats = { .struct_size = sizeof stats };
        CHECK_OK(jmp_endpoint_get_stats(own, &stats));
        CHECK_OK(jmp_endpoint_free(own));
        CHECK_EQUAL(jmp_endpoint_free(C), JMP_ERR_FORKED);
        CHECK_EQUAL(jmp_endpoint_free(G), JMP_ERR_FORKED);
        fflush(stdout);
        _exit(check_counts.failures_here ? 1 : 0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    victim_check_unchanged(&before, __FILE__, __LINE__, "a child's calls");
    uint64_t received = victim.nodes[CLIENT].received;
    CHECK_OK(world_send(&victim, CLIENT));
    world_run(&victim, 200 * MS);
    CHECK_EQUAL(victim.nodes[CLIENT].received, received + 1);
    victim_close();
}

/* --------------------------------------------------------------------- time */

static void timeThatGoesBackwardsIsClampedAndCounted(void)
{
    victim_open();
    CHECK_OK(jmp_handle_timeout(C, NOW));
    uint64_t counted = world_stats(&victim, CLIENT).clock_went_backwards;
    jmp_session_info before = world_info(&victim, CLIENT);
    const jmp_time past[] = { 0, 1, NOW - 1, NOW - 1 * SECOND };
    for (int i = 0; i < 4; i++) CHECK_OK(jmp_handle_timeout(C, past[i]));
    CHECK_EQUAL(world_stats(&victim, CLIENT).clock_went_backwards, counted + 4);
    jmp_session_info after = world_info(&victim, CLIENT);
    CHECK(!memcmp(&before, &after, sizeof before));
    uint64_t received = victim.nodes[CLIENT].received;
    world_run(&victim, 20ull * SECOND);
    CHECK_OK(world_send(&victim, CLIENT));
    world_run(&victim, 200 * MS);
    CHECK_EQUAL(victim.nodes[CLIENT].received, received + 1);
    CHECK_EQUAL(world_info(&victim, CLIENT).state, JMP_STATE_ATTACHED);
    victim_close();
}

/* The last moments there are: lifetimes are over, nothing overflows. */
static void timeAtTheEndOfItsRangeEndsSessions(void)
{
    const jmp_time ends[] = { UINT64_MAX / 2, UINT64_MAX - ((jmp_time)1 << 40), UINT64_MAX - 1 };
    for (int i = 0; i < 3; i++) {
        victim_open();
        for (int who = 0; who < NODES; who++) {
            jmp_endpoint *endpoint = victim.nodes[who].endpoint;
            CHECK_OK(jmp_handle_timeout(endpoint, ends[i]));
            jmp_session_info info = { .struct_size = sizeof info };
            jmp_status status = jmp_session_get_info(endpoint, victim.nodes[who].session, &info);
            CHECK(status == JMP_ERR_SESSION || (status == JMP_OK && info.state == JMP_STATE_TERMINATED));
        }
        victim.now = ends[i];
        for (int who = 0; who < NODES; who++) world_drain(&victim, who);
        victim_close();
    }
}

/* ------------------------------------------------------------------- any order */

/* Right calls in random order on living endpoints and sessions, between datagrams that flow: each gives a documented status,
 * the trail of every session stays sound (the world checks it), and a new session can still be made. */
static void callsInAnyOrderNeverBreakAnything(void)
{
    for (uint8_t round = 0; round < 20; round++) {
        struct world world;
        world_open(&world, (struct world_options){ .seed = round });
        world_connect(&world, 1 + round % 2);
        world.loses_transports = true;
        for (int i = 0; i < 3000; i++) {
            size_t which = world_random(&world) % endpoint_call_count;
            int who = (int)(world_random(&world) >> 20 & 1);
            struct world_node *node = &world.nodes[who];
            const char *name = endpoint_calls[which].name;
            /* The world must see what these would take. */
            if (!strcmp(name, "poll_transmit") || !strcmp(name, "poll_event") || !strcmp(name, "send")) continue;
            /* Too often, these would leave nothing to try the others on. */
            bool is_rare = !strcmp(name, "close") || !strcmp(name, "transport_remove") || !strcmp(name, "connect");
            if (is_rare && world_random(&world) % 40) continue;
            jmp_status status = endpoint_calls[which].call(node->endpoint, node->session, world.now);
            CHECK(status <= 0 && status > JMP_ERR_INTERNAL);
            if (status <= JMP_ERR_INTERNAL) printf("    by %s: %d\n", name, status);
            world_drain(&world, who);
            world_run(&world, world_random(&world) % (20 * MS));
        }
        world_close(&world);
    }
    victim_open();
    victim_close();
}

int main(void)
{
    RUN(nullPointersAreRefusedByTheLibraryFamily);
    RUN(nullPointersAreRefusedByEndpoints);
    RUN(nullPointersAreRefusedBySessions);
    RUN(wrongStructSizesAreRefused);
    RUN(reservedBytesMustBeZero);
    RUN(wrongEndpointsAreRefusedByEveryFunction);
    RUN(wrongSessionsAreRefusedByEveryFunction);
    RUN(forkedChildIsRefused);
    RUN(timeThatGoesBackwardsIsClampedAndCounted);
    RUN(timeAtTheEndOfItsRangeEndsSessions);
    RUN(callsInAnyOrderNeverBreakAnything);
    return check_summary();
}
