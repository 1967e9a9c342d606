/* Calls about one session, apart from its datagrams. */
#include "keys.h"
#include "model.h"

/* A policy near the default, with the faults that are asked for. */
static void describe_policy(struct call *call, jmp_policy *policy)
{
    jmp_policy_init(policy);
    policy->max_lifetime_us += call->block.d;
    policy->max_candidates = call->block.d % 7;
    policy->volatile_to_degraded_us += call->block.d;
    policy->control_expendable = call->block.d / 8 & 1;
    if (is_hostile(call, HOSTILE_RANGE)) {
        uint32_t *fields[] = { &policy->loss_volatile_threshold_ppm, &policy->max_consecutive_drops, &policy->max_switches_per_min,
                               &policy->switch_improvement_ppm, &policy->allowed_classes, &policy->replay_window, &policy->suites };
        *fields[call->block.f / 2 % 7] = 0;
        call_fault(call, true, JMP_ERR_POLICY);
    }
    if (is_hostile(call, HOSTILE_STRUCT_SIZE)) policy->struct_size--;
    if (is_hostile(call, HOSTILE_RESERVED)) policy->reserved[call->block.d % sizeof policy->reserved] = 0x80;
    call_fault(call, is_hostile(call, HOSTILE_STRUCT_SIZE) || is_hostile(call, HOSTILE_RESERVED), JMP_ERR_STRUCT_SIZE);
}

static void call_set_policy(struct call *call)
{
    jmp_policy policy, *pointer = is_hostile(call, HOSTILE_NULL) ? NULL : &policy;
    describe_policy(call, &policy);
    call_fault(call, !pointer, JMP_ERR_NULL);
    call_needs_live(call);
    call_fault(call, call->exists && call->info.role == JMP_ROLE_CLIENT, JMP_ERR_ROLE);
    call_fault(call, call->exists && call->info.state == JMP_STATE_BIRTH && call->info.role == JMP_ROLE_GATEWAY, JMP_ERR_STATE);
    if (JUDGE(call, jmp_session_set_policy(call->endpoint, call->session, pointer, call->now)) != JMP_OK) return;
    jmp_policy now = { .struct_size = sizeof now };
    REQUIRE(jmp_session_get_policy(call->endpoint, call->session, &now) == JMP_OK, "no policy");
    REQUIRE(now.volatile_to_degraded_us == policy.volatile_to_degraded_us, "another policy than was set");
    REQUIRE(now.max_lifetime_us <= policy.max_lifetime_us && now.max_candidates <= policy.max_candidates, "a looser policy than was set");
}

/* The calls that only look. */
static void call_look(struct call *call)
{
    jmp_session_info info = { .struct_size = sizeof info };
    jmp_session_stats stats = { .struct_size = sizeof stats };
    jmp_policy policy = { .struct_size = sizeof policy };
    jmp_path_info paths[JMP_MAX_PATHS];
    size_t count = SIZE_MAX, capacity = call->block.d % (JMP_MAX_PATHS + 1);
    char text[256];
    bool is_null = is_hostile(call, HOSTILE_NULL);
    if (call->block.a % 8 < 3 && is_hostile(call, HOSTILE_STRUCT_SIZE)) {
        info.struct_size = stats.struct_size = policy.struct_size = call->block.d % 8;
        call_fault(call, true, JMP_ERR_STRUCT_SIZE);
    }
    call_fault(call, call->block.a % 8 != 4 && is_null, JMP_ERR_NULL);
    switch (call->block.a % 8) {
    case 0: JUDGE(call, jmp_session_get_info(call->endpoint, call->session, is_null ? NULL : &info)); break;
    case 1: JUDGE(call, jmp_session_get_stats(call->endpoint, call->session, is_null ? NULL : &stats)); break;
    case 2: JUDGE(call, jmp_session_get_policy(call->endpoint, call->session, is_null ? NULL : &policy)); break;
    case 3:
        call_fault(call, call->exists && capacity < call->info.path_count, JMP_ERR_BUFFER_TOO_SMALL);
        JUDGE(call, jmp_session_get_paths(call->endpoint, call->session, paths, capacity, is_null ? NULL : &count));
        if (!is_null && !is_hostile(call, HOSTILE_ENDPOINT) && call->exists) REQUIRE(count == call->info.path_count, "%zu paths", count);
        break;
    case 4:
        call_fault(call, capacity && is_null, JMP_ERR_NULL);
        call_fault(call, call->exists && capacity < call->info.path_count, JMP_ERR_BUFFER_TOO_SMALL);
        JUDGE(call, jmp_session_get_paths(call->endpoint, call->session, is_null ? NULL : paths, capacity, &count));
        break;
    default: {
        size_t room = is_hostile(call, HOSTILE_RANGE) ? 0 : 1 + call->block.d % sizeof text;
        memset(text, 0x55, sizeof text);
        call_fault(call, !room, JMP_ERR_ARGUMENT);
        if (JUDGE(call, jmp_session_explain(call->endpoint, call->session, call->now, is_null ? NULL : text, room)) == JMP_OK)
            REQUIRE(memchr(text, 0, room), "no final zero within %zu", room);
        for (size_t i = room; i < sizeof text; i++) REQUIRE(text[i] == 0x55, "written beyond the capacity");
        break;
    }
    }
}

/* ---------------------------------------------------------------------- paths */

static bool find_path(const struct call *call, uint32_t transport, const jmp_address *address, uint32_t id)
{
    jmp_path_info paths[JMP_MAX_PATHS];
    size_t count = 0;
    struct stage *stage = call->stage;
    if (jmp_session_get_paths(stage_enter(stage, call->who), call->session, paths, JMP_MAX_PATHS, &count) != JMP_OK) return false;
    for (size_t i = 0; i < count; i++) {
        if (!address && paths[i].path == id) return true;
        if (address && paths[i].transport == transport && paths[i].address.length == address->length
            && !memcmp(paths[i].address.bytes, address->bytes, address->length)) return true;
    }
    return false;
}

static void call_path_add(struct call *call)
{
    jmp_address remote = stage_gateway_address(call->block.d % LINKS), *remote_pointer = &remote;
    uint32_t transport = is_hostile(call, HOSTILE_OTHER) ? JMP_MAX_TRANSPORTS + call->block.d : call->block.d % 5u, path = 0, *path_pointer = &path;
    remote.bytes[5] = call->block.d >> 8 & 7 ? remote.bytes[5] : (uint8_t)(call->block.d >> 11);
    if (is_hostile(call, HOSTILE_RANGE)) {
        switch (call->block.f / 2 % 4) {
        case 0: remote.length = 0; break;
        case 1: remote.length = JMP_ADDRESS_MAX + 1; break;
        case 2: remote.prefix_length = (uint8_t)(remote.length + 1); break;
        default: remote.reserved[5] = 1; break;
        }
        call_fault(call, true, JMP_ERR_ARGUMENT);
    }
    if (is_hostile(call, HOSTILE_NULL)) {
        if (call->block.f & 4) remote_pointer = NULL;
        else path_pointer = NULL;
        call_fault(call, true, JMP_ERR_NULL);
    }
    call_needs_live(call);
    call_fault(call, call->exists && call->info.role != JMP_ROLE_CLIENT, JMP_ERR_ROLE);
    call_fault(call, transport >= JMP_MAX_TRANSPORTS || !call->models[call->who].has_transport[transport], JMP_ERR_TRANSPORT);
    if (call->exists && remote.length && remote.length <= JMP_ADDRESS_MAX)
        call_fault(call, find_path(call, transport, &remote, 0), JMP_ERR_EXISTS);
    jmp_policy policy = { .struct_size = sizeof policy };
    if (call->exists && jmp_session_get_policy(stage_enter(call->stage, call->who), call->session, &policy) == JMP_OK)
        call_fault(call, call->info.path_count > policy.max_candidates, JMP_ERR_PATH_LIMIT);
    if (call->exists && transport < JMP_MAX_TRANSPORTS)
        call_fault(call, !(policy.allowed_classes >> call->models[call->who].classes[transport] & 1), JMP_ERR_POLICY);
    if (JUDGE(call, jmp_path_add(call->endpoint, call->session, transport, remote_pointer, call->now, path_pointer)) == JMP_OK)
        REQUIRE(find_path(call, 0, NULL, path), "path %u is not there", path);
}

static void call_path_remove(struct call *call)
{
    uint32_t path = is_hostile(call, HOSTILE_RANGE) ? JMP_PATH_NONE - call->block.d % 2 : call->block.d % 8u;
    call_needs_live(call);
    call_fault(call, call->exists && call->info.role != JMP_ROLE_CLIENT, JMP_ERR_ROLE);
    call_fault(call, call->exists && !find_path(call, 0, NULL, path), JMP_ERR_PATH);
    if (JUDGE(call, jmp_path_remove(call->endpoint, call->session, path, call->now)) != JMP_OK) return;
    REQUIRE(!find_path(call, 0, NULL, path), "a removed path is still there");
    if (call->info.state == JMP_STATE_ATTACHED && call->info.active_path == path) {
        stage_settle(call->stage, call->who);
        uint32_t state = stage_info(call->stage, call->who, call->session).state;
        REQUIRE(state != JMP_STATE_ATTACHED && state != JMP_STATE_TERMINATED, "%s without its active path", jmp_state_name(state));
    }
}

static void call_switch(struct call *call)
{
    uint32_t path = call->block.d & 0x100 ? JMP_PATH_NONE : call->block.d % 8u;
    bool is_client = call->exists && call->info.role == JMP_ROLE_CLIENT;
    call_needs_live(call);
    call_fault(call, call->exists && call->info.state != JMP_STATE_ATTACHED && call->info.state != JMP_STATE_TERMINATED, JMP_ERR_STATE);
    if (is_client) call_fault(call, path != JMP_PATH_NONE && (path == call->info.active_path || !find_path(call, 0, NULL, path)), JMP_ERR_PATH);
    else call_fault(call, call->exists && path != JMP_PATH_NONE, JMP_ERR_ROLE);
    if (is_client) call_may(call, JMP_ERR_SWITCH_DENIED);
    call->changes_on_error = is_client && !call->fault_count;       /* a denial is counted and audited */
    jmp_status status = JUDGE(call, jmp_session_request_switch(call->endpoint, call->session, path, call->now));
    stage_settle(call->stage, call->who);
    uint32_t state = stage_info(call->stage, call->who, call->session).state;
    if (status == JMP_OK) REQUIRE(state == (is_client ? JMP_STATE_RECOVERING : JMP_STATE_VOLATILE), "%s after a request to switch", jmp_state_name(state));
    if (status == JMP_ERR_SWITCH_DENIED) REQUIRE(state == JMP_STATE_ATTACHED, "%s after a denied switch", jmp_state_name(state));
}

/* ----------------------------------------------------------- beginning and end */

static void call_connect(struct call *call)
{
    jmp_connect_config config, *pointer = &config;
    jmp_session session = 77, *result = &session;
    struct model *model = &call->models[call->who];
    jmp_endpoint_stats stats = { .struct_size = sizeof stats };
    jmp_connect_config_init(&config);
    config.transport = is_hostile(call, HOSTILE_OTHER) ? JMP_TRANSPORT_NONE : call->block.d % 5u;
    config.remote = stage_gateway_address(call->block.d % LINKS);
    memcpy(config.psk, stage_psk, sizeof config.psk);
    if (call->block.d & 0x1000) config.psk[0] ^= 1;                 /* a wrong one: no answer will come */
    if (call->block.d & 0x8000) memset(config.psk, 0, sizeof config.psk);
    call_fault(call, call->block.d & 0x8000, JMP_ERR_KEY);
    config.handshake_timeout_us = 1 * SECOND;
    if (is_hostile(call, HOSTILE_RANGE)) {
        switch (call->block.f / 2 % 6) {
        case 0: config.pattern = 3; break;
        case 1: config.hint_length = JMP_HINT_MAX + 1; break;
        case 2: config.remote.length = 33; break;
        case 3: config.handshake_timeout_us = 99999; break;
        case 4: memset(config.label, 'l', sizeof config.label); break;
        default: config.label[0] = 0x1B; break;
        }
        call_fault(call, true, JMP_ERR_ARGUMENT);
    }
    if (is_hostile(call, HOSTILE_STRUCT_SIZE)) config.struct_size = 0;
    if (is_hostile(call, HOSTILE_RESERVED)) config.reserved[63] = 1;
    call_fault(call, is_hostile(call, HOSTILE_STRUCT_SIZE) || is_hostile(call, HOSTILE_RESERVED), JMP_ERR_STRUCT_SIZE);
    if (is_hostile(call, HOSTILE_NULL)) {
        if (call->block.f & 4) pointer = NULL;
        else result = NULL;
        call_fault(call, true, JMP_ERR_NULL);
    }
    call_fault(call, call->who != CLIENT, JMP_ERR_ROLE);
    call_fault(call, config.transport >= JMP_MAX_TRANSPORTS || !model->has_transport[config.transport], JMP_ERR_TRANSPORT);
    jmp_endpoint_get_stats(stage_enter(call->stage, call->who), &stats);
    if (stats.sessions == call->stage->max_sessions) {
        /* TERMINATED sessions give way; whether there is one is not asked here. */
        call_may(call, JMP_ERR_SESSION_LIMIT);
    }
    if (config.transport < JMP_MAX_TRANSPORTS)
        call_fault(call, !(call->stage->allowed_classes >> model->classes[config.transport] & 1), JMP_ERR_POLICY);
    jmp_status status = JUDGE(call, jmp_connect(call->endpoint, pointer, call->now, result));
    REQUIRE(!result || (session != 0) == (status == JMP_OK), "session %llu with %d", (unsigned long long)session, status);
    if (status != JMP_OK) return;
    jmp_session_info info = stage_info(call->stage, call->who, session);
    REQUIRE(info.state == JMP_STATE_BIRTH && info.state_version == 0 && info.role == JMP_ROLE_CLIENT, "%s", jmp_state_name(info.state));
}

static void call_answer(struct call *call, bool accepts)
{
    struct node *node = &call->stage->nodes[call->who];
    bool is_waiting = call->exists && call->session == node->waiting && call->info.state == JMP_STATE_BIRTH && call->info.suite == 0;
    uint8_t psk[JMP_KEY_SIZE];
    memcpy(psk, stage_psk, sizeof psk);
    if (is_hostile(call, HOSTILE_RANGE)) psk[1] ^= 1;
    const uint8_t *pointer = is_hostile(call, HOSTILE_NULL) ? NULL : psk;
    call_fault(call, call->exists && !is_waiting, JMP_ERR_STATE);
    if (accepts) {
        /* The stage's and the targets' clients use the stage's key, or a wrong one on purpose. IKpsk2 needs none, and its first
         * message opens with any. */
        bool needs_key = node->waiting_pattern != JMP_PATTERN_IKPSK2;
        call_fault(call, is_waiting && needs_key && !pointer, JMP_ERR_KEY);
        call_fault(call, is_waiting && needs_key && is_hostile(call, HOSTILE_RANGE), JMP_ERR_KEY);
        call_may(call, JMP_ERR_KEY);
        call_may(call, JMP_AGAIN);
        JUDGE(call, jmp_accept(call->endpoint, call->session, pointer, call->now));
    } else if (JUDGE(call, jmp_refuse(call->endpoint, call->session, call->now)) == JMP_OK) {
        REQUIRE(stage_info(call->stage, call->who, call->session).state == UINT32_MAX, "a refused request is still there");
    }
}

static void call_close(struct call *call)
{
    static const uint32_t wrong[] = { 0, JMP_REASON_PEER_TERMINATED, 256 + JMP_REASON_OPERATOR_TERMINATED, UINT32_MAX };
    uint32_t reason = call->block.d & 1 ? JMP_REASON_SECURITY_FAILURE : JMP_REASON_OPERATOR_TERMINATED;
    if (is_hostile(call, HOSTILE_RANGE)) reason = wrong[call->block.f / 2 % 4];
    call_fault(call, is_hostile(call, HOSTILE_RANGE), JMP_ERR_ARGUMENT);
    call_needs_live(call);
    /* It ends most programs; it must be wanted. */
    if (!call->fault_count && call->block.a < 0xC0) return;
    if (JUDGE(call, jmp_session_close(call->endpoint, call->session, reason, call->now)) != JMP_OK) return;
    stage_settle(call->stage, call->who);
    jmp_session_info info = stage_info(call->stage, call->who, call->session);
    REQUIRE(info.state == UINT32_MAX || (info.state == JMP_STATE_TERMINATED && (info.last_reason == reason || !info.last_reason)),
            "%s after close", jmp_state_name(info.state));
}

static void call_rekey(struct call *call)
{
    call_needs_live(call);
    call_fault(call, call->exists && call->info.state == JMP_STATE_BIRTH, JMP_ERR_STATE);
    call_may(call, JMP_ERR_RATE_LIMITED);
    if (JUDGE(call, jmp_session_rekey(call->endpoint, call->session, call->now)) == JMP_OK)
        REQUIRE(stage_info(call->stage, call->who, call->session).key_phase == call->info.key_phase + 1, "no new key phase");
}

void call_of_session(struct stage *stage, struct model *models, const struct block *block)
{
    struct call call = call_begin(stage, models, block);
    if (block->op / 4 % 16 == 0) {
        call_connect(&call);
    } else {
        call_session(&call);
        switch (block->op / 4 % 16) {
        case 1: case 2: call_path_add(&call); break;
        case 3: call_path_remove(&call); break;
        case 4: case 5: call_switch(&call); break;
        case 6: call_set_policy(&call); break;
        case 7: call_rekey(&call); break;
        case 8: case 9: call_answer(&call, true); break;
        case 10: call_answer(&call, false); break;
        case 11: call_close(&call); break;
        default: call_look(&call); break;
        }
    }
    for (int who = 0; who < NODES; who++) stage_settle(stage, who);
}
