/* How the test client reads answers: whole or not yet, the ways in which a body ends (RFC 9112 §6.3),
 * and what is no answer at all, which no server of ours would send. Pure. */
#include "test.h"

#include "server/test_client.h"

static struct test_reply reply;
static struct buf body;

static int read_one(const char *text, bool is_head, bool is_closed, bool was_reset)
{
    buf_init(&body, 0);
    int got = test_reply_read(&reply, &body, span_of(text), is_head, is_closed, was_reset);
    buf_append_char(&body, '\0');
    return got;
}

/* What is read of a connection that is open, or was closed in order, or reset. */
static void expect(const char *text, int open, int closed, int reset)
{
    EXPECT_INT(read_one(text, false, false, false), open);
    buf_finish(&body);
    EXPECT_INT(read_one(text, false, true, false), closed);
    buf_finish(&body);
    EXPECT_INT(read_one(text, false, true, true), reset);
    buf_finish(&body);
}

static void expect_body(const char *text, int status, const char *expected)
{
    EXPECT_INT(read_one(text, false, false, false), 1);
    EXPECT_INT(reply.status, status);
    EXPECT_TEXT(body.data, expected);
    buf_finish(&body);
}

TEST(test_an_answer_is_whole_when_its_body_has_ended)
{
    expect("", 0, GALLEY_ECLOSED, GALLEY_ECLOSED);
    expect("HTTP/1.1 200 OK\r\n", 0, GALLEY_ECLOSED, GALLEY_ECLOSED);
    expect("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx", 0, GALLEY_ECLOSED, GALLEY_ECLOSED);
    expect("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nxy", 1, 1, 1);
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", 0,
           GALLEY_ECLOSED, GALLEY_ECLOSED);
    expect("HTTP/1.1 204 No Content\r\n\r\n", 1, 1, 1);
    expect("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 1, 1, 1);
    /* Without a length the end of the connection is the end, unless it was cut. */
    expect("HTTP/1.1 200 OK\r\n\r\nxy", 0, 1, GALLEY_ECLOSED);
}

TEST(test_bodies_are_decoded)
{
    expect_body("HTTP/1.1 200 OK\r\ncontent-length:  2 \r\n\r\nxyz", 200, "xy");
    expect_body(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n", 200,
        "xyz");
    expect_body("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n"
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
                200, "x");
    expect_body("HTTP/1.1 101 Switching Protocols\r\nContent-Length: 1\r\n\r\nframes", 101,
                "frames");
    EXPECT_INT(read_one("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, false, false), 1);
    EXPECT_TEXT(body.data, ""); /* RFC 9110 §9.3.2 */
    buf_finish(&body);
}

TEST(test_what_is_not_http_is_eproto)
{
    static const char *const bad[] = {
        "HELLO\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnothing\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT_INT(read_one(bad[i], false, false, false), GALLEY_EPROTO);
        buf_finish(&body);
    }
}
