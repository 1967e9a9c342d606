/* Scenarios: named compositions of a topology, traffic, a policy and a mix of faults. */
#ifndef SIMULATION_SCENARIOS_H
#define SIMULATION_SCENARIOS_H

#include "schedule.h"

enum { SCENARIO_MIXES = 32, SCENARIO_LINKS = 4 };

struct scenario {
    const char *name, *what;
    uint32_t clients, links;
    uint32_t duration_s;
    uint32_t calm_s;                /* at the end nothing goes wrong for so long, and then everything must be well again */
    double actions_per_minute;
    uint32_t pattern;               /* JMP_PATTERN_*; 0: by the seed */
    uint32_t suite;                 /* JMP_SUITE_*; 0: by the seed, among those the library has */
    uint32_t interval_ms, bytes;    /* a client's payloads; 0: none, or 64 bytes */
    uint32_t downstream_interval_ms;    /* the gateway's own payloads to each client */
    bool asks;                      /* the gateway's host decides about every session */
    bool is_echoing;                /* the gateway sends every payload back */
    uint32_t delay_ms[SCENARIO_LINKS], jitter_ms[SCENARIO_LINKS];  /* one way; 0: by the seed */
    uint32_t nat_idle_s;            /* NATs forget after so long; 0: never */
    uint32_t event_capacity;        /* of every endpoint; 0: 1,024 */
    uint32_t cookie_threshold_plus_1;   /* of the gateway; 0: the default */
    void (*adjust_policy)(jmp_policy *policy, uint64_t seed);   /* the gateway's; NULL: the default */
    uint32_t protected_interval_ms; /* protected payloads each way, one in so long on average; 0: none */
    void (*adjust_config)(jmp_config *config, uint32_t host, uint64_t seed);    /* every endpoint's; NULL: the default */
    uint32_t mtu[SCENARIO_LINKS];   /* of the transports; 0: the default */
    struct mix mixes[SCENARIO_MIXES];
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;

/* NULL when there is none of this name. */
const struct scenario *scenario_named(const char *name);

/* What a world's luck comes from: two scenarios of one seed have nothing in common. */
uint64_t scenario_luck(const struct scenario *scenario, uint64_t seed);

/* The schedule of a scenario and a seed, for a world of `duration_us`. */
void scenario_schedule(const struct scenario *scenario, uint64_t seed, jmp_time duration_us, struct schedule *schedule);

#endif
