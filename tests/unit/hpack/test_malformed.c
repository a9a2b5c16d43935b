/* tests/unit/hpack/test_malformed.c — what is no field block (RFC 9113 §4.3: a connection error
 * of the type COMPRESSION_ERROR), each rule by its name; and what is only long. */
#include "hpack/hpack.h"
#include "support_hpack.h"

#include "test.h"

static void expect(const char *hex, enum hpack_result result)
{
    struct support_reader *reader = support_reader_start(4096);
    EXPECT_INT(support_read_hex(reader, hex), result);
    support_reader_end(reader);
}

/* RFC 7541 §6.1 */
TEST(test_index_0_is_an_error)
{
    expect("80", HPACK_MALFORMED);
}

/* RFC 7541 §2.3.3 */
TEST(test_an_index_behind_both_tables_is_an_error)
{
    expect("bd", HPACK_OK); /* 61 */
    expect("be", HPACK_MALFORMED);
    expect("ff00", HPACK_MALFORMED);
    expect("ff ffff ffff 0e", HPACK_MALFORMED);
    expect("4001 6101 62 be", HPACK_OK);
    expect("4001 6101 62 bf", HPACK_MALFORMED);
}

TEST(test_a_name_behind_both_tables_is_an_error)
{
    expect("7d 0161", HPACK_OK);
    expect("7e 0161", HPACK_MALFORMED);
    expect("0f2f 0161", HPACK_MALFORMED);
    expect("1f2f 0161", HPACK_MALFORMED);
}

/* RFC 7541 §5.1: "Integer encodings that exceed implementation limits … MUST be treated as
 * decoding errors" */
TEST(test_a_number_over_32_bits_is_an_error)
{
    expect("ff ffff ffff 7f", HPACK_MALFORMED);
    expect("ff 8080 8080 80", HPACK_MALFORMED);
    expect("3f ffff ffff 7f", HPACK_MALFORMED);
    expect("7f ffff ffff 7f", HPACK_MALFORMED);
    expect("00 7f ffff ffff 7f", HPACK_MALFORMED);
    expect("00 0161 7f ffff ffff 7f", HPACK_MALFORMED);
}

TEST(test_a_block_that_ends_inside_of_a_field_is_an_error)
{
    expect("", HPACK_OK);
    expect("82 ff", HPACK_MALFORMED);
    expect("82 40", HPACK_MALFORMED);
    expect("82 4001", HPACK_MALFORMED);
    expect("82 400161", HPACK_MALFORMED);
    expect("82 40016101", HPACK_MALFORMED);
    expect("82 4001610162", HPACK_OK);
    expect("3f", HPACK_MALFORMED);
}

/* RFC 7541 §4.2: "This dynamic table size update MUST occur at the beginning of the first header
 * block" */
TEST(test_a_size_update_behind_a_field_is_an_error)
{
    expect("20", HPACK_OK);
    expect("20 3fe11f", HPACK_OK); /* 0, 4096 */
    expect("20 82", HPACK_OK);
    expect("82 20", HPACK_MALFORMED);
    expect("20 82 20", HPACK_MALFORMED);
    expect("00 0161 0162 20", HPACK_MALFORMED);
}

TEST(test_a_size_update_begins_every_block_anew)
{
    struct support_reader *reader = support_reader_start(4096);
    EXPECT_INT(support_read_hex(reader, "82"), HPACK_OK);
    EXPECT_INT(support_read_hex(reader, "20 82"), HPACK_OK);
    EXPECT_INT(reader->decoder.table.max_bytes, 0);
    support_reader_end(reader);
}

/* RFC 7541 §6.3: "The new maximum size MUST be lower than or equal to the limit" */
TEST(test_a_size_update_over_what_we_allow_is_an_error)
{
    expect("3fe11f", HPACK_OK);
    expect("3fe21f", HPACK_MALFORMED);
    struct support_reader *reader = support_reader_start(100);
    EXPECT_INT(support_read_hex(reader, "3f45"), HPACK_OK);        /* 100 */
    EXPECT_INT(support_read_hex(reader, "3f46"), HPACK_MALFORMED); /* 101 */
    support_reader_end(reader);
}

/* RFC 7541 §5.2 */
TEST(test_a_wrong_padding_is_an_error)
{
    expect("00 0161 811f", HPACK_OK);
    expect("00 0161 8118", HPACK_MALFORMED);
    expect("00 8118 0161", HPACK_MALFORMED);
    expect("00 0161 821fff", HPACK_MALFORMED);
    expect("00 0161 81ff", HPACK_MALFORMED);
}

TEST(test_eos_in_a_string_is_an_error)
{
    expect("00 0161 84 ffffffff", HPACK_MALFORMED);
    expect("00 85 1fffffffff 0161", HPACK_MALFORMED);
}

static bool take_all(void *arg, const struct hpack_field *field)
{
    (void)field;
    ++*(unsigned *)arg;
    return true;
}

static enum hpack_result decode_up_to(uint32_t max_string_bytes, const char *hex, bool is_last)
{
    struct hpack_decoder decoder;
    struct buf scratch;
    uint8_t bytes[256];
    unsigned fields = 0;
    size_t consumed = 0;
    size_t len = support_hex(hex, bytes);
    hpack_decoder_init(&decoder, 4096, max_string_bytes);
    buf_init(&scratch, 0);
    hpack_decoder_begin(&decoder);
    const struct hpack_taker taker = {take_all, &fields, &scratch};
    enum hpack_result result =
        hpack_decode(&decoder, span_make((const char *)bytes, len), is_last, &taker, &consumed);
    hpack_decoder_finish(&decoder);
    buf_finish(&scratch);
    return result;
}

TEST(test_a_string_over_the_limit_is_told_before_its_bytes_have_come)
{
    EXPECT_INT(decode_up_to(4, "00 0161 04 61626364", true), HPACK_OK);
    EXPECT_INT(decode_up_to(4, "00 0161 05", false), HPACK_TOO_LONG);
    EXPECT_INT(decode_up_to(4, "00 05", false), HPACK_TOO_LONG);
    EXPECT_INT(decode_up_to(4, "00 85", false), HPACK_TOO_LONG);
    EXPECT_INT(decode_up_to(4, "00 0161 7f ffffff0f", false), HPACK_TOO_LONG);
    EXPECT_INT(decode_up_to(4, "00 0161 7f ffff", false), HPACK_OK); /* the number is cut */
}

TEST(test_a_string_may_be_too_long_when_it_is_decoded)
{
    /* "aaaa", "aaaaa", "aaaaaa": 20, 25, 30 bits */
    EXPECT_INT(decode_up_to(5, "00 0161 83 18c63f", true), HPACK_OK);
    EXPECT_INT(decode_up_to(5, "00 0161 84 18c6318f", true), HPACK_TOO_LONG);
    EXPECT_INT(decode_up_to(5, "00 84 18c6318f 0161", true), HPACK_TOO_LONG);
}

/* Nothing of a block behind an error is told, what was before it was. */
TEST(test_fields_before_an_error_were_told)
{
    struct support_reader *reader = support_reader_start(4096);
    EXPECT_INT(support_read_hex(reader, "82 87 80 84"), HPACK_MALFORMED);
    EXPECT_TEXT(reader->text, ":method: GET\n:scheme: https\n");
    support_reader_end(reader);
}
