/* frames/frames.h — HTTP/2 connections as RFC 9113 has them, server side: bytes that were received become
 * events, what is to be said becomes frames in a chain. Frames, HPACK, stream states, flow control, priorities
 * (RFC 9218), and the judgement of §8 on messages are here; what a request means, limits on what a client may
 * repeat, time, and memory of bodies are the room h2's.
 *
 * No I/O, no clock, no lock: one loop's. Nothing is called back but inside of frames_receive() and
 * frames_write(), and nothing of a stream ends but there: what is submitted outside waits for
 * frames_write(). Inside an event everything but these two, frames_init() and frames_finish() may be called. */
#ifndef FRAMES_FRAMES_H
#define FRAMES_FRAMES_H

#include "base/buf.h"
#include "base/chain.h"
#include "base/list.h"
#include "hpack/hpack.h"

/** RFC 9113 §6 and RFC 9218 §7.1 */
enum frames_type {
    FRAMES_DATA = 0,
    FRAMES_HEADERS = 1,
    FRAMES_PRIORITY = 2,
    FRAMES_RST_STREAM = 3,
    FRAMES_SETTINGS = 4,
    FRAMES_PUSH_PROMISE = 5,
    FRAMES_PING = 6,
    FRAMES_GOAWAY = 7,
    FRAMES_WINDOW_UPDATE = 8,
    FRAMES_CONTINUATION = 9,
    FRAMES_PRIORITY_UPDATE = 0x10,
};

enum frames_flag {
    FRAMES_END_STREAM = 0x01,
    FRAMES_ACK = 0x01,
    FRAMES_END_HEADERS = 0x04,
    FRAMES_PADDED = 0x08,
    FRAMES_HAS_PRIORITY = 0x20,
};

/** RFC 9113 §7 */
enum frames_code {
    FRAMES_NO_ERROR = 0,
    FRAMES_PROTOCOL_ERROR = 1,
    FRAMES_INTERNAL_ERROR = 2,
    FRAMES_FLOW_CONTROL_ERROR = 3,
    FRAMES_SETTINGS_TIMEOUT = 4,
    FRAMES_STREAM_CLOSED = 5,
    FRAMES_FRAME_SIZE_ERROR = 6,
    FRAMES_REFUSED_STREAM = 7,
    FRAMES_CANCEL = 8,
    FRAMES_COMPRESSION_ERROR = 9,
    FRAMES_CONNECT_ERROR = 10,
    FRAMES_ENHANCE_YOUR_CALM = 11,
    FRAMES_CODES /* how many */
};

enum {
    FRAMES_HEAD_BYTES = 9,
    FRAMES_MAX_PAYLOAD = 16384, /* what we take (SETTINGS_MAX_FRAME_SIZE) and what we send */
    FRAMES_FIRST_WINDOW = 65535,
    FRAMES_MAX_WINDOW = 0x7fffffff,
    FRAMES_MAX_ID = 0x7fffffff,
    FRAMES_MAX_WAITING_ACKS = 200, /* answers to PING and SETTINGS that are not in the chain yet */
    FRAMES_MAX_SETTINGS = 32,      /* entries of one SETTINGS */
    FRAMES_MOST_EARLY = 128,       /* priorities that are kept ahead of their streams */
    FRAMES_KEPT_BYTES = 4096,      /* of control and of block.rest each, while nothing is in it */
    FRAMES_BUCKETS = 32,           /* a power of two */
    FRAMES_URGENCIES = 8,          /* RFC 9218 §4.1: 0 first */
    FRAMES_USUAL_URGENCY = 3,
};

struct frames_session;

/** Embedded in whatever the owner has for a stream; see frames_stream_open(). Nobody else writes to it. */
struct frames_stream {
    struct frames_session *session; /* NULL: closed, or never open */
    struct frames_stream *next;     /* in its bucket */
    struct list link; /* in one of session's lists (heads, fresh, schedule, resets), or in none */
    int32_t id;
    int32_t send_window; /* may be below 0 (RFC 9113 §6.9.2) */
    int32_t recv_window; /* what the client may still send; may be below 0 */
    int32_t recv_size;   /* the window as it was said: recv_window + not consumed */
    uint32_t consumed;   /* given back, not yet said */
    int64_t length_left; /* of Content-Length (RFC 9113 §8.1.1); -1: none was said */
    uint32_t reset_code; /* when was_reset */
    uint8_t urgency;
    bool is_incremental : 1;
    bool input_ended : 1;  /* END_STREAM was received */
    bool output_ended : 1; /* … was sent */
    bool was_reset : 1;    /* frames_reset(); RST_STREAM is in session->out.control */
    bool has_answer : 1;   /* a final head was submitted */
    bool has_body : 1;     /* … and DATA follows it */
    bool is_deferred : 1;  /* the owner has nothing now */
    bool is_blocked : 1;   /* … has bytes, but the stream's window does not let them out */
    bool is_scheduled : 1; /* in session->out.schedule */
    bool is_counted : 1;   /* no more input than length_left */
};

/** What a stream's owner has of its body: see `body`. */
struct frames_ready {
    uint64_t bytes; /* that can be sent now */
    bool is_end;    /* nothing comes behind them */
};

/** What happens. ctx is the session's, `stream` the object of frames_stream_open(). Those that return bool: false
 *  ends the work at once, frames_receive() or frames_write() returns FRAMES_STOPPED and the owner knows why. */
struct frames_events {
    /** A frame's head has come, before it is judged; DATA and HEADERS, too. stream: NULL if none is open. */
    bool (*frame_began)(void *ctx, uint8_t type, uint8_t flags, int32_t id,
                        struct frames_stream *stream);
    /** The header block of a request begins, on a stream of its own, that may be taken (not: one behind our last
     *  GOAWAY). False: no memory; the block is decoded and dropped, and the stream reset (INTERNAL_ERROR). */
    bool (*head_began)(void *ctx, int32_t id);
    /** A field of a request (is_trailer: of a trailer), of a block that has been well-formed so far. */
    bool (*field)(void *ctx, int32_t id, bool is_trailer, const struct hpack_field *field);
    /** The block of a trailer begins (trailers are told by input_ended). */
    void (*trailer_began)(void *ctx, struct frames_stream *stream);
    /** A request's block is whole and well-formed. The owner calls frames_stream_open() or frames_refuse(). */
    bool (*request)(void *ctx, int32_t id, bool is_end);
    /** A request's block, or a trailer, broke RFC 9113 §8; RST_STREAM is under way. head_began's head is let go. */
    void (*malformed)(void *ctx, int32_t id);
    /** Content of DATA; consume it some time. */
    void (*data)(void *ctx, struct frames_stream *stream, struct span piece);
    /** A DATA frame is whole: its length without padding. stream: NULL if none takes it. input_ended follows. */
    bool (*data_ended)(void *ctx, struct frames_stream *stream, uint32_t len, bool is_end);
    /** END_STREAM behind data or a trailer (of a request without a body, `request` tells). */
    void (*input_ended)(void *ctx, struct frames_stream *stream);
    /** The client's SETTINGS, not an ACK. */
    void (*settings)(void *ctx);
    /** The client has answered a PING of ours. */
    void (*ping_answered)(void *ctx, const uint8_t opaque[8]);
    /** The client broke a rule of the connection; GOAWAY with this code is under way. Once. */
    void (*failed)(void *ctx, uint32_t code);

    /** Inside of frames_write(): how much may be sent. Nothing and not the end: deferred until
     *  frames_resume(). */
    struct frames_ready (*body)(void *ctx, struct frames_stream *stream);
    /** Put this head and then `len` bytes of the stream's body into the chain, or fewer with the head of
     *  frames_shorten_head(): how many. 0 of more: none and no head, for the stream was reset in this event. < 0: no
     *  memory. */
    int64_t (*send_data)(void *ctx, struct frames_stream *stream,
                         const uint8_t head[FRAMES_HEAD_BYTES], uint32_t len);
    /** The final head of an answer is in the chain. */
    void (*head_sent)(void *ctx, struct frames_stream *stream);
    /** … END_STREAM of the answer is. The stream goes on if its input has not ended. */
    void (*end_sent)(void *ctx, struct frames_stream *stream);
    /** RST_STREAM is, also of streams that were never open. */
    void (*reset_sent)(void *ctx, uint32_t code);
    /** It is over: both sides have ended, or one has reset it (code; NO_ERROR: both ended). The object is the owner's
     *  again. Also when frames_finish() is called. */
    void (*closed)(void *ctx, struct frames_stream *stream, uint32_t code);
};

/** What we tell the client (RFC 9113 §6.5.2). */
struct frames_options {
    uint32_t max_streams;         /* told; the owner refuses */
    uint32_t stream_window_bytes; /* SETTINGS_INITIAL_WINDOW_SIZE; in force when acknowledged */
    uint32_t conn_window_bytes;   /* at least FRAMES_FIRST_WINDOW */
    uint32_t max_list_bytes;      /* told; the owner counts */
    uint32_t
        max_string_bytes; /* a name or a value: HPACK_TOO_LONG ends the connection (ENHANCE_YOUR_CALM) */
};

enum frames_result {
    FRAMES_OK = 0,
    FRAMES_STOPPED,   /* by an event */
    FRAMES_NO_MEMORY, /* nothing can be promised any more */
    FRAMES_FLOODED,   /* more than FRAMES_MAX_WAITING_ACKS */
    FRAMES_NOT_HTTP2, /* another preface, or something else than SETTINGS behind it */
};

#include "frames/frames_session.h"

/* ---- a connection ---------------------------------------------------------------------------- */

/** What a client begins with (RFC 9113 §3.4). */
struct span frames_preface(void);
/** Writes our SETTINGS and WINDOW_UPDATE; they wait for frames_write(). `scratch` is shared by the loop's sessions.
 *  0 or GALLEY_ENOMEM (then nothing is to be finished). */
int frames_init(struct frames_session *session, const struct frames_options *options,
                const struct frames_events *events, void *ctx, struct buf *scratch);
/** Closes what is open (event `closed`, code CANCEL) and frees. */
void frames_finish(struct frames_session *session);
/** All of `data` is used, or it is FRAMES_STOPPED … and nothing more may be received. After an error of the connection, or
 *  frames_end(), bytes are dropped: FRAMES_OK. */
enum frames_result frames_receive(struct frames_session *session, const void *data, size_t len);
/** Put what waits into `out`: all control frames while it has less than max_bytes, then DATA by priorities, as far as
 *  the windows reach. */
enum frames_result frames_write(struct frames_session *session, struct chain *out,
                                uint64_t max_bytes);
/** Nothing will be received or sent any more: an error's, or the end's, GOAWAY is in the chain; or no streams are
 *  open and none can come (either side has said GOAWAY for good). */
bool frames_has_ended(const struct frames_session *session);
/** Control frames that wait for room. */
size_t frames_waiting_bytes(const struct frames_session *session);

/* These four write a frame each: 0 or GALLEY_ENOMEM. */

/** GOAWAY with the highest id (RFC 9113 §6.8): a drain begins. */
int frames_notice(struct frames_session *session);
/** GOAWAY NO_ERROR with the last id that was taken: later streams are ignored. */
int frames_goaway(struct frames_session *session);
/** GOAWAY with this code: nothing is received, no DATA is sent any more. */
int frames_end(struct frames_session *session, uint32_t code);
int frames_ping(struct frames_session *session, const uint8_t opaque[8]);

/* ---- streams --------------------------------------------------------------------------------- */

/** In the event `request`, for its id: the stream is open. The object must stay until `closed`. */
void frames_stream_open(struct frames_session *session, struct frames_stream *stream, int32_t id,
                        bool input_ended);
/** … or is not taken. 0 or GALLEY_ENOMEM. */
int frames_refuse(struct frames_session *session, int32_t id, uint32_t code);
/** RST_STREAM; once. `closed` comes from frames_write(). What of its answer is not in the chain is not sent. */
int frames_reset(struct frames_stream *stream, uint32_t code);
/** So many bytes of content were used: the client's windows get them back when that is half a window. */
int frames_consume(struct frames_stream *stream, uint32_t bytes);
/** … of a stream that is closed. (DATA that no stream takes is given back by this room.) */
int frames_consume_closed(struct frames_session *session, uint32_t bytes);
/** Widen what the client may send on it to so many bytes. */
int frames_widen(struct frames_stream *stream, uint32_t bytes);

/* ---- answers --------------------------------------------------------------------------------- */

/** A head begins; frames_head_line() for each field, ":status" first; frames_head_end(). It is encoded at once, in the order
 *  of these calls. No other head of the session between them. */
void frames_head_begin(struct frames_stream *stream);
void frames_head_line(struct frames_stream *stream, const struct hpack_line *line);
enum frames_head_kind {
    FRAMES_HEAD_INTERIM,   /* 1xx */
    FRAMES_HEAD_WITH_BODY, /* DATA follows: event `body` is asked */
    FRAMES_HEAD_ONLY,      /* END_STREAM */
};
/** 0 or GALLEY_ENOMEM (the connection is lost: end it). */
int frames_head_end(struct frames_stream *stream, enum frames_head_kind kind);
/** A copy of the head that send_data was given, for fewer bytes: the frame ends nothing, the rest is asked for again. */
void frames_shorten_head(uint8_t head[FRAMES_HEAD_BYTES], uint32_t len);
/** The owner of a deferred body has bytes, or the end. */
void frames_resume(struct frames_stream *stream);

#endif
