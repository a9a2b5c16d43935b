/* Header blocks: RFC 9113 §4.3 (one for the table, all of it decoded), §5.1 (streams that are not there), §6.10
 * (nothing between their frames), §6.8 (behind our GOAWAY), and what a cut leaves behind. */
#include "support_reader.h"

#include "test.h"

static const struct habits quiet = {.hides_fields = true};

static void add_block(struct buf *bytes, const struct buf *block, size_t first, size_t step)
{
    size_t at = first < block->len ? first : block->len;
    bool is_last = at == block->len;
    wire_frame(bytes, FRAMES_HEADERS,
               (uint8_t)(FRAMES_END_STREAM | (is_last ? FRAMES_END_HEADERS : 0)), 1, block->data,
               at);
    while (!is_last) {
        size_t n = step < block->len - at ? step : block->len - at;
        is_last = at + n == block->len;
        wire_frame(bytes, FRAMES_CONTINUATION, is_last ? FRAMES_END_HEADERS : 0, 1,
                   block->data + at, n);
        at += n;
    }
}

/* ---- CONTINUATION ---------------------------------------------------------------------------- */

TEST(test_blocks_may_be_cut_into_frames_anywhere)
{
    struct buf block;
    buf_init(&block, 0);
    wire_get_block(&block);
    for (size_t first = 0; first <= block.len; first++) {
        struct buf bytes;
        buf_init(&bytes, 0);
        add_block(&bytes, &block, first, first % 7 + 1);
        WIRE_FRAME(&bytes, FRAMES_PING, 0, 0, "12345678");
        expect_read(
            &bytes, NULL,
            "head 1; field 1 :method=GET; field 1 :scheme=http; field 1 :authority=a; field "
            "1 :path=/; request 1 end |  | PING ACK 12345678");
        buf_finish(&bytes);
    }
    buf_finish(&block);
}

TEST(test_the_last_frame_of_a_block_may_be_empty)
{
    struct buf block;
    struct buf bytes;
    buf_init(&block, 0);
    buf_init(&bytes, 0);
    wire_get_block(&block);
    wire_frame(&bytes, FRAMES_HEADERS, FRAMES_END_STREAM, 1, NULL, 0);
    wire_frame(&bytes, FRAMES_CONTINUATION, 0, 1, block.data, block.len);
    wire_frame(&bytes, FRAMES_CONTINUATION, 0, 1, NULL, 0);
    /* RFC 9113 §6.10: only END_HEADERS means something here */
    wire_frame(&bytes, FRAMES_CONTINUATION, 0xff, 1, NULL, 0);
    expect_read(&bytes, &quiet, "head 1; request 1 end |  | ");
    buf_finish(&block);
    buf_finish(&bytes);
}

TEST(test_nothing_comes_between_the_frames_of_a_block)
{
    /* RFC 9113 §6.10, §5.5 (not even what is unknown), §4.3 */
    static const struct {
        uint8_t type;
        int32_t id;
    } between[] = {
        {FRAMES_DATA, 1},
        {FRAMES_HEADERS, 1},
        {FRAMES_HEADERS, 3},
        {FRAMES_PRIORITY, 1},
        {FRAMES_RST_STREAM, 1},
        {FRAMES_SETTINGS, 0},
        {FRAMES_PING, 0},
        {FRAMES_GOAWAY, 0},
        {FRAMES_WINDOW_UPDATE, 0},
        {FRAMES_WINDOW_UPDATE, 1},
        {FRAMES_CONTINUATION, 3},
        {FRAMES_CONTINUATION, 0},
        {FRAMES_PRIORITY_UPDATE, 0},
        {0x42, 0},
        {0x42, 1},
    };
    for (size_t i = 0; i < sizeof between / sizeof *between; i++) {
        struct buf bytes;
        buf_init(&bytes, 0);
        WIRE_FRAME(&bytes, FRAMES_HEADERS, FRAMES_END_STREAM, 1, "\202");
        wire_frame(&bytes, between[i].type, 0, between[i].id, "\0\0\0\1\0\0\0\0", 8);
        expect_read(&bytes, &quiet, "head 1; failed PROTOCOL_ERROR |  | GOAWAY 1 PROTOCOL_ERROR");
        buf_finish(&bytes);
    }
}

/* ---- the decoder ----------------------------------------------------------------------------- */

static void expect_block_fails(const char *block, size_t len, const char *code)
{
    struct buf bytes;
    char text[100];
    buf_init(&bytes, 0);
    wire_frame(&bytes, FRAMES_HEADERS, FRAMES_END_HEADERS, 1, block, len);
    WIRE_FRAME(&bytes, FRAMES_PING, 0, 0, "12345678");
    (void)snprintf(text, sizeof text, "head 1; failed %s |  | GOAWAY 1 %s", code, code);
    expect_read(&bytes, &quiet, text);
    buf_finish(&bytes);
}

#define EXPECT_BLOCK_FAILS(literal, code) expect_block_fails(literal, sizeof(literal) - 1, (code))

TEST(test_a_block_that_cannot_be_decoded_ends_the_connection)
{
    /* RFC 9113 §4.3 */
    EXPECT_BLOCK_FAILS("\200", "COMPRESSION_ERROR"); /* index 0 */
    EXPECT_BLOCK_FAILS("\276", "COMPRESSION_ERROR"); /* 62, of an empty table */
    EXPECT_BLOCK_FAILS("\377\377\377\377\377\377\377", "COMPRESSION_ERROR");
    EXPECT_BLOCK_FAILS("\202\77\341\77", "COMPRESSION_ERROR"); /* a size behind a field */
    EXPECT_BLOCK_FAILS("\77\342\37", "COMPRESSION_ERROR");     /* 4097: more than we said */
    EXPECT_BLOCK_FAILS("\202\0", "COMPRESSION_ERROR");         /* ends within a field */
    EXPECT_BLOCK_FAILS("\202\0\1x", "COMPRESSION_ERROR");
    EXPECT_BLOCK_FAILS("\202\0\1x\3ab", "COMPRESSION_ERROR");
    EXPECT_BLOCK_FAILS("\202\0\1x\201\377", "COMPRESSION_ERROR"); /* Huffman: padding of 8 bits */
}

/* RFC 7541 §4.2: a size may change where any block begins. */
TEST(test_each_block_may_begin_with_a_size_of_the_table)
{
    struct buf block;
    struct buf bytes;
    buf_init(&block, 0);
    buf_init(&bytes, 0);
    for (int32_t id = 1; id < 6; id += 2) {
        buf_clear(&block);
        buf_append_char(&block, 0x20);
        wire_get_block(&block);
        wire_frame(&bytes, FRAMES_HEADERS, FRAMES_END_HEADERS, id, block.data, block.len);
    }
    expect_read(&bytes, &quiet, "head 1; request 1; head 3; request 3; head 5; request 5 |  | ");
    buf_finish(&block);
    buf_finish(&bytes);
}

TEST(test_a_field_must_end_with_its_block)
{
    /* RFC 9113 §4.3: also if the last frame is empty */
    struct buf bytes;
    buf_init(&bytes, 0);
    WIRE_FRAME(&bytes, FRAMES_HEADERS, 0, 1, "\202\0\1x\3ab");
    WIRE_FRAME(&bytes, FRAMES_CONTINUATION, FRAMES_END_HEADERS, 1, "");
    expect_read(&bytes, &quiet, "head 1; failed COMPRESSION_ERROR |  | GOAWAY 1 COMPRESSION_ERROR");
    buf_finish(&bytes);
}

TEST(test_a_long_field_may_be_cut_once)
{
    struct buf block;
    struct buf bytes;
    char value[1001];
    memset(value, 'v', 1000);
    value[1000] = '\0';
    buf_init(&block, 0);
    buf_init(&bytes, 0);
    wire_get_block(&block);
    wire_field(&block, "x", value);
    add_block(&bytes, &block, block.len - 900, 900);
    expect_read(&bytes, &quiet, "head 1; request 1 end |  | ");
    buf_finish(&block);
    buf_finish(&bytes);
}

TEST(test_strings_longer_than_we_take_end_the_connection)
{
    /* The length alone says so: the bytes need not come. */
    EXPECT_BLOCK_FAILS("\202\0\177\352\6", "ENHANCE_YOUR_CALM"); /* a name of 127 + 874 */
    EXPECT_BLOCK_FAILS("\202\0\1x\177\352\6", "ENHANCE_YOUR_CALM");
    struct buf bytes;
    char value[1001];
    memset(value, 'v', 1000);
    value[1000] = '\0';
    const char *const lines[] = {GET_LINES, "x", value, value, value, NULL};
    buf_init(&bytes, 0);
    wire_headers(&bytes, FRAMES_END_STREAM, 1, lines);
    expect_read(&bytes, &quiet, "head 1; request 1 end |  | ");
    buf_finish(&bytes);
}

/* What waits of a field that is cut is never more than the field can be, and is given back. */
TEST(test_what_waits_of_a_block_is_bounded_and_given_back)
{
    struct reader reader;
    struct buf bytes;
    char value[1001];
    memset(value, 'v', 1000);
    value[1000] = '\0';
    const char *const lines[] = {GET_LINES, "x", value, value, value, "y", value, NULL};
    buf_init(&bytes, 0);
    wire_headers(&bytes, FRAMES_END_STREAM, 1, lines);
    EXPECT_INT(reader_open(&reader, &quiet, true), 0);
    const struct buf *rest = &reader.session.block.rest;
    size_t most = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        EXPECT_INT(frames_receive(&reader.session, bytes.data + i, 1), FRAMES_OK);
        most = rest->len > most ? rest->len : most;
    }
    EXPECT(most > 2000 && most < 2010);
    EXPECT_INT(rest->capacity, 0);
    expect_told(&reader, "head 1; request 1 end");
    buf_finish(&bytes);
    reader_close(&reader);
}

TEST(test_a_whole_block_is_read_where_it_lies)
{
    struct reader reader;
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, FRAMES_END_STREAM, 1);
    EXPECT_INT(reader_open(&reader, &quiet, true), 0);
    EXPECT_INT(frames_receive(&reader.session, bytes.data, bytes.len - 1), FRAMES_OK);
    EXPECT(reader.session.block.rest.len > 0);
    EXPECT_INT(frames_receive(&reader.session, bytes.data + bytes.len - 1, 1), FRAMES_OK);
    EXPECT_INT(reader.session.block.rest.capacity, 0);
    expect_told(&reader, "head 1; request 1 end");
    buf_finish(&bytes);
    reader_close(&reader);
}

/* ---- what the owner decides ------------------------------------------------------------------ */

TEST(test_a_head_without_memory_resets_its_stream_and_the_table_goes_on)
{
    struct habits habits = {.has_no_memory = true};
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, 0, 1);
    WIRE_FRAME(&bytes, FRAMES_DATA, 0, 1, "x");
    expect_read(&bytes, &habits, "head 1; data_ended 0 1 |  | RST_STREAM 1 INTERNAL_ERROR");
    buf_finish(&bytes);
}

TEST(test_a_request_may_be_refused)
{
    struct habits habits = {.refuses = FRAMES_REFUSED_STREAM, .hides_fields = true};
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, 0, 1);
    WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_END_STREAM, 1, "body");
    wire_get(&bytes, 0, 3);
    WIRE_FRAME(&bytes, FRAMES_RST_STREAM, 0, 3, "\0\0\0\10");
    expect_read(&bytes, &habits,
                "head 1; request 1; data_ended 0 4 end; head 3; request 3 |  | RST_STREAM 1 "
                "REFUSED_STREAM; RST_STREAM 3 REFUSED_STREAM");
    buf_finish(&bytes);
}

static void expect_stopped(const char *event, const char *told)
{
    static const char *const trailer[] = {"x", "1", NULL};
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, 0, 1);
    WIRE_FRAME(&bytes, FRAMES_DATA, 0, 1, "x");
    wire_headers(&bytes, FRAMES_END_STREAM, 1, trailer);
    struct habits habits = {.stops = event, .hides_fields = true};
    char text[200];
    (void)snprintf(text, sizeof text, "%s | STOPPED | ", told);
    expect_read(&bytes, &habits, text);
    buf_finish(&bytes);
}

TEST(test_the_owner_may_stop_in_a_block)
{
    expect_stopped("field", "head 1");
    expect_stopped("request", "head 1; request 1");
    expect_stopped("data_ended", "head 1; request 1; data 1 x; data_ended 1 1");
}

/* ---- §5.1, §6.8: blocks of streams that are not there ------------------------------------------ */

TEST(test_a_second_head_behind_the_end_is_an_error_of_the_stream)
{
    /* RFC 9113 §5.1: half-closed (remote) */
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, FRAMES_END_STREAM, 1);
    wire_get(&bytes, FRAMES_END_STREAM, 1);
    wire_get(&bytes, FRAMES_END_STREAM, 3);
    expect_read(&bytes, &quiet,
                "head 1; request 1 end; head 3; request 3 end |  | RST_STREAM 1 STREAM_CLOSED");
    buf_finish(&bytes);
}

TEST(test_a_block_of_a_stream_that_we_have_reset_is_only_decoded)
{
    /* RFC 9113 §5.1: it may have been under way */
    static const char *const lines[] = {"X-malformed", "1", NULL};
    struct habits habits = {.resets = "request", .hides_fields = true};
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, 0, 1);
    wire_headers(&bytes, FRAMES_END_STREAM, 1, lines);
    expect_read(&bytes, &habits, "head 1; request 1 |  | RST_STREAM 1 CANCEL");
    buf_finish(&bytes);
}

TEST(test_a_trailer_whose_stream_ends_within_it_is_only_decoded)
{
    struct reader reader;
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, 0, 1);
    WIRE_FRAME(&bytes, FRAMES_HEADERS, FRAMES_END_STREAM, 1, "\0\1x\1y");
    EXPECT_INT(reader_open(&reader, NULL, true), 0);
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    (void)reader_told(&reader);
    EXPECT_INT(frames_reset(&reader.streams[0], FRAMES_CANCEL), 0);
    expect_said(&reader, "RST_STREAM 1 CANCEL"); /* its object is not there any more */
    expect_told(&reader, "closed 1 CANCEL");
    bytes.len = 0;
    WIRE_FRAME(&bytes, FRAMES_CONTINUATION, FRAMES_END_HEADERS, 1, "\0\1X\1y");
    wire_get(&bytes, FRAMES_END_STREAM, 3);
    reader.habits.hides_fields = true;
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    expect_told(&reader, "head 3; request 3 end");
    expect_said(&reader, "");
    buf_finish(&bytes);
    reader_close(&reader);
}

TEST(test_a_trailer_of_a_stream_that_its_owner_has_reset_is_not_judged)
{
    static const char *const lines[] = {"X-malformed", "1", NULL};
    struct habits habits = {.resets = "trailer", .hides_fields = true};
    struct buf bytes;
    buf_init(&bytes, 0);
    wire_get(&bytes, 0, 1);
    wire_headers(&bytes, FRAMES_END_STREAM, 1, lines);
    expect_read(&bytes, &habits, "head 1; request 1; trailer 1 |  | RST_STREAM 1 CANCEL");
    buf_finish(&bytes);
}

TEST(test_requests_behind_our_goaway_are_ignored)
{
    /* RFC 9113 §6.8: not refused, not answered; but windows and the table stay right */
    struct reader reader;
    struct buf bytes;
    buf_init(&bytes, 0);
    EXPECT_INT(reader_open(&reader, &quiet, true), 0);
    wire_get(&bytes, 0, 1);
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    EXPECT_INT(frames_goaway(&reader.session), 0);
    bytes.len = 0;
    wire_get(&bytes, 0, 3);
    WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_END_STREAM, 3, "body");
    WIRE_FRAME(&bytes, FRAMES_RST_STREAM, 0, 3, "\0\0\0\10");
    WIRE_FRAME(&bytes, FRAMES_DATA, FRAMES_END_STREAM, 1, "x");
    EXPECT_INT(reader_feed(&reader, &bytes, 0), FRAMES_OK);
    expect_told(&reader, "head 1; request 1; data_ended 0 4 end; data 1 x; data_ended 1 1 end; "
                         "input_ended 1");
    expect_said(&reader, "GOAWAY 1 NO_ERROR");
    buf_finish(&bytes);
    reader_close(&reader);
}

TEST(test_a_goaway_names_the_request_whose_block_is_under_way)
{
    struct reader reader;
    struct buf bytes;
    buf_init(&bytes, 0);
    EXPECT_INT(reader_open(&reader, &quiet, true), 0);
    wire_get(&bytes, FRAMES_END_STREAM, 1);
    EXPECT_INT(frames_receive(&reader.session, bytes.data, bytes.len - 1), FRAMES_OK);
    EXPECT_INT(frames_goaway(&reader.session), 0);
    expect_said(&reader, "GOAWAY 1 NO_ERROR");
    EXPECT(!frames_has_ended(&reader.session)); /* RFC 9113 §6.8: what was named is waited for */
    EXPECT_INT(frames_receive(&reader.session, bytes.data + bytes.len - 1, 1), FRAMES_OK);
    expect_told(&reader, "head 1; request 1 end");
    buf_finish(&bytes);
    reader_close(&reader);
}
