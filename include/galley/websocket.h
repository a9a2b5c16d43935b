/*
 * galley/websocket.h — WebSocket (RFC 6455): messages both ways, from and to any thread. An idle
 * socket holds no worker.
 *
 * Handles are counted and stay valid until the last reference is given up, whatever becomes of the
 * client or the server; a call with one that has been given up is GALLEY_ESTATE, also in
 * a child of fork(). Every function accepts NULL. Part of libgalley.
 */
#ifndef GALLEY_WEBSOCKET_H
#define GALLEY_WEBSOCKET_H

#include <galley/http.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A WebSocket connection. */
typedef struct galley_ws galley_ws;

/** Kinds of messages, by their opcodes (RFC 6455 §5.6). */
enum { GALLEY_WS_TEXT = 1, GALLEY_WS_BINARY = 2 };

/** Codes of the end (RFC 6455 §7.4.1). */
enum {
    GALLEY_WS_NORMAL = 1000,
    GALLEY_WS_GOING_AWAY = 1001, /* the server stops, the page was left      */
    GALLEY_WS_PROTOCOL_ERROR = 1002,
    GALLEY_WS_UNSUPPORTED = 1003,
    GALLEY_WS_NO_CODE = 1005,  /* only told: the peer gave none            */
    GALLEY_WS_ABNORMAL = 1006, /* only told: the connection was lost       */
    GALLEY_WS_BAD_DATA = 1007, /* text that is not UTF-8                   */
    GALLEY_WS_POLICY = 1008,
    GALLEY_WS_TOO_BIG = 1009,
    GALLEY_WS_SERVER_ERROR = 1011
};

/** Start from GALLEY_WS_OPTIONS_INIT; zero means the default. */
typedef struct galley_ws_options {
    size_t size;
    size_t max_message_bytes;  /* received; default 1 MiB, else closed with 1009          */
    size_t buffer_bytes;       /* that may wait to be sent; default 256 KiB               */
    uint32_t ping_ms;          /* a ping after so long a silence; default 30 s. No sign of
                                  life in as long again: lost. GALLEY_NO_LIMIT: none      */
    uint32_t close_timeout_ms; /* for the peer's half of the closing handshake; default 5 s */
    const char *protocols;     /* subprotocols spoken, by preference, separated by commas */
    const char *origins;       /* Origin values allowed, separated by spaces, "*": any.
                                  Default: only pages of the request's own host; requests
                                  without Origin (no browser) are let in                  */
    int run;                   /* GALLEY_ON_POOL (default) or GALLEY_ON_LOOP: where message
                                  and closed are called                                   */
    /**
     * A whole message; text is valid UTF-8. data is followed by a NUL that is not
     * counted, and valid during the call. One call at a time for each socket, in
     * order; while they are behind, nothing more is read from the client.
     */
    void (*message)(galley_ws *ws, int kind, galley_str data, void *arg);
    /** Called once, last: why it ended (GALLEY_WS_...), and the peer's words. */
    void (*closed)(galley_ws *ws, int code, galley_str reason, void *arg);
    void *arg;
} galley_ws_options;
#define GALLEY_WS_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(galley_ws_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                                    \
    }

/**
 * Take the request's upgrade: the handshake is answered with 101 when the
 * handler has returned 0 (anything else answers that, and there is no socket).
 * May be sent to before that. Begins with one reference, the caller's; closed is
 * called also when it never opened.
 *
 * *ws is written on success. Returns 0, or a handler result for the caller to
 * return, with what belongs to it set in rs: 426 with Upgrade (not a WebSocket
 * request, or a version other than 13), 400 (a malformed handshake, or a body that
 * GALLEY_BODY_STREAM gives in pieces), 403 (a page of another site),
 * GALLEY_ESTATE (a body was given, another thread's exchange), GALLEY_EINVAL,
 * GALLEY_ENOMEM. In a handler of a GET route; does not block.
 */
GALLEY_API int galley_ws_accept(galley_request *rq, galley_response *rs,
                                const galley_ws_options *opt, galley_ws **ws) GALLEY_MUST_CHECK;

/**
 * Send one message; it is copied. GALLEY_WS_TEXT must be UTF-8 (GALLEY_EINVAL).
 * All or nothing: GALLEY_EFULL when it does not fit into buffer_bytes,
 * GALLEY_ECLOSED after the end or once closing, GALLEY_ENOMEM, GALLEY_ESTATE.
 * Any thread; never waits.
 */
GALLEY_API int galley_ws_send(galley_ws *ws, int kind, const void *data, size_t len);

/**
 * Begin the closing handshake, after what has been sent. code: 1000, 1001, 1003,
 * 1007 to 1011 or 3000 to 4999; reason: NULL, or UTF-8 of at most 123 bytes.
 * 0, also when it is closing already; GALLEY_EINVAL, GALLEY_ESTATE. Any thread;
 * does not block.
 */
GALLEY_API int galley_ws_close(galley_ws *ws, int code, const char *reason);

/**
 * The subprotocol that was agreed on, or ptr NULL. Valid as long as the
 * reference. Any thread; does not block.
 */
GALLEY_API galley_str galley_ws_protocol(const galley_ws *ws);

/** Bytes that wait to be sent. Any thread; does not block. */
GALLEY_API size_t galley_ws_waiting(const galley_ws *ws);

/** One more reference; ws again, or NULL if it was given up. Any thread; does not block. */
GALLEY_API galley_ws *galley_ws_ref(galley_ws *ws);

/** Give a reference up; the last one closes with GALLEY_WS_NORMAL. Any thread; does not block. */
GALLEY_API void galley_ws_unref(galley_ws *ws);

#ifdef __cplusplus
}
#endif
#endif
