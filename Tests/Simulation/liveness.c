/* What the world knows must come true: a usable path ends in ATTACHED, no path in TERMINATED (issue 3, point 2). */
#include "observer_parts.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* How long the way back may take when a path works. Each part is the longest that the documents allow. */
static uint64_t recovery_bound(const struct watched *session, const struct glimpse *now)
{
    const jmp_policy *policy = &now->policy;
    /* D and the probe timeout of a path whose estimate is still from a worse time (WireProtocol, "Path quantities"). */
    uint64_t timeout = 8 * session->network.round_trip_us + SECOND_US;
    uint64_t back_off = 16 * larger(policy->switch_cooldown_us, 100000);            /* StateMachine, DEGRADED: the longest pause ... */
    if (back_off > policy->recovery_window_us) back_off = policy->recovery_window_us; /* ... which a path that proves itself ends at once */
    uint64_t bound = policy->recovery_window_us                                     /* an attempt on a path that does not work */
        + back_off + policy->volatile_to_degraded_us
        + 2 * policy->stability_window_us                                           /* healing in place, looked for eight times in a window */
        + 4 * timeout + 2 * SECOND_US;                                              /* reports and challenges back off to 1 s and 500 ms */
    /* A gateway waits for its client, which may be idle and ATTACHED: the next heartbeat or challenge tells it (StateMachine, "Timers"). */
    if (session->role == JMP_ROLE_GATEWAY) bound += 2 * policy->idle_heartbeat_us + policy->heartbeat_volatile_us;
    return bound;
}

/* Whether what the world calls usable is calm by this policy too (network_knowledge: loss below 5 %). */
static bool is_calm_by_policy(const struct watched *session, const jmp_policy *policy)
{
    return policy->loss_volatile_threshold_ppm >= 150000
        && (!policy->latency_volatile_threshold_us || policy->latency_volatile_threshold_us > 2 * session->network.round_trip_us);
}

/* How long until a path that works gives two-way evidence: the client challenges every path at least every 500 ms, or D, outside ATTACHED; a gateway
 * whose client is ATTACHED and idle waits for its next challenge (WireProtocol, "Candidates"). Some of them are lost. */
static uint64_t evidence_bound(const struct watched *session, const struct glimpse *now)
{
    uint64_t timeout = 8 * session->network.round_trip_us + SECOND_US;
    uint64_t bound = 4 * timeout + 3 * SECOND_US;
    if (session->role == JMP_ROLE_GATEWAY) bound += 2 * now->policy.idle_heartbeat_us + now->policy.heartbeat_volatile_us;
    return bound;
}

static void judge_recovery(struct observer *observer, struct watched *session, const struct glimpse *now)
{
    const jmp_session_info *info = &now->info;
    /* Nothing but time frees a spent minute, and it stays spent a little longer at the other end (Policy, "Which switches are bound by what"). */
    if (info->switches_last_minute >= now->policy.max_switches_per_min) session->limited_until = observer->now + SECOND_US;
    if (session->network.usable_since == JMP_TIME_NONE) return;
    jmp_time since = larger(session->network.usable_since, session->policy_changed_at);
    if (info->state == JMP_STATE_TERMINATED) {
        /* A lossy but living path never dies of the TTL (StateMachine, "Transport-lost clock"). The end that hears of it by CLOSE says the same reason, so
         * both are held to the gateway's bound. */
        uint64_t bound = evidence_bound(session, now) + 2 * now->policy.idle_heartbeat_us + now->policy.heartbeat_volatile_us;
        if (info->last_reason == JMP_REASON_TRANSPORT_TTL_EXCEEDED && session->terminated_at > since && session->terminated_at - since > bound)
            broken(observer, session, "ttl_with_a_usable_path", "ended for lack of a transport, and one had worked for %llu us, %llu allowed",
                   (unsigned long long)(session->terminated_at - since), (unsigned long long)bound);
        return;
    }
    if (info->state == JMP_STATE_ATTACHED || info->state == JMP_STATE_BIRTH) return;
    observer->counts.liveness_judged++;
    since = larger(since, larger(session->limited_until, session->attached_until));
    if (since >= observer->now || !is_calm_by_policy(session, &now->policy)) return;
    uint64_t bound = recovery_bound(session, now);
    if (observer->now - since > bound)
        broken(observer, session, "not_attached_with_a_usable_path", "%s (%s) although a path has worked for %llu us, %llu allowed",
               jmp_state_name(info->state), jmp_reason_name(info->last_reason), (unsigned long long)(observer->now - since), (unsigned long long)bound);
}

/* How long it may take to notice that every path is gone: the next heartbeat of an idle session at the gateway (5/4 and a half interval), its
 * timeout, one recovery, and answers that were on their way (StateMachine, "Timers" and "Transport-lost clock"). */
static uint64_t notice_bound(const struct watched *session, const jmp_policy *policy)
{
    uint64_t timeout = 8 * session->network.round_trip_us + SECOND_US;
    return policy->idle_heartbeat_us + policy->idle_heartbeat_us / 4 + policy->heartbeat_interval_us
        + larger(policy->heartbeat_volatile_us, timeout) + policy->recovery_window_us + 4 * timeout;
}

static void judge_loss(struct observer *observer, struct watched *session, const struct glimpse *now)
{
    const jmp_session_info *info = &now->info;
    if (session->network.cut_since == JMP_TIME_NONE || session->network.cut_since > observer->now) return;
    if (info->state == JMP_STATE_TERMINATED || info->state == JMP_STATE_BIRTH) return;
    observer->counts.liveness_judged++;
    uint64_t cut_for = observer->now - session->network.cut_since, notice = notice_bound(session, &now->policy);
    if (session->policy_changed_at > session->network.cut_since) cut_for = observer->now - session->policy_changed_at;
    if (cut_for > notice && info->transport_lost_at == JMP_TIME_NONE)
        broken(observer, session, "lost_clock_missing", "every path has been cut for %llu us, noticed after %llu us, and no lost clock runs in %s",
               (unsigned long long)cut_for, (unsigned long long)notice, jmp_state_name(info->state));
    if (cut_for > notice && cut_for - notice > now->policy.transport_lost_ttl_us)
        broken(observer, session, "transportless_too_long", "%s although every path has been cut for %llu us, %llu allowed", jmp_state_name(info->state),
               (unsigned long long)cut_for, (unsigned long long)(notice + now->policy.transport_lost_ttl_us));
}

void judge_liveness(struct observer *observer, struct watched *session, const struct glimpse *now)
{
    /* Deadlines that are due have not been told to the library yet. */
    if (observer->next_deadline(observer) <= observer->now) return;
    judge_recovery(observer, session, now);
    judge_loss(observer, session, now);
}
