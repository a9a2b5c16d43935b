/* exchange/coded_answer.c — see coded_answer.h.
 *
 * In pieces, bytes go response.body -> waiting -> input -> (job) -> output -> response.body -> the real
 * driver. Fields are nodes of this object, not of the arena, which may be a worker's. Invariant: while
 * is_busy the job has input, output and encoder, and the loop has the rest. What the real driver was
 * called with is the last thing that is touched, but for this object while is_calling keeps it. */
#include "exchange/coded_answer.h"

#include "base/alloc.h"
#include "base/check.h"
#include "coding/encoder.h"
#include "loop/offload.h"

#include "exchange/coded_body.h"
#include "exchange/coded_choice.h"
#include "exchange/exchange_steps.h"

enum { INLINE_BYTES = 16 * 1024 /* take a loop a few hundred microseconds at most */ };

struct coded_answer {
    struct exchange *exchange; /* NULL: it has ended */
    struct offload offload;
    struct encoder *encoder;
    struct encoder_options options;
    enum coding coding;
    enum encoder_step step;
    int result;
    struct chain *source; /* of the bytes: &input, or the body of a whole answer */
    struct chain input;
    struct chain waiting; /* came while the job was under way */
    struct buf output;
    bool is_whole;
    bool is_muted;   /* HEAD: only the head is changed */
    bool is_busy;    /* a job is under way */
    bool is_calling; /* the real driver */
    bool has_head;   /* the real driver has it */
    bool has_ended;  /* no piece will come any more */
    bool has_failed; /* the real driver was told to give up */
    struct response_field vary, encoding, etag;
    char tag[];
};

static void destroy(struct coded_answer *coded)
{
    encoder_destroy(coded->encoder);
    chain_clear(&coded->input);
    chain_clear(&coded->waiting);
    buf_finish(&coded->output);
    mem_free(coded);
}

static void destroy_if_unused(struct coded_answer *coded)
{
    if (!coded->exchange && !coded->is_busy && !coded->is_calling) {
        destroy(coded);
    }
}

void coded_answer_release(struct exchange *exchange)
{
    struct coded_answer *coded = exchange->response.coding.answer;
    if (coded) {
        exchange->response.coding.answer = NULL;
        coded->exchange = NULL;
        destroy_if_unused(coded);
    }
}

/* ---- encoding: a worker, or the loop if it is short ------------------------------------------- */

static int encode_all(struct coded_answer *coded)
{
    if (!coded->encoder) {
        coded->encoder = encoder_create(coded->coding, &coded->options);
    }
    int rc = coded->encoder ? GALLEY_OK : GALLEY_ENOMEM;
    const struct chain *source = coded->source;
    for (uint32_t i = 0; i < source->count && rc == GALLEY_OK; i++) {
        const struct chain_part *part = &source->parts[source->first + i];
        rc = encoder_append(coded->encoder, ENCODER_GO_ON, span_make(part->ptr, part->len),
                            &coded->output);
    }
    if (rc == GALLEY_OK) {
        rc = encoder_append(coded->encoder, coded->step, SPAN(""), &coded->output);
    }
    if (rc != GALLEY_OK || coded->step == ENCODER_FINISH) {
        encoder_destroy(coded->encoder); /* its client may be slow */
        coded->encoder = NULL;
    }
    return rc;
}

static void encode_on_worker(struct offload *offload)
{
    struct coded_answer *coded = CONTAINER_OF(offload, struct coded_answer, offload);
    coded->result = encode_all(coded);
}

/* False: there is no room in the queue. */
static bool start_job(struct coded_answer *coded, offload_fn *done)
{
    const struct exchange_services *services = coded->exchange->services;
    struct offload_options options = {.label = "compress"};
    coded->is_busy = offload_start(&coded->offload, services->loop, services->file_pool,
                                   encode_on_worker, done, &options) == GALLEY_OK;
    return coded->is_busy;
}

/* What is in `output` becomes the body, in the place of what is there. 0 or GALLEY_ENOMEM: nothing is
 * changed then. */
static int put_output(struct coded_answer *coded)
{
    struct chain *body = &coded->exchange->response.body;
    struct chain fresh;
    chain_init(&fresh, body->pool);
    size_t len = 0;
    char *data = buf_take(&coded->output, &len);
    int rc = data ? chain_add(&fresh, data, len, mem_free, data) : GALLEY_ENOMEM;
    if (rc != GALLEY_OK) {
        mem_free(data);
        return rc;
    }
    chain_clear(body);
    *body = fresh;
    return GALLEY_OK;
}

/* ---- the head --------------------------------------------------------------------------------- */

/* RFC 9110 §12.5.5: also when this client gets it as it is. */
static void put_vary(struct coded_answer *coded)
{
    coded->vary = (struct response_field){.name = SPAN("Vary"), .value = SPAN("Accept-Encoding")};
    response_append_field(&coded->exchange->response, &coded->vary);
}

static bool put_tag(struct coded_answer *coded, enum coding coding)
{
    struct response *response = &coded->exchange->response;
    size_t len = coded_tag_write(coded->tag, response_field(response, "ETag"), coding);
    if (len > 0) {
        coded->etag =
            (struct response_field){.name = SPAN("ETag"), .value = span_make(coded->tag, len)};
        response_put_field(response, &coded->etag);
    }
    return len > 0;
}

static void put_fields(struct coded_answer *coded)
{
    coded->encoding = (struct response_field){.name = SPAN("Content-Encoding"),
                                              .value = coding_name(coded->coding)};
    response_put_field(&coded->exchange->response, &coded->encoding);
    (void)put_tag(coded, coded->coding);
}

/* ---- a whole answer --------------------------------------------------------------------------- */

static void respond_for_real(struct exchange *exchange)
{
    exchange->response.coding.real_driver->respond(exchange);
}

/* Compressed if that worked and is shorter, else as it was. */
static void respond_whole(struct coded_answer *coded)
{
    struct exchange *exchange = coded->exchange;
    struct response *response = &exchange->response;
    if (coded->result == GALLEY_OK && put_output(coded) == GALLEY_OK) {
        put_fields(coded);
        response->length = (int64_t)response->body.bytes;
        response->borrows_memory = false;
    }
    respond_for_real(exchange);
}

static void whole_done(struct offload *offload)
{
    struct coded_answer *coded = CONTAINER_OF(offload, struct coded_answer, offload);
    struct exchange *exchange = coded->exchange;
    coded->is_busy = false;
    exchange->state = EXCHANGE_RESPONDING;
    if (exchange->client_is_gone) {
        exchange_end(exchange, exchange->pool);
        return;
    }
    coded->result = offload->dropped ? GALLEY_EFULL : coded->result;
    exchange->has_responded = true;
    respond_whole(coded);
}

/* Whoever decided the response has let go of it: until the job is back it is as if a file was read. */
static bool begin_whole(struct coded_answer *coded)
{
    struct exchange *exchange = coded->exchange;
    if (exchange_retain(exchange) != GALLEY_OK || !start_job(coded, whole_done)) {
        return false;
    }
    exchange->state = EXCHANGE_SUSPENDED;
    exchange->has_early_result = false;
    exchange->has_responded = false;
    return true;
}

static void take_whole(struct coded_answer *coded)
{
    struct chain *body = &coded->exchange->response.body;
    CHECK(coded->exchange->state == EXCHANGE_RESPONDING);
    coded->source = body;
    coded->step = ENCODER_FINISH;
    coded->options.size_bytes = body->bytes;
    buf_init(&coded->output, (size_t)body->bytes); /* longer than it was: no */
    if (body->bytes <= (uint64_t)INLINE_BYTES) {
        coded->result = encode_all(coded);
        respond_whole(coded);
    } else if (!begin_whole(coded)) {
        respond_for_real(coded->exchange);
    }
}

/* ---- in pieces -------------------------------------------------------------------------------- */

static void fail(struct coded_answer *coded)
{
    struct exchange *exchange = coded->exchange;
    coded->has_failed = true;
    if (exchange->services->counters) {
        counter_add(&exchange->services->counters->broken, 1);
    }
    exchange->response.coding.real_driver->abort(exchange, GALLEY_ENOMEM);
}

/* The real driver gets what is there. False: this object is gone. */
static bool call_driver(struct coded_answer *coded)
{
    struct exchange *exchange = coded->exchange;
    coded->is_calling = true;
    exchange->response.pieces_ended = coded->step == ENCODER_FINISH;
    if (coded->has_head) {
        exchange->response.coding.real_driver->pieces(exchange);
    } else {
        coded->has_head = true;
        exchange->response.coding.real_driver->respond(exchange);
    }
    coded->is_calling = false;
    bool lives = coded->exchange != NULL;
    destroy_if_unused(coded);
    return lives;
}

static void piece_done(struct offload *offload);

/* The next batch: 0; 1: it is a job, or there is none; or a code. */
static int take_batch(struct coded_answer *coded)
{
    bool is_end = coded->has_ended && coded->step != ENCODER_FINISH && coded->has_head;
    if (coded->waiting.bytes == 0 && !is_end) {
        return 1;
    }
    if (chain_move(&coded->input, &coded->waiting) != GALLEY_OK) {
        return GALLEY_ENOMEM;
    }
    coded->step = is_end ? ENCODER_FINISH : ENCODER_FLUSH;
    if (coded->input.bytes > (uint64_t)INLINE_BYTES && start_job(coded, piece_done)) {
        return 1;
    }
    return encode_all(coded);
}

/* A batch has been encoded. False: this object is gone, or the answer has failed. */
static bool deliver(struct coded_answer *coded, int result)
{
    chain_clear(&coded->input);
    if (result != GALLEY_OK || put_output(coded) != GALLEY_OK) {
        fail(coded);
        return false;
    }
    return call_driver(coded);
}

/* As far as it goes without a job. This object may be gone afterwards. */
static void go_on(struct coded_answer *coded)
{
    int rc = GALLEY_OK;
    while (rc == GALLEY_OK) {
        rc = take_batch(coded);
        if (rc < 0) {
            chain_clear(&coded->input);
            fail(coded);
        } else if (rc == GALLEY_OK && !deliver(coded, rc)) {
            return;
        }
    }
}

static void piece_done(struct offload *offload)
{
    struct coded_answer *coded = CONTAINER_OF(offload, struct coded_answer, offload);
    coded->is_busy = false;
    if (!coded->exchange || coded->has_failed) {
        destroy_if_unused(coded);
        return;
    }
    if (offload->dropped) {
        coded->result = encode_all(coded); /* the pool closes: the last ones */
    }
    if (deliver(coded, coded->result)) {
        go_on(coded);
    }
}

/* What has come is taken over, so that response.body is free for what goes out. */
static bool take_over(struct coded_answer *coded)
{
    struct response *response = &coded->exchange->response;
    coded->has_ended |= response->pieces_ended;
    response->pieces_ended = false;
    return chain_move(&coded->waiting, &response->body) == GALLEY_OK;
}

static void take_first(struct coded_answer *coded)
{
    struct exchange *exchange = coded->exchange;
    struct response *response = &exchange->response;
    coded->source = &coded->input;
    coded->options.is_frugal = true; /* its client may be slow, or it may have little to say */
    put_fields(coded);
    response->is_coded = true;
    if (exchange->request.method == METHOD_HEAD) {
        coded->is_muted = true;
        respond_for_real(exchange);
    } else if (!take_over(coded)) {
        fail(coded);
    } else if (coded->waiting.bytes > 0) {
        go_on(coded);
    } else if (call_driver(coded)) { /* the head alone: what follows may take long */
        go_on(coded);
    }
}

/* ---- the driver in between --------------------------------------------------------------------- */

static struct coded_answer *create(struct exchange *exchange)
{
    size_t tag_len = response_field(&exchange->response, "ETag").len;
    struct coded_answer *coded = mem_alloc_zero(1, sizeof *coded + tag_len + CODED_MAX_TAG_SUFFIX);
    if (coded) {
        coded->exchange = exchange;
        chain_init(&coded->input, NULL);
        chain_init(&coded->waiting, NULL);
        buf_init(&coded->output, 0);
        exchange->response.coding.answer = coded;
    }
    return coded;
}

/* RFC 9110 §15.4.5: a 304 says the tag that the 200 would have; the handler knows only its own. */
static void restore_tag(struct exchange *exchange)
{
    enum coding coding = (enum coding)exchange->response.coding.tag;
    bool has_tag = coding != CODING_IDENTITY && response_field(&exchange->response, "ETag").ptr;
    struct coded_answer *coded = has_tag ? create(exchange) : NULL;
    if (coded && put_tag(coded, coding)) {
        coded->is_muted = true;
        put_vary(coded);
    }
}

static bool is_in_pieces(const struct response *response)
{
    return response->is_begun && !response->pieces_ended;
}

/* HEAD for pieces that are all there: how long they would be compressed is not known. */
static bool is_counted_only(const struct exchange *exchange)
{
    return exchange->request.method == METHOD_HEAD && exchange->response.is_begun;
}

static void respond(struct exchange *exchange)
{
    if (exchange->response.status == 304) {
        restore_tag(exchange);
    }
    bool is_possible = exchange->route->compresses && coded_is_possible(exchange);
    struct coded_answer *coded = is_possible ? create(exchange) : NULL;
    if (!coded) {
        respond_for_real(exchange);
        return;
    }
    put_vary(coded);
    coded->coding = coded_choose(exchange);
    coded->is_whole = !is_in_pieces(&exchange->response) && !is_counted_only(exchange);
    if (coded->coding == CODING_IDENTITY) {
        coded->is_muted = true;
        respond_for_real(exchange);
    } else if (coded->is_whole) {
        take_whole(coded);
    } else {
        take_first(coded);
    }
}

static void pieces(struct exchange *exchange)
{
    struct coded_answer *coded = exchange->response.coding.answer;
    if (!coded || coded->is_muted || coded->is_whole) {
        exchange->response.coding.real_driver->pieces(exchange);
    } else if (coded->has_failed) {
        chain_clear(&exchange->response.body);
    } else if (!take_over(coded)) {
        fail(coded);
    } else if (!coded->is_busy && !coded->is_calling) {
        go_on(coded);
    }
}

static void read_body(struct exchange *exchange)
{
    exchange->response.coding.real_driver->read_body(exchange);
}

static void abort_it(struct exchange *exchange, int galley_code)
{
    exchange->response.coding.real_driver->abort(exchange, galley_code);
}

static void resume_body(struct exchange *exchange)
{
    if (exchange->response.coding.body) {
        coded_body_resume(exchange);
    } else {
        exchange->response.coding.real_driver->resume_body(exchange);
    }
}

static void give_up(struct exchange *exchange, int status)
{
    exchange->response.coding.real_driver->give_up(exchange, status);
}

static int interim(struct exchange *exchange, int status, const struct response_field *fields)
{
    return exchange->response.coding.real_driver->interim(exchange, status, fields);
}

static const struct exchange_driver coded_driver = {
    .respond = respond,
    .read_body = read_body,
    .pieces = pieces,
    .abort = abort_it,
    .resume_body = resume_body,
    .give_up = give_up,
    .interim = interim,
};

void coded_answer_begin(struct exchange *exchange)
{
    exchange->response.coding.real_driver = exchange->driver;
    exchange->driver = &coded_driver;
    if (exchange->route->compresses) {
        exchange->response.coding.tag = (uint8_t)coded_tags_take_back(exchange);
    }
}
