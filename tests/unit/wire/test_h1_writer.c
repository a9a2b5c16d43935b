/* tests/unit/wire/test_h1_writer.c — response heads: RFC 9112 §4, RFC 9110 §5.5, §6.6.1, §15. */
#include "test.h"

#include "http/status.h"
#include "wire/h1_writer.h"

enum { ROOM = 512 };

struct writing {
    struct h1_writer writer;
    char out[ROOM];
};

static void begin(struct writing *w, size_t room)
{
    memset(w->out, '#', sizeof(w->out));
    h1_writer_init(&w->writer, w->out, room);
}

static struct span written(const struct writing *w)
{
    return span_make(w->out, w->writer.len);
}

TEST(test_a_head_is_written)
{
    struct writing w;
    struct h1_date_line date = {0};
    begin(&w, ROOM);
    h1_write_status(&w.writer, 200);
    h1_write_date(&w.writer, &date, 784111777);
    h1_write_field(&w.writer, SPAN("Content-Type"), SPAN("text/html"));
    h1_write_field_u64(&w.writer, SPAN("Content-Length"), UINT64_C(18446744073709551615));
    h1_write_ready(&w.writer, SPAN("Server: galley\r\nVary: Accept\r\n"));
    size_t len = h1_write_end(&w.writer);
    EXPECT_INT(len, w.writer.len);
    EXPECT_SPAN(written(&w), "HTTP/1.1 200 OK\r\n"
                             "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                             "Content-Type: text/html\r\n"
                             "Content-Length: 18446744073709551615\r\n"
                             "Server: galley\r\nVary: Accept\r\n\r\n");
}

/* RFC 9112 §4: status-line = HTTP-version SP status-code SP [ reason-phrase ], for every status
 * that may be sent. */
TEST(test_every_status_has_a_line)
{
    for (int status = 100; status < 600; status++) {
        struct writing w;
        char expected[128];
        begin(&w, ROOM);
        h1_write_status(&w.writer, status);
        snprintf(expected, sizeof(expected), "HTTP/1.1 %d %s\r\n", status,
                 status_reason(status).ptr);
        EXPECT_SPAN(written(&w), expected);
    }
    EXPECT_SPAN(h1_status_line(404), "HTTP/1.1 404 Not Found\r\n");
    EXPECT(h1_status_line(599).ptr == NULL);
    EXPECT(h1_status_line(99).ptr == NULL);
    EXPECT(h1_status_line(-1).ptr == NULL);
}

TEST(test_a_status_out_of_range_is_refused)
{
    static const int bad[] = {-1, 0, 99, 600, 1000};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct writing w;
        begin(&w, ROOM);
        h1_write_status(&w.writer, bad[i]);
        EXPECT_INT(h1_write_end(&w.writer), 0);
        EXPECT_INT(w.writer.fault, H1_WRITE_REFUSED);
    }
}

static bool is_refused(struct span name, struct span value)
{
    struct writing w;
    begin(&w, ROOM);
    h1_write_status(&w.writer, 200);
    h1_write_field(&w.writer, name, value);
    return h1_write_end(&w.writer) == 0 && w.writer.fault == H1_WRITE_REFUSED;
}

/* RFC 9110 §5.5: no CR, LF, NUL; the other controls go the same way. Response splitting has no
 * other door. */
TEST(test_no_control_byte_gets_out_in_a_value)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char value[] = {'a', (char)byte, 'b'};
        bool is_control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
        EXPECT_INT(is_refused(SPAN("X"), span_make(value, 3)), is_control);
    }
    EXPECT(is_refused(SPAN("Location"), SPAN("/a\r\nSet-Cookie: x=y")));
    EXPECT(is_refused(SPAN("Location"), SPAN("/a\nSet-Cookie: x=y")));
    EXPECT(is_refused(SPAN("X"), SPAN("\r\n")));
}

/* RFC 9110 §5.1: a name is a token. */
TEST(test_names_are_tokens)
{
    EXPECT(is_refused(SPAN(""), SPAN("a")));
    EXPECT(is_refused(SPAN("X Y"), SPAN("a")));
    EXPECT(is_refused(SPAN("X:"), SPAN("a")));
    EXPECT(is_refused(SPAN("X\r\nY"), SPAN("a")));
    EXPECT(is_refused(SPAN("X\0"), SPAN("a")));
    EXPECT(!is_refused(SPAN("X-Y_z!"), SPAN("a")));
}

TEST(test_values_lose_outer_white_space_and_may_be_empty)
{
    struct writing w;
    begin(&w, ROOM);
    h1_write_field(&w.writer, SPAN("A"), SPAN(" b c\t"));
    h1_write_field(&w.writer, SPAN("D"), SPAN(""));
    h1_write_field(&w.writer, SPAN("E"), SPAN_NONE);
    EXPECT_SPAN(written(&w), "A: b c\r\nD: \r\nE: \r\n");
}

TEST(test_a_head_that_does_not_fit_is_told_and_never_passes_the_end)
{
    struct writing full;
    begin(&full, ROOM);
    h1_write_status(&full.writer, 299);
    h1_write_field(&full.writer, SPAN("A"), SPAN("bc"));
    size_t len = h1_write_end(&full.writer);
    EXPECT(len > 0);
    for (size_t room = 0; room < len; room++) {
        struct writing w;
        begin(&w, room);
        h1_write_status(&w.writer, 299);
        h1_write_field(&w.writer, SPAN("A"), SPAN("bc"));
        EXPECT_INT(h1_write_end(&w.writer), 0);
        EXPECT_INT(w.writer.fault, H1_WRITE_NO_ROOM);
        EXPECT(w.out[room] == '#' && w.writer.len <= room);
    }
}

TEST(test_the_first_fault_is_kept)
{
    struct writing w;
    begin(&w, 40);
    h1_write_field(&w.writer, SPAN("A"), SPAN("\n"));
    h1_write_field(&w.writer, SPAN("B"), SPAN("0123456789012345678901234567890123456789"));
    EXPECT_INT(w.writer.fault, H1_WRITE_REFUSED);
    EXPECT_INT(h1_write_end(&w.writer), 0);
}

/* RFC 9110 §6.6.1, §5.6.7 */
TEST(test_the_date_line_is_made_once_a_second)
{
    struct h1_date_line date = {0};
    EXPECT_SPAN(h1_date_line_get(&date, 0), "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
    date.text[6] = '?';
    EXPECT(h1_date_line_get(&date, 0).ptr[6] == '?'); /* not made again */
    EXPECT_SPAN(h1_date_line_get(&date, 1), "Date: Thu, 01 Jan 1970 00:00:01 GMT\r\n");
    /* A wall clock that is set back shows. */
    EXPECT_SPAN(h1_date_line_get(&date, 0), "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
}

/* RFC 9110 §15.2.1, RFC 8297 */
TEST(test_interim_responses)
{
    EXPECT_SPAN(H1_CONTINUE, "HTTP/1.1 100 Continue\r\n\r\n");
    struct writing w;
    begin(&w, ROOM);
    h1_write_status(&w.writer, 103);
    h1_write_field(&w.writer, SPAN("Link"), SPAN("</s.css>; rel=preload"));
    EXPECT(h1_write_end(&w.writer) > 0);
    EXPECT_SPAN(written(&w), "HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n");
}
