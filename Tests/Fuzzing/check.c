#include "stage.h"

#define BIT(reason) (UINT64_C(1) << JMP_REASON_##reason)

/* ---------------------------------------------------------------- transitions */

/* The table of StateMachine.md, written down a second time. */
static uint64_t reasons_between(uint32_t from, uint32_t to)
{
    static const uint64_t endings = BIT(SESSION_LIFETIME_EXCEEDED) | BIT(TRANSPORT_TTL_EXCEEDED) | BIT(SECURITY_FAILURE)
        | BIT(OPERATOR_TERMINATED) | BIT(PEER_TERMINATED) | BIT(OWNERSHIP_MOVED);
    static const uint64_t recoveries = BIT(LOSS_RECOVERY) | BIT(DEAD_TRANSPORT_RECOVERY) | BIT(POLICY_FORCED_RECOVERY) | BIT(STABILITY_WINDOW_MET);
    if (to == JMP_STATE_TERMINATED) {
        if (from == JMP_STATE_BIRTH)
            return BIT(HANDSHAKE_FAILED) | BIT(SECURITY_FAILURE) | BIT(OPERATOR_TERMINATED) | BIT(PEER_TERMINATED);
        if (from == JMP_STATE_ATTACHED) return endings & ~BIT(TRANSPORT_TTL_EXCEEDED);
        return from < JMP_STATE_TERMINATED ? endings : 0;
    }
    switch (from << 4 | to) {
    case JMP_STATE_BIRTH << 4 | JMP_STATE_ATTACHED: return BIT(HANDSHAKE_OK);
    case JMP_STATE_ATTACHED << 4 | JMP_STATE_VOLATILE:
        return BIT(LOSS_THRESHOLD_EXCEEDED) | BIT(CONSECUTIVE_DROP_EXCEEDED) | BIT(HEARTBEAT_TIMEOUT) | BIT(LATENCY_THRESHOLD_EXCEEDED)
            | BIT(TRANSPORT_DEAD) | BIT(PEER_REPORTED_VOLATILITY) | BIT(OPERATOR_REQUESTED);
    case JMP_STATE_VOLATILE << 4 | JMP_STATE_RECOVERING:
    case JMP_STATE_DEGRADED << 4 | JMP_STATE_RECOVERING: return recoveries;
    case JMP_STATE_VOLATILE << 4 | JMP_STATE_DEGRADED:
        return BIT(VOLATILE_PERSISTED) | BIT(SWITCH_RATE_LIMITED) | BIT(COOLDOWN_ACTIVE) | BIT(NO_CANDIDATE_TRANSPORTS);
    case JMP_STATE_RECOVERING << 4 | JMP_STATE_ATTACHED: return BIT(REATTACH_SUCCESS);
    case JMP_STATE_RECOVERING << 4 | JMP_STATE_DEGRADED:
        return BIT(REATTACH_VALIDATION_FAILED) | BIT(NO_CANDIDATE_TRANSPORTS) | BIT(POLICY_DENIED) | BIT(RECOVERY_WINDOW_EXCEEDED);
    default: return 0;
    }
}

bool check_allows(uint32_t from, uint32_t to, uint32_t reason)
{
    return reason < 64 && reasons_between(from, to) >> reason & 1;
}

/* -------------------------------------------------------------------- events */

static struct trail *find_trail(struct node *node, jmp_session session)
{
    for (uint32_t i = 0; i < node->trail_count; i++)
        if (node->trails[i].session == session) return &node->trails[i];
    return NULL;
}

static struct trail *add_trail(struct node *node, const jmp_event *event)
{
    uint32_t slot = node->trail_count;
    if (slot == TRAILS) {
        for (slot = 0; slot + 1 < TRAILS && !node->trails[slot].is_gone; slot++) { }
        memmove(node->trails + slot, node->trails + slot + 1, (TRAILS - 1 - slot) * sizeof *node->trails);
        slot = TRAILS - 1;
    } else {
        node->trail_count++;
    }
    node->trails[slot] = (struct trail){ .session = event->session, .state = JMP_STATE_BIRTH, .entered_at = event->time };
    memcpy(node->trails[slot].session_id, event->session_id, sizeof event->session_id);
    return &node->trails[slot];
}

static void check_transition(struct trail *trail, const jmp_event *event)
{
    REQUIRE(event->previous_state == trail->state, "a transition from %s, the session was %s", jmp_state_name(event->previous_state),
            jmp_state_name(trail->state));
    REQUIRE(event->state_version == trail->version + 1, "version %llu after %llu", (unsigned long long)event->state_version,
            (unsigned long long)trail->version);
    REQUIRE(check_allows(event->previous_state, event->new_state, event->reason), "%s to %s because of %s is not in the table",
            jmp_state_name(event->previous_state), jmp_state_name(event->new_state), jmp_reason_name(event->reason));
    if (event->previous_state == JMP_STATE_RECOVERING && event->new_state == JMP_STATE_ATTACHED) trail->binds++;
    trail->state = event->new_state;
    trail->version = event->state_version;
    trail->entered_at = event->time;
}

void check_event(struct stage *stage, int who, const jmp_event *event)
{
    struct node *node = &stage->nodes[who];
    struct trail *trail = event->session ? find_trail(node, event->session) : NULL;
    REQUIRE(event->struct_size == sizeof *event && event->seeded == 1, "%u, %u", event->struct_size, event->seeded);
    REQUIRE(event->type >= JMP_EVENT_SESSION_CREATED && event->type <= JMP_EVENT_FLOW_CONTROL_UPDATE, "type %u", event->type);
    REQUIRE(event->time <= stage->now, "an event of the future");
    /* Every event is taken at once, so the queue is never full. */
    REQUIRE(!node->has_sequence || event->sequence == node->sequence + 1, "sequence %llu after %llu", (unsigned long long)event->sequence,
            (unsigned long long)node->sequence);
    REQUIRE(event->type != JMP_EVENT_TRANSITION_REJECTED, "the library tried %s to %s because of %s", jmp_state_name(event->previous_state),
            jmp_state_name(event->new_state), jmp_reason_name(event->reason));
    node->sequence = event->sequence;
    node->has_sequence = true;
    if (event->type == JMP_EVENT_SESSION_CREATED) {
        REQUIRE(!trail, "a session is created twice");
        trail = add_trail(node, event);
    }
    if (event->type == JMP_EVENT_ACCEPT_REQUESTED) return;
    if (!event->session) return;
    REQUIRE(trail, "%s of a session nobody created", jmp_event_name(event->type));
    REQUIRE(!memcmp(trail->session_id, event->session_id, sizeof event->session_id), "the session id changed");
    if (event->type == JMP_EVENT_POLICY_CHANGED) trail->policy_changed_at = event->time;
    if (event->type == JMP_EVENT_POLICY_CHANGED || event->type == JMP_EVENT_SESSION_ESTABLISHED) trail->has_new_policy = true;
    if (event->type == JMP_EVENT_SESSION_STATE_CHANGE) {
        check_transition(trail, event);
    } else {
        REQUIRE(trail->state != JMP_STATE_TERMINATED || event->type == JMP_EVENT_SESSION_TERMINATED, "%s after the end",
                jmp_event_name(event->type));
        REQUIRE(event->state_version == trail->version, "%s tells version %llu, the session is at %llu", jmp_event_name(event->type),
                (unsigned long long)event->state_version, (unsigned long long)trail->version);
    }
}

/* ------------------------------------------------------------------- looking */

static void prove(struct stage *stage, jmp_session session)
{
    jmp_path_info paths[JMP_MAX_PATHS];
    size_t count = 0;
    if (jmp_session_get_paths(stage->nodes[GATEWAY].endpoint, session, paths, JMP_MAX_PATHS, &count) != JMP_OK) return;
    for (size_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < stage->account_count && paths[i].validated; j++)
            if (stage->accounts[j].transport == paths[i].transport && stage->accounts[j].address.length == paths[i].address.length
                && !memcmp(stage->accounts[j].address.bytes, paths[i].address.bytes, paths[i].address.length)) stage->accounts[j].is_proven = true;
}

void check_proven(struct stage *stage, jmp_session session)
{
    const struct node *gateway = &stage->nodes[GATEWAY];
    for (uint32_t t = 0; t < gateway->trail_count; t++) prove(stage, gateway->trails[t].session);
    if (session) prove(stage, session);
}

static void check_paths(struct stage *stage, int who, const struct trail *trail, const jmp_session_info *info)
{
    jmp_path_info paths[JMP_MAX_PATHS];
    size_t count = 0, active = 0, provisional = 0;
    jmp_status status = jmp_session_get_paths(stage->nodes[who].endpoint, trail->session, paths, JMP_MAX_PATHS, &count);
    REQUIRE(status == JMP_OK && count <= JMP_MAX_PATHS && count == info->path_count, "%d: %zu paths, %u told", status, count, info->path_count);
    for (size_t i = 0; i < count; i++) {
        const jmp_path_info *path = &paths[i];
        REQUIRE(path->role <= JMP_PATH_PROVISIONAL, "role %u", path->role);
        active += path->role == JMP_PATH_ACTIVE;
        provisional += path->role == JMP_PATH_PROVISIONAL;
        if (path->role == JMP_PATH_ACTIVE)
            REQUIRE(path->path == info->active_path && path->transport == info->active_transport, "another path is active than told");
        for (size_t j = 0; j < i; j++) REQUIRE(paths[j].path != path->path, "two paths with one id");
        if (who != GATEWAY || trail->state == JMP_STATE_TERMINATED) continue;
        REQUIRE(path->validated || path->bytes_sent <= 3 * path->bytes_received, "%llu bytes to an address that sent %llu",
                (unsigned long long)path->bytes_sent, (unsigned long long)path->bytes_received);
    }
    REQUIRE(active <= 1 && provisional <= 1, "%zu active, %zu provisional paths", active, provisional);
    REQUIRE(info->state != JMP_STATE_ATTACHED || active == 1, "ATTACHED with %zu active paths", active);
    REQUIRE((info->active_path != JMP_PATH_NONE) == (active == 1), "an active path is told that is not there");
}

/* One more switch within a minute: the policy must have allowed it. */
static void check_switches(struct stage *stage, int who, const struct trail *trail, const jmp_session_info *info)
{
    jmp_policy policy = { .struct_size = sizeof policy };
    REQUIRE(jmp_session_get_policy(stage->nodes[who].endpoint, trail->session, &policy) == JMP_OK, "no policy");
    REQUIRE(info->switches_last_minute <= policy.max_switches_per_min, "%u switches in a minute", info->switches_last_minute);
}

static void check_session(struct stage *stage, int who, struct trail *trail)
{
    jmp_session_info info = { .struct_size = sizeof info };
    jmp_endpoint *endpoint = stage->nodes[who].endpoint;
    jmp_status status = jmp_session_get_info(endpoint, trail->session, &info);
    if (status != JMP_OK) {
        REQUIRE(status == JMP_ERR_SESSION && trail->state == JMP_STATE_TERMINATED, "%s: %s", jmp_state_name(trail->state), jmp_strerror(status));
        trail->is_gone = true;
        return;
    }
    REQUIRE(!trail->is_gone, "a session came back");
    REQUIRE(info.role == (uint32_t)(who == CLIENT ? JMP_ROLE_CLIENT : JMP_ROLE_GATEWAY), "role %u", info.role);
    REQUIRE(info.state == trail->state && info.state_version == trail->version, "%s version %llu, the events say %s version %llu",
            jmp_state_name(info.state), (unsigned long long)info.state_version, jmp_state_name(trail->state), (unsigned long long)trail->version);
    REQUIRE(!memcmp(info.session_id, trail->session_id, sizeof info.session_id), "the session id changed");
    if (who == GATEWAY) REQUIRE(info.binding_version == trail->binds, "%llu binds told, %llu audited", (unsigned long long)info.binding_version,
                                (unsigned long long)trail->binds);
    if (info.switches_last_minute > trail->switches) check_switches(stage, who, trail, &info);
    trail->switches = info.switches_last_minute;
    REQUIRE(info.protected_count <= JMP_PROTECTED_COUNT_MAX && info.send_buffered <= 4u << 20 && (info.protected_count == 0) == (info.send_buffered == 0),
            "%u protected payloads, %u bytes", info.protected_count, info.send_buffered);
    REQUIRE(info.receive_buffered <= (who == CLIENT ? 1u << 20 : 65536) + JMP_PROTECTED_PAYLOAD_MAX + JMP_PROTECTED_CHARGE, "%u bytes wait",
            info.receive_buffered);
    check_paths(stage, who, trail, &info);
}

void check_node(struct stage *stage, int who)
{
    struct node *node = &stage->nodes[who];
    jmp_endpoint_stats stats = { .struct_size = sizeof stats };
    if (who == GATEWAY) check_proven(stage, 0);
    for (uint32_t i = 0; i < node->trail_count; i++) check_session(stage, who, &node->trails[i]);
    REQUIRE(jmp_endpoint_get_stats(node->endpoint, &stats) == JMP_OK, "no statistics");
    REQUIRE(stats.sessions <= stage->max_sessions && stats.half_open <= 3 && stats.waiting <= 2, "%u sessions, %u half-open, %u waiting",
            stats.sessions, stats.half_open, stats.waiting);
    REQUIRE(stats.datagrams_sent == node->sent_datagrams, "%llu sent, %llu counted", (unsigned long long)node->sent_datagrams,
            (unsigned long long)stats.datagrams_sent);
}

void check_deadlines(struct stage *stage, int who)
{
    struct node *node = &stage->nodes[who];
    for (uint32_t i = 0; i < node->trail_count; i++) {
        struct trail *trail = &node->trails[i];
        jmp_session_info info = { .struct_size = sizeof info };
        jmp_policy policy = { .struct_size = sizeof policy };
        if (trail->state == JMP_STATE_TERMINATED || jmp_session_get_info(node->endpoint, trail->session, &info) != JMP_OK) continue;
        REQUIRE(jmp_session_get_policy(node->endpoint, trail->session, &policy) == JMP_OK, "no policy");
        if (trail->has_new_policy) REQUIRE(jmp_policy_check(&policy, NULL, 0) == JMP_OK, "the session lives by an invalid policy");
        trail->has_new_policy = false;
        REQUIRE(info.state == JMP_STATE_BIRTH || stage->now < info.expires_at, "alive after its lifetime");
        if (info.transport_lost_at != JMP_TIME_NONE)
            REQUIRE(stage->now < info.transport_lost_at + policy.transport_lost_ttl_us, "alive after the transport-lost TTL");
        if (info.state == JMP_STATE_RECOVERING)
            REQUIRE(stage->now < trail->entered_at + policy.recovery_window_us, "RECOVERING after the recovery window");
        if (info.state == JMP_STATE_VOLATILE && trail->policy_changed_at < trail->entered_at)
            REQUIRE(stage->now < trail->entered_at + policy.volatile_to_degraded_us, "VOLATILE after volatile_to_degraded");
    }
}

/* ------------------------------------------------------------- amplification */

void check_account(struct stage *stage, uint32_t transport, const jmp_address *address, uint64_t received, uint64_t sent)
{
    uint32_t i = 0;
    while (i < stage->account_count && (stage->accounts[i].transport != transport || stage->accounts[i].address.length != address->length
           || memcmp(stage->accounts[i].address.bytes, address->bytes, address->length <= JMP_ADDRESS_MAX ? address->length : JMP_ADDRESS_MAX))) i++;
    if (i == stage->account_count) {
        if (i == ADDRESSES) stage->ignores_accounts = true;
        if (stage->ignores_accounts) return;
        stage->accounts[stage->account_count++] = (struct account){ .transport = transport, .address = *address };
    }
    struct account *account = &stage->accounts[i];
    account->received += received;
    account->sent += sent;
    REQUIRE(account->is_proven || stage->ignores_accounts || account->sent <= 3 * account->received,
            "%llu bytes to an address that sent %llu", (unsigned long long)account->sent, (unsigned long long)account->received);
}

/* ------------------------------------------------------------------ snapshots */

void check_take(struct stage *stage, int who, struct snapshot *snapshot)
{
    struct node *node = &stage->nodes[who];
    memset(snapshot, 0, sizeof *snapshot);
    snapshot->trail_count = node->trail_count;
    for (uint32_t i = 0; i < node->trail_count; i++) {
        jmp_session session = node->trails[i].session;
        snapshot->info[i].struct_size = sizeof snapshot->info[i];
        snapshot->stats[i].struct_size = sizeof snapshot->stats[i];
        snapshot->policy[i].struct_size = sizeof snapshot->policy[i];
        if (jmp_session_get_info(node->endpoint, session, &snapshot->info[i]) != JMP_OK) continue;
        jmp_session_get_stats(node->endpoint, session, &snapshot->stats[i]);
        jmp_session_get_policy(node->endpoint, session, &snapshot->policy[i]);
        jmp_session_get_paths(node->endpoint, session, snapshot->paths[i], JMP_MAX_PATHS, &snapshot->path_counts[i]);
        /* What dropped datagrams may count. */
        snapshot->stats[i].bad_tag = snapshot->stats[i].replayed = snapshot->stats[i].too_old = snapshot->stats[i].replay_window_size = 0;
    }
    snapshot->endpoint.struct_size = sizeof snapshot->endpoint;
    jmp_endpoint_get_stats(node->endpoint, &snapshot->endpoint);
    snapshot->endpoint.datagrams_received = snapshot->endpoint.datagrams_sent = 0;
    memset(snapshot->endpoint.dropped, 0, sizeof snapshot->endpoint.dropped);
}

void check_same(const struct snapshot *before, const struct snapshot *after, const char *what)
{
    REQUIRE(before->trail_count == after->trail_count && !memcmp(before->info, after->info, sizeof before->info), "%s changed a session", what);
    REQUIRE(!memcmp(before->stats, after->stats, sizeof before->stats), "%s changed a session's counters", what);
    REQUIRE(!memcmp(before->policy, after->policy, sizeof before->policy), "%s changed a policy", what);
    REQUIRE(!memcmp(before->paths, after->paths, sizeof before->paths), "%s changed a path", what);
    REQUIRE(!memcmp(&before->endpoint, &after->endpoint, sizeof before->endpoint), "%s changed the endpoint", what);
}
