/* exchange/upgrade.c — an exchange becomes a tunnel for another protocol (RFC 9110 §7.8): its output
 * is a stream, its input goes by exchange_tunnel_input(). In a handler. */
#include "http/field_value.h"

#include "exchange/exchange_steps.h"
#include "exchange/stream.h"

enum { FIRST_VERSION = 11, ANY_STATUS = 200, SWITCHING_PROTOCOLS = 101 };

/* RFC 9110 §7.8: Upgrade in an HTTP/1.0 request is ignored; RFC 8441 §4: HTTP/2 asks by an extended
 * CONNECT for that very protocol. */
static bool may_become(const struct request *request, struct span token)
{
    const struct span *asked = &request->connect_protocol;
    return request->version == FIRST_VERSION || (asked->ptr && span_equal_nocase(*asked, token));
}

int exchange_upgrade(struct exchange *exchange, struct span token,
                     const struct stream_options *options, struct stream **ret_stream)
{
    struct response *response = &exchange->response;
    if (token.len == 0 || !field_value_is_valid(token) || !may_become(&exchange->request, token)) {
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
    /* RFC 8441 §5: a tunnel through a stream is a 200. */
    response->status = exchange->request.connect_protocol.ptr ? ANY_STATUS : SWITCHING_PROTOCOLS;
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
