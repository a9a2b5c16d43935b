/* hpack/hpack_table.h — the static and the dynamic table of RFC 7541 §2.3. For decoder and encoder; nobody
 * outside of the room looks in. Pure; one owner. */
#ifndef HPACK_HPACK_TABLE_H
#define HPACK_HPACK_TABLE_H

#include "base/span.h"

enum {
    HPACK_TABLE_BYTES = 4096, /* RFC 9113 §6.5.2: what both sides begin with; we never want more */
    HPACK_ENTRY_OVERHEAD = 32, /* RFC 7541 §4.1 */
    HPACK_STATIC_COUNT = 61    /* Appendix A */
};

/** The newest entry has index HPACK_STATIC_COUNT + 1. The engineer of this room decides what is in here. */
struct hpack_table {
    struct hpack_entries *entries; /* NULL: nothing was ever added */
    uint32_t max_bytes;            /* in force */
    uint32_t bytes;                /* as RFC 7541 §4.1 counts */
    uint32_t count;
};

#endif
