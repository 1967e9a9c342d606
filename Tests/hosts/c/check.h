/* Checks for the C tests: a failed one is printed with its place and values and fails the test it is in; the test goes on.
 * A program calls RUN(test) for each of its tests and returns check_summary(). */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stdio.h>

struct check_counts { unsigned passed, failed, failures_here; };
extern struct check_counts check_counts;

bool check_that(bool holds, const char *file, int line, const char *what);
bool check_equal(long long is, long long expected, const char *file, int line, const char *what);
void check_run(void (*test)(void), const char *name);
int check_summary(void);

#define CHECK(condition) check_that((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQUAL(is, expected) check_equal((long long)(is), (long long)(expected), __FILE__, __LINE__, #is)
#define CHECK_OK(call) CHECK_EQUAL(call, 0)
#define RUN(test) check_run(test, #test)

#endif
