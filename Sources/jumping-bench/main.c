/* jumping-bench: what libjumping costs, beside the raw libsodium calls on the same bytes in the same run.
 *
 *   jumping-bench [--json] [--seconds S] [--scale small|full] [GROUP...]
 *
 * Groups: datagrams handshakes flood memory storm scale cores delivery; none named is all. Everything in memory through the C
 * interface alone, one core unless said otherwise, process CPU time, candidates and floors interleaved round by round,
 * medians of rounds. Ratios count: machines differ. Small scale ends within about a minute; full goes up to 1,000,000
 * sessions and wants 24 GB and a quarter of an hour. */
#define _GNU_SOURCE
#include "bench.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct group {
    const char *name;
    void (*run)(const struct options *options);
} groups[] = {
    { "datagrams", bench_datagrams },
    { "handshakes", bench_handshakes },
    { "flood", bench_flood },
    { "memory", bench_memory },
    { "storm", bench_storm },
    { "scale", bench_scale },
    { "cores", bench_cores },
    { "delivery", bench_delivery },
};
enum { GROUPS = sizeof groups / sizeof groups[0] };

static int usage(void)
{
    fprintf(stderr, "usage: jumping-bench [--json] [--seconds S] [--scale small|full] [GROUP...]\ngroups:");
    for (int i = 0; i < GROUPS; i++) fprintf(stderr, " %s", groups[i].name);
    fprintf(stderr, "\n");
    return 2;
}

static bool choose(const char *name, bool chosen[GROUPS])
{
    for (int i = 0; i < GROUPS; i++) {
        if (strcmp(groups[i].name, name)) continue;
        chosen[i] = true;
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct options options = { .seconds = 0.2 };
    bool chosen[GROUPS] = { false }, is_any_chosen = false, is_json = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--json")) {
            is_json = true;
        } else if (!strcmp(argv[i], "--seconds") && i + 1 < argc) {
            options.seconds = atof(argv[++i]);
            if (!(options.seconds > 0 && options.seconds <= 60)) return usage();
        } else if (!strcmp(argv[i], "--scale") && i + 1 < argc) {
            options.is_full = !strcmp(argv[++i], "full");
            if (!options.is_full && strcmp(argv[i], "small")) return usage();
        } else if (choose(argv[i], chosen)) {
            is_any_chosen = true;
        } else {
            return usage();
        }
    }
    report_as_json(is_json);
    check(jmp_init(), "jmp_init");
    int processors[1];
    char heading[160];
    if (usable_processors(processors, 1) == 1) pin_to_processor(processors[0]);   /* "cores" spreads out by itself */
    snprintf(heading, sizeof heading, "libjumping %s on libsodium %s", jmp_version(), sodium_version_string());
    report_heading(heading);
    for (int i = 0; i < GROUPS; i++) {
        if (is_any_chosen && !chosen[i]) continue;
        report_heading(groups[i].name);
        groups[i].run(&options);
    }
    snprintf(heading, sizeof heading, "%d rows missed their target", report_misses());
    report_heading(heading);
    return 0;
}
