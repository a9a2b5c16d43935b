/* hpack/hpack.h — field sections of HTTP/2, compressed (RFC 7541): a decoder and an encoder,
 * each with its dynamic table. Called by the room frames/, which knows where a field block
 * begins and ends.
 *
 * Pure: no I/O, no clock, no lock. One owner, any thread. Memory is taken when a table gets its
 * first entry, never more than hpack_most_bytes(). What comes from the network is read once,
 * forward, and never believed: a length is compared with what is there before anything is made
 * of it. */
#ifndef HPACK_HPACK_H
#define HPACK_HPACK_H

#include "base/buf.h"
#include "base/span.h"

#include "hpack/hpack_table.h"

/** RFC 7541 Appendix A: the first rows of names that others look at (hpack_field.name_index). */
enum hpack_row {
    HPACK_ROW_NONE = 0,
    HPACK_ROW_AUTHORITY = 1,
    HPACK_ROW_METHOD = 2,
    HPACK_ROW_PATH = 4,
    HPACK_ROW_SCHEME = 6,
    HPACK_ROW_FIRST_FIELD = 15, /* those before are of pseudo-fields */
    HPACK_ROW_CONTENT_LENGTH = 28,
    HPACK_ROW_HOST = 38,
    HPACK_ROW_TRANSFER_ENCODING = 57,
};

/** A field as it was sent; the spans are good until the callback returns. */
struct hpack_field {
    struct span name;
    struct span value;
    /** 1..61: the name is that of this row of the static table (RFC 7541 Appendix A; the first row
     *  that has it); 0: it is not in there. Also for names that came as text. */
    uint8_t name_index;
    /** RFC 9113 §8.2.1: the name is a token in lower case, perhaps behind one ':'. */
    bool has_good_name;
    /** … the value has no NUL, CR, LF, nor other control but tab, and no blank at either end. */
    bool has_good_value;
    /** RFC 7541 §6.2.3: whoever hands it on must not index it, either. */
    bool is_never_indexed;
};

/** Their names begin with a colon. */
static inline bool hpack_is_pseudo(const struct hpack_field *field)
{
    return field->name.len > 0 && field->name.ptr[0] == ':';
}

/** False: stop; hpack_decode() returns HPACK_STOPPED. */
typedef bool hpack_field_fn(void *arg, const struct hpack_field *field);

enum hpack_result {
    HPACK_OK = 0,
    HPACK_MALFORMED, /* RFC 9113 §4.3: COMPRESSION_ERROR, the table is lost */
    HPACK_TOO_LONG,  /* a string longer than max_string_bytes, encoded or decoded */
    HPACK_NO_MEMORY,
    HPACK_STOPPED, /* by the callback */
};

/* ---- decoding -------------------------------------------------------------------------------- */

struct hpack_decoder {
    struct hpack_table table;
    uint32_t max_table_bytes;  /* what we allow (SETTINGS_HEADER_TABLE_SIZE) */
    uint32_t max_string_bytes; /* a name or a value */
    bool may_resize;           /* no field of the block has come yet (RFC 7541 §4.2) */
};

/** Allocates nothing. */
void hpack_decoder_init(struct hpack_decoder *decoder, uint32_t max_table_bytes,
                        uint32_t max_string_bytes);
void hpack_decoder_finish(struct hpack_decoder *decoder);
/** A field block begins. */
void hpack_decoder_begin(struct hpack_decoder *decoder);
/** Who is told of fields. */
struct hpack_taker {
    hpack_field_fn *fn;
    void *arg;           /* of fn */
    struct buf *scratch; /* for strings in Huffman code: its content is lost, and nobody else may
                            use it while a block is decoded */
};
/** Decode the fields that lie whole in `bytes`, which continue what was consumed of the block
 *  before, and tell each. *ret_consumed is how far that went; give the rest again with what
 *  follows it. With is_last the block ends here: a rest is HPACK_MALFORMED. A field is told before
 *  it enters the table, and does enter it when the taker says stop: then *ret_consumed is behind
 *  it. */
enum hpack_result hpack_decode(struct hpack_decoder *decoder, struct span bytes, bool is_last,
                               const struct hpack_taker *taker, size_t *ret_consumed);

/* ---- encoding -------------------------------------------------------------------------------- */

/** What the table of the other side shall remember of a field. */
enum hpack_how {
    HPACK_INDEX,       /* it comes again and again: date, server, cache-control */
    HPACK_IF_REPEATED, /* when it has come a second time: etag, content-length, last-modified */
    HPACK_LITERAL,     /* it does not come again */
    HPACK_NEVER,       /* RFC 7541 §7.1.3: nor may anybody else remember it */
};

/** A field made ready to be sent, once for many times. Borrows name and value. */
struct hpack_line {
    struct span name; /* in lower case */
    struct span value;
    uint32_t hash;       /* of both */
    uint8_t name_index;  /* row of the static table with this name, or 0 */
    uint8_t exact_index; /* … with this value, too, or 0 */
    uint8_t how;         /* enum hpack_how */
};

/** name is in lower case (RFC 9113 §8.2.1). */
struct hpack_line hpack_line_make(struct span name, struct span value, enum hpack_how how);

enum { HPACK_SEEN = 16 };

struct hpack_encoder {
    struct hpack_table table;
    uint32_t allowed_bytes;    /* by the other side's SETTINGS_HEADER_TABLE_SIZE, and by us */
    uint32_t least_bytes;      /* the smallest since the last block (RFC 7541 §4.2) */
    bool must_resize;          /* the next block begins with one or two size updates */
    uint32_t seen[HPACK_SEEN]; /* hashes of the last fields that came once (HPACK_IF_REPEATED) */
    uint32_t seen_next;        /* the oldest of them */
};

/** Allocates nothing. */
void hpack_encoder_init(struct hpack_encoder *encoder);
void hpack_encoder_finish(struct hpack_encoder *encoder);
/** SETTINGS_HEADER_TABLE_SIZE of the other side; we use HPACK_TABLE_BYTES at most. */
void hpack_encoder_allow(struct hpack_encoder *encoder, uint32_t table_bytes);
/** A field block begins. */
void hpack_encode_begin(struct hpack_encoder *encoder, struct buf *out);
/** One field more. A lack of memory for the table makes literals; one for `out` is out->failed,
 *  and then both tables are no longer the same: the connection is lost. */
void hpack_encode(struct hpack_encoder *encoder, struct buf *out, const struct hpack_line *line);

/* ---- memory ---------------------------------------------------------------------------------- */

/** What a table of HPACK_TABLE_BYTES takes of the heap, at most; a decoder has one, an encoder
 *  another. */
uint64_t hpack_most_bytes(void);

#endif
