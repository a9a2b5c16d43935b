/* Golden tests of the three formats, and of escaping: one record is one line whatever is in it
 * (L19). */
#include "observe/access_format.h"

#include "exchange/request_tls.h"
#include "observe/log_output.h"

#include "support_exchange.h"
#include "test.h"

#include <galley/access_log.h>
#include <sys/socket.h>
#include <time.h>

static struct ended ended;

/* The request of the moment at 2026-11-22 07:08:09.010 UTC in this format; a fresh C string. */
static const char *line_of(int kind, bool has_colours)
{
    static char text[LOG_LINE_MAX + 1];
    struct access_record record;
    struct access_format format;
    struct buf out;
    setenv("TZ", "UTC0", 1);
    tzset();
    access_format_init(&format, kind, has_colours);
    format.wall_minus_mono_ms = INT64_C(1795331289010) - 1003;
    access_record_fill(&record, &ended.exchange, 1003, kind == GALLEY_ACCESS_JSON);
    access_record_add_client(&record, &ended.exchange);
    buf_init(&out, 0);
    access_format_append(&out, &record, &format);
    EXPECT(!out.failed && out.len <= LOG_LINE_MAX);
    memcpy(text, out.data, out.len);
    text[out.len] = '\0';
    buf_finish(&out);
    return text;
}

TEST(combined_is_what_apache_writes)
{
    ended_init(&ended);
    ended_target(&ended, SPAN("/a?b=c"));
    ended_agent(&ended, SPAN("curl/8.0"));
    ended_referer(&ended, SPAN("http://a.example/"));
    EXPECT_TEXT(line_of(GALLEY_ACCESS_COMBINED, false),
                "192.0.2.7 - - [22/Nov/2026:07:08:09 +0000] \"GET /a?b=c HTTP/1.1\" 200 5 "
                "\"http://a.example/\" \"curl/8.0\"\n");
}

TEST(combined_has_dashes_for_what_is_missing)
{
    ended_init(&ended);
    ended.exchange.request.method_name = SPAN_NONE;
    ended.exchange.request.peer = NULL;
    ended.exchange.response.status = 400;
    EXPECT_TEXT(line_of(GALLEY_ACCESS_COMBINED, false),
                "- - - [22/Nov/2026:07:08:09 +0000] \"-\" 400 5 \"-\" \"-\"\n");
}

TEST(json_is_one_object)
{
    ended_init(&ended);
    ended_agent(&ended, SPAN("curl/8.0"));
    EXPECT_TEXT(line_of(GALLEY_ACCESS_JSON, false),
                "{\"time\":\"2026-11-22T07:08:09.010Z\",\"peer\":\"192.0.2.7\",\"method\":\"GET\","
                "\"target\":\"/\",\"version\":\"1.1\",\"status\":200,\"bytes\":5,\"duration_ms\":3,"
                "\"user_agent\":\"curl/8.0\"}\n");
}

TEST(json_tells_of_tls_and_the_others_do_not)
{
    struct tls_facts facts = {.protocol = "TLSv1.3",
                              .cipher = "TLS_AES_128_GCM_SHA256",
                              .server_name = SPAN("a.example"),
                              .client_subject = SPAN("CN=alice")};
    ended_init(&ended);
    ended.exchange.request.tls.facts = &facts;
    EXPECT_TEXT(line_of(GALLEY_ACCESS_JSON, false),
                "{\"time\":\"2026-11-22T07:08:09.010Z\",\"peer\":\"192.0.2.7\",\"method\":\"GET\","
                "\"target\":\"/\",\"version\":\"1.1\",\"status\":200,\"bytes\":5,\"duration_ms\":3,"
                "\"tls\":{\"version\":\"TLSv1.3\",\"cipher\":\"TLS_AES_128_GCM_SHA256\","
                "\"server_name\":\"a.example\",\"client\":\"CN=alice\"}}\n");
    facts.server_name = facts.client_subject = SPAN_NONE;
    EXPECT(strstr(line_of(GALLEY_ACCESS_JSON, false),
                  ",\"tls\":{\"version\":\"TLSv1.3\",\"cipher\":\"TLS_AES_128_GCM_SHA256\"}}"));
    EXPECT(!strstr(line_of(GALLEY_ACCESS_COMBINED, false), "TLS"));
}

/* L19: names come from the client, and the longest line has room. */
TEST(a_hostile_name_stays_inside_its_quotes)
{
    static const char hostile[] = "a\"},{\n\x1b[2J\\\xff\xc2\x9b\x00 \xc3\xa4";
    static char zeros[ACCESS_TLS_BYTES];
    struct tls_facts facts = {
        .protocol = "TLSv1.3",
        .cipher = "x",
        .server_name = {hostile, sizeof hostile - 1},
        .client_subject = {hostile, sizeof hostile - 1},
    };
    ended_init(&ended);
    ended.exchange.request.tls.facts = &facts;
    const char *line = line_of(GALLEY_ACCESS_JSON, false);
    EXPECT(strstr(line, "\"client\":\"a\\\"},{\\u000a\\u001b[2J\\\\\\ufffd\\ufffd\\ufffd\\u0000 "
                        "\xc3\xa4\"}}\n"));
    facts.server_name = facts.client_subject = span_make(zeros, sizeof zeros);
    ended_target(&ended, span_make(zeros, sizeof zeros));
    ended_agent(&ended, span_make(zeros, sizeof zeros));
    line = line_of(GALLEY_ACCESS_JSON, false);
    EXPECT(strlen(line) > (size_t)6 * 4 * ACCESS_TLS_BYTES && strchr(line, '\n')[1] == '\0');
}

TEST(json_says_aborted_and_cut)
{
    static char target[5000];
    memset(target, 'x', sizeof target);
    ended_init(&ended);
    ended_target(&ended, span_make(target, sizeof target));
    ended.exchange.client_is_gone = true;
    EXPECT(strstr(line_of(GALLEY_ACCESS_JSON, false), ",\"aborted\":true,\"cut\":true}\n") != NULL);
}

TEST(dev_is_short)
{
    ended_init(&ended);
    ended_target(&ended, SPAN("/img/a.png"));
    ended.exchange.bytes_sent = 12345;
    ended.exchange.response.length = 12345;
    EXPECT_TEXT(line_of(GALLEY_ACCESS_DEV, false), "07:08:09 200 GET /img/a.png 12.3 kB 3 ms\n");
}

TEST(dev_says_when_there_was_no_request_and_no_answer)
{
    ended_init(&ended);
    ended.exchange.request.method_name = SPAN_NONE;
    ended.exchange.has_responded = false;
    ended.exchange.bytes_sent = 0;
    EXPECT_TEXT(line_of(GALLEY_ACCESS_DEV, false),
                "07:08:09 --- (not a request) 0 B 3 ms aborted\n");
}

TEST(dev_has_colours_by_status_and_only_when_asked)
{
    ended_init(&ended);
    ended.exchange.response.status = 404;
    EXPECT(strstr(line_of(GALLEY_ACCESS_DEV, true), "\033[33m 404 \033[0m") != NULL);
    EXPECT(strchr(line_of(GALLEY_ACCESS_DEV, false), '\033') == NULL);
    EXPECT(strchr(line_of(GALLEY_ACCESS_JSON, true), '\033') == NULL);
    EXPECT(strchr(line_of(GALLEY_ACCESS_COMBINED, true), '\033') == NULL);
}

TEST(sizes_and_durations_have_units_that_fit)
{
    static const struct {
        uint64_t bytes;
        uint32_t ms;
        const char *text;
    } rows[] = {{0, 0, " 0 B 0 ms\n"},
                {999, 9999, " 999 B 9999 ms\n"},
                {1000, 10000, " 1.0 kB 10.0 s\n"},
                {999999, 61234, " 999.9 kB 61.2 s\n"},
                {1000000, 0, " 1.0 MB 0 ms\n"},
                {UINT64_MAX, UINT32_MAX, " 18.4 EB 4294967.2 s\n"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ended_init(&ended);
        ended.exchange.response.length = -1;
        ended.exchange.bytes_sent = rows[i].bytes;
        ended.exchange.began_ms = 1003 - (int64_t)rows[i].ms;
        const char *line = line_of(GALLEY_ACCESS_DEV, false);
        EXPECT_TEXT(line + strlen("07:08:09 200 GET /"), rows[i].text);
    }
}

static const char *escaped(void (*escape)(struct buf *, struct span), struct span text)
{
    static char result[512];
    struct buf out;
    buf_init(&out, sizeof result - 1);
    escape(&out, text);
    EXPECT(!out.failed);
    memcpy(result, buf_span(&out).ptr, out.len);
    result[out.len] = '\0';
    buf_finish(&out);
    return result;
}

TEST(plain_escapes_what_could_break_a_line_or_a_quote)
{
    EXPECT_TEXT(escaped(access_escape_plain, SPAN("a\"b\\c\n\r\t\0\033[31m\x7f")),
                "a\\\"b\\\\c\\n\\r\\t\\x00\\x1b[31m\\x7f");
    EXPECT_TEXT(escaped(access_escape_plain, SPAN("\xc3\xa9\xc2\x9b")), "\\xc3\\xa9\\xc2\\x9b");
}

/* RFC 8259 §7. */
TEST(json_escapes_what_must_not_stand_in_a_string)
{
    EXPECT_TEXT(escaped(access_escape_json, SPAN("a\"b\\c\n\0\x7f")),
                "a\\\"b\\\\c\\u000a\\u0000\\u007f");
}

/* RFC 3629 §3: over-long forms, surrogates, numbers above U+10FFFF and lonely bytes are no
 * characters. */
TEST(json_keeps_utf8_and_replaces_what_is_none)
{
    EXPECT_TEXT(escaped(access_escape_json, SPAN("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x9a\xa2")),
                "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x9a\xa2");
    EXPECT_TEXT(escaped(access_escape_json, SPAN("\x80")), "\\ufffd");
    EXPECT_TEXT(escaped(access_escape_json, SPAN("\xc0\xaf")), "\\ufffd\\ufffd");
    EXPECT_TEXT(escaped(access_escape_json, SPAN("\xed\xa0\x80")), "\\ufffd\\ufffd\\ufffd");
    EXPECT_TEXT(escaped(access_escape_json, SPAN("\xf4\x90\x80\x80")),
                "\\ufffd\\ufffd\\ufffd\\ufffd");
    EXPECT_TEXT(escaped(access_escape_json, SPAN("\xe2\x82")), "\\ufffd\\ufffd");
    EXPECT_TEXT(escaped(access_escape_json, SPAN("\xc2\x9b")), "\\ufffd\\ufffd"); /* CSI */
}

/* The blocks of bytes that are looked at at once overlap at the end of a text. */
TEST(one_bad_byte_is_found_wherever_it_stands)
{
    static const char bad[] = {'"', '\\', '\n', '\x1f', '\x7f', '\0', '\x80', '\xff'};
    char text[40];
    for (size_t len = 1; len <= sizeof text; len++) {
        for (size_t at = 0; at < len * sizeof bad; at++) {
            memset(text, 'a', len);
            text[at / sizeof bad] = bad[at % sizeof bad];
            const char *plain = escaped(access_escape_plain, span_make(text, len));
            EXPECT(strlen(plain) > len && plain[at / sizeof bad] == '\\');
            const char *json = escaped(access_escape_json, span_make(text, len));
            EXPECT(strlen(json) > len && json[at / sizeof bad] == '\\');
        }
        memset(text, 'a', len);
        EXPECT(span_equal(span_of(escaped(access_escape_json, span_make(text, len))),
                          span_make(text, len)));
    }
}

/* Its text is kept from line to line: the day, the hour and the year must follow. */
TEST(json_time_follows_the_second)
{
    struct access_record record;
    struct access_format format;
    struct buf out;
    ended_init(&ended);
    access_record_fill(&record, &ended.exchange, 0, false);
    access_format_init(&format, GALLEY_ACCESS_JSON, false);
    static const struct {
        int64_t wall_ms;
        const char *text;
    } rows[] = {{0, "1970-01-01T00:00:00.000Z"},
                {999, "1970-01-01T00:00:00.999Z"},
                {1000, "1970-01-01T00:00:01.000Z"},
                {INT64_C(1709251199999), "2024-02-29T23:59:59.999Z"},
                {INT64_C(1709251200000), "2024-03-01T00:00:00.000Z"},
                {INT64_C(1709251199000), "2024-02-29T23:59:59.000Z"},
                {-5, "1970-01-01T00:00:00.000Z"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        format.wall_minus_mono_ms = rows[i].wall_ms;
        buf_init(&out, 0);
        access_format_append(&out, &record, &format);
        size_t before = strlen("{\"time\":\"");
        EXPECT(
            span_equal(span_make(out.data + before, strlen(rows[i].text)), span_of(rows[i].text)));
        buf_finish(&out);
    }
}

/* Its text is kept from line to line. */
TEST(json_peer_follows_the_peer)
{
    static const struct {
        uint8_t family;
        uint8_t bytes[16];
        const char *text;
    } rows[] = {
        {AF_INET, {192, 0, 2, 7}, "\"peer\":\"192.0.2.7\""},
        {AF_INET, {192, 0, 2, 7}, "\"peer\":\"192.0.2.7\""},
        {AF_INET, {255, 10, 0, 100}, "\"peer\":\"255.10.0.100\""},
        {AF_INET6,
         {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7},
         "\"peer\":\"2001:db8::7\""},
        {AF_INET6, {255, 10, 0, 100}, "\"peer\":\"ff0a:64::\""},
        {AF_INET, {255, 10, 0, 100}, "\"peer\":\"255.10.0.100\""},
        {AF_UNIX, {0}, "\"peer\":\"unix\""},
        {0, {0}, "\"peer\":\"-\""},
        {AF_UNIX, {0}, "\"peer\":\"unix\""},
    };
    struct access_record record;
    struct access_format format;
    ended_init(&ended);
    access_record_fill(&record, &ended.exchange, 0, false);
    access_format_init(&format, GALLEY_ACCESS_JSON, false);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        record.peer.family = rows[i].family;
        memcpy(record.peer.bytes, rows[i].bytes, sizeof record.peer.bytes);
        buf_init(&out, 0);
        access_format_append(&out, &record, &format);
        buf_append_char(&out, '\0');
        EXPECT(strstr(out.data, rows[i].text) != NULL);
        buf_finish(&out);
    }
}

TEST(a_line_is_one_line_whatever_bytes_come)
{
    static char target[500], agent[500];
    for (unsigned round = 0; round < test_rounds(2000); round++) {
        for (size_t i = 0; i < sizeof target; i++) {
            target[i] = (char)test_random();
            agent[i] = (char)test_random();
        }
        ended_init(&ended);
        ended_target(&ended, span_make(target, test_random_below(sizeof target)));
        ended_agent(&ended, span_make(agent, test_random_below(sizeof agent)));
        ended_referer(&ended, span_make(agent, test_random_below(sizeof agent)));
        for (int kind = GALLEY_ACCESS_DEV; kind <= GALLEY_ACCESS_JSON; kind++) {
            const char *line = line_of(kind, false);
            size_t len = strlen(line);
            EXPECT_INT(strcspn(line, "\n"), len - 1);
            for (size_t i = 0; i + 1 < len; i++) {
                unsigned char c = (unsigned char)line[i];
                EXPECT(c >= 0x20 && c != 0x7f && (kind == GALLEY_ACCESS_JSON || c < 0x80));
            }
        }
    }
}

TEST(the_longest_line_fits_its_bound)
{
    static char bytes[5000];
    memset(bytes, 1, sizeof bytes);
    ended_init(&ended);
    ended.exchange.request.method_name = span_make(bytes, 100);
    ended_target(&ended, span_make(bytes, sizeof bytes));
    ended_agent(&ended, span_make(bytes, sizeof bytes));
    ended_referer(&ended, span_make(bytes, sizeof bytes));
    for (int kind = GALLEY_ACCESS_DEV; kind <= GALLEY_ACCESS_JSON; kind++) {
        EXPECT(strlen(line_of(kind, true)) > ACCESS_TEXT_BYTES);
    }
}

static const struct peer_address ipv4 = {.family = AF_INET, .bytes = {198, 51, 100, 1}};
static const struct peer_address ipv6 = {.family = AF_INET6,
                                         .bytes = {0x20, 1, 0xd, 0xb8, [15] = 9}};
static const struct peer_address of_unix = {.family = AF_UNIX};

/* A proxy asked for somebody: combined has him, JSON both. */
TEST(a_client_behind_a_proxy_is_shown)
{
    static const struct {
        const struct peer_address *address;
        const char *name, *expected;
    } rows[] = {{&ipv4, NULL, "198.51.100.1"},
                {&ipv6, NULL, "2001:db8::9"},
                {&of_unix, NULL, "unix"},
                {NULL, "unknown", "unknown"},
                {NULL, "_Some.name-1", "_Some.name-1"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char wanted[128];
        ended_init(&ended);
        ended_client(&ended, rows[i].address, rows[i].name);
        (void)snprintf(wanted, sizeof wanted, "%s - - [", rows[i].expected);
        const char *line = line_of(GALLEY_ACCESS_COMBINED, false);
        EXPECT(strncmp(line, wanted, strlen(wanted)) == 0);
        (void)snprintf(wanted, sizeof wanted, ",\"peer\":\"192.0.2.7\",\"client\":\"%s\",\"method",
                       rows[i].expected);
        EXPECT(strstr(line_of(GALLEY_ACCESS_JSON, false), wanted));
    }
}
