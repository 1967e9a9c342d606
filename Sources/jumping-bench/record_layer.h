#ifndef RECORD_LAYER_H
#define RECORD_LAYER_H

#include "bench.h"

/* A record layer in plain C with the least that a datagram protocol of many sessions can do: it names how much of a random
 * session's cost is this machine's cache misses, which every implementation pays. */
struct record_layer;
struct record_layer *record_layer_new(uint32_t suite, uint32_t sessions);
void record_layer_free(struct record_layer *layer);
/* Seals at A, opens at B; the datagram is in `buffer`. Returns the payload's length, or -1. */
int record_layer_pass(struct record_layer *layer, uint32_t session, const uint8_t *payload, int length, uint8_t *buffer);

#endif
