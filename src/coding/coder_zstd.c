/* coding/coder_zstd.c — zstd (RFC 8878) by its library. Memory of one's own is part of the interface
 * that it keeps for static linking; docs/decisions/ says why it is used all the same. */
#include "base/alloc.h"
#include "coding/coder_inside.h"

#include <galley/base.h>

#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

enum {
    FRUGAL_WINDOW_LOG = 15,
    FRUGAL_TABLE_LOG = 13,
    MAX_BEST_BYTES = 256 * 1024 /* more takes too long, and too much memory */
};

static const ZSTD_customMem memory = {coder_take_memory, coder_give_memory, NULL};

static bool is_memory_error(size_t result)
{
    return ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation;
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool set_parameters(ZSTD_CCtx *state, const struct encoder_options *options)
{
    static const int levels[ENCODER_LEVELS] = {
        [ENCODER_FAST] = 2, [ENCODER_NORMAL] = 5, [ENCODER_BEST] = 19};
    bool is_slow = options->level == ENCODER_BEST && options->size_bytes > MAX_BEST_BYTES;
    int level = options->is_frugal ? 1 : is_slow ? 12 : levels[options->level];
    size_t result = ZSTD_CCtx_setParameter(state, ZSTD_c_compressionLevel, level);
    if (options->is_frugal) {
        result |= ZSTD_CCtx_setParameter(state, ZSTD_c_windowLog, FRUGAL_WINDOW_LOG);
        result |= ZSTD_CCtx_setParameter(state, ZSTD_c_hashLog, FRUGAL_TABLE_LOG);
        result |= ZSTD_CCtx_setParameter(state, ZSTD_c_chainLog, FRUGAL_TABLE_LOG);
    } else if (options->size_bytes == 0 || options->size_bytes > (1u << DECODER_WINDOW_LOG)) {
        /* RFC 9659 §3: no decoder needs to take a larger one. */
        result |= ZSTD_CCtx_setParameter(state, ZSTD_c_windowLog,
                                         options->level == ENCODER_BEST ? DECODER_WINDOW_LOG : 20);
    }
    if (options->size_bytes > 0) {
        result |= ZSTD_CCtx_setParameter(state, ZSTD_c_srcSizeHint,
                                         options->size_bytes < INT32_MAX ? (int)options->size_bytes
                                                                         : INT32_MAX);
    }
    return !ZSTD_isError(result);
}

static void *create_encoder(const struct encoder_options *options)
{
    ZSTD_CCtx *state = ZSTD_createCCtx_advanced(memory);
    if (state && !set_parameters(state, options)) {
        (void)ZSTD_freeCCtx(state);
        return NULL;
    }
    return state;
}

static void destroy_encoder(void *state)
{
    (void)ZSTD_freeCCtx(state);
}

static int run_encoder(void *state, enum encoder_step step, struct span *in,
                       struct encoder_output *out)
{
    static const ZSTD_EndDirective directives[] = {[ENCODER_GO_ON] = ZSTD_e_continue,
                                                   [ENCODER_FLUSH] = ZSTD_e_flush,
                                                   [ENCODER_FINISH] = ZSTD_e_end};
    ZSTD_inBuffer input = {in->ptr, in->len, 0};
    ZSTD_outBuffer output = {out->at, out->room, 0};
    size_t result = ZSTD_compressStream2(state, &output, &input, directives[step]);
    *in = span_from(*in, input.pos);
    out->at += output.pos;
    out->room -= output.pos;
    if (ZSTD_isError(result)) {
        return is_memory_error(result) ? GALLEY_ENOMEM : GALLEY_ESTATE;
    }
    bool is_done = in->len == 0 && (result == 0 || step == ENCODER_GO_ON);
    return is_done ? 0 : ENCODER_FULL;
}

const struct encoder_kind encoder_zstd = {create_encoder, destroy_encoder, run_encoder};

/* ---- reading --------------------------------------------------------------------------------- */

/* The library may be built to read what came before RFC 8878 as well, by decoders that only old files
 * have a use for and that take memory past ours: so a frame's magic number is looked at here. And it
 * judges what may be a whole frame by other code than what comes in pieces, which takes what the
 * latter refuses, and even looks for such a frame in the middle of another one's header: so no more
 * than a byte at a time is handed over until the header is behind. */
struct zstd_decoder {
    ZSTD_DCtx *library;
    unsigned start_len; /* bytes of this frame that went by, up to ZSTD_FRAMEHEADERSIZE_MAX */
    bool is_skippable;  /* RFC 8878 §3.1.2 */
};

static void destroy_decoder(void *state)
{
    struct zstd_decoder *decoder = state;
    (void)ZSTD_freeDCtx(decoder->library);
    mem_free(decoder);
}

static void *create_decoder(void)
{
    struct zstd_decoder *decoder = mem_alloc_zero(1, sizeof *decoder);
    if (!decoder) {
        return NULL;
    }
    decoder->library = ZSTD_createDCtx_advanced(memory);
    if (!decoder->library || ZSTD_isError(ZSTD_DCtx_setParameter(
                                 decoder->library, ZSTD_d_windowLogMax, DECODER_WINDOW_LOG))) {
        destroy_decoder(decoder);
        return NULL;
    }
    return decoder;
}

static int code_of_error(size_t result)
{
    switch (ZSTD_getErrorCode(result)) {
    case ZSTD_error_memory_allocation:
        return GALLEY_ENOMEM;
    case ZSTD_error_frameParameter_windowTooLarge:
        return GALLEY_ETOOBIG;
    default:
        return GALLEY_EPROTO;
    }
}

/* RFC 8878 §3.1.1, §3.1.2: 0xFD2FB528, or 0x184D2A50 with any lower half of the first byte. */
static bool is_frames_next(struct zstd_decoder *decoder, unsigned char byte)
{
    static const unsigned char frame[] = {0x28, 0xb5, 0x2f, 0xfd};
    static const unsigned char skippable[] = {0x50, 0x2a, 0x4d, 0x18};
    unsigned at = decoder->start_len;
    if (at == 0) {
        decoder->is_skippable = (byte & 0xf0) == skippable[0];
        return decoder->is_skippable || byte == frame[0];
    }
    return at >= sizeof frame || byte == (decoder->is_skippable ? skippable : frame)[at];
}

static bool is_at_start(const struct zstd_decoder *decoder, struct span in)
{
    return in.len > 0 && decoder->start_len < ZSTD_FRAMEHEADERSIZE_MAX;
}

static int run_decoder(void *state, struct span *in, struct decoder_output *out)
{
    struct zstd_decoder *decoder = state;
    bool is_start = is_at_start(decoder, *in);
    if (is_start && !is_frames_next(decoder, (unsigned char)*in->ptr)) {
        return GALLEY_EPROTO;
    }
    ZSTD_inBuffer input = {in->ptr, is_start ? 1 : in->len, 0};
    ZSTD_outBuffer output = {out->at, out->room, 0};
    size_t result = ZSTD_decompressStream(decoder->library, &output, &input);
    decoder->start_len += is_start ? (unsigned)input.pos : 0;
    *in = span_from(*in, input.pos);
    out->at += output.pos;
    out->room -= output.pos;
    if (ZSTD_isError(result)) {
        return code_of_error(result);
    }
    if (result == 0) {
        return DECODER_PART_END;
    }
    return in->len > 0 || out->room == 0 ? DECODER_FULL : 0;
}

/* The library begins the next frame by itself. */
static int again(void *state)
{
    ((struct zstd_decoder *)state)->start_len = 0;
    return GALLEY_OK;
}

const struct decoder_kind decoder_zstd = {true, create_decoder, destroy_decoder, run_decoder,
                                          again};
