/* tests/unit/h1/support_lab.h — the h1 world with one route for every request: how its handler
 * takes the body is the test's. Handlers run on a real worker, the loop is turned by the test. */
#ifndef TESTS_UNIT_H1_SUPPORT_LAB_H
#define TESTS_UNIT_H1_SUPPORT_LAB_H

#include "support_h1.h"

#include "base/buf.h"
#include "test.h"

#include <stdatomic.h>

struct lab {
    struct world world;
    struct route_target route;
    struct route_target plain; /* GET / : "plain" */
    struct sim_peer *peer;
    galley_pool *pool;      /* of handlers; NULL: they run on the loop */
    galley_pool *file_pool; /* NULL: files are written at once */
    atomic_int entered;     /* handlers that began */
    atomic_int gate;        /* 0: handlers that look at it wait */
    atomic_int code;        /* what a handler got last; 1: nothing yet */
    atomic_uint got;        /* bytes that handlers got */
    atomic_int was_told;    /* galley_should_stop() said so */
    unsigned calls;         /* of a sink */
    struct buf received;    /* what lab_answer() looked at */
    char body[64 * 1024];   /* the first of them */
};

/** mode: EXCHANGE_BODY_…; the handler gets the lab as its arg. on_loop: no pool is made. */
void lab_open(struct lab *lab, galley_handler *handler, uint8_t mode, bool on_loop);
void lab_close(struct lab *lab);
/** Forget what was noted and make a new connection. */
void lab_connect(struct lab *lab);
void lab_disconnect(struct lab *lab);
void lab_send(struct lab *lab, const char *text);
/** Turn the loop until *number is at least this. */
void lab_turn_until(struct lab *lab, atomic_int *number, int least);
/** Turn the loop until so many whole answers have come; the last one. */
struct answer lab_answer(struct lab *lab, unsigned count);
/** Turn the loop until the server has closed. */
void lab_turn_until_closed(struct lab *lab);
/** Turn the loop until no exchange is left. */
void lab_turn_until_empty(struct lab *lab);
/** In a handler: note that it began, and wait for the gate. */
void lab_wait(struct lab *lab);
/** In a handler: note bytes. */
void lab_note(struct lab *lab, const void *data, size_t len);
/** Handler: reads all in small bites, then answers with how many, or with the code. */
int lab_read_all(galley_request *rq, galley_response *rs, void *arg);

#endif
