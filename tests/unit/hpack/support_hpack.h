/* tests/unit/hpack/support_hpack.h — decoding for the room's tests: fields are written as text,
 * a line each, "name: value\n", never indexed ones with a "!" before them. One thread. */
#ifndef TESTS_UNIT_HPACK_SUPPORT_HPACK_H
#define TESTS_UNIT_HPACK_SUPPORT_HPACK_H

#include "hpack/hpack.h"

enum { SUPPORT_TEXT_BYTES = 1 << 20, SUPPORT_MAX_STRING = 65536 };

struct support_reader {
    struct hpack_decoder decoder;
    struct buf scratch;
    char text[SUPPORT_TEXT_BYTES];
    size_t text_len;
    unsigned fields;
    unsigned stop_at;        /* the callback returns false at this field; 0: never */
    struct hpack_field last; /* without its strings */
};

/** Static memory: one at a time. */
struct support_reader *support_reader_start(uint32_t max_table_bytes);
void support_reader_end(struct support_reader *reader);
/** A block of its own; the text and the count of fields begin anew. Afterwards text ends in a
 *  NUL. */
enum hpack_result support_read(struct support_reader *reader, const void *bytes, size_t len);
/** … cut at this place: given in two pieces, as the frames would. */
enum hpack_result support_read_cut(struct support_reader *reader, const void *bytes, size_t len,
                                   size_t cut);
/** Hex digits, spaces between them are ignored; returns how many bytes. */
size_t support_hex(const char *hex, uint8_t *out);
/** … and read as a block. */
enum hpack_result support_read_hex(struct support_reader *reader, const char *hex);

#endif
