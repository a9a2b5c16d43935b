/* http/etag.h — entity tags (RFC 9110 §8.8.3): reading, comparing, lists, writing.
 * Strict: `"` etagc* `"` with an optional upper-case W/ in front. Pure; any thread. */
#ifndef HTTP_ETAG_H
#define HTTP_ETAG_H

#include "base/span.h"

struct etag {
    struct span opaque; /* with its quotes */
    bool is_weak;
};

/** The whole span is one entity tag. */
bool etag_parse(struct span s, struct etag *ret);
/** RFC 9110 §8.8.3.2: strong: both strong and the same bytes; weak: the same bytes. */
bool etag_equal_strong(struct etag a, struct etag b);
bool etag_equal_weak(struct etag a, struct etag b);

enum etag_match {
    ETAG_NO_MATCH,
    ETAG_MATCH,    /* some member equals */
    ETAG_ANY,      /* the value is "*" */
    ETAG_MALFORMED /* not the grammar of RFC 9110 §13.1.1 and §13.1.2 */
};
/** Compare one value of If-Match (strong) or If-None-Match (weak) with the current tag; current
 *  NULL: there is none, nothing equals. The whole value is checked also when an early member
 *  matches. */
enum etag_match etag_list_match(struct span value, const struct etag *current, bool is_strong);

enum { ETAG_MAX_LEN = 64 };
/** `"<32 hex digits>"` from 128 bits of a hash of the content. Returns the length; no NUL. */
size_t etag_write_hash(char *out, const unsigned char hash[16]);
/** `W/"<inode>-<size>-<mtime ns>"` in hex, for what is too large to hash. Returns the length; no
 * NUL. */
size_t etag_write_weak(char *out, uint64_t inode, uint64_t size, int64_t mtime_ns);

#endif
