#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_json;
static int misses;

void report_as_json(bool as_json)
{
    is_json = as_json;
}

int report_misses(void)
{
    return misses;
}

const char *grouped(uint64_t number)
{
    static char texts[8][32];
    static int next;
    char digits[24], *text = texts[next++ % 8], *end = text;
    int count = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0) *end++ = ',';
        *end++ = digits[i];
    }
    *end = 0;
    return text;
}

static bool is_met(double value, double ratio, enum target target, double bound)
{
    switch (target) {
    case RATIO_AT_MOST: return ratio <= bound;
    case RATIO_AT_LEAST: return ratio >= bound;
    case VALUE_AT_MOST: return value <= bound;
    case VALUE_AT_LEAST: return value >= bound;
    default: return true;
    }
}

static void describe_target(char *text, size_t size, enum target target, double bound)
{
    static const char *const subjects[] = { "", "ratio <= ", "ratio >= ", "value <= ", "value >= " };
    snprintf(text, size, "%s%g", subjects[target], bound);
}

void report(double value, const char *unit, double floor, enum target target, double bound, const char *name_format, ...)
{
    char name[160], goal[48];
    va_list arguments;
    va_start(arguments, name_format);
    vsnprintf(name, sizeof name, name_format, arguments);
    va_end(arguments);
    bool has_floor = floor > 0;
    double ratio = has_floor ? value / floor : 0;
    bool met = is_met(value, ratio, target, bound);
    if (!met) misses++;
    describe_target(goal, sizeof goal, target, bound);
    if (is_json) {
        printf("{\"name\": \"%s\", \"value\": %.3f, \"unit\": \"%s\"", name, value, unit);
        if (has_floor) printf(", \"floor\": %.3f, \"ratio\": %.3f", floor, ratio);
        else printf(", \"floor\": null, \"ratio\": null");
        if (target != NO_TARGET) printf(", \"target\": \"%s\", \"met\": %s", goal, met ? "true" : "false");
        printf("}\n");
    } else {
        printf("%-78s %12.1f %-5s", name, value, unit);
        if (has_floor) printf(" floor %10.1f  ratio %6.2f", floor, ratio);
        else if (target != NO_TARGET) printf("%32s", "");
        if (target != NO_TARGET) printf("  %s%s", goal, met ? "" : "  MISSED");
        printf("\n");
    }
    fflush(stdout);
}

void report_heading(const char *text)
{
    if (!is_json) printf("\n%s\n", text);
    fflush(stdout);
}

void check(jmp_status status, const char *what)
{
    if (status == JMP_OK) return;
    fprintf(stderr, "jumping-bench: %s: %s\n", what, jmp_strerror(status));
    exit(1);
}

void fail(const char *what)
{
    fprintf(stderr, "jumping-bench: %s\n", what);
    exit(1);
}

void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory) fail("out of memory");
    return memory;
}
