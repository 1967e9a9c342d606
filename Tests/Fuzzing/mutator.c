/* Mutations that respect the blocks of input.h; every other time libFuzzer's own. */
#include "input.h"

#include <stdlib.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static size_t random_block(size_t size)
{
    return size < BLOCK_SIZE ? 0 : (size_t)rand() % (size / BLOCK_SIZE) * BLOCK_SIZE;
}

/* Makes room for `length` bytes at `at`; false when there is none. */
static bool open_gap(uint8_t *data, size_t *size, size_t max_size, size_t at, size_t length)
{
    if (*size + length > max_size) return false;
    memmove(data + at + length, data + at, *size - at);
    *size += length;
    return true;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    uint8_t block[BLOCK_SIZE];
    srand(seed);
    size_t from = random_block(size), at = random_block(size);
    if (size < 2 * BLOCK_SIZE || rand() % 2) return LLVMFuzzerMutate(data, size, max_size);
    switch (rand() % 5) {
    case 0:     /* one block less */
        memmove(data + at, data + at + BLOCK_SIZE, size - at - BLOCK_SIZE);
        return size - BLOCK_SIZE;
    case 1:     /* a copy of a block elsewhere */
        memcpy(block, data + from, BLOCK_SIZE);
        if (open_gap(data, &size, max_size, at, BLOCK_SIZE)) memcpy(data + at, block, BLOCK_SIZE);
        return size;
    case 2:     /* a new block */
        for (int i = 0; i < BLOCK_SIZE; i++) block[i] = (uint8_t)(rand() % 3 ? rand() % 16 : rand());
        if (open_gap(data, &size, max_size, at, BLOCK_SIZE)) memcpy(data + at, block, BLOCK_SIZE);
        return size;
    case 3:     /* two blocks change places */
        memcpy(block, data + from, BLOCK_SIZE);
        memmove(data + from, data + at, BLOCK_SIZE);
        memcpy(data + at, block, BLOCK_SIZE);
        return size;
    default:    /* one byte of a block, small values more often */
        data[at + (size_t)rand() % BLOCK_SIZE] = (uint8_t)(rand() % 2 ? rand() % 32 : rand());
        return size;
    }
}
