/* http/framing.h — where a request's body ends, decided once from its head (RFC 9112 §6), or why
 * the request is refused. Judged before method and route; after a refusal the connection closes, so
 * that what two parsers could read in two ways is never read as a second request. Caller: the
 * protocol drivers. Pure; any thread. */
#ifndef HTTP_FRAMING_H
#define HTTP_FRAMING_H

#include "http/fields.h"
#include "http/method.h"

enum framing_body { FRAMING_NO_BODY, FRAMING_LENGTH, FRAMING_CHUNKED };

enum framing_reason {
#define FRAMING_REASON(id, status, sentence) FRAMING_REASON_##id,
#include "http/framing_reason_list.h"
#undef FRAMING_REASON
    FRAMING_REASON_COUNT
};

struct framing {
    enum framing_reason reason; /* FRAMING_REASON_NONE: the rest is valid */
    enum framing_body body;     /* Content-Length: 0 is FRAMING_NO_BODY */
    uint64_t length;            /* with FRAMING_LENGTH: > 0, at most 18 digits */
    bool wants_continue;        /* 100 Continue is awaited before the body, and there is one */
    bool wants_keep_alive;      /* the client allows another request on this connection */
};

/** version 10 or 11. */
struct framing framing_judge(int version, enum method method, const struct fields *fields);
/** The same for who remembers a Host that was good: most requests that a server gets have the same.
 * ptr NULL: none. */
struct framing framing_judge_again(int version, enum method method, const struct fields *fields,
                                   struct span known_host);
/** 0 for FRAMING_REASON_NONE, else 400, 417 or 501. */
int framing_reason_status(enum framing_reason reason);
struct span framing_reason_text(enum framing_reason reason);

#endif
