/* exchange/coded_body.c — see coded_body.h. Invariant: what exchange_body_take() was called with is the
 * last thing that is touched, but for this object while is_taking keeps it. */
#include "exchange/coded_body.h"

#include "base/alloc.h"
#include "coding/decoder.h"

#include "exchange/exchange_steps.h"

enum {
    BLOCK_BYTES = 16 * 1024, /* decoded at once */
    MAX_RATIO = 100,         /* text of people and programs stays below; zeros have 1000 */
    FREE_BYTES = 64 * 1024   /* as dense as they like */
};

struct coded_body {
    struct exchange *exchange; /* NULL: it has ended */
    struct decoder *decoder;
    struct buf rest;   /* of a piece whose taker asked for a pause */
    uint64_t in_bytes; /* never over the route's limit */
    int failure;       /* a status: for the driver's next piece, or the end */
    bool is_paused;    /* in the middle: rest, or what the decoder still has */
    bool has_ended;    /* the driver has given all */
    bool is_taking;
};

static void destroy(struct coded_body *coded)
{
    decoder_destroy(coded->decoder);
    buf_finish(&coded->rest);
    mem_free(coded);
}

void coded_body_release(struct exchange *exchange)
{
    struct coded_body *coded = exchange->response.coding.body;
    if (!coded) {
        return;
    }
    exchange->response.coding.body = NULL;
    coded->exchange = NULL;
    if (!coded->is_taking) {
        destroy(coded);
    }
}

/* ---- beginning -------------------------------------------------------------------------------- */

/* RFC 9110 §8.4: one coding, in any case; identity, though nobody should say it, is none. False: none
 * that is known here, or several. */
static bool coding_of(struct span value, enum coding *ret_coding)
{
    if (span_equal_nocase(value, SPAN("x-gzip"))) { /* §8.4.1.3 */
        *ret_coding = CODING_GZIP;
        return true;
    }
    for (unsigned i = 0; i < CODING_COUNT; i++) {
        if (span_equal_nocase(value, coding_name((enum coding)i))) {
            *ret_coding = (enum coding)i;
            return true;
        }
    }
    return false;
}

static void take_out(struct fields *fields, enum field_id id)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < fields->count; i++) {
        if (fields->entries[i].id != id) {
            fields->entries[kept++] = fields->entries[i];
        }
    }
    fields->count = kept;
    fields->present[(unsigned)id / 64] &= ~(UINT64_C(1) << ((unsigned)id % 64));
}

static int create(struct exchange *exchange, enum coding coding)
{
    uint64_t max_bytes = exchange->route->max_body_bytes;
    struct decoder_limits limits = {
        .max_bytes = max_bytes ? max_bytes : 1, .max_ratio = MAX_RATIO, .free_bytes = FREE_BYTES};
    struct coded_body *coded = mem_alloc_zero(1, sizeof *coded);
    if (!coded) {
        return 503;
    }
    coded->decoder = decoder_create(coding, &limits);
    if (!coded->decoder) {
        mem_free(coded);
        return 503;
    }
    coded->exchange = exchange;
    buf_init(&coded->rest, 0);
    exchange->response.coding.body = coded;
    return GALLEY_OK;
}

int coded_body_begin(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    struct span value = request_field(request, FIELD_CONTENT_ENCODING);
    if (!value.ptr) {
        return GALLEY_OK;
    }
    enum coding coding = CODING_IDENTITY;
    if (fields_count_of(request->fields, FIELD_CONTENT_ENCODING) > 1 ||
        !coding_of(value, &coding)) {
        return 415;
    }
    int status = coding == CODING_IDENTITY ? GALLEY_OK : create(exchange, coding);
    if (exchange->response.coding.body) {
        take_out(request->fields, FIELD_CONTENT_ENCODING);
        take_out(request->fields, FIELD_CONTENT_LENGTH);
        request->content_length = -1;
    }
    return status;
}

/* ---- pieces ----------------------------------------------------------------------------------- */

static int status_of(int code)
{
    switch (code) {
    case GALLEY_ETOOBIG:
        return 413;
    case GALLEY_ENOMEM:
        return 503;
    default:
        return 400; /* not that coding, or cut off, or more behind its end */
    }
}

/* A block: 0, EXCHANGE_BODY_PAUSE, or a status. *ret_has_more: the decoder wants more room. False in
 * coded->exchange afterwards: the exchange is gone. */
static int take_block(struct coded_body *coded, struct span *in, bool *ret_has_more)
{
    char block[BLOCK_BYTES];
    struct decoder_output out = {block, sizeof block};
    int rc = decoder_run(coded->decoder, in, &out);
    *ret_has_more = rc == DECODER_FULL;
    if (rc < 0) {
        return status_of(rc);
    }
    struct span piece = span_make(block, (size_t)(out.at - block));
    return piece.len > 0 ? exchange_body_take(coded->exchange, piece) : GALLEY_OK;
}

/* 0, EXCHANGE_BODY_PAUSE, or a status. */
static int decode(struct coded_body *coded, struct span in)
{
    bool has_more = true;
    int rc = GALLEY_OK;
    while (rc == GALLEY_OK && has_more && coded->exchange) {
        rc = take_block(coded, &in, &has_more);
    }
    coded->is_paused = rc == EXCHANGE_BODY_PAUSE && has_more;
    if (!coded->is_paused || !coded->exchange) {
        return rc;
    }
    buf_append_span(&coded->rest, in);
    return coded->rest.failed ? 503 : rc;
}

/* The same, and whoever takes it may end the exchange: then 0, or what the taker said. */
static int decode_and_look(struct coded_body *coded, struct span in, bool *ret_lives)
{
    coded->is_taking = true;
    int rc = decode(coded, in);
    coded->is_taking = false;
    *ret_lives = coded->exchange != NULL;
    if (!coded->exchange) {
        destroy(coded);
    }
    return rc;
}

int coded_body_piece(struct exchange *exchange, struct span piece)
{
    struct coded_body *coded = exchange->response.coding.body;
    bool lives = true;
    if (coded->failure) {
        return coded->failure;
    }
    if (piece.len > exchange->route->max_body_bytes - coded->in_bytes) {
        return 413; /* much may come and give nothing */
    }
    coded->in_bytes += piece.len;
    return decode_and_look(coded, piece, &lives);
}

/* ---- the end ---------------------------------------------------------------------------------- */

/* The driver has no part in it: all of the body has been read. */
static void fail(struct exchange *exchange, int status)
{
    int code = status == 413 ? GALLEY_ETOOBIG : status == 503 ? GALLEY_ENOMEM : GALLEY_EPROTO;
    if (!exchange_body_failed(exchange, code)) {
        exchange_reject(exchange, status);
    }
}

bool coded_body_end(struct exchange *exchange)
{
    struct coded_body *coded = exchange->response.coding.body;
    coded->has_ended = true;
    if (coded->is_paused) {
        return false;
    }
    int rc = decoder_end(coded->decoder);
    int status = coded->failure ? coded->failure : rc < 0 ? status_of(rc) : 0;
    if (status != 0) {
        fail(exchange, status);
        return false;
    }
    return true;
}

void coded_body_resume(struct exchange *exchange)
{
    struct coded_body *coded = exchange->response.coding.body;
    bool lives = true;
    int rc = GALLEY_OK;
    if (coded->is_paused) {
        struct buf rest = coded->rest;
        buf_init(&coded->rest, 0);
        rc = decode_and_look(coded, buf_span(&rest), &lives);
        buf_finish(&rest);
    }
    if (!lives || rc == EXCHANGE_BODY_PAUSE) {
        return;
    }
    coded->failure = rc;
    if (!coded->has_ended) {
        exchange->response.coding.real_driver->resume_body(exchange);
    } else if (coded_body_end(exchange)) {
        exchange_body_end_now(exchange);
    }
}
