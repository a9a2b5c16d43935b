/* loop/backend_uring.h — inside the io_uring backend: its world, its requests, its buffers.
 *
 * A request is what the kernel works at: a submission whose last completion has not come. It names
 * its socket and its kind in user_data, and the socket has a bit for it in `in_flight`, at most one
 * of a kind. While a bit is set the socket's memory and descriptor stay, whatever its user does: so
 * no completion can meet memory or a descriptor that is gone. Operations are not requests: a recv
 * may be cancelled and started again while one request goes on receiving for both.
 * All on the loop's thread. */
#ifndef LOOP_BACKEND_URING_H
#define LOOP_BACKEND_URING_H

#include "loop/backend.h"

#include <liburing.h>

enum uring_request {
    URING_RECV, /* multishot, into provided buffers */
    URING_SEND, /* of the writing operation, whose bytes are the kernel's meanwhile */
    URING_POLL_IN,
    URING_POLL_OUT,
    URING_ACCEPT, /* multishot */
    URING_WAKE,   /* of no socket: the multishot poll of wake_fd */
    URING_CANCEL, /* of no socket: says something only when it has failed */
    URING_REQUEST_MASK = 7
};
_Static_assert(1 << URING_SEND == IN_FLIGHT_SEND, "operation.c asks for it");

/* loop_socket.uring.flags */
enum {
    URING_IS_DIRECT = 1,     /* the next recv or accept is tried by a system call of its own */
    URING_IS_BULK = 2,       /* much is coming: wait by a poll, read by large calls */
    URING_IS_STOPPING = 4,   /* the multishot recv has been told to end */
    URING_IS_RESET = 8,      /* closing: with RST */
    URING_IS_CANCELLED = 16, /* the send's operation has been cancelled */
    URING_IS_EARLY = 32      /* what it asks for waits for a ring */
};

enum { URING_NOT_ENDED = 1 }; /* loop_socket.uring.end */

enum {
    URING_BUFFERS = 512,      /* a power of two */
    URING_FIRST_BUFFERS = 64, /* of them in use at first: doubled when they do not do */
    URING_BUFFER_BYTES = 4096,
    URING_BUFFER_GROUP = 1
};

/* Where received bytes come in: buffers that all streams of the loop share, so that an idle
 * connection holds none. One that has come is parked at its socket until it is read. */
struct uring_buffers {
    void *map; /* the ring of free ones, then the buffers */
    struct io_uring_buf_ring *ring;
    char *bytes;
    uint16_t next[URING_BUFFERS]; /* behind it at the same socket */
    uint16_t len[URING_BUFFERS];
    bool is_out[URING_BUFFERS]; /* parked or lent: not the kernel's */
    unsigned in_use;            /* those behind have never been offered */
    int lent;                   /* what the last recv has shown; -1: none */
};

struct uring_world {
    struct io_uring ring;
    struct msghdr *messages; /* one for each place in the submission queue */
    struct uring_buffers buffers;
    struct loop_socket *early;       /* open, and asked for something before there was a ring */
    struct loop_socket *uncancelled; /* closing, and there was no room to tell the kernel */
    unsigned in_flight;              /* requests of all kinds but URING_CANCEL */
    unsigned wish;                   /* which set of flags this kernel takes */
    bool has_no_cap; /* it knows no limit to a multishot recv: it is older than 6.17 */
    int wake_fd; /* eventfd: written by wake(), never read; its counter cannot overflow in practice */
    bool has_ring; /* made by the thread that turns the loop: the only one that may submit */
    bool is_wake_armed;
};

static inline struct uring_world *uring_world_of(struct loop *loop)
{
    return loop->world;
}

/* ---- backend_uring_ring.c: the ring itself ---- */

enum { URING_PLACES = 256 }; /* in the submission queue */

/** Could this process make a ring? 0 or -errno. */
int uring_ring_try(struct uring_world *world);
/** Make the ring if there is none, for the calling thread. 0 or -errno. */
int uring_ring_open(struct uring_world *world);
/** Drop it: the kernel ends what is in flight. */
void uring_ring_close(struct uring_world *world);
/** A place in the queue for a request of this kind, whose bit is set now: fill it by an
 *  io_uring_prep function, then uring_tag(). NULL: no ring, or no memory in the kernel. */
struct io_uring_sqe *uring_sqe(struct loop *loop);
/** Finish a request: say whose it is. */
void uring_tag(struct loop *loop, struct io_uring_sqe *sqe, struct loop_socket *socket,
               enum uring_request kind);
/** Ask the kernel to end one request. False: no room to say so. */
bool uring_cancel(struct loop *loop, struct loop_socket *socket, enum uring_request kind);
/** True while there is no ring: the first wait that has one asks for the socket, see
 *  uring_stream_begin() and uring_listener_begin(). */
bool uring_is_early(struct loop *loop, struct loop_socket *socket);
/** Hand in what is queued and wait (0: only look, GALLEY_FOREVER). */
void uring_ring_wait(struct loop *loop, int64_t wait_ms);
/** Tell the completions that are there. */
void uring_reap(struct loop *loop);

/* ---- backend_uring_buffers.c ---- */

/** What the backend takes of the memory, when all buffers are in use. */
uint64_t uring_bytes(void);

int uring_buffers_init(struct uring_buffers *buffers);
void uring_buffers_finish(struct uring_buffers *buffers);
/** Give a new ring all buffers that are not out. 0 or -errno. */
int uring_buffers_register(struct uring_buffers *buffers, struct io_uring *ring);
/** There were not enough: double those in use, up to all. */
void uring_buffers_grow(struct uring_buffers *buffers);
/** Back to the kernel. */
void uring_buffers_return(struct uring_buffers *buffers, unsigned id);
void uring_buffers_return_lent(struct uring_buffers *buffers);
/** It came for this socket, with len bytes. */
void uring_buffers_park(struct uring_buffers *buffers, struct loop_socket *socket, unsigned id,
                        size_t len);
/** Up to max_bytes of what is parked there, at *at: in place when one buffer has it all, else
 *  gathered into *at. */
size_t uring_buffers_take(struct uring_buffers *buffers, struct loop_socket *socket, char **at,
                          size_t max_bytes);
/** Forget all that is parked there. */
void uring_buffers_drop(struct uring_buffers *buffers, struct loop_socket *socket);

/* ---- backend_uring_stream.c ---- */

int uring_stream_add(struct loop *loop, struct loop_socket *socket);
void uring_stream_begin(struct loop *loop, struct loop_socket *socket);
ssize_t uring_recv(struct loop *loop, struct loop_socket *socket, char *data, size_t max_bytes);
ssize_t uring_send(struct loop *loop, struct loop_socket *socket, const struct iovec *iov,
                   int iov_count, bool more_follows);
ssize_t uring_send_file(struct loop *loop, struct loop_socket *socket,
                        const struct loop_file *file);
void uring_cancel_send(struct loop *loop, struct loop_socket *socket);
/** Completions. */
void uring_received(struct loop *loop, struct loop_socket *socket, const struct io_uring_cqe *cqe);
void uring_sent(struct loop *loop, struct loop_socket *socket, int result);
/** Wait for one readiness. 0 or -ENOMEM. */
int uring_poll(struct loop *loop, struct loop_socket *socket, enum uring_request kind);

/* ---- backend_uring_listener.c ---- */

int uring_listener_add(struct loop_socket *socket);
void uring_listener_finish(struct loop_socket *socket);
void uring_listener_begin(struct loop *loop, struct loop_socket *socket);
int uring_listener_arm(struct loop *loop, struct loop_socket *socket);
void uring_listener_disarm(struct loop *loop, struct loop_socket *socket);
int uring_accept(struct loop *loop, struct loop_socket *socket);
/** Completion: a descriptor, or -errno. */
void uring_accepted(struct loop *loop, struct loop_socket *socket, int result);

#endif
