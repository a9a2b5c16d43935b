/* tests/unit/frames/support_reader.h — an owner that writes down what it is told, for the receiving half, and
 * frames by hand (RFC 9113 §4.1). What happens is text: "head 1; field 1 :method=GET; request 1 end", and what
 * is said in return is, too: "RST_STREAM 1 PROTOCOL_ERROR". */
#ifndef TESTS_UNIT_FRAMES_SUPPORT_READER_H
#define TESTS_UNIT_FRAMES_SUPPORT_READER_H

#include "base/error.h"
#include "frames/frames.h"

/* ---- what a client sends --------------------------------------------------------------------- */

/** A frame whose head says what its payload is. */
void wire_frame(struct buf *out, uint8_t type, uint8_t flags, int32_t id, const void *payload,
                size_t len);
/** The same, of a payload that is a string literal. */
#define WIRE_FRAME(out, type, flags, id, literal)                                                  \
    wire_frame((out), (type), (flags), (id), "" literal, sizeof(literal) - 1)
/** A head alone, with any length. */
void wire_head(struct buf *out, uint32_t len, uint8_t type, uint8_t flags, int32_t id);
/** RFC 7541 §6.2.2: literal without indexing, nothing in Huffman code. */
void wire_field(struct buf *block, const char *name, const char *value);
/** HEADERS with END_HEADERS and these flags; lines by pairs, NULL at the end. */
void wire_headers(struct buf *out, uint8_t flags, int32_t id, const char *const *lines);
/** GET / of http://a, with these flags. */
void wire_get(struct buf *out, uint8_t flags, int32_t id);
/** The block of it. */
void wire_get_block(struct buf *block);
/** The preface and empty SETTINGS. */
void wire_begin(struct buf *out);

#define GET_LINES ":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/"

/* ---- an owner -------------------------------------------------------------------------------- */

/** What it does; all zero: takes every request, and gives back what it is given. */
struct habits {
    const char *stops;     /* the event that returns false */
    const char *ends;      /* … in which it ends the connection (ENHANCE_YOUR_CALM) */
    const char *resets;    /* … in which it resets the stream (CANCEL) */
    const char *drains;    /* … in which it says GOAWAY */
    uint32_t refuses;      /* not 0: requests with this code */
    uint32_t string_bytes; /* 0: 1000 */
    uint32_t window_bytes; /* of a stream; 0: 65535 */
    bool has_no_memory;    /* for heads */
    bool answers;          /* each request with a head alone */
    bool keeps_data;       /* gives nothing back */
    bool hides_fields;     /* from the log … */
    bool tells_frames;     /* … and tells heads of frames */
};

enum { READER_STREAMS = 64, READER_LOG_BYTES = 16 * 1024 };

struct reader {
    struct frames_session session;
    struct habits habits;
    struct buf scratch;
    struct chain out;
    struct frames_stream streams[READER_STREAMS];
    unsigned count;
    unsigned events; /* that have come */
    int32_t data_id; /* the log ends with data of this stream; 0: it does not */
    unsigned data_shown;
    char log[READER_LOG_BYTES];
    char said[READER_LOG_BYTES];
};

/** Ready for the first frame behind SETTINGS, if has_begun, or for the preface. 0 or GALLEY_ENOMEM, and then
 *  there is nothing to be closed. */
int reader_open(struct reader *reader, const struct habits *habits, bool has_begun);
void reader_close(struct reader *reader);
/** In pieces of so many bytes; 0: at once. */
enum frames_result reader_feed(struct reader *reader, const struct buf *bytes, size_t piece);
/** The frames that were said since the last time … */
const char *reader_said(struct reader *reader);
void expect_said(struct reader *reader, const char *text);
/** … and the events. */
const char *reader_told(struct reader *reader);
void expect_told(struct reader *reader, const char *text);

/** Behind SETTINGS these bytes come: what is told, the result if it is not OK, and what is said, as "told |
 *  result | said", are `text`, and the same however the bytes are cut. */
void expect_read(const struct buf *bytes, const struct habits *habits, const char *text);
/** The same of one frame. */
void expect_frame(uint8_t type, uint8_t flags, int32_t id, const void *payload, size_t len,
                  const char *text);
#define EXPECT_FRAME(type, flags, id, literal, text)                                               \
    expect_frame((type), (flags), (id), "" literal, sizeof(literal) - 1, (text))

#endif
