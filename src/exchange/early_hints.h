/* exchange/early_hints.h — interim answers of 103 (RFC 8297): the Link lines of an answer that is
 * still being made. From a handler by galley_res_early_hints(), from files/ by the rules of a site.
 * The owner's thread says what goes, the loop sends it; both bounds are here: who gets them, and how
 * often. A hint that cannot be sent is no failure of the answer. */
#ifndef EXCHANGE_EARLY_HINTS_H
#define EXCHANGE_EARLY_HINTS_H

#include "exchange/response.h"

struct exchange;

enum { EARLY_HINTS_MAX = 8 /* by a handler, for one exchange */ };

/** A batch on its way from a worker to the loop (body_writer.h); memory of the exchange's arena. */
struct early_hints {
    struct early_hints *next;
    struct response_field *fields;
};

/** Does the client of this exchange get any? On the loop. */
bool early_hints_are_wanted(const struct exchange *exchange);
/** On the loop, before the answer: these fields, at once, as a 103; they are copied. 0, also if this
 *  client gets none; GALLEY_ECLOSED, GALLEY_ENOMEM. The exchange stays as it is. */
int early_hints_send(struct exchange *exchange, const struct response_field *fields);

#endif
