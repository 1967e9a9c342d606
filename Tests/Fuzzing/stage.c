#include "keys.h"
#include "stage.h"

#include "json.h"

const uint8_t stage_psk[JMP_KEY_SIZE] = "a key that client and gateway s";

void (*stage_event_tap)(const jmp_event *event);

static const uint8_t secrets[NODES][JMP_KEY_SIZE] = { "X25519 secret of the client", "X25519 secret of the gateway" };
static uint8_t public_keys[NODES][JMP_KEY_SIZE];

#define MUST(call) do { jmp_status status_ = (call); REQUIRE(status_ == JMP_OK, "%s", jmp_strerror(status_)); } while (0)

uint64_t stage_hash(uint64_t hash, const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < length; i++) hash = (hash ^ byte[i]) * 0x100000001b3u;
    return hash;
}

jmp_address stage_client_address(const struct stage *stage, uint32_t link)
{
    return (jmp_address){ .length = 6, .prefix_length = 4, .bytes = { 10, 0, 0, (uint8_t)link, 0xC3, stage->links[link].port } };
}

jmp_address stage_gateway_address(uint32_t link)
{
    return (jmp_address){ .length = 6, .prefix_length = 4, .bytes = { 192, 0, 2, (uint8_t)link, 0x11, 0x51 } };
}

jmp_endpoint *stage_enter(struct stage *stage, int who)
{
    keys_owner = who;
    return stage->nodes[who].endpoint;
}

jmp_session_info stage_info(struct stage *stage, int who, jmp_session session)
{
    jmp_session_info info = { .struct_size = sizeof info };
    if (jmp_session_get_info(stage_enter(stage, who), session, &info) != JMP_OK) info.state = UINT32_MAX;
    return info;
}

/* ------------------------------------------------------------------ in and out */

static bool same_address(const jmp_address *left, const jmp_address *right)
{
    return left->length == right->length && !memcmp(left->bytes, right->bytes, left->length);
}

static void put_on_link(struct stage *stage, int who, const jmp_datagram *datagram, const uint8_t *bytes)
{
    uint32_t link = datagram->transport;
    REQUIRE(datagram->length > 0 && datagram->length <= DATAGRAM_MAX, "length %u", datagram->length);
    REQUIRE(link < JMP_MAX_TRANSPORTS, "transport %u", link);
    stage->hash = stage_hash(stage->hash, bytes, datagram->length);
    stage->nodes[who].sent_datagrams++;
    TRACE("%llu %s sends %u bytes on link %u, first frame %02x", (unsigned long long)stage->now, who == CLIENT ? "client" : "gateway",
          datagram->length, link, keys_frames(who, &(size_t){ 0 })[0]);
    if (who == GATEWAY) check_account(stage, link, &datagram->to, 0, datagram->length);
    if (link >= LINKS) return;
    struct flight flight = { .due = stage->now + LATENCY_US, .from = who, .link = link, .length = datagram->length };
    flight.source = who == CLIENT ? stage_client_address(stage, link) : stage_gateway_address(link);
    memcpy(flight.bytes, bytes, datagram->length);
    stage->history[stage->history_count++ % HISTORY] = flight;
    jmp_address wanted = who == CLIENT ? stage_gateway_address(link) : stage_client_address(stage, link);
    if (stage->links[link].is_black_hole[who] || !same_address(&datagram->to, &wanted)) return;
    if (stage->flight_count < FLIGHTS) stage->flights[stage->flight_count++] = flight;
}

static void read_event(struct stage *stage, int who, const jmp_event *event)
{
    char line[2048];
    size_t length = 0;
    if (stage_event_tap) stage_event_tap(event);
    check_event(stage, who, event);
    if (event->type == JMP_EVENT_ACCEPT_REQUESTED) {
        stage->nodes[who].waiting = event->session;
        stage->nodes[who].waiting_pattern = event->pattern;
    }
    if (event->type == JMP_EVENT_SESSION_CREATED && !stage->nodes[who].session) stage->nodes[who].session = event->session;
    stage->hash = stage_hash(stage->hash, event, sizeof *event);
    if (event->sequence % 4 && !is_tracing()) return;      /* `parse` is about JSON; here it would take half of the time */
    REQUIRE(jmp_event_to_json(event, line, sizeof line, &length) == JMP_OK, "an event of the library itself has no JSON");
    REQUIRE(json_is_object(line, length), "not one line of JSON: %s", line);
    TRACE("  %s", line);
}

void stage_take(struct stage *stage, int who, unsigned many)
{
    static uint8_t bytes[JMP_PROTECTED_PAYLOAD_MAX];
    jmp_payload payload = { .struct_size = sizeof payload };
    keys_owner = who;
    for (unsigned i = 0; i < many; i++) {
        jmp_status status = jmp_poll_payload(stage->nodes[who].endpoint, stage->now, bytes, sizeof bytes, &payload);
        if (status == JMP_AGAIN) return;
        REQUIRE(status == JMP_OK, "%d", status);
        REQUIRE(payload.session && payload.length <= sizeof bytes && payload.channel < JMP_CHANNELS, "a payload of %u bytes on channel %u", payload.length,
                payload.channel);
        stage->hash = stage_hash(stage->hash, &payload, sizeof payload);
        stage->hash = stage_hash(stage->hash, bytes, payload.length < 64 ? payload.length : 64);
    }
}

void stage_settle(struct stage *stage, int who)
{
    struct node *node = &stage->nodes[who];
    uint8_t bytes[DATAGRAM_MAX];
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    jmp_event event = { .struct_size = sizeof event };
    jmp_status status;
    int turns = 0;
    if (!node->is_reading_paused) stage_take(stage, who, UINT32_MAX);
    keys_owner = who;
    while ((status = jmp_poll_transmit(node->endpoint, stage->now, bytes, sizeof bytes, &datagram)) == JMP_OK) {
        put_on_link(stage, who, &datagram, bytes);
        REQUIRE(turns++ < 3000, "a call makes datagrams without end");
    }
    REQUIRE(status == JMP_AGAIN, "%d", status);
    while ((status = jmp_poll_event(node->endpoint, &event)) == JMP_OK) {
        read_event(stage, who, &event);
        REQUIRE(turns++ < 12000, "a call makes events without end");
    }
    REQUIRE(status == JMP_AGAIN, "%d", status);
    check_node(stage, who);
}

jmp_received stage_receive(struct stage *stage, int to, uint32_t link, const jmp_address *source, const uint8_t *bytes, size_t length,
                           const uint8_t **payload)
{
    static uint8_t kept[DATAGRAM_MAX];
    uint8_t *copy = malloc(length ? length : 1);
    jmp_received received = { .struct_size = sizeof received };
    jmp_endpoint_stats before = { .struct_size = sizeof before }, after = before;
    REQUIRE(copy, "memory");
    if (length) memcpy(copy, bytes, length);
    jmp_endpoint *endpoint = stage_enter(stage, to);
    if (to == GATEWAY) check_account(stage, link, source, length, 0);
    MUST(jmp_endpoint_get_stats(endpoint, &before));
    /* Planted: a datagram said to be longer than its memory; the library must be seen to read beyond it. */
    if (is_planted("overread") && length && copy[0] == 0xC1) length++;
    jmp_status status = jmp_receive(endpoint, link, source, copy, length, stage->now, &received);
    MUST(jmp_endpoint_get_stats(endpoint, &after));
    if (status != JMP_OK) {
        REQUIRE(status == JMP_ERR_TRANSPORT || status == JMP_ERR_ARGUMENT, "%d", status);
        REQUIRE(!memcmp(&before, &after, sizeof after), "an error changed the counters");
        received.drop_cause = JMP_DROP_NONE;
    } else {
        REQUIRE(after.datagrams_received == before.datagrams_received + 1, "not counted");
        /* What follows a protected payload in its datagram may be malformed. */
        if (received.kind == JMP_RECEIVED_PROTECTED) before.dropped[JMP_DROP_MALFORMED] = after.dropped[JMP_DROP_MALFORMED];
        for (uint32_t cause = 0; cause < JMP_DROP_CAUSES; cause++)
            REQUIRE(after.dropped[cause] == before.dropped[cause] + (cause && cause == received.drop_cause), "drop cause %u told, %u counted",
                    received.drop_cause, cause);
    }
    if (received.kind == JMP_RECEIVED_PROTECTED) REQUIRE(received.channel < JMP_CHANNELS, "channel %u", received.channel);
    if (received.kind == JMP_RECEIVED_PAYLOAD || received.kind == JMP_RECEIVED_PROTECTED) {
        REQUIRE((size_t)received.payload_offset + received.payload_length <= length, "payload outside the datagram");
        REQUIRE(received.session && received.drop_cause == JMP_DROP_NONE, "a payload of nobody");
        memcpy(kept, copy + received.payload_offset, received.payload_length);
        if (payload) *payload = kept;
    } else {
        REQUIRE(received.kind == JMP_RECEIVED_NOTHING, "kind %u", received.kind);
    }
    free(copy);
    TRACE("%llu %s receives %zu bytes on link %u: %s, packet %lld, path %d", (unsigned long long)stage->now, to == CLIENT ? "client" : "gateway",
          length, link, jmp_drop_name(received.drop_cause), (long long)received.packet_number, (int)received.path);
    if (to == GATEWAY) check_proven(stage, received.session);
    stage_settle(stage, to);
    return received;
}

void stage_drop(struct stage *stage, uint32_t number)
{
    if (number < stage->flight_count)
        memmove(stage->flights + number, stage->flights + number + 1, (--stage->flight_count - number) * sizeof *stage->flights);
}

void stage_deliver(struct stage *stage, uint32_t number)
{
    if (number >= stage->flight_count) return;
    struct flight flight = stage->flights[number];
    stage_drop(stage, number);
    stage_receive(stage, !flight.from, flight.link, &flight.source, flight.bytes, flight.length, NULL);
}

jmp_status stage_send(struct stage *stage, int who, size_t length)
{
    uint8_t buffer[DATAGRAM_MAX], payload[DATAGRAM_MAX] = { 0xDA };
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    if (length > sizeof payload) length = sizeof payload;
    jmp_status status = jmp_send(stage_enter(stage, who), stage->nodes[who].session, payload, length, stage->now, buffer, sizeof buffer,
                                 &datagram);
    if (status == JMP_OK) put_on_link(stage, who, &datagram, buffer);
    stage_settle(stage, who);
    return status;
}

jmp_status stage_send_protected(struct stage *stage, int who, size_t length, const struct block *choice)
{
    static uint8_t payload[JMP_PROTECTED_PAYLOAD_MAX];
    jmp_payload_options options;
    MUST(jmp_payload_options_init(&options));
    options.channel = choice->c % JMP_CHANNELS;
    options.report = choice->e & 1;
    options.tag = choice->d;
    if (choice->e & 2) options.time_to_live_us = 1 + choice->e / 4u * (uint64_t)(10 * MS);
    if (length > sizeof payload) length = sizeof payload;
    if (length) payload[0] = choice->f;
    jmp_status status = jmp_send_protected(stage_enter(stage, who), stage->nodes[who].session, payload, length, &options, stage->now);
    REQUIRE(status == JMP_OK || status == JMP_AGAIN || status == JMP_ERR_STATE || status == JMP_ERR_TERMINATED || status == JMP_ERR_SESSION
            || status == JMP_ERR_TOO_LONG, "%d", status);
    stage_settle(stage, who);
    return status;
}

/* ------------------------------------------------------------------------ time */

void stage_timeout(struct stage *stage, int who)
{
    jmp_time deadline = 0;
    for (int turns = 0;; turns++) {
        MUST(jmp_next_timeout(stage_enter(stage, who), &deadline));
        if (deadline > stage->now && turns) break;
        REQUIRE(turns < 64, "timeouts at %llu never end", (unsigned long long)stage->now);
        MUST(jmp_handle_timeout(stage_enter(stage, who), stage->now));
        stage_settle(stage, who);
    }
    check_deadlines(stage, who);
}

void stage_run(struct stage *stage, jmp_time duration_us)
{
    jmp_time end = stage->now + duration_us;
    for (int turns = 0; turns < TURNS_MAX; turns++) {
        jmp_time next = end, deadline;
        for (int who = 0; who < NODES; who++) {
            MUST(jmp_next_timeout(stage_enter(stage, who), &deadline));
            if (deadline < next) next = deadline;
        }
        for (uint32_t i = 0; i < stage->flight_count; i++)
            if (stage->flights[i].due < next) next = stage->flights[i].due;
        if (next > stage->now) stage->now = next;
        for (uint32_t i = 0; i < stage->flight_count;) {
            if (stage->flights[i].due <= stage->now) stage_deliver(stage, i);
            else i++;
        }
        for (int who = 0; who < NODES; who++) {
            MUST(jmp_next_timeout(stage_enter(stage, who), &deadline));
            if (deadline <= stage->now) stage_timeout(stage, who);
        }
        if (stage->now >= end) return;
    }
}

/* ------------------------------------------------------------- begin and end */

static void open_node(struct stage *stage, int who, const struct stage_options *options)
{
    struct node *node = &stage->nodes[who];
    uint8_t seed[JMP_KEY_SIZE] = { 0xF0, (uint8_t)who };
    jmp_config config;
    MUST(jmp_config_init(&config));
    config.flags = who == CLIENT ? JMP_CONFIG_INITIATE : options->gateway_flags ? options->gateway_flags : JMP_CONFIG_ACCEPT;
    config.max_sessions = stage->max_sessions = 4;
    config.max_half_open = 3;
    config.max_waiting = 2;
    config.event_capacity = 64;
    config.cookie_threshold = options->cookie_threshold;
    config.source_burst = 8;
    config.telemetry_interval_ms = options->telemetry_ms;
    config.suites = options->suites;
    config.send_buffer = who == CLIENT ? 4u << 20 : 131072;
    config.receive_buffer = who == CLIENT ? 1u << 20 : 65536;
    config.delivery_memory = 4u << 20;
    config.node_tag = 0xABCD;
    strcpy(config.node_id, who == CLIENT ? "client" : "gateway");
    keys_owner = who;
    MUST(jmp_endpoint_new_seeded(&config, options->policy, seed, stage->now, &node->endpoint));
    for (uint32_t i = 0; i < LINKS; i++) {
        jmp_transport_config transport;
        uint32_t number = JMP_TRANSPORT_NONE;
        MUST(jmp_transport_config_init(&transport));
        transport.name[0] = (char)('A' + i);
        transport.transport_class = i + 1;
        MUST(jmp_transport_add(node->endpoint, &transport, stage->now, &number));
    }
    if (!public_keys[who][0]) MUST(jmp_public_key(secrets[who], public_keys[who]));
    MUST(jmp_endpoint_set_static_key(node->endpoint, secrets[who]));
}

void stage_open(struct stage *stage, const struct stage_options *options)
{
    memset(stage, 0, sizeof *stage);
    keys_reset();
    stage->now = 1 * SECOND;
    stage->allowed_classes = options->policy ? options->policy->allowed_classes : UINT32_MAX;
    stage->hash = 0xcbf29ce484222325u;
    for (uint32_t i = 0; i < LINKS; i++) stage->links[i].port = 1;
    for (int who = 0; who < NODES; who++) open_node(stage, who, options);
    MUST(jmp_endpoint_add_psk(stage->nodes[GATEWAY].endpoint, NULL, 0, stage_psk));
    MUST(jmp_endpoint_add_client_key(stage->nodes[GATEWAY].endpoint, public_keys[CLIENT], NULL));
}

void stage_close(struct stage *stage)
{
    for (int who = 0; who < NODES; who++)
        if (who != CLIENT || !is_planted("leak")) MUST(jmp_endpoint_free(stage->nodes[who].endpoint));
}

bool stage_connect(struct stage *stage, uint32_t pattern)
{
    jmp_connect_config config;
    jmp_session session = 0;
    MUST(jmp_connect_config_init(&config));
    config.pattern = pattern;
    config.transport = 0;
    config.remote = stage_gateway_address(0);
    strcpy(config.label, "fuzz");
    if (pattern == JMP_PATTERN_NNPSK0) memcpy(config.psk, stage_psk, sizeof config.psk);
    else memcpy(config.gateway_key, public_keys[GATEWAY], sizeof config.gateway_key);
    jmp_status status = jmp_connect(stage_enter(stage, CLIENT), &config, stage->now, &session);
    if (status == JMP_OK && !stage->nodes[CLIENT].session) stage->nodes[CLIENT].session = session;
    stage_settle(stage, CLIENT);
    return status == JMP_OK;
}

jmp_status stage_add_path(struct stage *stage, uint32_t link)
{
    jmp_address remote = stage_gateway_address(link);
    uint32_t path = JMP_PATH_NONE;
    jmp_status status = jmp_path_add(stage_enter(stage, CLIENT), stage->nodes[CLIENT].session, link, &remote, stage->now, &path);
    stage_settle(stage, CLIENT);
    return status;
}
