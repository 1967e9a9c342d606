/* Fuzz target: what is parsed or written without a session: policies, configurations and connect descriptions, events to JSON,
 * datagrams for balancers, handshake datagrams at endpoints that were never spoken to. */
#include "json.h"
#include "keys.h"
#include "states.h"

enum { JSON_ENOUGH = 2048, MESSAGE = 160, SHORTEST_DATA = 29 };

/* A message fits its capacity, ends in a zero, and is there exactly when something is wrong. */
static void check_message(const char *message, size_t capacity, jmp_status status)
{
    if (!capacity) return;
    REQUIRE(memchr(message, 0, capacity), "no final zero");
    REQUIRE(status == JMP_OK || capacity < 16 || strlen(message) >= 8, "an error without a reason: \"%s\"", message);
    REQUIRE(status != JMP_OK || !message[0], "\"%s\" about a valid one", message);
}

static jmp_endpoint *make_endpoint(const jmp_policy *policy, uint32_t flags)
{
    uint8_t seed[JMP_KEY_SIZE] = { 3 };
    jmp_endpoint *endpoint = NULL;
    jmp_config config;
    jmp_config_init(&config);
    config.suites = JMP_SUITE_CHACHA20_POLY1305;
    config.flags = flags;
    config.max_sessions = 4;
    config.event_capacity = 64;
    jmp_status status = jmp_endpoint_new_seeded(&config, policy, seed, 1, &endpoint);
    REQUIRE(status == JMP_OK || (policy && !(policy->suites & 1) && status == JMP_ERR_SUITE), "%d", status);
    return endpoint;
}

/* ----------------------------------------------------------------- descriptions */

/* The ranges of the table in Policy.md, written down a second time. */
static bool is_valid(const jmp_policy *p)
{
    static const uint64_t day = UINT64_C(86400) * SECOND, minutes = UINT64_C(60) * SECOND;
    bool is_text = false;
    for (size_t i = 0; i < sizeof p->version && !is_text; i++) {
        if (!p->version[i]) is_text = true;
        else if (p->version[i] < 0x20 || p->version[i] > 0x7E) return false;
    }
    for (size_t i = 0; i < sizeof p->reserved; i++)
        if (p->reserved[i]) return false;
#define IN(field, low, high) (p->field >= (low) && p->field <= (high))
    return is_text && p->struct_size == sizeof *p && IN(strict_binding, 0, 1) && IN(max_lifetime_us, SECOND, 7 * day)
        && IN(transport_lost_ttl_us, SECOND, day) && IN(heartbeat_interval_us, 20 * MS, minutes)
        && IN(idle_heartbeat_us, p->heartbeat_interval_us, 10 * minutes) && IN(heartbeat_volatile_us, 20 * MS, minutes)
        && IN(loss_window_us, 100 * MS, minutes) && IN(volatile_to_degraded_us, 10 * MS, 10 * minutes) && IN(switch_cooldown_us, 0, 10 * minutes)
        && IN(recovery_window_us, 100 * MS, 10 * minutes) && IN(proof_max_age_us, 100 * MS, minutes)
        && (!p->latency_volatile_threshold_us || IN(latency_volatile_threshold_us, MS, minutes)) && IN(stability_window_us, 10 * MS, minutes)
        && IN(key_max_age_us, SECOND, day) && IN(loss_volatile_threshold_ppm, 1000, 1000000) && IN(max_consecutive_drops, 2, 32)
        && IN(max_switches_per_min, 1, 60) && IN(switch_improvement_ppm, 1000000, 10000000) && IN(max_candidates, 0, 6) && p->allowed_classes
        && IN(replay_window, 64, 65536) && !(p->replay_window & (p->replay_window - 1)) && IN(suites, 1, JMP_SUITE_ALL)
        && IN(redundancy, JMP_REDUNDANCY_NEVER, JMP_REDUNDANCY_ALWAYS) && IN(redundancy_share_ppm, 1000, 1000000)
        && IN(control_expendable, 0, 1);
#undef IN
}

static void try_policy(const struct block *block, struct input *input)
{
    jmp_policy policy;
    char message[MESSAGE];
    size_t capacity = block->d % (sizeof message + 1);
    jmp_policy_init(&policy);
    if (block->a & 1) {
        input_bytes(input, &policy, sizeof policy);
        if (block->a & 2) policy.struct_size = sizeof policy, memset(policy.reserved, 0, sizeof policy.reserved);
    } else {    /* one to four fields of a good one */
        for (int i = 0; i <= block->a / 4 % 4; i++) {
            struct block change = input_block(input);
            uint8_t *field = (uint8_t *)&policy + (change.a * 4u) % sizeof policy;
            uint32_t value = change.op & 1 ? UINT32_MAX << (change.b & 31) : (uint32_t)change.d << (change.b & 15);
            memcpy(field, &value, sizeof value);
        }
    }
    jmp_status status = jmp_policy_check(&policy, capacity ? message : NULL, capacity);
    check_message(message, capacity, status);
    REQUIRE(status == JMP_OK || status == JMP_ERR_POLICY || status == JMP_ERR_STRUCT_SIZE, "%d", status);
    REQUIRE((status == JMP_OK) == is_valid(&policy), "%s, the table says otherwise", jmp_strerror(status));
    if (status != JMP_OK) {
        jmp_endpoint *endpoint = (jmp_endpoint *)1;
        REQUIRE(jmp_endpoint_new(NULL, &policy, 1, &endpoint) == status && !endpoint, "an endpoint with an invalid policy");
        return;
    }
    if (!(policy.suites & JMP_SUITE_CHACHA20_POLY1305)) return;
    /* Set and got again it is the same; the hello's limits tighten nothing that is there already. */
    static struct stage stage;
    struct stage_options options = { .suites = JMP_SUITE_CHACHA20_POLY1305, .cookie_threshold = 8, .policy = &policy };
    jmp_policy got = { .struct_size = sizeof got };
    size_t text = strlen(policy.version);
    memset(policy.version + text, 0, sizeof policy.version - text);     /* nothing behind the final zero counts */
    stage_open(&stage, &options);
    if (stage_connect(&stage, JMP_PATTERN_NNPSK0)) {
        for (int i = 0; i < 3; i++) stage_deliver(&stage, 0);
        for (int who = 0; who < NODES; who++) {
            REQUIRE(stage_info(&stage, who, stage.nodes[who].session).state == JMP_STATE_ATTACHED, "not attached");
            REQUIRE(jmp_session_get_policy(stage_enter(&stage, who), stage.nodes[who].session, &got) == JMP_OK, "no policy");
            REQUIRE(!memcmp(&got, &policy, sizeof got), "the policy changed on its way");
        }
    } else {
        REQUIRE(!(policy.allowed_classes & 2), "class 1 is allowed");
    }
    stage_close(&stage);
}

static void try_config(const struct block *block, struct input *input)
{
    jmp_config config;
    char message[MESSAGE];
    size_t capacity = block->d % (sizeof message + 1);
    jmp_endpoint *endpoint = NULL;
    uint8_t seed[JMP_KEY_SIZE] = { 4 };
    jmp_config_init(&config);
    input_bytes(input, (uint8_t *)&config + 4, block->a & 1 ? sizeof config - 4 : 40);
    if (block->a & 2) memset(config.reserved, 0, sizeof config.reserved), config.reserved0 = 0;
    jmp_status status = jmp_config_check(&config, capacity ? message : NULL, capacity);
    check_message(message, capacity, status);
    if (status == JMP_OK && (config.max_sessions > 4096 || config.event_capacity > 1024)) return;    /* memory, not parsing */
    jmp_status made = jmp_endpoint_new_seeded(&config, NULL, seed, 1, &endpoint);
    REQUIRE(made == status || (status == JMP_OK && made == JMP_ERR_SUITE), "checked %d, made %d", status, made);
    if (made == JMP_OK) REQUIRE(jmp_endpoint_free(endpoint) == JMP_OK, "not freed");
}

static void try_connect(const struct block *block, struct input *input)
{
    jmp_endpoint *endpoint = make_endpoint(NULL, JMP_CONFIG_INITIATE);
    jmp_connect_config config;
    jmp_transport_config transport;
    jmp_session session = 1;
    uint32_t number = 0;
    jmp_connect_config_init(&config);
    jmp_transport_config_init(&transport);
    if (block->a & 1) input_bytes(input, &transport, sizeof transport), transport.struct_size = sizeof transport;
    if (block->a & 2) memset(transport.reserved, 0, sizeof transport.reserved), transport.mtu = JMP_MIN_MTU, transport.cost = 1;
    if (block->a & 3) transport.transport_class %= 33;
    else transport.name[0] = 'T';
    jmp_status added = jmp_transport_add(endpoint, &transport, 1, &number);
    REQUIRE(added == JMP_OK || added == JMP_ERR_ARGUMENT || added == JMP_ERR_STRUCT_SIZE, "%d", added);
    input_bytes(input, (uint8_t *)&config + 4, sizeof config - 4);
    if (block->a & 4) memset(config.reserved, 0, sizeof config.reserved), config.handshake_timeout_us = SECOND, config.pattern = 1 + block->b % 3;
    if (block->a & 8) config.transport = 0, config.hint_length %= 34, memset(config.remote.reserved, 0, sizeof config.remote.reserved);
    if (block->a & 16) config.remote.length %= 34, config.remote.prefix_length %= 34, memset(config.label, 'a', block->b % sizeof config.label);
    if (block->a & 32) jmp_endpoint_set_static_key(endpoint, stage_psk);
    jmp_status status = jmp_connect(endpoint, &config, 1, &session);
    REQUIRE((status == JMP_OK) == (session != 0), "session %llu with %d", (unsigned long long)session, status);
    REQUIRE(status == JMP_OK || status == JMP_ERR_ARGUMENT || status == JMP_ERR_STRUCT_SIZE || status == JMP_ERR_TRANSPORT || status == JMP_ERR_KEY,
            "%d is not documented", status);
    if (status == JMP_OK) {
        uint8_t bytes[DATAGRAM_MAX];
        jmp_datagram datagram = { .struct_size = sizeof datagram };
        REQUIRE(added == JMP_OK, "connected without a transport");
        REQUIRE(jmp_poll_transmit(endpoint, 1, bytes, sizeof bytes, &datagram) == JMP_OK && bytes[0] == 0xC1, "no INIT");
        REQUIRE(datagram.length == 16 + config.hint_length + (config.pattern == 1 ? 240 : 288), "INIT of %u bytes", datagram.length);
    }
    REQUIRE(jmp_endpoint_free(endpoint) == JMP_OK, "not freed");
}

/* ----------------------------------------------------------------------- events */

static void try_event(const struct block *block, struct input *input)
{
    jmp_event event;
    char line[JSON_ENOUGH], shorter[JSON_ENOUGH];
    size_t length = 0, needed = 0, capacity;
    input_bytes(input, &event, sizeof event);
    event.struct_size = sizeof event;
    if (block->a & 1) event.type %= JMP_EVENT_TRANSITION_REJECTED + 2;
    jmp_status status = jmp_event_to_json(&event, line, sizeof line, &length);
    REQUIRE(status == JMP_OK, "%d: 2,048 bytes always suffice", status);
    REQUIRE(length < sizeof line && !line[length] && strlen(line) == length, "length %zu", length);
    if (is_planted("json")) line[length - 1] = ']';
    REQUIRE(json_is_object(line, length), "not one line of JSON: %s", line);
    /* A buffer one byte short is an error, and nothing is written beyond it. */
    capacity = block->d % (length + 2);
    memset(shorter, 0x55, sizeof shorter);
    status = jmp_event_to_json(&event, shorter, capacity, &needed);
    REQUIRE(status == (capacity > length ? JMP_OK : JMP_ERR_BUFFER_TOO_SMALL), "%d with %zu bytes for %zu", status, capacity, length);
    for (size_t i = capacity; i < sizeof shorter; i++) REQUIRE(shorter[i] == 0x55, "byte %zu beyond %zu was written", i, capacity);
}

/* -------------------------------------------------------------------- datagrams */

static uint64_t big_endian(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value = value << 8 | bytes[i];
    return value;
}

static void try_route(const uint8_t *bytes, size_t length)
{
    jmp_route route = { .struct_size = sizeof route };
    uint8_t *copy = malloc(length ? length : 1);
    REQUIRE(copy, "memory");
    if (length) memcpy(copy, bytes, length);
    jmp_status status = jmp_route_datagram(copy, length, &route);
    free(copy);
    uint8_t first = length ? bytes[0] : 0;
    bool is_data = (first & 0xC0) == 0x40, is_long = first == 0xC1 || first == 0xC4;
    bool is_ours = is_data ? length >= SHORTEST_DATA : first >= 0xC1 && first <= 0xC4 && length >= (is_long ? 13 : 9);
    REQUIRE(status == (is_ours ? JMP_OK : JMP_ERR_ARGUMENT), "%d for %02x, %zu bytes", status, first, length);
    if (!is_ours) return;
    REQUIRE(route.kind == (is_data ? (uint32_t)JMP_DATAGRAM_DATA : first - 0xC0u), "kind %u", route.kind);
    REQUIRE(route.connection_id == (is_data ? big_endian(bytes + 1) : 0) && route.node_tag == route.connection_id >> 48, "connection id");
    REQUIRE(route.handshake_id == (is_data ? 0 : big_endian(bytes + (is_long ? 5 : 1))), "handshake id");
}

/* Handshake datagrams, raw or altered from genuine ones, to a client and a gateway in BIRTH. */
static void try_handshake(const struct block *block, struct input *input)
{
    static struct stage stage;
    struct stage_options options = { .suites = JMP_SUITE_CHACHA20_POLY1305, .cookie_threshold = block->a & 1 ? 0 : 8,
                                     .gateway_flags = JMP_CONFIG_ACCEPT | (block->a & 2 ? JMP_CONFIG_ASK : 0) };
    stage_open(&stage, &options);
    stage_connect(&stage, block->a & 4 ? JMP_PATTERN_IKPSK2 : JMP_PATTERN_NNPSK0);
    if (block->a & 8) stage_deliver(&stage, 0);
    for (int i = 0; i < 8 && !input_is_over(input); i++) {
        struct block change = input_block(input);
        uint8_t bytes[512];
        uint32_t kept = stage.history_count < HISTORY ? stage.history_count : HISTORY;
        struct flight flight = stage.history[(stage.history_count - 1 - change.a % kept) % HISTORY];
        size_t length = flight.length < sizeof bytes ? flight.length : sizeof bytes;
        memcpy(bytes, flight.bytes, length);
        if (change.op & 1) bytes[change.d % length] ^= (uint8_t)(change.e | 1);
        if (change.op & 2) length = change.f < length ? length - change.f : 0;
        if (change.op & 4) input_bytes(input, bytes, length = change.f), bytes[0] = (uint8_t)(0xC0 | (change.b & 7));
        if (change.op & 8) stage.now += change.d * (jmp_time)MS, stage_timeout(&stage, change.b & 1);
        try_route(bytes, length);
        int to = change.b & 0x80 ? flight.from : !flight.from;
        jmp_address source = flight.source;
        if (change.op & 16) source.bytes[5] ^= 1;
        jmp_received received = stage_receive(&stage, to, flight.link, &source, bytes, length, NULL);
        REQUIRE(received.kind == JMP_RECEIVED_NOTHING, "a payload out of a handshake");
        if (change.op & 32) stage_deliver(&stage, 0);
        if (change.op & 64) jmp_accept(stage_enter(&stage, GATEWAY), stage.nodes[GATEWAY].waiting, stage_psk, stage.now), stage_settle(&stage, GATEWAY);
    }
    stage_close(&stage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size, 0 };
    struct block first = input_block(&input);
    keys_owner = CLIENT;
    switch (first.op % 8) {
    case 0: case 1: try_policy(&first, &input); break;
    case 2: try_config(&first, &input); break;
    case 3: try_connect(&first, &input); break;
    case 4: try_event(&first, &input); break;
    case 5: try_route(data + (size < BLOCK_SIZE ? size : BLOCK_SIZE), size < BLOCK_SIZE ? 0 : size - BLOCK_SIZE); break;
    default: try_handshake(&first, &input); break;
    }
    return 0;
}
