/* Packets under way, ordered by due time: a binary heap over a fixed pool, so
 * that forwarding never allocates. */
#include "link.h"

static struct queued pool[QUEUE_CAPACITY];
static struct queued *unused[QUEUE_CAPACITY];
static struct queued *heap[QUEUE_CAPACITY];
static size_t unused_count, heap_count;
static uint64_t next_order;

void queue_open(void) {
    for (size_t i = 0; i < QUEUE_CAPACITY; i++) unused[i] = &pool[i];
    unused_count = QUEUE_CAPACITY;
}

struct queued *queue_take(void) {
    return unused_count == 0 ? NULL : unused[--unused_count];
}

void queue_release(struct queued *packet) {
    unused[unused_count++] = packet;
}

static int is_before(const struct queued *a, const struct queued *b) {
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

void queue_push(struct queued *packet) {
    packet->order = next_order++;
    size_t i = heap_count++;
    while (i > 0 && is_before(packet, heap[(i - 1) / 2])) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = packet;
}

struct queued *queue_first(void) {
    return heap_count == 0 ? NULL : heap[0];
}

struct queued *queue_pop(void) {
    if (heap_count == 0) return NULL;
    struct queued *first = heap[0];
    struct queued *last = heap[--heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= heap_count) break;
        if (child + 1 < heap_count && is_before(heap[child + 1], heap[child])) child++;
        if (!is_before(heap[child], last)) break;
        heap[i] = heap[child];
        i = child;
    }
    if (heap_count > 0) heap[i] = last;
    return first;
}
