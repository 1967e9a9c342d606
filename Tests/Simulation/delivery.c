/* Payloads: what is delivered was sent, by the peer, in this session, and comes once; and after the end nothing leaves or comes. */
#include <stdlib.h>
#include <string.h>
#include "observer_parts.h"

#define MANY_COPIES 15u
#define TWO_ALLOWED 16u
/* A CLOSE alone: header 13, type and reason 2, tag 16 or 32 (WireProtocol, "DATA" and "Frames"). */
#define CLOSE_LENGTH(suite) ((suite) == JMP_SUITE_AEGIS_256 ? 47u : 31u)
/* WireProtocol, "Close": at most one CLOSE in 100 ms. */
#define CLOSE_INTERVAL_US 100000u

static uint8_t filler(uint64_t state, size_t i)
{
    return (uint8_t)((state * 0x9e3779b97f4a7c15u + i * 0x2545f4914f6cdd1du) >> 56);
}

void payload_write(const struct payload_header *header, uint8_t *payload, size_t length)
{
    memcpy(payload, &header->sender, 4);
    memcpy(payload + 4, &header->connection, 4);
    memcpy(payload + 8, &header->number, 8);
    uint64_t state = header->number ^ ((uint64_t)header->connection << 32) ^ ((uint64_t)header->sender << 48) ^ length;
    for (size_t i = PAYLOAD_HEADER_SIZE; i < length; i++) payload[i] = filler(state, i);
}

bool payload_read(const uint8_t *payload, size_t length, struct payload_header *header)
{
    if (length < PAYLOAD_HEADER_SIZE) return false;
    memcpy(&header->sender, payload, 4);
    memcpy(&header->connection, payload + 4, 4);
    memcpy(&header->number, payload + 8, 8);
    uint64_t state = header->number ^ ((uint64_t)header->connection << 32) ^ ((uint64_t)header->sender << 48) ^ length;
    for (size_t i = PAYLOAD_HEADER_SIZE; i < length; i++)
        if (payload[i] != filler(state, i)) return false;
    return true;
}

/* While an address is provisional, payloads go to both addresses, sealed anew: two copies may arrive (WireProtocol, "NAT rebinding", 2;
 * Architecture, "Where this differs": payload copies may be delivered twice). Nothing else copies payloads. */
static bool has_provisional(const struct glimpse *now)
{
    for (size_t i = 0; i < now->path_count; i++)
        if (now->paths[i].role == JMP_PATH_PROVISIONAL) return true;
    return false;
}

void observer_payload_sent(struct observer *observer, jmp_session handle, const struct payload_header *header, jmp_time time)
{
    struct glimpse now;
    struct watched *session = watch_session(observer, handle);
    advance(observer, time);
    observer->counts.payloads_sent++;
    if (!session) return;
    observer->take_glimpse(observer, handle, &now);
    if (now.status != JMP_OK || now.info.state == JMP_STATE_BIRTH || now.info.state == JMP_STATE_TERMINATED)
        broken(observer, session, "payload_taken_out_of_life", "jmp_send took a payload in state %s", jmp_state_name(now.info.state));
    if (now.info.role == JMP_ROLE_GATEWAY && !now.info.confirmed)
        broken(observer, session, "payload_before_confirmation", "a gateway took a payload before the client's first authentic datagram");
    struct stream *stream = ledger_stream(observer->ledger, header, true);
    if (header->number >= stream->capacity) {
        uint64_t capacity = stream->capacity ? stream->capacity : 256;
        while (capacity <= header->number) capacity *= 2;
        stream->copies = realloc(stream->copies, capacity);
        if (!stream->copies) abort();
        memset(stream->copies + stream->capacity, 0, capacity - stream->capacity);
        stream->capacity = capacity;
    }
    stream->role = now.info.role;
    memcpy(stream->session_id, now.info.session_id, JMP_SESSION_ID_SIZE);
    if (header->number + 1 > stream->count) stream->count = header->number + 1;
    if (now.info.role == JMP_ROLE_GATEWAY && has_provisional(&now)) stream->copies[header->number] |= TWO_ALLOWED;
}

void observer_payload_delivered(struct observer *observer, jmp_session handle, const uint8_t *payload, size_t length, jmp_time time)
{
    struct payload_header header;
    struct glimpse now;
    struct watched *session = watch_session(observer, handle);
    advance(observer, time);
    observer->counts.payloads_delivered++;
    if (!session) {
        broken(observer, NULL, "payload_of_no_session", "a payload of %zu bytes without a session", length);
        return;
    }
    observer->take_glimpse(observer, handle, &now);
    if (now.status != JMP_OK || now.info.state == JMP_STATE_BIRTH || now.info.state == JMP_STATE_TERMINATED)
        broken(observer, session, "payload_out_of_life", "a payload was delivered in state %s", jmp_state_name(now.info.state));
    /* Policy, strict_binding. The active path is the one after the frames before the payload have acted: a REATTACH may be among them. */
    if (now.status == JMP_OK && now.policy.strict_binding && observer->arrival.path != now.info.active_path)
        broken(observer, session, "strict_binding", "a payload was delivered from path %d, active is %d", (int)observer->arrival.path,
               (int)now.info.active_path);
    if (!payload_read(payload, length, &header)) {
        broken(observer, session, "payload_changed", "%zu bytes were delivered that nobody wrote so", length);
        return;
    }
    struct stream *stream = ledger_stream(observer->ledger, &header, false);
    if (!stream || header.number >= stream->count) {
        broken(observer, session, "payload_never_sent", "host %u connection %u never sent payload %llu", header.sender, header.connection,
               (unsigned long long)header.number);
        return;
    }
    if (memcmp(stream->session_id, now.info.session_id, JMP_SESSION_ID_SIZE) || stream->role == now.info.role)
        broken(observer, session, "payload_of_another_session", "payload %llu of host %u connection %u belongs elsewhere",
               (unsigned long long)header.number, header.sender, header.connection);
    uint8_t *copies = &stream->copies[header.number];
    unsigned seen = (*copies & MANY_COPIES) + 1, allowed = *copies & TWO_ALLOWED ? 2 : 1;
    if (seen > 1) observer->counts.copies_delivered++;
    if (seen > allowed)
        broken(observer, session, "payload_delivered_again", "payload %llu of host %u connection %u came %u times, %u allowed",
               (unsigned long long)header.number, header.sender, header.connection, seen, allowed);
    if (seen <= MANY_COPIES) *copies = (uint8_t)((*copies & TWO_ALLOWED) | seen);
}

/* TERMINATED absorbs: of a session that has ended only the kept CLOSE leaves (WireProtocol, "Close"). The datagrams that were sealed
 * before the end and wait (payload copies for a provisional address) may still leave in the drain of that same moment. */
void judge_sent(struct observer *observer, const jmp_datagram *datagram)
{
    struct watched *session = find_session(observer, datagram->session);
    if (!session || !session->is_terminated) return;
    uint32_t close_length = CLOSE_LENGTH(session->last.info.suite);
    if (datagram->length > close_length || datagram->path != JMP_PATH_NONE) {
        broken(observer, session, "sent_after_termination", "%u bytes left on path %d after the end", datagram->length, (int)datagram->path);
        return;
    }
    /* The first CLOSE leaves in the drain of the end itself; each later one answers a datagram, and the first one counts too. */
    if (observer->now - session->farewell_at < CLOSE_INTERVAL_US)
        broken(observer, session, "close_too_often", "a CLOSE %llu us after the last", (unsigned long long)(observer->now - session->farewell_at));
    if (session->arrived_at_farewell == observer->counts.datagrams_arrived)
        broken(observer, session, "close_unasked", "a CLOSE left that answers nothing");
    session->arrived_at_farewell = observer->counts.datagrams_arrived;
    session->farewell_at = observer->now;
}
