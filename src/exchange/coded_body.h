/* exchange/coded_body.h — request bodies that come compressed, for routes that want them as they were:
 * between the protocol's driver, which puts pieces in, and whoever the route gives them to.
 *
 * On the loop, piece by piece: what may come of one is bounded by the route's limit of bytes and by a
 * ratio, so that a bomb holds no loop. Whoever takes the pieces may ask for a pause in the middle of one;
 * what is left of it waits here. The object lives on the heap, because a sink may end its exchange. */
#ifndef EXCHANGE_CODED_BODY_H
#define EXCHANGE_CODED_BODY_H

#include "base/span.h"

#include <stdbool.h>

struct exchange;

/** Before the body is asked for: 0 (also when it is not compressed), 415 for a coding that is not known
 *  here, or 503. Content-Encoding and Content-Length are taken from the request: they are not those of
 *  what the handler will see. */
int coded_body_begin(struct exchange *exchange);
/** As exchange_body_piece(). */
int coded_body_piece(struct exchange *exchange, struct span piece);
/** The driver has given all. True: and so has this, exchange_body_end_now() may follow. */
bool coded_body_end(struct exchange *exchange);
/** There is room again. */
void coded_body_resume(struct exchange *exchange);
/** The exchange ends. */
void coded_body_release(struct exchange *exchange);

#endif
