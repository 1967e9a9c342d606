/* What the tests of hostile host calls share: two worlds of checks around a call that must be refused. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "check.h"
#include "world.h"

/* Everything a host can see of both nodes of a world. */
struct snapshot {
    jmp_endpoint_stats endpoint[NODES];
    jmp_session_info info[NODES];
    jmp_session_stats stats[NODES];
    jmp_policy policy[NODES];
    jmp_path_info paths[NODES][JMP_MAX_PATHS];
    size_t path_count[NODES];
    jmp_time deadline[NODES];
};

/* The world that hostile calls are made in: an established session, two warm paths, nothing in flight. */
extern struct world victim;

void victim_open(void);
void victim_close(void);
struct snapshot victim_snapshot(void);
/* Checks that nothing changed since `before`: no field, nothing to send, no event. */
void victim_check_unchanged(const struct snapshot *before, const char *file, int line, const char *call);

/* The call must give exactly this status and change nothing. */
#define REFUSED(call, status) do { \
    struct snapshot before_ = victim_snapshot(); \
    check_equal((call), (status), __FILE__, __LINE__, #call); \
    victim_check_unchanged(&before_, __FILE__, __LINE__, #call); } while (0)

/* One call of every function that takes an endpoint, all other arguments right. */
struct endpoint_call {
    const char *name;
    bool takes_session;
    jmp_status (*call)(jmp_endpoint *endpoint, jmp_session session, jmp_time now);
};
extern const struct endpoint_call endpoint_calls[];
extern const size_t endpoint_call_count;

#endif
