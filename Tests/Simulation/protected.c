/* Hosts that send and read protected payloads: of all sizes, on all channels, some with a time to live; and hosts that stop reading for a while. */
#include "host_parts.h"

#include <stdlib.h>
#include <string.h>

enum { BIGGEST = JMP_PROTECTED_PAYLOAD_MAX };

static uint8_t work[BIGGEST];

/* Mostly messages, sometimes what takes many datagrams. */
static uint32_t draw_length(struct random *random, uint32_t largest)
{
    uint64_t luck = random_below(random, 1000), length;
    if (luck < 50) length = random_below(random, PAYLOAD_HEADER_SIZE);
    else if (luck < 700) length = random_between(random, PAYLOAD_HEADER_SIZE, 300);
    else if (luck < 900) length = random_between(random, 300, 2800);
    else if (luck < 985) length = random_between(random, 2000, 20000);
    else if (luck < 998) length = random_between(random, 20000, 100000);
    else length = random_between(random, BIGGEST - 1000, BIGGEST);
    return length > largest ? (uint32_t)random_below(random, (uint64_t)largest + 1) : (uint32_t)length;
}

static uint32_t draw_channel(struct random *random)
{
    uint64_t luck = random_below(random, 10);
    return luck < 4 ? 0 : luck < 9 ? (uint32_t)random_between(random, 1, 3) : (uint32_t)random_below(random, JMP_CHANNELS);
}

/* False when the library has no room, or no session any more. */
static bool send_one(struct host *host, jmp_session session, uint32_t connection, struct protected_traffic *traffic)
{
    struct random *random = &traffic->random;
    jmp_session_info info = { .struct_size = sizeof info };
    jmp_payload_options options;
    if (jmp_session_get_info(host->endpoint, session, &info) != JMP_OK || info.state == JMP_STATE_BIRTH || info.state == JMP_STATE_TERMINATED) return false;
    jmp_payload_options_init(&options);
    struct payload_header header = { host->number | PROTECTED_SENDER, connection, traffic->count };
    struct protected_payload payload = { .number = traffic->count, .taken_at = host->world->now };
    payload.length = draw_length(random, info.max_protected_payload);
    payload.channel = options.channel = draw_channel(random);
    options.report = random_chance(random, 300000);
    payload.has_report = options.report == 1;
    if (random_chance(random, 120000)) payload.time_to_live_us = options.time_to_live_us = random_between(random, MS, 4 * SECOND);
    options.tag = traffic->count;
    protected_write(&header, work, payload.length);
    jmp_status status = jmp_send_protected(host->endpoint, session, work, payload.length, &options, host_clock(host));
    if (status == JMP_OK) {
        traffic->count++;
        observer_protected_taken(host->observer, session, &header, &payload, host_clock(host));
    } else if (status == JMP_AGAIN) {
        observer_protected_refused(host->observer, session, payload.length, host_clock(host));
        traffic->is_blocked = true;
    } else if (status != JMP_ERR_STATE && status != JMP_ERR_TERMINATED && status != JMP_ERR_SESSION) {
        host_expect_ok(host, "send_protected", status);
    }
    world_hash(host->world, &status, sizeof status);
    host_drain(host);
    return status == JMP_OK && !world_has_failed(host->world);
}

/* One of an exponential distribution, roughly: now and then a burst. */
static jmp_time draw_pause(struct protected_traffic *traffic)
{
    jmp_time pause = random_between(&traffic->random, 0, 2 * traffic->interval_us);
    return random_chance(&traffic->random, 50000) ? 10 * pause : pause;
}

static void send_due(struct host *host, jmp_session session, uint32_t connection, struct protected_traffic *traffic)
{
    jmp_time now = host->world->now;
    if (!traffic->interval_us || traffic->next_at > now) return;
    traffic->next_at = now + 1 + draw_pause(traffic);
    if (!session || traffic->is_blocked || host->world->is_protected_silent) return;
    uint64_t burst = random_chance(&traffic->random, 30000) ? random_between(&traffic->random, 10, 200) : 1;
    while (burst-- > 0 && !traffic->is_blocked && send_one(host, session, connection, traffic)) { }
}

void protected_open(struct host *host)
{
    if (!host->world->scenario->protected_interval_ms) return;
    if (!host->protected_traffic) host->protected_traffic = calloc(host->number ? 1 : HOST_MAX_SERVED, sizeof *host->protected_traffic);
    if (!host->protected_traffic) abort();
    host->is_reading_paused = false;
    host->reading = random_stream(host->world->luck, 40000 + host->number * 100 + host->process);
    host->reading_changes_at = host->world->now + random_between(&host->reading, SECOND, 10 * SECOND);
}

void protected_begin(struct host *host, uint32_t connection)
{
    struct world *world = host->world;
    if (!host->protected_traffic) return;
    struct protected_traffic *traffic = &host->protected_traffic[host->number ? 0 : connection % HOST_MAX_SERVED];
    memset(traffic, 0, sizeof *traffic);
    traffic->interval_us = (jmp_time)world->scenario->protected_interval_ms * MS;
    traffic->random = random_stream(world->luck, 50000 + host->number * 1000 + connection);
    traffic->next_at = world->now + 1 + draw_pause(traffic);
}

/* A host that does not read for a while, or a little late each time. */
static void change_reading(struct host *host)
{
    struct world *world = host->world;
    if (!host->reading_changes_at || host->reading_changes_at > world->now) return;
    host->is_reading_paused = !host->is_reading_paused && !world->is_protected_silent;
    jmp_time longest = host->is_reading_paused ? (random_chance(&host->reading, 200000) ? 8 * SECOND : SECOND) : 20 * SECOND;
    host->reading_changes_at = world->now + random_between(&host->reading, MS, longest);
    if (!host->is_reading_paused) host_drain(host);
}

void protected_read(struct host *host)
{
    jmp_payload payload = { .struct_size = sizeof payload };
    jmp_status status = JMP_OK;
    if (host->is_reading_paused) return;
    while (!world_has_failed(host->world)
           && (status = jmp_poll_payload(host->endpoint, host_clock(host), work, sizeof work, &payload)) == JMP_OK) {
        world_hash(host->world, &payload, sizeof payload);
        observer_protected_delivered(host->observer, payload.session, work, payload.length, payload.channel, payload.sequence, host_clock(host));
    }
    if (status != JMP_AGAIN) host_expect_ok(host, "poll_payload", status);
}

void protected_take(struct host *host, const jmp_received *received, const uint8_t *payload)
{
    struct world *world = host->world;
    world_hash(world, payload, received->payload_length);
    observer_protected_delivered(host->observer, received->session, payload, received->payload_length, received->channel, UINT64_MAX, host_clock(host));
    if (world->options.plant == PLANT_DELIVER_PROTECTED_TWICE && world->plant_is_armed && received->payload_length >= PAYLOAD_HEADER_SIZE) {
        world->plant_is_armed = false;
        observer_protected_delivered(host->observer, received->session, payload, received->payload_length, received->channel, UINT64_MAX,
                                     host_clock(host));
    }
}

/* The traffic of a client, or of a gateway's session; it stays where it is while tables move. */
static struct protected_traffic *traffic_of(struct host *host, jmp_session session)
{
    if (host->number) return session == host->session ? &host->protected_traffic[0] : NULL;
    for (size_t i = 0; i < host->served_count; i++)
        if (host->served[i].session == session) return &host->protected_traffic[host->served[i].connection % HOST_MAX_SERVED];
    return NULL;
}

void protected_take_event(struct host *host, const jmp_event *event)
{
    struct protected_traffic *traffic = event->type == JMP_EVENT_WRITABLE ? traffic_of(host, event->session) : NULL;
    if (traffic) traffic->is_blocked = false;
}

jmp_time protected_wakes_at(const struct host *host)
{
    jmp_time next = host->reading_changes_at ? host->reading_changes_at : JMP_TIME_NONE;
    size_t count = host->number ? 1 : host->served_count;
    for (size_t i = 0; i < count && host->protected_traffic; i++) {
        const struct protected_traffic *traffic = &host->protected_traffic[host->number ? 0 : host->served[i].connection % HOST_MAX_SERVED];
        if (traffic->interval_us && traffic->next_at < next) next = traffic->next_at;
    }
    return next;
}

void protected_turn(struct host *host)
{
    change_reading(host);
    if (!host->protected_traffic) return;
    if (host->number) {
        send_due(host, host->is_established ? host->session : 0, host->connection, &host->protected_traffic[0]);
        return;
    }
    for (size_t i = 0; i < host->served_count && !world_has_failed(host->world); i++) {
        struct served served = host->served[i];
        send_due(host, served.session, served.connection, &host->protected_traffic[served.connection % HOST_MAX_SERVED]);
    }
}
