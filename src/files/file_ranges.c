/* files/file_ranges.c — one range: 206 with Content-Range; several: multipart/byteranges; none that
 * fits: 416.
 *
 * Ranges are of the identity variant only: the parts of a compressed neighbour would be useless to
 * whoever asks for "the first 500 bytes", and a client that holds parts of another variant sees
 * another strong ETag (RFC 9110 §15.3.7.3). */
#include "files/file_ranges.h"

#include "base/random.h"
#include "http/multipart.h"
#include "http/precondition.h"

bool file_ranges_are_asked(const struct exchange *exchange)
{
    const struct request *request = &exchange->request;
    /* RFC 9110 §14.2: Range on any other method than GET is ignored. Two lines say nothing
     * together. */
    return request->method == METHOD_GET && request->fields &&
           fields_has(request->fields, FIELD_RANGE) &&
           fields_count_of(request->fields, FIELD_RANGE) == 1;
}

static int respond_unsatisfiable(const struct file_answer *answer)
{
    struct exchange *exchange = answer->exchange;
    counter_add(&file_site_loop_of(answer->site, exchange)->counters.bad_ranges, 1);
    int rc = file_respond_error(answer->site, exchange, 416);
    if (rc == GALLEY_OK) {
        /* RFC 9110 §15.5.17. */
        char text[RANGE_CONTENT_RANGE_MAX];
        size_t len = range_write_unsatisfied(text, answer->variant->size);
        rc = response_set_field(exchange, SPAN("Content-Range"), span_make(text, len));
    }
    return rc;
}

/* The type of what is sent: the handler's own (galley_res_file), or the file's. */
static struct span type_of(const struct file_answer *answer)
{
    struct span type = response_field(&answer->exchange->response, "Content-Type");
    return type.ptr ? type : answer->entry->type;
}

static int add_one(const struct file_answer *answer, struct byte_range range)
{
    struct exchange *exchange = answer->exchange;
    char text[RANGE_CONTENT_RANGE_MAX];
    size_t len = range_write_content_range(text, range, answer->variant->size);
    int rc = response_set_field(exchange, SPAN("Content-Type"), type_of(answer));
    if (rc == GALLEY_OK) {
        rc = response_set_field(exchange, SPAN("Content-Range"), span_make(text, len));
    }
    return rc == GALLEY_OK ? file_answer_add(answer, range.from, range.len) : rc;
}

/* RFC 9110 §14.6 and §15.3.7.2: each part has its own Content-Range; the answer has none. */
static int add_several(const struct file_answer *answer, const struct range_set *set)
{
    struct exchange *exchange = answer->exchange;
    struct multipart_options options = {.size = answer->variant->size,
                                        .part_type = type_of(answer)};
    random_bytes(options.random, sizeof options.random);
    struct multipart multipart;
    int rc = multipart_build(&multipart, &exchange->arena, set, &options);
    if (rc == GALLEY_OK) {
        rc = response_set_field(exchange, SPAN("Content-Type"), multipart.content_type);
    }
    for (unsigned i = 0; i < set->count && rc == GALLEY_OK; i++) {
        struct span head = multipart.heads[i];
        rc = response_body_data(exchange, head.ptr, head.len, NULL, NULL);
        if (rc == GALLEY_OK) {
            rc = file_answer_add(answer, set->ranges[i].from, set->ranges[i].len);
        }
    }
    if (rc == GALLEY_OK) {
        rc = response_body_data(exchange, multipart.tail.ptr, multipart.tail.len, NULL, NULL);
    }
    return rc;
}

static int respond_partial(const struct file_answer *answer, const struct range_set *set)
{
    struct exchange *exchange = answer->exchange;
    counter_add(&file_site_loop_of(answer->site, exchange)->counters.ranges, 1);
    exchange->response.status = 206;
    /* RFC 9110 §15.3.7: to If-Range only what is needed, for the client has the rest. */
    bool has_the_rest = fields_has(exchange->request.fields, FIELD_IF_RANGE);
    exchange->response.ready_fields =
        has_the_rest ? answer->variant->fields_304 : answer->variant->fields_206;
    return set->count == 1 ? add_one(answer, set->ranges[0]) : add_several(answer, set);
}

bool file_ranges_respond(const struct file_answer *answer, int *ret_result)
{
    const struct fields *fields = answer->exchange->request.fields;
    struct validators validators = file_answer_validators(answer);
    if (!precondition_if_range(fields, &validators, file_answer_now_s(answer))) {
        return false;
    }
    struct range_set set;
    switch (range_parse(fields_get(fields, FIELD_RANGE), answer->variant->size, &set)) {
    case RANGE_SATISFIABLE:
        *ret_result = respond_partial(answer, &set);
        return true;
    case RANGE_UNSATISFIABLE:
        *ret_result = respond_unsatisfiable(answer);
        return true;
    default:
        return false;
    }
}
