/* exchange/body_sink.c — pieces of a request body for a handler on the loop; see body_sink.h. */
#include "exchange/body_sink.h"

#include "base/check.h"

#include "exchange/body_reader.h"
#include "exchange/exchange_steps.h"

struct piece {
    const void *data;
    ssize_t len;
};

static int call_sink(struct exchange *exchange, void *arg)
{
    const struct piece *piece = arg;
    const struct request *request = &exchange->request;
    owner_enter(exchange);
    int result = request->sink(exchange_rq(exchange), exchange_rs(exchange), piece->data,
                               piece->len, request->sink_arg);
    if (!exchange->is_deferred) { /* else the owner is whoever holds the deferral */
        owner_leave(exchange);
    }
    return result;
}

static int call(struct exchange *exchange, const void *data, ssize_t len)
{
    struct piece piece = {data, len};
    return exchange_call_on_loop(exchange, call_sink, &piece);
}

/* Will somebody answer later, who has the exchange now? */
static bool is_held(const struct exchange *exchange)
{
    return exchange->is_deferred ||
           (exchange->state == EXCHANGE_SUSPENDED && !exchange->has_early_result);
}

int body_sink_put(struct exchange *exchange, struct span piece)
{
    if (exchange->request.sink_is_over) {
        return EXCHANGE_BODY_PAUSE;
    }
    int result = call(exchange, piece.ptr, (ssize_t)piece.len);
    bool wants_more = result == 0 && exchange->state == EXCHANGE_HANDLING && !exchange->is_deferred;
    if (wants_more && !exchange->client_is_gone) {
        exchange->state = EXCHANGE_FLOWING;
        return GALLEY_OK;
    }
    if (wants_more) { /* it left meanwhile */
        body_sink_end(exchange, GALLEY_ECLOSED);
        return GALLEY_OK;
    }
    exchange->request.sink_is_over = true;
    int rc = is_held(exchange) ? EXCHANGE_BODY_PAUSE : GALLEY_OK;
    exchange_returned(exchange, result);
    return rc;
}

void body_sink_end(struct exchange *exchange, int code)
{
    if (exchange->request.sink_is_over) {
        return;
    }
    int result = call(exchange, NULL, code);
    exchange->request.sink_is_over = true;
    /* A sink that has nothing to say to a failure has not taken the body either. The response of a
     * deferral is its holder's already. */
    bool is_silent = result == 0 && !exchange->is_deferred && exchange->response.status == 0;
    exchange_returned(exchange, is_silent && code < 0 ? code : result);
}

bool exchange_sink_begin(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    if (!request->sink || request->sink_is_over || exchange->client_is_gone) {
        return false;
    }
    exchange->state = EXCHANGE_FLOWING;
    if (request->reader) {
        body_reader_begin(request->reader);
    } else {
        body_sink_end(exchange, 0); /* there is no body */
    }
    return true;
}
