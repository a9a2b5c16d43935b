/* loop/backend_uring_buffers.c — the buffers into which the kernel receives: see backend_uring.h.
 *
 * They lie in a map of their own, behind the ring in which free ones are offered: it must begin a
 * page, and a forked child does not get it. What is parked at a socket is a chain of buffers; a
 * recv that takes all of the first one borrows it, and it goes back when the loop reads or waits
 * again, because its bytes are valid during `done` only.
 *
 * The kernel takes them in turn, so all that are in use pass through the caches: we begin with few
 * and take more into use when a burst found none. On the loop's thread. */
#include "loop/backend_uring.h"

#include "base/alloc.h"
#include "base/check.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum {
    PAGE_BYTES = 4096,
    RING_BYTES = (URING_BUFFERS * (int)sizeof(struct io_uring_buf) + PAGE_BYTES - 1) / PAGE_BYTES *
                 PAGE_BYTES,
    MAP_BYTES = RING_BYTES + URING_BUFFERS * URING_BUFFER_BYTES
};

uint64_t uring_bytes(void)
{
    return mem_cost(sizeof(struct uring_world)) + mem_cost(URING_PLACES * sizeof(struct msghdr)) +
           MAP_BYTES;
}

int uring_buffers_init(struct uring_buffers *buffers)
{
    void *map = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        return -errno;
    }
    (void)madvise(map, MAP_BYTES, MADV_DONTFORK);
    buffers->map = map;
    buffers->ring = map;
    buffers->bytes = (char *)map + RING_BYTES;
    buffers->lent = -1;
    buffers->in_use = URING_FIRST_BUFFERS;
    return 0;
}

void uring_buffers_finish(struct uring_buffers *buffers)
{
    if (buffers->map) {
        munmap(buffers->map, MAP_BYTES);
        buffers->map = NULL;
    }
}

static char *bytes_of(const struct uring_buffers *buffers, unsigned id)
{
    return buffers->bytes + (size_t)id * URING_BUFFER_BYTES;
}

static void offer(struct uring_buffers *buffers, unsigned id)
{
    int mask = io_uring_buf_ring_mask(URING_BUFFERS);
    io_uring_buf_ring_add(buffers->ring, bytes_of(buffers, id), URING_BUFFER_BYTES,
                          (unsigned short)id, mask, 0);
    io_uring_buf_ring_advance(buffers->ring, 1);
}

int uring_buffers_register(struct uring_buffers *buffers, struct io_uring *ring)
{
    struct io_uring_buf_reg about = {.ring_addr = (uintptr_t)buffers->ring,
                                     .ring_entries = URING_BUFFERS,
                                     .bgid = URING_BUFFER_GROUP};
    int result = io_uring_register_buf_ring(ring, &about, 0);
    if (result < 0) {
        return result;
    }
    io_uring_buf_ring_init(buffers->ring);
    for (unsigned id = 0; id < buffers->in_use; id++) {
        if (!buffers->is_out[id]) {
            offer(buffers, id);
        }
    }
    return 0;
}

void uring_buffers_grow(struct uring_buffers *buffers)
{
    unsigned more = buffers->in_use < URING_BUFFERS ? buffers->in_use : 0;
    for (unsigned i = 0; i < more; i++) {
        offer(buffers, buffers->in_use++);
    }
}

void uring_buffers_return(struct uring_buffers *buffers, unsigned id)
{
    buffers->is_out[id] = false;
    offer(buffers, id);
}

void uring_buffers_return_lent(struct uring_buffers *buffers)
{
    if (buffers->lent >= 0) {
        uring_buffers_return(buffers, (unsigned)buffers->lent);
        buffers->lent = -1;
    }
}

void uring_buffers_park(struct uring_buffers *buffers, struct loop_socket *socket, unsigned id,
                        size_t len)
{
    CHECK(id < URING_BUFFERS && len <= URING_BUFFER_BYTES && !buffers->is_out[id]);
    struct loop_parked *parked = &socket->uring.parked;
    buffers->is_out[id] = true;
    buffers->len[id] = (uint16_t)len;
    if (parked->count == 0) {
        parked->first = (uint16_t)id;
        parked->offset = 0;
    } else {
        buffers->next[parked->last] = (uint16_t)id;
    }
    parked->last = (uint16_t)id;
    parked->count++;
    socket->has_parked = true;
}

/* Some bytes of the first buffer. Returns its id when that was the last of it, else -1. */
static int take_first(struct uring_buffers *buffers, struct loop_socket *socket, char **ret_at,
                      size_t *bytes)
{
    struct loop_parked *parked = &socket->uring.parked;
    unsigned id = parked->first;
    size_t left = (size_t)(buffers->len[id] - parked->offset);
    *ret_at = bytes_of(buffers, id) + parked->offset;
    if (*bytes < left) {
        parked->offset = (uint16_t)(parked->offset + *bytes);
        return -1;
    }
    *bytes = left;
    parked->first = buffers->next[id];
    parked->offset = 0;
    parked->count--;
    socket->has_parked = parked->count > 0;
    return (int)id;
}

static size_t gather(struct uring_buffers *buffers, struct loop_socket *socket, char *at,
                     size_t max_bytes)
{
    size_t got = 0;
    while (got < max_bytes && socket->uring.parked.count > 0) {
        char *from;
        size_t bytes = max_bytes - got;
        int emptied = take_first(buffers, socket, &from, &bytes);
        memcpy(at + got, from, bytes);
        got += bytes;
        if (emptied >= 0) {
            uring_buffers_return(buffers, (unsigned)emptied);
        }
    }
    return got;
}

size_t uring_buffers_take(struct uring_buffers *buffers, struct loop_socket *socket, char **at,
                          size_t max_bytes)
{
    DEBUG_CHECK(buffers->lent < 0 && max_bytes > 0);
    if (socket->uring.parked.count > 1) {
        return gather(buffers, socket, *at, max_bytes);
    }
    size_t bytes = max_bytes;
    buffers->lent = take_first(buffers, socket, at, &bytes);
    return bytes;
}

void uring_buffers_drop(struct uring_buffers *buffers, struct loop_socket *socket)
{
    struct loop_parked *parked = &socket->uring.parked;
    for (; parked->count > 0; parked->count--) {
        unsigned id = parked->first;
        parked->first = buffers->next[id];
        uring_buffers_return(buffers, id);
    }
    socket->has_parked = false;
}
