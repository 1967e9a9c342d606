#ifndef NOISE_FLOOR_H
#define NOISE_FLOOR_H

#include <stdint.h>

/* What both sides of one handshake cannot do without: the calls of libsodium that the Noise pattern and the documented key
 * derivations need, and nothing else. */
void noise_floor(uint32_t pattern);

#endif
