/* net/transport.h — moves bytes or says why not: plain TCP here, TLS one floor up, behind one table
 * of functions. Completion-shaped like the loop, with the loop's own operations: at most one recv
 * and one send pending at a time. After a send that took only a part the next one begins with the
 * rest. On its loop only. */
#ifndef NET_TRANSPORT_H
#define NET_TRANSPORT_H

#include "base/span.h"
#include "loop/loop.h"

#include <errno.h>

struct tls_facts;
struct transport;

/* Results of a recv, and of a handshake, that sockets have none of. */
enum {
    TRANSPORT_TRUNCATED = -ENODATA,          /* TCP's end without TLS's: something may be missing */
    TRANSPORT_PLAIN_HTTP = -EPROTONOSUPPORT, /* plain HTTP where TLS is spoken; it is answered */
    TRANSPORT_GARBAGE = -EBADMSG,            /* neither */
    TRANSPORT_BROKEN = -EPROTO,              /* the peer has broken a rule of TLS */
    TRANSPORT_REFUSED = -ECONNABORTED,       /* the peer has sent a fatal alert */
};

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
    /** NULL: never. The ALPN name both sides have agreed on; missing: none. */
    struct span (*agreed)(const struct transport *transport);
    /** NULL: never. What is known of its TLS, made with the first call, borrowed: the transport has a
     *  reference until `closed` has returned. NULL: no memory. */
    struct tls_facts *(*facts)(const struct transport *transport);
    /** NULL: never. What the last error was, for the log; NULL: nothing to add. */
    const char *(*why)(const struct transport *transport);
};

/** Embedded in the connection. */
struct transport {
    const struct transport_ops *ops;
    struct loop *loop;
    void *state; /* TLS's own; plain: NULL */
    struct loop_socket socket;
    void (*closed)(struct transport *transport); /* the last call of all */
};

/** What a transport that begins with a handshake tells its owner; never inside the start. */
struct transport_told {
    /** Once: 0, and bytes may be sent and received; or why not: a TRANSPORT_… or -errno. Then a recv
     * gives what comes as it comes, and a last word to the peer may be on its way: shut down and
     * close. Not after transport_close(). */
    void (*ready)(struct transport *transport, int result);
    void (*closed)(struct transport *transport); /* the last call of all */
};

/** Makes transports that are not plain; handed down by server/, for conn/ knows only this. */
struct transport_opener {
    /** Take fd over. 0 or -errno, and then fd is still the caller's. */
    int (*open)(const struct transport_opener *opener, struct transport *transport, int fd,
                const struct transport_told *told);
    /** Go on with a plain transport that has no operation pending, when something that stands
     *  before the handshake has been read from it (a PROXY header): `first` came behind that, and
     *  is copied. 0 or -errno, and then it is as it was. */
    int (*wrap)(const struct transport_opener *opener, struct transport *transport,
                struct span first, const struct transport_told *told);
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
/** With is_reset nothing more is sent; else what the transport itself has to say, a TLS closure
 *  alert, may leave first, if all that was sent has: `closed` then waits for it, a second at
 *  most. */
static inline void transport_close(struct transport *t, bool is_reset)
{
    t->ops->close(t, is_reset);
}
static inline struct span transport_agreed(const struct transport *t)
{
    return t->ops->agreed ? t->ops->agreed(t) : SPAN_NONE;
}
static inline struct tls_facts *transport_facts(const struct transport *t)
{
    return t->ops->facts ? t->ops->facts(t) : NULL;
}
static inline const char *transport_why(const struct transport *t)
{
    return t->ops->why ? t->ops->why(t) : NULL;
}

#endif
