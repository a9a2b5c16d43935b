/* bench/floor/uring.c — the floor with io_uring: multishot accept, multishot receive into provided
 * buffers, one send for what came in one buffer, one system call a turn. See floor.h. Ends by a
 * signal; ends with 1 where the kernel forbids io_uring. */
#include "floor.h"

#include <errno.h>
#include <liburing.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ENTRIES = 4096, BUFFERS = 4096, BUFFER_BYTES = 2048, GROUP = 0 }; /* powers of two */
enum kind { ACCEPT, RECV, SEND, CLOSE };

static struct floor the_floor;
static struct io_uring ring;
static struct io_uring_buf_ring *buffers; /* the kernel takes them from here */
static char buffer_bytes[BUFFERS][BUFFER_BYTES];

static struct io_uring_sqe *next_entry(enum kind kind, int fd)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
    while (!entry) {
        io_uring_submit(&ring);
        entry = io_uring_get_sqe(&ring);
    }
    entry->user_data = (uint64_t)kind << 32 | (uint32_t)fd;
    return entry;
}

/* The prep functions of liburing 2.3 leave user_data alone. */
static void start_accept(void)
{
    struct io_uring_sqe *entry = next_entry(ACCEPT, the_floor.listener);
    io_uring_prep_multishot_accept(entry, the_floor.listener, NULL, NULL, SOCK_CLOEXEC);
}

static void start_recv(int fd)
{
    struct io_uring_sqe *entry = next_entry(RECV, fd);
    io_uring_prep_recv_multishot(entry, fd, NULL, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = GROUP;
}

static void start_close(int fd)
{
    io_uring_prep_close(next_entry(CLOSE, fd), fd);
}

/* Nothing is said of a send that went well, unless the connection is to be closed behind it. */
static void start_send(int fd, size_t len)
{
    struct io_uring_sqe *entry = next_entry(SEND, fd);
    io_uring_prep_send(entry, fd, the_floor.answers, len, MSG_NOSIGNAL | MSG_WAITALL);
    if (!the_floor.closes) {
        entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
    }
}

static void give_buffer(unsigned id)
{
    io_uring_buf_ring_add(buffers, buffer_bytes[id], BUFFER_BYTES, (unsigned short)id,
                          io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(buffers, 1);
}

static void end_of_recv(int fd, const struct io_uring_cqe *done)
{
    if (done->res == -ENOBUFS || done->res > 0) {
        start_recv(fd);
    } else {
        start_close(fd);
    }
}

static void received(int fd, const struct io_uring_cqe *done)
{
    if (done->flags & IORING_CQE_F_BUFFER) {
        unsigned id = done->flags >> IORING_CQE_BUFFER_SHIFT;
        unsigned requests =
            done->res > 0 ? floor_count(&the_floor, fd, buffer_bytes[id], (size_t)done->res) : 0;
        give_buffer(id);
        if (requests > 0) {
            start_send(fd, floor_answer_bytes(&the_floor, requests));
        }
    }
    if (!(done->flags & IORING_CQE_F_MORE)) {
        end_of_recv(fd, done);
    }
}

static void finish(const struct io_uring_cqe *done)
{
    int fd = (int)(uint32_t)done->user_data;
    switch ((enum kind)(done->user_data >> 32)) {
    case ACCEPT:
        if (done->res >= 0 && done->res < FLOOR_MAX_FDS) {
            the_floor.matched[done->res] = 0;
            start_recv(done->res);
        }
        if (!(done->flags & IORING_CQE_F_MORE)) {
            start_accept();
        }
        break;
    case RECV:
        received(fd, done);
        break;
    case SEND: /* shutdown ends the receive, which then closes */
        shutdown(fd, SHUT_RDWR);
        break;
    case CLOSE:
        break;
    }
}

/* Registered by hand: io_uring_setup_buf_ring() came after liburing 2.3. */
static int start_buffers(void)
{
    size_t bytes = BUFFERS * sizeof(struct io_uring_buf);
    buffers = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffers == MAP_FAILED) {
        return -errno;
    }
    struct io_uring_buf_reg reg = {
        .ring_addr = (uint64_t)(uintptr_t)buffers, .ring_entries = BUFFERS, .bgid = GROUP};
    int result = io_uring_register_buf_ring(&ring, &reg, 0);
    io_uring_buf_ring_init(buffers);
    for (unsigned id = 0; result == 0 && id < BUFFERS; id++) {
        give_buffer(id);
    }
    return result;
}

int main(int argc, char **argv)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
                                     .cq_entries = 4 * ENTRIES};
    int result = io_uring_queue_init_params(ENTRIES, &ring, &params);
    result = result == 0 ? start_buffers() : result;
    if (result != 0) {
        fprintf(stderr, "io_uring: %s\n", strerror(-result));
        return 1;
    }
    if (!floor_start(&the_floor, argc, argv)) {
        return 1;
    }
    start_accept();
    for (;;) {
        io_uring_submit_and_wait(&ring, 1);
        struct io_uring_cqe *done;
        unsigned head, count = 0;
        io_uring_for_each_cqe(&ring, head, done)
        {
            finish(done);
            count++;
        }
        io_uring_cq_advance(&ring, count);
    }
}
