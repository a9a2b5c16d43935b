/* coding/coder_br.c — br (RFC 7932) by Google's brotli.
 *
 * Its encoder, as Debian builds it, ends the process when an allocation gives NULL. So it is never given
 * NULL: its allocator leaves it by longjmp(), over frames of plain C that hold nothing but memory, and
 * all of that hangs on a list here and is given back. After that nothing of it is touched again. */
#include "base/alloc.h"
#include "base/check.h"
#include "base/list.h"
#include "coding/coder_inside.h"

#include <galley/base.h>

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <setjmp.h>

enum {
    FRUGAL_WINDOW_LOG = 16,
    STREAM_WINDOW_LOG = 18, /* of unknown length, or made for one request */
    BEST_WINDOW_LOG = 22,
    MAX_BEST_BYTES = 128 * 1024 /* more takes a second for each megabyte, in steps that long */
};

/* ---- writing --------------------------------------------------------------------------------- */

/* No larger than the input, which is what memory goes for. */
static uint32_t window_log_of(const struct encoder_options *options)
{
    uint32_t most = options->level == ENCODER_BEST ? BEST_WINDOW_LOG : STREAM_WINDOW_LOG;
    most = options->is_frugal ? FRUGAL_WINDOW_LOG : most;
    uint32_t log = BROTLI_MIN_WINDOW_BITS;
    while (options->size_bytes > 0 && log < most && ((uint64_t)1 << log) < options->size_bytes) {
        log++;
    }
    return options->size_bytes > 0 ? log : most;
}

struct br_encoder {
    BrotliEncoderState *state; /* lies in one of the blocks */
    struct list blocks;
    jmp_buf no_memory; /* valid inside of calls of the library */
};

/* Before each block that it holds. */
struct br_block {
    struct list link;
    _Alignas(16) char bytes[];
};

static void *take_or_leave(void *opaque, size_t size)
{
    struct br_encoder *encoder = opaque;
    struct br_block *block =
        size < SIZE_MAX - sizeof *block ? mem_alloc(sizeof *block + size) : NULL;
    if (!block) {
        longjmp(encoder->no_memory, 1);
    }
    list_push_back(&encoder->blocks, &block->link);
    return block->bytes;
}

static void give_block(void *opaque, void *bytes)
{
    (void)opaque;
    if (bytes) {
        struct br_block *block = (struct br_block *)(void *)((char *)bytes - sizeof *block);
        list_remove(&block->link);
        mem_free(block);
    }
}

static void set_parameters(struct br_encoder *encoder, const struct encoder_options *options)
{
    static const uint32_t qualities[ENCODER_LEVELS] = {
        [ENCODER_FAST] = 3, [ENCODER_NORMAL] = 5, [ENCODER_BEST] = 11};
    bool is_slow = options->level == ENCODER_BEST && options->size_bytes > MAX_BEST_BYTES;
    uint32_t quality = options->is_frugal ? 2 : is_slow ? 9 : qualities[options->level];
    uint32_t hint = options->size_bytes < UINT32_MAX ? (uint32_t)options->size_bytes : UINT32_MAX;
    (void)BrotliEncoderSetParameter(encoder->state, BROTLI_PARAM_QUALITY, quality);
    (void)BrotliEncoderSetParameter(encoder->state, BROTLI_PARAM_LGWIN, window_log_of(options));
    (void)BrotliEncoderSetParameter(encoder->state, BROTLI_PARAM_SIZE_HINT, hint);
}

static bool create_state(struct br_encoder *encoder)
{
    if (setjmp(encoder->no_memory) != 0) {
        return false;
    }
    encoder->state = BrotliEncoderCreateInstance(take_or_leave, give_block, encoder);
    return encoder->state != NULL;
}

/* All that it has, with its state: there is nothing else to a state. */
static void destroy_encoder(void *state)
{
    struct br_encoder *encoder = state;
    while (!list_is_empty(&encoder->blocks)) {
        struct br_block *block = CONTAINER_OF(encoder->blocks.next, struct br_block, link);
        list_remove(&block->link);
        mem_free(block);
    }
    mem_free(encoder);
}

static void *create_encoder(const struct encoder_options *options)
{
    struct br_encoder *encoder = mem_alloc_zero(1, sizeof *encoder);
    if (!encoder) {
        return NULL;
    }
    list_init(&encoder->blocks);
    if (!create_state(encoder)) {
        destroy_encoder(encoder);
        return NULL;
    }
    set_parameters(encoder, options);
    return encoder;
}

/* What the library moves while it works, out of the frame that a longjmp() comes back to. */
struct br_call {
    BrotliEncoderOperation operation;
    size_t in_left, out_left;
    const uint8_t *next_in;
    uint8_t *next_out;
};

static bool compress(struct br_encoder *encoder, struct br_call *call)
{
    if (setjmp(encoder->no_memory) != 0) {
        return false;
    }
    return BrotliEncoderCompressStream(encoder->state, call->operation, &call->in_left,
                                       &call->next_in, &call->out_left, &call->next_out,
                                       NULL) == BROTLI_TRUE;
}

static int run_encoder(void *state, enum encoder_step step, struct span *in,
                       struct encoder_output *out)
{
    static const BrotliEncoderOperation operations[] = {[ENCODER_GO_ON] = BROTLI_OPERATION_PROCESS,
                                                        [ENCODER_FLUSH] = BROTLI_OPERATION_FLUSH,
                                                        [ENCODER_FINISH] = BROTLI_OPERATION_FINISH};
    struct br_encoder *encoder = state;
    struct br_call call = {operations[step], in->len, out->room, (const uint8_t *)in->ptr,
                           (uint8_t *)out->at};
    if (!compress(encoder, &call)) {
        return GALLEY_ENOMEM;
    }
    *in = span_from(*in, in->len - call.in_left);
    *out = (struct encoder_output){(char *)call.next_out, call.out_left};
    bool is_done = call.in_left == 0 && !BrotliEncoderHasMoreOutput(encoder->state) &&
                   (step != ENCODER_FINISH || BrotliEncoderIsFinished(encoder->state));
    return is_done ? 0 : ENCODER_FULL;
}

const struct encoder_kind encoder_br = {create_encoder, destroy_encoder, run_encoder};

/* ---- reading --------------------------------------------------------------------------------- */

static void *create_decoder(void)
{
    /* Windows over 16 MiB (an extension of RFC 7932) stay forbidden. */
    return BrotliDecoderCreateInstance(coder_take_memory, coder_give_memory, NULL);
}

static void destroy_decoder(void *state)
{
    BrotliDecoderDestroyInstance(state);
}

static int code_of_error(BrotliDecoderErrorCode error)
{
    bool is_memory = error <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
                     error >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
    return is_memory ? GALLEY_ENOMEM : GALLEY_EPROTO;
}

static int run_decoder(void *state, struct span *in, struct decoder_output *out)
{
    size_t in_left = in->len;
    const uint8_t *next_in = (const uint8_t *)in->ptr;
    uint8_t *next_out = (uint8_t *)out->at;
    BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state, &in_left, &next_in, &out->room, &next_out, NULL);
    *in = span_from(*in, in->len - in_left);
    out->at = (char *)next_out;
    switch (result) {
    case BROTLI_DECODER_RESULT_SUCCESS:
        return DECODER_PART_END;
    case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
        return DECODER_FULL;
    case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
        return BrotliDecoderHasMoreOutput(state) ? DECODER_FULL : 0;
    default:
        return code_of_error(BrotliDecoderGetErrorCode(state));
    }
}

const struct decoder_kind decoder_br = {false, create_decoder, destroy_decoder, run_decoder, NULL};
