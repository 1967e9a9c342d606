/* Calls that change an endpoint: keys, transports, clocks; and those that make and end one. */
#include "keys.h"
#include "model.h"

static size_t pool_hint(uint8_t number, uint8_t hint[JMP_HINT_MAX])
{
    size_t length = number % HINTS ? (number % HINTS == 7 ? JMP_HINT_MAX : number % HINTS) : 0;
    memset(hint, 'h', JMP_HINT_MAX);
    return length;
}

static void call_hint(struct call *call, bool adds)
{
    struct model *model = &call->models[call->who];
    uint8_t hint[JMP_HINT_MAX], key[JMP_KEY_SIZE];
    const uint8_t *hint_pointer = hint, *key_pointer = key;
    size_t length = pool_hint(call->block.c, hint);
    bool *has = &model->has_hint[call->block.c % HINTS];
    pool_key((uint8_t)call->block.d, key);
    if (is_hostile(call, HOSTILE_RANGE)) length = call->block.d & 1 ? SIZE_MAX : JMP_HINT_MAX + 1;
    if (is_hostile(call, HOSTILE_NULL)) {
        if (call->block.d & 2 || !adds) hint_pointer = NULL;
        else key_pointer = NULL;
    }
    call_fault(call, (!hint_pointer && length) || (adds && !key_pointer), JMP_ERR_NULL);
    call_fault(call, length > JMP_HINT_MAX, JMP_ERR_ARGUMENT);
    if (adds) {
        call_fault(call, *has, JMP_ERR_EXISTS);
        call_fault(call, call->block.d % HINTS == 0, JMP_ERR_KEY);
        if (JUDGE(call, jmp_endpoint_add_psk(call->endpoint, hint_pointer, length, key_pointer)) == JMP_OK) *has = true;
    } else {
        call_fault(call, !*has, JMP_ERR_NOT_FOUND);
        if (JUDGE(call, jmp_endpoint_remove_psk(call->endpoint, hint_pointer, length)) == JMP_OK) *has = false;
    }
}

static void call_client_key(struct call *call, bool adds)
{
    struct model *model = &call->models[call->who];
    uint8_t public_key[JMP_KEY_SIZE], psk[JMP_KEY_SIZE];
    const uint8_t *pointer = is_hostile(call, HOSTILE_NULL) ? NULL : public_key;
    bool *has = &model->has_client_key[call->block.c % HINTS];
    pool_public_key(call->block.c, public_key);
    pool_key((uint8_t)call->block.d, psk);
    call_fault(call, !pointer, JMP_ERR_NULL);
    if (adds) {
        call_fault(call, *has, JMP_ERR_EXISTS);
        call_fault(call, call->block.c % HINTS == 0, JMP_ERR_KEY);
        if (JUDGE(call, jmp_endpoint_add_client_key(call->endpoint, pointer, call->block.d & 0x100 ? psk : NULL)) == JMP_OK) *has = true;
    } else {
        call_fault(call, !*has, JMP_ERR_NOT_FOUND);
        if (JUDGE(call, jmp_endpoint_remove_client_key(call->endpoint, pointer)) == JMP_OK) *has = false;
    }
}

static void call_static_key(struct call *call)
{
    uint8_t key[JMP_KEY_SIZE];
    const uint8_t *pointer = is_hostile(call, HOSTILE_NULL) ? NULL : key;
    pool_key(call->block.c, key);
    call_fault(call, !pointer, JMP_ERR_NULL);
    call_fault(call, call->block.c % HINTS == 0, JMP_ERR_KEY);
    JUDGE(call, jmp_endpoint_set_static_key(call->endpoint, pointer));
}

/* ----------------------------------------------------------------- transports */

/* A description from the block; its faults are added to the call's. */
static void describe(struct call *call, jmp_transport_config *config)
{
    jmp_transport_config_init(config);
    snprintf(config->name, sizeof config->name, "%c", (char)('A' + call->block.d % 60));
    config->transport_class = call->block.a % 40;
    config->cost = 1 + call->block.d;
    if (is_hostile(call, HOSTILE_RANGE)) {
        switch (call->block.f / 2 % 6) {
        case 0: config->transport_class = 32; break;
        case 1: config->cost = 0; break;
        case 2: config->mtu = JMP_MIN_MTU - 1; break;
        case 3: config->mtu = JMP_MAX_MTU + 1; break;
        case 4: memset(config->name, 'x', sizeof config->name); break;
        default: config->name[0] = (char)(call->block.d & 1 ? 0 : 0x80); break;
        }
        call_fault(call, true, JMP_ERR_ARGUMENT);
    }
    call_fault(call, config->transport_class >= 32, JMP_ERR_ARGUMENT);
    if (is_hostile(call, HOSTILE_STRUCT_SIZE)) config->struct_size += call->block.f & 2 ? 1 : UINT32_MAX;
    if (is_hostile(call, HOSTILE_RESERVED)) config->reserved[call->block.d % sizeof config->reserved] = 1;
    call_fault(call, is_hostile(call, HOSTILE_STRUCT_SIZE) || is_hostile(call, HOSTILE_RESERVED), JMP_ERR_STRUCT_SIZE);
}

static void call_transport_add(struct call *call)
{
    struct model *model = &call->models[call->who];
    jmp_transport_config config, *pointer = &config;
    uint32_t number = JMP_TRANSPORT_NONE, *result = &number, lowest = 0;
    describe(call, &config);
    if (is_hostile(call, HOSTILE_NULL)) {
        if (call->block.d & 2) pointer = NULL;
        else result = NULL;
        call_fault(call, true, JMP_ERR_NULL);
    }
    while (lowest < JMP_MAX_TRANSPORTS && model->has_transport[lowest]) lowest++;
    for (int i = 0; i < JMP_MAX_TRANSPORTS; i++)
        call_fault(call, model->has_transport[i] && !strncmp(model->names[i], config.name, sizeof config.name), JMP_ERR_EXISTS);
    call_fault(call, lowest == JMP_MAX_TRANSPORTS, JMP_ERR_TRANSPORT_LIMIT);
    if (JUDGE(call, jmp_transport_add(call->endpoint, pointer, call->now, result)) != JMP_OK) return;
    REQUIRE(number == lowest, "transport %u, the lowest free number is %u", number, lowest);
    model->has_transport[number] = true;
    memcpy(model->names[number], config.name, sizeof config.name);
    model->classes[number] = config.transport_class;
}

static uint32_t choose_transport(struct call *call)
{
    static const uint32_t wrong[] = { JMP_TRANSPORT_NONE, JMP_MAX_TRANSPORTS, UINT32_MAX / 2 };
    uint32_t number = is_hostile(call, HOSTILE_OTHER) ? wrong[call->block.f / 2 % 3] : call->block.c % 6u;
    call_fault(call, number >= JMP_MAX_TRANSPORTS || !call->models[call->who].has_transport[number], JMP_ERR_TRANSPORT);
    return number;
}

static void call_transport_set(struct call *call)
{
    struct model *model = &call->models[call->who];
    jmp_transport_config config, *pointer = is_hostile(call, HOSTILE_NULL) ? NULL : &config;
    uint32_t number = choose_transport(call);
    describe(call, &config);
    if (number < JMP_MAX_TRANSPORTS && !is_hostile(call, HOSTILE_RANGE) && !(call->block.d & 0x80))
        memcpy(config.name, model->names[number], sizeof config.name);
    call_fault(call, number < JMP_MAX_TRANSPORTS && strncmp(config.name, model->names[number], sizeof config.name), JMP_ERR_ARGUMENT);
    call_fault(call, !pointer, JMP_ERR_NULL);
    /* A slot that is not in use has no name to be told. */
    if (number < JMP_MAX_TRANSPORTS && !config.name[0]) call_fault(call, true, JMP_ERR_ARGUMENT);
    if (JUDGE(call, jmp_transport_set(call->endpoint, number, pointer, call->now)) == JMP_OK) model->classes[number] = config.transport_class;
}

static void call_transport_end(struct call *call, bool removes)
{
    uint32_t number = choose_transport(call), up = is_hostile(call, HOSTILE_RANGE) ? 2u + call->block.d : call->block.d & 1;
    if (!removes) {
        call_fault(call, up > 1, JMP_ERR_ARGUMENT);
        JUDGE(call, jmp_transport_hint(call->endpoint, number, up, call->now));
    } else if (JUDGE(call, jmp_transport_remove(call->endpoint, number, call->now)) == JMP_OK) {
        call->models[call->who].has_transport[number] = false;
        memset(call->models[call->who].names[number], 0, JMP_NAME_SIZE);
    }
}

/* ------------------------------------------------------------------ endpoints */

static void call_endpoint_new(struct call *call)
{
    jmp_config config, *config_pointer = &config;
    jmp_policy policy, *policy_pointer = call->block.d & 1 ? &policy : NULL;
    uint8_t seed[JMP_KEY_SIZE] = { 1 };
    jmp_endpoint *made = (jmp_endpoint *)1, **result = &made;
    bool is_seeded = call->block.d & 2;
    jmp_config_init(&config);
    jmp_policy_init(&policy);
    config.suites = JMP_SUITE_CHACHA20_POLY1305;
    config.max_sessions = 1;
    if (is_hostile(call, HOSTILE_RANGE)) {
        uint32_t *fields[] = { &config.flags, &config.max_sessions, &config.max_half_open, &config.max_waiting, &config.event_capacity,
                               &config.source_rate, &config.source_burst, &config.suites, &config.send_buffer, &config.receive_buffer };
        *fields[call->block.c % 10] = 0;
        call_fault(call, true, JMP_ERR_ARGUMENT);
    }
    if (is_hostile(call, HOSTILE_STRUCT_SIZE)) config.struct_size = call->block.c;
    if (is_hostile(call, HOSTILE_RESERVED)) config.reserved[call->block.c % sizeof config.reserved] = 1;
    call_fault(call, is_hostile(call, HOSTILE_STRUCT_SIZE) && config.struct_size != sizeof config, JMP_ERR_STRUCT_SIZE);
    call_fault(call, is_hostile(call, HOSTILE_RESERVED), JMP_ERR_STRUCT_SIZE);
    if (is_hostile(call, HOSTILE_OTHER) && policy_pointer) {
        policy.max_switches_per_min = 0;
        call_fault(call, true, JMP_ERR_POLICY);
    }
    if (is_hostile(call, HOSTILE_NULL)) result = NULL;
    call_fault(call, !result, JMP_ERR_NULL);
    jmp_time now = is_hostile(call, HOSTILE_TIME) ? JMP_TIME_NONE : call->now;
    call_fault(call, now == JMP_TIME_NONE, JMP_ERR_ARGUMENT);
    const uint8_t *seed_pointer = call->block.d & 4 ? NULL : seed;
    call_fault(call, is_seeded && !seed_pointer, JMP_ERR_NULL);
    jmp_status status = is_seeded ? JUDGE(call, jmp_endpoint_new_seeded(config_pointer, policy_pointer, seed_pointer, now, result))
                                  : JUDGE(call, jmp_endpoint_new(config_pointer, policy_pointer, now, result));
    REQUIRE(!result || (made != NULL) == (status == JMP_OK), "an endpoint with %d", status);
    if (status == JMP_OK) {
        REQUIRE(jmp_endpoint_free(made) == JMP_OK && jmp_endpoint_free(made) == JMP_ERR_ENDPOINT, "not freed once");
    }
}

void call_setting(struct stage *stage, struct model *models, const struct block *block)
{
    struct call call = call_begin(stage, models, block);
    switch (block->op / 4 % 17) {
    case 0: call_hint(&call, true); break;
    case 1: call_hint(&call, false); break;
    case 2: call_client_key(&call, true); break;
    case 3: call_client_key(&call, false); break;
    case 4: call_static_key(&call); break;
    case 5: case 6: call_transport_add(&call); break;
    case 7: case 8: call_transport_set(&call); break;
    case 9: call_transport_end(&call, true); break;
    case 10: case 11: call_transport_end(&call, false); break;
    case 12:
        JUDGE(&call, jmp_endpoint_set_wall_clock(call.endpoint, block->d & 1 ? INT64_MIN : INT64_MAX - block->d));
        break;
    case 13: {
        jmp_endpoint_stats stats = { .struct_size = sizeof stats + is_hostile(&call, HOSTILE_STRUCT_SIZE) };
        call_fault(&call, is_hostile(&call, HOSTILE_STRUCT_SIZE), JMP_ERR_STRUCT_SIZE);
        call_fault(&call, is_hostile(&call, HOSTILE_NULL), JMP_ERR_NULL);
        JUDGE(&call, jmp_endpoint_get_stats(call.endpoint, is_hostile(&call, HOSTILE_NULL) ? NULL : &stats));
        break;
    }
    case 14:
        /* What is not a live endpoint cannot be freed; NULL can. */
        if (!is_hostile(&call, HOSTILE_ENDPOINT)) break;
        call.fault_count = 0;
        call_fault(&call, call.endpoint, JMP_ERR_ENDPOINT);
        JUDGE(&call, jmp_endpoint_free(call.endpoint));
        break;
    case 15: call_library(stage, models, block); break;
    default:
        /* Takes no endpoint. */
        call.fault_count = 0;
        call_endpoint_new(&call);
        break;
    }
    stage_settle(stage, call.who);
}
