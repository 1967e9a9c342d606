/* jumping-bench: what libjumping costs, beside the raw libsodium calls on the same bytes in the same run.
 *
 *   jumping-bench [--json] [--seconds S]
 *
 * Everything in memory, one core, process CPU time, candidates interleaved, medians of rounds. Ratios count: machines differ. */
#define _GNU_SOURCE
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int as_json;

void report(const char *name, double value, const char *unit, double floor)
{
    if (as_json) {
        printf("{\"name\": \"%s\", \"value\": %.2f, \"unit\": \"%s\", \"floor\": %.2f, \"ratio\": %.3f}\n", name, value, unit, floor,
               floor > 0 ? value / floor : 0.0);
    } else {
        printf("%-52s %10.1f %-12s floor %10.1f   ratio %.2f\n", name, value, unit, floor, floor > 0 ? value / floor : 0.0);
    }
}

void check(jmp_status status, const char *what)
{
    if (status == JMP_OK) return;
    fprintf(stderr, "jumping-bench: %s: %s\n", what, jmp_strerror(status));
    exit(1);
}

int main(int argc, char **argv)
{
    double seconds = 0.3;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--json")) as_json = 1;
        else if (!strcmp(argv[i], "--seconds") && i + 1 < argc) seconds = atof(argv[++i]);
        else {
            fprintf(stderr, "usage: jumping-bench [--json] [--seconds S]\n");
            return 2;
        }
    }
    check(jmp_init(), "jmp_init");
    bench_datagrams(seconds);
    bench_handshakes(seconds);
    return 0;
}
