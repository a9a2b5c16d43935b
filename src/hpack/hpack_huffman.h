/* hpack/hpack_huffman.h — strings in the Huffman code of RFC 7541 §5.2 and Appendix B. For
 * decoder and encoder. Pure; any thread. */
#ifndef HPACK_HPACK_HUFFMAN_H
#define HPACK_HPACK_HUFFMAN_H

#include "base/span.h"

/** Room for what so many bytes decode to, at most: the shortest code has five bits. */
static inline size_t huffman_most_decoded(size_t len)
{
    return len + len / 5 * 3 + 3;
}

/** Writes to out, which has room for huffman_most_decoded(len) bytes; how many is *ret_len.
 *  False: it is no string (EOS in it, or a padding that is too long or not all ones). */
bool huffman_decode(const uint8_t *bytes, size_t len, char *out, size_t *ret_len);
/** How many bytes huffman_encode() will write. */
size_t huffman_encoded_len(struct span text);
/** Writes huffman_encoded_len() bytes; the end of them. */
uint8_t *huffman_encode(uint8_t *out, struct span text);

#endif
