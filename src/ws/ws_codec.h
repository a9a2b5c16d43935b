/* ws/ws_codec.h — WebSocket frames <-> messages, on Debian's wslay, with the limits and the closing
 * rules that it leaves open. No I/O: bytes go in by ws_codec_feed(), come out by the callback
 * `output`. One owner at a time (the socket's lock): no call from inside a callback.
 *
 * Life: open -> one side has sent Close -> both have (or an error has): is_over. Bytes that are fed
 * after the peer's Close are dropped. */
#ifndef WS_WS_CODEC_H
#define WS_WS_CODEC_H

#include "base/span.h"

struct ws_codec;

struct ws_codec_events {
    /** A whole message: GALLEY_WS_TEXT (valid UTF-8) or GALLEY_WS_BINARY. Borrowed. 0, or a
     *  negative code: it cannot be kept, the socket is closed with 1011. */
    int (*message)(void *ctx, int kind, struct span data);
    /** Bytes for the peer, in order. 0, or a negative code: the socket is lost. */
    int (*output)(void *ctx, const void *data, size_t len);
    void *ctx;
};

/** NULL: out of memory. */
struct ws_codec *ws_codec_create(const struct ws_codec_events *events, size_t max_message_bytes);
void ws_codec_destroy(struct ws_codec *codec);

/** Bytes from the peer. Pings are answered, errors and the peer's Close lead to a Close of our
 *  own. */
void ws_codec_feed(struct ws_codec *codec, const void *data, size_t len);

/** 0, GALLEY_ECLOSED once closing, GALLEY_ENOMEM, or what output returned. */
int ws_codec_send(struct ws_codec *codec, int kind, struct span data);
int ws_codec_ping(struct ws_codec *codec);
/** Our Close; nothing can be sent behind it. 0 also when one has been sent; else as above. */
int ws_codec_close(struct ws_codec *codec, int code, struct span reason);

/** Upper bound of what ws_codec_send() gives to output for a message of len bytes. */
static inline size_t ws_codec_frame_bytes(size_t len)
{
    return len + 10; /* RFC 6455 §5.2: 2, and up to 8 of length; a server does not mask */
}

/** Has our Close been sent? */
bool ws_codec_is_closing(const struct ws_codec *codec);
/** Nothing more will be sent or taken: the connection can end. */
bool ws_codec_is_over(const struct ws_codec *codec);

/** Why it ended, for the program: the peer's code and words if it sent a Close, else ours, else
 *  GALLEY_WS_ABNORMAL. */
struct ws_end {
    int code;
    struct span reason; /* in the codec */
};
struct ws_end ws_codec_end(const struct ws_codec *codec);

#endif
