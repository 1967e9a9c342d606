#include "schedule.h"
#include "attacker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000u
#define SECOND 1000000u

static const struct action_form forms[ACTION_KINDS] = {
    [ACTION_DELAY] = { "delay", true, false, true, true, true, "added_us", "jitter_us", 0, 150 * MS, 0, 40 * MS, SECOND, 30 * SECOND },
    [ACTION_LOSS] = { "loss", true, false, true, true, true, "ppm", NULL, 1000, 600000, 0, 0, SECOND, 30 * SECOND },
    [ACTION_BURST] = { "burst", true, false, true, true, true, "enter_ppm", "length", 1000, 40000, 2, 40, SECOND, 30 * SECOND },
    [ACTION_REORDER] = { "reorder", true, false, true, true, true, "ppm", "held_us", 10000, 500000, MS, 60 * MS, SECOND, 30 * SECOND },
    [ACTION_DUPLICATE] = { "duplicate", true, false, true, true, true, "ppm", NULL, 10000, 500000, 0, 0, SECOND, 30 * SECOND },
    [ACTION_CORRUPT] = { "corrupt", true, false, true, true, true, "ppm", NULL, 1000, 200000, 0, 0, SECOND, 30 * SECOND },
    [ACTION_MTU] = { "mtu", true, false, true, true, true, "bytes", NULL, 100, 1300, 0, 0, SECOND, 20 * SECOND },
    [ACTION_BLACK_HOLE] = { "black_hole", true, false, true, true, true, NULL, NULL, 0, 0, 0, 0, 100 * MS, 20 * SECOND },
    [ACTION_LEAP] = { "leap", true, false, true, true, false, "delay_us", NULL, MS, 220 * MS, 0, 0, 0, 0 },
    [ACTION_CLEAR] = { "clear", true, false, true, false, false, NULL, NULL, 0, 0, 0, 0, 0, 0 },
    [ACTION_REBIND] = { "rebind", true, false, true, false, false, "keeps_old", NULL, 0, 1, 0, 0, 0, 0 },
    [ACTION_NAT_EXPIRY] = { "nat_expiry", true, false, true, false, true, "idle_us", NULL, 50 * MS, 20 * SECOND, 0, 0, SECOND, 60 * SECOND },
    [ACTION_NAT_FORGET] = { "nat_forget", true, false, true, false, false, NULL, NULL, 0, 0, 0, 0, 0, 0 },
    [ACTION_SWAP] = { "swap", true, false, true, false, false, "with", NULL, 1, 16, 0, 0, 0, 0 },
    [ACTION_FLAP] = { "flap", true, false, true, false, true, "hints", "unsent", 0, 1, 0, 1, 10 * MS, 10 * SECOND },
    [ACTION_FALSE_HINT] = { "false_hint", true, false, true, false, true, NULL, NULL, 0, 0, 0, 0, 10 * MS, 5 * SECOND },
    [ACTION_SOCKET] = { "socket", true, false, true, false, true, NULL, NULL, 0, 0, 0, 0, 10 * MS, 10 * SECOND },
    [ACTION_PATH_REMOVE] = { "path_remove", true, false, true, false, true, NULL, NULL, 0, 0, 0, 0, 10 * MS, 10 * SECOND },
    [ACTION_SUSPEND] = { "suspend", true, true, false, false, true, "loses_datagrams", NULL, 0, 1, 0, 0, 20 * MS, 20 * SECOND },
    [ACTION_LATE] = { "late", true, true, false, false, true, "by_us", NULL, MS, 300 * MS, 0, 0, SECOND, 20 * SECOND },
    [ACTION_CLOCK_BACK] = { "clock_back", true, true, false, false, true, "back_us", NULL, 1, 10 * SECOND, 0, 0, 10 * MS, 10 * SECOND },
    [ACTION_SLOW_CONSUMER] = { "slow_consumer", true, true, false, false, true, NULL, NULL, 0, 0, 0, 0, 100 * MS, 60 * SECOND },
    [ACTION_RESTART] = { "restart", true, false, false, false, true, NULL, NULL, 0, 0, 0, 0, 10 * MS, 20 * SECOND },
    [ACTION_TRAFFIC] = { "traffic", true, false, false, false, true, "interval_us", "bytes", 0, 200 * MS, 16, 1200, SECOND, 30 * SECOND },
    [ACTION_DOWNSTREAM] = { "downstream", true, false, false, false, true, "interval_us", "bytes", 0, 200 * MS, 16, 1200, SECOND, 30 * SECOND },
    [ACTION_SWITCH] = { "switch", true, false, false, false, false, "side", "path", 0, 1, 0, 4, 0, 0 },
    [ACTION_REKEY] = { "rekey", true, false, false, false, false, "side", NULL, 0, 1, 0, 0, 0, 0 },
    [ACTION_CLOSE] = { "close", true, false, false, false, false, "side", NULL, 0, 1, 0, 0, 0, 0 },
    [ACTION_POLICY] = { "policy", true, false, false, false, false, "variant", NULL, 0, 7, 0, 0, 0, 0 },
    [ACTION_ATTACK] = { "attack", false, false, true, false, true, "attack", "intensity", 0, ATTACK_COUNT - 1, 1, 0, 100 * MS, 20 * SECOND },
};

const struct action_form *action_form(enum action_kind kind)
{
    return &forms[kind];
}

/* -------------------------------------------------------------------- storage */

void schedule_add(struct schedule *schedule, const struct action *action)
{
    if (schedule->count == schedule->capacity) {
        schedule->capacity = schedule->capacity ? 2 * schedule->capacity : 64;
        schedule->actions = realloc(schedule->actions, schedule->capacity * sizeof *schedule->actions);
        if (!schedule->actions) abort();
    }
    size_t at = schedule->count++;
    for (; at > 0 && schedule->actions[at - 1].at > action->at; at--) schedule->actions[at] = schedule->actions[at - 1];
    schedule->actions[at] = *action;
}

void schedule_copy(struct schedule *to, const struct schedule *from)
{
    schedule_free(to);
    for (size_t i = 0; i < from->count; i++) schedule_add(to, &from->actions[i]);
}

void schedule_free(struct schedule *schedule)
{
    free(schedule->actions);
    memset(schedule, 0, sizeof *schedule);
}

/* ----------------------------------------------------------------- generation */

/* Small values are as likely as large ones: the logarithm is what is drawn evenly. */
static uint64_t draw(struct random *random, uint64_t low, uint64_t high)
{
    if (high <= low) return low;
    if (high - low < 64) return random_between(random, low, high);
    uint64_t span = high - low, bits = 0;
    while (bits < 63 && (span >> bits) != 0) bits++;
    uint64_t width = (uint64_t)1 << random_between(random, bits > 6 ? bits - 6 : 0, bits);
    return low + random_below(random, width < span ? width : span + 1);
}

static const struct mix *draw_mix(struct random *random, const struct mix *mixes)
{
    uint64_t sum = 0, at;
    for (const struct mix *mix = mixes; mix->weight; mix++) sum += mix->weight;
    at = random_below(random, sum);
    while (at >= mixes->weight) at -= (mixes++)->weight;
    return mixes;
}

static void draw_action(struct random *random, const struct schedule_plan *plan, struct action *action)
{
    const struct mix *mix = draw_mix(random, plan->mixes);
    const struct action_form *form = &forms[mix->kind];
    bool has_values = mix->value_low || mix->value_high, has_extras = mix->extra_low || mix->extra_high;
    bool has_durations = mix->for_low || mix->for_high;
    memset(action, 0, sizeof *action);
    action->kind = mix->kind;
    action->at = random_between(random, plan->from, plan->to);
    if (form->has_host) action->host = (uint32_t)random_between(random, form->may_be_gateway ? 0 : 1, plan->clients);
    if (form->has_link) action->link = (uint32_t)random_below(random, plan->links);
    if (form->has_directions) action->directions = (uint32_t)random_between(random, 1, 3);
    if (form->value) action->value = draw(random, has_values ? mix->value_low : form->value_low, has_values ? mix->value_high : form->value_high);
    if (form->extra) action->extra = draw(random, has_extras ? mix->extra_low : form->extra_low, has_extras ? mix->extra_high : form->extra_high);
    if (mix->kind == ACTION_SWAP) action->value = random_between(random, 1, plan->clients);
    if (mix->kind == ACTION_ATTACK && !has_extras)
        action->extra = draw(random, 1, attack_strongest((enum attack)action->value));
    if (form->has_duration) {
        action->for_us = draw(random, has_durations ? mix->for_low : form->for_low, has_durations ? mix->for_high : form->for_high);
        if (action->for_us > plan->to - action->at) action->for_us = plan->to - action->at;
        if (!action->for_us) action->for_us = 1;
    }
}

void schedule_generate(struct schedule *schedule, const struct schedule_plan *plan, uint64_t seed)
{
    struct random random = random_stream(seed, 1);
    uint64_t count = (uint64_t)((double)(plan->to - plan->from) * plan->actions_per_minute / 60e6);
    for (uint64_t i = 0; i < count; i++) {
        struct action action;
        draw_action(&random, plan, &action);
        schedule_add(schedule, &action);
    }
}

/* ----------------------------------------------------------------------- text */

static const char *const direction_names[4] = { "none", "up", "down", "both" };

int action_print(const struct action *action, char *line, size_t capacity)
{
    const struct action_form *form = &forms[action->kind];
    char parts[6][64] = { "" };
    if (form->has_host) snprintf(parts[0], sizeof *parts, " host=%" PRIu32, action->host);
    if (form->has_link) snprintf(parts[1], sizeof *parts, " link=%" PRIu32, action->link);
    if (form->has_directions) snprintf(parts[2], sizeof *parts, " direction=%s", direction_names[action->directions & 3]);
    if (action->kind == ACTION_ATTACK) snprintf(parts[3], sizeof *parts, " attack=%s", attack_name((enum attack)action->value));
    else if (form->value) snprintf(parts[3], sizeof *parts, " %s=%" PRIu64, form->value, action->value);
    if (form->extra) snprintf(parts[4], sizeof *parts, " %s=%" PRIu64, form->extra, action->extra);
    if (form->has_duration) snprintf(parts[5], sizeof *parts, " for_us=%" PRIu64, action->for_us);
    return snprintf(line, capacity, "%" PRIu64 " %s%s%s%s%s%s%s", action->at, form->name, parts[0], parts[1], parts[2], parts[3],
                    parts[4], parts[5]);
}

static bool set_parameter(struct action *action, const struct action_form *form, const char *name, const char *text)
{
    char *end = NULL;
    uint64_t number = strtoull(text, &end, 10);
    if (!strcmp(name, "direction")) {
        for (uint32_t d = 0; d < 4; d++)
            if (!strcmp(text, direction_names[d])) action->directions = d;
        return form->has_directions && action->directions;
    }
    if (action->kind == ACTION_ATTACK && !strcmp(name, "attack")) {
        action->value = attack_from_name(text);
        return action->value < ATTACK_COUNT;
    }
    if (end == text || *end) return false;
    if (form->has_host && !strcmp(name, "host")) action->host = (uint32_t)number;
    else if (form->has_link && !strcmp(name, "link")) action->link = (uint32_t)number;
    else if (form->has_duration && !strcmp(name, "for_us")) action->for_us = number;
    else if (form->value && !strcmp(name, form->value)) action->value = number;
    else if (form->extra && !strcmp(name, form->extra)) action->extra = number;
    else return false;
    return true;
}

bool action_parse(const char *line, struct action *action)
{
    char copy[512], *rest = copy, *word, *end = NULL;
    memset(action, 0, sizeof *action);
    snprintf(copy, sizeof copy, "%s", line);
    word = strsep(&rest, " \t\r\n");
    action->at = strtoull(word, &end, 10);
    if (end == word || *end) goto bad;
    word = strsep(&rest, " \t\r\n");
    for (action->kind = 0; action->kind < ACTION_KINDS; action->kind++)
        if (word && !strcmp(word, forms[action->kind].name)) break;
    if (action->kind == ACTION_KINDS) goto bad;
    while ((word = strsep(&rest, " \t\r\n"))) {
        if (!*word) continue;
        char *text = strchr(word, '=');
        if (!text) goto bad;
        *text++ = 0;
        if (!set_parameter(action, &forms[action->kind], word, text)) goto bad;
    }
    return true;
bad:
    fprintf(stderr, "not an action: %s\n", line);
    return false;
}
