/* exchange/held_report.c — see held_report.h. A report is made once in the life of a server: it is
 * simple, not fast. */
#include "exchange/held_report.h"

#include <stdio.h>

enum { MAX_ROUTES = 8 };

struct tally {
    const struct route_target *routes[MAX_ROUTES];
    unsigned counts[MAX_ROUTES];
    unsigned route_count;
    unsigned others; /* of more routes than that */
    unsigned total;
};

static bool is_held(const struct exchange *exchange)
{
    /* Relaxed: one that lets go just now may be counted or not. */
    return exchange->state == EXCHANGE_QUEUED &&
           atomic_load_explicit(&exchange->job.state, memory_order_relaxed) == EXCHANGE_JOB_RUNNING;
}

static void add(struct tally *tally, const struct route_target *route)
{
    unsigned at = 0;
    tally->total++;
    while (at < tally->route_count && tally->routes[at] != route) {
        at++;
    }
    if (at == MAX_ROUTES) {
        tally->others++;
        return;
    }
    tally->route_count += at == tally->route_count;
    tally->routes[at] = route;
    tally->counts[at]++;
}

static size_t put(char *text, size_t size, size_t len, const char *what, unsigned count)
{
    int more = 0;
    if (len < size && count > 1) {
        more = snprintf(text + len, size - len, "%s%s (%u)", len ? ", " : "", what, count);
    } else if (len < size && count == 1) {
        more = snprintf(text + len, size - len, "%s%s", len ? ", " : "", what);
    }
    return len + (more > 0 ? (size_t)more : 0);
}

unsigned exchange_pool_held(const struct exchange_pool *pool, char *text, size_t size)
{
    struct tally tally = {0};
    for (struct list *at = pool->live_list.next; at != &pool->live_list; at = at->next) {
        const struct exchange *exchange = CONTAINER_OF(at, struct exchange, live);
        if (is_held(exchange)) {
            add(&tally, exchange->route);
        }
    }
    size_t len = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < tally.route_count; i++) {
        const char *label = tally.routes[i]->label;
        len = put(text, size, len, label ? label : "a route", tally.counts[i]);
    }
    (void)put(text, size, len, "others", tally.others);
    return tally.total;
}
