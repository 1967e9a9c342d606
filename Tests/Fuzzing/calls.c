/* Fuzz target: sequences of calls with hostile arguments, held against a naive model (model.h). Both endpoints begin in one of the
 * states of states.h; between calls the network and time go on, so that every call meets every state. */
#include "keys.h"
#include "model.h"
#include "states.h"

enum { STEPS_MAX = 200 };

static void step_world(struct stage *stage, const struct block *block)
{
    struct link_state *link = &stage->links[block->c % LINKS];
    switch (block->op / 4 % 8) {
    case 0: case 1: case 2: stage_run(stage, (1 + block->d % 2000) * (jmp_time)MS); break;
    case 3: link->is_black_hole[CLIENT] = block->d & 1, link->is_black_hole[GATEWAY] = block->d & 2; break;
    case 4: link->port++; break;
    case 5: stage->now += block->d * (jmp_time)MS; break;
    case 6: for (uint32_t i = 0; i < LINKS; i++) memset(stage->links[i].is_black_hole, block->d & 1, sizeof stage->links[i].is_black_hole); break;
    default: if (stage->flight_count) stage_deliver(stage, block->d % stage->flight_count); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stage stage;
    static struct model models[NODES];
    struct input input = { data, size, 0 };
    struct block first = input_block(&input);
    states_begin(&stage, first.op, first.a);
    model_open(models);
    for (int i = 0; i < STEPS_MAX && !input_is_over(&input); i++) {
        struct block block = input_block(&input);
        TRACE("%llu step %02x %02x %02x %02x %04x %02x %02x", (unsigned long long)stage.now, block.op, block.a, block.b, block.c, block.d,
              block.e, block.f);
        switch (block.op % 4) {
        case 0: step_world(&stage, &block); break;
        case 1: call_setting(&stage, models, &block); break;
        case 2: call_of_session(&stage, models, &block); break;
        default: call_datagrams(&stage, models, &block, &input); break;
        }
    }
    stage_close(&stage);
    return 0;
}
