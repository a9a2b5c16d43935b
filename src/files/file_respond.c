/* files/file_respond.c — the order is that of RFC 9110 §13.2: select a representation, conditions,
 * If-Range, Range. On a hit: a few tests of bits, one count of the loop's own, one part of a chain;
 * nothing is allocated or copied. */
#include "files/file_respond.h"

#include "http/negotiate.h"
#include "http/precondition.h"
#include "http/status.h"

#include "files/file_ranges.h"

/* ---- pieces ---------------------------------------------------------------------------------- */

int file_answer_add(const struct file_answer *answer, uint64_t from, uint64_t len)
{
    const struct file_variant *variant = answer->variant;
    struct file_site_loop *loop = file_site_loop_of(answer->site, answer->exchange);
    struct file_use use = file_cache_use(loop->cache, answer->entry);
    int rc;
    if (variant->bytes.ptr) {
        rc = response_body_data(answer->exchange, variant->bytes.ptr + from, (size_t)len,
                                use.release, use.arg);
    } else {
        rc = response_body_file(answer->exchange, variant->fd, (off_t)from, len, use.release,
                                use.arg);
    }
    if (rc != GALLEY_OK) {
        use.release(use.arg);
    }
    return rc;
}

struct validators file_answer_validators(const struct file_answer *answer)
{
    const struct file_variant *variant = answer->variant;
    return (struct validators){
        .exists = true,
        .has_modified = variant->last_modified.ptr != NULL,
        .etag = variant->etag,
        .modified_s = variant->mtime_s,
    };
}

int64_t file_answer_now_s(const struct file_answer *answer)
{
    return loop_wall_s(answer->exchange->services->loop);
}

static struct file_site_counters *counters_of(const struct file_answer *answer)
{
    return &file_site_loop_of(answer->site, answer->exchange)->counters;
}

/* RFC 9110 §12.1: the representation that the answer, and every condition, is about. */
static const struct file_variant *select_variant(galley_static *site,
                                                 const struct exchange *exchange,
                                                 struct file_entry *entry, bool is_for_range)
{
    const struct fields *fields = exchange->request.fields;
    if (file_entry_varies(entry) && fields && fields_has(fields, FIELD_ACCEPT_ENCODING) &&
        !is_for_range) {
        unsigned there = file_entry_codings(entry);
        unsigned makeable = atomic_load_explicit(&entry->makeable, memory_order_relaxed);
        enum coding coding = negotiate_coding(fields, there | makeable);
        if (!(there & CODING_BIT(coding))) { /* now as it is, soon as it is wanted */
            file_cache_compress(file_site_loop_of(site, exchange)->cache, entry, coding);
            coding = negotiate_coding(fields, there);
        }
        const struct file_variant *variant = file_entry_variant(entry, coding);
        if (variant) {
            return variant;
        }
    }
    return &entry->variants[0];
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void count_error(struct file_site_counters *counters, int status)
{
    switch (status) {
    case 404:
        counter_add(&counters->missing, 1);
        break;
    case 405:
    case 501:
        counter_add(&counters->refused_methods, 1);
        break;
    case 412:
        counter_add(&counters->failed_conditions, 1);
        break;
    case 500:
    case 503:
        counter_add(&counters->unavailable, 1);
        break;
    default:
        break;
    }
}

/* Anybody can ask often: one line a second. */
static void report_trouble(galley_static *site, int status)
{
    if (status == 503 || status == 500) {
        log_write_limited(&site->log, &site->trouble_log, LOG_WARNING,
                          "files: a request got %d: %s", status,
                          status == 503 ? "no room in the queue, no memory or no descriptors"
                                        : "the disk could not be read");
    }
}

int file_respond_error(galley_static *site, struct exchange *exchange, int status)
{
    report_trouble(site, status);
    count_error(&file_site_loop_of(site, exchange)->counters, status);
    response_be_page(exchange, status);
    exchange->response.ready_fields = site->common_lines;
    /* RFC 9110 §10.2.3: a hint; without memory it is left out. */
    if (status == 503) {
        (void)response_set_field(exchange, SPAN("Retry-After"), SPAN("1"));
    }
    return GALLEY_OK;
}

/* RFC 9110 §15.5.6 and §15.6.2. */
int file_respond_refusal(galley_static *site, struct exchange *exchange)
{
    bool is_known = exchange->request.method != METHOD_OTHER;
    int rc = file_respond_error(site, exchange, is_known ? 405 : 501);
    return rc == GALLEY_OK ? response_set_field(exchange, SPAN("Allow"), FILE_ALLOWED) : rc;
}

/* ---- 200 and its relatives ------------------------------------------------------------------- */

static bool has_condition(const struct fields *fields)
{
    return fields_has(fields, FIELD_IF_NONE_MATCH) || fields_has(fields, FIELD_IF_MODIFIED_SINCE) ||
           fields_has(fields, FIELD_IF_MATCH) || fields_has(fields, FIELD_IF_UNMODIFIED_SINCE);
}

static int respond_not_modified(const struct file_answer *answer)
{
    counter_add(&counters_of(answer)->not_modified, 1);
    answer->exchange->response.status = 304;
    answer->exchange->response.ready_fields = answer->variant->fields_304;
    return GALLEY_OK;
}

/* True: *ret_result answers. */
static bool respond_to_conditions(const struct file_answer *answer, int *ret_result)
{
    const struct request *request = &answer->exchange->request;
    if (!request->fields || !has_condition(request->fields)) {
        return false;
    }
    struct validators validators = file_answer_validators(answer);
    switch (precondition_check(request->method, request->fields, &validators,
                               file_answer_now_s(answer))) {
    case PRECONDITION_NOT_MODIFIED:
        *ret_result = respond_not_modified(answer);
        return true;
    case PRECONDITION_FAILED:
        *ret_result = file_respond_error(answer->site, answer->exchange, 412);
        return true;
    default:
        return false;
    }
}

static int respond_whole(const struct file_answer *answer)
{
    struct response *response = &answer->exchange->response;
    response->status = 200;
    response->ready_fields = answer->variant->fields_200;
    response->has_ready_length = true;
    return file_answer_add(answer, 0, answer->variant->size);
}

int file_respond(galley_static *site, struct exchange *exchange, struct file_entry *entry)
{
    bool wants_range = file_ranges_are_asked(exchange);
    struct file_answer answer = {site, exchange, entry,
                                 select_variant(site, exchange, entry, wants_range)};
    int result;
    if (respond_to_conditions(&answer, &result) ||
        (wants_range && file_ranges_respond(&answer, &result))) {
        return result;
    }
    return respond_whole(&answer);
}

/* ---- the site's own page for an error -------------------------------------------------------- */

/* RFC 9110 §13.2.1: conditions are for what would be a 2xx; so are ranges and validators. */
int file_respond_page(galley_static *site, struct exchange *exchange, struct file_entry *entry,
                      int status)
{
    struct file_answer answer = {site, exchange, entry,
                                 select_variant(site, exchange, entry, false)};
    count_error(counters_of(&answer), status);
    exchange->response.status = status;
    exchange->response.ready_fields = site->common_lines;
    int rc = response_set_field(exchange, SPAN("Content-Type"), entry->type);
    if (rc == GALLEY_OK && file_entry_varies(entry)) {
        rc = response_set_field(exchange, SPAN("Vary"), SPAN("Accept-Encoding"));
    }
    if (rc == GALLEY_OK && answer.variant->coding != CODING_IDENTITY) {
        rc = response_set_field(exchange, SPAN("Content-Encoding"),
                                coding_name(answer.variant->coding));
    }
    return rc == GALLEY_OK ? file_answer_add(&answer, 0, answer.variant->size) : rc;
}

/* ---- galley_res_file() ----------------------------------------------------------------------- */

/* Did the handler say something that the file's own lines would contradict? */
static bool has_own_validators(const struct response *response)
{
    static const char *const names[] = {"ETag", "Last-Modified", "Accept-Ranges", "Content-Range"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (response_field(response, names[i]).ptr) {
            return true;
        }
    }
    return false;
}

static int set_type(const struct file_answer *answer)
{
    struct exchange *exchange = answer->exchange;
    if (response_field(&exchange->response, "Content-Type").ptr) {
        return GALLEY_OK;
    }
    return response_set_field(exchange, SPAN("Content-Type"), answer->entry->type);
}

static bool may_be_conditional(const struct exchange *exchange)
{
    enum method method = exchange->request.method;
    return exchange->response.status == 200 && (method == METHOD_GET || method == METHOD_HEAD) &&
           !has_own_validators(&exchange->response);
}

int file_respond_reply(galley_static *site, struct exchange *exchange, struct file_entry *entry)
{
    struct file_answer answer = {site, exchange, entry, &entry->variants[0]};
    bool is_conditional = may_be_conditional(exchange);
    int result;
    if (is_conditional &&
        (respond_to_conditions(&answer, &result) ||
         (file_ranges_are_asked(exchange) && file_ranges_respond(&answer, &result)))) {
        return result;
    }
    int rc = set_type(&answer);
    if (rc != GALLEY_OK) {
        return rc;
    }
    if (is_conditional) {
        return respond_whole(&answer);
    }
    if (!status_may_have_body(exchange->response.status, METHOD_GET)) {
        return GALLEY_OK; /* the handler's 204 */
    }
    return file_answer_add(&answer, 0, answer.variant->size);
}
