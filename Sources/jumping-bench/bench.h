#ifndef BENCH_H
#define BENCH_H

#include "../../include/jumping.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the command line asks for. */
struct options {
    double seconds;      /* measured time of one row, both candidates together */
    bool is_full;        /* up to 1,000,000 sessions; else everything ends within about a minute */
};

/* The groups; each has a file of its own. */
void bench_datagrams(const struct options *options);
void bench_handshakes(const struct options *options);
void bench_memory(const struct options *options);
void bench_scale(const struct options *options);
void bench_storm(const struct options *options);
void bench_flood(const struct options *options);
void bench_cores(const struct options *options);
void bench_delivery(const struct options *options);

/* ---- report.c: rows */

/* What the issue asks of a row. */
enum target {
    NO_TARGET,
    RATIO_AT_MOST,
    RATIO_AT_LEAST,
    VALUE_AT_MOST,
    VALUE_AT_LEAST
};

#define NO_FLOOR (-1.0)

void report_as_json(bool as_json);
/* One row: a value beside its floor measured in the same run, and whether it meets its target. */
void report(double value, const char *unit, double floor, enum target target, double bound, const char *name_format, ...)
    __attribute__((format(printf, 6, 7)));
/* A line between the rows of the table; nothing in JSON. */
void report_heading(const char *text);
/* How many rows missed their target so far. */
int report_misses(void);
/* 1000000 as "1,000,000"; good until the eighth call after it. */
const char *grouped(uint64_t number);

/* Ends the program with a message unless JMP_OK. */
void check(jmp_status status, const char *what);
/* Ends the program with a message. */
void fail(const char *what) __attribute__((noreturn));
/* calloc that never returns NULL. */
void *allocate(size_t count, size_t size);

/* ---- clock.c */

/* CPU time in nanoseconds: of the process, and of this thread. */
double cpu_now(void);
double thread_cpu_now(void);
/* CLOCK_MONOTONIC in nanoseconds. */
double wall_now(void);
/* Sorts the values. */
double median(double *values, int count);
/* Sorts the values; fraction 0 … 1. */
double percentile(double *values, size_t count, double fraction);
/* This thread runs on that processor only, if the system lets it. */
void pin_to_processor(int processor);
/* Processors this process may use; the first `capacity` of them. */
int usable_processors(int *processors, int capacity);
/* Bytes of this process that are in memory, files' apart. */
double resident_bytes(void);

/* xorshift64*: which session comes next must be cheap and the same in every run. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

/* ---- allocations.c */

/* Calls of malloc and its kin in this process so far, or 0 for ever where they cannot be counted. */
uint64_t allocations_so_far(void);
bool allocations_are_counted(void);
/* Bytes that malloc has given out and not taken back; 0 where it does not tell. */
double heap_in_use(void);

#endif
