/* wire/chunked.h — the chunked transfer coding (RFC 9112 §7.1), both ways.
 * The decoder is restartable at every byte and keeps no bytes: pieces of the body are views into
 * the caller's input, trailers go into a buffer of the caller's. Called by h1/ on its loop. Strict:
 * CRLF only, at most 15 hex digits, nothing between the size and CRLF but well-formed extensions,
 * and those limited. Sizes cannot overflow: 15 hex digits are 60 bits. The caller limits the body;
 * `chunk_left` says early what a chunk claims. */
#ifndef WIRE_CHUNKED_H
#define WIRE_CHUNKED_H

#include "base/buf.h"
#include "base/span.h"
#include "http/fields.h"
#include "http/limits.h"
#include "wire/field_section.h"

enum {
    CHUNKED_MAX_DIGITS = 15,
    CHUNKED_MAX_EXTENSIONS_BYTES =
        16384,              /* of a whole body: they carry nothing that galley reads */
    CHUNKED_HEAD_BYTES = 18 /* most that chunked_write_head writes */
};

enum chunked_event {
    CHUNKED_MORE, /* all input is used up; the body goes on */
    CHUNKED_DATA, /* *ret_piece is the next piece of the body */
    CHUNKED_END, /* the body is complete, trailers and last CRLF included; *in starts the next request */
    CHUNKED_FAILED /* decoder->error says why */
};

struct chunked_decoder {
    uint64_t chunk_left;       /* data bytes of the current chunk still to come */
    uint32_t extension_bytes;  /* of the current chunk */
    uint32_t extensions_bytes; /* of all chunks */
    uint32_t trailer_bytes;
    struct field_section section;
    uint8_t digits;
    uint8_t state;
    uint8_t error;
    struct buf *trailers; /* raw trailer section; NULL: judged and dropped */
};

/** trailers: an empty buf with max_bytes of at least limits->max_trailer_bytes, kept by the caller
 *  until the end of the body, or NULL when nobody will ask for them. It allocates only if trailers
 *  come. */
void chunked_decoder_init(struct chunked_decoder *decoder, struct buf *trailers);
/** Uses up bytes from the front of *in. Call again until it is not CHUNKED_DATA.
 *  limits: max_chunk_extension_bytes (400), max_trailer_bytes and max_trailers (431). */
enum chunked_event chunked_decode(struct chunked_decoder *decoder, const struct http_limits *limits,
                                  struct span *in, struct span *ret_piece);
static inline enum h1_error chunked_error(const struct chunked_decoder *decoder)
{
    return (enum h1_error)decoder->error;
}
/** After CHUNKED_END: the trailers as views into the trailers buffer, without the names that RFC
 *  9110 §6.5.1 forbids there (framing, routing, authentication, content description). They are
 *  never merged into the request's fields. fields: with room for limits->max_trailers lines. 0
 *  (also when there were none), or GALLEY_ENOMEM when the buffer could not hold them. */
int chunked_trailers(const struct chunked_decoder *decoder, struct fields *fields);
/** Must a trailer of this name be ignored? */
bool chunked_is_forbidden_trailer(struct span name);

/** "<hex>\r\n" for a chunk of n bytes (n > 0: a chunk of 0 would end the body); returns how many
 *  bytes. After the n bytes goes CHUNKED_DATA_END. */
size_t chunked_write_head(char out[CHUNKED_HEAD_BYTES], uint64_t n);
#define CHUNKED_DATA_END   SPAN("\r\n")
#define CHUNKED_LAST_CHUNK SPAN("0\r\n\r\n")

#endif
