/* coding/coder_gzip.c — gzip (RFC 1952) by zlib. */
#include "base/alloc.h"
#include "coding/coder_inside.h"

#include <galley/base.h>

#include <limits.h>
#include <zlib.h>

enum { GZIP_WRAPPER = 16 /* added to the window's logarithm: gzip and nothing else */ };

static voidpf take_memory(voidpf opaque, uInt items, uInt size)
{
    (void)opaque;
    return mem_alloc((size_t)items * size);
}

static void give_memory(voidpf opaque, voidpf block)
{
    (void)opaque;
    mem_free(block);
}

/* zlib counts in unsigned int. */
static uInt count_of(size_t len)
{
    return len < UINT_MAX ? (uInt)len : UINT_MAX;
}

static z_stream *create_stream(void)
{
    z_stream *stream = mem_alloc_zero(1, sizeof *stream);
    if (stream) {
        stream->zalloc = take_memory;
        stream->zfree = give_memory;
    }
    return stream;
}

/* Between a span and an output on one side and zlib's four fields on the other. */
struct window {
    uInt in_len;
    uInt out_len;
};

static struct window open_window(z_stream *stream, const struct span *in, char *at, size_t room)
{
    struct window window = {count_of(in->len), count_of(room)};
    stream->next_in = (z_const Bytef *)(uintptr_t)in->ptr;
    stream->avail_in = window.in_len;
    stream->next_out = (Bytef *)at;
    stream->avail_out = window.out_len;
    return window;
}

/* How many bytes came out. */
static size_t close_window(const z_stream *stream, struct window window, struct span *in)
{
    size_t taken = window.in_len - stream->avail_in;
    *in = span_from(*in, taken);
    return window.out_len - stream->avail_out;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void *create_deflate(const struct encoder_options *options)
{
    static const int levels[ENCODER_LEVELS] = {
        [ENCODER_FAST] = 2, [ENCODER_NORMAL] = 6, [ENCODER_BEST] = 9};
    /* 64 KiB instead of 256. */
    int window_log = options->is_frugal ? 13 : MAX_WBITS;
    int mem_level = options->is_frugal ? 6 : 8;
    z_stream *stream = create_stream();
    if (stream && deflateInit2(stream, levels[options->level], Z_DEFLATED,
                               window_log + GZIP_WRAPPER, mem_level, Z_DEFAULT_STRATEGY) != Z_OK) {
        mem_free(stream);
        return NULL;
    }
    return stream;
}

static void destroy_deflate(void *state)
{
    (void)deflateEnd(state);
    mem_free(state);
}

static int run_deflate(void *state, enum encoder_step step, struct span *in,
                       struct encoder_output *out)
{
    static const int flushes[] = {
        [ENCODER_GO_ON] = Z_NO_FLUSH, [ENCODER_FLUSH] = Z_SYNC_FLUSH, [ENCODER_FINISH] = Z_FINISH};
    z_stream *stream = state;
    struct window window = open_window(stream, in, out->at, out->room);
    bool is_all = window.in_len == in->len;
    int code = deflate(stream, is_all ? flushes[step] : Z_NO_FLUSH);
    size_t given = close_window(stream, window, in);
    out->at += given;
    out->room -= given;
    if (code == Z_STREAM_END) {
        return 0;
    }
    if (code != Z_OK && code != Z_BUF_ERROR) { /* the latter: nothing was to be done */
        return GALLEY_ESTATE;
    }
    bool is_done = in->len == 0 && stream->avail_out > 0 && step != ENCODER_FINISH;
    return is_done ? 0 : ENCODER_FULL;
}

const struct encoder_kind encoder_gzip = {create_deflate, destroy_deflate, run_deflate};

/* ---- reading --------------------------------------------------------------------------------- */

static void *create_inflate(void)
{
    z_stream *stream = create_stream();
    if (stream && inflateInit2(stream, MAX_WBITS + GZIP_WRAPPER) != Z_OK) {
        mem_free(stream);
        return NULL;
    }
    return stream;
}

static void destroy_inflate(void *state)
{
    (void)inflateEnd(state);
    mem_free(state);
}

static int run_inflate(void *state, struct span *in, struct decoder_output *out)
{
    z_stream *stream = state;
    struct window window = open_window(stream, in, out->at, out->room);
    int code = inflate(stream, Z_NO_FLUSH);
    size_t given = close_window(stream, window, in);
    out->at += given;
    out->room -= given;
    switch (code) {
    case Z_STREAM_END:
        return DECODER_PART_END;
    case Z_OK:
    case Z_BUF_ERROR:
        return stream->avail_out == 0 || in->len > 0 ? DECODER_FULL : 0;
    case Z_MEM_ERROR:
        return GALLEY_ENOMEM;
    default:
        return GALLEY_EPROTO;
    }
}

static int again_inflate(void *state)
{
    return inflateReset(state) == Z_OK ? GALLEY_OK : GALLEY_EPROTO;
}

const struct decoder_kind decoder_gzip = {true, create_inflate, destroy_inflate, run_inflate,
                                          again_inflate};
