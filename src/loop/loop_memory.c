/* loop/loop_memory.c — the sizes of a loop's parts; see loop_memory.h. A test holds it to what a
 * loop is made of. */
#include "loop/loop_memory.h"

#include "base/alloc.h"
#include "loop/backend.h"
#include "loop/backend_uring.h"

enum { USUAL_RECV_BYTES = 64 * 1024 };

uint64_t loop_bytes(const struct loop_options *options)
{
    uint64_t received = options && options->recv_bytes ? options->recv_bytes : USUAL_RECV_BYTES;
    bool is_uring = options && options->backend == LOOP_BACKEND_URING;
    return mem_cost(sizeof(struct loop)) + mem_cost(received) + (is_uring ? uring_bytes() : 0);
}
