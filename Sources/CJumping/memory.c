#include "jumping_platform.h"

#include <stdlib.h>

/* glibc keeps small pieces apart when they are released, and others unsorted, until somebody asks for a piece that is large and not there: then it
 * joins and sorts all of them, which took 35 ms after a million sessions had lost their path. So it is asked in time. Where malloc has no such
 * habit this costs a call in 256. The count is the process's, as its heap is. */
void jumping_note_release(void)
{
    enum { EVERY = 256, LARGE = 2000 /* beyond what a thread keeps for itself, and like nothing that we ask for */ };
    static _Atomic(unsigned) released;
    if (atomic_fetch_add_explicit(&released, 1, memory_order_relaxed) % EVERY != 0) return;
    void *volatile piece = malloc(LARGE);   /* volatile: a compiler may leave out what is not used */
    free(piece);
}
