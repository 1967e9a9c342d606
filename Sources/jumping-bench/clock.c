#define _GNU_SOURCE
#include "bench.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

double cpu_now(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

double thread_cpu_now(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

double wall_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *values, int count)
{
    return percentile(values, count, 0.5);
}

double percentile(double *values, size_t count, double fraction)
{
    if (count == 0) return 0;
    qsort(values, count, sizeof *values, ascending);
    size_t index = (size_t)(fraction * count);
    return values[index < count ? index : count - 1];
}

void pin_to_processor(int processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    sched_setaffinity(0, sizeof set, &set);   /* measuring unpinned is noisier, not wrong */
}

int usable_processors(int *processors, int capacity)
{
    static cpu_set_t set;
    static bool is_known;
    int count = 0;
    if (!is_known && sched_getaffinity(0, sizeof set, &set)) return 0;
    is_known = true;   /* pinning this thread later takes nothing away */
    for (int i = 0; i < CPU_SETSIZE && count < capacity; i++) {
        if (CPU_ISSET(i, &set)) processors[count++] = i;
    }
    return count;
}

double resident_bytes(void)
{
    /* Pages of files come with the code that runs, not with sessions. */
    long total = 0, resident = 0, of_files = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) fail("/proc/self/statm cannot be read");
    if (fscanf(file, "%ld %ld %ld", &total, &resident, &of_files) != 3) fail("/proc/self/statm is not what it should be");
    fclose(file);
    return (double)(resident - of_files) * sysconf(_SC_PAGESIZE);
}
