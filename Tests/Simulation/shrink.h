/* Makes a failing schedule shorter: delta debugging over its actions, then smaller parameters, always with the same rule broken. */
#ifndef SIMULATION_SHRINK_H
#define SIMULATION_SHRINK_H

#include "world.h"

/* Plays one world in a process of its own, with a limit on its CPU time; a crash and a hang become failures with the rules
 * "crash" and "hang". */
void play_apart(const struct world_options *options, unsigned cpu_limit_s, struct outcome *outcome);

/* Shortens `*schedule` and `options->duration_us`, which fail with `rule`, with at most `tries` worlds. Returns how many it took. */
unsigned shrink(struct world_options *options, struct schedule *schedule, const char *rule, unsigned cpu_limit_s, unsigned tries);

#endif
