/* Luck that can be repeated: one 64-bit state, SplitMix64. Every purpose has a stream of its own, so that what one link or
 * one schedule draws never shifts what another one gets: only so does a shortened schedule play like the long one. */
#ifndef SIMULATION_RANDOM_H
#define SIMULATION_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

static inline uint64_t random_next(struct random *random)
{
    return random_mix(random->state += 0x9e3779b97f4a7c15u);
}

/* The stream of one purpose in the world of a seed. */
static inline struct random random_stream(uint64_t seed, uint64_t purpose)
{
    struct random random = { random_mix(seed + 0x9e3779b97f4a7c15u) ^ random_mix(~purpose) };
    return random;
}

/* 0 … limit - 1; 0 for a limit of 0. The bias of the remainder does not matter here. */
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
    return limit ? random_next(random) % limit : 0;
}

/* low … high, both included. */
static inline uint64_t random_between(struct random *random, uint64_t low, uint64_t high)
{
    return high <= low ? low : low + random_below(random, high - low + 1);
}

/* True in `ppm` of a million cases. */
static inline bool random_chance(struct random *random, uint64_t ppm)
{
    return ppm && random_below(random, 1000000) < ppm;
}

#endif
