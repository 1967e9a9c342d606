#include "keys.h"
#include "model.h"

#include <stdalign.h>

struct whole call_before;

static jmp_endpoint *freed_endpoint(void)
{
    static jmp_endpoint *freed;
    if (!freed) {
        REQUIRE(jmp_endpoint_new(NULL, NULL, 0, &freed) == JMP_OK, "no endpoint");
        REQUIRE(jmp_endpoint_free(freed) == JMP_OK, "not freed");
    }
    return freed;
}

void model_open(struct model models[NODES])
{
    memset(models, 0, NODES * sizeof *models);
    for (int who = 0; who < NODES; who++) {
        for (int i = 0; i < LINKS; i++) {
            models[who].has_transport[i] = true;
            models[who].names[i][0] = (char)('A' + i);
            models[who].classes[i] = (uint32_t)i + 1;
        }
    }
    /* The stage gave the gateway the PSK of the empty hint, which is hint 0 of the pool. */
    models[GATEWAY].has_hint[0] = true;
}

void pool_key(uint8_t number, uint8_t key[JMP_KEY_SIZE])
{
    memset(key, number % HINTS, JMP_KEY_SIZE);      /* number 0 is the key of zeros */
}

void pool_public_key(uint8_t number, uint8_t key[JMP_KEY_SIZE])
{
    memset(key, number % HINTS, JMP_KEY_SIZE);
    key[JMP_KEY_SIZE - 1] = 0;
}

/* ------------------------------------------------------------------ arguments */

struct call call_begin(struct stage *stage, struct model *models, const struct block *block)
{
    struct call call = { .stage = stage, .models = models, .block = *block, .who = block->b & 1, .now = stage->now };
    call.hostile = block->f & 1 ? block->e : 0;
    call.endpoint = stage_enter(stage, call.who);
    if (is_hostile(&call, HOSTILE_ENDPOINT)) {
        uintptr_t wrong[] = { 0, 0x1234, (uintptr_t)freed_endpoint(), (uintptr_t)call.endpoint ^ 0x4000, UINTPTR_MAX };
        call.endpoint = (jmp_endpoint *)wrong[block->f / 2 % 5];
        call_fault(&call, true, call.endpoint ? JMP_ERR_ENDPOINT : JMP_ERR_NULL);
    }
    if (is_hostile(&call, HOSTILE_TIME)) call.now = block->f & 2 ? JMP_TIME_NONE : stage->now - 1;
    return call;
}

void call_session(struct call *call)
{
    struct node *node = &call->stage->nodes[call->who], *other = &call->stage->nodes[!call->who];
    uint32_t pick = call->block.c;
    call->session = node->trail_count ? node->trails[pick % node->trail_count].session : node->waiting;
    if (pick >= 0xC0 && node->waiting) call->session = node->waiting;
    if (is_hostile(call, HOSTILE_SESSION)) {
        jmp_session wrong[] = { 0, UINT64_MAX, call->session + (UINT64_C(1) << 32), call->session + 1, other->session, 1 };
        call->session = wrong[call->block.f / 4 % 6];
    }
    call->info.struct_size = sizeof call->info;
    call->exists = jmp_session_get_info(stage_enter(call->stage, call->who), call->session, &call->info) == JMP_OK;
    for (uint32_t i = 0; i < node->trail_count; i++)
        if (node->trails[i].session == call->session) REQUIRE(call->exists || node->trails[i].state == JMP_STATE_TERMINATED, "a session is gone");
    if (call->session == 0 || call->session == UINT64_MAX) REQUIRE(!call->exists, "session %llu", (unsigned long long)call->session);
    call_fault(call, !call->exists, JMP_ERR_SESSION);
}

void call_fault(struct call *call, bool condition, jmp_status status)
{
    if (condition && call->fault_count < FAULTS_MAX) call->faults[call->fault_count++] = status;
}

void call_may(struct call *call, jmp_status status)
{
    if (call->possible_count < FAULTS_MAX) call->possible[call->possible_count++] = status;
}

void call_needs_live(struct call *call)
{
    call_fault(call, call->exists && call->info.state == JMP_STATE_TERMINATED, JMP_ERR_TERMINATED);
}

/* -------------------------------------------------------------------- judging */

static void take_whole(struct stage *stage, struct whole *whole)
{
    for (int who = 0; who < NODES; who++) {
        check_take(stage, who, &whole->nodes[who]);
        jmp_next_timeout(stage_enter(stage, who), &whole->deadlines[who]);
        whole->sequences[who] = stage->nodes[who].sequence;
        whole->nodes[who].endpoint.clock_went_backwards = 0;
    }
}

void call_prepare(struct call *call)
{
    /* The clock of both endpoints is the stage's, and nothing waits to be sent or read. */
    for (int who = 0; who < NODES; who++) stage_settle(call->stage, who);
    take_whole(call->stage, &call_before);
    keys_owner = call->who;
}

static bool is_among(const jmp_status *statuses, int count, jmp_status status)
{
    for (int i = 0; i < count; i++)
        if (statuses[i] == status) return true;
    return false;
}

void call_judge(struct call *call, jmp_status status, const char *what)
{
    struct stage *stage = call->stage;
    static struct whole after;
    TRACE("%llu %s: %s gives %d", (unsigned long long)stage->now, call->who == CLIENT ? "client" : "gateway", what, status);
    if (is_planted("model") && call->fault_count) call->faults[0] = JMP_ERR_INTERNAL;
    if (call->fault_count)
        REQUIRE(is_among(call->faults, call->fault_count, status) || is_among(call->possible, call->possible_count, status), "%s gives %d (%s), expected %d", what, status, jmp_strerror(status), call->faults[0]);
    else
        REQUIRE(status == JMP_OK || is_among(call->possible, call->possible_count, status), "%s gives %d (%s)", what, status, jmp_strerror(status));
    if (status == JMP_OK || call->changes_on_error) return;
    uint64_t sent[NODES] = { stage->nodes[CLIENT].sent_datagrams, stage->nodes[GATEWAY].sent_datagrams };
    for (int who = 0; who < NODES; who++) stage_settle(stage, who);
    take_whole(stage, &after);
    for (int who = 0; who < NODES; who++) {
        check_same(&call_before.nodes[who], &after.nodes[who], what);
        REQUIRE(call_before.deadlines[who] == after.deadlines[who], "%s gives %d and changed the next timeout", what, status);
        REQUIRE(call_before.sequences[who] == after.sequences[who], "%s gives %d and made an event", what, status);
        REQUIRE(sent[who] == stage->nodes[who].sent_datagrams, "%s gives %d and sent something", what, status);
    }
}
