/* net/transport.h — moves bytes or says why not: plain TCP here, TLS one floor up, behind one table
 * of functions. Completion-shaped like the loop, with the loop's own operations: at most one recv
 * and one send pending at a time. On its loop only. */
#ifndef NET_TRANSPORT_H
#define NET_TRANSPORT_H

#include "loop/loop.h"

struct transport;

struct transport_ops {
    const char *name; /* "plain", "tls" */
    void (*recv)(struct transport *transport, struct loop_op *op, size_t max_bytes,
                 loop_done_fn *done);
    void (*send)(struct transport *transport, struct loop_op *op, const struct iovec *iov,
                 int iov_count, loop_done_fn *done);
    void (*send_file)(struct transport *transport, struct loop_op *op, int file_fd, off_t offset,
                      size_t len, loop_done_fn *done);
    int (*shutdown_write)(struct transport *transport);
    void (*close)(struct transport *transport, bool is_reset);
};

/** Embedded in the connection. */
struct transport {
    const struct transport_ops *ops;
    struct loop *loop;
    struct loop_socket socket;
    void (*closed)(struct transport *transport); /* the last call of all */
};

/** Take fd over as a plain transport. 0 or -errno, and then fd is still the caller's. */
int transport_plain_open(struct transport *transport, struct loop *loop, int fd,
                         void (*closed)(struct transport *transport));

static inline void transport_recv(struct transport *t, struct loop_op *op, size_t max_bytes,
                                  loop_done_fn *done)
{
    t->ops->recv(t, op, max_bytes, done);
}
static inline void transport_send(struct transport *t, struct loop_op *op, const struct iovec *iov,
                                  int iov_count, loop_done_fn *done)
{
    t->ops->send(t, op, iov, iov_count, done);
}
static inline void transport_send_file(struct transport *t, struct loop_op *op, int file_fd,
                                       off_t offset, size_t len, loop_done_fn *done)
{
    t->ops->send_file(t, op, file_fd, offset, len, done);
}
static inline int transport_shutdown_write(struct transport *t)
{
    return t->ops->shutdown_write(t);
}
static inline void transport_close(struct transport *t, bool is_reset)
{
    t->ops->close(t, is_reset);
}

#endif
