/* tests/unit/hpack/test_examples.c — the examples of RFC 7541 Appendix C, each with what it
 * leaves in the dynamic table. */
#include "hpack/hpack.h"
#include "hpack/hpack_integer.h"
#include "support_hpack.h"

#include "test.h"

/* The dynamic table as text, the newest entry first. */
static const char *table_text(const struct support_reader *reader)
{
    static char text[4096];
    const struct hpack_table *table = &reader->decoder.table;
    size_t len = 0;
    text[0] = '\0';
    for (uint32_t age = 0; age < table->count; age++) {
        const struct hpack_entry *entry = hpack_table_at(table, age);
        struct span name = hpack_entry_name(table, entry);
        struct span value = hpack_entry_value(table, entry);
        len += (size_t)snprintf(text + len, sizeof text - len, "%.*s: %.*s\n", SPAN_ARGS(name),
                                SPAN_ARGS(value));
    }
    return text;
}

static void expect_block(struct support_reader *reader, const char *hex, const char *fields,
                         const char *table, unsigned table_bytes)
{
    EXPECT_INT(support_read_hex(reader, hex), HPACK_OK);
    EXPECT_TEXT(reader->text, fields);
    EXPECT_TEXT(table_text(reader), table);
    EXPECT_INT(reader->decoder.table.bytes, table_bytes);
}

static void expect_integer(const char *hex, unsigned prefix_bits, uint32_t number)
{
    uint8_t bytes[16];
    size_t len = support_hex(hex, bytes);
    const uint8_t *at = bytes;
    uint32_t read = 0;
    EXPECT_INT(integer_read(&at, bytes + len, prefix_bits, &read), INTEGER_OK);
    EXPECT_INT(read, number);
    EXPECT_INT(at - bytes, len);
    uint8_t written[HPACK_INTEGER_BYTES];
    const uint8_t *end = integer_write(written, 0, prefix_bits, number);
    test_equal_bytes(__FILE__, __LINE__, hex, written, (size_t)(end - written), bytes, len);
}

/* RFC 7541 Appendix C.1 */
TEST(test_the_integers_of_the_rfc)
{
    expect_integer("0a", 5, 10);
    expect_integer("1f 9a 0a", 5, 1337);
    expect_integer("2a", 8, 42);
}

/* RFC 7541 Appendix C.2 */
TEST(test_the_single_fields_of_the_rfc)
{
    struct support_reader *reader = support_reader_start(4096);
    expect_block(reader, "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
                 "custom-key: custom-header\n", "custom-key: custom-header\n", 55);
    support_reader_end(reader);
    reader = support_reader_start(4096);
    expect_block(reader, "040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path\n", "", 0);
    expect_block(reader, "1008 7061 7373 776f 7264 0673 6563 7265 74", "!password: secret\n", "",
                 0);
    expect_block(reader, "82", ":method: GET\n", "", 0);
    support_reader_end(reader);
}

#define LAST_REQUEST                                                                               \
    ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\n"              \
    "custom-key: custom-value\n"

static const char *const request_fields[3] = {
    ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n",
    ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache\n",
    LAST_REQUEST,
};

static const char *const request_tables[3] = {
    ":authority: www.example.com\n",
    "cache-control: no-cache\n:authority: www.example.com\n",
    "custom-key: custom-value\ncache-control: no-cache\n:authority: www.example.com\n",
};

static const unsigned request_bytes[3] = {57, 110, 164};

static void expect_requests(const char *const hex[3])
{
    struct support_reader *reader = support_reader_start(4096);
    for (unsigned i = 0; i < 3; i++) {
        expect_block(reader, hex[i], request_fields[i], request_tables[i], request_bytes[i]);
    }
    support_reader_end(reader);
}

/* RFC 7541 Appendix C.3 */
TEST(test_the_requests_of_the_rfc_in_plain_text)
{
    static const char *const hex[3] = {
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    };
    expect_requests(hex);
}

static const char *const coded_requests[3] = {
    "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
    "8286 84be 5886 a8eb 1064 9cbf",
    "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
};

/* RFC 7541 Appendix C.4 */
TEST(test_the_requests_of_the_rfc_in_huffman_code)
{
    expect_requests(coded_requests);
}

#define DATE_21  "Mon, 21 Oct 2013 20:13:21 GMT"
#define DATE_22  "Mon, 21 Oct 2013 20:13:22 GMT"
#define LOCATION "location: https://www.example.com\n"
#define COOKIE   "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n"
#define LAST_ANSWER                                                                                \
    ":status: 200\ncache-control: private\ndate: " DATE_22 "\n" LOCATION                           \
    "content-encoding: gzip\n" COOKIE
#define FIRST_END "cache-control: private\ndate: " DATE_21 "\n" LOCATION

static const char *const answer_fields[3] = {
    ":status: 302\n" FIRST_END,
    ":status: 307\n" FIRST_END,
    LAST_ANSWER,
};

static const char *const answer_tables[3] = {
    LOCATION "date: " DATE_21 "\ncache-control: private\n:status: 302\n",
    ":status: 307\n" LOCATION "date: " DATE_21 "\ncache-control: private\n",
    COOKIE "content-encoding: gzip\ndate: " DATE_22 "\n",
};

static const unsigned answer_bytes[3] = {222, 222, 215};

static void expect_answers(const char *const hex[3])
{
    struct support_reader *reader = support_reader_start(256);
    for (unsigned i = 0; i < 3; i++) {
        expect_block(reader, hex[i], answer_fields[i], answer_tables[i], answer_bytes[i]);
    }
    support_reader_end(reader);
}

/* RFC 7541 Appendix C.5: a table of 256 bytes, so that entries are evicted */
TEST(test_the_answers_of_the_rfc_in_plain_text)
{
    static const char *const hex[3] = {
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133"
        "2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70"
        "6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d"
        "54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049"
        "5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e"
        "3d31",
    };
    expect_answers(hex);
}

/* RFC 7541 Appendix C.6 */
TEST(test_the_answers_of_the_rfc_in_huffman_code)
{
    static const char *const hex[3] = {
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6"
        "2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab"
        "77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f"
        "9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    };
    expect_answers(hex);
}

static void encode(struct hpack_encoder *encoder, struct buf *out, const char *name,
                   const char *value)
{
    struct hpack_line line = hpack_line_make(span_of(name), span_of(value), HPACK_INDEX);
    hpack_encode(encoder, out, &line);
}

/* RFC 7541 Appendix C.4, the other way round: our encoder finds the same bytes */
TEST(test_the_encoder_writes_the_requests_of_the_rfc)
{
    struct hpack_encoder encoder;
    struct buf out;
    hpack_encoder_init(&encoder);
    buf_init(&out, 0);
    for (unsigned i = 0; i < 3; i++) {
        uint8_t bytes[256];
        size_t len = support_hex(coded_requests[i], bytes);
        buf_clear(&out);
        hpack_encode_begin(&encoder, &out);
        encode(&encoder, &out, ":method", "GET");
        encode(&encoder, &out, ":scheme", i == 2 ? "https" : "http");
        encode(&encoder, &out, ":path", i == 2 ? "/index.html" : "/");
        encode(&encoder, &out, ":authority", "www.example.com");
        if (i == 1) {
            encode(&encoder, &out, "cache-control", "no-cache");
        } else if (i == 2) {
            encode(&encoder, &out, "custom-key", "custom-value");
        }
        test_equal_bytes(__FILE__, __LINE__, "block", out.data, out.len, bytes, len);
        EXPECT_INT(encoder.table.bytes, request_bytes[i]);
    }
    hpack_encoder_finish(&encoder);
    buf_finish(&out);
}
