/* coding/encoder.c — see encoder.h: the choice of the coding, and output that grows. */
#include "coding/encoder.h"

#include "base/alloc.h"
#include "base/check.h"
#include "coding/coder_inside.h"

#include <galley/base.h>

enum { GROWTH_BYTES = 4096 };

struct encoder {
    const struct encoder_kind *kind;
    void *state;
    int result;       /* < 0: it has failed */
    bool is_finished; /* ENCODER_FINISH is done */
};

static const struct encoder_kind *kind_of(enum coding coding)
{
    switch (coding) {
    case CODING_GZIP:
        return &encoder_gzip;
    case CODING_BR:
        return &encoder_br;
    case CODING_ZSTD:
        return &encoder_zstd;
    default:
        return NULL;
    }
}

struct encoder *encoder_create(enum coding coding, const struct encoder_options *options)
{
    static const struct encoder_options usual = {.level = ENCODER_FAST};
    const struct encoder_kind *kind = kind_of(coding);
    CHECK(kind);
    struct encoder *encoder = mem_alloc_zero(1, sizeof *encoder);
    if (!encoder) {
        return NULL;
    }
    encoder->kind = kind;
    encoder->state = kind->create(options ? options : &usual);
    if (!encoder->state) {
        mem_free(encoder);
        return NULL;
    }
    return encoder;
}

void encoder_destroy(struct encoder *encoder)
{
    if (encoder) {
        encoder->kind->destroy(encoder->state);
        mem_free(encoder);
    }
}

int encoder_run(struct encoder *encoder, enum encoder_step step, struct span *in,
                struct encoder_output *out)
{
    if (encoder->result < 0 || encoder->is_finished) {
        return encoder->result < 0 ? encoder->result : GALLEY_ESTATE;
    }
    DEBUG_CHECK(out->room >= ENCODER_MIN_ROOM);
    int rc = encoder->kind->run(encoder->state, step, in, out);
    encoder->result = rc < 0 ? rc : 0;
    encoder->is_finished = rc == 0 && step == ENCODER_FINISH;
    return rc;
}

/* `more` bytes of room, less at the ceiling; 0: not enough for a step. */
static size_t make_room(struct buf *out, size_t more)
{
    size_t left = out->max_bytes ? out->max_bytes - out->len : SIZE_MAX - out->len;
    size_t wanted = more < left ? more : left;
    return wanted >= ENCODER_MIN_ROOM && buf_reserve(out, wanted) ? wanted : 0;
}

int encoder_append(struct encoder *encoder, enum encoder_step step, struct span in, struct buf *out)
{
    int rc = ENCODER_FULL;
    while (rc == ENCODER_FULL) {
        size_t room = make_room(out, (size_t)GROWTH_BYTES + in.len / 4);
        if (room == 0) {
            encoder->result = out->failed ? GALLEY_ENOMEM : GALLEY_ETOOBIG;
            return encoder->result;
        }
        struct encoder_output output = {out->data + out->len, room};
        rc = encoder_run(encoder, step, &in, &output);
        out->len = (size_t)(output.at - out->data);
    }
    return rc;
}
