/* hpack/hpack_decode.c — field blocks (RFC 7541 §3, §6); see hpack.h. A field is looked at
 * whole: first where its parts lie, then, if all of them are there, what they are; so nothing is
 * remembered of a field that is cut, and looking at its beginning again costs a few numbers. */
#include "base/check.h"
#include "hpack/hpack.h"
#include "hpack/hpack_huffman.h"
#include "hpack/hpack_integer.h"
#include "hpack/hpack_judge.h"
#include "hpack/hpack_static.h"

/* Behind the results that others see: the field goes on where the bytes end. */
enum { FIELD_CUT = HPACK_STOPPED + 1 };

enum {
    INDEXED = 0x80,       /* §6.1, seven bits of number */
    WITH_INDEXING = 0x40, /* §6.2.1, six */
    SIZE_UPDATE = 0x20,   /* §6.3, five */
    NEVER_INDEXED = 0x10, /* §6.2.3, four; without it §6.2.2 */
    HUFFMAN = 0x80        /* §5.2, seven */
};

/* One call of hpack_decode(). */
struct reader {
    struct hpack_decoder *decoder;
    const uint8_t *at;
    const uint8_t *end;
    struct hpack_taker taker;
};

/* A string as it lies in the block. */
struct coded {
    const uint8_t *at;
    uint32_t len;
    bool is_huffman;
};

static int result_of(enum integer_result result)
{
    return result == INTEGER_OK ? HPACK_OK : result == INTEGER_CUT ? FIELD_CUT : HPACK_MALFORMED;
}

/* ---- indexed fields -------------------------------------------------------------------------- */

/* The field with this index, its strings in the tables. False: there is none (§2.3.3). */
static inline bool look_up(const struct hpack_table *table, uint32_t index, struct hpack_field *ret)
{
    uint32_t age = index - HPACK_STATIC_COUNT - 1; /* of static rows too large */
    if (age < table->count) {
        const struct hpack_entry *entry = hpack_table_at(table, age);
        *ret = (struct hpack_field){
            hpack_entry_name(table, entry), hpack_entry_value(table, entry), entry->name_index,
            entry->has_good_name,           entry->has_good_value,           false};
        return true;
    }
    if (index == 0 || index > HPACK_STATIC_COUNT) {
        return false;
    }
    *ret = hpack_static[index];
    return true;
}

static int read_indexed(struct reader *reader)
{
    uint32_t index;
    enum integer_result read = integer_read(&reader->at, reader->end, 7, &index);
    if (read != INTEGER_OK) {
        return result_of(read);
    }
    if (index - 1 < HPACK_STATIC_COUNT) {
        return reader->taker.fn(reader->taker.arg, &hpack_static[index]) ? HPACK_OK : HPACK_STOPPED;
    }
    struct hpack_field field;
    if (!look_up(&reader->decoder->table, index, &field)) {
        return HPACK_MALFORMED;
    }
    return reader->taker.fn(reader->taker.arg, &field) ? HPACK_OK : HPACK_STOPPED;
}

/* ---- the table's size ------------------------------------------------------------------------ */

/* RFC 7541 §4.2: only where a block begins. §6.3: not above what we have allowed. */
static int read_size_update(struct reader *reader)
{
    struct hpack_decoder *decoder = reader->decoder;
    uint32_t bytes;
    if (!decoder->may_resize) {
        return HPACK_MALFORMED;
    }
    enum integer_result read = integer_read(&reader->at, reader->end, 5, &bytes);
    if (read != INTEGER_OK) {
        return result_of(read);
    }
    if (bytes > decoder->max_table_bytes) {
        return HPACK_MALFORMED;
    }
    hpack_table_resize(&decoder->table, bytes);
    return HPACK_OK;
}

/* ---- literals -------------------------------------------------------------------------------- */

/* Finds a string; a length that nobody would take is told before its bytes have come. */
static int find_string(struct reader *reader, struct coded *ret)
{
    if (reader->at == reader->end) {
        return FIELD_CUT;
    }
    bool is_huffman = (*reader->at & HUFFMAN) != 0;
    uint32_t len;
    enum integer_result read = integer_read(&reader->at, reader->end, 7, &len);
    if (read != INTEGER_OK) {
        return result_of(read);
    }
    if (len > reader->decoder->max_string_bytes) {
        return HPACK_TOO_LONG;
    }
    if (len > (size_t)(reader->end - reader->at)) {
        return FIELD_CUT;
    }
    *ret = (struct coded){reader->at, len, is_huffman};
    reader->at += len;
    return HPACK_OK;
}

/* Makes a string readable: as it lies there, or decoded behind what the scratch has, which has
 * room. */
static int read_string(struct reader *reader, const struct coded *coded, struct span *ret)
{
    if (!coded->is_huffman) {
        *ret = span_make((const char *)coded->at, coded->len);
        return HPACK_OK;
    }
    struct buf *scratch = reader->taker.scratch;
    char *out = scratch->data + scratch->len;
    size_t len;
    if (!huffman_decode(coded->at, coded->len, out, &len)) {
        return HPACK_MALFORMED; /* RFC 7541 §5.2 */
    }
    scratch->len += len;
    *ret = span_make(out, len);
    return len > reader->decoder->max_string_bytes ? HPACK_TOO_LONG : HPACK_OK;
}

static size_t scratch_bytes(const struct coded *coded)
{
    return coded->is_huffman ? huffman_most_decoded(coded->len) : 0;
}

static int read_name(struct reader *reader, const struct coded *coded, struct hpack_field *field)
{
    int result = read_string(reader, coded, &field->name);
    if (result == HPACK_OK) {
        field->name_index = hpack_static_name(field->name);
        field->has_good_name = field->name_index != 0 || hpack_is_good_name(field->name);
    }
    return result;
}

/* The callback comes first: the name may lie in the table, where adding may move it. */
static int tell(struct reader *reader, const struct hpack_field *field, bool is_added)
{
    bool goes_on = reader->taker.fn(reader->taker.arg, field);
    if (is_added) {
        struct hpack_marks marks = {0, field->name_index, field->has_good_name,
                                    field->has_good_value};
        if (!hpack_table_add(&reader->decoder->table, field->name, field->value, &marks)) {
            return HPACK_NO_MEMORY;
        }
    }
    return goes_on ? HPACK_OK : HPACK_STOPPED;
}

/* Where the parts of a literal lie. */
struct literal {
    uint32_t index; /* of the name; 0: a string */
    struct coded name;
    struct coded value;
};

static int find_literal(struct reader *reader, unsigned prefix_bits, struct literal *literal)
{
    int result = result_of(integer_read(&reader->at, reader->end, prefix_bits, &literal->index));
    if (result == HPACK_OK && literal->index == 0) {
        result = find_string(reader, &literal->name);
    }
    return result == HPACK_OK ? find_string(reader, &literal->value) : result;
}

static int read_strings(struct reader *reader, const struct literal *literal,
                        struct hpack_field *field)
{
    buf_clear(reader->taker.scratch);
    size_t needed = scratch_bytes(&literal->name) + scratch_bytes(&literal->value);
    if (needed > 0 && !buf_reserve(reader->taker.scratch, needed)) {
        return HPACK_NO_MEMORY;
    }
    int result = literal->index == 0 ? read_name(reader, &literal->name, field) : HPACK_OK;
    if (result == HPACK_OK) {
        result = read_string(reader, &literal->value, &field->value);
    }
    if (result == HPACK_OK) {
        field->has_good_value = hpack_is_good_value(field->value);
    }
    return result;
}

static int read_literal(struct reader *reader, unsigned first)
{
    bool is_added = (first & WITH_INDEXING) != 0;
    struct literal literal = {0};
    struct hpack_field field;
    int result = find_literal(reader, is_added ? 6 : 4, &literal);
    if (result == HPACK_OK && literal.index != 0 &&
        !look_up(&reader->decoder->table, literal.index, &field)) {
        result = HPACK_MALFORMED;
    }
    if (result == HPACK_OK) {
        result = read_strings(reader, &literal, &field);
    }
    if (result != HPACK_OK) {
        return result;
    }
    field.is_never_indexed = !is_added && (first & NEVER_INDEXED) != 0;
    return tell(reader, &field, is_added);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

void hpack_decoder_init(struct hpack_decoder *decoder, uint32_t max_table_bytes,
                        uint32_t max_string_bytes)
{
    *decoder = (struct hpack_decoder){.max_table_bytes = max_table_bytes,
                                      .max_string_bytes = max_string_bytes};
    hpack_table_init(&decoder->table, max_table_bytes);
}

void hpack_decoder_finish(struct hpack_decoder *decoder)
{
    hpack_table_finish(&decoder->table);
}

void hpack_decoder_begin(struct hpack_decoder *decoder)
{
    decoder->may_resize = true;
}

/* One field, or one size update. */
static inline int read_one(struct reader *reader)
{
    unsigned first = *reader->at;
    if (first & INDEXED) {
        reader->decoder->may_resize = false;
        return read_indexed(reader);
    }
    if ((first & (WITH_INDEXING | SIZE_UPDATE)) == SIZE_UPDATE) {
        return read_size_update(reader);
    }
    reader->decoder->may_resize = false;
    return read_literal(reader, first);
}

enum hpack_result hpack_decode(struct hpack_decoder *decoder, struct span bytes, bool is_last,
                               const struct hpack_taker *taker, size_t *ret_consumed)
{
    *ret_consumed = 0;
    if (bytes.len == 0) {
        return HPACK_OK;
    }
    const uint8_t *begin = (const uint8_t *)bytes.ptr;
    struct reader reader = {decoder, begin, begin + bytes.len, *taker};
    const uint8_t *whole = begin;
    int result = HPACK_OK;
    while (result == HPACK_OK && reader.at < reader.end) {
        result = read_one(&reader);
        if (result == HPACK_OK || result == HPACK_STOPPED) {
            whole = reader.at;
        }
    }
    *ret_consumed = (size_t)(whole - begin);
    if (result == FIELD_CUT) {
        return is_last ? HPACK_MALFORMED : HPACK_OK;
    }
    return (enum hpack_result)result;
}
