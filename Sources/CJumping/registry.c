#define _GNU_SOURCE
#include "jumping_platform.h"
#include "jumping_types.h"

#include <sys/mman.h>

_Static_assert(JUMPING_REGISTRY_SLOTS == JMP_MAX_ENDPOINTS, "handles hold every slot");

_Atomic(struct jumping_registry *) jumping_registry_shared;
/* Ordinary memory: survives fork, so that a child never hands out its parent's handle again. */
static _Atomic(uintptr_t) last_generation;
static _Atomic(uintptr_t) forked_generation;

static struct jumping_registry *table_for_insert(void) {
    struct jumping_registry *table = atomic_load_explicit(&jumping_registry_shared, memory_order_acquire);
    if (table == NULL) {
        void *memory = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) return NULL;
        /* Linux 4.14 and later; without it a child could use its parent's endpoints, so there is no way round it. */
        if (madvise(memory, sizeof *table, MADV_WIPEONFORK) != 0) {
            munmap(memory, sizeof *table);
            return NULL;
        }
        struct jumping_registry *fresh = memory;
        atomic_store(&fresh->alive, 1);
        if (atomic_compare_exchange_strong(&jumping_registry_shared, &table, fresh)) return fresh;
        munmap(memory, sizeof *table);
    }
    uint32_t dead = 0;
    if (atomic_compare_exchange_strong(&table->alive, &dead, 1))
        atomic_store(&forked_generation, atomic_load(&last_generation));
    return table;
}

void *jumping_registry_insert(void *core) {
    struct jumping_registry *table = table_for_insert();
    if (table == NULL) return NULL;
    for (uintptr_t i = 0; i < JUMPING_REGISTRY_SLOTS; i++) {
        uintptr_t expected = 0;
        if (!atomic_compare_exchange_strong(&table->slots[i].handle, &expected, 1)) continue;
        uintptr_t handle = (atomic_fetch_add(&last_generation, 1) + 1) << JUMPING_REGISTRY_SLOT_BITS | i;
        atomic_store(&table->slots[i].core, core);
        atomic_store(&table->slots[i].handle, handle);
        return (void *)handle;
    }
    return NULL;
}

int jumping_registry_failure(const void *handle) {
    struct jumping_registry *table = atomic_load(&jumping_registry_shared);
    uintptr_t generation = (uintptr_t)handle >> JUMPING_REGISTRY_SLOT_BITS;
    if (table == NULL || generation == 0 || generation > atomic_load(&last_generation)) return JUMPING_HANDLE_UNKNOWN;
    if (atomic_load(&table->alive) == 0) return JUMPING_HANDLE_FORKED;
    return generation <= atomic_load(&forked_generation) ? JUMPING_HANDLE_FORKED : JUMPING_HANDLE_UNKNOWN;
}

void *jumping_registry_remove(const void *handle) {
    void *core = jumping_registry_find(handle);
    if (core == NULL) return NULL;
    struct jumping_registry_slot *slot = &atomic_load(&jumping_registry_shared)->slots[(uintptr_t)handle & (JUMPING_REGISTRY_SLOTS - 1)];
    uintptr_t expected = (uintptr_t)handle;
    if (!atomic_compare_exchange_strong(&slot->handle, &expected, 1)) return NULL;
    atomic_store(&slot->core, NULL);
    atomic_store(&slot->handle, 0);
    return core;
}
