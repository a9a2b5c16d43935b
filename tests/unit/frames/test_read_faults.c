/* Memory that runs out while a client is read, and bytes that no client would send: nothing is left behind,
 * nothing is read beyond its end (pieces are blocks of their own size), and however the same bytes are cut
 * the same happens. */
#include "support_reader.h"

#include "base/alloc.h"

#include "test.h"

static const struct habits quiet = {.hides_fields = true};

/* A bit of everything that a client may send. */
static void add_all(struct buf *bytes)
{
    static const char *const trailer[] = {"x", "1", NULL};
    static const char *const malformed[] = {GET_LINES, "te", "gzip", NULL};
    static const char *const post[] = {
        ":method", "POST",     ":scheme", "http",           ":authority", "a", ":path",
        "/",       "priority", "u=2, i",  "content-length", "5",          NULL};
    wire_get(bytes, FRAMES_END_STREAM, 1);
    WIRE_FRAME(bytes, FRAMES_SETTINGS, 0, 0, "\0\4\0\0\377\0\0\1\0\0\0\0");
    WIRE_FRAME(bytes, FRAMES_SETTINGS, FRAMES_ACK, 0, "");
    wire_headers(bytes, 0, 3, post);
    WIRE_FRAME(bytes, FRAMES_DATA, FRAMES_PADDED, 3, "\1abc\0");
    WIRE_FRAME(bytes, FRAMES_PING, 0, 0, "12345678");
    WIRE_FRAME(bytes, FRAMES_DATA, FRAMES_END_STREAM, 3, "de");
    /* by Huffman code, indexed, cut in two (RFC 7541 §C.4.1) */
    WIRE_FRAME(bytes, FRAMES_HEADERS, 0, 5, "\202\206\204\101\214\361\343\302\345");
    WIRE_FRAME(bytes, FRAMES_CONTINUATION, FRAMES_END_HEADERS, 5,
               "\362\072\153\240\253\220\364\377");
    WIRE_FRAME(bytes, FRAMES_DATA, 0, 5, "content");
    wire_headers(bytes, FRAMES_END_STREAM, 5, trailer);
    WIRE_FRAME(bytes, FRAMES_PRIORITY_UPDATE, 0, 0, "\0\0\0\5u=1, i=?1");
    WIRE_FRAME(bytes, FRAMES_PRIORITY, 0, 7, "\0\0\0\0\20");
    wire_headers(bytes, FRAMES_END_STREAM, 7, malformed);
    wire_get(bytes, 0, 9);
    WIRE_FRAME(bytes, FRAMES_WINDOW_UPDATE, 0, 9, "\0\0\1\0");
    WIRE_FRAME(bytes, FRAMES_WINDOW_UPDATE, 0, 0, "\0\0\1\0");
    WIRE_FRAME(bytes, FRAMES_RST_STREAM, 0, 9, "\0\0\0\10");
    WIRE_FRAME(bytes, 0x42, 1, 11, "unknown");
    WIRE_FRAME(bytes, FRAMES_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0bye");
}

TEST(test_a_bit_of_everything_means_the_same_however_it_is_cut)
{
    struct buf bytes;
    buf_init(&bytes, 0);
    add_all(&bytes);
    expect_read(
        &bytes, &quiet,
        "head 1; request 1 end; settings; head 3; request 3; data 3 abc; data_ended 3 3; data 3 "
        "de; data_ended 3 2 end; input_ended 3; head 5; request 5; data 5 content; data_ended 5 "
        "7; trailer 5; input_ended 5; head 7; malformed 7; head 9; request 9; closed 9 CANCEL "
        "|  | SETTINGS ACK; PING ACK 12345678; RST_STREAM 7 PROTOCOL_ERROR");
    buf_finish(&bytes);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void run(const struct buf *bytes, size_t piece, uint64_t fails)
{
    struct reader reader;
    mem_fail_nth(fails);
    if (reader_open(&reader, &quiet, true) != GALLEY_OK) {
        EXPECT(mem_fail_happened());
        return;
    }
    enum frames_result result = reader_feed(&reader, bytes, piece);
    (void)reader_said(&reader);
    EXPECT(result == FRAMES_OK || (result == FRAMES_NO_MEMORY && mem_fail_happened()));
    reader_close(&reader);
}

TEST(test_memory_that_runs_out_anywhere_leaves_nothing_behind)
{
    static const size_t pieces[] = {0, 1, 10};
    struct buf bytes;
    buf_init(&bytes, 0);
    add_all(&bytes);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        bool happened = true;
        for (uint64_t n = 1; happened; n++) {
            run(&bytes, pieces[i], n);
            happened = mem_fail_happened();
            EXPECT(n < 1000);
        }
        mem_fail_nth(0);
    }
    buf_finish(&bytes);
}

/* ---- any bytes ------------------------------------------------------------------------------- */

enum { TEXT_BYTES = 2 * READER_LOG_BYTES };

static void outcome(const struct buf *bytes, size_t piece, char *ret)
{
    struct reader reader;
    EXPECT_INT(reader_open(&reader, &quiet, true), GALLEY_OK);
    int result = (int)reader_feed(&reader, bytes, piece);
    const char *told = reader_told(&reader);
    (void)snprintf(ret, TEXT_BYTES, "%s | %d | %s", told, result, reader_said(&reader));
    reader_close(&reader);
}

static void expect_same(const struct buf *bytes)
{
    static char whole[TEXT_BYTES];
    static char cut[TEXT_BYTES];
    outcome(bytes, 0, whole);
    outcome(bytes, 1, cut);
    EXPECT_TEXT(cut, whole);
    outcome(bytes, 2 + (size_t)test_random_below(50), cut);
    EXPECT_TEXT(cut, whole);
}

TEST(test_bytes_that_are_changed_mean_the_same_however_they_are_cut)
{
    struct buf good;
    buf_init(&good, 0);
    add_all(&good);
    for (unsigned round = 0; round < test_rounds(2000); round++) {
        struct buf bytes;
        buf_init(&bytes, 0);
        buf_append_span(&bytes, buf_span(&good));
        for (uint64_t i = 0; i <= round % 4; i++) {
            bytes.data[test_random_below(bytes.len)] = (char)test_random();
        }
        expect_same(&bytes);
        buf_finish(&bytes);
    }
    buf_finish(&good);
}

/* Frames of any type, flags and length, mostly within what is allowed. */
TEST(test_frames_of_any_kind_mean_the_same_however_they_are_cut)
{
    for (unsigned round = 0; round < test_rounds(1000); round++) {
        struct buf bytes;
        buf_init(&bytes, 0);
        for (unsigned i = 0; i < 12; i++) {
            char payload[40];
            size_t len = (size_t)test_random_below(sizeof payload);
            for (size_t at = 0; at < len; at++) {
                payload[at] = (char)test_random_below(at < 4 ? 8 : 256);
            }
            if (test_random_below(3) == 0) {
                wire_get(&bytes, (uint8_t)test_random_below(2), (int32_t)(2 * i + 1));
            }
            wire_frame(&bytes, (uint8_t)test_random_below(18), (uint8_t)test_random(),
                       (int32_t)test_random_below(8), payload, len);
        }
        expect_same(&bytes);
        buf_finish(&bytes);
    }
}
