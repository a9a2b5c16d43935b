/* exchange/route_gate.c — see route_gate.h. The lock is held for a few instructions and never
 * together with another; posts are made after it was let go. */
#include "exchange/route_gate.h"

#include "base/alloc.h"
#include "base/check.h"

#include <pthread.h>

struct route_gate {
    _Alignas(64) pthread_mutex_t lock; /* line; and who writes the two numbers */
    struct list line;                  /* gate_place.link, the one that came first is first */
    uint32_t max_running;
    uint32_t max_waiting;
    _Atomic uint32_t running; /* written under the lock, read without it as a hint: relaxed */
    _Atomic uint32_t waiting; /* as well */
};

struct route_gate *route_gate_create(uint32_t max_running, uint32_t max_waiting)
{
    CHECK(max_running > 0);
    struct route_gate *gate = mem_alloc_aligned(_Alignof(struct route_gate), sizeof *gate);
    if (gate) {
        gate->max_running = max_running;
        gate->max_waiting = max_waiting;
        list_init(&gate->line);
        pthread_mutex_init(&gate->lock, NULL);
    }
    return gate;
}

void route_gate_destroy(struct route_gate *gate)
{
    if (gate) {
        CHECK(route_gate_running(gate) == 0 && list_is_empty(&gate->line));
        pthread_mutex_destroy(&gate->lock);
        mem_free(gate);
    }
}

uint32_t route_gate_running(const struct route_gate *gate)
{
    return atomic_load_explicit(&gate->running, memory_order_relaxed);
}

uint32_t route_gate_waiting(const struct route_gate *gate)
{
    return atomic_load_explicit(&gate->waiting, memory_order_relaxed);
}

bool route_gate_is_full(const struct route_gate *gate)
{
    return route_gate_running(gate) >= gate->max_running &&
           route_gate_waiting(gate) >= gate->max_waiting;
}

/* Lock held. */
static void set(_Atomic uint32_t *number, uint32_t value)
{
    atomic_store_explicit(number, value, memory_order_relaxed);
}

static enum gate_answer enter(struct route_gate *gate, struct gate_place *place)
{
    uint32_t running = route_gate_running(gate);
    uint32_t waiting = route_gate_waiting(gate);
    if (running < gate->max_running) {
        set(&gate->running, running + 1);
        place->state = PLACE_HELD;
        return GATE_ENTERED;
    }
    if (waiting >= gate->max_waiting) {
        return GATE_IS_FULL;
    }
    set(&gate->waiting, waiting + 1);
    place->state = PLACE_WAITS;
    list_push_back(&gate->line, &place->link);
    return GATE_WAITS;
}

enum gate_answer route_gate_enter(struct gate_place *place)
{
    struct route_gate *gate = place->gate;
    DEBUG_CHECK(place->state == PLACE_NONE);
    pthread_mutex_lock(&gate->lock);
    enum gate_answer answer = enter(gate, place);
    pthread_mutex_unlock(&gate->lock);
    return answer;
}

bool route_gate_give_up(struct gate_place *place)
{
    struct route_gate *gate = place->gate;
    pthread_mutex_lock(&gate->lock);
    bool did_wait = place->state == PLACE_WAITS;
    if (did_wait) {
        list_remove(&place->link);
        set(&gate->waiting, route_gate_waiting(gate) - 1);
        place->state = PLACE_NONE;
    }
    pthread_mutex_unlock(&gate->lock);
    return did_wait;
}

/* Lock held: the place goes to the first in the line, or back. */
static struct gate_place *hand_over(struct route_gate *gate)
{
    struct list *first = list_pop_front(&gate->line);
    if (!first) {
        set(&gate->running, route_gate_running(gate) - 1);
        return NULL;
    }
    struct gate_place *next = CONTAINER_OF(first, struct gate_place, link);
    set(&gate->waiting, route_gate_waiting(gate) - 1);
    next->state = PLACE_COMING;
    /* Under the lock: until the post has run, its loop, and what counts its posts, stay. */
    atomic_fetch_add_explicit(next->posting, 1, memory_order_relaxed);
    return next;
}

void route_gate_leave(struct gate_place *place)
{
    if (place->state != PLACE_HELD && place->state != PLACE_COMING) {
        return;
    }
    struct route_gate *gate = place->gate;
    place->state = PLACE_NONE;
    pthread_mutex_lock(&gate->lock);
    struct gate_place *next = hand_over(gate);
    pthread_mutex_unlock(&gate->lock);
    if (next) {
        _Atomic unsigned *posting = next->posting; /* next may be gone once it is posted */
        loop_post(next->loop, &next->post);
        /* Release pairs with exchange_pool_finish(): the loop may be freed after this. */
        atomic_fetch_sub_explicit(posting, 1, memory_order_release);
    }
}
