#define _GNU_SOURCE
#include "jumping_platform.h"
#include "jumping_types.h"

#include <stdatomic.h>
#include <sys/mman.h>

/* Slot numbers take 12 bits of a handle (JMP_MAX_ENDPOINTS), the generation the rest; a generation is used once. */
#define SLOT_BITS 12
#define SLOTS (1u << SLOT_BITS)
_Static_assert(SLOTS == JMP_MAX_ENDPOINTS, "handles hold every slot");

struct slot {
    _Atomic(uintptr_t) handle; /* 0 free, 1 taken but not ready */
    _Atomic(void *) core;
};

struct table {
    _Atomic(uint32_t) alive; /* 0 in a forked child until it makes an endpoint */
    struct slot slots[SLOTS];
};

static _Atomic(struct table *) shared_table;
/* Ordinary memory: survives fork, so that a child never hands out its parent's handle again. */
static _Atomic(uintptr_t) last_generation;
static _Atomic(uintptr_t) forked_generation;

static struct table *table_for_insert(void) {
    struct table *table = atomic_load_explicit(&shared_table, memory_order_acquire);
    if (table == NULL) {
        void *memory = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) return NULL;
        /* Linux 4.14 and later; without it a child could use its parent's endpoints, so there is no way round it. */
        if (madvise(memory, sizeof *table, MADV_WIPEONFORK) != 0) {
            munmap(memory, sizeof *table);
            return NULL;
        }
        struct table *fresh = memory;
        atomic_store(&fresh->alive, 1);
        if (atomic_compare_exchange_strong(&shared_table, &table, fresh)) return fresh;
        munmap(memory, sizeof *table);
    }
    uint32_t dead = 0;
    if (atomic_compare_exchange_strong(&table->alive, &dead, 1))
        atomic_store(&forked_generation, atomic_load(&last_generation));
    return table;
}

void *jumping_registry_insert(void *core) {
    struct table *table = table_for_insert();
    if (table == NULL) return NULL;
    for (uintptr_t i = 0; i < SLOTS; i++) {
        uintptr_t expected = 0;
        if (!atomic_compare_exchange_strong(&table->slots[i].handle, &expected, 1)) continue;
        uintptr_t handle = (atomic_fetch_add(&last_generation, 1) + 1) << SLOT_BITS | i;
        atomic_store(&table->slots[i].core, core);
        atomic_store(&table->slots[i].handle, handle);
        return (void *)handle;
    }
    return NULL;
}

void *jumping_registry_find(const void *handle) {
    struct table *table = atomic_load_explicit(&shared_table, memory_order_acquire);
    uintptr_t number = (uintptr_t)handle;
    if (table == NULL || number < SLOTS) return NULL;
    struct slot *slot = &table->slots[number & (SLOTS - 1)];
    if (atomic_load_explicit(&slot->handle, memory_order_acquire) != number) return NULL;
    return atomic_load_explicit(&slot->core, memory_order_relaxed);
}

int jumping_registry_failure(const void *handle) {
    struct table *table = atomic_load(&shared_table);
    uintptr_t generation = (uintptr_t)handle >> SLOT_BITS;
    if (table == NULL || generation == 0 || generation > atomic_load(&last_generation)) return JUMPING_HANDLE_UNKNOWN;
    if (atomic_load(&table->alive) == 0) return JUMPING_HANDLE_FORKED;
    return generation <= atomic_load(&forked_generation) ? JUMPING_HANDLE_FORKED : JUMPING_HANDLE_UNKNOWN;
}

void *jumping_registry_remove(const void *handle) {
    void *core = jumping_registry_find(handle);
    if (core == NULL) return NULL;
    struct slot *slot = &atomic_load(&shared_table)->slots[(uintptr_t)handle & (SLOTS - 1)];
    uintptr_t expected = (uintptr_t)handle;
    if (!atomic_compare_exchange_strong(&slot->handle, &expected, 1)) return NULL;
    atomic_store(&slot->core, NULL);
    atomic_store(&slot->handle, 0);
    return core;
}
