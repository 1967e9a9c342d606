/* The audit trail: events alone must tell a session's life, and it must be a life the documents allow (StateMachine, "Table"). */
#include <stdio.h>
#include <string.h>
#include "observer_parts.h"

#define BIT(reason) (1ull << (reason))

/* The documented table, written down here a second time on purpose. */
static const struct { uint32_t from, to; uint64_t reasons; } table[] = {
    { JMP_STATE_BIRTH, JMP_STATE_ATTACHED, BIT(JMP_REASON_HANDSHAKE_OK) | BIT(JMP_REASON_ADOPTION_OK) },
    { JMP_STATE_ATTACHED, JMP_STATE_VOLATILE, BIT(JMP_REASON_LOSS_THRESHOLD_EXCEEDED) | BIT(JMP_REASON_CONSECUTIVE_DROP_EXCEEDED)
      | BIT(JMP_REASON_HEARTBEAT_TIMEOUT) | BIT(JMP_REASON_LATENCY_THRESHOLD_EXCEEDED) | BIT(JMP_REASON_TRANSPORT_DEAD)
      | BIT(JMP_REASON_PEER_REPORTED_VOLATILITY) | BIT(JMP_REASON_OPERATOR_REQUESTED) },
    { JMP_STATE_VOLATILE, JMP_STATE_RECOVERING, BIT(JMP_REASON_LOSS_RECOVERY) | BIT(JMP_REASON_DEAD_TRANSPORT_RECOVERY)
      | BIT(JMP_REASON_POLICY_FORCED_RECOVERY) | BIT(JMP_REASON_STABILITY_WINDOW_MET) },
    { JMP_STATE_VOLATILE, JMP_STATE_DEGRADED, BIT(JMP_REASON_VOLATILE_PERSISTED) | BIT(JMP_REASON_SWITCH_RATE_LIMITED)
      | BIT(JMP_REASON_COOLDOWN_ACTIVE) | BIT(JMP_REASON_NO_CANDIDATE_TRANSPORTS) },
    { JMP_STATE_DEGRADED, JMP_STATE_RECOVERING, BIT(JMP_REASON_LOSS_RECOVERY) | BIT(JMP_REASON_DEAD_TRANSPORT_RECOVERY)
      | BIT(JMP_REASON_POLICY_FORCED_RECOVERY) | BIT(JMP_REASON_STABILITY_WINDOW_MET) },
    { JMP_STATE_RECOVERING, JMP_STATE_ATTACHED, BIT(JMP_REASON_REATTACH_SUCCESS) },
    { JMP_STATE_RECOVERING, JMP_STATE_DEGRADED, BIT(JMP_REASON_REATTACH_VALIDATION_FAILED) | BIT(JMP_REASON_NO_CANDIDATE_TRANSPORTS)
      | BIT(JMP_REASON_POLICY_DENIED) | BIT(JMP_REASON_RECOVERY_WINDOW_EXCEEDED) },
    { JMP_STATE_BIRTH, JMP_STATE_TERMINATED, BIT(JMP_REASON_HANDSHAKE_FAILED) | BIT(JMP_REASON_SECURITY_FAILURE)
      | BIT(JMP_REASON_OPERATOR_TERMINATED) | BIT(JMP_REASON_PEER_TERMINATED) },
    { JMP_STATE_ATTACHED, JMP_STATE_TERMINATED, BIT(JMP_REASON_SESSION_LIFETIME_EXCEEDED) | BIT(JMP_REASON_SECURITY_FAILURE)
      | BIT(JMP_REASON_OPERATOR_TERMINATED) | BIT(JMP_REASON_PEER_TERMINATED) | BIT(JMP_REASON_OWNERSHIP_MOVED) },
#define TROUBLED_END (BIT(JMP_REASON_SESSION_LIFETIME_EXCEEDED) | BIT(JMP_REASON_TRANSPORT_TTL_EXCEEDED) | BIT(JMP_REASON_SECURITY_FAILURE) \
                      | BIT(JMP_REASON_OPERATOR_TERMINATED) | BIT(JMP_REASON_PEER_TERMINATED) | BIT(JMP_REASON_OWNERSHIP_MOVED))
    { JMP_STATE_VOLATILE, JMP_STATE_TERMINATED, TROUBLED_END },
    { JMP_STATE_DEGRADED, JMP_STATE_TERMINATED, TROUBLED_END },
    { JMP_STATE_RECOVERING, JMP_STATE_TERMINATED, TROUBLED_END },
};

bool is_in_table(uint32_t from, uint32_t to, uint32_t reason)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].from == from && table[i].to == to) return reason < 64 && table[i].reasons & BIT(reason);
    return false;
}

/* Sequence and drop counter show every gap (DESIGN section 10): each event that was not kept is counted, and the next one that was says so. */
static bool judge_sequence(struct observer *observer, const jmp_event *event)
{
    uint64_t missing = event->sequence - observer->last_sequence - 1, dropped = event->dropped - observer->last_dropped;
    if (event->sequence <= observer->last_sequence || event->dropped < observer->last_dropped || missing != dropped)
        broken(observer, find_session(observer, event->session), "event_sequence",
               "event %llu with %llu dropped follows event %llu with %llu dropped", (unsigned long long)event->sequence,
               (unsigned long long)event->dropped, (unsigned long long)observer->last_sequence, (unsigned long long)observer->last_dropped);
    if (event->time < observer->last_event_time || event->time > observer->now)
        broken(observer, find_session(observer, event->session), "event_time", "%s at %llu us follows one at %llu us, polled at %llu us",
               jmp_event_name(event->type), (unsigned long long)event->time, (unsigned long long)observer->last_event_time,
               (unsigned long long)observer->now);
    bool is_gap = dropped > 0;
    if (is_gap) observer->counts.events_dropped += dropped;
    observer->last_sequence = event->sequence;
    observer->last_dropped = event->dropped;
    observer->last_event_time = event->time;
    return is_gap;
}

static void copy_name(char *target, const char *source)
{
    memcpy(target, source, JMP_NAME_SIZE);
    target[JMP_NAME_SIZE - 1] = 0;
}

static void begin_trail(struct observer *observer, struct watched *session, const jmp_event *event)
{
    struct trail *trail = &session->trail;
    memcpy(session->session_id, event->session_id, JMP_SESSION_ID_SIZE);
    session->role = event->role;
    trail->has_begun = true;
    trail->entered_at = event->time;
    trail->state = event->previous_state;
    trail->version = event->state_version;
    trail->binding = trail->binding_of_last_bind = event->binding_version;
    if (event->type == JMP_EVENT_SESSION_STATE_CHANGE && event->state_version > 0) trail->version--;
    if (event->type == JMP_EVENT_SESSION_CREATED) {
        if (event->state_version != 0 || event->new_state != JMP_STATE_BIRTH || event->binding_version != 0)
            broken(observer, session, "birth", "SessionCreated in %s with version %llu", jmp_state_name(event->new_state),
                   (unsigned long long)event->state_version);
    } else if (!trail->is_broken && event->type != JMP_EVENT_ACCEPT_REQUESTED) {
        broken(observer, session, "birth", "the first event is %s", jmp_event_name(event->type));
    }
    struct identity *identity = ledger_identity(observer->ledger, event->session_id);
    const struct observer **owner = &identity->owner[event->role & 1];
    if (*owner && *owner != observer && event->type == JMP_EVENT_SESSION_CREATED)
        broken(observer, session, "identity_shared", "%s has a live session of the same id and role", (*owner)->name);
    *owner = observer;
}

/* Binds move binding_version: + 1 each at the gateway, whose counter it is; the client follows it, never back, and may learn of
 * several at once (WireProtocol, "Reattach": stale_state_version; "NAT rebinding", 5). */
static void judge_version(struct observer *observer, struct watched *session, const jmp_event *event, bool is_bind)
{
    struct trail *trail = &session->trail;
    if (event->binding_version < trail->binding)
        broken(observer, session, "binding_monotone", "binding_version went from %llu to %llu", (unsigned long long)trail->binding,
               (unsigned long long)event->binding_version);
    /* A client's request in place that found nothing to change is answered with the version as it is (StateMachine, "Triggers at the client": binding + 0). */
    bool is_confirmation = session->role == JMP_ROLE_CLIENT && trail->bound_path == trail->active_path && event->binding_version == trail->binding;
    if (is_bind && !is_confirmation && event->binding_version <= trail->binding_of_last_bind && event->binding_version >= trail->binding)
        broken(observer, session, "binding_plus_one", "bound with binding_version %llu after %llu", (unsigned long long)event->binding_version,
               (unsigned long long)trail->binding_of_last_bind);
    if (session->role == JMP_ROLE_GATEWAY && event->type == JMP_EVENT_SESSION_STATE_CHANGE && !trail->is_partial) {
        uint64_t expected = trail->binding_of_last_bind + (is_bind ? 1 : 0);
        if (event->binding_version > expected)
            broken(observer, session, "binding_plus_one", "binding_version is %llu after %llu binds", (unsigned long long)event->binding_version,
                   (unsigned long long)expected);
    }
    trail->binding = event->binding_version;
    if (is_bind) trail->binding_of_last_bind = event->binding_version;
}

static void judge_transition(struct observer *observer, struct watched *session, const jmp_event *event)
{
    struct trail *trail = &session->trail;
    observer->counts.transitions++;
    if (!is_in_table(event->previous_state, event->new_state, event->reason))
        broken(observer, session, "transition_table", "%s -> %s (%s) is not in the table", jmp_state_name(event->previous_state),
               jmp_state_name(event->new_state), jmp_reason_name(event->reason));
    if (!trail->is_broken && event->previous_state != trail->state)
        broken(observer, session, "transition_chain", "%s -> %s (%s) begins where nothing ended: the state was %s",
               jmp_state_name(event->previous_state), jmp_state_name(event->new_state), jmp_reason_name(event->reason), jmp_state_name(trail->state));
    if (trail->is_broken ? event->state_version <= trail->version : event->state_version != trail->version + 1)
        broken(observer, session, "version_plus_one", "%s -> %s has version %llu after %llu", jmp_state_name(event->previous_state),
               jmp_state_name(event->new_state), (unsigned long long)event->state_version, (unsigned long long)trail->version);
    bool is_bind = event->new_state == JMP_STATE_ATTACHED && event->reason == JMP_REASON_REATTACH_SUCCESS;
    if (is_bind) observer->counts.binds++;
    judge_version(observer, session, event, is_bind);
    if (event->new_state == JMP_STATE_RECOVERING) {
        trail->is_voluntary = event->reason == JMP_REASON_LOSS_RECOVERY || event->reason == JMP_REASON_POLICY_FORCED_RECOVERY;
        trail->recovering_since = event->time;
    }
    if (event->new_state == JMP_STATE_TERMINATED) judge_end(observer, session, event);
    trail->state = event->new_state;
    trail->last_reason = event->reason;
    trail->version = event->state_version;
    trail->entered_at = event->time;
    trail->is_broken = false;
}

static void bind_trail(struct trail *trail, const jmp_event *event, const char *transport, const jmp_address *address)
{
    trail->active_path = event->path;
    trail->active_address = *address;
    copy_name(trail->active_transport, transport);
    trail->is_active_gone = trail->has_active_died = false;
}

static void follow_event(struct observer *observer, struct watched *session, const jmp_event *event)
{
    struct trail *trail = &session->trail;
    switch (event->type) {
    case JMP_EVENT_SESSION_STATE_CHANGE:
        judge_transition(observer, session, event);
        break;
    case JMP_EVENT_TRANSPORT_SWITCH:
        judge_switch(observer, session, event);
        bind_trail(trail, event, event->to_transport, &event->to_address);
        break;
    case JMP_EVENT_TRANSPORT_ATTACHED:
        bind_trail(trail, event, event->from_transport, &event->from_address);
        break;
    case JMP_EVENT_TRANSPORT_DEAD:
        /* A path that was withdrawn, or whose transport was removed, is reported so too, and then there is no active path. */
        if (event->path == trail->active_path) trail->has_active_died = true;
        if (event->path == trail->active_path && event->reason == JMP_REASON_TRANSPORT_DEAD) trail->is_active_gone = true;
        break;
    case JMP_EVENT_REATTACH_ATTEMPT:
        trail->attempts[trail->next_attempt % ATTEMPTS_KEPT].id = event->attempt_id;
        trail->attempts[trail->next_attempt++ % ATTEMPTS_KEPT].cause = event->reason;
        break;
    case JMP_EVENT_REATTACH_RESULT:
        if (event->reason != JMP_REASON_REATTACH_SUCCESS) break;
        trail->bound_cause = JMP_REASON_NONE;
        trail->bound_path = event->path;
        for (uint32_t i = 0; i < ATTEMPTS_KEPT; i++)
            if (trail->attempts[i].id == event->attempt_id) trail->bound_cause = trail->attempts[i].cause;
        break;
    case JMP_EVENT_KEY_ROTATED:
        if (!trail->is_partial && event->key_phase != trail->key_phase + 1)
            broken(observer, session, "key_phase_plus_one", "key phase %u follows %u", event->key_phase, trail->key_phase);
        trail->key_phase = event->key_phase;
        break;
    case JMP_EVENT_SESSION_TERMINATED:
        trail->terminated_events++;
        trail->has_ended = true;
        observer->counts.terminations++;
        if (trail->state != JMP_STATE_TERMINATED && !trail->is_broken)
            broken(observer, session, "end_without_transition", "SessionTerminated in %s", jmp_state_name(trail->state));
        break;
    case JMP_EVENT_TRANSITION_REJECTED:
        broken(observer, session, "transition_rejected", "the library wanted %s -> %s (%s), which is not in the table",
               jmp_state_name(event->previous_state), jmp_state_name(event->new_state), jmp_reason_name(event->reason));
        break;
    case JMP_EVENT_PAYLOAD_ACKNOWLEDGED:
    case JMP_EVENT_PAYLOAD_EXPIRED:
    case JMP_EVENT_WRITABLE:
        judge_delivery_event(observer, session, event);
        break;
    default:
        break;
    }
}

/* Handles are a slot and its generation, which grows with each session in it. */
static bool is_of_former_session(const struct observer *observer, jmp_session handle)
{
    uint32_t slot = (uint32_t)handle;
    return slot < observer->session_capacity && observer->sessions[slot] && observer->sessions[slot]->handle >> 32 > handle >> 32;
}

void judge_event(struct observer *observer, const jmp_event *event)
{
    if (judge_sequence(observer, event))
        for (uint32_t slot = 0; slot < observer->session_capacity; slot++)
            if (observer->sessions[slot]) observer->sessions[slot]->trail.is_broken = observer->sessions[slot]->trail.is_partial = true;
    if (!event->session) return;
    /* Nobody knows of a half-open session yet (StateMachine, BIRTH): the request is not its trail. */
    if (event->type == JMP_EVENT_ACCEPT_REQUESTED) return;
    /* A host that polls events slowly hears of an end when the slot serves another session already. */
    if (is_of_former_session(observer, event->session)) return;
    struct watched *session = watch_session(observer, event->session);
    if (!session) return;
    struct trail *trail = &session->trail;
    if (!trail->has_begun) {
        trail->is_broken = trail->is_partial = observer->last_dropped > 0;
        begin_trail(observer, session, event);
    } else if (memcmp(session->session_id, event->session_id, JMP_SESSION_ID_SIZE) || session->role != event->role) {
        broken(observer, session, "identity", "%s names another session id or role", jmp_event_name(event->type));
    }
    if (trail->has_ended)
        broken(observer, session, "event_after_end", "%s after SessionTerminated", jmp_event_name(event->type));
    if (trail->state == JMP_STATE_TERMINATED && event->type != JMP_EVENT_SESSION_TERMINATED && event->type != JMP_EVENT_SESSION_STATE_CHANGE)
        broken(observer, session, "event_after_end", "%s after the transition to TERMINATED", jmp_event_name(event->type));
    follow_event(observer, session, event);
}

/* ---------------------------------------------------------------------------------------------------------- rebuilding */

static const jmp_path_info *active_path(const struct glimpse *now)
{
    for (size_t i = 0; i < now->path_count; i++)
        if (now->paths[i].role == JMP_PATH_ACTIVE) return &now->paths[i];
    return NULL;
}

static void judge_rebuilt_path(struct observer *observer, struct watched *session, const struct glimpse *now)
{
    const struct trail *trail = &session->trail;
    const jmp_path_info *active = active_path(now);
    if (now->info.state == JMP_STATE_TERMINATED || now->info.state == JMP_STATE_BIRTH) return;
    if (!active) {
        if (!trail->is_active_gone)
            broken(observer, session, "events_rebuild_path", "there is no active path, and no event told that path %d is gone", (int)trail->active_path);
        return;
    }
    if (active->path != trail->active_path || !is_same_address(&active->address, &trail->active_address)
        || strcmp(active->name, trail->active_transport))
        broken(observer, session, "events_rebuild_path", "active is path %u on %s, the events say path %d on %s", active->path, active->name,
               (int)trail->active_path, trail->active_transport);
}

/* Every event that was kept has been polled: from here on the trail is whole again. */
static void resume_trail(struct watched *session, const struct glimpse *now, jmp_time time)
{
    struct trail *trail = &session->trail;
    const jmp_session_info *info = &now->info;
    const jmp_path_info *active = active_path(now);
    /* When the state began, nobody knows: not after now. */
    if (!trail->has_begun || trail->version != info->state_version) trail->entered_at = trail->recovering_since = time;
    trail->has_begun = true;
    trail->state = info->state;
    trail->last_reason = info->last_reason;
    trail->version = info->state_version;
    trail->binding = trail->binding_of_last_bind = info->binding_version;
    trail->key_phase = info->key_phase;
    trail->switches_missed = now->stats.switches - trail->switches;
    trail->is_active_gone = !active;
    trail->active_path = active ? active->path : JMP_PATH_NONE;
    if (active) {
        trail->active_address = active->address;
        copy_name(trail->active_transport, active->name);
    }
    if (info->state == JMP_STATE_TERMINATED) trail->terminated_events = 1;
    trail->is_broken = trail->is_partial = false;
}

void judge_trail(struct observer *observer, struct watched *session, const struct glimpse *now)
{
    struct trail *trail = &session->trail;
    const jmp_session_info *info = &now->info;
    jmp_endpoint_stats stats;
    /* Drops that no event has told of yet. */
    if (observer->get_stats(observer, &stats) == JMP_OK && stats.events_dropped != observer->last_dropped) trail->is_partial = true;
    /* A gateway's half-open session ends without a trace (StateMachine, "What each state does"). */
    if (!trail->has_begun && info->role == JMP_ROLE_GATEWAY && !info->confirmed) return;
    if (trail->is_partial) {
        if (trail->has_begun && info->state_version < trail->version)
            broken(observer, session, "version_plus_one", "version %llu after %llu", (unsigned long long)info->state_version,
                   (unsigned long long)trail->version);
        if (stats.events_dropped == observer->last_dropped) resume_trail(session, now, observer->now);
        else trail->is_broken = true;
        return;
    }
    if (!trail->has_begun) {
        broken(observer, session, "events_rebuild_state", "no event told of this session in %s", jmp_state_name(info->state));
        return;
    }
    if (info->state != trail->state || info->state_version != trail->version || info->last_reason != trail->last_reason)
        broken(observer, session, "events_rebuild_state", "info says %s version %llu (%s), the events say %s version %llu (%s)",
               jmp_state_name(info->state), (unsigned long long)info->state_version, jmp_reason_name(info->last_reason),
               jmp_state_name(trail->state), (unsigned long long)trail->version, jmp_reason_name(trail->last_reason));
    if (info->binding_version < trail->binding || (session->role == JMP_ROLE_GATEWAY && info->binding_version != trail->binding_of_last_bind))
        broken(observer, session, "events_rebuild_binding", "info says binding %llu, the events say %llu", (unsigned long long)info->binding_version,
               (unsigned long long)trail->binding);
    if (now->stats.switches != trail->switches + trail->switches_missed)
        broken(observer, session, "events_rebuild_switches", "%llu switches, %llu TransportSwitch events of them and %llu dropped",
               (unsigned long long)now->stats.switches, (unsigned long long)trail->switches, (unsigned long long)trail->switches_missed);
    if (info->state != JMP_STATE_TERMINATED && info->key_phase != trail->key_phase)
        broken(observer, session, "events_rebuild_keys", "key phase %u, the events say %u", info->key_phase, trail->key_phase);
    if (info->state == JMP_STATE_TERMINATED && trail->terminated_events != 1)
        broken(observer, session, "end_event", "TERMINATED with %llu SessionTerminated events", (unsigned long long)trail->terminated_events);
    judge_rebuilt_path(observer, session, now);
}
