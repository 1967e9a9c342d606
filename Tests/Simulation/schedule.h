/* A schedule: what happens to a world, and when. It is made from a seed and a scenario's mix of kinds, printed as one line of
 * text an action, and read back. Actions are independent of each other (each ends by itself after `for_us`), so that any of
 * them can be left out when a failure is made shorter. */
#ifndef SIMULATION_SCHEDULE_H
#define SIMULATION_SCHEDULE_H

#include "random.h"

#include <jumping.h>
#include <stddef.h>
#include <stdio.h>

enum action_kind {
    /* one direction of a link, or both; the order is that of enum impairment_kind */
    ACTION_DELAY, ACTION_LOSS, ACTION_BURST, ACTION_REORDER, ACTION_DUPLICATE, ACTION_CORRUPT, ACTION_MTU, ACTION_BLACK_HOLE,
    /* a link */
    ACTION_LEAP, ACTION_CLEAR, ACTION_REBIND, ACTION_NAT_EXPIRY, ACTION_NAT_FORGET, ACTION_SWAP,
    /* a link's end at the client */
    ACTION_FLAP, ACTION_FALSE_HINT, ACTION_SOCKET, ACTION_PATH_REMOVE,
    /* a host */
    ACTION_SUSPEND, ACTION_LATE, ACTION_CLOCK_BACK, ACTION_SLOW_CONSUMER, ACTION_RESTART, ACTION_TRAFFIC, ACTION_DOWNSTREAM,
    /* the operator, at the client (side 0) or at the gateway (side 1) */
    ACTION_SWITCH, ACTION_REKEY, ACTION_CLOSE, ACTION_POLICY,
    /* attackers */
    ACTION_ATTACK,
    ACTION_KINDS
};

struct action {
    jmp_time at;                    /* of the world's clock, which begins at 0 */
    enum action_kind kind;
    uint32_t host;                  /* 0: the gateway, 1 …: clients */
    uint32_t link;
    uint32_t directions;            /* bit 0: up, bit 1: down */
    uint64_t value, extra;          /* action_form says what they are */
    jmp_time for_us;                /* 0: to the end of the world */
};

/* What a kind means and how strong it may be. */
struct action_form {
    const char *name;
    bool has_host, may_be_gateway, has_link, has_directions, has_duration;
    const char *value, *extra;      /* names of the parameters, NULL: unused */
    uint64_t value_low, value_high, extra_low, extra_high;
    jmp_time for_low, for_high;
};
const struct action_form *action_form(enum action_kind kind);

/* One kind in a scenario's mix. Ranges of 0 … 0 stand for those of the form. */
struct mix {
    enum action_kind kind;
    uint32_t weight;                /* 0 ends the list */
    uint64_t value_low, value_high, extra_low, extra_high;
    jmp_time for_low, for_high;
};

struct schedule {
    struct action *actions;         /* in order of time */
    size_t count, capacity;
};

/* What a schedule is made for. */
struct schedule_plan {
    const struct mix *mixes;
    uint32_t clients, links;
    double actions_per_minute;
    jmp_time from, to;              /* every action begins and ends between these */
};

void schedule_generate(struct schedule *schedule, const struct schedule_plan *plan, uint64_t seed);
void schedule_add(struct schedule *schedule, const struct action *action);
void schedule_copy(struct schedule *to, const struct schedule *from);
void schedule_free(struct schedule *schedule);

/* One line without a line end; returns its length. */
int action_print(const struct action *action, char *line, size_t capacity);
/* False, and a message on stderr, when the line is none of ours. */
bool action_parse(const char *line, struct action *action);

#endif
