/* The text of a priority (RFC 9218 §4, RFC 8941 §3.2), and what is done with it (RFC 9218 §5, §7.1). */
#include "support_reader.h"

#include "base/alloc.h"
#include "frames/frames_receive.h"

#include "test.h"

/* urgency + 10 if incremental; -1: it cannot be read. Before, both were other than the defaults. */
static int parse(const char *text)
{
    uint8_t urgency = 6;
    bool is_incremental = true;
    char *copy = malloc(strlen(text) + 1); /* so that ASan sees who reads on */
    EXPECT(copy);
    memcpy(copy, text, strlen(text));
    bool is_read = frames_priority_parse(span_make(copy, strlen(text)), &urgency, &is_incremental);
    free(copy);
    EXPECT(is_read || (urgency == 6 && is_incremental));
    return is_read ? urgency + (is_incremental ? 10 : 0) : -1;
}

TEST(test_urgency_and_incremental_are_read)
{
    /* RFC 9218 §4.1, §4.2 */
    EXPECT_INT(parse("u=0, i=?0"), 0);
    EXPECT_INT(parse("u=7,i"), 17);
    EXPECT_INT(parse("i=?0,u=5"), 5);
    EXPECT_INT(parse("i"), 16);
    EXPECT_INT(parse("u=1"), 11);
    EXPECT_INT(parse(""), 16);
    EXPECT_INT(parse("   "), 16);
    EXPECT_INT(parse("  u=2\t , \t i=?0  "), 2);
    EXPECT_INT(parse("u=1;x;y=2, i=?0;z=\"a\""), 1);
}

TEST(test_what_is_out_of_range_or_of_another_type_is_the_default)
{
    /* RFC 9218 §4 */
    static const char *const urgencies[] = {
        "8", "-1", "1.0", "?1", "\"1\"", "one", "(1 2)", ":AQ==:", "999999999999999"};
    for (size_t i = 0; i < sizeof urgencies / sizeof *urgencies; i++) {
        char text[40];
        (void)snprintf(text, sizeof text, "u=%s", urgencies[i]);
        EXPECT_INT(parse(text), 13);
    }
    EXPECT_INT(parse("u"), 13);
    EXPECT_INT(parse("i=1"), 6);
    EXPECT_INT(parse("i=\"?1\""), 6);
    EXPECT_INT(parse("u=-0"), 10);
}

TEST(test_the_last_of_a_key_counts)
{
    /* RFC 8941 §4.2.2 */
    EXPECT_INT(parse("u=1, u=2"), 12);
    EXPECT_INT(parse("u=1, u=9"), 13);
    EXPECT_INT(parse("i, i=?0"), 6);
}

TEST(test_unknown_members_are_skipped)
{
    /* RFC 9218 §4 */
    static const char *const members[] = {
        "a",        "a=1",          "a=-1",   "a=1.5",       "a=123456789012.123",
        "*a_-.*=b", "a=*b:/c!#",    "a=\"\"", "a=\"b,u=0\"", "a=\"\\\"\\\\\"",
        "a=::",     "a=:aGk+/w==:", "a=?0",   "a=()",        "a=( 1  \"x\";p b;q=?1 )",
        "a;b;c=1",  "a=1; b=2;c=x", "a=1;b",  "uu=0",        "ii",
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        char text[80];
        (void)snprintf(text, sizeof text, "%s, u=2, i=?0", members[i]);
        EXPECT_INT(parse(text), 2);
        (void)snprintf(text, sizeof text, "u=2, i=?0, %s", members[i]);
        EXPECT_INT(parse(text), 2);
    }
}

/* RFC 8941 §4.2: parsing fails as a whole. */
static void expect_nothing(const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (parse(texts[i]) != -1) {
            test_fail(__FILE__, __LINE__, "taken: %s", texts[i]);
        }
    }
}

TEST(test_what_is_no_dictionary_is_nothing)
{
    static const char *const texts[] = {
        "u=1,",
        "u=1,,i",
        ",u=1",
        "u=1 i",
        "u=",
        "u=1;",
        "u=1;=2",
        "u=1;A",
        "U=1",
        "=1",
        "1",
        "u==1",
        "u= 1",
        "u =1",
        "u=1.",
        "u=1.1234",
        "u=.5",
        "u=-",
        "u=--1",
        "u=1234567890123456",
        "u=99999999999999999999999999",
        "\tu=1",
        "u=1;\tb",
        "u=1\n",
        "@",
        "u=1, @",
        "u=1,\v i",
    };
    expect_nothing(texts, sizeof texts / sizeof *texts);
}

TEST(test_values_that_are_no_items_are_nothing)
{
    static const char *const texts[] = {
        "a=1234567890123.1",
        "a=\"",
        "a=\"\\x\"",
        "a=\"\1\"",
        "a=\"\177\"",
        "a=\"\303\274\"",
        "a=:",
        "a=:a",
        "a=:a b:",
        "a=?",
        "a=?2",
        "a=?1x",
        "a=(",
        "a=(1",
        "a=(1 2",
        "a=(1,2)",
        "a=(1(2))",
        "a=((1))",
        "a=(1\t2)",
        "a=1;b=",
        "a=1;b=(1)",
        "a=\"\\",
        "a=\303",
    };
    expect_nothing(texts, sizeof texts / sizeof *texts);
}

TEST(test_any_bytes_are_read_within_their_bounds)
{
    static const char chars[] = "ui=?01;:\",()*aA. \t\\-9\377";
    for (unsigned round = 0; round < test_rounds(20000); round++) {
        char text[24];
        size_t len = (size_t)test_random_below(sizeof text);
        for (size_t i = 0; i < len; i++) {
            text[i] = chars[test_random_below(sizeof chars - 1)];
        }
        text[len < sizeof text ? len : sizeof text - 1] = '\0';
        int got = parse(text);
        EXPECT(got >= -1 && got < 20 && got % 10 < FRAMES_URGENCIES);
    }
}

/* ---- requests and PRIORITY_UPDATE ------------------------------------------------------------ */

static struct frames_stream stream_after(const struct buf *bytes)
{
    struct habits habits = {.hides_fields = true};
    struct reader reader;
    EXPECT_INT(reader_open(&reader, &habits, true), 0);
    EXPECT_INT(reader_feed(&reader, bytes, 1), FRAMES_OK);
    EXPECT_INT(reader.count, 1);
    expect_told(&reader, "head 1; request 1 end");
    struct frames_stream stream = reader.streams[0];
    reader_close(&reader);
    return stream;
}

static void expect_priority(const struct buf *bytes, unsigned urgency, bool is_incremental)
{
    struct frames_stream stream = stream_after(bytes);
    EXPECT_INT(stream.urgency, urgency);
    EXPECT_INT(stream.is_incremental, is_incremental);
}

TEST(test_requests_say_their_priority)
{
    /* RFC 9218 §5: also in several lines; what cannot be read is as if it had not come */
    static const struct {
        const char *lines[14];
        unsigned urgency;
        bool is_incremental;
    } cases[] = {
        {{GET_LINES, NULL}, 3, false},
        {{GET_LINES, "priority", "u=1, i", NULL}, 1, true},
        {{GET_LINES, "priority", "u=1", "priority", "i", NULL}, 1, true},
        {{GET_LINES, "priority", "u=1", "priority", "?", NULL}, 1, false},
        {{GET_LINES, "priority", "u=9", NULL}, 3, false},
        {{GET_LINES, "prioritx", "u=1", NULL}, 3, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf bytes;
        buf_init(&bytes, 0);
        wire_headers(&bytes, FRAMES_END_STREAM, 1, cases[i].lines);
        expect_priority(&bytes, cases[i].urgency, cases[i].is_incremental);
        buf_finish(&bytes);
    }
}

static void add_update(struct buf *bytes, int32_t id, const char *text)
{
    char payload[FRAMES_SMALL_BYTES + 10] = {0, 0, (char)(id >> 8), (char)id};
    memcpy(payload + 4, text, strlen(text));
    wire_frame(bytes, FRAMES_PRIORITY_UPDATE, 0, 0, payload, 4 + strlen(text));
}

TEST(test_priority_updates_say_all_of_a_priority)
{
    /* RFC 9218 §7: what they do not say is the default */
    static const char *const lines[] = {GET_LINES, "priority", "u=1, i", NULL};
    static const struct {
        const char *text;
        unsigned urgency;
        bool is_incremental;
    } cases[] = {
        {"u=5", 5, false},      {"i", 3, true},    {"", 3, false},
        {"u=0, i=?1", 0, true}, {"u=5,", 1, true}, /* not read: as before */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf bytes;
        buf_init(&bytes, 0);
        wire_headers(&bytes, FRAMES_END_STREAM, 1, lines);
        add_update(&bytes, 1, cases[i].text);
        expect_priority(&bytes, cases[i].urgency, cases[i].is_incremental);
        buf_finish(&bytes);
    }
}

TEST(test_priority_updates_that_are_too_long_or_cannot_be_read_are_ignored)
{
    static const char *const lines[] = {GET_LINES, "priority", "u=1, i", NULL};
    struct buf bytes;
    buf_init(&bytes, 0);
    add_update(&bytes, 1, "u=7,"); /* also ahead of its stream */
    wire_headers(&bytes, FRAMES_END_STREAM, 1, lines);
    char text[FRAMES_SMALL_BYTES - 4 + 2];
    memset(text, ' ', sizeof text);
    memcpy(text, "u=5", 3);
    text[sizeof text - 1] = '\0';
    add_update(&bytes, 1, text); /* one byte more than is looked at: a cut one may be another */
    expect_priority(&bytes, 1, true);
    buf_finish(&bytes);
}

TEST(test_priority_updates_as_long_as_we_read_are_read)
{
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, FRAMES_END_STREAM, 1);
    char text[FRAMES_SMALL_BYTES - 4 + 1];
    memset(text, ' ', sizeof text);
    memcpy(text + sizeof text - 4, "u=5", 4);
    add_update(&bytes, 1, text);
    expect_priority(&bytes, 5, false);
    buf_finish(&bytes);
}

/* ---- ahead of their streams ------------------------------------------------------------------ */

static void expect_stream(const struct frames_stream *stream, int32_t id, unsigned urgency,
                          bool is_incremental)
{
    EXPECT_INT(stream->id, id);
    EXPECT_INT(stream->urgency, urgency);
    EXPECT_INT(stream->is_incremental, is_incremental);
}

TEST(test_a_priority_update_ahead_of_its_stream_is_kept_for_it)
{
    /* RFC 9218 §7.1: the last one, and over what the request says */
    static const char *const lines[] = {GET_LINES, "priority", "u=1, i", NULL};
    static const size_t pieces[] = {0, 1, 7};
    struct buf bytes;
    buf_init(&bytes, 0);
    add_update(&bytes, 9, "u=6");
    add_update(&bytes, 3, "u=7, i");
    add_update(&bytes, 5, "u=2");
    add_update(&bytes, 3, "u=4");
    add_update(&bytes, 7, "");
    for (int32_t id = 3; id < 13; id += 2) { /* 1 is skipped */
        wire_headers(&bytes, FRAMES_END_STREAM, id, lines);
    }
    for (size_t i = 0; i < 3; i++) {
        struct reader reader;
        EXPECT_INT(reader_open(&reader, NULL, true), GALLEY_OK);
        EXPECT_INT(reader_feed(&reader, &bytes, pieces[i]), FRAMES_OK);
        expect_stream(&reader.streams[0], 3, 4, false);
        expect_stream(&reader.streams[1], 5, 2, false);
        expect_stream(&reader.streams[2], 7, 3, false);
        expect_stream(&reader.streams[3], 9, 6, false);
        expect_stream(&reader.streams[4], 11, 1, true);
        EXPECT(!reader.session.early); /* nothing is held for what has come */
        reader_close(&reader);
    }
    buf_finish(&bytes);
}

TEST(test_what_was_kept_is_dropped_when_its_id_is_passed)
{
    /* RFC 9113 §5.1.1 */
    struct reader reader;
    struct buf bytes;
    buf_init(&bytes, 0);
    EXPECT_INT(reader_open(&reader, NULL, true), GALLEY_OK);
    add_update(&bytes, 1, "u=0");
    add_update(&bytes, 3, "u=0");
    add_update(&bytes, 7, "u=0");
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    EXPECT_INT(reader.session.early->count, 3);
    buf_clear(&bytes);
    WIRE_FRAME(&bytes, FRAMES_HEADERS, FRAMES_END_HEADERS, 5,
               ""); /* also by one that is no request */
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    EXPECT_INT(reader.session.early->count, 1);
    buf_clear(&bytes);
    add_update(&bytes, 3, "u=0"); /* can never come */
    wire_get(&bytes, FRAMES_END_STREAM, 9);
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    EXPECT(!reader.session.early);
    expect_stream(&reader.streams[0], 9, 3, false);
    buf_finish(&bytes);
    reader_close(&reader);
}

static enum frames_result feed_updates(struct reader *reader, int32_t from, unsigned count)
{
    struct buf bytes;
    buf_init(&bytes, 0);
    for (unsigned i = 0; i < count; i++) {
        add_update(&bytes, from + 2 * (int32_t)i, "u=1");
    }
    enum frames_result result = reader_feed(reader, &bytes, 0);
    buf_finish(&bytes);
    return result;
}

TEST(test_priorities_ahead_of_more_streams_than_may_be_end_the_connection)
{
    /* RFC 9218 §7.1: with those that are open */
    struct reader reader;
    struct buf bytes;
    buf_init(&bytes, 0);
    EXPECT_INT(reader_open(&reader, NULL, true), GALLEY_OK);
    WIRE_FRAME(&bytes, FRAMES_SETTINGS, FRAMES_ACK, 0, "");
    wire_get(&bytes, FRAMES_END_STREAM, 1);
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    EXPECT_INT(feed_updates(&reader, 3, 99), FRAMES_OK);
    EXPECT_INT(feed_updates(&reader, 3, 99), FRAMES_OK); /* again, of the same */
    (void)reader_told(&reader);
    expect_said(&reader, "");
    EXPECT_INT(feed_updates(&reader, 1001, 1), FRAMES_OK);
    expect_told(&reader, "failed PROTOCOL_ERROR");
    expect_said(&reader, "GOAWAY 1 PROTOCOL_ERROR");
    buf_finish(&bytes);
    reader_close(&reader);
}

TEST(test_so_many_priorities_are_kept_and_no_more)
{
    /* RFC 9113 §6.5.3: a client that has not acknowledged our SETTINGS cannot know how many there may be. */
    struct reader reader;
    struct buf bytes;
    buf_init(&bytes, 0);
    EXPECT_INT(reader_open(&reader, NULL, true), GALLEY_OK);
    EXPECT_INT(feed_updates(&reader, 1, 1000), FRAMES_OK);
    EXPECT_INT(reader.session.early->count, FRAMES_MOST_EARLY);
    wire_get(&bytes, FRAMES_END_STREAM, 2 * FRAMES_MOST_EARLY - 1);
    wire_get(&bytes, FRAMES_END_STREAM, 2 * FRAMES_MOST_EARLY + 1);
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    expect_stream(&reader.streams[0], 2 * FRAMES_MOST_EARLY - 1, 1, false);
    expect_stream(&reader.streams[1], 2 * FRAMES_MOST_EARLY + 1, 3, false);
    EXPECT(!reader.session.early);
    buf_finish(&bytes);
    reader_close(&reader);
}

TEST(test_a_priority_for_which_there_is_no_memory_is_forgotten)
{
    struct reader reader;
    EXPECT_INT(reader_open(&reader, NULL, true), GALLEY_OK);
    mem_fail_nth(1);
    EXPECT_INT(frames_early_keep(&reader.session, (struct frames_early){1, 1, false}), FRAMES_OK);
    EXPECT(mem_fail_happened());
    mem_fail_nth(0);
    EXPECT(!reader.session.early);
    reader_close(&reader);
}

TEST(test_priority_updates_of_pushed_streams_end_the_connection)
{
    /* RFC 9218 §7.1 */
    EXPECT_FRAME(FRAMES_PRIORITY_UPDATE, 0, 0, "\0\0\0\2u=1",
                 "failed PROTOCOL_ERROR |  | GOAWAY 0 PROTOCOL_ERROR");
}

TEST(test_priorities_of_rfc_7540_are_ignored)
{
    /* RFC 9113 §5.3.2: of idle, open and closed streams, and of a stream that depends on itself */
    EXPECT_FRAME(FRAMES_PRIORITY, 0, 7, "\0\0\0\7\1", " |  | ");
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, FRAMES_END_STREAM, 1);
    WIRE_FRAME(&bytes, FRAMES_PRIORITY, 0, 1, "\0\0\0\1\377");
    expect_priority(&bytes, 3, false);
    buf_finish(&bytes);
}
