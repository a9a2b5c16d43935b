/* server/test_client.h — inside the test client (galley/test.h): its parts and how they meet. Only
 * test_*.c of this room include it. The thread that calls is the server's only loop meanwhile. */
#ifndef SERVER_TEST_CLIENT_H
#define SERVER_TEST_CLIENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "loop/sim.h"

#include <galley/test.h>

#include <stdatomic.h>

#include "server/server_state.h"

enum { TEST_WINDOW_BYTES = 64 * 1024 * 1024 };

struct galley_test {
    galley_server *server; /* NULL: freed before us */
    struct listener listener;
    struct list conns; /* galley_test_conn.link */
    uint32_t patience_ms;
    atomic_bool is_busy; /* acq_rel: somebody is inside a call */
    struct buf body;     /* of the last reply, decoded */
    struct arena memory; /* what was handed out with it */
    const char *head;    /* of the last reply, in memory: tells whose header is asked for */
};

struct galley_test_conn {
    struct list link;
    galley_test *test;
    struct sim_peer *peer; /* NULL: hung up */
};

/* ---- test_client.c: turning ---- */

/** At the beginning of each call. GALLEY_OK, GALLEY_EINVAL, GALLEY_ECLOSED, GALLEY_ESTATE; after
 *  GALLEY_OK it ends with test_leave(), which returns rc. */
int test_enter(galley_test *t);
int test_leave(galley_test *t, int rc);

static inline struct loop *test_loop(const galley_test *t)
{
    return t->server->loops[0].loop;
}

/** Does the caller have what it waits for? */
typedef bool test_done_fn(void *ctx);
/** Turn until nothing is under way but `allowed` errands, and done(ctx), if done is given; in real
 *  time at most the patience. GALLEY_OK or GALLEY_ETIMEDOUT. */
int test_settle(galley_test *t, unsigned allowed, test_done_fn *done, void *ctx);

/* ---- test_conn.c ---- */

/** A connection that nobody has accepted yet. 0, GALLEY_EINVAL (the address), GALLEY_ECLOSED (the
 *  server takes none), GALLEY_ENOMEM. */
int test_open_peer(galley_test *t, const char *address, struct sim_peer **ret_peer);
/** All of them, without a turn. */
void test_conns_hang_up(galley_test *t);
void test_conns_free(galley_test *t);

/* ---- test_request.c, test_reply.c ---- */

/** The bytes of a request, from what galley_test_call() takes. 0, GALLEY_EINVAL, GALLEY_ENOMEM. */
int test_request_write(struct buf *out, const char *request, const void *body, size_t len);

struct test_reply {
    int status;
    struct span head; /* with the empty line; in the bytes that were read */
};
/** Is there a whole answer in `in`? 1: yes, body holds it decoded; 0: not yet; GALLEY_ECLOSED,
 *  GALLEY_EPROTO, GALLEY_ENOMEM. is_closed: nothing follows; was_reset: nor would it have been
 *  all. */
int test_reply_read(struct test_reply *ret, struct buf *body, struct span in, bool is_head,
                    bool is_closed, bool was_reset);
/** The next line of a name in the header lines, which *lines is put behind; missing: none. */
struct span test_reply_field(struct span *lines, struct span name);

#endif
