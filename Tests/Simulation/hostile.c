/* Datagrams that must change nothing: copies of what was accepted before, and what no endpoint ever sent (DESIGN section 1, promise 4). */
#include <string.h>
#include "observer_parts.h"

/* Remembers the sessions that such a datagram could reach: all, or in turns as many as fit. */
void begin_arrival(struct observer *observer)
{
    struct arrival *arrival = &observer->arrival;
    arrival->snapshot_count = 0;
    if (arrival->is_known && !arrival->is_repeated) return;
    observer->get_stats(observer, &arrival->stats);
    for (uint32_t n = 0; n < observer->session_capacity && arrival->snapshot_count < SESSIONS_PER_STEP; n++) {
        uint32_t slot = (observer->before_cursor + n) % observer->session_capacity;
        struct watched *session = observer->sessions[slot];
        if (!session || session->is_gone) continue;
        struct glimpse *glimpse = &observer->before[arrival->snapshot_count].glimpse;
        observer->take_glimpse(observer, session->handle, glimpse);
        if (glimpse->status != JMP_OK) continue;
        observer->before[arrival->snapshot_count++].session = session->handle;
        if (arrival->snapshot_count == SESSIONS_PER_STEP) observer->before_cursor = slot + 1;
    }
}

/* What one look and the next may differ in although nothing happened: the drop counters, and what is computed from the time of the call. */
static void neutralise(struct glimpse *glimpse)
{
    glimpse->stats.replayed = glimpse->stats.too_old = glimpse->stats.bad_tag = 0;
    /* A number left of the window makes it grow for later ones (WireProtocol, "Replay window": it may start smaller and grow). */
    glimpse->stats.replay_window_size = 0;
    glimpse->info.switches_last_minute = 0;
}

static const char *difference(const struct glimpse *before, const struct glimpse *after)
{
    if (before->status != after->status) return "the session's existence";
    if (before->info.state != after->info.state || before->info.state_version != after->info.state_version) return "the state";
    if (before->info.binding_version != after->info.binding_version) return "the binding";
    if (memcmp(&before->info, &after->info, sizeof before->info)) return "the info";
    if (before->path_count != after->path_count) return "the number of paths";
    for (size_t i = 0; i < before->path_count; i++)
        if (memcmp(&before->paths[i], &after->paths[i], sizeof before->paths[i])) return "a path";
    if (memcmp(&before->stats, &after->stats, sizeof before->stats)) return "the counters";
    if (memcmp(&before->policy, &after->policy, sizeof before->policy)) return "the policy";
    return NULL;
}

/* The endpoint as a whole. Handshake datagrams are answered without keys (INIT opens a half-open session), so only DATA is held to this. */
static bool has_endpoint_changed(const jmp_endpoint_stats *before, const jmp_endpoint_stats *after)
{
    return before->sessions != after->sessions || before->half_open != after->half_open || before->waiting != after->waiting
        || before->transports != after->transports || before->handshakes_completed != after->handshakes_completed
        || before->sessions_terminated != after->sessions_terminated;
}

void end_arrival(struct observer *observer, const jmp_received *received)
{
    struct arrival *arrival = &observer->arrival;
    bool is_foreign = !arrival->is_known, is_copy = arrival->is_repeated;
    if (!is_foreign && !is_copy) return;
    const char *rule = is_foreign ? "forgery_changes_nothing" : "replay_changes_nothing";
    if (!arrival->is_data) observer->counts.replayed_handshakes_judged++;
    else if (is_foreign) observer->counts.forgeries_judged++;
    else observer->counts.replays_judged++;
    struct watched *session = find_session(observer, received->session);
    if (received->kind == JMP_RECEIVED_PAYLOAD)
        broken(observer, session, rule, "it was delivered (number %llu)", (unsigned long long)received->packet_number);
    if (arrival->is_data && received->drop_cause == JMP_DROP_NONE) broken(observer, session, rule, "it was not dropped");
    for (uint32_t i = 0; i < arrival->snapshot_count; i++) {
        struct glimpse after;
        struct glimpse *before = &observer->before[i].glimpse;
        observer->take_glimpse(observer, observer->before[i].session, &after);
        /* A session in BIRTH waits for just such datagrams: RESP opens it, a COOKIE makes it send again. A forged one must not. A session that has ended
         * gives up its slot to a handshake (jmp_session_close). */
        if (!arrival->is_data && !is_foreign && before->info.state == JMP_STATE_BIRTH) continue;
        if (!arrival->is_data && before->info.state == JMP_STATE_TERMINATED && after.status != JMP_OK) continue;
        neutralise(before);
        neutralise(&after);
        const char *what = difference(before, &after);
        if (what)
            broken(observer, find_session(observer, observer->before[i].session), rule, "%s changed, dropped as %s", what,
                   jmp_drop_name(received->drop_cause));
    }
    jmp_endpoint_stats stats;
    if (arrival->is_data && observer->get_stats(observer, &stats) == JMP_OK && has_endpoint_changed(&arrival->stats, &stats))
        broken(observer, session, rule, "the endpoint changed, dropped as %s", jmp_drop_name(received->drop_cause));
}

/* Without an answer to a challenge from there, no proof can have come from an attacker's address (DESIGN section 6). */
void judge_binding(struct observer *observer, struct watched *session, const struct glimpse *now)
{
    if (now->info.state == JMP_STATE_BIRTH || now->info.state == JMP_STATE_TERMINATED) return;
    for (size_t i = 0; i < now->path_count; i++) {
        if (!ledger_is_attacker(observer->ledger, &now->paths[i].address)) continue;
        if (now->paths[i].role == JMP_PATH_ACTIVE)
            broken(observer, session, "bound_to_attacker", "the active path leads to an address that never answered a challenge");
        else if (now->paths[i].validated)
            broken(observer, session, "validated_attacker", "path %u is validated and never answered a challenge", now->paths[i].path);
    }
}
