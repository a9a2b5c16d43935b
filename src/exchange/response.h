/* exchange/response.h — the response half: status, fields, and a body as a chain of memory and file
 * ranges.
 *
 * Two ways to give fields: one by one (checked: no CR, LF or NUL gets out), or ready-made lines
 * (`ready_fields`), made once by files/ and kept, so that a hit builds nothing. Drivers add Date,
 * Server, Connection, and Content-Length or Transfer-Encoding unless `ready_fields` says it holds
 * the length. */
#ifndef EXCHANGE_RESPONSE_H
#define EXCHANGE_RESPONSE_H

#include "base/chain.h"
#include "base/span.h"

#include <galley/http.h>

struct exchange;
struct exchange_driver;
struct body_writer;
struct coded_answer;
struct coded_body;
struct source;
struct stream;

/* Of a route that compresses (coded_answer.h), or takes compressed bodies (coded_body.h). */
struct response_coding {
    const struct exchange_driver *real_driver;
    struct coded_answer *answer; /* its work, as soon as there is any */
    struct coded_body *body;     /* of the request; NULL: it comes as it is */
    uint8_t tag;                 /* enum coding: which the client's If-None-Match speaks of */
};

struct response_field {
    struct response_field *next;
    struct span name;
    struct span value;
    bool was_hinted; /* it went out in a 103 already: early_hints.h */
    bool lasts;      /* response_reset() keeps it */
};

struct response {
    int status;                    /* 0: not set yet */
    struct response_field *fields; /* in order */
    struct response_field *last_field;
    struct span ready_fields; /* "Name: value\r\n" lines, whole */
    struct chain body;
    int64_t length; /* of the body as the client would get it for GET; -1: unknown (pieces) */
    struct body_writer *writer; /* of every exchange on a worker or deferred; NULL on the loop */
    struct stream *stream;      /* is_begun: it gives the pieces; NULL: galley_res_write() does */
    struct source *source;      /* as well */
    uint64_t piece_bytes;       /* given in pieces so far */
    bool has_ready_length;      /* ready_fields holds Content-Length */
    bool has_body;              /* a body was given, maybe of zero bytes */
    bool borrows_memory;        /* body points into the arena or at memory without release */
    bool is_begun;              /* galley_res_begin() was called */
    bool pieces_ended;          /* with is_begun: response.body holds the rest */
    bool must_close;            /* the connection cannot be kept (unread body, error) */
    bool waits_for_file;        /* galley_res_file(): services->send_file answers */
    bool is_coded;              /* compressed on the way: `length` is not that of what is sent */
    bool is_upgrade;            /* 101: bytes without framing, until the connection ends */
    struct span upgrade;        /* … the token of the Upgrade field; also of 426 */
    struct span file_path;
    struct response_coding coding; /* stays over a reset */
    struct response_field nosniff; /* room for a field that nearly every response has */
};

void response_init(struct response *response, struct chain_pool *chains);
/** Everything set so far is thrown away (a handler failed, or another answer is given), but for fields
 *  that last. */
void response_reset(struct exchange *exchange);

/** Has an answer's body been given, in whatever way? */
static inline bool response_has_body(const struct response *response)
{
    return response->has_body || response->waits_for_file || response->is_begun;
}

/** Replace or add a field; copies into the arena. 0, GALLEY_EINVAL (bad name or value),
 *  GALLEY_ENOMEM. Framing fields (Content-Length, Transfer-Encoding, Connection, Date) are refused
 *  with GALLEY_EINVAL: they are the driver's. */
int response_set_field(struct exchange *exchange, struct span name, struct span value);
int response_add_field(struct exchange *exchange, struct span name, struct span value);
/** response_set_field() in two steps, for who has to do something in between that can fail: make it
 *  (0 or a code as there), … */
int response_prepare_field(struct exchange *exchange, struct span name, struct span value,
                           struct response_field **ret_field);
/** … and put it in the place of those of its name. NULL: nothing is done. */
void response_put_field(struct response *response, struct response_field *field);
/** Behind what is there, also of its name: a node that its maker keeps until the response has ended,
 *  with a name and a value that need no check. */
void response_append_field(struct response *response, struct response_field *field);
/** Take all lines of that name out. */
void response_remove_field(struct response *response, struct span name);
/** NULL-pointer span if not set (ready_fields are not searched). */
struct span response_field(const struct response *response, const char *name);

/** X-Content-Type-Options: nosniff, unless it is set or the fields are ready-made. */
void response_add_nosniff(struct response *response);

/** Body of memory, behind what is there: release(arg) once when it is no longer needed; NULL: lives
 * at least as long as the exchange. */
int response_body_data(struct exchange *exchange, const void *data, size_t len,
                       chain_release_fn *release, void *arg);
/** A copy: small ones go into the chain, larger ones into a block of their own. */
int response_body_copy(struct exchange *exchange, const void *data, size_t len);
/** The same, for who writes the bytes (at least one) itself, at once, to where the result points;
 * NULL: out of memory. */
char *response_body_room(struct exchange *exchange, size_t len);
int response_body_file(struct exchange *exchange, int fd, off_t offset, uint64_t len,
                       chain_release_fn *release, void *arg);
/** Small HTML page for a status without a body; adds Content-Type. 0 or GALLEY_ENOMEM: then without
 * a body. */
int response_error_page(struct exchange *exchange, int status);
/** Throw away what is set and answer with a page of the server's own. */
void response_be_page(struct exchange *exchange, int status);

#endif
