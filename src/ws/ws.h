/* ws/ws.h — inside the ws room: a WebSocket connection between its upgraded exchange and the
 * program. Nobody else includes this.
 *
 * Threads: the loop feeds the codec with what comes and keeps the timers; any thread sends; messages
 * go to the program on the loop or, one job at a time, on the pool. What they share is under `lock`,
 * which is never held while the program is called. Order of locks: this one, then the stream's.
 *
 * Life: made in the handler -> the response is an upgrade -> open -> closing (a Close was sent or
 * came) -> the stream ends -> `closed` is called behind the last message. Pins: the exchange's, until
 * its stream has ended; a job's; a post's; those of callers. The program's handles are holders. */
#ifndef WS_WS_H
#define WS_WS_H

#include "base/buf.h"
#include "base/list.h"
#include "exchange/exchange.h"
#include "exchange/handles.h"
#include "loop/loop.h"

#include "ws/ws_codec.h"

#include <galley/websocket.h>

#include <pthread.h>

struct stream;

/** What the loop is asked to do by other threads; bits of ws.wants. */
enum ws_want {
    WS_WANTS_TIMER = 1 << 0,  /* keep time anew: it has opened, or is closing now */
    WS_WANTS_RESUME = 1 << 1, /* the messages have been worked off: read on */
    WS_WANTS_END = 1 << 2,    /* both sides have closed, or the peer is lost */
};

struct ws_message {
    struct list link;
    size_t len;
    int kind;
    char data[]; /* and a NUL */
};

struct ws {
    struct handle handle;
    galley_ws_options options; /* texts in it are not used after the handshake */
    struct span protocol;      /* agreed on; its memory follows the struct */
    galley_pool *pool;         /* of its messages; NULL: on the loop */
    galley_pool *spare_pool;   /* of its end, if that one is full then */
    struct stream *stream;     /* a reference, until ws_free() */
    pthread_mutex_t lock;

    /* the loop's */
    struct loop *loop;         /* NULL: made when that let go already */
    bool is_hung_up;           /* no timer is started any more */
    struct exchange *exchange; /* NULL once the stream has ended */
    struct timer timer;
    int64_t heard_ms;       /* something came from the peer … */
    int64_t closing_ms;     /* … our Close is out since then; 0: it is not */
    struct errands *errand; /* of the job that is queued or runs; also the job\'s */
    int64_t retry_ms;       /* the pool was full: try again then; 0: no */
    bool has_pinged;        /* since it was heard */
    struct loop_post post;  /* of `wants` */

    /* under the lock */
    struct ws_codec *codec;
    struct buf out;     /* what the codec has just said, whole frames */
    struct list inbox;  /* struct ws_message */
    size_t inbox_bytes; /* with what the program has at hand */
    unsigned wants;     /* enum ws_want */
    bool is_attached;   /* the stream is there … */
    bool must_stop;     /* … and the server stopped before it was */
    bool is_posted;     /* post stands in the mailbox */
    bool is_paused;     /* the exchange was told to pause */
    bool is_delivering; /* somebody calls the program, or a job will */
    bool has_ended;     /* the stream has: no message comes any more */
    bool has_told_end;  /* `closed` was called, or is being called */
    int failure;        /* what the stream said to a write of ours: the peer is lost */
};

static inline struct ws *ws_of(struct handle *handle)
{
    return (struct ws *)(void *)((char *)handle - offsetof(struct ws, handle));
}

/* ws.c */
extern const struct handle_kind ws_kind;
/** One pin, the caller's. NULL: out of memory. */
struct ws *ws_create(const galley_ws_options *options, struct span protocol);
/** Under the lock, after each call of the codec: give the stream what it said. 0 or the stream's
 *  answer; the loop ends the socket if one of its own frames did not fit. */
int ws_flush(struct ws *ws);
/** Under the lock. Let the loop do something. */
void ws_want(struct ws *ws, unsigned wants);
/** The codec's events. */
int ws_on_message(void *ctx, int kind, struct span data);
int ws_on_output(void *ctx, const void *data, size_t len);

/* ws_inbox.c */
/** Give the program what is in the inbox, and the end behind it; on the loop. Not under the lock. */
void ws_deliver(struct ws *ws);
/** Forget what is in the inbox. */
void ws_inbox_clear(struct ws *ws);

/* ws_loop.c: on the loop */
/** In the handler: from now on `exchange` is the socket's. */
void ws_attach(struct ws *ws, struct exchange *exchange);
/** exchange_input_fn */
int ws_input(struct exchange *exchange, struct span piece, void *arg);
/** stream_options: nobody reads any more; it has ended; the server stops */
void ws_stream_hung_up(void *arg);
void ws_stream_ended(void *arg);
void ws_stream_stopping(void *arg);
/** loop_post */
void ws_posted(struct loop_post *post);
/** Keep time: set the timer to the next thing that is due. */
void ws_keep_time(struct ws *ws);

enum {
    WS_INBOX_BYTES = 256 * 1024, /* more than this waits for the program: nothing more is read */
    WS_CONTROL_BYTES = 2048,     /* room in the stream for frames of our own */
    WS_RETRY_MS = 10             /* the pool was full */
};

#endif
