/* exchange/public_body.c — galley_req_read() and friends: a request body that is not in memory. On
 * the handler's thread, or that of a deferral's holder. */
#include "exchange/body_reader.h"
#include "exchange/body_spool.h"
#include "exchange/exchange_steps.h"

#include <limits.h>

int galley_req_body_fd(galley_request *rq)
{
    if (!rq) {
        return GALLEY_EINVAL;
    }
    struct exchange *exchange = exchange_of_request(rq);
    if (!OWNER_OK(exchange) || !exchange->request.spool) {
        return GALLEY_ESTATE;
    }
    return exchange->request.spool->fd;
}

uint64_t galley_req_body_size(const galley_request *rq)
{
    if (!rq || !OWNER_OK(exchange_of_request(rq))) {
        return 0;
    }
    const struct request *request = &exchange_of_request(rq)->request;
    /* While a stream is read body_bytes is the loop's. */
    return request->reader && !request->sink ? body_reader_received(request->reader)
                                             : request->body_bytes;
}

static bool has_mode(const struct exchange *exchange, uint8_t mode)
{
    return exchange->route && exchange->route->body_mode == mode;
}

ssize_t galley_req_read(galley_request *rq, void *buf, size_t len)
{
    if (!rq || !buf || len == 0) {
        return GALLEY_EINVAL; /* 0 bytes would look like the end */
    }
    struct exchange *exchange = exchange_of_request(rq);
    const struct request *request = &exchange->request;
    /* An orphan's reader is not to look at more than it must: first the reader. */
    bool has_stream = request->reader || has_mode(exchange, EXCHANGE_BODY_STREAM);
    bool may_read = OWNER_OK(exchange) && has_stream && !request->sink && !loop_is_on_thread();
    if (!may_read) {
        return GALLEY_ESTATE;
    }
    size_t most = len < (size_t)SSIZE_MAX ? len : (size_t)SSIZE_MAX;
    return request->reader ? body_reader_read(request->reader, buf, most) : 0;
}

int galley_req_sink(galley_request *rq, galley_sink *fn, void *arg)
{
    if (!rq || !fn) {
        return GALLEY_EINVAL;
    }
    struct exchange *exchange = exchange_of_request(rq);
    struct request *request = &exchange->request;
    bool is_on_loop =
        OWNER_OK(exchange) && exchange->state == EXCHANGE_HANDLING && exchange->in_handler;
    if (!is_on_loop || !has_mode(exchange, EXCHANGE_BODY_STREAM) || request->sink) {
        return GALLEY_ESTATE;
    }
    int rc = exchange_retain(exchange); /* it outlives this turn */
    if (rc == GALLEY_OK) {
        request->sink = fn;
        request->sink_arg = arg;
    }
    return rc;
}
