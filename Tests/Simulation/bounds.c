/* Bounds in time and number: every recovery is bounded (DESIGN section 1, promise 5). */
#include "observer_parts.h"

/* Timers are exact to the tick of the wheel, 256 us; the host is told of a deadline never later (jmp_next_timeout). Since these rules are
 * asked only when every timer that is due has run, they need no allowance at all. */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static jmp_time after(jmp_time begin, uint64_t duration)
{
    return duration > JMP_TIME_NONE - begin ? JMP_TIME_NONE : begin + duration;
}

void judge_times(struct observer *observer, struct watched *session, const struct glimpse *now)
{
    const jmp_session_info *info = &now->info;
    const struct trail *trail = &session->trail;
    if (info->state == JMP_STATE_TERMINATED || info->state == JMP_STATE_BIRTH) return;
    if (observer->now > after(info->created_at, now->policy.max_lifetime_us))
        broken(observer, session, "lifetime_exceeded", "%s %llu us after its creation, %llu allowed", jmp_state_name(info->state),
               (unsigned long long)(observer->now - info->created_at), (unsigned long long)now->policy.max_lifetime_us);
    if (info->transport_lost_at != JMP_TIME_NONE && observer->now > after(info->transport_lost_at, now->policy.transport_lost_ttl_us))
        broken(observer, session, "transport_ttl_overrun", "%s %llu us after the lost clock began, %llu allowed", jmp_state_name(info->state),
               (unsigned long long)(observer->now - info->transport_lost_at), (unsigned long long)now->policy.transport_lost_ttl_us);
    if (info->transport_lost_at != JMP_TIME_NONE && info->state == JMP_STATE_ATTACHED)
        broken(observer, session, "transport_lost_while_attached", "the lost clock runs in ATTACHED");
    if (!trail->has_begun || trail->is_broken || trail->state != info->state || trail->version != info->state_version) return;
    /* Running deadlines count from their old beginnings under a new policy (Policy, "A live session"; jmp_session_set_policy); one that lies in the
     * past by then ends at the call, so the change itself is the earliest end. */
    jmp_time end = JMP_TIME_NONE;
    if (info->state == JMP_STATE_RECOVERING) end = after(trail->entered_at, now->policy.recovery_window_us);
    /* VOLATILE: the documents do not count it among those that a new policy moves, so the longest bound since it began holds. */
    if (info->state == JMP_STATE_VOLATILE) {
        uint64_t bound = now->policy.volatile_to_degraded_us;
        for (uint32_t i = 0; i < POLICIES_KEPT; i++)
            if (session->past[i].until >= trail->entered_at) bound = larger(bound, session->past[i].volatile_bound);
        end = after(trail->entered_at, bound);
    }
    if (session->policy_changed_at > trail->entered_at && session->policy_changed_at > end) end = session->policy_changed_at;
    if (observer->now > end)
        broken(observer, session, info->state == JMP_STATE_RECOVERING ? "recovery_window_overrun" : "volatile_overrun",
               "%s for %llu us, until %llu us at most", jmp_state_name(info->state), (unsigned long long)(observer->now - trail->entered_at),
               (unsigned long long)(end - trail->entered_at));
}

/* The loosest limits since the recovery began. A slow host polls the event later than it happened, and a policy may arrive in the very datagram that
 * completes a switch, or while its answer is on the way: the gateway had judged it before (Policy, "A live session"). */
static void limits_of_switch(const struct watched *session, const struct glimpse *now, uint32_t *limit, uint64_t *cooldown)
{
    *limit = now->policy.max_switches_per_min;
    *cooldown = now->policy.switch_cooldown_us;
    if (session->has_glimpse) {
        *limit = session->last.policy.max_switches_per_min > *limit ? session->last.policy.max_switches_per_min : *limit;
        *cooldown = session->last.policy.switch_cooldown_us < *cooldown ? session->last.policy.switch_cooldown_us : *cooldown;
    }
    for (uint32_t i = 0; i < POLICIES_KEPT; i++) {
        if (!session->past[i].until || session->past[i].until < session->trail.recovering_since) continue;
        if (session->past[i].switches > *limit) *limit = session->past[i].switches;
        if (session->past[i].cooldown < *cooldown) *cooldown = session->past[i].cooldown;
    }
}

/* A switch is a change of path: a NAT rebinding keeps the path and spends nothing (Policy, "Which switches are bound by what"). */
void judge_switch(struct observer *observer, struct watched *session, const jmp_event *event)
{
    struct trail *trail = &session->trail;
    if (event->path == trail->active_path) return;
    observer->counts.switches++;
    trail->switches++;
    struct glimpse now;
    uint32_t limit;
    uint64_t cooldown;
    observer->take_glimpse(observer, event->session, &now);
    if (now.status != JMP_OK) return;
    limits_of_switch(session, &now, &limit, &cooldown);
    uint32_t in_minute = 1;
    for (uint64_t k = 1; k < SWITCHES_KEPT && k < trail->switches; k++)
        if (event->time - trail->switch_times[(trail->switches - 1 - k) % SWITCHES_KEPT] < MINUTE_US) in_minute++;
    if (in_minute > limit)
        broken(observer, session, "switches_per_minute", "%u switches in 60 s, %u allowed", in_minute, limit);
    /* The gateway knows a choice by the request's cause, the client by its own reason (Policy; WireProtocol, "Reattach"). A path that the gateway
     * itself holds for dead is left without a choice, whatever the client's cause was (Policy, "Which switches are bound by what"). */
    bool is_voluntary = session->role == JMP_ROLE_CLIENT
        ? trail->is_voluntary
        : !trail->has_active_died
            && (trail->bound_cause == JMP_REASON_LOSS_THRESHOLD_EXCEEDED || trail->bound_cause == JMP_REASON_LATENCY_THRESHOLD_EXCEEDED
                || trail->bound_cause == JMP_REASON_OPERATOR_REQUESTED);
    /* While events are missing, the cause may be that of an earlier switch. */
    if (is_voluntary && !trail->is_broken && !trail->is_partial && trail->switches > 1 && event->time - trail->last_switch_at < cooldown)
        broken(observer, session, "cooldown", "a voluntary switch %llu us after the last one, %llu required",
               (unsigned long long)(event->time - trail->last_switch_at), (unsigned long long)cooldown);
    trail->switch_times[(trail->switches - 1) % SWITCHES_KEPT] = event->time;
    trail->last_switch_at = event->time;
}

void judge_end(struct observer *observer, struct watched *session, const jmp_event *event)
{
    const struct glimpse *last = &session->last;
    /* Only when the last look was at the state before: with more sessions than are looked at after each timeout it may be an old one. */
    if (!session->has_glimpse || last->info.state_version + 1 != event->state_version || observer->session_count > SESSIONS_PER_STEP) return;
    /* The peer's CLOSE may say either reason, by its own clock (WireProtocol, "Close"). */
    bool is_told = observer->call[0] == 'r' && event->time == observer->now;
    if (event->reason == JMP_REASON_SESSION_LIFETIME_EXCEEDED && !is_told) {
        uint64_t lifetime = last->policy.max_lifetime_us;
        struct glimpse now;
        observer->take_glimpse(observer, event->session, &now);
        if (now.status == JMP_OK && now.policy.max_lifetime_us < lifetime) lifetime = now.policy.max_lifetime_us;
        if (event->time < after(last->info.created_at, lifetime))
            broken(observer, session, "lifetime_early", "ended for its age after %llu us, %llu allowed",
                   (unsigned long long)(event->time - last->info.created_at), (unsigned long long)lifetime);
    }
    if (event->reason == JMP_REASON_TRANSPORT_TTL_EXCEEDED && !is_told) {
        uint64_t ttl = last->policy.transport_lost_ttl_us;
        if (last->info.transport_lost_at == JMP_TIME_NONE || event->time < after(last->info.transport_lost_at, ttl))
            broken(observer, session, "transport_ttl_early", "ended for lack of a transport %llu us after the lost clock began, %llu allowed",
                   (unsigned long long)(event->time - last->info.transport_lost_at), (unsigned long long)ttl);
    }
}
