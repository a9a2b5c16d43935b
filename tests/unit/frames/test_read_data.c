/* DATA that comes: RFC 9113 §6.1, §5.1 (who may send it), §5.2 and §6.9 (windows), §8.1.1 (Content-Length). */
#include "support_reader.h"

#include "test.h"

static const struct habits quiet = {.hides_fields = true};

/* A request without its end, and a reader for it. */
static void begin(struct reader *reader, const struct habits *habits, struct buf *bytes)
{
    buf_init(bytes, 0);
    EXPECT_INT(reader_open(reader, habits, true), 0);
    wire_get(bytes, 0, 1);
}

static void end(struct reader *reader, struct buf *bytes)
{
    buf_finish(bytes);
    reader_close(reader);
}

static void expect_post(const char *length, const struct buf *frames, const char *text)
{
    const char *const lines[] = {":method", "POST", ":scheme",        "http", ":authority", "a",
                                 ":path",   "/",    "content-length", length, NULL};
    struct buf bytes;
    char whole[500];
    buf_init(&bytes, 0);
    wire_headers(&bytes, 0, 1, lines);
    buf_append_span(&bytes, buf_span(frames));
    (void)snprintf(whole, sizeof whole, "head 1; request 1; %s", text);
    expect_read(&bytes, &quiet, whole);
    buf_finish(&bytes);
}

/* ---- content --------------------------------------------------------------------------------- */

TEST(test_content_is_told_in_pieces_and_frames)
{
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, 0, 1);
    WIRE_FRAME(&bytes, FRAMES_DATA, 0, 1, "first");
    WIRE_FRAME(&bytes, FRAMES_DATA, 0, 1, "");
    WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_PADDED, 1, "\3second\0\0\0");
    WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_PADDED, 1, "\3\0\0\0");
    WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_END_STREAM, 1, "last");
    expect_read(
        &bytes, &quiet,
        "head 1; request 1; data 1 first; data_ended 1 5; data_ended 1 0; data 1 second; "
        "data_ended 1 6; data_ended 1 0; data 1 last; data_ended 1 4 end; input_ended 1 |  | ");
    bytes.len = 0;
    wire_get(&bytes, 0, 1);
    WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_END_STREAM, 1, "");
    expect_read(&bytes, &quiet, "head 1; request 1; data_ended 1 0 end; input_ended 1 |  | ");
    buf_finish(&bytes);
}

TEST(test_streams_may_be_woven_into_each_other)
{
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, 0, 1);
    wire_get(&bytes, 0, 3);
    WIRE_FRAME(&bytes, FRAMES_DATA, 0, 1, "a");
    WIRE_FRAME(&bytes, FRAMES_DATA, 0, 3, "b");
    WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_END_STREAM, 1, "c");
    expect_read(
        &bytes, &quiet,
        "head 1; request 1; head 3; request 3; data 1 a; data_ended 1 1; data 3 b; data_ended "
        "3 1; data 1 c; data_ended 1 1 end; input_ended 1 |  | ");
    buf_finish(&bytes);
}

/* ---- §5.1 ------------------------------------------------------------------------------------ */

TEST(test_content_behind_the_end_is_an_error_of_the_stream)
{
    /* RFC 9113 §5.1: half-closed (remote) */
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, FRAMES_END_STREAM, 1);
    WIRE_FRAME(&bytes, FRAMES_DATA, 0, 1, "more");
    WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_END_STREAM, 1, "more");
    expect_read(&bytes, &quiet,
                "head 1; request 1 end; data_ended 0 4; data_ended 0 4 end |  | RST_STREAM 1 "
                "STREAM_CLOSED");
    buf_finish(&bytes);
}

/* §5.1: it is as wrong when the stream is closed, or was refused, and is counted each time. */
TEST(test_content_behind_the_end_of_a_stream_that_is_closed_is_refused)
{
    struct habits habits = {.refuses = FRAMES_REFUSED_STREAM, .hides_fields = true};
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, FRAMES_END_STREAM, 1);
    WIRE_FRAME(&bytes, FRAMES_DATA, 0, 1, "more");
    WIRE_FRAME(&bytes, FRAMES_DATA, 0, 1, "more");
    expect_read(&bytes, &habits,
                "head 1; request 1 end; data_ended 0 4; data_ended 0 4 |  | RST_STREAM 1 "
                "REFUSED_STREAM; RST_STREAM 1 STREAM_CLOSED; RST_STREAM 1 STREAM_CLOSED");
    buf_finish(&bytes);
}

/* … but only of the last head: of others it is not known whether they had ended. */
TEST(test_content_of_a_stream_that_is_closed_is_dropped)
{
    struct habits habits = {.refuses = FRAMES_REFUSED_STREAM, .hides_fields = true};
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, 0, 1);
    wire_get(&bytes, FRAMES_END_STREAM, 3);
    WIRE_FRAME(&bytes, FRAMES_DATA, 0, 1, "late");
    expect_read(&bytes, &habits,
                "head 1; request 1; head 3; request 3 end; data_ended 0 4 |  | RST_STREAM 1 "
                "REFUSED_STREAM; RST_STREAM 3 REFUSED_STREAM");
    buf_finish(&bytes);
}

TEST(test_content_of_a_stream_that_we_have_reset_is_dropped)
{
    struct habits habits = {.resets = "request", .hides_fields = true};
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, 0, 1);
    WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_END_STREAM, 1, "more");
    expect_read(&bytes, &habits, "head 1; request 1; data_ended 0 4 end |  | RST_STREAM 1 CANCEL");
    buf_finish(&bytes);
}

/* A stream that is given up within a frame: the object may be gone before the rest of it comes. */
TEST(test_a_stream_may_end_within_a_frame)
{
    for (unsigned is_closed = 0; is_closed < 2; is_closed++) {
        struct reader reader;
        struct buf bytes;
        buf_init(&bytes, 0);
        EXPECT_INT(reader_open(&reader, &quiet, true), 0);
        wire_get(&bytes, 0, 1);
        WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_PADDED | FRAMES_END_STREAM, 1, "\2content\0\0");
        size_t cut = bytes.len - 5;
        EXPECT_INT(frames_receive(&reader.session, bytes.data, cut), FRAMES_OK);
        EXPECT_INT(frames_reset(&reader.streams[0], FRAMES_CANCEL), 0);
        if (is_closed) {
            expect_said(&reader, "RST_STREAM 1 CANCEL");
        }
        EXPECT_INT(frames_receive(&reader.session, bytes.data + cut, 5), FRAMES_OK);
        expect_told(&reader, is_closed ? "head 1; request 1; data 1 cont; closed 1 CANCEL; "
                                         "data_ended 0 7 end"
                                       : "head 1; request 1; data 1 cont; data_ended 0 7 end");
        /* Each byte was given back once. */
        EXPECT_INT(reader.session.recv_window + (int64_t)reader.session.consumed,
                   FRAMES_FIRST_WINDOW);
        buf_finish(&bytes);
        reader_close(&reader);
    }
}

TEST(test_a_stream_is_closed_when_both_sides_have_ended)
{
    /* RFC 9113 §5.1 */
    struct habits habits = {.answers = true, .hides_fields = true};
    struct reader reader;
    struct buf bytes;
    begin(&reader, &habits, &bytes);
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    (void)reader_said(&reader);
    expect_told(&reader, "head 1; request 1");
    bytes.len = 0;
    WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_END_STREAM, 1, "x");
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    expect_told(&reader, "data 1 x; data_ended 1 1 end; input_ended 1; closed 1 NO_ERROR");
    end(&reader, &bytes);
}

TEST(test_an_owner_may_reset_the_stream_in_any_event_of_it)
{
    static const char *const trailer[] = {"x", "1", NULL};
    static const struct {
        const char *event;
        const char *told;
    } cases[] = {
        {"data", "data 1 ab; data_ended 0 2; data_ended 0 2"},
        {"data_ended", "data 1 ab; data_ended 1 2; data_ended 0 2"},
        {"trailer", "data 1 ab; data_ended 1 2; data 1 cd; data_ended 1 2; trailer 1"},
        {"input_ended", "data 1 ab; data_ended 1 2; data 1 cd; data_ended 1 2; trailer 1; "
                        "input_ended 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reader reader;
        struct habits habits = {.resets = cases[i].event, .hides_fields = true, .answers = true};
        struct buf bytes;
        buf_init(&bytes, 0);
        EXPECT_INT(reader_open(&reader, &habits, true), 0);
        wire_get(&bytes, 0, 1);
        EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
        (void)reader_said(&reader);
        (void)reader_told(&reader);
        bytes.len = 0;
        WIRE_FRAME(&bytes, FRAMES_DATA, 0, 1, "ab");
        WIRE_FRAME(&bytes, FRAMES_DATA, 0, 1, "cd");
        wire_headers(&bytes, FRAMES_END_STREAM, 1, trailer);
        EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
        expect_told(&reader, cases[i].told);
        expect_said(&reader, "RST_STREAM 1 CANCEL");
        expect_told(&reader, "closed 1 CANCEL");
        buf_finish(&bytes);
        reader_close(&reader);
    }
}

/* ---- §8.1.1 ---------------------------------------------------------------------------------- */

TEST(test_content_is_as_long_as_was_said)
{
    struct buf frames;
    buf_init(&frames, 0);
    WIRE_FRAME(&frames, FRAMES_DATA, 0, 1, "abc");
    WIRE_FRAME(&frames, FRAMES_DATA, FRAMES_PADDED | FRAMES_END_STREAM, 1, "\3de\0\0\0");
    expect_post("5", &frames,
                "data 1 abc; data_ended 1 3; data 1 de; data_ended 1 2 end; input_ended 1 |  | ");
    /* too little, told by the end; too much, told at once: of the frame that breaks it nothing is given */
    expect_post("6", &frames,
                "data 1 abc; data_ended 1 3; data_ended 0 2 end |  | RST_STREAM 1 PROTOCOL_ERROR");
    expect_post("4", &frames,
                "data 1 abc; data_ended 1 3; data_ended 0 2 end |  | RST_STREAM 1 PROTOCOL_ERROR");
    expect_post("2", &frames,
                "data_ended 0 3; data_ended 0 2 end |  | RST_STREAM 1 PROTOCOL_ERROR");
    expect_post("0", &frames,
                "data_ended 0 3; data_ended 0 2 end |  | RST_STREAM 1 PROTOCOL_ERROR");
    buf_finish(&frames);
}

/* RFC 9110 §9.3.6: of CONNECT a length means nothing; RFC 8441 §4: of the extended one it does. */
TEST(test_the_length_that_connect_says_is_not_that_of_its_content)
{
    static const char *const connect[] = {":method",        "CONNECT", ":authority", "a:1",
                                          "content-length", "5",       NULL};
    static const char *const extended[] = {
        ":method", "CONNECT", ":protocol",      "x", ":scheme", "http", ":authority", "a",
        ":path",   "/",       "content-length", "5", NULL};
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_headers(&bytes, 0, 1, connect);
    WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_END_STREAM, 1, "abc");
    expect_read(&bytes, &quiet,
                "head 1; request 1; data 1 abc; data_ended 1 3 end; input_ended 1 |  | ");
    bytes.len = 0;
    wire_headers(&bytes, 0, 1, extended);
    WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_END_STREAM, 1, "abc");
    expect_read(&bytes, &quiet,
                "head 1; request 1; data_ended 0 3 end |  | RST_STREAM 1 PROTOCOL_ERROR");
    buf_finish(&bytes);
}

TEST(test_content_before_a_trailer_is_as_long_as_was_said)
{
    static const char *const trailer[] = {"x", "1", NULL};
    struct buf frames;
    buf_init(&frames, 0);
    WIRE_FRAME(&frames, FRAMES_DATA, 0, 1, "abc");
    wire_headers(&frames, FRAMES_END_STREAM, 1, trailer);
    expect_post("3", &frames, "data 1 abc; data_ended 1 3; trailer 1; input_ended 1 |  | ");
    expect_post("4", &frames,
                "data 1 abc; data_ended 1 3; trailer 1; malformed 1 |  | RST_STREAM 1 "
                "PROTOCOL_ERROR");
    buf_finish(&frames);
}

/* ---- windows --------------------------------------------------------------------------------- */

static void add_data(struct buf *bytes, int32_t id, size_t len)
{
    static const char zeros[FRAMES_MAX_PAYLOAD];
    for (; len > 0; len -= len < sizeof zeros ? len : sizeof zeros) {
        wire_frame(bytes, FRAMES_DATA, 0, id, zeros, len < sizeof zeros ? len : sizeof zeros);
    }
}

TEST(test_more_than_the_window_is_an_error)
{
    /* RFC 9113 §6.9.1: the connection's, which comes first; and the stream's */
    struct habits habits = {.keeps_data = true, .hides_fields = true};
    struct buf bytes;
    buf_init(&bytes, 0);
    struct reader reader;
    for (unsigned more = 0; more < 2; more++) {
        EXPECT_INT(reader_open(&reader, &habits, true), 0);
        bytes.len = 0;
        wire_get(&bytes, 0, 1);
        add_data(&bytes, 1, FRAMES_FIRST_WINDOW + more);
        EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
        expect_said(&reader, more ? "GOAWAY 1 FLOW_CONTROL_ERROR" : "");
        reader_close(&reader);
    }
    buf_finish(&bytes);
}

TEST(test_padding_is_counted_and_given_back)
{
    /* RFC 9113 §6.9.1: the whole payload counts */
    struct habits habits = {.keeps_data = true, .hides_fields = true};
    struct reader reader;
    struct buf bytes;
    begin(&reader, &habits, &bytes);
    WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_PADDED, 1, "\3ab\0\0\0");
    EXPECT_INT(reader_feed(&reader, &bytes, 1), FRAMES_OK);
    EXPECT_INT(reader.session.recv_window, FRAMES_FIRST_WINDOW - 6);
    EXPECT_INT(reader.session.consumed, 4);
    EXPECT_INT(reader.streams[0].recv_window, FRAMES_FIRST_WINDOW - 6);
    EXPECT_INT(reader.streams[0].consumed, 4);
    end(&reader, &bytes);
}

/* Endless content for nobody: the connection's window goes on. */
TEST(test_content_that_nobody_takes_is_given_back_to_the_connection)
{
    struct habits habits = {.refuses = FRAMES_REFUSED_STREAM, .hides_fields = true};
    struct reader reader;
    struct buf bytes;
    begin(&reader, &habits, &bytes);
    for (int i = 0; i < 20; i++) {
        add_data(&bytes, 1, FRAMES_MAX_PAYLOAD);
        EXPECT_INT(reader_feed(&reader, &bytes, 1000), FRAMES_OK);
        EXPECT(!strstr(reader_said(&reader), "GOAWAY"));
        EXPECT_INT(reader.session.recv_window + (int64_t)reader.session.consumed,
                   FRAMES_FIRST_WINDOW);
        bytes.len = 0;
    }
    end(&reader, &bytes);
}
