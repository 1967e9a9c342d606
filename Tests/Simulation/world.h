/* A whole world: a gateway, its clients, the network between them and an attacker, over virtual time. Everything that happens
 * follows from a scenario, a seed and a schedule. */
#ifndef SIMULATION_WORLD_H
#define SIMULATION_WORLD_H

#include "attacker.h"
#include "host.h"
#include "scenarios.h"

enum {
    WORLD_MAX_HOSTS = NETWORK_MAX_CLIENTS + 1,
    WORLD_RULE_SIZE = 64,
    WORLD_TEXT_SIZE = 600,
    WORLD_MAX_TURNS = 20000         /* calls at one moment; more means that something never gets done */
};

/* How a world ended. Lies in memory shared with the process that started it, so that it survives a crash. */
struct outcome {
    bool is_finished, is_failed;
    char rule[WORLD_RULE_SIZE], text[WORLD_TEXT_SIZE];
    jmp_time now;                   /* of the world's clock: the end, or where it broke */
    uint64_t session_us;            /* sum over clients of the time they had an established session */
    uint64_t datagrams, hash;
    uint64_t sealings, sealing_keys;
    uint64_t actions;               /* that came to pass */
    struct observer_counts counts;
    uint64_t attacks[ATTACK_COUNT];
};

/* Deliberate mistakes of the simulation itself, to prove that it notices. */
enum plant { PLANT_NONE, PLANT_LOSE_TRANSITION, PLANT_DELIVER_TWICE, PLANT_DELIVER_PROTECTED_TWICE, PLANT_CRASH, PLANT_HANG, PLANTS };

struct world_options {
    const struct scenario *scenario;
    uint64_t seed;
    jmp_time duration_us;
    const struct schedule *schedule;
    FILE *trace;                    /* every event of every node as a line of JSON; NULL: none */
    enum plant plant;
    struct outcome *outcome;
};

struct world {
    const struct scenario *scenario;
    struct world_options options;
    uint64_t seed;
    uint64_t luck;                  /* the seed and the scenario's name: what every stream comes from */
    jmp_time now, end;
    jmp_time calm_at;               /* the last action has ended */
    bool is_calm_long_enough;       /* to be judged at its end */
    uint32_t clients, links, pattern, suite;
    struct host hosts[WORLD_MAX_HOSTS];
    struct network network;
    struct attacker *attacker;
    struct ledger *ledger;
    size_t next_action;
    jmp_time *wakes;                /* ends of actions, in order */
    size_t wake_count;
    jmp_time knows_at;              /* when the observers are told about the network again */
    jmp_time cut_since[NETWORK_MAX_CLIENTS];
    uint32_t allowed_classes[NETWORK_MAX_CLIENTS];
    jmp_time attack_until[ATTACK_COUNT], tapped_until[NETWORK_MAX_LINKS];
    jmp_time hostile_until[NETWORK_MAX_LINKS];
    uint8_t gateway_key[JMP_KEY_SIZE];
    struct outcome *outcome;
    unsigned turns;                 /* at this moment */
    bool is_protected_silent;       /* no more protected payloads, and every host reads */
    jmp_time fair_since[NETWORK_MAX_CLIENTS];   /* nothing hinders the delivery of its protected payloads */
    bool plant_is_armed;
};

/* Plays a world from beginning to end, or up to the first broken rule, and fills options->outcome. */
void world_play(const struct world_options *options);

/* A rule is broken: the first one is kept, and the world stops. */
void world_fail(struct world *world, const char *rule, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same as an observer_report; `context` is the world. */
void world_report(void *context, const char *rule, const char *text);
static inline bool world_has_failed(const struct world *world) { return world->outcome->is_failed; }
void world_hash(struct world *world, const void *bytes, size_t length);

/* A host puts a datagram on the network. */
void world_transmit(struct world *world, struct host *host, uint32_t link, const jmp_datagram *datagram, const uint8_t *bytes);
/* An event of a host, for hash, trace and attackers. */
void world_take_event(struct world *world, struct host *host, const jmp_event *event);
/* Remembers to look at the world at this time. */
void world_wake_at(struct world *world, jmp_time when);

/* One action of the schedule comes to pass (faults.c). */
void world_act(struct world *world, const struct action *action);
/* Tells the observers what the world knows about the paths of every session (knowledge.c). */
void world_tell_knowledge(struct world *world);
void world_judge_clear_sky(struct world *world);
/* Protected payloads arrive in time once nothing hinders them. */
void world_judge_deliveries(struct world *world);

#endif
