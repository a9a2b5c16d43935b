/* h2/h2_session.h — inside the h2 room: the driver's, a connection's and a stream's state. Nobody else
 * includes this. On the loop.
 *
 * The rules that hold everywhere:
 * - frames_receive() and frames_write() are called from one place at a time: what happens outside of
 *   them (an answer from a worker) only notes what is to be done (h2_later), or puts frames aside, and
 *   h2_settle() does the rest, for all streams at once.
 * - a stream object lives as long as somebody refers to it: the room frames (until the stream is
 *   closed), its exchange (until that has ended, which may be long after), and each piece of its body
 *   in conn->out. */
#ifndef H2_H2_SESSION_H
#define H2_H2_SESSION_H

#include "base/buf.h"
#include "base/list.h"
#include "conn/conn_set.h"
#include "frames/frames.h"
#include "http/date.h"

#include "h2/h2_driver.h"

struct h2_block;
struct h2_head;
struct h2_lines;

enum {
    H2_COPY_BYTES = 1024,
    H2_KEPT_LINES = 64,         /* a power of two */
    H2_MAX_ANSWER = 64 * 1024,  /* names and values of an answer's head */
    H2_MAX_WAITING = 64 * 1024, /* frames that wait for room before we stop reading */
};

/** A leaky bucket for each row of h2_guard_list.h. */
struct h2_guard {
    int64_t leaked_ms[H2_GUARD_COUNT]; /* up to when it has leaked */
    uint32_t level[H2_GUARD_COUNT];
    uint32_t explained[H2_GUARD_COUNT]; /* to come, and not to be counted */
    uint64_t data_bytes;                /* of bodies, sent */
};

enum h2_drain {
    H2_DRAIN_NONE,
    H2_DRAIN_NOTICE, /* GOAWAY with the highest id was said: requests on their way are still taken */
    H2_DRAIN_FINAL,  /* … and with the last one taken */
};

struct h2_session {
    struct conn *conn;
    struct h2_driver *driver;
    struct frames_session frames;
    struct list streams;  /* whose `session` is this one, whatever their state */
    struct list ready;    /* streams that have something to do: h2_stream.ready */
    struct list over;     /* … that have only to let go of what they hold: the same link */
    struct list link;     /* in driver->dirty */
    struct timer tick;    /* slow streams, the grace of a drain */
    struct h2_head *head; /* of the header block that is being received */
    int32_t head_id;
    int64_t opened_ms;
    int64_t head_began_ms;
    int64_t idle_since_ms; /* the last stream ended; PING and its like do not count */
    int64_t drain_began_ms;
    uint64_t trailer_bytes;
    uint32_t trailers;
    uint32_t continuations; /* behind one HEADERS */
    unsigned open_streams;
    unsigned abandoned; /* streams that have gone while their handler goes on */
    struct h2_guard guard;
    struct h2_block *block; /* the last that was taken, while its bytes are in conn->out */
    unsigned blocks;        /* … and all of them */
    uint64_t room;          /* so much the kernel will surely take */
    uint64_t no_room_at;    /* it had none for a frame behind so many bytes; 0: it had */
    uint8_t drain;          /* enum h2_drain */
    uint8_t end_reason;     /* enum close_reason, when there will be no more streams */
    uint8_t flood;          /* 1 + enum h2_guard_kind, when a guard has spoken */
    bool is_working;        /* h2_settle() comes */
    bool has_settings;      /* the client's preface was whole */
    bool has_failed;        /* GOAWAY with an error was said */
};

enum h2_body {
    H2_BODY_DONE,    /* all of it was taken, or nobody wants it: what comes is dropped */
    H2_BODY_UNREAD,  /* nobody has asked for it yet */
    H2_BODY_READING, /* goes to the exchange */
    H2_BODY_TUNNEL,  /* behind an extended CONNECT: raw bytes */
};

struct h2_stream {
    struct frames_stream frames;
    struct list link;  /* session->streams; or free */
    struct list ready; /* session->ready, or ->over */
    struct h2_driver *driver;
    struct h2_session *session; /* NULL: the connection has gone */
    struct exchange *exchange;  /* NULL: it has ended, or was given up */
    struct chain body;          /* of the answer: taken from the exchange, not in conn->out */
    struct buf pending;         /* of the request's body: received, not taken */
    uint64_t out_left;          /* of an answer in pieces with a declared length */
    int64_t in_since_ms;        /* the rate of its body counts from here … */
    int64_t out_since_ms;       /* … and that of its answer from here */
    int64_t file_seen_ms;       /* the file at the front of `body` was long enough */
    uint64_t in_bytes;
    uint64_t out_bytes;
    uint32_t held; /* received and not yet given back to the client's windows */
    uint32_t refs;
    uint32_t pieces;             /* of its memory in conn->out */
    uint8_t body_state;          /* enum h2_body */
    bool is_open : 1;            /* the room frames has it */
    bool has_exchange : 1;       /* that has not ended, whoever has it */
    bool is_abandoned : 1;       /* … and is counted: its handler goes on without the stream */
    bool is_paused : 1;          /* nothing of the body is handed on before h2_resume_body() */
    bool is_reading : 1;         /* the client is to send more of it */
    bool is_widened : 1;         /* its window is that of a body that is read */
    bool input_ended : 1;        /* END_STREAM was received … */
    bool input_told : 1;         /* … and its reader knows */
    bool waits_for_continue : 1; /* the client sends no body before 100 Continue */
    bool is_tunnel : 1;          /* the request is an extended CONNECT */
    bool is_lingering : 1;       /* all is sent; what comes is dropped, since in_since_ms */
    bool has_answered : 1;       /* the head of the answer was submitted … */
    bool answer_ended : 1;       /* … its last byte is in `body` or gone … */
    bool is_sent : 1;            /* … and END_STREAM is in conn->out */
    bool is_counted : 1;         /* pieces are counted against out_left */
    bool is_muted : 1;           /* HEAD: pieces are dropped */
    bool in_pieces : 1;
    bool wants_pieces : 1; /* exchange_pieces_wanted() is due */
    bool was_reset : 1;    /* RST_STREAM was submitted */
    bool has_begun : 1;    /* the head of the answer is in conn->out */
};

struct h2_driver {
    struct protocol protocol;
    struct exchange_driver exchange_driver;
    struct exchange_pool *exchanges;
    const struct exchange_services *services;
    struct h2_options options;
    struct h2_counters counters;
    struct list dirty; /* sessions that h2_settle() must look at */
    struct loop_post go_on;
    bool is_posted;
    struct list free_heads;
    unsigned free_head_count;
    struct list free_streams;
    unsigned free_stream_count;
    struct list free_blocks;
    unsigned free_block_count;
    unsigned streams; /* alive */
    struct h2_lines *lines[H2_KEPT_LINES];
    struct buf scratch; /* of frames_receive(), for all sessions */
    struct buf name;    /* of an answer's field, in lower case */
    struct hpack_line ok_line;
    struct hpack_line server_line; /* name.ptr NULL: none is said */
    struct hpack_line nosniff_line;
    struct hpack_line date_line;
    int64_t date_s;
    char date[DATE_LEN];
};

static inline struct h2_stream *h2_stream_of(const struct exchange *exchange)
{
    return exchange->driver_ctx;
}
static inline struct h2_stream *h2_stream_of_frames(struct frames_stream *frames)
{
    return (struct h2_stream *)frames; /* the first member: also NULL stays NULL */
}
static inline struct h2_driver *h2_driver_of(const struct conn *conn)
{
    return conn->protocol->ctx;
}

/* h2_driver.c */

/** The window of a connection: bodies that nobody reads cannot take the room of those that are read. */
uint32_t h2_all_windows(const struct h2_options *options);

/* h2_session.c */

/** 0 or GALLEY_ENOMEM. */
int h2_session_open(struct conn *conn);
void h2_session_received(struct h2_session *session, const char *data, size_t len);
/** The connection has gone. */
void h2_session_close(struct h2_session *session);
/** Do what is to be done, send, and give the connection its state. */
void h2_settle(struct h2_session *session);
/** h2_settle() will come, in this turn of the loop. */
void h2_later(struct h2_session *session);
/** The last word: GOAWAY with this code, and the end. */
void h2_end(struct h2_session *session, uint32_t code, enum close_reason reason);
/** Nothing can be promised any more. */
void h2_out_of_memory(struct h2_session *session);

/* h2_events.c: what the room frames tells */

extern const struct frames_events h2_events;

/* h2_guard.c */

/** One more of that kind: false, and session->flood is set, if it was one too many. */
bool h2_guard_charge(struct h2_session *session, enum h2_guard_kind kind);
/** So many of that kind have a reason, whenever they come. */
void h2_guard_explain(struct h2_session *session, enum h2_guard_kind kind, uint32_t count);
/** What follows from a request … */
void h2_guard_request(struct h2_session *session);
/** … and from a DATA frame that was sent, if the client's windows did not hold the rest back. */
void h2_guard_data_sent(struct h2_session *session, size_t len, bool is_held_back);

/* h2_drain.c */

/** Say in two steps that no more requests are taken; the connection ends with the last stream. */
void h2_drain_begin(struct h2_session *session, enum close_reason reason);
/** The client has answered our PING: what it sent before it knew has come. */
void h2_drain_answered(struct h2_session *session, const uint8_t opaque[8]);
/** Does something need the tick? It is armed. */
void h2_tick_if_needed(struct h2_session *session);

/* h2_stream.c */

/** Of a stream whose request is whole, with its exchange. NULL: out of memory. */
struct h2_stream *h2_stream_create(struct h2_session *session);
static inline void h2_stream_ref(struct h2_stream *stream)
{
    stream->refs++;
}
void h2_stream_unref(struct h2_stream *stream);
/** h2_stream_go_on() is due. */
void h2_stream_wake(struct h2_stream *stream);
void h2_stream_go_on(struct h2_stream *stream);
/** Call fn for every stream of the session, which may end any of them. */
void h2_streams_each(struct h2_session *session, void (*fn)(struct h2_stream *stream));
/** RST_STREAM. */
void h2_stream_reset(struct h2_stream *stream, uint32_t code);
/** Both sides have ended, or one has reset it, or the connection has gone. */
void h2_stream_closed(struct h2_stream *stream);
/** END_STREAM of the answer is in conn->out. */
void h2_stream_sent(struct h2_stream *stream);
/** exchange_driver.released */
void h2_stream_released(void *driver_ctx);

/* h2_request.c */

/** The header block of a request is whole. False: no memory, or a guard; the connection ends. */
bool h2_request_begin(struct h2_session *session, int32_t id, bool end_stream);

/* h2_body.c */

/** exchange_driver.read_body, .resume_body */
void h2_read_body(struct exchange *exchange);
void h2_resume_body(struct exchange *exchange);
/** A piece of DATA. */
void h2_body_received(struct h2_stream *stream, struct span piece);
/** END_STREAM. */
void h2_body_input_ended(struct h2_stream *stream);
/** Hand on what waits, if it is wanted. */
void h2_body_go_on(struct h2_stream *stream);
/** The answer is complete, its request is not. */
void h2_body_linger(struct h2_stream *stream);
/** … Does the client go on? Else RST_STREAM. */
void h2_body_judge_linger(struct h2_stream *stream);
/** READING: the rest will not come. */
void h2_body_fail(struct h2_stream *stream, int status);
/** Nobody wants the rest. */
void h2_body_drop(struct h2_stream *stream);
/** The answer opens a tunnel. */
void h2_body_tunnel(struct h2_stream *stream);

/* h2_fields.c */

/** What the client's table shall remember of a field; its name in any case. */
enum hpack_how h2_how_of(struct span name);
/** 100 Continue, 103 … (fields may be NULL): HEADERS that end nothing. 0, GALLEY_ENOMEM, or GALLEY_EINVAL:
 *  too large. */
int h2_submit_interim(struct h2_stream *stream, int status, const struct response_field *fields);

/* h2_respond.c: exchange_driver */

void h2_respond(struct exchange *exchange);
void h2_pieces(struct exchange *exchange);
void h2_abort(struct exchange *exchange, int galley_code);
void h2_give_up(struct exchange *exchange, int status);
/** h2_interim.c */
int h2_interim(struct exchange *exchange, int status, const struct response_field *fields);

/* h2_send.c */

/** frames_events.body and .send_data: DATA, into conn->out. */
struct frames_ready h2_send_ready(void *ctx, struct frames_stream *frames);
int64_t h2_send_data(void *ctx, struct frames_stream *frames, const uint8_t head[FRAMES_HEAD_BYTES],
                     uint32_t len);
/** Move all of `body` behind the stream's. 0 or GALLEY_ENOMEM. */
int h2_take_body(struct h2_stream *stream, struct chain *body);
/** So many bytes have been added to the stream's body. */
void h2_body_added(struct h2_stream *stream, uint64_t bytes);

#endif
