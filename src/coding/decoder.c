/* coding/decoder.c — see decoder.h: limits, and what stands behind a part. The codings themselves say
 * only what a part is. */
#include "coding/decoder.h"

#include "base/alloc.h"
#include "base/check.h"
#include "coding/coder_inside.h"

#include <galley/base.h>

enum decoder_place {
    DECODER_INSIDE,  /* of a part */
    DECODER_BETWEEN, /* a part has ended: the body may, too */
};

struct decoder {
    const struct decoder_kind *kind;
    void *state;
    struct decoder_limits limits;
    uint64_t in_bytes;
    uint64_t out_bytes;
    int result; /* < 0: it has failed */
    enum decoder_place place;
};

static const struct decoder_kind *kind_of(enum coding coding)
{
    switch (coding) {
    case CODING_GZIP:
        return &decoder_gzip;
    case CODING_BR:
        return &decoder_br;
    case CODING_ZSTD:
        return &decoder_zstd;
    default:
        return NULL;
    }
}

struct decoder *decoder_create(enum coding coding, const struct decoder_limits *limits)
{
    const struct decoder_kind *kind = kind_of(coding);
    CHECK(kind);
    struct decoder *decoder = mem_alloc_zero(1, sizeof *decoder);
    if (!decoder) {
        return NULL;
    }
    decoder->kind = kind;
    decoder->limits = limits ? *limits : (struct decoder_limits){0};
    decoder->state = kind->create();
    if (!decoder->state) {
        mem_free(decoder);
        return NULL;
    }
    return decoder;
}

void decoder_destroy(struct decoder *decoder)
{
    if (decoder) {
        decoder->kind->destroy(decoder->state);
        mem_free(decoder);
    }
}

static bool is_over_ratio(const struct decoder *decoder)
{
    const struct decoder_limits *limits = &decoder->limits;
    return limits->max_ratio > 0 && decoder->out_bytes > limits->free_bytes &&
           decoder->out_bytes / limits->max_ratio > decoder->in_bytes;
}

/* One byte more than is allowed is let out, so that it can be seen. */
static size_t room_within_limit(const struct decoder *decoder, size_t room)
{
    uint64_t max_bytes = decoder->limits.max_bytes;
    if (max_bytes == 0) {
        return room;
    }
    uint64_t left = max_bytes - decoder->out_bytes;
    return left < room ? (size_t)left + 1 : room;
}

static int check_limits(const struct decoder *decoder)
{
    uint64_t max_bytes = decoder->limits.max_bytes;
    bool is_over = max_bytes > 0 && decoder->out_bytes > max_bytes;
    return is_over || is_over_ratio(decoder) ? GALLEY_ETOOBIG : GALLEY_OK;
}

/* Behind a part: another one begins, if there may be one. */
static int begin_next(struct decoder *decoder)
{
    if (!decoder->kind->has_parts) {
        return GALLEY_EPROTO;
    }
    decoder->place = DECODER_INSIDE;
    return decoder->kind->again(decoder->state);
}

static int step(struct decoder *decoder, struct span *in, struct decoder_output *out)
{
    if (decoder->place == DECODER_BETWEEN) {
        int rc = begin_next(decoder);
        if (rc < 0) {
            return rc;
        }
    }
    struct decoder_output bounded = {out->at, room_within_limit(decoder, out->room)};
    size_t in_before = in->len;
    int rc = decoder->kind->run(decoder->state, in, &bounded);
    size_t given = (size_t)(bounded.at - out->at);
    *out = (struct decoder_output){bounded.at, out->room - given};
    decoder->in_bytes += in_before - in->len;
    decoder->out_bytes += given;
    if (rc == DECODER_PART_END) {
        decoder->place = DECODER_BETWEEN;
    }
    int limit = check_limits(decoder);
    return limit < 0 && rc >= 0 ? limit : rc;
}

int decoder_run(struct decoder *decoder, struct span *in, struct decoder_output *out)
{
    int rc = decoder->result;
    if (rc < 0) {
        return rc;
    }
    if (decoder->place == DECODER_BETWEEN && in->len == 0) {
        return 0;
    }
    do {
        rc = step(decoder, in, out);
    } while ((rc == DECODER_PART_END && in->len > 0) || (rc == DECODER_FULL && out->room > 0));
    decoder->result = rc < 0 ? rc : 0;
    return rc == DECODER_PART_END ? 0 : rc;
}

int decoder_end(struct decoder *decoder)
{
    if (decoder->result == 0 && decoder->place != DECODER_BETWEEN) {
        decoder->result = GALLEY_EPROTO;
    }
    return decoder->result;
}
