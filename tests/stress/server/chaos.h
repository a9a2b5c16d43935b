/* tests/stress/server/chaos.h — a server under everything at once: handlers of every kind
 * (chaos_routes.c), threads that finish, write and close what handlers left them, also when the
 * server has gone (chaos_holders.c), clients that behave badly (chaos_clients.c). Only the public
 * API. stress_server.c makes the rounds and looks whether the books balance. */
#ifndef TESTS_STRESS_SERVER_CHAOS_H
#define TESTS_STRESS_SERVER_CHAOS_H

#include "client.h"

#include <galley/server.h>
#include <galley/websocket.h>

#include <pthread.h>
#include <stdatomic.h>

enum { HOLDERS = 3, CLIENTS = 6, PATH_BYTES = 64 };

/** Something that must end exactly once: a hook, a stream, a source, a socket. */
struct fate {
    struct fate *next;
    const char *what;
    atomic_int ends;
};

enum leaving_kind { LEAVING_DEFERRAL, LEAVING_STREAM, LEAVING_SOCKET };

/** What a handler left to the holders. */
struct leaving {
    struct leaving *next;
    enum leaving_kind kind;
    void *handle;
    int writes;    /* so many, then it is given up */
    bool has_body; /* of a deferral: one that is read in pieces */
};

struct round {
    galley_server *srv; /* NULL: gone; under `lock` */
    galley_pool *pool;  /* the program's; NULL: the server has its own */
    int port;
    bool may_stick; /* handlers may stand until the server has gone */
    char file[PATH_BYTES];
    pthread_mutex_t lock;
    struct fate *fates;
    struct leaving *leavings;
    atomic_int posts, posted;
    atomic_int sticking;
    atomic_int inside;      /* handlers that have not returned */
    atomic_bool is_gone;    /* the server was freed */
    atomic_bool is_over;    /* clients, then holders, come to their end */
    atomic_bool is_closing; /* holders give up what is left */
};

/** Random numbers of the calling thread: 0 .. below-1. */
unsigned chance(unsigned below);
void chance_seed(unsigned seed);
void nap(unsigned most_ms);

struct fate *fate_new(struct round *round, const char *what);
void fate_end(void *fate);

void leave(struct round *round, enum leaving_kind kind, void *handle, int writes, bool has_body);
/** Of a stream that a handler or a deferral's holder has begun: two more writers. */
void leave_stream(struct round *round, galley_response *rs);
void leave_source(struct round *round, galley_response *rs);

/** A thread of a round's. */
struct hand {
    pthread_t thread;
    struct round *round;
    unsigned seed;
};

/** What they do: struct hand. */
void *hold(void *hand);
void *be_a_client(void *hand);

void add_routes(struct round *round);

#endif
