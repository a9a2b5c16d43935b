/* tests/fuzz/fuzz_hpack_round.c — what our encoder writes, our decoder reads and nghttp2's, too:
 * the same fields, and all three tables alike. Records: a byte that says how, or that a block
 * ends or a table's size changes; for a field two bytes of lengths, its name and its value. */
/* rooms: hpack */
#include "hpack/hpack.h"

#include "fuzz.h"

#include <nghttp2/nghttp2.h>

enum { MAX_FIELDS = 64, BLOCK_END = 0xff, SIZE_CHANGE = 0xfe };

struct sent {
    struct span name;
    struct span value;
    bool is_never_indexed;
};

static struct {
    struct hpack_encoder encoder;
    struct hpack_decoder decoder;
    nghttp2_hd_inflater *inflater;
    struct buf block, scratch;
    struct sent sent[MAX_FIELDS]; /* in this block */
    unsigned count;
    unsigned read;
} world;

static void start(void)
{
    hpack_encoder_init(&world.encoder);
    hpack_decoder_init(&world.decoder, HPACK_TABLE_BYTES, 4096);
    FUZZ_EXPECT(nghttp2_hd_inflate_new(&world.inflater) == 0);
    buf_init(&world.block, 0);
    buf_init(&world.scratch, 0);
    world.count = 0;
    hpack_encode_begin(&world.encoder, &world.block);
}

static void end(void)
{
    hpack_encoder_finish(&world.encoder);
    hpack_decoder_finish(&world.decoder);
    nghttp2_hd_inflate_del(world.inflater);
    buf_finish(&world.block);
    buf_finish(&world.scratch);
}

static void check(struct span name, struct span value, bool is_never_indexed)
{
    FUZZ_EXPECT(world.read < world.count);
    const struct sent *sent = &world.sent[world.read++];
    FUZZ_EXPECT(span_equal(sent->name, name));
    FUZZ_EXPECT(span_equal(sent->value, value));
    FUZZ_EXPECT(sent->is_never_indexed == is_never_indexed);
}

static bool take(void *arg, const struct hpack_field *field)
{
    (void)arg;
    check(field->name, field->value, field->is_never_indexed);
    return true;
}

static void read_with_nghttp2(void)
{
    const uint8_t *at = (const uint8_t *)buf_span(&world.block).ptr;
    const uint8_t *last = at + world.block.len;
    int flags = 0;
    world.read = 0;
    while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
        nghttp2_nv field;
        ssize_t used =
            nghttp2_hd_inflate_hd2(world.inflater, &field, &flags, at, (size_t)(last - at), 1);
        FUZZ_EXPECT(used >= 0);
        at += used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            check(span_make((const char *)field.name, field.namelen),
                  span_make((const char *)field.value, field.valuelen),
                  (field.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0);
        }
    }
    FUZZ_EXPECT(nghttp2_hd_inflate_end_headers(world.inflater) == 0);
    FUZZ_EXPECT(world.read == world.count);
}

static void end_block(void)
{
    size_t consumed = 0;
    world.read = 0;
    hpack_decoder_begin(&world.decoder);
    FUZZ_EXPECT(!world.block.failed);
    const struct hpack_taker taker = {take, NULL, &world.scratch};
    FUZZ_EXPECT(hpack_decode(&world.decoder, buf_span(&world.block), true, &taker, &consumed) ==
                HPACK_OK);
    FUZZ_EXPECT(world.read == world.count);
    read_with_nghttp2();
    const struct hpack_table *table = &world.encoder.table;
    FUZZ_EXPECT(table->bytes <= table->max_bytes);
    FUZZ_EXPECT(table->bytes == world.decoder.table.bytes);
    FUZZ_EXPECT(table->count == world.decoder.table.count);
    FUZZ_EXPECT(table->bytes == nghttp2_hd_inflate_get_dynamic_table_size(world.inflater));
    buf_clear(&world.block);
    world.count = 0;
}

static void send(struct span name, struct span value, enum hpack_how how)
{
    struct hpack_line line = hpack_line_make(name, value, how);
    world.sent[world.count++] = (struct sent){name, value, how == HPACK_NEVER};
    hpack_encode(&world.encoder, &world.block, &line);
}

/* SETTINGS are for the next block: this one ends. */
static void change_size(uint32_t bytes)
{
    end_block();
    hpack_encoder_allow(&world.encoder, bytes);
    FUZZ_EXPECT(nghttp2_hd_inflate_change_table_size(world.inflater, bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    start();
    while (size >= 3) {
        unsigned command = data[0], a = data[1], b = data[2];
        data += 3;
        size -= 3;
        if (command == SIZE_CHANGE) {
            change_size(a << 8 | b);
        } else if (command == BLOCK_END || world.count == MAX_FIELDS) {
            end_block();
        } else {
            size_t name_len = a < size ? a : size;
            size_t value_len = b < size - name_len ? b : size - name_len;
            struct span name = span_make((const char *)data, name_len);
            struct span value = span_make((const char *)data + name_len, value_len);
            send(name, value, (enum hpack_how)(command % 4));
            data += name_len + value_len;
            size -= name_len + value_len;
            continue;
        }
        hpack_encode_begin(&world.encoder, &world.block);
    }
    end_block();
    end();
    return 0;
}
