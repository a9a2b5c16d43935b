/* wire/field_section.h — field lines up to the empty line: the part that request heads and trailers
 * share. RFC 9112 §5 and §7.1.2. Called by h1_parser and chunked. Restartable at every byte and fed
 * with new bytes only; keeps 8 bytes. Each rule is judged at the first byte that breaks it. The
 * caller limits the bytes by cutting `end`. Pure; any thread. */
#ifndef WIRE_FIELD_SECTION_H
#define WIRE_FIELD_SECTION_H

#include "http/fields.h"
#include "wire/h1_error.h"

enum h1_result {
    H1_MORE,  /* not complete: call again with more */
    H1_DONE,  /* complete, the result is filled in */
    H1_FAILED /* refused, the error says why; calling again gives the same */
};

struct field_section {
    uint32_t count; /* field lines begun */
    uint8_t state;
    uint8_t error; /* enum h1_error, once it failed */
};

void field_section_init(struct field_section *section);
/**
 * Moves *at over what was judged, at most to end; after H1_DONE it stands behind the empty line.
 * max_fields: more lines are H1_TOO_MANY_FIELDS.
 * fields: where the lines go (views into the bytes), with room for max_fields; NULL: judge only.
 * The lines are collected only when the whole section lies in one call that began with a fresh
 * section.
 */
enum h1_result field_section_feed(struct field_section *section, const char **at, const char *end,
                                  uint32_t max_fields, struct fields *fields);

#endif
