/* tests/unit/files/test_ranges.c — Range and If-Range: what is sent is what a plain slice of the
 * file is. */
#include "support_site.h"
#include "support_tree.h"
#include "test.h"

static struct site_rig rig;
static const char content[] = "0123456789abcdefghijklmnopqrstuvwxyz";
enum { SIZE = sizeof content - 1 };

/* max_memory 1: from a descriptor; 0: from memory. */
static void open_site(size_t max_memory)
{
    site_open(&rig);
    tree_write("a.txt", content);
    tree_touch("a.txt", 1600000000);
    galley_static_options options = GALLEY_STATIC_OPTIONS_INIT;
    options.max_memory_file = max_memory;
    site_start(&rig, &options, 0);
}

static const struct site_answer *ask(const char *fields)
{
    return site_ask(&rig, "GET", "/a.txt", fields);
}

/* RFC 9110 §14.2, RFC 9110 §15.3.7 */
TEST(test_one_range_is_206_with_content_range)
{
    static const char *const asked[][3] = {
        {"Range: bytes=0-4\n", "bytes 0-4/36", "01234"},
        {"Range: bytes=33-\n", "bytes 33-35/36", "xyz"},
        {"Range: bytes=-2\n", "bytes 34-35/36", "yz"},
        {"Range: bytes=35-99\n", "bytes 35-35/36", "z"},
        {"Range: bytes=0-\n", "bytes 0-35/36", content},
    };
    for (size_t max_memory = 0; max_memory < 2; max_memory++) {
        open_site(max_memory);
        for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
            const struct site_answer *answer = ask(asked[i][0]);
            EXPECT_INT(answer->status, 206);
            EXPECT_TEXT(site_field(answer, "Content-Range"), asked[i][1]);
            EXPECT_TEXT(answer->body, asked[i][2]);
            EXPECT_INT(answer->length, strlen(asked[i][2]));
            EXPECT_TEXT(site_field(answer, "Content-Type"), "text/plain; charset=utf-8");
            EXPECT(site_field(answer, "ETag") && site_field(answer, "Last-Modified"));
            EXPECT(site_field(answer, "Content-Length") == NULL); /* the driver's, for a part */
            EXPECT_INT(answer->has_file_part, max_memory == 1);
        }
        EXPECT_INT(site_counter(&rig, "file_ranges"), 5);
        site_close(&rig);
    }
}

/* RFC 9110 §14.2: for GET only; §14.1: unknown units and malformed sets are ignored. */
TEST(test_what_is_no_range_gets_everything)
{
    open_site(0);
    static const char *const asked[] = {
        "Range: lines=0-4\n",
        "Range: bytes=4-0\n",
        "Range: bytes=\n",
        "Range: bytes=a-b\n",
        "Range: bytes 0-4\n",
        "Range: bytes=0-4\nRange: bytes=5-6\n",
        "Range: bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,"
        "28-28,30-30,32-32\n",
    };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        EXPECT_INT(ask(asked[i])->status, 200);
        EXPECT_TEXT(rig.answer.body, content);
    }
    const struct site_answer *answer = site_ask(&rig, "HEAD", "/a.txt", "Range: bytes=0-4\n");
    EXPECT_INT(answer->status, 200);
    EXPECT_INT(answer->length, SIZE);
    site_close(&rig);
}

/* RFC 9110 §15.5.17 */
TEST(test_a_range_behind_the_end_is_416)
{
    open_site(0);
    static const char *const asked[] = {
        "Range: bytes=36-\n", "Range: bytes=99999999999999999999-\n", "Range: bytes=40-50,60-\n"};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        const struct site_answer *answer = ask(asked[i]);
        EXPECT_INT(answer->status, 416);
        EXPECT_TEXT(site_field(answer, "Content-Range"), "bytes */36");
        EXPECT(strstr(answer->body, "0123") == NULL);
    }
    EXPECT_INT(site_counter(&rig, "file_bad_ranges"), 3);
    site_close(&rig);
}

/* RFC 9110 §14.6, RFC 9110 §15.3.7.2 */
TEST(test_several_ranges_are_multipart)
{
    open_site(0);
    const struct site_answer *answer = ask("Range: bytes=0-1,10-11\n");
    EXPECT_INT(answer->status, 206);
    EXPECT(site_field(answer, "Content-Range") == NULL);
    const char *type = site_field(answer, "Content-Type");
    EXPECT(strncmp(type, "multipart/byteranges; boundary=", 31) == 0);
    const char *boundary = type + 31;
    char expected[1024];
    snprintf(expected, sizeof expected,
             "--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-1/36\r\n"
             "\r\n01\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\n"
             "Content-Range: bytes 10-11/36\r\n\r\nab\r\n--%s--\r\n",
             boundary, boundary, boundary);
    const char *start = strstr(answer->body, "--");
    EXPECT(start != NULL && start - answer->body <= 2);
    EXPECT_TEXT(start, expected);
    EXPECT_INT(answer->length, answer->body_len);
    site_close(&rig);
}

TEST(test_every_multipart_answer_has_another_boundary)
{
    open_site(0);
    char first[256];
    snprintf(first, sizeof first, "%s",
             site_field(ask("Range: bytes=0-1,10-11\n"), "Content-Type"));
    EXPECT(strcmp(first, site_field(ask("Range: bytes=0-1,10-11\n"), "Content-Type")) != 0);
    site_close(&rig);
}

/* A kilobyte of a request cannot make the server promise a gigabyte (CVE-2011-3192). */
TEST(test_overlapping_ranges_send_no_byte_twice)
{
    open_site(0);
    const struct site_answer *answer = ask("Range: bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-\n");
    EXPECT(answer->status == 200 || answer->status == 206);
    EXPECT_TEXT(answer->body, content);
    site_close(&rig);
}

/* RFC 9110 §13.1.5, RFC 9110 §15.3.7.3 */
TEST(test_if_range_decides_whether_a_part_is_of_use)
{
    open_site(0);
    char etag[80], fields[512];
    snprintf(etag, sizeof etag, "%s", site_field(ask(""), "ETag"));
    snprintf(fields, sizeof fields, "Range: bytes=0-4\nIf-Range: %s\n", etag);
    const struct site_answer *answer = ask(fields);
    EXPECT_INT(answer->status, 206);
    EXPECT_TEXT(answer->body, "01234");
    /* RFC 9110 §15.3.7: only what is needed, the client has the rest. */
    EXPECT_TEXT(site_field(answer, "ETag"), etag);
    EXPECT(site_field(answer, "Last-Modified") == NULL);
    snprintf(fields, sizeof fields, "Range: bytes=0-4\nIf-Range: W/%s\n", etag);
    EXPECT_INT(ask(fields)->status, 200);
    EXPECT_INT(ask("Range: bytes=0-4\nIf-Range: \"other\"\n")->status, 200);
    EXPECT_INT(ask("Range: bytes=0-4\nIf-Range: Sun, 13 Sep 2020 12:26:40 GMT\n")->status, 206);
    EXPECT_INT(ask("Range: bytes=0-4\nIf-Range: Sun, 13 Sep 2020 12:26:41 GMT\n")->status, 200);
    EXPECT_INT(ask("Range: bytes=99-\nIf-Range: \"other\"\n")->status, 200);
    site_close(&rig);
}

/* RFC 9110 §13.2.2: conditions come before the range. */
TEST(test_conditions_come_before_ranges)
{
    open_site(0);
    EXPECT_INT(ask("Range: bytes=0-4\nIf-None-Match: *\n")->status, 304);
    EXPECT_INT(ask("Range: bytes=99-\nIf-Match: \"other\"\n")->status, 412);
    EXPECT_INT(ask("Range: bytes=0-4\nIf-None-Match: \"other\"\n")->status, 206);
    site_close(&rig);
}

TEST(test_a_range_of_an_empty_file_cannot_be)
{
    site_open(&rig);
    tree_write("a.txt", "");
    site_start(&rig, NULL, 0);
    EXPECT_INT(ask("Range: bytes=0-0\n")->status, 416);
    EXPECT_TEXT(site_field(&rig.answer, "Content-Range"), "bytes */0");
    EXPECT_INT(ask("Range: bytes=-5\n")->status, 200); /* the last five of nothing is all of it */
    site_close(&rig);
}

/* ---- the property ---------------------------------------------------------------------------- */

static size_t random_number(char *out, size_t room)
{
    switch (test_random_below(8)) {
    case 0:
        return 0;
    case 1:
        return (size_t)snprintf(out, room, "%s", "18446744073709551615");
    case 2:
        return (size_t)snprintf(out, room, "%s", "9223372036854775808");
    default:
        return (size_t)snprintf(out, room, "%" PRIu64, test_random_below(45));
    }
}

static void random_range(char *out, size_t room)
{
    size_t len = (size_t)snprintf(out, room, "Range: bytes=");
    uint64_t count = 1 + test_random_below(5);
    for (uint64_t i = 0; i < count; i++) {
        len += (size_t)snprintf(out + len, room - len, "%s", i ? "," : "");
        len += random_number(out + len, room - len);
        len += (size_t)snprintf(out + len, room - len, "-");
        len += random_number(out + len, room - len);
    }
    if (test_random_below(10) == 0) {
        out[7 + test_random_below(len - 7)] = (char)(' ' + test_random_below(90));
    }
    snprintf(out + len, room - len, "\n");
}

/* "bytes 3-7/36" and the bytes that follow it are that slice. Returns how many bytes. */
static size_t expect_slice(const char *content_range, const char *bytes)
{
    unsigned long long from, to, size;
    EXPECT_INT(sscanf(content_range, "bytes %llu-%llu/%llu", &from, &to, &size), 3);
    EXPECT_INT(size, SIZE);
    EXPECT(from <= to && to < SIZE);
    EXPECT(memcmp(bytes, content + from, to - from + 1) == 0);
    return (size_t)(to - from + 1);
}

static void expect_parts(const struct site_answer *answer)
{
    size_t sum = 0;
    const char *at = answer->body;
    while ((at = strstr(at, "Content-Range: ")) != NULL) {
        const char *bytes = strstr(at, "\r\n\r\n");
        EXPECT(bytes != NULL);
        size_t len = expect_slice(at + 15, bytes + 4);
        EXPECT(strncmp(bytes + 4 + len, "\r\n--", 4) == 0);
        sum += len;
        at = bytes;
    }
    EXPECT(sum > 0 && sum <= SIZE);
}

TEST(test_any_range_gets_the_plain_slice)
{
    open_site(0);
    for (unsigned round = 0; round < test_rounds(20000); round++) {
        char fields[256];
        random_range(fields, sizeof fields);
        const struct site_answer *answer = ask(fields);
        const char *content_range = site_field(answer, "Content-Range");
        EXPECT_INT(answer->length, answer->body_len);
        if (answer->status == 200) {
            EXPECT_TEXT(answer->body, content);
        } else if (answer->status == 416) {
            EXPECT_TEXT(content_range, "bytes */36");
        } else if (content_range) {
            EXPECT_INT(answer->status, 206);
            EXPECT_INT(expect_slice(content_range, answer->body), answer->body_len);
        } else {
            EXPECT_INT(answer->status, 206);
            expect_parts(answer);
        }
    }
    site_close(&rig);
}
