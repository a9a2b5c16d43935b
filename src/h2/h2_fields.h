/* h2/h2_fields.h — inside the h2 room: the head of an answer as HTTP/2 fields. On the loop. */
#ifndef H2_H2_FIELDS_H
#define H2_H2_FIELDS_H

#include "h2/h2_session.h"

struct h2_answer {
    int status;
    int64_t length; /* of Content-Length; -1: none is said */
    bool has_body;  /* DATA follows */
    bool in_pieces; /* more of it comes later */
};

struct h2_answer h2_answer_of(const struct exchange *exchange);
/** Submit the head, with END_STREAM if no body follows. 0, GALLEY_ENOMEM, or GALLEY_EINVAL: a field that
 *  must not be sent. */
int h2_submit_answer(struct h2_stream *stream, const struct response *response,
                     const struct h2_answer *answer);

#endif
