/* net/listener.h — a listening socket, bound once and accepted on by every loop.
 *
 * struct listener: the bound socket (set-up thread). struct acceptor: one per loop and listener;
 * accepts while allowed, hands each new descriptor to its owner, and backs off when the process is
 * out of descriptors: it then uses a descriptor kept in reserve to accept one client, sends it a
 * short 503 and closes, at most a few per 100 ms, never spinning, and tries again after a pause. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "base/counter.h"
#include "loop/loop.h"
#include "net/address.h"

struct listener {
    int fd;
    struct address address; /* with the port that the system chose for :0 */
    char name[ADDRESS_TEXT_MAX];
    bool unlink_on_close; /* a unix socket's path that we made, if it is still the same file: */
    dev_t unix_dev;
    ino_t unix_ino;
};

/** Bind and listen: SO_REUSEADDR, TCP_NODELAY (inherited by accepted sockets), backlog SOMAXCONN,
 *  non-blocking, close-on-exec. A stale unix socket nobody listens on is replaced, a live one is
 *  not. 0 or a code with one sentence such as "listen 0.0.0.0:80: Permission denied". */
int listener_open(struct listener *listener, const struct address *address, galley_error *err);
void listener_close(struct listener *listener);
/** TCP port, 0 for unix sockets. */
unsigned listener_port(const struct listener *listener);

struct acceptor;
struct acceptor_counters {
    struct counter accepted;
    struct counter out_of_fds; /* times accept found no descriptor or memory */
    struct counter refused;    /* 503 by the reserved descriptor */
};
struct acceptor_owner {
    /** fd is the owner's from now on. */
    void (*accepted)(void *ctx, struct acceptor *acceptor, int fd);
    /** All is closed, memory may go. May be NULL. */
    void (*closed)(void *ctx, struct acceptor *acceptor);
    void *ctx;
    /** What a client gets that is refused for want of descriptors. ptr NULL: a short HTTP/1.1 503;
     *  empty: only the close (TLS). Stays as long as the acceptor. */
    struct span refusal;
};

/** Does not own the listener. NULL: out of memory or descriptors. */
struct acceptor *acceptor_create(struct loop *loop, const struct listener *listener,
                                 const struct acceptor_owner *owner,
                                 struct acceptor_counters *counters, const struct log_sink *log,
                                 galley_error *err);
/** Stop and start taking connections (limit of connections reached). */
void acceptor_pause(struct acceptor *acceptor);
void acceptor_resume(struct acceptor *acceptor);
/** Ends in owner.closed, then the acceptor is freed. */
void acceptor_close(struct acceptor *acceptor);

#endif
