/* No address that has not proved itself gets more than three times the bytes that came from it (WireProtocol, "Paths"; RFC 9000
 * section 8). Counted from outside, per session: all bytes to and from an address, whatever they are, while the session has not
 * validated it. What no session stands behind yet (COOKIE, RESP) is counted against all that came from there. */
#include <string.h>
#include "observer_parts.h"

static uint32_t address_hash(jmp_session session, uint32_t transport, const jmp_address *address)
{
    uint8_t bytes[JMP_ADDRESS_MAX + 9];
    memcpy(bytes, &session, 8);
    bytes[8] = (uint8_t)transport;
    memcpy(bytes + 9, address->bytes, address->length);
    return (uint32_t)datagram_hash(bytes, 9u + address->length);
}

/* The entry of an address, looked for in a few places; when all are others' and `is_new`, the one unused longest makes room: a flood from
 * spoofed addresses forgets spoofed addresses. */
static struct address_count *entry_of(struct observer *observer, jmp_session session, uint32_t transport, const jmp_address *address, bool is_new)
{
    uint32_t start = address_hash(session, transport, address);
    struct address_count *oldest = NULL;
    for (uint32_t n = 0; n < 16; n++) {
        struct address_count *entry = &observer->addresses[(start + n) % ADDRESSES_KEPT];
        if (entry->is_used && entry->session == session && entry->transport == transport && is_same_address(&entry->address, address)) return entry;
        if (!oldest || (oldest->is_used && (!entry->is_used || entry->last_used < oldest->last_used))) oldest = entry;
    }
    if (!is_new) return NULL;
    memset(oldest, 0, sizeof *oldest);
    oldest->is_used = true;
    oldest->session = session;
    oldest->transport = transport;
    oldest->address = *address;
    oldest->last_used = observer->now;
    return oldest;
}

static bool is_proven_by(const struct glimpse *glimpse, uint32_t transport, const jmp_address *address)
{
    for (size_t i = 0; i < glimpse->path_count; i++) {
        const jmp_path_info *path = &glimpse->paths[i];
        if (path->validated && path->transport == transport && is_same_address(&path->address, address)) return true;
    }
    return false;
}

static void credit(struct observer *observer, jmp_session session, uint32_t transport, const jmp_address *from, size_t length)
{
    struct address_count *entry = entry_of(observer, session, transport, from, true);
    entry->arrived += length;
    if (length > entry->largest_arrived) entry->largest_arrived = length;
    entry->last_used = observer->now;
}

void count_arrived(struct observer *observer, jmp_session session, uint32_t transport, const jmp_address *from, size_t length)
{
    credit(observer, 0, transport, from, length);
    if (session) credit(observer, session, transport, from, length);
}

void note_proven(struct observer *observer, jmp_session session, const struct glimpse *now)
{
    for (size_t i = 0; i < now->path_count; i++) {
        if (!now->paths[i].validated) continue;
        struct address_count *entry = entry_of(observer, session, now->paths[i].transport, &now->paths[i].address, true);
        entry->arrived = entry->sent = entry->largest_arrived = 0;
        entry->last_used = observer->now;
    }
}

void count_sent(struct observer *observer, const jmp_datagram *datagram)
{
    struct glimpse now;
    jmp_session account = datagram->session;
    struct watched *session = find_session(observer, datagram->session);
    if (datagram->session) {
        observer->take_glimpse(observer, datagram->session, &now);
        if (now.status == JMP_OK && is_proven_by(&now, datagram->transport, &datagram->to)) {
            note_proven(observer, datagram->session, &now);
            return;
        }
        /* It ended in this very call: the CLOSE goes to the path it had. */
        if (session && session->has_glimpse && is_proven_by(&session->last, datagram->transport, &datagram->to)) return;
        if (now.status != JMP_OK || now.info.state == JMP_STATE_BIRTH) account = 0;
    }
    struct address_count *entry = entry_of(observer, account, datagram->transport, &datagram->to, false);
    if (!entry) {
        broken(observer, session, "amplification", "%u bytes to an address that never sent any", datagram->length);
        return;
    }
    observer->counts.amplification_judged++;
    entry->sent += datagram->length;
    entry->last_used = observer->now;
    if (entry->sent > 3 * entry->arrived)
        broken(observer, session, "amplification", "%llu bytes to an unproven address that sent %llu", (unsigned long long)entry->sent,
               (unsigned long long)entry->arrived);
    /* Handshake answers and the CLOSE of a session that ended are never longer than what came (WireProtocol, "Handshake" and "Close"). */
    if ((!account || (session && session->is_terminated)) && datagram->length > entry->largest_arrived)
        broken(observer, session, "amplification", "an answer of %u bytes to datagrams of at most %llu", datagram->length,
               (unsigned long long)entry->largest_arrived);
}
