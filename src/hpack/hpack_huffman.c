/* hpack/hpack_huffman.c — Huffman code, both ways; see hpack_huffman.h. The bits to be read or
 * written stand in a word of 64, those to come next at its top. One look at eight bits finds the
 * bytes that names and values are made of; longer codes are found by their place among the codes
 * of their length. */
#include "hpack/hpack_huffman.h"

#include "hpack/hpack_huffman_table.h"

enum { WORD_BITS = 64, WORD_BYTES = 8, PADDING_BITS = 7 };

struct bits {
    const uint8_t *begin;
    const uint8_t *at;
    const uint8_t *end;
    uint64_t word;  /* the bits below `count` are zeros, or bits of *at and what follows it */
    unsigned count; /* of bits in word */
};

static uint64_t load_big_endian(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(word) : word;
}

/* The bytes from `at` on, less than a word, with zeros behind them; there is one at least. */
static uint64_t load_last(const struct bits *bits)
{
    size_t left = (size_t)(bits->end - bits->at);
    if (bits->end - bits->begin >= WORD_BYTES) {
        return load_big_endian(bits->end - WORD_BYTES) << (WORD_BITS - 8 * left);
    }
    uint64_t word = 0;
    for (size_t i = 0; i < left; i++) {
        word |= (uint64_t)bits->at[i] << (WORD_BITS - 8 - 8 * i);
    }
    return word;
}

/* Afterwards count is at least 56, or the end is reached. */
static inline void refill(struct bits *bits)
{
    size_t left = (size_t)(bits->end - bits->at);
    size_t room = (WORD_BITS - 1 - bits->count) / 8;
    if (left == 0) {
        return;
    }
    uint64_t more = left >= WORD_BYTES ? load_big_endian(bits->at) : load_last(bits);
    size_t taken = left < room ? left : room;
    bits->word |= more >> bits->count;
    bits->at += taken;
    bits->count += 8 * (unsigned)taken;
}

/* Codes of up to eight bits, as long as eight bits are there. */
static inline char *take_short(struct bits *bits, char *to)
{
    uint64_t word = bits->word;
    unsigned count = bits->count;
    while (count >= HUFFMAN_SHORT_BITS) {
        unsigned found = huffman_short[word >> (WORD_BITS - HUFFMAN_SHORT_BITS)];
        if (found == 0) {
            break;
        }
        *to++ = (char)found;
        word <<= found >> 8;
        count -= found >> 8;
    }
    bits->word = word;
    bits->count = count;
    return to;
}

/* Less than eight bits are left of the string; there may be a code in them yet. */
static char *take_last(struct bits *bits, char *to)
{
    unsigned found = huffman_short[bits->word >> (WORD_BITS - HUFFMAN_SHORT_BITS)];
    if (found != 0 && found >> 8 <= bits->count) {
        *to++ = (char)found;
        bits->word <<= found >> 8;
        bits->count -= found >> 8;
    }
    return to;
}

/* A code of more than eight bits, that is whole. */
static bool take_long(struct bits *bits, char *out)
{
    uint32_t code = (uint32_t)(bits->word >> 32);
    const struct huffman_row *row = huffman_rows;
    while (code >= row->limit && row->bits < HUFFMAN_MOST_BITS) {
        row++;
    }
    /* The distance to the limit, in codes of this length; the last row has no limit in 32 bits. */
    uint32_t first = row == huffman_rows ? UINT32_C(0xfe000000) : row[-1].limit;
    uint32_t place = row->first + ((code - first) >> (32 - row->bits));
    if (row->bits > bits->count || place >= HUFFMAN_LONG_COUNT) {
        return false;
    }
    *out = (char)huffman_long[place];
    bits->word <<= row->bits;
    bits->count -= row->bits;
    return true;
}

/* RFC 7541 §5.2: less than eight bits, the first ones of EOS, which are ones. */
static bool is_padding(const struct bits *bits)
{
    return bits->count <= PADDING_BITS &&
           (bits->count == 0 ||
            bits->word >> (WORD_BITS - bits->count) == (UINT64_C(1) << bits->count) - 1);
}

bool huffman_decode(const uint8_t *bytes, size_t len, char *out, size_t *ret_len)
{
    struct bits bits = {.begin = bytes, .at = bytes, .end = bytes + len};
    char *to = out;
    for (;;) {
        refill(&bits);
        to = take_short(&bits, to);
        if (bits.at < bits.end && bits.count < HUFFMAN_MOST_BITS) {
            continue;
        }
        if (bits.count < HUFFMAN_SHORT_BITS || !take_long(&bits, to)) {
            break;
        }
        to++;
    }
    to = take_last(&bits, to);
    *ret_len = (size_t)(to - out);
    return bits.at == bits.end && is_padding(&bits);
}

size_t huffman_encoded_len(struct span text)
{
    size_t bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        bits += huffman_bits[(unsigned char)text.ptr[i]];
    }
    return (bits + 7) / 8;
}

static uint8_t *store_big_endian(uint8_t *out, uint32_t word)
{
    word = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap32(word) : word;
    memcpy(out, &word, sizeof word);
    return out + sizeof word;
}

uint8_t *huffman_encode(uint8_t *out, struct span text)
{
    uint64_t word = 0; /* the lowest `count` bits are to be written */
    unsigned count = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        word = word << huffman_bits[c] | huffman_codes[c];
        count += huffman_bits[c];
        if (count >= 32) {
            count -= 32;
            out = store_big_endian(out, (uint32_t)(word >> count));
        }
    }
    while (count >= 8) {
        count -= 8;
        *out++ = (uint8_t)(word >> count);
    }
    if (count > 0) {
        *out++ = (uint8_t)(word << (8 - count) | 0xffu >> count);
    }
    return out;
}
