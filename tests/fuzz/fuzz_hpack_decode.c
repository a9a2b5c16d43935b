/* tests/fuzz/fuzz_hpack_decode.c — field blocks of one connection, for our decoder and
 * nghttp2's: the same verdict on each, the same fields, the same use of the table; and the block
 * in two pieces is the block. Records: two bytes of length, the highest bits of the first a
 * choice of where to cut, and the block.
 *
 * Where nghttp2 judges otherwise, by intention:
 * - a string over MAX_STRING is TOO_LONG here, and an error there; there only from 64 KiB on;
 * - a field that is larger than 64 KiB is an error there. */
/* rooms: hpack */
#include "hpack/hpack.h"

#include "base/text.h"
#include "fuzz.h"

#include <nghttp2/nghttp2.h>

enum { MAX_STRING = 40000, TOLD_BYTES = 1 << 22 };

/* Fields one behind the other: lengths, strings, and whether they are never indexed. */
struct told {
    struct buf text;
    unsigned fields;
};

static void tell(struct told *told, struct span name, struct span value, bool is_never_indexed)
{
    buf_append_u64(&told->text, name.len);
    buf_append_char(&told->text, is_never_indexed ? '!' : ':');
    buf_append_span(&told->text, name);
    buf_append_u64(&told->text, value.len);
    buf_append_char(&told->text, ':');
    buf_append_span(&told->text, value);
    told->fields++;
}

static void begin(struct told *told)
{
    buf_clear(&told->text);
    told->fields = 0;
}

/* The judgements, by the letter. */
static bool is_good_name(struct span name)
{
    size_t i = name.len > 0 && name.ptr[0] == ':';
    bool is_good = i < name.len;
    for (; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_other = c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
        is_good &= (c >= 'a' && c <= 'z') || text_is_digit(c) || is_other;
    }
    return is_good;
}

static bool is_good_value(struct span value)
{
    struct span trimmed = span_trim(value);
    bool is_good = trimmed.len == value.len;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        is_good &= (c >= 0x20 && c != 0x7f) || c == '\t';
    }
    return is_good;
}

static bool take(void *arg, const struct hpack_field *field)
{
    FUZZ_EXPECT(field->has_good_name == is_good_name(field->name));
    FUZZ_EXPECT(field->has_good_value == is_good_value(field->value));
    FUZZ_EXPECT(field->name_index <= HPACK_STATIC_COUNT);
    FUZZ_EXPECT(field->name_index ==
                hpack_line_make(field->name, SPAN(""), HPACK_NEVER).name_index);
    tell(arg, field->name, field->value, field->is_never_indexed);
    return true;
}

/* Each piece in memory of its own, that ends where the piece ends. */
static enum hpack_result give(struct hpack_decoder *decoder, struct buf *scratch, struct span piece,
                              bool is_last, size_t *ret_consumed, struct told *told)
{
    char *copy = malloc(piece.len ? piece.len : 1);
    FUZZ_EXPECT(copy != NULL);
    if (piece.len) {
        memcpy(copy, piece.ptr, piece.len);
    }
    const struct hpack_taker taker = {take, told, scratch};
    enum hpack_result result =
        hpack_decode(decoder, span_make(copy, piece.len), is_last, &taker, ret_consumed);
    free(copy);
    FUZZ_EXPECT(*ret_consumed <= piece.len);
    return result;
}

static enum hpack_result decode(struct hpack_decoder *decoder, struct buf *scratch,
                                struct span block, size_t cut, struct told *told)
{
    size_t first = 0, second = 0;
    begin(told);
    hpack_decoder_begin(decoder);
    enum hpack_result result = HPACK_OK;
    if (cut > 0) {
        result = give(decoder, scratch, span_first(block, cut), false, &first, told);
    }
    if (result == HPACK_OK) {
        struct span rest = span_from(block, first);
        result = give(decoder, scratch, rest, true, &second, told);
        FUZZ_EXPECT(result != HPACK_OK || second == rest.len);
    }
    FUZZ_EXPECT(decoder->table.bytes <= decoder->table.max_bytes);
    FUZZ_EXPECT(decoder->table.max_bytes <= HPACK_TABLE_BYTES);
    return result;
}

static bool inflate(nghttp2_hd_inflater *inflater, struct span block, struct told *told)
{
    const uint8_t *at = (const uint8_t *)block.ptr;
    const uint8_t *end = at + block.len;
    int flags = 0;
    begin(told);
    while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
        nghttp2_nv field;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &field, &flags, at, (size_t)(end - at), 1);
        if (used < 0) {
            return false;
        }
        at += used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            tell(told, span_make((const char *)field.name, field.namelen),
                 span_make((const char *)field.value, field.valuelen),
                 (field.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0);
        } else if (at == end && !(flags & NGHTTP2_HD_INFLATE_FINAL)) {
            return false; /* it asks for more than there is */
        }
    }
    return nghttp2_hd_inflate_end_headers(inflater) == 0;
}

static struct {
    struct hpack_decoder whole, cut;
    nghttp2_hd_inflater *inflater;
    struct buf scratch;
    struct told told, told_cut, told_there;
} world;

static void start(void)
{
    hpack_decoder_init(&world.whole, HPACK_TABLE_BYTES, MAX_STRING);
    hpack_decoder_init(&world.cut, HPACK_TABLE_BYTES, MAX_STRING);
    FUZZ_EXPECT(nghttp2_hd_inflate_new(&world.inflater) == 0);
    buf_init(&world.scratch, 0);
    buf_init(&world.told.text, TOLD_BYTES);
    buf_init(&world.told_cut.text, TOLD_BYTES);
    buf_init(&world.told_there.text, TOLD_BYTES);
}

static void end(void)
{
    hpack_decoder_finish(&world.whole);
    hpack_decoder_finish(&world.cut);
    nghttp2_hd_inflate_del(world.inflater);
    buf_finish(&world.scratch);
    buf_finish(&world.told.text);
    buf_finish(&world.told_cut.text);
    buf_finish(&world.told_there.text);
}

static void expect_same(const struct told *a, const struct told *b)
{
    FUZZ_EXPECT(a->fields == b->fields);
    FUZZ_EXPECT(a->text.failed == b->text.failed);
    FUZZ_EXPECT(span_equal(buf_span(&a->text), buf_span(&b->text)));
}

/* True: the tables are whole, and another block may come. */
static bool compare(struct span block, size_t cut)
{
    enum hpack_result result = decode(&world.whole, &world.scratch, block, 0, &world.told);
    enum hpack_result in_two = decode(&world.cut, &world.scratch, block, cut, &world.told_cut);
    FUZZ_EXPECT(result == in_two);
    expect_same(&world.told, &world.told_cut);
    FUZZ_EXPECT(world.whole.table.bytes == world.cut.table.bytes);
    bool is_good = inflate(world.inflater, block, &world.told_there);
    if (result == HPACK_TOO_LONG) {
        return false;
    }
    FUZZ_EXPECT((result == HPACK_OK) == is_good);
    expect_same(&world.told, &world.told_there);
    if (is_good) {
        FUZZ_EXPECT(world.whole.table.bytes ==
                    nghttp2_hd_inflate_get_dynamic_table_size(world.inflater));
    }
    return is_good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool goes_on = true;
    start();
    while (goes_on && size >= 2) {
        size_t len = (data[0] & 0x1fu) << 8 | data[1];
        unsigned choice = data[0] >> 5;
        data += 2;
        size -= 2;
        len = len < size ? len : size;
        goes_on = compare(span_make((const char *)data, len), len * choice / 8);
        data += len;
        size -= len;
    }
    end();
    return 0;
}
