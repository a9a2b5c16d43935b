/* tests/unit/wire/test_requests.c — the two tables of requests, in one piece, byte by byte and in
 * two parts. RFC 9112 and what lessons from request smuggling ask for (sections stand in the
 * tables). */
#include "test.h"

#include "bad_requests.h"
#include "support_message.h"

#include "base/alloc.h"

enum { SMALL = 600, MIN_BAD_CASES = 150 };

static void read_in_parts(const struct request_case *at, size_t first, struct message *ret)
{
    message_read(span_make(at->bytes.data, at->bytes.len), message_two_parts, &first, ret);
}

/* Every cut of a small message; of a large one those near both ends and near the limits, and some
 * between. */
static size_t next_cut(const struct request_case *at, size_t cut)
{
    bool is_near = cut < 80 || at->bytes.len - cut < 80 || (cut + 16) % 8192 < 32;
    return cut + (at->bytes.len <= SMALL || is_near ? 1 : 509);
}

static void expect_same_in_pieces(const struct request_case *at, const struct message *whole)
{
    struct message cut;
    message_read(span_make(at->bytes.data, at->bytes.len), message_byte_by_byte, NULL, &cut);
    if (!message_equal(whole, &cut)) {
        test_fail(__FILE__, __LINE__, "%s differs byte by byte: status %d and %d, reason %u and %u",
                  at->name, whole->status, cut.status, whole->reason, cut.reason);
    }
    message_finish(&cut);
    for (size_t first = 1; first < at->bytes.len; first = next_cut(at, first)) {
        read_in_parts(at, first, &cut);
        if (!message_equal(whole, &cut)) {
            test_fail(__FILE__, __LINE__, "%s differs when cut at %zu: status %d and %d", at->name,
                      first, whole->status, cut.status);
        }
        message_finish(&cut);
    }
}

static enum message_end expected_end(enum request_stage stage)
{
    switch (stage) {
    case STAGE_HEAD:
        return MESSAGE_BAD_HEAD;
    case STAGE_FRAMING:
        return MESSAGE_BAD_FRAMING;
    case STAGE_TARGET:
        return MESSAGE_BAD_TARGET;
    case STAGE_BODY:
        return MESSAGE_BAD_BODY;
    case STAGE_SERVER:
        break;
    }
    return MESSAGE_COMPLETE;
}

static void check_bad(const struct request_case *at)
{
    struct message whole;
    message_read_whole(span_make(at->bytes.data, at->bytes.len), &whole);
    bool is_well_formed = whole.end == MESSAGE_COMPLETE || whole.end == MESSAGE_INCOMPLETE;
    bool is_right = at->stage == STAGE_SERVER
                        ? is_well_formed
                        : whole.end == expected_end(at->stage) && whole.status == at->status;
    if (!is_right) {
        test_fail(__FILE__, __LINE__,
                  "%s: end %d with status %d, reason %u; expected end %d with %d", at->name,
                  whole.end, whole.status, whole.reason, expected_end(at->stage), at->status);
    }
    expect_same_in_pieces(at, &whole);
    message_finish(&whole);
}

static void check_good(const struct request_case *at)
{
    struct message whole;
    message_read_whole(span_make(at->bytes.data, at->bytes.len), &whole);
    if (whole.end != MESSAGE_COMPLETE || whole.used != at->bytes.len) {
        test_fail(__FILE__, __LINE__, "%s: end %d, status %d, reason %u, %zu of %zu bytes",
                  at->name, whole.end, whole.status, whole.reason, whole.used, at->bytes.len);
    }
    EXPECT_TEXT(whole.method, at->method);
    EXPECT_INT(whole.version, at->version);
    EXPECT_INT(whole.field_count, at->field_count);
    EXPECT(span_equal(buf_span(&whole.target), span_make(at->target.data, at->target.len)));
    EXPECT(span_equal(buf_span(&whole.body), span_make(at->body.data, at->body.len)));
    expect_same_in_pieces(at, &whole);
    message_finish(&whole);
}

TEST(test_every_bad_request_is_refused_in_any_number_of_pieces)
{
    struct request_table table;
    bad_requests_load(&table);
    EXPECT(table.count >= MIN_BAD_CASES);
    for (size_t i = 0; i < table.count; i++) {
        check_bad(&table.cases[i]);
    }
    request_table_finish(&table);
}

TEST(test_every_good_request_is_taken_in_any_number_of_pieces)
{
    struct request_table table;
    good_requests_load(&table);
    for (size_t i = 0; i < table.count; i++) {
        check_good(&table.cases[i]);
    }
    request_table_finish(&table);
}

TEST(test_every_bad_request_of_the_head_is_closed_and_has_a_section)
{
    struct request_table table;
    bad_requests_load(&table);
    for (size_t i = 0; i < table.count; i++) {
        const struct request_case *at = &table.cases[i];
        EXPECT(at->closes || at->stage == STAGE_SERVER);
        EXPECT(at->status >= 400 && at->status < 600);
        EXPECT(strchr(at->rfc, ' ') && at->bytes.len > 0);
    }
    request_table_finish(&table);
}

/* The next request of a pipeline begins exactly where this one ends: nothing of it is used up. */
TEST(test_what_follows_a_good_request_is_left_alone)
{
    static const char next[] = "GET /next HTTP/1.1\r\nHost: b\r\n\r\n";
    struct request_table table;
    good_requests_load(&table);
    for (size_t i = 0; i < table.count; i++) {
        const struct request_case *at = &table.cases[i];
        size_t len = at->bytes.len + sizeof(next) - 1;
        char *both = mem_alloc(len);
        memcpy(both, at->bytes.data, at->bytes.len);
        memcpy(both + at->bytes.len, next, sizeof(next) - 1);
        struct message message;
        message_read_whole(span_make(both, len), &message);
        EXPECT_INT(message.end, MESSAGE_COMPLETE);
        EXPECT_INT(message.used, at->bytes.len);
        message_finish(&message);
        mem_free(both);
    }
    request_table_finish(&table);
}
