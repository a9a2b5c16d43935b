/* exchange/exchange_body.h — the request body as protocol drivers see it: pieces go in, and come to
 * whoever the route says: a buffer, an unnamed file, a handler that reads, a sink; or the raw input
 * behind an upgrade.
 *
 * Everything on the loop. After any of these the exchange may be gone, for a sink, or the handler
 * behind a whole body, may have answered inside: the driver looks at its own state, which
 * respond() has changed. */
#ifndef EXCHANGE_EXCHANGE_BODY_H
#define EXCHANGE_EXCHANGE_BODY_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct exchange;

enum {
    EXCHANGE_BODY_PAUSE = 1 /* the piece was taken; no other before driver->resume_body() */
};

struct route_target;
/** Most memory that the body of one request to this route takes, and what compresses its answer; pieces are piece_bytes at most. */
uint64_t exchange_body_most_bytes(const struct route_target *route, uint64_t piece_bytes);

/** A piece of the request body. 0, EXCHANGE_BODY_PAUSE, or a status (413, 503) with which the
 *  driver must fail the body: exchange_body_failed(), exchange_reject(), and close. */
int exchange_body_piece(struct exchange *exchange, struct span piece);
/** The body is complete. Also allowed behind a piece that was answered with
 *  EXCHANGE_BODY_PAUSE. */
void exchange_body_end(struct exchange *exchange);
/** The rest of the body will not come: GALLEY_ETOOBIG, GALLEY_ETIMEDOUT, GALLEY_EPROTO (malformed,
 *  or an early end), GALLEY_ENOMEM. True: whoever reads it has been told, and answers; the driver
 *  ends the connection behind that answer. False: nobody else answers, exchange_reject() now. */
bool exchange_body_failed(struct exchange *exchange, int code);
/** The code for it, where the answer would be this status: 413, 408, 503; else it was malformed. */
int exchange_body_code(int status);

/** May a handler still ask for the body, while it answers? */
bool exchange_reads_body(const struct exchange *exchange);

/** Takes raw bytes that came behind an upgrade: 0, or EXCHANGE_BODY_PAUSE and later (not inside)
 *  driver->resume_body(). An empty piece: the client sends nothing more. */
typedef int exchange_input_fn(struct exchange *exchange, struct span piece, void *arg);
/** For an exchange whose response is an upgrade, in its handler or later, while the response goes
 *  on: what the client sends goes to fn, unframed and unlimited but by its pauses. Bytes that came
 *  earlier have waited. Once. That the client has gone is not told here, but where its output
 *  is. */
void exchange_tunnel_input(struct exchange *exchange, exchange_input_fn *fn, void *arg);

#endif
