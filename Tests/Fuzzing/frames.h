/* Frames the fuzzer chooses, with fields that make sense now and then: the present binding version, an attempt or a challenge
 * that was really sent. */
#ifndef FRAMES_H
#define FRAMES_H

#include "stage.h"

/* Appends the frame a block describes to `out`, as `from` would send it to the other node; its length, 0 when it does not fit. */
size_t frames_write(struct stage *stage, int from, const struct block *block, struct input *input, uint8_t *out, size_t capacity);

#endif
