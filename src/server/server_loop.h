/* server/server_loop.h — one event loop of a server with everything that is its own: connections,
 * exchanges, protocols, doors. Inside the server room; by way of server_state.h.
 *
 * A server_loop belongs to its thread, but its counters (read from anywhere) and `orders`. */
#ifndef SERVER_SERVER_LOOP_H
#define SERVER_SERVER_LOOP_H

#include "base/counter.h"
#include "conn/conn_set.h"
#include "conn/preface.h"
#include "exchange/exchange.h"
#include "h1/h1_driver.h"
#include "h2/h2_driver.h"
#include "net/listener.h"
#include "observe/access_log.h"
#include "tls/tls_context.h"
#include "tls/tls_transport.h"
#include "tls/tls_watch.h"

#include <galley/server.h>

#include <pthread.h>

struct galley_server;

/** What a loop is told from other threads; bits of server_loop.orders. */
enum server_order {
    ORDER_DRAIN = 1 << 0,    /* take no more, finish what runs */
    ORDER_CUT = 1 << 1,      /* close every connection now */
    ORDER_ORPHAN = 1 << 2,   /* let go of handlers that do not return */
    ORDER_ALL_IDLE = 1 << 3, /* to the first loop: nothing is left anywhere */
    ORDER_END = 1 << 4,      /* leave loop_run() */
};

struct server_counters {
    struct counter begun; /* exchanges */
    struct counter ended;
    struct counter responses[6]; /* by class; [0]: none was sent */
    struct counter refused;      /* requests over max_requests */
    struct counter misdirected;  /* for a host whose rule for clients is another one: 421 */
    struct counter handed_over;  /* clients given to a loop that had fewer */
    struct counter paused;       /* times the limit of connections stopped accepting */
};

/** Where the server listens, and by which certificates. */
struct server_listener {
    struct listener socket;
    galley_tls *tls;         /* the program's; NULL: plain */
    struct tls_watch *watch; /* of its files, at the first listener that has it; NULL: none */
};

/** The protocols of a loop. See server_drivers.c. */
struct server_drivers {
    struct h1_driver *h1;
    struct h2_driver *h2;
    struct preface_choice plain;      /* one of them, by the client's first bytes */
    struct tls_shared *tls;           /* NULL: no listener has TLS */
    const struct protocol *spoken[3]; /* h1, h2, plain: what the doors choose from */
    struct h1_counters h1_counters;   /* copies, taken when the drivers go */
    struct h2_counters h2_counters;
};

/** A loop's side of a listener: how clients come in. See server_doors.c. */
struct server_door {
    struct server_loop *loop;
    struct acceptor *acceptor; /* NULL: not open, or closed */
    struct conn_entry entry;
    struct tls_opener opener; /* with TLS */
};

struct server_loop {
    _Alignas(64) struct galley_server *server; /* no loop in the lines of another */
    unsigned index;
    unsigned max_connections;
    struct loop *loop;
    struct conn_set conns;
    struct exchange_services services;
    struct exchange_pool exchanges;
    struct server_drivers drivers;
    struct server_door *doors; /* one a listener */
    unsigned door_count;
    unsigned open_acceptors;
    struct access_log_source *log_source;
    struct server_counters counters;
    struct exchange_counters exchange_counters;
    struct acceptor_counters acceptor_counters;
    struct timer room_timer;
    struct loop_post post;
    unsigned next_other;        /* server_balance.c: whom to look at next */
    _Atomic unsigned conns_now; /* conns.count for the other loops; relaxed: a hint */
    _Atomic unsigned orders;    /* acq_rel: what was written before an order is seen by its loop */
    pthread_t thread;
    bool has_thread;
    bool is_paused;
    bool is_draining;
    bool has_reported; /* told that nothing is left */
    bool is_made;      /* conns and exchanges are initialised */
};

/* ---- server_drivers.c ---- */
/** Does any listener speak TLS? */
bool server_has_tls(const struct galley_server *srv);
/** As its listeners need them. 0 or GALLEY_ENOMEM; server_drivers_finish() in both cases. */
int server_drivers_make(struct server_loop *loop, galley_error *err);
/** The connections have gone; what was counted stays. */
void server_drivers_finish(struct server_drivers *drivers);
const struct h1_counters *server_h1_counters(const struct server_drivers *drivers);
const struct h2_counters *server_h2_counters(const struct server_drivers *drivers);

/* ---- server_doors.c ---- */
/** What is spoken at each listener, for this loop. 0 or GALLEY_ENOMEM; server_doors_free() undoes
 *  it. */
int server_doors_make(struct server_loop *loop, unsigned count, galley_error *err);
/** The connections have gone. */
void server_doors_free(struct server_loop *loop);

#endif
