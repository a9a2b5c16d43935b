/* tests/unit/http/test_framing.c — where a body ends, or which refusal it is: the rules against
 * smuggling. */
#include "http/connection_options.h"
#include "http/content_length.h"
#include "http/framing.h"
#include "http/host.h"
#include "http/transfer_encoding.h"
#include "test.h"

#include <galley/base.h>

static struct field storage[16];

/* Lines "Name: value" separated by '|'. */
static struct fields lines(const char *text)
{
    struct fields fields;
    fields_init(&fields, storage, 16);
    struct span rest = span_of(text);
    while (rest.len > 0) {
        struct span line, name;
        rest = span_cut(rest, '|', &line);
        struct span value = span_cut(line, ':', &name);
        EXPECT_INT(fields_add(&fields, name, span_trim(value)), 0);
    }
    return fields;
}

static struct framing judge(int version, const char *text)
{
    struct fields fields = lines(text);
    return framing_judge(version, METHOD_POST, &fields);
}

/* RFC 9112 §3.2: what is remembered makes nothing good that is not. */
TEST(a_host_that_is_known_is_judged_as_one_that_is_not)
{
    static const char *const known[] = {"a", "a.example:80", "a b", ""};
    static const char *const heads[] = {"Host: a", "Host: a b",         "Host: a.example:80",
                                        "Host:",   "Host: a|Host: a",   "Host: ab",
                                        "Via: a",  "Host: a|Length: 3", "Host: a:80:80"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct host host;
        struct span text =
            host_parse(span_of(known[i]), &host) == 0 ? span_of(known[i]) : SPAN_NONE;
        for (size_t j = 0; j < sizeof heads / sizeof *heads; j++) {
            struct fields fields = lines(heads[j]);
            EXPECT_INT(framing_judge_again(11, METHOD_GET, &fields, text).reason,
                       framing_judge(11, METHOD_GET, &fields).reason);
        }
    }
}

/* RFC 9112 §6.3: a request with neither field has no body; no 411 */
TEST(without_length_and_coding_there_is_no_body)
{
    struct framing got = judge(11, "Host: a");
    EXPECT_INT(got.reason, FRAMING_REASON_NONE);
    EXPECT_INT(got.body, FRAMING_NO_BODY);
    EXPECT(got.wants_keep_alive);
    EXPECT(!got.wants_continue);
}

TEST(length_and_chunked_are_understood)
{
    struct framing got = judge(11, "Host: a|Content-Length: 12");
    EXPECT_INT(got.body, FRAMING_LENGTH);
    EXPECT_INT(got.length, 12);
    got = judge(11, "Host: a|Content-Length: 0");
    EXPECT_INT(got.body, FRAMING_NO_BODY);
    got = judge(11, "Host: a|Transfer-Encoding: chunked");
    EXPECT_INT(got.body, FRAMING_CHUNKED);
    got = judge(11, "Host: a|Transfer-Encoding: CHUNKED"); /* RFC 9112 §7: any case */
    EXPECT_INT(got.body, FRAMING_CHUNKED);
    got = judge(10, "Content-Length: 3");
    EXPECT_INT(got.length, 3);
}

struct refusal {
    int version;
    const char *lines;
    enum framing_reason reason;
    int status;
};

static const struct refusal refusals[] = {
    /* RFC 9112 §3.2 */
    {11, "Accept: x", FRAMING_REASON_HOST_MISSING, 400},
    {11, "", FRAMING_REASON_HOST_MISSING, 400},
    {11, "Host: a|Host: b", FRAMING_REASON_HOST_TWICE, 400},
    {11, "Host: a|host: a", FRAMING_REASON_HOST_TWICE, 400},
    {10, "Host: a|Host: a", FRAMING_REASON_HOST_TWICE, 400},
    {11, "Host: a b", FRAMING_REASON_HOST_BAD, 400},
    {11, "Host:", FRAMING_REASON_HOST_BAD, 400},
    {11, "Host: a@b", FRAMING_REASON_HOST_BAD, 400},
    {11, "Host: a/b", FRAMING_REASON_HOST_BAD, 400},
    {11, "Host: a, b", FRAMING_REASON_HOST_BAD, 400},
    {10, "Host: a:99999", FRAMING_REASON_HOST_BAD, 400},
    /* RFC 9110 §8.6, RFC 9112 §6.3 */
    {11, "Host: a|Content-Length: +5", FRAMING_REASON_LENGTH_BAD, 400},
    {11, "Host: a|Content-Length: -5", FRAMING_REASON_LENGTH_BAD, 400},
    {11, "Host: a|Content-Length: 5 5", FRAMING_REASON_LENGTH_BAD, 400},
    {11, "Host: a|Content-Length: 5, 5", FRAMING_REASON_LENGTH_BAD, 400},
    {11, "Host: a|Content-Length: 5, 6", FRAMING_REASON_LENGTH_BAD, 400},
    {11, "Host: a|Content-Length: 0x5", FRAMING_REASON_LENGTH_BAD, 400},
    {11, "Host: a|Content-Length:", FRAMING_REASON_LENGTH_BAD, 400},
    {11, "Host: a|Content-Length: 1234567890123456789", FRAMING_REASON_LENGTH_BAD, 400},
    {11, "Host: a|Content-Length: 5|Content-Length: 6", FRAMING_REASON_LENGTH_TWICE, 400},
    {11, "Host: a|Content-Length: 5|content-length: 5", FRAMING_REASON_LENGTH_TWICE, 400},
    {11, "Host: a|Content-Length: 5|Content-Length:", FRAMING_REASON_LENGTH_TWICE, 400},
    /* RFC 9112 §6.1 */
    {11, "Host: a|Content-Length: 5|Transfer-Encoding: chunked", FRAMING_REASON_LENGTH_AND_TRANSFER,
     400},
    {11, "Host: a|Transfer-Encoding: chunked|Content-Length: 0", FRAMING_REASON_LENGTH_AND_TRANSFER,
     400},
    {11, "Host: a|Content-Length: 5|Transfer-Encoding: x", FRAMING_REASON_LENGTH_AND_TRANSFER, 400},
    {10, "Transfer-Encoding: chunked", FRAMING_REASON_TRANSFER_IN_1_0, 400},
    {10, "Transfer-Encoding: gzip", FRAMING_REASON_TRANSFER_IN_1_0, 400},
    {11, "Host: a|Transfer-Encoding: xchunked", FRAMING_REASON_TRANSFER_BAD, 400},
    {11, "Host: a|Transfer-Encoding: chunked, chunked", FRAMING_REASON_TRANSFER_BAD, 400},
    {11, "Host: a|Transfer-Encoding: chunked|Transfer-Encoding: chunked",
     FRAMING_REASON_TRANSFER_BAD, 400},
    {11, "Host: a|Transfer-Encoding: chunked, gzip", FRAMING_REASON_TRANSFER_BAD, 400},
    {11, "Host: a|Transfer-Encoding: chunked|Transfer-Encoding: identity",
     FRAMING_REASON_TRANSFER_BAD, 400},
    {11, "Host: a|Transfer-Encoding: identity", FRAMING_REASON_TRANSFER_BAD, 400},
    {11, "Host: a|Transfer-Encoding: identity, chunked", FRAMING_REASON_TRANSFER_BAD, 400},
    {11, "Host: a|Transfer-Encoding: \"chunked\"", FRAMING_REASON_TRANSFER_BAD, 400},
    {11, "Host: a|Transfer-Encoding: chunked;q=1", FRAMING_REASON_TRANSFER_BAD, 400},
    {11, "Host: a|Transfer-Encoding: chunked,", FRAMING_REASON_TRANSFER_BAD, 400},
    {11, "Host: a|Transfer-Encoding: ,chunked", FRAMING_REASON_TRANSFER_BAD, 400},
    {11, "Host: a|Transfer-Encoding: chun ked", FRAMING_REASON_TRANSFER_BAD, 400},
    {11, "Host: a|Transfer-Encoding: \vchunked", FRAMING_REASON_TRANSFER_BAD, 400},
    {11, "Host: a|Transfer-Encoding:", FRAMING_REASON_TRANSFER_BAD, 400},
    {11, "Host: a|Transfer-Encoding: gzip", FRAMING_REASON_TRANSFER_BAD, 400},
    {11, "Host: a|Transfer-Encoding: gzip, chunked", FRAMING_REASON_TRANSFER_UNSUPPORTED, 501},
    {11, "Host: a|Transfer-Encoding: deflate ,chunked", FRAMING_REASON_TRANSFER_UNSUPPORTED, 501},
    {11, "Host: a|Transfer-Encoding: gzip|Transfer-Encoding: chunked",
     FRAMING_REASON_TRANSFER_UNSUPPORTED, 501},
    {11, "Host: a|Transfer-Encoding: x-gzip, compress, chunked",
     FRAMING_REASON_TRANSFER_UNSUPPORTED, 501},
    {11, "Host: a|Transfer-Encoding: br, chunked", FRAMING_REASON_TRANSFER_BAD, 400},
    /* RFC 9110 §10.1.1 */
    {11, "Host: a|Expect: 200-ok", FRAMING_REASON_EXPECTATION, 417},
    {11, "Host: a|Expect: 100-continue, x", FRAMING_REASON_EXPECTATION, 417},
    {11, "Host: a|Expect:", FRAMING_REASON_EXPECTATION, 417},
    /* smuggling comes before everything else */
    {11, "Content-Length: 1|Transfer-Encoding: chunked|Expect: x",
     FRAMING_REASON_LENGTH_AND_TRANSFER, 400},
};

TEST(ambiguous_framing_is_refused_with_its_reason)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *row = &refusals[i];
        struct framing got = judge(row->version, row->lines);
        if (got.reason != row->reason || framing_reason_status(got.reason) != row->status) {
            struct span text = framing_reason_text(got.reason);
            test_fail(__FILE__, __LINE__, "\"%s\": %.*s", row->lines, SPAN_ARGS(text));
        }
        EXPECT_INT(got.body, FRAMING_NO_BODY);
        EXPECT_INT(got.length, 0);
        EXPECT(!got.wants_keep_alive && !got.wants_continue);
    }
}

/* RFC 9112 §3.2: HTTP/1.0 has no duty of Host */
TEST(http_1_0_may_leave_host_out)
{
    EXPECT_INT(judge(10, "").reason, FRAMING_REASON_NONE);
}

/* RFC 9110 §9.3.6 */
TEST(connect_with_a_body_is_refused)
{
    struct fields fields = lines("Host: a|Content-Length: 5");
    EXPECT_INT(framing_judge(11, METHOD_CONNECT, &fields).reason, FRAMING_REASON_CONNECT_BODY);
    fields = lines("Host: a|Content-Length: 0");
    EXPECT_INT(framing_judge(11, METHOD_CONNECT, &fields).reason, FRAMING_REASON_NONE);
}

/* RFC 9112 §9.3 */
TEST(keep_alive_follows_version_and_connection)
{
    EXPECT(judge(11, "Host: a").wants_keep_alive);
    EXPECT(judge(11, "Host: a|Connection: upgrade, foo").wants_keep_alive);
    EXPECT(!judge(11, "Host: a|Connection: close").wants_keep_alive);
    EXPECT(!judge(11, "Host: a|Connection: keep-alive, Close").wants_keep_alive);
    EXPECT(!judge(11, "Host: a|Connection: keep-alive|Connection: close").wants_keep_alive);
    EXPECT(!judge(10, "").wants_keep_alive);
    EXPECT(judge(10, "Connection: Keep-Alive").wants_keep_alive);
    EXPECT(!judge(10, "Connection: keep-alive, close").wants_keep_alive);
    EXPECT(!judge(10, "Connection: keep-alived").wants_keep_alive);
}

/* RFC 9110 §10.1.1 */
TEST(continue_is_awaited_only_with_a_body_and_only_in_1_1)
{
    EXPECT(judge(11, "Host: a|Expect: 100-Continue|Content-Length: 5").wants_continue);
    EXPECT(judge(11, "Host: a|Expect: 100-continue|Transfer-Encoding: chunked").wants_continue);
    EXPECT(!judge(11, "Host: a|Expect: 100-continue").wants_continue);
    EXPECT(!judge(11, "Host: a|Expect: 100-continue|Content-Length: 0").wants_continue);
    struct framing old = judge(10, "Expect: 100-continue|Content-Length: 5");
    EXPECT_INT(old.reason, FRAMING_REASON_NONE);
    EXPECT(!old.wants_continue);
    EXPECT_INT(judge(10, "Expect: anything").reason, FRAMING_REASON_NONE);
}

/* Lesson: digits only, at most 18 of them */
TEST(content_length_takes_digits_only)
{
    uint64_t bytes = 77;
    EXPECT_INT(content_length_parse(SPAN("0"), &bytes), 0);
    EXPECT_INT(bytes, 0);
    EXPECT_INT(content_length_parse(SPAN("007"), &bytes), 0);
    EXPECT_INT(bytes, 7);
    EXPECT_INT(content_length_parse(SPAN("999999999999999999"), &bytes), 0);
    EXPECT(bytes == UINT64_C(999999999999999999));
    bytes = 77;
    static const char *const bad[] = {
        "",   " ",    "1 ",  " 1",  "+1", "-1", "1_0",
        "1.", "0x10", "1e3", "1,1", "a",  "٣",  "1000000000000000000"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        EXPECT_INT(content_length_parse(span_of(bad[i]), &bytes), GALLEY_EPROTO);
        EXPECT_INT(bytes, 77);
    }
    EXPECT_INT(content_length_parse(SPAN_NONE, &bytes), GALLEY_EPROTO);
    EXPECT_INT(content_length_parse(span_make("1\0", 2), &bytes), GALLEY_EPROTO);
}

TEST(reasons_have_a_status_and_a_sentence)
{
    EXPECT_INT(framing_reason_status(FRAMING_REASON_NONE), 0);
    for (int i = 1; i < FRAMING_REASON_COUNT; i++) {
        EXPECT(framing_reason_status((enum framing_reason)i) >= 400);
        EXPECT(framing_reason_text((enum framing_reason)i).len > 0);
    }
}
