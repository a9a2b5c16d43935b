/* wire/chunked.c — the chunk decoder: one small function a state, and the encoder's chunk head.
 * Called by h1/ for request bodies. Invariant: chunk_left never grows past 60 bits, and no state
 * looks at a byte twice. The extension grammar is followed to its end although nothing is done with
 * extensions: what lies there unjudged is where two parsers disagree about where the line ends.
 * Pure; any thread. */
#include "wire/chunked.h"

#include "base/check.h"
#include "base/text.h"
#include "http/chars.h"

/* RFC 9112 §7.1: chunk-size [ *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) ]
 * CRLF */
enum decoder_state {
    SIZE_FIRST,
    SIZE,
    EXT_GAP,      /* white space after the size, a name or a value: only ';' (or '=') may follow */
    EXT_NAME_GAP, /* behind ';' */
    EXT_NAME,     /* in a name */
    EXT_EQUALS_GAP, /* white space behind a name */
    EXT_VALUE_GAP,  /* behind '=' */
    EXT_TOKEN,
    EXT_QUOTED,
    EXT_ESCAPED, /* behind a backslash in quotes */
    EXT_QUOTED_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILERS,
    DONE,
    FAILED
};

static enum decoder_state fail(struct chunked_decoder *decoder, enum h1_error error)
{
    decoder->error = (uint8_t)error;
    return FAILED;
}

static enum decoder_state fail_at(struct chunked_decoder *decoder, char c, enum h1_error otherwise)
{
    return fail(decoder, c == '\n' ? H1_BARE_LF : otherwise);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static enum decoder_state size_digit(struct chunked_decoder *decoder, char c)
{
    int digit = text_hex_value(c);
    if (digit < 0) {
        return fail_at(decoder, c, H1_BAD_CHUNK_SIZE);
    }
    if (++decoder->digits > CHUNKED_MAX_DIGITS) {
        return fail(decoder, H1_BAD_CHUNK_SIZE);
    }
    decoder->chunk_left = decoder->chunk_left << 4 | (unsigned)digit;
    return SIZE;
}

/* Behind a complete name or value: the next extension, the line's end, or white space, which only
 * another extension may follow: white space before CR is not in the grammar. */
static enum decoder_state extension_end(struct chunked_decoder *decoder, char c)
{
    if (c == '\r') {
        return SIZE_LF;
    }
    if (c == ';') {
        return EXT_NAME_GAP;
    }
    return is_blank(c) ? EXT_GAP : fail_at(decoder, c, H1_BAD_CHUNK_EXTENSION);
}

static enum decoder_state extension_gap(struct chunked_decoder *decoder, char c)
{
    return c == '\r' ? fail(decoder, H1_BAD_CHUNK_EXTENSION) : extension_end(decoder, c);
}

static enum decoder_state size(struct chunked_decoder *decoder, char c)
{
    if (c == '\r') {
        return SIZE_LF;
    }
    if (c == ';') {
        return EXT_NAME_GAP;
    }
    /* White space is legal here only before ';' (RFC 9112 §7.1.1: bad white space must be
     * taken). */
    return is_blank(c) ? EXT_GAP : size_digit(decoder, c);
}

static enum decoder_state extension_name(struct chunked_decoder *decoder, char c)
{
    if (chars_is(c, CHARS_TOKEN)) {
        return EXT_NAME;
    }
    if (c == '=') {
        return EXT_VALUE_GAP;
    }
    return is_blank(c) ? EXT_EQUALS_GAP : extension_end(decoder, c);
}

/* Behind ';' and '=': a name or a value must come. `here` is the state to stay in. */
static enum decoder_state extension_begin(struct chunked_decoder *decoder, char c,
                                          enum decoder_state here)
{
    if (chars_is(c, CHARS_TOKEN)) {
        return here == EXT_NAME_GAP ? EXT_NAME : EXT_TOKEN;
    }
    if (c == '"' && here == EXT_VALUE_GAP) {
        return EXT_QUOTED;
    }
    return is_blank(c) ? here : fail_at(decoder, c, H1_BAD_CHUNK_EXTENSION);
}

static enum decoder_state extension_quoted(struct chunked_decoder *decoder, char c,
                                           enum decoder_state state)
{
    if (!chars_is(c, CHARS_VALUE)) {
        return fail_at(decoder, c, H1_BAD_CHUNK_EXTENSION);
    }
    if (state == EXT_ESCAPED) {
        return EXT_QUOTED;
    }
    if (c == '\\') {
        return EXT_ESCAPED;
    }
    return c == '"' ? EXT_QUOTED_END : EXT_QUOTED;
}

static enum decoder_state extension(struct chunked_decoder *decoder, char c,
                                    enum decoder_state state)
{
    switch (state) {
    case EXT_NAME_GAP:
    case EXT_VALUE_GAP:
        return extension_begin(decoder, c, state);
    case EXT_NAME:
        return extension_name(decoder, c);
    case EXT_EQUALS_GAP:
        return c == '=' ? EXT_VALUE_GAP
                        : (is_blank(c) ? EXT_EQUALS_GAP : extension_gap(decoder, c));
    case EXT_TOKEN:
        return chars_is(c, CHARS_TOKEN) ? EXT_TOKEN : extension_end(decoder, c);
    case EXT_QUOTED:
    case EXT_ESCAPED:
        return extension_quoted(decoder, c, state);
    case EXT_QUOTED_END:
        return extension_end(decoder, c);
    default:
        return extension_gap(decoder, c);
    }
}

/* Each byte between the size and its CR counts. */
static bool extension_is_too_long(struct chunked_decoder *decoder, uint32_t max_bytes)
{
    decoder->extension_bytes++;
    decoder->extensions_bytes++;
    return decoder->extension_bytes > max_bytes ||
           decoder->extensions_bytes > CHUNKED_MAX_EXTENSIONS_BYTES;
}

static enum decoder_state size_lf(struct chunked_decoder *decoder, char c)
{
    if (c != '\n') {
        return fail(decoder, H1_BARE_CR);
    }
    decoder->digits = 0;
    decoder->extension_bytes = 0;
    return decoder->chunk_left ? DATA : TRAILERS;
}

/* All states of the framing bytes between chunks. */
static enum decoder_state frame_byte(struct chunked_decoder *decoder, enum decoder_state state,
                                     char c, uint32_t max_extension_bytes)
{
    switch (state) {
    case SIZE_FIRST:
        return size_digit(decoder, c);
    case SIZE:
        state = size(decoder, c);
        break;
    case SIZE_LF:
        return size_lf(decoder, c);
    case DATA_CR:
        return c == '\r' ? DATA_LF : fail_at(decoder, c, H1_BAD_CHUNK_END);
    case DATA_LF:
        return c == '\n' ? SIZE_FIRST : fail(decoder, H1_BARE_CR);
    default:
        state = extension(decoder, c, state);
        break;
    }
    bool is_in_extension = state >= EXT_GAP && state <= EXT_QUOTED_END;
    if (is_in_extension && extension_is_too_long(decoder, max_extension_bytes)) {
        return fail(decoder, H1_CHUNK_EXTENSION_TOO_LONG);
    }
    return state;
}

static enum decoder_state frame(struct chunked_decoder *decoder, enum decoder_state state,
                                uint32_t max_extension_bytes, struct span *in)
{
    while (in->len && state != DATA && state != TRAILERS && state != FAILED) {
        state = frame_byte(decoder, state, *in->ptr, max_extension_bytes);
        *in = span_from(*in, 1);
    }
    return state;
}

static enum decoder_state trailers(struct chunked_decoder *decoder,
                                   const struct http_limits *limits, struct span *in)
{
    /* The limits may have been lowered since the last call. */
    uint32_t max_bytes = limits->max_trailer_bytes;
    uint32_t left = decoder->trailer_bytes < max_bytes ? max_bytes - decoder->trailer_bytes : 0;
    const char *at = in->ptr;
    const char *end = at + (in->len < left ? in->len : left);
    enum h1_result result =
        field_section_feed(&decoder->section, &at, end, limits->max_trailers, NULL);
    struct span judged = span_make(in->ptr, (size_t)(at - in->ptr));
    decoder->trailer_bytes += (uint32_t)judged.len;
    *in = span_from(*in, judged.len);
    if (result == H1_FAILED) {
        return fail(decoder, (enum h1_error)decoder->section.error);
    }
    /* A body without trailers, nearly every one, leaves the buffer without memory. */
    if (decoder->trailers && decoder->section.count > 0) {
        buf_append_span(decoder->trailers, judged);
    }
    if (result == H1_DONE) {
        return DONE;
    }
    return judged.len == left ? fail(decoder, H1_TRAILERS_TOO_LARGE) : TRAILERS;
}

/* One piece of the current chunk, as long as the input has it. */
static enum decoder_state data(struct chunked_decoder *decoder, struct span *in,
                               struct span *ret_piece)
{
    size_t len = in->len < decoder->chunk_left ? in->len : (size_t)decoder->chunk_left;
    *ret_piece = span_make(in->ptr, len);
    *in = span_from(*in, len);
    decoder->chunk_left -= len;
    return decoder->chunk_left ? DATA : DATA_CR;
}

void chunked_decoder_init(struct chunked_decoder *decoder, struct buf *trailer_bytes)
{
    *decoder = (struct chunked_decoder){.state = SIZE_FIRST, .trailers = trailer_bytes};
    field_section_init(&decoder->section);
}

enum chunked_event chunked_decode(struct chunked_decoder *decoder, const struct http_limits *limits,
                                  struct span *in, struct span *ret_piece)
{
    enum decoder_state state = (enum decoder_state)decoder->state;
    if (state < DATA || state == DATA_CR || state == DATA_LF) {
        state = frame(decoder, state, limits->max_chunk_extension_bytes, in);
    }
    enum chunked_event event = CHUNKED_MORE;
    if (state == DATA && in->len) {
        state = data(decoder, in, ret_piece);
        event = CHUNKED_DATA;
    } else if (state == TRAILERS && in->len) {
        state = trailers(decoder, limits, in);
    }
    decoder->state = (uint8_t)state;
    if (state == DONE) {
        return CHUNKED_END;
    }
    return state == FAILED ? CHUNKED_FAILED : event;
}

size_t chunked_write_head(char out[CHUNKED_HEAD_BYTES], uint64_t n)
{
    DEBUG_CHECK(n > 0);
    size_t digits = (size_t)(67 - __builtin_clzll(n | 1)) / 4;
    for (size_t i = digits; i > 0; i--) {
        out[i - 1] = "0123456789abcdef"[n & 0xf];
        n >>= 4;
    }
    out[digits] = '\r';
    out[digits + 1] = '\n';
    return digits + 2;
}
