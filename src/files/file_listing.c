/* files/file_listing.c — the way through the threads, and the response. */
#include "files/file_listing.h"

#include "base/alloc.h"
#include "coding/encoder.h"

#include "files/file_lookup.h"
#include "files/file_respond.h"

/* In the exchange's arena, which lives until the exchange is resumed. The worker touches nothing
 * else of the exchange. */
struct listing_job {
    struct offload offload;
    galley_static *site;
    struct exchange *exchange;
    struct file_entry *entry;
    struct buf page;
    int error;
    bool is_json;
    bool may_be_coded; /* by what the owner says of its type */
    enum coding accepted;
    enum coding coding; /* of the page */
};

static struct span type_of(const struct listing_job *job)
{
    return job->is_json ? SPAN("application/json") : SPAN("text/html; charset=utf-8");
}

/* What does not become smaller stays as it is. */
static void compress(struct listing_job *job)
{
    struct buf coded;
    struct encoder_options options = {.level = ENCODER_FAST, .size_bytes = job->page.len};
    struct encoder *encoder = encoder_create(job->accepted, &options);
    buf_init(&coded, job->page.len);
    if (encoder && encoder_append(encoder, ENCODER_FINISH, buf_span(&job->page), &coded) == 0) {
        buf_finish(&job->page);
        job->page = coded;
        job->coding = job->accepted;
    } else {
        buf_finish(&coded);
    }
    encoder_destroy(encoder);
}

static void make_page(struct listing_job *job)
{
    struct listing listing;
    job->error = file_listing_read(&listing, job->site, job->entry->file_name);
    if (job->error == GALLEY_OK) {
        if (job->is_json) {
            file_listing_write_json(&job->page, &listing);
        } else {
            file_listing_write_html(&job->page, &listing);
        }
        job->error = job->page.failed ? GALLEY_EFULL : GALLEY_OK;
    }
    const struct compressible *rules = &file_store_get_options(job->site->store)->compressible;
    job->may_be_coded = job->may_be_coded && job->page.len >= compressible_least(rules);
    if (job->error == GALLEY_OK && job->may_be_coded && job->accepted != CODING_IDENTITY) {
        compress(job);
    }
    file_listing_finish(&listing);
}

static void run_on_worker(struct offload *offload)
{
    make_page(CONTAINER_OF(offload, struct listing_job, offload));
}

static int set_fields(const struct listing_job *job)
{
    struct exchange *exchange = job->exchange;
    exchange->response.status = 200;
    exchange->response.ready_fields = job->site->common_lines;
    int rc = response_set_field(exchange, SPAN("Content-Type"), type_of(job));
    if (rc == GALLEY_OK && job->coding != CODING_IDENTITY) {
        rc = response_set_field(exchange, SPAN("Content-Encoding"), coding_name(job->coding));
    }
    if (rc == GALLEY_OK) {
        /* RFC 9110 §12.5.5 */
        rc = response_set_field(exchange, SPAN("Vary"),
                                job->may_be_coded ? SPAN("Accept, Accept-Encoding")
                                                  : SPAN("Accept"));
    }
    if (rc == GALLEY_OK) {
        /* RFC 9111 §5.2.2.4: what is in a directory changes without any of its files changing. */
        rc = response_set_field(exchange, SPAN("Cache-Control"), SPAN("no-cache"));
    }
    if (rc == GALLEY_OK && !job->is_json && !job->site->has_own_policy) {
        /* Names are the visitors' in an upload folder: should one ever get out of its quotes, it
         * still cannot run. */
        rc = response_set_field(exchange, SPAN("Content-Security-Policy"),
                                SPAN("default-src 'none'; style-src 'unsafe-inline'"));
    }
    return rc;
}

static int respond(struct listing_job *job)
{
    struct exchange *exchange = job->exchange;
    int rc = set_fields(job);
    size_t len;
    char *page = rc == GALLEY_OK ? buf_take(&job->page, &len) : NULL;
    if (!page) {
        return GALLEY_ENOMEM;
    }
    rc = response_body_data(exchange, page, len, mem_free, page);
    if (rc != GALLEY_OK) {
        mem_free(page);
        return rc;
    }
    counter_add(&file_site_loop_of(job->site, exchange)->counters.listings, 1);
    return GALLEY_OK;
}

static void done(struct offload *offload)
{
    struct listing_job *job = CONTAINER_OF(offload, struct listing_job, offload);
    struct exchange *exchange = job->exchange;
    int result = offload->dropped ? GALLEY_EFULL : job->error;
    file_entry_unref(job->entry);
    if (result == GALLEY_OK && !exchange->client_is_gone) {
        result = respond(job);
    }
    buf_finish(&job->page);
    if (result < 0 && !exchange->client_is_gone) {
        result = file_respond_error(job->site, exchange, exchange_status_of(result));
    }
    exchange_resume(exchange, result);
}

/* Which forms it may have. Accept-Encoding is not there any more when the worker is. */
static void choose_form(struct listing_job *job)
{
    const struct fields *fields = job->exchange->request.fields;
    const struct file_store_options *options = file_store_get_options(job->site->store);
    unsigned codings = CODING_BIT(CODING_GZIP) | CODING_BIT(CODING_ZSTD) | CODING_BIT(CODING_BR);
    job->is_json = fields && negotiate_prefers_json(fields);
    job->may_be_coded =
        options->compresses && compressible_is_wanted(&options->compressible, type_of(job), true);
    job->accepted = fields ? negotiate_coding(fields, codings) : CODING_IDENTITY;
}

int file_listing_start(galley_static *site, struct exchange *exchange, struct file_entry *entry)
{
    struct listing_job *job = arena_alloc(&exchange->arena, sizeof *job);
    if (!job || exchange_suspend(exchange) != GALLEY_OK) {
        return GALLEY_ENOMEM;
    }
    *job = (struct listing_job){
        .site = site,
        .exchange = exchange,
        .entry = file_entry_ref(entry),
    };
    choose_form(job);
    buf_init(&job->page, LISTING_MAX_BYTES);
    const struct exchange_services *services = exchange->services;
    struct offload_options options = {.label = "list a directory"};
    int rc = offload_start(&job->offload, services->loop, services->file_pool, run_on_worker, done,
                           &options);
    if (rc != GALLEY_OK) {
        file_entry_unref(job->entry);
        return GALLEY_EFULL;
    }
    return FILE_LATER;
}
