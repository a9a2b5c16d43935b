/* loop/loop.h — an event loop whose interface is completion-shaped: start an operation, be called
 * once when it is done.
 *
 * One loop belongs to one thread; everything here must be called on it, but loop_post() and
 * loop_wake(). Operations are structs embedded in their user, so that I/O allocates nothing. Each
 * started operation ends in exactly one call of its `done`, also when it is cancelled or its socket
 * closed (-ECANCELED), and never inside the call that started it. epoll imitates completion (try,
 * wait on EAGAIN), io_uring has it by nature, sim is scripted by tests.
 *
 * After loop_socket_close() the socket's memory must stay until its pending operations have been
 * called back; the loop calls `closed` of the socket last of all. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/list.h"
#include "base/log.h"
#include "loop/timer_wheel.h"

#include <galley/base.h>

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct loop;
struct loop_op;
struct loop_socket;

/** On the loop's thread, once for each start. The op may be started again inside. */
typedef void loop_done_fn(struct loop_op *op);

enum loop_op_kind {
    LOOP_OP_NONE,
    LOOP_OP_ACCEPT,
    LOOP_OP_RECV,
    LOOP_OP_SEND,
    LOOP_OP_SEND_FILE,
    LOOP_OP_POLL,
    LOOP_OP_AWAIT_FILE,
};

/** A part of a file to send. */
struct loop_file {
    int fd;
    off_t offset;
    size_t len;
};

/** One operation. Zero it before first use; fields are the loop's while it is pending, but
 *  `result`, `data` and `more` are for `done` to read. */
struct loop_op {
    struct list link;
    struct loop_socket *socket;
    loop_done_fn *done;
    ssize_t result; /* bytes, a new descriptor, or -errno */
    union {
        struct { /* recv: where the bytes are, valid during `done` only, writable */
            char *data;
            size_t max_bytes;
        };
        struct { /* send: the array and what it points to stay until done */
            const struct iovec *iov;
            int iov_count;
        };
        struct loop_file file; /* send_file, await_file */
    };
    uint8_t kind;
    bool is_pending;
    bool is_decided; /* the loop's: the result is known, only the call is due */
    bool more : 1;   /* recv: the kernel probably has more; send: nothing */
    /* send: set before the start when another send follows at once; cleared by the loop */
    bool more_follows : 1;
    /* send, send_file: set before the start when no other follows at all; a transport with a word of
     * farewell can put it behind these bytes. The loop has none. */
    bool is_last : 1;
    /* The loop's, of send_file (warm_file.h): it waits until its part is in memory; a job has just
     * read that; the job shall find out what file system it is. */
    bool is_cold : 1, is_warm : 1, asks_kind : 1;
    uint32_t disk_ms; /* the loop's: see loop_disk_ms() */
};

/* Buffers that have come for a stream and have not been read: a chain, see backend_uring.h. */
struct loop_parked {
    uint16_t first, last, count, offset;
};

/** What the io_uring backend keeps at a socket. */
struct loop_socket_uring {
    union {
        struct loop_parked parked;      /* a stream's */
        struct loop_accepted *accepted; /* a listener's */
    };
    int16_t end;   /* what recv says behind all bytes: 0 or -errno; 1: not known yet */
    uint8_t flags; /* URING_… */
};

/** A descriptor known to the loop: a stream, a listener, or a foreign one to poll. */
struct loop_socket {
    struct loop_op *reading; /* accept, recv or poll */
    struct loop_op *writing; /* send, send_file or await_file */
    /* After close: the last call, memory may be freed in it. */
    void (*closed)(struct loop_socket *socket);
    struct loop_socket *next; /* the loop's: of those whose `closed` is due */
    int fd;
    uint32_t turn;       /* the loop's: the turn that the next two belong to */
    uint32_t sent_bytes; /* share of the turn used up, see operation.c */
    uint8_t reads;
    uint8_t kind;  /* enum loop_socket_kind */
    bool may_read; /* edge-triggered readiness not yet used up */
    bool may_write;
    bool has_hangup; /* the peer closed its side or the connection broke: a recv finds out */
    bool is_closing;
    bool is_armed;     /* listener: known to the backend, which it is while an accept is pending */
    bool has_parked;   /* the backend has bytes or connections for it: trying again brings more */
    uint8_t in_flight; /* the backend's: what the kernel works at, IN_FLIGHT_SEND and others */
    struct loop_socket_uring uring;
};

enum loop_backend_kind {
    LOOP_BACKEND_EPOLL,
    LOOP_BACKEND_SIM,
    LOOP_BACKEND_URING, /* or fail: forbidden, or the kernel is older than 6.0 */
};

struct loop_options {
    enum loop_backend_kind backend;
    size_t recv_bytes; /* size of the loop's receive buffer; 0: 64 KiB */
    const struct log_sink *log;
    /** Other loops accept on the same listeners: clients must not wait for one that is held up. */
    bool shares_listeners;
};

/** options may be NULL. NULL on failure; then nothing is left behind. */
struct loop *loop_create(const struct loop_options *options, galley_error *err);
/** NULL is allowed. All sockets must be closed and called back (run a turn), no timer armed. */
void loop_destroy(struct loop *loop);

/** Bind to the calling thread and run turns until loop_stop(). Until then pthread_cancel(3) waits. */
void loop_run(struct loop *loop);
/** One turn: wait up to max_wait_ms (0: no wait, GALLEY_FOREVER), run what is ready. True while
 * something was run. */
bool loop_turn(struct loop *loop, int64_t max_wait_ms);
/** Which turn this is, for who wants to do only so much in one: each has another number than the one
 *  before. */
uint32_t loop_turn_number(const struct loop *loop);
/** The calling thread is done with the loop and another may turn it: loop_run() does so at its end,
 * who drives a loop by loop_turn() must. */
void loop_leave(struct loop *loop);
/** How this loop waits, for people: "epoll", "io_uring". */
const char *loop_backend_name(const struct loop *loop);
/** End loop_run() after this turn. On the loop's thread. */
void loop_stop(struct loop *loop);

/** The calling thread is the loop's from now on; no turn may be under way. */
void loop_adopt(struct loop *loop);

/** Monotonic milliseconds, read once a turn: the clock of all deadlines on this loop. */
int64_t loop_now_ms(const struct loop *loop);
/** Seconds since 1970 of the same turn. */
int64_t loop_wall_s(const struct loop *loop);
/** Is the caller on this loop's thread (or has nobody run it yet)? */
bool loop_is_current(const struct loop *loop);
/** Is the caller inside a turn of any loop, where nothing may wait? Any thread. */
bool loop_is_on_thread(void);

/* ---- sockets --------------------------------------------------------------------------------- */

enum loop_socket_kind {
    LOOP_SOCKET_STREAM,
    LOOP_SOCKET_LISTENER, /* shared between loops: one of them is woken (EPOLLEXCLUSIVE) */
    LOOP_SOCKET_FOREIGN,  /* poll only: inotify, eventfd; level-triggered */
};

/** Make fd (non-blocking) known; from now on it is the socket's, closed by loop_socket_close(), but
 *  for a listener's, which several loops share: that stays with its owner. 0 or -errno, and then fd
 *  is still the caller's. `socket` is zeroed and filled here. */
int loop_socket_open(struct loop *loop, struct loop_socket *socket, int fd,
                     enum loop_socket_kind kind, void (*closed)(struct loop_socket *socket));
/** Close now: pending operations are called back with -ECANCELED, then `closed`, all later in this
 *  or the next turn. With is_reset the peer gets RST instead of FIN. Once per socket. */
void loop_socket_close(struct loop *loop, struct loop_socket *socket, bool is_reset);
/** shutdown(SHUT_WR). 0 or -errno. */
int loop_socket_shutdown_write(struct loop *loop, struct loop_socket *socket);

/** Result: a connected, non-blocking, close-on-exec descriptor, or -errno (-EMFILE, -ENFILE,
 *  -ENOMEM… reach the caller; -ECONNABORTED, -EINTR and the network errors of accept(2) are retried
 *  here). */
void loop_accept(struct loop *loop, struct loop_socket *socket, struct loop_op *op,
                 loop_done_fn *done);
/** Result: bytes at op->data (at most max_bytes and the loop's buffer), 0 at the peer's end, or
 * -errno. */
void loop_recv(struct loop *loop, struct loop_socket *socket, struct loop_op *op, size_t max_bytes,
               loop_done_fn *done);
/** Send some of the bytes (MSG_NOSIGNAL). Result: bytes sent (> 0, maybe fewer than asked: the
 *  socket is full, or this turn's share is used up) or -errno. Start again with the rest. With
 *  op->more_follows the kernel may wait for it. */
void loop_send(struct loop *loop, struct loop_socket *socket, struct loop_op *op,
               const struct iovec *iov, int iov_count, loop_done_fn *done);
/** Send some of the file. Result: bytes (0: the file has ended early) or -errno. What is not in
 *  memory is read elsewhere first, if the loop has been given a pool for it (loop/warm_file.h);
 *  without one this may wait for the disk.
 *  sendfile(2) raises SIGPIPE: loop_run() blocks it on its thread; who drives a loop by loop_turn()
 *  has to ignore it. */
void loop_send_file(struct loop *loop, struct loop_socket *socket, struct loop_op *op,
                    const struct loop_file *file, loop_done_fn *done);
/** Wait until the file's next bytes are in memory, for who reads them itself, to send them in
 *  another shape; for the time being it takes the place of a send. Result: how many of them are (at
 *  most file->len; whether the file has them is not looked at), or -errno of the disk. */
void loop_await_file(struct loop *loop, struct loop_socket *socket, struct loop_op *op,
                     const struct loop_file *file, loop_done_fn *done);
/** Read what of the file is in memory, for who reads it himself: waits for no disk, if the loop has
 *  been given a pool. Bytes, perhaps fewer than asked (0: the file has ended); -EAGAIN: the next ones
 *  are not there; -EOPNOTSUPP: it cannot be told (loop_await_file() finds a way for both); or another
 *  -errno. */
ssize_t loop_read_warm(struct loop *loop, int fd, char *data, size_t len, off_t offset);
/** About how many bytes a send would take now, so that no more is made ready for a client who does
 *  not read. SIZE_MAX: it cannot be told. One system call. */
size_t loop_send_room(struct loop *loop, const struct loop_socket *socket);
/** For how long this send_file or await_file has waited for its file to be read, until now or until
 *  it was done: what nobody should hold against the client. */
uint32_t loop_disk_ms(const struct loop *loop, const struct loop_op *op);
/** Result: 0 when fd is readable, or -errno. */
void loop_poll(struct loop *loop, struct loop_socket *socket, struct loop_op *op,
               loop_done_fn *done);
/** The op, if pending, is called back with -ECANCELED (or its real result if that came first). */
void loop_cancel(struct loop *loop, struct loop_op *op);

/** Who has connected: as getpeername(2), which it is but in a simulated world. 0 or -errno. */
int loop_peer_name(struct loop *loop, int fd, struct sockaddr *addr, socklen_t *len);
/** Close a descriptor that an accept returned and no socket has taken. */
void loop_close_fd(struct loop *loop, int fd);
/** At once, without waiting: accept one client of the listener, send it what fits of data, close.
 *  For a process that is out of descriptors and has just released one. 0, -EAGAIN when nobody
 *  waits, or -errno of the accept. */
int loop_refuse(struct loop *loop, struct loop_socket *listener, const void *data, size_t len);

/* ---- timers (loop/timer_wheel.h) ------------------------------------------------------------- */

/** (Re)arm: fn runs once, in a turn at or after deadline_ms of loop_now_ms(). Moving a deadline
 *  later is O(1) and touches no list. */
void loop_timer_start(struct loop *loop, struct timer *timer, int64_t deadline_ms, timer_fn *fn);
/** No call after this. A timer that is not armed is allowed. */
void loop_timer_stop(struct loop *loop, struct timer *timer);

/* ---- mailbox (loop/mailbox.h): from any thread ----------------------------------------------- */

struct loop_post {
    struct loop_post *next;
    void (*run)(struct loop_post *post);
};

/** Run post->run on the loop, in order of posting per thread. Any thread; never fails, never
 *  blocks, no allocation. The post must stay until run, and may be reused from then on. At most one
 *  wake-up per empty -> non-empty change, none while the loop is busy. The loop must outlive the
 *  call: join a posting thread before loop_destroy(), that its post has been run is not enough. */
void loop_post(struct loop *loop, struct loop_post *post);
/** Let the loop make a turn. Any thread, also a signal handler. */
void loop_wake(struct loop *loop);
/** A hint, from any thread: does it wait for something to do? */
bool loop_is_asleep(const struct loop *loop);

/** Run post->run at the end of this turn's callbacks, before waiting again; on the loop's thread.
 *  From inside such a call: at the end of the next turn, which then does not wait. */
void loop_later(struct loop *loop, struct loop_post *post);

#endif
