/* exchange/upgrade.c — an exchange becomes a tunnel for another protocol (RFC 9110 §7.8): its output
 * is a stream, its input goes by exchange_tunnel_input(). In a handler. */
#include "http/field_value.h"

#include "exchange/exchange_steps.h"
#include "exchange/stream.h"

enum { FIRST_VERSION = 11, ANY_STATUS = 200, SWITCHING_PROTOCOLS = 101 };

int exchange_upgrade(struct exchange *exchange, struct span token,
                     const struct stream_options *options, struct stream **ret_stream)
{
    struct response *response = &exchange->response;
    /* RFC 9110 §7.8: Upgrade in an HTTP/1.0 request is ignored. */
    if (token.len == 0 || !field_value_is_valid(token) ||
        exchange->request.version != FIRST_VERSION) {
        return GALLEY_EINVAL;
    }
    int rc = response_claim_body(exchange, ANY_STATUS);
    if (rc != GALLEY_OK) {
        return rc;
    }
    response->upgrade = arena_copy(&exchange->arena, token);
    if (!response->upgrade.ptr) {
        return GALLEY_ENOMEM;
    }
    int before = response->status;
    response->is_upgrade = true;
    response->status = SWITCHING_PROTOCOLS;
    struct stream *stream = stream_begin(exchange, options);
    if (!stream) {
        response->is_upgrade = false;
        response->upgrade = SPAN_NONE;
        response->status = before;
        return GALLEY_ENOMEM;
    }
    *ret_stream = stream;
    return GALLEY_OK;
}
