#ifndef PAUSES_H
#define PAUSES_H

#include "bench.h"

/* How long single calls take: CPU time of this thread, so that a preemption is no pause of ours. */
enum call {
    CALL_EMPTY,   /* two clock readings with nothing between: the floor */
    CALL_CONNECT,
    CALL_RECEIVE_HANDSHAKE,
    CALL_RECEIVE_DATA,
    CALL_SEND,
    CALL_POLL_TRANSMIT,
    CALL_POLL_EVENT,
    CALL_HANDLE_TIMEOUT,
    CALL_NEXT_TIMEOUT,
    CALL_GET_INFO,
    CALL_GET_STATS,
    CALL_PATH_ADD,
    CALL_REQUEST_SWITCH,
    CALL_CLOSE,
    CALL_TRANSPORT_HINT,
    CALLS
};

struct watch {
    double cpu, wall;
};

void pauses_reset(void);
struct watch pause_begin(void);
/* Gives back the nanoseconds it counted. */
double pause_end(enum call call, struct watch watch);
/* p50, p99, p99.99 and the longest of every call that was made. */
void pauses_report(const char *population);

#endif
