/* tests/unit/hpack/test_integer.c — numbers of RFC 7541 §5.1 beyond those of its examples. */
#include "hpack/hpack_integer.h"
#include "support_hpack.h"

#include "test.h"

static enum integer_result read_hex(const char *hex, unsigned prefix_bits, uint32_t *number)
{
    uint8_t bytes[32];
    size_t len = support_hex(hex, bytes);
    const uint8_t *at = bytes;
    return integer_read(&at, bytes + len, prefix_bits, number);
}

TEST(test_numbers_come_back_from_every_prefix)
{
    for (unsigned prefix = 4; prefix <= 7; prefix++) {
        for (unsigned i = 0; i < 2000; i++) {
            uint32_t number = i < 600 ? i : (uint32_t)(test_random() >> test_random_below(64));
            uint8_t bytes[HPACK_INTEGER_BYTES];
            uint8_t *end = integer_write(bytes, 0x100 - (1u << prefix), prefix, number);
            const uint8_t *at = bytes;
            uint32_t read = 0;
            EXPECT(end - bytes <= HPACK_INTEGER_BYTES);
            EXPECT_INT(integer_read(&at, end, prefix, &read), INTEGER_OK);
            EXPECT_INT(read, number);
            EXPECT(at == end);
        }
    }
}

TEST(test_a_number_of_32_bits_is_read_and_a_larger_one_is_not)
{
    uint32_t number = 0;
    EXPECT_INT(read_hex("1f e0ff ffff 0f", 5, &number), INTEGER_OK);
    EXPECT_INT(number, UINT32_MAX);
    EXPECT_INT(read_hex("1f e1ff ffff 0f", 5, &number), INTEGER_BAD);
    EXPECT_INT(read_hex("1f ffff ffff 7f", 5, &number), INTEGER_BAD);
    EXPECT_INT(read_hex("1f 8080 8080 10", 5, &number), INTEGER_BAD);
}

TEST(test_a_number_has_at_most_five_bytes_behind_the_first)
{
    uint32_t number = 0;
    EXPECT_INT(read_hex("1f 8080 8080 00", 5, &number), INTEGER_OK);
    EXPECT_INT(number, 31);
    EXPECT_INT(read_hex("1f 8080 8080 80 00", 5, &number), INTEGER_BAD);
    EXPECT_INT(read_hex("1f 8080 8080 80", 5, &number), INTEGER_BAD);
}

TEST(test_a_number_that_is_cut_asks_for_more)
{
    uint32_t number = 0;
    EXPECT_INT(read_hex("1f", 5, &number), INTEGER_CUT);
    EXPECT_INT(read_hex("1f 80", 5, &number), INTEGER_CUT);
    EXPECT_INT(read_hex("1f 8080 8080", 5, &number), INTEGER_CUT);
}
