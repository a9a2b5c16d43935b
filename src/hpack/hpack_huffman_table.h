/* hpack/hpack_huffman_table.h — the Huffman code of RFC 7541 Appendix B, laid out for
 * hpack_huffman.c, and for the test that proves the numbers. Constants; any thread. */
#ifndef HPACK_HPACK_HUFFMAN_TABLE_H
#define HPACK_HPACK_HUFFMAN_TABLE_H

#include <stdint.h>

enum {
    HUFFMAN_LEAST_BITS = 5,
    HUFFMAN_MOST_BITS = 30,
    HUFFMAN_SHORT_BITS = 8,   /* codes up to here are found by one look */
    HUFFMAN_LONG_COUNT = 182, /* bytes with longer codes */
    HUFFMAN_ROW_COUNT = 17    /* lengths of those */
};

/** Codes of one length over HUFFMAN_SHORT_BITS. They follow each other, and those of the next
 *  length follow them. */
struct huffman_row {
    /* The first code behind them, from the highest bit; of the last row the highest number. */
    uint32_t limit;
    uint8_t bits;
    uint8_t first; /* where their bytes begin in huffman_long; behind its end is EOS */
};

/** Of each byte: how long its code is, and the code from the lowest bit. */
extern const uint8_t huffman_bits[256];
extern const uint32_t huffman_codes[256];
/** By the next eight bits: length * 256 + byte; 0: the code is longer. */
extern const uint16_t huffman_short[256];
extern const struct huffman_row huffman_rows[HUFFMAN_ROW_COUNT];
/** Bytes with long codes, in the order of their codes. */
extern const uint8_t huffman_long[HUFFMAN_LONG_COUNT];

#endif
