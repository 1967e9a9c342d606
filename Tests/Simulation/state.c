/* What holds at every look at a session and at its endpoint, and between two looks. */
#include <string.h>
#include "observer_parts.h"

static void judge_identity(struct observer *observer, struct watched *session, const jmp_session_info *info)
{
    if (!session->has_glimpse && !session->trail.has_begun) {
        memcpy(session->session_id, info->session_id, JMP_SESSION_ID_SIZE);
        session->role = info->role;
    }
    if (memcmp(info->session_id, session->session_id, JMP_SESSION_ID_SIZE) || info->role != session->role)
        broken(observer, session, "identity", "the session id or role is another than before");
    if (session->has_glimpse && info->created_at != session->last.info.created_at)
        broken(observer, session, "identity", "created_at moved");
}

static void judge_versions(struct observer *observer, struct watched *session, const jmp_session_info *info)
{
    const jmp_session_info *last = &session->last.info;
    struct identity *identity = ledger_identity(observer->ledger, session->session_id);
    if (session->has_glimpse) {
        if (info->state_version < last->state_version || (info->state_version == last->state_version && info->state != last->state))
            broken(observer, session, "version_plus_one", "%s version %llu became %s version %llu", jmp_state_name(last->state),
                   (unsigned long long)last->state_version, jmp_state_name(info->state), (unsigned long long)info->state_version);
        if (info->binding_version < last->binding_version)
            broken(observer, session, "binding_monotone", "binding_version went from %llu to %llu", (unsigned long long)last->binding_version,
                   (unsigned long long)info->binding_version);
        if (session->is_terminated && (info->state != JMP_STATE_TERMINATED || info->state_version != last->state_version
                                       || info->binding_version != last->binding_version || info->last_reason != last->last_reason))
            broken(observer, session, "terminated_absorbs", "the session left TERMINATED for %s", jmp_state_name(info->state));
    }
    identity->binding[session->role & 1] = info->binding_version;
    /* The binding version is the gateway's count, which the client only learns (StateMachine): never ahead of it. */
    if (session->role == JMP_ROLE_CLIENT && identity->owner[JMP_ROLE_GATEWAY] && info->binding_version > identity->binding[JMP_ROLE_GATEWAY])
        broken(observer, session, "binding_ahead", "the client's binding is %llu, the gateway's %llu", (unsigned long long)info->binding_version,
               (unsigned long long)identity->binding[JMP_ROLE_GATEWAY]);
}

static void judge_paths(struct observer *observer, struct watched *session, const struct glimpse *now)
{
    const jmp_session_info *info = &now->info;
    unsigned active = 0, provisional = 0;
    uint32_t active_id = JMP_PATH_NONE;
    for (size_t i = 0; i < now->path_count; i++) {
        if (now->paths[i].role == JMP_PATH_ACTIVE) active++, active_id = now->paths[i].path;
        if (now->paths[i].role == JMP_PATH_PROVISIONAL) provisional++;
        for (size_t k = 0; k < i; k++)
            /* A gateway knows a path by its index too (WireProtocol, "Receiving DATA", 6): one that the client withdrew and offered again is
             * another, at the same address. */
            if (now->paths[i].path == now->paths[k].path
                || (session->role == JMP_ROLE_CLIENT && now->paths[i].transport == now->paths[k].transport
                    && is_same_address(&now->paths[i].address, &now->paths[k].address)))
                broken(observer, session, "paths_are_distinct", "paths %u and %u are one", now->paths[k].path, now->paths[i].path);
    }
    bool is_attached = info->state == JMP_STATE_ATTACHED;
    if (active > 1 || (is_attached && active != 1))
        broken(observer, session, "one_active_path", "%u active paths in %s", active, jmp_state_name(info->state));
    if (info->state != JMP_STATE_TERMINATED && info->active_path != active_id)
        broken(observer, session, "one_active_path", "info names path %d as active, the paths say %d", (int)info->active_path, (int)active_id);
    if (provisional > 1) broken(observer, session, "one_provisional_path", "%u provisional paths", provisional);
    if (info->path_count != now->path_count)
        broken(observer, session, "path_cap", "info counts %u paths, there are %zu", info->path_count, now->path_count);
    /* A gateway keeps max_candidates + 2, a client max_candidates + 1 (WireProtocol, "Candidates"; Policy, max_candidates); paths that were there when a
     * policy lowered the limit stay until they are forgotten. */
    uint32_t candidates = now->policy.max_candidates;
    if (session->former_policy.struct_size && session->former_policy.max_candidates > candidates) candidates = session->former_policy.max_candidates;
    uint32_t limit = candidates + (session->role == JMP_ROLE_GATEWAY ? 2 : 1);
    if (limit > JMP_MAX_PATHS) limit = JMP_MAX_PATHS;
    if (info->state != JMP_STATE_BIRTH && now->path_count > limit && (!session->has_glimpse || now->path_count > session->last.path_count))
        broken(observer, session, "path_cap", "%zu paths, %u allowed", now->path_count, limit);
    /* At the gateway RECOVERING lasts within one call only (StateMachine, "What each state does"). */
    if (session->role == JMP_ROLE_GATEWAY && info->state == JMP_STATE_RECOVERING)
        broken(observer, session, "gateway_recovering", "a gateway stays in RECOVERING");
}

static void follow_policy(struct watched *session, const struct glimpse *now, jmp_time time)
{
    const jmp_policy *last = &session->last.policy;
    if (!session->has_glimpse || !memcmp(last, &now->policy, sizeof now->policy)) return;
    session->former_policy = *last;
    session->policy_changed_at = time;
    uint32_t i = session->next_past++ % POLICIES_KEPT;
    session->past[i].until = time;
    session->past[i].switches = last->max_switches_per_min;
    session->past[i].cooldown = last->switch_cooldown_us;
    session->past[i].volatile_bound = last->volatile_to_degraded_us;
}

void judge_glimpse(struct observer *observer, struct watched *session, const struct glimpse *now)
{
    if (now->status != JMP_OK) {
        /* The slot of a session that ended may serve another (jmp_session_close); one that lives answers always. */
        if (session->has_glimpse && !session->is_terminated && session->last.info.confirmed && session->last.info.state != JMP_STATE_BIRTH)
            broken(observer, session, "session_vanished", "%s ended without TERMINATED: %s", jmp_state_name(session->last.info.state),
                   jmp_strerror(now->status));
        session->is_gone = true;
        return;
    }
    judge_identity(observer, session, &now->info);
    judge_versions(observer, session, &now->info);
    judge_paths(observer, session, now);
    follow_policy(session, now, observer->now);
    if (now->info.state == JMP_STATE_ATTACHED || now->info.state == JMP_STATE_BIRTH) session->attached_until = observer->now;
    if (now->info.state == JMP_STATE_TERMINATED && !session->is_terminated) {
        session->is_terminated = true;
        session->terminated_at = session->farewell_at = observer->now;
        session->arrived_at_farewell = observer->counts.datagrams_arrived;
        struct identity *identity = ledger_identity(observer->ledger, session->session_id);
        if (identity->owner[session->role & 1] == observer) identity->owner[session->role & 1] = NULL;
    }
}

void judge_endpoint(struct observer *observer)
{
    jmp_endpoint_stats stats;
    const jmp_config *config = &observer->config;
    if (observer->get_stats(observer, &stats) != JMP_OK) return;
    if (stats.sessions > config->max_sessions || stats.half_open > config->max_half_open || stats.waiting > config->max_waiting
        || stats.transports > JMP_MAX_TRANSPORTS)
        broken(observer, NULL, "endpoint_cap", "%u sessions of %u, %u half-open of %u, %u waiting of %u, %u transports", stats.sessions,
               config->max_sessions, stats.half_open, config->max_half_open, stats.waiting, config->max_waiting, stats.transports);
    if (stats.half_open + stats.waiting > stats.sessions)
        broken(observer, NULL, "endpoint_cap", "%u half-open and %u waiting of %u sessions", stats.half_open, stats.waiting, stats.sessions);
}
