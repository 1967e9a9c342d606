/* The fuzzer's bytes as a program: blocks of eight bytes, so that inserting, removing or copying a block (mutator.c) leaves
 * the others what they were. When the input is at its end every block is zeros. */
#ifndef INPUT_H
#define INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK_SIZE = 8 };

/* One step, or eight bytes of data for the step before. */
struct block {
    uint8_t op, a, b, c;
    uint16_t d;
    uint8_t e, f;
};

struct input {
    const uint8_t *bytes;
    size_t length, offset;
};

static inline bool input_is_over(const struct input *input)
{
    return input->offset >= input->length;
}

static inline struct block input_block(struct input *input)
{
    uint8_t bytes[BLOCK_SIZE] = { 0 };
    size_t left = input_is_over(input) ? 0 : input->length - input->offset;
    if (left) memcpy(bytes, input->bytes + input->offset, left < BLOCK_SIZE ? left : BLOCK_SIZE);
    input->offset += BLOCK_SIZE;
    return (struct block){ bytes[0], bytes[1], bytes[2], bytes[3], (uint16_t)(bytes[4] | bytes[5] << 8), bytes[6], bytes[7] };
}

/* Copies `length` bytes, zeros beyond the end, and steps to the next whole block. */
static inline void input_bytes(struct input *input, void *target, size_t length)
{
    size_t left = input_is_over(input) ? 0 : input->length - input->offset;
    size_t count = left < length ? left : length;
    memset(target, 0, length);
    if (count) memcpy(target, input->bytes + input->offset, count);
    input->offset += (length + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE;
}

#endif
