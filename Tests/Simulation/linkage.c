/* What of a datagram can be seen without keys: its size and its connection id. */
#include <string.h>
#include "observer_parts.h"

/* No connection id is seen on two paths, so that none links them. The one exception: an index that never had an answer may serve a second path
 * (WireProtocol, "Connection ids"; Architecture, "Where this differs"). Judged at the client, who gives paths their indices; a gateway follows a NAT
 * rebinding under the same one. */
static void judge_connection_id(struct observer *observer, struct watched *session, const jmp_datagram *datagram, const uint8_t *bytes)
{
    struct seen_id *oldest = &session->seen_ids[0];
    uint64_t id;
    memcpy(&id, bytes + 1, sizeof id);
    for (uint32_t i = 0; i < IDS_KEPT; i++) {
        struct seen_id *seen = &session->seen_ids[i];
        if (seen->used_at < oldest->used_at) oldest = seen;
        if (!seen->used_at || seen->id != id) continue;
        if (seen->path != datagram->path && seen->is_answered)
            broken(observer, session, "connection_id_links_paths", "path %u sends under the connection id of path %u", datagram->path, seen->path);
        if (seen->path != datagram->path) seen->is_answered = false;
        seen->path = datagram->path;
        seen->used_at = observer->now + 1;
        return;
    }
    *oldest = (struct seen_id){ .id = id, .path = datagram->path, .used_at = observer->now + 1 };
}

void note_answered(struct watched *session, const struct glimpse *now)
{
    for (size_t i = 0; i < now->path_count; i++) {
        if (now->paths[i].last_evidence_at == JMP_TIME_NONE) continue;
        for (uint32_t k = 0; k < IDS_KEPT; k++)
            if (session->seen_ids[k].used_at && session->seen_ids[k].path == now->paths[i].path) session->seen_ids[k].is_answered = true;
    }
}

void judge_appearance(struct observer *observer, const jmp_datagram *datagram, const uint8_t *bytes)
{
    struct watched *session = find_session(observer, datagram->session);
    if (datagram->length > JMP_MAX_MTU || datagram->length == 0) {
        broken(observer, session, "datagram_size", "a datagram of %u bytes", datagram->length);
        return;
    }
    if (!session || !session->has_glimpse || datagram->path == JMP_PATH_NONE) return;
    for (size_t i = 0; i < session->last.path_count; i++)
        if (session->last.paths[i].path == datagram->path && datagram->length > session->last.paths[i].mtu && session->last.paths[i].mtu)
            broken(observer, session, "datagram_size", "%u bytes on a path whose datagrams have %u", datagram->length, session->last.paths[i].mtu);
    bool is_data = datagram->length >= 9 && (bytes[0] & 0xc0) == 0x40;
    if (is_data && session->role == JMP_ROLE_CLIENT) judge_connection_id(observer, session, datagram, bytes);
}
