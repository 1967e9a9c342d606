#include "check.h"

enum { FAILURES_SHOWN = 10 };       /* per test: a loop that fails every time tells no more than its first rounds */

struct check_counts check_counts;

bool check_that(bool holds, const char *file, int line, const char *what)
{
    if (!holds && check_counts.failures_here++ < FAILURES_SHOWN) printf("  %s:%d: not so: %s\n", file, line, what);
    return holds;
}

bool check_equal(long long is, long long expected, const char *file, int line, const char *what)
{
    if (is != expected && check_counts.failures_here++ < FAILURES_SHOWN)
        printf("  %s:%d: %s is %lld, expected %lld\n", file, line, what, is, expected);
    return is == expected;
}

void check_run(void (*test)(void), const char *name)
{
    check_counts.failures_here = 0;
    test();
    if (check_counts.failures_here) check_counts.failed++;
    else check_counts.passed++;
    printf("%s %s\n", check_counts.failures_here ? "FAIL" : "ok  ", name);
    fflush(stdout);
}

int check_summary(void)
{
    printf("%u passed, %u failed\n", check_counts.passed, check_counts.failed);
    return check_counts.failed || !check_counts.passed;
}
