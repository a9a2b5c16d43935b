/* exchange/route_gate.h — a bulkhead: at most so many of a route's exchanges are handled at once,
 * whatever loop they came in on; the rest wait in one line, and no worker waits with them.
 *
 * A gate is shared by all loops: a short lock round a number and a list. Who ends hands his place to
 * the first in the line by a post to that one's loop, so that nobody can slip in between, and the
 * number of those inside does not move. A place belongs to its loop, but for the moment in which
 * somebody else's hand-over is on the way to it (PLACE_COMING): then only the post may be waited for.
 *
 * A gate lives as long as its route: until every orphan that still holds a place of it has ended. */
#ifndef EXCHANGE_ROUTE_GATE_H
#define EXCHANGE_ROUTE_GATE_H

#include "base/list.h"
#include "loop/loop.h"

#include <stdatomic.h>
#include <stdint.h>

struct route_gate;

enum gate_place_state {
    PLACE_NONE,   /* neither inside nor in the line */
    PLACE_WAITS,  /* in the line */
    PLACE_COMING, /* inside; the post that says so is on the way */
    PLACE_HELD,   /* inside */
};

/** What one exchange has of its gate. Zeroed: nothing. */
struct gate_place {
    struct route_gate *gate; /* NULL: none was asked for */
    struct list link;        /* in the line; under the gate's lock */
    struct loop_post post;   /* run on `loop` with the place held: post.run is the waiter's */
    struct loop *loop;
    /* How many threads are inside loop_post() to `loop`; who frees the loop waits for 0. */
    _Atomic unsigned *posting;
    uint8_t state; /* enum gate_place_state; under the gate's lock while WAITS */
};

/** max_running > 0 inside at once; of the others max_waiting may wait, UINT32_MAX: any number. NULL:
 *  out of memory. Set-up thread. */
struct route_gate *route_gate_create(uint32_t max_running, uint32_t max_waiting);
/** Nobody may be inside or wait. NULL is allowed. */
void route_gate_destroy(struct route_gate *gate);

/** A hint without a lock: would the next one be refused? Any thread. */
bool route_gate_is_full(const struct route_gate *gate);
/** Any thread: how many are inside, and how many wait; hints. */
uint32_t route_gate_running(const struct route_gate *gate);
uint32_t route_gate_waiting(const struct route_gate *gate);

enum gate_answer { GATE_ENTERED, GATE_WAITS, GATE_IS_FULL };

/** On place->loop; gate, post.run, loop and posting are filled in. After GATE_WAITS post.run is
 *  called once, later, with the place held, unless route_gate_give_up() returned true. */
enum gate_answer route_gate_enter(struct gate_place *place);
/** On place->loop: leave the line. False: it is too late, the post is on the way. */
bool route_gate_give_up(struct gate_place *place);
/** Leave, once; a place that is not held (or COMING, when its post has arrived) is allowed and
 *  nothing happens. Any thread that owns the exchange. */
void route_gate_leave(struct gate_place *place);

#endif
