/* loop/backend.h — inside the loop room: what a loop is made of, and the table a backend fills (one
 * file each: backend_epoll.c, backend_uring.c, backend_sim.c). Nobody outside loop/ includes this.
 *
 * The four I/O functions try once and never wait: a result, -errno, or -EAGAIN, after which the
 * backend later calls operation_ready() for the socket from inside its wait(). A backend that
 * completes by nature (io_uring) may instead take a send over: it sets IN_FLIGHT_SEND, returns
 * -EAGAIN, and ends the operation from wait() with operation_decide(). All on the loop's thread, but
 * wake(). */
#ifndef LOOP_BACKEND_H
#define LOOP_BACKEND_H

#include "loop/loop.h"
#include "loop/mailbox.h"

#include <sys/socket.h>

struct loop_backend {
    const char *name;
    int (*init)(struct loop *loop); /* 0 or -errno; sets loop->world */
    void (*finish)(struct loop *loop);
    /** NULL: nothing to do. The calling thread is done with the loop, another may take it. */
    void (*leave)(struct loop *loop);
    /** Set loop->now_ms and loop->wall_s. */
    void (*read_clock)(struct loop *loop);
    /** Wait for events up to wait_ms (0, GALLEY_FOREVER) and tell them by operation_ready(). */
    void (*wait)(struct loop *loop, int64_t wait_ms);
    void (*wake)(struct loop *loop); /* any thread, also in a signal handler */
    int (*add)(struct loop *loop, struct loop_socket *socket);
    /** An accept (while !is_armed) or a poll begins to wait. 0 or -errno. */
    int (*arm)(struct loop *loop, struct loop_socket *socket);
    /** No accept is pending any more on an armed listener. */
    void (*disarm)(struct loop *loop, struct loop_socket *socket);
    /** If requests of it are in flight afterwards, the backend calls operation_released() when
     * they have ended. */
    void (*close)(struct loop *loop, struct loop_socket *socket, bool is_reset);
    /** Of a backend that sets IN_FLIGHT_SEND: end the send soon; operation_decide() follows. */
    void (*cancel_send)(struct loop *loop, struct loop_socket *socket);
    int (*shutdown_write)(struct loop *loop, struct loop_socket *socket);
    int (*accept)(struct loop *loop, struct loop_socket *socket);
    /** Into data; or elsewhere, and then loop->received is set to where. */
    ssize_t (*recv)(struct loop *loop, struct loop_socket *socket, char *data, size_t max_bytes);
    ssize_t (*send)(struct loop *loop, struct loop_socket *socket, const struct iovec *iov,
                    int iov_count, bool more_follows);
    ssize_t (*send_file)(struct loop *loop, struct loop_socket *socket,
                         const struct loop_file *file);
    /** NULL: file_probe_byte(). */
    int (*probe_file)(struct loop *loop, int fd, off_t offset);
    /** NULL: direct_send_room(). */
    size_t (*send_room)(struct loop *loop, const struct loop_socket *socket);
    void (*close_fd)(struct loop *loop, int fd);
    int (*refuse)(struct loop *loop, struct loop_socket *listener, const void *data, size_t len);
    int (*peer_name)(struct loop *loop, int fd, struct sockaddr *addr, socklen_t *len);
};

extern const struct loop_backend loop_backend_epoll;
extern const struct loop_backend loop_backend_uring;
extern const struct loop_backend loop_backend_sim;

struct loop {
    const struct loop_backend *backend;
    void *world; /* the backend's own */
    const struct log_sink *log;
    char *recv_buffer;
    char *received; /* where the last recv has put its bytes: recv_buffer, or the backend's own */
    size_t recv_bytes;
    struct list ready;    /* ops whose socket became ready in this turn */
    struct list started;  /* ops started by callbacks or decided: they come first */
    struct list deferred; /* ops that have had their share of this turn */
    struct loop_socket *closing_first, *closing_last;
    struct loop_post *later_first, *later_last;
    struct timer_wheel timers;
    int64_t now_ms, wall_s;
    _Atomic uintptr_t
        owner; /* relaxed: says on which thread we are, orders nothing; 0: nobody's yet */
    struct errands *errands;       /* errand.h; NULL: not counted */
    struct warm_files *warm_files; /* warm_file.h; NULL: the loop waits for disks itself */
    uint32_t turn;
    unsigned open_sockets;
    unsigned held_sockets; /* closed, but requests of theirs are in flight */
    bool is_stopping;
    bool shares_listeners;
    _Alignas(64) struct mailbox mailbox; /* other threads write it: a line of its own, the last */
};

enum { READY_READ = 1, READY_WRITE = 2, READY_HANGUP = 4 };

/* A bit of loop_socket.in_flight: the bytes of the writing operation are the kernel's, and it ends
 * by operation_decide() only. The other bits are the backend's. */
enum { IN_FLIGHT_SEND = 2 };

/* operation.c */

/** The socket's readiness has changed (READY_ bits): its pending ops will be tried in this turn. */
void operation_ready(struct loop *loop, struct loop_socket *socket, unsigned ready);
/** The result of a pending op is known: `done` is due. */
void operation_decide(struct loop *loop, struct loop_op *op, ssize_t result);
/** A closed socket has no request in flight any more: `closed` is due after its operations. */
void operation_released(struct loop *loop, struct loop_socket *socket);
/** Try and call back until nothing is left to do in this turn. Returns how many callbacks were
 * made. */
unsigned operation_run_all(struct loop *loop);

#endif
