/* Which messages are malformed: RFC 9113 §8.1.1, §8.2, §8.3, §8.5; RFC 8441 §4. */
#include "support_reader.h"

#include "test.h"

#define MALFORMED "head 1; malformed 1 |  | RST_STREAM 1 PROTOCOL_ERROR"

enum { MAX_LINES = 24 };

static void expect_head(const char *const *lines, uint8_t flags, const char *text)
{
    struct habits habits = {.hides_fields = true};
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_headers(&bytes, flags, 1, lines);
    expect_read(&bytes, &habits, text);
    buf_finish(&bytes);
}

/* Each list is malformed, with and without content behind it; and the connection goes on. */
static void expect_malformed(const char *const (*cases)[MAX_LINES], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        expect_head(cases[i], FRAMES_END_STREAM, MALFORMED);
        expect_head(cases[i], 0, MALFORMED);
    }
}

static void expect_good(const char *const (*cases)[MAX_LINES], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        expect_head(cases[i], FRAMES_END_STREAM, "head 1; request 1 end |  | ");
        expect_head(cases[i], 0, "head 1; request 1 |  | ");
    }
}

#define COUNT(list)            (sizeof(list) / sizeof *(list))
#define EXPECT_MALFORMED(list) expect_malformed((list), COUNT(list))
#define EXPECT_GOOD(list)      expect_good((list), COUNT(list))

/* ---- §8.2: fields ---------------------------------------------------------------------------- */

TEST(test_names_are_tokens_in_lower_case)
{
    /* RFC 9113 §8.2.1 */
    static const char *const cases[][MAX_LINES] = {
        {GET_LINES, "X-Upper", "1", NULL}, {GET_LINES, "x-uppeR", "1", NULL},
        {GET_LINES, "", "1", NULL},        {GET_LINES, "x y", "1", NULL},
        {GET_LINES, "x:", "1", NULL},      {GET_LINES, "x\177", "1", NULL},
        {GET_LINES, "x\200", "1", NULL},   {GET_LINES, "x\r\nhost", "1", NULL},
        {GET_LINES, "Host", "a", NULL},    {":Method", "GET", GET_LINES, NULL},
        {GET_LINES, ":", "1", NULL},       {GET_LINES, "\t", "1", NULL},
    };
    EXPECT_MALFORMED(cases);
}

TEST(test_values_have_no_controls_and_no_blanks_around_them)
{
    /* RFC 9113 §8.2.1 */
    static const char *const cases[][MAX_LINES] = {
        {GET_LINES, "x", "a\nb", NULL},   {GET_LINES, "x", "a\rb", NULL},
        {GET_LINES, "x", "\n", NULL},     {GET_LINES, "x", " a", NULL},
        {GET_LINES, "x", "a ", NULL},     {GET_LINES, "x", "\ta", NULL},
        {GET_LINES, "x", "a\t", NULL},    {GET_LINES, "x", " ", NULL},
        {GET_LINES, "x", "\1", NULL},     {GET_LINES, "x", "a\177", NULL},
        {GET_LINES, "host", "a\r", NULL},
    };
    EXPECT_MALFORMED(cases);
    static const char *const good[][MAX_LINES] = {
        {GET_LINES, "x", "", NULL},
        {GET_LINES, "x", "a b\tc", NULL},
        {GET_LINES, "x", "\303\274\377", NULL},
    };
    EXPECT_GOOD(good);
}

TEST(test_a_nul_in_a_value_is_malformed)
{
    /* RFC 9113 §8.2.1 */
    struct buf block;
    struct buf bytes;
    struct habits habits = {.hides_fields = true};
    buf_init(&block, 0);
    buf_init(&bytes, 0);
    wire_get_block(&block);
    buf_append(&block, "\0\1x\3a\0b", 7);
    wire_frame(&bytes, FRAMES_HEADERS, FRAMES_END_HEADERS, 1, block.data, block.len);
    expect_read(&bytes, &habits, MALFORMED);
    buf_finish(&block);
    buf_finish(&bytes);
}

TEST(test_fields_of_a_connection_are_malformed)
{
    /* RFC 9113 §8.2.2 */
    static const char *const cases[][MAX_LINES] = {
        {GET_LINES, "connection", "close", NULL},
        {GET_LINES, "connection", "", NULL},
        {GET_LINES, "keep-alive", "5", NULL},
        {GET_LINES, "proxy-connection", "close", NULL},
        {GET_LINES, "transfer-encoding", "chunked", NULL},
        {GET_LINES, "transfer-encoding", "identity", NULL},
        {GET_LINES, "upgrade", "h2c", NULL},
        {GET_LINES, "te", "gzip", NULL},
        {GET_LINES, "te", "trailers, gzip", NULL},
        {GET_LINES, "te", "", NULL},
    };
    EXPECT_MALFORMED(cases);
    static const char *const good[][MAX_LINES] = {
        {GET_LINES, "te", "trailers", NULL},
        {GET_LINES, "te", "Trailers", NULL},
    };
    EXPECT_GOOD(good);
    static const char *const near[][MAX_LINES] = {
        {GET_LINES, "upgrad", "1", NULL},     {GET_LINES, "upgradf", "1", NULL},
        {GET_LINES, "connectiox", "1", NULL}, {GET_LINES, "keep-alivf", "1", NULL},
        {GET_LINES, "tf", "1", NULL},         {GET_LINES, "proxy-connectiox", "1", NULL},
    };
    EXPECT_GOOD(near);
}

/* ---- §8.3: pseudo-fields --------------------------------------------------------------------- */

TEST(test_pseudo_fields_are_those_of_requests_each_once_and_first)
{
    /* RFC 9113 §8.3, §8.3.1 */
    static const char *const cases[][MAX_LINES] = {
        {GET_LINES, ":unknown", "1", NULL},
        {GET_LINES, ":status", "200", NULL},
        {":status", "200", NULL},
        {GET_LINES, ":method", "GET", NULL},
        {GET_LINES, ":scheme", "http", NULL},
        {GET_LINES, ":authority", "a", NULL},
        {GET_LINES, ":path", "/", NULL},
        {GET_LINES, ":path", "/index.html", NULL},
        {":method", "GET", ":scheme", "http", ":authority", "a", "x", "1", ":path", "/", NULL},
        {"x", "1", GET_LINES, NULL},
        {GET_LINES, "x", "1", ":authority", "a", NULL},
    };
    EXPECT_MALFORMED(cases);
}

TEST(test_pseudo_fields_that_must_be_there_are)
{
    /* RFC 9113 §8.3.1 */
    static const char *const cases[][MAX_LINES] = {
        {NULL},
        {"host", "a", NULL},
        {":scheme", "http", ":path", "/", ":authority", "a", NULL},
        {":method", "GET", ":path", "/", ":authority", "a", NULL},
        {":method", "GET", ":scheme", "http", ":authority", "a", NULL},
        /* nobody is said to be asked, or two may be */
        {":method", "GET", ":scheme", "http", ":path", "/", NULL},
        {GET_LINES, "host", "a", "host", "a", NULL},
        {GET_LINES, "host", "", NULL},
    };
    EXPECT_MALFORMED(cases);
    static const char *const good[][MAX_LINES] = {
        {GET_LINES, NULL},
        {GET_LINES, "host", "a", NULL},
        {":method", "GET", ":scheme", "http", ":path", "/", "host", "a", NULL},
        {":path", "/", ":authority", "a", ":scheme", "https", ":method", "x!", NULL},
    };
    EXPECT_GOOD(good);
}

TEST(test_pseudo_fields_are_not_empty)
{
    /* RFC 9113 §8.3.1 */
    static const char *const cases[][MAX_LINES] = {
        {":method", "", ":scheme", "http", ":authority", "a", ":path", "/", NULL},
        {":method", "GET", ":scheme", "", ":authority", "a", ":path", "/", NULL},
        {":method", "GET", ":scheme", "http", ":authority", "", ":path", "/", NULL},
        {":method", "GET", ":scheme", "http", ":authority", "a", ":path", "", NULL},
    };
    EXPECT_MALFORMED(cases);
}

TEST(test_pseudo_fields_have_values_that_can_be)
{
    /* RFC 9110 §9.1: a method is a token; RFC 3986 §3.1: a scheme; RFC 9113 §8.3.1: a path, §10.3 */
    static const char *const cases[][MAX_LINES] = {
        {":method", "G T", ":scheme", "http", ":authority", "a", ":path", "/", NULL},
        {":method", "GET/", ":scheme", "http", ":authority", "a", ":path", "/", NULL},
        {":method", "GET", ":scheme", "1http", ":authority", "a", ":path", "/", NULL},
        {":method", "GET", ":scheme", "ht tp", ":authority", "a", ":path", "/", NULL},
        {":method", "GET", ":scheme", "http:", ":authority", "a", ":path", "/", NULL},
        {":method", "GET", ":scheme", "http", ":authority", "a", ":path", "x", NULL},
        {":method", "GET", ":scheme", "HTTPS", ":authority", "a", ":path", "x", NULL},
        {":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/a b", NULL},
        {":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/a\tb", NULL},
        {":method", "GET", ":scheme", "http", ":authority", "a", ":path", "*", NULL},
        {":method", "OPTIONS", ":scheme", "http", ":authority", "a", ":path", "**", NULL},
        {":method", "GET", ":scheme", "http", ":authority", "a", ":path", "http://a/", NULL},
    };
    EXPECT_MALFORMED(cases);
    static const char *const good[][MAX_LINES] = {
        {":method", "OPTIONS", ":scheme", "http", ":authority", "a", ":path", "*", NULL},
        {":method", "OPTIONS", ":scheme", "http", ":authority", "a", ":path", "/*", NULL},
        {":method", "GET", ":scheme", "ftp", ":authority", "a", ":path", "x", NULL},
        {":method", "GET", ":scheme", "a+b-c.9", ":authority", "a", ":path", "/", NULL},
        {":method", "GET", ":scheme", "http", ":authority", "u@a", ":path", "/%zz#\303\274", NULL},
    };
    EXPECT_GOOD(good);
}

TEST(test_connect_says_to_whom_and_nothing_else)
{
    /* RFC 9113 §8.5 */
    static const char *const cases[][MAX_LINES] = {
        {":method", "CONNECT", NULL},
        {":method", "CONNECT", "host", "a", NULL},
        {":method", "CONNECT", ":authority", "a:1", ":path", "/", NULL},
        {":method", "CONNECT", ":authority", "a:1", ":scheme", "http", NULL},
        {":method", "CONNECT", ":scheme", "http", ":authority", "a", ":path", "/", NULL},
    };
    EXPECT_MALFORMED(cases);
    static const char *const good[][MAX_LINES] = {
        {":method", "CONNECT", ":authority", "a:1", NULL},
        {":authority", "a:1", ":method", "CONNECT", "content-length", "5", NULL},
    };
    EXPECT_GOOD(good);
}

TEST(test_extended_connect_has_all_pseudo_fields)
{
    /* RFC 8441 §4 */
    static const char *const cases[][MAX_LINES] = {
        {GET_LINES, ":protocol", "websocket", NULL},
        {":method", "CONNECT", ":protocol", "websocket", ":authority", "a", NULL},
        {":method", "CONNECT", ":protocol", "websocket", ":authority", "a", ":path", "/", NULL},
        {":method", "CONNECT", ":protocol", "websocket", ":authority", "a", ":scheme", "http",
         NULL},
        {":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/", NULL},
        {":method", "CONNECT", ":protocol", "", ":scheme", "http", ":path", "/", ":authority", "a",
         NULL},
        {":method", "CONNECT", ":protocol", "a b", ":scheme", "http", ":path", "/", ":authority",
         "a", NULL},
        {":method", "CONNECT", ":protocol", "x", ":scheme", "http", ":path", "*", ":authority", "a",
         NULL},
        {":method", "CONNECT", ":protocol", "x", ":scheme", "http", ":path", "/", "host", "a",
         NULL},
        {":method", "CONNECT", ":protocol", "x", ":protocol", "x", ":scheme", "http", ":path", "/",
         ":authority", "a", NULL},
    };
    EXPECT_MALFORMED(cases);
    static const char *const good[][MAX_LINES] = {
        {":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":path", "/chat",
         ":authority", "a", NULL},
        {":protocol", "unknown", ":scheme", "https", ":path", "/chat", ":authority", "a", ":method",
         "CONNECT", NULL},
    };
    EXPECT_GOOD(good);
}

/* ---- §8.1.1: Content-Length ------------------------------------------------------------------ */

TEST(test_content_length_is_a_number_and_comes_once)
{
    /* RFC 9110 §8.6 */
    static const char *const cases[][MAX_LINES] = {
        {GET_LINES, "content-length", "", NULL},
        {GET_LINES, "content-length", "+0", NULL},
        {GET_LINES, "content-length", "-1", NULL},
        {GET_LINES, "content-length", "0x0", NULL},
        {GET_LINES, "content-length", "0, 0", NULL},
        {GET_LINES, "content-length", "0.0", NULL},
        {GET_LINES, "content-length", "99999999999999999999", NULL},
        {GET_LINES, "content-length", "0", "content-length", "1", NULL},
        {GET_LINES, "content-length", "0", "content-length", "0", NULL},
    };
    EXPECT_MALFORMED(cases);
    static const char *const none[][MAX_LINES] = {{GET_LINES, "content-length", "0", NULL}};
    EXPECT_GOOD(none);
}

TEST(test_content_that_was_said_must_come)
{
    static const char *const lines[] = {GET_LINES, "content-length", "5", NULL};
    expect_head(lines, FRAMES_END_STREAM, MALFORMED);
    expect_head(lines, 0, "head 1; request 1 |  | ");
}

/* ---- the rest of a malformed head ------------------------------------------------------------ */

/* RFC 9113 §4.3: the table stays right, and the next request is understood. */
TEST(test_behind_a_malformed_field_nothing_is_told_but_the_table_goes_on)
{
    struct buf block;
    struct buf bytes;
    buf_init(&block, 0);
    buf_init(&bytes, 0);
    wire_field(&block, "X", "1");
    buf_append(&block, "\100\5:path\2/t", 10); /* indexed from now on: RFC 7541 §6.2.1 */
    wire_frame(&bytes, FRAMES_HEADERS, FRAMES_END_HEADERS, 1, block.data, block.len);
    buf_clear(&block);
    wire_field(&block, ":method", "GET");
    wire_field(&block, ":scheme", "http");
    wire_field(&block, ":authority", "a");
    buf_append_char(&block, (char)(128 | 62));
    wire_frame(&bytes, FRAMES_HEADERS, FRAMES_END_HEADERS, 3, block.data, block.len);
    expect_read(&bytes, NULL,
                "head 1; malformed 1; head 3; field 3 :method=GET; field 3 :scheme=http; field 3 "
                ":authority=a; field 3 :path=/t; request 3 |  | RST_STREAM 1 PROTOCOL_ERROR");
    buf_finish(&block);
    buf_finish(&bytes);
}

/* ---- trailers -------------------------------------------------------------------------------- */

static void expect_trailer(const char *const *lines, uint8_t flags, const char *text)
{
    static const char *const post[] = {":method",        "POST", ":scheme", "http",
                                       ":authority",     "a",    ":path",   "/",
                                       "content-length", "1",    NULL};
    struct habits habits = {.hides_fields = true};
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_headers(&bytes, 0, 1, post);
    WIRE_FRAME(&bytes, FRAMES_DATA, 0, 1, "x");
    wire_headers(&bytes, flags, 1, lines);
    char whole[300];
    (void)snprintf(whole, sizeof whole,
                   "head 1; request 1; data 1 x; data_ended 1 1; trailer 1; %s", text);
    expect_read(&bytes, &habits, whole);
    buf_finish(&bytes);
}

TEST(test_trailers_end_the_request)
{
    /* RFC 9113 §8.1 */
    static const char *const none[] = {NULL};
    static const char *const some[] = {"x",    "1", "content-length", "77",  "host", "",
                                       "host", "b", "priority",       "u=0", "te",   "trailers",
                                       NULL};
    expect_trailer(none, FRAMES_END_STREAM, "input_ended 1 |  | ");
    expect_trailer(some, FRAMES_END_STREAM, "input_ended 1 |  | ");
}

TEST(test_trailers_that_are_malformed_reset_their_stream)
{
    static const char *const cases[][3] = {
        /* RFC 9113 §8.1: no pseudo-fields */
        {":method", "GET", NULL},
        {":path", "/", NULL},
        {":status", "200", NULL},
        /* §8.2.1, §8.2.2 */
        {"X", "1", NULL},
        {"x", "\n", NULL},
        {"connection", "close", NULL},
        {"transfer-encoding", "chunked", NULL},
        {"te", "gzip", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        expect_trailer(cases[i], FRAMES_END_STREAM, "malformed 1 |  | RST_STREAM 1 PROTOCOL_ERROR");
    }
    /* §8.1: they are the end */
    static const char *const good[] = {"x", "1", NULL};
    expect_trailer(good, 0, "malformed 1 |  | RST_STREAM 1 PROTOCOL_ERROR");
}

TEST(test_fields_of_trailers_are_told_as_such)
{
    static const char *const trailer[] = {"x", "1", NULL};
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, 0, 1);
    wire_headers(&bytes, FRAMES_END_STREAM, 1, trailer);
    expect_read(&bytes, NULL,
                "head 1; field 1 :method=GET; field 1 :scheme=http; field 1 :authority=a; field 1 "
                ":path=/; request 1; trailer 1; trail 1 x=1; input_ended 1 |  | ");
    buf_finish(&bytes);
}
