#ifndef BENCH_H
#define BENCH_H

#include "../../include/jumping.h"

/* One row: value beside the floor measured in the same run. */
void report(const char *name, double value, const char *unit, double floor);
/* Ends the program with a message unless JMP_OK. */
void check(jmp_status status, const char *what);

/* Seal at A + open at B, found by connection id, all bookkeeping; floor: the AEAD calls alone. */
void bench_datagrams(double seconds);
/* Full handshakes, both sides; floor: the X25519 operations the pattern needs. */
void bench_handshakes(double seconds);

/* Process CPU time in nanoseconds. */
double cpu_now(void);
double median(double *values, int count);

/* Two endpoints joined by memory. */
struct pair {
    jmp_endpoint *client, *gateway;
    jmp_time now;
};
void pair_open(struct pair *pair, uint32_t suite, uint32_t sessions);
void pair_close(struct pair *pair);
/* Connects one session and settles it; *gateway is the other end's handle when the client's first payload arrives. */
void pair_connect(struct pair *pair, jmp_session *client, jmp_session *gateway);
/* Moves control datagrams until both are silent. */
void pair_settle(struct pair *pair);

#endif
