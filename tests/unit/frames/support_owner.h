/* tests/unit/frames/support_owner.h — an owner of a session that opens streams by itself (nothing is
 * received), has bodies of a known pattern, keeps a log of events, and reads what was written: as frames,
 * described one by one, bodies compared with the pattern. For tests of the sending half. */
#ifndef TESTS_UNIT_FRAMES_SUPPORT_OWNER_H
#define TESTS_UNIT_FRAMES_SUPPORT_OWNER_H

#include "base/chain.h"

#include "frames/frames_inner.h"

enum { OWNER_STREAMS = 128 };

/** A stream; on the heap, and freed in `closed`. */
struct owned {
    struct frames_stream stream;
    uint64_t ready;    /* bytes that can be sent */
    uint64_t produced; /* put into the chain */
    bool is_end;       /* nothing comes behind them */
};

/** A hook runs first in its event and may do whatever an owner may. */
struct owner;
typedef void owner_hook_fn(struct owner *owner, struct owned *owned);

/** A frame that was written: for models of a client. */
typedef void owner_frame_fn(struct owner *owner, uint8_t type, uint8_t flags, int32_t id,
                            uint32_t len);

struct owner {
    struct frames_session session;
    struct frames_options options;
    struct chain out;
    struct buf scratch;
    struct owned *streams[OWNER_STREAMS]; /* by id / 2; NULL: closed */
    uint64_t read[OWNER_STREAMS];         /* bytes of DATA that were read of it */
    struct buf log;                       /* of events */
    struct buf text;                      /* of what was written */
    owner_hook_fn *on_head_sent;
    owner_hook_fn *on_end_sent;
    owner_hook_fn *on_body;
    owner_hook_fn *on_data;
    owner_hook_fn *on_closed;
    owner_hook_fn *on_input_ended;
    owner_frame_fn *on_frame;
    unsigned asked;   /* event `body` */
    uint64_t written; /* bytes, by owner_write() */
    uint32_t cut;     /* by on_data: send_data sends no more; 0: all */
    bool sends_none;  /* … by on_data, which resets the stream: nothing */
    bool fails;       /* send_data returns -1 */
};

/** Streams of 64 KiB - 1, as every connection begins, and the same for the connection. */
struct frames_options owner_options(void);
/** 0 or GALLEY_ENOMEM. Our SETTINGS wait. */
int owner_init(struct owner *owner, const struct frames_options *options);
/** owner_init() with owner_options(), and what it says is written and forgotten. */
void owner_start(struct owner *owner);
void owner_finish(struct owner *owner);

/** The client asks for something, without a body or (input_ended false) with one. */
struct owned *owner_open(struct owner *owner, int32_t id, bool input_ended);
struct owned *owner_open_as(struct owner *owner, int32_t id, uint8_t urgency, bool is_incremental);
/** NULL: it is closed. */
struct owned *owner_find(struct owner *owner, int32_t id);
/** A head with ":status: 200". */
int owner_head(struct owned *owned, enum frames_head_kind kind);
/** A head, and a body of so many bytes and its end. */
void owner_answer(struct owned *owned, uint64_t bytes);

/** frames_write(), which is to return FRAMES_OK, and what it has put into the chain as text; the chain is empty
 *  afterwards. "HEADERS 1; DATA 1 5 end; RST_STREAM 3 8" */
const char *owner_write(struct owner *owner, uint64_t max_bytes);
/** … without limit. */
const char *owner_write_all(struct owner *owner);
/** Events since the last call: "head 1; end 1; closed 1 0". */
const char *owner_log(struct owner *owner);

/** EXPECT_TEXT(), for an expression that does something. */
#define EXPECT_SAID(expression, expected)                                                          \
    do {                                                                                           \
        const char *said = (expression);                                                           \
        EXPECT_TEXT(said, expected);                                                               \
    } while (0)

#endif
