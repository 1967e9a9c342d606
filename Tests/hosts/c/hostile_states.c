/* Hostile host calls, part four: calls in states and roles that forbid them, tables that are full, a host that reads nothing.
 * Every refusal changes nothing. */
#include "hostile.h"

#include <string.h>

#define C victim.nodes[CLIENT].endpoint
#define G victim.nodes[GATEWAY].endpoint
#define S victim.nodes[CLIENT].session
#define NOW victim.now

static void wrongRolesAndStatesAreRefused(void)
{
    uint8_t bytes[WORLD_DATAGRAM_SIZE] = { 0 };
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    jmp_address remote = world_gateway_address(1);
    jmp_connect_config config;
    jmp_session birth;
    uint32_t path;
    victim_open();
    REFUSED(jmp_path_add(G, victim.nodes[GATEWAY].session, 1, &remote, NOW, &path), JMP_ERR_ROLE);
    REFUSED(jmp_path_remove(G, victim.nodes[GATEWAY].session, 0, NOW), JMP_ERR_ROLE);
    REFUSED(jmp_path_add(C, S, 1, &remote, NOW, &path), JMP_ERR_EXISTS);
    REFUSED(jmp_accept(G, victim.nodes[GATEWAY].session, bytes, NOW), JMP_ERR_STATE);
    REFUSED(jmp_refuse(G, victim.nodes[GATEWAY].session, NOW), JMP_ERR_STATE);
    REFUSED(jmp_session_close(C, S, JMP_REASON_NONE, NOW), JMP_ERR_ARGUMENT);
    REFUSED(jmp_session_close(C, S, JMP_REASON_PEER_TERMINATED, NOW), JMP_ERR_ARGUMENT);
    REFUSED(jmp_session_close(C, S, UINT32_MAX, NOW), JMP_ERR_ARGUMENT);
    REFUSED(jmp_unsent(C, S, UINT64_MAX, NOW), JMP_ERR_ARGUMENT);
    REFUSED(jmp_unsent(C, S, UINT64_MAX / 2, NOW), JMP_ERR_ARGUMENT);
    world_connect_config(&victim, JMP_PATTERN_NNPSK0, &config);
    config.remote = world_client_address(&victim, 1);       /* nobody answers */
    CHECK_OK(jmp_connect(C, &config, NOW, &birth));
    world_drain(&victim, CLIENT);
    REFUSED(jmp_send(C, birth, bytes, 1, NOW, bytes, sizeof bytes, &datagram), JMP_ERR_STATE);
    REFUSED(jmp_send_protected(C, birth, bytes, 1, NULL, NOW), JMP_ERR_STATE);
    REFUSED(jmp_session_rekey(C, birth, NOW), JMP_ERR_STATE);
    REFUSED(jmp_session_request_switch(C, birth, JMP_PATH_NONE, NOW), JMP_ERR_STATE);
    victim_close();
}

static void terminatedSessionsTakeNothingMore(void)
{
    uint8_t bytes[WORLD_DATAGRAM_SIZE] = { 0 };
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    jmp_address remote = world_gateway_address(1);
    jmp_policy policy;
    uint32_t path;
    victim_open();
    CHECK_OK(jmp_policy_init(&policy));
    CHECK_OK(jmp_session_close(C, S, JMP_REASON_SECURITY_FAILURE, NOW));
    world_drain(&victim, CLIENT);
    world_run(&victim, 1 * SECOND);
    CHECK_EQUAL(world_info(&victim, GATEWAY).state, JMP_STATE_TERMINATED);
    REFUSED(jmp_send(C, S, bytes, 1, NOW, bytes, sizeof bytes, &datagram), JMP_ERR_TERMINATED);
    REFUSED(jmp_send_protected(C, S, bytes, 1, NULL, NOW), JMP_ERR_TERMINATED);
    REFUSED(jmp_session_close(C, S, JMP_REASON_OPERATOR_TERMINATED, NOW), JMP_ERR_TERMINATED);
    REFUSED(jmp_path_add(C, S, 1, &remote, NOW, &path), JMP_ERR_TERMINATED);
    REFUSED(jmp_path_remove(C, S, 0, NOW), JMP_ERR_TERMINATED);
    REFUSED(jmp_session_request_switch(C, S, JMP_PATH_NONE, NOW), JMP_ERR_TERMINATED);
    REFUSED(jmp_session_rekey(C, S, NOW), JMP_ERR_TERMINATED);
    REFUSED(jmp_session_set_policy(G, victim.nodes[GATEWAY].session, &policy, NOW), JMP_ERR_TERMINATED);
    victim_close();
}

static void fullTablesRefuseAndStaySound(void)
{
    struct world world;
    jmp_endpoint *endpoint = NULL;
    jmp_config config;
    jmp_transport_config transport;
    uint32_t number;
    CHECK_OK(jmp_config_init(&config));
    config.max_sessions = 2;
    config.event_capacity = 64;
    CHECK_OK(jmp_endpoint_new(&config, NULL, 1, &endpoint));
    CHECK_OK(jmp_transport_config_init(&transport));
    for (int i = 0; i < JMP_MAX_TRANSPORTS; i++) {
        snprintf(transport.name, sizeof transport.name, "t%d", i);
        CHECK_OK(jmp_transport_add(endpoint, &transport, 1, &number));
        CHECK_EQUAL(number, i);
    }
    strcpy(transport.name, "one more");
    CHECK_EQUAL(jmp_transport_add(endpoint, &transport, 1, &number), JMP_ERR_TRANSPORT_LIMIT);
    CHECK_OK(jmp_transport_remove(endpoint, 17, 1));
    CHECK_OK(jmp_transport_add(endpoint, &transport, 1, &number));
    CHECK_EQUAL(number, 17);

    world_open(&world, (struct world_options){ .seed = 1 });
    jmp_connect_config connect;
    jmp_session session, first = 0;
    world_connect_config(&world, JMP_PATTERN_NNPSK0, &connect);
    for (int i = 0; i < 2; i++) CHECK_OK(jmp_connect(endpoint, &connect, 1, i ? &session : &first));
    CHECK_EQUAL(jmp_connect(endpoint, &connect, 1, &session), JMP_ERR_SESSION_LIMIT);
    CHECK_EQUAL(session, 0);

    jmp_status status = JMP_OK;
    int paths = 1;
    for (uint32_t i = 1; status == JMP_OK && i < JMP_MAX_TRANSPORTS; i++) {
        uint32_t path;
        jmp_address remote = world_gateway_address(i);
        status = jmp_path_add(endpoint, first, i, &remote, 1, &path);
        paths += status == JMP_OK;
    }
    CHECK_EQUAL(status, JMP_ERR_PATH_LIMIT);
    if (!CHECK(paths >= 4 && paths <= JMP_MAX_PATHS)) printf("    %d paths\n", paths);
    CHECK_OK(jmp_endpoint_free(endpoint));
    world_close(&world);
}

/* A host that reads no events: protocol and memory do not care, and every lost event is counted. */
static void unreadEventsAreCountedAsDropped(void)
{
    jmp_endpoint *endpoint = NULL;
    jmp_config config;
    jmp_connect_config connect;
    jmp_transport_config transport;
    jmp_event event = { .struct_size = sizeof event };
    jmp_endpoint_stats stats = { .struct_size = sizeof stats };
    struct world world;
    uint32_t number;
    uint64_t read = 0, last = 0, dropped = 0;
    world_open(&world, (struct world_options){ .seed = 2 });
    CHECK_OK(jmp_config_init(&config));
    config.event_capacity = 64;
    CHECK_OK(jmp_endpoint_new(&config, NULL, 1, &endpoint));
    CHECK_OK(jmp_transport_config_init(&transport));
    strcpy(transport.name, "udp:A");
    CHECK_OK(jmp_transport_add(endpoint, &transport, 1, &number));
    world_connect_config(&world, JMP_PATTERN_NNPSK0, &connect);
    for (int i = 0; i < 500; i++) {
        jmp_session session;
        CHECK_OK(jmp_connect(endpoint, &connect, 1, &session));
        CHECK_OK(jmp_session_close(endpoint, session, JMP_REASON_OPERATOR_TERMINATED, 1));
    }
    CHECK_OK(jmp_endpoint_get_stats(endpoint, &stats));
    while (jmp_poll_event(endpoint, &event) == JMP_OK) {
        CHECK(event.sequence > last);
        last = event.sequence;
        dropped = event.dropped;
        read++;
    }
    CHECK(read >= 1 && read <= 64);
    CHECK(stats.events_dropped > 0);
    CHECK(dropped <= stats.events_dropped);
    CHECK(read + stats.events_dropped >= 1500);     /* created, changed, terminated, 500 times */
    CHECK_OK(jmp_endpoint_free(endpoint));
    world_close(&world);
}

static void namesAreNeverMissing(void)
{
    const uint32_t codes[] = { 0, 1, 28, 29, 63, 64, 1000, UINT32_MAX };
    for (int i = 0; i < 8; i++) {
        CHECK(jmp_state_name(codes[i]) && *jmp_state_name(codes[i]));
        CHECK(jmp_reason_name(codes[i]) && *jmp_reason_name(codes[i]));
        CHECK(jmp_event_name(codes[i]) && *jmp_event_name(codes[i]));
        CHECK(jmp_drop_name(codes[i]) && *jmp_drop_name(codes[i]));
        CHECK(jmp_suite_name(codes[i]) && *jmp_suite_name(codes[i]));
        CHECK(jmp_path_role_name(codes[i]) && *jmp_path_role_name(codes[i]));
    }
    for (int status = -500; status < 5; status++) CHECK(jmp_strerror(status) && *jmp_strerror(status));
    CHECK(jmp_strerror(INT32_MIN) && jmp_strerror(INT32_MAX));
    CHECK(!strcmp(jmp_state_name(JMP_STATE_ATTACHED), "ATTACHED"));
    CHECK(!strcmp(jmp_state_name(6), "UNKNOWN"));
    CHECK(!strcmp(jmp_reason_name(UINT32_MAX), "unknown"));
    CHECK_EQUAL(jmp_abi_version(), JMP_ABI_VERSION);
    CHECK(strlen(jmp_version()) >= 5);
    CHECK_OK(jmp_init());
}

int main(void)
{
    RUN(wrongRolesAndStatesAreRefused);
    RUN(terminatedSessionsTakeNothingMore);
    RUN(fullTablesRefuseAndStaySound);
    RUN(unreadEventsAreCountedAsDropped);
    RUN(namesAreNeverMissing);
    return check_summary();
}
