/* What the Swift core needs of the platform and Swift cannot say: the process-wide table of endpoint handles.
 * Not part of the public ABI. */
#ifndef JUMPING_PLATFORM_H
#define JUMPING_PLATFORM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

/* A handle is a number, never dereferenced: generation and slot. The table lives in memory that the kernel empties in
 * a forked child (MADV_WIPEONFORK), so a child cannot use its parent's keys and nonces. Any thread. */

enum { JUMPING_HANDLE_UNKNOWN = 0, JUMPING_HANDLE_FORKED = 1, JUMPING_HANDLE_FULL = 2 };

/* Slot numbers take 12 bits of a handle (JMP_MAX_ENDPOINTS), the generation the rest; a generation is used once. */
#define JUMPING_REGISTRY_SLOT_BITS 12
#define JUMPING_REGISTRY_SLOTS (1u << JUMPING_REGISTRY_SLOT_BITS)

struct jumping_registry_slot {
    _Atomic(uintptr_t) handle; /* 0 free, 1 taken but not ready */
    _Atomic(void *) core;
};

struct jumping_registry {
    _Atomic(uint32_t) alive; /* 0 in a forked child until it makes an endpoint */
    struct jumping_registry_slot slots[JUMPING_REGISTRY_SLOTS];
};

extern _Atomic(struct jumping_registry *) jumping_registry_shared __attribute__((visibility("hidden")));

/* The core pointer behind a handle, or NULL. Every call of the host begins here, so it is inlined. */
static inline void *jumping_registry_find(const void *handle)
{
    struct jumping_registry *table = atomic_load_explicit(&jumping_registry_shared, memory_order_acquire);
    uintptr_t number = (uintptr_t)handle;
    if (table == NULL || number < JUMPING_REGISTRY_SLOTS) return NULL;
    struct jumping_registry_slot *slot = &table->slots[number & (JUMPING_REGISTRY_SLOTS - 1)];
    if (atomic_load_explicit(&slot->handle, memory_order_acquire) != number) return NULL;
    return atomic_load_explicit(&slot->core, memory_order_relaxed);
}

/* Why jumping_registry_find gave NULL: JUMPING_HANDLE_*. */
int jumping_registry_failure(const void *handle);
/* A new handle for a core pointer, or NULL when the table is full. */
void *jumping_registry_insert(void *core);
/* Takes a handle out and gives its core pointer, or NULL. */
void *jumping_registry_remove(const void *handle);

/* Memory of zeros, whole pages that take no room before they are touched, or NULL. Given back with the same length. */
static inline void *jumping_pages_allocate(size_t length)
{
    void *pages = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

static inline void jumping_pages_release(void *pages, size_t length)
{
    munmap(pages, length);
}

/* Gives the memory behind some whole pages back; they read as zeros from then on. */
static inline void jumping_pages_forget(void *pages, size_t length)
{
    madvise(pages, length, MADV_DONTNEED);
}

/* Call it behind the release of a piece of memory that many sessions may release one after the other: no later allocation then takes long. */
void jumping_note_release(void);

/* Asks for so many cache lines before they are needed, from the one on that `memory` lies in. Callers name a constant, so that no loop is
 * left of it. */
static inline __attribute__((always_inline)) void jumping_prefetch(const void *memory, int lines)
{
    for (int i = 0; i < lines; i++) __builtin_prefetch((const char *)memory + 64 * i);
}

#endif
