/* exchange/request.h — the request half of an exchange. Spans lie over the driver's receive buffer
 * until exchange_retain() copies the head into the arena. Filled by protocol drivers, read by
 * handlers. */
#ifndef EXCHANGE_REQUEST_H
#define EXCHANGE_REQUEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"
#include "http/fields.h"
#include "http/method.h"
#include "http/target.h"
#include "net/address.h"

#include <galley/stream.h>

#include "exchange/exchange_body.h"

struct body_reader;
struct body_spool;
struct tls_facts;
struct transport;

enum { REQUEST_MAX_PARAMS = 8 };

struct request_param {
    struct span name;
    struct span value; /* decoded */
};

/** That it came over. */
struct request_tls {
    const struct transport *transport; /* NULL: a plain one. On the loop only */
    struct tls_facts *facts;           /* a reference, once it was needed */
    bool is_gone;                      /* the transport must not be asked any more; the loop's */
};

struct request {
    struct span head; /* all bytes of the head; every span below lies in it or in the arena */
    enum method method;
    struct span method_name;
    struct span raw_target;       /* the request target byte for byte */
    struct span connect_protocol; /* RFC 8441: of an extended CONNECT, seen as GET; else ptr NULL */
    struct target target;         /* http/target.h: path (normalized), query */
    struct fields *fields;        /* the driver's scratch until retained, then in the arena */
    const struct peer_address *peer; /* the connection's; copied when retained */
    struct peer_address peer_copy;
    int64_t content_length;     /* declared; -1: chunked; 0: none */
    uint64_t body_bytes;        /* received so far */
    struct buf body;            /* GALLEY_BODY_BUFFER */
    struct body_spool *spool;   /* GALLEY_BODY_SPOOL; NULL: another mode */
    struct body_reader *reader; /* GALLEY_BODY_STREAM, if there is a body; its own lock */
    galley_sink *sink;          /* galley_req_sink(); stays when it is over */
    void *sink_arg;
    bool sink_is_over;        /* it will not be called again */
    bool has_timed_out;       /* the body: 408 */
    exchange_input_fn *input; /* exchange_tunnel_input() */
    void *input_arg;
    uint8_t param_count;
    uint8_t version; /* 10, 11, 20 */
    bool expects_continue;
    uint8_t terminated;           /* REQUEST_VIEW_…: views that end in a NUL already */
    uint8_t params_terminated;    /* a bit for each parameter */
    struct span peer_text;        /* made when asked for */
    struct span host_text;        /* the same */
    struct request_tls tls;       /* exchange/request_tls.h */
    struct request_value *values; /* galley_req_set(), newest first */
    struct request_param params[REQUEST_MAX_PARAMS]; /* last: it is never cleared */
};

enum {
    REQUEST_VIEW_METHOD = 1,
    REQUEST_VIEW_PATH = 2,
    REQUEST_VIEW_TARGET = 4,
    REQUEST_VIEW_QUERY = 8
};

/** The host that it is for, without port and without a dot at the end, in the case in which it came;
 *  ptr NULL: none, or none that is well-formed. */
struct span request_host(const struct request *request);
/** In lower case; NUL-terminated. ptr NULL for a missing span, or when there is no room. */
struct span request_lower_copy(struct arena *arena, struct span s);

/** Value of a field by number, first line; ptr NULL if there is none. For handlers inside
 * galley. */
static inline struct span request_field(const struct request *request, enum field_id id)
{
    return request->fields ? fields_get(request->fields, id) : SPAN_NONE;
}

#endif
