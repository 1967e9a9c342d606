/* What must hold. A broken requirement is a finding: it is told and the process ends as by a crash, which libFuzzer takes as one. */
#ifndef REQUIRE_H
#define REQUIRE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition, ...) do { if (!(condition)) { \
    fprintf(stderr, "%s:%d: broken: %s: ", __FILE__, __LINE__, #condition); \
    fprintf(stderr, __VA_ARGS__); \
    fputc('\n', stderr); \
    abort(); } } while (0)

/* Faults the suite plants with JUMPING_FUZZ_PLANT, to see that they are found. */
static inline int is_planted(const char *fault)
{
    const char *planted = getenv("JUMPING_FUZZ_PLANT");
    return planted && !strcmp(planted, fault);
}

/* With JUMPING_FUZZ_TRACE in the environment a target tells on stderr what it does: for looking at one input. */
static inline int is_tracing(void)
{
    static int answer = -1;
    if (answer < 0) answer = getenv("JUMPING_FUZZ_TRACE") != NULL;
    return answer;
}

#define TRACE(...) do { if (is_tracing()) { fprintf(stderr, __VA_ARGS__); fputc('\n', stderr); } } while (0)

#endif
