/* Frames that come: RFC 9113 §3.4 (the preface), §4 (heads, sizes), §5.1 (states and ids), §5.4, §5.5 and §6
 * (each type). What a block means is in test_judge.c and test_block.c, DATA in test_read_data.c. */
#include "support_reader.h"

#include "test.h"

#define FAILED(code)   "failed " code " |  | GOAWAY 0 " code
#define FAILED_1(code) "failed " code " |  | GOAWAY 1 " code
#define NOTHING        " |  | "

/* Frame `type` on stream 1, whose request has come and has not ended. */
static void expect_on_open(uint8_t type, uint8_t flags, const void *payload, size_t len,
                           const char *text)
{
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, 0, 1);
    wire_frame(&bytes, type, flags, 1, payload, len);
    char whole[300];
    (void)snprintf(whole, sizeof whole, "head 1; request 1%s", text);
    struct habits habits = {.hides_fields = true};
    expect_read(&bytes, &habits, whole);
    buf_finish(&bytes);
}

#define EXPECT_ON_OPEN(type, flags, literal, text)                                                 \
    expect_on_open((type), (flags), "" literal, sizeof(literal) - 1, (text))

/* ---- the preface ----------------------------------------------------------------------------- */

static void expect_begin(const struct buf *bytes, enum frames_result result, const char *told)
{
    for (size_t piece = 0; piece < 30; piece++) {
        struct reader reader;
        EXPECT_INT(reader_open(&reader, NULL, false), 0);
        EXPECT_INT(reader_feed(&reader, bytes, piece), result);
        expect_told(&reader, told);
        /* Behind a failure nothing is read. */
        if (result != FRAMES_OK) {
            EXPECT_INT(reader_feed(&reader, bytes, piece), FRAMES_OK);
            expect_told(&reader, "");
        }
        reader_close(&reader);
    }
}

TEST(test_a_connection_begins_with_the_preface_and_settings)
{
    /* RFC 9113 §3.4 */
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_begin(&bytes);
    expect_begin(&bytes, FRAMES_OK, "settings");
    buf_finish(&bytes);
}

TEST(test_another_preface_is_not_http2)
{
    /* RFC 9113 §3.4: each of its bytes */
    struct buf bytes;
    buf_init(&bytes, 0);
    for (size_t at = 0; at < 24; at++) {
        buf_clear(&bytes);
        wire_begin(&bytes);
        bytes.data[at] ^= 0x20;
        expect_begin(&bytes, FRAMES_NOT_HTTP2, "");
    }
    buf_clear(&bytes);
    buf_append_text(&bytes, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_begin(&bytes, FRAMES_NOT_HTTP2, "");
    buf_finish(&bytes);
}

TEST(test_something_else_than_settings_behind_the_preface_is_not_http2)
{
    /* RFC 9113 §3.4 */
    static const struct {
        uint8_t type;
        uint8_t flags;
    } firsts[] = {{FRAMES_DATA, 0},
                  {FRAMES_HEADERS, 4},
                  {FRAMES_PING, 0},
                  {FRAMES_GOAWAY, 0},
                  {FRAMES_WINDOW_UPDATE, 0},
                  {0x42, 0},
                  {FRAMES_SETTINGS, FRAMES_ACK}};
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        struct buf bytes;
        buf_init(&bytes, 0);
        wire_begin(&bytes);
        bytes.len = 24;
        wire_frame(&bytes, firsts[i].type, firsts[i].flags, 0, "12345678", 8);
        expect_begin(&bytes, FRAMES_NOT_HTTP2, "");
        buf_finish(&bytes);
    }
}

TEST(test_settings_that_are_wrong_behind_the_preface_are_an_error)
{
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_begin(&bytes);
    bytes.len = 24;
    WIRE_FRAME(&bytes, FRAMES_SETTINGS, 0, 0, "\0\2\0\0\0\2");
    expect_begin(&bytes, FRAMES_OK, "failed PROTOCOL_ERROR");
    buf_finish(&bytes);
}

/* ---- §4: heads ------------------------------------------------------------------------------- */

TEST(test_frames_are_told_before_they_are_judged)
{
    struct habits habits = {.tells_frames = true, .hides_fields = true};
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, FRAMES_END_STREAM, 1);
    WIRE_FRAME(&bytes, FRAMES_PING, 0, 0, "12345678");
    WIRE_FRAME(&bytes, FRAMES_WINDOW_UPDATE, 0, 1, "\0\0\0\1");
    WIRE_FRAME(&bytes, 0x77, 0xff, 1, "unknown");
    WIRE_FRAME(&bytes, FRAMES_PING, 0, 0, "1234567");
    expect_read(
        &bytes, &habits,
        "frame 1 5 1; head 1; request 1 end; frame 6 0 0; frame 8 0 1 open; frame 119 255 1 "
        "open; frame 6 0 0; failed FRAME_SIZE_ERROR |  | PING ACK 12345678; GOAWAY 1 "
        "FRAME_SIZE_ERROR");
    buf_finish(&bytes);
}

TEST(test_the_owner_may_stop_at_any_frame)
{
    struct habits habits = {.stops = "frame"};
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, FRAMES_END_STREAM, 1);
    struct reader reader;
    EXPECT_INT(reader_open(&reader, NULL, true), 0);
    reader.habits = habits;
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_STOPPED);
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK); /* dropped */
    expect_told(&reader, "");
    reader_close(&reader);
    buf_finish(&bytes);
}

TEST(test_a_frame_is_not_longer_than_we_have_said)
{
    /* RFC 9113 §4.2: whatever its type */
    static const uint8_t types[] = {0, 1, 2, 3, 4, 6, 7, 8, 16, 0x42};
    for (size_t i = 0; i < sizeof types; i++) {
        struct buf bytes;
        buf_init(&bytes, 0);
        wire_head(&bytes, FRAMES_MAX_PAYLOAD + 1, types[i], 0, 0);
        expect_read(&bytes, NULL, FAILED("FRAME_SIZE_ERROR"));
        bytes.len = 0;
        wire_head(&bytes, 0xffffff, types[i], 0, 1);
        expect_read(&bytes, NULL, FAILED("FRAME_SIZE_ERROR"));
        buf_finish(&bytes);
    }
}

TEST(test_a_frame_of_the_full_size_is_taken)
{
    /* RFC 9113 §4.2 */
    static const char zeros[FRAMES_MAX_PAYLOAD];
    expect_frame(0x42, 0, 0, zeros, sizeof zeros, NOTHING);
}

TEST(test_the_reserved_bit_of_an_id_is_ignored)
{
    /* RFC 9113 §4.1 */
    EXPECT_FRAME(FRAMES_PING, 0, INT32_MIN, "12345678", " |  | PING ACK 12345678");
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, FRAMES_END_STREAM, INT32_MIN | 1);
    struct habits habits = {.hides_fields = true};
    expect_read(&bytes, &habits, "head 1; request 1 end |  | ");
    buf_finish(&bytes);
}

TEST(test_flags_that_are_not_defined_are_ignored)
{
    /* RFC 9113 §4.1 */
    EXPECT_FRAME(FRAMES_PING, 0xfe, 0, "12345678", " |  | PING ACK 12345678");
    EXPECT_FRAME(FRAMES_GOAWAY, 0xff, 0, "12345678", NOTHING);
    EXPECT_ON_OPEN(FRAMES_WINDOW_UPDATE, 0xff, "\0\0\0\1", NOTHING);
    EXPECT_ON_OPEN(FRAMES_RST_STREAM, 0xff, "\0\0\0\10", "; closed 1 CANCEL" NOTHING);
    EXPECT_ON_OPEN(FRAMES_DATA, 0xf6, "x", "; data 1 x; data_ended 1 1" NOTHING);
}

TEST(test_frames_of_unknown_types_are_ignored)
{
    /* RFC 9113 §4.1, §5.5: also on streams that are idle */
    static const uint8_t types[] = {0x0a, 0x0b, 0x0c, 0x0f, 0x11, 0x2a, 0x77, 0xff};
    for (size_t i = 0; i < sizeof types; i++) {
        EXPECT_FRAME(types[i], 0xff, 0, "anything", NOTHING);
        EXPECT_FRAME(types[i], 0xff, 2, "", NOTHING);
        EXPECT_FRAME(types[i], 0, FRAMES_MAX_ID, "anything", NOTHING);
    }
}

/* ---- §6: where frames may come, and how long they are ----------------------------------------- */

struct wrong {
    uint8_t type;
    uint8_t flags;
    int32_t id;
    uint8_t len;
    const char *code;
};

TEST(test_frames_on_wrong_streams_or_of_wrong_lengths_end_the_connection)
{
    static const struct wrong cases[] = {
        /* RFC 9113 §6.1, §5.1 (idle; even ones are the server's, §5.1.1) */
        {FRAMES_DATA, 0, 0, 1, "PROTOCOL_ERROR"},
        {FRAMES_DATA, 0, 1, 1, "PROTOCOL_ERROR"},
        {FRAMES_DATA, 0, 2, 1, "PROTOCOL_ERROR"},
        /* §6.2, §5.1.1 */
        {FRAMES_HEADERS, FRAMES_END_HEADERS, 0, 0, "PROTOCOL_ERROR"},
        {FRAMES_HEADERS, FRAMES_END_HEADERS, 2, 0, "PROTOCOL_ERROR"},
        /* §4.2: what the flags say is there is not */
        {FRAMES_HEADERS, FRAMES_PADDED, 1, 0, "FRAME_SIZE_ERROR"},
        {FRAMES_HEADERS, FRAMES_HAS_PRIORITY, 1, 4, "FRAME_SIZE_ERROR"},
        {FRAMES_HEADERS, FRAMES_HAS_PRIORITY | FRAMES_PADDED, 1, 5, "FRAME_SIZE_ERROR"},
        /* §6.3 */
        {FRAMES_PRIORITY, 0, 0, 5, "PROTOCOL_ERROR"},
        {FRAMES_PRIORITY, 0, 1, 4, "FRAME_SIZE_ERROR"},
        {FRAMES_PRIORITY, 0, 1, 6, "FRAME_SIZE_ERROR"},
        {FRAMES_PRIORITY, 0, 1, 0, "FRAME_SIZE_ERROR"},
        /* §6.4 */
        {FRAMES_RST_STREAM, 0, 0, 4, "PROTOCOL_ERROR"},
        {FRAMES_RST_STREAM, 0, 1, 4, "PROTOCOL_ERROR"},
        {FRAMES_RST_STREAM, 0, 2, 4, "PROTOCOL_ERROR"},
        /* §6.6, §8.4 */
        {FRAMES_PUSH_PROMISE, FRAMES_END_HEADERS, 1, 4, "PROTOCOL_ERROR"},
        {FRAMES_PUSH_PROMISE, FRAMES_END_HEADERS, 0, 0, "PROTOCOL_ERROR"},
        /* §6.7 */
        {FRAMES_PING, 0, 1, 8, "PROTOCOL_ERROR"},
        {FRAMES_PING, 0, 0, 7, "FRAME_SIZE_ERROR"},
        {FRAMES_PING, 0, 0, 9, "FRAME_SIZE_ERROR"},
        {FRAMES_PING, FRAMES_ACK, 0, 0, "FRAME_SIZE_ERROR"},
        /* §6.8 */
        {FRAMES_GOAWAY, 0, 1, 8, "PROTOCOL_ERROR"},
        {FRAMES_GOAWAY, 0, 0, 7, "FRAME_SIZE_ERROR"},
        {FRAMES_GOAWAY, 0, 0, 0, "FRAME_SIZE_ERROR"},
        /* §6.9, §5.1 */
        {FRAMES_WINDOW_UPDATE, 0, 1, 4, "PROTOCOL_ERROR"},
        {FRAMES_WINDOW_UPDATE, 0, 2, 4, "PROTOCOL_ERROR"},
        {FRAMES_WINDOW_UPDATE, 0, 0, 3, "FRAME_SIZE_ERROR"},
        {FRAMES_WINDOW_UPDATE, 0, 0, 5, "FRAME_SIZE_ERROR"},
        /* … and an increment of 0: the payload here is zeros */
        {FRAMES_WINDOW_UPDATE, 0, 0, 4, "PROTOCOL_ERROR"},
        /* §6.10 */
        {FRAMES_CONTINUATION, FRAMES_END_HEADERS, 1, 1, "PROTOCOL_ERROR"},
        {FRAMES_CONTINUATION, FRAMES_END_HEADERS, 0, 1, "PROTOCOL_ERROR"},
        /* RFC 9218 §7.1: on another stream, too short, of no stream */
        {FRAMES_PRIORITY_UPDATE, 0, 1, 8, "PROTOCOL_ERROR"},
        {FRAMES_PRIORITY_UPDATE, 0, 0, 3, "FRAME_SIZE_ERROR"},
        {FRAMES_PRIORITY_UPDATE, 0, 0, 4, "PROTOCOL_ERROR"},
    };
    static const char zeros[16];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct wrong *wrong = &cases[i];
        char text[100];
        (void)snprintf(text, sizeof text, FAILED("%s"), wrong->code, wrong->code);
        expect_frame(wrong->type, wrong->flags, wrong->id, zeros, wrong->len, text);
    }
}

TEST(test_frames_of_wrong_lengths_on_open_streams_end_stream_or_connection)
{
    /* RFC 9113 §6.4, §6.9: the connection's */
    EXPECT_ON_OPEN(FRAMES_RST_STREAM, 0, "\0\0\10", "; " FAILED_1("FRAME_SIZE_ERROR"));
    EXPECT_ON_OPEN(FRAMES_RST_STREAM, 0, "\0\0\0\0\10", "; " FAILED_1("FRAME_SIZE_ERROR"));
    EXPECT_ON_OPEN(FRAMES_WINDOW_UPDATE, 0, "\0\0\1", "; " FAILED_1("FRAME_SIZE_ERROR"));
    /* §6.3: the stream's */
    EXPECT_ON_OPEN(FRAMES_PRIORITY, 0, "\0\0\0\0", " |  | RST_STREAM 1 FRAME_SIZE_ERROR");
    EXPECT_ON_OPEN(FRAMES_PRIORITY, 0, "", " |  | RST_STREAM 1 FRAME_SIZE_ERROR");
}

/* ---- padding (§6.1, §6.2) -------------------------------------------------------------------- */

TEST(test_padding_is_shorter_than_its_frame)
{
    EXPECT_ON_OPEN(FRAMES_DATA, FRAMES_PADDED, "\0", "; data_ended 1 0" NOTHING);
    EXPECT_ON_OPEN(FRAMES_DATA, FRAMES_PADDED, "\2x\0\0", "; data 1 x; data_ended 1 1" NOTHING);
    EXPECT_ON_OPEN(FRAMES_DATA, FRAMES_PADDED, "\3\0\0\0", "; data_ended 1 0" NOTHING);
    EXPECT_ON_OPEN(FRAMES_DATA, FRAMES_PADDED, "\4\0\0\0", "; " FAILED_1("PROTOCOL_ERROR"));
    EXPECT_ON_OPEN(FRAMES_DATA, FRAMES_PADDED, "\377\0\0\0", "; " FAILED_1("PROTOCOL_ERROR"));
    EXPECT_ON_OPEN(FRAMES_DATA, FRAMES_PADDED, "\1", "; " FAILED_1("PROTOCOL_ERROR"));
    EXPECT_ON_OPEN(FRAMES_DATA, FRAMES_PADDED, "", "; " FAILED_1("FRAME_SIZE_ERROR"));
    EXPECT_FRAME(FRAMES_HEADERS, FRAMES_PADDED | FRAMES_END_HEADERS, 1, "\1",
                 FAILED("PROTOCOL_ERROR"));
    EXPECT_FRAME(FRAMES_HEADERS, FRAMES_PADDED | FRAMES_END_HEADERS | FRAMES_HAS_PRIORITY, 1,
                 "\2\0\0\0\0\0\0", FAILED("PROTOCOL_ERROR"));
}

/* Every length of padding that fits, with and without the priority of RFC 7540. */
TEST(test_headers_may_be_padded_and_prioritized)
{
    for (unsigned padding = 0; padding < 256; padding += 51) {
        for (unsigned is_prioritized = 0; is_prioritized < 2; is_prioritized++) {
            struct buf payload;
            struct buf bytes;
            buf_init(&payload, 0);
            buf_init(&bytes, 0);
            buf_append_char(&payload, (char)padding);
            buf_append(&payload, "\200\0\0\3\377", is_prioritized ? 5 : 0);
            wire_get_block(&payload);
            for (unsigned i = 0; i < padding; i++) {
                buf_append_char(&payload, 0);
            }
            uint8_t flags = FRAMES_END_HEADERS | FRAMES_PADDED | FRAMES_END_STREAM;
            wire_frame(&bytes, FRAMES_HEADERS,
                       (uint8_t)(flags | (is_prioritized ? FRAMES_HAS_PRIORITY : 0)), 1,
                       payload.data, payload.len);
            WIRE_FRAME(&bytes, FRAMES_PING, 0, 0, "12345678");
            struct habits habits = {.hides_fields = true};
            expect_read(&bytes, &habits, "head 1; request 1 end |  | PING ACK 12345678");
            buf_finish(&payload);
            buf_finish(&bytes);
        }
    }
}

/* ---- PING, GOAWAY, RST_STREAM, WINDOW_UPDATE --------------------------------------------------- */

TEST(test_pings_are_answered)
{
    /* RFC 9113 §6.7 */
    EXPECT_FRAME(FRAMES_PING, 0, 0, "abcdefgh", " |  | PING ACK abcdefgh");
    EXPECT_FRAME(FRAMES_PING, FRAMES_ACK, 0, "abcdefgh", "ping_answered abcdefgh |  | ");
}

/* CVE-2019-9512 */
TEST(test_pings_whose_answers_are_not_read_are_a_flood)
{
    struct buf bytes;
    buf_init(&bytes, 0);
    struct reader reader;
    EXPECT_INT(reader_open(&reader, NULL, true), 0);
    for (int i = 0; i < FRAMES_MAX_WAITING_ACKS; i++) {
        WIRE_FRAME(&bytes, FRAMES_PING, 0, 0, "12345678");
    }
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    (void)reader_said(&reader); /* they are read */
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    bytes.len = FRAMES_HEAD_BYTES + 8;
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_FLOODED);
    buf_finish(&bytes);
    reader_close(&reader);
}

TEST(test_goaway_of_the_client_ends_the_connection_with_its_streams)
{
    /* RFC 9113 §6.8; debug data is skipped */
    struct buf bytes;
    struct reader reader;
    buf_init(&bytes, 0);
    EXPECT_INT(reader_open(&reader, NULL, true), 0);
    wire_get(&bytes, FRAMES_END_STREAM, 1);
    WIRE_FRAME(&bytes, FRAMES_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\2 some words");
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    EXPECT(!frames_has_ended(&reader.session));
    bytes.len = 0;
    WIRE_FRAME(&bytes, FRAMES_RST_STREAM, 0, 1, "\0\0\0\10");
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    EXPECT(frames_has_ended(&reader.session));
    buf_finish(&bytes);
    reader_close(&reader);
}

TEST(test_a_stream_is_closed_by_rst_stream)
{
    /* RFC 9113 §5.1, §6.4: and what comes for it then is ignored */
    static const char *const trailer[] = {"x", "y", NULL};
    EXPECT_ON_OPEN(FRAMES_RST_STREAM, 0, "\0\0\0\2", "; closed 1 INTERNAL_ERROR" NOTHING);
    EXPECT_ON_OPEN(FRAMES_RST_STREAM, 0, "\0\0\0\0", "; closed 1 NO_ERROR" NOTHING);
    EXPECT_ON_OPEN(FRAMES_RST_STREAM, 0, "\377\377\377\377", "; closed 1 ?" NOTHING);
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, 0, 1);
    WIRE_FRAME(&bytes, FRAMES_RST_STREAM, 0, 1, "\0\0\0\10");
    WIRE_FRAME(&bytes, FRAMES_RST_STREAM, 0, 1, "\0\0\0\10");
    WIRE_FRAME(&bytes, FRAMES_WINDOW_UPDATE, 0, 1, "\0\0\0\1");
    WIRE_FRAME(&bytes, FRAMES_PRIORITY, 0, 1, "\0\0\0\0\0");
    WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_END_STREAM, 1, "late");
    wire_headers(&bytes, FRAMES_END_STREAM, 1, trailer);
    WIRE_FRAME(&bytes, FRAMES_PING, 0, 0, "12345678");
    struct habits habits = {.hides_fields = true};
    expect_read(&bytes, &habits,
                "head 1; request 1; closed 1 CANCEL; data_ended 0 4 end |  | PING ACK 12345678");
    buf_finish(&bytes);
}

/* RFC 9113 §5.1, §6.9: what no late frame is, but a broken rule, is an error of the closed stream, too. */
TEST(test_rules_broken_on_a_closed_stream_are_answered)
{
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, FRAMES_END_STREAM, 1);
    WIRE_FRAME(&bytes, FRAMES_RST_STREAM, 0, 1, "\0\0\0\10");
    WIRE_FRAME(&bytes, FRAMES_WINDOW_UPDATE, 0, 1, "\0\0\0\0");
    WIRE_FRAME(&bytes, FRAMES_DATA, 0, 1, "more");
    struct habits habits = {.hides_fields = true};
    expect_read(&bytes, &habits,
                "head 1; request 1 end; closed 1 CANCEL; data_ended 0 4 |  | RST_STREAM 1 "
                "PROTOCOL_ERROR; RST_STREAM 1 STREAM_CLOSED");
    buf_finish(&bytes);
}

TEST(test_windows_are_widened_within_bounds)
{
    /* RFC 9113 §6.9, §6.9.1 */
    EXPECT_FRAME(FRAMES_WINDOW_UPDATE, 0, 0, "\0\0\0\1", NOTHING);
    EXPECT_FRAME(FRAMES_WINDOW_UPDATE, 0, 0, "\200\0\0\1", NOTHING); /* a bit is reserved */
    EXPECT_FRAME(FRAMES_WINDOW_UPDATE, 0, 0, "\200\0\0\0", FAILED("PROTOCOL_ERROR"));
    EXPECT_FRAME(FRAMES_WINDOW_UPDATE, 0, 0, "\177\377\0\0", NOTHING);
    EXPECT_FRAME(FRAMES_WINDOW_UPDATE, 0, 0, "\177\377\0\1", FAILED("FLOW_CONTROL_ERROR"));
    EXPECT_ON_OPEN(FRAMES_WINDOW_UPDATE, 0, "\177\377\0\0", NOTHING);
    EXPECT_ON_OPEN(FRAMES_WINDOW_UPDATE, 0, "\177\377\0\1",
                   " |  | RST_STREAM 1 FLOW_CONTROL_ERROR");
    EXPECT_ON_OPEN(FRAMES_WINDOW_UPDATE, 0, "\0\0\0\0", " |  | RST_STREAM 1 PROTOCOL_ERROR");
}

/* ---- ids (§5.1.1) ---------------------------------------------------------------------------- */

TEST(test_ids_grow_and_lower_ones_are_closed)
{
    struct habits habits = {.hides_fields = true};
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, FRAMES_END_STREAM, 5);
    wire_get(&bytes, FRAMES_END_STREAM, FRAMES_MAX_ID);
    expect_read(&bytes, &habits,
                "head 5; request 5 end; head 2147483647; request 2147483647 end |  | ");
    bytes.len = 0;
    wire_get(&bytes, FRAMES_END_STREAM, 5);
    WIRE_FRAME(&bytes, FRAMES_RST_STREAM, 0, 7, "\0\0\0\10");
    expect_read(&bytes, &habits,
                "head 5; request 5 end; failed PROTOCOL_ERROR |  | GOAWAY 5 PROTOCOL_ERROR");
    buf_finish(&bytes);
}

/* A frame on stream 3, behind the request 5: `text` is what follows on the event of that. */
static void expect_lower(uint8_t type, uint8_t flags, const char *payload, size_t len,
                         const char *text)
{
    struct habits habits = {.hides_fields = true};
    struct buf bytes;
    char all[200];
    buf_init(&bytes, 0);
    wire_get(&bytes, 0, 5);
    wire_frame(&bytes, type, flags, 3, payload, len);
    (void)snprintf(all, sizeof all, "head 5; request 5%s", text);
    expect_read(&bytes, &habits, all);
    buf_finish(&bytes);
}

#define EXPECT_LOWER(type, flags, literal, text)                                                   \
    expect_lower((type), (flags), literal, sizeof(literal) - 1, (text))

/* RFC 9113 §5.1.1: ids that were passed over are closed, and §5.1 says what may come then: what nobody can
 * tell from a late frame is looked at as far as it must be, and dropped. */
TEST(test_frames_on_ids_that_were_passed_over)
{
    static const char failed[] = "; failed PROTOCOL_ERROR |  | GOAWAY 5 PROTOCOL_ERROR";
    EXPECT_LOWER(FRAMES_DATA, 0, "late", "; data_ended 0 4 |  | ");
    EXPECT_LOWER(FRAMES_DATA, FRAMES_END_STREAM, "late", "; data_ended 0 4 end |  | ");
    EXPECT_LOWER(FRAMES_HEADERS, FRAMES_END_HEADERS | FRAMES_END_STREAM, "\0\1x\1y", NOTHING);
    EXPECT_LOWER(FRAMES_PRIORITY, 0, "\0\0\0\0\0", NOTHING);
    EXPECT_LOWER(FRAMES_RST_STREAM, 0, "\0\0\0\10", NOTHING);
    EXPECT_LOWER(FRAMES_SETTINGS, 0, "", failed);
    EXPECT_LOWER(FRAMES_PUSH_PROMISE, FRAMES_END_HEADERS, "\0\0\0\2", failed);
    EXPECT_LOWER(FRAMES_PING, 0, "12345678", failed);
    EXPECT_LOWER(FRAMES_GOAWAY, 0, "\0\0\0\0\0\0\0\0", failed);
    EXPECT_LOWER(FRAMES_WINDOW_UPDATE, 0, "\0\0\0\1", NOTHING);
    EXPECT_LOWER(FRAMES_WINDOW_UPDATE, 0, "\0\0\0\0", " |  | RST_STREAM 3 PROTOCOL_ERROR");
    EXPECT_LOWER(FRAMES_CONTINUATION, FRAMES_END_HEADERS, "\202", failed);
    EXPECT_LOWER(0x42, 0, "unknown", NOTHING);
}

/* §5.1.1: ids only grow; of one that was used, too. Trailers may be late, requests cannot. */
TEST(test_a_request_on_a_lower_id_ends_the_connection)
{
    for (int32_t id = 1; id < 5; id += 2) {
        struct habits habits = {.hides_fields = true};
        struct buf bytes;
        buf_init(&bytes, 0);
        wire_get(&bytes, FRAMES_END_STREAM, 1);
        WIRE_FRAME(&bytes, FRAMES_RST_STREAM, 0, 1, "\0\0\0\10");
        wire_get(&bytes, FRAMES_END_STREAM, 5);
        wire_get(&bytes, FRAMES_END_STREAM, id);
        WIRE_FRAME(&bytes, FRAMES_PING, 0, 0, "12345678");
        expect_read(&bytes, &habits,
                    "head 1; request 1 end; closed 1 CANCEL; head 5; request 5 end; "
                    "failed PROTOCOL_ERROR |  | GOAWAY 5 PROTOCOL_ERROR");
        buf_finish(&bytes);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

TEST(test_behind_an_error_nothing_is_read)
{
    /* RFC 9113 §5.4.1 */
    struct buf bytes;
    buf_init(&bytes, 0);
    WIRE_FRAME(&bytes, FRAMES_PING, 0, 1, "12345678");
    WIRE_FRAME(&bytes, FRAMES_PING, 0, 0, "12345678");
    wire_get(&bytes, FRAMES_END_STREAM, 1);
    WIRE_FRAME(&bytes, FRAMES_PING, 0, 1, "12345678");
    expect_read(&bytes, NULL, FAILED("PROTOCOL_ERROR"));
    buf_finish(&bytes);
}

/* In whatever event the owner ends the connection, nothing follows. */
TEST(test_an_owner_may_end_the_connection_in_any_event)
{
    static const struct {
        const char *event;
        const char *told;
    } cases[] = {
        {"frame", ""},
        {"head", "head 1"},
        {"field", "head 1; field 1 :method=GET"},
        {"request", "head 1; field 1 :method=GET; field 1 :scheme=http; field 1 :authority=a; "
                    "field 1 :path=/; request 1"},
    };
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, 0, 1);
    WIRE_FRAME(&bytes, FRAMES_DATA, 0, 1, "x");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 0; piece < 3; piece++) {
            struct reader reader;
            EXPECT_INT(reader_open(&reader, NULL, true), 0);
            reader.habits.ends = cases[i].event;
            EXPECT_INT(reader_feed(&reader, &bytes, piece), FRAMES_OK);
            expect_told(&reader, cases[i].told);
            EXPECT(strstr(reader_said(&reader), "ENHANCE_YOUR_CALM"));
            EXPECT(frames_has_ended(&reader.session));
            reader_close(&reader);
        }
    }
    buf_finish(&bytes);
}
