/* exchange/deferred.h — galley_res_defer(): an exchange that its handler gives into other hands.
 *
 * Until the deferral is finished it holds the exchange beside its handler (exchange_job.holders);
 * whoever lets go last sends it back to its loop, or frees it if the server could not wait. The
 * object is apart from the exchange: galley_deferred_is_wanted() may be asked at any time by anyone,
 * and looks at nothing else. Pins: the exchange's, the registry's, each call's. */
#ifndef EXCHANGE_DEFERRED_H
#define EXCHANGE_DEFERRED_H

#include "exchange/handles.h"

struct exchange;

struct deferred {
    struct handle handle;
    struct exchange *exchange; /* there while the handle is to be found */
    _Atomic bool is_wanted;    /* written by the loop; relaxed: it orders nothing */
};

/** On the loop: nobody waits any more. */
void deferred_unwanted(struct deferred *deferred);
/** One more of the loop's exchanges is held by a deferral, which the loop must be there for. */
void deferred_count(struct exchange *exchange);
/** On the loop: not any more, if it was. */
void deferred_uncount(struct exchange *exchange);
/** At the exchange's end, by its owner: its pin goes. */
void deferred_release(struct exchange *exchange);

#endif
