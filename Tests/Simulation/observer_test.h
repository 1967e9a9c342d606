/* What the files of the observers' test share. */
#ifndef SIMULATION_OBSERVER_TEST_H
#define SIMULATION_OBSERVER_TEST_H

#include "observer_parts.h"

/** Counts a check and tells of one that failed; returns the condition. */
bool check(bool condition, const char *what);
/** doctored.c: shows each rule what breaks it. */
void every_rule_can_fail(void);

/** Whether two addresses are the same bytes. */
static inline bool is_same_bytes(const jmp_address *a, const jmp_address *b)
{
    return is_same_address(a, b);
}

#endif
