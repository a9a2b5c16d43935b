/* tests/unit/wire/test_h1_parser.c — what a parsed head looks like, its limits and its promises to
 * the driver. Which requests are refused is in tests/data/bad_requests.txt. RFC 9112 §2-§5. */
#include "test.h"

#include "base/alloc.h"
#include "wire/h1_parser.h"

struct parsing {
    struct h1_parser parser;
    struct h1_head head;
    struct fields fields;
    struct field entries[100];
    struct http_limits limits;
};

static void begin(struct parsing *p)
{
    p->limits = (struct http_limits)HTTP_LIMITS_DEFAULT;
    fields_init(&p->fields, p->entries, 100);
    p->head = (struct h1_head){.fields = &p->fields};
    h1_parser_init(&p->parser);
}

static enum h1_result feed(struct parsing *p, const char *data, size_t len)
{
    return h1_parser_feed(&p->parser, data, len, &p->limits, &p->head);
}

static enum h1_result parse(struct parsing *p, const char *text)
{
    begin(p);
    return feed(p, text, strlen(text));
}

static enum h1_error refused(const char *text)
{
    struct parsing p;
    EXPECT_INT(parse(&p, text), H1_FAILED);
    return h1_parser_error(&p.parser);
}

TEST(test_a_head_is_taken_apart)
{
    struct parsing p;
    static const char text[] =
        "GET /a?b HTTP/1.1\r\nHost: x.org\r\nX-Y:  z \t\r\nEmpty:\r\n\r\nrest";
    EXPECT_INT(parse(&p, text), H1_DONE);
    EXPECT_INT(p.head.method, METHOD_GET);
    EXPECT_SPAN(p.head.method_name, "GET");
    EXPECT_SPAN(p.head.target, "/a?b");
    EXPECT_INT(p.head.version, 11);
    EXPECT_INT(p.head.len, strlen(text) - 4);
    EXPECT_INT(p.fields.count, 3);
    EXPECT_SPAN(fields_get(&p.fields, FIELD_HOST), "x.org");
    EXPECT_SPAN(p.entries[1].name, "X-Y");
    EXPECT_SPAN(p.entries[1].value, "z"); /* RFC 9112 §5: OWS around the value is no part of it */
    EXPECT_SPAN(p.entries[2].value, "");
    EXPECT(p.entries[2].value.ptr != NULL);
}

TEST(test_an_unknown_method_is_not_an_error_of_syntax)
{
    struct parsing p;
    EXPECT_INT(parse(&p, "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n"), H1_DONE);
    EXPECT_INT(p.head.method, METHOD_OTHER);
    EXPECT_SPAN(p.head.method_name, "BREW");
}

/* RFC 9110 §2.5: a minor version that is not known is treated as the highest that is. */
TEST(test_versions)
{
    struct parsing p;
    EXPECT_INT(parse(&p, "GET / HTTP/1.0\r\n\r\n"), H1_DONE);
    EXPECT_INT(p.head.version, 10);
    EXPECT_INT(parse(&p, "GET / HTTP/1.7\r\n\r\n"), H1_DONE);
    EXPECT_INT(p.head.version, 11);
    EXPECT_INT(refused("GET / HTTP/2.0\r\n\r\n"), H1_VERSION_UNKNOWN);
    EXPECT_INT(refused("GET / http/1.1\r\n\r\n"), H1_BAD_VERSION);
}

/* RFC 9112 §2.2: one empty line before the request line is skipped and counts as part of the
 * head. */
TEST(test_an_empty_line_before_the_request_is_skipped_once)
{
    struct parsing p;
    EXPECT_INT(parse(&p, "\r\nGET / HTTP/1.1\r\n\r\n"), H1_DONE);
    EXPECT_INT(p.head.len, strlen("\r\nGET / HTTP/1.1\r\n\r\n"));
    EXPECT_INT(refused("\r\n\r\nGET / HTTP/1.1\r\n\r\n"), H1_EMPTY_LINES);
}

/* A client that closes behind an empty line has asked nothing: the driver must be able to tell. */
TEST(test_has_begun_tells_an_empty_line_from_a_request)
{
    struct parsing p;
    EXPECT_INT(parse(&p, ""), H1_MORE);
    EXPECT(!p.parser.has_begun);
    EXPECT_INT(parse(&p, "\r\n"), H1_MORE);
    EXPECT(!p.parser.has_begun);
    EXPECT_INT(parse(&p, "\r\nG"), H1_MORE);
    EXPECT(p.parser.has_begun);
}

TEST(test_errors_have_a_status_and_a_word)
{
    EXPECT_INT(h1_error_status(H1_OK), 0);
    EXPECT_TEXT(h1_error_word(H1_OK), "ok");
    for (int error = H1_OK + 1; error < H1_ERROR_COUNT; error++) {
        int status = h1_error_status((enum h1_error)error);
        EXPECT(status == 400 || status == 414 || status == 431 || status == 501 || status == 505);
        EXPECT(strlen(h1_error_word((enum h1_error)error)) > 3);
    }
}

TEST(test_errors_name_what_was_wrong)
{
    EXPECT_INT(refused("GET / HTTP/1.1\n\r\n"), H1_BARE_LF);
    EXPECT_INT(refused("GET / HTTP/1.1\rX"), H1_BARE_CR);
    EXPECT_INT(refused("GET / HTTP/1.1\r\nA: \x01"), H1_CONTROL_BYTE);
    EXPECT_INT(refused("G@T / HTTP/1.1\r\n\r\n"), H1_BAD_METHOD);
    EXPECT_INT(refused("GET  / HTTP/1.1\r\n\r\n"), H1_BAD_TARGET);
    EXPECT_INT(refused("GET / HTTP/1.1\r\nA: b\r\n c\r\n"), H1_OBS_FOLD);
    EXPECT_INT(refused("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n"), H1_OBS_FOLD);
    EXPECT_INT(refused("GET / HTTP/1.1\r\nA : b\r\n"), H1_BAD_FIELD_NAME);
    EXPECT_INT(refused("GET / HTTP/1.1\r\nA\r\n"), H1_NO_COLON);
}

TEST(test_an_error_is_seen_at_its_byte_without_the_end_of_the_line)
{
    EXPECT_INT(refused(" "), H1_BAD_METHOD);
    EXPECT_INT(refused("GET\t"), H1_BAD_METHOD);
    EXPECT_INT(refused("GET / X"), H1_BAD_VERSION);
    EXPECT_INT(refused("GET / HTTP/1.1\r\nA "), H1_BAD_FIELD_NAME);
}

TEST(test_an_error_stays)
{
    struct parsing p;
    EXPECT_INT(parse(&p, "GET / HTTP/1.1\n"), H1_FAILED);
    EXPECT_INT(feed(&p, "GET / HTTP/1.1\nHost: a\r\n\r\n", 26), H1_FAILED);
    EXPECT_INT(h1_parser_error(&p.parser), H1_BARE_LF);
}

/* A head of exactly `bytes`. */
static char *head_of(size_t bytes)
{
    static const char start[] = "GET / HTTP/1.1\r\nX: ";
    char *text = mem_alloc(bytes + 1);
    memset(text, 'v', bytes);
    memcpy(text, start, sizeof(start) - 1);
    memcpy(text + bytes - 4, "\r\n\r\n", 5);
    return text;
}

TEST(test_the_head_limit_is_exact)
{
    struct parsing p;
    char *text = head_of(16384);
    EXPECT_INT(parse(&p, text), H1_DONE);
    EXPECT_INT(p.head.len, 16384);
    mem_free(text);
    text = head_of(16385);
    EXPECT_INT(parse(&p, text), H1_FAILED);
    EXPECT_INT(h1_parser_error(&p.parser), H1_HEAD_TOO_LARGE);
    mem_free(text);
}

/* A buffer of just the limit must not wait for a byte that it has no room for. */
TEST(test_an_unfinished_head_is_refused_as_soon_as_it_reaches_the_limit)
{
    struct parsing p;
    char *text = head_of(16385);
    begin(&p);
    EXPECT_INT(feed(&p, text, 16383), H1_MORE);
    EXPECT_INT(feed(&p, text, 16384), H1_FAILED);
    EXPECT_INT(h1_parser_error(&p.parser), H1_HEAD_TOO_LARGE);
    mem_free(text);
}

TEST(test_limits_can_be_set)
{
    struct parsing p;
    static const char text[] = "GET /long HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n";
    begin(&p);
    p.limits.max_target_bytes = 4;
    EXPECT_INT(feed(&p, text, strlen(text)), H1_FAILED);
    EXPECT_INT(h1_parser_error(&p.parser), H1_TARGET_TOO_LONG);
    begin(&p);
    p.limits.max_fields = 1;
    EXPECT_INT(feed(&p, text, strlen(text)), H1_FAILED);
    EXPECT_INT(h1_parser_error(&p.parser), H1_TOO_MANY_FIELDS);
    begin(&p);
    p.limits.max_head_bytes = 30;
    EXPECT_INT(feed(&p, text, strlen(text)), H1_FAILED);
    EXPECT_INT(h1_parser_error(&p.parser), H1_HEAD_TOO_LARGE);
    begin(&p);
    p.limits.max_head_bytes = 8;
    EXPECT_INT(feed(&p, text, strlen(text)), H1_FAILED);
    EXPECT_INT(h1_parser_error(&p.parser), H1_TARGET_TOO_LONG);
}

/* A reload may lower a limit between two pieces of a head. */
TEST(test_limits_may_be_lowered_between_calls)
{
    struct parsing p;
    begin(&p);
    EXPECT_INT(feed(&p, "GET / HTTP/1.1\r\nA: 1", 20), H1_MORE);
    p.limits.max_head_bytes = 10;
    EXPECT_INT(feed(&p, "GET / HTTP/1.1\r\nA: 12", 21), H1_FAILED);
    EXPECT_INT(h1_parser_error(&p.parser), H1_HEAD_TOO_LARGE);
}

TEST(test_less_room_for_fields_than_the_limit_is_a_limit_too)
{
    struct parsing p;
    begin(&p);
    fields_init(&p.fields, p.entries, 1);
    static const char text[] = "GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n";
    EXPECT_INT(feed(&p, text, strlen(text)), H1_FAILED);
    EXPECT_INT(h1_parser_error(&p.parser), H1_TOO_MANY_FIELDS);
}

/* Linear work: what has been judged is not read again while the head is unfinished. Everything
 * before pos (but the version that is being read) is overwritten between the calls, so a parser
 * that went back would fail. */
TEST(test_judged_bytes_are_not_read_again_before_the_head_is_complete)
{
    static const char text[] =
        "\r\nGET /some/target?x=y HTTP/1.1\r\nHost: a\r\nX-Long-Name: some value\r\n"
        "Accept: */*\r\n\r\n";
    size_t len = sizeof(text) - 1;
    char spoilt[sizeof(text)];
    struct parsing p;
    begin(&p);
    for (size_t n = 0; n < len; n++) {
        size_t version_from = p.parser.pos >= p.parser.mark && p.parser.pos - p.parser.mark <= 8
                                  ? p.parser.mark
                                  : p.parser.pos;
        memcpy(spoilt, text, sizeof(text));
        memset(spoilt, '\n', version_from);
        EXPECT_INT(feed(&p, spoilt, n), H1_MORE);
        EXPECT_INT(p.parser.pos, n);
    }
    EXPECT_INT(feed(&p, text, len), H1_DONE);
    EXPECT_INT(p.head.len, len);
    EXPECT_INT(p.fields.count, 3);
    EXPECT_SPAN(p.head.target, "/some/target?x=y");
}

TEST(test_the_buffer_may_move_between_calls)
{
    static const char text[] = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    size_t len = sizeof(text) - 1;
    struct parsing p;
    begin(&p);
    char *copy = NULL;
    for (size_t n = 1; n <= len; n++) {
        char *moved = mem_alloc(n);
        memcpy(moved, text, n);
        mem_free(copy);
        copy = moved;
        EXPECT_INT(feed(&p, copy, n), n == len ? H1_DONE : H1_MORE);
    }
    EXPECT_SPAN(p.head.target, "/x");
    EXPECT_SPAN(fields_get(&p.fields, FIELD_CONTENT_LENGTH), "5");
    EXPECT(p.head.target.ptr > copy && p.head.target.ptr < copy + len);
    mem_free(copy);
}

TEST(test_one_set_of_fields_serves_many_unfinished_heads)
{
    struct parsing p;
    struct h1_parser second;
    static const char text[] = "GET /1 HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n";
    static const char other[] = "GET /2 HTTP/1.1\r\nHost: b\r\n\r\n";
    begin(&p);
    h1_parser_init(&second);
    EXPECT_INT(feed(&p, text, 30), H1_MORE);
    EXPECT_INT(h1_parser_feed(&second, other, strlen(other), &p.limits, &p.head), H1_DONE);
    EXPECT_SPAN(fields_get(&p.fields, FIELD_HOST), "b");
    EXPECT_INT(feed(&p, text, strlen(text)), H1_DONE);
    EXPECT_SPAN(fields_get(&p.fields, FIELD_HOST), "a");
    EXPECT_INT(p.fields.count, 2);
}

TEST(test_terminate_makes_c_strings_of_all_views)
{
    struct parsing p;
    char text[] = "GET /t HTTP/1.1\r\nA:b\r\nEmpty:\r\nBlank:  \r\nSpaced: c \r\n\r\n";
    EXPECT_INT(parse(&p, text), H1_DONE);
    h1_head_terminate(text, &p.head);
    EXPECT_TEXT(p.head.method_name.ptr, "GET");
    EXPECT_TEXT(p.head.target.ptr, "/t");
    static const char *const lines[][2] = {
        {"A", "b"}, {"Empty", ""}, {"Blank", ""}, {"Spaced", "c"}};
    EXPECT_INT(p.fields.count, 4);
    for (unsigned i = 0; i < 4; i++) {
        EXPECT_TEXT(p.entries[i].name.ptr, lines[i][0]);
        EXPECT_TEXT(p.entries[i].value.ptr, lines[i][1]);
    }
}

TEST(test_an_idle_connection_keeps_few_bytes_of_parser)
{
    EXPECT(sizeof(struct h1_parser) <= 24);
}
