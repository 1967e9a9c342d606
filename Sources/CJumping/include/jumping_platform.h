/* What the Swift core needs of the platform and Swift cannot say: the process-wide table of endpoint handles.
 * Not part of the public ABI. */
#ifndef JUMPING_PLATFORM_H
#define JUMPING_PLATFORM_H

#include <stdint.h>

/* A handle is a number, never dereferenced: generation and slot. The table lives in memory that the kernel empties in
 * a forked child (MADV_WIPEONFORK), so a child cannot use its parent's keys and nonces. Any thread. */

enum { JUMPING_HANDLE_UNKNOWN = 0, JUMPING_HANDLE_FORKED = 1, JUMPING_HANDLE_FULL = 2 };

/* The core pointer behind a handle, or NULL. */
void *jumping_registry_find(const void *handle);
/* Why jumping_registry_find gave NULL: JUMPING_HANDLE_*. */
int jumping_registry_failure(const void *handle);
/* A new handle for a core pointer, or NULL when the table is full. */
void *jumping_registry_insert(void *core);
/* Takes a handle out and gives its core pointer, or NULL. */
void *jumping_registry_remove(const void *handle);

#endif
