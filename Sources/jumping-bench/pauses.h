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
    CALL_SEND_BATCH,
    CALL_RECEIVE_BATCH,
    CALL_UNSENT,
    CALL_GET_SESSION_STATS,
    CALL_GET_PATHS,
    CALL_GET_POLICY,
    CALL_SET_POLICY,
    CALL_EXPLAIN,
    CALL_REKEY,
    CALL_PATH_REMOVE,
    CALL_ADD_PSK,
    CALL_REMOVE_PSK,
    CALL_TRANSPORT_ADD,
    CALL_TRANSPORT_SET,
    CALL_TRANSPORT_HINT,
    CALL_TRANSPORT_REMOVE,
    CALL_SWEEP,
    CALLS
};

struct watch {
    double cpu, wall;
};

void pauses_reset(void);
/* From here on all is done once more, the same calls in the same order, to see which of the long ones are long again. False: there were none. */
bool pauses_repeat(void);
struct watch pause_begin(void);
/* Gives back the nanoseconds it counted. */
double pause_end(enum call call, struct watch watch);
/* Times one call and ends the program unless it gives JMP_OK. */
#define TIMED(call, status_of_it) do { \
        struct watch watch_of_it = pause_begin(); \
        jmp_status status_ = (status_of_it); \
        pause_end(call, watch_of_it); \
        check(status_, #status_of_it); \
    } while (0)
/* p50, p99, p99.99 and the longest of every call that was made. */
void pauses_report(const char *population);

#endif
