/* tests/unit/exchange/support_world.h — an exchange's surroundings without sockets: a sim loop,
 * services, and a driver that notes what it is asked for. */
#ifndef TESTS_UNIT_EXCHANGE_SUPPORT_WORLD_H
#define TESTS_UNIT_EXCHANGE_SUPPORT_WORLD_H

#include "test.h"

#include "exchange/exchange.h"
#include "loop/loop.h"

/** Interim answers: how many, the last one's status, all of their fields with an empty line behind each. */
struct interim_log {
    unsigned count;
    int status;
    int code; /* what the driver says to them */
    char text[1024];
};

struct world {
    struct loop *loop;
    struct chain_pool chains;
    struct exchange_services services;
    struct exchange_counters counters;
    struct exchange_pool pool;
    struct route_target route;
    struct exchange *exchange;
    char head[512]; /* the driver's receive buffer */
    struct field entries[16];
    struct fields fields;
    struct peer_address peer;

    /* what happened */
    unsigned responded, bodies_wanted, bodies_resumed, pieces, aborted, ended, emptied;
    int status;
    unsigned given_up;
    struct interim_log interim;
    int given_up_status, ended_status;
    int abort_code;
    bool must_close, keeps_it; /* keeps_it: the driver does not end the exchange in respond() */
    char fields_text[1024];
    char body[8192];
    size_t body_len;
    bool pieces_ended;
};

/** Without a pool. */
void world_init(struct world *world);
void world_finish(struct world *world);
/** A new exchange for "METHOD TARGET" with a Host field, dispatched to world->route by world_go().
 * NULL: no memory. */
struct exchange *world_request(struct world *world, const char *method, const char *target);
/** exchange_dispatch() */
void world_go(struct world *world);
/** Moves the clock on and runs what falls due. */
void world_advance(struct world *world, int64_t ms);
/** Make turns until *done is not 0. */
void world_turn_until(struct world *world, const unsigned *done);

#endif
