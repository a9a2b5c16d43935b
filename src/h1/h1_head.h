/* h1/h1_head.h — inside the h1 room: the head of an answer. On the loop. */
#ifndef H1_H1_HEAD_H
#define H1_H1_HEAD_H

#include "h1/h1_session.h"

enum h1_framing { H1_FRAMING_NONE, H1_FRAMING_LENGTH, H1_FRAMING_CHUNKED, H1_FRAMING_CLOSE };

/** How an answer is delimited (RFC 9112 §6), decided before its head is written. */
struct h1_answer {
    int status;
    enum h1_framing framing;
    uint64_t length;     /* H1_FRAMING_LENGTH */
    bool has_body;       /* bytes follow the head */
    bool in_pieces;      /* more of them come later */
    bool will_close;     /* … the connection after this answer */
    bool is_http_1_0;    /* the client's version */
    struct span upgrade; /* 101: to what; then bytes without framing follow */
    struct span offer;   /* 426: what the client is to upgrade to; else ptr NULL */
};

struct h1_answer h1_answer_of(const struct exchange *exchange);
/** Write the head behind conn->out. 0, GALLEY_ENOMEM, or GALLEY_EINVAL: a field that must not be
 * sent. */
int h1_head_write(struct h1_session *session, const struct response *response,
                  const struct h1_answer *answer);
/** h1_ready_head.c: the same for ready-made fields alone. False: it is no such answer, nothing was
 * done. */
bool h1_ready_head_write(struct h1_session *session, const struct response *response,
                         const struct h1_answer *answer, int *ret_rc);

#define H1_NOSNIFF SPAN("X-Content-Type-Options: nosniff\r\n")

#endif
