/* Hostile host calls, part two: values out of range in policies, configurations and descriptions. Every refusal names what was
 * wrong and changes nothing. */
#include "hostile.h"

#include <stdlib.h>
#include <string.h>

#define C victim.nodes[CLIENT].endpoint
#define G victim.nodes[GATEWAY].endpoint
#define S victim.nodes[CLIENT].session
#define NOW victim.now

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
    P(loss_volatile_threshold_ppm, 999, 1000001), P(max_consecutive_drops, 1, 33), P(max_switches_per_min, 0, 61),
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

int main(void)
{
    RUN(everyPolicyFieldIsChecked);
    RUN(everyConfigFieldIsChecked);
    RUN(messagesAreCutToTheirBuffer);
    RUN(transportDescriptionsAreChecked);
    RUN(connectDescriptionsAreChecked);
    return check_summary();
}
