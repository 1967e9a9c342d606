#include "host_parts.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------- clock */

static bool clock_is_back(const struct host *host)
{
    return host->clock_back_until > host->world->now;
}

jmp_time host_clock(const struct host *host)
{
    jmp_time now = host->clock_base_us + host->world->now;
    return clock_is_back(host) ? now - host->clock_back_us : now;
}

/* When the host's clock reaches a time, on the world's clock. */
static jmp_time world_time_of(const struct host *host, jmp_time time)
{
    if (time == JMP_TIME_NONE) return time;
    jmp_time straight = time > host->clock_base_us ? time - host->clock_base_us : 0;
    if (!clock_is_back(host)) return straight;
    /* While it is back it gets there later; when it is set right again it may leap past. */
    jmp_time late = straight + host->clock_back_us;
    return late < host->clock_back_until ? late : straight > host->clock_back_until ? straight : host->clock_back_until;
}

static void lower(jmp_time *least, jmp_time time)
{
    if (time < *least) *least = time;
}

static jmp_time traffic_is_due_at(const struct traffic *traffic)
{
    return traffic->interval_us ? traffic->next_at : JMP_TIME_NONE;
}

jmp_time host_wakes_at(struct host *host)
{
    jmp_time next = JMP_TIME_NONE;
    if (!host->endpoint) return host->starts_at;
    lower(&next, world_time_of(host, host->deadline));
    if (next != JMP_TIME_NONE) next += host->lateness_us;
    lower(&next, traffic_is_due_at(&host->traffic));
    lower(&next, traffic_is_due_at(&host->downstream));
    lower(&next, protected_wakes_at(host));
    if (host->number && !host->session) lower(&next, host->connect_at);
    if (host->has_unread_events && host->slow_until) lower(&next, host->slow_until);
    for (size_t i = 0; i < host->request_count; i++) lower(&next, host->requests[i].at);
    for (uint32_t l = 0; l < host->world->links && host->number; l++) {
        struct socket *socket = &host->sockets[l];
        if (socket->opens_at) lower(&next, socket->opens_at);
        if (socket->offers_at) lower(&next, socket->offers_at);
        if (socket->hints_up_at) lower(&next, socket->hints_up_at);
    }
    return next < host->suspended_until ? host->suspended_until : next;
}

static void add_keys(struct host *host)
{
    struct world *world = host->world;
    uint8_t psk[JMP_KEY_SIZE], secret[JMP_KEY_SIZE], public_key[JMP_KEY_SIZE], hint[JMP_HINT_MAX];
    host_secrets(world, host->number, psk, secret, hint);
    host_expect_ok(host, "endpoint_set_static_key", jmp_endpoint_set_static_key(host->endpoint, secret));
    if (host->number) return;
    host_expect_ok(host, "public_key", jmp_public_key(secret, world->gateway_key));
    for (uint32_t c = 1; c <= world->clients; c++) {
        host_secrets(world, c, psk, secret, hint);
        host_expect_ok(host, "endpoint_add_psk", jmp_endpoint_add_psk(host->endpoint, hint, strlen((char *)hint), psk));
        jmp_public_key(secret, public_key);
        host_expect_ok(host, "endpoint_add_client_key", jmp_endpoint_add_client_key(host->endpoint, public_key, c % 2 ? psk : NULL));
    }
}

void host_init(struct host *host, struct world *world, uint32_t number)
{
    memset(host, 0, sizeof *host);
    host->world = world;
    host->number = number;
    host->random = random_stream(world->luck, 100 + number);
    host->clock_base_us = 100ull * SECOND + random_below(&host->random, 1000ull * SECOND);
    host->starts_at = JMP_TIME_NONE;
    if (number) snprintf(host->name, sizeof host->name, "client%u", (unsigned)number);
    else strcpy(host->name, "gateway");
    if (!number && !(host->served = calloc(HOST_MAX_SERVED, sizeof *host->served))) abort();
}

void host_start(struct host *host)
{
    const struct scenario *scenario = host->world->scenario;
    struct random random = random_stream(host->world->luck, 10000 + host->number * 100 + host->process++);
    uint8_t seed[JMP_KEY_SIZE];
    jmp_config config;
    jmp_policy policy;
    for (size_t i = 0; i < sizeof seed; i++) seed[i] = (uint8_t)random_next(&random);
    jmp_config_init(&config);
    jmp_policy_init(&policy);
    config.flags = host->number ? JMP_CONFIG_INITIATE : scenario->asks ? JMP_CONFIG_ACCEPT | JMP_CONFIG_ASK : JMP_CONFIG_ACCEPT;
    config.suites = host->world->suite;
    if (scenario->adjust_config) scenario->adjust_config(&config, host->number, host->world->seed);
    config.wall_clock_offset_us = 1700000000000000 - (int64_t)host->clock_base_us;
    if (scenario->event_capacity) config.event_capacity = scenario->event_capacity;
    if (!host->number && scenario->cookie_threshold_plus_1) config.cookie_threshold = scenario->cookie_threshold_plus_1 - 1;
    strcpy(config.node_id, host->name);
    if (!host->number && scenario->adjust_policy) scenario->adjust_policy(&policy, host->world->seed);
    jmp_status status = jmp_endpoint_new_seeded(&config, &policy, seed, host_clock(host), &host->endpoint);
    host_expect_ok(host, "endpoint_new_seeded", status);
    if (status != JMP_OK) return;
    host->observer = observer_new(host->name, !host->number, host->endpoint, &config, host->world->ledger, world_report, host->world);
    host->starts_at = JMP_TIME_NONE;
    host->deadline = JMP_TIME_NONE;
    host->connect_at = host->world->now;
    add_keys(host);
    protected_open(host);
    for (uint32_t l = 0; l < host->world->links; l++) {
        jmp_time down_until = host->sockets[l].down_until;
        host->sockets[l] = (struct socket){ .transport = JMP_TRANSPORT_NONE, .path = JMP_PATH_NONE, .down_until = down_until };
        host_open_socket(host, l);
    }
}

void host_kill(struct host *host)
{
    if (!host->endpoint) return;
    struct host *gateway = &host->world->hosts[0];
    struct served *served = host->number && host->session ? host_served_for(gateway, host) : NULL;
    if (served) served->orphaned_at = host->world->now;
    host->is_reading_paused = false;
    if (host->protected_traffic) protected_read(host);
    if (host->number && host->session) ledger_receiver_died(host->world->ledger, host->session_id, JMP_ROLE_CLIENT);
    if (host->session) host_end_session(host);
    observer_add_counts(host->observer, &host->world->outcome->counts);
    observer_free(host->observer, host_clock(host));
    host_expect_ok(host, "endpoint_free", jmp_endpoint_free(host->endpoint));
    host->endpoint = NULL;
    host->observer = NULL;
    host->has_unread_events = false;
    if (!host->number) free(host->served);
    free(host->protected_traffic);
    host->protected_traffic = NULL;
}

static void turn_traffic_back(struct traffic *traffic, jmp_time now)
{
    if (!traffic->until || traffic->until > now) return;
    traffic->until = 0;
    traffic->interval_us = traffic->own_interval_us;
    traffic->bytes = traffic->own_bytes;
    traffic->next_at = now;
}

static bool is_due(jmp_time time, jmp_time now)
{
    return time && time <= now;
}

void host_turn(struct host *host)
{
    jmp_time now = host->world->now;
    if (!host->endpoint) {
        if (host->starts_at <= now) host_start(host);
        return;
    }
    if (is_suspended(host)) return;
    host->waiting = 0;
    if (world_time_of(host, host->deadline) + host->lateness_us <= now && host->deadline != JMP_TIME_NONE) {
        jmp_status status = jmp_handle_timeout(host->endpoint, host_clock(host));
        host_expect_ok(host, "handle_timeout", status);
        host_called(host, "handle_timeout", status, 0);
    }
    for (uint32_t l = 0; l < host->world->links && host->number; l++) {
        struct socket *socket = &host->sockets[l];
        if (is_due(socket->opens_at, now)) {
            host_open_socket(host, l);
            host_offer_path(host, l);
        }
        if (is_due(socket->offers_at, now)) host_offer_path(host, l);
        if (is_due(socket->hints_up_at, now)) host_hint(host, l, true);
    }
    host_answer_requests(host);
    turn_traffic_back(&host->traffic, now);
    turn_traffic_back(&host->downstream, now);
    if (host->number && !host->session && host->connect_at <= now) host_connect(host);
    host_send_traffic(host, &host->traffic, false);
    host_send_traffic(host, &host->downstream, true);
    protected_turn(host);
    if (host->has_unread_events && host->slow_until <= now && !world_has_failed(host->world)) host_drain(host);
}

void host_receive(struct host *host, const struct packet *packet)
{
    struct world *world = host->world;
    uint32_t transport = host->sockets[packet->link].transport;
    uint8_t *copy;
    jmp_received received = { .struct_size = sizeof received };
    if (!host->endpoint || transport == JMP_TRANSPORT_NONE || host->sockets[packet->link].down_until > world->now) return;
    if (is_suspended(host)) {
        if (!host->loses_datagrams && host->waiting++ < HOST_SOCKET_BUFFER) network_put(&world->network, packet, host->suspended_until);
        return;
    }
    if (!(copy = malloc(packet->length + 1))) abort();
    memcpy(copy, packet->bytes, packet->length);
    observer_arrived(host->observer, transport, &packet->source, copy, packet->length, host_clock(host));
    jmp_status status = jmp_receive(host->endpoint, transport, &packet->source, copy, packet->length, host_clock(host), &received);
    host_expect_ok(host, "receive", status);
    if (status == JMP_OK) observer_received(host->observer, &received, host_clock(host));
    if (received.kind == JMP_RECEIVED_PAYLOAD) {
        if ((uint64_t)received.payload_offset + received.payload_length > packet->length)
            world_fail(world, "payload_outside", "%s: a payload outside its datagram", host->name);
        else host_take_payload(host, received.session, copy + received.payload_offset, received.payload_length);
    }
    if (received.kind == JMP_RECEIVED_PROTECTED) {
        if ((uint64_t)received.payload_offset + received.payload_length > packet->length)
            world_fail(world, "payload_outside", "%s: a protected payload outside its datagram", host->name);
        else protected_take(host, &received, copy + received.payload_offset);
    }
    free(copy);
    if (!world_has_failed(world)) host_drain(host);
}
