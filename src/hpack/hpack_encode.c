/* hpack/hpack_encode.c — fields as RFC 7541 §6 writes them; see hpack.h. Names and values are
 * looked for in the static table when a line is made, in the dynamic one when it is sent. */
#include "base/check.h"
#include "hpack/hpack.h"
#include "hpack/hpack_huffman.h"
#include "hpack/hpack_integer.h"
#include "hpack/hpack_static.h"

enum {
    INDEXED = 0x80,       /* §6.1, seven bits of number */
    WITH_INDEXING = 0x40, /* §6.2.1, six */
    SIZE_UPDATE = 0x20,   /* §6.3, five */
    NEVER_INDEXED = 0x10, /* §6.2.3, four */
    NOT_INDEXED = 0x00,   /* §6.2.2, four */
    HUFFMAN = 0x80        /* §5.2, seven */
};

/* ---- lines ----------------------------------------------------------------------------------- */

/* Up to eight bytes as a number. */
static uint64_t word_of(const char *at, size_t len)
{
    uint64_t word = 0;
    uint32_t first, last;
    if (len >= sizeof word) {
        memcpy(&word, at, sizeof word);
    } else if (len >= sizeof first) {
        memcpy(&first, at, sizeof first);
        memcpy(&last, at + len - sizeof last, sizeof last);
        word = (uint64_t)first << 32 | last;
    } else if (len > 0) {
        word = (uint64_t)(unsigned char)at[0] << 16 | (uint64_t)(unsigned char)at[len / 2] << 8 |
               (unsigned char)at[len - 1];
    }
    return word;
}

/* Nothing depends on it but where an entry is looked for; who makes many fields of one hash
 * makes the search for his own fields as long as the table is, which is short. */
static uint64_t mix(uint64_t hash, struct span s)
{
    const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
    hash ^= s.len;
    size_t i = 0;
    for (; s.len - i > sizeof(uint64_t); i += sizeof(uint64_t)) {
        hash = (hash ^ word_of(s.ptr + i, sizeof(uint64_t))) * factor;
        hash ^= hash >> 32;
    }
    hash = (hash ^ word_of(s.ptr + i, s.len - i)) * factor;
    return hash ^ hash >> 32;
}

static uint32_t hash_of(struct span name, struct span value)
{
    uint32_t hash = (uint32_t)mix(mix(0, name), value);
    return hash ? hash : 1; /* 0: nothing was seen */
}

struct hpack_line hpack_line_make(struct span name, struct span value, enum hpack_how how)
{
    struct hpack_line line = {.name = name, .value = value, .how = (uint8_t)how};
    if (value.len == 0) {
        line.value.ptr = "";
    }
    line.name_index = hpack_static_name(name);
    if (how != HPACK_NEVER) {
        line.exact_index = hpack_static_exact(line.name_index, value);
    }
    if (line.exact_index == 0 && (how == HPACK_INDEX || how == HPACK_IF_REPEATED)) {
        line.hash = hash_of(line.name, line.value);
    }
    return line;
}

/* ---- the table's size ------------------------------------------------------------------------ */

void hpack_encoder_init(struct hpack_encoder *encoder)
{
    *encoder = (struct hpack_encoder){.allowed_bytes = HPACK_TABLE_BYTES,
                                      .least_bytes = HPACK_TABLE_BYTES};
    hpack_table_init(&encoder->table, HPACK_TABLE_BYTES);
}

void hpack_encoder_finish(struct hpack_encoder *encoder)
{
    hpack_table_finish(&encoder->table);
}

void hpack_encoder_allow(struct hpack_encoder *encoder, uint32_t table_bytes)
{
    encoder->allowed_bytes = table_bytes < HPACK_TABLE_BYTES ? table_bytes : HPACK_TABLE_BYTES;
    if (encoder->allowed_bytes < encoder->least_bytes) {
        encoder->least_bytes = encoder->allowed_bytes;
    }
    encoder->must_resize = encoder->least_bytes < encoder->table.max_bytes ||
                           encoder->allowed_bytes != encoder->table.max_bytes;
}

static void resize(struct hpack_encoder *encoder, struct buf *out, uint32_t bytes)
{
    uint8_t update[HPACK_INTEGER_BYTES];
    uint8_t *end = integer_write(update, SIZE_UPDATE, 5, bytes);
    hpack_table_resize(&encoder->table, bytes);
    buf_append(out, update, (size_t)(end - update));
}

/* RFC 7541 §4.2: the smallest that was in between must be said, too. */
void hpack_encode_begin(struct hpack_encoder *encoder, struct buf *out)
{
    if (!encoder->must_resize) {
        return;
    }
    if (encoder->least_bytes < encoder->allowed_bytes) {
        resize(encoder, out, encoder->least_bytes);
    }
    resize(encoder, out, encoder->allowed_bytes);
    encoder->least_bytes = encoder->allowed_bytes;
    encoder->must_resize = false;
}

/* ---- fields ---------------------------------------------------------------------------------- */

static uint8_t *write_string(uint8_t *out, struct span text)
{
    size_t len = huffman_encoded_len(text);
    if (len < text.len) {
        return huffman_encode(integer_write(out, HUFFMAN, 7, (uint32_t)len), text);
    }
    out = integer_write(out, 0, 7, (uint32_t)text.len);
    memcpy(out, text.ptr, text.len);
    return out + text.len;
}

/* Has it come before, not long ago? Now it has. */
static bool has_come(struct hpack_encoder *encoder, uint32_t hash)
{
    uint32_t is_seen = 0;
    for (unsigned i = 0; i < HPACK_SEEN; i++) {
        is_seen |= encoder->seen[i] == hash;
    }
    if (!is_seen) {
        encoder->seen[encoder->seen_next] = hash;
        encoder->seen_next = (encoder->seen_next + 1) % HPACK_SEEN;
    }
    return is_seen;
}

/* May it be remembered, now? */
static bool is_wanted(struct hpack_encoder *encoder, const struct hpack_line *line)
{
    size_t bytes = line->name.len + line->value.len + HPACK_ENTRY_OVERHEAD;
    if (bytes > encoder->table.max_bytes / 4 * 3) {
        return false; /* it would drive out nearly all others */
    }
    return line->how == HPACK_INDEX || has_come(encoder, line->hash);
}

/* The name's index in the tables as they are before the field is added (RFC 7541 §4.4), or 0. */
static uint32_t name_index(const struct hpack_encoder *encoder, const struct hpack_line *line)
{
    if (line->name_index != 0) {
        return line->name_index;
    }
    int age = hpack_table_find_name(&encoder->table, line->name);
    return age < 0 ? 0 : (uint32_t)age + HPACK_STATIC_COUNT + 1;
}

static uint8_t *write_literal(struct hpack_encoder *encoder, uint8_t *out,
                              const struct hpack_line *line)
{
    bool may_add = line->how == HPACK_INDEX || line->how == HPACK_IF_REPEATED;
    uint32_t index = name_index(encoder, line);
    struct hpack_marks marks = {.hash = line->hash, .name_index = line->name_index};
    if (may_add && is_wanted(encoder, line) &&
        hpack_table_add(&encoder->table, line->name, line->value, &marks)) {
        out = integer_write(out, WITH_INDEXING, 6, index);
    } else {
        unsigned first = line->how == HPACK_NEVER ? NEVER_INDEXED : NOT_INDEXED;
        out = integer_write(out, first, 4, index);
    }
    if (index == 0) {
        out = write_string(out, line->name);
    }
    return write_string(out, line->value);
}

/* Room for all of a line at once, mostly without a call. */
static inline char *reserve(struct buf *out, size_t bytes)
{
    if (!out->failed && out->capacity - out->len >= bytes && out->data) {
        return out->data + out->len;
    }
    return buf_reserve(out, bytes);
}

/* The index of the whole field in the tables, or 0. */
static inline uint32_t exact_index(const struct hpack_encoder *encoder,
                                   const struct hpack_line *line)
{
    if (line->exact_index != 0 || line->hash == 0) {
        return line->exact_index;
    }
    int age = hpack_table_find(&encoder->table, line);
    return age < 0 ? 0 : (uint32_t)age + HPACK_STATIC_COUNT + 1;
}

void hpack_encode(struct hpack_encoder *encoder, struct buf *out, const struct hpack_line *line)
{
    size_t most = line->name.len + line->value.len + 3 * (size_t)HPACK_INTEGER_BYTES;
    uint8_t *begin = (uint8_t *)reserve(out, most);
    if (!begin) {
        return;
    }
    uint32_t index = exact_index(encoder, line);
    uint8_t *end =
        index != 0 ? integer_write(begin, INDEXED, 7, index) : write_literal(encoder, begin, line);
    out->len += (size_t)(end - begin);
}
