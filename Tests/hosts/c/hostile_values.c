/* Hostile host calls, part two: values out of range, lengths of zero and of all the memory there is, buffers that are too
 * small, calls in states and roles that forbid them, tables that are full. Every refusal names what was wrong and changes
 * nothing. */
#include "hostile.h"

#include <stdlib.h>
#include <string.h>

#define C victim.nodes[CLIENT].endpoint
#define G victim.nodes[GATEWAY].endpoint
#define S victim.nodes[CLIENT].session
#define NOW victim.now

/* ------------------------------------------------------- policy and configuration */

/* A number inside a struct, and the first values outside its range. */
struct bound {
    const char *name;
    size_t offset, width;
    uint64_t below, above;      /* UINT64_MAX: there is none on this side */
};

static void set_number(void *object, const struct bound *bound, uint64_t value)
{
    uint32_t narrow = (uint32_t)value;
    if (bound->width == 8) memcpy((char *)object + bound->offset, &value, 8);
    else memcpy((char *)object + bound->offset, &narrow, 4);
}

#define BOUND(type, field, below, above) { #field, offsetof(type, field), sizeof(((type *)0)->field), below, above }
#define P(field, below, above) BOUND(jmp_policy, field, below, above)
#define CFG(field, below, above) BOUND(jmp_config, field, below, above)
#define NEVER UINT64_MAX

static const struct bound policy_bounds[] = {
    P(strict_binding, NEVER, 2), P(max_lifetime_us, SECOND - 1, 7 * 86400ull * SECOND + 1),
    P(transport_lost_ttl_us, SECOND - 1, 86400ull * SECOND + 1), P(heartbeat_interval_us, 20 * MS - 1, 60ull * SECOND + 1),
    P(idle_heartbeat_us, 20 * MS - 1, 600ull * SECOND + 1), P(heartbeat_volatile_us, 20 * MS - 1, 60ull * SECOND + 1),
    P(loss_window_us, 100 * MS - 1, 60ull * SECOND + 1), P(volatile_to_degraded_us, 10 * MS - 1, 600ull * SECOND + 1),
    P(switch_cooldown_us, NEVER, 600ull * SECOND + 1), P(recovery_window_us, 100 * MS - 1, 600ull * SECOND + 1),
    P(proof_max_age_us, 100 * MS - 1, 60ull * SECOND + 1), P(latency_volatile_threshold_us, 1 * MS - 1, 60ull * SECOND + 1),
    P(stability_window_us, 10 * MS - 1, 60ull * SECOND + 1), P(key_max_age_us, SECOND - 1, 86400ull * SECOND + 1),
    P(loss_volatile_threshold_ppm, 999, 1000001), P(max_consecutive_drops, 1, 65), P(max_switches_per_min, 0, 61),
    P(switch_improvement_ppm, 999999, 10000001), P(max_candidates, NEVER, 7), P(replay_window, 32, 131072),
    P(replay_window, 1000, 65535), P(suites, 0, 8) };

static const struct bound config_bounds[] = {
    CFG(flags, NEVER, 8), CFG(max_sessions, 0, 4194305), CFG(max_half_open, 0, 65537), CFG(max_waiting, 0, 4097),
    CFG(event_capacity, 63, 65537), CFG(source_rate, 0, 1000001), CFG(source_burst, 0, 1000001),
    CFG(telemetry_interval_ms, 99, NEVER), CFG(suites, 0, 8) };

static void check_policy_refused(const jmp_policy *policy, const char *field)
{
    char message[256] = "";
    jmp_endpoint *made = NULL;
    if (!CHECK_EQUAL(jmp_policy_check(policy, message, sizeof message), JMP_ERR_POLICY)) printf("    policy field %s\n", field);
    if (!CHECK(strstr(message, field) != NULL)) printf("    \"%s\" does not name %s\n", message, field);
    CHECK_EQUAL(jmp_endpoint_new(NULL, policy, NOW, &made), JMP_ERR_POLICY);
    CHECK(made == NULL);
    REFUSED(jmp_session_set_policy(G, victim.nodes[GATEWAY].session, policy, NOW), JMP_ERR_POLICY);
}

static void everyPolicyFieldIsChecked(void)
{
    victim_open();
    for (size_t i = 0; i < sizeof policy_bounds / sizeof policy_bounds[0]; i++) {
        const uint64_t values[] = { policy_bounds[i].below, policy_bounds[i].above };
        for (int v = 0; v < 2; v++) {
            jmp_policy policy;
            if (values[v] == NEVER) continue;
            CHECK_OK(jmp_policy_init(&policy));
            set_number(&policy, &policy_bounds[i], values[v]);
            check_policy_refused(&policy, policy_bounds[i].name);
        }
    }
    jmp_policy policy;
    CHECK_OK(jmp_policy_init(&policy));
    memset(policy.version, 'v', sizeof policy.version);      /* no final zero */
    check_policy_refused(&policy, "version");
    CHECK_OK(jmp_policy_init(&policy));
    strcpy(policy.version, "caf\xc3\xa9");
    check_policy_refused(&policy, "version");
    CHECK_OK(jmp_policy_init(&policy));
    CHECK_OK(jmp_policy_check(&policy, NULL, 0));
    victim_close();
}

static void check_config_refused(const jmp_config *config, const char *field)
{
    char message[256] = "";
    jmp_endpoint *made = NULL;
    jmp_status status = jmp_config_check(config, message, sizeof message);
    if (!CHECK(status == JMP_ERR_ARGUMENT || (status == JMP_ERR_SUITE && !strcmp(field, "suites"))))
        printf("    config field %s: status %d\n", field, status);
    if (!CHECK(strstr(message, field) != NULL)) printf("    \"%s\" does not name %s\n", message, field);
    CHECK_EQUAL(jmp_endpoint_new(config, NULL, NOW, &made), status);
    CHECK(made == NULL);
}

static void everyConfigFieldIsChecked(void)
{
    jmp_config config;
    victim_open();
    for (size_t i = 0; i < sizeof config_bounds / sizeof config_bounds[0]; i++) {
        const uint64_t values[] = { config_bounds[i].below, config_bounds[i].above };
        for (int v = 0; v < 2; v++) {
            if (values[v] == NEVER) continue;
            CHECK_OK(jmp_config_init(&config));
            set_number(&config, &config_bounds[i], values[v]);
            check_config_refused(&config, config_bounds[i].name);
        }
    }
    CHECK_OK(jmp_config_init(&config));
    memset(config.node_id, 'n', sizeof config.node_id);
    check_config_refused(&config, "node_id");
    CHECK_OK(jmp_config_init(&config));
    strcpy(config.node_id, "line\nbreak");
    check_config_refused(&config, "node_id");
    CHECK_OK(jmp_config_init(&config));
    CHECK_OK(jmp_config_check(&config, NULL, 0));
    victim_close();
}

/* A message buffer of any size holds a zero-terminated beginning, and not a byte more is written. */
static void messagesAreCutToTheirBuffer(void)
{
    jmp_policy policy;
    char whole[256];
    CHECK_OK(jmp_policy_init(&policy));
    policy.max_consecutive_drops = 0;
    CHECK_EQUAL(jmp_policy_check(&policy, whole, sizeof whole), JMP_ERR_POLICY);
    for (size_t capacity = 0; capacity <= 20; capacity++) {
        char *text = malloc(capacity ? capacity : 1);
        if (!text) abort();
        CHECK_EQUAL(jmp_policy_check(&policy, capacity ? text : NULL, capacity), JMP_ERR_POLICY);
        if (capacity) CHECK(strlen(text) == capacity - 1 && !strncmp(text, whole, capacity - 1));
        free(text);
    }
}

static void transportDescriptionsAreChecked(void)
{
    static const char *const bad_names[] = { "", "sixteen-bytes-xx", "tab\there", "caf\xc3\xa9" };
    victim_open();
    for (int i = 0; i < 4 + 4; i++) {
        jmp_transport_config config;
        uint32_t number;
        CHECK_OK(jmp_transport_config_init(&config));
        memcpy(config.name, "new", 4);
        if (i < 4) memcpy(config.name, bad_names[i], strlen(bad_names[i]) < 16 ? strlen(bad_names[i]) + 1 : 16);
        if (i == 4) config.transport_class = 32;
        if (i == 5) config.cost = 0;
        if (i == 6) config.mtu = JMP_MIN_MTU - 1;
        if (i == 7) config.mtu = JMP_MAX_MTU + 1;
        REFUSED(jmp_transport_add(C, &config, NOW, &number), JMP_ERR_ARGUMENT);
        if (i >= 4) memcpy(config.name, "udp:A", 6);
        REFUSED(jmp_transport_set(C, 0, &config, NOW), JMP_ERR_ARGUMENT);
    }
    jmp_transport_config config;
    uint32_t number;
    CHECK_OK(jmp_transport_config_init(&config));
    memcpy(config.name, "udp:A", 6);
    REFUSED(jmp_transport_add(C, &config, NOW, &number), JMP_ERR_EXISTS);
    const uint32_t wrong[] = { 2, 63, 64, 0x80000000u, JMP_TRANSPORT_NONE };
    for (int i = 0; i < 5; i++) {
        jmp_address from = world_gateway_address(0);
        jmp_received received = { .struct_size = sizeof received };
        uint8_t bytes[40] = { 0 };
        uint32_t path;
        REFUSED(jmp_transport_set(C, wrong[i], &config, NOW), JMP_ERR_TRANSPORT);
        REFUSED(jmp_transport_remove(C, wrong[i], NOW), JMP_ERR_TRANSPORT);
        REFUSED(jmp_transport_hint(C, wrong[i], 1, NOW), JMP_ERR_TRANSPORT);
        REFUSED(jmp_receive(C, wrong[i], &from, bytes, sizeof bytes, NOW, &received), JMP_ERR_TRANSPORT);
        REFUSED(jmp_path_add(C, S, wrong[i], &from, NOW, &path), JMP_ERR_TRANSPORT);
        REFUSED(jmp_path_remove(C, S, wrong[i] + 100, NOW), JMP_ERR_PATH);
        REFUSED(jmp_session_request_switch(C, S, wrong[i] == JMP_PATH_NONE ? 7 : wrong[i] + 100, NOW), JMP_ERR_PATH);
    }
    REFUSED(jmp_transport_hint(C, 0, 2, NOW), JMP_ERR_ARGUMENT);
    victim_close();
}

static void connectDescriptionsAreChecked(void)
{
    victim_open();
    for (int i = 0; i < 14; i++) {
        jmp_connect_config config;
        jmp_session session = 99;
        jmp_status expected = JMP_ERR_ARGUMENT;
        world_connect_config(&victim, i == 12 ? JMP_PATTERN_IKPSK2 : JMP_PATTERN_NNPSK0, &config);
        switch (i) {
        case 0: config.pattern = 0; break;
        case 1: config.pattern = 3; break;
        case 2: config.transport = 2, expected = JMP_ERR_TRANSPORT; break;
        case 3: config.transport = JMP_TRANSPORT_NONE, expected = JMP_ERR_TRANSPORT; break;
        case 4: config.hint_length = JMP_HINT_MAX + 1; break;
        case 5: config.remote.length = 0; break;
        case 6: config.remote.length = JMP_ADDRESS_MAX + 1; break;
        case 7: config.remote.prefix_length = config.remote.length + 1; break;
        case 8: config.handshake_timeout_us = 100 * MS - 1; break;
        case 9: config.handshake_timeout_us = 600ull * SECOND + 1; break;
        case 10: memset(config.label, 'l', sizeof config.label); break;
        case 11: memset(config.psk, 0, sizeof config.psk), expected = JMP_ERR_KEY; break;
        case 12: memset(config.gateway_key, 0, sizeof config.gateway_key), expected = JMP_ERR_KEY; break;
        default: config.hint_length = UINT32_MAX; break;
        }
        REFUSED(jmp_connect(C, &config, NOW, &session), expected);
        CHECK_EQUAL(session, 0);
        REFUSED(jmp_connect(G, &config, NOW, &session), JMP_ERR_ROLE);
    }
    victim_close();
}

/* -------------------------------------------------------------- lengths and buffers */

static void sendRefusesWhatDoesNotFit(void)
{
    uint8_t payload[WORLD_DATAGRAM_SIZE] = { 0 }, bytes[WORLD_DATAGRAM_SIZE];
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    victim_open();
    uint32_t largest = world_info(&victim, CLIENT).max_payload;
    CHECK(largest >= 1200);
    const size_t too_long[] = { largest + 1, 65536, (size_t)UINT32_MAX, (size_t)UINT32_MAX + 1, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX };
    for (int i = 0; i < 7; i++) REFUSED(jmp_send(C, S, payload, too_long[i], NOW, bytes, sizeof bytes, &datagram), JMP_ERR_TOO_LONG);
    const size_t lengths[] = { 0, 1, 100, largest };
    for (int i = 0; i < 4; i++) {
        size_t enough = lengths[i] + JMP_DATAGRAM_OVERHEAD + JMP_FRAME_RESERVE;
        for (size_t capacity = 0; capacity < lengths[i] + JMP_DATAGRAM_OVERHEAD; capacity += 7)
            REFUSED(jmp_send(C, S, payload, lengths[i], NOW, bytes, capacity, &datagram), JMP_ERR_BUFFER_TOO_SMALL);
        uint8_t *exact = malloc(enough);        /* so that memory checkers see a write past it */
        if (!exact) abort();
        CHECK_OK(jmp_send(C, S, payload, lengths[i], NOW, exact, enough, &datagram));
        CHECK(datagram.length >= lengths[i] + JMP_DATAGRAM_OVERHEAD && datagram.length <= enough);
        CHECK(datagram.length <= JMP_DEFAULT_MTU);
        free(exact);
        world_drain(&victim, CLIENT);
    }
    victim_close();
}

/* The payload may lie in the buffer the datagram is written to, anywhere. */
static void sendWorksInPlace(void)
{
    victim_open();
    for (size_t offset = 0; offset <= 120; offset += 5) {
        uint8_t bytes[WORLD_DATAGRAM_SIZE] = { 0 };
        jmp_datagram datagram = { .struct_size = sizeof datagram };
        uint64_t header[2] = { 100000 + offset, 0 };
        uint64_t received = victim.nodes[GATEWAY].received;
        memcpy(bytes + offset, header, sizeof header);
        CHECK_OK(jmp_send(C, S, bytes + offset, 64, NOW, bytes, sizeof bytes, &datagram));
        jmp_address from = world_client_address(&victim, datagram.transport);
        CHECK_EQUAL(world_inject(&victim, GATEWAY, datagram.transport, &from, bytes, datagram.length).payload_length, 64);
        CHECK_EQUAL(victim.nodes[GATEWAY].received, received + 1);
        CHECK(victim.nodes[GATEWAY].seen[100000 + offset] == 1);
        world_drain(&victim, CLIENT);
    }
    victim_close();
}

static void sendBatchRefusesItemsOutsideItsBuffers(void)
{
    enum { PAYLOADS = 256, ROOM = 512 };
    uint8_t payloads[PAYLOADS] = { 0 }, buffer[ROOM];
    size_t done = 99;
    victim_open();
    const struct { uint32_t po, pl, bo, bc; } wrong[] = {
        { PAYLOADS + 1, 0, 0, ROOM }, { 0, PAYLOADS + 1, 0, ROOM }, { PAYLOADS, 1, 0, ROOM }, { 1, UINT32_MAX, 0, ROOM },
        { UINT32_MAX, 1, 0, ROOM }, { UINT32_MAX, UINT32_MAX, 0, ROOM }, { 0, 1, ROOM + 1, 0 }, { 0, 1, 1, ROOM },
        { 0, 1, UINT32_MAX, UINT32_MAX }, { 0, 1, ROOM, UINT32_MAX }, { 0, 1, 0, UINT32_MAX } };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        jmp_send_item item = { .session = S, .payload_offset = wrong[i].po, .payload_length = wrong[i].pl,
                               .buffer_offset = wrong[i].bo, .buffer_capacity = wrong[i].bc,
                               .datagram = { .struct_size = sizeof item.datagram } };
        REFUSED(jmp_send_batch(C, &item, 1, payloads, sizeof payloads, NOW, buffer, sizeof buffer, &done), JMP_OK);
        CHECK_EQUAL(item.status, JMP_ERR_ARGUMENT);
        CHECK_EQUAL(done, 0);
    }
    const size_t counts[] = { SIZE_MAX, SIZE_MAX / 2 + 1 };
    jmp_send_item item = { .session = S };
    for (int i = 0; i < 2; i++) {
        REFUSED(jmp_send_batch(C, &item, counts[i], payloads, sizeof payloads, NOW, buffer, sizeof buffer, &done), JMP_ERR_ARGUMENT);
        REFUSED(jmp_send_batch(C, &item, 1, payloads, counts[i], NOW, buffer, sizeof buffer, &done), JMP_ERR_ARGUMENT);
        REFUSED(jmp_send_batch(C, &item, 1, payloads, sizeof payloads, NOW, buffer, counts[i], &done), JMP_ERR_ARGUMENT);
    }
    /* A wrong item does not hinder the right ones around it. */
    jmp_send_item items[3];
    memset(items, 0, sizeof items);
    for (int i = 0; i < 3; i++) {
        items[i] = (jmp_send_item){ .session = i == 1 ? S + 12345 : S, .payload_length = 16, .buffer_offset = (uint32_t)i * 150,
                                    .buffer_capacity = 150, .datagram = { .struct_size = sizeof items[i].datagram } };
    }
    CHECK_OK(jmp_send_batch(C, items, 3, payloads, sizeof payloads, NOW, buffer, sizeof buffer, &done));
    CHECK_EQUAL(done, 2);
    CHECK_EQUAL(items[0].status, JMP_OK);
    CHECK_EQUAL(items[1].status, JMP_ERR_SESSION);
    CHECK_EQUAL(items[2].status, JMP_OK);
    CHECK(items[2].datagram.packet_number > items[0].datagram.packet_number);
    victim_close();
}

static void receiveChecksItsArguments(void)
{
    jmp_address from = world_gateway_address(0);
    jmp_received received = { .struct_size = sizeof received };
    uint8_t *bytes = calloc(1, 70000);
    if (!bytes) abort();
    victim_open();
    REFUSED(jmp_receive(C, 0, &from, bytes, SIZE_MAX, NOW, &received), JMP_ERR_ARGUMENT);
    REFUSED(jmp_receive(C, 0, &from, bytes, SIZE_MAX / 2 + 1, NOW, &received), JMP_ERR_ARGUMENT);
    for (int i = 0; i < 3; i++) {
        jmp_address wrong = from;
        if (i == 0) wrong.length = 0;
        if (i == 1) wrong.length = JMP_ADDRESS_MAX + 1;
        if (i == 2) wrong.prefix_length = wrong.length + 1;
        uint32_t path;
        REFUSED(jmp_receive(C, 0, &wrong, bytes, 40, NOW, &received), JMP_ERR_ARGUMENT);
        REFUSED(jmp_path_add(C, S, 1, &wrong, NOW, &path), JMP_ERR_ARGUMENT);
    }
    const struct { size_t length; uint32_t cause; } dropped[] = {
        { 0, JMP_DROP_TOO_SHORT }, { 65508, JMP_DROP_TOO_LONG }, { 70000, JMP_DROP_TOO_LONG } };
    for (int i = 0; i < 3; i++) {
        uint64_t before = world_stats(&victim, CLIENT).dropped[dropped[i].cause];
        CHECK_OK(jmp_receive(C, 0, &from, i ? bytes : NULL, dropped[i].length, NOW, &received));
        CHECK_EQUAL(received.kind, JMP_RECEIVED_NOTHING);
        CHECK_EQUAL(received.drop_cause, dropped[i].cause);
        CHECK_EQUAL(world_stats(&victim, CLIENT).dropped[dropped[i].cause], before + 1);
    }
    const struct { uint32_t offset, length; } wrong[] = {
        { 101, 0 }, { 0, 101 }, { 100, 1 }, { UINT32_MAX, 1 }, { 1, UINT32_MAX }, { UINT32_MAX, UINT32_MAX } };
    for (int i = 0; i < 6; i++) {
        jmp_receive_item item = { .transport = 0, .offset = wrong[i].offset, .length = wrong[i].length, .from = from,
                                  .received = { .struct_size = sizeof item.received } };
        REFUSED(jmp_receive_batch(C, &item, 1, bytes, 100, NOW), JMP_OK);
        CHECK_EQUAL(item.status, JMP_ERR_ARGUMENT);
        REFUSED(jmp_receive_batch(C, &item, SIZE_MAX, bytes, 100, NOW), JMP_ERR_ARGUMENT);
        REFUSED(jmp_receive_batch(C, &item, 1, bytes, SIZE_MAX, NOW), JMP_ERR_ARGUMENT);
    }
    free(bytes);
    victim_close();
}

/* What does not fit a small buffer is still there for a larger one. */
static void pollTransmitLosesNothing(void)
{
    uint8_t bytes[WORLD_DATAGRAM_SIZE];
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    jmp_connect_config config;
    jmp_session session;
    victim_open();
    world_connect_config(&victim, JMP_PATTERN_NNPSK0, &config);
    CHECK_OK(jmp_connect(C, &config, NOW, &session));
    for (size_t capacity = 0; capacity < 60; capacity++)
        CHECK_EQUAL(jmp_poll_transmit(C, NOW, bytes, capacity, &datagram), JMP_ERR_BUFFER_TOO_SMALL);
    CHECK_OK(jmp_poll_transmit(C, NOW, bytes, JMP_DEFAULT_MTU, &datagram));
    CHECK_EQUAL(bytes[0], 0xc1);
    CHECK_EQUAL(datagram.session, session);
    CHECK_EQUAL(jmp_poll_transmit(C, NOW, bytes, JMP_DEFAULT_MTU, &datagram), JMP_AGAIN);
    victim_close();
}

static void textsNeedTheirRoom(void)
{
    jmp_path_info paths[JMP_MAX_PATHS];
    char json[2048], small[2048];
    size_t length = 0, count = 0;
    victim_open();
    CHECK(victim.nodes[CLIENT].event_count > 0);
    const jmp_event *event = &victim.nodes[CLIENT].events[victim.nodes[CLIENT].event_count - 1];
    CHECK_OK(jmp_event_to_json(event, json, sizeof json, &length));
    CHECK_EQUAL(strlen(json), length);
    CHECK(json[0] == '{' && json[length - 1] == '}' && !strchr(json, '\n'));
    for (size_t capacity = 0; capacity <= length; capacity++)
        REFUSED(jmp_event_to_json(event, small, capacity, &count), JMP_ERR_BUFFER_TOO_SMALL);
    CHECK_OK(jmp_event_to_json(event, small, length + 1, &count));
    CHECK(!strcmp(json, small));
    REFUSED(jmp_session_get_paths(C, S, paths, 1, &count), JMP_ERR_BUFFER_TOO_SMALL);
    CHECK_EQUAL(count, 2);
    REFUSED(jmp_session_get_paths(C, S, NULL, 0, &count), JMP_ERR_BUFFER_TOO_SMALL);
    CHECK_EQUAL(count, 2);
    REFUSED(jmp_session_explain(C, S, NOW, small, 0), JMP_ERR_ARGUMENT);
    victim_close();
}

static void keysAndPassphrasesAreChecked(void)
{
    uint8_t key[JMP_KEY_SIZE] = { 9 }, other[JMP_KEY_SIZE] = { 0 }, zeros[JMP_KEY_SIZE] = { 0 }, text[2048] = { 'x' };
    victim_open();
    REFUSED(jmp_psk_from_passphrase(text, 0, NULL, 0, NULL, 0, key), JMP_ERR_ARGUMENT);
    REFUSED(jmp_psk_from_passphrase(text, 1025, NULL, 0, NULL, 0, key), JMP_ERR_ARGUMENT);
    REFUSED(jmp_psk_from_passphrase(text, SIZE_MAX, NULL, 0, NULL, 0, key), JMP_ERR_ARGUMENT);
    REFUSED(jmp_psk_from_passphrase(text, 1, text, 256, NULL, 0, key), JMP_ERR_ARGUMENT);
    REFUSED(jmp_psk_from_passphrase(text, 1, NULL, 0, text, JMP_HINT_MAX + 1, key), JMP_ERR_ARGUMENT);
    REFUSED(jmp_endpoint_add_psk(G, text, JMP_HINT_MAX + 1, key), JMP_ERR_ARGUMENT);
    REFUSED(jmp_endpoint_add_psk(G, text, SIZE_MAX, key), JMP_ERR_ARGUMENT);
    REFUSED(jmp_endpoint_remove_psk(G, text, SIZE_MAX), JMP_ERR_ARGUMENT);
    REFUSED(jmp_endpoint_add_psk(G, text, 1, zeros), JMP_ERR_KEY);
    REFUSED(jmp_endpoint_add_psk(G, NULL, 0, key), JMP_ERR_EXISTS);
    REFUSED(jmp_endpoint_remove_psk(G, text, 5), JMP_ERR_NOT_FOUND);
    REFUSED(jmp_endpoint_remove_client_key(G, key), JMP_ERR_NOT_FOUND);
    REFUSED(jmp_endpoint_add_client_key(G, zeros, NULL), JMP_ERR_KEY);      /* a point of small order */
    REFUSED(jmp_endpoint_set_static_key(G, zeros), JMP_ERR_KEY);
    CHECK_OK(jmp_public_key(key, other));
    CHECK_OK(jmp_endpoint_add_client_key(G, other, NULL));
    REFUSED(jmp_endpoint_add_client_key(G, other, key), JMP_ERR_EXISTS);
    CHECK_OK(jmp_endpoint_remove_client_key(G, other));
    victim_close();
}

static void routeKnowsItsOwnDatagramsOnly(void)
{
    uint8_t bytes[WORLD_DATAGRAM_SIZE] = { 0 };
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    victim_open();
    CHECK_OK(jmp_send(C, S, bytes, 16, NOW, bytes, sizeof bytes, &datagram));
    for (int first = 0; first < 256; first++) {
        for (size_t length = 0; length < 60; length++) {
            jmp_route route = { .struct_size = sizeof route };
            bytes[0] = (uint8_t)first;
            jmp_status status = jmp_route_datagram(bytes, length, &route);
            bool is_data = first >> 6 == 1, is_handshake = first >= 0xc1 && first <= 0xc4;
            CHECK(status == JMP_OK || status == JMP_ERR_ARGUMENT);
            if (status == JMP_OK) {
                CHECK(length >= 9 && (is_data || is_handshake));
                CHECK(is_data ? route.kind == JMP_DATAGRAM_DATA : route.kind == (uint32_t)first - 0xc0);
            }
            if (is_data && length >= JMP_DATAGRAM_OVERHEAD) CHECK_EQUAL(status, JMP_OK);
        }
    }
    jmp_route route = { .struct_size = sizeof route };
    CHECK_EQUAL(jmp_route_datagram(bytes, SIZE_MAX, &route), JMP_ERR_ARGUMENT);
    victim_close();
}

/* ------------------------------------------------------------- states, roles, limits */

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
    RUN(everyPolicyFieldIsChecked);
    RUN(everyConfigFieldIsChecked);
    RUN(messagesAreCutToTheirBuffer);
    RUN(transportDescriptionsAreChecked);
    RUN(connectDescriptionsAreChecked);
    RUN(sendRefusesWhatDoesNotFit);
    RUN(sendWorksInPlace);
    RUN(sendBatchRefusesItemsOutsideItsBuffers);
    RUN(receiveChecksItsArguments);
    RUN(pollTransmitLosesNothing);
    RUN(textsNeedTheirRoom);
    RUN(keysAndPassphrasesAreChecked);
    RUN(routeKnowsItsOwnDatagramsOnly);
    RUN(wrongRolesAndStatesAreRefused);
    RUN(terminatedSessionsTakeNothingMore);
    RUN(fullTablesRefuseAndStaySound);
    RUN(unreadEventsAreCountedAsDropped);
    RUN(namesAreNeverMissing);
    return check_summary();
}
