/* Protected payloads: each is handed out once, whole, on its channel and in its order, or given up; and what the host is told is true. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "observer_parts.h"

#define CHANNELS JMP_CHANNELS
#define ANONYMOUS PAYLOAD_HEADER_SIZE     /* shorter ones do not say who they are */

enum { HANDED_OUT = 1, ACKNOWLEDGED = 2, EXPIRED = 4, ASKED = 8, MORTAL = 16 };

struct item {
    jmp_time deadline, taken_at;        /* the host's clock as the library takes it; the world's */
    uint64_t sequence;
    uint32_t length;
    uint8_t channel, flags;
};

/* One direction of one session. */
struct delivery_stream {
    uint32_t sender, connection, role;
    uint8_t session_id[JMP_SESSION_ID_SIZE];
    struct item *items;
    uint64_t count, capacity;
    uint64_t oldest;                    /* all before it were handed out or given up */
    uint64_t taken[CHANNELS];           /* the next sequence number of each channel */
    uint64_t turn[CHANNELS];            /* past the newest that was handed out */
    uint64_t waiting;                   /* bytes and charges that were acknowledged and not handed out */
    uint64_t reports_owed;
    uint32_t anonymous_taken[CHANNELS][ANONYMOUS], anonymous_handed[CHANNELS][ANONYMOUS];
    bool is_receiver_dead;
};

struct deliveries {
    struct delivery_stream **streams;
    size_t count, capacity;
};

static void *grown(void *memory, size_t size)
{
    void *bigger = realloc(memory, size);
    if (!bigger) abort();
    return bigger;
}

struct deliveries *deliveries_new(void)
{
    struct deliveries *deliveries = calloc(1, sizeof *deliveries);
    if (!deliveries) abort();
    return deliveries;
}

void deliveries_free(struct deliveries *deliveries)
{
    for (size_t i = 0; i < deliveries->count; i++) {
        free(deliveries->streams[i]->items);
        free(deliveries->streams[i]);
    }
    free(deliveries->streams);
    free(deliveries);
}

static struct delivery_stream *find_stream(struct deliveries *deliveries, const uint8_t *session_id, uint32_t sender_role)
{
    for (size_t i = deliveries->count; i-- > 0;)
        if (deliveries->streams[i]->role == sender_role && !memcmp(deliveries->streams[i]->session_id, session_id, JMP_SESSION_ID_SIZE))
            return deliveries->streams[i];
    return NULL;
}

static struct delivery_stream *made_stream(struct deliveries *deliveries, const uint8_t *session_id, uint32_t sender_role,
                                           const struct payload_header *header)
{
    struct delivery_stream *stream = find_stream(deliveries, session_id, sender_role);
    if (stream) return stream;
    if (deliveries->count == deliveries->capacity) {
        deliveries->capacity = deliveries->capacity ? 2 * deliveries->capacity : 16;
        deliveries->streams = grown(deliveries->streams, deliveries->capacity * sizeof *deliveries->streams);
    }
    stream = calloc(1, sizeof *stream);
    if (!stream) abort();
    stream->sender = header->sender;
    stream->connection = header->connection;
    stream->role = sender_role;
    memcpy(stream->session_id, session_id, JMP_SESSION_ID_SIZE);
    deliveries->streams[deliveries->count++] = stream;
    return stream;
}

void protected_write(const struct payload_header *header, uint8_t *payload, size_t length)
{
    uint8_t whole[PAYLOAD_HEADER_SIZE];
    if (length >= PAYLOAD_HEADER_SIZE) {
        payload_write(header, payload, length);
        return;
    }
    /* All short ones of a length are alike. */
    memset(whole, 0x5a, sizeof whole);
    memcpy(payload, whole, length);
}

static uint64_t charge(const struct item *item)
{
    return (uint64_t)item->length + JMP_PROTECTED_CHARGE;
}

/* --------------------------------------------------------------------------------------------------------------- taken */

void observer_protected_taken(struct observer *observer, jmp_session handle, const struct payload_header *header,
                              const struct protected_payload *payload, jmp_time time)
{
    struct glimpse now;
    struct watched *session = watch_session(observer, handle);
    advance(observer, time);
    observer->counts.protected_sent++;
    if (!session) return;
    session->is_refused = false;
    observer->take_glimpse(observer, handle, &now);
    if (now.status != JMP_OK || now.info.state == JMP_STATE_BIRTH || now.info.state == JMP_STATE_TERMINATED)
        broken(observer, session, "protected_taken_out_of_life", "jmp_send_protected took a payload in state %s", jmp_state_name(now.info.state));
    struct delivery_stream *stream = made_stream(ledger_deliveries(observer->ledger), now.info.session_id, now.info.role, header);
    if (payload->number != stream->count) {
        broken(observer, session, "protected_taken_elsewhere", "payload %llu was taken for another session than those before it",
               (unsigned long long)payload->number);
        return;
    }
    if (stream->count == stream->capacity) {
        stream->capacity = stream->capacity ? 2 * stream->capacity : 256;
        stream->items = grown(stream->items, stream->capacity * sizeof *stream->items);
    }
    /* A clock that went back: the library's time is one of an earlier call, which is not known here. */
    jmp_time begin = time < observer->now ? 0 : observer->now;
    stream->items[stream->count++] = (struct item){
        .deadline = payload->time_to_live_us ? begin + payload->time_to_live_us : JMP_TIME_NONE, .taken_at = payload->taken_at,
        .sequence = stream->taken[payload->channel]++, .length = payload->length, .channel = (uint8_t)payload->channel,
        .flags = (uint8_t)((payload->has_report ? ASKED : 0) | (payload->time_to_live_us ? MORTAL : 0)) };
    if (payload->has_report) stream->reports_owed++;
    if (payload->length < ANONYMOUS) stream->anonymous_taken[payload->channel][payload->length]++;
}

void observer_payload_refused(struct observer *observer, jmp_session handle, jmp_time time)
{
    struct watched *session = watch_session(observer, handle);
    struct glimpse now;
    advance(observer, time);
    if (!session) return;
    observer->take_glimpse(observer, handle, &now);
    if (!now.policy.control_expendable)
        broken(observer, session, "held_back_unasked", "jmp_send gave JMP_AGAIN without control_expendable");
    session->held_at = observer->now;
}

void observer_protected_refused(struct observer *observer, jmp_session handle, size_t length, jmp_time time)
{
    struct watched *session = watch_session(observer, handle);
    advance(observer, time);
    if (!session) return;
    session->is_refused = true;
    session->refused_length = length;
    session->refused_at = observer->now;
}

/* ---------------------------------------------------------------------------------------------------------- handed out */

static void judge_order(struct observer *observer, const struct watched *session, struct delivery_stream *stream, const struct item *item)
{
    uint64_t turn = stream->turn[item->channel];
    if (item->channel == 0) return;
    if (item->sequence < turn) {
        broken(observer, session, "protected_out_of_order", "channel %u: number %llu came after number %llu", item->channel,
               (unsigned long long)item->sequence, (unsigned long long)(turn - 1));
        return;
    }
    /* None is passed over but those that were given up, and short ones, which do not tell their number. */
    for (uint64_t i = stream->oldest; i < stream->count && turn < item->sequence; i++) {
        const struct item *other = &stream->items[i];
        if (other->channel != item->channel || other->sequence < turn || other->sequence >= item->sequence) continue;
        if (other->length >= ANONYMOUS && !(other->flags & (MORTAL | HANDED_OUT)))
            broken(observer, session, "protected_passed_over", "channel %u: number %llu came before number %llu", item->channel,
                   (unsigned long long)item->sequence, (unsigned long long)other->sequence);
    }
    stream->turn[item->channel] = item->sequence + 1;
}

static void hand_out(struct delivery_stream *stream, struct item *item)
{
    item->flags |= HANDED_OUT;
    if (item->flags & ACKNOWLEDGED) stream->waiting -= charge(item);
    while (stream->oldest < stream->count
           && (stream->items[stream->oldest].flags & (HANDED_OUT | EXPIRED) || stream->items[stream->oldest].length < ANONYMOUS)) stream->oldest++;
}

/* The oldest taken one of this length that has not been handed out stands for all of them. */
static void judge_anonymous(struct observer *observer, const struct watched *session, struct delivery_stream *stream, const uint8_t *payload,
                            uint32_t length, uint32_t channel, uint64_t sequence)
{
    for (uint32_t i = 0; i < length; i++)
        if (payload[i] != 0x5a) {
            broken(observer, session, "protected_changed", "%u bytes were handed out that nobody wrote so", length);
            return;
        }
    if (++stream->anonymous_handed[channel][length] > stream->anonymous_taken[channel][length])
        broken(observer, session, "protected_handed_out_again", "%u payloads of %u bytes came on channel %u, %u were taken",
               stream->anonymous_handed[channel][length], length, channel, stream->anonymous_taken[channel][length]);
    if (channel == 0 || sequence == UINT64_MAX) return;
    if (sequence < stream->turn[channel])
        broken(observer, session, "protected_out_of_order", "channel %u: number %llu came after number %llu", channel,
               (unsigned long long)sequence, (unsigned long long)(stream->turn[channel] - 1));
    else stream->turn[channel] = sequence + 1;
}

void observer_protected_delivered(struct observer *observer, jmp_session handle, const uint8_t *payload, size_t length, uint32_t channel,
                                  uint64_t sequence, jmp_time time)
{
    struct payload_header header;
    struct glimpse now;
    struct watched *session = watch_session(observer, handle);
    advance(observer, time);
    observer->counts.protected_delivered++;
    if (!session) {
        broken(observer, NULL, "protected_of_no_session", "a protected payload of %zu bytes without a session", length);
        return;
    }
    observer->take_glimpse(observer, handle, &now);
    /* What is complete outlives its session; a datagram brings nothing after the end. */
    if (now.status != JMP_OK || now.info.state == JMP_STATE_BIRTH || (now.info.state == JMP_STATE_TERMINATED && sequence == UINT64_MAX))
        broken(observer, session, "protected_out_of_life", "a protected payload was handed out in state %s", jmp_state_name(now.info.state));
    struct delivery_stream *stream = find_stream(ledger_deliveries(observer->ledger), now.info.session_id, !now.info.role);
    if (!stream || channel >= CHANNELS) {
        broken(observer, session, "protected_never_sent", "%zu bytes on channel %u of a session whose peer sent nothing", length, channel);
        return;
    }
    if (length < ANONYMOUS) {
        judge_anonymous(observer, session, stream, payload, (uint32_t)length, channel, sequence);
        return;
    }
    if (!payload_read(payload, length, &header)) {
        broken(observer, session, "protected_changed", "%zu bytes were handed out that nobody wrote so", length);
        return;
    }
    if (header.sender != stream->sender || header.connection != stream->connection || header.number >= stream->count) {
        broken(observer, session, "protected_never_sent", "payload %llu of host %x connection %u does not belong here",
               (unsigned long long)header.number, header.sender, header.connection);
        return;
    }
    struct item *item = &stream->items[header.number];
    if (item->length != length || item->channel != channel || (sequence != UINT64_MAX && sequence != item->sequence))
        broken(observer, session, "protected_changed", "payload %llu: %zu bytes on channel %u, %u on channel %u were sent",
               (unsigned long long)header.number, length, channel, item->length, item->channel);
    if (item->flags & HANDED_OUT)
        broken(observer, session, "protected_handed_out_again", "payload %llu came again", (unsigned long long)header.number);
    judge_order(observer, session, stream, item);
    if (!(item->flags & HANDED_OUT)) hand_out(stream, item);
}

/* -------------------------------------------------------------------------------------------------------------- told */

static void judge_report(struct observer *observer, struct watched *session, struct delivery_stream *stream, struct item *item,
                         const jmp_event *event)
{
    bool is_expired = event->type == JMP_EVENT_PAYLOAD_EXPIRED;
    if (event->payload_sequence != item->sequence || event->payload_length != item->length || event->channel != item->channel)
        broken(observer, session, "report_of_another", "payload %llu: %u bytes, channel %u, number %llu in %s", (unsigned long long)event->payload_tag,
               event->payload_length, event->channel, (unsigned long long)event->payload_sequence, jmp_event_name(event->type));
    if (item->flags & (ACKNOWLEDGED | EXPIRED))
        broken(observer, session, "report_again", "%s for payload %llu, of which a report had come", jmp_event_name(event->type),
               (unsigned long long)event->payload_tag);
    if (is_expired ? !(item->flags & MORTAL) : !(item->flags & ASKED))
        broken(observer, session, "report_unasked", "%s for payload %llu", jmp_event_name(event->type), (unsigned long long)event->payload_tag);
    if (is_expired && event->time < item->deadline)
        broken(observer, session, "expired_early", "payload %llu was given up %llu us early", (unsigned long long)event->payload_tag,
               (unsigned long long)(item->deadline - event->time));
    if (item->flags & ASKED && stream->reports_owed > 0) stream->reports_owed--;
    item->flags |= is_expired ? EXPIRED : ACKNOWLEDGED;
    if (!is_expired && !(item->flags & HANDED_OUT) && item->length >= ANONYMOUS) stream->waiting += charge(item);
    while (stream->oldest < stream->count
           && (stream->items[stream->oldest].flags & (HANDED_OUT | EXPIRED) || stream->items[stream->oldest].length < ANONYMOUS)) stream->oldest++;
}

void judge_delivery_event(struct observer *observer, struct watched *session, const jmp_event *event)
{
    if (event->type == JMP_EVENT_WRITABLE) {
        /* Which kind of refusal it is for is not told: where expendable payloads are held back too, there may be one for each. */
        jmp_time refused_at = session->held_at > session->refused_at ? session->held_at : session->refused_at;
        if (!session->is_refused && (!session->held_at || refused_at < session->earlier_writable_at))
            broken(observer, session, "writable_unasked", "Writable without a refusal before it");
        session->earlier_writable_at = session->writable_at;
        session->writable_at = event->time;
        session->is_refused = false;
        return;
    }
    if (event->type != JMP_EVENT_PAYLOAD_ACKNOWLEDGED && event->type != JMP_EVENT_PAYLOAD_EXPIRED) return;
    observer->counts.reports++;
    struct delivery_stream *stream = find_stream(ledger_deliveries(observer->ledger), event->session_id, event->role);
    if (!stream || event->payload_tag >= stream->count) {
        broken(observer, session, "report_of_another", "%s for payload %llu, which was never sent", jmp_event_name(event->type),
               (unsigned long long)event->payload_tag);
        return;
    }
    judge_report(observer, session, stream, &stream->items[event->payload_tag], event);
}

/* -------------------------------------------------------------------------------------------------------------- looks */

void judge_delivery(struct observer *observer, struct watched *session, const struct glimpse *now, bool events_are_drained, bool timers_have_run)
{
    const jmp_session_info *info = &now->info;
    struct deliveries *deliveries = ledger_deliveries(observer->ledger);
    if (info->receive_buffered > (uint64_t)observer->config.receive_buffer + JMP_PROTECTED_PAYLOAD_MAX + JMP_PROTECTED_CHARGE)
        broken(observer, session, "receive_buffer_cap", "%u bytes wait for the host, receive_buffer is %u", info->receive_buffered,
               observer->config.receive_buffer);
    if (info->send_buffered > observer->config.send_buffer || info->protected_count > JMP_PROTECTED_COUNT_MAX)
        broken(observer, session, "send_buffer_cap", "%u bytes of %u payloads, send_buffer is %u", info->send_buffered, info->protected_count,
               observer->config.send_buffer);
    if ((info->protected_count == 0) != (info->send_buffered == 0) || (uint64_t)info->protected_count * JMP_PROTECTED_CHARGE > info->send_buffered)
        broken(observer, session, "send_buffer_count", "%u bytes of %u payloads", info->send_buffered, info->protected_count);
    if (info->state == JMP_STATE_TERMINATED) return;
    struct delivery_stream *in = find_stream(deliveries, info->session_id, !info->role), *out = find_stream(deliveries, info->session_id, info->role);
    if (in && in->waiting > info->receive_buffered)
        broken(observer, session, "acknowledged_not_there", "%llu bytes were acknowledged that nobody has got, %u are here",
               (unsigned long long)in->waiting, info->receive_buffered);
    if (out && now->stats.protected_sent != out->count)
        broken(observer, session, "protected_count", "%llu payloads were taken, protected_sent is %llu", (unsigned long long)out->count,
               (unsigned long long)now->stats.protected_sent);
    if (out && events_are_drained && info->protected_count == 0 && out->reports_owed > 0)
        broken(observer, session, "report_missing", "%llu payloads whose report was asked for are gone without one", (unsigned long long)out->reports_owed);
    /* There is room for what was refused: the host must have been told (jmp_send_protected). Memory that others held is looked for now and then. */
    bool has_room = info->send_buffered <= observer->config.send_buffer / 2 && info->protected_count <= JMP_PROTECTED_COUNT_MAX / 2
        && info->send_buffered + session->refused_length + JMP_PROTECTED_CHARGE <= observer->config.send_buffer;
    bool has_memory = observer->config.delivery_memory >= 64u << 20;
    bool is_late = observer->now > session->refused_at && observer->now - session->refused_at > 2 * SECOND_US;
    if (session->is_refused && has_room && events_are_drained && timers_have_run
        && (has_memory || (is_late && info->send_buffered == 0 && info->receive_buffered == 0 && observer->session_count == 1)))
        broken(observer, session, "writable_missing", "refused %llu us ago, %u bytes are buffered, and no Writable has come",
               (unsigned long long)(observer->now - session->refused_at), info->send_buffered);
}

/* ---------------------------------------------------------------------------------------------------------- the world */

bool ledger_oldest_undelivered(struct ledger *ledger, const uint8_t *session_id, uint32_t sender_role, jmp_time *taken_at, uint64_t *number)
{
    struct delivery_stream *stream = find_stream(ledger_deliveries(ledger), session_id, sender_role);
    if (!stream) return false;
    for (uint64_t i = stream->oldest; i < stream->count; i++)
        if (stream->items[i].length >= ANONYMOUS && !(stream->items[i].flags & (HANDED_OUT | EXPIRED | MORTAL))) {
            *taken_at = stream->items[i].taken_at;
            *number = i;
            return true;
        }
    return false;
}

void ledger_receiver_died(struct ledger *ledger, const uint8_t *session_id, uint32_t receiver_role)
{
    struct delivery_stream *stream = find_stream(ledger_deliveries(ledger), session_id, !receiver_role);
    if (stream) stream->is_receiver_dead = true;
}

/* When a session ends, what of a channel is complete behind one that never came whole is lost with that. */
void ledger_judge_deliveries(struct ledger *ledger, observer_report *report, void *context)
{
    struct deliveries *deliveries = ledger_deliveries(ledger);
    for (size_t s = 0; s < deliveries->count; s++) {
        const struct delivery_stream *stream = deliveries->streams[s];
        bool is_broken[CHANNELS] = { false };
        char text[160];
        for (uint64_t i = stream->oldest; i < stream->count && !stream->is_receiver_dead; i++) {
            const struct item *item = &stream->items[i];
            if (item->flags & HANDED_OUT || item->length < ANONYMOUS) continue;
            if (!(item->flags & (ACKNOWLEDGED | EXPIRED))) is_broken[item->channel] = true;
            if (!(item->flags & ACKNOWLEDGED) || (item->channel && is_broken[item->channel])) continue;
            snprintf(text, sizeof text, "payload %llu of host %x connection %u was acknowledged and never handed out", (unsigned long long)i,
                     stream->sender & ~PROTECTED_SENDER, stream->connection);
            report(context, "acknowledged_and_lost", text);
        }
    }
}
