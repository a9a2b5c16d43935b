/* exchange/body_sink.h — a request body in pieces for a handler on the loop: galley_req_sink().
 *
 * A call of the sink is a call of the handler: it may answer, suspend, or defer. Whatever but 0 it
 * returns, and a suspension or deferral, ends it: then the rest of the body is what it is for any
 * handler that answers early. On the loop. After each call the exchange may be gone. */
#ifndef EXCHANGE_BODY_SINK_H
#define EXCHANGE_BODY_SINK_H

#include "base/span.h"

#include <stdbool.h>

struct exchange;

/** 0, or EXCHANGE_BODY_PAUSE: it is over, and the answer comes later. */
int body_sink_put(struct exchange *exchange, struct span piece);
/** The last call: code 0 for the end of the body, or a failure. Not twice. */
void body_sink_end(struct exchange *exchange, int code);

#endif
