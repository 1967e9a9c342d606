/* The naive model of `calls`: for each call it collects the faults of its arguments and what the state forbids, each with the status
 * the header documents for it, before the call is made. One fault: exactly its status. Several: one of theirs. None: success,
 * or a status that is said to be possible. Whatever fails must leave everything as it was. */
#ifndef MODEL_H
#define MODEL_H

#include "stage.h"

enum { FAULTS_MAX = 16, HINTS = 8 };

/* Hostile choices of a call, as bits of the block's byte e; only when the low bit of f is set. */
enum hostile {
    HOSTILE_ENDPOINT = 1,           /* NULL, freed, never one */
    HOSTILE_SESSION = 2,            /* stale, never one, the other endpoint's */
    HOSTILE_NULL = 4,
    HOSTILE_STRUCT_SIZE = 8,
    HOSTILE_RESERVED = 16,
    HOSTILE_RANGE = 32,             /* a value out of its range */
    HOSTILE_OTHER = 64,             /* whatever else the call can be given */
    HOSTILE_TIME = 128              /* the clock went back, or is not told */
};

/* What the model knows of one endpoint. */
struct model {
    bool has_transport[JMP_MAX_TRANSPORTS];
    char names[JMP_MAX_TRANSPORTS][JMP_NAME_SIZE];
    uint32_t classes[JMP_MAX_TRANSPORTS];
    bool has_hint[HINTS], has_client_key[HINTS];
};

struct call {
    struct stage *stage;
    struct model *models;
    struct block block;
    int who;
    unsigned hostile;
    jmp_endpoint *endpoint;
    jmp_session session;
    jmp_time now;
    jmp_session_info info;          /* of `session`, when it exists */
    bool exists;
    jmp_status faults[FAULTS_MAX], possible[FAULTS_MAX];
    int fault_count, possible_count;
    bool changes_on_error;          /* documented: an error is audited or forgets something */
};

void model_open(struct model models[NODES]);

/* Chooses endpoint, time and hostility from the block. */
struct call call_begin(struct stage *stage, struct model *models, const struct block *block);
/* Chooses the session too. */
void call_session(struct call *call);
static inline bool is_hostile(const struct call *call, enum hostile hostile) { return call->hostile & hostile; }
/* The call must fail with this status (or that of another fault) when `condition` holds. */
void call_fault(struct call *call, bool condition, jmp_status status);
/* The call may fail with this status, whatever else is wrong. */
void call_may(struct call *call, jmp_status status);
/* Faults every call that needs a session not TERMINATED has. */
void call_needs_live(struct call *call);

/* Everything that can be looked at, of both nodes. */
struct whole {
    struct snapshot nodes[NODES];
    jmp_time deadlines[NODES];
    uint64_t sequences[NODES];
};
extern struct whole call_before;

/* JUDGE(call, jmp_…(…)): makes the call and holds its status against the model; gives the status. */
#define JUDGE(call, expression) ({ call_prepare(call); jmp_status judged_ = (expression); call_judge((call), judged_, #expression); judged_; })
void call_prepare(struct call *call);
void call_judge(struct call *call, jmp_status status, const char *what);

/* Keys and hints by small numbers. */
void pool_key(uint8_t number, uint8_t key[JMP_KEY_SIZE]);
void pool_public_key(uint8_t number, uint8_t key[JMP_KEY_SIZE]);

/* calls_library.c, calls_settings.c, calls_sessions.c, calls_datagrams.c: one call each, chosen by the block. */
void call_library(struct stage *stage, struct model *models, const struct block *block);
void call_setting(struct stage *stage, struct model *models, const struct block *block);
void call_of_session(struct stage *stage, struct model *models, const struct block *block);
void call_datagrams(struct stage *stage, struct model *models, const struct block *block, struct input *input);

#endif
