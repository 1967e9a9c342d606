/* The judge of one endpoint: what it watches, and which rules are asked when. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "observer_parts.h"

#define ACCEPTED_REMEMBERED (1u << 17)
#define LATEST_TIME (1ull << 62)

/* ------------------------------------------------------------------------------------------------------------- reporting */

void broken(struct observer *observer, const struct watched *session, const char *rule, const char *format, ...)
{
    char text[640];
    int used = snprintf(text, sizeof text, "%s at %llu us", observer->name, (unsigned long long)observer->now);
    if (session)
        used += snprintf(text + used, sizeof text - (size_t)used, ", session %llx (%02x%02x%02x%02x)", (unsigned long long)session->handle,
                         session->session_id[0], session->session_id[1], session->session_id[2], session->session_id[3]);
    used += snprintf(text + used, sizeof text - (size_t)used, ": ");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, sizeof text - (size_t)used, format, arguments);
    va_end(arguments);
    observer->report(observer->context, rule, text);
}

bool is_same_address(const jmp_address *a, const jmp_address *b)
{
    return a->length == b->length && a->length <= JMP_ADDRESS_MAX && !memcmp(a->bytes, b->bytes, a->length);
}

void advance(struct observer *observer, jmp_time now)
{
    if (now != JMP_TIME_NONE && now > observer->now) observer->now = now < LATEST_TIME ? now : LATEST_TIME;
}

/* -------------------------------------------------------------------------------------------------------------- sessions */

struct watched *find_session(struct observer *observer, jmp_session handle)
{
    uint32_t slot = (uint32_t)handle;
    if (!handle || slot >= observer->session_capacity || !observer->sessions[slot]) return NULL;
    return observer->sessions[slot]->handle == handle ? observer->sessions[slot] : NULL;
}

/* The slot serves another session, or the endpoint ends: nothing more can come of this one. */
static void forget_session(struct observer *observer, uint32_t slot)
{
    struct watched *session = observer->sessions[slot];
    if (!session) return;
    struct identity *identity = ledger_identity(observer->ledger, session->session_id);
    if (identity->owner[session->role & 1] == observer) identity->owner[session->role & 1] = NULL;
    free(session);
    observer->sessions[slot] = NULL;
    observer->session_count--;
}

struct watched *watch_session(struct observer *observer, jmp_session handle)
{
    struct watched *session = find_session(observer, handle);
    uint32_t slot = (uint32_t)handle;
    if (session || !handle || slot >= JMP_MAX_CREDENTIALS * 64u) return session;
    if (slot >= observer->session_capacity) {
        uint32_t capacity = observer->session_capacity ? observer->session_capacity : 16;
        while (capacity <= slot) capacity *= 2;
        observer->sessions = realloc(observer->sessions, capacity * sizeof *observer->sessions);
        if (!observer->sessions) abort();
        memset(observer->sessions + observer->session_capacity, 0, (capacity - observer->session_capacity) * sizeof *observer->sessions);
        observer->session_capacity = capacity;
    }
    forget_session(observer, slot);
    session = calloc(1, sizeof *session);
    if (!session) abort();
    session->handle = handle;
    session->trail.active_path = JMP_PATH_NONE;
    session->trail.bound_path = JMP_PATH_NONE;
    session->is_dirty = true;
    observer->sessions[slot] = session;
    observer->session_count++;
    return session;
}

/* ------------------------------------------------------------------------------------------- what the library has to tell */

static void take_glimpse(struct observer *observer, jmp_session session, struct glimpse *glimpse)
{
    memset(glimpse, 0, sizeof *glimpse);
    glimpse->info.struct_size = sizeof glimpse->info;
    glimpse->stats.struct_size = sizeof glimpse->stats;
    glimpse->policy.struct_size = sizeof glimpse->policy;
    glimpse->status = jmp_session_get_info(observer->endpoint, session, &glimpse->info);
    if (glimpse->status == JMP_OK) glimpse->status = jmp_session_get_stats(observer->endpoint, session, &glimpse->stats);
    if (glimpse->status == JMP_OK) glimpse->status = jmp_session_get_policy(observer->endpoint, session, &glimpse->policy);
    if (glimpse->status == JMP_OK)
        glimpse->status = jmp_session_get_paths(observer->endpoint, session, glimpse->paths, JMP_MAX_PATHS, &glimpse->path_count);
}

static jmp_time next_deadline(struct observer *observer)
{
    jmp_time deadline = JMP_TIME_NONE;
    jmp_next_timeout(observer->endpoint, &deadline);
    return deadline;
}

static jmp_status get_stats(struct observer *observer, jmp_endpoint_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    stats->struct_size = sizeof *stats;
    return jmp_endpoint_get_stats(observer->endpoint, stats);
}

/* ------------------------------------------------------------------------------------------------------- begin and end */

struct observer *observer_new(const char *name, bool is_gateway, jmp_endpoint *endpoint, const jmp_config *config,
                              struct ledger *ledger, observer_report *report, void *context)
{
    struct observer *observer = calloc(1, sizeof *observer);
    if (!observer) abort();
    snprintf(observer->name, sizeof observer->name, "%s", name);
    observer->is_gateway = is_gateway;
    observer->endpoint = endpoint;
    if (config) observer->config = *config;
    else jmp_config_init(&observer->config);
    observer->ledger = ledger;
    observer->report = report;
    observer->context = context;
    observer->take_glimpse = take_glimpse;
    observer->next_deadline = next_deadline;
    observer->get_stats = get_stats;
    observer->accepted = hash_set_new(ACCEPTED_REMEMBERED);
    if (is_gateway) {
        observer->addresses = calloc(ADDRESSES_KEPT, sizeof *observer->addresses);
        if (!observer->addresses) abort();
    }
    return observer;
}

void observer_free(struct observer *observer, jmp_time now)
{
    if (!observer) return;
    advance(observer, now);
    judge_endpoint(observer);
    for (uint32_t slot = 0; slot < observer->session_capacity; slot++) forget_session(observer, slot);
    free(observer->sessions);
    free(observer->addresses);
    hash_set_free(observer->accepted);
    free(observer);
}

void observer_connected(struct observer *observer, jmp_session handle, jmp_time now)
{
    advance(observer, now);
    watch_session(observer, handle);
}

/* ------------------------------------------------------------------------------------------------------- what happens */

static void mark(struct observer *observer, jmp_session handle)
{
    struct watched *session = find_session(observer, handle);
    if (session) session->is_dirty = true;
}

void observer_sent(struct observer *observer, const jmp_datagram *datagram, const uint8_t *bytes, jmp_time now)
{
    advance(observer, now);
    observer->counts.datagrams_sent++;
    ledger_datagram_sent(observer->ledger, datagram_hash(bytes, datagram->length));
    mark(observer, datagram->session);
    judge_sent(observer, datagram);
    judge_appearance(observer, datagram, bytes);
    if (observer->is_gateway) count_sent(observer, datagram);
}

void observer_arrived(struct observer *observer, uint32_t transport, const jmp_address *from, const uint8_t *bytes, size_t length,
                      jmp_time now)
{
    struct arrival *arrival = &observer->arrival;
    advance(observer, now);
    observer->counts.datagrams_arrived++;
    snprintf(observer->call, sizeof observer->call, "receive");
    memset(arrival, 0, sizeof *arrival);
    arrival->is_open = true;
    arrival->path = JMP_PATH_NONE;
    observer->events_in_a_row = 0;
    arrival->is_data = length > 0 && (bytes[0] & 0xc0) == 0x40;
    arrival->hash = datagram_hash(bytes, length);
    arrival->is_known = !ledger_is_foreign(observer->ledger, arrival->hash);
    arrival->is_repeated = hash_set_has(observer->accepted, arrival->hash);
    arrival->transport = transport;
    arrival->from = *from;
    arrival->length = length;
    begin_arrival(observer);
}

void observer_received(struct observer *observer, const jmp_received *received, jmp_time now)
{
    advance(observer, now);
    if (!observer->arrival.is_open) return;
    observer->arrival.path = received->path;
    mark(observer, received->session);
    if (observer->is_gateway) count_arrived(observer, received->session, observer->arrival.transport, &observer->arrival.from, observer->arrival.length);
    end_arrival(observer, received);
    if (received->drop_cause == JMP_DROP_NONE) hash_set_add(observer->accepted, observer->arrival.hash);
    observer->arrival.is_open = false;
}

void observer_called(struct observer *observer, const char *call, jmp_status status, jmp_session session, jmp_time now)
{
    (void)status;
    advance(observer, now);
    observer->events_in_a_row = 0;
    snprintf(observer->call, sizeof observer->call, "%s", call);
    if (session) mark(observer, session);
    else observer->is_everything_dirty = true;
}

void observer_event(struct observer *observer, const jmp_event *event, jmp_time now)
{
    advance(observer, now);
    observer->counts.events++;
    /* Whatever happened since the queue was last read, it holds no more (jmp_config.event_capacity); reports of protected payloads wait beside it. */
    bool is_report = event->type == JMP_EVENT_PAYLOAD_ACKNOWLEDGED || event->type == JMP_EVENT_PAYLOAD_EXPIRED || event->type == JMP_EVENT_WRITABLE;
    if (!is_report && ++observer->events_in_a_row > observer->config.event_capacity)
        broken(observer, NULL, "event_queue_cap", "more than %u events were waiting", observer->config.event_capacity);
    judge_event(observer, event);
    mark(observer, event->session);
}

void observer_network(struct observer *observer, jmp_session handle, const struct network_knowledge *knowledge, jmp_time now)
{
    struct watched *session = find_session(observer, handle);
    advance(observer, now);
    if (!session || session->is_gone) return;
    session->network = *knowledge;
    session->has_network = true;
    struct glimpse glimpse;
    observer->take_glimpse(observer, handle, &glimpse);
    if (glimpse.status == JMP_OK) judge_liveness(observer, session, &glimpse);
}

/* ------------------------------------------------------------------------------------------------------------------ steps */

static void judge_session(struct observer *observer, struct watched *session, bool events_are_drained, bool timers_have_run)
{
    struct glimpse now;
    observer->take_glimpse(observer, session->handle, &now);
    session->is_dirty = false;
    judge_glimpse(observer, session, &now);
    if (now.status == JMP_OK) {
        if (observer->is_gateway) judge_binding(observer, session, &now);
        if (timers_have_run) judge_times(observer, session, &now);
        if (events_are_drained) judge_trail(observer, session, &now);
        judge_delivery(observer, session, &now, events_are_drained, timers_have_run);
        note_answered(session, &now);
        if (observer->is_gateway) note_proven(observer, session->handle, &now);
        session->last = now;
        session->has_glimpse = true;
    }
}

void observer_step(struct observer *observer, bool events_are_drained, jmp_time now)
{
    advance(observer, now);
    bool timers_have_run = observer->next_deadline(observer) > observer->now;
    uint32_t judged = 0;
    /* All that the host or the network touched; of those that only time could have touched, the next few. */
    for (uint32_t n = 0; n < observer->session_capacity; n++) {
        uint32_t slot = observer->session_capacity ? (observer->step_cursor + n) % observer->session_capacity : 0;
        struct watched *session = observer->sessions[slot];
        if (!session || session->is_gone) continue;
        bool is_turn = observer->is_everything_dirty && judged < SESSIONS_PER_STEP;
        if (!session->is_dirty && !is_turn) continue;
        judge_session(observer, session, events_are_drained, timers_have_run);
        judged++;
        if (is_turn) observer->step_cursor = slot + 1;
    }
    observer->is_everything_dirty = false;
    if (events_are_drained) observer->events_in_a_row = 0;
    judge_endpoint(observer);
}

void observer_add_counts(const struct observer *observer, struct observer_counts *total)
{
    const uint64_t *from = (const uint64_t *)&observer->counts;
    uint64_t *to = (uint64_t *)total;
    for (size_t i = 0; i < sizeof *total / sizeof *to; i++) to[i] += from[i];
}
