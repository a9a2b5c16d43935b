/* tests/unit/hpack/test_encode.c — which form a field is sent in, and what the table then
 * remembers. */
#include "base/alloc.h"
#include "hpack/hpack.h"
#include "support_hpack.h"

#include "test.h"

struct world {
    struct hpack_encoder encoder;
    struct buf out;
    struct support_reader *reader;
};

static void start(struct world *world)
{
    hpack_encoder_init(&world->encoder);
    buf_init(&world->out, 0);
    world->reader = support_reader_start(HPACK_TABLE_BYTES);
}

static void end(struct world *world)
{
    hpack_encoder_finish(&world->encoder);
    buf_finish(&world->out);
    support_reader_end(world->reader);
}

/* A block of one field; its first byte. */
static unsigned send(struct world *world, const char *name, const char *value, enum hpack_how how)
{
    char expected[8192];
    struct hpack_line line = hpack_line_make(span_of(name), span_of(value), how);
    buf_clear(&world->out);
    hpack_encode_begin(&world->encoder, &world->out);
    hpack_encode(&world->encoder, &world->out, &line);
    EXPECT(!world->out.failed);
    EXPECT_INT(support_read(world->reader, world->out.data, world->out.len), HPACK_OK);
    snprintf(expected, sizeof expected, "%s%s: %s\n", how == HPACK_NEVER ? "!" : "", name, value);
    EXPECT_TEXT(world->reader->text, expected);
    EXPECT_INT(world->reader->decoder.table.bytes, world->encoder.table.bytes);
    return (unsigned char)world->out.data[0];
}

TEST(test_a_field_of_the_static_table_is_one_byte)
{
    struct world world;
    start(&world);
    for (int how = HPACK_INDEX; how <= HPACK_LITERAL; how++) {
        EXPECT_INT(send(&world, ":status", "200", (enum hpack_how)how), 0x88);
        EXPECT_INT(world.out.len, 1);
        EXPECT_INT(send(&world, "www-authenticate", "", (enum hpack_how)how), 0xbd);
        EXPECT_INT(world.out.len, 1);
    }
    EXPECT(world.encoder.table.entries == NULL);
    end(&world);
}

TEST(test_a_field_to_be_indexed_is_an_index_the_second_time)
{
    struct world world;
    start(&world);
    EXPECT_INT(send(&world, "server", "galley", HPACK_INDEX), 0x40 | 54);
    EXPECT_INT(send(&world, "server", "galley", HPACK_INDEX), 0x80 | 62);
    EXPECT_INT(send(&world, "x-own", "a", HPACK_INDEX), 0x40);
    EXPECT_INT(send(&world, "x-own", "a", HPACK_INDEX), 0x80 | 62);
    EXPECT_INT(send(&world, "server", "galley", HPACK_INDEX), 0x80 | 63);
    EXPECT_INT(send(&world, "x-own", "b", HPACK_INDEX), 0x7e); /* its name is in the table */
    end(&world);
}

TEST(test_a_field_that_is_repeated_is_indexed_then)
{
    struct world world;
    start(&world);
    EXPECT_INT(send(&world, "etag", "\"1\"", HPACK_IF_REPEATED), 0x0f);
    EXPECT_INT(send(&world, "etag", "\"2\"", HPACK_IF_REPEATED), 0x0f);
    EXPECT_INT(world.encoder.table.count, 0);
    EXPECT_INT(send(&world, "etag", "\"1\"", HPACK_IF_REPEATED), 0x40 | 34);
    EXPECT_INT(send(&world, "etag", "\"1\"", HPACK_IF_REPEATED), 0x80 | 62);
    end(&world);
}

TEST(test_a_literal_is_never_remembered)
{
    struct world world;
    start(&world);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_INT(send(&world, "x-own", "a", HPACK_LITERAL), 0x00);
    }
    EXPECT(world.encoder.table.entries == NULL);
    end(&world);
}

/* RFC 7541 §7.1.3; not even if a table has it */
TEST(test_a_field_never_to_be_indexed_is_always_said_so)
{
    struct world world;
    start(&world);
    EXPECT_INT(send(&world, "set-cookie", "a", HPACK_NEVER), 0x1f);
    EXPECT_INT(send(&world, "set-cookie", "a", HPACK_INDEX), 0x40 | 55);
    EXPECT_INT(send(&world, "set-cookie", "a", HPACK_NEVER), 0x1f);
    EXPECT_INT(send(&world, "accept-charset", "", HPACK_NEVER), 0x1f);
    EXPECT_INT(send(&world, "x-own", "secret", HPACK_NEVER), 0x10);
    EXPECT_INT(world.encoder.table.count, 1);
    end(&world);
}

TEST(test_a_large_field_does_not_drive_out_all_others)
{
    struct world world;
    char big[3100];
    start(&world);
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    EXPECT_INT(send(&world, "server", "galley", HPACK_INDEX), 0x40 | 54);
    EXPECT_INT(send(&world, "link", big, HPACK_INDEX), 0x0f);
    EXPECT_INT(send(&world, "server", "galley", HPACK_INDEX), 0x80 | 62);
    end(&world);
}

TEST(test_a_string_that_huffman_makes_longer_is_plain)
{
    struct world world;
    start(&world);
    send(&world, "x", "\x01\x02\x03\x04", HPACK_LITERAL);
    EXPECT_INT(world.out.len, 1 + 2 + 5);
    send(&world, "x", "aaaaaaaa", HPACK_LITERAL);
    EXPECT_INT(world.out.len, 1 + 2 + 1 + 5);
    end(&world);
}

static void expect_begin(struct hpack_encoder *encoder, const char *hex)
{
    uint8_t bytes[64];
    struct buf out;
    buf_init(&out, 0);
    hpack_encode_begin(encoder, &out);
    size_t len = support_hex(hex, bytes);
    test_equal_bytes(__FILE__, __LINE__, "size updates", buf_span(&out).ptr, out.len, bytes, len);
    buf_finish(&out);
}

/* RFC 7541 §4.2: the last size, and before it the smallest in between */
TEST(test_a_change_of_the_size_begins_the_next_block)
{
    struct hpack_encoder encoder;
    hpack_encoder_init(&encoder);
    expect_begin(&encoder, "");
    hpack_encoder_allow(&encoder, 100000); /* we stay with 4096 */
    expect_begin(&encoder, "");
    hpack_encoder_allow(&encoder, 100);
    expect_begin(&encoder, "3f45");
    expect_begin(&encoder, "");
    hpack_encoder_allow(&encoder, 100);
    expect_begin(&encoder, "");
    hpack_encoder_allow(&encoder, 0);
    hpack_encoder_allow(&encoder, 4096);
    expect_begin(&encoder, "20 3fe11f");
    hpack_encoder_allow(&encoder, 30);
    hpack_encoder_allow(&encoder, 4096);
    hpack_encoder_allow(&encoder, 40);
    expect_begin(&encoder, "3e 3f09"); /* 30, 40 */
    EXPECT_INT(encoder.table.max_bytes, 40);
    hpack_encoder_finish(&encoder);
}

TEST(test_a_table_of_size_0_is_used_for_nothing)
{
    struct world world;
    start(&world);
    EXPECT_INT(send(&world, "server", "galley", HPACK_INDEX), 0x40 | 54);
    hpack_encoder_allow(&world.encoder, 0);
    EXPECT_INT(send(&world, "server", "galley", HPACK_INDEX), 0x20);
    EXPECT(world.encoder.table.entries == NULL);
    EXPECT_INT(send(&world, "server", "galley", HPACK_INDEX), 0x0f);
    end(&world);
}

TEST(test_without_memory_for_the_table_a_literal_is_sent)
{
    struct world world;
    start(&world);
    EXPECT_INT(send(&world, "server", "galley", HPACK_LITERAL), 0x0f); /* buffers are there now */
    struct hpack_line line = hpack_line_make(SPAN("server"), SPAN("galley"), HPACK_INDEX);
    buf_clear(&world.out);
    mem_fail_nth(1);
    hpack_encode(&world.encoder, &world.out, &line);
    EXPECT(mem_fail_happened());
    EXPECT(!world.out.failed);
    EXPECT_INT((unsigned char)world.out.data[0], 0x0f);
    EXPECT_INT(support_read(world.reader, world.out.data, world.out.len), HPACK_OK);
    EXPECT_TEXT(world.reader->text, "server: galley\n");
    EXPECT_INT(send(&world, "server", "galley", HPACK_INDEX), 0x40 | 54);
    end(&world);
}

TEST(test_without_memory_for_the_block_the_buffer_has_failed)
{
    struct hpack_encoder encoder;
    struct buf out;
    hpack_encoder_init(&encoder);
    buf_init(&out, 0);
    struct hpack_line line = hpack_line_make(SPAN("server"), SPAN("galley"), HPACK_INDEX);
    mem_fail_nth(1);
    hpack_encode(&encoder, &out, &line);
    EXPECT(out.failed);
    EXPECT_INT(encoder.table.count, 0);
    hpack_encode(&encoder, &out, &line);
    EXPECT_INT(out.len, 0);
    hpack_encoder_finish(&encoder);
    buf_finish(&out);
}

/* All in one: each allocation of a block fails once, and the other side reads the same fields. */
TEST(test_a_block_is_right_whichever_allocation_of_the_table_fails)
{
    static const struct {
        const char *name, *value;
    } fields[] = {{"server", "galley"}, {"date", "now"}, {"x-a", "b"}, {"server", "galley"}};
    char big[700];
    memset(big, 'b', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct world world;
        start(&world);
        struct buf all;
        buf_init(&all, 0);
        buf_reserve(&all, 8192);
        mem_fail_nth(n);
        for (unsigned i = 0; i < 12; i++) {
            struct hpack_line line =
                i % 5 == 4 ? hpack_line_make(SPAN("link"), span_make(big, 600 + i), HPACK_INDEX)
                           : hpack_line_make(span_of(fields[i % 4].name),
                                             span_of(fields[i % 4].value), HPACK_INDEX);
            hpack_encode(&world.encoder, &all, &line);
        }
        failed = mem_fail_happened() != 0;
        mem_fail_nth(0);
        EXPECT_INT(support_read(world.reader, all.data, all.len), HPACK_OK);
        EXPECT_INT(world.reader->fields, 12);
        EXPECT_INT(world.reader->decoder.table.bytes, world.encoder.table.bytes);
        buf_finish(&all);
        end(&world);
        EXPECT(n < 20);
    }
}
