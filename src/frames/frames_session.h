/* frames/frames_session.h — the state of a connection; part of frames.h, written by this room only. */
#ifndef FRAMES_FRAMES_SESSION_H
#define FRAMES_FRAMES_SESSION_H

#include "frames/frames.h"

/** Where the reader is in the bytes that come. */
enum frames_at {
    FRAMES_AT_PREFACE,
    FRAMES_AT_HEAD,    /* of a frame */
    FRAMES_AT_PADDING, /* its length, the first byte of DATA or HEADERS with PADDED */
    FRAMES_AT_SMALL,   /* a payload, or its beginning, of a known, short length: see small_bytes */
    FRAMES_AT_BLOCK,   /* of HEADERS or CONTINUATION */
    FRAMES_AT_DATA,
    FRAMES_AT_SKIP, /* padding, unknown frames, debug data of GOAWAY */
    FRAMES_AT_END,  /* nothing more is read */
};

enum {
    FRAMES_SMALL_BYTES = 192,           /* all of SETTINGS: FRAMES_MAX_SETTINGS */
    FRAMES_TURNS = 2 * FRAMES_URGENCIES /* of each urgency first those that are not incremental */
};

/** Of the frame that is being received. */
struct frames_input {
    uint8_t at;          /* enum frames_at */
    uint8_t small_len;   /* gathered; of the preface: received */
    uint8_t small_bytes; /* … to be gathered, at FRAMES_AT_SMALL */
    uint8_t small[FRAMES_SMALL_BYTES];
    uint8_t type;
    uint8_t flags;
    uint8_t padding;
    bool is_taken; /* DATA that goes to its stream, if that is still open */
    int32_t id;
    uint32_t left;   /* bytes of its payload to come, with padding … */
    uint32_t length; /* … and all of them */
};

/** Of the header block that is being received. */
struct frames_block {
    int32_t id;
    struct buf rest; /* bytes of a field that is not whole yet */
    int64_t length;  /* Content-Length; -1 */
    uint16_t facts;  /* what its fields have said: frames_judge.c */
    uint8_t urgency;
    bool is_open : 1; /* CONTINUATION must follow (RFC 9113 §6.10) */
    bool is_end : 1;  /* END_STREAM */
    bool is_trailer : 1;
    bool is_ignored : 1;   /* decoded for the table only */
    bool is_late : 1;      /* … for its stream is closed */
    bool is_request : 1;   /* … and it has what only requests have */
    bool is_refused : 1;   /* … and answered with RST_STREAM at its end: no memory */
    bool is_malformed : 1; /* … PROTOCOL_ERROR */
    bool is_incremental : 1;
    bool is_prioritized : 1; /* by PRIORITY_UPDATE, ahead of it */
};

/** Priorities that came ahead of their streams (RFC 9218 §7.1): frames_early.c. */
struct frames_early {
    int32_t id;
    uint8_t urgency;
    bool is_incremental;
};
struct frames_early_list {
    unsigned count;
    struct frames_early entries[FRAMES_MOST_EARLY];
};

/** What waits for frames_write(). */
struct frames_output {
    struct buf control;              /* whole frames, all but DATA */
    size_t head_at;                  /* where the head that is being written begins in control */
    uint32_t waiting_acks;           /* in control */
    struct list heads;               /* streams whose final head is in control */
    struct list resets;              /* streams whose RST_STREAM is in control */
    bool has_refusals;               /* RST_STREAM in control without a stream … */
    uint32_t refusals[FRAMES_CODES]; /* … how many, by their code */
    struct list fresh;               /* streams whose owner must be asked, whatever the windows */
    struct list schedule[FRAMES_TURNS]; /* streams that wait for their turn to send DATA */
    uint32_t turns;                     /* a bit for each list of them that is not empty */
};

struct frames_session {
    const struct frames_events *events;
    void *ctx;
    struct frames_options options;
    struct buf *scratch;
    struct hpack_decoder decoder;
    struct hpack_encoder encoder;
    struct frames_stream *buckets[FRAMES_BUCKETS]; /* by id: frames_stream_find() */
    unsigned open_streams;

    /* receiving */
    struct frames_input in;
    struct frames_block block;
    struct frames_early_list *early; /* NULL: none */
    int32_t last_id;                 /* the highest that the client has used */
    int32_t last_taken;              /* … that was given to the owner */
    int32_t last_allowed;            /* by our GOAWAY; FRAMES_MAX_ID */
    int32_t recv_window;
    int32_t recv_size;
    uint32_t consumed;
    int32_t first_recv_window; /* of new streams: ours is in force when acknowledged */

    /* sending */
    struct frames_output out;
    int32_t send_window;
    int32_t first_send_window; /* of new streams: the client's SETTINGS_INITIAL_WINDOW_SIZE */
    bool has_settings : 1;     /* the client's first */
    bool settings_acked : 1;   /* ours */
    bool got_goaway : 1;       /* the client opens no more */
    bool said_goaway : 1;      /* for good */
    bool is_ending : 1;        /* frames_end(), or an error */
    bool no_priorities : 1;    /* the client's first SETTINGS said NO_RFC7540_PRIORITIES */
};

#endif
