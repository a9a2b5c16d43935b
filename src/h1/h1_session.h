/* h1/h1_session.h — inside the h1 room: the driver's and a connection's state. Nobody else includes
 * this. On the loop.
 *
 * A session exists only while a connection has something that must be remembered: an unfinished
 * head, a request in progress, bytes that wait. Between requests conn->session is NULL, and
 * sessions are used again without allocation.
 *
 * The rules that hold everywhere:
 * - at most one request at a time is in progress; the next head is parsed when `exchange` is NULL
 * and `body` is DONE.
 * - the bytes of a head and driver->fields are borrowed by the exchange only inside h1_work(): what
 * is still in
 *   progress at its end is retained (exchange_retain) before anything else is parsed by this
 *   driver. */
#ifndef H1_H1_SESSION_H
#define H1_H1_SESSION_H

#include "base/buf.h"
#include "base/list.h"
#include "conn/conn.h"
#include "wire/chunked.h"
#include "wire/h1_parser.h"
#include "wire/h1_writer.h"

#include "h1/h1_driver.h"

enum h1_body {
    H1_BODY_DONE,     /* all of it was read, or there is none */
    H1_BODY_UNREAD,   /* nobody has asked for it yet */
    H1_BODY_READING,  /* goes to the exchange */
    H1_BODY_DRAINING, /* the answer is given; the rest is dropped */
    H1_BODY_TUNNEL,   /* behind an upgrade: raw bytes, until the connection ends */
};

struct h1_session {
    struct conn *conn;
    struct h1_driver *driver;
    struct exchange *exchange; /* in progress; NULL between requests */
    struct list link;          /* in driver->waiting; or free */
    struct buf pending;        /* received, not used up */
    struct h1_parser parser;
    struct chunked_decoder chunked;
    int64_t head_began_ms; /* the first byte of the unfinished head came */
    uint64_t body_left;    /* of a declared length */
    uint64_t drained_bytes;
    uint64_t out_left;  /* of an answer in pieces with a declared length */
    size_t input_left;  /* inside h1_work(): bytes behind those that are being used */
    uint8_t body;       /* enum h1_body */
    uint8_t end_reason; /* enum close_reason: not NONE when the connection ends with this answer */
    bool body_is_chunked : 1;
    bool body_is_paused : 1;     /* nothing of it is used up before h1_resume_body() */
    bool input_was_ended : 1;    /* the tunnel was told */
    bool waits_for_continue : 1; /* the client sends no body before 100 Continue */
    bool client_keeps_alive : 1;
    bool has_answered : 1;   /* the head of the answer is in conn->out … */
    bool answer_ended : 1;   /* … and so is its last byte */
    bool answer_chunked : 1; /* pieces are framed as chunks */
    bool answer_counted : 1; /* pieces are counted against out_left */
    bool answer_muted : 1;   /* HEAD: pieces are dropped */
};

struct h1_driver {
    struct protocol protocol;
    struct exchange_driver exchange_driver;
    struct exchange_pool *exchanges;
    const struct exchange_services *services;
    const struct http_limits *limits;
    struct h1_counters counters;
    uint32_t max_requests;
    uint32_t max_out_bytes;
    struct h1_session *working; /* in h1_work(): the parser's scratch is in use */
    struct list waiting;        /* sessions that go on when nobody is working */
    struct loop_post go_on;
    bool is_posted;
    struct list free_sessions;
    unsigned free_count;
    struct h1_date_line date;
    char server_line[64]; /* "Server: …\r\n" or empty */
    size_t server_line_len;
    char common_lines[128]; /* h1_ready_head.c: Date and Server */
    size_t common_len;      /* 0: none yet */
    int64_t common_second;
    char known_host[64];   /* a Host that was good */
    size_t known_host_len; /* 0: none yet */
    struct fields fields;  /* scratch: of the head being parsed, until the exchange is retained */
    struct field entries[];
};

static inline struct h1_session *h1_session_of(const struct exchange *exchange)
{
    return exchange->driver_ctx;
}
static inline struct h1_driver *h1_driver_of(const struct conn *conn)
{
    return conn->protocol->ctx;
}

/* An answer has begun and not ended: to close now would cut it. */
static inline bool h1_is_answering(const struct h1_session *session)
{
    return session->exchange && session->has_answered && !session->answer_ended;
}

/* h1_driver.c */

/** conn->session, made if there is none. NULL: out of memory, and then the connection is closed. */
struct h1_session *h1_session_get(struct conn *conn);
/** Forget everything; conn->session is NULL afterwards. */
void h1_session_release(struct h1_session *session);

/* h1_keepalive.c: what happens next on the connection */

/** Use up what can be used of these bytes: heads, bodies. Returns how many; keeps nothing. */
size_t h1_work(struct h1_session *session, char *data, size_t len);
/** The work is done for now: the exchange in progress is made to outlive the turn, the connection
 *  gets its state. The session may be gone afterwards. */
void h1_settle(struct conn *conn);
/** Go on with what is pending, and settle; later, if the scratch is in use. */
void h1_go_on(struct h1_session *session);
/** May more bytes of this connection be used now, besides those that were? */
bool h1_has_input(const struct h1_session *session);

/* h1_request.c */

/** A head, from its first byte on: returns its length once it was complete (or refused: then len),
 *  0 if more must come. The exchange has been dispatched, and may have ended already. */
size_t h1_request_read(struct h1_session *session, char *data, size_t len);
/** Answer with this status and end the connection. Makes an exchange if none is in progress. Not
 * after an answer. */
void h1_reject(struct h1_session *session, int status, enum close_reason reason);

/* h1_body.c: of requests */

/** exchange_driver.read_body, .resume_body */
void h1_read_body(struct exchange *exchange);
void h1_resume_body(struct exchange *exchange);
/** Can bytes of a body, or a tunnel, be used up now? */
bool h1_body_is_wanted(const struct h1_session *session);
/** Uses up bytes of what is wanted; returns how many. */
size_t h1_body_feed(struct h1_session *session, const char *data, size_t len);
/** The answer is being given: can the unread rest be skipped, so that the connection may go on? */
bool h1_body_can_be_drained(const struct h1_session *session);
/** Drop what is left of the body. */
void h1_body_drain(struct h1_session *session);
/** The answer has ended: what is left of the body is dropped, or never looked at. */
void h1_body_answered(struct h1_session *session);
/** READING: the rest will not come. Its reader is told and answers, or else the client gets this
 *  status; the connection ends. */
void h1_body_fail(struct h1_session *session, int status, enum close_reason reason);
/** All input has been used up: if the client has closed its side, a body is not whole. */
void h1_body_input_ended(struct h1_session *session);
/** 101 has been written: what comes from now on is not HTTP. */
void h1_body_tunnel(struct h1_session *session);
/** What is left of the body cannot be skipped: the connection ends, with the answer if that is
 * still being given. */
void h1_body_give_up(struct h1_session *session, enum close_reason reason);

/* h1_respond.c: exchange_driver */

void h1_respond(struct exchange *exchange);
void h1_pieces(struct exchange *exchange);
void h1_abort(struct exchange *exchange, int galley_code);
void h1_give_up(struct exchange *exchange, int status);
/** h1_interim.c: exchange_driver.interim */
int h1_interim(struct exchange *exchange, int status, const struct response_field *fields);
/** The last byte of the answer has been sent. */
void h1_answer_sent(struct h1_session *session);

#endif
