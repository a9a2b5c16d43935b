/* tests/unit/h1/support_h1.h — a whole loop over the sim backend with connections, exchanges and
 * the driver, and a tiny dispatcher instead of a router. Handlers run on the loop.
 *
 *   /  "hello"            /later  suspends into world.later      /echo   the body of a POST
 *   /big  1 MiB           /borrowed  memory of the arena         /file   world.file_bytes of
 *   world.file_fd
 *   /empty  204           /unchanged  304 with ready fields      /ready  ready fields with
 *   Content-Length
 *   /reset  205 with a text
 *   /drop  reads and drops a body, then answers   /ignore  answers and leaves the body unread
 *   /pieces /declared /short /broken /flood   in pieces, on services.pool if there is one
 *   /resume  resumes world.later and answers
 *   /refuse  takes no body    /fail  GALLEY_EFULL    /smuggled  counts, must never be reached
 *   else 404 */
#ifndef TESTS_UNIT_H1_SUPPORT_H1_H
#define TESTS_UNIT_H1_SUPPORT_H1_H

#include "conn/conn_set.h"
#include "exchange/exchange.h"
#include "h1/h1_driver.h"
#include "loop/sim.h"

enum { BIG_BYTES = 1024 * 1024, MAX_LOGGED = 4096 };

struct logged {
    int status;
    char method[16];
    char target[64];
    uint64_t bytes_sent;
    bool client_is_gone;
};

struct world {
    struct loop *loop;
    struct conn_limits conn_limits;
    struct http_limits http_limits;
    struct h1_options options;
    struct conn_set set;
    struct exchange_services services;
    struct exchange_pool exchanges;
    struct h1_driver *driver;
    struct exchange *later; /* the last one suspended by /later */
    int file_fd;
    uint64_t file_bytes;
    char *big;
    unsigned big_released;
    void (*worker_pauses)(void); /* between the pieces of /pieces and others; may be NULL */
    unsigned handled;
    unsigned smuggled;
    unsigned logged_count;
    unsigned logged_sum; /* of all bytes of field values: so that they are read */
    struct logged logged[MAX_LOGGED];
};

/** Change options between the two, if wanted. */
void world_init(struct world *world);
void world_start(struct world *world);
/** init and start. */
void world_open(struct world *world);
/** Everything must have ended, or end now. Checks that nothing is left. */
void world_close(struct world *world);

/** A new connection, the client's end. */
struct sim_peer *world_connect(struct world *world);
/** The only connection that is open; NULL if there is none. */
struct conn *world_conn(const struct world *world);
void world_send(struct world *world, struct sim_peer *peer, const char *text);
void world_send_bytes(struct world *world, struct sim_peer *peer, const void *data, size_t len);

/** One answer taken off the received bytes. */
struct answer {
    int status;
    struct span head; /* with the empty line */
    struct span body; /* decoded in place if it was chunked */
    bool is_whole;    /* false: the received bytes do not hold a whole answer; nothing was taken */
    bool is_chunked;
    bool has_length;
};
/** Parses the first answer of *rest and moves *rest behind it. for_head: it answers HEAD. Bytes up
 *  to the end of a closed connection are the body of an answer without length. */
struct answer answer_take(struct span *rest, bool for_head, bool is_closed);
/** Value of a field in the head, trimmed; ptr NULL. */
struct span answer_field(const struct answer *answer, const char *name);
/** How many whole answers were received (none to HEAD among them); fails the test on garbage behind
 * them. */
unsigned answers_count(const struct sim_peer *peer);
/** The status of the first answer received; 0: none. */
int first_status(const struct sim_peer *peer);

#endif
