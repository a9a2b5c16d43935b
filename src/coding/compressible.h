/* coding/compressible.h — which media types are worth compressing, for answers whose type a handler
 * has named (files ask the table of extensions, http/media_type.h), and what a user says about it: a
 * list of types of their own, and a size. Pure; any thread. */
#ifndef CODING_COMPRESSIBLE_H
#define CODING_COMPRESSIBLE_H

#include "base/span.h"

#include <galley/base.h>

enum {
    COMPRESSIBLE_LEAST_BYTES = 1024, /* less gains nothing: it is one packet anyway */
    COMPRESSIBLE_MAX_LIST = 4096     /* each answer may be compared with all of it */
};

/** What a user says. All zero: what galley thinks worth it, from COMPRESSIBLE_LEAST_BYTES on. */
struct compressible {
    struct span types; /* with spaces between; `*` stands for any characters, the word "usual" for
                          what galley thinks; ptr NULL: "usual" */
    uint64_t least_bytes;
};

/** From what a user gave: NULL and 0 for what is usual. The list stays the caller's. 0, or
 *  GALLEY_EINVAL with a sentence that begins with `what`. */
int compressible_from_options(struct compressible *ret_rules, const char *types,
                              uint64_t least_bytes, const char *what, galley_error *err);
/** Does the user want answers of this type compressed? is_usual: what galley thinks of it. */
bool compressible_is_wanted(const struct compressible *rules, struct span content_type,
                            bool is_usual);
/** The size from which on it is done. */
static inline uint64_t compressible_least(const struct compressible *rules)
{
    return rules->least_bytes ? rules->least_bytes : COMPRESSIBLE_LEAST_BYTES;
}

/** A value of Content-Type, with or without parameters. False for what is compressed already, for
 *  what is not known, and for a missing one. */
bool compressible_type(struct span content_type);

/** Does this value of Cache-Control hold no-transform? Then not (RFC 9111 §5.2.2.6: whoever says so
 *  means it, though it is written for proxies). */
bool compressible_forbidden(struct span cache_control);

#endif
