/* The world of world.h while it runs: links, payloads, events, time. How it begins is world_begin.c. */
#include "world.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_TURNS_AT_ONE_TIME = 20000,  /* more means that a timer never gets done */
    GATEWAY_PORT = 4000
};

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
