/* hpack/hpack_static.h — the static table (RFC 7541 Appendix A). For decoder and encoder.
 * Constants; any thread. */
#ifndef HPACK_HPACK_STATIC_H
#define HPACK_HPACK_STATIC_H

#include "hpack/hpack.h"

/** By index, from 1; as the decoder hands them out. */
extern const struct hpack_field hpack_static[HPACK_STATIC_COUNT + 1];

/** The first row with this name, or 0. */
uint8_t hpack_static_name(struct span name);
/** The row with this value among those whose first is name_index, or 0. */
uint8_t hpack_static_exact(uint8_t name_index, struct span value);

#endif
