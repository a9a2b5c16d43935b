/* tests/unit/wire/support_reference.h — a second, slow reader of request heads and chunked bodies
 * that shares no code and no table with src/wire: it needs the whole text and looks at it as a
 * person with the RFC would. */
#ifndef TESTS_UNIT_WIRE_SUPPORT_REFERENCE_H
#define TESTS_UNIT_WIRE_SUPPORT_REFERENCE_H

#include "base/span.h"

/** Does text begin with a well-formed head? Then its length and field lines. Knows no limits of
 * size. */
bool reference_head(struct span text, size_t *ret_len, unsigned *ret_fields);
/** Is text exactly one chunked body, and how many bytes of data has it? Extensions are only looked
 *  at for line ends, so true may still be a body that the decoder refuses; false never one that it
 *  takes. */
bool reference_chunked(struct span text, size_t *ret_body_bytes);

#endif
