/* coding/coder_memory.c — the door of memory for libraries that bring a pointer of their own along.
 * Any thread. */
#include "base/alloc.h"

#include "coding/coder_inside.h"

void *coder_take_memory(void *opaque, size_t size)
{
    (void)opaque;
    return mem_alloc(size);
}

void coder_give_memory(void *opaque, void *block)
{
    (void)opaque;
    mem_free(block);
}
