/* files/file_lookup.c — stages; a hit goes through without allocating, a cold path suspends the
 * exchange and goes on when the worker is back. An exchange whose client has gone ends at the next
 * step. */
#include "files/file_lookup.h"

#include "files/file_links.h"
#include "files/file_listing.h"
#include "files/file_path.h"
#include "files/file_respond.h"

struct file_lookup {
    struct file_waiter waiter;
    galley_static *site;
    struct exchange *exchange;
    struct span reply_path;
    uint8_t stage;
};

static int run(struct file_lookup *lookup);

static struct file_site_counters *counters_of(const struct file_lookup *lookup)
{
    return &file_site_loop_of(lookup->site, lookup->exchange)->counters;
}

/* ---- what an entry means in each stage ------------------------------------------------------- */

/* RFC 9110 §12.5.5: in an application another Accept may get its index where this one gets a 404,
 * and the other way round. */
static int add_vary(struct file_lookup *lookup, int result)
{
    bool is_spa = (lookup->site->flags & GALLEY_STATIC_SPA) != 0;
    return is_spa && result == GALLEY_OK
               ? response_add_field(lookup->exchange, SPAN("Vary"), SPAN("Accept"))
               : result;
}

static int respond_missing(struct file_lookup *lookup)
{
    return add_vary(lookup, file_respond_error(lookup->site, lookup->exchange, 404));
}

/* Nothing answers the stage: try the next one. */
static int next_stage(struct file_lookup *lookup, struct span path)
{
    galley_static *site = lookup->site;
    bool has_page = site->not_found_path.ptr != NULL;
    bool is_spa = lookup->stage == FILE_STAGE_PATH && (site->flags & GALLEY_STATIC_SPA) &&
                  file_path_is_page(lookup->exchange, path);
    if (is_spa) {
        lookup->stage = FILE_STAGE_SPA;
        return run(lookup);
    }
    if (has_page && lookup->stage != FILE_STAGE_NOT_FOUND) {
        lookup->stage = FILE_STAGE_NOT_FOUND;
        return run(lookup);
    }
    return respond_missing(lookup);
}

static int respond_redirect(struct file_lookup *lookup, struct span entry_location)
{
    struct exchange *exchange = lookup->exchange;
    struct file_path path;
    struct span location;
    int rc = file_path_of(lookup->site, exchange, &path);
    if (rc == GALLEY_OK) {
        rc = file_path_location(exchange, &path, entry_location, &location);
    }
    if (rc != GALLEY_OK) {
        return rc;
    }
    counter_add(&counters_of(lookup)->redirects, 1);
    enum method method = exchange->request.method;
    /* RFC 9110 §15.4.9: 308 keeps the method; to GET and HEAD 301 says the same to older clients
     * too. */
    int status = method == METHOD_GET || method == METHOD_HEAD ? 301 : 308;
    response_be_page(exchange, status);
    exchange->response.ready_fields = lookup->site->common_lines;
    return response_set_field(exchange, SPAN("Location"), location);
}

static int answer_path(struct file_lookup *lookup, struct file_entry *entry)
{
    enum method method = lookup->exchange->request.method;
    if (entry->kind != FILE_REDIRECT && method != METHOD_GET && method != METHOD_HEAD) {
        return file_respond_refusal(lookup->site, lookup->exchange);
    }
    switch (entry->kind) {
    case FILE_REGULAR:
        return file_respond(lookup->site, lookup->exchange, entry);
    case FILE_REDIRECT:
        return respond_redirect(lookup, entry->location);
    case FILE_DIRECTORY:
        return file_listing_start(lookup->site, lookup->exchange, entry);
    default:
        return next_stage(lookup, entry->path);
    }
}

static int answer_spa(struct file_lookup *lookup, struct file_entry *entry)
{
    if (entry->kind != FILE_REGULAR) {
        return next_stage(lookup, entry->path);
    }
    /* Before the rest: an answer without its page may take the fields away again. */
    int rc = add_vary(lookup, GALLEY_OK);
    return rc == GALLEY_OK ? file_respond(lookup->site, lookup->exchange, entry) : rc;
}

static int answer_not_found(struct file_lookup *lookup, struct file_entry *entry)
{
    if (entry->kind != FILE_REGULAR) {
        return respond_missing(lookup);
    }
    return add_vary(lookup, file_respond_page(lookup->site, lookup->exchange, entry, 404));
}

/* The program named a file that is not there: its mistake, so the log says so. */
static int answer_reply(struct file_lookup *lookup, struct file_entry *entry)
{
    if (entry->kind == FILE_REGULAR) {
        return file_respond_reply(lookup->site, lookup->exchange, entry);
    }
    galley_static *site = lookup->site;
    counter_add(&counters_of(lookup)->missing, 1);
    log_write_limited(&site->log, &site->reply_log, LOG_WARNING,
                      "galley_res_file: there is no file %.*s", SPAN_ARGS(lookup->reply_path));
    int status = lookup->exchange->response.status;
    return status == 200 ? GALLEY_ENOTFOUND : status;
}

static int answer(struct file_lookup *lookup, struct file_entry *entry)
{
    switch ((enum file_stage)lookup->stage) {
    case FILE_STAGE_PATH:
        return answer_path(lookup, entry);
    case FILE_STAGE_SPA:
        return answer_spa(lookup, entry);
    case FILE_STAGE_NOT_FOUND:
        return answer_not_found(lookup, entry);
    case FILE_STAGE_REPLY:
        break;
    }
    return answer_reply(lookup, entry);
}

/* ---- waiting for a worker -------------------------------------------------------------------- */

static int answer_failure(struct file_lookup *lookup, int error)
{
    if (lookup->stage == FILE_STAGE_NOT_FOUND) {
        return respond_missing(lookup); /* the page is an extra */
    }
    return error == GALLEY_ESYS ? GALLEY_ESYS : GALLEY_EFULL;
}

static void loaded(struct file_waiter *waiter, struct file_entry *entry, int error)
{
    struct file_lookup *lookup = CONTAINER_OF(waiter, struct file_lookup, waiter);
    struct exchange *exchange = lookup->exchange;
    if (exchange->client_is_gone) {
        exchange_resume(exchange, GALLEY_ECLOSED);
        return;
    }
    int result = entry ? answer(lookup, entry) : answer_failure(lookup, error);
    if (result < 0 && result != FILE_LATER && lookup->stage != FILE_STAGE_REPLY) {
        result = file_respond_error(lookup->site, exchange, exchange_status_of(result));
    }
    if (result != FILE_LATER) {
        exchange_resume(exchange, result);
    }
}

static int path_of(const struct file_lookup *lookup, struct span *ret_path)
{
    switch ((enum file_stage)lookup->stage) {
    case FILE_STAGE_PATH: {
        struct file_path path;
        int rc = file_path_of(lookup->site, lookup->exchange, &path);
        *ret_path = path.path;
        return rc;
    }
    case FILE_STAGE_SPA:
        *ret_path = SPAN("/");
        return GALLEY_OK;
    case FILE_STAGE_NOT_FOUND:
        *ret_path = lookup->site->not_found_path;
        return GALLEY_OK;
    case FILE_STAGE_REPLY:
        break;
    }
    *ret_path = lookup->reply_path;
    return GALLEY_OK;
}

static int load(const struct file_lookup *lookup)
{
    struct exchange *exchange = lookup->exchange;
    struct file_lookup *kept = arena_alloc(&exchange->arena, sizeof *kept);
    if (!kept || exchange_suspend(exchange) != GALLEY_OK) {
        return GALLEY_ENOMEM;
    }
    *kept = *lookup;
    kept->waiter.loaded = loaded;
    struct span path; /* once more: the head has moved */
    int rc = path_of(kept, &path);
    if (rc == GALLEY_OK) {
        rc = file_cache_load(file_site_loop_of(kept->site, exchange)->cache, path, &kept->waiter);
    }
    if (rc != GALLEY_OK) {
        return answer_failure(kept, rc);
    }
    counter_add(&counters_of(kept)->waits, 1);
    if (kept->stage == FILE_STAGE_PATH || kept->stage == FILE_STAGE_SPA) {
        file_links_hint(kept->site, exchange, path);
    }
    return FILE_LATER;
}

static int run(struct file_lookup *lookup)
{
    struct span path;
    int rc = path_of(lookup, &path);
    if (rc != GALLEY_OK) {
        return next_stage(lookup, lookup->exchange->request.target.path);
    }
    struct file_entry *entry =
        file_cache_find(file_site_loop_of(lookup->site, lookup->exchange)->cache, path);
    return entry ? answer(lookup, entry) : load(lookup);
}

int file_lookup_start(galley_static *site, struct exchange *exchange, enum file_stage stage,
                      struct span reply_path)
{
    struct file_lookup lookup = {
        .site = site, .exchange = exchange, .reply_path = reply_path, .stage = (uint8_t)stage};
    int result = run(&lookup);
    if (result == FILE_LATER) {
        return result;
    }
    counter_add(&counters_of(&lookup)->hits, 1);
    if (result < 0 && stage != FILE_STAGE_REPLY) {
        result = file_respond_error(site, exchange, exchange_status_of(result));
    }
    return result;
}
