/* exchange/exchange_body.c — the request body on its way to the handler: read whole, refused, or
 * skipped, as the route says. The handler runs when it is there (exchange_run.c). On the loop. */
#include "base/check.h"

#include "exchange/exchange_steps.h"

/* A hint: between this look and the submission others may take the room; submission decides. */
static bool pool_is_full(galley_pool *pool)
{
    galley_pool_stats stats = {.size = sizeof stats};
    return pool && galley_pool_get_stats(pool, &stats) == GALLEY_OK && stats.queue_capacity > 0 &&
           stats.queued >= stats.queue_capacity;
}

static bool is_over_limit(const struct exchange *exchange)
{
    int64_t declared = exchange->request.content_length;
    return declared > 0 && (uint64_t)declared > exchange->route->max_body_bytes;
}

static void refuse_body(struct exchange *exchange)
{
    exchange->response.must_close = true; /* what follows on the connection is the refused body */
    exchange_reject(exchange, 413);
}

/* A body nobody asked for: read and dropped where that is cheap, else the connection closes after
 * the answer. */
static bool is_cheap_to_skip(const struct exchange *exchange)
{
    return !is_over_limit(exchange) && !exchange->request.expects_continue;
}

static void read_body(struct exchange *exchange)
{
    buf_init(&exchange->request.body, exchange->route->max_body_bytes > SIZE_MAX
                                          ? SIZE_MAX
                                          : (size_t)exchange->route->max_body_bytes);
    exchange->state = EXCHANGE_BODY;
    exchange->driver->read_body(exchange);
}

void exchange_want_body(struct exchange *exchange)
{
    const struct route_target *route = exchange->route;
    if (exchange->request.content_length == 0) {
        exchange_run(exchange);
    } else if (route->body_mode == EXCHANGE_BODY_DISCARD) {
        if (is_cheap_to_skip(exchange)) {
            read_body(exchange);
            return;
        }
        exchange->response.must_close = true;
        exchange_run(exchange);
    } else if (route->body_mode == EXCHANGE_BODY_REFUSE || is_over_limit(exchange)) {
        refuse_body(exchange);
    } else if (!route->on_loop && pool_is_full(exchange_handler_pool(exchange))) {
        if (exchange->services->counters) {
            counter_add(&exchange->services->counters->shed_full, 1);
        }
        exchange->response.must_close = true;
        exchange_shed(exchange);
    } else {
        read_body(exchange);
    }
}

int exchange_body_piece(struct exchange *exchange, struct span piece)
{
    struct request *request = &exchange->request;
    DEBUG_CHECK(exchange->state == EXCHANGE_BODY);
    /* No sum of attacker's numbers that could overflow: body_bytes never passes the limit. */
    if (piece.len > exchange->route->max_body_bytes - request->body_bytes) {
        return 413;
    }
    request->body_bytes += piece.len;
    if (exchange->route->body_mode == EXCHANGE_BODY_DISCARD) {
        return GALLEY_OK;
    }
    buf_append(&request->body, piece.ptr, piece.len);
    return request->body.failed ? 503 : GALLEY_OK;
}

void exchange_body_end(struct exchange *exchange)
{
    DEBUG_CHECK(exchange->state == EXCHANGE_BODY);
    exchange_run(exchange);
}
