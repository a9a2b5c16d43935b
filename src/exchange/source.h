/* exchange/source.h — a body that is asked for: the program's function is called whenever the
 * client has taken what was there. On a loop's route on the loop; on the pool's each call is a job
 * of its own (EXCHANGE_QUEUED), and between two of them nobody works (EXCHANGE_FLOWING).
 *
 * Lies in the exchange's arena. `end` is called once: where fn said that no more will come, else
 * with the exchange's end. */
#ifndef EXCHANGE_SOURCE_H
#define EXCHANGE_SOURCE_H

#include "loop/loop.h"

#include <galley/stream.h>

struct exchange;

struct source {
    struct exchange *exchange;
    galley_source *fn;
    void (*end)(void *arg); /* may be NULL */
    void *arg;
    struct timer timer; /* the loop's: the next try, when the pool was full */
    char *block;        /* what fn has filled, until the loop takes it */
    ssize_t got;        /* what fn returned */
    bool has_ended;     /* `end` has been called */
};

/** On the loop, the handler has returned 0: ask and answer. respond() or pieces() may be called
 *  inside. */
void source_flow(struct exchange *exchange);
/** On the loop: all that was there has been sent. pieces() may be called inside. */
void source_sent(struct exchange *exchange);
/** The exchange's owner: no more is asked, `end` is called if it was not. Also by who frees an
 *  orphan. */
void source_detach(struct exchange *exchange);

#endif
