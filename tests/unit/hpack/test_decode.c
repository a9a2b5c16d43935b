/* tests/unit/hpack/test_decode.c — what a field says besides its strings, cuts, stops, and the
 * table of names that are evicted by their own entry. */
#include "base/alloc.h"
#include "hpack/hpack.h"
#include "hpack/hpack_judge.h"
#include "support_hpack.h"

#include "test.h"

static void add_string(struct buf *out, struct span text)
{
    EXPECT(text.len < 127);
    buf_append_char(out, (char)text.len);
    buf_append_span(out, text);
}

static void expect_judged(struct span name, struct span value, bool good_name, bool good_value)
{
    struct support_reader *reader = support_reader_start(4096);
    struct buf block;
    buf_init(&block, 0);
    for (unsigned i = 0; i < 2; i++) {
        buf_append_char(&block, i ? 0x00 : 0x40);
        add_string(&block, name);
        add_string(&block, value);
        EXPECT_INT(support_read(reader, block.data, block.len), HPACK_OK);
        EXPECT_INT(reader->last.has_good_name, good_name);
        EXPECT_INT(reader->last.has_good_value, good_value);
        buf_clear(&block);
    }
    /* the entry has kept it; the name of another field is judged by it, too */
    EXPECT_INT(support_read_hex(reader, "be"), HPACK_OK);
    EXPECT_INT(reader->last.has_good_name, good_name);
    EXPECT_INT(reader->last.has_good_value, good_value);
    EXPECT_INT(support_read_hex(reader, "7e 00"), HPACK_OK);
    EXPECT_INT(reader->last.has_good_name, good_name);
    EXPECT_INT(reader->last.has_good_value, true);
    buf_finish(&block);
    support_reader_end(reader);
}

/* RFC 9113 §8.2.1: no upper case, no controls, no blanks, a colon only at the beginning */
TEST(test_every_byte_of_a_name_is_judged)
{
    static const char others[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
    for (unsigned c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        bool is_good = c != 0 && memchr(others, (int)c, sizeof others - 1) != NULL;
        EXPECT_INT(hpack_is_good_name(span_make(text, 3)), is_good);
        EXPECT_INT(hpack_is_good_name(span_make(text + 1, 1)), is_good);
    }
    EXPECT(hpack_is_good_name(SPAN(":path")));
    EXPECT(!hpack_is_good_name(SPAN("")));
    EXPECT(!hpack_is_good_name(SPAN(":")));
    EXPECT(!hpack_is_good_name(SPAN("::path")));
    EXPECT(!hpack_is_good_name(SPAN(":Path")));
    EXPECT(!hpack_is_good_name(SPAN("pa:th")));
}

/* RFC 9113 §8.2.1, RFC 9110 §5.5; at every place, because eight bytes are looked at together */
TEST(test_every_byte_of_a_value_is_judged)
{
    for (unsigned c = 0; c < 256; c++) {
        for (size_t at = 1; at < 23; at++) {
            char text[24];
            memset(text, at % 2 ? 'v' : (char)0xff, sizeof text);
            text[at] = (char)c;
            bool is_good = c == '\t' || (c >= 0x20 && c != 0x7f);
            EXPECT_INT(hpack_is_good_value(span_make(text, sizeof text)), is_good);
        }
    }
    EXPECT(hpack_is_good_value(SPAN("")));
    EXPECT(hpack_is_good_value(SPAN("a b")));
    EXPECT(!hpack_is_good_value(SPAN(" ")));
    EXPECT(!hpack_is_good_value(SPAN("\ta")));
    EXPECT(!hpack_is_good_value(SPAN("a ")));
}

TEST(test_the_judgement_is_kept_with_the_entry)
{
    expect_judged(SPAN("name"), SPAN("value"), true, true);
    expect_judged(SPAN("Name"), SPAN("value"), false, true);
    expect_judged(SPAN("name"), SPAN("val\nue"), true, false);
    expect_judged(SPAN(""), SPAN(" "), false, false);
}

TEST(test_a_name_of_the_static_table_is_known_however_it_came)
{
    struct support_reader *reader = support_reader_start(4096);
    EXPECT_INT(support_read_hex(reader, "83"), HPACK_OK); /* :method POST */
    EXPECT_INT(reader->last.name_index, 2);
    EXPECT_INT(support_read_hex(reader, "00 0464617465 0178"), HPACK_OK); /* "date" as text */
    EXPECT_INT(reader->last.name_index, 33);
    EXPECT_INT(support_read_hex(reader, "40 0464617465 0178"), HPACK_OK);
    EXPECT_INT(support_read_hex(reader, "be"), HPACK_OK);
    EXPECT_INT(reader->last.name_index, 33);
    EXPECT_INT(support_read_hex(reader, "7e 0179"), HPACK_OK);
    EXPECT_INT(reader->last.name_index, 33);
    EXPECT_INT(support_read_hex(reader, "43 0179"), HPACK_OK); /* row 3 has the name of row 2 */
    EXPECT_INT(reader->last.name_index, 2);
    EXPECT_INT(support_read_hex(reader, "40 0178 0179"), HPACK_OK);
    EXPECT_INT(reader->last.name_index, 0);
    EXPECT_INT(support_read_hex(reader, "be"), HPACK_OK);
    EXPECT_INT(reader->last.name_index, 0);
    support_reader_end(reader);
}

/* RFC 7541 §6.2.3; a name of a table does not make it go away */
TEST(test_a_field_that_is_never_indexed_is_told)
{
    struct support_reader *reader = support_reader_start(4096);
    EXPECT_INT(support_read_hex(reader, "10 0161 0162  1f08 0163  00 0164 0165  0f08 0166"),
               HPACK_OK);
    EXPECT_TEXT(reader->text, "!a: b\n!authorization: c\nd: e\nauthorization: f\n");
    EXPECT_INT(reader->decoder.table.count, 0);
    support_reader_end(reader);
}

static const char block_hex[] =
    "203fe11f 82 86 84 41 8cf1e3c2e5f23a6ba0ab90f4ff be 4088 25a849e95ba97d7f"
    "8925a849e95bb8e8b4bf bf 1f08 05 7365637265 0f0d 0131";

TEST(test_a_block_cut_at_every_byte_is_the_same)
{
    uint8_t bytes[256];
    size_t len = support_hex(block_hex, bytes);
    struct support_reader *reader = support_reader_start(4096);
    EXPECT_INT(support_read(reader, bytes, len), HPACK_OK);
    char expected[1024];
    EXPECT(reader->text_len < sizeof expected);
    memcpy(expected, reader->text, reader->text_len + 1);
    EXPECT_INT(reader->fields, 9);
    uint32_t table_bytes = reader->decoder.table.bytes;
    support_reader_end(reader);
    for (size_t cut = 0; cut <= len; cut++) {
        reader = support_reader_start(4096);
        EXPECT_INT(support_read_cut(reader, bytes, len, cut), HPACK_OK);
        EXPECT_TEXT(reader->text, expected);
        EXPECT_INT(reader->decoder.table.bytes, table_bytes);
        support_reader_end(reader);
    }
}

TEST(test_a_size_update_is_refused_behind_a_cut_too)
{
    struct support_reader *reader = support_reader_start(4096);
    EXPECT_INT(support_read_cut(reader, "\x82\x20", 2, 1), HPACK_MALFORMED);
    EXPECT_INT(support_read_cut(reader, "\x20\x20", 2, 1), HPACK_OK);
    support_reader_end(reader);
}

/* … and what was consumed ends behind the field; the table has it, so that the block can go on. */
TEST(test_a_callback_can_stop_the_work)
{
    struct support_reader *reader = support_reader_start(4096);
    reader->stop_at = 2;
    EXPECT_INT(support_read_hex(reader, "82 4001610162 87"), HPACK_STOPPED);
    EXPECT_TEXT(reader->text, ":method: GET\na: b\n");
    reader->stop_at = 0;
    EXPECT_INT(support_read_hex(reader, "be"), HPACK_OK);
    EXPECT_TEXT(reader->text, "a: b\n");
    support_reader_end(reader);
}

/* RFC 7541 §4.4: "A new entry can reference the name of an entry in the dynamic table that will
 * be evicted when adding this new entry" — with text that stays where it is, and with text that
 * is moved. */
TEST(test_a_name_outlives_the_entry_that_it_evicts)
{
    struct support_reader *reader = support_reader_start(100);
    for (unsigned i = 0; i < 200; i++) {
        char value[41];
        char expected[64];
        memset(value, 'A' + (int)(i % 26), 40);
        value[40] = '\0';
        struct buf block;
        buf_init(&block, 0);
        if (i == 0) {
            buf_append_char(&block, 0x40);
            add_string(&block, SPAN("x-the-name"));
        } else {
            buf_append_char(&block, 0x7e);
        }
        add_string(&block, span_of(value));
        buf_append_char(&block, (char)0xbe);
        EXPECT_INT(support_read(reader, block.data, block.len), HPACK_OK);
        snprintf(expected, sizeof expected, "x-the-name: %s\n", value);
        EXPECT_INT(reader->text_len, 2 * strlen(expected));
        EXPECT(strncmp(reader->text, expected, strlen(expected)) == 0);
        EXPECT_TEXT(reader->text + strlen(expected), expected);
        EXPECT_INT(reader->decoder.table.count, 1);
        buf_finish(&block);
    }
    support_reader_end(reader);
}

/* RFC 7541 §4.4: it is no error, the table is empty */
TEST(test_a_field_larger_than_the_table_empties_it)
{
    struct support_reader *reader = support_reader_start(64);
    EXPECT_INT(support_read_hex(reader, "4001610162"), HPACK_OK);
    EXPECT_INT(reader->decoder.table.count, 1);
    EXPECT_INT(support_read_hex(reader, "7e 21 6161616161616161616161616161616161616161616161616161"
                                        "61616161616161"),
               HPACK_OK);
    EXPECT_TEXT(reader->text, "a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
    EXPECT_INT(reader->decoder.table.count, 0);
    EXPECT_INT(reader->decoder.table.bytes, 0);
    support_reader_end(reader);
}

TEST(test_a_decoder_takes_no_memory_before_the_first_entry_and_none_at_size_0)
{
    int64_t blocks = mem_live_blocks();
    struct support_reader *reader = support_reader_start(4096);
    EXPECT_INT(support_read_hex(reader, "82 00 0161 0162"), HPACK_OK);
    EXPECT_INT(mem_live_blocks(), blocks);
    EXPECT_INT(support_read_hex(reader, "4001610162"), HPACK_OK);
    EXPECT_INT(mem_live_blocks(), blocks + 1);
    EXPECT_INT(support_read_hex(reader, "20"), HPACK_OK);
    EXPECT_INT(mem_live_blocks(), blocks);
    support_reader_end(reader);
}

TEST(test_a_decoder_says_when_memory_is_out)
{
    static const char hex[] = "4088 25a849e95ba97d7f 8925a849e95bb8e8b4bf be";
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct support_reader *reader = support_reader_start(4096);
        mem_fail_nth(n);
        enum hpack_result result = support_read_hex(reader, hex);
        failed = mem_fail_happened() != 0;
        mem_fail_nth(0);
        EXPECT_INT(result, failed ? HPACK_NO_MEMORY : HPACK_OK);
        support_reader_end(reader);
        EXPECT(n < 20);
        EXPECT(failed || n == 3); /* scratch and table */
    }
}
