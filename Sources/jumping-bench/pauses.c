#include "pauses.h"

#include <string.h>

/* Logarithmic buckets, 32 to each power of two: within 3 %. */
enum { SUB_BITS = 5, SUB = 1 << SUB_BITS, BUCKETS = 64 * SUB };

/* Longer than the target. A call that takes as long again when everything is done a second time takes long by itself; one that does not was
 * held up by the machine: a virtual one's clock of CPU time goes on while its host serves others. */
enum { LONG_NS = 1000000, LONG_CALLS = 1024 };

static struct {
    uint64_t counts[BUCKETS];
    uint64_t count;
    double longest;       /* of those that were not too long */
    uint64_t preempted;   /* over 1 ms by the wall, but not by the CPU clock */
} histograms[CALLS];

static struct {
    enum call call;
    uint64_t number;      /* among the calls of its kind */
    double first, again;
} long_calls[LONG_CALLS];
static int long_count;
static bool is_again;
static uint64_t numbers[CALLS];

static const char *const names[CALLS] = {
    "(empty call)", "jmp_connect", "jmp_receive of a handshake", "jmp_receive of data", "jmp_send", "jmp_poll_transmit", "jmp_poll_event",
    "jmp_handle_timeout", "jmp_next_timeout", "jmp_session_get_info", "jmp_endpoint_get_stats", "jmp_path_add", "jmp_session_request_switch",
    "jmp_session_close", "jmp_send_batch of 32", "jmp_receive_batch of 32", "jmp_unsent", "jmp_session_get_stats", "jmp_session_get_paths",
    "jmp_session_get_policy", "jmp_session_set_policy", "jmp_session_explain", "jmp_session_rekey", "jmp_path_remove", "jmp_endpoint_add_psk",
    "jmp_endpoint_remove_psk", "jmp_transport_add", "jmp_transport_set", "jmp_transport_hint", "jmp_transport_remove",
    "jmp_handle_timeout after these",
};

void pauses_reset(void)
{
    memset(histograms, 0, sizeof histograms);
    memset(numbers, 0, sizeof numbers);
    long_count = 0;
    is_again = false;
}

bool pauses_repeat(void)
{
    memset(numbers, 0, sizeof numbers);
    is_again = true;
    return long_count > 0;
}

struct watch pause_begin(void)
{
    struct watch watch = { .wall = wall_now() };
    watch.cpu = thread_cpu_now();
    return watch;
}

static int bucket_of(uint64_t nanoseconds)
{
    if (nanoseconds < SUB) return (int)nanoseconds;
    int exponent = 63 - __builtin_clzll(nanoseconds);
    return (exponent - SUB_BITS + 1) * SUB + (int)((nanoseconds >> (exponent - SUB_BITS)) & (SUB - 1));
}

static double value_of(int bucket)
{
    if (bucket < SUB) return bucket;
    int exponent = bucket / SUB + SUB_BITS - 1;
    return (double)((uint64_t)(SUB + bucket % SUB) << (exponent - SUB_BITS));
}

static void note_long(enum call call, uint64_t number, double cpu)
{
    if (long_count == LONG_CALLS) fail("more long calls than can be remembered");
    long_calls[long_count].call = call;
    long_calls[long_count].number = number;
    long_calls[long_count++].first = cpu;
}

static void note_again(enum call call, uint64_t number, double cpu)
{
    for (int i = 0; i < long_count; i++) {
        if (long_calls[i].call == call && long_calls[i].number == number) long_calls[i].again = cpu;
    }
}

double pause_end(enum call call, struct watch watch)
{
    double cpu = thread_cpu_now() - watch.cpu, wall = wall_now() - watch.wall;
    uint64_t number = numbers[call]++;
    if (is_again) {
        note_again(call, number, cpu);
        return cpu;
    }
    histograms[call].counts[bucket_of((uint64_t)cpu)]++;
    histograms[call].count++;
    if (cpu > LONG_NS) note_long(call, number, cpu);
    else if (cpu > histograms[call].longest) histograms[call].longest = cpu;
    if (wall > LONG_NS && cpu <= LONG_NS) histograms[call].preempted++;
    return cpu;
}

/* Of the calls of a kind: the longest of all, and the longest that takes so long whenever it is made. */
static void find_longest(enum call call, double *once, double *always)
{
    *once = *always = histograms[call].longest;
    for (int i = 0; i < long_count; i++) {
        double again = long_calls[i].again < long_calls[i].first ? long_calls[i].again : long_calls[i].first;
        if (long_calls[i].call != call) continue;
        if (long_calls[i].first > *once) *once = long_calls[i].first;
        if (again > *always) *always = again;
    }
}

static double fraction_of(enum call call, double fraction)
{
    uint64_t wanted = (uint64_t)(fraction * histograms[call].count), seen = 0;
    for (int i = 0; i < BUCKETS; i++) {
        seen += histograms[call].counts[i];
        if (seen > wanted) return value_of(i);
    }
    return value_of(BUCKETS - 1);
}

void pauses_report(const char *population)
{
    static const struct { const char *name; double fraction; } rows[] = { { "p50", 0.5 }, { "p99", 0.99 }, { "p99.99", 0.9999 } };
    uint64_t most = 0, preempted = 0;
    double floor_once, floor_always;
    is_again = false;
    for (int call = CALL_EMPTY + 1; call < CALLS; call++) {
        if (histograms[call].count > most) most = histograms[call].count;
    }
    for (uint64_t i = histograms[CALL_EMPTY].count; i < most; i++) pause_end(CALL_EMPTY, pause_begin());
    find_longest(CALL_EMPTY, &floor_once, &floor_always);
    for (int call = 0; call < CALLS; call++) {
        double once, always;
        uint64_t count = histograms[call].count;
        if (count == 0) continue;
        for (int i = 0; i < 3; i++) {
            if ((double)count * (1 - rows[i].fraction) < 1) continue;   /* too few calls to speak of */
            report(fraction_of(call, rows[i].fraction) / 1000, "us", fraction_of(CALL_EMPTY, rows[i].fraction) / 1000, NO_TARGET, 0, "%s, %s, %s of %s",
                   names[call], population, rows[i].name, grouped(count));
        }
        find_longest(call, &once, &always);
        report(once / 1000, "us", floor_once / 1000, NO_TARGET, 0, "%s, %s, longest of %s", names[call], population, grouped(count));
        if (call != CALL_EMPTY) report(always / 1000, "us", NO_FLOOR, VALUE_AT_MOST, 1000, "%s, %s, longest by itself", names[call], population);
        preempted += histograms[call].preempted;
    }
    report((double)preempted, "calls", NO_FLOOR, NO_TARGET, 0, "  over 1 ms by the wall clock alone: preempted, %s", population);
}
