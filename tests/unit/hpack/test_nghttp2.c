/* tests/unit/hpack/test_nghttp2.c — nghttp2's encoder and our decoder, our encoder and nghttp2's
 * decoder: random fields, again and again over the same tables, whose sizes change. */
#include "hpack/hpack.h"
#include "support_hpack.h"

#include "test.h"

#include <nghttp2/nghttp2.h>

enum { MOST_FIELDS = 24, MOST_VALUE = 600, BLOCK_BYTES = 64 * 1024 };

struct section {
    nghttp2_nv fields[MOST_FIELDS];
    char values[MOST_FIELDS][MOST_VALUE];
    unsigned count;
};

static const char *const names[] = {
    ":method",
    ":path",
    ":scheme",
    ":authority",
    ":status",
    "accept",
    "cookie",
    "date",
    "server",
    "etag",
    "x-one",
    "x-two",
    "cache-control",
    "referer",
    "via",
    "x-forwarded",
    "alt-svc",
    "te",
    "vary",
    "content-length",
    "priority",
    "user-agent",
    "www-authenticate",
    "x-a-name-that-is-somewhat-longer-than-the-others",
};

static const char *const values[] = {
    "GET",
    "POST",
    "/",
    "/index.html",
    "https",
    "200",
    "404",
    "gzip, deflate",
    "",
    "example.com",
    "max-age=3600",
    "text/html; charset=utf-8",
    "Mon, 21 Oct 2013 20:13:21 GMT",
};

static struct span random_value(char *room)
{
    uint64_t kind = test_random_below(10);
    if (kind < 5) {
        return span_of(values[test_random_below(sizeof values / sizeof values[0])]);
    }
    size_t len = test_random_below(kind < 9 ? 30 : MOST_VALUE);
    for (size_t i = 0; i < len; i++) {
        room[i] = (char)(kind % 2 ? test_random_below(256) : 'a' + test_random_below(6));
    }
    return span_make(room, len);
}

static void make_section(struct section *section)
{
    section->count = (unsigned)test_random_below(MOST_FIELDS + 1);
    for (unsigned i = 0; i < section->count; i++) {
        const char *name = names[test_random_below(sizeof names / sizeof names[0])];
        struct span value = random_value(section->values[i]);
        uint8_t flags =
            test_random_below(16) == 0 ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
        section->fields[i] =
            (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value.ptr, strlen(name),
                         value.len, flags};
    }
}

struct checker {
    const struct section *section;
    unsigned at;
};

static bool check_field(void *arg, const struct hpack_field *field)
{
    struct checker *checker = arg;
    EXPECT(checker->at < checker->section->count);
    const nghttp2_nv *sent = &checker->section->fields[checker->at++];
    test_equal_bytes(__FILE__, __LINE__, "name", field->name.ptr, field->name.len, sent->name,
                     sent->namelen);
    test_equal_bytes(__FILE__, __LINE__, "value", field->value.ptr, field->value.len, sent->value,
                     sent->valuelen);
    /* nghttp2 finds short cookies secret by itself. */
    EXPECT(field->is_never_indexed == (sent->flags & NGHTTP2_NV_FLAG_NO_INDEX) ||
           span_equal(field->name, SPAN("cookie")));
    EXPECT(field->has_good_name);
    return true;
}

/* In pieces, what was not consumed given again with more behind it. */
static void decode_in_pieces(struct hpack_decoder *decoder, struct buf *scratch, const char *block,
                             size_t len, const struct section *section)
{
    struct checker checker = {.section = section};
    const struct hpack_taker taker = {check_field, &checker, scratch};
    size_t from = 0, to = 0;
    hpack_decoder_begin(decoder);
    while (to < len) {
        to += test_random_below(3) ? len - to : test_random_below(len - to + 1);
        size_t consumed = 0;
        EXPECT_INT(
            hpack_decode(decoder, span_make(block + from, to - from), to == len, &taker, &consumed),
            HPACK_OK);
        from += consumed;
    }
    EXPECT_INT(from, len);
    EXPECT_INT(checker.at, section->count);
}

TEST(test_our_decoder_reads_what_nghttp2_writes)
{
    static struct section section;
    static uint8_t block[BLOCK_BYTES];
    struct buf scratch;
    buf_init(&scratch, 0);
    for (unsigned round = 0; round < test_rounds(60); round++) {
        nghttp2_hd_deflater *deflater;
        struct hpack_decoder decoder;
        EXPECT_INT(nghttp2_hd_deflate_new(&deflater, HPACK_TABLE_BYTES), 0);
        hpack_decoder_init(&decoder, HPACK_TABLE_BYTES, SUPPORT_MAX_STRING);
        for (unsigned i = 0; i < 60; i++) {
            if (test_random_below(8) == 0) {
                size_t size = test_random_below(3) ? test_random_below(HPACK_TABLE_BYTES + 1) : 0;
                EXPECT_INT(nghttp2_hd_deflate_change_table_size(deflater, size), 0);
            }
            make_section(&section);
            ssize_t len =
                nghttp2_hd_deflate_hd(deflater, block, sizeof block, section.fields, section.count);
            EXPECT(len >= 0);
            decode_in_pieces(&decoder, &scratch, (const char *)block, (size_t)len, &section);
            EXPECT_INT(decoder.table.bytes, nghttp2_hd_deflate_get_dynamic_table_size(deflater));
            EXPECT(decoder.table.bytes <= decoder.table.max_bytes);
        }
        nghttp2_hd_deflate_del(deflater);
        hpack_decoder_finish(&decoder);
    }
    buf_finish(&scratch);
}

static void inflate(nghttp2_hd_inflater *inflater, const struct buf *block,
                    const struct section *section)
{
    size_t at = 0;
    unsigned count = 0;
    int flags = 0;
    while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
        nghttp2_nv field;
        ssize_t used = nghttp2_hd_inflate_hd2(
            inflater, &field, &flags, (const uint8_t *)block->data + at, block->len - at, 1);
        EXPECT(used >= 0);
        at += (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            EXPECT(count < section->count);
            const nghttp2_nv *sent = &section->fields[count++];
            test_equal_bytes(__FILE__, __LINE__, "name", field.name, field.namelen, sent->name,
                             sent->namelen);
            test_equal_bytes(__FILE__, __LINE__, "value", field.value, field.valuelen, sent->value,
                             sent->valuelen);
            EXPECT_INT(field.flags & NGHTTP2_NV_FLAG_NO_INDEX,
                       sent->flags & NGHTTP2_NV_FLAG_NO_INDEX);
        }
    }
    EXPECT_INT(at, block->len);
    EXPECT_INT(count, section->count);
    EXPECT_INT(nghttp2_hd_inflate_end_headers(inflater), 0);
}

static void encode(struct hpack_encoder *encoder, struct buf *block, const struct section *section)
{
    buf_clear(block);
    hpack_encode_begin(encoder, block);
    for (unsigned i = 0; i < section->count; i++) {
        const nghttp2_nv *field = &section->fields[i];
        enum hpack_how how = field->flags & NGHTTP2_NV_FLAG_NO_INDEX
                                 ? HPACK_NEVER
                                 : (enum hpack_how)test_random_below(HPACK_NEVER);
        struct hpack_line line =
            hpack_line_make(span_make((const char *)field->name, field->namelen),
                            span_make((const char *)field->value, field->valuelen), how);
        hpack_encode(encoder, block, &line);
    }
    EXPECT(!block->failed);
}

/* SETTINGS_HEADER_TABLE_SIZE comes, is changed again perhaps, before the next block. */
static void change_size(struct hpack_encoder *encoder, nghttp2_hd_inflater *inflater)
{
    for (uint64_t times = test_random_below(3) + 1; times > 0; times--) {
        uint32_t size = (uint32_t)test_random_below(test_random_below(2) ? 200 : 10000);
        hpack_encoder_allow(encoder, size);
        EXPECT_INT(nghttp2_hd_inflate_change_table_size(inflater, size), 0);
    }
}

TEST(test_nghttp2_reads_what_our_encoder_writes)
{
    static struct section section;
    struct buf block;
    buf_init(&block, 0);
    for (unsigned round = 0; round < test_rounds(60); round++) {
        nghttp2_hd_inflater *inflater;
        struct hpack_encoder encoder;
        EXPECT_INT(nghttp2_hd_inflate_new(&inflater), 0);
        hpack_encoder_init(&encoder);
        for (unsigned i = 0; i < 60; i++) {
            if (test_random_below(8) == 0) {
                change_size(&encoder, inflater);
            }
            make_section(&section);
            encode(&encoder, &block, &section);
            inflate(inflater, &block, &section);
            EXPECT_INT(encoder.table.bytes, nghttp2_hd_inflate_get_dynamic_table_size(inflater));
            EXPECT(encoder.table.bytes <= encoder.table.max_bytes);
        }
        nghttp2_hd_inflate_del(inflater);
        hpack_encoder_finish(&encoder);
    }
    buf_finish(&block);
}
