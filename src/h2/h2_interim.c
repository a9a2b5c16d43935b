/* h2/h2_interim.c — interim answers (RFC 9110 §15.2) but 100: HEADERS without END_STREAM before those of
 * the answer (RFC 9113 §8.1). On the loop. They leave in the order in which they were submitted; no
 * window holds HEADERS back; how many there are is bounded by who asks. */
#include "h2/h2_session.h"

int h2_interim(struct exchange *exchange, int status, const struct response_field *fields)
{
    struct h2_stream *stream = h2_stream_of(exchange);
    if (stream->has_answered) {
        return GALLEY_ESTATE;
    }
    if (!stream->is_open || stream->was_reset || stream->session->conn->state == CONN_CLOSED) {
        return GALLEY_ECLOSED;
    }
    int rc = h2_submit_interim(stream, status, fields);
    if (rc == GALLEY_OK) {
        h2_later(stream->session);
    }
    return rc;
}
