#include "world.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_TURNS_AT_ONE_TIME = 20000,  /* more means that a timer never gets done */
    GATEWAY_PORT = 4000
};

static const uint8_t world_psk[JMP_KEY_SIZE] = "pre-shared key of this world";
static const char *const node_names[NODES] = { "client", "gateway" };

/* ------------------------------------------------------ luck, hash, addresses */

uint64_t world_random(struct world *world)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return world->random;
}

uint64_t world_hash(uint64_t hash, const void *bytes, size_t length)
{
    const uint8_t *b = bytes;
    for (size_t i = 0; i < length; i++) hash = (hash ^ b[i]) * 0x100000001b3u;
    return hash;
}

static jmp_address address_of(uint32_t link, uint8_t host, uint16_t port)
{
    jmp_address address = { .length = 6, .prefix_length = 4,
                            .bytes = { 10, (uint8_t)link, 0, host, (uint8_t)(port >> 8), (uint8_t)port } };
    return address;
}

jmp_address world_client_address(const struct world *world, uint32_t link)
{
    return address_of(link, 2, world->links[link].client_port);
}

jmp_address world_gateway_address(uint32_t link)
{
    return address_of(link, 1, GATEWAY_PORT);
}

bool world_same_address(const jmp_address *left, const jmp_address *right)
{
    return left->length == right->length && !memcmp(left->bytes, right->bytes, left->length);
}

/* --------------------------------------------------------------------- events */

/* What must hold for the session of a node in every test. */
static void check_trail(struct world_node *node, const jmp_event *event)
{
    static const uint8_t none[JMP_SESSION_ID_SIZE];
    if (memcmp(event->session_id, none, sizeof none)) {
        if (!memcmp(node->session_id, none, sizeof none)) memcpy(node->session_id, event->session_id, sizeof none);
        CHECK(!memcmp(node->session_id, event->session_id, sizeof none));
    }
    if (event->type != JMP_EVENT_SESSION_STATE_CHANGE) return;
    CHECK(node->state != JMP_STATE_TERMINATED);
    CHECK_EQUAL(event->previous_state, node->state);
    CHECK(event->new_state != event->previous_state);
    CHECK_EQUAL(event->state_version, node->version + 1);
    CHECK(event->reason != JMP_REASON_NONE);
    node->version = event->state_version;
    node->state = event->new_state;
}

static void keep_event(struct world *world, int who, const jmp_event *event)
{
    struct world_node *node = &world->nodes[who];
    char json[2048];
    size_t length = 0;
    if (node->event_count == node->event_capacity) {
        node->event_capacity = node->event_capacity ? 2 * node->event_capacity : 64;
        node->events = realloc(node->events, node->event_capacity * sizeof *node->events);
        if (!node->events) abort();
    }
    node->events[node->event_count++] = *event;
    if (CHECK_OK(jmp_event_to_json(event, json, sizeof json, &length))) world->hash = world_hash(world->hash, json, length);
    if (getenv("WORLD_TRACE")) fprintf(stderr, "%s\n", json);
    if (!node->session && event->type == JMP_EVENT_SESSION_CREATED) node->session = event->session;
    if (!world->ignores_trails && node->session && event->session == node->session) check_trail(node, event);
}

size_t world_count(const struct world *world, int node, uint32_t event_type)
{
    size_t count = 0;
    for (size_t i = 0; i < world->nodes[node].event_count; i++) count += world->nodes[node].events[i].type == event_type;
    return count;
}

const jmp_event *world_event(const struct world *world, int node, uint32_t event_type, size_t n)
{
    for (size_t i = 0; i < world->nodes[node].event_count; i++)
        if (world->nodes[node].events[i].type == event_type && n-- == 0) return &world->nodes[node].events[i];
    return NULL;
}

bool world_went(const struct world *world, int node, uint32_t to_state, uint32_t reason, jmp_time since)
{
    for (size_t i = 0; i < world->nodes[node].event_count; i++) {
        const jmp_event *event = &world->nodes[node].events[i];
        if (event->type == JMP_EVENT_SESSION_STATE_CHANGE && event->time >= since && event->new_state == to_state
            && (reason == JMP_REASON_NONE || event->reason == reason)) return true;
    }
    return false;
}

/* ------------------------------------------------------------------- the links */

/* Whether a datagram for this address comes out at the other end of the link. */
static bool is_reachable(const struct world *world, int from, uint32_t link, const jmp_address *to)
{
    jmp_address known = from == CLIENT ? world_gateway_address(link) : world_client_address(world, link);
    if (world_same_address(to, &known)) return true;
    known = address_of(link, 2, world->links[link].old_port);
    return from == GATEWAY && world->links[link].old_port && world_same_address(to, &known);
}

static void put_on_link(struct world *world, int from, const jmp_datagram *datagram, const uint8_t *bytes)
{
    uint32_t number = datagram->transport;
    uint8_t sender = (uint8_t)from;
    world->hash = world_hash(world->hash, &sender, 1);
    world->hash = world_hash(world->hash, &number, sizeof number);
    world->hash = world_hash(world->hash, datagram->to.bytes, datagram->to.length);
    world->hash = world_hash(world->hash, bytes, datagram->length);
    if (!CHECK(number < world->link_count) || !CHECK(datagram->length <= WORLD_DATAGRAM_SIZE)) return;
    struct world_link *link = &world->links[number];
    if (world->tap && world->tap(world, from, datagram, bytes)) return;
    if (!is_reachable(world, from, number, &datagram->to) || link->is_black_hole[from]) return;
    if (link->loss_ppm[from] && world_random(world) % 1000000 < link->loss_ppm[from]) return;
    if (world->packet_count == world->packet_capacity) {
        world->packet_capacity = world->packet_capacity ? 2 * world->packet_capacity : 64;
        world->packets = realloc(world->packets, world->packet_capacity * sizeof *world->packets);
        if (!world->packets) abort();
    }
    struct world_packet *packet = &world->packets[world->packet_count++];
    packet->due = world->now + link->delay_us[from];
    if (link->jitter_us[from]) packet->due += world_random(world) % (link->jitter_us[from] + 1);
    packet->order = world->order++;
    packet->from = from;
    packet->link = number;
    packet->source = from == CLIENT ? world_client_address(world, number) : world_gateway_address(number);
    packet->length = datagram->length;
    memcpy(packet->bytes, bytes, datagram->length);
}

void world_drain(struct world *world, int who)
{
    uint8_t bytes[WORLD_DATAGRAM_SIZE];
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    jmp_event event = { .struct_size = sizeof event };
    jmp_status status;
    int turns = 0;
    while ((status = jmp_poll_transmit(world->nodes[who].endpoint, world->now, bytes, sizeof bytes, &datagram)) == JMP_OK) {
        put_on_link(world, who, &datagram, bytes);
        if (!CHECK(turns++ < MAX_TURNS_AT_ONE_TIME)) abort();
    }
    CHECK_EQUAL(status, JMP_AGAIN);
    while ((status = jmp_poll_event(world->nodes[who].endpoint, &event)) == JMP_OK) keep_event(world, who, &event);
    CHECK_EQUAL(status, JMP_AGAIN);
}

/* -------------------------------------------------------------------- payloads */

static jmp_status send_bytes(struct world *world, int who, jmp_session session, const uint8_t *payload, size_t length)
{
    uint8_t bytes[WORLD_DATAGRAM_SIZE];
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    jmp_status status = jmp_send(world->nodes[who].endpoint, session, payload, length, world->now, bytes, sizeof bytes, &datagram);
    if (status == JMP_OK) put_on_link(world, who, &datagram, bytes);
    else world->nodes[who].refused++;
    world_drain(world, who);
    return status;
}

jmp_status world_send(struct world *world, int who)
{
    struct world_node *node = &world->nodes[who];
    uint8_t payload[WORLD_DATAGRAM_SIZE] = { 0 };
    uint64_t header[2] = { node->sent++, world->now };
    memcpy(payload, header, sizeof header);
    return send_bytes(world, who, node->session, payload, node->payload_bytes);
}

static void take_payload(struct world *world, int who, jmp_session session, const uint8_t *payload, size_t length)
{
    struct world_node *node = &world->nodes[who];
    uint64_t number;
    if (!CHECK(length >= 16)) return;
    memcpy(&number, payload, sizeof number);
    if (!CHECK(number < WORLD_MAX_NUMBERS)) return;
    if (node->seen[number]++) {
        node->duplicates++;
        return;
    }
    if (node->received++ && world->now - node->last_received_at > node->longest_gap_us)
        node->longest_gap_us = world->now - node->last_received_at;
    node->last_received_at = world->now;
    if (node->is_echoing) send_bytes(world, who, session, payload, length);
}

jmp_received world_inject(struct world *world, int to, uint32_t link, const jmp_address *source, const uint8_t *bytes, size_t length)
{
    /* Exactly as long as the datagram, so that memory checkers see a read past its end. */
    uint8_t *copy = malloc(length ? length : 1);
    jmp_received received = { .struct_size = sizeof received };
    if (!copy) abort();
    if (length) memcpy(copy, bytes, length);
    jmp_status status = jmp_receive(world->nodes[to].endpoint, link, source, copy, length, world->now, &received);
    if (!world->loses_transports || status != JMP_ERR_TRANSPORT) CHECK_OK(status);
    if (received.kind == JMP_RECEIVED_PAYLOAD && CHECK((size_t)received.payload_offset + received.payload_length <= length))
        take_payload(world, to, received.session, copy + received.payload_offset, received.payload_length);
    free(copy);
    world_drain(world, to);
    return received;
}

/* ------------------------------------------------------------------------ time */

static bool is_suspended(const struct world *world, int who)
{
    return world->nodes[who].suspended_until > world->now;
}

/* Delivers the earliest datagram that is due at a host that is awake; false when there is none. */
static bool deliver_one(struct world *world)
{
    struct world_packet *best = NULL;
    for (size_t i = 0; i < world->packet_count; i++) {
        struct world_packet *packet = &world->packets[i];
        if (packet->due > world->now || is_suspended(world, !packet->from)) continue;
        if (!best || packet->due < best->due || (packet->due == best->due && packet->order < best->order)) best = packet;
    }
    if (!best) return false;
    struct world_packet packet = *best;
    *best = world->packets[--world->packet_count];
    world_inject(world, !packet.from, packet.link, &packet.source, packet.bytes, packet.length);
    return true;
}

static void take_turn(struct world *world, int who)
{
    struct world_node *node = &world->nodes[who];
    jmp_time deadline = JMP_TIME_NONE;
    if (is_suspended(world, who)) return;
    CHECK_OK(jmp_next_timeout(node->endpoint, &deadline));
    if (deadline <= world->now) {
        CHECK_OK(jmp_handle_timeout(node->endpoint, world->now));
        world_drain(world, who);
    }
    if (!node->send_interval_us) return;
    if (node->next_send_at <= world->now) {
        world_send(world, who);
        node->next_send_at += node->send_interval_us;
        if (node->next_send_at <= world->now) node->next_send_at = world->now + node->send_interval_us;
    }
}

/* When something happens next, at `end` at the latest. */
static jmp_time next_moment(const struct world *world, jmp_time end)
{
    jmp_time next = end;
    for (size_t i = 0; i < world->packet_count; i++) {
        jmp_time due = world->packets[i].due, awake = world->nodes[!world->packets[i].from].suspended_until;
        if (awake > due) due = awake;
        if (due < next) next = due;
    }
    for (int who = 0; who < NODES; who++) {
        const struct world_node *node = &world->nodes[who];
        jmp_time due = JMP_TIME_NONE;
        CHECK_OK(jmp_next_timeout(node->endpoint, &due));
        if (node->send_interval_us && node->next_send_at < due) due = node->next_send_at;
        if (node->suspended_until > due) due = node->suspended_until;
        if (due < next) next = due;
    }
    return next > world->now ? next : world->now;
}

void world_run(struct world *world, jmp_time duration_us)
{
    jmp_time end = world->now + duration_us;
    int turns = 0;
    for (;;) {
        jmp_time next = next_moment(world, end);
        turns = next == world->now ? turns + 1 : 0;
        if (!CHECK(turns < MAX_TURNS_AT_ONE_TIME)) abort();
        world->now = next;
        while (deliver_one(world)) { }
        for (int who = 0; who < NODES; who++) take_turn(world, who);
        if (world->now == end && next_moment(world, end + 1) > end) return;
    }
}

/* ------------------------------------------------------------- begin and end */

static void open_node(struct world *world, int who, const struct world_options *options, const uint8_t *secret_key)
{
    struct world_node *node = &world->nodes[who];
    uint8_t seed[JMP_KEY_SIZE] = { options->seed, (uint8_t)who, 0x5e, 0xed };
    const jmp_policy *policy = who == GATEWAY ? options->policy : NULL;
    jmp_config config;
    CHECK_OK(jmp_config_init(&config));
    config.flags = who == CLIENT ? JMP_CONFIG_INITIATE : options->flags ? options->flags : JMP_CONFIG_ACCEPT;
    config.suites = options->suites ? options->suites : JMP_SUITE_CHACHA20_POLY1305;
    config.event_capacity = 4096;
    strcpy(config.node_id, node_names[who]);
    node->payload_bytes = 64;
    node->seen = calloc(1, WORLD_MAX_NUMBERS);
    if (!node->seen) abort();
    jmp_status status = options->is_unseeded ? jmp_endpoint_new(&config, policy, world->now, &node->endpoint)
                                             : jmp_endpoint_new_seeded(&config, policy, seed, world->now, &node->endpoint);
    if (!CHECK_OK(status)) abort();
    for (uint32_t i = 0; i < world->link_count; i++) {
        jmp_transport_config transport;
        uint32_t number = JMP_TRANSPORT_NONE;
        CHECK_OK(jmp_transport_config_init(&transport));
        snprintf(transport.name, sizeof transport.name, "udp:%c", (char)('A' + i));
        CHECK_OK(jmp_transport_add(node->endpoint, &transport, world->now, &number));
        CHECK_EQUAL(number, i);
    }
    CHECK_OK(jmp_endpoint_set_static_key(node->endpoint, secret_key));
}

void world_open(struct world *world, struct world_options options)
{
    static const uint8_t secret_keys[NODES][JMP_KEY_SIZE] = { "X25519 secret of the client", "X25519 secret of the gateway" };
    uint8_t client_key[JMP_KEY_SIZE];
    memset(world, 0, sizeof *world);
    world->now = WORLD_START_US;
    world->link_count = options.links ? options.links : 2;
    world->offered_links = options.offered_links ? options.offered_links : world->link_count;
    world->random = 0x9e3779b97f4a7c15u + options.seed;
    world->hash = 0xcbf29ce484222325u;
    for (uint32_t i = 0; i < world->link_count; i++) {
        world->links[i].client_port = (uint16_t)(50000 + i);
        for (int from = 0; from < NODES; from++) world->links[i].delay_us[from] = options.delay_us ? options.delay_us : 20 * MS;
    }
    for (int who = 0; who < NODES; who++) open_node(world, who, &options, secret_keys[who]);
    CHECK_OK(jmp_public_key(secret_keys[GATEWAY], world->gateway_public_key));
    CHECK_OK(jmp_public_key(secret_keys[CLIENT], client_key));
    CHECK_OK(jmp_endpoint_add_client_key(world->nodes[GATEWAY].endpoint, client_key, NULL));
    CHECK_OK(jmp_endpoint_add_psk(world->nodes[GATEWAY].endpoint, NULL, 0, world_psk));
    world->nodes[GATEWAY].is_echoing = true;
}

void world_connect_config(struct world *world, uint32_t pattern, jmp_connect_config *config)
{
    CHECK_OK(jmp_connect_config_init(config));
    config->pattern = pattern ? pattern : JMP_PATTERN_NNPSK0;
    config->transport = 0;
    config->remote = world_gateway_address(0);
    strcpy(config->label, "world");
    if (config->pattern == JMP_PATTERN_NNPSK0) memcpy(config->psk, world_psk, sizeof world_psk);
    else memcpy(config->gateway_key, world->gateway_public_key, sizeof config->gateway_key);
}

bool world_connect(struct world *world, uint32_t pattern)
{
    struct world_node *client = &world->nodes[CLIENT];
    jmp_connect_config config;
    world_connect_config(world, pattern, &config);
    if (!CHECK_OK(jmp_connect(client->endpoint, &config, world->now, &client->session))) return false;
    for (uint32_t i = 1; i < world->offered_links; i++) {
        jmp_address remote = world_gateway_address(i);
        uint32_t path = JMP_PATH_NONE;
        CHECK_OK(jmp_path_add(client->endpoint, client->session, i, &remote, world->now, &path));
    }
    world_drain(world, CLIENT);
    for (int i = 0; i < 500; i++) {
        world_run(world, 10 * MS);
        jmp_session_info info = world_info(world, CLIENT);
        if (info.state == JMP_STATE_ATTACHED && info.candidate_count + 1 == world->offered_links
            && world_info(world, GATEWAY).confirmed) return true;
    }
    return CHECK(!"connected and warm within 5 s");
}

bool world_begin(struct world *world, struct world_options options)
{
    world_open(world, options);
    if (!world_connect(world, options.pattern)) return false;
    world->nodes[CLIENT].send_interval_us = 5 * MS;
    world->nodes[CLIENT].next_send_at = world->now;
    world_run(world, 2 * SECOND);       /* long enough for round trip times to settle */
    world->nodes[CLIENT].longest_gap_us = world->nodes[GATEWAY].longest_gap_us = 0;
    return CHECK(world->nodes[CLIENT].received > 0);
}

void world_close(struct world *world)
{
    for (int who = 0; who < NODES; who++) {
        CHECK_OK(jmp_endpoint_free(world->nodes[who].endpoint));
        free(world->nodes[who].seen);
        free(world->nodes[who].events);
    }
    free(world->packets);
}

void world_set_black_hole(struct world *world, uint32_t link, bool is_black_hole)
{
    world->links[link].is_black_hole[CLIENT] = world->links[link].is_black_hole[GATEWAY] = is_black_hole;
}

/* -------------------------------------------------------------------- looking */

jmp_session_info world_info(const struct world *world, int node)
{
    jmp_session_info info = { .struct_size = sizeof info };
    if (world->nodes[node].session)
        CHECK_OK(jmp_session_get_info(world->nodes[node].endpoint, world->nodes[node].session, &info));
    return info;
}

jmp_session_stats world_session_stats(const struct world *world, int node)
{
    jmp_session_stats stats = { .struct_size = sizeof stats };
    CHECK_OK(jmp_session_get_stats(world->nodes[node].endpoint, world->nodes[node].session, &stats));
    return stats;
}

jmp_endpoint_stats world_stats(const struct world *world, int node)
{
    jmp_endpoint_stats stats = { .struct_size = sizeof stats };
    CHECK_OK(jmp_endpoint_get_stats(world->nodes[node].endpoint, &stats));
    return stats;
}

jmp_path_info world_active_path(const struct world *world, int node)
{
    jmp_path_info paths[JMP_MAX_PATHS], none = { .role = JMP_PATH_CANDIDATE };
    size_t count = 0;
    CHECK_OK(jmp_session_get_paths(world->nodes[node].endpoint, world->nodes[node].session, paths, JMP_MAX_PATHS, &count));
    for (size_t i = 0; i < count && i < JMP_MAX_PATHS; i++)
        if (paths[i].role == JMP_PATH_ACTIVE) return paths[i];
    return none;
}
